/* Watchers: how long it takes until all of them have an event, and what they cost the server in memory.
 *   bench-watch CONFIG ETCD SERVER-PID [WATCHERS [EVENTS]]      default: 1000 watchers, 50 events
 * Once with all watchers on one connection and once on 100 connections. ETCD is only used to remove the pods afterwards. */
#include <unistd.h>

#include "bench-cluster.h"

#define POD_PREFIX "/registry/pods/bench/"

static gint received;  /* atomic; events */
static gint watching;  /* atomic; watchers that have had their first answer */
static gint ended;     /* atomic */
static gint cancelled; /* atomic; they may end */

typedef struct {
    RpcStream *stream;
    gboolean begun;
} Watcher;

static gboolean is_bookmark(GBytes *message)
{
    static const char bookmark[] = "\n\010BOOKMARK"; /* field 1, 8 bytes */
    return g_bytes_get_size(message) >= 10 && memcmp(g_bytes_get_data(message, NULL), bookmark, 10) == 0;
}

static void watch_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream;
    Watcher *watcher = data;
    if (!watcher->begun) {
        watcher->begun = TRUE;
        g_atomic_int_inc(&watching);
    }
    if (!is_bookmark(message))
        g_atomic_int_inc(&received);
}

static void watch_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream, (void)data;
    if (!g_atomic_int_get(&cancelled))
        bench_fail("a watch ended", error);
    g_atomic_int_inc(&ended);
}

static const RpcStreamHandlers watch_handlers = {watch_message, watch_end};

static void wait_until(gint *value, gint at_least)
{
    double start = bench_seconds();
    while (g_atomic_int_get(value) < at_least) {
        if (bench_seconds() - start > 60) {
            errno = ETIMEDOUT;
            bench_fail("waiting for all watchers", NULL);
        }
        g_usleep(100);
    }
}

static void create_pod(RpcChannel *channel, BenchPods *pods, guint64 i)
{
    g_autoptr(GBytes) request = bench_create_request(i, pods);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/cleat.v1.Pods/Create", request, NULL, &error);
    if (!reply)
        bench_fail("create", error);
}

/* A watch of all pods of the namespace that begins with what there is: so its first message says that it runs. */
static GBytes *watch_request(void)
{
    Cleat__V1__ListRequest request = CLEAT__V1__LIST_REQUEST__INIT;
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    api_set_scalar(&options, watch, 1);
    api_set_scalar(&options, sendinitialevents, 1);
    api_set_scalar(&options, allowwatchbookmarks, 1);
    options.resourceversionmatch = (char *)"NotOlderThan";
    request.namespace_ = (char *)BENCH_NAMESPACE;
    request.options = &options;
    return api_message_pack(&request.base);
}

static void measure(const char *config, RpcChannel *writer, BenchPods *pods, int server_pid, guint n, guint connections,
                    guint events)
{
    g_atomic_int_set(&received, 0);
    g_atomic_int_set(&watching, 0);
    g_atomic_int_set(&ended, 0);
    g_atomic_int_set(&cancelled, 0);
    pods->round++;
    BenchConnections all = bench_connect(config, connections);
    long before = bench_rss_kib(server_pid);
    g_autofree Watcher *watchers = g_new0(Watcher, n);
    g_autoptr(GBytes) request = watch_request();
    for (guint i = 0; i < n; i++)
        watchers[i].stream = rpc_stream_open(all.channels[i % connections], "/cleat.v1.Pods/Watch", request, TRUE, NULL,
                                             &watch_handlers, &watchers[i]);
    wait_until(&watching, (gint)n);
    g_atomic_int_set(&received, 0);
    long opened = bench_rss_kib(server_pid);
    g_autoptr(GArray) times = bench_sample();
    for (guint i = 0; i < events; i++) {
        double start = bench_seconds();
        create_pod(writer, pods, i);
        wait_until(&received, (gint)(n * (i + 1)));
        bench_add(times, (bench_seconds() - start) * 1e3);
    }
    long after = bench_rss_kib(server_pid);
    printf("%u watchers on %3u connections: all have an event %.1f ms after its create was sent (median; p99 %.1f)\n",
           n, connections, bench_quantile(times, 0.5), bench_quantile(times, 0.99));
    printf("  server: %.1f KiB per watcher once open, %.1f KiB after %u events (connections included)\n",
           (double)(opened - before) / n, (double)(after - before) / n, events);
    g_atomic_int_set(&cancelled, 1);
    for (guint i = 0; i < n; i++) {
        rpc_stream_cancel(watchers[i].stream);
        rpc_stream_unref(watchers[i].stream);
    }
    wait_until(&ended, (gint)n);
    bench_disconnect(&all);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s CONFIG ETCD SERVER-PID [WATCHERS [EVENTS]]\n", argv[0]);
        return 2;
    }
    int server_pid = atoi(argv[3]);
    guint n = argc > 4 ? (guint)atoi(argv[4]) : 1000, events = argc > 5 ? (guint)atoi(argv[5]) : 50;
    rpc_init(1);
    BenchConnections server = bench_connect(argv[1], 1);
    RpcChannel **etcd = bench_etcd_connect(argv[2], 1);
    bench_make_namespace(server.clients[0]);
    bench_etcd_clear(etcd[0], POD_PREFIX);
    BenchPods pods = bench_pods();
    measure(argv[1], server.channels[0], &pods, server_pid, n, 1, events);
    measure(argv[1], server.channels[0], &pods, server_pid, n, MIN(100, n), events);
    bench_etcd_clear(etcd[0], POD_PREFIX);
    bench_pods_done(&pods);
    bench_etcd_disconnect(etcd, 1);
    bench_disconnect(&server);
    rpc_shutdown();
    return 0;
}
