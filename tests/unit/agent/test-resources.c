#include "agent/resources.h"
#include "tests/unit/agent/fixture.h"

#define GIB (G_GINT64_CONSTANT(1) << 30)

static void test_qos(void)
{
    static const struct {
        const char *lines;
        QosClass qos;
    } rows[] = {
        {"", QOS_BEST_EFFORT},
        {"    resources: {requests: {cpu: 100m}}\n", QOS_BURSTABLE},
        {"    resources: {limits: {memory: 1Gi}, requests: {memory: 1Gi}}\n", QOS_BURSTABLE},
        {"    resources: {limits: {cpu: 1, memory: 1Gi}}\n", QOS_GUARANTEED},
        {"    resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1024Mi}}\n", QOS_GUARANTEED},
        {"    resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m, memory: 1Gi}}\n", QOS_BURSTABLE},
        {"    resources: {limits: {cpu: 0, memory: 0}}\n", QOS_BEST_EFFORT},
        {"    resources: {requests: {example.com/x: 1}}\n", QOS_BEST_EFFORT},
        {"    resources: {limits: {cpu: 1, memory: 1Gi}}\n  - name: second\n", QOS_BURSTABLE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with(rows[i].lines, "");
        g_assert_cmpstr(qos_name(qos_of(pod->spec)), ==, qos_name(rows[i].qos));
    }
}

static void test_init_counts(void)
{
    API_AUTO(Core__V1__Pod)
    pod =
        pod_with("    resources: {limits: {cpu: 1, memory: 1Gi}}\n", "  initContainers:\n  - name: i\n    image: x\n");
    g_assert_cmpint(qos_of(pod->spec), ==, QOS_BURSTABLE);
}

static void test_numbers(void)
{
    g_assert_cmpint(resources_shares(0), ==, 2);
    g_assert_cmpint(resources_shares(1), ==, 2);
    g_assert_cmpint(resources_shares(100), ==, 102);
    g_assert_cmpint(resources_shares(1000), ==, 1024);
    g_assert_cmpint(resources_shares(10000000), ==, 262144);
    g_assert_cmpint(resources_quota(0), ==, 0);
    g_assert_cmpint(resources_quota(1), ==, 1000);
    g_assert_cmpint(resources_quota(1500), ==, 150000);
    g_assert_cmpuint(resources_weight(2), ==, 1);
    g_assert_cmpuint(resources_weight(1024), ==, 39);
    g_assert_cmpuint(resources_weight(262144), ==, 10000);
}

static void test_container(void)
{
    API_AUTO(Core__V1__Pod)
    pod = pod_with("    resources: {limits: {cpu: 500m, memory: 64Mi}, requests: {cpu: 250m}}\n", "");
    API_AUTO(Runtime__V1__LinuxContainerResources)
    got = resources_for_container(QOS_BURSTABLE, pod->spec->containers[0], GIB);
    g_assert_cmpint(got->cpu_shares, ==, 256);
    g_assert_cmpint(got->cpu_quota, ==, 50000);
    g_assert_cmpint(got->cpu_period, ==, 100000);
    g_assert_cmpint(got->memory_limit_in_bytes, ==, 64 * 1024 * 1024);
    g_assert_cmpint(got->oom_score_adj, ==,
                    938); /* a limit stands for the request that is not there: 1/16 of the node */
    g_assert_cmpint(resources_oom_score(QOS_GUARANTEED, pod->spec->containers[0], GIB), ==, -997);
    g_assert_cmpint(resources_oom_score(QOS_BEST_EFFORT, pod->spec->containers[0], GIB), ==, 1000);
    g_assert_cmpint(resources_oom_score(QOS_BURSTABLE, pod->spec->containers[0], 1024), ==, 3);
    API_AUTO(Core__V1__Pod) none = pod_with("", "");
    API_AUTO(Runtime__V1__LinuxContainerResources)
    free = resources_for_container(QOS_BEST_EFFORT, none->spec->containers[0], GIB);
    g_assert_cmpint(free->cpu_shares, ==, 2);
    g_assert_cmpint(free->cpu_quota, ==, 0);
    g_assert_cmpint(free->cpu_period, ==, 0);
    g_assert_cmpint(free->memory_limit_in_bytes, ==, 0);
}

static void test_pod(void)
{
    API_AUTO(Core__V1__Pod)
    pod = pod_with("    resources: {limits: {cpu: 1, memory: 1Gi}}\n"
                   "  - name: b\n"
                   "    resources: {limits: {cpu: 500m, memory: 1Gi}}\n",
                   "  initContainers:\n"
                   "  - name: i\n"
                   "    resources: {limits: {cpu: 100m, memory: 4Gi}}\n");
    PodLimits limits;
    resources_for_pod(pod->spec, &limits);
    g_assert_cmpint(limits.shares, ==, 1536);
    g_assert_cmpint(limits.quota_us, ==, 150000);
    g_assert_cmpint(limits.memory, ==, 4 * GIB);
    API_AUTO(Core__V1__Pod) open = pod_with("    resources: {limits: {cpu: 1}}\n  - name: b\n", "");
    resources_for_pod(open->spec, &limits);
    g_assert_cmpint(limits.shares, ==, 1024);
    g_assert_cmpint(limits.quota_us, ==, 0); /* one container has none */
    g_assert_cmpint(limits.memory, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/resources/qos", test_qos);
    g_test_add_func("/agent/resources/init-counts", test_init_counts);
    g_test_add_func("/agent/resources/numbers", test_numbers);
    g_test_add_func("/agent/resources/container", test_container);
    g_test_add_func("/agent/resources/pod", test_pod);
    return g_test_run();
}
