#include "netproxy/netproxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "netproxy/cni.h"
#include "netproxy/conntrack.h"
#include "netproxy/nft/monitor.h"
#include "netproxy/nft/socket.h"
#include "netproxy/route.h"
#include "netproxy/sysctl.h"
#include "netproxy/table.h"

enum {
    COALESCE_MS = 5,
    ROUTES_MS = 100, /* an interface that comes up makes several events */
    CALM_S = 10,     /* after so long without a foreign change the next one is repaired at once again */
    DEFAULT_MTU = 1500,
};

/* What is to be done. */
typedef enum {
    WORK_SERVICES = 1 << 0, /* bring single elements up to date */
    WORK_REPLACE = 1 << 1,  /* write the whole table */
    WORK_ROUTES = 1 << 2,
    WORK_CNI = 1 << 3,
} Work;

typedef struct {
    NftNetwork pods;
    guint32 address; /* network order; 0: unknown */
} NodeInfo;

struct Netproxy {
    char *node_name;
    char *cni_conf_dir;
    char *cni_data_dir;
    guint mtu;

    Model *model;
    Table *table;
    GHashTable *classes; /* counts whose chains the kernel has, as in changes.h */
    NftSettings settings;
    GHashTable *nodes; /* name -> NodeInfo */

    NftSocket *nft;
    NftMonitor *monitor;
    Routes *routes;

    gboolean synced;
    gboolean in_force; /* the table has been written */
    Work pending;
    guint timer;
    gint64 timer_due;
    gint64 replace_not_before;
    gint64 last_foreign_change;
    Backoff failing;   /* replacements */
    Backoff repairing; /* after foreign changes */
    Backoff routes_failing;
    char *routes_failure; /* the last message logged, to log each but once */
    NetproxyCounters counters;
};

static gboolean work(gpointer data);

/* --- when to work -----------------------------------------------------------------------------------------------------*/

static void schedule(Netproxy *netproxy, Work what, guint delay_ms)
{
    gint64 due = g_get_monotonic_time() + (gint64)delay_ms * 1000;
    netproxy->pending |= what;
    if (!netproxy->synced || (netproxy->timer && netproxy->timer_due <= due))
        return;
    if (netproxy->timer)
        g_source_remove(netproxy->timer);
    netproxy->timer_due = due;
    netproxy->timer = g_timeout_add(delay_ms, work, netproxy);
}

static void replace_after(Netproxy *netproxy, guint delay_ms)
{
    netproxy->replace_not_before = g_get_monotonic_time() + (gint64)delay_ms * 1000;
    schedule(netproxy, WORK_REPLACE, delay_ms);
}

static void foreign_change(const char *who, gpointer data)
{
    Netproxy *netproxy = data;
    gint64 now = g_get_monotonic_time();
    if (!netproxy->in_force || netproxy->pending & WORK_REPLACE)
        return;
    if (now - netproxy->last_foreign_change > CALM_S * G_USEC_PER_SEC)
        backoff_reset(&netproxy->repairing);
    netproxy->last_foreign_change = now;
    guint delay = backoff_next(&netproxy->repairing);
    log_warning("table %s was changed by %s: writing it anew in %u ms", NFT_TABLE_NAME, who, delay);
    replace_after(netproxy, delay);
}

static void routes_changed(gpointer data)
{
    schedule(data, WORK_ROUTES, ROUTES_MS);
}

/* --- lifecycle --------------------------------------------------------------------------------------------------------*/

/* Packets between pods pass through this node, and those that a bridge passes on are shown to netfilter; where that cannot be
 * had, local pods are masqueraded towards each other. */
static void prepare_kernel(Netproxy *netproxy)
{
    g_autoptr(GError) forward = NULL, bridge = NULL;
    if (!sysctl_write("net/ipv4/ip_forward", "1", &forward))
        log_warning("%s. Pods will not reach other nodes", forward->message);
    netproxy->settings.masquerade_bridged = !sysctl_write("net/bridge/bridge-nf-call-iptables", "1", &bridge);
    if (bridge)
        log_info("%s. Pods of this node see each other with the node's address when they meet through a service",
                 bridge->message);
}

Netproxy *netproxy_new(const NetproxyOptions *options, GError **error)
{
    g_autoptr(Netproxy) netproxy = g_new0(Netproxy, 1);
    netproxy->node_name = g_strdup(options->node_name);
    netproxy->cni_conf_dir = g_strdup(options->cni_conf_dir);
    netproxy->cni_data_dir = g_strdup(options->cni_data_dir);
    netproxy->mtu = options->mtu;
    netproxy->settings.cluster = options->cluster;
    netproxy->settings.services = options->services;
    netproxy->model = model_new(options->node_name);
    netproxy->table = table_new();
    netproxy->classes = g_hash_table_new(NULL, NULL);
    netproxy->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    netproxy->failing = (Backoff){.first_ms = 100, .max_ms = 10000};
    netproxy->repairing = (Backoff){.first_ms = 20, .max_ms = 5000};
    netproxy->routes_failing = (Backoff){.first_ms = 1000, .max_ms = 30000};
    netproxy->pending = WORK_REPLACE | WORK_ROUTES | WORK_CNI;
    netproxy->nft = nft_socket_new(error);
    if (!netproxy->nft)
        return NULL;
    netproxy->monitor = nft_monitor_new(nft_socket_port(netproxy->nft), foreign_change, netproxy, error);
    netproxy->routes = netproxy->monitor ? routes_new(routes_changed, netproxy, error) : NULL;
    if (!netproxy->routes)
        return NULL;
    prepare_kernel(netproxy);
    return g_steal_pointer(&netproxy);
}

void netproxy_free(Netproxy *netproxy)
{
    if (!netproxy)
        return;
    if (netproxy->timer)
        g_source_remove(netproxy->timer);
    routes_free(netproxy->routes);
    nft_monitor_free(netproxy->monitor);
    nft_socket_free(netproxy->nft);
    g_hash_table_unref(netproxy->nodes);
    g_hash_table_unref(netproxy->classes);
    table_free(netproxy->table);
    model_free(netproxy->model);
    g_free(netproxy->routes_failure);
    g_free(netproxy->cni_conf_dir);
    g_free(netproxy->cni_data_dir);
    g_free(netproxy->node_name);
    g_free(netproxy);
}

const NetproxyCounters *netproxy_counters(const Netproxy *netproxy)
{
    return &netproxy->counters;
}

/* --- objects in -------------------------------------------------------------------------------------------------------*/

static void services_changed(Netproxy *netproxy)
{
    if (model_has_changed(netproxy->model))
        schedule(netproxy, WORK_SERVICES, COALESCE_MS);
}

void netproxy_service_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    if (now)
        model_set_service(netproxy->model, (const Core__V1__Service *)now);
    else
        model_remove_service(netproxy->model, api_object_namespace(old), api_object_name(old));
    services_changed(netproxy);
}

void netproxy_slice_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    if (now)
        model_set_slice(netproxy->model, (const Discovery__V1__EndpointSlice *)now);
    else
        model_remove_slice(netproxy->model, api_object_namespace(old), api_object_name(old));
    services_changed(netproxy);
}

static NodeInfo node_info(const Core__V1__Node *node)
{
    NodeInfo info = {0};
    const Core__V1__NodeSpec *spec = node->spec;
    if (spec && spec->podcidr)
        (void)nft_network_parse(spec->podcidr, &info.pods); /* IPv6, or none yet: no route */
    for (size_t i = 0; node->status && i < node->status->n_addresses && !info.address; i++) {
        const Core__V1__NodeAddress *one = node->status->addresses[i];
        if (api_str_equal(one->type, "InternalIP"))
            (void)inet_pton(AF_INET, api_str(one->address), &info.address);
    }
    return info;
}

/* Nodes change all the time, but hardly ever in what matters here. */
void netproxy_node_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    const char *name = api_object_name(now ? now : old);
    NodeInfo info = now ? node_info((const Core__V1__Node *)now) : (NodeInfo){0};
    const NodeInfo *before = g_hash_table_lookup(netproxy->nodes, name);
    if (before && now && memcmp(before, &info, sizeof info) == 0)
        return;
    if (now)
        g_hash_table_replace(netproxy->nodes, g_strdup(name), g_memdup2(&info, sizeof info));
    else
        g_hash_table_remove(netproxy->nodes, name);
    if (now && g_str_equal(name, netproxy->node_name)) {
        netproxy->settings.pods = info.pods;
        schedule(netproxy, netproxy->settings.masquerade_bridged ? WORK_CNI | WORK_REPLACE : WORK_CNI, COALESCE_MS);
    }
    schedule(netproxy, WORK_ROUTES, COALESCE_MS);
}

void netproxy_set_synced(Netproxy *netproxy)
{
    netproxy->synced = TRUE;
    schedule(netproxy, netproxy->pending, 0);
}

/* --- services ---------------------------------------------------------------------------------------------------------*/

/* Moves the table to what the model says; the kernel follows. */
static void table_update(Netproxy *netproxy, Changes *changes)
{
    g_autoptr(GPtrArray) keys = model_take_changed(netproxy->model);
    for (guint i = 0; i < keys->len; i++) {
        g_autoptr(GPtrArray) ports = model_ports(netproxy->model, keys->pdata[i]);
        table_set_service(netproxy->table, keys->pdata[i], ports, changes);
    }
}

typedef struct {
    const Netproxy *netproxy;
    GHashTable *flows; /* set of NftFrontend: those that changed */
} Stale;

/* A flow to a service that is not answered by one of its endpoints: its endpoint went, or it began when there was none, or
 * no service. */
static gboolean flow_is_stale(const NftFrontend *sent_to, const NftDest *answered_by, gpointer data)
{
    const Stale *stale = data;
    gboolean served;
    if (table_find(stale->netproxy->table, sent_to, answered_by, &served))
        return !served;
    return g_hash_table_contains(stale->flows, sent_to) ||
           nft_network_contains(&stale->netproxy->settings.services, sent_to->address);
}

static void forget_flows(Netproxy *netproxy, GHashTable *flows, guint32 only_address)
{
    g_autoptr(GError) error = NULL;
    Stale stale = {netproxy, flows};
    guint removed = 0;
    if (!conntrack_remove_stale(only_address, flow_is_stale, &stale, &removed, &error))
        log_warning("%s. Some clients may send datagrams to endpoints that are gone, until they pause", error->message);
    else if (removed)
        log_debug("forgot %u flows of datagrams", removed);
    netproxy->counters.flows += removed;
}

/* The one address that all these frontends have, or 0. */
static guint32 common_address(GHashTable *flows)
{
    GHashTableIter iter;
    gpointer frontend;
    guint32 address = 0;
    g_hash_table_iter_init(&iter, flows);
    while (g_hash_table_iter_next(&iter, &frontend, NULL)) {
        guint32 one = ((const NftFrontend *)frontend)->address;
        if (address && address != one)
            return 0;
        address = one;
    }
    return address;
}

static gboolean commit(Netproxy *netproxy, NftBatch *batch, const char *what)
{
    g_autoptr(GError) error = NULL;
    gint64 began = g_get_monotonic_time();
    netproxy->counters.last_messages = nft_batch_messages(batch);
    if (!nft_socket_commit(netproxy->nft, batch, &error)) {
        netproxy->counters.failures++;
        log_error("%s: %s", what, error->message);
        return FALSE;
    }
    log_debug("%s: %u messages in %.2f ms", what, nft_batch_messages(batch),
              (double)(g_get_monotonic_time() - began) / 1000);
    return TRUE;
}

/* Writes the whole table in one transaction: whatever was there, connections go on. */
static void work_replace(Netproxy *netproxy)
{
    g_autoptr(Changes) changes = changes_new();
    g_autoptr(NftBatch) batch = nft_socket_batch(netproxy->nft);
    table_update(netproxy, changes);
    g_hash_table_remove_all(netproxy->classes);
    nft_ruleset_build(batch, &netproxy->settings);
    table_write(netproxy->table, batch, netproxy->classes);
    if (!commit(netproxy, batch, "writing the table anew")) {
        replace_after(netproxy, backoff_next(&netproxy->failing));
        return;
    }
    backoff_reset(&netproxy->failing);
    netproxy->in_force = TRUE;
    netproxy->counters.replacements++;
    log_info("table %s: %u service ports", NFT_TABLE_NAME, table_n_ports(netproxy->table));
    forget_flows(netproxy, changes_flows(changes), 0);
}

static void work_services(Netproxy *netproxy)
{
    g_autoptr(Changes) changes = changes_new();
    g_autoptr(NftBatch) batch = nft_socket_batch(netproxy->nft);
    table_update(netproxy, changes);
    if (changes_is_empty(changes))
        return;
    changes_write(changes, batch, netproxy->classes);
    if (!commit(netproxy, batch, "changing services")) {
        replace_after(netproxy, 0); /* the kernel does not hold what we thought it did */
        return;
    }
    netproxy->counters.transactions++;
    if (g_hash_table_size(changes_flows(changes)))
        forget_flows(netproxy, changes_flows(changes), common_address(changes_flows(changes)));
}

/* --- routes and CNI ---------------------------------------------------------------------------------------------------*/

static GArray *wanted_routes(const Netproxy *netproxy)
{
    GArray *routes = g_array_new(FALSE, FALSE, sizeof(Route));
    const NodeInfo *own = g_hash_table_lookup(netproxy->nodes, netproxy->node_name);
    GHashTableIter iter;
    gpointer name, info;
    if (own && own->address && netproxy->settings.services.length) {
        Route route = {.network = netproxy->settings.services, .source = own->address};
        g_array_append_val(routes, route);
    }
    g_hash_table_iter_init(&iter, netproxy->nodes);
    while (g_hash_table_iter_next(&iter, &name, &info)) {
        const NodeInfo *node = info;
        Route route = {.network = node->pods, .gateway = node->address};
        gboolean ours =
            own && memcmp(&own->pods, &node->pods, sizeof own->pods) == 0; /* never over the bridge's own route */
        if (node->address && node->pods.length && !ours && !g_str_equal(name, netproxy->node_name))
            g_array_append_val(routes, route);
    }
    return routes;
}

static void work_routes(Netproxy *netproxy)
{
    g_autoptr(GArray) routes = wanted_routes(netproxy);
    g_autoptr(GError) error = NULL;
    guint changes = 0;
    gboolean done = routes_set(netproxy->routes, routes, &changes, &error);
    if (changes)
        log_info("%u routes changed, %u are wanted", changes, routes->len);
    if (done) {
        backoff_reset(&netproxy->routes_failing);
    } else {
        if (g_strcmp0(netproxy->routes_failure, error->message) != 0)
            log_warning("%s", error->message);
        schedule(netproxy, WORK_ROUTES, backoff_next(&netproxy->routes_failing));
    }
    g_free(netproxy->routes_failure);
    netproxy->routes_failure = done ? NULL : g_strdup(error->message);
}

/* Only once services and routes are in force: with the file there the runtime starts pods. */
static void work_cni(Netproxy *netproxy)
{
    g_autoptr(GError) error = NULL;
    const NodeInfo *own = g_hash_table_lookup(netproxy->nodes, netproxy->node_name);
    CniOptions options = {.conf_dir = netproxy->cni_conf_dir,
                          .data_dir = netproxy->cni_data_dir,
                          .pods = netproxy->settings.pods,
                          .mtu = netproxy->mtu};
    gboolean changed;
    if (!options.conf_dir || !options.pods.length)
        return;
    if (!options.mtu && (!own || !routes_mtu_of_address(netproxy->routes, own->address, &options.mtu)))
        options.mtu = DEFAULT_MTU;
    if (!cni_write(&options, &changed, &error)) {
        log_error("%s", error->message);
        schedule(netproxy, WORK_CNI, 1000);
    } else if (changed) {
        g_autofree char *pods = nft_network_to_string(&options.pods);
        log_info("CNI configuration written to %s: pods get addresses of %s", options.conf_dir, pods);
    }
}

/* --- the work ---------------------------------------------------------------------------------------------------------*/

static gboolean work(gpointer data)
{
    Netproxy *netproxy = data;
    Work what = netproxy->pending;
    gint64 wait_us = netproxy->replace_not_before - g_get_monotonic_time();
    netproxy->timer = 0;
    netproxy->pending = 0;
    if (what & WORK_REPLACE && wait_us > 0) /* not yet; what changes meanwhile goes into the model */
        schedule(netproxy, WORK_REPLACE, (guint)(wait_us / 1000 + 1));
    else if (what & WORK_REPLACE)
        work_replace(netproxy);
    else if (what & WORK_SERVICES)
        work_services(netproxy);
    if (what & WORK_ROUTES)
        work_routes(netproxy);
    if (what & WORK_CNI && netproxy->in_force)
        work_cni(netproxy);
    else if (what & WORK_CNI)
        netproxy->pending |= WORK_CNI; /* with the next try */
    return G_SOURCE_REMOVE;
}

/* --- clean-up ---------------------------------------------------------------------------------------------------------*/

static void no_change(gpointer data)
{
    (void)data;
}

gboolean netproxy_clean_up(const char *cni_conf_dir, GError **error)
{
    if (cni_conf_dir && !cni_remove(cni_conf_dir, error))
        return FALSE;
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(Route));
    g_autoptr(Routes) routes = routes_new(no_change, NULL, error);
    if (!routes || !routes_set(routes, none, NULL, error))
        return FALSE;
    g_autoptr(NftSocket) nft = nft_socket_new(error);
    if (!nft)
        return FALSE;
    g_autoptr(NftBatch) batch = nft_socket_batch(nft);
    nft_batch_add_table(batch);
    nft_batch_delete_table(batch);
    return nft_socket_commit(nft, batch, error);
}
