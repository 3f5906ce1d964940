/* gRPC server reflection, v1 and v1alpha (the same messages under two names), from the descriptors of all contracts that the
 * build puts into the program. They are indexed when the first client asks. */
#include <string.h>

#include "foreign/grpc/reflection_v1.pb-c.h"
#include "lib/api/wire.h"
#include "lib/rpc/server-internal.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define REQUEST(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

/* A FileDescriptorSet, made by proto/CMakeLists.txt. */
extern const guint8 cleat_descriptors[], cleat_descriptors_end[];

/* Field numbers of descriptor.proto. */
enum {
    SET_FILE = 1,
    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    MESSAGE_MESSAGE = 3,
    MESSAGE_ENUM = 4,
    SERVICE_METHOD = 2,
    ANY_NAME = 1,
};

typedef struct {
    const guint8 *data; /* a FileDescriptorProto in cleat_descriptors */
    gsize size;
} File;

static GHashTable *files;   /* file name -> File */
static GHashTable *symbols; /* full name of a message, enum, service or method -> File, which `files` owns */

/* --- the index --------------------------------------------------------------------------------------------------------*/

static char *text_field(const guint8 *data, gsize size, guint8 number)
{
    const guint8 path[] = {number, 0};
    const guint8 *text;
    gsize length;
    return api_wire_find(data, size, path, &text, &length) ? g_strndup((const char *)text, length) : g_strdup("");
}

/* Adds a named thing, and of what is inside it the fields <inside1> and <inside2> (0: none): in messages those are messages and
 * enums again, in services methods. */
static void add_symbol(File *file, const char *scope, const guint8 *data, gsize size, guint inside1, guint inside2)
{
    g_autofree char *name = text_field(data, size, ANY_NAME);
    char *full = scope[0] ? g_strdup_printf("%s.%s", scope, name) : g_strdup(name);
    g_hash_table_replace(symbols, full, file);
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    while (inside1 && api_wire_next(&reader)) {
        if (reader.wire_type != 2 || (reader.number != inside1 && reader.number != inside2))
            continue;
        gboolean message = inside1 == MESSAGE_MESSAGE && reader.number == MESSAGE_MESSAGE;
        add_symbol(file, full, reader.data, reader.size, message ? MESSAGE_MESSAGE : 0, message ? MESSAGE_ENUM : 0);
    }
}

static void add_file(const guint8 *data, gsize size)
{
    File *file = g_new(File, 1);
    *file = (File){data, size};
    g_hash_table_replace(files, text_field(data, size, FILE_NAME), file);
    g_autofree char *package = text_field(data, size, FILE_PACKAGE);
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    while (api_wire_next(&reader)) {
        if (reader.number == FILE_MESSAGE)
            add_symbol(file, package, reader.data, reader.size, MESSAGE_MESSAGE, MESSAGE_ENUM);
        else if (reader.number == FILE_ENUM)
            add_symbol(file, package, reader.data, reader.size, 0, 0);
        else if (reader.number == FILE_SERVICE)
            add_symbol(file, package, reader.data, reader.size, SERVICE_METHOD, 0);
    }
}

static void index_once(void)
{
    static gsize done;
    if (!g_once_init_enter(&done))
        return;
    files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    symbols = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ApiWireReader reader;
    api_wire_reader_init(&reader, cleat_descriptors, (gsize)(cleat_descriptors_end - cleat_descriptors));
    while (api_wire_next(&reader)) {
        if (reader.number == SET_FILE)
            add_file(reader.data, reader.size);
    }
    g_once_init_leave(&done, 1);
}

/* --- answers ----------------------------------------------------------------------------------------------------------*/

/* Packs a response, takes what it points to as it is. The caller unrefs. */
static grpc_slice pack(const Response *response)
{
    grpc_slice slice = grpc_slice_malloc(grpc__reflection__v1__server_reflection_response__get_packed_size(response));
    grpc__reflection__v1__server_reflection_response__pack(response, GRPC_SLICE_START_PTR(slice));
    return slice;
}

static grpc_slice answer_error(Response *response, int code, const char *message)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    error.error_code = code;
    error.error_message = (char *)message;
    response->message_response_case = RESPONSE(ERROR_RESPONSE);
    response->error_response = &error;
    return pack(response);
}

static grpc_slice answer_file(Response *response, const File *file)
{
    if (!file)
        return answer_error(response, GRPC_STATUS_NOT_FOUND, "no such file or symbol");
    ProtobufCBinaryData bytes = {file->size, (guint8 *)file->data};
    Grpc__Reflection__V1__FileDescriptorResponse answer = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    answer.n_file_descriptor_proto = 1;
    answer.file_descriptor_proto = &bytes;
    response->message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    response->file_descriptor_response = &answer;
    return pack(response);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The services that have a handler, by name. */
static GPtrArray *service_names(RpcServer *server)
{
    g_autoptr(GHashTable) set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer method;
    g_hash_table_iter_init(&iter, server->methods);
    while (g_hash_table_iter_next(&iter, &method, NULL)) {
        const char *name = (const char *)method + 1;
        g_hash_table_add(set, g_strndup(name, strcspn(name, "/")));
    }
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_hash_table_iter_init(&iter, set);
    while (g_hash_table_iter_next(&iter, &method, NULL))
        g_ptr_array_add(names, g_strdup(method));
    g_ptr_array_sort(names, compare_names);
    return names;
}

static grpc_slice answer_services(Response *response, RpcServer *server)
{
    g_autoptr(GPtrArray) names = service_names(server);
    g_autofree Grpc__Reflection__V1__ServiceResponse *services =
        g_new(Grpc__Reflection__V1__ServiceResponse, names->len);
    g_autofree Grpc__Reflection__V1__ServiceResponse **list =
        g_new(Grpc__Reflection__V1__ServiceResponse *, names->len);
    for (guint i = 0; i < names->len; i++) {
        grpc__reflection__v1__service_response__init(&services[i]);
        services[i].name = names->pdata[i];
        list[i] = &services[i];
    }
    Grpc__Reflection__V1__ListServiceResponse answer = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    answer.n_service = names->len;
    answer.service = list;
    response->message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    response->list_services_response = &answer;
    return pack(response);
}

/* Our contracts are proto2 and proto3 without extensions. */
static grpc_slice answer_extensions(Response *response, const char *type)
{
    if (!g_hash_table_contains(symbols, type))
        return answer_error(response, GRPC_STATUS_NOT_FOUND, "no such type");
    Grpc__Reflection__V1__ExtensionNumberResponse answer = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    answer.base_type_name = (char *)type;
    response->message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    response->all_extension_numbers_response = &answer;
    return pack(response);
}

static grpc_slice answer(RpcServer *server, Request *request)
{
    index_once();
    Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.valid_host = request->host;
    response.original_request = request;
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        return answer_file(&response, g_hash_table_lookup(files, request->file_by_filename));
    case REQUEST(FILE_CONTAINING_SYMBOL):
        return answer_file(&response, g_hash_table_lookup(symbols, request->file_containing_symbol));
    case REQUEST(LIST_SERVICES):
        return answer_services(&response, server);
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        return answer_extensions(&response, request->all_extension_numbers_of_type);
    case REQUEST(FILE_CONTAINING_EXTENSION):
        return answer_error(&response, GRPC_STATUS_NOT_FOUND, "there are no extensions here");
    default:
        return answer_error(&response, GRPC_STATUS_INVALID_ARGUMENT, "the request asks for nothing");
    }
}

/* --- the stream -------------------------------------------------------------------------------------------------------*/

static void respond(RpcServerCall *call, GBytes *message, gpointer server);

static void responded(RpcServerCall *call, gboolean ok, gpointer server)
{
    if (ok)
        rpc_server_call_receive(call, respond, server);
}

static void respond(RpcServerCall *call, GBytes *message, gpointer server)
{
    if (!message) {
        rpc_server_call_finish(call);
        return;
    }
    gsize size;
    const guint8 *data = g_bytes_get_data(message, &size);
    Request *request = grpc__reflection__v1__server_reflection_request__unpack(NULL, size, data);
    if (!request) {
        rpc_server_call_end(call, GRPC_STATUS_INVALID_ARGUMENT, "the request is not a ServerReflectionRequest");
        return;
    }
    grpc_slice slice = answer(server, request);
    rpc_server_call_send(call, &slice, 1, responded, server);
    grpc_slice_unref(slice);
    grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
}

void rpc_reflection_register(RpcServer *server)
{
    rpc_server_handle_ungated(server, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", respond, server);
    rpc_server_handle_ungated(server, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", respond,
                              server);
}
