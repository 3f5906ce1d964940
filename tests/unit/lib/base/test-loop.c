#include "lib/base/loop.h"

#include <signal.h>

static gboolean raise_in_loop(gpointer data)
{
    raise(GPOINTER_TO_INT(data));
    return G_SOURCE_REMOVE;
}

static void test_signals(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGTERM};
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_idle_add(raise_in_loop, GINT_TO_POINTER(signals[i]));
        g_assert_cmpint(loop_run(), ==, signals[i]);
    }
}

static gboolean quit_in_loop(gpointer data)
{
    (void)data;
    loop_quit();
    return G_SOURCE_REMOVE;
}

static gpointer quit_in_thread(gpointer data)
{
    loop_quit();
    return data;
}

static void test_quit(void)
{
    loop_quit(); /* before it runs */
    g_assert_cmpint(loop_run(), ==, 0);
    g_idle_add(quit_in_loop, NULL);
    g_assert_cmpint(loop_run(), ==, 0);
    GThread *thread = g_thread_new("quit", quit_in_thread, NULL);
    g_assert_cmpint(loop_run(), ==, 0);
    g_thread_join(thread);
}

/* A peer that closes its socket is an error of a write, not the end of the process. */
static void test_broken_pipe(void)
{
    loop_quit();
    loop_run();
    raise(SIGPIPE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loop/signals", test_signals);
    g_test_add_func("/loop/quit", test_quit);
    g_test_add_func("/loop/broken-pipe", test_broken_pipe);
    return g_test_run();
}
