/* client/queue: once per key, never two at a time on a key, back-off per key. */
#include "client/queue.h"

typedef struct {
    ClientQueue *queue;
    GString *order; /* keys as work started, comma separated */
    guint fail;     /* so many works fail first */
    gboolean hold;  /* works are finished by the test, not at once */
    guint active, most_active;
} Fixture;

static void work(ClientQueue *queue, const char *key, gpointer data)
{
    Fixture *fixture = data;
    g_string_append_printf(fixture->order, "%s,", key);
    fixture->active++;
    fixture->most_active = MAX(fixture->most_active, fixture->active);
    if (fixture->hold)
        return;
    fixture->active--;
    gboolean ok = fixture->fail == 0;
    if (!ok)
        fixture->fail--;
    client_queue_done(queue, key, ok);
}

/* Runs the loop until so many bytes of order are there, or 5 s. */
static void run_until(Fixture *fixture, gsize bytes)
{
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
    while (fixture->order->len < bytes && g_get_monotonic_time() < end)
        g_main_context_iteration(NULL, FALSE);
}

static void fixture_init(Fixture *fixture, guint concurrency)
{
    *fixture = (Fixture){.order = g_string_new(NULL)};
    fixture->queue = client_queue_new(NULL, concurrency, work, fixture);
}

static void fixture_done(Fixture *fixture)
{
    client_queue_free(fixture->queue);
    g_string_free(fixture->order, TRUE);
}

static void test_once(void)
{
    Fixture f;
    fixture_init(&f, 1);
    const char *const adds[] = {"a", "b", "a", "c", "b"};
    for (guint i = 0; i < G_N_ELEMENTS(adds); i++)
        client_queue_add(f.queue, adds[i]);
    g_assert_cmpuint(client_queue_length(f.queue), ==, 3);
    g_assert_cmpstr(f.order->str, ==, ""); /* nothing runs inside add */
    run_until(&f, 6);
    g_assert_cmpstr(f.order->str, ==, "a,b,c,");
    g_assert_cmpuint(client_queue_length(f.queue), ==, 0);
    fixture_done(&f);
}

static void test_again_while_working(void)
{
    Fixture f;
    fixture_init(&f, 4);
    f.hold = TRUE;
    client_queue_add(f.queue, "a");
    run_until(&f, 2);
    client_queue_add(f.queue, "a");
    client_queue_add(f.queue, "a");
    client_queue_add(f.queue, "b");
    run_until(&f, 4);
    g_assert_cmpstr(f.order->str, ==, "a,b,"); /* a is not worked on by two */
    client_queue_done(f.queue, "a", TRUE);
    run_until(&f, 6);
    g_assert_cmpstr(f.order->str, ==, "a,b,a,");
    client_queue_done(f.queue, "a", TRUE);
    client_queue_done(f.queue, "b", TRUE);
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    g_assert_cmpuint(client_queue_length(f.queue), ==, 0);
    fixture_done(&f);
}

static void test_concurrency(void)
{
    Fixture f;
    fixture_init(&f, 2);
    f.hold = TRUE;
    for (const char *const *key = (const char *const[]){"a", "b", "c", "d", NULL}; *key; key++)
        client_queue_add(f.queue, *key);
    run_until(&f, 4);
    g_assert_cmpstr(f.order->str, ==, "a,b,");
    g_assert_false(g_main_context_iteration(NULL, FALSE));
    client_queue_done(f.queue, "b", TRUE);
    run_until(&f, 6);
    client_queue_done(f.queue, "a", TRUE);
    client_queue_done(f.queue, "c", TRUE);
    run_until(&f, 8);
    client_queue_done(f.queue, "d", TRUE);
    g_assert_cmpstr(f.order->str, ==, "a,b,c,d,");
    fixture_done(&f);
}

static void test_backoff(void)
{
    Fixture f;
    fixture_init(&f, 1);
    f.fail = 4;
    gint64 begin = g_get_monotonic_time();
    client_queue_add(f.queue, "a");
    run_until(&f, 2);
    g_assert_cmpuint(client_queue_failures(f.queue, "a"), ==, 1);
    run_until(&f, 10);
    g_assert_cmpstr(f.order->str, ==, "a,a,a,a,a,");
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, (5 + 10 + 20 + 40) * 1000);
    g_assert_cmpuint(client_queue_failures(f.queue, "a"), ==, 0); /* forgotten after a success */
    fixture_done(&f);
}

static void test_after(void)
{
    Fixture f;
    fixture_init(&f, 1);
    client_queue_add_after(f.queue, "slow", 60000);
    client_queue_add_after(f.queue, "a", 30);
    client_queue_add_after(f.queue, "a", 60000); /* the earlier time stands */
    client_queue_add(f.queue, "b");
    run_until(&f, 4);
    g_assert_cmpstr(f.order->str, ==, "b,a,");
    client_queue_add_after(f.queue, "slow", 1); /* a nearer time replaces the later one */
    run_until(&f, 9);
    g_assert_cmpstr(f.order->str, ==, "b,a,slow,");
    fixture_done(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/queue/once", test_once);
    g_test_add_func("/client/queue/again-while-working", test_again_while_working);
    g_test_add_func("/client/queue/concurrency", test_concurrency);
    g_test_add_func("/client/queue/backoff", test_backoff);
    g_test_add_func("/client/queue/after", test_after);
    return g_test_run();
}
