#include "server/server.h"

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "server/admission/service-range.h"
#include "server/verbs/verbs.h"
#include "server/verbs/write.h"

#define MAX_REQUEST_BYTES (2 * 1024 * 1024) /* an object has at most 1.5 MiB: etcd takes no more */
#define BOOTSTRAP_RETRY_MS 1000

static const char *const first_namespaces[] = {
    API_NAMESPACE_DEFAULT,
    API_NAMESPACE_SYSTEM,
    API_NAMESPACE_NODE_LEASE,
    API_NAMESPACE_PUBLIC,
};

struct Server {
    Context context;
    EtcdClient *etcd;
    RpcServer *rpc;

    /* the first namespaces; one round of making them at a time */
    gint bootstrapped; /* atomic: begun */
    StoreMutation namespaces[G_N_ELEMENTS(first_namespaces)];

    GMutex lock; /* guards what follows */
    gboolean stopping;
    guint retry; /* timer */
};

/* --- the gate ---*/

/* Runs before every handler: who is it, and are we able to answer? */
static gboolean gate(RpcServerCall *call, gpointer data, GError **error)
{
    const Server *server = data;
    if (!rpc_server_call_identity(call)->user) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAUTHORIZED,
                    "a client certificate that names a user (CN) is required");
        return FALSE;
    }
    if (!g_atomic_int_get(&server->context.ready)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE,
                    "the server is not ready: its caches are not filled from etcd yet");
        return FALSE;
    }
    return TRUE;
}

/* --- the first namespaces ---*/

static StoreAction decide_namespace(StoreMutation *mutation, const StoreEntry *current, StoreChange *change,
                                    GError **error)
{
    (void)error;
    if (current)
        return STORE_KEEP;
    API_AUTO(Core__V1__Namespace) namespace = API_NEW(Core__V1__Namespace, core__v1__namespace);
    ProtobufCMessage *object = &namespace->base;
    api_meta(object)->name = g_strdup(mutation->key);
    write_prepare_meta(api_meta(object), API_NAMESPACE->has_generation);
    API_NAMESPACE->set_defaults(object);
    API_NAMESPACE->prepare_create(object);
    return write_put(object, NULL, change);
}

static void bootstrap(Server *server);

static gboolean on_retry(gpointer data)
{
    Server *server = data;
    g_mutex_lock(&server->lock);
    server->retry = 0;
    gboolean stopping = server->stopping;
    g_mutex_unlock(&server->lock);
    if (!stopping)
        bootstrap(server);
    return G_SOURCE_REMOVE;
}

static void on_bootstrapped(gpointer data)
{
    Server *server = data;
    gboolean failed = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(first_namespaces); i++) {
        const GError *error = server->namespaces[i].error;
        if (error)
            log_warning("namespace %s cannot be made: %s", first_namespaces[i], error->message);
        failed |= error != NULL;
        store_mutation_clear(&server->namespaces[i]);
    }
    g_mutex_lock(&server->lock);
    if (failed && !server->stopping)
        server->retry = g_timeout_add(BOOTSTRAP_RETRY_MS, on_retry, server);
    gboolean ready = !failed && !server->stopping;
    g_mutex_unlock(&server->lock);
    if (!ready)
        return;
    g_atomic_int_set(&server->context.ready, TRUE);
    rpc_server_set_serving(server->rpc, "", TRUE);
    log_info("ready");
}

static void bootstrap(Server *server)
{
    for (guint i = 0; i < G_N_ELEMENTS(first_namespaces); i++)
        server->namespaces[i] = (StoreMutation){.resource = API_NAMESPACE, .key = g_strdup(first_namespaces[i])};
    store_mutate(server->context.store, server->namespaces, G_N_ELEMENTS(first_namespaces), decide_namespace,
                 on_bootstrapped, server);
}

static void on_store_ready(gboolean ready, const GError *error, gpointer data)
{
    Server *server = data;
    if (!ready)
        log_warning("the caches cannot be filled, trying again: %s", error->message);
    else if (g_atomic_int_compare_and_exchange(&server->bootstrapped, FALSE, TRUE))
        bootstrap(server);
}

/* --- start and stop ---*/

static gboolean server_listen(Server *server, const ServerOptions *options, GError **error)
{
    for (const char *const *address = options->listen; *address; address++) {
        if (!rpc_server_listen(server->rpc, *address, options->credentials, NULL, error))
            return FALSE;
        log_info("listening on %s", *address);
    }
    return rpc_server_start(server->rpc, error);
}

Server *server_new(const ServerOptions *options, GError **error)
{
    Server *server = g_new0(Server, 1);
    RpcServerOptions rpc_options = {.max_message_bytes = MAX_REQUEST_BYTES};
    g_mutex_init(&server->lock);
    server->context.agent_credentials = options->agent_credentials;
    server->context.methods = g_ptr_array_new_with_free_func(g_free);
    server->rpc = rpc_server_new(&rpc_options);
    server->context.service_range = service_range_new(options->service_cidr, error);
    if (server->context.service_range)
        server->etcd = etcd_client_new(options->etcd, options->etcd_credentials, error);
    if (!server->etcd) {
        server_free(server, 0);
        return NULL;
    }
    StoreOptions store_options = {
        .etcd = server->etcd, .prefix = options->etcd_prefix, .ready = on_store_ready, .data = server};
    rpc_server_set_gate(server->rpc, gate, server);
    rpc_server_set_serving(server->rpc, "", FALSE);
    verbs_register(&server->context, server->rpc);
    server->context.store = store_new(&store_options);
    store_start(server->context.store);
    if (!server_listen(server, options, error)) {
        server_free(server, 0);
        return NULL;
    }
    return server;
}

void server_free(Server *server, guint grace_ms)
{
    g_mutex_lock(&server->lock);
    server->stopping = TRUE;
    g_clear_handle_id(&server->retry, g_source_remove);
    g_mutex_unlock(&server->lock);
    rpc_server_set_serving(server->rpc, "", FALSE);
    if (server->context.store)
        store_stop(server->context.store);
    rpc_server_stop(server->rpc, grace_ms);
    if (server->etcd)
        etcd_client_stop(server->etcd);
    if (server->context.store)
        store_free(server->context.store);
    etcd_client_free(server->etcd);
    rpc_server_free(server->rpc);
    service_range_free(server->context.service_range);
    g_ptr_array_unref(server->context.methods);
    g_mutex_clear(&server->lock);
    g_free(server);
}
