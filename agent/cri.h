/* Calls to the container runtime (CRI v1) over its unix socket: one row per method in cri.c. All calls are asynchronous and
 * end in the agent's loop. */
#pragma once

#include "foreign/cri/runtime.pb-c.h"
#include "lib/rpc/client.h"

typedef struct Cri Cri;

typedef enum {
    CRI_VERSION,
    CRI_STATUS,
    CRI_RUN_POD_SANDBOX,
    CRI_STOP_POD_SANDBOX,
    CRI_REMOVE_POD_SANDBOX,
    CRI_POD_SANDBOX_STATUS,
    CRI_LIST_POD_SANDBOX,
    CRI_CREATE_CONTAINER,
    CRI_START_CONTAINER,
    CRI_STOP_CONTAINER,
    CRI_REMOVE_CONTAINER,
    CRI_CONTAINER_STATUS,
    CRI_LIST_CONTAINERS,
    CRI_IMAGE_STATUS,
    CRI_PULL_IMAGE,
    CRI_METHOD_MAX_,
} CriMethod;

/* endpoint: "unix:/run/containerd/containerd.sock" or a bare path. Errors: BAD_REQUEST for a malformed one. */
Cri *cri_new(const char *endpoint, GMainContext *context, GError **error);
/* Calls under way end with CANCELLED later, in the loop. */
void cri_free(Cri *cri);
RpcChannel *cri_channel(Cri *cri); /* borrowed: for event streams */

/* One of reply and error is NULL; both are borrowed. reply is of the method's reply type. */
typedef void (*CriDone)(const ProtobufCMessage *reply, const GError *error, gpointer data);

/* request is packed at once. extra_ms is added to the method's own deadline (the grace of StopContainer). The error's code is
 * that of the gRPC status: most runtimes say UNKNOWN (INTERNAL here) for nearly everything, so act by reading state again. */
void cri_call(Cri *cri, CriMethod method, const ProtobufCMessage *request, gint64 extra_ms, CriDone done,
              gpointer data);
