/* scheduler/queue: order, back-off, and being woken. */
#include <string.h>

#include "scheduler/queue.h"

#define S G_USEC_PER_SEC

static SchedPod *pod_new(const char *key, gint32 priority, gint64 created)
{
    SchedPod *pod = g_new0(SchedPod, 1);
    pod->key = g_strdup(key);
    pod->priority = priority;
    pod->created_ns = created;
    return pod;
}

/* Pops all that is active: "a,b,". New string. */
static char *pop_all(SchedQueue *queue)
{
    GString *order = g_string_new(NULL);
    SchedPod *pod;
    while ((pod = sched_queue_pop(queue))) {
        g_string_append_printf(order, "%s,", pod->key);
        sched_pod_free(pod);
    }
    return g_string_free(order, FALSE);
}

static void test_order(void)
{
    g_autoptr(SchedQueue) queue = sched_queue_new();
    sched_queue_add(queue, pod_new("young", 0, 3));
    sched_queue_add(queue, pod_new("old", 0, 1));
    sched_queue_add(queue, pod_new("vip", 1000, 9));
    sched_queue_add(queue, pod_new("minor", -1, 0));
    sched_queue_add(queue, pod_new("gone", 5, 0));
    sched_queue_add(queue, pod_new("young", 0, 2)); /* replaces */
    sched_queue_remove(queue, "gone");
    sched_queue_remove(queue, "never there");
    g_assert_cmpuint(sched_queue_size(queue), ==, 4);
    g_autofree char *order = pop_all(queue);
    g_assert_cmpstr(order, ==, "vip,old,young,minor,");
    g_assert_cmpuint(sched_queue_size(queue), ==, 0);
}

static void test_backoff(void)
{
    static const gint64 delays[] = {1 * S, 2 * S, 4 * S, 8 * S, 10 * S, 10 * S};
    g_autoptr(SchedQueue) queue = sched_queue_new();
    gint64 now = 0;
    sched_queue_add(queue, pod_new("a", 0, 0));
    for (guint i = 0; i < G_N_ELEMENTS(delays); i++) {
        SchedPod *pod = sched_queue_pop(queue);
        g_assert_nonnull(pod);
        sched_queue_retry(queue, pod, now);
        g_assert_cmpint(sched_queue_flush(queue, now + delays[i] - 1), ==, now + delays[i]);
        g_assert_null(sched_queue_pop(queue));
        now += delays[i];
        g_assert_cmpint(sched_queue_flush(queue, now), ==, -1);
    }
}

static void test_wake(void)
{
    g_autoptr(SchedQueue) queue = sched_queue_new();
    sched_queue_wait(queue, pod_new("room", 0, 1), SCHED_EVENT_ROOM, 0);
    sched_queue_wait(queue, pod_new("both", 0, 2), SCHED_EVENT_ROOM | SCHED_EVENT_NODE, 0);
    sched_queue_wait(queue, pod_new("node", 0, 3), SCHED_EVENT_NODE, 0);
    g_assert_null(sched_queue_pop(queue));
    sched_queue_wake(queue, SCHED_EVENT_ROOM, 2 * S); /* more than a second after the attempt: at once */
    g_autofree char *first = pop_all(queue);
    g_assert_cmpstr(first, ==, "room,both,");
    sched_queue_wake(queue, SCHED_EVENT_NODE, S / 2); /* too soon: it waits for its second to be over */
    g_assert_null(sched_queue_pop(queue));
    g_assert_cmpint(sched_queue_flush(queue, S / 2), ==, S);
    sched_queue_flush(queue, S);
    g_autofree char *second = pop_all(queue);
    g_assert_cmpstr(second, ==, "node,");
}

static void test_wait_ends(void)
{
    g_autoptr(SchedQueue) queue = sched_queue_new();
    sched_queue_wait(queue, pod_new("a", 0, 0), SCHED_EVENT_NODE, 0);
    g_assert_cmpint(sched_queue_flush(queue, 299 * S), ==, 300 * S);
    sched_queue_flush(queue, 300 * S);
    g_autofree char *order = pop_all(queue);
    g_assert_cmpstr(order, ==, "a,");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scheduler/queue/order", test_order);
    g_test_add_func("/scheduler/queue/backoff", test_backoff);
    g_test_add_func("/scheduler/queue/wake", test_wake);
    g_test_add_func("/scheduler/queue/wait-ends", test_wait_ends);
    return g_test_run();
}
