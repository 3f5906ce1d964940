#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <grpc/grpc_security.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/rpc/address.h"
#include "lib/rpc/credentials.h"
#include "lib/rpc/details.h"
#include "lib/rpc/server-internal.h"

#define ARMED_PER_QUEUE 64 /* calls that wait to be taken; with one, throughput falls by a third */
#define DEFAULT_MAX_STREAMS 10000
#define KEEPALIVE_MS 30000
#define KEEPALIVE_TIMEOUT_MS 10000

/* The lock file beside a unix socket. gRPC replaces a socket without looking whether somebody serves it. */
typedef struct {
    char *path;
    int fd;
} UnixLock;

static void unix_lock_free(gpointer data)
{
    UnixLock *lock = data;
    unlink(lock->path); /* while it is locked, so that nobody's file is removed */
    close(lock->fd);
    g_free(lock->path);
    g_free(lock);
}

static void method_free(gpointer data)
{
    RpcMethod *method = data;
    g_free(method->name);
    g_free(method);
}

/* --- making -----------------------------------------------------------------------------------------------------------*/

static grpc_arg arg_int(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static grpc_server *core_server_new(const RpcServerOptions *options, gsize max_message_bytes)
{
    int max_streams = (int)(options && options->max_streams ? options->max_streams : DEFAULT_MAX_STREAMS);
    grpc_arg args[] = {
        arg_int(GRPC_ARG_ALLOW_REUSEPORT, 0), /* else a second server on the port takes a share of the connections */
        arg_int(GRPC_ARG_ENABLE_CHANNELZ, 0),
        arg_int(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)MIN(max_message_bytes, G_MAXINT)),
        arg_int(GRPC_ARG_MAX_METADATA_SIZE, RPC_MAX_METADATA_BYTES),
        arg_int(GRPC_ARG_MAX_CONCURRENT_STREAMS, max_streams),
        arg_int(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        arg_int(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        arg_int(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        arg_int(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1), /* to find clients that are gone */
        arg_int(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000),
        arg_int(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0),
    };
    grpc_channel_args all = {.num_args = G_N_ELEMENTS(args), .args = args};
    grpc_server *core = grpc_server_create(&all, NULL);
    for (guint i = 0; i < rpc_poller_count(); i++)
        grpc_server_register_completion_queue(core, rpc_poller_queue(rpc_poller_at(i)), NULL);
    return core;
}

static void shut_down(RpcTag *tag, gboolean ok);
static void shut_down_deliver(RpcWork *work, gboolean deliver);

RpcServer *rpc_server_new(const RpcServerOptions *options)
{
    RpcServer *server = g_new0(RpcServer, 1);
    g_atomic_ref_count_init(&server->refs);
    g_mutex_init(&server->lock);
    g_cond_init(&server->cond);
    server->shutdown_tag.run = shut_down;
    server->shutdown_work.run = shut_down_deliver;
    server->context = options && options->context ? g_main_context_ref(options->context) : NULL;
    server->inbox = rpc_inbox_for(server->context);
    server->max_message_bytes =
        options && options->max_message_bytes ? options->max_message_bytes : RPC_MAX_MESSAGE_BYTES;
    server->core = core_server_new(options, server->max_message_bytes);
    server->methods = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, method_free);
    server->locks = g_ptr_array_new_with_free_func(unix_lock_free);
    server->health = rpc_health_new(server);
    rpc_reflection_register(server);
    return server;
}

void rpc_server_ref_internal(RpcServer *server)
{
    g_atomic_ref_count_inc(&server->refs);
}

void rpc_server_unref_internal(RpcServer *server)
{
    if (!g_atomic_ref_count_dec(&server->refs))
        return;
    rpc_health_free(server->health);
    g_hash_table_destroy(server->methods);
    g_clear_pointer(&server->context, g_main_context_unref);
    g_ptr_array_unref(server->locks);
    g_mutex_clear(&server->lock);
    g_cond_clear(&server->cond);
    g_free(server);
}

static void add_method(RpcServer *server, const char *name, RpcHandler handler, gpointer data, gboolean ungated)
{
    RpcMethod *method = g_new(RpcMethod, 1);
    *method = (RpcMethod){g_strdup(name), handler, data, ungated};
    g_hash_table_replace(server->methods, method->name, method);
}

void rpc_server_handle(RpcServer *server, const char *method, RpcHandler handler, gpointer data)
{
    add_method(server, method, handler, data, FALSE);
}

void rpc_server_handle_ungated(RpcServer *server, const char *method, RpcHandler handler, gpointer data)
{
    add_method(server, method, handler, data, TRUE);
}

void rpc_server_set_gate(RpcServer *server, RpcGate gate, gpointer data)
{
    server->gate = gate;
    server->gate_data = data;
}

void rpc_server_set_serving(RpcServer *server, const char *service, gboolean serving)
{
    rpc_health_set(server->health, service, serving);
}

/* --- listening --------------------------------------------------------------------------------------------------------*/

static gboolean listen_failed(const char *address, const char *why, GError **error)
{
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "cannot listen on %s: %s", address, why);
    return FALSE;
}

/* Takes the lock file of a unix socket. Whoever removes it holds its lock, so a file that was locked but is no longer the one
 * of that name has been removed in between: then again. */
static gboolean unix_lock(RpcServer *server, const char *address, const char *socket_path, GError **error)
{
    g_autofree char *path = g_strconcat(socket_path, ".lock", NULL);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return listen_failed(address, g_strerror(errno), error);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            int saved = errno;
            close(fd);
            return listen_failed(address, saved == EWOULDBLOCK ? "another server serves it" : g_strerror(saved), error);
        }
        struct stat held, named;
        if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
            held.st_dev == named.st_dev) {
            UnixLock *lock = g_new(UnixLock, 1);
            *lock = (UnixLock){g_steal_pointer(&path), fd};
            g_ptr_array_add(server->locks, lock);
            return TRUE;
        }
        close(fd);
    }
}

/* gRPC says only that it failed; binding by ourselves says why. */
static char *why_not_bound(const char *address)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *host = NULL;
    guint16 port;
    const char *path = rpc_address_unix_path(address);
    if (path)
        return g_strdup("the path is not a socket, or its folder is not there or not writable");
    if (!rpc_address_split(address, &host, &port, &error))
        return g_strdup(error->message);
    g_autoptr(GSocketAddress) numeric = g_inet_socket_address_new_from_string(host, port);
    if (!numeric)
        return g_strdup("the name has no address");
    g_autoptr(GSocket) probe =
        g_socket_new(g_socket_address_get_family(numeric), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, &error);
    if (probe && g_socket_bind(probe, numeric, TRUE, &error) && g_socket_listen(probe, &error))
        return g_strdup("the address is in use");
    return g_strdup(error->message);
}

/* What gRPC's server wants: "1.2.3.4:5", "[::1]:5" or "unix:/path". */
static char *listen_target(const char *address, GError **error)
{
    g_autofree char *checked = rpc_address_to_target(address, error);
    if (!checked) {
        (*error)->code = CLEAT_ERROR_UNAVAILABLE;
        return NULL;
    }
    const char *path = rpc_address_unix_path(address);
    return path ? g_strconcat("unix:", path, NULL) : g_strdup(address);
}

gboolean rpc_server_listen(RpcServer *server, const char *address, const RpcServerCredentials *credentials,
                           int *ret_port, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autofree char *target = listen_target(address, &local);
    if (!target) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    const char *path = rpc_address_unix_path(address);
    if (path && !unix_lock(server, address, path, error))
        return FALSE;
    grpc_server_credentials *plaintext = credentials ? NULL : grpc_insecure_server_credentials_create();
    int port = grpc_server_add_http2_port(server->core, target, credentials ? credentials->core : plaintext);
    if (plaintext)
        grpc_server_credentials_release(plaintext);
    if (port == 0) {
        g_autofree char *why = why_not_bound(address);
        return listen_failed(address, why, error);
    }
    if (ret_port)
        *ret_port = port;
    return TRUE;
}

gboolean rpc_server_start(RpcServer *server, GError **error)
{
    if (server->started) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "the server runs already");
        return FALSE;
    }
    server->started = TRUE;
    rpc_health_start(server->health);
    grpc_server_start(server->core);
    for (guint i = 0; i < rpc_poller_count(); i++) {
        for (guint j = 0; j < ARMED_PER_QUEUE; j++)
            rpc_server_call_arm(server, rpc_poller_at(i));
    }
    return TRUE;
}

/* --- stopping ---------------------------------------------------------------------------------------------------------*/

void rpc_server_call_gone(RpcServer *server)
{
    g_mutex_lock(&server->lock);
    server->calls--;
    if (server->stopping && server->calls == 0) {
        g_cond_signal(&server->cond);
        if (server->context)
            g_main_context_wakeup(server->context);
    }
    g_mutex_unlock(&server->lock);
}

static void shut_down_deliver(RpcWork *work, gboolean deliver)
{
    (void)deliver;
    RpcServer *server = (RpcServer *)((char *)work - G_STRUCT_OFFSET(RpcServer, shutdown_work));
    g_mutex_lock(&server->lock);
    server->shut_down = TRUE;
    g_cond_signal(&server->cond);
    g_mutex_unlock(&server->lock);
}

static void shut_down(RpcTag *tag, gboolean ok)
{
    (void)ok;
    RpcServer *server = (RpcServer *)((char *)tag - G_STRUCT_OFFSET(RpcServer, shutdown_tag));
    rpc_inbox_post(server->inbox, &server->shutdown_work);
}

static gboolean is_gone(RpcServer *server)
{
    g_mutex_lock(&server->lock);
    gboolean gone = server->shut_down && server->calls == 0;
    g_mutex_unlock(&server->lock);
    return gone;
}

static gboolean time_is_up(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Waits until nothing of the server runs, at most timeout_ms (-1: however long). TRUE if so. */
static gboolean wait_gone(RpcServer *server, gint64 timeout_ms)
{
    if (!server->context) {
        gint64 until = g_get_monotonic_time() + timeout_ms * 1000;
        gboolean in_time = TRUE;
        g_mutex_lock(&server->lock);
        while (in_time && !(server->shut_down && server->calls == 0)) {
            if (timeout_ms < 0)
                g_cond_wait(&server->cond, &server->lock);
            else
                in_time = g_cond_wait_until(&server->cond, &server->lock, until);
        }
        g_mutex_unlock(&server->lock);
        return is_gone(server);
    }
    gboolean late = FALSE;
    g_autoptr(GSource) timer = timeout_ms < 0 ? NULL : g_timeout_source_new((guint)timeout_ms);
    if (timer) {
        g_source_set_callback(timer, time_is_up, &late, NULL);
        g_source_attach(timer, server->context);
    }
    while (!late && !is_gone(server))
        g_main_context_iteration(server->context, TRUE);
    if (timer)
        g_source_destroy(timer);
    return is_gone(server);
}

void rpc_server_stop(RpcServer *server, guint grace_ms)
{
    g_mutex_lock(&server->lock);
    gboolean stopped = server->stopping;
    server->stopping = TRUE;
    g_mutex_unlock(&server->lock);
    if (stopped)
        return;
    rpc_health_stop(server->health);
    grpc_server_shutdown_and_notify(server->core, rpc_poller_queue(rpc_poller_at(0)), &server->shutdown_tag);
    if (!wait_gone(server, grace_ms)) {
        grpc_server_cancel_all_calls(server->core);
        wait_gone(server, -1);
    }
    grpc_server_destroy(server->core);
    g_ptr_array_set_size(server->locks, 0);
}

void rpc_server_free(RpcServer *server)
{
    if (!server)
        return;
    rpc_server_stop(server, 0);
    rpc_server_unref_internal(server);
}
