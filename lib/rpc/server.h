/* Serving: methods, calls, identities. A server answers gRPC health and reflection by itself. */
#pragma once

#include "lib/rpc/rpc.h"

typedef struct RpcServer RpcServer;
typedef struct RpcServerCall RpcServerCall;

typedef struct {
    GMainContext *context;   /* where handlers and callbacks run; NULL: on the polling threads, in parallel */
    gsize max_message_bytes; /* 0: RPC_MAX_MESSAGE_BYTES; larger requests: RESOURCE_EXHAUSTED */
    guint max_streams;       /* per connection; 0: 10 000 */
} RpcServerOptions;

/* Who calls, from the client certificate: CN and the O entries. All NULL/0 without one. Valid as long as the call. */
typedef struct {
    const char *user;          /* CN; NULL: no certificate */
    const char *const *groups; /* NULL-terminated */
    const char *peer;          /* "ipv4:1.2.3.4:5" or "unix:" */
} RpcIdentity;

RpcServer *rpc_server_new(const RpcServerOptions *options);

/* Before rpc_server_start(). Addresses as for clients; port 0 lets the system choose. credentials NULL: plaintext. A unix
 * socket is guarded by a lock file beside it, so that a second server fails instead of taking it over.
 * Errors: UNAVAILABLE naming the address (in use, not ours, malformed). *ret_port may be NULL. */
gboolean rpc_server_listen(RpcServer *server, const char *address, const RpcServerCredentials *credentials,
                           int *ret_port, GError **error);

/* request: the first message, borrowed; empty bytes for a client that sent none. The handler answers now or later; it
 * holds a reference (rpc_server_call_ref) for as long as it uses the call after returning. */
typedef void (*RpcHandler)(RpcServerCall *call, GBytes *request, gpointer data);
/* Before rpc_server_start(). method: "/cleat.v1.Pods/Get". */
void rpc_server_handle(RpcServer *server, const char *method, RpcHandler handler, gpointer data);

/* Runs before each handler except health and reflection's; FALSE with an error refuses the call. */
typedef gboolean (*RpcGate)(RpcServerCall *call, gpointer data, GError **error);
void rpc_server_set_gate(RpcServer *server, RpcGate gate, gpointer data);

gboolean rpc_server_start(RpcServer *server, GError **error);
/* Health: what Check and Watch answer for a service ("" is the whole server). Any thread. Unknown services are NOT_FOUND. */
void rpc_server_set_serving(RpcServer *server, const char *service, gboolean serving);
/* Refuses new calls, waits up to grace_ms for those that run, cancels the rest, frees the listeners. Blocks; not on a
 * polling thread; a context of the server is iterated meanwhile. */
void rpc_server_stop(RpcServer *server, guint grace_ms);
/* After rpc_server_stop() (or instead, if never started). */
void rpc_server_free(RpcServer *server);

/* --- calls --------------------------------------------------------------------------------------------------------------
 * Any thread, but one at a time per call. */
RpcServerCall *rpc_server_call_ref(RpcServerCall *call);
void rpc_server_call_unref(RpcServerCall *call);
const char *rpc_server_call_method(const RpcServerCall *call);
const RpcIdentity *rpc_server_call_identity(const RpcServerCall *call);
/* The first value of a metadata key (lower case), or NULL. Borrowed. */
const char *rpc_server_call_metadata(const RpcServerCall *call, const char *key);
/* Milliseconds left, G_MAXINT64 without a deadline. */
gint64 rpc_server_call_time_left(const RpcServerCall *call);
/* Something of the handler's for the call's lifetime. */
void rpc_server_call_set_data(RpcServerCall *call, gpointer data, GDestroyNotify destroy);
gpointer rpc_server_call_data(const RpcServerCall *call);
/* TRUE once the client is gone or the deadline has passed. */
gboolean rpc_server_call_is_closed(const RpcServerCall *call);
/* closed(call, data) runs once when the call is over, however it ends (also at once, in the server's context, if it is over
 * already). Set at most one. */
void rpc_server_call_on_closed(RpcServerCall *call, void (*closed)(RpcServerCall *call, gpointer data), gpointer data);

/* Unary answers: exactly one of these per call. Slices: the call takes its own references; they are sent as they lie. */
void rpc_server_call_reply(RpcServerCall *call, GBytes *reply);
void rpc_server_call_reply_slices(RpcServerCall *call, grpc_slice *slices, gsize n);
/* error becomes the gRPC status, with a meta.v1.Status as its detail. Also ends a stream. */
void rpc_server_call_fail(RpcServerCall *call, const GError *error);

/* Streams. One message may be under way: sent(call, ok, data) says when the next may follow; !ok: the client is gone. It never
 * runs inside rpc_server_call_send(). A send posts the message on the calling thread (about 10 us): hold no contended lock. */
typedef void (*RpcSent)(RpcServerCall *call, gboolean ok, gpointer data);
void rpc_server_call_send(RpcServerCall *call, grpc_slice *slices, gsize n, RpcSent sent, gpointer data);
/* Ends a stream with OK. No message may be under way. */
void rpc_server_call_finish(RpcServerCall *call);
/* The next message of a client that streams; message NULL: it sent its last. One at a time. */
typedef void (*RpcReceived)(RpcServerCall *call, GBytes *message, gpointer data);
void rpc_server_call_receive(RpcServerCall *call, RpcReceived received, gpointer data);
