/* controllers/node-plan.c, node-evict.c and node-ipam.c. */
#include "controllers/node.h"
#include "tests/unit/controllers/fixture.h"

#define READY(status) "conditions: [{type: Ready, status: '" status "'}]"
#define TAINT(key, effect)                                                                                             \
    "{key: node.kubernetes.io/" key ", effect: " effect ", timeAdded: '1970-01-12T13:46:00Z'}" /* 40 s ago */

static Node *node_of(const char *spec, const char *status)
{
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: 'n'}, spec: {%s}, status: {%s}}", spec, status);
    return fixture_decode(&core__v1__node__descriptor, yaml);
}

/* "KEY:EFFECT" without the domain, in order. */
static char *taints_text(const Node *node)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < node->spec->n_taints; i++)
        g_string_append_printf(text, "%s%s:%s", text->len ? " " : "", strrchr(node->spec->taints[i]->key, '/') + 1,
                               node->spec->taints[i]->effect);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_taints(void)
{
    static const struct {
        const char *spec, *status;
        NodeSituation situation;
        const char *taints; /* NULL: no write */
    } rows[] = {
        {"", READY("True"), {0}, NULL},
        {"", "", {0}, "not-ready:NoSchedule"}, /* it never said */
        {"", READY("False"), {0}, "not-ready:NoSchedule"},
        {"", READY("False"), {.may_evict = TRUE}, "not-ready:NoSchedule not-ready:NoExecute"},
        {"", READY("Unknown"), {.may_evict = TRUE}, "unreachable:NoSchedule unreachable:NoExecute"},
        {"taints: [" TAINT("unreachable", "NoSchedule") ", " TAINT("unreachable", "NoExecute") "]",
         READY("Unknown"),
         {0},
         NULL},
        {"taints: [" TAINT("unreachable", "NoSchedule") ", " TAINT("unreachable", "NoExecute") "]",
         READY("True"),
         {0},
         ""},
        /* one follows the other without asking again */
        {"taints: [" TAINT("not-ready", "NoSchedule") ", " TAINT("not-ready", "NoExecute") "]",
         READY("Unknown"),
         {0},
         "unreachable:NoSchedule unreachable:NoExecute"},
        /* the whole cluster is down */
        {"taints: [" TAINT("unreachable", "NoSchedule") ", " TAINT("unreachable", "NoExecute") "]",
         READY("Unknown"),
         {.may_evict = TRUE, .evict_none = TRUE},
         "unreachable:NoSchedule"},
        /* what is not ours stays */
        {"taints: [{key: a/mine, effect: NoSchedule}, " TAINT("not-ready", "NoSchedule") "]",
         READY("True"),
         {0},
         "mine:NoSchedule"},
        {"unschedulable: true", READY("True"), {0}, "unschedulable:NoSchedule"},
        {"taints: [" TAINT("unschedulable", "NoSchedule") "]", READY("True"), {0}, ""},
        {"",
         "conditions: [{type: Ready, status: 'True'}, {type: DiskPressure, status: 'True'}, {type: PIDPressure, status: 'True'}]",
         {0},
         "disk-pressure:NoSchedule pid-pressure:NoSchedule"},
        /* a user's taint begins to count when it is seen */
        {"taints: [{key: a/out, effect: NoExecute}]", READY("True"), {0}, "out:NoExecute"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Node) node = node_of(rows[i].spec, rows[i].status);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        node_plan(plan, node, NULL, 0, rows[i].situation);
        g_test_message("row %u", i);
        fixture_assert_plan(plan, rows[i].taints ? "0 update Node n" : "");
        if (!rows[i].taints)
            continue;
        const Node *written = fixture_written(plan, PLAN_UPDATE, API_NODE);
        g_autofree char *text = taints_text(written);
        g_assert_cmpstr(text, ==, rows[i].taints);
        for (gsize j = 0; j < written->spec->n_taints;
             j++) /* 40 s of tolerance are used up already, in the row that swaps them */
            if (i == 7 && g_str_equal(written->spec->taints[j]->effect, "NoExecute"))
                g_assert_cmpint(api_time_ns(written->spec->taints[j]->timeadded), ==, NOW_NS - 40 * TIME_NS_PER_S);
    }
}

static void test_silence(void)
{
    API_AUTO(Node)
    node = node_of("", "conditions: [{type: Ready, status: 'True', lastTransitionTime: '1970-01-01T00:00:01Z'}, "
                       "{type: DiskPressure, status: 'False'}]");
    g_autoptr(GPtrArray) pods = fixture_pods("a Running ready node=n; b Running node=n");
    const NodeSituation silent = {.silent = TRUE, .may_evict = TRUE};
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    node_plan(plan, node, (const Pod *const *)pods->pdata, pods->len, silent);
    fixture_assert_plan(plan, "0 status Node n");
    const Node *lost = fixture_written(plan, PLAN_UPDATE_STATUS, API_NODE);
    g_assert_cmpuint(lost->status->n_conditions, ==, 4);
    for (gsize i = 0; i < 4; i++) {
        const Core__V1__NodeCondition *condition = lost->status->conditions[i];
        gboolean known = g_str_equal(condition->type, "Ready") || g_str_equal(condition->type, "DiskPressure");
        g_assert_cmpstr(condition->status, ==, "Unknown");
        g_assert_cmpstr(condition->reason, ==, known ? "NodeStatusUnknown" : "NodeStatusNeverUpdated");
        g_assert_cmpint(api_time_ns(condition->lasttransitiontime), ==, NOW_NS);
    }
    /* Then taints and pods. */
    g_autoptr(Plan) next = plan_new(NOW_NS);
    node_plan(next, lost, (const Pod *const *)pods->pdata, pods->len, silent);
    fixture_assert_plan(next, "0 update Node n; 0 status Pod a");
    const Pod *pod = fixture_written(next, PLAN_UPDATE_STATUS, API_POD);
    g_assert_cmpstr(pod_condition(pod, "Ready")->status, ==, "False");
    g_assert_true(node_wants_eviction(lost));
    g_assert_false(node_wants_eviction(fixture_written(next, PLAN_UPDATE, API_NODE)));
    g_assert_false(node_wants_eviction(node));
}

static void test_zones(void)
{
    static const struct {
        guint nodes, ready;
        NodeZoneState state;
        double rate; /* of 1 */
    } rows[] = {
        {0, 0, NODE_ZONE_NORMAL, 1},       {1, 1, NODE_ZONE_NORMAL, 1},   {1, 0, NODE_ZONE_FULL, 1},
        {2, 1, NODE_ZONE_NORMAL, 1},       {3, 1, NODE_ZONE_NORMAL, 1},   {4, 1, NODE_ZONE_PARTIAL, 0},
        {10, 5, NODE_ZONE_NORMAL, 1},      {10, 4, NODE_ZONE_PARTIAL, 0}, {100, 46, NODE_ZONE_NORMAL, 1},
        {100, 45, NODE_ZONE_PARTIAL, 0.1}, {100, 0, NODE_ZONE_FULL, 1},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        NodeZoneState state = node_zone_state(rows[i].nodes, rows[i].ready);
        g_assert_cmpint(state, ==, rows[i].state);
        g_assert_cmpfloat(node_zone_rate(state, rows[i].nodes, 1), ==, rows[i].rate);
    }
}

static void test_bucket(void)
{
    NodeBucket bucket = {0};
    gint64 wait, now = 1000;
    g_assert_true(node_bucket_take(&bucket, 0.1, now, &wait));
    g_assert_false(node_bucket_take(&bucket, 0.1, now, &wait));
    g_assert_cmpint(wait, >=, 10 * G_USEC_PER_SEC);
    g_assert_cmpint(wait, <, 10 * G_USEC_PER_SEC + 10);
    g_assert_false(node_bucket_take(&bucket, 0.1, now + wait / 2, &wait));
    g_assert_true(node_bucket_take(&bucket, 0.1, now + 10 * G_USEC_PER_SEC + 10, &wait));
    /* It never holds more than one. */
    now += 1000 * G_USEC_PER_SEC;
    g_assert_true(node_bucket_take(&bucket, 0.1, now, &wait));
    g_assert_false(node_bucket_take(&bucket, 0.1, now, &wait));
    g_assert_false(node_bucket_take(&bucket, 0, now, &wait));
    g_assert_cmpint(wait, ==, G_MAXINT64);
}

static void test_evict_time(void)
{
    static const struct {
        const char *taints, *tolerations;
        gint64 after_s; /* from now; G_MAXINT64: never; -1: at once */
    } rows[] = {
        {"", "", G_MAXINT64},
        {TAINT("unreachable", "NoSchedule"), "", G_MAXINT64},
        {TAINT("unreachable", "NoExecute"), "", -1},
        {TAINT("unreachable", "NoExecute"), "{operator: Exists}", G_MAXINT64},
        {TAINT("unreachable", "NoExecute"),
         "{key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}", 260},
        {TAINT("unreachable", "NoExecute"),
         "{key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}, {operator: Exists, tolerationSeconds: 50}",
         10},
        {TAINT("unreachable", "NoExecute"), "{key: node.kubernetes.io/not-ready, operator: Exists}", -1},
        {TAINT("unreachable", "NoExecute"),
         "{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoSchedule}", -1},
        {TAINT("unreachable", "NoExecute") ", " TAINT("not-ready", "NoExecute"),
         "{key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}, "
         "{key: node.kubernetes.io/not-ready, operator: Exists, tolerationSeconds: 100}",
         60},
        {"{key: k, value: v, effect: NoExecute}", "{key: k, value: v}", G_MAXINT64},
        {"{key: k, value: v, effect: NoExecute}", "{key: k, operator: Equal, value: w}", -1},
        {"{key: k, effect: NoExecute}", "{key: k, operator: Exists, tolerationSeconds: 7}", 7}, /* added now */
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *spec = g_strdup_printf("taints: [%s]", rows[i].taints);
        g_autofree char *yaml =
            g_strdup_printf("{metadata: {name: p, namespace: default}, spec: {nodeName: node1, tolerations: [%s]}}",
                            rows[i].tolerations);
        API_AUTO(Node) node = node_of(spec, "");
        API_AUTO(Pod) pod = fixture_decode(&core__v1__pod__descriptor, yaml);
        gint64 when =
            node_evict_time((const Core__V1__Taint *const *)node->spec->taints, node->spec->n_taints, pod, NOW_NS);
        g_test_message("row %u", i);
        if (rows[i].after_s == G_MAXINT64)
            g_assert_cmpint(when, ==, G_MAXINT64);
        else if (rows[i].after_s < 0)
            g_assert_cmpint(when, <=, NOW_NS);
        else
            g_assert_cmpint(when, ==, NOW_NS + rows[i].after_s * TIME_NS_PER_S);
        const Pod *pods[] = {pod};
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        node_evict_plan(plan, node, pods, 1);
        fixture_assert_plan(plan, rows[i].after_s < 0 ? "0 delete Pod p" : "");
        gboolean later = rows[i].after_s >= 0 && rows[i].after_s != G_MAXINT64;
        g_assert_cmpint(plan->after_ns, ==, later ? rows[i].after_s * TIME_NS_PER_S : -1);
    }
}

static void test_shares(void)
{
    g_autoptr(NodeShares) shares = node_shares_new("10.244.0.0/22", 24, NULL);
    g_assert_nonnull(shares);
    g_assert_cmpuint(node_shares_free_count(shares), ==, 4);
    g_assert_true(node_shares_claim(shares, "10.244.1.0/24", "b"));
    g_assert_true(node_shares_claim(shares, "10.244.1.0/24", "b"));
    g_assert_false(node_shares_claim(shares, "10.244.1.0/24", "c"));
    g_assert_false(node_shares_claim(shares, "10.244.4.0/24", "c"));
    g_assert_false(node_shares_claim(shares, "10.243.255.0/24", "c"));
    g_assert_false(node_shares_claim(shares, "10.244.0.0/25", "c"));
    static const struct {
        const char *node, *share;
    } rows[] = {{"a", "10.244.0.0/24"}, {"b", "10.244.1.0/24"}, {"c", "10.244.2.0/24"},
                {"a", "10.244.0.0/24"}, {"d", "10.244.3.0/24"}, {"e", NULL}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *share = node_shares_get(shares, rows[i].node);
        g_assert_cmpstr(share, ==, rows[i].share);
    }
    node_shares_release(shares, "c");
    node_shares_release(shares, "nobody");
    g_autofree char *share = node_shares_get(shares, "e");
    g_assert_cmpstr(share, ==, "10.244.2.0/24");
}

static void test_shares_errors(void)
{
    static const struct {
        const char *cidr;
        guint mask;
    } rows[] = {{"10.244.0.0", 24}, {"10.244.0.1/16", 24}, {"fd00::/64", 80}, {"10.244.0.0/16", 15},
                {"10.0.0.0/8", 25}, {"10.244.0.0/33", 24}, {"", 24},          {"10.244.0.0/16", 31}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        const ControllersOptions options = {.cluster_cidr = rows[i].cidr, .node_mask_size = rows[i].mask};
        g_assert_false(node_ipam_check(&options, &error));
        g_assert_nonnull(strstr(error->message, rows[i].cidr));
    }
    const ControllersOptions none = {0};
    g_assert_true(node_ipam_check(&none, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/node/taints", test_taints);
    g_test_add_func("/node/silence", test_silence);
    g_test_add_func("/node/zones", test_zones);
    g_test_add_func("/node/bucket", test_bucket);
    g_test_add_func("/node/evict-time", test_evict_time);
    g_test_add_func("/node/shares", test_shares);
    g_test_add_func("/node/shares-errors", test_shares_errors);
    return g_test_run();
}
