#include "agent/pod-status.h"
#include "lib/base/time.h"
#include "tests/unit/agent/fixture.h"

#define NOW (1000 * TIME_NS_PER_S)

static Run running = {.id = (char *)"r1",
                      .state = RUN_RUNNING,
                      .started_ns = 900 * TIME_NS_PER_S,
                      .restarts = 1,
                      .reason = (char *)"",
                      .message = (char *)"",
                      .image = (char *)"i",
                      .image_ref = (char *)"ref"};
static Run completed = {.id = (char *)"r2",
                        .state = RUN_EXITED,
                        .started_ns = 800 * TIME_NS_PER_S,
                        .finished_ns = 850 * TIME_NS_PER_S,
                        .reason = (char *)"Completed",
                        .message = (char *)"",
                        .image = (char *)"i",
                        .image_ref = (char *)"ref"};
static Run crashed = {.id = (char *)"r3",
                      .state = RUN_EXITED,
                      .exit_code = 3,
                      .finished_ns = 850 * TIME_NS_PER_S,
                      .reason = (char *)"",
                      .message = (char *)"oops",
                      .image = (char *)"i",
                      .image_ref = (char *)"ref"};
static Run created = {.id = (char *)"r4",
                      .state = RUN_CREATED,
                      .reason = (char *)"",
                      .message = (char *)"",
                      .image = (char *)"i",
                      .image_ref = (char *)"ref"};
static Run lost = {.id = (char *)"r5",
                   .state = RUN_UNKNOWN,
                   .reason = (char *)"",
                   .message = (char *)"",
                   .image = (char *)"i",
                   .image_ref = (char *)"ref"};

/* "waiting:Reason", "running", "terminated:Reason:code". */
static char *show_state(const Core__V1__ContainerState *state)
{
    if (state->waiting)
        return g_strdup_printf("waiting:%s", state->waiting->reason);
    if (state->running)
        return g_strdup("running");
    if (state->terminated)
        return g_strdup_printf("terminated:%s:%d", state->terminated->reason, state->terminated->exitcode);
    return g_strdup("none");
}

static const Core__V1__PodCondition *condition(const Core__V1__PodStatus *status, const char *type)
{
    for (gsize i = 0; i < status->n_conditions; i++) {
        if (g_str_equal(status->conditions[i]->type, type))
            return status->conditions[i];
    }
    return NULL;
}

static Core__V1__PodStatus *compute(const Core__V1__Pod *pod, const StatusSlot *slots, gsize n, gboolean terminal,
                                    const char *failed)
{
    static const char *const ips[] = {"10.0.0.5", "fd00::5", NULL};
    StatusInput input = {
        .pod = pod,
        .slots = slots,
        .n_slots = n,
        .sandbox_ready = TRUE,
        .pod_ips = ips,
        .host_ip = "192.0.2.1",
        .runtime_name = "containerd",
        .terminal = terminal,
        .failed_reason = failed,
        .failed_message = failed ? "because" : NULL,
        .start_ns = 700 * TIME_NS_PER_S,
        .now_ns = NOW,
    };
    return pod_status_compute(&input);
}

static void test_one_container(void)
{
    static const struct {
        const Run *current, *previous;
        gboolean restarting;
        const char *reason;
        gboolean terminal;
        const char *phase, *state, *last, *ready;
    } rows[] = {
        {NULL, NULL, FALSE, NULL, FALSE, "Pending", "waiting:ContainerCreating", "none", "False"},
        {NULL, NULL, FALSE, "ImagePullBackOff", FALSE, "Pending", "waiting:ImagePullBackOff", "none", "False"},
        {&created, NULL, FALSE, NULL, FALSE, "Pending", "waiting:ContainerCreating", "none", "False"},
        {&running, NULL, FALSE, NULL, FALSE, "Running", "running", "none", "True"},
        {&running, &crashed, FALSE, NULL, FALSE, "Running", "running", "terminated:Error:3", "True"},
        {&crashed, NULL, TRUE, "CrashLoopBackOff", FALSE, "Running", "waiting:CrashLoopBackOff", "terminated:Error:3",
         "False"},
        {&completed, NULL, TRUE, "CrashLoopBackOff", FALSE, "Running", "waiting:CrashLoopBackOff",
         "terminated:Completed:0", "False"},
        {&created, &crashed, FALSE, NULL, FALSE, "Running", "waiting:ContainerCreating", "terminated:Error:3", "False"},
        {&completed, NULL, FALSE, NULL, FALSE, "Succeeded", "terminated:Completed:0", "none", "False"},
        {&crashed, NULL, FALSE, NULL, FALSE, "Failed", "terminated:Error:3", "none", "False"},
        {&lost, NULL, FALSE, NULL, FALSE, "Failed", "terminated:ContainerStatusUnknown:137", "none", "False"},
        {NULL, NULL, FALSE, NULL, TRUE, "Failed", "waiting:ContainerCreating", "none", "False"},
        {&completed, NULL, FALSE, NULL, TRUE, "Succeeded", "terminated:Completed:0", "none", "False"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with("", "");
        StatusSlot slot = {
            .spec = pod->spec->containers[0],
            .current = rows[i].current,
            .previous = rows[i].previous,
            .restarting = rows[i].restarting,
            .waiting_reason = rows[i].reason,
        };
        API_AUTO(Core__V1__PodStatus) status = compute(pod, &slot, 1, rows[i].terminal, NULL);
        g_autofree char *state = show_state(status->containerstatuses[0]->state);
        g_autofree char *last = show_state(status->containerstatuses[0]->laststate);
        g_assert_cmpstr(status->phase, ==, rows[i].phase);
        g_assert_cmpstr(state, ==, rows[i].state);
        g_assert_cmpstr(last, ==, rows[i].last);
        g_assert_cmpstr(condition(status, "Ready")->status, ==, rows[i].ready);
        g_assert_cmpstr(condition(status, "ContainersReady")->status, ==, rows[i].ready);
        g_assert_cmpstr(condition(status, "Initialized")->status, ==, "True");
        g_assert_cmpstr(condition(status, "PodScheduled")->status, ==, "True");
    }
}

static void test_fields(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "");
    api_set_scalar(pod->metadata, generation, 4);
    StatusSlot slot = {.spec = pod->spec->containers[0], .current = &running};
    API_AUTO(Core__V1__PodStatus) status = compute(pod, &slot, 1, FALSE, NULL);
    const Core__V1__ContainerStatus *one = status->containerstatuses[0];
    g_assert_cmpstr(one->containerid, ==, "containerd://r1");
    g_assert_cmpstr(one->imageid, ==, "ref");
    g_assert_cmpint(one->restartcount, ==, 1);
    g_assert_true(one->ready && one->started);
    g_assert_cmpint(api_time_ns(one->state->running->startedat), ==, running.started_ns);
    g_assert_cmpstr(status->podip, ==, "10.0.0.5");
    g_assert_cmpuint(status->n_podips, ==, 2);
    g_assert_cmpstr(status->hostip, ==, "192.0.2.1");
    g_assert_cmpstr(status->qosclass, ==, "BestEffort");
    g_assert_cmpint(status->observedgeneration, ==, 4);
    g_assert_cmpint(api_time_ns(status->starttime), ==, 700 * TIME_NS_PER_S);
    g_assert_null(status->reason);
}

static void test_init_containers(void)
{
    static const struct {
        const Run *init1, *init2, *main;
        gboolean restarting;
        const char *phase, *states, *initialized;
    } rows[] = {
        {NULL, NULL, NULL, FALSE, "Pending", "waiting:PodInitializing waiting:PodInitializing waiting:PodInitializing",
         "False"},
        {&running, NULL, NULL, FALSE, "Pending", "running waiting:PodInitializing waiting:PodInitializing", "False"},
        {&completed, &crashed, NULL, TRUE, "Pending",
         "terminated:Completed:0 waiting:PodInitializing waiting:PodInitializing", "False"},
        {&completed, &crashed, NULL, FALSE, "Failed",
         "terminated:Completed:0 terminated:Error:3 waiting:PodInitializing", "False"},
        {&completed, &completed, NULL, FALSE, "Pending",
         "terminated:Completed:0 terminated:Completed:0 waiting:ContainerCreating", "True"},
        {&completed, &completed, &running, FALSE, "Running", "terminated:Completed:0 terminated:Completed:0 running",
         "True"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod)
        pod = pod_with("", "  initContainers: [{name: i1, image: x}, {name: i2, image: x}]\n");
        StatusSlot slots[] = {
            {.spec = pod->spec->initcontainers[0], .init = TRUE, .current = rows[i].init1},
            {.spec = pod->spec->initcontainers[1],
             .init = TRUE,
             .current = rows[i].init2,
             .restarting = rows[i].restarting},
            {.spec = pod->spec->containers[0], .current = rows[i].main},
        };
        API_AUTO(Core__V1__PodStatus) status = compute(pod, slots, 3, FALSE, NULL);
        g_autofree char *one = show_state(status->initcontainerstatuses[0]->state);
        g_autofree char *two = show_state(status->initcontainerstatuses[1]->state);
        g_autofree char *main = show_state(status->containerstatuses[0]->state);
        g_autofree char *states = g_strjoin(" ", one, two, main, NULL);
        g_assert_cmpstr(status->phase, ==, rows[i].phase);
        g_assert_cmpstr(states, ==, rows[i].states);
        g_assert_cmpstr(condition(status, "Initialized")->status, ==, rows[i].initialized);
    }
}

/* An init container that the runtime has forgotten, of which it is known that it succeeded. */
static void test_forgotten_init(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "  initContainers: [{name: i1, image: x}]\n");
    StatusSlot slots[] = {
        {.spec = pod->spec->initcontainers[0], .init = TRUE, .done = TRUE},
        {.spec = pod->spec->containers[0], .current = &running},
    };
    API_AUTO(Core__V1__PodStatus) status = compute(pod, slots, 2, FALSE, NULL);
    g_autofree char *state = show_state(status->initcontainerstatuses[0]->state);
    g_assert_cmpstr(state, ==, "terminated:Completed:0");
    g_assert_cmpstr(status->phase, ==, "Running");
}

static void test_failed_by_agent(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "");
    StatusSlot slot = {.spec = pod->spec->containers[0], .current = &completed};
    API_AUTO(Core__V1__PodStatus) status = compute(pod, &slot, 1, TRUE, "DeadlineExceeded");
    g_assert_cmpstr(status->phase, ==, "Failed");
    g_assert_cmpstr(status->reason, ==, "DeadlineExceeded");
    g_assert_cmpstr(status->message, ==, "because");
    g_assert_cmpstr(condition(status, "Ready")->reason, ==, "PodFailed");
}

/* Conditions of others stay, times of conditions that did not change stay, a final phase is never left. */
static void test_continuity(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "  readinessGates: [{conditionType: example.com/lb}]\n");
    StatusSlot slot = {.spec = pod->spec->containers[0], .current = &running};
    pod->status = (Core__V1__PodStatus *)from_yaml(
        &core__v1__pod_status__descriptor,
        "phase: Running\n"
        "startTime: '1970-01-01T00:01:00Z'\n"
        "conditions:\n"
        "- {type: ContainersReady, status: 'True', lastTransitionTime: '1970-01-01T00:02:00Z'}\n"
        "- {type: Ready, status: 'True', lastTransitionTime: '1970-01-01T00:02:00Z'}\n"
        "- {type: example.com/lb, status: 'False', lastTransitionTime: '1970-01-01T00:03:00Z'}\n");
    API_AUTO(Core__V1__PodStatus) status = compute(pod, &slot, 1, FALSE, NULL);
    g_assert_cmpint(api_time_ns(status->starttime), ==, 60 * TIME_NS_PER_S);
    g_assert_cmpint(api_time_ns(condition(status, "ContainersReady")->lasttransitiontime), ==, 120 * TIME_NS_PER_S);
    g_assert_cmpstr(condition(status, "Ready")->status, ==, "False");
    g_assert_cmpstr(condition(status, "Ready")->reason, ==, "ReadinessGatesNotReady");
    g_assert_cmpint(api_time_ns(condition(status, "Ready")->lasttransitiontime), ==, NOW);
    g_assert_cmpint(api_time_ns(condition(status, "example.com/lb")->lasttransitiontime), ==, 180 * TIME_NS_PER_S);

    api_set_string(&pod->status->phase, "Failed");
    api_set_string(&pod->status->reason, "Evicted");
    API_AUTO(Core__V1__PodStatus) final = compute(pod, &slot, 1, FALSE, NULL);
    g_assert_cmpstr(final->phase, ==, "Failed");
    g_assert_cmpstr(final->reason, ==, "Evicted");
}

static void test_stable(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "");
    StatusSlot slot = {.spec = pod->spec->containers[0], .current = &running};
    API_AUTO(Core__V1__PodStatus) first = compute(pod, &slot, 1, FALSE, NULL);
    pod->status = API_CLONE(first);
    API_AUTO(Core__V1__PodStatus) second = compute(pod, &slot, 1, FALSE, NULL);
    g_assert_true(API_EQUAL(first, second));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/pod-status/one-container", test_one_container);
    g_test_add_func("/agent/pod-status/fields", test_fields);
    g_test_add_func("/agent/pod-status/init-containers", test_init_containers);
    g_test_add_func("/agent/pod-status/forgotten-init", test_forgotten_init);
    g_test_add_func("/agent/pod-status/failed-by-agent", test_failed_by_agent);
    g_test_add_func("/agent/pod-status/continuity", test_continuity);
    g_test_add_func("/agent/pod-status/stable", test_stable);
    return g_test_run();
}
