/* Inside lib/rpc: a channel as unary calls and streams see it. Any thread. */
#pragma once

#include "lib/rpc/client.h"
#include "lib/rpc/poller.h"

guint rpc_channel_size(const RpcChannel *channel); /* how many addresses */
guint rpc_channel_current(RpcChannel *channel);    /* the one to use now */
gsize rpc_channel_max_message_bytes(const RpcChannel *channel);

/* A call at the address <i>. The caller unrefs it. */
grpc_call *rpc_channel_call(RpcChannel *channel, guint i, RpcPoller *poller, const char *method, gpr_timespec deadline);
/* Whether a call that ended with this may have got as far as a connection. If not, nothing of it was sent. */
gboolean rpc_channel_was_sent(RpcChannel *channel, guint i, grpc_status_code status, grpc_slice message);
/* The address <i> failed a call: others go to the next one, unless they do already. */
void rpc_channel_failed(RpcChannel *channel, guint i);
/* TRUE if an address is connected: it becomes the current one. Makes those connect that are idle. */
gboolean rpc_channel_look_for_ready(RpcChannel *channel);
/* "10.0.0.1:6443, 10.0.0.2:6443". New string. */
char *rpc_channel_addresses(const RpcChannel *channel);

/* The metadata of options as gRPC wants it; owns its slices. */
typedef struct {
    grpc_metadata *entries;
    gsize n;
} RpcMetadata;
/* pairs may be NULL. Errors: BAD_REQUEST for a key or value that HTTP/2 cannot carry. */
gboolean rpc_metadata_init(RpcMetadata *metadata, const char *const *pairs, GError **error);
void rpc_metadata_done(RpcMetadata *metadata);

/* now + timeout_ms, or never for 0. */
gpr_timespec rpc_deadline(gint64 timeout_ms);
/* What a status that gRPC gives for a call of ours, which we did not cancel, means. CANCELLED comes from a server that enforced
 * the deadline (then it is DEADLINE_EXCEEDED) or that was about to stop (UNAVAILABLE). */
grpc_status_code rpc_status_settle(grpc_status_code status, gpr_timespec deadline);
/* UNAVAILABLE: nothing could be sent to any address. reason: what gRPC says. New error. */
GError *rpc_error_unreachable(RpcChannel *channel, const char *method, grpc_slice reason);
/* The error of a call that the address <i> answered with another status than OK, or that broke. Where gRPC itself ended the call
 * its text is put behind method and address. New error. */
GError *rpc_error_from_call(RpcChannel *channel, guint i, const char *method, grpc_status_code code, grpc_slice message,
                            const grpc_metadata_array *trailers);
/* The call was cancelled by us. New error. */
GError *rpc_error_cancelled(const char *method);
/* NULL, or the error TOO_LARGE for a message that the channel may not send. New error. */
GError *rpc_error_if_too_large(RpcChannel *channel, const char *method, GBytes *message);
