/* Creating and reading pods through the server, against the same transactions and reads on raw etcd, in turns.
 *   bench-create CONFIG ETCD SERVER-PID ETCD-PID [SECONDS [ROUNDS [CONNECTIONS]]]   default: 2 s, 5 rounds, 8 connections
 * CONFIG: a kubeconfig; ETCD: host:port, plaintext. The pods and keys that it makes are removed again. The processor times
 * per call say what a call costs also when the machine does other things. */
#include "bench-cluster.h"

#define RAW_PREFIX "/bench/pods/bench/"
#define POD_PREFIX "/registry/pods/bench/"
#define GETS 1000 /* pods that are read again and again */

typedef struct {
    const char *name;
    BenchLoad load;
    GArray *rates, *p50, *p99;                   /* of the rounds */
    double calls, server_cpu, etcd_cpu, own_cpu; /* seconds, in all rounds */
} Row;

static int server_pid, etcd_pid;

static Row row(const char *name, const BenchLoad *load)
{
    return (Row){.name = name, .load = *load, .rates = bench_sample(), .p50 = bench_sample(), .p99 = bench_sample()};
}

static void row_run(Row *self)
{
    double server_cpu = bench_cpu_seconds(server_pid), etcd_cpu = bench_cpu_seconds(etcd_pid);
    double own_cpu = bench_cpu_seconds(getpid());
    BenchResult result = bench_load(&self->load);
    self->calls += (double)result.calls;
    self->server_cpu += bench_cpu_seconds(server_pid) - server_cpu;
    self->etcd_cpu += bench_cpu_seconds(etcd_pid) - etcd_cpu;
    self->own_cpu += bench_cpu_seconds(getpid()) - own_cpu;
    bench_add(self->rates, result.rate);
    bench_add(self->p50, result.p50_us);
    bench_add(self->p99, result.p99_us);
    if (result.reply_bytes == 0)
        bench_fail(self->name, NULL);
}

static void row_print(const Row *self, const Row *anchor)
{
    guint n = self->rates->len;
    double rate = bench_quantile(self->rates, 0.5), p50 = bench_quantile(self->p50, 0.5);
    printf("%-16s %3u  %8.0f/s (%.0f-%.0f)  p50 %6.0f us  p99 %6.0f us", self->name, self->load.concurrency, rate,
           g_array_index(self->rates, double, 0), g_array_index(self->rates, double, n - 1), p50,
           bench_quantile(self->p99, 0.5));
    if (anchor)
        printf("  = %.2f of the rate, p50 %+.0f us", rate / bench_quantile(anchor->rates, 0.5),
               p50 - bench_quantile(anchor->p50, 0.5));
    double us = 1e6 / self->calls;
    printf("\n  processor time per call: client %.0f us, server %.0f us, etcd %.0f us\n", self->own_cpu * us,
           self->server_cpu * us, self->etcd_cpu * us);
    fflush(stdout);
}

static void row_done(Row *self)
{
    g_array_unref(self->rates);
    g_array_unref(self->p50);
    g_array_unref(self->p99);
}

/* Waits until the server has seen that the pods are gone. */
static void wait_empty(Client *client)
{
    ClientListOptions options = {.limit = 1};
    for (;;) {
        g_autoptr(GError) error = NULL;
        API_AUTO(ProtobufCMessage)
        list = client_list_sync(client, api_resource_by_descriptor(&core__v1__pod__descriptor), BENCH_NAMESPACE,
                                &options, &error);
        if (!list)
            bench_fail("list", error);
        if (((Core__V1__PodList *)list)->n_items == 0)
            return;
        g_usleep(20000);
    }
}

static void compare_creates(BenchConnections *server, RpcChannel **etcd, BenchPods *pods, BenchRaw *raw,
                            guint concurrency, double seconds, guint rounds)
{
    guint connections = MIN(concurrency, server->n);
    Row anchor = row("etcd txn", &(BenchLoad){.channels = etcd,
                                              .n_channels = connections,
                                              .method = "/etcdserverpb.KV/Txn",
                                              .request = bench_raw_request,
                                              .data = raw,
                                              .concurrency = concurrency,
                                              .seconds = seconds});
    Row creates = row("create", &(BenchLoad){.channels = server->channels,
                                             .n_channels = connections,
                                             .method = "/cleat.v1.Pods/Create",
                                             .request = bench_create_request,
                                             .data = pods,
                                             .concurrency = concurrency,
                                             .seconds = seconds});
    for (guint i = 0; i < rounds; i++) {
        pods->round++;
        Row *order[2] = {i % 2 ? &creates : &anchor, i % 2 ? &anchor : &creates};
        row_run(order[0]);
        row_run(order[1]);
        bench_etcd_clear(etcd[0], RAW_PREFIX);
        bench_etcd_clear(etcd[0], POD_PREFIX);
        wait_empty(server->clients[0]);
    }
    row_print(&anchor, NULL);
    row_print(&creates, &anchor);
    row_done(&anchor);
    row_done(&creates);
}

static GBytes *get_request(guint64 i, gpointer data)
{
    return bench_get_request(i % GETS, data);
}

static GBytes *raw_get_request(guint64 i, gpointer data)
{
    return bench_raw_get_request(i % GETS, data);
}

static void compare_gets(BenchConnections *server, RpcChannel **etcd, BenchPods *pods, BenchRaw *raw, guint concurrency,
                         double seconds, guint rounds)
{
    guint connections = MIN(concurrency, server->n);
    Row anchor = row("etcd range", &(BenchLoad){.channels = etcd,
                                                .n_channels = connections,
                                                .method = "/etcdserverpb.KV/Range",
                                                .request = raw_get_request,
                                                .data = raw,
                                                .concurrency = concurrency,
                                                .seconds = seconds});
    Row gets = row("get", &(BenchLoad){.channels = server->channels,
                                       .n_channels = connections,
                                       .method = "/cleat.v1.Pods/Get",
                                       .request = get_request,
                                       .data = pods,
                                       .concurrency = concurrency,
                                       .seconds = seconds});
    for (guint i = 0; i < rounds; i++) {
        row_run(&anchor);
        row_run(&gets);
    }
    row_print(&anchor, NULL);
    row_print(&gets, &anchor);
    row_done(&anchor);
    row_done(&gets);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s CONFIG ETCD SERVER-PID ETCD-PID [SECONDS [ROUNDS [CONNECTIONS]]]\n", argv[0]);
        return 2;
    }
    server_pid = atoi(argv[3]);
    etcd_pid = atoi(argv[4]);
    double seconds = argc > 5 ? g_ascii_strtod(argv[5], NULL) : 2;
    guint rounds = argc > 6 ? (guint)atoi(argv[6]) : 5, connections = argc > 7 ? (guint)atoi(argv[7]) : 8;
    rpc_init(1);
    BenchConnections server = bench_connect(argv[1], connections);
    RpcChannel **etcd = bench_etcd_connect(argv[2], connections);
    bench_make_namespace(server.clients[0]);
    bench_etcd_clear(etcd[0], POD_PREFIX);
    wait_empty(server.clients[0]);

    BenchPods pods = bench_pods();
    BenchLoad fill = {.channels = server.channels,
                      .n_channels = connections,
                      .method = "/cleat.v1.Pods/Create",
                      .request = bench_create_request,
                      .data = &pods,
                      .concurrency = 16,
                      .max = GETS};
    bench_load(&fill);
    g_autofree char *name = bench_pod_name(&pods, 0);
    g_autofree char *key = g_strconcat(POD_PREFIX, name, NULL);
    BenchRaw raw = {&pods, (char *)POD_PREFIX, bench_etcd_value(etcd[0], key)};
    printf("a pod is stored in %zu bytes; medians of %u rounds of %.1f s (lowest-highest), %u connections\n",
           g_bytes_get_size(raw.value), rounds, seconds, connections);
    for (guint concurrency = 1; concurrency <= 64; concurrency *= 64)
        compare_gets(&server, etcd, &pods, &raw, concurrency, seconds, rounds);
    raw.prefix = (char *)RAW_PREFIX;
    for (guint concurrency = 1; concurrency <= 64; concurrency *= 64)
        compare_creates(&server, etcd, &pods, &raw, concurrency, seconds, rounds);
    bench_pods_done(&pods);
    g_bytes_unref(raw.value);
    bench_etcd_disconnect(etcd, connections);
    bench_disconnect(&server);
    rpc_shutdown();
    return 0;
}
