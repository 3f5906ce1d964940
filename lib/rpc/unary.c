#include <grpc/support/alloc.h>

#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/inbox.h"

#define DEFAULT_TIMEOUT_MS 30000
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 2000

/* A unary call is a row of attempts, one at a time. All that happens to it happens on its poller's thread, but the start of
 * the first attempt and cancelling, which lock protects. Between attempts it may wait for a connection or a back-off. */
typedef struct {
    RpcTag tag; /* the attempt's batch */
    RpcWork work;
    RpcLive live;
    gatomicrefcount refs; /* the poller's side, the delivery, and the cancellable's handler */

    RpcChannel *channel;
    RpcPoller *poller;
    RpcInbox *inbox;
    char *method;
    GBytes *request;
    RpcMetadata metadata;
    gboolean idempotent, fail_fast;
    gpr_timespec deadline;
    GCancellable *cancellable;
    gulong cancel_handler;
    RpcUnaryDone done;
    gpointer data;

    GMutex lock;
    grpc_call *attempt; /* lock; NULL between attempts */
    gboolean cancelled; /* lock */

    guint endpoint; /* the attempt's address */
    guint failures; /* attempts in a row that failed, since the last wait */
    gboolean may_have_arrived;
    Backoff backoff;
    gint64 wake; /* while waiting: when to try again whatever happens; monotonic us */
    gboolean wake_when_ready;

    grpc_metadata_array headers, trailers;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice status_message;

    GBytes *reply;
    GError *error;
} Unary;

static void unary_start_attempt(Unary *call);

static void unary_unref(gpointer data)
{
    Unary *call = data;
    if (!g_atomic_ref_count_dec(&call->refs))
        return;
    rpc_metadata_done(&call->metadata);
    rpc_channel_unref(call->channel);
    g_clear_object(&call->cancellable);
    g_mutex_clear(&call->lock);
    g_clear_pointer(&call->request, g_bytes_unref);
    g_clear_pointer(&call->reply, g_bytes_unref);
    g_clear_error(&call->error);
    g_free(call->method);
    g_free(call);
}

static Unary *unary_ref(Unary *call)
{
    g_atomic_ref_count_inc(&call->refs);
    return call;
}

/* --- the end ----------------------------------------------------------------------------------------------------------*/

static void unary_deliver(RpcWork *work, gboolean deliver)
{
    Unary *call = (Unary *)((char *)work - G_STRUCT_OFFSET(Unary, work));
    if (call->cancel_handler)
        g_cancellable_disconnect(call->cancellable, call->cancel_handler);
    if (call->cancellable && g_cancellable_is_cancelled(call->cancellable) &&
        !cleat_error_is(call->error, CLEAT_ERROR_CANCELLED)) {
        g_clear_pointer(&call->reply, g_bytes_unref);
        g_clear_error(&call->error);
        call->error = rpc_error_cancelled(call->method);
    }
    if (deliver)
        call->done(call->reply, call->error, call->data);
    unary_unref(call);
}

/* reply or error is set. Gives up the poller's reference. */
static void unary_finish(Unary *call)
{
    unary_ref(call);
    rpc_inbox_post(call->inbox, &call->work);
    rpc_live_remove(&call->live);
    unary_unref(call);
}

/* --- between attempts -------------------------------------------------------------------------------------------------*/

static gboolean unary_is_cancelled(Unary *call)
{
    g_mutex_lock(&call->lock);
    gboolean cancelled = call->cancelled;
    g_mutex_unlock(&call->lock);
    return cancelled;
}

static gboolean unary_is_late(const Unary *call)
{
    return gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), call->deadline) >= 0;
}

/* The last attempt's error, kept in call->error while the call waits, becomes the call's when the time is up. */
static gboolean unary_tick(gpointer data, gint64 now)
{
    Unary *call = data;
    if (unary_is_cancelled(call)) {
        g_clear_error(&call->error);
        call->error = rpc_error_cancelled(call->method);
        unary_finish(call);
        return FALSE;
    }
    if (unary_is_late(call)) {
        unary_finish(call);
        return FALSE;
    }
    gboolean ready = call->wake_when_ready && rpc_channel_look_for_ready(call->channel);
    if (!ready && now < call->wake)
        return TRUE;
    g_clear_error(&call->error);
    unary_start_attempt(call);
    return FALSE;
}

/* Tries again: at once as long as there is an address that has not failed since the last wait. Then, when nothing can be
 * reached, as soon as gRPC, which goes on trying, has a connection; otherwise after a back-off. */
static void unary_try_again(Unary *call, gboolean unreachable)
{
    if (++call->failures < rpc_channel_size(call->channel)) {
        g_clear_error(&call->error);
        unary_start_attempt(call);
        return;
    }
    if (unreachable && call->fail_fast) {
        unary_finish(call);
        return;
    }
    call->failures = 0;
    call->wake_when_ready = unreachable;
    call->wake = g_get_monotonic_time() + (gint64)backoff_next(&call->backoff) * 1000;
    rpc_poller_wait(call->poller, unary_tick, call);
}

/* --- attempts ---------------------------------------------------------------------------------------------------------*/

/* What became of an attempt, from its status. Sets call->error unless it went well; TRUE if it is worth another try. */
static gboolean attempt_judge(Unary *call, gboolean cancelled, gboolean *ret_sent)
{
    if (cancelled) {
        if (!call->error)
            call->error = rpc_error_cancelled(call->method);
        return FALSE;
    }
    grpc_status_code status = rpc_status_settle(call->status, call->deadline);
    if (status == GRPC_STATUS_OK && call->received)
        return FALSE;
    gboolean sent = rpc_channel_was_sent(call->channel, call->endpoint, status, call->status_message);
    *ret_sent = sent;
    call->may_have_arrived |= sent;
    gboolean broken = status == GRPC_STATUS_UNAVAILABLE;
    if (broken || (status == GRPC_STATUS_DEADLINE_EXCEEDED && !sent))
        rpc_channel_failed(call->channel, call->endpoint);
    if (!sent && (broken || (status == GRPC_STATUS_DEADLINE_EXCEEDED && !call->may_have_arrived))) {
        call->error = rpc_error_unreachable(call->channel, call->method, call->status_message);
        return broken;
    }
    if (status == GRPC_STATUS_OK) /* without a message: not a unary method */
        call->error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "%s: OK without an answer", call->method);
    else
        call->error = rpc_error_from_call(call->channel, call->endpoint, call->method, status, call->status_message,
                                          &call->trailers);
    return broken && call->idempotent;
}

static void attempt_completed(RpcTag *tag, gboolean ok)
{
    (void)ok;
    Unary *call = (Unary *)((char *)tag - G_STRUCT_OFFSET(Unary, tag));
    g_mutex_lock(&call->lock);
    grpc_call *attempt = g_steal_pointer(&call->attempt);
    gboolean cancelled = call->cancelled;
    g_mutex_unlock(&call->lock);

    gboolean sent = TRUE;
    gboolean again = attempt_judge(call, cancelled || call->error, &sent);
    GBytes *reply = rpc_bytes_take_buffer(g_steal_pointer(&call->received));
    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->status_message);
    grpc_call_unref(attempt);

    if (!call->error) {
        call->reply = reply;
        unary_finish(call);
        return;
    }
    g_clear_pointer(&reply, g_bytes_unref);
    if (again && !unary_is_late(call) && !rpc_is_stopping())
        unary_try_again(call, !sent);
    else
        unary_finish(call);
}

/* Posts the six operations of an attempt. If the call is over already (call->error, or cancelled) the attempt is cancelled
 * before it begins: so the end always comes from the polling thread. */
static void unary_start_attempt(Unary *call)
{
    call->endpoint = rpc_channel_current(call->channel);
    grpc_call *attempt = rpc_channel_call(call->channel, call->endpoint, call->poller, call->method, call->deadline);
    g_mutex_lock(&call->lock);
    call->attempt = attempt;
    if (call->error || call->cancelled)
        grpc_call_cancel(attempt, NULL);
    g_mutex_unlock(&call->lock);

    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    call->received = NULL;
    grpc_byte_buffer *request = rpc_buffer_from_bytes(call->request);
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA,
         .data.send_initial_metadata = {.count = call->metadata.n, .metadata = call->metadata.entries}},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->headers},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
         .data.recv_status_on_client = {.trailing_metadata = &call->trailers,
                                        .status = &call->status,
                                        .status_details = &call->status_message}},
    };
    rpc_batch(attempt, ops, G_N_ELEMENTS(ops), &call->tag);
    grpc_byte_buffer_destroy(request);
}

/* --- the start --------------------------------------------------------------------------------------------------------*/

static void unary_cancel(Unary *call)
{
    g_mutex_lock(&call->lock);
    call->cancelled = TRUE;
    if (call->attempt)
        grpc_call_cancel(call->attempt, NULL);
    g_mutex_unlock(&call->lock);
}

static void unary_cancelled(GCancellable *cancellable, gpointer data)
{
    (void)cancellable;
    unary_cancel(data);
}

static void live_cancel(RpcLive *live)
{
    unary_cancel((Unary *)((char *)live - G_STRUCT_OFFSET(Unary, live)));
}

void rpc_unary(RpcChannel *channel, const char *method, GBytes *request, const RpcCallOptions *options,
               RpcUnaryDone done, gpointer data)
{
    static const RpcCallOptions no_options;
    if (!options)
        options = &no_options;
    Unary *call = g_new0(Unary, 1);
    g_atomic_ref_count_init(&call->refs);
    g_mutex_init(&call->lock);
    call->tag.run = attempt_completed;
    call->work.run = unary_deliver;
    call->live.cancel = live_cancel;
    call->channel = rpc_channel_ref(channel);
    call->poller = rpc_poller_next();
    call->inbox = rpc_inbox_for(options->context);
    call->method = g_strdup(method);
    call->request = g_bytes_ref(request);
    call->idempotent = options->idempotent;
    call->fail_fast = options->fail_fast;
    call->deadline = rpc_deadline(options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS);
    call->backoff = (Backoff){.first_ms = RETRY_FIRST_MS, .max_ms = RETRY_MAX_MS};
    call->done = done;
    call->data = data;
    if (rpc_metadata_init(&call->metadata, options->metadata, &call->error))
        call->error = rpc_error_if_too_large(channel, method, request);
    if (options->cancellable) {
        call->cancellable = g_object_ref(options->cancellable);
        call->cancel_handler =
            g_cancellable_connect(call->cancellable, G_CALLBACK(unary_cancelled), unary_ref(call), unary_unref);
    }
    rpc_live_add(&call->live);
    unary_start_attempt(call);
}

/* --- waiting for it ---------------------------------------------------------------------------------------------------*/

typedef struct {
    GMutex lock;
    GCond cond;
    gboolean done;
    GBytes *reply;
    GError *error;
} Sync;

static void sync_done(GBytes *reply, const GError *error, gpointer data)
{
    Sync *sync = data;
    g_mutex_lock(&sync->lock);
    sync->reply = reply ? g_bytes_ref(reply) : NULL;
    sync->error = error ? g_error_copy(error) : NULL;
    sync->done = TRUE;
    g_cond_signal(&sync->cond);
    g_mutex_unlock(&sync->lock);
}

GBytes *rpc_unary_sync(RpcChannel *channel, const char *method, GBytes *request, const RpcCallOptions *options,
                       GError **error)
{
    Sync sync = {0};
    g_mutex_init(&sync.lock);
    g_cond_init(&sync.cond);
    RpcCallOptions own = options ? *options : (RpcCallOptions){0};
    own.context = NULL;
    rpc_unary(channel, method, request, &own, sync_done, &sync);
    g_mutex_lock(&sync.lock);
    while (!sync.done)
        g_cond_wait(&sync.cond, &sync.lock);
    g_mutex_unlock(&sync.lock);
    g_mutex_clear(&sync.lock);
    g_cond_clear(&sync.cond);
    if (sync.error)
        g_propagate_error(error, sync.error);
    return sync.reply;
}
