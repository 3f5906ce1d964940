/* The gRPC health service. A watch gets the state at once and at each change, one message at a time: a slow watcher sees the
 * last state, not all that were between. */
#include "foreign/grpc/health.pb-c.h"
#include "lib/base/error.h"
#include "lib/rpc/server-internal.h"

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus ServingStatus;
#define UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN
#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct RpcHealth {
    GMutex lock;
    GHashTable *states; /* lock; service -> ServingStatus */
    GPtrArray *watches; /* lock; of Watch, each with a reference of its call, whose data it is */
    gboolean stopping;  /* lock */
};

typedef struct {
    RpcHealth *health;
    RpcServerCall *call;
    char *service;
    int told;         /* lock; the last state that was sent, -1 for none */
    gboolean sending; /* lock */
    gboolean ended;   /* lock */
} Watch;

static void watch_free(gpointer data)
{
    Watch *watch = data;
    g_free(watch->service);
    g_free(watch);
}

/* The state of a service, or <absent>. The lock is held. */
static int health_state(RpcHealth *health, const char *service, int absent)
{
    gpointer value;
    return g_hash_table_lookup_extended(health->states, service, NULL, &value) ? GPOINTER_TO_INT(value) : absent;
}

static void encode(int state, grpc_slice *ret_slice)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = (ServingStatus)state;
    *ret_slice = grpc_slice_malloc(grpc__health__v1__health_check_response__get_packed_size(&response));
    grpc__health__v1__health_check_response__pack(&response, GRPC_SLICE_START_PTR(*ret_slice));
}

static void watch_sent(RpcServerCall *call, gboolean ok, gpointer data);

/* Sends what the watcher does not know yet, or the end. The lock is held. */
static void watch_update(Watch *watch)
{
    RpcHealth *health = watch->health;
    if (watch->sending || watch->ended)
        return;
    int state = health_state(health, watch->service, SERVICE_UNKNOWN);
    if (state != watch->told) {
        grpc_slice slice;
        encode(state, &slice);
        watch->told = state;
        watch->sending = TRUE;
        rpc_server_call_send(watch->call, &slice, 1, watch_sent, watch);
        grpc_slice_unref(slice);
    } else if (health->stopping) {
        watch->ended = TRUE;
        rpc_server_call_end(watch->call, GRPC_STATUS_UNAVAILABLE, "the server stops");
    }
}

static void watch_sent(RpcServerCall *call, gboolean ok, gpointer data)
{
    (void)call;
    Watch *watch = data;
    g_mutex_lock(&watch->health->lock);
    watch->sending = FALSE;
    if (ok)
        watch_update(watch);
    g_mutex_unlock(&watch->health->lock);
}

static void watch_closed(RpcServerCall *call, gpointer data)
{
    Watch *watch = data;
    RpcHealth *health = watch->health;
    g_mutex_lock(&health->lock);
    watch->ended = TRUE;
    g_ptr_array_remove_fast(health->watches, watch);
    g_mutex_unlock(&health->lock);
    rpc_server_call_unref(call);
}

/* The service that a request names. New string; NULL, and the call has failed, if the request cannot be read. */
static char *request_service(RpcServerCall *call, GBytes *bytes)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    Grpc__Health__V1__HealthCheckRequest *request = grpc__health__v1__health_check_request__unpack(NULL, size, data);
    if (!request) {
        rpc_server_call_end(call, GRPC_STATUS_INVALID_ARGUMENT, "the request is not a HealthCheckRequest");
        return NULL;
    }
    char *service = g_strdup(request->service);
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    return service;
}

static void handle_check(RpcServerCall *call, GBytes *request, gpointer data)
{
    RpcHealth *health = data;
    g_autofree char *service = request_service(call, request);
    if (!service)
        return;
    g_mutex_lock(&health->lock);
    int state = health_state(health, service, -1);
    g_mutex_unlock(&health->lock);
    if (state < 0) {
        g_autoptr(GError) error =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "service \"%s\" is not known here", service);
        rpc_server_call_fail(call, error);
        return;
    }
    grpc_slice slice;
    encode(state, &slice);
    rpc_server_call_reply_slices(call, &slice, 1);
    grpc_slice_unref(slice);
}

static void handle_watch(RpcServerCall *call, GBytes *request, gpointer data)
{
    RpcHealth *health = data;
    char *service = request_service(call, request);
    if (!service)
        return;
    Watch *watch = g_new(Watch, 1);
    *watch = (Watch){.health = health, .call = rpc_server_call_ref(call), .service = service, .told = -1};
    rpc_server_call_set_data(call, watch, watch_free);
    g_mutex_lock(&health->lock);
    g_ptr_array_add(health->watches, watch);
    watch_update(watch);
    g_mutex_unlock(&health->lock);
    rpc_server_call_on_closed(call, watch_closed, watch);
}

void rpc_health_set(RpcHealth *health, const char *service, gboolean serving)
{
    g_mutex_lock(&health->lock);
    g_hash_table_replace(health->states, g_strdup(service), GINT_TO_POINTER(serving ? SERVING : NOT_SERVING));
    for (guint i = 0; i < health->watches->len; i++)
        watch_update(health->watches->pdata[i]);
    g_mutex_unlock(&health->lock);
}

void rpc_health_start(RpcHealth *health)
{
    g_mutex_lock(&health->lock);
    gboolean known = health_state(health, "", -1) >= 0;
    g_mutex_unlock(&health->lock);
    if (!known)
        rpc_health_set(health, "", TRUE);
}

void rpc_health_stop(RpcHealth *health)
{
    g_mutex_lock(&health->lock);
    health->stopping = TRUE;
    GHashTableIter iter;
    gpointer service;
    g_hash_table_iter_init(&iter, health->states);
    while (g_hash_table_iter_next(&iter, &service, NULL))
        g_hash_table_iter_replace(&iter, GINT_TO_POINTER(NOT_SERVING));
    for (guint i = 0; i < health->watches->len; i++)
        watch_update(health->watches->pdata[i]);
    g_mutex_unlock(&health->lock);
}

RpcHealth *rpc_health_new(RpcServer *server)
{
    RpcHealth *health = g_new0(RpcHealth, 1);
    g_mutex_init(&health->lock);
    health->states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    health->watches = g_ptr_array_new();
    rpc_server_handle_ungated(server, "/grpc.health.v1.Health/Check", handle_check, health);
    rpc_server_handle_ungated(server, "/grpc.health.v1.Health/Watch", handle_watch, health);
    return health;
}

void rpc_health_free(RpcHealth *health)
{
    g_ptr_array_unref(health->watches);
    g_hash_table_destroy(health->states);
    g_mutex_clear(&health->lock);
    g_free(health);
}
