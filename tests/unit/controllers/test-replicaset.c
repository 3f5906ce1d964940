/* controllers/replicaset.c, claim.c and plan.c: what is planned for a ReplicaSet. */
#include "controllers/replicaset.h"
#include "tests/unit/controllers/fixture.h"

#define RS(fields, spec)                                                                                               \
    "{metadata: {name: web, namespace: default, uid: rs1, generation: 3" fields                                        \
    "}, spec: {selector: {matchLabels: {app: web}}, "                                                                  \
    "template: {metadata: {labels: {app: web}}}, " spec "}}"

static ReplicaSet *decode(const char *yaml)
{
    return fixture_decode(&apps__v1__replica_set__descriptor, yaml);
}

static Plan *plan_for(const ReplicaSet *rs, GPtrArray *pods, const char *failure)
{
    Plan *plan = plan_new(NOW_NS);
    replicaset_plan(plan, rs, (const ProtobufCMessage *const *)pods->pdata, pods->len, failure);
    return plan;
}

#define OWN " owner=rs1 app:web"

static void test_pods(void)
{
    static const struct {
        const char *rs, *pods, *plan;
    } rows[] = {
        /* creating, in growing batches */
        {RS("", "replicas: 1"), "", "0 status ReplicaSet web; 0 create Pod web-"},
        {RS("", "replicas: 4"), "a Running" OWN,
         "0 status ReplicaSet web; 0 create Pod web-; 1 create Pod web-; 1 create Pod web-"},
        {RS("", "replicas: 0"), "", "0 status ReplicaSet web"},
        {RS("", "replicas: 1"), "a Running" OWN, "0 status ReplicaSet web"},
        /* ended and ending pods do not count */
        {RS("", "replicas: 1"), "a Failed" OWN, "0 status ReplicaSet web; 0 create Pod web-"},
        {RS("", "replicas: 1"), "a Running deleting" OWN, "0 status ReplicaSet web; 0 create Pod web-"},
        /* deleting: the least useful first */
        {RS("", "replicas: 1"), "a Running ready" OWN "; b Running" OWN "; c Pending" OWN,
         "0 status ReplicaSet web; 0 delete Pod c; 0 delete Pod b"},
        /* foreign pods are left alone */
        {RS("", "replicas: 0"), "a Running owner=other app:web; b Running app:db", "0 status ReplicaSet web"},
        /* adoption and release, and nothing else in that plan */
        {RS("", "replicas: 2"), "a Running app:web", "0 update Pod a"},
        {RS("", "replicas: 2"), "a Running owner=rs1 app:db", "0 update Pod a"},
        {RS("", "replicas: 2"), "a Running deleting app:web",
         "0 status ReplicaSet web; 0 create Pod web-; 1 create Pod web-"},
        /* one that is being deleted does nothing but say how it is */
        {RS(", deletionTimestamp: '2026-01-01T00:00:00Z'", "replicas: 2"), "a Running app:web",
         "0 status ReplicaSet web"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(ReplicaSet) rs = decode(rows[i].rs);
        g_autoptr(GPtrArray) pods = fixture_pods(rows[i].pods);
        g_autoptr(Plan) plan = plan_for(rs, pods, NULL);
        fixture_assert_plan(plan, rows[i].plan);
    }
}

static void test_adoption(void)
{
    API_AUTO(ReplicaSet) rs = decode(RS("", "replicas: 2"));
    g_autoptr(GPtrArray) pods = fixture_pods("a Running app:web; b Running owner=rs1 app:db");
    g_autoptr(Plan) plan = plan_for(rs, pods, NULL);
    fixture_assert_plan(plan, "0 update Pod a; 0 update Pod b");
    const Pod *adopted = (gpointer)((PlanStep *)plan->steps->pdata[0])->object;
    const Pod *released = (gpointer)((PlanStep *)plan->steps->pdata[1])->object;
    g_assert_cmpuint(adopted->metadata->n_ownerreferences, ==, 1);
    g_assert_cmpstr(adopted->metadata->ownerreferences[0]->uid, ==, "rs1");
    g_assert_cmpstr(adopted->metadata->ownerreferences[0]->kind, ==, "ReplicaSet");
    g_assert_true(adopted->metadata->ownerreferences[0]->controller);
    g_assert_cmpuint(released->metadata->n_ownerreferences, ==, 0);
}

static void test_status(void)
{
    API_AUTO(ReplicaSet) rs = decode(RS("", "replicas: 5, minReadySeconds: 10"));
    g_autoptr(GPtrArray) pods =
        fixture_pods("a Running ready@20" OWN "; b Running ready@4" OWN "; c Running ready@6" OWN "; d Pending" OWN
                     "; e Running" OWN "; f Running ready@50 deleting" OWN);
    g_autoptr(Plan) plan = plan_for(rs, pods, "quota is used up");
    fixture_assert_plan(plan, "0 status ReplicaSet web");
    const Apps__V1__ReplicaSetStatus *status =
        ((const ReplicaSet *)fixture_written(plan, PLAN_UPDATE_STATUS, API_REPLICA_SET))->status;
    g_assert_cmpint(status->replicas, ==, 5);
    g_assert_cmpint(status->fullylabeledreplicas, ==, 5);
    g_assert_cmpint(status->readyreplicas, ==, 3);
    g_assert_cmpint(status->availablereplicas, ==, 1);
    g_assert_cmpint(status->terminatingreplicas, ==, 1);
    g_assert_cmpint(status->observedgeneration, ==, 3);
    g_assert_cmpuint(status->n_conditions, ==, 1);
    g_assert_cmpstr(status->conditions[0]->message, ==, "quota is used up");
    g_assert_cmpint(plan->after_ns, ==, 4 * TIME_NS_PER_S); /* then c is available */

    /* With that status there is nothing to do; once the failure is over, its condition goes. */
    API_AUTO(ReplicaSet)
    after = (ReplicaSet *)api_message_clone(fixture_written(plan, PLAN_UPDATE_STATUS, API_REPLICA_SET));
    g_autoptr(Plan) again = plan_for(after, pods, "quota is used up");
    fixture_assert_plan(again, "");
    g_autoptr(Plan) over = plan_for(after, pods, NULL);
    fixture_assert_plan(over, "0 status ReplicaSet web");
}

/* The whole of a plan's size is bounded, and its batches double. */
static void test_slow_start(void)
{
    API_AUTO(ReplicaSet) rs = decode(RS("", "replicas: 2000"));
    g_autoptr(GPtrArray) pods = fixture_pods("");
    g_autoptr(Plan) plan = plan_for(rs, pods, NULL);
    g_assert_cmpuint(plan->steps->len, ==, 501);
    guint in_stage[16] = {0};
    for (guint i = 1; i < plan->steps->len; i++)
        in_stage[((PlanStep *)plan->steps->pdata[i])->stage]++;
    for (guint i = 0; i < 8; i++)
        g_assert_cmpuint(in_stage[i], ==, 1u << i);
    g_assert_cmpuint(in_stage[8], ==, 500 - 255);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/replicaset/pods", test_pods);
    g_test_add_func("/replicaset/adoption", test_adoption);
    g_test_add_func("/replicaset/status", test_status);
    g_test_add_func("/replicaset/slow-start", test_slow_start);
    return g_test_run();
}
