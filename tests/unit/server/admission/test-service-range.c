#include "server/admission/service-range.h"

#include "lib/base/error.h"

static void test_parse(void)
{
    static const char *const bad[] = {"",           "10.96.0.0", "10.96.0.0/", "10.96.0.0/30", "10.96.0.0/8",
                                      "10.96.0/16", "fd00::/64", "x/16"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", bad[i]);
        g_assert_null(service_range_new(bad[i], &error));
        g_assert_true(cleat_error_is(error, CLEAT_ERROR_BAD_REQUEST));
    }
}

static void test_contains(void)
{
    static const struct {
        const char *range, *address;
        gboolean contains;
    } cases[] = {
        {"10.96.0.0/16", "10.96.0.1", TRUE},     {"10.96.0.0/16", "10.96.0.0", FALSE},
        {"10.96.0.0/16", "10.96.255.254", TRUE}, {"10.96.0.0/16", "10.96.255.255", FALSE},
        {"10.96.0.0/16", "10.97.0.1", FALSE},    {"10.96.0.0/16", "10.95.255.255", FALSE},
        {"10.96.0.9/29", "10.96.0.14", TRUE},    {"10.96.0.9/29", "10.96.0.8", FALSE},
        {"10.96.0.0/16", "none", FALSE},         {"10.96.0.0/16", "::1", FALSE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        ServiceRange *range = service_range_new(cases[i].range, NULL);
        g_test_message("%s %s", cases[i].range, cases[i].address);
        g_assert_cmpint(service_range_contains(range, cases[i].address), ==, cases[i].contains);
        service_range_free(range);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/admission/service-range/parse", test_parse);
    g_test_add_func("/server/admission/service-range/contains", test_contains);
    return g_test_run();
}
