/* Health and reflection, as clients see them. */
#include "fixture.h"

#include "foreign/grpc/health.pb-c.h"
#include "foreign/grpc/reflection_v1.pb-c.h"

static char *address;
static RpcServer *server;
static RpcChannel *channel;

static void handle_get(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_autoptr(GError) error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "pods \"web\" not found");
    cleat_error_set_object(error, "", "pods", "web");
    rpc_server_call_fail(call, error);
}

/* --- health -----------------------------------------------------------------------------------------------------------*/

static GBytes *health_request(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)service;
    gsize size = grpc__health__v1__health_check_request__get_packed_size(&request);
    guint8 *data = g_malloc(size + 1);
    grpc__health__v1__health_check_request__pack(&request, data);
    return g_bytes_new_take(data, size);
}

static int health_status(GBytes *reply)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(reply, &size);
    Grpc__Health__V1__HealthCheckResponse *response = grpc__health__v1__health_check_response__unpack(NULL, size, data);
    g_assert_nonnull(response);
    int status = (int)response->status;
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    return status;
}

static void assert_health(const char *service, int expected)
{
    g_autoptr(GBytes) request = health_request(service);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/grpc.health.v1.Health/Check", request, NULL, &error);
    if (expected < 0) {
        assert_error(error, CLEAT_ERROR_NOT_FOUND, service);
        return;
    }
    g_assert_no_error(error);
    g_assert_cmpint(health_status(reply), ==, expected);
}

static void test_check(void)
{
    assert_health("", 1);
    assert_health("x.Y", -1);
    rpc_server_set_serving(server, "x.Y", FALSE);
    assert_health("x.Y", 2);
    rpc_server_set_serving(server, "x.Y", TRUE);
    assert_health("x.Y", 1);
}

typedef struct {
    GArray *states;
    gboolean ended;
    GError *error;
} HealthWatch;

static void watch_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream;
    HealthWatch *watch = data;
    int status = health_status(message);
    g_array_append_val(watch->states, status);
}

static void watch_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    HealthWatch *watch = data;
    watch->ended = TRUE;
    watch->error = error ? g_error_copy(error) : NULL;
}

static const RpcStreamHandlers watch_handlers = {watch_message, watch_end};

static RpcStream *health_watch(RpcChannel *to, const char *service, HealthWatch *watch)
{
    RpcCallOptions options = {.context = g_main_context_default()};
    g_autoptr(GBytes) request = health_request(service);
    *watch = (HealthWatch){.states = g_array_new(FALSE, FALSE, sizeof(int))};
    return rpc_stream_open(to, "/grpc.health.v1.Health/Watch", request, TRUE, &options, &watch_handlers, watch);
}

static int last_state(const HealthWatch *watch)
{
    return watch->states->len ? g_array_index(watch->states, int, watch->states->len - 1) : -1;
}

static void test_watch(void)
{
    HealthWatch watch, second;
    RpcStream *stream = health_watch(channel, "w.W", &watch);
    wait_for(last_state(&watch) == 3); /* not known yet */
    rpc_server_set_serving(server, "w.W", FALSE);
    wait_for(last_state(&watch) == 2);
    rpc_server_set_serving(server, "w.W", TRUE);
    wait_for(last_state(&watch) == 1);
    RpcStream *other = health_watch(channel, "w.W", &second);
    wait_for(last_state(&second) == 1);
    rpc_stream_cancel(stream);
    wait_for(watch.ended);
    for (int i = 0; i <= 100; i++) /* intermediate states may be left out, the last may not */
        rpc_server_set_serving(server, "w.W", i % 2);
    wait_for(last_state(&second) == 2);
    g_assert_cmpuint(watch.states->len, ==, 3);
    rpc_stream_cancel(other);
    wait_for(second.ended);
    rpc_stream_unref(stream);
    rpc_stream_unref(other);
    g_array_unref(watch.states);
    g_array_unref(second.states);
    g_clear_error(&watch.error);
    g_clear_error(&second.error);
}

/* Stopping tells the watchers, and does not wait for them. */
static void test_watch_until_stop(void)
{
    g_autofree char *own_address = NULL;
    RpcServer *own = server_at("127.0.0.1:0", NULL, &own_address);
    server_start(own);
    g_autoptr(RpcChannel) own_channel = channel_to(own_address, NULL);
    HealthWatch watch;
    RpcStream *stream = health_watch(own_channel, "", &watch);
    wait_for(last_state(&watch) == 1);
    gint64 start = g_get_monotonic_time();
    rpc_server_stop(own, 60000);
    g_assert_cmpint(g_get_monotonic_time() - start, <, PATIENCE_US);
    rpc_server_free(own);
    wait_for(watch.ended);
    g_assert_cmpint(last_state(&watch), ==, 2);
    assert_error(watch.error, CLEAT_ERROR_UNAVAILABLE, "the server stops");
    g_error_free(watch.error);
    g_array_unref(watch.states);
    rpc_stream_unref(stream);
}

/* --- reflection -------------------------------------------------------------------------------------------------------*/

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define REQUEST(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

typedef struct {
    Response *response;
    gboolean ended;
    GError *error;
} Reflection;

static void reflection_message(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream;
    Reflection *reflection = data;
    gsize size;
    const guint8 *bytes = g_bytes_get_data(message, &size);
    g_assert_null(reflection->response);
    reflection->response = grpc__reflection__v1__server_reflection_response__unpack(NULL, size, bytes);
    g_assert_nonnull(reflection->response);
}

static void reflection_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    Reflection *reflection = data;
    reflection->ended = TRUE;
    reflection->error = error ? g_error_copy(error) : NULL;
}

/* One request on a stream that is open. The caller frees the response. */
static Response *reflect(RpcStream *stream, Reflection *reflection, int which, const char *text)
{
    Request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = which;
    request.list_services = (char *)text; /* all texts share the union */
    guint8 data[200];
    g_assert_cmpuint(grpc__reflection__v1__server_reflection_request__get_packed_size(&request), <, sizeof data);
    g_autoptr(GBytes) bytes = g_bytes_new(data, grpc__reflection__v1__server_reflection_request__pack(&request, data));
    g_assert_true(rpc_stream_send(stream, bytes));
    wait_for(reflection->response);
    return g_steal_pointer(&reflection->response);
}

static void test_reflection(const void *method)
{
    static const struct {
        int request;
        const char *text;
        int response;
        const char *contains; /* in the file */
    } cases[] = {
        {REQUEST(FILE_BY_FILENAME), "cleat/v1/core.proto", RESPONSE(FILE_DESCRIPTOR_RESPONSE), "CreatePodRequest"},
        {REQUEST(FILE_BY_FILENAME), "nothing.proto", RESPONSE(ERROR_RESPONSE), NULL},
        {REQUEST(FILE_CONTAINING_SYMBOL), "cleat.v1.Pods", RESPONSE(FILE_DESCRIPTOR_RESPONSE), "CreatePodRequest"},
        {REQUEST(FILE_CONTAINING_SYMBOL), "cleat.v1.Pods.Bind", RESPONSE(FILE_DESCRIPTOR_RESPONSE), "CreatePodRequest"},
        {REQUEST(FILE_CONTAINING_SYMBOL), "meta.v1.ObjectMeta", RESPONSE(FILE_DESCRIPTOR_RESPONSE), "ObjectMeta"},
        {REQUEST(FILE_CONTAINING_SYMBOL), "meta.v1.ObjectMeta.LabelsEntry", RESPONSE(FILE_DESCRIPTOR_RESPONSE),
         "ObjectMeta"},
        {REQUEST(FILE_CONTAINING_SYMBOL), "grpc.health.v1.HealthCheckResponse.ServingStatus",
         RESPONSE(FILE_DESCRIPTOR_RESPONSE), "SERVICE_UNKNOWN"},
        {REQUEST(FILE_CONTAINING_SYMBOL), "cleat.v1.Nothing", RESPONSE(ERROR_RESPONSE), NULL},
        {REQUEST(FILE_CONTAINING_SYMBOL), "meta.v1.ObjectMeta.name", RESPONSE(ERROR_RESPONSE), NULL},
        {REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), "core.v1.Pod", RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE), NULL},
        {REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), "core.v1.Nothing", RESPONSE(ERROR_RESPONSE), NULL},
        {REQUEST(_NOT_SET), NULL, RESPONSE(ERROR_RESPONSE), NULL},
    };
    static const RpcStreamHandlers handlers = {reflection_message, reflection_end};
    Reflection reflection = {0};
    RpcCallOptions options = {.context = g_main_context_default()};
    RpcStream *stream = rpc_stream_open(channel, method, NULL, FALSE, &options, &handlers, &reflection);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Response *response = reflect(stream, &reflection, cases[i].request, cases[i].text);
        g_assert_cmpint((int)response->message_response_case, ==, cases[i].response);
        g_assert_cmpint((int)response->original_request->message_request_case, ==, cases[i].request);
        if (cases[i].contains) {
            g_assert_cmpuint(response->file_descriptor_response->n_file_descriptor_proto, ==, 1);
            ProtobufCBinaryData *file = response->file_descriptor_response->file_descriptor_proto;
            g_assert_nonnull(memmem(file->data, file->len, cases[i].contains, strlen(cases[i].contains)));
        }
        grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    }
    Response *list = reflect(stream, &reflection, REQUEST(LIST_SERVICES), "");
    static const char *const expected[] = {"cleat.v1.Pods", "echo.Echo", "grpc.health.v1.Health",
                                           "grpc.reflection.v1.ServerReflection",
                                           "grpc.reflection.v1alpha.ServerReflection"};
    g_assert_cmpuint(list->list_services_response->n_service, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++)
        g_assert_cmpstr(list->list_services_response->service[i]->name, ==, expected[i]);
    grpc__reflection__v1__server_reflection_response__free_unpacked(list, NULL);
    rpc_stream_close_send(stream);
    wait_for(reflection.ended);
    g_assert_no_error(reflection.error);
    rpc_stream_unref(stream);
}

/* Python's gRPC, which learns everything from the server. */
static void test_foreign_client(void)
{
    g_autofree char *script = g_build_filename(TEST_DATA, "rpc", "foreign-client.py", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) client = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                                                     &error, "/usr/bin/python3", script, address, NULL);
    g_assert_no_error(error);
    g_autofree char *output = NULL;
    g_subprocess_communicate_utf8(client, NULL, NULL, &output, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(output, ==, "ok\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    server = server_at("127.0.0.1:0", NULL, &address);
    rpc_server_handle(server, "/cleat.v1.Pods/Get", handle_get, NULL);
    server_start(server);
    channel = channel_to(address, NULL);
    g_test_add_func("/rpc/services/check", test_check);
    g_test_add_func("/rpc/services/watch", test_watch);
    g_test_add_func("/rpc/services/watch-until-stop", test_watch_until_stop);
    g_test_add_data_func("/rpc/services/reflection-v1", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                         test_reflection);
    g_test_add_data_func("/rpc/services/reflection-v1alpha",
                         "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", test_reflection);
    g_test_add_func("/rpc/services/foreign-client", test_foreign_client);
    int result = g_test_run();
    rpc_channel_unref(channel);
    server_end(server);
    g_free(address);
    rpc_shutdown();
    return result;
}
