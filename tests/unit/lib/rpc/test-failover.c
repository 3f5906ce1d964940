#include "fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Servers that are killed run as processes of their own: this program again, with the address as argument. Each answers
 * "/test.Test/Name" with its address. */
static const char *self;

static void handle_name(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request;
    g_autoptr(GBytes) reply = text_bytes(data);
    rpc_server_call_reply(call, reply);
}

static void handle_unavailable(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "the caches are not ready");
    rpc_server_call_fail(call, error);
}

/* "/test.Test/Hang": says on the standard output that it was called, and never answers. */
static void handle_hang(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)call, (void)request, (void)data;
    g_assert_cmpint(write(STDOUT_FILENO, "h", 1), ==, 1);
}

static G_NORETURN void serve(const char *address)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not to outlive a test that fails */
    rpc_init(1);
    RpcServer *server = server_at(address, NULL, NULL);
    rpc_server_handle(server, "/test.Test/Name", handle_name, (gpointer)address);
    rpc_server_handle(server, "/test.Test/Hang", handle_hang, NULL);
    server_start(server);
    g_assert_cmpint(write(STDOUT_FILENO, "s", 1), ==, 1);
    for (;;)
        pause();
}

typedef struct {
    GPid pid;
    int out; /* what the server says */
} Process;

/* Starts a server and waits until it serves. */
static Process process_start(const char *address)
{
    const char *argv[] = {self, "--serve", address, NULL};
    Process process;
    g_autoptr(GError) error = NULL;
    g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &process.pid, NULL,
                             &process.out, NULL, &error);
    g_assert_no_error(error);
    char ready;
    g_assert_cmpint(read(process.out, &ready, 1), ==, 1);
    return process;
}

static void process_kill(Process *process)
{
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    close(process->out);
}

static char *folder, *addresses[3]; /* two servers, then NULL */

static RpcChannel *channel_to_all(void)
{
    RpcChannelOptions options = {.addresses = (const char *const *)addresses};
    g_autoptr(GError) error = NULL;
    RpcChannel *channel = rpc_channel_new(&options, &error);
    g_assert_no_error(error);
    return channel;
}

/* Calls Name and expects the address. The call is idempotent, for it may meet a connection that is about to break. */
static void assert_name(RpcChannel *channel, const char *expected)
{
    g_autoptr(GBytes) request = text_bytes("");
    g_autoptr(GError) error = NULL;
    RpcCallOptions options = {.idempotent = TRUE};
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/test.Test/Name", request, &options, &error);
    g_assert_no_error(error);
    assert_text(reply, expected);
    g_autofree char *address = rpc_channel_address(channel);
    g_assert_cmpstr(address, ==, expected);
}

/* Calls stay with a server until it is gone, then move to the other without an error, and wait while there is none. */
static void test_move(void)
{
    g_autoptr(RpcChannel) channel = channel_to_all();
    Process second = process_start(addresses[1]);
    assert_name(channel, addresses[1]); /* the first is not there */
    g_autoptr(RpcChannel) other = channel_to_all();
    g_autoptr(GBytes) once = text_bytes(""); /* nothing is sent to the first, so this may be tried again as well */
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(other, "/test.Test/Name", once, NULL, &error);
    g_assert_no_error(error);
    assert_text(reply, addresses[1]);
    Process first = process_start(addresses[0]);
    assert_name(channel, addresses[1]); /* sticky */
    process_kill(&second);
    assert_name(channel, addresses[0]);
    process_kill(&first);

    g_autoptr(GBytes) request = text_bytes("");
    g_auto(Answer) waiting = {0}, hurried = {0};
    RpcCallOptions options = {.context = g_main_context_default(), .idempotent = TRUE};
    rpc_unary(channel, "/test.Test/Name", request, &options, answer_done, &waiting);
    options.fail_fast = TRUE;
    rpc_unary(channel, "/test.Test/Name", request, &options, answer_done, &hurried);
    wait_for(hurried.done);
    assert_error(hurried.error, CLEAT_ERROR_UNAVAILABLE, addresses[1]);
    g_assert_false(waiting.done);
    second = process_start(addresses[1]);
    wait_for(waiting.done);
    g_assert_no_error(waiting.error);
    assert_text(waiting.reply, addresses[1]);
    process_kill(&second);
}

/* When the connection breaks under a call, only an idempotent one is sent again. */
static void test_broken_under_way(void)
{
    g_autoptr(RpcChannel) channel = channel_to_all();
    Process first = process_start(addresses[0]), second = process_start(addresses[1]);
    g_autoptr(GBytes) request = text_bytes("");
    g_auto(Answer) once = {0}, again = {0};
    RpcCallOptions options = {.context = g_main_context_default()};
    rpc_unary(channel, "/test.Test/Hang", request, &options, answer_done, &once);
    options.idempotent = TRUE;
    rpc_unary(channel, "/test.Test/Hang", request, &options, answer_done, &again);
    char calls[2];
    g_assert_cmpint(read(first.out, &calls[0], 1), ==, 1);
    g_assert_cmpint(read(first.out, &calls[1], 1), ==, 1);
    process_kill(&first);
    wait_for(once.done);
    assert_error(once.error, CLEAT_ERROR_UNAVAILABLE, addresses[0]);
    g_assert_cmpint(read(second.out, calls, 1), ==, 1); /* it arrives at the second server */
    g_assert_false(again.done);
    process_kill(&second);
    /* Its time is not up, so it waits for a server, which then answers. */
    second = process_start(addresses[1]);
    g_assert_cmpint(read(second.out, calls, 1), ==, 1);
    g_assert_false(again.done);
    rpc_channel_unref(g_steal_pointer(&channel));
    process_kill(&second);
    RpcServer *server = server_at(addresses[1], NULL, NULL);
    rpc_server_handle(server, "/test.Test/Hang", handle_name, addresses[1]);
    server_start(server);
    wait_for(again.done);
    g_assert_no_error(again.error);
    assert_text(again.reply, addresses[1]);
    server_end(server);
}

/* A stream ends when its server does; the next one is opened at the other. */
typedef struct {
    gboolean ended;
    GError *error;
} End;

static void stream_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream, (void)message, (void)data;
}

static void stream_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    End *end = data;
    end->ended = TRUE;
    end->error = g_error_copy(error);
}

static void test_stream(void)
{
    static const RpcStreamHandlers handlers = {stream_message, stream_end};
    g_autoptr(RpcChannel) channel = channel_to_all();
    Process processes[2] = {process_start(addresses[0]), process_start(addresses[1])};
    RpcCallOptions options = {.context = g_main_context_default()};
    for (int i = 0; i < 2; i++) {
        End end = {0};
        rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Hang", NULL, TRUE, &options, &handlers, &end));
        char call;
        g_assert_cmpint(read(processes[i].out, &call, 1), ==, 1);
        process_kill(&processes[i]);
        wait_for(end.ended);
        assert_error(end.error, CLEAT_ERROR_UNAVAILABLE, addresses[i]);
        g_error_free(end.error);
    }
}

/* A server that says UNAVAILABLE itself is left for the other by an idempotent call; another call gets the answer. */
static void test_unavailable_server(void)
{
    g_autoptr(RpcChannel) channel = channel_to_all();
    RpcServer *unready = server_at(addresses[0], NULL, NULL), *ready = server_at(addresses[1], NULL, NULL);
    rpc_server_handle(unready, "/test.Test/Name", handle_unavailable, NULL);
    rpc_server_handle(ready, "/test.Test/Name", handle_name, addresses[1]);
    server_start(unready);
    server_start(ready);
    g_autoptr(GBytes) request = text_bytes("");
    g_autoptr(GError) error = NULL;
    g_assert_null(rpc_unary_sync(channel, "/test.Test/Name", request, NULL, &error));
    assert_error(error, CLEAT_ERROR_UNAVAILABLE, "the caches are not ready");
    g_clear_error(&error);
    g_autoptr(RpcChannel) fresh = channel_to_all();
    RpcCallOptions options = {.idempotent = TRUE};
    g_autoptr(GBytes) reply = rpc_unary_sync(fresh, "/test.Test/Name", request, &options, &error);
    g_assert_no_error(error);
    assert_text(reply, addresses[1]);
    server_end(ready);
    /* Now none is ready: the last answer is the error when the time is up. */
    options.timeout_ms = 300;
    g_assert_null(rpc_unary_sync(fresh, "/test.Test/Name", request, &options, &error));
    g_assert_true(cleat_error_is(error, CLEAT_ERROR_UNAVAILABLE) || cleat_error_is(error, CLEAT_ERROR_TIMEOUT));
    server_end(unready);
}

/* Servers that are stopped and started again, under load: no call fails. */
enum { ROUNDS = 6, CALLERS = 8 };

typedef struct {
    RpcChannel *channel;
    gint *stop;
    int calls;
} Caller;

static gpointer caller_thread(gpointer data)
{
    Caller *caller = data;
    g_autoptr(GBytes) request = text_bytes("x");
    RpcCallOptions options = {.idempotent = TRUE};
    while (!g_atomic_int_get(caller->stop)) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) reply = rpc_unary_sync(caller->channel, "/echo.Echo/Echo", request, &options, &error);
        g_assert_no_error(error);
        caller->calls++;
    }
    return NULL;
}

static void test_restarts_under_load(void)
{
    g_autoptr(RpcChannel) channel = channel_to_all();
    RpcServer *servers[2] = {server_at(addresses[0], NULL, NULL), server_at(addresses[1], NULL, NULL)};
    server_start(servers[0]);
    server_start(servers[1]);
    gint stop = 0;
    Caller callers[CALLERS];
    GThread *threads[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (Caller){channel, &stop, 0};
        threads[i] = g_thread_new("caller", caller_thread, &callers[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        server_end(servers[i % 2]);
        servers[i % 2] = server_at(addresses[i % 2], NULL, NULL);
        server_start(servers[i % 2]);
    }
    g_atomic_int_set(&stop, 1);
    for (int i = 0; i < CALLERS; i++) {
        g_thread_join(threads[i]);
        g_assert_cmpint(callers[i].calls, >, 0);
    }
    server_end(servers[0]);
    server_end(servers[1]);
}

/* Clients that begin at random spread over the servers. */
static void test_random_start(void)
{
    gboolean seen[2] = {FALSE, FALSE};
    for (int i = 0; i < 200 && !(seen[0] && seen[1]); i++) {
        RpcChannelOptions options = {.addresses = (const char *const *)addresses, .start_at_random = TRUE};
        g_autoptr(RpcChannel) channel = rpc_channel_new(&options, NULL);
        g_autofree char *address = rpc_channel_address(channel);
        seen[g_str_equal(address, addresses[1])] = TRUE;
    }
    g_assert_true(seen[0] && seen[1]);
}

int main(int argc, char **argv)
{
    if (argc == 3 && g_str_equal(argv[1], "--serve"))
        serve(argv[2]);
    self = argv[0];
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    folder = folder_new();
    for (int i = 0; i < 2; i++)
        addresses[i] = g_strdup_printf("unix:%s/s%d", folder, i);
    g_test_add_func("/rpc/failover/move", test_move);
    g_test_add_func("/rpc/failover/broken-under-way", test_broken_under_way);
    g_test_add_func("/rpc/failover/stream", test_stream);
    g_test_add_func("/rpc/failover/unavailable-server", test_unavailable_server);
    g_test_add_func("/rpc/failover/restarts-under-load", test_restarts_under_load);
    g_test_add_func("/rpc/failover/random-start", test_random_start);
    int result = g_test_run();
    rpc_shutdown();
    for (int i = 0; i < 2; i++) { /* what killed servers left */
        g_autofree char *lock = g_strdup_printf("%s.lock", addresses[i] + strlen("unix:"));
        g_unlink(lock);
        g_unlink(addresses[i] + strlen("unix:"));
        g_free(addresses[i]);
    }
    g_rmdir(folder);
    g_free(folder);
    return result;
}
