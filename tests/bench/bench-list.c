/* Listing 10 000 pods: how long it takes, against the same bytes from memory and through the bare RPC layer, and what it
 * costs the server in memory.
 *   bench-list CONFIG ETCD SERVER-PID [PODS [LISTS]]      default: 10000 pods, 20 lists
 * ETCD is only used to remove the pods afterwards. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench-cluster.h"
#include "lib/rpc/server.h"

#define POD_PREFIX "/registry/pods/bench/"
#define ANCHOR_METHOD "/bench/Bytes"

/* The anchor: a server that answers with a buffer of as many bytes, on plaintext. */
static void handle_bytes(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request;
    rpc_server_call_reply(call, data);
}

static G_NORETURN void serve_bytes(const char *address, int sizes)
{
    gsize size;
    if (read(sizes, &size, sizeof size) != sizeof size)
        exit(0);
    g_autofree char *data = g_strnfill(size, 'b');
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    rpc_init(1);
    RpcServer *server = rpc_server_new(NULL);
    g_autoptr(GError) error = NULL;
    if (!rpc_server_listen(server, address, NULL, NULL, &error))
        bench_fail("listen", error);
    rpc_server_handle(server, ANCHOR_METHOD, handle_bytes, bytes);
    rpc_server_start(server, &error);
    for (;;)
        pause();
}

/* How long a call takes, in ms: the median of n. *ret_size: of the answer. */
static double time_calls(RpcChannel *channel, const char *method, GBytes *request, int n, gsize *ret_size)
{
    g_autoptr(GArray) times = bench_sample();
    for (int i = 0; i <= n; i++) {
        g_autoptr(GError) error = NULL;
        double start = bench_seconds();
        g_autoptr(GBytes) reply = rpc_unary_sync(channel, method, request, NULL, &error);
        if (!reply)
            bench_fail(method, error);
        if (i > 0) /* the first is the warm-up */
            bench_add(times, (bench_seconds() - start) * 1e3);
        *ret_size = g_bytes_get_size(reply);
    }
    return bench_quantile(times, 0.5);
}

static double time_memcpy(gsize size, int n)
{
    g_autofree char *from = g_strnfill(size, 'f'), *to = g_strnfill(size, 't');
    g_autoptr(GArray) times = bench_sample();
    for (int i = 0; i < n; i++) {
        double start = bench_seconds();
        memcpy(to, from, size);
        __asm__ volatile("" : : "r"(to) : "memory");
        bench_add(times, (bench_seconds() - start) * 1e3);
    }
    return bench_quantile(times, 0.5);
}

static GBytes *list_request(const char *resource_version)
{
    Cleat__V1__ListRequest request = CLEAT__V1__LIST_REQUEST__INIT;
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.resourceversion = (char *)resource_version;
    request.namespace_ = (char *)BENCH_NAMESPACE;
    request.options = &options;
    return api_message_pack(&request.base);
}

static RpcChannel *big_channel(const char *const *addresses, const RpcClientCredentials *credentials, const char *name)
{
    RpcChannelOptions options = {.addresses = addresses,
                                 .credentials = credentials,
                                 .server_name = name,
                                 .max_message_bytes = 256 * 1024 * 1024};
    g_autoptr(GError) error = NULL;
    RpcChannel *channel = rpc_channel_new(&options, &error);
    if (!channel)
        bench_fail("connection", error);
    return channel;
}

static RpcChannel *server_channel(const char *config_file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ClientConfig) config = client_config_load(config_file, NULL, &error);
    if (!config)
        bench_fail("configuration", error);
    g_autoptr(RpcClientCredentials) credentials = NULL;
    if (config->ca)
        credentials = rpc_client_credentials_new(config->ca, config->cert, config->key, &error);
    return big_channel((const char *const *)config->addresses, credentials, config->server_name);
}

static void print_time(const char *what, double ms, gsize size)
{
    printf("%-44s %8.1f ms  %6.0f MB/s\n", what, ms, (double)size / ms / 1e3);
}

static void measure(RpcChannel *channel, int server_pid, int n, int sizes, const char *anchor_address)
{
    g_autoptr(GBytes) consistent = list_request(NULL), any = list_request("0");
    gsize size;
    long before = bench_rss_kib(server_pid);
    bench_reset_peak(server_pid);
    double consistent_ms = time_calls(channel, "/cleat.v1.Pods/List", consistent, n, &size);
    double any_ms = time_calls(channel, "/cleat.v1.Pods/List", any, n, &size);
    long peak = bench_peak_kib(server_pid), after = bench_rss_kib(server_pid);
    if (write(sizes, &size, sizeof size) != sizeof size)
        bench_fail("anchor", NULL);
    const char *anchor_addresses[] = {anchor_address, NULL};
    RpcChannel *anchor = big_channel(anchor_addresses, NULL, NULL);
    gsize anchor_size;
    double anchor_ms = time_calls(anchor, ANCHOR_METHOD, any, n, &anchor_size);
    printf("a list has %.1f MB; medians of %d\n", (double)size / 1e6, n);
    print_time("list, consistent", consistent_ms, size);
    print_time("list, any revision", any_ms, size);
    print_time("anchor: one buffer, plaintext on a unix socket", anchor_ms, anchor_size);
    print_time("anchor: memcpy", time_memcpy(size, n), size);
    printf("server: RSS %ld KiB before, %ld KiB after, %ld KiB at the highest while it listed: %+ld KiB\n", before,
           after, peak, peak - before);
    rpc_channel_unref(anchor);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s CONFIG ETCD SERVER-PID [PODS [LISTS]]\n", argv[0]);
        return 2;
    }
    int server_pid = atoi(argv[3]), n = argc > 5 ? atoi(argv[5]) : 20;
    guint64 count = argc > 4 ? (guint64)atoi(argv[4]) : 10000;
    g_autofree char *folder = g_dir_make_tmp("cleat-bench-XXXXXX", NULL);
    g_autofree char *anchor_address = g_strdup_printf("unix:%s/s", folder);
    int sizes[2];
    if (pipe(sizes) < 0)
        bench_fail("pipe", NULL);
    int pid = fork();
    if (pid == 0)
        serve_bytes(anchor_address, sizes[0]);

    rpc_init(1);
    BenchConnections server = bench_connect(argv[1], 8);
    RpcChannel **etcd = bench_etcd_connect(argv[2], 1);
    bench_make_namespace(server.clients[0]);
    printf("server: RSS %ld KiB without pods\n", bench_rss_kib(server_pid));
    BenchPods pods = bench_pods();
    BenchLoad fill = {.channels = server.channels,
                      .n_channels = server.n,
                      .method = "/cleat.v1.Pods/Create",
                      .request = bench_create_request,
                      .data = &pods,
                      .concurrency = 64,
                      .max = count};
    BenchResult filled = bench_load(&fill);
    printf("%" G_GUINT64_FORMAT " pods created in %.1f s\n", filled.calls, filled.seconds);
    g_autofree char *name = bench_pod_name(&pods, 0);
    g_autofree char *key = g_strconcat(POD_PREFIX, name, NULL);
    g_autoptr(GBytes) stored = bench_etcd_value(etcd[0], key);
    printf("a pod is stored in %zu bytes, all in %.1f MiB\n", g_bytes_get_size(stored),
           (double)g_bytes_get_size(stored) * (double)count / 1048576);
    RpcChannel *channel = server_channel(argv[1]);
    measure(channel, server_pid, n, sizes[1], anchor_address);

    rpc_channel_unref(channel);
    bench_etcd_clear(etcd[0], POD_PREFIX);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    g_autofree char *socket = g_build_filename(folder, "s", NULL), *lock = g_build_filename(folder, "s.lock", NULL);
    unlink(socket);
    unlink(lock);
    rmdir(folder);
    bench_pods_done(&pods);
    bench_etcd_disconnect(etcd, 1);
    bench_disconnect(&server);
    rpc_shutdown();
    return 0;
}
