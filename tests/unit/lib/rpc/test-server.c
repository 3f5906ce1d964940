#include "fixture.h"

#include <gio/gunixsocketaddress.h>

static gint open_calls;

static void silent_closed(RpcServerCall *call, gpointer data)
{
    (void)call, (void)data;
    g_atomic_int_add(&open_calls, -1);
}

static void handle_silent(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_atomic_int_inc(&open_calls);
    rpc_server_call_on_closed(call, silent_closed, NULL);
}

static void stream_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream, (void)message, (void)data;
}

static void stream_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    *(GError **)data = g_error_copy(error);
}

static const RpcStreamHandlers silent_handlers = {stream_message, stream_end};

static RpcStream *open_silent(RpcChannel *channel, GError **ret_error)
{
    RpcCallOptions options = {.context = g_main_context_default()};
    return rpc_stream_open(channel, "/test.Test/Silent", NULL, TRUE, &options, &silent_handlers, ret_error);
}

/* --- addresses --------------------------------------------------------------------------------------------------------*/

static void assert_cannot_listen(const char *address, const char *text)
{
    RpcServer *server = rpc_server_new(NULL);
    g_autoptr(GError) error = NULL;
    g_assert_false(rpc_server_listen(server, address, NULL, NULL, &error));
    assert_error(error, CLEAT_ERROR_UNAVAILABLE, text);
    g_assert_nonnull(strstr(error->message, address));
    rpc_server_free(server);
}

static void test_addresses(void)
{
    g_autofree char *folder = folder_new();
    g_autofree char *unix_address = g_strdup_printf("unix:%s/s", folder);
    g_autofree char *tcp_address = NULL;
    RpcServer *first = server_at(unix_address, NULL, NULL);
    int port;
    g_autoptr(GError) error = NULL;
    g_assert_true(rpc_server_listen(first, "127.0.0.1:0", NULL, &port, &error));
    server_start(first);
    tcp_address = g_strdup_printf("127.0.0.1:%d", port);
    assert_cannot_listen(tcp_address, "in use");
    assert_cannot_listen(unix_address, "another server");
    assert_cannot_listen("nonsense", "nonsense");
    assert_cannot_listen("192.0.2.1:80", "assign"); /* not an address of this machine */
    assert_cannot_listen("unix:/nonexistent/folder/s", "No such file");

    /* Both addresses of the first one work, and go on to work. */
    g_autoptr(GBytes) request = text_bytes("x");
    const char *all[] = {unix_address, tcp_address};
    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(RpcChannel) channel = channel_to(all[i], NULL);
        g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/echo.Echo/Echo", request, NULL, &error);
        g_assert_no_error(error);
    }
    server_end(first);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* A socket that a killed server left behind is taken over. */
static void test_stale_socket(void)
{
    g_autofree char *folder = folder_new();
    g_autofree char *path = g_strdup_printf("%s/s", folder);
    g_autofree char *lock = g_strdup_printf("%s/s.lock", folder);
    g_autofree char *address = g_strdup_printf("unix:%s", path);
    g_autoptr(GSocket) left = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, NULL);
    g_autoptr(GSocketAddress) bound = g_unix_socket_address_new(path);
    g_assert_true(g_socket_bind(left, bound, FALSE, NULL));
    g_assert_true(g_socket_close(left, NULL));
    g_assert_true(g_file_set_contents(lock, "", 0, NULL));
    RpcServer *server = server_at(address, NULL, NULL);
    server_start(server);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    g_autoptr(GBytes) request = text_bytes("x");
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/echo.Echo/Echo", request, NULL, &error);
    g_assert_no_error(error);
    server_end(server);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_not_started(void)
{
    g_autofree char *address = NULL;
    rpc_server_free(server_at("127.0.0.1:0", NULL, &address));
    rpc_server_free(server_at(address, NULL, NULL)); /* the port is free again */
    rpc_server_free(rpc_server_new(NULL));
    rpc_server_free(NULL);
}

/* --- handlers in a context, gate --------------------------------------------------------------------------------------*/

static GThread *main_thread;

static void handle_in_context(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    g_assert_true(g_thread_self() == main_thread);
    rpc_server_call_reply(call, request);
}

static gboolean gate(RpcServerCall *call, gpointer data, GError **error)
{
    g_assert_true(g_thread_self() == main_thread);
    const char *token = rpc_server_call_metadata(call, "authorization");
    if (g_strcmp0(token, data) == 0)
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAUTHORIZED, "%s: no token", rpc_server_call_method(call));
    return FALSE;
}

static void test_context_and_gate(void)
{
    main_thread = g_thread_self();
    RpcServerOptions server_options = {.context = g_main_context_default()};
    RpcServer *server = rpc_server_new(&server_options);
    g_autoptr(GError) error = NULL;
    int port;
    g_assert_true(rpc_server_listen(server, "127.0.0.1:0", NULL, &port, &error));
    rpc_server_handle(server, "/test.Test/Context", handle_in_context, NULL);
    rpc_server_handle(server, "/test.Test/Silent", handle_silent, NULL);
    rpc_server_set_gate(server, gate, (gpointer) "secret");
    server_start(server);
    g_autofree char *address = g_strdup_printf("127.0.0.1:%d", port);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    g_autoptr(GBytes) request = text_bytes("x");
    const char *good[] = {"authorization", "secret", NULL}, *bad[] = {"authorization", "guess", NULL};
    const struct {
        const char *method;
        const char *const *metadata;
        int code;
    } cases[] = {
        {"/test.Test/Context", NULL, CLEAT_ERROR_UNAUTHORIZED},
        {"/test.Test/Context", bad, CLEAT_ERROR_UNAUTHORIZED},
        {"/test.Test/Context", good, -1},
        {"/grpc.health.v1.Health/Check", NULL, CLEAT_ERROR_BAD_REQUEST}, /* let in; "x" is no request */
        {"/test.Test/None", good, CLEAT_ERROR_UNIMPLEMENTED},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Answer) answer = {0};
        RpcCallOptions options = {.context = g_main_context_default(), .metadata = cases[i].metadata};
        rpc_unary(channel, cases[i].method, request, &options, answer_done, &answer);
        wait_for(answer.done);
        if (cases[i].code < 0)
            assert_text(answer.reply, "x");
        else
            assert_error(answer.error, (CleatErrorCode)cases[i].code, "");
    }
    /* Stopping with a stream open iterates the context, so that closed runs. */
    g_autoptr(GError) end = NULL;
    RpcCallOptions options = {.context = g_main_context_default(), .metadata = good};
    g_autoptr(GBytes) empty = text_bytes("");
    rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Silent", empty, TRUE, &options, &silent_handlers, &end));
    wait_for(open_calls == 1);
    rpc_server_stop(server, 10);
    g_assert_cmpint(open_calls, ==, 0);
    rpc_server_free(server);
    wait_for(end);
    assert_error(end, CLEAT_ERROR_UNAVAILABLE, "");
}

/* --- lifetimes --------------------------------------------------------------------------------------------------------*/

static RpcServerCall *kept;

static void handle_keep(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_atomic_pointer_set(&kept, rpc_server_call_ref(call));
}

static void count_call(RpcServerCall *call, gpointer data)
{
    (void)call;
    g_atomic_int_inc((gint *)data);
}

/* A handler may hold on to a call that is over, ask about it and answer it: nothing happens. */
static void test_call_after_end(void)
{
    g_autofree char *address = NULL;
    RpcServer *server = server_at("127.0.0.1:0", NULL, &address);
    rpc_server_handle(server, "/test.Test/Keep", handle_keep, NULL);
    server_start(server);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    g_autoptr(GBytes) request = text_bytes("x");
    g_autoptr(GError) error = NULL;
    RpcCallOptions options = {.timeout_ms = 50};
    g_assert_null(rpc_unary_sync(channel, "/test.Test/Keep", request, &options, &error));
    assert_error(error, CLEAT_ERROR_TIMEOUT, "/test.Test/Keep");
    wait_for(rpc_server_call_is_closed(g_atomic_pointer_get(&kept)));
    g_assert_cmpint(rpc_server_call_time_left(kept), ==, 0);
    gint closed = 0;
    rpc_server_call_on_closed(kept, count_call, &closed);
    wait_for(g_atomic_int_get(&closed) == 1);
    server_end(server);
    g_assert_cmpstr(rpc_server_call_method(kept), ==, "/test.Test/Keep");
    rpc_server_call_reply(kept, request);
    rpc_server_call_unref(kept);
}

/* --- stopping ---------------------------------------------------------------------------------------------------------*/

static gpointer stop_thread(gpointer server)
{
    rpc_server_stop(server, 20000);
    return NULL;
}

/* A call that runs when the server stops may finish; one that comes later finds nobody. */
static void test_graceful_stop(void)
{
    g_autofree char *address = NULL;
    RpcServer *server = server_at("127.0.0.1:0", NULL, &address);
    rpc_server_handle(server, "/test.Test/Keep", handle_keep, NULL);
    server_start(server);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    g_autoptr(GBytes) request = text_bytes("slow");
    g_auto(Answer) slow = {0}, late = {0};
    RpcCallOptions options = {.context = g_main_context_default(), .fail_fast = TRUE};
    g_atomic_pointer_set(&kept, NULL);
    rpc_unary(channel, "/test.Test/Keep", request, &options, answer_done, &slow);
    wait_for(g_atomic_pointer_get(&kept) != NULL);
    GThread *stopper = g_thread_new("stop", stop_thread, server);
    do { /* until the stop has begun */
        answer_clear(&late);
        rpc_unary(channel, "/echo.Echo/Echo", request, &options, answer_done, &late);
        wait_for(late.done);
    } while (!late.error);
    assert_error(late.error, CLEAT_ERROR_UNAVAILABLE, "");
    g_assert_false(slow.done);
    rpc_server_call_reply(kept, request);
    rpc_server_call_unref(kept);
    wait_for(slow.done);
    g_assert_no_error(slow.error);
    g_thread_join(stopper);
    rpc_server_free(server);
}

/* Streams that do not end are cut after the grace time, and told so. */
static void test_stop_with_streams(void)
{
    enum { STREAMS = 100 };
    g_autofree char *address = NULL;
    RpcServer *server = server_at("127.0.0.1:0", NULL, &address);
    rpc_server_handle(server, "/test.Test/Silent", handle_silent, NULL);
    server_start(server);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    GError *errors[STREAMS] = {0};
    for (int i = 0; i < STREAMS; i++)
        rpc_stream_unref(open_silent(channel, &errors[i]));
    wait_for(g_atomic_int_get(&open_calls) == STREAMS);
    rpc_server_stop(server, 10);
    g_assert_cmpint(g_atomic_int_get(&open_calls), ==, 0);
    rpc_server_free(server);
    for (int i = 0; i < STREAMS; i++) {
        wait_for(errors[i]);
        assert_error(errors[i], CLEAT_ERROR_UNAVAILABLE, "");
        g_error_free(errors[i]);
    }
}

/* --- limits -----------------------------------------------------------------------------------------------------------*/

static void test_max_message(void)
{
    RpcServerOptions options = {.max_message_bytes = 1000};
    RpcServer *server = rpc_server_new(&options);
    int port;
    g_assert_true(rpc_server_listen(server, "127.0.0.1:0", NULL, &port, NULL));
    rpc_server_handle(server, "/echo.Echo/Echo", handle_echo, NULL);
    server_start(server);
    g_autofree char *address = g_strdup_printf("127.0.0.1:%d", port);
    g_autoptr(RpcChannel) channel = channel_to(address, NULL);
    char data[1001] = "";
    for (gsize size = 1000; size <= 1001; size++) {
        g_autoptr(GBytes) request = g_bytes_new_static(data, size);
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/echo.Echo/Echo", request, NULL, &error);
        if (size == 1000)
            g_assert_no_error(error);
        else
            assert_error(error, CLEAT_ERROR_TOO_LARGE, "1001");
    }
    server_end(server);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    g_test_add_func("/rpc/server/addresses", test_addresses);
    g_test_add_func("/rpc/server/stale-socket", test_stale_socket);
    g_test_add_func("/rpc/server/not-started", test_not_started);
    g_test_add_func("/rpc/server/context-and-gate", test_context_and_gate);
    g_test_add_func("/rpc/server/call-after-end", test_call_after_end);
    g_test_add_func("/rpc/server/graceful-stop", test_graceful_stop);
    g_test_add_func("/rpc/server/stop-with-streams", test_stop_with_streams);
    g_test_add_func("/rpc/server/max-message", test_max_message);
    int result = g_test_run();
    rpc_shutdown();
    return result;
}
