#include "server/store/cache.h"

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"

typedef struct {
    StorePump *pump;
    StoreCache *cache;
    gint64 revision;
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    (void)data;
    f->pump = store_pump_new(1);
    f->cache = store_cache_new(API_POD, &f->revision, f->pump);
    StoreTree empty = {0};
    f->revision = 10;
    store_cache_reset(f->cache, &empty, 10);
}

static void teardown(Fixture *f, gconstpointer data)
{
    (void)data;
    store_pump_free(f->pump);
    store_cache_free(f->cache);
}

/* A pod as an entry: node and app may be NULL. */
static StoreEntry *pod(const char *name, const char *node, const char *app, gint64 revision)
{
    API_AUTO(Core__V1__Pod) message = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(message);
    meta->name = g_strdup(name);
    meta->namespace_ = g_strdup("ns");
    if (app)
        api_label_set(meta, "app", app);
    message->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    message->spec->nodename = g_strdup(node);
    g_autoptr(GBytes) bytes = api_message_pack(&message->base);
    g_autofree char *key = g_strconcat("ns/", name, NULL);
    return store_entry_new(API_POD, key, strlen(key), g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), revision);
}

static void apply_put(Fixture *f, const char *name, const char *node, const char *app)
{
    g_autoptr(StoreEntry) entry = pod(name, node, app, ++f->revision);
    StoreInput input = {.revision = f->revision, .entry = entry};
    store_cache_apply(f->cache, &input, 1);
}

static void apply_delete(Fixture *f, const char *key)
{
    StoreInput input = {.revision = ++f->revision, .key = (char *)key};
    store_cache_apply(f->cache, &input, 1);
}

typedef struct {
    StoreWatcher *watcher;
    GMutex lock;
    GCond cond;
    guint wakes;
} Watch;

static void on_wake(gpointer data)
{
    Watch *watch = data;
    g_mutex_lock(&watch->lock);
    watch->wakes++;
    g_cond_broadcast(&watch->cond);
    g_mutex_unlock(&watch->lock);
}

static void await_wake(Watch *watch, guint wakes)
{
    g_mutex_lock(&watch->lock);
    while (watch->wakes < wakes)
        g_cond_wait(&watch->cond, &watch->lock);
    g_mutex_unlock(&watch->lock);
}

static gboolean watch_start(Fixture *f, Watch *watch, const char *labels, const char *fields, gint64 revision,
                            gboolean initial)
{
    StoreWatcherOptions options = {
        .selection.namespace_ = g_strdup(""),
        .selection.labels = labels ? api_selector_parse(labels, NULL) : NULL,
        .selection.fields = fields ? api_field_selector_parse(API_POD, fields, NULL) : NULL,
        .initial = initial,
        .initial_end = initial,
        .bookmarks = TRUE,
        .revision = revision,
        .wake = on_wake,
        .data = watch,
    };
    *watch = (Watch){0};
    watch->watcher = store_watcher_new(f->cache, &options);
    return watch->watcher != NULL;
}

static void expect(Watch *watch, StoreWatchType type, const char *key, gint64 revision)
{
    StoreWatchItem item;
    g_assert_cmpint(store_watcher_next(watch->watcher, &item), ==, type);
    g_assert_cmpstr(item.entry ? item.entry->key : NULL, ==, key);
    g_assert_cmpint(item.revision, ==, revision);
    store_entry_unref(item.entry);
}

static void expect_parked(Watch *watch)
{
    expect(watch, STORE_WATCH_PARKED, NULL, 0);
}

static void watch_end(Watch *watch, guint wakes)
{
    store_watcher_close(watch->watcher);
    await_wake(watch, wakes);
    expect(watch, STORE_WATCH_CLOSED, NULL, 0);
    store_watcher_free(watch->watcher);
}

static void test_events(Fixture *f, gconstpointer data)
{
    (void)data;
    Watch watch;
    apply_put(f, "old", "n1", NULL); /* 11 */
    g_assert_true(watch_start(f, &watch, NULL, NULL, -1, TRUE));
    apply_put(f, "a", NULL, NULL); /* 12 */
    expect(&watch, STORE_WATCH_ADDED, "ns/old", 11);
    expect(&watch, STORE_WATCH_INITIAL_END, NULL, 11);
    expect(&watch, STORE_WATCH_ADDED, "ns/a", 12);
    expect_parked(&watch);
    apply_put(f, "a", "n1", NULL);
    await_wake(&watch, 1);
    apply_delete(f, "ns/a");
    expect(&watch, STORE_WATCH_MODIFIED, "ns/a", 13);
    expect(&watch, STORE_WATCH_DELETED, "ns/a", 14);
    expect_parked(&watch);
    store_cache_tick(f->cache);
    await_wake(&watch, 2);
    expect(&watch, STORE_WATCH_BOOKMARK, NULL, 14);
    expect_parked(&watch);
    apply_delete(f, "ns/never-there");
    watch_end(&watch, 3);
}

/* Objects that begin and cease to match are added and deleted for the watcher. */
static void test_selector(Fixture *f, gconstpointer data)
{
    (void)data;
    Watch watch;
    g_assert_true(watch_start(f, &watch, "app=web", NULL, -1, FALSE));
    apply_put(f, "a", NULL, "db");  /* 11: no match */
    apply_put(f, "a", NULL, "web"); /* 12: begins */
    apply_put(f, "a", "n1", "web"); /* 13 */
    apply_put(f, "a", "n1", NULL);  /* 14: ceases */
    apply_delete(f, "ns/a");        /* 15: no match */
    expect(&watch, STORE_WATCH_ADDED, "ns/a", 12);
    expect(&watch, STORE_WATCH_MODIFIED, "ns/a", 13);
    StoreWatchItem item;
    g_assert_cmpint(store_watcher_next(watch.watcher, &item), ==, STORE_WATCH_DELETED);
    g_assert_cmpint(item.revision, ==, 14);
    g_assert_cmpint(item.entry->revision, ==, 13); /* the last state that matched */
    store_entry_unref(item.entry);
    expect_parked(&watch);
    watch_end(&watch, 1);
}

/* A parked watcher that pins a node sleeps through what happens on others, and misses nothing on its own. */
static void test_pinned(Fixture *f, gconstpointer data)
{
    (void)data;
    Watch watch;
    g_assert_true(watch_start(f, &watch, NULL, "spec.nodeName=n1", -1, FALSE));
    expect_parked(&watch);
    apply_put(f, "a", "n2", NULL);
    apply_put(f, "b", NULL, NULL);
    g_assert_cmpuint(watch.wakes, ==, 0);
    apply_put(f, "b", "n1", NULL); /* 13 */
    await_wake(&watch, 1);
    expect(&watch, STORE_WATCH_ADDED, "ns/b", 13);
    expect_parked(&watch);
    for (int i = 0; i < STORE_RING_MAX_EVENTS + 10; i++) /* more than the ring holds: none of its concern */
        apply_put(f, "a", "n2", NULL);
    gint64 revision = f->revision;
    apply_delete(f, "ns/b");
    await_wake(&watch, 2);
    expect(&watch, STORE_WATCH_DELETED, "ns/b", revision + 1);
    expect_parked(&watch);
    watch_end(&watch, 3);
}

static void test_resume(Fixture *f, gconstpointer data)
{
    (void)data;
    Watch watch;
    for (int i = 0; i < 5; i++)
        apply_put(f, "a", NULL, NULL); /* 11..15 */
    g_assert_false(watch_start(f, &watch, NULL, NULL, 9, FALSE));
    g_assert_true(watch_start(f, &watch, NULL, NULL, 10, FALSE));
    expect(&watch, STORE_WATCH_ADDED, "ns/a", 11);
    watch_end(&watch, 0);
    g_assert_true(watch_start(f, &watch, NULL, NULL, 14, FALSE));
    expect(&watch, STORE_WATCH_MODIFIED, "ns/a", 15);
    expect_parked(&watch);
    watch_end(&watch, 1);
}

static void test_expired(Fixture *f, gconstpointer data)
{
    (void)data;
    Watch slow, gap;
    g_assert_true(watch_start(f, &slow, NULL, NULL, -1, FALSE));
    for (int i = 0; i < STORE_RING_MAX_EVENTS + 10; i++)
        apply_put(f, "a", NULL, NULL);
    expect(&slow, STORE_WATCH_EXPIRED, NULL, 0);
    store_watcher_free(slow.watcher);

    g_assert_true(watch_start(f, &gap, NULL, NULL, -1, FALSE));
    expect_parked(&gap);
    StoreTree tree = {0};
    store_cache_reset(f->cache, &tree, f->revision + 100);
    await_wake(&gap, 1);
    expect(&gap, STORE_WATCH_EXPIRED, NULL, 0);
    store_watcher_free(gap.watcher);
    g_assert_cmpuint(store_cache_watchers(f->cache), ==, 0);
}

static void assert_state(Fixture *f, gint64 revision, const char *expected)
{
    g_auto(StoreTree) tree = {0};
    g_assert_true(store_cache_snapshot_at(f->cache, revision, &tree));
    g_autoptr(GString) state = g_string_new(NULL);
    StoreTreeIter iter;
    StoreEntry *entry;
    store_tree_iter_init(&iter, &tree, "", FALSE);
    while ((entry = store_tree_iter_next(&iter)))
        g_string_append_printf(state, "%s@%d ", store_entry_name(entry), (int)entry->revision);
    g_assert_cmpstr(state->str, ==, expected);
}

static void test_past(Fixture *f, gconstpointer data)
{
    (void)data;
    apply_put(f, "a", NULL, NULL); /* 11 */
    apply_put(f, "b", NULL, NULL); /* 12 */
    apply_put(f, "a", NULL, NULL); /* 13 */
    apply_delete(f, "ns/a");       /* 14 */
    apply_put(f, "a", NULL, NULL); /* 15 */
    assert_state(f, 15, "a@15 b@12 ");
    assert_state(f, 14, "b@12 ");
    assert_state(f, 13, "a@13 b@12 ");
    assert_state(f, 12, "a@11 b@12 ");
    assert_state(f, 11, "a@11 ");
    assert_state(f, 10, "");
    StoreTree tree;
    g_assert_false(store_cache_snapshot_at(f->cache, 9, &tree));
}

#define ADD(name, func) g_test_add("/server/store/cache/" name, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("events", test_events);
    ADD("selector", test_selector);
    ADD("pinned", test_pinned);
    ADD("resume", test_resume);
    ADD("expired", test_expired);
    ADD("past", test_past);
    return g_test_run();
}
