#include "lib/base/backoff.h"

/* Each delay lies between its base and ten per cent more. */
static void assert_delays(Backoff *backoff, const guint *bases, guint n)
{
    for (guint i = 0; i < n; i++) {
        guint delay = backoff_next(backoff);
        g_assert_cmpuint(delay, >=, bases[i]);
        g_assert_cmpuint(delay, <=, bases[i] + bases[i] / 10);
        g_assert_cmpuint(backoff->failures, ==, i + 1);
    }
}

static void test_doubling(void)
{
    static const guint bases[] = {100, 200, 400, 800, 1000, 1000, 1000};
    Backoff backoff = {.first_ms = 100, .max_ms = 1000};
    assert_delays(&backoff, bases, G_N_ELEMENTS(bases));
    backoff_reset(&backoff);
    assert_delays(&backoff, bases, 2);
}

static void test_extremes(void)
{
    Backoff one = {.first_ms = 1, .max_ms = 1};
    g_assert_cmpuint(backoff_next(&one), ==, 1);
    Backoff capped = {.first_ms = 5000, .max_ms = 1000};
    g_assert_cmpuint(backoff_next(&capped), <=, 1100);
    Backoff many = {.first_ms = 1, .max_ms = 60000, .failures = 1000000};
    guint delay = backoff_next(&many);
    g_assert_cmpuint(delay, >=, 60000);
    g_assert_cmpuint(delay, <=, 66000);
}

/* Clients that fail together do not come back together. */
static void test_jitter(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    for (int i = 0; i < 100; i++) {
        Backoff backoff = {.first_ms = 10000, .max_ms = 10000};
        g_hash_table_add(seen, GUINT_TO_POINTER(backoff_next(&backoff)));
    }
    g_assert_cmpuint(g_hash_table_size(seen), >, 50);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backoff/doubling", test_doubling);
    g_test_add_func("/backoff/extremes", test_extremes);
    g_test_add_func("/backoff/jitter", test_jitter);
    return g_test_run();
}
