#include "client/client.h"

#include <string.h>

#include "cleat/v1/core.pb-c.h"
#include "cleat/v1/requests.pb-c.h"
#include "client/internal.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"

struct Client {
    RpcChannel *channel;
    GMainContext *context;
    GCancellable *cancellable; /* ends all calls in client_free() */
    const char *user_agent;
    guint pending; /* calls and watches whose end has not been told */
};

#define CLOSE_PATIENCE_US (2 * G_USEC_PER_SEC)

Client *client_new(const ClientConfig *config, const char *user_agent, GMainContext *context, GError **error)
{
    RpcClientCredentials *credentials = NULL;
    if (config->ca || config->cert) {
        credentials = rpc_client_credentials_new(config->ca, config->cert, config->key, error);
        if (!credentials)
            return NULL;
    }
    RpcChannelOptions options = {
        .addresses = (const char *const *)config->addresses,
        .credentials = credentials,
        .server_name = config->server_name,
        .start_at_random = TRUE,
    };
    RpcChannel *channel = rpc_channel_new(&options, error);
    rpc_client_credentials_free(credentials);
    if (!channel)
        return NULL;
    Client *client = g_new0(Client, 1);
    client->channel = channel;
    client->context = g_main_context_ref(context ? context : g_main_context_default());
    client->cancellable = g_cancellable_new();
    client->user_agent = user_agent;
    return client;
}

void client_free(Client *client)
{
    if (!client)
        return;
    g_cancellable_cancel(client->cancellable);
    gint64 end = g_get_monotonic_time() + CLOSE_PATIENCE_US;
    while (client->pending > 0 && g_get_monotonic_time() < end)
        if (!g_main_context_iteration(client->context, FALSE))
            g_usleep(1000); /* the ends come from gRPC's threads */
    g_object_unref(client->cancellable);
    rpc_channel_unref(client->channel);
    g_main_context_unref(client->context);
    g_free(client);
}

RpcChannel *client_channel(Client *client)
{
    return client->channel;
}

GMainContext *client_context(Client *client)
{
    return client->context;
}

/* --- requests ---------------------------------------------------------------------------------------------------------
 * The request messages of a verb have the same layout for every kind (proto/cleat/v1), so the kind's own type is not needed to
 * make them: CreatePodRequest and CreateNodeRequest differ in what field 2 may hold, which is packed here from the object. */

typedef struct {
    const char *verb;
    const ApiResource *resource;
    GBytes *request;
    const ProtobufCMessageDescriptor *reply; /* what the answer decodes to */
    gboolean idempotent;
} Request;

static void request_done(Request *request)
{
    g_bytes_unref(request->request);
}

static void put_bytes(GByteArray *out, guint32 number, const void *data, gsize size)
{
    guint8 head[20];
    gsize n = api_wire_put_tag(head, number, 2);
    n += api_wire_put_varint(head + n, size);
    g_byte_array_append(out, head, (guint)n);
    g_byte_array_append(out, data, (guint)size);
}

/* {namespace = 1, object = 2} */
static GBytes *object_request(const ProtobufCMessage *object)
{
    GByteArray *out = g_byte_array_new();
    const char *namespace_ = api_object_namespace(object);
    if (*namespace_)
        put_bytes(out, 1, namespace_, strlen(namespace_));
    g_autoptr(GBytes) packed = api_message_pack(object);
    gsize size;
    const void *data = g_bytes_get_data(packed, &size);
    put_bytes(out, 2, data, size);
    return g_byte_array_free_to_bytes(out);
}

static Request write_request(const char *verb, const ProtobufCMessage *object)
{
    const ApiResource *resource = api_resource_by_descriptor(object->descriptor);
    g_assert(resource);
    return (Request){
        .verb = verb,
        .resource = resource,
        .request = object_request(object),
        .reply = resource->object,
        /* with a resourceVersion a second try can at worst answer Conflict, which callers handle anyway */
        .idempotent = !g_str_equal(verb, "Create") && api_object_revision(object) != 0,
    };
}

static Request get_request(const ApiResource *resource, const char *namespace_, const char *name)
{
    Cleat__V1__GetRequest message = CLEAT__V1__GET_REQUEST__INIT;
    message.namespace_ = (char *)namespace_;
    message.name = (char *)name;
    return (Request){"Get", resource, api_message_pack(&message.base), resource->object, TRUE};
}

static GBytes *list_bytes(const char *namespace_, const ClientListOptions *options, gboolean watch)
{
    Meta__V1__ListOptions list = META__V1__LIST_OPTIONS__INIT;
    Cleat__V1__ListRequest message = CLEAT__V1__LIST_REQUEST__INIT;
    message.namespace_ = (char *)namespace_;
    message.options = &list;
    if (options) {
        list.labelselector = (char *)options->label_selector;
        list.fieldselector = (char *)options->field_selector;
        list.resourceversion = (char *)options->resource_version;
        list.continue_ = (char *)options->continue_token;
        list.has_limit = options->limit > 0;
        list.limit = options->limit;
    }
    if (watch)
        api_set_scalar(&list, allowwatchbookmarks, 1);
    return api_message_pack(&message.base);
}

static Request list_request(const ApiResource *resource, const char *namespace_, const ClientListOptions *options)
{
    return (Request){"List", resource, list_bytes(namespace_, options, FALSE), resource->list, TRUE};
}

static Request delete_request(const ApiResource *resource, const char *namespace_, const char *name,
                              const Meta__V1__DeleteOptions *options)
{
    Cleat__V1__DeleteRequest message = CLEAT__V1__DELETE_REQUEST__INIT;
    message.namespace_ = (char *)namespace_;
    message.name = (char *)name;
    message.options = (Meta__V1__DeleteOptions *)options;
    return (Request){"Delete", resource, api_message_pack(&message.base), resource->object, TRUE};
}

/* --- calls ------------------------------------------------------------------------------------------------------------*/

typedef struct {
    Client *client;
    const ProtobufCMessageDescriptor *reply;
    ClientDone done;
    gpointer data;
} Pending;

static void pending_finish(GBytes *reply, const GError *error, gpointer data)
{
    g_autofree Pending *pending = data;
    pending->client->pending--;
    if (!pending->done)
        return;
    if (error) {
        pending->done(NULL, error, pending->data);
        return;
    }
    g_autoptr(GError) problem = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(reply, &size);
    ProtobufCMessage *object = api_message_unpack(pending->reply, bytes, size, &problem);
    pending->done(object, problem, pending->data);
    api_message_free(object);
}

static void client_start(Client *client, Request request, ClientDone done, gpointer data)
{
    Pending *pending = g_new(Pending, 1);
    *pending = (Pending){client, request.reply, done, data};
    client->pending++;
    g_autofree char *method = g_strdup_printf("/%s/%s", request.resource->service, request.verb);
    const char *const metadata[] = {"x-cleat-client", client->user_agent, NULL};
    RpcCallOptions options = {
        .context = client->context,
        .cancellable = client->cancellable,
        .idempotent = request.idempotent,
        .metadata = metadata,
    };
    rpc_unary(client->channel, method, request.request, &options, pending_finish, pending);
    request_done(&request);
}

static ProtobufCMessage *client_wait(Client *client, Request request, GError **error)
{
    g_autofree char *method = g_strdup_printf("/%s/%s", request.resource->service, request.verb);
    const char *const metadata[] = {"x-cleat-client", client->user_agent, NULL};
    RpcCallOptions options = {.idempotent = request.idempotent, .fail_fast = TRUE, .metadata = metadata};
    g_autoptr(GBytes) reply = rpc_unary_sync(client->channel, method, request.request, &options, error);
    request_done(&request);
    if (!reply)
        return NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(reply, &size);
    return api_message_unpack(request.reply, bytes, size, error);
}

void client_get(Client *client, const ApiResource *resource, const char *namespace_, const char *name, ClientDone done,
                gpointer data)
{
    client_start(client, get_request(resource, namespace_, name), done, data);
}

typedef struct {
    Client *client;
    RpcUnaryDone done;
    gpointer data;
} PendingList;

static void list_raw_finish(GBytes *reply, const GError *error, gpointer data)
{
    g_autofree PendingList *pending = data;
    pending->client->pending--;
    pending->done(reply, error, pending->data);
}

void client_list_raw(Client *client, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                     GCancellable *cancellable, RpcUnaryDone done, gpointer data)
{
    g_autofree char *method = g_strdup_printf("/%s/List", resource->service);
    const char *const metadata[] = {"x-cleat-client", client->user_agent, NULL};
    RpcCallOptions call = {
        .context = client->context, .cancellable = cancellable, .idempotent = TRUE, .metadata = metadata};
    g_autoptr(GBytes) request = list_bytes(namespace_, options, FALSE);
    PendingList *pending = g_new(PendingList, 1);
    *pending = (PendingList){client, done, data};
    client->pending++;
    rpc_unary(client->channel, method, request, &call, list_raw_finish, pending);
}

void client_list(Client *client, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                 ClientDone done, gpointer data)
{
    client_start(client, list_request(resource, namespace_, options), done, data);
}

void client_create(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data)
{
    client_start(client, write_request("Create", object), done, data);
}

void client_update(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data)
{
    client_start(client, write_request("Update", object), done, data);
}

void client_update_status(Client *client, const ProtobufCMessage *object, ClientDone done, gpointer data)
{
    client_start(client, write_request("UpdateStatus", object), done, data);
}

void client_delete(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                   const Meta__V1__DeleteOptions *options, ClientDone done, gpointer data)
{
    client_start(client, delete_request(resource, namespace_, name, options), done, data);
}

ProtobufCMessage *client_get_sync(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                                  GError **error)
{
    return client_wait(client, get_request(resource, namespace_, name), error);
}

ProtobufCMessage *client_list_sync(Client *client, const ApiResource *resource, const char *namespace_,
                                   const ClientListOptions *options, GError **error)
{
    return client_wait(client, list_request(resource, namespace_, options), error);
}

ProtobufCMessage *client_create_sync(Client *client, const ProtobufCMessage *object, GError **error)
{
    return client_wait(client, write_request("Create", object), error);
}

ProtobufCMessage *client_update_sync(Client *client, const ProtobufCMessage *object, GError **error)
{
    return client_wait(client, write_request("Update", object), error);
}

ProtobufCMessage *client_update_status_sync(Client *client, const ProtobufCMessage *object, GError **error)
{
    return client_wait(client, write_request("UpdateStatus", object), error);
}

ProtobufCMessage *client_delete_sync(Client *client, const ApiResource *resource, const char *namespace_, const char *name,
                                     const Meta__V1__DeleteOptions *options, GError **error)
{
    return client_wait(client, delete_request(resource, namespace_, name, options), error);
}

/* --- bind -------------------------------------------------------------------------------------------------------------*/

typedef struct {
    Client *client;
    ClientBound done;
    gpointer data;
} PendingBind;

static void bind_finish(GBytes *reply, const GError *error, gpointer data)
{
    g_autofree PendingBind *pending = data;
    pending->client->pending--;
    if (error) {
        pending->done(NULL, 0, error, pending->data);
        return;
    }
    g_autoptr(GError) problem = NULL;
    gsize size;
    const void *bytes = g_bytes_get_data(reply, &size);
    API_AUTO(Cleat__V1__BindPodsResponse)
    response = (Cleat__V1__BindPodsResponse *)api_message_unpack(&cleat__v1__bind_pods_response__descriptor, bytes, size,
                                                                 &problem);
    if (response)
        pending->done(response->results, response->n_results, NULL, pending->data);
    else
        pending->done(NULL, 0, problem, pending->data);
}

void client_bind(Client *client, Core__V1__Binding *const *bindings, gsize n, ClientBound done, gpointer data)
{
    Cleat__V1__BindPodsRequest message = CLEAT__V1__BIND_PODS_REQUEST__INIT;
    message.bindings = (Core__V1__Binding **)bindings;
    message.n_bindings = n;
    g_autoptr(GBytes) request = api_message_pack(&message.base);
    PendingBind *pending = g_new(PendingBind, 1);
    *pending = (PendingBind){client, done, data};
    client->pending++;
    RpcCallOptions options = {.context = client->context, .cancellable = client->cancellable};
    rpc_unary(client->channel, "/cleat.v1.Pods/Bind", request, &options, bind_finish, pending);
}

/* --- watch ------------------------------------------------------------------------------------------------------------*/

typedef struct {
    Client *client;
    const ApiResource *resource;
    ClientWatchHandlers handlers;
    gpointer data;
    GError *problem; /* why we ended it ourselves; NULL: we did not */
} Watch;

/* {type = 1, object = 2} of every kind's watch event. NULL with an error for anything else. */
static ProtobufCMessage *watch_decode(const Watch *watch, GBytes *message, char **ret_type, GError **error)
{
    gsize size, type_size, object_size;
    const guint8 *bytes = g_bytes_get_data(message, &size), *type, *object;
    if (!api_wire_find(bytes, size, (const guint8[]){1, 0}, &type, &type_size) ||
        !api_wire_find(bytes, size, (const guint8[]){2, 0}, &object, &object_size)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "watch of %s: malformed event", watch->resource->plural);
        return NULL;
    }
    ProtobufCMessage *decoded = api_message_unpack(watch->resource->object, object, object_size, error);
    if (decoded)
        *ret_type = g_strndup((const char *)type, type_size);
    return decoded;
}

static void watch_message(RpcStream *stream, GBytes *message, gpointer data)
{
    Watch *watch = data;
    g_autofree char *type = NULL;
    ProtobufCMessage *object = watch_decode(watch, message, &type, &watch->problem);
    if (!object) {
        rpc_stream_cancel(stream);
        return;
    }
    watch->handlers.event(type, object, watch->data);
    api_message_free(object);
}

static void watch_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    Watch *watch = data;
    watch->client->pending--;
    watch->handlers.end(watch->problem ? watch->problem : error, watch->data);
    g_clear_error(&watch->problem);
    g_free(watch);
}

RpcStream *client_watch(Client *client, const ApiResource *resource, const char *namespace_,
                        const ClientListOptions *options, const ClientWatchHandlers *handlers, gpointer data)
{
    static const RpcStreamHandlers stream_handlers = {watch_message, watch_end};
    Watch *watch = g_new(Watch, 1);
    *watch = (Watch){client, resource, *handlers, data, NULL};
    client->pending++;
    g_autoptr(GBytes) request = list_bytes(namespace_, options, TRUE);
    g_autofree char *method = g_strdup_printf("/%s/Watch", resource->service);
    const char *const metadata[] = {"x-cleat-client", client->user_agent, NULL};
    RpcCallOptions call = {.context = client->context, .cancellable = client->cancellable, .metadata = metadata};
    return rpc_stream_open(client->channel, method, request, TRUE, &call, &stream_handlers, watch);
}
