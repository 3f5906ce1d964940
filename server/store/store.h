/* The store: all objects, in etcd, with a watch cache per resource in front of it for reading.
 *
 * Reads come from memory alone. They are made consistent by waiting until the caches have reached a revision that was etcd's
 * after the read began; readers that wait at the same moment share one question to etcd. Writes are in server/store/mutate.h. */
#pragma once

#include "server/etcd/client.h"
#include "server/store/cache.h"

#define STORE_TIMEOUT_MS 10000 /* for etcd to answer, and for caches to catch up */

typedef struct Store Store;

typedef struct {
    EtcdClient *etcd;   /* borrowed */
    const char *prefix; /* "/registry" */
    guint pump_threads; /* 0: 1 */
    /* The caches are filled and follow etcd (TRUE), or cannot be trusted to be near it any more (FALSE, with the reason).
     * On any thread, one at a time. */
    void (*ready)(gboolean ready, const GError *error, gpointer data);
    gpointer data;
} StoreOptions;

/* Empty, until store_start(). Needs the default main context to run. */
Store *store_new(const StoreOptions *options);
/* Begins to fill the caches, once. ready() may run before this returns: whoever it reaches must have the store by then. */
void store_start(Store *store);
/* Ends all watchers (STORE_WATCH_STOPPED) and all waiting (CANCELLED); reads go on. */
void store_stop(Store *store);
/* After store_stop(), when no call or watcher uses it any more. Stops the etcd client. Not on a polling thread. */
void store_free(Store *store);

EtcdClient *store_etcd(Store *store);
const char *store_prefix(Store *store);
StoreCache *store_cache(Store *store, const ApiResource *resource);
gint64 store_revision(Store *store); /* that all caches have reached; 0 before the first load */

/* error NULL: go on. On the calling thread, a polling thread or a pump thread. */
typedef void (*StoreDone)(const GError *error, gpointer data);
/* Until the caches hold everything that was in etcd when this was called. UNAVAILABLE when that takes too long. */
void store_sync(Store *store, StoreDone done, gpointer data);
/* Until the caches have reached a revision. UNAVAILABLE when that takes too long. */
void store_wait(Store *store, gint64 revision, StoreDone done, gpointer data);

/* Whether an item of a range of values is taken, as far as this server knows: a write that claims it has the last word. */
gboolean store_is_claimed(Store *store, const char *range, const char *item);
