/* What the files of server/store share and nobody else uses. */
#pragma once

#include "server/store/claims.h"
#include "server/store/store.h"

typedef struct StoreFeed StoreFeed;
typedef struct StoreProbe StoreProbe;

struct Store {
    StoreOptions options;
    char *prefix;
    EtcdClient *etcd;
    StorePump *pump;
    StoreCache **caches; /* by index of the resource */
    guint n_caches;
    StoreClaims *claims;
    gint64 revision; /* atomic; set by the feed after it has applied what it stands for */
    StoreFeed *feed;
    StoreProbe *probe;
    guint tick; /* timer of bookmarks */
};

/* server/store/feed.c: fills the caches and keeps them filled. */
StoreFeed *store_feed_new(Store *store);
void store_feed_stop(StoreFeed *feed);
void store_feed_free(StoreFeed *feed);

/* server/store/probe.c: who waits for which revision. */
StoreProbe *store_probe_new(Store *store);
void store_probe_stop(StoreProbe *probe);
void store_probe_free(StoreProbe *probe);
/* The caches have reached a revision: lets go those who waited for it, on the pump. */
void store_probe_reached(StoreProbe *probe, gint64 revision);
void store_probe_sync(StoreProbe *probe, StoreDone done, gpointer data);
void store_probe_wait(StoreProbe *probe, gint64 revision, StoreDone done, gpointer data);
