#include "tests/integration/kit.h"

#include <string.h>

#include "lib/api/codec.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"

#define EVENT_TIMEOUT_S 20

static ProtobufCMessage *object_from(const char *format, va_list args)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_vprintf(format, args);
    g_autoptr(GPtrArray) manifests = api_decode_manifests(text, strlen(text), "test.yaml", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(manifests->len, ==, 1);
    ApiManifest *manifest = manifests->pdata[0];
    return g_steal_pointer(&manifest->object);
}

ProtobufCMessage *kit_object(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ProtobufCMessage *object = object_from(format, args);
    va_end(args);
    return object;
}

GBytes *kit_call(RpcChannel *channel, const ApiResource *resource, const char *verb, GBytes *request, GError **error)
{
    g_autofree char *method = g_strdup_printf("/%s/%s", resource->service, verb);
    return rpc_unary_sync(channel, method, request, NULL, error);
}

static ProtobufCMessage *call_message(RpcChannel *channel, const ApiResource *resource, const char *verb,
                                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply_type,
                                      GError **error)
{
    g_autoptr(GBytes) bytes = api_message_pack(request);
    g_autoptr(GBytes) reply = kit_call(channel, resource, verb, bytes, error);
    if (!reply)
        return NULL;
    gsize size;
    const void *data = g_bytes_get_data(reply, &size);
    return api_message_unpack(reply_type, data, size, error);
}

/* {object = 2} */
GBytes *kit_write_request(const ProtobufCMessage *object)
{
    g_autoptr(GBytes) packed = api_message_pack(object);
    gsize size;
    const void *data = g_bytes_get_data(packed, &size);
    guint8 head[16];
    gsize n = api_wire_put_tag(head, 2, 2);
    n += api_wire_put_varint(head + n, size);
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, head, (guint)n);
    g_byte_array_append(bytes, data, (guint)size);
    return g_byte_array_free_to_bytes(bytes);
}

static ProtobufCMessage *send_object(RpcChannel *channel, const char *verb, const ProtobufCMessage *object,
                                     GError **error)
{
    const ApiResource *resource = api_resource_by_descriptor(object->descriptor);
    g_autoptr(GBytes) request = kit_write_request(object);
    g_autoptr(GBytes) reply = kit_call(channel, resource, verb, request, error);
    if (!reply)
        return NULL;
    gsize size;
    const void *data = g_bytes_get_data(reply, &size);
    return api_message_unpack(resource->object, data, size, error);
}

ProtobufCMessage *kit_create(RpcChannel *channel, const ProtobufCMessage *object, GError **error)
{
    return send_object(channel, "Create", object, error);
}

ProtobufCMessage *kit_update(RpcChannel *channel, const ProtobufCMessage *object, GError **error)
{
    return send_object(channel, "Update", object, error);
}

ProtobufCMessage *kit_update_status(RpcChannel *channel, const ProtobufCMessage *object, GError **error)
{
    return send_object(channel, "UpdateStatus", object, error);
}

ProtobufCMessage *kit_get(RpcChannel *channel, const ApiResource *resource, const char *namespace_, const char *name,
                          const char *resource_version, GError **error)
{
    Cleat__V1__GetRequest request = CLEAT__V1__GET_REQUEST__INIT;
    Meta__V1__GetOptions options = META__V1__GET_OPTIONS__INIT;
    request.namespace_ = (char *)namespace_;
    request.name = (char *)name;
    options.resourceversion = (char *)resource_version;
    request.options = &options;
    return call_message(channel, resource, "Get", &request.base, resource->object, error);
}

static Cleat__V1__ListRequest list_request(const char *namespace_, const Meta__V1__ListOptions *options)
{
    Cleat__V1__ListRequest request = CLEAT__V1__LIST_REQUEST__INIT;
    request.namespace_ = (char *)namespace_;
    request.options = (Meta__V1__ListOptions *)options;
    return request;
}

ProtobufCMessage *kit_list(RpcChannel *channel, const ApiResource *resource, const char *namespace_,
                           const Meta__V1__ListOptions *options, GError **error)
{
    Cleat__V1__ListRequest request = list_request(namespace_, options);
    return call_message(channel, resource, "List", &request.base, resource->list, error);
}

ProtobufCMessage *kit_delete(RpcChannel *channel, const ApiResource *resource, const char *namespace_, const char *name,
                             const Meta__V1__DeleteOptions *options, GError **error)
{
    Cleat__V1__DeleteRequest request = CLEAT__V1__DELETE_REQUEST__INIT;
    request.namespace_ = (char *)namespace_;
    request.name = (char *)name;
    request.options = (Meta__V1__DeleteOptions *)options;
    return call_message(channel, resource, "Delete", &request.base, resource->object, error);
}

ProtobufCMessage *kit_must_create(RpcChannel *channel, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list args;
    va_start(args, format);
    API_AUTO(ProtobufCMessage) object = object_from(format, args);
    va_end(args);
    ProtobufCMessage *created = kit_create(channel, object, &error);
    g_assert_no_error(error);
    return created;
}

char *kit_namespace(RpcChannel *channel)
{
    API_AUTO(ProtobufCMessage)
    created = kit_must_create(channel, "{apiVersion: v1, kind: Namespace, metadata: {generateName: test-}}");
    return g_strdup(api_object_name(created));
}

void kit_assert_error_at(const char *file, int line, GError **error, int code, const char *text)
{
    if (!*error)
        g_error("%s:%d: expected an error with \"%s\", but there was none", file, line, text);
    if ((int)cleat_error_code(*error) != code || !strstr((*error)->message, text))
        g_error("%s:%d: expected %s with \"%s\", got %s: %s", file, line, cleat_error_to_reason((CleatErrorCode)code),
                text, cleat_error_to_reason(cleat_error_code(*error)), (*error)->message);
    g_clear_error(error);
}

ProtobufCMessage **kit_items(const ProtobufCMessage *list, gsize *ret_n)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(list->descriptor, "items");
    *ret_n = G_STRUCT_MEMBER(size_t, list, field->quantifier_offset);
    return G_STRUCT_MEMBER(ProtobufCMessage **, list, field->offset);
}

const Meta__V1__ListMeta *kit_list_meta(const ProtobufCMessage *list)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(list->descriptor, "metadata");
    return G_STRUCT_MEMBER(Meta__V1__ListMeta *, list, field->offset);
}

/* --- watches ---*/

struct KitWatch {
    const ApiResource *resource;
    RpcStream *stream;
    GAsyncQueue *events; /* of KitEvent */
    gboolean ended;      /* the end was taken from the queue */
    GMutex lock;
    gboolean held; /* lock */
};

void kit_event_free(KitEvent *event)
{
    if (!event)
        return;
    g_free(event->type);
    API_FREE(event->object);
    g_clear_error(&event->error);
    g_free(event);
}

/* On a polling thread. A watch event is {type = 1, object = 2} for every kind. */
static void on_message(RpcStream *stream, GBytes *message, gpointer data)
{
    KitWatch *watch = data;
    KitEvent *event = g_new0(KitEvent, 1);
    ApiWireReader reader;
    gsize size;
    const void *bytes = g_bytes_get_data(message, &size);
    api_wire_reader_init(&reader, bytes, size);
    while (api_wire_next(&reader)) {
        if (reader.number == 1)
            event->type = g_strndup((const char *)reader.data, reader.size);
        else if (reader.number == 2)
            event->object = api_message_unpack(watch->resource->object, reader.data, reader.size, &event->error);
    }
    g_async_queue_push(watch->events, event);
    g_mutex_lock(&watch->lock);
    if (watch->held)
        rpc_stream_pause(stream);
    g_mutex_unlock(&watch->lock);
}

void kit_watch_hold(KitWatch *watch)
{
    g_mutex_lock(&watch->lock);
    watch->held = TRUE;
    g_mutex_unlock(&watch->lock);
}

void kit_watch_release(KitWatch *watch)
{
    g_mutex_lock(&watch->lock);
    watch->held = FALSE;
    g_mutex_unlock(&watch->lock);
    rpc_stream_resume(watch->stream);
}

static void on_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    KitWatch *watch = data;
    KitEvent *event = g_new0(KitEvent, 1);
    event->error = error ? g_error_copy(error) : NULL;
    g_async_queue_push(watch->events, event);
}

KitWatch *kit_watch(RpcChannel *channel, const ApiResource *resource, const char *namespace_,
                    const Meta__V1__ListOptions *options)
{
    static const RpcStreamHandlers handlers = {.message = on_message, .end = on_end};
    KitWatch *watch = g_new0(KitWatch, 1);
    Cleat__V1__ListRequest request = list_request(namespace_, options);
    g_autoptr(GBytes) bytes = api_message_pack(&request.base);
    g_autofree char *method = g_strdup_printf("/%s/Watch", resource->service);
    g_mutex_init(&watch->lock);
    watch->resource = resource;
    watch->events = g_async_queue_new();
    watch->stream = rpc_stream_open(channel, method, bytes, TRUE, NULL, &handlers, watch);
    return watch;
}

KitEvent *kit_watch_next(KitWatch *watch)
{
    KitEvent *event = g_async_queue_timeout_pop(watch->events, EVENT_TIMEOUT_S * G_USEC_PER_SEC);
    if (!event)
        g_error("watch of %s: no event within %d s", watch->resource->plural, EVENT_TIMEOUT_S);
    if (!event->type)
        watch->ended = TRUE;
    return event;
}

gint64 kit_watch_expect(KitWatch *watch, const char *type, const char *name)
{
    g_autoptr(KitEvent) event = kit_watch_next(watch);
    if (event->error)
        g_error("watch of %s: expected %s of %s, got %s", watch->resource->plural, type, name, event->error->message);
    g_assert_cmpstr(event->type, ==, type);
    if (name[0])
        g_assert_cmpstr(api_object_name(event->object), ==, name);
    return api_object_revision(event->object);
}

gboolean kit_watch_silent(KitWatch *watch, guint ms)
{
    KitEvent *event = g_async_queue_timeout_pop(watch->events, ms * 1000);
    if (event)
        g_async_queue_push_front(watch->events, event);
    return event == NULL;
}

void kit_watch_free(KitWatch *watch)
{
    rpc_stream_cancel(watch->stream);
    while (!watch->ended)
        kit_event_free(kit_watch_next(watch));
    rpc_stream_unref(watch->stream);
    g_async_queue_unref(watch->events);
    g_mutex_clear(&watch->lock);
    g_free(watch);
}
