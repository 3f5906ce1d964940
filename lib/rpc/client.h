/* Calling: channels, unary calls, streams. Everything here may be used from any thread, unless said.
 *
 * Errors are of CLEAT_ERROR: those that a Cleat server sends come with object and causes (lib/api/status.h); those of other
 * servers have the code that fits the gRPC status. */
#pragma once

#include <gio/gio.h>

#include "lib/rpc/rpc.h"

/* --- channels ---------------------------------------------------------------------------------------------------------
 * A channel stands for one service at one or several addresses. All traffic goes to one address until that fails; then
 * the next one is tried at once, and when all have failed, again after a back-off of 100 ms to 2 s. Connections come up on
 * demand and notice a frozen peer within keepalive_ms + 5 s. */
typedef struct RpcChannel RpcChannel;

typedef struct {
    const char *const *addresses;            /* NULL-terminated: "10.0.0.1:6443", "[::1]:6443", "unix:/path" */
    const RpcClientCredentials *credentials; /* NULL: plaintext */
    const char *server_name;                 /* the name that the server's certificate must have; NULL: the address */
    guint keepalive_ms;                      /* 0: 10 000; etcd refuses less than 5 000 */
    gsize max_message_bytes;                 /* 0: RPC_MAX_MESSAGE_BYTES */
    gboolean start_at_random; /* begin at a random address, so that many clients spread over the servers */
} RpcChannelOptions;

/* Connects lazily. Errors: BAD_REQUEST for no or a malformed address. */
RpcChannel *rpc_channel_new(const RpcChannelOptions *options, GError **error);
RpcChannel *rpc_channel_ref(RpcChannel *channel);
void rpc_channel_unref(RpcChannel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcChannel, rpc_channel_unref)
/* The address in use, for messages. New string. */
char *rpc_channel_address(RpcChannel *channel);

typedef struct {
    gint64 timeout_ms; /* 0: 30 s for unary calls, none for streams; also the limit for all tries together */
    gboolean
        idempotent; /* may be sent again when the outcome is unknown: tried at the other addresses until timeout_ms */
    gboolean fail_fast;          /* give up as soon as no address can be reached, instead of waiting until timeout_ms */
    GMainContext *context;       /* where callbacks run; NULL: on a polling thread */
    GCancellable *cancellable;   /* may be NULL; cancelling gives CANCELLED */
    const char *const *metadata; /* NULL-terminated pairs: key, value, ...; may be NULL */
} RpcCallOptions;

/* Called exactly once. One of reply and error is NULL; both are borrowed (ref or copy to keep). */
typedef void (*RpcUnaryDone)(GBytes *reply, const GError *error, gpointer data);

/* Starts a unary call. method: "/pkg.Service/Method". options may be NULL. done is never called before this returns.
 * A connection that could not be made is always retried (nothing was sent); an outcome that is unknown (the connection broke
 * under way) only with idempotent. */
void rpc_unary(RpcChannel *channel, const char *method, GBytes *request, const RpcCallOptions *options,
               RpcUnaryDone done, gpointer data);

/* The same, waiting for it. Not on a polling thread nor inside a callback. options->context is ignored. New bytes. */
GBytes *rpc_unary_sync(RpcChannel *channel, const char *method, GBytes *request, const RpcCallOptions *options,
                       GError **error);

/* --- streams ----------------------------------------------------------------------------------------------------------*/
typedef struct RpcStream RpcStream;

typedef struct {
    /* A message came. Only a few (64, or 128 KiB) are read ahead of this, so a slow reader slows its sender. message is
     * borrowed. */
    void (*message)(RpcStream *stream, GBytes *message, gpointer data);
    /* The stream is over: error is NULL when the peer ended it with OK. Called exactly once, last. */
    void (*end)(RpcStream *stream, const GError *error, gpointer data);
} RpcStreamHandlers;

/* Opens a stream of any kind at the channel's current address; it is not moved when that breaks: open another one. request
 * (may be NULL) is sent first; only_request says that nothing more will be sent (server streaming). No callback runs before
 * this returns. */
RpcStream *rpc_stream_open(RpcChannel *channel, const char *method, GBytes *request, gboolean only_request,
                           const RpcCallOptions *options, const RpcStreamHandlers *handlers, gpointer data);
RpcStream *rpc_stream_ref(RpcStream *stream);
/* Dropping the last reference does not end the stream: cancel it first if it may still run. */
void rpc_stream_unref(RpcStream *stream);
/* Queues a message. FALSE if the stream is over or more than 1 024 messages wait. */
gboolean rpc_stream_send(RpcStream *stream, GBytes *message);
void rpc_stream_close_send(RpcStream *stream);
/* From inside message(): no further message is delivered, nor the end told, until rpc_stream_resume(), which must follow sooner
 * or later, also after a cancel; any thread may call it, and without a context message() and end() may run inside it. So
 * whoever passes messages on slows the sender down to the speed of their receiver. */
void rpc_stream_pause(RpcStream *stream);
void rpc_stream_resume(RpcStream *stream);
/* end follows with CANCELLED (from the loop, not from inside this call); no message is delivered after this when called in
 * the stream's own context. */
void rpc_stream_cancel(RpcStream *stream);
