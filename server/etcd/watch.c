#include "server/etcd/watch.h"

#include "foreign/etcd/rpc.pb-c.h"
#include "lib/base/backoff.h"
#include "lib/base/error.h"

struct EtcdWatch {
    gatomicrefcount refs; /* the owner, the open stream, the timer */
    EtcdClient *client;
    EtcdWatchHandlers handlers;
    gpointer data;

    GRecMutex lock; /* held during handlers, so that free() waits for them */
    gboolean freed;
    RpcStream *stream; /* NULL between two tries */
    guint timer;
    Backoff backoff;
    gint64 revision;   /* of the last event handed on */
    gboolean told_bad; /* what state() was told last */
    gboolean told;
    GPtrArray *parts; /* of GBytes: fragments of an answer that is not complete yet */
    GArray *events;   /* of EtcdEvent: those of the parts, pointing into them */
};

static void watch_open(EtcdWatch *watch);

static void watch_unref(EtcdWatch *watch)
{
    if (!g_atomic_ref_count_dec(&watch->refs))
        return;
    g_rec_mutex_clear(&watch->lock);
    g_ptr_array_unref(watch->parts);
    g_array_unref(watch->events);
    g_free(watch);
}

static void watch_drop_parts(EtcdWatch *watch)
{
    g_ptr_array_set_size(watch->parts, 0);
    g_array_set_size(watch->events, 0);
}

static void watch_tell(EtcdWatch *watch, const GError *error)
{
    if (watch->told && watch->told_bad == (error != NULL))
        return;
    watch->told = TRUE;
    watch->told_bad = error != NULL;
    watch->handlers.state(error, watch->data);
}

static gboolean on_timer(gpointer data)
{
    EtcdWatch *watch = data;
    g_rec_mutex_lock(&watch->lock);
    watch->timer = 0;
    if (!watch->freed)
        watch_open(watch);
    g_rec_mutex_unlock(&watch->lock);
    return G_SOURCE_REMOVE;
}

/* The stream is over: opens another one after a while, at the channel's next address. */
static void on_end(RpcStream *stream, const GError *error, gpointer data)
{
    EtcdWatch *watch = data;
    g_rec_mutex_lock(&watch->lock);
    g_assert(watch->freed || watch->stream == stream);
    g_clear_pointer(&watch->stream, rpc_stream_unref);
    watch_drop_parts(watch);
    if (!watch->freed) {
        g_autoptr(GError) closed = g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "the watch was ended");
        g_autoptr(GError) ours = etcd_error_new(watch->client, "watch", error ? error : closed);
        watch_tell(watch, ours);
        g_atomic_ref_count_inc(&watch->refs);
        watch->timer = g_timeout_add_full(G_PRIORITY_DEFAULT, backoff_next(&watch->backoff), on_timer, watch,
                                          (GDestroyNotify)watch_unref);
    }
    g_rec_mutex_unlock(&watch->lock);
    watch_unref(watch);
}

/* Hands on what is complete. What was handed on before is left out: after a reconnection etcd sends from the revision we
 * asked for, but a batch may begin earlier. */
static void watch_deliver(EtcdWatch *watch)
{
    const EtcdEvent *events = (const EtcdEvent *)watch->events->data;
    guint n = watch->events->len, first = 0;
    while (first < n && events[first].kv.mod_revision <= watch->revision)
        first++;
    if (first < n) {
        watch->revision = events[n - 1].kv.mod_revision;
        watch->handlers.events(events + first, n - first, watch->data);
    }
    watch_drop_parts(watch);
}

static void watch_message(EtcdWatch *watch, RpcStream *stream, GBytes *message)
{
    EtcdWatchReply reply;
    gsize size;
    const guint8 *bytes = g_bytes_get_data(message, &size);
    g_ptr_array_add(watch->parts, g_bytes_ref(message));
    if (!etcd_wire_watch(bytes, size, &reply, watch->events)) {
        rpc_stream_cancel(stream);
        return;
    }
    if (reply.compact_revision > 0) {
        watch->handlers.compacted(watch->data); /* may free the watch; our caller holds a reference */
        return;
    }
    if (reply.canceled) {
        rpc_stream_cancel(stream);
        return;
    }
    backoff_reset(&watch->backoff);
    watch_tell(watch, NULL);
    if (!reply.fragment)
        watch_deliver(watch);
}

static void on_message(RpcStream *stream, GBytes *message, gpointer data)
{
    EtcdWatch *watch = data;
    g_rec_mutex_lock(&watch->lock);
    if (!watch->freed && watch->stream == stream)
        watch_message(watch, stream, message);
    g_rec_mutex_unlock(&watch->lock);
}

static GBytes *watch_request(gint64 start_revision)
{
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    guint8 everything[1] = {0}; /* from the key "\0", to "\0": all keys */
    create.key = (ProtobufCBinaryData){.len = 1, .data = everything};
    create.range_end = create.key;
    create.start_revision = start_revision;
    create.fragment = TRUE; /* answers of more than 1.5 MiB come in parts, which keeps messages bounded */
    request.request_union_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
    request.create_request = &create;
    gsize size = etcdserverpb__watch_request__get_packed_size(&request);
    guint8 *bytes = g_malloc(size);
    etcdserverpb__watch_request__pack(&request, bytes);
    return g_bytes_new_take(bytes, size);
}

static void watch_open(EtcdWatch *watch)
{
    static const RpcStreamHandlers handlers = {.message = on_message, .end = on_end};
    g_autoptr(GBytes) request = watch_request(watch->revision + 1);
    RpcCallOptions options = {.context = NULL};
    g_atomic_ref_count_inc(&watch->refs);
    watch->stream = rpc_stream_open(etcd_client_channel(watch->client), "/etcdserverpb.Watch/Watch", request, FALSE,
                                    &options, &handlers, watch);
}

EtcdWatch *etcd_watch_new(EtcdClient *client, gint64 revision, const EtcdWatchHandlers *handlers, gpointer data)
{
    EtcdWatch *watch = g_new0(EtcdWatch, 1);
    g_atomic_ref_count_init(&watch->refs);
    g_rec_mutex_init(&watch->lock);
    watch->client = client;
    watch->handlers = *handlers;
    watch->data = data;
    watch->revision = revision;
    watch->backoff = (Backoff){.first_ms = 50, .max_ms = 1000};
    watch->parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    watch->events = g_array_new(FALSE, FALSE, sizeof(EtcdEvent));
    g_rec_mutex_lock(&watch->lock);
    watch_open(watch);
    g_rec_mutex_unlock(&watch->lock);
    return watch;
}

void etcd_watch_free(EtcdWatch *watch)
{
    if (!watch)
        return;
    g_rec_mutex_lock(&watch->lock);
    watch->freed = TRUE;
    if (watch->stream)
        rpc_stream_cancel(watch->stream); /* on_end() drops the stream's references */
    if (watch->timer)
        g_source_remove(watch->timer);
    g_rec_mutex_unlock(&watch->lock);
    watch_unref(watch);
}
