#include "lib/base/log.h"

static void test_levels(void)
{
    static const struct {
        const char *text;
        gboolean good;
        LogLevel level;
    } rows[] = {
        {"error", TRUE, LOG_LEVEL_ERROR},   {"warning", TRUE, LOG_LEVEL_WARNING}, {"info", TRUE, LOG_LEVEL_INFO},
        {"debug", TRUE, LOG_LEVEL_DEBUG},   {"DEBUG", TRUE, LOG_LEVEL_DEBUG},     {"", FALSE, LOG_LEVEL_INFO},
        {"verbose", FALSE, LOG_LEVEL_INFO}, {"info ", FALSE, LOG_LEVEL_INFO},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        LogLevel level = LOG_LEVEL_INFO;
        g_assert_cmpint(log_level_parse(rows[i].text, &level), ==, rows[i].good);
        g_assert_cmpint(level, ==, rows[i].level);
    }
}

/* One line, with the time, the level and the component before the message; what is too verbose is not written. */
static void test_lines(void)
{
    if (g_test_subprocess()) {
        log_setup("agent", LOG_LEVEL_INFO);
        log_error("pod %s: %d", "d/web", 7);
        log_info("told");
        log_debug("hidden");
        g_warning("from GLib");
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr(
        "20*-*-*T*:*:*.*Z ERROR agent: pod d/web: 7\n*Z INFO agent: told\n*WARNING agent: *from GLib\n");
    g_test_trap_assert_stderr_unmatched("*hidden*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR);
    g_test_add_func("/log/levels", test_levels);
    g_test_add_func("/log/lines", test_lines);
    return g_test_run();
}
