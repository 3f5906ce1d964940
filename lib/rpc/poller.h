/* Inside lib/rpc: the completion queues, their polling threads, and what runs on them. */
#pragma once

#include "lib/rpc/rpc.h"

/* The tag of a batch: run is called on the polling thread of the queue that the call is bound to. */
typedef struct RpcTag RpcTag;
struct RpcTag {
    void (*run)(RpcTag *tag, gboolean ok);
};

typedef struct RpcPoller RpcPoller;

/* One of the pollers, in turn. */
RpcPoller *rpc_poller_next(void);
guint rpc_poller_count(void);
RpcPoller *rpc_poller_at(guint i);
grpc_completion_queue *rpc_poller_queue(RpcPoller *poller);

/* Has tick(data, now) called on the polling thread every RPC_TICK_MS until it returns FALSE. now: g_get_monotonic_time().
 * Only from that poller's own thread, so nothing has to be woken. */
#define RPC_TICK_MS 50
typedef gboolean (*RpcTick)(gpointer data, gint64 now);
void rpc_poller_wait(RpcPoller *poller, RpcTick tick, gpointer data);

/* Client operations that gRPC has not finished. rpc_shutdown() cancels them and waits for the end of each. */
typedef struct RpcLive RpcLive;
struct RpcLive {
    RpcLive *previous, *next;
    void (*cancel)(RpcLive *live);
};
void rpc_live_add(RpcLive *live);
void rpc_live_remove(RpcLive *live);
/* TRUE once rpc_shutdown() has begun: post no more batches. */
gboolean rpc_is_stopping(void);

/* grpc_call_start_batch(), which only fails by a defect of ours. */
void rpc_batch(grpc_call *call, const grpc_op *ops, gsize n, RpcTag *tag);

/* The message in a buffer, which is freed; NULL for NULL. New bytes. */
GBytes *rpc_bytes_take_buffer(grpc_byte_buffer *buffer);
grpc_byte_buffer *rpc_buffer_from_bytes(GBytes *bytes);
