#include "netproxy/watch.h"

#include "client/cache.h"
#include "lib/base/log.h"

enum { CHECK_S = 5 };

typedef void (*ChangedFunc)(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now);

/* What is watched, and who wants to know. */
static const struct {
    ApiResourceIndex resource;
    ChangedFunc changed;
} kinds[] = {
    {API_INDEX_SERVICE, netproxy_service_changed},
    {API_INDEX_ENDPOINT_SLICE, netproxy_slice_changed},
    {API_INDEX_NODE, netproxy_node_changed},
};

struct NetproxyWatch {
    Netproxy *netproxy;
    ClientCache *caches[G_N_ELEMENTS(kinds)];
    guint n_synced;
    guint timer;
    char *failure; /* the last one logged */
};

static guint kind_of(const ClientCache *cache)
{
    guint kind = 0;
    while (api_resource_row(kinds[kind].resource) != client_cache_resource(cache))
        kind++;
    return kind;
}

static void changed(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    NetproxyWatch *watch = data;
    kinds[kind_of(cache)].changed(watch->netproxy, old, now);
}

static void synced(ClientCache *cache, gpointer data)
{
    NetproxyWatch *watch = data;
    (void)cache;
    if (++watch->n_synced == G_N_ELEMENTS(kinds))
        netproxy_set_synced(watch->netproxy);
}

/* Says once when the server cannot be followed, and once when it can again. */
static gboolean check(gpointer data)
{
    NetproxyWatch *watch = data;
    const GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS(kinds) && !error; i++)
        error = client_cache_error(watch->caches[i]);
    if (error && g_strcmp0(watch->failure, error->message) != 0)
        log_warning("cannot follow the server, services stay as they are: %s", error->message);
    else if (!error && watch->failure)
        log_info("following the server again");
    g_free(watch->failure);
    watch->failure = error ? g_strdup(error->message) : NULL;
    return G_SOURCE_CONTINUE;
}

NetproxyWatch *netproxy_watch_new(Client *client, Netproxy *netproxy)
{
    NetproxyWatch *watch = g_new0(NetproxyWatch, 1);
    ClientCacheOptions options = {.changed = changed, .synced = synced, .data = watch};
    watch->netproxy = netproxy;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        watch->caches[i] = client_cache_new(client, api_resource_row(kinds[i].resource), &options);
    watch->timer = g_timeout_add_seconds(CHECK_S, check, watch);
    return watch;
}

void netproxy_watch_free(NetproxyWatch *watch)
{
    if (!watch)
        return;
    g_source_remove(watch->timer);
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        client_cache_free(watch->caches[i]);
    g_free(watch->failure);
    g_free(watch);
}
