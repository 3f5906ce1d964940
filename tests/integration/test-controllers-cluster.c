/* Nodes, namespaces and endpoints, with real controllers on a real server. */
#include "cleat/coordination/v1/coordination.pb-c.h"
#include "cleat/discovery/v1/discovery.pb-c.h"
#include "lib/api/labels.h"
#include "tests/integration/lab.h"

typedef Core__V1__Node Node;
typedef Core__V1__Namespace Namespace;
typedef Coordination__V1__Lease Lease;
typedef Discovery__V1__EndpointSlice EndpointSlice;

static const char *const no_election[] = {"--no-leader-election", "--cluster-cidr", "10.244.0.0/16", NULL};
static const char *const impatient[] = {"--no-leader-election", "--node-monitor-grace-period", "2", NULL};

/* --- heartbeats --- */

static void set_node_ready(gpointer object, gconstpointer status)
{
    Node *node = object;
    if (!node->status)
        node->status = API_NEW(Core__V1__NodeStatus, core__v1__node_status);
    for (gsize i = 0; i < node->status->n_conditions; i++)
        API_FREE(node->status->conditions[i]);
    node->status->n_conditions = 0;
    Core__V1__NodeCondition *ready = API_NEW(Core__V1__NodeCondition, core__v1__node_condition);
    ready->type = g_strdup("Ready");
    ready->status = g_strdup(status);
    api_append(node->status->conditions, node->status->n_conditions, ready);
}

/* A node that renews its lease as long as it is not NULL here. */
typedef struct {
    Lab *lab;
    const char *node;
    guint timer;
    guint beats; /* that the server has seen */
    gboolean contradicts;
    gint64 renewed_us; /* the newest renewal sent */
} Heart;

static void lease_read(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    Heart *heart = data;
    if (!heart->timer || (error && !cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)))
        return;
    heart->beats += object != NULL;
    Lease *lease = object ? (Lease *)api_message_clone(object) : API_NEW(Lease, coordination__v1__lease);
    if (!object) {
        lease->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
        lease->metadata->namespace_ = g_strdup(API_NAMESPACE_NODE_LEASE);
        lease->metadata->name = g_strdup(heart->node);
        lease->spec = API_NEW(Coordination__V1__LeaseSpec, coordination__v1__lease_spec);
        lease->spec->holderidentity = g_strdup(heart->node);
        api_set_scalar(lease->spec, leasedurationseconds, 40);
    }
    api_set(lease->spec->renewtime, api_micro_time_new(time_now_ns()));
    heart->renewed_us = api_micro_time_ns(lease->spec->renewtime) / 1000;
    if (object)
        client_update(heart->lab->client, &lease->base, lab_ignore, NULL);
    else
        client_create(heart->lab->client, &lease->base, lab_ignore, NULL);
    API_FREE(lease);
}

/* An agent that finds itself called lost says that it is not: on a slow machine a beat may come late. */
static void contradict(Heart *heart)
{
    const Node *node = lab_get(heart->lab, API_NODE, heart->node);
    for (gsize i = 0; node && node->status && i < node->status->n_conditions; i++) {
        if (!g_str_equal(node->status->conditions[i]->type, "Ready") ||
            !g_str_equal(node->status->conditions[i]->status, "Unknown"))
            continue;
        Node *changed = (Node *)API_CLONE(node);
        set_node_ready(changed, "True");
        client_update_status(heart->lab->client, &changed->base, lab_ignore, NULL);
        API_FREE(changed);
        return;
    }
}

static gboolean beat(gpointer data)
{
    Heart *heart = data;
    if (heart->contradicts)
        contradict(heart);
    client_get(heart->lab->client, API_LEASE, API_NAMESPACE_NODE_LEASE, heart->node, lease_read, heart);
    return G_SOURCE_CONTINUE;
}

static void heart_start(Heart *heart, Lab *lab, const char *node, gboolean contradicts)
{
    *heart = (Heart){.lab = lab, .node = node, .contradicts = contradicts};
    heart->timer = g_timeout_add(300, beat, heart);
    beat(heart);
}

static void heart_stop(Heart *heart)
{
    g_source_remove(heart->timer);
    heart->timer = 0;
}

/* --- conditions to wait for --- */

static gboolean node_ready_is(Lab *lab, const char *name, const char *status)
{
    const Node *node = lab_get(lab, API_NODE, name);
    for (gsize i = 0; node && node->status && i < node->status->n_conditions; i++)
        if (g_str_equal(node->status->conditions[i]->type, "Ready"))
            return g_str_equal(node->status->conditions[i]->status, status);
    return FALSE;
}

static gboolean has_taint(Lab *lab, const char *name, const char *key, const char *effect)
{
    const Node *node = lab_get(lab, API_NODE, name);
    for (gsize i = 0; node && node->spec && i < node->spec->n_taints; i++)
        if (g_str_equal(node->spec->taints[i]->key, key) && g_str_equal(node->spec->taints[i]->effect, effect))
            return TRUE;
    return FALSE;
}

static gboolean has_taints(Lab *lab, const char *name)
{
    const Node *node = lab_get(lab, API_NODE, name);
    return node && node->spec && node->spec->n_taints > 0;
}

static const Pod *pod_of(Lab *lab, const char *name)
{
    return lab_get(lab, API_POD, name);
}

#define POD(name, node, more)                                                                                          \
    "{apiVersion: v1, kind: Pod, metadata: {name: " name                                                               \
    ", namespace: default, labels: {app: web}}, spec: {nodeName: " node ", " more                                      \
    "containers: [{name: c, image: 'demo:1', ports: [{name: http, containerPort: 8080}]}]}}"
#define BRIEFLY(key) "{key: node.kubernetes.io/" key ", operator: Exists, effect: NoExecute, tolerationSeconds: 1}"
#define FOR_EVER(key) "{key: node.kubernetes.io/" key ", operator: Exists, effect: NoExecute}"

static gconstpointer get_in(Lab *lab, const ApiResource *resource, const char *namespace_, const char *name)
{
    return client_cache_get(lab->caches[api_resource_index(resource)], namespace_, name);
}

/* --- tests --- */

static void test_lost_node(void)
{
    Lab lab;
    Heart hearts[3];
    static const char *const names[] = {"n1", "n2", "n3"};
    lab_init(&lab, impatient);
    for (guint i = 0; i < 3; i++) {
        lab_add_node(&lab, names[i]);
        heart_start(&hearts[i], &lab, names[i], TRUE);
        lab_edit(&lab, API_NODE, names[i], set_node_ready, "True", TRUE);
    }
    lab_await(!has_taints(&lab, "n1") && !has_taints(&lab, "n2") && !has_taints(&lab, "n3"));
    lab_apply(&lab, POD("goes", "n1", "tolerations: [" BRIEFLY("unreachable") "], "));
    lab_apply(&lab, POD("stays", "n1", "tolerations: [" FOR_EVER("unreachable") "], "));
    lab_apply(&lab, POD("elsewhere", "n2", ""));
    lab_await(pod_of(&lab, "goes") && lab_is_ready(pod_of(&lab, "goes")) && lab_is_ready(pod_of(&lab, "stays")) &&
              lab_is_ready(pod_of(&lab, "elsewhere")));

    /* n1 falls silent: its agent ends nothing and says nothing any more. */
    heart_stop(&hearts[0]);
    g_ptr_array_remove_index(lab.nodes, 0);
    lab_await(node_ready_is(&lab, "n1", "Unknown"));
    lab_await(has_taint(&lab, "n1", API_TAINT_UNREACHABLE, "NoSchedule") &&
              has_taint(&lab, "n1", API_TAINT_UNREACHABLE, "NoExecute"));
    lab_await(!lab_is_ready(pod_of(&lab, "goes")) && !lab_is_ready(pod_of(&lab, "stays")));
    lab_await(pod_of(&lab, "goes")->metadata->deletiontimestamp);
    g_assert_null(pod_of(&lab, "stays")->metadata->deletiontimestamp);
    g_assert_true(lab_is_ready(pod_of(&lab, "elsewhere")));
    g_assert_false(has_taints(&lab, "n2"));

    /* It returns. */
    g_ptr_array_add(lab.nodes, g_strdup("n1"));
    heart_start(&hearts[0], &lab, "n1", TRUE);
    lab_edit(&lab, API_NODE, "n1", set_node_ready, "True", TRUE);
    lab_play_all(&lab);
    lab_await(!has_taints(&lab, "n1") && lab_is_ready(pod_of(&lab, "stays")) && !pod_of(&lab, "goes"));

    /* It is removed for good: nothing is left bound to it. */
    heart_stop(&hearts[0]);
    g_ptr_array_set_size(lab.nodes, 0);
    lab_delete(&lab, API_NODE, "n1", NULL);
    lab_await(!pod_of(&lab, "stays"));
    g_assert_nonnull(pod_of(&lab, "elsewhere"));
    heart_stop(&hearts[1]);
    heart_stop(&hearts[2]);
    lab_done(&lab);
}

/* A node that is silent because the controllers were away is not lost at once. */
static void test_grace_after_restart(void)
{
    Lab lab;
    Heart heart;
    lab_init(&lab, impatient);
    lab_add_node(&lab, "n1");
    lab_edit(&lab, API_NODE, "n1", set_node_ready, "True", TRUE);
    heart_start(&heart, &lab, "n1", FALSE);
    lab_await(!has_taints(&lab, "n1") && lab.caches[API_INDEX_LEASE] &&
              client_cache_size(lab.caches[API_INDEX_LEASE]) > 0);
    lab_stop_controllers(&lab, SIGKILL);
    heart_stop(&heart);
    gint64 begin = g_get_monotonic_time();
    lab_start_controllers(&lab);
    lab_await(node_ready_is(&lab, "n1", "Unknown"));
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, 2 * G_USEC_PER_SEC);
    /* The only node: no pods are driven off, as nobody else could take them. */
    lab_await(has_taint(&lab, "n1", API_TAINT_UNREACHABLE, "NoSchedule"));
    g_assert_false(has_taint(&lab, "n1", API_TAINT_UNREACHABLE, "NoExecute"));
    lab_done(&lab);
}

static gint64 last_renewal_us(Lab *lab, const char *node)
{
    const Lease *lease = (const Lease *)client_cache_get(lab->caches[API_INDEX_LEASE], API_NAMESPACE_NODE_LEASE, node);
    return lease ? api_micro_time_ns(lease->spec->renewtime) / 1000 : 0;
}

static gboolean wake(gpointer done)
{
    *(gboolean *)done = TRUE;
    return G_SOURCE_REMOVE;
}

/* While the server is away nobody can renew a lease: afterwards all have the grace period once more. */
static void test_outage(void)
{
    Lab lab;
    Heart heart;
    gboolean over = FALSE;
    lab_init(&lab, impatient);
    lab_add_node(&lab, "n1");
    lab_edit(&lab, API_NODE, "n1", set_node_ready, "True", TRUE);
    heart_start(&heart, &lab, "n1", FALSE);
    lab_await(heart.beats > 2);
    heart_stop(&heart);
    lab_await(last_renewal_us(&lab, "n1") == heart.renewed_us); /* nothing is under way that would arrive later */
    lab_apply(&lab, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    lab_await(get_in(&lab, API_SERVICE_ACCOUNT, "shop", "default")); /* the controllers are up to date as well */
    harness_server_stop(lab.harness, 0, SIGKILL);
    g_timeout_add_seconds(5, wake, &over); /* longer than the grace period, and than an answer may take */
    lab_await(over);
    harness_server_start(lab.harness, 0);
    over = FALSE;
    g_timeout_add_seconds(1, wake, &over); /* agents come back later than the controllers */
    lab_await(over);
    heart_start(&heart, &lab, "n1", FALSE);
    lab_await(heart.beats > 8); /* one more grace period later it is still there */
    g_assert_true(node_ready_is(&lab, "n1", "True"));
    heart_stop(&heart);
    lab_await(node_ready_is(&lab, "n1", "Unknown"));
    lab_done(&lab);
}

static const char *cidr(Lab *lab, const char *name)
{
    const Node *node = lab_get(lab, API_NODE, name);
    return node && node->spec ? api_str(node->spec->podcidr) : "";
}

static void test_cidr(void)
{
    Lab lab;
    lab_init(&lab, no_election);
    lab_add_node(&lab, "n1");
    lab_await(*cidr(&lab, "n1"));
    lab_add_node(&lab, "n2");
    lab_await(*cidr(&lab, "n2"));
    g_assert_cmpstr(cidr(&lab, "n1"), ==, "10.244.0.0/24");
    g_assert_cmpstr(cidr(&lab, "n2"), ==, "10.244.1.0/24");
    g_assert_cmpstr(((const Node *)lab_get(&lab, API_NODE, "n2"))->spec->podcidrs[0], ==, "10.244.1.0/24");
    lab_stop_controllers(&lab, SIGKILL);
    lab_add_node(&lab, "n3");
    lab_start_controllers(&lab);
    lab_await(*cidr(&lab, "n3"));
    g_assert_cmpstr(cidr(&lab, "n3"), ==, "10.244.2.0/24");
    g_assert_cmpstr(cidr(&lab, "n1"), ==, "10.244.0.0/24");
    lab_done(&lab);
}

static gboolean is_ready_pod(const ProtobufCMessage *object)
{
    return lab_is_ready((const Pod *)object);
}

/* Objects of a kind in a namespace for which is() holds; NULL: all. */
static guint count_in(Lab *lab, const ApiResource *resource, const char *namespace_,
                      gboolean (*is)(const ProtobufCMessage *))
{
    g_autoptr(GPtrArray) objects = client_cache_list(lab->caches[api_resource_index(resource)], namespace_);
    guint n = 0;
    for (guint i = 0; i < objects->len; i++)
        n += !is || is(objects->pdata[i]);
    return n;
}

static void test_namespace(void)
{
    Lab lab;
    lab_init(&lab, no_election);
    lab_add_node(&lab, "n1");
    lab_await(get_in(&lab, API_SERVICE_ACCOUNT, "default", "default"));
    lab_apply(&lab, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    lab_await(get_in(&lab, API_SERVICE_ACCOUNT, "shop", "default"));
    /* It comes back if someone deletes it. */
    g_autofree char *uid = g_strdup(api_object_uid(get_in(&lab, API_SERVICE_ACCOUNT, "shop", "default")));
    API_AUTO(ProtobufCMessage)
    gone = client_delete_sync(lab.client, API_SERVICE_ACCOUNT, "shop", "default", NULL, NULL);
    g_assert_nonnull(gone);
    lab_await(get_in(&lab, API_SERVICE_ACCOUNT, "shop", "default") &&
              !g_str_equal(api_object_uid(get_in(&lab, API_SERVICE_ACCOUNT, "shop", "default")), uid));

    lab_apply(&lab, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}, data: {a: b}}\n---\n"
                    "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: shop}}\n---\n"
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
                    "spec:\n  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template:\n"
                    "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: i}]}\n");
    lab_apply(&lab, "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept, namespace: default}}");
    lab_await(count_in(&lab, API_POD, "shop", is_ready_pod) == 2);
    API_AUTO(ProtobufCMessage) going = client_delete_sync(lab.client, API_NAMESPACE, "", "shop", NULL, NULL);
    g_assert_nonnull(going);
    lab_await(!lab_get(&lab, API_NAMESPACE, "shop"));
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        if (!api_resource_row(i)->namespaced)
            continue;
        lab_await(count_in(&lab, api_resource_row(i), "shop", NULL) == 0);
    }
    g_assert_nonnull(get_in(&lab, API_CONFIG_MAP, "default", "kept"));
    lab_done(&lab);
}

/* Addresses of the slices of service web that are ready, and of all. */
static guint endpoints(Lab *lab, gboolean ready)
{
    g_autoptr(GPtrArray) slices = client_cache_list(lab->caches[API_INDEX_ENDPOINT_SLICE], "default");
    guint n = 0;
    for (guint i = 0; i < slices->len; i++) {
        const EndpointSlice *slice = slices->pdata[i];
        if (g_strcmp0(api_label(slice->metadata, API_LABEL_SERVICE_NAME), "web") != 0)
            continue;
        for (gsize j = 0; j < slice->n_endpoints; j++)
            n += !ready || slice->endpoints[j]->conditions->ready;
    }
    return n;
}

static void test_endpoints(void)
{
    Lab lab;
    lab_init(&lab, no_election);
    lab_add_node(&lab, "n1");
    lab_apply(&lab, "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, "
                    "spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}}");
    lab_await(client_cache_size(lab.caches[API_INDEX_ENDPOINT_SLICE]) == 1 && lab_get(&lab, API_ENDPOINTS, "web"));
    lab_apply(&lab, POD("a", "n1", ""));
    lab_apply(&lab, POD("b", "n1", ""));
    lab_await(endpoints(&lab, TRUE) == 2 && client_cache_size(lab.caches[API_INDEX_ENDPOINT_SLICE]) == 1);
    g_autoptr(GPtrArray) slices = client_cache_list(lab.caches[API_INDEX_ENDPOINT_SLICE], "default");
    const EndpointSlice *slice = slices->pdata[0];
    g_assert_cmpuint(slices->len, ==, 1);
    g_assert_cmpint(slice->ports[0]->port, ==, 8080);
    g_assert_cmpstr(slice->endpoints[0]->nodename, ==, "n1");
    const Core__V1__Endpoints *object = lab_get(&lab, API_ENDPOINTS, "web");
    lab_await((object = lab_get(&lab, API_ENDPOINTS, "web"))->n_subsets == 1 && object->subsets[0]->n_addresses == 2);

    lab_delete(&lab, API_POD, "a", NULL);
    lab_await(endpoints(&lab, FALSE) == 1);
    lab_delete(&lab, API_SERVICE, "web", NULL);
    lab_await(client_cache_size(lab.caches[API_INDEX_ENDPOINT_SLICE]) == 0 && !lab_get(&lab, API_ENDPOINTS, "web"));
    lab_done(&lab);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    g_test_add_func("/controllers/lost-node", test_lost_node);
    g_test_add_func("/controllers/grace-after-restart", test_grace_after_restart);
    g_test_add_func("/controllers/outage", test_outage);
    g_test_add_func("/controllers/cidr", test_cidr);
    g_test_add_func("/controllers/namespace", test_namespace);
    g_test_add_func("/controllers/endpoints", test_endpoints);
    int status = g_test_run();
    rpc_shutdown();
    return status;
}
