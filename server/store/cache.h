/* The watch cache of one resource: its current entries in order, its last events, and its watchers.
 *
 * One thread at a time applies events (the feed). Any number of threads read. All of a cache's state is guarded by its one
 * lock, which nobody holds for longer than a few lookups: whoever needs many entries takes a copy of the tree. */
#pragma once

#include "server/store/pump.h"
#include "server/store/ring.h"
#include "server/store/selection.h"

typedef struct StoreCache StoreCache;

/* revision: the store's, read atomically: all events up to it have been applied to all caches. */
StoreCache *store_cache_new(const ApiResource *resource, const gint64 *revision, StorePump *pump);
void store_cache_free(StoreCache *cache); /* all watchers must be gone */
const ApiResource *store_cache_resource(const StoreCache *cache);

StoreEntry *store_cache_get(StoreCache *cache, const char *key); /* new reference; NULL if absent */
/* The whole state, and the revision it is exact at: it contains all changes up to it and none after. */
StoreTree store_cache_snapshot(StoreCache *cache, gint64 *ret_revision);
/* The state as it was at an earlier revision, made by undoing the events after it. FALSE when the ring does not reach that
 * far back. revision must not be later than the store's. */
gboolean store_cache_snapshot_at(StoreCache *cache, gint64 revision, StoreTree *ret_tree);

/* --- for the feed ---------------------------------------------------------------------------------------------------------*/
typedef struct {
    gint64 revision;
    StoreEntry *entry; /* NULL: the key was deleted */
    char *key;         /* of a deletion */
} StoreInput;
/* All changes of one or more whole revisions, in order: readers see all of them or none. */
void store_cache_apply(StoreCache *cache, const StoreInput *inputs, guint n);
/* Replaces the whole state (takes the tree) after a gap in the events: all watchers end with Expired. */
void store_cache_reset(StoreCache *cache, StoreTree *tree, gint64 revision);
/* Wakes idle watchers that want bookmarks, so that each sends one. */
void store_cache_tick(StoreCache *cache);
/* Ends all watchers, and those to come (STORE_WATCH_STOPPED). */
void store_cache_stop(StoreCache *cache);

/* --- watchers --------------------------------------------------------------------------------------------------------------
 * A watcher is a cursor into the ring. Its owner pulls from it at the speed of its client; when there is nothing to tell it is
 * parked at no cost and wakes its owner through a job on the pump. A parked watcher that pins a field ("spec.nodeName=n1")
 * wakes only for events that concern that value. */
typedef struct StoreWatcher StoreWatcher;

typedef enum {
    STORE_WATCH_ADDED,
    STORE_WATCH_MODIFIED,
    STORE_WATCH_DELETED, /* entry is the last state that matched; revision that of the deletion, or of ceasing to match */
    STORE_WATCH_BOOKMARK,    /* all events up to revision have been told */
    STORE_WATCH_INITIAL_END, /* the same, after the initial state */
    STORE_WATCH_PARKED,      /* nothing to tell: wake() will be called */
    STORE_WATCH_EXPIRED,     /* too slow, or events were lost: it must begin anew */
    STORE_WATCH_STOPPED,     /* the server is stopping */
    STORE_WATCH_CLOSED,      /* by store_watcher_close() */
} StoreWatchType;

typedef struct {
    StoreSelection selection;    /* taken */
    gboolean initial;            /* begin with the present state, as ADDED events */
    gboolean initial_end;        /* and mark its end */
    gboolean bookmarks;          /* at ticks */
    gint64 revision;             /* without initial: begin after this one; -1: after now */
    void (*wake)(gpointer data); /* on a pump thread: pull again */
    gpointer data;
} StoreWatcherOptions;

/* NULL when the ring does not reach back to the revision (the selection is then freed, too). */
StoreWatcher *store_watcher_new(StoreCache *cache, const StoreWatcherOptions *options);
void store_watcher_free(StoreWatcher *watcher); /* after STORE_WATCH_CLOSED, or before the first pull */

typedef struct {
    StoreEntry *entry; /* new reference; NULL for types without */
    gint64 revision;
} StoreWatchItem;
/* The next thing to tell. One thread at a time, and not again after PARKED until wake() was called. */
StoreWatchType store_watcher_next(StoreWatcher *watcher, StoreWatchItem *ret);
/* From any thread: the owner is woken if parked, and its next pull says CLOSED. */
void store_watcher_close(StoreWatcher *watcher);
guint store_cache_watchers(StoreCache *cache); /* how many there are */
