/* scheduler/engine and the plugin table: what fits, what is best, and why not. */
#include <string.h>

#include "tests/unit/scheduler/fixture.h"

#define ROOM "cpu: '4', memory: 8Gi, pods: '110', ephemeral-storage: 10Gi"
#define ASKS(cpu, memory) "containers: [{name: c, resources: {requests: {cpu: '" cpu "', memory: '" memory "'}}}]"

/* One node, one pod: whether it fits and what is said if not. */
static void test_filters(void)
{
    static const struct {
        const char *spec, *allocatable, *labels; /* of the node */
        const char *pod;                         /* its spec */
        const char *why;                         /* NULL: it fits */
        guint events;
    } rows[] = {
        {"", ROOM, "", ASKS("4", "8Gi"), NULL, 0},
        {"", ROOM, "", "containers: [{name: c}]", NULL, 0},
        {"", ROOM, "", ASKS("4001m", "1"), "1 Insufficient cpu", SCHED_EVENT_NODE | SCHED_EVENT_ROOM},
        {"", ROOM, "", ASKS("5", "9Gi"), "1 Insufficient cpu, 1 Insufficient memory", SCHED_EVENT_NODE | SCHED_EVENT_ROOM},
        {"", "cpu: '4', pods: '0'", "", "containers: [{name: c}]", "1 Too many pods", SCHED_EVENT_NODE | SCHED_EVENT_ROOM},
        {"", ROOM, "", "containers: [{name: c, resources: {requests: {example.com/gpu: 1}}}]", "1 Insufficient example.com/gpu",
         SCHED_EVENT_NODE | SCHED_EVENT_ROOM},
        {"", ROOM ", example.com/gpu: 2", "", "containers: [{name: c, resources: {requests: {example.com/gpu: 2}}}]", NULL, 0},
        /* the largest init container counts, not their sum */
        {"", ROOM, "",
         "initContainers: [{name: i, resources: {requests: {cpu: 3}}}, {name: j, resources: {requests: {cpu: 4}}}], "
         "containers: [{name: c, resources: {requests: {cpu: 2}}}, {name: d, resources: {requests: {cpu: 2}}}]",
         NULL, 0},
        {"", ROOM, "", "initContainers: [{name: i, resources: {requests: {cpu: 5}}}], containers: [{name: c}]", "1 Insufficient cpu",
         SCHED_EVENT_NODE | SCHED_EVENT_ROOM},
        {"unschedulable: true", ROOM, "", "containers: [{name: c}]", "1 node(s) were unschedulable", SCHED_EVENT_NODE},
        {"unschedulable: true", ROOM, "", "tolerations: [{operator: Exists}], containers: [{name: c}]", NULL, 0},
        {"", ROOM, "disk: ssd, zone: a", "nodeSelector: {disk: ssd, zone: a}, containers: [{name: c}]", NULL, 0},
        {"", ROOM, "disk: hdd", "nodeSelector: {disk: ssd}, containers: [{name: c}]",
         "1 node(s) didn't match Pod's node affinity/selector", SCHED_EVENT_NODE},
        {"taints: [{key: k, value: v, effect: NoSchedule}]", ROOM, "", "containers: [{name: c}]",
         "1 node(s) had untolerated taint {k: v}", SCHED_EVENT_NODE},
        {"taints: [{key: k, value: v, effect: NoExecute}]", ROOM, "",
         "tolerations: [{key: k, value: v}], containers: [{name: c}]", NULL, 0},
        {"taints: [{key: k, value: v, effect: NoSchedule}]", ROOM, "",
         "tolerations: [{key: k, value: w}], containers: [{name: c}]", "1 node(s) had untolerated taint {k: v}", SCHED_EVENT_NODE},
        {"taints: [{key: k, value: v, effect: NoSchedule}]", ROOM, "",
         "tolerations: [{key: k, operator: Exists, effect: NoExecute}], containers: [{name: c}]",
         "1 node(s) had untolerated taint {k: v}", SCHED_EVENT_NODE},
        {"taints: [{key: k, value: v, effect: NoSchedule}]", ROOM, "",
         "tolerations: [{key: k, operator: Exists}], containers: [{name: c}]", NULL, 0},
        {"taints: [{key: k, value: v, effect: PreferNoSchedule}]", ROOM, "", "containers: [{name: c}]", NULL, 0},
        /* only the first plugin that rejects is named */
        {"unschedulable: true", "cpu: '1'", "", ASKS("2", "1"), "1 node(s) were unschedulable", SCHED_EVENT_NODE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SchedEngine) engine = sched_engine_new();
        fixture_node(engine, "n", rows[i].spec, rows[i].allocatable, rows[i].labels);
        g_autoptr(SchedPod) pod = fixture_pod(engine, "p", rows[i].pod, "");
        gint node = sched_engine_place(engine, pod);
        if (!rows[i].why) {
            g_assert_cmpint(node, ==, 0);
            continue;
        }
        g_assert_cmpint(node, ==, -1);
        guint events;
        g_autofree char *why = sched_engine_explain(engine, pod, &events);
        g_autofree char *expected = g_strdup_printf("0/1 nodes are available: %s.", rows[i].why);
        g_assert_cmpstr(why, ==, expected);
        g_assert_cmpuint(events, ==, rows[i].events);
    }
}

/* Several nodes: which is taken. */
static void test_scores(void)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    SchedNodes *nodes = sched_engine_nodes(engine);
    fixture_node(engine, "small", "", "cpu: '2', memory: 2Gi, pods: '110'", "");
    fixture_node(engine, "large", "", "cpu: '8', memory: 16Gi, pods: '110'", "");
    g_autoptr(SchedPod) pod = fixture_pod(engine, "p", ASKS("1", "1Gi"), "");
    gint node = sched_engine_place(engine, pod);
    g_assert_cmpstr(nodes->names[node], ==, "large"); /* more is left there */
    fixture_node(engine, "liked", "", "cpu: '8', memory: 16Gi, pods: '110'", "");
    fixture_node(engine, "large", "taints: [{key: k, effect: PreferNoSchedule}]", "cpu: '64', memory: 64Gi, pods: '110'", "");
    node = sched_engine_place(engine, pod);
    g_assert_cmpstr(nodes->names[node], ==, "liked");
}

/* Pods of one controller go to different nodes, whatever else is there. */
static void test_spread(void)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("n%u", i);
        fixture_node(engine, name, "", ROOM, "");
    }
    g_autoptr(GPtrArray) pods = g_ptr_array_new_with_free_func((GDestroyNotify)sched_pod_free);
    guint counts[3] = {0};
    for (guint i = 0; i < 9; i++) {
        g_autofree char *name = g_strdup_printf("p%u", i);
        SchedPod *pod = fixture_pod(engine, name, ASKS("100m", "100Mi"), "owner");
        g_ptr_array_add(pods, pod);
        gint node = sched_engine_place(engine, pod);
        g_assert_cmpint(node, >=, 0);
        counts[node]++;
        sched_engine_assign(engine, pod, (guint)node);
    }
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(counts[i], ==, 3);
}

/* Requests are counted and given back; a full node takes no more. */
static void test_accounting(void)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    fixture_node(engine, "n", "", "cpu: '2', memory: 8Gi, pods: '110'", "");
    g_autoptr(SchedPod) a = fixture_pod(engine, "a", ASKS("1500m", "1Gi"), "o");
    g_autoptr(SchedPod) b = fixture_pod(engine, "b", ASKS("1", "1Gi"), "o");
    sched_engine_assign(engine, a, 0);
    g_assert_cmpint(sched_engine_place(engine, b), ==, -1);
    sched_engine_unassign(engine, a, 0);
    g_assert_cmpint(sched_engine_place(engine, b), ==, 0);
    g_assert_cmpint(sched_column(sched_engine_nodes(engine), SCHED_CPU)->requested[0], ==, 0);
    g_assert_cmpint(sched_column(sched_engine_nodes(engine), SCHED_PODS)->requested[0], ==, 0);
    g_assert_cmpint(sched_engine_nodes(engine)->scored_memory[0], ==, 0);
}

/* Facts of nodes are kept per class of pods: changes must get through. */
static void test_class_follows_nodes(void)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    SchedNodes *nodes = sched_engine_nodes(engine);
    fixture_node(engine, "n", "", ROOM, "disk: hdd");
    g_autoptr(SchedPod) pod = fixture_pod(engine, "p", "nodeSelector: {disk: ssd}, containers: [{name: c}]", "");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, -1);
    fixture_node(engine, "n", "", ROOM, "disk: ssd");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, 0);
    fixture_node(engine, "n", "unschedulable: true", ROOM, "disk: ssd");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, -1);
    sched_nodes_remove(nodes, "n");
    fixture_node(engine, "m", "", ROOM, "disk: ssd"); /* takes the hole */
    g_assert_cmpint(sched_engine_place(engine, pod), ==, 0);
    g_assert_cmpstr(nodes->names[0], ==, "m");
    for (guint i = 0; i < 300; i++) { /* the arrays grow */
        g_autofree char *name = g_strdup_printf("more%u", i);
        fixture_node(engine, name, "", ROOM, "disk: hdd");
    }
    fixture_node(engine, "m", "unschedulable: true", ROOM, "disk: ssd");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, -1);
    fixture_node(engine, "more299", "", ROOM, "disk: ssd");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, sched_nodes_find(nodes, "more299"));
}

static void test_no_nodes(void)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    g_autoptr(SchedPod) pod = fixture_pod(engine, "p", "containers: [{name: c}]", "");
    g_assert_cmpint(sched_engine_place(engine, pod), ==, -1);
    guint events;
    g_autofree char *why = sched_engine_explain(engine, pod, &events);
    g_assert_nonnull(strstr(why, "0/0 nodes"));
    g_assert_cmpuint(events, ==, SCHED_EVENT_NODE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scheduler/engine/filters", test_filters);
    g_test_add_func("/scheduler/engine/scores", test_scores);
    g_test_add_func("/scheduler/engine/spread", test_spread);
    g_test_add_func("/scheduler/engine/accounting", test_accounting);
    g_test_add_func("/scheduler/engine/class-follows-nodes", test_class_follows_nodes);
    g_test_add_func("/scheduler/engine/no-nodes", test_no_nodes);
    return g_test_run();
}
