#include "server/store/store.h"

#include "server/store/internal.h"

#define TICK_S 30 /* between the bookmarks of an idle watch */

static gboolean on_tick(gpointer data)
{
    Store *store = data;
    for (guint i = 0; i < store->n_caches; i++)
        store_cache_tick(store->caches[i]);
    return G_SOURCE_CONTINUE;
}

Store *store_new(const StoreOptions *options)
{
    Store *store = g_new0(Store, 1);
    store->options = *options;
    store->prefix = g_strdup(options->prefix);
    store->etcd = options->etcd;
    store->pump = store_pump_new(options->pump_threads ? options->pump_threads : 1);
    const ApiResource *rows = api_resources(&store->n_caches);
    store->caches = g_new(StoreCache *, store->n_caches);
    for (guint i = 0; i < store->n_caches; i++)
        store->caches[i] = store_cache_new(&rows[i], &store->revision, store->pump);
    store->claims = store_claims_new();
    store->probe = store_probe_new(store);
    return store;
}

void store_start(Store *store)
{
    store->tick = g_timeout_add_seconds(TICK_S, on_tick, store);
    store->feed = store_feed_new(store);
}

void store_stop(Store *store)
{
    g_clear_handle_id(&store->tick, g_source_remove);
    store_feed_stop(store->feed);
    store_probe_stop(store->probe);
    for (guint i = 0; i < store->n_caches; i++)
        store_cache_stop(store->caches[i]);
}

void store_free(Store *store)
{
    store_pump_free(store->pump); /* its last jobs may still have written something: */
    etcd_client_stop(store->etcd);
    store_feed_free(store->feed);
    store_probe_free(store->probe);
    for (guint i = 0; i < store->n_caches; i++)
        store_cache_free(store->caches[i]);
    g_free(store->caches);
    store_claims_free(store->claims);
    g_free(store->prefix);
    g_free(store);
}

EtcdClient *store_etcd(Store *store)
{
    return store->etcd;
}

const char *store_prefix(Store *store)
{
    return store->prefix;
}

StoreCache *store_cache(Store *store, const ApiResource *resource)
{
    return store->caches[api_resource_index(resource)];
}

gint64 store_revision(Store *store)
{
    return __atomic_load_n(&store->revision, __ATOMIC_ACQUIRE);
}

void store_sync(Store *store, StoreDone done, gpointer data)
{
    store_probe_sync(store->probe, done, data);
}

void store_wait(Store *store, gint64 revision, StoreDone done, gpointer data)
{
    store_probe_wait(store->probe, revision, done, data);
}

gboolean store_is_claimed(Store *store, const char *range, const char *item)
{
    return store_claims_has(store->claims, range, item);
}
