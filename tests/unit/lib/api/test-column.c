#include "lib/api/column.h"

#include "lib/base/time.h"

static void test_duration(void)
{
    const gint64 MINUTE = 60, HOUR = 3600, DAY = 24 * 3600;
    const struct {
        gint64 seconds;
        const char *text;
    } rows[] = {
        {-3600, "<invalid>"},
        {-2, "<invalid>"},
        {-1, "0s"},
        {0, "0s"},
        {1, "1s"},
        {119, "119s"},
        {120, "2m"},
        {121, "2m1s"},
        {9 * MINUTE + 59, "9m59s"},
        {10 * MINUTE + 1, "10m"},
        {3 * HOUR - 1, "179m"},
        {3 * HOUR, "3h"},
        {3 * HOUR + 61, "3h1m"},
        {8 * HOUR - 1, "7h59m"},
        {8 * HOUR + 61, "8h"},
        {2 * DAY - 1, "47h"},
        {2 * DAY, "2d"},
        {2 * DAY + HOUR, "2d1h"},
        {8 * DAY - 1, "7d23h"},
        {8 * DAY + HOUR, "8d"},
        {730 * DAY - 1, "729d"},
        {730 * DAY, "2y"},
        {731 * DAY, "2y1d"},
        {8 * 365 * DAY + 5 * DAY, "8y"},
        {100 * 365 * DAY, "100y"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = api_duration_format(rows[i].seconds * TIME_NS_PER_S);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
}

static void test_age(void)
{
    g_autofree char *unknown = api_age_format(NULL, 0);
    g_assert_cmpstr(unknown, ==, "<unknown>");
    API_AUTO(Meta__V1__Time) then = api_time_new(1000 * TIME_NS_PER_S);
    g_autofree char *age = api_age_format(then, 1042 * TIME_NS_PER_S);
    g_assert_cmpstr(age, ==, "42s");
    g_autofree char *ages = api_elapsed_format(G_MININT64, G_MAXINT64);
    g_assert_cmpstr(ages, ==, "292y");
    g_autofree char *never = api_elapsed_format(G_MAXINT64, G_MININT64);
    g_assert_cmpstr(never, ==, "<invalid>");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/column/duration", test_duration);
    g_test_add_func("/column/age", test_age);
    return g_test_run();
}
