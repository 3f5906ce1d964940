#include "server/store/cache.h"

#include <string.h>

#define BATCH_MAX 32 /* events that a watcher looks at under one lock */

/* What a watcher pins: the value of one field that all its objects have. Numbers of selectable fields, or these. */
enum { PIN_NAME = -1, PIN_NAMESPACE = -2, PIN_NONE = -3, PINS = 2 + API_SELECTABLE_MAX };

/* The watchers that pin the same value; the parked ones are in a list. */
typedef struct {
    int field;
    char *value;
    gsize size;
    guint watchers;
    StoreWatcher *parked;
} Bucket;

struct StoreCache {
    const ApiResource *resource;
    const gint64 *revision;
    StorePump *pump;

    GMutex lock; /* guards all that follows */
    StoreTree tree;
    StoreRing ring;
    gint64 last;   /* revision of the last change of this resource */
    guint64 epoch; /* counts resets */
    gboolean stopped;
    guint watchers;
    Bucket general;      /* of those that pin nothing */
    GHashTable *buckets; /* set of Bucket, which it owns */
    guint pinned[PINS];  /* watchers that pin a field, at field + 2 */
};

struct StoreWatcher {
    StoreJob job;
    StoreCache *cache;
    StoreWatcherOptions options;

    /* the owner's */
    gboolean in_initial;
    StoreTree initial;
    StoreTreeIter iter;
    gint64 initial_revision;
    guint batch;
    guint64 cursor; /* the next event to look at; while parked, whoever wakes it sets it, under the lock */

    /* guarded by the cache's lock */
    guint64 epoch;
    gboolean parked, closed, bookmark_due;
    Bucket *bucket;
    StoreWatcher *previous, *next; /* while parked */
};

static guint bucket_hash(gconstpointer key)
{
    const Bucket *bucket = key;
    guint hash = 5381 + (guint)bucket->field;
    for (gsize i = 0; i < bucket->size; i++)
        hash = hash * 33 + (guchar)bucket->value[i];
    return hash;
}

static gboolean bucket_equal(gconstpointer a, gconstpointer b)
{
    const Bucket *one = a, *other = b;
    return one->field == other->field && one->size == other->size && memcmp(one->value, other->value, one->size) == 0;
}

static void bucket_free(gpointer data)
{
    Bucket *bucket = data;
    g_free(bucket->value);
    g_free(bucket);
}

StoreCache *store_cache_new(const ApiResource *resource, const gint64 *revision, StorePump *pump)
{
    StoreCache *cache = g_new0(StoreCache, 1);
    cache->resource = resource;
    cache->revision = revision;
    cache->pump = pump;
    g_mutex_init(&cache->lock);
    cache->general.field = PIN_NONE;
    cache->buckets = g_hash_table_new_full(bucket_hash, bucket_equal, bucket_free, NULL);
    return cache;
}

void store_cache_free(StoreCache *cache)
{
    g_assert(cache->watchers == 0);
    store_tree_clear(&cache->tree);
    store_ring_done(&cache->ring);
    g_hash_table_unref(cache->buckets);
    g_mutex_clear(&cache->lock);
    g_free(cache);
}

const ApiResource *store_cache_resource(const StoreCache *cache)
{
    return cache->resource;
}

/* The revision the cache's content is exact at; with the lock held. The feed publishes the store's revision after it has
 * applied all events up to it, so none of them can be missing; and the cache may be ahead of it by what it holds already. */
static gint64 exact_revision(const StoreCache *cache)
{
    return MAX(__atomic_load_n(cache->revision, __ATOMIC_ACQUIRE), cache->last);
}

StoreEntry *store_cache_get(StoreCache *cache, const char *key)
{
    g_mutex_lock(&cache->lock);
    StoreEntry *entry = store_tree_get(&cache->tree, key);
    if (entry)
        store_entry_ref(entry);
    g_mutex_unlock(&cache->lock);
    return entry;
}

StoreTree store_cache_snapshot(StoreCache *cache, gint64 *ret_revision)
{
    g_mutex_lock(&cache->lock);
    StoreTree tree = store_tree_copy(&cache->tree);
    *ret_revision = exact_revision(cache);
    g_mutex_unlock(&cache->lock);
    return tree;
}

gboolean store_cache_snapshot_at(StoreCache *cache, gint64 revision, StoreTree *ret_tree)
{
    guint64 first;
    g_mutex_lock(&cache->lock);
    if (!store_ring_find(&cache->ring, revision, &first)) {
        g_mutex_unlock(&cache->lock);
        return FALSE;
    }
    StoreTree tree = store_tree_copy(&cache->tree);
    gsize n = (gsize)(cache->ring.end - first);
    StoreEvent *events = g_new(StoreEvent, n);
    for (gsize i = 0; i < n; i++) {
        events[i] = *store_ring_get(&cache->ring, first + i);
        if (events[i].entry)
            store_entry_ref(events[i].entry);
        if (events[i].old)
            store_entry_ref(events[i].old);
    }
    g_mutex_unlock(&cache->lock);
    for (gsize i = n; i-- > 0;) { /* on our copy of the tree: nobody waits for this */
        if (events[i].old)
            store_tree_set(&tree, events[i].old);
        else
            store_tree_remove(&tree, events[i].entry->key);
        store_entry_unref(events[i].entry);
        store_entry_unref(events[i].old);
    }
    g_free(events);
    *ret_tree = tree;
    return TRUE;
}

/* --- waking ---*/

static void park(StoreWatcher *watcher)
{
    Bucket *bucket = watcher->bucket;
    watcher->parked = TRUE;
    watcher->previous = NULL;
    watcher->next = bucket->parked;
    if (bucket->parked)
        bucket->parked->previous = watcher;
    bucket->parked = watcher;
}

static void unpark(StoreWatcher *watcher, StoreJobList *jobs)
{
    watcher->parked = FALSE;
    if (watcher->previous)
        watcher->previous->next = watcher->next;
    else
        watcher->bucket->parked = watcher->next;
    if (watcher->next)
        watcher->next->previous = watcher->previous;
    store_job_list_add(jobs, &watcher->job);
}

/* Wakes a bucket's parked watchers for event <number>: they have seen, or need not see, all before it. */
static void bucket_wake(Bucket *bucket, guint64 number, StoreJobList *jobs)
{
    while (bucket->parked) {
        bucket->parked->cursor = number;
        unpark(bucket->parked, jobs);
    }
}

static const char *pin_value(const StoreEntry *entry, int field, gsize *ret_size)
{
    if (field >= 0)
        return store_entry_field(entry, field, ret_size);
    const char *value = field == PIN_NAME ? store_entry_name(entry) : entry->key;
    *ret_size = field == PIN_NAME ? strlen(value) : entry->namespace_size;
    return value;
}

static void wake_pinned(StoreCache *cache, const StoreEntry *entry, guint64 number, StoreJobList *jobs)
{
    for (int field = PIN_NAMESPACE; entry && field < API_SELECTABLE_MAX; field++) {
        if (cache->pinned[field + 2] == 0)
            continue;
        Bucket key = {.field = field};
        key.value = (char *)pin_value(entry, field, &key.size);
        Bucket *bucket = g_hash_table_lookup(cache->buckets, &key);
        if (bucket)
            bucket_wake(bucket, number, jobs);
    }
}

static void wake_all(StoreCache *cache, StoreJobList *jobs)
{
    GHashTableIter iter;
    gpointer bucket;
    bucket_wake(&cache->general, cache->ring.end, jobs);
    g_hash_table_iter_init(&iter, cache->buckets);
    while (g_hash_table_iter_next(&iter, &bucket, NULL))
        bucket_wake(bucket, cache->ring.end, jobs);
}

/* --- the feed's side ---*/

static void apply_one(StoreCache *cache, const StoreInput *input, StoreJobList *jobs)
{
    const char *key = input->entry ? input->entry->key : input->key;
    StoreEntry *old = store_tree_get(&cache->tree, key);
    if (!old && !input->entry)
        return; /* the deletion of what never was an object of ours */
    guint64 number = cache->ring.end;
    cache->last = input->revision;
    store_ring_push(&cache->ring, input->revision, input->entry, old); /* holds on to <old> */
    if (input->entry)
        store_tree_set(&cache->tree, input->entry);
    else
        store_tree_remove(&cache->tree, key);
    bucket_wake(&cache->general, number, jobs);
    wake_pinned(cache, input->entry, number, jobs);
    wake_pinned(cache, store_ring_get(&cache->ring, number)->old, number, jobs);
}

void store_cache_apply(StoreCache *cache, const StoreInput *inputs, guint n)
{
    StoreJobList jobs = {0};
    g_mutex_lock(&cache->lock);
    for (guint i = 0; i < n; i++)
        apply_one(cache, &inputs[i], &jobs);
    g_mutex_unlock(&cache->lock);
    store_pump_push(cache->pump, &jobs);
}

void store_cache_reset(StoreCache *cache, StoreTree *tree, gint64 revision)
{
    StoreJobList jobs = {0};
    g_mutex_lock(&cache->lock);
    StoreTree old = cache->tree;
    cache->tree = *tree;
    *tree = (StoreTree){0};
    store_ring_reset(&cache->ring, revision);
    cache->last = revision;
    cache->epoch++;
    wake_all(cache, &jobs);
    g_mutex_unlock(&cache->lock);
    store_tree_clear(&old);
    store_pump_push(cache->pump, &jobs);
}

static void tick_bucket(Bucket *bucket, guint64 number, StoreJobList *jobs)
{
    for (StoreWatcher *watcher = bucket->parked, *next; watcher; watcher = next) {
        next = watcher->next;
        if (!watcher->options.bookmarks)
            continue;
        watcher->bookmark_due = TRUE;
        watcher->cursor = number;
        unpark(watcher, jobs);
    }
}

void store_cache_tick(StoreCache *cache)
{
    StoreJobList jobs = {0};
    GHashTableIter iter;
    gpointer bucket;
    g_mutex_lock(&cache->lock);
    tick_bucket(&cache->general, cache->ring.end, &jobs);
    g_hash_table_iter_init(&iter, cache->buckets);
    while (g_hash_table_iter_next(&iter, &bucket, NULL))
        tick_bucket(bucket, cache->ring.end, &jobs);
    g_mutex_unlock(&cache->lock);
    store_pump_push(cache->pump, &jobs);
}

void store_cache_stop(StoreCache *cache)
{
    StoreJobList jobs = {0};
    g_mutex_lock(&cache->lock);
    cache->stopped = TRUE;
    wake_all(cache, &jobs);
    g_mutex_unlock(&cache->lock);
    store_pump_push(cache->pump, &jobs);
}

/* --- watchers ---*/

static void run_wake(StoreJob *job)
{
    StoreWatcher *watcher = (StoreWatcher *)job;
    watcher->options.wake(watcher->options.data);
}

/* The most telling field that the selection pins: the node of a pod before its namespace. */
static int selection_pin(const StoreCache *cache, const StoreSelection *selection, const char **ret_value)
{
    for (int field = 0; selection->fields && field < API_SELECTABLE_MAX && cache->resource->selectable[field].path;
         field++) {
        if ((*ret_value = api_field_selector_value(selection->fields, field)))
            return field;
    }
    if (selection->fields && (*ret_value = api_field_selector_name(selection->fields)))
        return PIN_NAME;
    *ret_value = selection->namespace_;
    return selection->namespace_[0] ? PIN_NAMESPACE : PIN_NONE;
}

static Bucket *bucket_join(StoreCache *cache, const StoreSelection *selection)
{
    const char *value;
    int field = selection_pin(cache, selection, &value);
    if (field == PIN_NONE)
        return &cache->general;
    Bucket key = {.field = field, .value = (char *)value, .size = strlen(value)};
    Bucket *bucket = g_hash_table_lookup(cache->buckets, &key);
    if (!bucket) {
        bucket = g_memdup2(&key, sizeof key);
        bucket->value = g_strdup(value);
        g_hash_table_add(cache->buckets, bucket);
    }
    bucket->watchers++;
    cache->pinned[field + 2]++;
    return bucket;
}

static void bucket_leave(StoreCache *cache, Bucket *bucket)
{
    if (bucket == &cache->general)
        return;
    cache->pinned[bucket->field + 2]--;
    if (--bucket->watchers == 0)
        g_hash_table_remove(cache->buckets, bucket);
}

StoreWatcher *store_watcher_new(StoreCache *cache, const StoreWatcherOptions *options)
{
    StoreWatcher *watcher = g_new0(StoreWatcher, 1);
    watcher->job.run = run_wake;
    watcher->cache = cache;
    watcher->options = *options;
    watcher->batch = 1;
    g_mutex_lock(&cache->lock);
    watcher->epoch = cache->epoch;
    watcher->cursor = cache->ring.end;
    gboolean reached =
        options->initial || options->revision < 0 || store_ring_find(&cache->ring, options->revision, &watcher->cursor);
    if (reached) {
        watcher->bucket = bucket_join(cache, &options->selection);
        cache->watchers++;
    }
    if (options->initial) {
        watcher->in_initial = TRUE;
        watcher->initial = store_tree_copy(&cache->tree);
        watcher->initial_revision = exact_revision(cache);
    }
    g_mutex_unlock(&cache->lock);
    if (!reached) {
        store_selection_clear(&watcher->options.selection);
        g_free(watcher);
        return NULL;
    }
    if (options->initial)
        store_selection_iter_init(&watcher->options.selection, &watcher->iter, &watcher->initial, NULL);
    return watcher;
}

void store_watcher_free(StoreWatcher *watcher)
{
    StoreCache *cache = watcher->cache;
    g_mutex_lock(&cache->lock);
    g_assert(!watcher->parked);
    bucket_leave(cache, watcher->bucket);
    cache->watchers--;
    g_mutex_unlock(&cache->lock);
    store_tree_clear(&watcher->initial);
    store_selection_clear(&watcher->options.selection);
    g_free(watcher);
}

/* The initial state. FALSE at its end. */
static gboolean next_initial(StoreWatcher *watcher, StoreWatchItem *ret)
{
    StoreEntry *entry = store_selection_iter_next(&watcher->options.selection, &watcher->iter);
    if (entry) {
        *ret = (StoreWatchItem){store_entry_ref(entry), entry->revision};
        return TRUE;
    }
    watcher->in_initial = FALSE;
    store_tree_clear(&watcher->initial);
    *ret = (StoreWatchItem){NULL, watcher->initial_revision};
    return FALSE;
}

/* What an event means to a watcher: objects that begin or cease to match are added or deleted for it. FALSE: nothing. */
static gboolean judge(const StoreWatcher *watcher, const StoreEvent *event, StoreWatchType *ret_type,
                      StoreWatchItem *ret)
{
    const StoreSelection *selection = &watcher->options.selection;
    gboolean matches = event->entry && store_selection_matches(selection, event->entry);
    gboolean matched = event->old && store_selection_matches(selection, event->old);
    if (!matches && !matched)
        return FALSE;
    *ret_type = !matches ? STORE_WATCH_DELETED : matched ? STORE_WATCH_MODIFIED : STORE_WATCH_ADDED;
    *ret = (StoreWatchItem){store_entry_ref(matches ? event->entry : event->old), event->revision};
    return TRUE;
}

/* Takes up to the batch's size of events off the ring, with references of its own; how many. With the lock held. */
static guint take_events(StoreWatcher *watcher, StoreEvent events[BATCH_MAX])
{
    const StoreRing *ring = &watcher->cache->ring;
    guint n = (guint)MIN(ring->end - watcher->cursor, watcher->batch);
    for (guint i = 0; i < n; i++) {
        events[i] = *store_ring_get(ring, watcher->cursor + i);
        if (events[i].entry)
            store_entry_ref(events[i].entry);
        if (events[i].old)
            store_entry_ref(events[i].old);
    }
    return n;
}

/* The first of the events that means something to the watcher. Drops them all. The batch grows while nothing matches: a
 * watcher that wants one event in many looks at many at a time, one that wants all takes no references in vain. */
static gboolean pick(StoreWatcher *watcher, StoreEvent *events, guint n, StoreWatchType *ret_type, StoreWatchItem *ret)
{
    guint i = 0;
    gboolean found = FALSE;
    while (i < n && !found)
        found = judge(watcher, &events[i++], ret_type, ret);
    watcher->cursor += i;
    watcher->batch = found ? MAX(watcher->batch / 2, 1) : MIN(watcher->batch * 2, BATCH_MAX);
    for (i = 0; i < n; i++) {
        store_entry_unref(events[i].entry);
        store_entry_unref(events[i].old);
    }
    return found;
}

/* Why a watcher has to end, if it has to; with the lock held. */
static gboolean must_end(const StoreWatcher *watcher, StoreWatchType *ret_type)
{
    const StoreCache *cache = watcher->cache;
    if (watcher->closed)
        *ret_type = STORE_WATCH_CLOSED;
    else if (cache->stopped)
        *ret_type = STORE_WATCH_STOPPED;
    else if (watcher->epoch != cache->epoch || watcher->cursor < cache->ring.first)
        *ret_type = STORE_WATCH_EXPIRED;
    else
        return FALSE;
    return TRUE;
}

static StoreWatchType next_live(StoreWatcher *watcher, StoreWatchItem *ret)
{
    StoreCache *cache = watcher->cache;
    StoreEvent events[BATCH_MAX];
    StoreWatchType type;
    for (;;) {
        g_mutex_lock(&cache->lock);
        gboolean ends = must_end(watcher, &type);
        guint n = ends ? 0 : take_events(watcher, events);
        if (!ends && n == 0) {
            if (watcher->bookmark_due) {
                watcher->bookmark_due = FALSE;
                ret->revision = exact_revision(cache);
                type = STORE_WATCH_BOOKMARK;
            } else {
                park(watcher);
                type = STORE_WATCH_PARKED;
            }
        }
        g_mutex_unlock(&cache->lock);
        if (n == 0 || pick(watcher, events, n, &type, ret))
            return type;
    }
}

StoreWatchType store_watcher_next(StoreWatcher *watcher, StoreWatchItem *ret)
{
    *ret = (StoreWatchItem){0};
    if (watcher->in_initial) {
        StoreWatchType type;
        g_mutex_lock(&watcher->cache->lock);
        gboolean ends = must_end(watcher, &type);
        g_mutex_unlock(&watcher->cache->lock);
        if (ends)
            return type;
        if (next_initial(watcher, ret))
            return STORE_WATCH_ADDED;
        if (watcher->options.initial_end)
            return STORE_WATCH_INITIAL_END;
    }
    return next_live(watcher, ret);
}

void store_watcher_close(StoreWatcher *watcher)
{
    StoreCache *cache = watcher->cache;
    StoreJobList jobs = {0};
    g_mutex_lock(&cache->lock);
    watcher->closed = TRUE;
    if (watcher->parked) {
        watcher->cursor = cache->ring.end;
        unpark(watcher, &jobs);
    }
    g_mutex_unlock(&cache->lock);
    store_pump_push(cache->pump, &jobs);
}

guint store_cache_watchers(StoreCache *cache)
{
    g_mutex_lock(&cache->lock);
    guint n = cache->watchers;
    g_mutex_unlock(&cache->lock);
    return n;
}
