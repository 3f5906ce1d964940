#include "lib/base/error.h"

#include <gio/gio.h>

/* Every code has a gRPC code, an HTTP code and a reason, and comes back from the first and the last of these. */
static void test_codes(void)
{
    for (int code = 0; code < CLEAT_ERROR_MAX_; code++) {
        g_assert_cmpint(cleat_error_to_grpc(code), >, 0);
        g_assert_cmpint(cleat_error_to_http(code), >=, 400);
        g_assert_nonnull(cleat_error_to_reason(code));
        g_assert_cmpint(cleat_error_from_grpc(cleat_error_to_grpc(code), cleat_error_to_reason(code)), ==, code);
    }
}

static void test_from_grpc(void)
{
    static const struct {
        int grpc;
        const char *reason;
        CleatErrorCode code;
    } rows[] = {
        {3, NULL, CLEAT_ERROR_BAD_REQUEST},
        {3, "Invalid", CLEAT_ERROR_INVALID},
        {3, "NotFound", CLEAT_ERROR_BAD_REQUEST},
        {8, NULL, CLEAT_ERROR_TOO_MANY_REQUESTS},
        {8, "RequestEntityTooLarge", CLEAT_ERROR_TOO_LARGE},
        {9, NULL, CLEAT_ERROR_CONFLICT},
        {14, "Anything", CLEAT_ERROR_UNAVAILABLE},
        {2, NULL, CLEAT_ERROR_INTERNAL},
        {99, NULL, CLEAT_ERROR_INTERNAL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(cleat_error_from_grpc(rows[i].grpc, rows[i].reason), ==, rows[i].code);
}

static void test_copy(void)
{
    GError *error = g_error_new_literal(CLEAT_ERROR, CLEAT_ERROR_CONFLICT, "stale");
    g_assert_nonnull(cleat_error_object(error));
    g_assert_null(cleat_error_object(error)->name);
    cleat_error_set_object(error, "apps", "Deployment", "web");
    cleat_error_set_object(error, "apps", "Deployment", "website");
    cleat_error_add_cause(error, "a", "b", "c");
    GError *copy = g_error_copy(error);
    g_error_free(error);
    g_assert_cmpstr(cleat_error_object(copy)->name, ==, "website");
    g_assert_cmpint(cleat_error_causes(copy)->len, ==, 1);
    const CleatCause *cause = cleat_error_causes(copy)->pdata[0];
    g_assert_cmpstr(cause->field, ==, "a");
    g_assert_cmpstr(cause->reason, ==, "b");
    g_assert_cmpstr(cause->message, ==, "c");
    g_assert_true(cleat_error_is(copy, CLEAT_ERROR_CONFLICT));
    g_assert_false(cleat_error_is(copy, CLEAT_ERROR_EXPIRED));
    g_error_free(copy);
}

static void test_other_domains(void)
{
    GError *error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED, "x");
    g_assert_cmpint(cleat_error_code(error), ==, CLEAT_ERROR_CANCELLED);
    g_assert_null(cleat_error_object(error));
    g_assert_null(cleat_error_causes(error));
    g_error_free(error);
    error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "x");
    g_assert_cmpint(cleat_error_code(error), ==, CLEAT_ERROR_INTERNAL);
    g_assert_false(cleat_error_is(NULL, CLEAT_ERROR_INTERNAL));
    g_error_free(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/codes", test_codes);
    g_test_add_func("/error/from-grpc", test_from_grpc);
    g_test_add_func("/error/copy", test_copy);
    g_test_add_func("/error/other-domains", test_other_domains);
    return g_test_run();
}
