#include "fixture.h"

static char *tcp_address;
static RpcServer *server;

/* "/test.Test/Fail": an error with object and causes. */
static void handle_fail(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_INVALID, "pod default/web: name is wrong \xc3\xa4");
    cleat_error_set_object(error, "", "Pod", "web");
    cleat_error_add_cause(error, "metadata.name", "FieldValueInvalid", "too long");
    rpc_server_call_fail(call, error);
}

/* "/test.Test/FailLong": more causes than a header list can carry. */
static void handle_fail_long(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_autofree char *message = g_strnfill(20000, 'm');
    g_autoptr(GError) error = g_error_new_literal(CLEAT_ERROR, CLEAT_ERROR_INVALID, message);
    for (int i = 0; i < 1000; i++)
        cleat_error_add_cause(error, "spec.containers[0].name", "FieldValueInvalid", "an explanation of some length");
    rpc_server_call_fail(call, error);
}

/* "/test.Test/Hang": never answers; counts what is open. */
static gint hanging;

static void hang_closed(RpcServerCall *call, gpointer data)
{
    (void)data;
    g_assert_true(rpc_server_call_is_closed(call));
    g_atomic_int_add(&hanging, -1);
}

static void handle_hang(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_atomic_int_inc(&hanging);
    rpc_server_call_on_closed(call, hang_closed, NULL);
}

/* "/test.Test/Describe": method, a metadata value, and whether there is a deadline. */
static void handle_describe(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    gint64 left = rpc_server_call_time_left(call);
    const char *color = rpc_server_call_metadata(call, "color");
    const RpcIdentity *identity = rpc_server_call_identity(call);
    g_assert_null(rpc_server_call_metadata(call, "shape"));
    g_assert_null(identity->user);
    g_assert_null(identity->groups[0]);
    g_assert_true(g_str_has_prefix(identity->peer, "ipv4:127.0.0.1:"));
    g_autofree char *text = g_strdup_printf("%s %s %s", rpc_server_call_method(call), color ? color : "-",
                                            left > 0 && left <= 60000 ? "soon" : "?");
    g_autoptr(GBytes) reply = text_bytes(text);
    rpc_server_call_reply(call, reply);
}

static void call_method(RpcChannel *channel, const char *method, GBytes *request, RpcCallOptions options,
                        Answer *answer)
{
    options.context = g_main_context_default();
    rpc_unary(channel, method, request, &options, answer_done, answer);
    g_assert_false(answer->done);
    wait_for(answer->done);
}

static void test_sizes(void)
{
    static const gsize sizes[] = {0, 1, 23, 24, 1000, 70000, 5000000, RPC_MAX_MESSAGE_BYTES};
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *data = g_malloc(sizes[i] + 1);
        for (gsize j = 0; j < sizes[i]; j++)
            data[j] = (char)(j * 31 + i);
        g_autoptr(GBytes) request = g_bytes_new(data, sizes[i]);
        g_auto(Answer) answer = {0};
        call_method(channel, "/echo.Echo/Echo", request, (RpcCallOptions){0}, &answer);
        g_assert_no_error(answer.error);
        g_assert_true(g_bytes_equal(answer.reply, request));
    }
}

static void test_sync(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    g_autoptr(GBytes) request = text_bytes("hello");
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/echo.Echo/Echo", request, NULL, &error);
    g_assert_no_error(error);
    assert_text(reply, "hello");
    g_autoptr(GBytes) none = rpc_unary_sync(channel, "/echo.Echo/Nothing", request, NULL, &error);
    g_assert_null(none);
    assert_error(error, CLEAT_ERROR_UNIMPLEMENTED, "/echo.Echo/Nothing");
}

static void test_error_details(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    g_autoptr(GBytes) request = text_bytes("");
    g_auto(Answer) answer = {0};
    call_method(channel, "/test.Test/Fail", request, (RpcCallOptions){0}, &answer);
    assert_error(answer.error, CLEAT_ERROR_INVALID, "pod default/web: name is wrong \xc3\xa4");
    g_assert_cmpstr(cleat_error_object(answer.error)->kind, ==, "Pod");
    g_assert_cmpstr(cleat_error_object(answer.error)->name, ==, "web");
    const GPtrArray *causes = cleat_error_causes(answer.error);
    g_assert_cmpuint(causes->len, ==, 1);
    const CleatCause *cause = causes->pdata[0];
    g_assert_cmpstr(cause->field, ==, "metadata.name");
    g_assert_cmpstr(cause->reason, ==, "FieldValueInvalid");
    g_assert_cmpstr(cause->message, ==, "too long");

    answer_clear(&answer);
    call_method(channel, "/test.Test/FailLong", request, (RpcCallOptions){0}, &answer);
    assert_error(answer.error, CLEAT_ERROR_INVALID, "mmmm");
}

static void test_too_large(void)
{
    const char *addresses[] = {tcp_address, NULL};
    RpcChannelOptions options = {.addresses = addresses, .max_message_bytes = 1000};
    g_autoptr(RpcChannel) small = rpc_channel_new(&options, NULL);
    options.max_message_bytes = 100 * 1024 * 1024;
    g_autoptr(RpcChannel) big = rpc_channel_new(&options, NULL);
    g_autofree char *data = g_malloc0(RPC_MAX_MESSAGE_BYTES + 1);

    g_auto(Answer) answer = {0};
    g_autoptr(GBytes) thousand_one = g_bytes_new_static(data, 1001);
    call_method(small, "/echo.Echo/Echo", thousand_one, (RpcCallOptions){0}, &answer);
    assert_error(answer.error, CLEAT_ERROR_TOO_LARGE, "1001");

    answer_clear(&answer);
    g_autoptr(GBytes) beyond = g_bytes_new_static(data, RPC_MAX_MESSAGE_BYTES + 1);
    call_method(big, "/echo.Echo/Echo", beyond, (RpcCallOptions){0}, &answer);
    assert_error(answer.error, CLEAT_ERROR_TOO_LARGE, "larger than max");

    /* The connection lives on. */
    answer_clear(&answer);
    call_method(big, "/echo.Echo/Echo", thousand_one, (RpcCallOptions){0}, &answer);
    g_assert_no_error(answer.error);
}

static void test_metadata(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    g_autoptr(GBytes) request = text_bytes("");
    const char *good[] = {"color", "green", NULL}, *bad[] = {"Col or", "green", NULL};
    g_auto(Answer) answer = {0};
    call_method(channel, "/test.Test/Describe", request, (RpcCallOptions){.metadata = good}, &answer);
    g_assert_no_error(answer.error);
    assert_text(answer.reply, "/test.Test/Describe green soon");
    answer_clear(&answer);
    call_method(channel, "/test.Test/Describe", request, (RpcCallOptions){.metadata = bad}, &answer);
    assert_error(answer.error, CLEAT_ERROR_BAD_REQUEST, "Col or");
}

static void test_deadline(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    g_autoptr(GBytes) request = text_bytes("");
    g_auto(Answer) answer = {0};
    call_method(channel, "/test.Test/Hang", request, (RpcCallOptions){.timeout_ms = 100, .idempotent = TRUE}, &answer);
    assert_error(answer.error, CLEAT_ERROR_TIMEOUT, "/test.Test/Hang at ");
    wait_for(g_atomic_int_get(&hanging) == 0);
}

static void test_cancel(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    g_autoptr(GBytes) request = text_bytes("");
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    RpcCallOptions options = {.context = g_main_context_default(), .cancellable = cancellable};
    g_auto(Answer) answer = {0};
    rpc_unary(channel, "/test.Test/Hang", request, &options, answer_done, &answer);
    wait_for(g_atomic_int_get(&hanging) == 1);
    g_cancellable_cancel(cancellable);
    g_assert_false(answer.done);
    wait_for(answer.done);
    assert_error(answer.error, CLEAT_ERROR_CANCELLED, "/test.Test/Hang");
    wait_for(g_atomic_int_get(&hanging) == 0);

    answer_clear(&answer); /* cancelled from the start */
    rpc_unary(channel, "/echo.Echo/Echo", request, &options, answer_done, &answer);
    g_assert_false(answer.done);
    wait_for(answer.done);
    assert_error(answer.error, CLEAT_ERROR_CANCELLED, "/echo.Echo/Echo");
}

/* Cancelling reaches a call that waits for a server to come. */
static void test_cancel_while_waiting(void)
{
    g_autoptr(RpcChannel) channel = channel_to("127.0.0.1:1", NULL);
    g_autoptr(GBytes) request = text_bytes("");
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    RpcCallOptions options = {.context = g_main_context_default(), .cancellable = cancellable};
    g_auto(Answer) answer = {0}, fast = {0};
    rpc_unary(channel, "/echo.Echo/Echo", request, &options, answer_done, &answer);
    call_method(channel, "/echo.Echo/Echo", request, (RpcCallOptions){.fail_fast = TRUE}, &fast);
    assert_error(fast.error, CLEAT_ERROR_UNAVAILABLE, "cannot reach 127.0.0.1:1");
    g_assert_false(answer.done);
    g_cancellable_cancel(cancellable);
    wait_for(answer.done);
    assert_error(answer.error, CLEAT_ERROR_CANCELLED, "/echo.Echo/Echo");
}

/* Many at a time, started by several threads. */
enum { THREADS = 4, CALLS_PER_THREAD = 500 };

static gint succeeded;

static void count_done(GBytes *reply, const GError *error, gpointer data)
{
    (void)data;
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(reply), ==, 100);
    g_atomic_int_inc(&succeeded);
}

static gpointer many_thread(gpointer data)
{
    RpcChannel *channel = data;
    char buffer[100] = "";
    g_autoptr(GBytes) request = g_bytes_new(buffer, sizeof buffer);
    RpcCallOptions in_loop = {.context = g_main_context_default()};
    for (int i = 0; i < CALLS_PER_THREAD; i++)
        rpc_unary(channel, "/echo.Echo/Echo", request, i % 2 ? &in_loop : NULL, count_done, NULL);
    return NULL;
}

static void test_many(void)
{
    g_autoptr(RpcChannel) channel = channel_to(tcp_address, NULL);
    GThread *threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("many", many_thread, channel);
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    wait_for(g_atomic_int_get(&succeeded) == THREADS * CALLS_PER_THREAD);
}

static void test_addresses(void)
{
    static const char *const bad[] = {"",       "localhost", "1.2.3.4",       "1.2.3.4:x",  "1.2.3.4:70000", ":80",
                                      "::1:80", "unix:",     "unix:relative", "http://a:1", "[1.2.3.4]:5",   "a b:1"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *addresses[] = {bad[i], NULL};
        RpcChannelOptions options = {.addresses = addresses};
        g_autoptr(GError) error = NULL;
        g_autoptr(RpcChannel) channel = rpc_channel_new(&options, &error);
        g_assert_null(channel);
        assert_error(error, CLEAT_ERROR_BAD_REQUEST, bad[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    server = server_at("127.0.0.1:0", NULL, &tcp_address);
    rpc_server_handle(server, "/test.Test/Fail", handle_fail, NULL);
    rpc_server_handle(server, "/test.Test/FailLong", handle_fail_long, NULL);
    rpc_server_handle(server, "/test.Test/Hang", handle_hang, NULL);
    rpc_server_handle(server, "/test.Test/Describe", handle_describe, NULL);
    server_start(server);
    g_test_add_func("/rpc/unary/sizes", test_sizes);
    g_test_add_func("/rpc/unary/sync", test_sync);
    g_test_add_func("/rpc/unary/error-details", test_error_details);
    g_test_add_func("/rpc/unary/too-large", test_too_large);
    g_test_add_func("/rpc/unary/metadata", test_metadata);
    g_test_add_func("/rpc/unary/deadline", test_deadline);
    g_test_add_func("/rpc/unary/cancel", test_cancel);
    g_test_add_func("/rpc/unary/cancel-while-waiting", test_cancel_while_waiting);
    g_test_add_func("/rpc/unary/many", test_many);
    g_test_add_func("/rpc/unary/addresses", test_addresses);
    int result = g_test_run();
    server_end(server);
    g_free(tcp_address);
    rpc_shutdown();
    return result;
}
