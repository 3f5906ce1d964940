#include "server/store/internal.h"

#include <string.h>

#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "server/etcd/watch.h"
#include "server/store/key.h"

/* The feed: reads everything below the prefix, page by page at one fixed revision R, then follows etcd's one log of changes
 * from R + 1. When etcd has thrown away what comes next (it was compacted while we were cut off), the whole is read again and
 * all watchers end with Expired: what happened in the gap cannot be told, so nobody is left to believe that nothing did. */

#define PAGE_BYTES (4 * 1024 * 1024) /* aimed at */
#define PAGE_FIRST 256               /* keys, while their size is not known */
#define PAGE_MIN 16
#define PAGE_MAX 5000
#define RELOAD_DELAY_MS 50

struct StoreFeed {
    Store *store;
    GMutex lock; /* guards what follows; not held during callbacks of the store */
    gboolean stopped;
    guint timer; /* to load again */
    EtcdWatch *watch;
    EtcdWatch *old_watch; /* one that ended; freed with its successor, from outside its handlers */

    /* of the thread that loads or applies; these follow each other */
    Backoff backoff;
    gint64 load_revision; /* 0: first page */
    gint64 page_limit;
    char *page_key;
    StoreTree *trees; /* being loaded, by resource */
    GHashTable *claims;
    GArray **inputs; /* of StoreInput, by resource: while a batch is sorted */
};

static void feed_load_page(StoreFeed *feed);
static void feed_retry(StoreFeed *feed, guint delay_ms);

/* An entry from what etcd holds under a key. What cannot be read is left out, so that one bad object spoils nothing else. */
static StoreEntry *feed_entry(const StoreKey *key, const EtcdKv *kv)
{
    g_autoptr(GError) error = NULL;
    StoreEntry *entry = store_entry_from_etcd(key->resource, key->rest, key->rest_size, kv->value, kv->value_size,
                                              kv->mod_revision, &error);
    if (!entry)
        log_error("etcd key %.*s is left out: %s", (int)kv->key_size, kv->key, error->message);
    return entry;
}

/* --- loading ---*/

static void load_begin(StoreFeed *feed)
{
    for (guint i = 0; i < feed->store->n_caches; i++)
        store_tree_clear(&feed->trees[i]);
    g_hash_table_remove_all(feed->claims);
    feed->load_revision = 0;
    feed->page_limit = PAGE_FIRST;
    g_free(feed->page_key);
    feed->page_key = g_strconcat(feed->store->prefix, "/", NULL);
}

static void load_take(StoreFeed *feed, const EtcdKv *kv)
{
    StoreKey key = store_key_parse(feed->store->prefix, kv->key, kv->key_size);
    if (key.type == STORE_KEY_OBJECT) {
        g_autoptr(StoreEntry) entry = feed_entry(&key, kv);
        if (entry)
            store_tree_set(&feed->trees[api_resource_index(key.resource)], entry);
    } else if (key.type == STORE_KEY_CLAIM) {
        g_hash_table_add(feed->claims, g_strndup(key.rest, key.rest_size));
    }
}

static void on_events(const EtcdEvent *events, guint n, gpointer data);
static void on_compacted(gpointer data);
static void on_state(const GError *error, gpointer data);

/* All pages are in: shows them, and follows from there. */
static void load_finish(StoreFeed *feed)
{
    static const EtcdWatchHandlers handlers = {on_events, on_compacted, on_state};
    Store *store = feed->store;
    guint objects = 0;
    for (guint i = 0; i < store->n_caches; i++) {
        objects += feed->trees[i].n;
        store_cache_reset(store->caches[i], &feed->trees[i], feed->load_revision);
    }
    store_claims_reset(store->claims, feed->claims);
    feed->claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    __atomic_store_n(&store->revision, feed->load_revision, __ATOMIC_RELEASE);
    store_probe_reached(store->probe, feed->load_revision);
    log_info("loaded %u objects at revision %" G_GINT64_FORMAT, objects, feed->load_revision);
    backoff_reset(&feed->backoff);

    g_mutex_lock(&feed->lock);
    EtcdWatch *old = g_steal_pointer(&feed->old_watch);
    if (!feed->stopped)
        feed->watch = etcd_watch_new(store->etcd, feed->load_revision, &handlers, feed);
    g_mutex_unlock(&feed->lock);
    etcd_watch_free(old);
    store->options.ready(TRUE, NULL, store->options.data);
}

static void on_page(const EtcdRangeReply *reply, const GError *error, gpointer data)
{
    StoreFeed *feed = data;
    if (error) {
        feed->store->options.ready(FALSE, error, feed->store->options.data);
        feed_retry(feed, backoff_next(&feed->backoff));
        return;
    }
    if (feed->load_revision == 0)
        feed->load_revision = reply->revision;
    gsize bytes = 0;
    for (guint i = 0; i < reply->n; i++) {
        load_take(feed, &reply->kvs[i]);
        bytes += reply->kvs[i].value_size;
    }
    if (!reply->more || reply->n == 0) {
        load_finish(feed);
        return;
    }
    const EtcdKv *last = &reply->kvs[reply->n - 1];
    g_free(feed->page_key);
    feed->page_key =
        g_strdup_printf("%.*s\x01", (int)last->key_size, last->key); /* our keys hold no control characters */
    feed->page_limit = CLAMP((gint64)(PAGE_BYTES / (bytes / reply->n + 1)), PAGE_MIN, PAGE_MAX);
    feed_load_page(feed);
}

static void feed_load_page(StoreFeed *feed)
{
    g_autofree char *prefix = g_strconcat(feed->store->prefix, "/", NULL);
    g_autofree char *end = etcd_prefix_end(prefix);
    EtcdRange range = {.key = feed->page_key, .end = end, .revision = feed->load_revision, .limit = feed->page_limit};
    etcd_range(feed->store->etcd, &range, STORE_TIMEOUT_MS, on_page, feed);
}

static gboolean on_retry(gpointer data)
{
    StoreFeed *feed = data;
    g_mutex_lock(&feed->lock);
    feed->timer = 0;
    gboolean stopped = feed->stopped;
    g_mutex_unlock(&feed->lock);
    if (!stopped) {
        load_begin(feed);
        feed_load_page(feed);
    }
    return G_SOURCE_REMOVE;
}

static void feed_retry(StoreFeed *feed, guint delay_ms)
{
    g_mutex_lock(&feed->lock);
    if (!feed->stopped)
        feed->timer = g_timeout_add(delay_ms, on_retry, feed);
    g_mutex_unlock(&feed->lock);
}

/* --- following ---*/

static void sort_event(StoreFeed *feed, const EtcdEvent *event)
{
    const EtcdKv *kv = &event->kv;
    StoreKey key = store_key_parse(feed->store->prefix, kv->key, kv->key_size);
    if (key.type == STORE_KEY_CLAIM)
        store_claims_set(feed->store->claims, key.rest, key.rest_size, !event->deleted);
    if (key.type != STORE_KEY_OBJECT)
        return;
    StoreInput input = {.revision = kv->mod_revision, .entry = event->deleted ? NULL : feed_entry(&key, kv)};
    if (!input.entry)
        input.key = g_strndup(key.rest, key.rest_size);
    g_array_append_val(feed->inputs[api_resource_index(key.resource)], input);
}

/* EtcdWatchHandlers.events. Per resource all changes of the batch become visible at once, so that no reader sees half a
 * revision; then the store's revision moves. */
static void on_events(const EtcdEvent *events, guint n, gpointer data)
{
    StoreFeed *feed = data;
    Store *store = feed->store;
    gint64 revision = events[n - 1].kv.mod_revision;
    for (guint i = 0; i < n; i++)
        sort_event(feed, &events[i]);
    for (guint i = 0; i < store->n_caches; i++) {
        GArray *inputs = feed->inputs[i];
        if (inputs->len == 0)
            continue;
        store_cache_apply(store->caches[i], (const StoreInput *)inputs->data, inputs->len);
        for (guint k = 0; k < inputs->len; k++) {
            store_entry_unref(g_array_index(inputs, StoreInput, k).entry);
            g_free(g_array_index(inputs, StoreInput, k).key);
        }
        g_array_set_size(inputs, 0);
    }
    __atomic_store_n(&store->revision, revision, __ATOMIC_RELEASE);
    store_probe_reached(store->probe, revision);
}

static void on_compacted(gpointer data)
{
    StoreFeed *feed = data;
    log_warning("etcd has compacted changes that were not seen yet: reading everything again");
    g_mutex_lock(&feed->lock);
    feed->old_watch = g_steal_pointer(&feed->watch);
    g_mutex_unlock(&feed->lock);
    feed_retry(feed, RELOAD_DELAY_MS);
}

static void on_state(const GError *error, gpointer data)
{
    (void)data;
    if (error)
        log_warning("lost the watch on etcd, trying again: %s", error->message);
    else
        log_info("following etcd");
}

StoreFeed *store_feed_new(Store *store)
{
    StoreFeed *feed = g_new0(StoreFeed, 1);
    feed->store = store;
    g_mutex_init(&feed->lock);
    feed->backoff = (Backoff){.first_ms = 100, .max_ms = 2000};
    feed->trees = g_new0(StoreTree, store->n_caches);
    feed->inputs = g_new(GArray *, store->n_caches);
    for (guint i = 0; i < store->n_caches; i++)
        feed->inputs[i] = g_array_new(FALSE, FALSE, sizeof(StoreInput));
    feed->claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    load_begin(feed);
    feed_load_page(feed);
    return feed;
}

void store_feed_stop(StoreFeed *feed)
{
    g_mutex_lock(&feed->lock);
    feed->stopped = TRUE;
    EtcdWatch *watch = g_steal_pointer(&feed->watch), *old = g_steal_pointer(&feed->old_watch);
    g_clear_handle_id(&feed->timer, g_source_remove);
    g_mutex_unlock(&feed->lock);
    etcd_watch_free(watch);
    etcd_watch_free(old);
}

void store_feed_free(StoreFeed *feed)
{
    for (guint i = 0; i < feed->store->n_caches; i++) {
        store_tree_clear(&feed->trees[i]);
        g_array_unref(feed->inputs[i]);
    }
    g_free(feed->trees);
    g_free(feed->inputs);
    g_hash_table_unref(feed->claims);
    g_free(feed->page_key);
    g_mutex_clear(&feed->lock);
    g_free(feed);
}
