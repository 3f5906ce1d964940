/* The RPC layer by itself: unary calls, streams and fan-out between two processes over a unix socket, and what a process and
 * a stream weigh.
 *   bench-rpc [SECONDS]      default: 2 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "lib/rpc/server.h"

#define MESSAGE_BYTES 1024
#define STREAMS 1000
#define FAN_OUTS 20

static GPtrArray *subscribers; /* of RpcServerCall, referenced; in the server's process, which has one polling thread */

static void handle_echo(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    rpc_server_call_reply(call, request);
}

static void flood(RpcServerCall *call, gboolean ok, gpointer data)
{
    if (!ok)
        return;
    grpc_slice *slice = data;
    rpc_server_call_send(call, slice, 1, flood, slice);
}

static void handle_flood(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request;
    flood(call, TRUE, data);
}

static void handle_subscribe(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_ptr_array_add(subscribers, rpc_server_call_ref(call));
}

static void published(RpcServerCall *call, gboolean ok, gpointer data)
{
    (void)call, (void)ok, (void)data;
}

static void handle_publish(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    grpc_slice slice = rpc_slice_from_bytes(request);
    for (guint i = 0; i < subscribers->len; i++)
        rpc_server_call_send(subscribers->pdata[i], &slice, 1, published, NULL);
    grpc_slice_unref(slice);
    rpc_server_call_reply(call, request);
}

static G_NORETURN void serve(const char *address)
{
    subscribers = g_ptr_array_new();
    rpc_init(1);
    RpcServer *server = rpc_server_new(NULL);
    g_autoptr(GError) error = NULL;
    if (!rpc_server_listen(server, address, NULL, NULL, &error))
        bench_fail("listen", error);
    grpc_slice message = grpc_slice_malloc(MESSAGE_BYTES);
    memset(GRPC_SLICE_START_PTR(message), 'm', MESSAGE_BYTES);
    rpc_server_handle(server, "/bench/Echo", handle_echo, NULL);
    rpc_server_handle(server, "/bench/Flood", handle_flood, &message);
    rpc_server_handle(server, "/bench/Subscribe", handle_subscribe, NULL);
    rpc_server_handle(server, "/bench/Publish", handle_publish, NULL);
    if (!rpc_server_start(server, &error))
        bench_fail("start", error);
    for (;;)
        pause();
}

/* --- unary ------------------------------------------------------------------------------------------------------------*/

static GBytes *echo_request(guint64 i, gpointer data)
{
    (void)i;
    return g_bytes_ref(data);
}

static void unary(RpcChannel *channel, guint concurrency, double seconds, GBytes *request)
{
    BenchLoad load = {.channels = &channel,
                      .n_channels = 1,
                      .method = "/bench/Echo",
                      .request = echo_request,
                      .data = request,
                      .concurrency = concurrency,
                      .seconds = seconds};
    BenchResult result = bench_load(&load);
    printf("unary, 1 KB, %2u in flight, on the polling thread  %8.0f/s  p50 %5.0f us  p99 %6.0f us\n", concurrency,
           result.rate, result.p50_us, result.p99_us);
}

/* The same with the answers handed over to a loop. */
typedef struct {
    RpcChannel *channel;
    GBytes *request;
    gint64 until;
    guint64 calls;
    guint running;
} Loop;

static void loop_call(Loop *loop);

static void loop_called(GBytes *reply, const GError *error, gpointer data)
{
    (void)reply;
    if (error)
        bench_fail("Echo", error);
    Loop *loop = data;
    loop->calls++;
    loop_call(loop);
}

static void loop_call(Loop *loop)
{
    if (g_get_monotonic_time() >= loop->until) {
        loop->running--;
        return;
    }
    RpcCallOptions options = {.context = g_main_context_default()};
    rpc_unary(loop->channel, "/bench/Echo", loop->request, &options, loop_called, loop);
}

static void unary_in_loop(RpcChannel *channel, guint concurrency, double seconds, GBytes *request)
{
    gint64 start = g_get_monotonic_time();
    Loop loop = {channel, request, start + (gint64)(seconds * 1e6), 0, concurrency};
    for (guint i = 0; i < concurrency; i++)
        loop_call(&loop);
    while (loop.running > 0)
        g_main_context_iteration(NULL, TRUE);
    double took = (double)(g_get_monotonic_time() - start) / 1e6;
    printf("unary, 1 KB, %2u in flight, in a main loop         %8.0f/s\n", concurrency, (double)loop.calls / took);
}

/* --- streams ----------------------------------------------------------------------------------------------------------*/

static gint received; /* atomic */

static void stream_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream, (void)message, (void)data;
    g_atomic_int_inc(&received);
}

static void stream_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream, (void)error;
    g_atomic_int_set((gint *)data, 1);
}

static const RpcStreamHandlers stream_handlers = {stream_message, stream_end};

static void stream_rate(RpcChannel *channel, double seconds, GMainContext *context)
{
    gint ended = 0;
    RpcCallOptions options = {.context = context};
    g_atomic_int_set(&received, 0);
    double start = bench_seconds();
    RpcStream *stream = rpc_stream_open(channel, "/bench/Flood", NULL, TRUE, &options, &stream_handlers, &ended);
    while (bench_seconds() < start + seconds) {
        if (context)
            g_main_context_iteration(context, FALSE);
        else
            g_usleep(10000);
    }
    double rate = g_atomic_int_get(&received) / (bench_seconds() - start);
    printf("one server stream, 1 KB, %-25s %8.0f messages/s\n", context ? "in a main loop" : "on the polling thread",
           rate);
    rpc_stream_cancel(stream);
    while (!g_atomic_int_get(&ended))
        context ? (void)g_main_context_iteration(context, TRUE) : g_usleep(1000);
    rpc_stream_unref(stream);
}

static void fan_out(RpcChannel *channel, int server_pid, GBytes *message)
{
    static gint ended[STREAMS];
    long server_before = bench_rss_kib(server_pid), client_before = bench_rss_kib(getpid());
    for (int i = 0; i < STREAMS; i++)
        rpc_stream_unref(rpc_stream_open(channel, "/bench/Subscribe", NULL, TRUE, NULL, &stream_handlers, &ended[i]));
    g_autoptr(GArray) times = bench_sample();
    long server_after = 0, client_after = 0;
    for (int i = 0; i <= FAN_OUTS; i++) {
        g_atomic_int_set(&received, 0);
        double start = bench_seconds();
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/bench/Publish", message, NULL, &error);
        if (!reply)
            bench_fail("Publish", error);
        while (g_atomic_int_get(&received) < STREAMS)
            g_usleep(100);
        if (i > 0) /* the first round is the warm-up */
            bench_add(times, (bench_seconds() - start) * 1e3);
        server_after = bench_rss_kib(server_pid);
        client_after = bench_rss_kib(getpid());
    }
    printf("fan-out of 1 KB to %d streams on a connection    %8.1f ms (median of %d)\n", STREAMS,
           bench_quantile(times, 0.5), FAN_OUTS);
    printf("memory of a stream: server %.1f KiB, client %.1f KiB\n", (double)(server_after - server_before) / STREAMS,
           (double)(client_after - client_before) / STREAMS);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? g_ascii_strtod(argv[1], NULL) : 2;
    g_autofree char *folder = g_dir_make_tmp("cleat-bench-XXXXXX", NULL);
    g_autofree char *address = g_strdup_printf("unix:%s/s", folder);
    int pid = fork();
    if (pid == 0)
        serve(address);
    rpc_init(1);
    const char *addresses[] = {address, NULL};
    RpcChannelOptions options = {.addresses = addresses};
    RpcChannel *channel = rpc_channel_new(&options, NULL);
    g_autofree char *text = g_strnfill(MESSAGE_BYTES, 'r');
    g_autoptr(GBytes) request = g_bytes_new(text, MESSAGE_BYTES);
    g_bytes_unref(rpc_unary_sync(channel, "/bench/Echo", request, NULL, NULL)); /* it serves now */
    printf("idle server: RSS %ld KiB, PSS %ld KiB\n", bench_rss_kib(pid), bench_proc_kib(pid, "smaps_rollup", "Pss:"));
    for (guint concurrency = 1; concurrency <= 64; concurrency *= 64) {
        unary(channel, concurrency, seconds, request);
        unary_in_loop(channel, concurrency, seconds, request);
    }
    stream_rate(channel, seconds, NULL);
    stream_rate(channel, seconds, g_main_context_default());
    fan_out(channel, pid, request);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    rpc_channel_unref(channel);
    rpc_shutdown();
    g_autofree char *cleanup[] = {g_build_filename(folder, "s", NULL)};
    unlink(cleanup[0]);
    g_autofree char *lock = g_build_filename(folder, "s.lock", NULL);
    unlink(lock);
    rmdir(folder);
    return 0;
}
