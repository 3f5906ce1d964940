#include "lib/base/time.h"

static void test_format(void)
{
    static const struct {
        gint64 ns;
        int digits;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {0, 3, "1970-01-01T00:00:00.000Z"},
        {G_GINT64_CONSTANT(1769860800123456789), 0, "2026-01-31T12:00:00Z"},
        {G_GINT64_CONSTANT(1769860800123456789), 6, "2026-01-31T12:00:00.123456Z"},
        {G_GINT64_CONSTANT(1769860800123456789), 9, "2026-01-31T12:00:00.123456789Z"},
        {-1, 9, "1969-12-31T23:59:59.999999999Z"},
        {-TIME_NS_PER_S, 1, "1969-12-31T23:59:59.0Z"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = time_format(rows[i].ns, rows[i].digits);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

static void test_parse(void)
{
    static const struct {
        const char *text;
        gint64 ns;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:01.5Z", 1500000000},
        {"1970-01-01T00:00:00.123456789123Z", 123456789},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T22:30:00-01:30", 0},
        {"2024-02-29T00:00:00Z", G_GINT64_CONSTANT(1709164800000000000)},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"2262-04-11T23:47:15Z", G_GINT64_CONSTANT(9223372035000000000)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gint64 ns = 42;
        if (!time_parse(rows[i].text, &ns) || ns != rows[i].ns)
            g_error("%s is read as %" G_GINT64_FORMAT, rows[i].text, ns);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-1-31T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00,5Z",
        "2026-01-31T12:00:00ZZ",
        "2026-01-31T12:00:00+1:00",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00Z ",
        " 2026-01-31T12:00:00Z",
        "9999-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1500-01-01T00:00:00Z",
    };
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        gint64 ns = 42;
        if (time_parse(texts[i], &ns) || ns != 42)
            g_error("\"%s\" is read as %" G_GINT64_FORMAT, texts[i], ns);
    }
}

static void test_round_trip(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    for (int i = 0; i < 10000; i++) {
        gint64 ns = (gint64)((guint64)g_rand_int(rand) << 32 | g_rand_int(rand)) / 2, again;
        g_autofree char *text = time_format(ns, 9);
        g_assert_true(time_parse(text, &again));
        g_assert_cmpint(again, ==, ns);
    }
}

static void test_now(void)
{
    gint64 before = g_get_real_time() * 1000;
    gint64 now = time_now_ns();
    g_assert_cmpint(now, >=, before);
    g_assert_cmpint(now, <=, g_get_real_time() * 1000 + 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/time/format", test_format);
    g_test_add_func("/time/parse", test_parse);
    g_test_add_func("/time/refused", test_refused);
    g_test_add_func("/time/round-trip", test_round_trip);
    g_test_add_func("/time/now", test_now);
    return g_test_run();
}
