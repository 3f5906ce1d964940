/* Each verb of the server, against a real etcd. */
#include <string.h>

#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "foreign/etcd/rpc.pb-c.h"
#include "lib/api/envelope.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "lib/base/time.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *admin;

#define POD                                                                                                            \
    "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {containers: [{name: c, image: i}]}}"
#define CONFIG "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {k: v}}"

static void test_create(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    gint64 before = time_now_ns();
    API_AUTO(ProtobufCMessage)
    object = kit_object(
        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %s, uid: mine, generation: 7, selfLink: x, "
        "managedFields: [{manager: m}], labels: {b: '2', a: '1'}}, spec: {containers: [{name: c, image: i}]}}",
        ns);
    API_AUTO(ProtobufCMessage) created = kit_create(admin, object, &error);
    g_assert_no_error(error);
    const Meta__V1__ObjectMeta *meta = api_meta_peek(created);
    g_assert_true(g_uuid_string_is_valid(meta->uid));
    g_assert_cmpint(meta->generation, ==, 1);
    g_assert_null(meta->selflink);
    g_assert_cmpuint(meta->n_managedfields, ==, 0);
    g_assert_cmpint(api_time_ns(meta->creationtimestamp), >=, before - TIME_NS_PER_S);
    g_assert_cmpint(api_object_revision(created), >, 0);
    g_assert_cmpstr(((Core__V1__Pod *)created)->status->phase, ==, "Pending");
    g_assert_cmpstr(((Core__V1__Pod *)created)->spec->restartpolicy, ==, "Always");

    API_AUTO(ProtobufCMessage) read = kit_get(admin, API_POD, ns, "a", NULL, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(read, created));

    g_assert_null(kit_create(admin, object, &error));
    g_assert_cmpstr(cleat_error_object(error)->kind, ==, "pods");
    g_assert_cmpstr(cleat_error_object(error)->name, ==, "a");
    kit_assert_error(&error, CLEAT_ERROR_ALREADY_EXISTS, "pods \"a\" already exists");
}

static void test_generate_name(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < 20; i++) {
        API_AUTO(ProtobufCMessage)
        created = kit_must_create(
            admin, "{apiVersion: v1, kind: ConfigMap, metadata: {generateName: cfg-, namespace: %s}, data: {k: v}}",
            ns);
        g_assert_true(g_str_has_prefix(api_object_name(created), "cfg-"));
        g_assert_cmpuint(strlen(api_object_name(created)), ==, 9);
        g_assert_true(g_hash_table_add(names, g_strdup(api_object_name(created))));
    }
}

/* What etcd holds is the Kubernetes storage envelope, without a resourceVersion. */
static void test_envelope(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage)
    created = kit_must_create(
        admin,
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: %s}, spec: {selector: "
        "{matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, "
        "image: i}]}}}}",
        ns);
    g_autofree char *key = g_strdup_printf("/registry/deployments.apps/%s/web", ns);
    g_autoptr(RpcChannel) etcd = harness_etcd_channel(harness);
    Etcdserverpb__RangeRequest range = ETCDSERVERPB__RANGE_REQUEST__INIT;
    range.key = (ProtobufCBinaryData){strlen(key), (guint8 *)key};
    g_autoptr(GBytes) request = api_message_pack(&range.base);
    g_autoptr(GBytes) reply = rpc_unary_sync(etcd, "/etcdserverpb.KV/Range", request, NULL, &error);
    g_assert_no_error(error);
    Etcdserverpb__RangeResponse *response =
        etcdserverpb__range_response__unpack(NULL, g_bytes_get_size(reply), g_bytes_get_data(reply, NULL));
    g_assert_cmpuint(response->n_kvs, ==, 1);
    const ProtobufCBinaryData *value = &response->kvs[0]->value;
    g_assert_cmpmem(value->data, 4, "k8s\0", 4);
    const ApiResource *resource;
    const guint8 *raw;
    gsize size;
    g_assert_true(api_envelope_open(value->data, value->len, &resource, &raw, &size, &error));
    g_assert_true(resource == API_DEPLOYMENT);
    API_AUTO(ProtobufCMessage) stored = api_message_unpack(resource->object, raw, size, &error);
    g_assert_no_error(error);
    g_assert_null(api_meta_peek(stored)->resourceversion);
    g_assert_cmpint(response->kvs[0]->mod_revision, ==, api_object_revision(created));
    api_set_string(&api_meta(created)->resourceversion, NULL);
    g_assert_true(api_message_equal(stored, created));
    etcdserverpb__range_response__free_unpacked(response, NULL);
}

static void test_invalid(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) bad_name = kit_object(CONFIG, "Not_A_Name", ns);
    g_assert_null(kit_create(admin, bad_name, &error));
    g_assert_cmpuint(cleat_error_causes(error)->len, ==, 1);
    g_assert_cmpstr(((CleatCause *)cleat_error_causes(error)->pdata[0])->field, ==, "metadata.name");
    kit_assert_error(&error, CLEAT_ERROR_INVALID, "Not_A_Name");

    API_AUTO(ProtobufCMessage)
    no_containers = kit_object("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %s}, spec: {}}", ns);
    g_assert_null(kit_create(admin, no_containers, &error));
    kit_assert_error(&error, CLEAT_ERROR_INVALID, "spec.containers");

    API_AUTO(ProtobufCMessage) nowhere = kit_object(CONFIG, "a", "no-such-namespace");
    g_assert_null(kit_create(admin, nowhere, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "namespaces \"no-such-namespace\" not found");

    API_AUTO(ProtobufCMessage) homeless = kit_object("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}");
    g_assert_null(kit_create(admin, homeless, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "namespace is required");

    API_AUTO(ProtobufCMessage) versioned = kit_object(CONFIG, "a", ns);
    api_meta(versioned)->resourceversion = g_strdup("12");
    g_assert_null(kit_create(admin, versioned, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "resourceVersion must not be set");

    API_AUTO(ProtobufCMessage) huge = kit_object(CONFIG, "a", ns);
    Core__V1__ConfigMap *map = (Core__V1__ConfigMap *)huge;
    g_free(map->data[0]->value);
    map->data[0]->value = g_strnfill(1600 * 1024, 'x');
    g_assert_null(kit_create(admin, huge, &error));
    kit_assert_error(&error, CLEAT_ERROR_TOO_LARGE, "");

    gsize n;
    API_AUTO(ProtobufCMessage) list = kit_list(admin, API_CONFIG_MAP, ns, NULL, &error);
    (void)kit_items(list, &n);
    g_assert_cmpuint(n, ==, 0); /* nothing of that was stored */
}

static void test_get(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    g_assert_null(kit_get(admin, API_POD, ns, "none", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "pods \"none\" not found");
    g_assert_null(kit_get(admin, API_POD, "", "none", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "namespace");
    g_assert_null(kit_get(admin, API_NODE, ns, "none", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "have no namespace");
    g_assert_null(kit_get(admin, API_POD, ns, "", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "names no pod");
    g_assert_null(kit_get(admin, API_POD, ns, "none", "x1", &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "resourceVersion \"x1\"");

    API_AUTO(ProtobufCMessage) created = kit_must_create(admin, CONFIG, "a", ns);
    g_autofree char *version = g_strdup(api_meta(created)->resourceversion);
    API_AUTO(ProtobufCMessage) read = kit_get(admin, API_CONFIG_MAP, ns, "a", version, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(read, created));
}

static void test_update(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage)
    first = kit_must_create(
        admin,
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: %s}, spec: {replicas: 1, "
        "selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: "
        "c, image: i}]}}}}",
        ns);
    /* nothing changed: nothing written */
    API_AUTO(ProtobufCMessage) same = kit_update(admin, first, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(same, first));

    /* a label: no new generation */
    API_AUTO(ProtobufCMessage) labelled = api_message_clone(first);
    api_label_set(api_meta(labelled), "x", "y");
    API_AUTO(ProtobufCMessage) second = kit_update(admin, labelled, &error);
    g_assert_no_error(error);
    g_assert_cmpint(api_meta(second)->generation, ==, 1);
    g_assert_cmpint(api_object_revision(second), >, api_object_revision(first));

    /* the spec: a new generation; the status is not touched */
    API_AUTO(ProtobufCMessage) scaled = api_message_clone(second);
    api_set_scalar(((Apps__V1__Deployment *)scaled)->spec, replicas, 3);
    ((Apps__V1__Deployment *)scaled)->status = API_NEW(Apps__V1__DeploymentStatus, apps__v1__deployment_status);
    api_set_scalar(((Apps__V1__Deployment *)scaled)->status, replicas, 99);
    API_AUTO(ProtobufCMessage) third = kit_update(admin, scaled, &error);
    g_assert_no_error(error);
    g_assert_cmpint(api_meta(third)->generation, ==, 2);
    g_assert_true(!((Apps__V1__Deployment *)third)->status || ((Apps__V1__Deployment *)third)->status->replicas == 0);

    /* stale */
    g_assert_null(kit_update(admin, labelled, &error));
    g_assert_cmpstr(cleat_error_object(error)->name, ==, "web");
    kit_assert_error(&error, CLEAT_ERROR_CONFLICT, "deployments.apps \"web\" has been modified");

    /* without a revision: unconditional */
    API_AUTO(ProtobufCMessage) forced = api_message_clone(labelled);
    api_set_string(&api_meta(forced)->resourceversion, NULL);
    API_AUTO(ProtobufCMessage) fourth = kit_update(admin, forced, &error);
    g_assert_no_error(error);
    g_assert_cmpint(((Apps__V1__Deployment *)fourth)->spec->replicas, ==, 1);
    g_assert_cmpint(api_meta(fourth)->generation, ==, 3);

    /* immutable metadata */
    API_AUTO(ProtobufCMessage) other = api_message_clone(fourth);
    api_set_string(&api_meta(other)->uid, "11111111-2222-3333-4444-555555555555");
    g_assert_null(kit_update(admin, other, &error));
    kit_assert_error(&error, CLEAT_ERROR_CONFLICT, "another uid");

    API_AUTO(ProtobufCMessage) missing = api_message_clone(fourth);
    api_set_string(&api_meta(missing)->name, "gone");
    g_assert_null(kit_update(admin, missing, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "\"gone\" not found");
}

static void test_update_status(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) first = kit_must_create(admin, POD, "a", ns);
    API_AUTO(ProtobufCMessage) changed = api_message_clone(first);
    Core__V1__Pod *pod = (Core__V1__Pod *)changed;
    api_set_string(&pod->status->phase, "Running");
    api_set_string(&pod->spec->containers[0]->image, "other");
    api_label_set(pod->metadata, "x", "y");
    API_AUTO(ProtobufCMessage) second = kit_update_status(admin, changed, &error);
    g_assert_no_error(error);
    const Core__V1__Pod *stored = (const Core__V1__Pod *)second;
    g_assert_cmpstr(stored->status->phase, ==, "Running");
    g_assert_cmpstr(stored->spec->containers[0]->image, ==, "i");
    g_assert_null(api_label(stored->metadata, "x"));
    g_assert_cmpint(stored->metadata->generation, ==, 1);

    g_assert_null(kit_update_status(admin, changed, &error));
    kit_assert_error(&error, CLEAT_ERROR_CONFLICT, "has been modified");

    API_AUTO(ProtobufCMessage) map = kit_must_create(admin, CONFIG, "a", ns);
    g_assert_null(kit_update_status(admin, map, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNIMPLEMENTED, "configmaps have no status");
}

/* Many writers without a revision: the server tries again for them, and none is lost. */
static void on_updated(GBytes *reply, const GError *error, gpointer data)
{
    g_assert_no_error(error);
    g_assert_nonnull(reply);
    g_async_queue_push(data, GINT_TO_POINTER(1));
}

static void test_contention(void)
{
    enum { WRITERS = 24 }; /* fewer than the server's tries: each lost try is another writer's success */
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) first = kit_must_create(admin, POD, "a", ns);
    g_autoptr(GAsyncQueue) done = g_async_queue_new();
    for (int i = 0; i < WRITERS; i++) {
        Core__V1__Pod *pod = (Core__V1__Pod *)first;
        api_set_string(&pod->metadata->resourceversion, NULL);
        g_free(pod->status->message);
        pod->status->message = g_strdup_printf("writer %d", i);
        g_autoptr(GBytes) request = kit_write_request(first);
        rpc_unary(admin, "/cleat.v1.Pods/UpdateStatus", request, NULL, on_updated, done);
    }
    for (int i = 0; i < WRITERS; i++)
        g_assert_nonnull(g_async_queue_timeout_pop(done, 20 * G_USEC_PER_SEC));
}

static void test_delete(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) created = kit_must_create(admin, CONFIG, "a", ns);
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    Meta__V1__Preconditions must = META__V1__PRECONDITIONS__INIT;
    options.preconditions = &must;
    must.uid = (char *)"wrong";
    g_assert_null(kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_CONFLICT, "another uid");
    must.uid = api_meta(created)->uid;
    must.resourceversion = (char *)"1";
    g_assert_null(kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_CONFLICT, "resourceVersion");
    must.resourceversion = api_meta(created)->resourceversion;
    API_AUTO(ProtobufCMessage) last = kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(last, created));
    g_assert_null(kit_get(admin, API_CONFIG_MAP, ns, "a", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");
    g_assert_null(kit_delete(admin, API_CONFIG_MAP, ns, "a", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "configmaps \"a\" not found");
    options.preconditions = NULL;
    options.propagationpolicy = (char *)"Sideways";
    g_assert_null(kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "propagationPolicy \"Sideways\"");
}

/* A pod on a node gets its grace; a second Delete shortens it; one with 0 removes it. */
static void test_graceful(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) waiting = kit_must_create(admin, POD, "waiting", ns);
    API_AUTO(ProtobufCMessage) gone = kit_delete(admin, API_POD, ns, "waiting", NULL, &error);
    g_assert_no_error(error);
    g_assert_null(kit_get(admin, API_POD, ns, "waiting", NULL, &error)); /* on no node: gone at once */
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");

    API_AUTO(ProtobufCMessage)
    bound = kit_must_create(
        admin,
        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %s}, spec: {nodeName: n1, containers: "
        "[{name: c, image: i}]}}",
        ns);
    gint64 before = time_now_ns();
    API_AUTO(ProtobufCMessage) first = kit_delete(admin, API_POD, ns, "a", NULL, &error);
    g_assert_no_error(error);
    const Meta__V1__ObjectMeta *meta = api_meta_peek(first);
    g_assert_cmpint(meta->deletiongraceperiodseconds, ==, 30);
    g_assert_cmpint(api_time_ns(meta->deletiontimestamp), >=, before + 29 * TIME_NS_PER_S);
    g_assert_cmpint(meta->generation, ==, 2);

    API_AUTO(ProtobufCMessage) again = kit_delete(admin, API_POD, ns, "a", NULL, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(again, first)); /* nothing new */

    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    api_set_scalar(&options, graceperiodseconds, 5);
    API_AUTO(ProtobufCMessage) shorter = kit_delete(admin, API_POD, ns, "a", &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(api_meta(shorter)->deletiongraceperiodseconds, ==, 5);
    g_assert_cmpint(api_time_ns(meta->deletiontimestamp) - api_time_ns(api_meta(shorter)->deletiontimestamp), ==,
                    25 * TIME_NS_PER_S);

    api_set_scalar(&options, graceperiodseconds, 0);
    API_AUTO(ProtobufCMessage) last = kit_delete(admin, API_POD, ns, "a", &options, &error);
    g_assert_no_error(error);
    g_assert_null(kit_get(admin, API_POD, ns, "a", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");
}

static void test_finalizers(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    API_AUTO(ProtobufCMessage) created = kit_must_create(admin, CONFIG, "a", ns);
    options.propagationpolicy = (char *)"Foreground";
    API_AUTO(ProtobufCMessage) going = kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error);
    g_assert_no_error(error);
    g_assert_nonnull(api_meta(going)->deletiontimestamp);
    g_assert_cmpuint(api_meta(going)->n_finalizers, ==, 1);
    g_assert_cmpstr(api_meta(going)->finalizers[0], ==, API_FINALIZER_FOREGROUND);

    API_AUTO(ProtobufCMessage) more = api_message_clone(going);
    Meta__V1__ObjectMeta *meta = api_meta(more);
    api_append(meta->finalizers, meta->n_finalizers, g_strdup("example.com/new"));
    g_assert_null(kit_update(admin, more, &error));
    kit_assert_error(&error, CLEAT_ERROR_INVALID, "no new finalizers can be added");

    options.propagationpolicy = (char *)"Orphan"; /* another mind */
    API_AUTO(ProtobufCMessage) orphaning = kit_delete(admin, API_CONFIG_MAP, ns, "a", &options, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(api_meta(orphaning)->finalizers[0], ==, API_FINALIZER_ORPHAN);

    API_AUTO(ProtobufCMessage) released = api_message_clone(orphaning);
    meta = api_meta(released);
    g_free(meta->finalizers[--meta->n_finalizers]);
    API_AUTO(ProtobufCMessage) last = kit_update(admin, released, &error);
    g_assert_no_error(error);
    g_assert_null(kit_get(admin, API_CONFIG_MAP, ns, "a", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");
}

static void test_namespaces(void)
{
    g_autoptr(GError) error = NULL;
    static const char *const first[] = {"default", "kube-system", "kube-node-lease", "kube-public"};
    for (guint i = 0; i < G_N_ELEMENTS(first); i++) {
        API_AUTO(ProtobufCMessage) there = kit_get(admin, API_NAMESPACE, "", first[i], NULL, &error);
        g_assert_no_error(error);
    }
    g_assert_null(kit_delete(admin, API_NAMESPACE, "", "default", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "may not be deleted");

    g_autofree char *ns = kit_namespace(admin);
    API_AUTO(ProtobufCMessage) going = kit_delete(admin, API_NAMESPACE, "", ns, NULL, &error);
    g_assert_no_error(error);
    Core__V1__Namespace *namespace = (Core__V1__Namespace *)going;
    g_assert_cmpstr(namespace->status->phase, ==, "Terminating");
    g_assert_cmpuint(namespace->spec->n_finalizers, ==, 1);
    API_AUTO(ProtobufCMessage) late = kit_object(CONFIG, "a", ns);
    g_assert_null(kit_create(admin, late, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "because it is being terminated");

    g_free(namespace->spec->finalizers[--namespace->spec->n_finalizers]);
    API_AUTO(ProtobufCMessage) last = kit_update(admin, going, &error);
    g_assert_no_error(error);
    g_assert_null(kit_get(admin, API_NAMESPACE, "", ns, NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");
}

/* The names in a list, each followed by a blank. New string. */
static char *names_of(const ProtobufCMessage *list)
{
    gsize n;
    ProtobufCMessage **items = kit_items(list, &n);
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(names, "%s ", api_object_name(items[i]));
    return g_string_free(g_steal_pointer(&names), FALSE);
}

static void test_list_select(void)
{
    static const struct {
        const char *labels, *fields, *names;
    } cases[] = {
        {"", "", "a b c "},
        {"app=web", "", "a b "},
        {"app!=web", "", "c "},
        {"app in (web, db),tier", "", "b "},
        {"!tier", "", "a c "},
        {"", "metadata.name=b", "b "},
        {"", "spec.nodeName=n1", "a c "},
        {"app=web", "spec.nodeName=n1", "a "},
        {"", "spec.nodeName=", "b "},
        {"", "status.phase=Pending,spec.nodeName!=n1", "b "},
        {"", "status.phase=Running", ""},
    };
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    static const char pod[] =
        "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s, labels: {%s}}, spec: {nodeName: "
        "'%s', containers: [{name: c, image: i}]}}";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    API_FREE(kit_must_create(admin, pod, "a", ns, "app: web", "n1"));
    API_FREE(kit_must_create(admin, pod, "c", ns, "app: db", "n1"));
    API_FREE(kit_must_create(admin, pod, "b", ns, "app: web, tier: x", ""));
#pragma GCC diagnostic pop
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
        options.labelselector = (char *)cases[i].labels;
        options.fieldselector = (char *)cases[i].fields;
        API_AUTO(ProtobufCMessage) list = kit_list(admin, API_POD, ns, &options, &error);
        g_assert_no_error(error);
        g_autofree char *names = names_of(list);
        g_test_message("%s / %s", cases[i].labels, cases[i].fields);
        g_assert_cmpstr(names, ==, cases[i].names);
    }
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.fieldselector = (char *)"spec.hostname=x";
    g_assert_null(kit_list(admin, API_POD, ns, &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "spec.hostname");
    options.fieldselector = NULL;
    options.labelselector = (char *)"app in (";
    g_assert_null(kit_list(admin, API_POD, ns, &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "");
}

/* Pages are of one revision, whatever is written meanwhile. */
static void test_list_pages(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        API_FREE(kit_must_create(admin, CONFIG, name, ns));
    }
    g_autoptr(GString) names = g_string_new(NULL);
    g_autofree char *token = NULL, *version = NULL;
    for (int page = 0; page < 4; page++) {
        Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
        api_set_scalar(&options, limit, 3);
        options.continue_ = token;
        API_AUTO(ProtobufCMessage) list = kit_list(admin, API_CONFIG_MAP, ns, &options, &error);
        g_assert_no_error(error);
        const Meta__V1__ListMeta *meta = kit_list_meta(list);
        g_autofree char *part = names_of(list);
        g_string_append(names, part);
        if (version)
            g_assert_cmpstr(meta->resourceversion, ==, version);
        g_free(version);
        version = g_strdup(meta->resourceversion);
        g_free(token);
        token = g_strdup(meta->continue_);
        g_assert_cmpint(meta->has_remainingitemcount, ==, page < 3);
        if (page < 3)
            g_assert_cmpint(meta->remainingitemcount, ==, 7 - 3 * page);
        if (page == 0) {
            API_FREE(kit_must_create(admin, CONFIG, "c55", ns));
            API_FREE(kit_delete(admin, API_CONFIG_MAP, ns, "c8", NULL, &error));
            API_AUTO(ProtobufCMessage) changed = kit_object(CONFIG, "c6", ns);
            api_label_set(api_meta(changed), "x", "y");
            API_FREE(kit_update(admin, changed, &error));
            g_assert_no_error(error);
        }
    }
    g_assert_null(token);
    g_assert_cmpstr(names->str, ==, "c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 ");

    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.resourceversion = version;
    options.resourceversionmatch = (char *)"Exact";
    API_AUTO(ProtobufCMessage) then = kit_list(admin, API_CONFIG_MAP, ns, &options, &error);
    g_assert_no_error(error);
    g_autofree char *exact = names_of(then);
    g_assert_cmpstr(exact, ==, "c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 ");
    options = (Meta__V1__ListOptions)META__V1__LIST_OPTIONS__INIT;
    options.continue_ = (char *)"garbage";
    g_assert_null(kit_list(admin, API_CONFIG_MAP, ns, &options, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "continue token");
}

#define SERVICE "{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: %s}, spec: {%s ports: [{port: 80}]}}"

static const char *cluster_ip(const ProtobufCMessage *service)
{
    return ((const Core__V1__Service *)service)->spec->clusterip;
}

static void test_service_addresses(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) a = kit_must_create(admin, SERVICE, "a", ns, "");
    API_AUTO(ProtobufCMessage) b = kit_must_create(admin, SERVICE, "b", ns, "");
    g_assert_true(g_str_has_prefix(cluster_ip(a), "10.96."));
    g_assert_cmpstr(cluster_ip(a), !=, cluster_ip(b));
    g_assert_cmpstr(((Core__V1__Service *)a)->spec->clusterips[0], ==, cluster_ip(a));

    g_autofree char *same = g_strdup_printf("clusterIP: %s,", cluster_ip(a));
    API_AUTO(ProtobufCMessage) thief = kit_object(SERVICE, "c", ns, same);
    g_assert_null(kit_create(admin, thief, &error));
    kit_assert_error(&error, CLEAT_ERROR_INVALID, "spec.clusterIP: Invalid value: ");
    API_AUTO(ProtobufCMessage) outside = kit_object(SERVICE, "c", ns, "clusterIP: 10.97.0.1,");
    g_assert_null(kit_create(admin, outside, &error));
    kit_assert_error(&error, CLEAT_ERROR_INVALID, "10.96.0.0/16");
    API_AUTO(ProtobufCMessage) headless = kit_must_create(admin, SERVICE, "h", ns, "clusterIP: None,");
    g_assert_cmpstr(cluster_ip(headless), ==, "None");

    /* an update without the address keeps it */
    API_AUTO(ProtobufCMessage) manifest = kit_object(SERVICE, "a", ns, "sessionAffinity: None,");
    api_label_set(api_meta(manifest), "x", "y");
    API_AUTO(ProtobufCMessage) updated = kit_update(admin, manifest, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(cluster_ip(updated), ==, cluster_ip(a));

    /* a deleted service gives it back */
    API_FREE(kit_delete(admin, API_SERVICE, ns, "a", NULL, &error));
    g_assert_no_error(error);
    API_AUTO(ProtobufCMessage) heir = kit_create(admin, thief, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(cluster_ip(heir), ==, cluster_ip(a));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    harness = harness_new(NULL);
    admin = harness_channel(harness, 0, "admin");
    g_test_add_func("/verbs/create", test_create);
    g_test_add_func("/verbs/generate-name", test_generate_name);
    g_test_add_func("/verbs/envelope", test_envelope);
    g_test_add_func("/verbs/invalid", test_invalid);
    g_test_add_func("/verbs/get", test_get);
    g_test_add_func("/verbs/update", test_update);
    g_test_add_func("/verbs/update-status", test_update_status);
    g_test_add_func("/verbs/contention", test_contention);
    g_test_add_func("/verbs/delete", test_delete);
    g_test_add_func("/verbs/graceful", test_graceful);
    g_test_add_func("/verbs/finalizers", test_finalizers);
    g_test_add_func("/verbs/namespaces", test_namespaces);
    g_test_add_func("/verbs/list-select", test_list_select);
    g_test_add_func("/verbs/list-pages", test_list_pages);
    g_test_add_func("/verbs/service-addresses", test_service_addresses);
    int result = g_test_run();
    rpc_channel_unref(admin);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
