#include "lib/api/status.h"

#include <gio/gio.h>

#include "lib/base/error.h"

/* Every code, there and back. */
static void test_codes(void)
{
    for (int code = 0; code < CLEAT_ERROR_MAX_; code++) {
        GError *error = g_error_new(CLEAT_ERROR, code, "message %d", code);
        API_AUTO(Meta__V1__Status) status = api_status_from_error(error);
        g_assert_cmpstr(status->status, ==, "Failure");
        g_assert_cmpint(status->code, ==, cleat_error_to_http(code));
        g_assert_cmpstr(status->reason, ==, cleat_error_to_reason(code));
        g_assert_null(status->details);
        GError *back = api_status_to_error(cleat_error_to_grpc(code), "shorter", status);
        g_assert_error(back, CLEAT_ERROR, code);
        g_assert_cmpstr(back->message, ==, error->message);
        g_error_free(back);
        g_error_free(error);
    }
}

static void test_details(void)
{
    GError *error = g_error_new_literal(CLEAT_ERROR, CLEAT_ERROR_INVALID, "Pod \"web\" is invalid");
    cleat_error_set_object(error, "", "Pod", "web");
    cleat_error_add_cause(error, "spec.a", "FieldValueRequired", "Required value");
    cleat_error_add_cause(error, "spec.b", "FieldValueInvalid", "Invalid value: 3");
    API_AUTO(Meta__V1__Status) status = api_status_from_error(error);
    g_assert_cmpstr(status->details->kind, ==, "Pod");
    g_assert_cmpint(status->details->n_causes, ==, 2);
    GError *back = api_status_to_error(3, NULL, status);
    g_assert_error(back, CLEAT_ERROR, CLEAT_ERROR_INVALID);
    g_assert_cmpstr(cleat_error_object(back)->name, ==, "web");
    g_assert_cmpstr(cleat_error_object(back)->group, ==, "");
    const GPtrArray *causes = cleat_error_causes(back);
    g_assert_cmpint(causes->len, ==, 2);
    g_assert_cmpstr(((CleatCause *)causes->pdata[1])->field, ==, "spec.b");
    g_assert_cmpstr(((CleatCause *)causes->pdata[1])->reason, ==, "FieldValueInvalid");
    g_assert_cmpstr(((CleatCause *)causes->pdata[1])->message, ==, "Invalid value: 3");
    g_error_free(back);
    g_error_free(error);
}

static void test_without_details(void)
{
    static const struct {
        int grpc;
        const char *message;
        CleatErrorCode code;
        const char *expected;
    } rows[] = {
        {14, "connection refused", CLEAT_ERROR_UNAVAILABLE, "connection refused"},
        {4, "", CLEAT_ERROR_TIMEOUT, "the peer gave no reason"},
        {2, NULL, CLEAT_ERROR_INTERNAL, "the peer gave no reason"},
        {3, "bad", CLEAT_ERROR_BAD_REQUEST, "bad"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = api_status_to_error(rows[i].grpc, rows[i].message, NULL);
        g_assert_error(error, CLEAT_ERROR, (int)rows[i].code);
        g_assert_cmpstr(error->message, ==, rows[i].expected);
        g_error_free(error);
    }
}

static void test_other_domains(void)
{
    GError *error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CANCELLED, "stopped");
    API_AUTO(Meta__V1__Status) cancelled = api_status_from_error(error);
    g_assert_cmpstr(cancelled->reason, ==, "Cancelled");
    g_error_free(error);
    error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "no file");
    API_AUTO(Meta__V1__Status) internal = api_status_from_error(error);
    g_assert_cmpstr(internal->reason, ==, "InternalError");
    g_assert_cmpstr(internal->message, ==, "no file");
    g_error_free(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/codes", test_codes);
    g_test_add_func("/status/details", test_details);
    g_test_add_func("/status/without-details", test_without_details);
    g_test_add_func("/status/other-domains", test_other_domains);
    return g_test_run();
}
