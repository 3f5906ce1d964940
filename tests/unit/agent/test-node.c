#include "agent/node-facts.h"
#include "agent/node-status.h"
#include "agent/node.h"
#include "lib/base/time.h"
#include "tests/unit/agent/fixture.h"

static const AgentConfig config = {
    .node_name = (char *)"n1", .node_ip = (char *)"192.0.2.7", .listen = (char *)"192.0.2.7:10250", .max_pods = 110};
static const NodeFacts facts = {.cpus = 4,
                                .memory = G_GINT64_CONSTANT(8) << 30,
                                .storage = G_GINT64_CONSTANT(100) << 30,
                                .hostname = (char *)"h",
                                .machine_id = (char *)"m",
                                .system_uuid = (char *)"s",
                                .boot_id = (char *)"b",
                                .kernel = (char *)"6.1",
                                .os_image = (char *)"Debian",
                                .architecture = "amd64"};

static NodeInput input(gboolean ready)
{
    return (NodeInput){
        .config = &config,
        .facts = &facts,
        .readiness = {.heard = TRUE, .runtime = TRUE, .network = ready, .message = ready ? "" : "no network"},
        .runtime_name = "containerd",
        .runtime_version = "1.6",
        .now_ns = 500 * TIME_NS_PER_S,
    };
}

static void test_lease(void)
{
    static const struct {
        const char *holder;
        gint64 renewed_s;
        gboolean taken;
    } rows[] = {
        {NULL, 100, FALSE},  {"", 100, FALSE},     {"me", 100, FALSE},   {"other", 100, TRUE},
        {"other", 61, TRUE}, {"other", 60, FALSE}, {"other", 200, TRUE}, /* a clock that is ahead */
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Coordination__V1__LeaseSpec spec = COORDINATION__V1__LEASE_SPEC__INIT;
        API_AUTO(Meta__V1__MicroTime) renewed = api_micro_time_new(rows[i].renewed_s * TIME_NS_PER_S);
        spec.holderidentity = (char *)rows[i].holder;
        spec.renewtime = renewed;
        api_set_scalar(&spec, leasedurationseconds, 40);
        g_assert_cmpint(node_lease_is_taken(&spec, "me", 100 * TIME_NS_PER_S), ==, rows[i].taken);
    }
    g_assert_false(node_lease_is_taken(NULL, "me", 0));
}

static void test_status(void)
{
    NodeInput ready = input(TRUE);
    API_AUTO(Core__V1__NodeStatus) status = node_status_new(&ready, NULL);
    static const char *const capacity[][2] = {
        {"cpu", "4"}, {"ephemeral-storage", "100Gi"}, {"memory", "8Gi"}, {"pods", "110"}};
    g_assert_cmpuint(status->n_capacity, ==, G_N_ELEMENTS(capacity));
    g_assert_cmpuint(status->n_allocatable, ==, G_N_ELEMENTS(capacity));
    for (guint i = 0; i < G_N_ELEMENTS(capacity); i++) {
        g_assert_cmpstr(status->capacity[i]->key, ==, capacity[i][0]);
        g_assert_cmpstr(status->capacity[i]->value->string, ==, capacity[i][1]);
    }
    g_assert_cmpstr(status->addresses[0]->address, ==, "192.0.2.7");
    g_assert_cmpstr(status->addresses[1]->type, ==, "Hostname");
    g_assert_cmpint(status->daemonendpoints->kubeletendpoint->port, ==, 10250);
    g_assert_cmpstr(status->nodeinfo->containerruntimeversion, ==, "containerd://1.6");
    g_assert_cmpstr(status->conditions[0]->status, ==, "True");
}

static void test_transition(void)
{
    NodeInput ready = input(TRUE), broken = input(FALSE);
    API_AUTO(Core__V1__NodeStatus)
    old = (Core__V1__NodeStatus *)from_yaml(
        &core__v1__node_status__descriptor,
        "conditions:\n"
        "- {type: Other, status: 'True'}\n"
        "- {type: Ready, status: 'True', lastTransitionTime: '1970-01-01T00:01:00Z'}\n");
    API_AUTO(Core__V1__NodeStatus) same = node_status_new(&ready, old);
    g_assert_cmpuint(same->n_conditions, ==, 2);
    g_assert_cmpint(api_time_ns(same->conditions[1]->lasttransitiontime), ==, 60 * TIME_NS_PER_S);
    API_AUTO(Core__V1__NodeStatus) changed = node_status_new(&broken, old);
    g_assert_cmpstr(changed->conditions[1]->status, ==, "False");
    g_assert_cmpstr(changed->conditions[1]->message, ==, "no network");
    g_assert_cmpint(api_time_ns(changed->conditions[1]->lasttransitiontime), ==, 500 * TIME_NS_PER_S);
    ready.now_ns += TIME_NS_PER_S;
    API_AUTO(Core__V1__NodeStatus) later = node_status_new(&ready, same);
    g_assert_true(node_status_same(same, later));
    g_assert_false(node_status_same(same, changed));
}

static void test_labels(void)
{
    NodeInput ready = input(TRUE);
    API_AUTO(Core__V1__Node)
    node = (Core__V1__Node *)from_yaml(&core__v1__node__descriptor, "metadata: {name: n1, labels: {disk: ssd}}\n");
    g_assert_true(node_set_labels(node, &ready));
    g_assert_false(node_set_labels(node, &ready));
    g_assert_cmpstr(api_label(node->metadata, "kubernetes.io/hostname"), ==, "n1");
    g_assert_cmpstr(api_label(node->metadata, "kubernetes.io/os"), ==, "linux");
    g_assert_cmpstr(api_label(node->metadata, "kubernetes.io/arch"), ==, "amd64");
    g_assert_cmpstr(api_label(node->metadata, "disk"), ==, "ssd");
}

static void test_facts(void)
{
    g_assert_cmpint(node_facts_parse_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"), ==, 16384 * 1024);
    g_assert_cmpint(node_facts_parse_memory("nothing"), ==, 0);
    static const char *const releases[][2] = {
        {"ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", "Debian GNU/Linux 12"},
        {"PRETTY_NAME=Arch\n", "Arch"},
        {"PRETTY_NAME='A B'", "A B"},
        {"", "Linux"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(releases); i++) {
        g_autofree char *name = node_facts_parse_os_release(releases[i][0]);
        g_assert_cmpstr(name, ==, releases[i][1]);
    }
    g_assert_cmpstr(node_facts_architecture("x86_64"), ==, "amd64");
    g_assert_cmpstr(node_facts_architecture("riscv64"), ==, "riscv64");
    g_autoptr(NodeFacts) real = node_facts_read("/");
    g_assert_cmpint(real->cpus, >, 0);
    g_assert_cmpint(real->memory, >, 1 << 20);
    g_assert_cmpint(real->storage, >, 0);
    g_assert_cmpstr(real->boot_id, !=, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/node/lease", test_lease);
    g_test_add_func("/agent/node/status", test_status);
    g_test_add_func("/agent/node/transition", test_transition);
    g_test_add_func("/agent/node/labels", test_labels);
    g_test_add_func("/agent/node/facts", test_facts);
    return g_test_run();
}
