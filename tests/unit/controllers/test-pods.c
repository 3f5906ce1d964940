/* controllers/pods.c and template.c. */
#include "controllers/pods.h"
#include "controllers/template.h"
#include "tests/unit/controllers/fixture.h"

static void test_states(void)
{
    static const struct {
        const char *words;
        gboolean ready, available, finished, active;
        gint64 when_s; /* available from then on */
    } rows[] = {
        {"a Running ready@10", TRUE, TRUE, FALSE, TRUE, 0},
        {"a Running ready@9", TRUE, FALSE, FALSE, TRUE, NOW_S + 1},
        {"a Running", FALSE, FALSE, FALSE, TRUE, 0},
        {"a Pending", FALSE, FALSE, FALSE, TRUE, 0},
        {"a", FALSE, FALSE, FALSE, TRUE, 0},
        {"a Succeeded", FALSE, FALSE, TRUE, FALSE, 0},
        {"a Failed", FALSE, FALSE, TRUE, FALSE, 0},
        {"a Running ready@10 deleting", TRUE, TRUE, FALSE, FALSE, 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Pod) pod = fixture_pod(rows[i].words);
        gint64 when;
        g_assert_cmpint(pod_is_ready(pod), ==, rows[i].ready);
        g_assert_cmpint(pod_is_available(pod, 10, NOW_NS, &when), ==, rows[i].available);
        g_assert_cmpint(when, ==, rows[i].when_s * TIME_NS_PER_S);
        g_assert_cmpint(pod_is_finished(pod), ==, rows[i].finished);
        g_assert_cmpint(pod_is_active(pod), ==, rows[i].active);
    }
}

/* In each row the first pod must go before the second. */
static void test_deletion_order(void)
{
    static const char *const rows[] = {
        "b Running ready; a Running ready node=n",                /* unassigned */
        "b Pending node=n; a Running node=n",                     /* pending */
        "b Unknown node=n; a Running node=n",                     /* unknown */
        "b Running node=n; a Running node=n ready",               /* not ready */
        "b Running node=n ready cost=-1; a Running node=n ready", /* cheap */
        "b Running node=n ready@5; a Running node=n ready@9",     /* ready for a short time */
        "b Running node=n ready restarts=2; a Running node=n ready restarts=1",
        "b Running node=n ready age=1; a Running node=n ready age=2",
        "a Running node=n; b Running node=n", /* nothing else: by name */
        "b Running node=n ready age=9; a Running node=m ready; c Running node=n ready age=10", /* crowded node */
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) pods = fixture_pods(rows[i]);
        const Pod *first = pods->pdata[0];
        g_autofree const Pod **sorted = g_new(const Pod *, pods->len);
        for (guint j = 0; j < pods->len; j++)
            sorted[j] = pods->pdata[pods->len - 1 - j];
        pods_sort_for_deletion(sorted, pods->len);
        g_assert_cmpstr(sorted[0]->metadata->name, ==, first->metadata->name);
    }
}

static void test_from_template(void)
{
    API_AUTO(Apps__V1__ReplicaSet)
    rs =
        fixture_decode(&apps__v1__replica_set__descriptor,
                       "{metadata: {name: web, namespace: shop, uid: u1}, spec: {template: {metadata: {labels: {a: b}, "
                       "annotations: {c: d}, name: ignored}, spec: {restartPolicy: Always}}}}");
    API_AUTO(Pod) pod = pod_from_template(rs->spec->template_, API_REPLICA_SET, rs);
    g_autofree char *json = api_encode(&pod->base, API_FORMAT_JSON);
    g_assert_cmpstr(
        json, ==,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"annotations\":{\"c\":\"d\"},\"generateName\":\"web-\","
        "\"labels\":{\"a\":\"b\"},\"namespace\":\"shop\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
        "\"blockOwnerDeletion\":true,\"controller\":true,\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"u1\"}]},"
        "\"spec\":{\"restartPolicy\":\"Always\"}}");
}

static Core__V1__PodTemplateSpec *template_of(const char *yaml)
{
    return fixture_decode(&core__v1__pod_template_spec__descriptor, yaml);
}

static void test_templates(void)
{
    static const struct {
        const char *a, *b;
        gboolean equal;
    } rows[] = {
        {"{metadata: {labels: {a: x, b: z}}}", "{metadata: {labels: {b: z, a: x}}}", TRUE},
        {"{metadata: {labels: {a: x}}}", "{metadata: {labels: {a: x, pod-template-hash: '7'}}}", TRUE},
        {"{metadata: {labels: {a: x}}}", "{metadata: {labels: {a: z}}}", FALSE},
        {"{spec: {containers: [{name: a}, {name: b}]}}", "{spec: {containers: [{name: b}, {name: a}]}}", FALSE},
        {"{spec: {nodeSelector: {a: x, b: z}}}", "{spec: {nodeSelector: {b: z, a: x}}}", TRUE},
        {"{spec: {containers: [{name: a, resources: {limits: {cpu: '1', memory: '2'}}}]}}",
         "{spec: {containers: [{name: a, resources: {limits: {memory: '2', cpu: '1'}}}]}}", TRUE},
        {"{spec: {containers: [{name: a, image: i:1}]}}", "{spec: {containers: [{name: a, image: i:2}]}}", FALSE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__PodTemplateSpec) a = template_of(rows[i].a);
        API_AUTO(Core__V1__PodTemplateSpec) b = template_of(rows[i].b);
        g_autofree char *hash_a = template_hash(a, 0), *hash_b = template_hash(b, 0), *again = template_hash(a, 1);
        g_assert_cmpint(template_equal(a, b), ==, rows[i].equal);
        g_assert_cmpint(g_str_equal(hash_a, hash_b), ==, rows[i].equal);
        g_assert_cmpstr(hash_a, !=, again);
        g_assert_cmpuint(strlen(hash_a), <=, 10);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pods/states", test_states);
    g_test_add_func("/pods/deletion-order", test_deletion_order);
    g_test_add_func("/pods/from-template", test_from_template);
    g_test_add_func("/template/equal-and-hash", test_templates);
    return g_test_run();
}
