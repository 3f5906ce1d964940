#include "lib/base/loop.h"

#include <glib-unix.h>
#include <signal.h>

static GMainLoop *main_loop;
static int caught;

static gboolean on_signal(gpointer data)
{
    caught = GPOINTER_TO_INT(data);
    g_main_loop_quit(main_loop);
    return G_SOURCE_CONTINUE;
}

int loop_run(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (!main_loop)
        main_loop = g_main_loop_new(NULL, FALSE);
    caught = 0;
    guint on_int = g_unix_signal_add(SIGINT, on_signal, GINT_TO_POINTER(SIGINT));
    guint on_term = g_unix_signal_add(SIGTERM, on_signal, GINT_TO_POINTER(SIGTERM));
    g_main_loop_run(main_loop);
    g_source_remove(on_int);
    g_source_remove(on_term);
    return caught;
}

static gboolean quit_in_loop(gpointer data)
{
    (void)data;
    g_main_loop_quit(main_loop);
    return G_SOURCE_REMOVE;
}

void loop_quit(void)
{
    g_idle_add(quit_in_loop, NULL); /* runs once loop_run() does, also when called before it */
}
