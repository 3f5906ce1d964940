/* One call on the server. Its batches, at most one of each kind under way: close (posted first, alone, so that the end of the
 * call is always heard), receive, send, status. Each holds a reference of the call, and all complete on one polling thread;
 * callbacks go through the server's inbox, if it has one. */
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include "lib/base/error.h"
#include "lib/rpc/details.h"
#include "lib/rpc/server-internal.h"

struct RpcServerCall {
    gatomicrefcount refs;
    RpcServer *server;
    RpcPoller *poller;
    const RpcMethod *method;
    grpc_call *core;
    grpc_call_details details;
    grpc_metadata_array headers;

    RpcTag new_tag, close_tag, receive_tag, send_tag, status_tag;
    RpcWork close_work, receive_work, send_work;

    grpc_byte_buffer *buffer; /* of the receive under way */
    GBytes *message;          /* received and not yet delivered */
    RpcReceived received;
    gpointer received_data;
    RpcSent sent;
    gpointer sent_data;
    gboolean sent_ok;
    gboolean opened; /* initial metadata are posted */
    gboolean ended;  /* the status is posted */

    GMutex lock;
    int cancelled;                                      /* gRPC's answer to close */
    gboolean over;                                      /* lock; close has completed */
    gboolean close_delivered;                           /* lock */
    void (*closed)(RpcServerCall *call, gpointer data); /* lock */
    gpointer closed_data;                               /* lock */

    RpcSubject *subject;
    char *peer;
    RpcIdentity identity; /* peer set: it is known */
    GHashTable *texts;    /* metadata values that were asked for */
    gpointer data;
    GDestroyNotify destroy;
};

#define CALL_OF(pointer, member) ((RpcServerCall *)((char *)(pointer)-G_STRUCT_OFFSET(RpcServerCall, member)))

RpcServerCall *rpc_server_call_ref(RpcServerCall *call)
{
    g_atomic_ref_count_inc(&call->refs);
    return call;
}

void rpc_server_call_unref(RpcServerCall *call)
{
    if (!call || !g_atomic_ref_count_dec(&call->refs))
        return;
    if (call->destroy)
        call->destroy(call->data);
    if (call->core)
        grpc_call_unref(call->core);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->headers);
    g_clear_pointer(&call->message, g_bytes_unref);
    g_clear_pointer(&call->texts, g_hash_table_destroy);
    rpc_subject_unref(call->subject);
    gpr_free(call->peer);
    g_mutex_clear(&call->lock);
    rpc_server_unref_internal(call->server);
    g_free(call);
}

static void call_post(RpcServerCall *call, const grpc_op *ops, gsize n, RpcTag *tag)
{
    rpc_server_call_ref(call);
    rpc_batch(call->core, ops, n, tag);
}

/* --- receiving --------------------------------------------------------------------------------------------------------*/

static void receive_deliver(RpcWork *work, gboolean deliver)
{
    RpcServerCall *call = CALL_OF(work, receive_work);
    g_autoptr(GBytes) message = g_steal_pointer(&call->message);
    if (deliver)
        call->received(call, message, call->received_data);
    rpc_server_call_unref(call);
}

static void receive_completed(RpcTag *tag, gboolean ok)
{
    RpcServerCall *call = CALL_OF(tag, receive_tag);
    call->message = rpc_bytes_take_buffer(g_steal_pointer(&call->buffer));
    if (!ok)
        g_clear_pointer(&call->message, g_bytes_unref);
    rpc_inbox_post(call->server->inbox, &call->receive_work);
}

void rpc_server_call_receive(RpcServerCall *call, RpcReceived received, gpointer data)
{
    call->received = received;
    call->received_data = data;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->buffer};
    call_post(call, &op, 1, &call->receive_tag);
}

/* --- the beginning ----------------------------------------------------------------------------------------------------*/

/* The first message: the request. */
static void request_received(RpcServerCall *call, GBytes *message, gpointer data)
{
    (void)data;
    RpcServer *server = call->server;
    if (rpc_server_call_is_closed(call))
        return;
    g_autoptr(GError) error = NULL;
    if (server->gate && !call->method->ungated && !server->gate(call, server->gate_data, &error)) {
        rpc_server_call_fail(call, error);
        return;
    }
    g_autoptr(GBytes) request = message ? g_bytes_ref(message) : g_bytes_new_static("", 0);
    call->method->handler(call, request, call->method->data);
}

static void close_deliver(RpcWork *work, gboolean deliver)
{
    RpcServerCall *call = CALL_OF(work, close_work);
    g_mutex_lock(&call->lock);
    gboolean first = !call->close_delivered;
    call->close_delivered = TRUE;
    void (*closed)(RpcServerCall *, gpointer) = call->closed;
    gpointer data = call->closed_data;
    g_mutex_unlock(&call->lock);
    if (closed && deliver)
        closed(call, data);
    if (first)
        rpc_server_call_gone(call->server);
    rpc_server_call_unref(call);
}

static void close_completed(RpcTag *tag, gboolean ok)
{
    (void)ok;
    RpcServerCall *call = CALL_OF(tag, close_tag);
    g_mutex_lock(&call->lock);
    call->over = TRUE;
    g_mutex_unlock(&call->lock);
    rpc_inbox_post(call->server->inbox, &call->close_work);
}

static const RpcMethod *call_find_method(RpcServerCall *call)
{
    g_autofree char *name = grpc_slice_to_c_string(call->details.method);
    const RpcMethod *method = g_hash_table_lookup(call->server->methods, name);
    if (!method) {
        g_autofree char *message = g_strdup_printf("%s: no such method", name);
        rpc_server_call_end(call, GRPC_STATUS_UNIMPLEMENTED, message);
    }
    return method;
}

static void call_arrived(RpcTag *tag, gboolean ok)
{
    RpcServerCall *call = CALL_OF(tag, new_tag);
    RpcServer *server = call->server;
    if (!ok) { /* the server stops */
        rpc_server_call_gone(server);
        rpc_server_call_unref(call);
        return;
    }
    rpc_server_call_arm(server, call->poller);
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled};
    call_post(call, &close, 1, &call->close_tag);
    call->method = call_find_method(call);
    if (call->method)
        rpc_server_call_receive(call, request_received, NULL);
    rpc_server_call_unref(call);
}

static void send_deliver(RpcWork *work, gboolean deliver)
{
    RpcServerCall *call = CALL_OF(work, send_work);
    if (deliver)
        call->sent(call, call->sent_ok, call->sent_data);
    rpc_server_call_unref(call);
}

static void send_completed(RpcTag *tag, gboolean ok)
{
    RpcServerCall *call = CALL_OF(tag, send_tag);
    call->sent_ok = ok;
    rpc_inbox_post(call->server->inbox, &call->send_work);
}

static void status_completed(RpcTag *tag, gboolean ok)
{
    (void)ok;
    rpc_server_call_unref(CALL_OF(tag, status_tag));
}

void rpc_server_call_arm(RpcServer *server, RpcPoller *poller)
{
    g_mutex_lock(&server->lock);
    gboolean stopping = server->stopping;
    if (!stopping)
        server->calls++;
    g_mutex_unlock(&server->lock);
    if (stopping)
        return;
    RpcServerCall *call = g_new0(RpcServerCall, 1);
    g_atomic_ref_count_init(&call->refs);
    rpc_server_ref_internal(server);
    call->server = server;
    call->poller = poller;
    call->new_tag.run = call_arrived;
    call->close_tag.run = close_completed;
    call->receive_tag.run = receive_completed;
    call->send_tag.run = send_completed;
    call->status_tag.run = status_completed;
    call->close_work.run = close_deliver;
    call->receive_work.run = receive_deliver;
    call->send_work.run = send_deliver;
    g_mutex_init(&call->lock);
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->headers);
    grpc_completion_queue *queue = rpc_poller_queue(poller);
    grpc_call_error code = grpc_server_request_call(server->core, &call->core, &call->details, &call->headers, queue,
                                                    queue, &call->new_tag);
    if (code != GRPC_CALL_OK)
        g_error("grpc_server_request_call: %s", grpc_call_error_to_string(code));
}

/* --- answering --------------------------------------------------------------------------------------------------------*/

/* Initial metadata go out with whatever is sent first. */
static gsize add_opening(RpcServerCall *call, grpc_op *ops)
{
    if (call->opened)
        return 0;
    call->opened = TRUE;
    ops[0] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    return 1;
}

/* TRUE if an end is to be sent: for the first one (a second is a defect of the handler), while there is somebody to hear it. */
static gboolean begin_end(RpcServerCall *call)
{
    g_return_val_if_fail(!call->ended, FALSE);
    call->ended = TRUE;
    return !rpc_server_call_is_closed(call);
}

static void end_with(RpcServerCall *call, grpc_byte_buffer *message, grpc_status_code code, grpc_slice *text,
                     grpc_metadata *trailer)
{
    grpc_op ops[3];
    gsize n = add_opening(call, ops);
    if (message)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                         .data.send_status_from_server = {.trailing_metadata_count = trailer ? 1 : 0,
                                                          .trailing_metadata = trailer,
                                                          .status = code,
                                                          .status_details = text}};
    call_post(call, ops, n, &call->status_tag);
}

void rpc_server_call_reply_slices(RpcServerCall *call, grpc_slice *slices, gsize n)
{
    if (!begin_end(call))
        return;
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(slices, n);
    end_with(call, buffer, GRPC_STATUS_OK, NULL, NULL);
    grpc_byte_buffer_destroy(buffer);
}

void rpc_server_call_reply(RpcServerCall *call, GBytes *reply)
{
    grpc_slice slice = rpc_slice_from_bytes(reply);
    rpc_server_call_reply_slices(call, &slice, 1);
    grpc_slice_unref(slice);
}

void rpc_server_call_fail(RpcServerCall *call, const GError *error)
{
    if (!begin_end(call))
        return;
    grpc_slice text = rpc_status_message_from_error(error);
    grpc_metadata trailer = {.key = grpc_slice_from_static_string(RPC_DETAILS_KEY),
                             .value = rpc_details_from_error(error)};
    grpc_status_code code = (grpc_status_code)cleat_error_to_grpc(cleat_error_code(error));
    end_with(call, NULL, code, &text, &trailer);
    grpc_slice_unref(trailer.value);
    grpc_slice_unref(text);
}

void rpc_server_call_end(RpcServerCall *call, grpc_status_code code, const char *message)
{
    if (!begin_end(call))
        return;
    grpc_slice text = grpc_slice_from_copied_string(message);
    end_with(call, NULL, code, &text, NULL);
    grpc_slice_unref(text);
}

void rpc_server_call_finish(RpcServerCall *call)
{
    if (begin_end(call))
        end_with(call, NULL, GRPC_STATUS_OK, NULL, NULL);
}

void rpc_server_call_send(RpcServerCall *call, grpc_slice *slices, gsize n, RpcSent sent, gpointer data)
{
    call->sent = sent;
    call->sent_data = data;
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(slices, n);
    grpc_op ops[2];
    gsize count = add_opening(call, ops);
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    call_post(call, ops, count, &call->send_tag);
    grpc_byte_buffer_destroy(buffer);
}

/* --- what a handler may ask -------------------------------------------------------------------------------------------*/

const char *rpc_server_call_method(const RpcServerCall *call)
{
    return call->method->name;
}

/* The subject of the verified client certificate, or NULL. */
static RpcSubject *call_subject(const RpcServerCall *call)
{
    grpc_auth_context *context = grpc_call_auth_context(call->core);
    if (!context)
        return NULL;
    RpcSubject *subject = NULL;
    if (grpc_auth_context_peer_is_authenticated(context)) {
        grpc_auth_property_iterator properties =
            grpc_auth_context_find_properties_by_name(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
        const grpc_auth_property *pem = grpc_auth_property_iterator_next(&properties);
        if (pem)
            subject = rpc_subject_of(pem->value, pem->value_length);
    }
    grpc_auth_context_release(context);
    return subject;
}

const RpcIdentity *rpc_server_call_identity(const RpcServerCall *constant)
{
    static const char *const no_groups[] = {NULL};
    RpcServerCall *call = (RpcServerCall *)constant; /* worked out on first use */
    if (!call->peer) {
        call->subject = call_subject(call);
        call->peer = grpc_call_get_peer(call->core);
        call->identity = (RpcIdentity){.groups = no_groups, .peer = call->peer};
        if (call->subject) {
            call->identity.user = call->subject->user;
            call->identity.groups = (const char *const *)call->subject->groups;
        }
    }
    return &call->identity;
}

const char *rpc_server_call_metadata(const RpcServerCall *constant, const char *key)
{
    RpcServerCall *call = (RpcServerCall *)constant; /* keeps NUL-terminated copies */
    const char *text = call->texts ? g_hash_table_lookup(call->texts, key) : NULL;
    for (gsize i = 0; !text && i < call->headers.count; i++) {
        const grpc_metadata *entry = &call->headers.metadata[i];
        if (grpc_slice_str_cmp(entry->key, key) != 0)
            continue;
        if (!call->texts)
            call->texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        char *copy = g_strndup((const char *)GRPC_SLICE_START_PTR(entry->value), GRPC_SLICE_LENGTH(entry->value));
        g_hash_table_insert(call->texts, g_strdup(key), copy);
        text = copy;
    }
    return text;
}

gint64 rpc_server_call_time_left(const RpcServerCall *call)
{
    gpr_timespec deadline = gpr_convert_clock_type(call->details.deadline, GPR_CLOCK_MONOTONIC);
    if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0)
        return G_MAXINT64;
    return MAX(gpr_time_to_millis(gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC))), 0);
}

void rpc_server_call_set_data(RpcServerCall *call, gpointer data, GDestroyNotify destroy)
{
    if (call->destroy)
        call->destroy(call->data);
    call->data = data;
    call->destroy = destroy;
}

gpointer rpc_server_call_data(const RpcServerCall *call)
{
    return call->data;
}

gboolean rpc_server_call_is_closed(const RpcServerCall *constant)
{
    RpcServerCall *call = (RpcServerCall *)constant;
    g_mutex_lock(&call->lock);
    gboolean over = call->over;
    g_mutex_unlock(&call->lock);
    return over;
}

void rpc_server_call_on_closed(RpcServerCall *call, void (*closed)(RpcServerCall *call, gpointer data), gpointer data)
{
    g_mutex_lock(&call->lock);
    call->closed = closed;
    call->closed_data = data;
    gboolean late = call->close_delivered;
    g_mutex_unlock(&call->lock);
    if (!late)
        return;
    rpc_server_call_ref(call);
    rpc_inbox_post(call->server->inbox, &call->close_work);
}
