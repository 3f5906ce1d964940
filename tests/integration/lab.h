/* A laboratory for controllers: real etcd and server (harness.h), the real cleat-controllers as a process, caches of
 * everything, and nodes that are played by the test: they bind pods to themselves, say that they run and are ready,
 * and that they ended. */
#pragma once

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "client/cache.h"
#include "lib/api/codec.h"
#include "lib/base/error.h"
#include "lib/base/time.h"
#include "tests/integration/harness.h"

typedef Core__V1__Pod Pod;

#define LAB_PATIENCE_S 90

typedef struct {
    Harness *harness;
    ClientConfig *config;
    Client *client;
    ClientCache *caches[API_INDEX_MAX_];
    GPid controllers;
    const char *const *controllers_args;
    GPtrArray *nodes;       /* names of the nodes that are played, owned */
    gboolean hold_unready;  /* pods run but do not become ready */
    const char *exit_phase; /* pods end at once in this phase; NULL: they go on running */
    /* Runs after each change of a pod. */
    void (*check)(gpointer lab);
    gpointer check_data;
} Lab;

/* --- the controllers --- */

static inline void lab_die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static inline void lab_start_controllers(Lab *lab)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *dir = g_path_get_dirname(self);
    g_autofree char *program = g_build_filename(dir, "cleat-controllers", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, program);
    g_ptr_array_add(argv, (gpointer) "--config");
    g_ptr_array_add(argv, (gpointer)harness_config(lab->harness, "controllers"));
    for (const char *const *one = lab->controllers_args; one && *one; one++)
        g_ptr_array_add(argv, (gpointer)*one);
    g_ptr_array_add(argv, NULL);
    /* The ends of watches that arrive after the loop's end are not delivered: nothing that the leak checker should
     * count. */
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "ASAN_OPTIONS", "detect_leaks=0", TRUE);
    gboolean started = g_spawn_async(NULL, (char **)argv->pdata, environment, G_SPAWN_DO_NOT_REAP_CHILD,
                                     lab_die_with_parent, NULL, &lab->controllers, &error);
    g_assert_no_error(error);
    g_assert_true(started);
}

/* Returns the exit status, or -1 if it was killed. */
static inline int lab_stop_controllers(Lab *lab, int signal)
{
    int status;
    kill(lab->controllers, signal);
    g_assert_cmpint(waitpid(lab->controllers, &status, 0), ==, lab->controllers);
    lab->controllers = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- nodes --- */

static inline void lab_ignore(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    (void)object, (void)error, (void)data; /* conflicts are told by the next change */
}

static inline void lab_bound(Meta__V1__Status *const *results, gsize n, const GError *error, gpointer data)
{
    (void)results, (void)n, (void)error, (void)data; /* the pod's change tells */
}

static inline gboolean lab_plays(const Lab *lab, const char *node)
{
    return node && g_ptr_array_find_with_equal_func(lab->nodes, node, g_str_equal, NULL);
}

static inline void lab_bind(Lab *lab, const Pod *pod)
{
    static guint next;
    Core__V1__Binding binding = CORE__V1__BINDING__INIT;
    Meta__V1__ObjectMeta meta = META__V1__OBJECT_META__INIT;
    Core__V1__ObjectReference target = CORE__V1__OBJECT_REFERENCE__INIT;
    meta.namespace_ = pod->metadata->namespace_;
    meta.name = pod->metadata->name;
    target.kind = (char *)"Node";
    target.name = lab->nodes->pdata[next++ % lab->nodes->len];
    binding.metadata = &meta;
    binding.target = &target;
    Core__V1__Binding *bindings[] = {&binding};
    client_bind(lab->client, bindings, 1, lab_bound, NULL);
}

static inline void lab_set_ready(Pod *pod, const char *status)
{
    Core__V1__PodStatus *to = pod->status;
    for (gsize i = 0; i < to->n_conditions; i++)
        API_FREE(to->conditions[i]);
    g_clear_pointer(&to->conditions, g_free);
    to->n_conditions = 0;
    Core__V1__PodCondition *ready = API_NEW(Core__V1__PodCondition, core__v1__pod_condition);
    ready->type = g_strdup("Ready");
    ready->status = g_strdup(status);
    ready->lasttransitiontime = api_time_new(time_now_ns());
    api_append(to->conditions, to->n_conditions, ready);
}

static inline gboolean lab_is_ready(const Pod *pod)
{
    for (gsize i = 0; pod->status && i < pod->status->n_conditions; i++)
        if (g_str_equal(pod->status->conditions[i]->type, "Ready"))
            return g_str_equal(pod->status->conditions[i]->status, "True");
    return FALSE;
}

static inline void lab_report(Lab *lab, const Pod *pod, const char *phase, gboolean ready)
{
    static guint address;
    Pod *changed = (Pod *)API_CLONE(pod);
    if (!changed->status)
        changed->status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    api_set_string(&changed->status->phase, phase);
    if (!changed->status->podip || !*changed->status->podip) {
        g_autofree char *ip = g_strdup_printf("10.244.%u.%u", address / 250, address % 250 + 1);
        address++;
        api_set_string(&changed->status->podip, ip);
    }
    lab_set_ready(changed, ready ? "True" : "False");
    client_update_status(lab->client, &changed->base, lab_ignore, NULL);
    API_FREE(changed);
}

static inline gboolean lab_has_ended(const Pod *pod)
{
    const char *phase = pod->status ? api_str(pod->status->phase) : "";
    return g_str_equal(phase, "Succeeded") || g_str_equal(phase, "Failed");
}

static inline void lab_end(Lab *lab, const Pod *pod)
{
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    Meta__V1__Preconditions same = META__V1__PRECONDITIONS__INIT;
    same.uid = pod->metadata->uid;
    options.preconditions = &same;
    options.has_graceperiodseconds = 1;
    client_delete(lab->client, API_POD, pod->metadata->namespace_, pod->metadata->name, &options, lab_ignore, NULL);
}

/* What an agent would do next about a pod. */
static inline void lab_play(Lab *lab, const Pod *pod)
{
    const char *node = pod->spec ? api_str(pod->spec->nodename) : "";
    if (!*node && lab->nodes->len > 0 && !pod->metadata->deletiontimestamp)
        lab_bind(lab, pod);
    if (!lab_plays(lab, node))
        return;
    if (pod->metadata->deletiontimestamp) {
        if (pod->metadata->deletiongraceperiodseconds > 0)
            lab_end(lab, pod);
    } else if (lab->exit_phase && !lab_has_ended(pod)) {
        lab_report(lab, pod, lab->exit_phase, FALSE);
    } else if (!lab->exit_phase && !lab_has_ended(pod) && !lab_is_ready(pod) &&
               (!lab->hold_unready || !api_str_equal(pod->status ? pod->status->phase : NULL, "Running"))) {
        lab_report(lab, pod, "Running", !lab->hold_unready);
    }
}

/* After a change of what the nodes are to do. */
static inline void lab_play_all(Lab *lab)
{
    g_autoptr(GPtrArray) pods = client_cache_list(lab->caches[API_INDEX_POD], NULL);
    for (guint i = 0; i < pods->len; i++)
        lab_play(lab, pods->pdata[i]);
}

static inline void lab_changed(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now,
                               gpointer data)
{
    (void)old;
    Lab *lab = data;
    if (client_cache_resource(cache) != API_POD)
        return;
    if (now)
        lab_play(lab, (const Pod *)now);
    if (lab->check)
        lab->check(lab);
}

/* --- objects --- */

/* Creates every object of a YAML text. */
static inline void lab_apply(Lab *lab, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests(yaml, strlen(yaml), "test", &error);
    g_assert_no_error(error);
    for (guint i = 0; i < manifests->len; i++) {
        const ApiManifest *manifest = manifests->pdata[i];
        API_AUTO(ProtobufCMessage) made = client_create_sync(lab->client, manifest->object, &error);
        g_assert_no_error(error);
        g_assert_nonnull(made);
    }
}

static inline void lab_delete(Lab *lab, const ApiResource *resource, const char *name, const char *propagation)
{
    g_autoptr(GError) error = NULL;
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    options.propagationpolicy = (char *)propagation;
    API_AUTO(ProtobufCMessage)
    gone = client_delete_sync(lab->client, resource, resource->namespaced ? "default" : "", name, &options, &error);
    g_assert_no_error(error);
    g_assert_nonnull(gone);
}

/* The object as the cache has it. Borrowed. */
static inline gconstpointer lab_get(Lab *lab, const ApiResource *resource, const char *name)
{
    return client_cache_get(lab->caches[api_resource_index(resource)], resource->namespaced ? "default" : "", name);
}

/* --- waiting --- */

static inline gboolean lab_out_of_patience(gpointer what)
{
    g_error("still not: %s", (const char *)what);
    return G_SOURCE_REMOVE;
}

/* Follows changes until a condition holds. */
#define lab_await(condition)                                                                                           \
    do {                                                                                                               \
        guint patience_ = g_timeout_add_seconds(LAB_PATIENCE_S, lab_out_of_patience, (gpointer) #condition);           \
        while (!(condition))                                                                                           \
            g_main_context_iteration(NULL, TRUE);                                                                      \
        g_source_remove(patience_);                                                                                    \
    } while (0)

/* Changes an object until that succeeds (change works on a fresh copy), and follows until the cache shows it. */
static inline void lab_edit(Lab *lab, const ApiResource *resource, const char *name,
                            void (*change)(gpointer object, gconstpointer data), gconstpointer data, gboolean status)
{
    for (guint i = 0; i < 100; i++) {
        g_autoptr(GError) error = NULL;
        API_AUTO(ProtobufCMessage)
        object = client_get_sync(lab->client, resource, resource->namespaced ? "default" : "", name, &error);
        g_assert_no_error(error);
        change(object, data);
        API_AUTO(ProtobufCMessage)
        written = status ? client_update_status_sync(lab->client, object, &error)
                         : client_update_sync(lab->client, object, &error);
        if (written) {
            lab_await(client_cache_revision(lab->caches[api_resource_index(resource)]) >= api_object_revision(written));
            return;
        }
        g_assert_true(cleat_error_is(error, CLEAT_ERROR_CONFLICT));
    }
    g_assert_not_reached();
}

static inline gboolean lab_caches_filled(const Lab *lab)
{
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        if (!client_cache_is_synced(lab->caches[i]))
            return FALSE;
    return TRUE;
}

static inline void lab_add_node(Lab *lab, const char *name)
{
    g_autofree char *yaml = g_strdup_printf("{apiVersion: v1, kind: Node, metadata: {name: '%s'}}", name);
    lab_apply(lab, yaml);
    g_ptr_array_add(lab->nodes, g_strdup(name));
}

/* args: for cleat-controllers, NULL-terminated; must outlive the lab. */
static inline void lab_init(Lab *lab, const char *const *args)
{
    g_autoptr(GError) error = NULL;
    *lab = (Lab){.harness = harness_new(NULL), .controllers_args = args};
    lab->nodes = g_ptr_array_new_with_free_func(g_free);
    lab->config = client_config_load(harness_config(lab->harness, "admin"), NULL, &error);
    g_assert_no_error(error);
    lab->client = client_new(lab->config, "test", NULL, &error);
    g_assert_no_error(error);
    ClientCacheOptions options = {.changed = lab_changed, .data = lab};
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        lab->caches[i] = client_cache_new(lab->client, api_resource_row(i), &options);
    lab_await(lab_caches_filled(lab));
    lab_start_controllers(lab);
}

static inline void lab_done(Lab *lab)
{
    if (lab->controllers)
        g_assert_cmpint(lab_stop_controllers(lab, SIGTERM), ==, 0);
    for (guint i = 0; i < API_INDEX_MAX_; i++)
        client_cache_free(lab->caches[i]);
    /* An answer of the server comes after the ends of the watches. */
    API_AUTO(ProtobufCMessage) last = client_get_sync(lab->client, API_NAMESPACE, "", "default", NULL);
    g_assert_nonnull(last);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    client_free(lab->client);
    client_config_free(lab->config);
    g_ptr_array_unref(lab->nodes);
    harness_free(lab->harness);
}
