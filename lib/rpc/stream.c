#include "lib/base/error.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/inbox.h"

#define MAX_QUEUED 1024
#define MAX_PENDING 64 /* messages */
#define MAX_PENDING_BYTES (128 * 1024)

/* Three batches may be under way: the status (posted first, completes last), one send, one receive. Messages that were received
 * and not yet delivered are pending; receiving goes on while few of them are, so that a loop takes many at each wake-up, and
 * a slow one still slows the sender. The end is delivered after the last message. */
struct RpcStream {
    gatomicrefcount refs; /* the caller's, and one until the end is delivered and nothing is under way */
    RpcLive live;
    RpcTag status_tag, send_tag, receive_tag;
    RpcWork message_work, end_work;

    RpcChannel *channel;
    guint endpoint;
    RpcInbox *inbox;
    char *method;
    RpcStreamHandlers handlers;
    gpointer data;
    gpr_timespec deadline;
    GCancellable *cancellable;
    gulong cancel_handler;

    GMutex lock;     /* for all below */
    grpc_call *call; /* NULL once nothing is under way */
    guint batches;   /* under way */
    gboolean cancelled, sending, over, ended;
    gboolean reading;    /* a receive is under way */
    gboolean read_all;   /* no more will come */
    gboolean delivering; /* message_work is posted, or runs, or is held */
    gboolean paused;
    gboolean held;  /* delivering has stopped for a pause; resuming goes on with it, with its reference */
    GQueue pending; /* of GBytes */
    gsize pending_bytes;
    gboolean close_send; /* asked for */
    gboolean half_closed;
    GQueue queue; /* of GBytes */
    grpc_metadata_array headers, trailers;
    grpc_status_code status;
    grpc_slice status_message;
    GError *error; /* set before the status when the stream could not begin */

    grpc_byte_buffer *received; /* of the receive under way */
};

#define STREAM_OF(pointer, member) ((RpcStream *)((char *)(pointer)-G_STRUCT_OFFSET(RpcStream, member)))

RpcStream *rpc_stream_ref(RpcStream *stream)
{
    g_atomic_ref_count_inc(&stream->refs);
    return stream;
}

void rpc_stream_unref(RpcStream *stream)
{
    if (!stream || !g_atomic_ref_count_dec(&stream->refs))
        return;
    rpc_channel_unref(stream->channel);
    g_clear_object(&stream->cancellable);
    g_clear_error(&stream->error);
    g_queue_clear_full(&stream->queue, (GDestroyNotify)g_bytes_unref);
    g_queue_clear_full(&stream->pending, (GDestroyNotify)g_bytes_unref);
    grpc_metadata_array_destroy(&stream->headers);
    g_mutex_clear(&stream->lock);
    g_free(stream->method);
    g_free(stream);
}

static void stream_unref_data(gpointer data)
{
    rpc_stream_unref(data);
}

/* --- batches; the lock is held in all of these ------------------------------------------------------------------------*/

static void stream_post(RpcStream *stream, const grpc_op *ops, gsize n, RpcTag *tag)
{
    stream->batches++;
    rpc_stream_ref(stream);
    rpc_batch(stream->call, ops, n, tag);
}

/* Sends what waits, or the half-close that was asked for. */
static void stream_send_next(RpcStream *stream)
{
    if (stream->sending || stream->over || stream->half_closed)
        return;
    GBytes *message = g_queue_pop_head(&stream->queue);
    if (!message && !stream->close_send)
        return;
    stream->sending = TRUE;
    stream->half_closed = message == NULL;
    grpc_byte_buffer *buffer = message ? rpc_buffer_from_bytes(message) : NULL;
    grpc_op op = {.op = message ? GRPC_OP_SEND_MESSAGE : GRPC_OP_SEND_CLOSE_FROM_CLIENT,
                  .data.send_message.send_message = buffer};
    stream_post(stream, &op, 1, &stream->send_tag);
    g_clear_pointer(&buffer, grpc_byte_buffer_destroy);
    g_clear_pointer(&message, g_bytes_unref);
}

static void stream_receive_next(RpcStream *stream, gboolean first)
{
    if (stream->reading || stream->read_all || stream->over || stream->pending.length >= MAX_PENDING ||
        stream->pending_bytes >= MAX_PENDING_BYTES || (!first && (stream->cancelled || rpc_is_stopping())))
        return;
    stream->reading = TRUE;
    stream->received = NULL;
    grpc_op ops[2] = {
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &stream->received},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &stream->headers},
    };
    stream_post(stream, ops, first ? 2 : 1, &stream->receive_tag);
}

/* TRUE once, when the status is there and no message is on its way to the handler. */
static gboolean stream_must_end(RpcStream *stream)
{
    if (!stream->over || stream->reading || stream->delivering || stream->ended)
        return FALSE;
    stream->ended = TRUE;
    return TRUE;
}

/* --- completions ------------------------------------------------------------------------------------------------------*/

/* The last thing that a completion does: gives up the batch's reference, and the call with the last batch. Takes the lock
 * over from the caller. */
static void stream_batch_done(RpcStream *stream)
{
    gboolean end = stream_must_end(stream);
    gboolean idle = --stream->batches == 0 && stream->over;
    grpc_call *call = idle ? g_steal_pointer(&stream->call) : NULL;
    g_mutex_unlock(&stream->lock);
    if (end) {
        rpc_stream_ref(stream);
        rpc_inbox_post(stream->inbox, &stream->end_work);
    }
    if (call) {
        grpc_call_unref(call);
        rpc_live_remove(&stream->live);
        rpc_stream_unref(stream); /* the one since rpc_stream_open() */
    }
    rpc_stream_unref(stream);
}

static void send_completed(RpcTag *tag, gboolean ok)
{
    RpcStream *stream = STREAM_OF(tag, send_tag);
    g_mutex_lock(&stream->lock);
    stream->sending = FALSE;
    if (ok)
        stream_send_next(stream);
    stream_batch_done(stream);
}

static void receive_completed(RpcTag *tag, gboolean ok)
{
    RpcStream *stream = STREAM_OF(tag, receive_tag);
    GBytes *message = rpc_bytes_take_buffer(g_steal_pointer(&stream->received));
    if (!ok)
        g_clear_pointer(&message, g_bytes_unref);
    g_mutex_lock(&stream->lock);
    stream->reading = FALSE;
    stream->read_all = message == NULL;
    gboolean deliver = message && !stream->delivering;
    if (message) {
        g_queue_push_tail(&stream->pending, message);
        stream->pending_bytes += g_bytes_get_size(message);
        stream->delivering = TRUE;
        stream_receive_next(stream, FALSE);
    }
    if (deliver) {
        rpc_stream_ref(stream);
        g_mutex_unlock(&stream->lock);
        rpc_inbox_post(stream->inbox, &stream->message_work);
        g_mutex_lock(&stream->lock);
    }
    stream_batch_done(stream);
}

/* Delivers what is pending now, unless paused; what comes meanwhile waits for its turn, as other sources of the loop do. */
static void message_deliver(RpcWork *work, gboolean deliver)
{
    RpcStream *stream = STREAM_OF(work, message_work);
    g_mutex_lock(&stream->lock);
    for (guint n = stream->pending.length; n > 0 && !(stream->paused && deliver); n--) {
        GBytes *message = g_queue_pop_head(&stream->pending);
        stream->pending_bytes -= g_bytes_get_size(message);
        gboolean wanted = deliver && !stream->cancelled;
        g_mutex_unlock(&stream->lock);
        if (wanted)
            stream->handlers.message(stream, message, stream->data);
        g_bytes_unref(message);
        g_mutex_lock(&stream->lock);
        stream_receive_next(stream, FALSE);
    }
    stream->held = stream->paused && deliver;
    stream->delivering = stream->held || stream->pending.length > 0;
    gboolean held = stream->held, again = stream->delivering && !held, end = stream_must_end(stream);
    g_mutex_unlock(&stream->lock);
    /* Each of these takes over the reference that came with the work. */
    if (again)
        rpc_inbox_post(stream->inbox, &stream->message_work);
    else if (end)
        rpc_inbox_post(stream->inbox, &stream->end_work);
    else if (!held)
        rpc_stream_unref(stream);
}

static void status_completed(RpcTag *tag, gboolean ok)
{
    (void)ok;
    RpcStream *stream = STREAM_OF(tag, status_tag);
    g_mutex_lock(&stream->lock);
    grpc_status_code code = rpc_status_settle(stream->status, stream->deadline);
    gboolean sent = rpc_channel_was_sent(stream->channel, stream->endpoint, code, stream->status_message);
    gboolean broken = code == GRPC_STATUS_UNAVAILABLE || (code == GRPC_STATUS_DEADLINE_EXCEEDED && !sent);
    if (stream->error)
        ;
    else if (stream->cancelled)
        stream->error = rpc_error_cancelled(stream->method);
    else if (broken && !sent)
        stream->error = rpc_error_unreachable(stream->channel, stream->method, stream->status_message);
    else if (code != GRPC_STATUS_OK)
        stream->error = rpc_error_from_call(stream->channel, stream->endpoint, stream->method, code,
                                            stream->status_message, &stream->trailers);
    if (broken && !stream->cancelled)
        rpc_channel_failed(stream->channel, stream->endpoint);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->status_message);
    stream->over = TRUE;
    stream_batch_done(stream);
}

static void end_deliver(RpcWork *work, gboolean deliver)
{
    RpcStream *stream = STREAM_OF(work, end_work);
    if (stream->cancel_handler)
        g_cancellable_disconnect(stream->cancellable, stream->cancel_handler);
    /* Whoever cancelled may have freed what data points to, and knows it by the code: also when the stream had ended by
     * itself and the news was on its way. */
    g_mutex_lock(&stream->lock);
    gboolean cancelled = stream->cancelled;
    g_mutex_unlock(&stream->lock);
    if (cancelled && !cleat_error_is(stream->error, CLEAT_ERROR_CANCELLED)) {
        g_clear_error(&stream->error);
        stream->error = rpc_error_cancelled(stream->method);
    }
    if (deliver)
        stream->handlers.end(stream, stream->error, stream->data);
    rpc_stream_unref(stream);
}

/* --- the caller's side ------------------------------------------------------------------------------------------------*/

void rpc_stream_cancel(RpcStream *stream)
{
    g_mutex_lock(&stream->lock);
    stream->cancelled = TRUE;
    if (stream->call)
        grpc_call_cancel(stream->call, NULL);
    g_mutex_unlock(&stream->lock);
}

void rpc_stream_pause(RpcStream *stream)
{
    g_mutex_lock(&stream->lock);
    stream->paused = TRUE;
    g_mutex_unlock(&stream->lock);
}

void rpc_stream_resume(RpcStream *stream)
{
    g_mutex_lock(&stream->lock);
    stream->paused = FALSE;
    gboolean held = stream->held;
    stream->held = FALSE;
    g_mutex_unlock(&stream->lock);
    if (held)
        rpc_inbox_post(stream->inbox, &stream->message_work);
}

static void stream_cancelled(GCancellable *cancellable, gpointer data)
{
    (void)cancellable;
    rpc_stream_cancel(data);
}

static void live_cancel(RpcLive *live)
{
    rpc_stream_cancel(STREAM_OF(live, live));
}

gboolean rpc_stream_send(RpcStream *stream, GBytes *message)
{
    g_mutex_lock(&stream->lock);
    gboolean ok = !stream->over && !stream->cancelled && !stream->close_send && stream->queue.length < MAX_QUEUED &&
                  !rpc_is_stopping();
    if (ok) {
        g_queue_push_tail(&stream->queue, g_bytes_ref(message));
        stream_send_next(stream);
    }
    g_mutex_unlock(&stream->lock);
    return ok;
}

void rpc_stream_close_send(RpcStream *stream)
{
    g_mutex_lock(&stream->lock);
    stream->close_send = TRUE;
    if (!rpc_is_stopping())
        stream_send_next(stream);
    g_mutex_unlock(&stream->lock);
}

/* Posts the first batches. A stream that is over already (error, or cancelled) is cancelled before: so its end comes from the
 * polling thread as well. */
static void stream_start(RpcStream *stream, GBytes *request, const RpcMetadata *metadata)
{
    if (stream->error || stream->cancelled)
        grpc_call_cancel(stream->call, NULL);
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                      .data.recv_status_on_client = {.trailing_metadata = &stream->trailers,
                                                     .status = &stream->status,
                                                     .status_details = &stream->status_message}};
    stream_post(stream, &status, 1, &stream->status_tag);
    grpc_byte_buffer *buffer = request ? rpc_buffer_from_bytes(request) : NULL;
    grpc_op ops[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA,
                       .data.send_initial_metadata = {.count = metadata->n, .metadata = metadata->entries}}};
    gsize n = 1;
    if (buffer)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    if (stream->close_send)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    stream->half_closed = stream->close_send;
    stream->sending = TRUE;
    stream_post(stream, ops, n, &stream->send_tag);
    g_clear_pointer(&buffer, grpc_byte_buffer_destroy);
    stream_receive_next(stream, TRUE);
}

RpcStream *rpc_stream_open(RpcChannel *channel, const char *method, GBytes *request, gboolean only_request,
                           const RpcCallOptions *options, const RpcStreamHandlers *handlers, gpointer data)
{
    static const RpcCallOptions no_options;
    if (!options)
        options = &no_options;
    RpcStream *stream = g_new0(RpcStream, 1);
    g_atomic_ref_count_init(&stream->refs);
    g_mutex_init(&stream->lock);
    stream->live.cancel = live_cancel;
    stream->status_tag.run = status_completed;
    stream->send_tag.run = send_completed;
    stream->receive_tag.run = receive_completed;
    stream->message_work.run = message_deliver;
    stream->end_work.run = end_deliver;
    stream->channel = rpc_channel_ref(channel);
    stream->endpoint = rpc_channel_current(channel);
    stream->inbox = rpc_inbox_for(options->context);
    stream->method = g_strdup(method);
    stream->handlers = *handlers;
    stream->data = data;
    stream->close_send = only_request;
    stream->deadline = rpc_deadline(options->timeout_ms);
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    RpcMetadata metadata;
    if (rpc_metadata_init(&metadata, options->metadata, &stream->error))
        stream->error = rpc_error_if_too_large(channel, method, request);
    if (options->cancellable) {
        stream->cancellable = g_object_ref(options->cancellable);
        stream->cancel_handler = g_cancellable_connect(stream->cancellable, G_CALLBACK(stream_cancelled),
                                                       rpc_stream_ref(stream), stream_unref_data);
    }
    stream->call = rpc_channel_call(channel, stream->endpoint, rpc_poller_next(), method, stream->deadline);
    rpc_stream_ref(stream); /* until nothing is under way */
    rpc_live_add(&stream->live);
    g_mutex_lock(&stream->lock);
    stream_start(stream, request, &metadata);
    g_mutex_unlock(&stream->lock);
    rpc_metadata_done(&metadata);
    return stream;
}
