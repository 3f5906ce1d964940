/* What only pods have: binding and logs. */
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "cleat/node/v1/node.pb-c.h"
#include "cleat/v1/core.pb-c.h"
#include "lib/base/error.h"
#include "lib/rpc/server.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *admin;

#define POD                                                                                                            \
    "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {containers: [{name: c, image: i}]}}"

static void add_binding(Cleat__V1__BindPodsRequest *request, const char *ns, const char *name, const char *node)
{
    Core__V1__Binding *binding = API_NEW(Core__V1__Binding, core__v1__binding);
    binding->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    binding->metadata->name = g_strdup(name);
    binding->metadata->namespace_ = g_strdup(ns);
    binding->target = API_NEW(Core__V1__ObjectReference, core__v1__object_reference);
    binding->target->kind = g_strdup("Node");
    binding->target->name = g_strdup(node);
    api_append(request->bindings, request->n_bindings, binding);
}

static Cleat__V1__BindPodsResponse *bind_pods(RpcChannel *channel, const Cleat__V1__BindPodsRequest *request,
                                              GError **error)
{
    g_autoptr(GBytes) bytes = api_message_pack(&request->base);
    g_autoptr(GBytes) reply = kit_call(channel, API_POD, "Bind", bytes, error);
    if (!reply)
        return NULL;
    gsize size;
    const void *data = g_bytes_get_data(reply, &size);
    return (Cleat__V1__BindPodsResponse *)api_message_unpack(&cleat__v1__bind_pods_response__descriptor, data, size,
                                                             error);
}

/* Each binding has its own result; those that fail leave the others alone. */
static void test_bind(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcChannel) scheduler = harness_channel(harness, 0, "scheduler");
    API_FREE(kit_must_create(admin, POD, "a", ns));
    API_FREE(kit_must_create(admin, POD, "b", ns));
    API_AUTO(Cleat__V1__BindPodsRequest) request = API_NEW(Cleat__V1__BindPodsRequest, cleat__v1__bind_pods_request);
    add_binding(request, ns, "a", "n1");
    add_binding(request, ns, "gone", "n1");
    add_binding(request, ns, "b", "n2");
    add_binding(request, ns, "b", "n3");
    add_binding(request, ns, "", "n3");
    API_AUTO(Cleat__V1__BindPodsResponse) response = bind_pods(scheduler, request, &error);
    g_assert_no_error(error);
    static const struct {
        const char *status, *reason, *message;
    } expected[] = {
        {"Success", "", ""},
        {"Failure", "NotFound", "\"gone\" not found"},
        {"Success", "", ""},
        {"Failure", "Conflict", "bound twice"},
        {"Failure", "BadRequest", "metadata.name"},
    };
    g_assert_cmpuint(response->n_results, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_cmpstr(response->results[i]->status, ==, expected[i].status);
        g_assert_cmpstr(api_str(response->results[i]->reason), ==, expected[i].reason);
        g_assert_nonnull(strstr(api_str(response->results[i]->message), expected[i].message));
    }
    API_AUTO(ProtobufCMessage) object = kit_get(admin, API_POD, ns, "b", NULL, &error);
    const Core__V1__Pod *pod = (const Core__V1__Pod *)object;
    g_assert_cmpstr(pod->spec->nodename, ==, "n2");
    g_assert_cmpuint(pod->status->n_conditions, ==, 1);
    g_assert_cmpstr(pod->status->conditions[0]->type, ==, "PodScheduled");
    g_assert_cmpstr(pod->status->conditions[0]->status, ==, "True");

    API_AUTO(Cleat__V1__BindPodsResponse) again = bind_pods(scheduler, request, &error);
    g_assert_cmpstr(again->results[0]->reason, ==, "Conflict");
    g_assert_nonnull(strstr(again->results[0]->message, "already assigned to node \"n1\""));
}

/* More than one etcd transaction takes; pods that change under way are tried again. */
static void test_bind_many(void)
{
    enum { PODS = 350 };
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_AUTO(Cleat__V1__BindPodsRequest) request = API_NEW(Cleat__V1__BindPodsRequest, cleat__v1__bind_pods_request);
    for (int i = 0; i < PODS; i++) {
        g_autofree char *name = g_strdup_printf("p%03d", i);
        API_FREE(kit_must_create(admin, POD, name, ns));
        add_binding(request, ns, name, "n1");
    }
    API_AUTO(Cleat__V1__BindPodsResponse) response = bind_pods(admin, request, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(response->n_results, ==, PODS);
    for (int i = 0; i < PODS; i++)
        g_assert_cmpstr(response->results[i]->status, ==, "Success");
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.fieldselector = (char *)"spec.nodeName=n1";
    API_AUTO(ProtobufCMessage) list = kit_list(admin, API_POD, ns, &options, &error);
    gsize n;
    (void)kit_items(list, &n);
    g_assert_cmpuint(n, ==, PODS);
}

/* --- logs: a node's agent, played by this program ---*/

enum { CHUNKS = 200, CHUNK_SIZE = 32 * 1024 };

typedef struct {
    gint sent;   /* atomic: chunks taken by the server so far */
    gint closed; /* atomic: calls that ended */
} Agent;

static Agent agent;

static void send_chunk(RpcServerCall *call, gboolean ok, gpointer data)
{
    if (!ok)
        return;
    int i = GPOINTER_TO_INT(rpc_server_call_data(call));
    if (data)
        g_atomic_int_set(&agent.sent, i);
    if (i == CHUNKS) {
        rpc_server_call_finish(call);
        return;
    }
    Cleat__V1__LogChunk chunk = CLEAT__V1__LOG_CHUNK__INIT;
    g_autofree char *line = g_strnfill(CHUNK_SIZE, (gchar)('a' + i % 26));
    api_set_scalar(&chunk, data, ((ProtobufCBinaryData){CHUNK_SIZE, (guint8 *)line}));
    g_autoptr(GBytes) bytes = api_message_pack(&chunk.base);
    grpc_slice slice = rpc_slice_from_bytes(bytes);
    rpc_server_call_set_data(call, GINT_TO_POINTER(i + 1), NULL);
    rpc_server_call_send(call, &slice, 1, send_chunk, &agent);
    grpc_slice_unref(slice);
}

static void on_agent_closed(RpcServerCall *call, gpointer data)
{
    (void)call;
    (void)data;
    g_atomic_int_inc(&agent.closed);
}

static void on_logs(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(request, &size);
    API_AUTO(Cleat__Node__V1__ContainerLogsRequest)
    message = (Cleat__Node__V1__ContainerLogsRequest *)api_message_unpack(
        &cleat__node__v1__container_logs_request__descriptor, bytes, size, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(rpc_server_call_identity(call)->user, ==, "cleat-server-agent-client");
    g_assert_true(g_uuid_string_is_valid(message->uid));
    rpc_server_call_on_closed(call, on_agent_closed, NULL);
    if (message->options && api_str_equal(message->options->container, "none")) {
        error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "no container \"none\" in pod \"%s\"", message->name);
        rpc_server_call_fail(call, error);
        return;
    }
    send_chunk(call, TRUE, NULL);
}

static RpcServer *agent_start(int *ret_port)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcServerCredentials) credentials = harness_agent_credentials(harness);
    RpcServer *server = rpc_server_new(NULL);
    g_assert_true(rpc_server_listen(server, "127.0.0.1:0", credentials, ret_port, &error));
    rpc_server_handle(server, "/cleat.node.v1.NodeAgent/Logs", on_logs, NULL);
    g_assert_true(rpc_server_start(server, &error));
    return server;
}

/* A stream of log chunks, read as it comes or not at all. */
typedef struct {
    GAsyncQueue *queue; /* of Piece */
    gint hold;          /* atomic: stop reading */
} LogReader;

typedef struct {
    GBytes *chunk; /* NULL: the end */
    GError *error; /* of the end; NULL: a good one */
} Piece;

static void piece_free(Piece *piece)
{
    g_clear_pointer(&piece->chunk, g_bytes_unref);
    g_clear_error(&piece->error);
    g_free(piece);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Piece, piece_free)

static void on_chunk(RpcStream *stream, GBytes *message, gpointer data)
{
    LogReader *reader = data;
    if (g_atomic_int_get(&reader->hold))
        rpc_stream_pause(stream);
    Piece *piece = g_new0(Piece, 1);
    piece->chunk = g_bytes_ref(message);
    g_async_queue_push(reader->queue, piece);
}

static void on_log_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    LogReader *reader = data;
    Piece *piece = g_new0(Piece, 1);
    piece->error = error ? g_error_copy(error) : NULL;
    g_async_queue_push(reader->queue, piece);
}

static Piece *next_piece(LogReader *reader)
{
    Piece *piece = g_async_queue_timeout_pop(reader->queue, 20 * G_USEC_PER_SEC);
    g_assert_nonnull(piece);
    return piece;
}

static RpcStream *logs_open(const char *ns, const char *name, const char *container, LogReader *reader)
{
    static const RpcStreamHandlers handlers = {.message = on_chunk, .end = on_log_end};
    Cleat__V1__PodLogsRequest request = CLEAT__V1__POD_LOGS_REQUEST__INIT;
    Core__V1__PodLogOptions options = CORE__V1__POD_LOG_OPTIONS__INIT;
    request.namespace_ = (char *)ns;
    request.name = (char *)name;
    options.container = (char *)container;
    request.options = &options;
    g_autoptr(GBytes) bytes = api_message_pack(&request.base);
    reader->queue = g_async_queue_new();
    return rpc_stream_open(admin, "/cleat.v1.Pods/Logs", bytes, TRUE, NULL, &handlers, reader);
}

/* The error that a log request without any output ends with. */
static GError *logs_error(const char *ns, const char *name, const char *container)
{
    LogReader reader = {0};
    RpcStream *stream = logs_open(ns, name, container, &reader);
    g_autoptr(Piece) end = next_piece(&reader);
    g_assert_null(end->chunk);
    rpc_stream_unref(stream);
    g_async_queue_unref(reader.queue);
    return g_steal_pointer(&end->error);
}

static void make_node(const char *name, int port)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage)
    created = kit_must_create(admin, "{apiVersion: v1, kind: Node, metadata: {name: %s}}", name);
    Core__V1__Node *node = (Core__V1__Node *)created;
    API_AUTO(ProtobufCMessage)
    status = kit_object(
        "{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {addresses: [{type: Hostname, address: %s}, "
        "{type: InternalIP, address: 127.0.0.1}], daemonEndpoints: {kubeletEndpoint: {Port: %d}}}}",
        node->metadata->name, name, port);
    API_AUTO(ProtobufCMessage) updated = kit_update_status(admin, status, &error);
    g_assert_no_error(error);
}

#define POD_ON                                                                                                         \
    "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {nodeName: %s, containers: [{name: c, image: i}]}}"

/* Everything arrives, in order. */
static void read_all(const char *ns)
{
    LogReader reader = {0};
    RpcStream *stream = logs_open(ns, "a", "c", &reader);
    for (int i = 0; i < CHUNKS; i++) {
        g_autoptr(Piece) piece = next_piece(&reader);
        gsize size;
        const void *data = g_bytes_get_data(piece->chunk, &size);
        Cleat__V1__LogChunk *chunk = cleat__v1__log_chunk__unpack(NULL, size, data);
        g_assert_cmpuint(chunk->data.len, ==, CHUNK_SIZE);
        g_assert_cmpint(chunk->data.data[0], ==, 'a' + i % 26);
        cleat__v1__log_chunk__free_unpacked(chunk, NULL);
    }
    g_autoptr(Piece) end = next_piece(&reader);
    g_assert_null(end->chunk);
    g_assert_no_error(end->error);
    rpc_stream_unref(stream);
    g_async_queue_unref(reader.queue);
}

/* A client that does not read slows the agent down; when it leaves, the agent's stream ends. */
static void read_slowly(const char *ns)
{
    int closed = g_atomic_int_get(&agent.closed);
    LogReader slow = {.hold = TRUE};
    g_atomic_int_set(&agent.sent, 0);
    RpcStream *stream = logs_open(ns, "a", "c", &slow);
    piece_free(next_piece(&slow));
    g_usleep(200000); /* time in which a server without back-pressure would take it all */
    g_assert_cmpint(g_atomic_int_get(&agent.sent), <, CHUNKS / 2);
    rpc_stream_cancel(stream);
    rpc_stream_resume(stream);
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (g_atomic_int_get(&agent.closed) == closed) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(5000);
    }
    for (gboolean over = FALSE; !over;) {
        g_autoptr(Piece) piece = next_piece(&slow);
        over = piece->chunk == NULL;
        if (over)
            kit_assert_error(&piece->error, CLEAT_ERROR_CANCELLED, "");
    }
    rpc_stream_unref(stream);
    g_async_queue_unref(slow.queue);
}

static void test_logs(void)
{
    int port;
    RpcServer *server = agent_start(&port);
    g_autofree char *ns = kit_namespace(admin);
    make_node("logs-1", port);
    API_FREE(kit_must_create(admin, POD_ON, "a", ns, "logs-1"));
    read_all(ns);
    read_slowly(ns);
    g_autoptr(GError) error = logs_error(ns, "a", "none");
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "no container \"none\"");
    rpc_server_stop(server, 0);
    rpc_server_free(server);
    error = logs_error(ns, "a", "c");
    kit_assert_error(&error, CLEAT_ERROR_UNAVAILABLE, "the agent of node \"logs-1\" is not reachable");
}

static void test_logs_refused(void)
{
    g_autofree char *ns = kit_namespace(admin);
    API_FREE(kit_must_create(admin, POD, "unbound", ns));
    API_FREE(kit_must_create(admin, POD_ON, "lost", ns, "no-such-node"));
    g_autoptr(GError) error = logs_error(ns, "none", "c");
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "pods \"none\" not found");
    error = logs_error(ns, "unbound", "c");
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "not assigned to a node");
    error = logs_error(ns, "lost", "c");
    kit_assert_error(&error, CLEAT_ERROR_UNAVAILABLE, "node \"no-such-node\", which is gone");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    harness = harness_new(NULL);
    admin = harness_channel(harness, 0, "admin");
    g_test_add_func("/pods/bind", test_bind);
    g_test_add_func("/pods/bind-many", test_bind_many);
    g_test_add_func("/pods/logs", test_logs);
    g_test_add_func("/pods/logs-refused", test_logs_refused);
    int result = g_test_run();
    rpc_channel_unref(admin);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
