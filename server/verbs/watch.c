#include <string.h>

#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "server/verbs/select.h"

/* A watch pulls from its watcher at the speed of its client: the next event is looked for when the last has been sent. So a
 * slow client costs a cursor, not a queue. */

#define ANNOTATION_INITIAL_END "k8s.io/initial-events-end"

typedef struct {
    gatomicrefcount refs; /* the call's end, and whoever pulls */
    Request *request;
    Cleat__V1__ListRequest *message;
    StoreSelection selection; /* until the watcher takes it */
    gboolean initial;

    GMutex lock;           /* guards what follows */
    StoreWatcher *watcher; /* NULL: not yet, or no more */
    gboolean closed;       /* the client is gone */
    gboolean timed_out;
    guint timer; /* of timeoutSeconds */
} WatchOp;

static void watch_pull(WatchOp *op);

static void watch_unref(WatchOp *op)
{
    if (!g_atomic_ref_count_dec(&op->refs))
        return;
    API_FREE(op->message);
    store_selection_clear(&op->selection);
    request_free(op->request);
    g_mutex_clear(&op->lock);
    g_free(op);
}

/* --- messages ---*/

static grpc_slice type_slice(const char *type)
{
    char bytes[16];
    gsize size = strlen(type);
    bytes[0] = 1 << 3 | 2;
    bytes[1] = (char)size;
    memcpy(bytes + 2, type, size);
    return grpc_slice_from_copied_buffer(bytes, size + 2); /* inside the slice: no memory */
}

static void on_sent(RpcServerCall *call, gboolean ok, gpointer data)
{
    (void)call;
    (void)ok; /* if not, the watcher is closed or about to be */
    watch_pull(data);
}

/* The object as it lies in the cache, shared by all watchers. */
static void send_entry(WatchOp *op, const char *type, const StoreEntry *entry)
{
    grpc_slice slices[] = {type_slice(type), entry->block};
    rpc_server_call_send(op->request->call, slices, 2, on_sent, op);
}

/* An older state of the object under the revision of what happened to it. */
static void send_entry_at(WatchOp *op, const char *type, const StoreEntry *entry, gint64 revision)
{
    guint8 prefix[16];
    grpc_slice suffix = store_suffix_slice(revision), object = store_entry_object_slice(entry);
    gsize n = api_wire_put_tag(prefix, 2, 2);
    n += api_wire_put_varint(prefix + n, GRPC_SLICE_LENGTH(object) + GRPC_SLICE_LENGTH(suffix));
    grpc_slice slices[] = {type_slice(type), grpc_slice_from_copied_buffer((const char *)prefix, n), object, suffix};
    rpc_server_call_send(op->request->call, slices, 4, on_sent, op);
    grpc_slice_unref(object);
    grpc_slice_unref(suffix);
}

/* An object of the kind that has nothing but metadata{resourceVersion} and, at the end of the initial events, an annotation. */
static void send_bookmark(WatchOp *op, gint64 revision, gboolean initial_end)
{
    Meta__V1__ObjectMeta meta = META__V1__OBJECT_META__INIT;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, revision);
    meta.resourceversion = text;
    Meta__V1__ObjectMeta__AnnotationsEntry entry = META__V1__OBJECT_META__ANNOTATIONS_ENTRY__INIT;
    Meta__V1__ObjectMeta__AnnotationsEntry *entries[] = {&entry};
    entry.key = (char *)ANNOTATION_INITIAL_END;
    entry.value = (char *)"true";
    if (initial_end) {
        meta.annotations = entries;
        meta.n_annotations = 1;
    }
    guint8 bytes[256];
    gsize size = meta__v1__object_meta__get_packed_size(&meta);
    gsize outer = 1 + api_wire_varint_size(size) + size;
    gsize n = api_wire_put_tag(bytes, 2, 2);
    n += api_wire_put_varint(bytes + n, outer);
    n += api_wire_put_tag(bytes + n, 1, 2);
    n += api_wire_put_varint(bytes + n, size);
    n += meta__v1__object_meta__pack(&meta, bytes + n);
    grpc_slice slices[] = {type_slice("BOOKMARK"), grpc_slice_from_copied_buffer((const char *)bytes, n)};
    rpc_server_call_send(op->request->call, slices, 2, on_sent, op);
    grpc_slice_unref(slices[1]);
}

/* --- the end ---*/

/* Whoever pulls gives up. error NULL: the stream just ends. */
static void watch_end(WatchOp *op, const GError *error, gboolean tell)
{
    g_mutex_lock(&op->lock);
    StoreWatcher *watcher = g_steal_pointer(&op->watcher);
    guint timer = op->timer;
    op->timer = 0;
    g_mutex_unlock(&op->lock);
    if (timer)
        g_source_remove(timer);
    store_watcher_free(watcher);
    if (tell && error)
        rpc_server_call_fail(op->request->call, error);
    else if (tell)
        rpc_server_call_finish(op->request->call);
    watch_unref(op);
}

static void watch_expired(WatchOp *op)
{
    g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_EXPIRED,
                                          "this watch of %s is too far behind, or changes were lost; list again",
                                          op->request->resource->plural);
    watch_end(op, error, TRUE);
}

/* Sends the next event. One thread at a time: the pump's after a wake, a polling thread after a send. */
static void watch_pull(WatchOp *op)
{
    StoreWatchItem item;
    StoreWatchType type = store_watcher_next(op->watcher, &item);
    g_autoptr(StoreEntry) entry = item.entry;
    switch (type) {
    case STORE_WATCH_ADDED:
        send_entry(op, "ADDED", entry);
        break;
    case STORE_WATCH_MODIFIED:
        send_entry(op, "MODIFIED", entry);
        break;
    case STORE_WATCH_DELETED:
        send_entry_at(op, "DELETED", entry, item.revision);
        break;
    case STORE_WATCH_BOOKMARK:
    case STORE_WATCH_INITIAL_END:
        send_bookmark(op, item.revision, type == STORE_WATCH_INITIAL_END);
        break;
    case STORE_WATCH_PARKED:
        break;
    case STORE_WATCH_EXPIRED:
        watch_expired(op);
        break;
    case STORE_WATCH_STOPPED:
        watch_end(op, NULL, TRUE);
        break;
    case STORE_WATCH_CLOSED:
        watch_end(op, NULL, op->timed_out && !op->closed);
        break;
    }
}

static void on_wake(gpointer data)
{
    watch_pull(data);
}

static void on_closed(RpcServerCall *call, gpointer data)
{
    (void)call;
    WatchOp *op = data;
    g_mutex_lock(&op->lock);
    op->closed = TRUE;
    if (op->watcher)
        store_watcher_close(op->watcher);
    g_mutex_unlock(&op->lock);
    watch_unref(op);
}

static void timer_unref(gpointer op)
{
    watch_unref(op);
}

static gboolean on_timeout(gpointer data)
{
    WatchOp *op = data;
    g_mutex_lock(&op->lock);
    op->timed_out = TRUE;
    op->timer = 0;
    if (op->watcher)
        store_watcher_close(op->watcher);
    g_mutex_unlock(&op->lock);
    return G_SOURCE_REMOVE;
}

/* --- the beginning ---*/

/* Begins to pull, unless the client has gone in the meantime. */
static void watch_run(WatchOp *op, StoreWatcher *watcher)
{
    gint64 seconds = op->message->options ? op->message->options->timeoutseconds : 0;
    g_atomic_ref_count_inc(&op->refs);
    op->watcher = watcher;
    rpc_server_call_on_closed(op->request->call, on_closed, op);
    if (seconds > 0) {
        g_atomic_ref_count_inc(&op->refs);
        g_mutex_lock(&op->lock); /* so that it is known before it can go off */
        op->timer =
            g_timeout_add_seconds_full(G_PRIORITY_DEFAULT, (guint)MIN(seconds, 24 * 3600), on_timeout, op, timer_unref);
        g_mutex_unlock(&op->lock);
    }
    watch_pull(op);
}

static void watch_ready(const GError *failure, gpointer data)
{
    WatchOp *op = data;
    if (failure) {
        rpc_server_call_fail(op->request->call, failure);
        watch_unref(op);
        return;
    }
    const Meta__V1__ListOptions *options = op->message->options;
    gint64 after = -1;
    if (!op->initial && options && api_str(options->resourceversion)[0])
        (void)g_ascii_string_to_signed(options->resourceversion, 10, 0, G_MAXINT64, &after, NULL);
    StoreWatcherOptions watcher_options = {
        .selection = op->selection,
        .initial = op->initial,
        .initial_end = op->initial && options && options->sendinitialevents && options->allowwatchbookmarks,
        .bookmarks = options && options->allowwatchbookmarks,
        .revision = after > 0 ? after : -1,
        .wake = on_wake,
        .data = op,
    };
    op->selection = (StoreSelection){0};
    StoreWatcher *watcher =
        store_watcher_new(store_cache(op->request->context->store, op->request->resource), &watcher_options);
    if (watcher) {
        watch_run(op, watcher);
        return;
    }
    g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_EXPIRED,
                                          "too old resource version: %s cannot be watched from revision %s; list again",
                                          op->request->resource->plural, options->resourceversion);
    rpc_server_call_fail(op->request->call, error);
    watch_unref(op);
}

/* Without a resourceVersion, or with "0", a watch begins with the present state; with one, after it. sendInitialEvents
 * says it outright. */
static gboolean watch_parse(WatchOp *op, GError **error)
{
    const Meta__V1__ListOptions *options = op->message->options;
    const char *version = options ? api_str(options->resourceversion) : "";
    gint64 revision;
    if (version[0] && !g_ascii_string_to_signed(version, 10, 0, G_MAXINT64, &revision, NULL)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "resourceVersion \"%s\" is not a number that a server gave", version);
        return FALSE;
    }
    op->initial = version[0] == '\0' || g_str_equal(version, "0");
    if (options && options->has_sendinitialevents) {
        if (!g_str_equal(api_str(options->resourceversionmatch), "NotOlderThan")) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "sendInitialEvents needs resourceVersionMatch NotOlderThan");
            return FALSE;
        }
        op->initial = options->sendinitialevents;
    }
    return TRUE;
}

void verb_watch(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    WatchOp *op = g_new0(WatchOp, 1);
    g_atomic_ref_count_init(&op->refs);
    g_mutex_init(&op->lock);
    op->request = request;
    if (select_parse(request, body, &op->message, &op->selection, &error) && watch_parse(op, &error)) {
        request_await(request, op->message->options ? op->message->options->resourceversion : NULL, watch_ready, op);
        return;
    }
    rpc_server_call_fail(request->call, error);
    watch_unref(op);
}
