#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "cleat/node/v1/node.pb-c.h"
#include "cleat/v1/core.pb-c.h"
#include "lib/base/error.h"
#include "server/store/key.h"
#include "server/verbs/request.h"

/* Logs pass through from the agent of the pod's node, one piece at a time: the next is read when the client has taken the
 * last, so a slow client costs no memory here. */

#define AGENT_PORT 10250 /* where a node does not say */

typedef struct {
    gatomicrefcount refs; /* the stream's end, the client's end, a send under way */
    Request *request;
    Cleat__V1__PodLogsRequest *message;
    char *node;
    RpcStream *stream;
} LogsOp;

static void logs_unref(LogsOp *op)
{
    if (!g_atomic_ref_count_dec(&op->refs))
        return;
    rpc_stream_unref(op->stream);
    API_FREE(op->message);
    request_free(op->request);
    g_free(op->node);
    g_free(op);
}

static void logs_fail(LogsOp *op, const GError *error)
{
    rpc_server_call_fail(op->request->call, error);
    logs_unref(op);
}

static void on_sent(RpcServerCall *call, gboolean ok, gpointer data)
{
    (void)call;
    LogsOp *op = data;
    if (!ok)
        rpc_stream_cancel(op->stream);
    rpc_stream_resume(op->stream);
    logs_unref(op);
}

/* The agent's pieces are in the form that the client gets: nothing is decoded. */
static void on_message(RpcStream *stream, GBytes *message, gpointer data)
{
    LogsOp *op = data;
    grpc_slice slice = rpc_slice_from_bytes(message);
    g_atomic_ref_count_inc(&op->refs);
    rpc_stream_pause(stream);
    rpc_server_call_send(op->request->call, &slice, 1, on_sent, op);
    grpc_slice_unref(slice);
}

static void on_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    LogsOp *op = data;
    if (!error) {
        rpc_server_call_finish(op->request->call);
        logs_unref(op);
    } else if (cleat_error_is(error, CLEAT_ERROR_UNAVAILABLE)) {
        g_autoptr(GError) ours = g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                                             "logs of pods \"%s\": the agent of node \"%s\" is not reachable: %s",
                                             op->request->name, op->node, error->message);
        logs_fail(op, ours);
    } else {
        logs_fail(op, error);
    }
}

static void on_closed(RpcServerCall *call, gpointer data)
{
    (void)call;
    LogsOp *op = data;
    rpc_stream_cancel(op->stream);
    logs_unref(op);
}

/* Where a node's agent listens. New string; NULL if the node does not say. */
static char *agent_address(const Core__V1__Node *node)
{
    const Core__V1__NodeStatus *status = node->status;
    const Core__V1__NodeDaemonEndpoints *endpoints = status ? status->daemonendpoints : NULL;
    int port = endpoints && endpoints->kubeletendpoint ? endpoints->kubeletendpoint->port : 0;
    for (gsize i = 0; status && i < status->n_addresses; i++) {
        const char *address = api_str(status->addresses[i]->address);
        if (!api_str_equal(status->addresses[i]->type, "InternalIP") || !address[0])
            continue;
        gboolean v6 = strchr(address, ':') != NULL;
        return g_strdup_printf("%s%s%s:%d", v6 ? "[" : "", address, v6 ? "]" : "", port > 0 ? port : AGENT_PORT);
    }
    return NULL;
}

/* The pod's node and the address of its agent; NULL with an error. New string. */
static char *find_agent(LogsOp *op, const Core__V1__Pod *pod, GError **error)
{
    const Request *request = op->request;
    op->node = g_strdup(pod->spec ? api_str(pod->spec->nodename) : "");
    if (!op->node[0]) {
        request_set_error(request, error, CLEAT_ERROR_BAD_REQUEST, "is not assigned to a node yet: it has no logs");
        return NULL;
    }
    g_autoptr(StoreEntry) entry = store_cache_get(store_cache(request->context->store, API_NODE), op->node);
    if (!entry) {
        request_set_error(request, error, CLEAT_ERROR_UNAVAILABLE, "was assigned to node \"%s\", which is gone",
                          op->node);
        return NULL;
    }
    API_AUTO(Core__V1__Node) node = (Core__V1__Node *)store_entry_decode(entry, error);
    char *address = node ? agent_address(node) : NULL;
    if (node && !address)
        request_set_error(request, error, CLEAT_ERROR_UNAVAILABLE,
                          "runs on node \"%s\", which has no InternalIP in its status", op->node);
    return address;
}

static GBytes *agent_request(const LogsOp *op, const Core__V1__Pod *pod)
{
    Cleat__Node__V1__ContainerLogsRequest request = CLEAT__NODE__V1__CONTAINER_LOGS_REQUEST__INIT;
    request.namespace_ = op->request->namespace_;
    request.name = op->request->name;
    request.uid = pod->metadata->uid;
    request.options = op->message->options;
    return api_message_pack(&request.base);
}

static gboolean logs_open(LogsOp *op, const Core__V1__Pod *pod, GError **error)
{
    static const RpcStreamHandlers handlers = {.message = on_message, .end = on_end};
    const RpcClientCredentials *credentials = op->request->context->agent_credentials;
    if (!credentials) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                    "this server has no credentials for agents (--agent-ca, --agent-cert, --agent-key): no logs");
        return FALSE;
    }
    g_autofree char *address = find_agent(op, pod, error);
    if (!address)
        return FALSE;
    RpcChannelOptions options = {.addresses = (const char *const[]){address, NULL}, .credentials = credentials};
    g_autoptr(RpcChannel) channel = rpc_channel_new(&options, error);
    if (!channel)
        return FALSE;
    g_autoptr(GBytes) request = agent_request(op, pod);
    g_atomic_ref_count_inc(&op->refs); /* of the stream's end, which may come before this returns */
    g_atomic_ref_count_inc(&op->refs); /* of the client's */
    op->stream = rpc_stream_open(channel, "/cleat.node.v1.NodeAgent/Logs", request, TRUE, NULL, &handlers, op);
    rpc_server_call_on_closed(op->request->call, on_closed, op);
    logs_unref(op);
    return TRUE;
}

static void logs_ready(const GError *failure, gpointer data)
{
    LogsOp *op = data;
    const Request *request = op->request;
    g_autoptr(GError) error = failure ? g_error_copy(failure) : NULL;
    g_autofree char *key = store_key_new(request->namespace_, request->name);
    g_autoptr(StoreEntry) entry = failure ? NULL : store_cache_get(store_cache(request->context->store, API_POD), key);
    if (!failure && !entry)
        request_set_not_found(request, &error);
    API_AUTO(ProtobufCMessage)
    pod = entry && request_allows(request, entry, &error) ? store_entry_decode(entry, &error) : NULL;
    if (!pod || !logs_open(op, (const Core__V1__Pod *)pod, &error))
        logs_fail(op, error);
}

void verb_logs(Request *request, GBytes *body)
{
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(body, &size);
    LogsOp *op = g_new0(LogsOp, 1);
    g_atomic_ref_count_init(&op->refs);
    op->request = request;
    op->message =
        (Cleat__V1__PodLogsRequest *)request_decode(&cleat__v1__pod_logs_request__descriptor, bytes, size, &error);
    if (op->message && request_set_target(request, op->message->namespace_, op->message->name, FALSE, &error) &&
        request_require_name(request, &error) && request_authorize(request, NULL, &error))
        store_sync(request->context->store, logs_ready, op);
    else
        logs_fail(op, error);
}
