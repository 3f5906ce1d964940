/* The containers of a pod: image, creation, start, restart with back-off. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "agent/dns.h"
#include "agent/pod-config.h"
#include "agent/pod-internal.h"
#include "agent/volume.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define HEALTHY_S 600 /* a container that ran so long begins its back-off anew */
#define NOTICE_US (2 * G_USEC_PER_SEC)

/* --- slots and runs ---------------------------------------------------------------------------------------------------*/

void slot_free(gpointer data)
{
    Slot *slot = data;
    g_free(slot->reason);
    g_free(slot->message);
    g_free(slot);
}

void slot_set_reason(Slot *slot, const char *reason, const char *message)
{
    g_free(slot->reason);
    g_free(slot->message);
    slot->reason = g_strdup(reason);
    slot->message = g_strdup(message);
}

void slot_event(Slot *slot, const char *type, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (slot->pod->object_gone)
        return;
    g_autofree char *path =
        g_strdup_printf("spec.%s{%s}", slot->init ? "initContainers" : "containers", slot->spec->name);
    client_event_about(slot->pod->env->events, &slot->pod->object->base, path, type, reason, "%s", message);
}

/* The restart count to go on from when the runtime has forgotten all runs: one more than the last reported. */
static guint reported_restarts(const Core__V1__PodStatus *status, const char *name, gboolean init)
{
    gsize n = !status ? 0 : init ? status->n_initcontainerstatuses : status->n_containerstatuses;
    for (gsize i = 0; i < n; i++) {
        const Core__V1__ContainerStatus *one = init ? status->initcontainerstatuses[i] : status->containerstatuses[i];
        if (api_str_equal(one->name, name) && api_str(one->containerid)[0])
            return (guint)MAX(one->restartcount, 0) + 1;
    }
    return 0;
}

static void make_slot(Pod *pod, guint index, const Core__V1__Container *spec, gboolean init)
{
    if (index < pod->slots->len) {
        ((Slot *)pod->slots->pdata[index])->spec = spec;
        return;
    }
    Slot *slot = g_new0(Slot, 1);
    slot->pod = pod;
    slot->spec = spec;
    slot->init = init;
    slot->errors = (Backoff){.first_ms = 10000, .max_ms = 300000};
    slot->next_restarts = reported_restarts(pod->object->status, spec->name, init);
    g_ptr_array_add(pod->slots, slot);
}

/* A pod's containers never change in number or order, so a slot keeps its place. */
void pod_make_slots(Pod *pod)
{
    const Core__V1__PodSpec *spec = pod->object->spec;
    guint index = 0;
    for (gsize i = 0; i < spec->n_initcontainers; i++)
        make_slot(pod, index++, spec->initcontainers[i], TRUE);
    for (gsize i = 0; i < spec->n_containers; i++)
        make_slot(pod, index++, spec->containers[i], FALSE);
}

static gboolean is_newer(const Run *a, const Run *b)
{
    return !b || a->restarts > b->restarts || (a->restarts == b->restarts && a->created_ns > b->created_ns);
}

static void assign_slot(Pod *pod, Slot *slot)
{
    slot->current = slot->previous = NULL;
    for (guint i = 0; i < pod->runs->len; i++) {
        Run *run = pod->runs->pdata[i];
        if (!g_str_equal(run->container, slot->spec->name))
            continue;
        if (is_newer(run, slot->current)) {
            slot->previous = slot->current;
            slot->current = run;
        } else if (is_newer(run, slot->previous)) {
            slot->previous = run;
        }
    }
    if (slot->current)
        slot->next_restarts = slot->current->restarts + 1;
}

void pod_assign_runs(Pod *pod)
{
    for (guint i = 0; i < pod->slots->len; i++)
        assign_slot(pod, pod->slots->pdata[i]);
}

static gboolean succeeded(const Run *run)
{
    return run && run->state == RUN_EXITED && run->exit_code == 0;
}

/* Init containers run until they succeed, unless the pod is never to be restarted. */
gboolean slot_wants_run(const Slot *slot)
{
    const Run *run = slot->current;
    if (!run || !run_is_over(run))
        return TRUE;
    const char *policy = slot->pod->object->spec->restartpolicy;
    if (api_str_equal(policy, "Never"))
        return FALSE;
    if (slot->init || api_str_equal(policy, "OnFailure"))
        return !succeeded(run);
    return TRUE;
}

/* An init container that has succeeded runs again when its sandbox is not the one at hand. */
gboolean slot_is_restarting(const Slot *slot)
{
    const Run *run = slot->current;
    if (slot->pod->state >= POD_STOP || !run || !run_is_over(run))
        return FALSE;
    return slot->init ? !slot->done && (slot_wants_run(slot) || succeeded(run)) : slot_wants_run(slot);
}

/* --- waiting ----------------------------------------------------------------------------------------------------------*/

gint64 slot_backoff_s(guint failures)
{
    return failures == 0 ? 0 : MIN(10 << MIN(failures - 1, 5), 300);
}

/* How often the container had ended in a row before the run that is over; one that ran long enough makes it begin anew. */
static guint failures_of(const Run *run)
{
    gboolean healthy = run->started_ns > 0 && run->finished_ns - run->started_ns >= HEALTHY_S * TIME_NS_PER_S;
    return healthy ? 0 : run->failures;
}

/* TRUE while the container that has ended must not be started again; the pod is then woken in time. */
static gboolean waits_after_exit(Slot *slot)
{
    const Run *run = slot->current;
    if (!run)
        return FALSE;
    gint64 pause_s = slot_backoff_s(failures_of(run));
    gint64 ended = MAX(run->finished_ns, run->created_ns);
    gint64 left_ns = MIN(ended + pause_s * TIME_NS_PER_S - time_now_ns(), pause_s * TIME_NS_PER_S);
    if (left_ns <= 0)
        return FALSE;
    const Pod *pod = slot->pod;
    g_autofree char *message =
        g_strdup_printf("back-off %" G_GINT64_FORMAT "s restarting failed container=%s pod=%s_%s(%s)", pause_s,
                        slot->spec->name, pod->name, pod->namespace_, pod->uid);
    slot_set_reason(slot, "CrashLoopBackOff", message);
    if (slot->told_backoff != ended)
        slot_event(slot, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
                   slot->spec->name, pod->name, pod->namespace_, pod->uid);
    slot->told_backoff = ended;
    pod_wake_at(slot->pod, g_get_monotonic_time() + left_ns / 1000);
    return TRUE;
}

/* An image that cannot be had is told as an error at first, then as a pause. */
static void notice_backoff(Slot *slot, gint64 now)
{
    if (slot->notice_at == 0)
        return;
    if (now < slot->notice_at) {
        pod_wake_at(slot->pod, slot->notice_at);
        return;
    }
    slot->notice_at = 0;
    g_autofree char *message = g_strdup_printf("Back-off pulling image \"%s\": %s", slot->spec->image, slot->message);
    slot_set_reason(slot, "ImagePullBackOff", message);
    slot_event(slot, "Normal", "BackOff", "Back-off pulling image \"%s\"", slot->spec->image);
    slot_event(slot, "Warning", "Failed", "Error: ImagePullBackOff");
}

static gboolean waits_after_error(Slot *slot)
{
    gint64 now = g_get_monotonic_time();
    if (slot->retry_at <= now)
        return FALSE;
    notice_backoff(slot, now);
    pod_wake_at(slot->pod, slot->retry_at);
    return TRUE;
}

static void fail(Slot *slot, const char *reason, const char *message)
{
    slot->state = SLOT_IDLE;
    slot_set_reason(slot, reason, message);
    slot->retry_at = g_get_monotonic_time() + (gint64)backoff_next(&slot->errors) * 1000;
    pod_wake_at(slot->pod, slot->retry_at);
}

/* --- start ------------------------------------------------------------------------------------------------------------*/

Slot *pod_slot_named(const Pod *pod, const char *name)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        Slot *slot = pod->slots->pdata[i];
        if (g_str_equal(slot->spec->name, name))
            return slot;
    }
    return NULL;
}

static void on_started_status(Pod *pod, const char *name, const ProtobufCMessage *reply, const GError *error)
{
    Slot *slot = pod_slot_named(pod, name);
    const Runtime__V1__ContainerStatusResponse *status = (const Runtime__V1__ContainerStatusResponse *)reply;
    slot->state = SLOT_IDLE;
    if (error || !status->status) {
        pod->refresh_at = g_get_monotonic_time();
        return;
    }
    pod_add_run(pod, run_new(status->status, NULL));
    pod->env->changed(pod, pod->env->data);
}

/* What became of the start is read, whatever the answer was: a command that cannot run leaves an ended container. */
static void on_started(Pod *pod, const char *name, const ProtobufCMessage *reply, const GError *error)
{
    (void)reply;
    Slot *slot = pod_slot_named(pod, name);
    if (error) {
        slot_set_reason(slot, "RunContainerError", error->message);
        slot_event(slot, "Warning", "Failed", "Error: %s", error->message);
    } else {
        slot_set_reason(slot, NULL, NULL);
        slot_event(slot, "Normal", "Started", "Started container %s", name);
    }
    if (!slot->current) {
        slot->state = SLOT_IDLE;
        return;
    }
    Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
    request.container_id = slot->current->id;
    pod_call(pod, CRI_CONTAINER_STATUS, &request.base, 0, name, on_started_status);
}

static void start(Slot *slot)
{
    Runtime__V1__StartContainerRequest request = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
    request.container_id = slot->current->id;
    slot->state = SLOT_START;
    pod_call(slot->pod, CRI_START_CONTAINER, &request.base, 0, slot->spec->name, on_started);
}

/* --- creation ---------------------------------------------------------------------------------------------------------*/

static const ProtobufCMessage *find_object(const ApiResource *resource, const char *name, gpointer data)
{
    Pod *pod = data;
    return objects_get(pod->env->objects, resource, pod->namespace_, name);
}

static EnvVars *build_env(Slot *slot, char **ips, GError **error)
{
    Pod *pod = slot->pod;
    const NodeFacts *node = pod->env->facts;
    FieldFacts facts = {
        .pod_ip = ips[0],
        .pod_ips = (const char *const *)ips,
        .host_ip = pod->env->config->node_ip,
        .node_cpu = api_quantity_from_value(node->cpus, API_QUANTITY_DECIMAL_SI),
        .node_memory = api_quantity_from_value(node->memory, API_QUANTITY_BINARY_SI),
        .node_ephemeral_storage = api_quantity_from_value(node->storage, API_QUANTITY_BINARY_SI),
    };
    const Core__V1__PodSpec *spec = pod->object->spec;
    g_autoptr(GPtrArray) services = NULL;
    if (!spec->has_enableservicelinks || spec->enableservicelinks)
        services = objects_list(pod->env->objects, API_SERVICE, pod->namespace_);
    g_autoptr(GPtrArray) skipped = g_ptr_array_new_with_free_func(g_free);
    EnvInput input = {
        .pod = pod->object,
        .container = slot->spec,
        .facts = &facts,
        .services = services ? (const ProtobufCMessage *const *)services->pdata : NULL,
        .n_services = services ? services->len : 0,
        .object = find_object,
        .data = pod,
    };
    EnvVars *env = env_build(&input, skipped, error);
    if (env && skipped->len > 0)
        slot_event(slot, "Warning", "InvalidEnvironmentVariableNames",
                   "%u keys cannot be names of environment variables and were left out, among them %s", skipped->len,
                   (const char *)skipped->pdata[0]);
    return env;
}

/* Writes the pod's /etc/hosts and mounts it, unless the container mounts something there itself. */
static gboolean add_hosts(Slot *slot, char **ips, GPtrArray *mounts, GError **error)
{
    Pod *pod = slot->pod;
    for (guint i = 0; i < mounts->len; i++) {
        if (g_str_equal(((Runtime__V1__Mount *)mounts->pdata[i])->container_path, "/etc/hosts"))
            return TRUE;
    }
    g_autofree char *node_hosts = NULL;
    if (pod->object->spec->hostnetwork)
        g_file_get_contents("/etc/hosts", &node_hosts, NULL, NULL);
    g_autofree char *text =
        hosts_file(pod->object, (const char *const *)ips, pod->env->config->cluster_domain, node_hosts);
    g_autofree char *path = g_build_filename(pod->dir, "etc-hosts", NULL);
    g_autofree char *old = NULL;
    g_file_get_contents(path, &old, NULL, NULL);
    if (g_strcmp0(old, text) != 0) { /* in place: other containers of the pod have mounted this very file */
        FILE *file = fopen(path, "we");
        gboolean ok = file && fputs(text, file) >= 0;
        ok = (!file || fclose(file) == 0) && ok;
        if (!ok) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "write %s: %s", path, g_strerror(errno));
            return FALSE;
        }
        g_chmod(path, 0644);
    }
    g_ptr_array_add(mounts, mount_new("/etc/hosts", path, FALSE));
    return TRUE;
}

static gboolean make_log_folder(Slot *slot, GError **error)
{
    g_autofree char *folder = g_build_filename(slot->pod->log_dir, slot->spec->name, NULL);
    if (g_mkdir_with_parents(folder, 0755) == 0)
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make %s: %s", folder, g_strerror(errno));
    return FALSE;
}

static Runtime__V1__ContainerConfig *build_config(Slot *slot, const ImageResult *image, GError **error)
{
    Pod *pod = slot->pod;
    g_auto(GStrv) ips = pod_addresses(pod);
    if (!container_check_non_root(pod->object, slot->spec, image->user, image->user_name, error))
        return NULL;
    g_autoptr(EnvVars) env = build_env(slot, ips, error);
    g_autoptr(GPtrArray) mounts = env ? volumes_mounts(pod->object, slot->spec, pod->dir, error) : NULL;
    if (!mounts || !add_hosts(slot, ips, mounts, error) || !make_log_folder(slot, error) ||
        !pod_message_mount(slot, slot->next_restarts, mounts, error))
        return NULL;
    ContainerInput input = {
        .node_name = pod->env->config->node_name,
        .image = image->id,
        .env = env,
        .mounts = mounts,
        .node_memory = pod->env->facts->memory,
        .restarts = slot->next_restarts,
        .failures = slot->current ? failures_of(slot->current) + 1 : 0,
    };
    return container_config_new(pod->object, slot->spec, &input);
}

/* The new container as the runtime would tell of it. */
static Run *new_run(const char *id, const char *sandbox_id, const Runtime__V1__ContainerConfig *config)
{
    Runtime__V1__ContainerStatus status = RUNTIME__V1__CONTAINER_STATUS__INIT;
    status.id = (char *)id;
    status.metadata = config->metadata;
    status.created_at = time_now_ns();
    status.labels = (Runtime__V1__ContainerStatus__LabelsEntry **)config->labels;
    status.n_labels = config->n_labels;
    status.annotations = (Runtime__V1__ContainerStatus__AnnotationsEntry **)config->annotations;
    status.n_annotations = config->n_annotations;
    status.image = config->image;
    return run_new(&status, sandbox_id);
}

/* What on_created() needs of the request. */
typedef struct {
    Slot *slot;
    char *sandbox_id;
    Runtime__V1__ContainerConfig *config;
} Creation;

static void creation_free(Creation *creation)
{
    API_FREE(creation->config);
    g_free(creation->sandbox_id);
    pod_unref(creation->slot->pod);
    g_free(creation);
}

static void on_created(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Creation *creation = data;
    Slot *slot = creation->slot;
    Pod *pod = slot->pod;
    pod->calls--;
    pod->touched = g_get_monotonic_time();
    if (pod->detached) {
        creation_free(creation);
        return;
    }
    if (error) { /* perhaps it was made all the same: look */
        fail(slot, "CreateContainerError", error->message);
        slot_event(slot, "Warning", "Failed", "Error: %s", error->message);
        pod->refresh_at = g_get_monotonic_time();
    } else {
        const Runtime__V1__CreateContainerResponse *created = (const Runtime__V1__CreateContainerResponse *)reply;
        pod_add_run(pod, new_run(created->container_id, creation->sandbox_id, creation->config));
        backoff_reset(&slot->errors);
        slot_event(slot, "Normal", "Created", "Created container: %s", slot->spec->name);
        slot->state = SLOT_IDLE;
        if (pod->state == POD_RUN)
            start(slot);
    }
    pod_wake(pod);
    creation_free(creation);
}

static void create(Slot *slot, const ImageResult *image, const Sandbox *sandbox)
{
    Pod *pod = slot->pod;
    g_autoptr(GError) error = NULL;
    API_AUTO(Runtime__V1__ContainerConfig) config = build_config(slot, image, &error);
    if (!config) {
        fail(slot, "CreateContainerConfigError", error->message);
        slot_event(slot, "Warning", "Failed", "Error: %s", error->message);
        return;
    }
    API_AUTO(Runtime__V1__PodSandboxConfig) sandbox_config = pod_sandbox_config(pod, sandbox->attempt);
    Runtime__V1__CreateContainerRequest request = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
    request.pod_sandbox_id = sandbox->id;
    request.config = config;
    request.sandbox_config = sandbox_config;
    Creation *creation = g_new(Creation, 1);
    *creation = (Creation){slot, g_strdup(sandbox->id), NULL};
    pod_ref(pod);
    pod->calls++;
    slot->state = SLOT_CREATE;
    cri_call(pod->env->cri, CRI_CREATE_CONTAINER, &request.base, 0, on_created, creation);
    creation->config = g_steal_pointer(&config);
}

/* --- image ------------------------------------------------------------------------------------------------------------*/

static void on_pulling(gpointer data)
{
    Slot *slot = data;
    if (!slot->pod->detached)
        slot_event(slot, "Normal", "Pulling", "Pulling image \"%s\"", slot->spec->image);
}

static void image_failed(Slot *slot, const ImageResult *result)
{
    fail(slot, result->reason, result->message);
    slot->notice_at = g_str_equal(result->reason, "ErrImagePull") ? g_get_monotonic_time() + NOTICE_US : 0;
    slot_event(slot, "Warning", "Failed", "%s", result->message);
    slot_event(slot, "Warning", "Failed", "Error: %s", result->reason);
}

static void image_ready(Slot *slot, const ImageResult *result)
{
    Pod *pod = slot->pod;
    if (result->pulled)
        slot_event(slot, "Normal", "Pulled",
                   "Successfully pulled image \"%s\" in %.3fs. Image size: %" G_GUINT64_FORMAT " bytes.",
                   slot->spec->image, (double)result->pull_us / G_USEC_PER_SEC, result->size);
    else
        slot_event(slot, "Normal", "Pulled", "Container image \"%s\" already present on machine", slot->spec->image);
    slot->state = SLOT_IDLE;
    slot->notice_at = 0;
    const Sandbox *sandbox = pod_ready_sandbox(pod);
    if (sandbox && pod->state == POD_RUN)
        create(slot, result, sandbox);
}

static void on_image(const ImageResult *result, gpointer data)
{
    Slot *slot = data;
    Pod *pod = slot->pod;
    if (!pod->detached) {
        if (result->reason)
            image_failed(slot, result);
        else
            image_ready(slot, result);
        pod_wake(pod);
    }
    pod_unref(pod);
}

static void free_auth(gpointer auth)
{
    API_FREE(auth);
}

static GPtrArray *collect_auths(Slot *slot)
{
    Pod *pod = slot->pod;
    GPtrArray *auths = g_ptr_array_new_with_free_func(free_auth);
    for (gsize i = 0; i < pod->object->spec->n_imagepullsecrets; i++) {
        const char *name = api_str(pod->object->spec->imagepullsecrets[i]->name);
        const Core__V1__Secret *secret = (const Core__V1__Secret *)find_object(API_SECRET, name, pod);
        g_autoptr(GError) error = NULL;
        if (!secret)
            pod_event(pod, "Warning", "FailedToRetrieveImagePullSecret",
                      "Unable to retrieve image pull secret %s; attempting to pull the image may not succeed.", name);
        else if (!pull_secret_auths(secret, slot->spec->image, auths, &error))
            pod_event(pod, "Warning", "FailedToRetrieveImagePullSecret", "%s", error->message);
    }
    return auths;
}

static void begin(Slot *slot)
{
    static const ImageHandlers handlers = {on_pulling, on_image};
    Pod *pod = slot->pod;
    slot->state = SLOT_IMAGE;
    pod_ref(pod);
    images_ensure(pod->env->images, slot->spec->image, pull_policy_of(slot->spec), collect_auths(slot), &handlers,
                  slot);
}

/* --- the step ---------------------------------------------------------------------------------------------------------*/

/* The spec asks for another image than the one that runs: it is stopped, and started again like any that ended. */
static void check_definition(Slot *slot)
{
    Run *run = slot->current;
    g_autofree char *hash = container_hash(slot->spec);
    if (run->stop_until || !run->hash[0] || g_str_equal(run->hash, hash))
        return;
    slot_event(slot, "Normal", "Killing", "Container %s definition changed, will be restarted", slot->spec->name);
    pod_stop_run(slot->pod, run, pod_grace_s(slot->pod));
}

void slot_step(Slot *slot, Sandbox *sandbox)
{
    Run *run = slot->current;
    gboolean here = run && g_strcmp0(run->sandbox_id, sandbox->id) == 0;
    if (slot->state != SLOT_IDLE)
        return;
    if (run && run->state == RUN_RUNNING) {
        slot->retry_at = 0;
        slot_set_reason(slot, NULL, NULL);
        check_definition(slot);
        return;
    }
    if (run && run->state == RUN_CREATED && here) {
        start(slot); /* made by an agent that did not get to it */
        return;
    }
    if (run && run_is_over(run) && !slot_is_restarting(slot))
        return;
    if (waits_after_error(slot) || (here && waits_after_exit(slot)))
        return;
    if (objects_hold_is_synced(slot->pod->hold))
        begin(slot);
}
