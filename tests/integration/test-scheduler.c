/* The real scheduler process on a real server: pods get nodes, and those that fit nowhere learn why and wait for what helps. */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cleat/core/v1/core.pb-c.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *channel;
static GPid scheduler;

static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void start_scheduler(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *dir = g_path_get_dirname(self);
    g_autofree char *program = g_build_filename(dir, "cleat-scheduler", NULL);
    const char *argv[] = {program, "--config", harness_config(harness, "scheduler"), "--no-leader-election", NULL};
    g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &scheduler, &error);
    g_assert_no_error(error);
}

static void stop_scheduler(int signal)
{
    kill(scheduler, signal);
    g_assert_cmpint(waitpid(scheduler, NULL, 0), ==, scheduler);
}

static void add_node(const char *name, const char *labels, const char *cpu)
{
    g_autoptr(GError) error = NULL;
    API_FREE(kit_must_create(channel, "{apiVersion: v1, kind: Node, metadata: {name: '%s', labels: {%s}}}", name, labels));
    API_AUTO(ProtobufCMessage)
    node = kit_object("{apiVersion: v1, kind: Node, metadata: {name: '%s'}, status: {allocatable: {cpu: '%s', memory: 8Gi, pods: '110'}}}",
                      name, cpu);
    API_FREE(kit_update_status(channel, node, &error));
    g_assert_no_error(error);
}

static void add_pod(const char *ns, const char *name, const char *selector, const char *cpu)
{
    API_FREE(kit_must_create(channel,
                             "{apiVersion: v1, kind: Pod, metadata: {name: '%s', namespace: %s}, spec: {nodeSelector: {%s}, containers: "
                             "[{name: c, image: i, resources: {requests: {cpu: '%s'}}}]}}",
                             name, ns, selector, cpu));
}

/* Reads the watch until the pod has a node; returns that. New string. */
static char *await_node(KitWatch *watch, const char *name)
{
    for (;;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        const Core__V1__Pod *pod = (const Core__V1__Pod *)event->object;
        if (g_str_equal(api_object_name(event->object), name) && *api_str(pod->spec->nodename))
            return g_strdup(pod->spec->nodename);
    }
}

/* Reads the watch until the pod is said to be unschedulable for a reason that contains the text. */
static void await_unschedulable(KitWatch *watch, const char *name, const char *text)
{
    for (;;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        const Core__V1__Pod *pod = (const Core__V1__Pod *)event->object;
        if (!g_str_equal(api_object_name(event->object), name) || !pod->status)
            continue;
        for (gsize i = 0; i < pod->status->n_conditions; i++) {
            const Core__V1__PodCondition *condition = pod->status->conditions[i];
            if (api_str_equal(condition->type, "PodScheduled") && api_str_equal(condition->reason, "Unschedulable") &&
                strstr(api_str(condition->message), text))
                return;
        }
    }
}

static void test_places(void)
{
    g_autofree char *ns = kit_namespace(channel);
    g_autoptr(KitWatch) watch = kit_watch(channel, API_POD, ns, NULL);
    add_node("n1", "disk: ssd", "4");
    add_node("n2", "disk: hdd", "4");
    add_pod(ns, "picky", "disk: ssd", "1");
    g_autofree char *picky = await_node(watch, "picky");
    g_assert_cmpstr(picky, ==, "n1");
    add_pod(ns, "easy", "", "1");
    g_autofree char *easy = await_node(watch, "easy");
    g_assert_cmpstr(easy, ==, "n2"); /* the emptier one */
}

/* Waits for room, and for a node; a pod that has none does not keep others from theirs. */
static void test_waits(void)
{
    g_autofree char *ns = kit_namespace(channel);
    g_autoptr(GError) error = NULL;
    g_autoptr(KitWatch) watch = kit_watch(channel, API_POD, ns, NULL);
    add_pod(ns, "filler", "disk: ssd", "3");
    g_autofree char *filler = await_node(watch, "filler");
    add_pod(ns, "room", "disk: ssd", "3");
    await_unschedulable(watch, "room", "1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector");
    add_pod(ns, "node", "disk: tape", "1");
    await_unschedulable(watch, "node", "2 node(s) didn't match");
    Meta__V1__DeleteOptions now = META__V1__DELETE_OPTIONS__INIT;
    api_set_scalar(&now, graceperiodseconds, 0);
    API_FREE(kit_delete(channel, API_POD, ns, "filler", &now, &error));
    g_assert_no_error(error);
    g_autofree char *room = await_node(watch, "room");
    g_assert_cmpstr(room, ==, "n1");
    add_node("n3", "disk: tape", "4");
    g_autofree char *node = await_node(watch, "node");
    g_assert_cmpstr(node, ==, "n3");
}

/* kill -9: what was placed counts for the next one. */
static void test_killed(void)
{
    g_autofree char *ns = kit_namespace(channel);
    g_autoptr(KitWatch) watch = kit_watch(channel, API_POD, ns, NULL);
    stop_scheduler(SIGKILL);
    add_pod(ns, "late", "disk: ssd", "1"); /* n1 has 4 cpus, and pods of 1 and 3 */
    start_scheduler();
    await_unschedulable(watch, "late", "1 Insufficient cpu");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    harness = harness_new(NULL);
    channel = harness_channel(harness, 0, "admin");
    start_scheduler();
    g_test_add_func("/integration/scheduler/places", test_places);
    g_test_add_func("/integration/scheduler/waits", test_waits);
    g_test_add_func("/integration/scheduler/killed", test_killed);
    int result = g_test_run();
    stop_scheduler(SIGTERM);
    rpc_channel_unref(channel);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
