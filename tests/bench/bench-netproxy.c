/* What services cost the kernel, with 10 000 services of 10 endpoints (or as many as the arguments say): writing the whole
 * table, one endpoint more or less, one endpoint replaced, and the first packet of a connection with few and with many
 * services. In a network namespace of its own; needs root.
 *
 *   bench-netproxy [SERVICES [ENDPOINTS]] */
#include <stdio.h>

#include "netproxy/nft/ruleset.h"
#include "netproxy/nft/socket.h"
#include "tests/unit/netproxy/lab.h"
#include "tests/unit/netproxy/objects.h"

enum { ROUNDS = 200, CONNECTS = 3000 };

typedef struct {
    Lab lab;
    NftSocket *nft;
    Model *model;
    Table *table;
    GHashTable *classes;
    guint endpoints;
} Bench;

static double now_ms(void)
{
    return (double)g_get_monotonic_time() / 1000;
}

static void commit(Bench *bench, NftBatch *batch)
{
    g_autoptr(GError) error = NULL;
    if (!nft_socket_commit(bench->nft, batch, &error))
        g_error("%s", error->message);
}

/* Endpoints first..first+n-1 of a service. */
static void set_endpoints(Bench *bench, guint service, guint first, guint n)
{
    g_autoptr(GString) list = g_string_new(NULL);
    g_autofree char *name = g_strdup_printf("s%u", service), *slice = g_strdup_printf("s%u-1", service);
    for (guint i = first; i < first + n; i++)
        g_string_append_printf(list, "%s10.%u.%u.%u", i > first ? "," : "", 128 + i, service / 256, service % 256);
    object_set_slice(bench->model, slice, name, "http:TCP:8080", list->str);
}

static void load(Bench *bench, guint services)
{
    for (guint i = 0; i < services; i++) {
        g_autofree char *name = g_strdup_printf("s%u", i), *address = g_strdup_printf("10.96.%u.%u", i / 256, i % 256);
        object_set_service(bench->model, name, address, "http:TCP:80");
        set_endpoints(bench, i, 0, bench->endpoints);
    }
    changes_free(object_update(bench->model, bench->table));
}

static void replace(Bench *bench, guint services)
{
    NftSettings settings = {0};
    double began = now_ms();
    g_autoptr(NftBatch) batch = nft_socket_batch(bench->nft);
    g_hash_table_remove_all(bench->classes);
    nft_ruleset_build(batch, &settings);
    table_write(bench->table, batch, bench->classes);
    commit(bench, batch);
    printf("%6u services x %u endpoints: table written in %.0f ms, %u messages\n", services, bench->endpoints,
           now_ms() - began, nft_batch_messages(batch));
}

static int compare_doubles(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return difference < 0 ? -1 : difference > 0;
}

/* Changes services one at a time and prints what a change takes, from the object to the kernel's answer. */
static void change(Bench *bench, const char *what, guint services, guint first, guint n)
{
    double took[ROUNDS];
    guint messages = 0;
    for (guint i = 0; i < ROUNDS; i++) {
        guint service = i * (services / ROUNDS);
        double began = now_ms();
        set_endpoints(bench, service, first, n);
        g_autoptr(Changes) changes = object_update(bench->model, bench->table);
        g_autoptr(NftBatch) batch = nft_socket_batch(bench->nft);
        changes_write(changes, batch, bench->classes);
        commit(bench, batch);
        took[i] = now_ms() - began;
        messages = nft_batch_messages(batch);
    }
    qsort(took, ROUNDS, sizeof *took, compare_doubles);
    printf("%6u services: %s: p50 %.3f ms, p99 %.3f ms, %u messages\n", services, what, took[ROUNDS / 2],
           took[ROUNDS * 99 / 100], messages);
}

/* Connects from one namespace through this one to another: the time of a connect(), which is mostly that of its first packet. */
static void first_packet(Bench *bench, guint services)
{
    double took[CONNECTS];
    int client = lab_namespace(), server = lab_namespace();
    lab_join(bench->lab.node, "client", client, "eth0");
    lab_join(bench->lab.node, "server", server, "eth0");
    lab_run(bench->lab.node, "ip addr add 198.51.100.1/24 dev client && ip addr add 203.0.113.1/24 dev server && "
                             "ip route add 10.128.0.0/9 via 203.0.113.2");
    lab_run(client, "ip addr add 198.51.100.2/24 dev eth0 && ip route add default via 198.51.100.1");
    lab_run(server, "ip addr add 203.0.113.2/24 dev eth0 && ip route add default via 203.0.113.1 && "
                    "ip route add local 10.128.0.0/9 dev lo");
    int listener = lab_listen(server, SOCK_STREAM, 8080);
    g_assert_cmpint(listen(listener, 4096), ==, 0);
    for (guint i = 0; i < CONNECTS; i++) {
        guint service = services - 1 - i % MIN(services, 100);
        g_autofree char *address = g_strdup_printf("10.96.%u.%u", service / 256, service % 256);
        double began = now_ms();
        int out = lab_connect(client, address, 80, LAB_TIMEOUT_MS);
        took[i] = now_ms() - began;
        g_assert_cmpint(out, >=, 0);
        close(lab_accept(listener, NULL));
        close(out);
    }
    qsort(took, CONNECTS, sizeof *took, compare_doubles);
    printf("%6u services: connect: p10 %.1f us, p50 %.1f us\n", services, took[CONNECTS / 10] * 1000,
           took[CONNECTS / 2] * 1000);
    close(listener);
    close(client);
    close(server);
}

static void run(guint services, guint endpoints)
{
    Bench bench = {.model = model_new("here"), .table = table_new(), .classes = g_hash_table_new(NULL, NULL)};
    g_autoptr(GError) error = NULL;
    lab_init(&bench.lab);
    bench.endpoints = endpoints;
    bench.nft = nft_socket_new(&error);
    if (!bench.nft)
        g_error("%s", error->message);
    load(&bench, services);
    replace(&bench, services);
    first_packet(&bench, services);
    if (services >= ROUNDS) {
        change(&bench, "one endpoint more", services, 0, endpoints + 1);
        change(&bench, "one endpoint less", services, 0, endpoints);
        change(&bench, "all endpoints but one replaced", services, endpoints - 1, endpoints);
    }
    nft_socket_free(bench.nft);
    model_free(bench.model);
    table_free(bench.table);
    g_hash_table_unref(bench.classes);
    lab_done(&bench.lab);
}

int main(int argc, char **argv)
{
    guint services = argc > 1 ? (guint)atoi(argv[1]) : 10000, endpoints = argc > 2 ? (guint)atoi(argv[2]) : 10;
    if (services < 1 || services > 16384 || endpoints < 1 || endpoints > 60) {
        fprintf(stderr, "usage: bench-netproxy [SERVICES (1-16384) [ENDPOINTS (1-60)]]\n");
        return 2;
    }
    run(10, endpoints);
    run(services, endpoints);
    return 0;
}
