#include "server/verbs/request.h"

#include <string.h>

#include "cleat/meta/v1/meta.pb-c.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "server/store/key.h"

Request *request_new(Context *context, RpcServerCall *call, const ApiResource *resource, AuthVerb verb)
{
    Request *request = g_new0(Request, 1);
    request->context = context;
    request->call = rpc_server_call_ref(call);
    request->resource = resource;
    request->verb = verb;
    request->namespace_ = g_strdup("");
    request->name = g_strdup("");
    return request;
}

void request_free(Request *request)
{
    rpc_server_call_unref(request->call);
    g_free(request->namespace_);
    g_free(request->name);
    g_free(request);
}

ProtobufCMessage *request_decode(const ProtobufCMessageDescriptor *type, const void *data, gsize size, GError **error)
{
    if (!api_wire_check(type, data, size, error))
        return NULL;
    return api_message_unpack(type, data, size, error);
}

/* A string field of a request that is read without its descriptor; "" if it is absent. New string, NULL on bad text. */
static char *text_from_wire(const ApiWireReader *reader)
{
    const char *text = reader->number ? (const char *)reader->data : "";
    if (!g_utf8_validate_len(text, reader->size, NULL))
        return NULL;
    return g_strndup(text, reader->size);
}

/* Fields 1 to 3 of a write request; each may be absent, none may come twice. */
static gboolean split_write(GBytes *body, ApiWireReader fields[3], GError **error)
{
    ApiWireReader reader;
    gsize size;
    const void *data = g_bytes_get_data(body, &size);
    api_wire_reader_init(&reader, data, size);
    memset(fields, 0, 3 * sizeof *fields);
    while (api_wire_next(&reader)) {
        if (reader.number > 3)
            continue;
        ApiWireReader *field = &fields[reader.number - 1];
        if (reader.wire_type != 2 || field->number != 0) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the request's field %u is %s", reader.number,
                        field->number != 0 ? "given twice" : "of the wrong type");
            return FALSE;
        }
        *field = reader;
    }
    if (reader.at != reader.end) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the request is not an encoded message");
        return FALSE;
    }
    return TRUE;
}

gboolean request_set_target(Request *request, const char *namespace_, const char *name, gboolean all_namespaces,
                            GError **error)
{
    namespace_ = api_str(namespace_);
    if (!request->resource->namespaced && namespace_[0]) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s have no namespace; the request names \"%s\"",
                    request->resource->plural, namespace_);
        return FALSE;
    }
    if (request->resource->namespaced && !namespace_[0] && !all_namespaces) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "a namespace is required for %s",
                    request->resource->plural);
        return FALSE;
    }
    g_free(request->namespace_);
    request->namespace_ = g_strdup(namespace_);
    g_free(request->name);
    request->name = g_strdup(api_str(name));
    return TRUE;
}

gboolean request_require_name(const Request *request, GError **error)
{
    if (request->name[0])
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the request names no %s", request->resource->singular);
    return FALSE;
}

static gboolean take_namespace(Request *request, const char *namespace_, ProtobufCMessage *object, GError **error)
{
    Meta__V1__ObjectMeta *meta = api_meta(object);
    if (api_str(meta->namespace_)[0] && namespace_[0] && !g_str_equal(meta->namespace_, namespace_)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "the namespace of the object (%s) does not match the namespace of the request (%s)",
                    meta->namespace_, namespace_);
        return FALSE;
    }
    const char *either = api_str(meta->namespace_)[0] ? meta->namespace_ : namespace_;
    if (!request_set_target(request, either, meta->name, FALSE, error))
        return FALSE;
    api_set_string(&meta->namespace_, request->namespace_[0] ? request->namespace_ : NULL);
    return TRUE;
}

gboolean request_parse_write(Request *request, GBytes *body, const ProtobufCMessageDescriptor *options_type,
                             ProtobufCMessage **ret_object, ProtobufCMessage **ret_options, GError **error)
{
    ApiWireReader fields[3];
    if (!split_write(body, fields, error))
        return FALSE;
    g_autofree char *namespace_ = text_from_wire(&fields[0]);
    if (!namespace_) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the request's namespace must be UTF-8 without NUL");
        return FALSE;
    }
    if (fields[1].number == 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the request has no object");
        return FALSE;
    }
    API_AUTO(ProtobufCMessage) options = request_decode(options_type, fields[2].data, fields[2].size, error);
    if (!options)
        return FALSE;
    API_AUTO(ProtobufCMessage)
    object = request_decode(request->resource->object, fields[1].data, fields[1].size, error);
    if (!object || !take_namespace(request, namespace_, object, error))
        return FALSE;
    *ret_object = g_steal_pointer(&object);
    *ret_options = g_steal_pointer(&options);
    return TRUE;
}

static AuthRequest auth_of(const Request *request, const ApiFieldSelector *fields)
{
    return (AuthRequest){
        .who = rpc_server_call_identity(request->call),
        .verb = request->verb,
        .resource = request->resource,
        .namespace_ = request->namespace_,
        .name = request->name,
        .fields = fields,
    };
}

gboolean request_authorize(Request *request, const ApiFieldSelector *fields, GError **error)
{
    AuthRequest auth = auth_of(request, fields);
    AuthVerdict verdict = auth_request(&auth);
    request->if_bound = verdict == AUTH_IF_BOUND;
    if (verdict != AUTH_DENIED)
        return TRUE;
    g_propagate_error(error, auth_denied(&auth));
    return FALSE;
}

gboolean request_allows(const Request *request, const StoreEntry *object, GError **error)
{
    AuthRequest auth = auth_of(request, NULL);
    if (!request->if_bound || auth_object(&auth, object))
        return TRUE;
    g_propagate_error(error, auth_denied(&auth));
    return FALSE;
}

void request_fail(Request *request, const GError *error)
{
    rpc_server_call_fail(request->call, error);
    request_free(request);
}

void request_reply_entry(Request *request, const StoreEntry *entry)
{
    grpc_slice slice = store_entry_message(entry);
    rpc_server_call_reply_slices(request->call, &slice, 1);
    grpc_slice_unref(slice);
    request_free(request);
}

void request_reply_object(Request *request, GBytes *object, gint64 revision)
{
    grpc_slice slices[] = {rpc_slice_from_bytes(object), store_suffix_slice(revision)};
    rpc_server_call_reply_slices(request->call, slices, 2);
    grpc_slice_unref(slices[0]);
    grpc_slice_unref(slices[1]);
    request_free(request);
}

char *request_plural(const Request *request)
{
    const ApiResource *resource = request->resource;
    return g_strconcat(resource->plural, resource->group[0] ? "." : "", resource->group, NULL);
}

void request_set_error(const Request *request, GError **error, CleatErrorCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *plural = request_plural(request);
    GError *made = g_error_new(CLEAT_ERROR, (int)code, "%s \"%s\" %s", plural, request->name, text);
    cleat_error_set_object(made, request->resource->group, request->resource->plural, request->name);
    g_propagate_error(error, made);
}

void request_set_not_found(const Request *request, GError **error)
{
    if (request->namespace_[0])
        request_set_error(request, error, CLEAT_ERROR_NOT_FOUND, "not found in namespace \"%s\"", request->namespace_);
    else
        request_set_error(request, error, CLEAT_ERROR_NOT_FOUND, "not found");
}

void request_await(Request *request, const char *resource_version, StoreDone ready, gpointer data)
{
    Store *store = request->context->store;
    gint64 revision = 0;
    resource_version = api_str(resource_version);
    if (!resource_version[0]) {
        store_sync(store, ready, data);
    } else if (g_ascii_string_to_signed(resource_version, 10, 0, G_MAXINT64, &revision, NULL)) {
        store_wait(store, revision, ready, data);
    } else {
        g_autoptr(GError) error =
            g_error_new(CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "resourceVersion \"%s\" is not a number that a server gave", resource_version);
        ready(error, data);
    }
}
