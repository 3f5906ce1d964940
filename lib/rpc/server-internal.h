/* Inside lib/rpc: what server.c, call.c, health.c and reflection.c share. */
#pragma once

#include "lib/rpc/identity.h"
#include "lib/rpc/inbox.h"
#include "lib/rpc/poller.h"
#include "lib/rpc/server.h"

typedef struct RpcHealth RpcHealth;

typedef struct {
    char *name; /* "/cleat.v1.Pods/Get" */
    RpcHandler handler;
    gpointer data;
    gboolean ungated; /* health and reflection */
} RpcMethod;

struct RpcServer {
    gatomicrefcount refs; /* the owner's, and one per call */
    grpc_server *core;
    RpcInbox *inbox;
    GMainContext *context;
    gsize max_message_bytes;
    GHashTable *methods; /* name -> RpcMethod; fixed once started */
    RpcGate gate;
    gpointer gate_data;
    GPtrArray *locks; /* of UnixLock: the lock files of unix sockets */
    RpcHealth *health;
    gboolean started;
    RpcTag shutdown_tag;
    RpcWork shutdown_work;

    GMutex lock;
    GCond cond;         /* one of these changed, where the server has no context */
    gboolean stopping;  /* lock */
    gboolean shut_down; /* lock; gRPC has let go of everything */
    guint calls;        /* lock; armed or running, until closed has been called */
};

void rpc_server_ref_internal(RpcServer *server);
void rpc_server_unref_internal(RpcServer *server);
/* Lets one more call come in on a poller's queue, unless the server stops. */
void rpc_server_call_arm(RpcServer *server, RpcPoller *poller);
/* A call has come to its end, in the server's context. */
void rpc_server_call_gone(RpcServer *server);
/* handle() for the services that every server has: not gated. */
void rpc_server_handle_ungated(RpcServer *server, const char *method, RpcHandler handler, gpointer data);
/* A unary or stream end with a status of our own making, without details. */
void rpc_server_call_end(RpcServerCall *call, grpc_status_code code, const char *message);

RpcHealth *rpc_health_new(RpcServer *server);
void rpc_health_set(RpcHealth *health, const char *service, gboolean serving);
/* Makes "" serving unless it was set. */
void rpc_health_start(RpcHealth *health);
/* Ends all watches. */
void rpc_health_stop(RpcHealth *health);
void rpc_health_free(RpcHealth *health);
/* Registers reflection of the contracts in this program. */
void rpc_reflection_register(RpcServer *server);
