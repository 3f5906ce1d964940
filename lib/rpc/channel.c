#include "lib/rpc/channel.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/rpc/address.h"
#include "lib/rpc/credentials.h"
#include "lib/rpc/details.h"

#define DEFAULT_KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000
#define RECONNECT_FIRST_MS 100
#define RECONNECT_MAX_MS 2000
#define CONNECT_TIMEOUT_MS 5000
#define DEADLINE_TOLERANCE_MS 20 /* the server's timer may be a little ahead of ours */

/* One gRPC channel per address, and our own choice among them: gRPC's policies can neither stick to one server until it fails
 * nor move on without waiting for their back-off. */
typedef struct {
    char *address;
    grpc_channel *core;
} Endpoint;

struct RpcChannel {
    gatomicrefcount refs;
    Endpoint *endpoints;
    guint n;
    guint current; /* atomic */
    gsize max_message_bytes;
};

static grpc_arg arg_int(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static grpc_arg arg_string(const char *key, const char *value)
{
    return (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)key, .value.string = (char *)value};
}

/* The name that the certificate must have; "localhost" for a unix socket, which has no name of its own. */
static const char *server_name(const RpcChannelOptions *options, const char *address)
{
    if (options->server_name || !options->credentials)
        return options->server_name;
    return rpc_address_unix_path(address) ? "localhost" : NULL;
}

static grpc_channel *core_channel_new(const RpcChannelOptions *options, const char *address, const char *target,
                                      int max_bytes)
{
    guint keepalive_ms = options->keepalive_ms ? options->keepalive_ms : DEFAULT_KEEPALIVE_MS;
    grpc_arg args[20] = {
        arg_int("grpc.enable_http_proxy", 0),
        arg_int("grpc.use_local_subchannel_pool", 1), /* a connection of its own for each channel */
        arg_int(GRPC_ARG_ENABLE_CHANNELZ, 0),
        arg_int(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max_bytes),
        arg_int(GRPC_ARG_MAX_METADATA_SIZE, RPC_MAX_METADATA_BYTES),
        arg_int(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        arg_int(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS),
        arg_int(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS), /* which gRPC takes for the connect timeout */
        arg_int(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIME_MS, (int)keepalive_ms),
        arg_int(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        arg_int(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    gsize n = 12;
    const char *name = server_name(options, address);
    if (name) {
        args[n++] = arg_string(GRPC_ARG_DEFAULT_AUTHORITY, name);
        if (options->credentials)
            args[n++] = arg_string(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, name);
    }
    grpc_channel_args all = {.num_args = n, .args = args};
    if (options->credentials)
        return grpc_channel_create(target, options->credentials->core, &all);
    grpc_channel_credentials *plaintext = grpc_insecure_credentials_create();
    grpc_channel *core = grpc_channel_create(target, plaintext, &all);
    grpc_channel_credentials_release(plaintext);
    return core;
}

RpcChannel *rpc_channel_new(const RpcChannelOptions *options, GError **error)
{
    guint n = options->addresses ? g_strv_length((char **)options->addresses) : 0;
    if (n == 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "no address to connect to");
        return NULL;
    }
    g_autoptr(RpcChannel) channel = g_new0(RpcChannel, 1);
    g_atomic_ref_count_init(&channel->refs);
    channel->max_message_bytes = options->max_message_bytes ? options->max_message_bytes : RPC_MAX_MESSAGE_BYTES;
    channel->endpoints = g_new0(Endpoint, n);
    for (; channel->n < n; channel->n++) {
        const char *address = options->addresses[channel->n];
        g_autofree char *target = rpc_address_to_target(address, error);
        if (!target)
            return NULL;
        int max_bytes = (int)MIN(channel->max_message_bytes, G_MAXINT);
        channel->endpoints[channel->n].core = core_channel_new(options, address, target, max_bytes);
        channel->endpoints[channel->n].address = g_strdup(address);
    }
    channel->current = options->start_at_random ? (guint)g_random_int_range(0, (gint32)n) : 0;
    return g_steal_pointer(&channel);
}

RpcChannel *rpc_channel_ref(RpcChannel *channel)
{
    g_atomic_ref_count_inc(&channel->refs);
    return channel;
}

void rpc_channel_unref(RpcChannel *channel)
{
    if (!channel || !g_atomic_ref_count_dec(&channel->refs))
        return;
    for (guint i = 0; i < channel->n; i++) {
        grpc_channel_destroy(channel->endpoints[i].core);
        g_free(channel->endpoints[i].address);
    }
    g_free(channel->endpoints);
    g_free(channel);
}

guint rpc_channel_size(const RpcChannel *channel)
{
    return channel->n;
}

guint rpc_channel_current(RpcChannel *channel)
{
    return (guint)g_atomic_int_get(&channel->current);
}

char *rpc_channel_address(RpcChannel *channel)
{
    return g_strdup(channel->endpoints[rpc_channel_current(channel)].address);
}

char *rpc_channel_addresses(const RpcChannel *channel)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < channel->n; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "", channel->endpoints[i].address);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

gsize rpc_channel_max_message_bytes(const RpcChannel *channel)
{
    return channel->max_message_bytes;
}

grpc_call *rpc_channel_call(RpcChannel *channel, guint i, RpcPoller *poller, const char *method, gpr_timespec deadline)
{
    grpc_slice path = grpc_slice_from_copied_string(method);
    grpc_call *call = grpc_channel_create_call(channel->endpoints[i].core, NULL, 0, rpc_poller_queue(poller), path,
                                               NULL, deadline, NULL);
    grpc_slice_unref(path);
    return call;
}

/* gRPC does not say whether a call got as far as a connection, but for its text. An unknown text counts as sent, which is the
 * safe side. A deadline that passes without a connection: one that breaks later would have ended the call before. */
gboolean rpc_channel_was_sent(RpcChannel *channel, guint i, grpc_status_code status, grpc_slice message)
{
    static const char *const unsent[] = {"failed to connect to all addresses", "DNS resolution failed"};
    if (status == GRPC_STATUS_DEADLINE_EXCEEDED)
        return grpc_channel_check_connectivity_state(channel->endpoints[i].core, 0) == GRPC_CHANNEL_READY;
    if (status != GRPC_STATUS_UNAVAILABLE)
        return TRUE;
    for (guint j = 0; j < G_N_ELEMENTS(unsent); j++) {
        gsize size = strlen(unsent[j]);
        if (GRPC_SLICE_LENGTH(message) >= size && memcmp(GRPC_SLICE_START_PTR(message), unsent[j], size) == 0)
            return FALSE;
    }
    return TRUE;
}

void rpc_channel_failed(RpcChannel *channel, guint i)
{
    g_atomic_int_compare_and_exchange(&channel->current, i, (i + 1) % channel->n);
}

gboolean rpc_channel_look_for_ready(RpcChannel *channel)
{
    gint ready = -1;
    for (guint i = 0; i < channel->n; i++) {
        if (grpc_channel_check_connectivity_state(channel->endpoints[i].core, 1) == GRPC_CHANNEL_READY && ready < 0)
            ready = (gint)i;
    }
    if (ready >= 0)
        g_atomic_int_set(&channel->current, (guint)ready);
    return ready >= 0;
}

/* --- what unary calls and streams share -------------------------------------------------------------------------------*/

gboolean rpc_metadata_init(RpcMetadata *metadata, const char *const *pairs, GError **error)
{
    gsize n = pairs ? g_strv_length((char **)pairs) / 2 : 0;
    *metadata = (RpcMetadata){g_new0(grpc_metadata, n), 0};
    for (gsize i = 0; i < n; i++) {
        grpc_slice key = grpc_slice_from_copied_string(pairs[2 * i]);
        grpc_slice value = grpc_slice_from_copied_string(pairs[2 * i + 1]);
        metadata->entries[metadata->n++] = (grpc_metadata){.key = key, .value = value};
        if (grpc_header_key_is_legal(key) && (grpc_is_binary_header(key) || grpc_header_nonbin_value_is_legal(value)))
            continue;
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "metadata \"%s\": not a legal header", pairs[2 * i]);
        rpc_metadata_done(metadata);
        return FALSE;
    }
    return TRUE;
}

void rpc_metadata_done(RpcMetadata *metadata)
{
    for (gsize i = 0; i < metadata->n; i++) {
        grpc_slice_unref(metadata->entries[i].key);
        grpc_slice_unref(metadata->entries[i].value);
    }
    g_clear_pointer(&metadata->entries, g_free);
    metadata->n = 0;
}

gpr_timespec rpc_deadline(gint64 timeout_ms)
{
    if (timeout_ms == 0)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

grpc_status_code rpc_status_settle(grpc_status_code status, gpr_timespec deadline)
{
    if (status != GRPC_STATUS_CANCELLED)
        return status;
    gpr_timespec soon =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(DEADLINE_TOLERANCE_MS, GPR_TIMESPAN));
    return gpr_time_cmp(soon, deadline) >= 0 ? GRPC_STATUS_DEADLINE_EXCEEDED : GRPC_STATUS_UNAVAILABLE;
}

GError *rpc_error_unreachable(RpcChannel *channel, const char *method, grpc_slice reason)
{
    g_autofree char *addresses = rpc_channel_addresses(channel);
    g_autofree char *text = grpc_slice_to_c_string(reason);
    return g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "%s: cannot reach %s: %s", method, addresses,
                       text[0] ? text : "no connection in time");
}

GError *rpc_error_from_call(RpcChannel *channel, guint i, const char *method, grpc_status_code code, grpc_slice message,
                            const grpc_metadata_array *trailers)
{
    GError *error = rpc_error_from_status(code, message, trailers);
    if (trailers->count == 0 && (code == GRPC_STATUS_UNAVAILABLE || code == GRPC_STATUS_DEADLINE_EXCEEDED))
        g_prefix_error(&error, "%s at %s: ", method, channel->endpoints[i].address);
    return error;
}

GError *rpc_error_cancelled(const char *method)
{
    return g_error_new(CLEAT_ERROR, CLEAT_ERROR_CANCELLED, "%s: cancelled", method);
}

GError *rpc_error_if_too_large(RpcChannel *channel, const char *method, GBytes *message)
{
    if (!message || g_bytes_get_size(message) <= channel->max_message_bytes)
        return NULL;
    return g_error_new(CLEAT_ERROR, CLEAT_ERROR_TOO_LARGE, "%s: the message has %zu bytes; %zu are allowed", method,
                       g_bytes_get_size(message), channel->max_message_bytes);
}
