#include "fixture.h"

/* "/test.Test/Count": sends as many numbered messages as the request says (-1: without end), of the size that it says. */
typedef struct {
    gint64 left;
    gint64 next;
    gsize size;
    grpc_slice padding;
} Counter;

static gint open_calls;    /* server streams that are not over */
static gint messages_sent; /* by all Count streams so far */

static void count_closed(RpcServerCall *call, gpointer data)
{
    (void)data;
    g_assert_true(rpc_server_call_is_closed(call));
    g_atomic_int_add(&open_calls, -1);
}

static void counter_free(gpointer data)
{
    Counter *counter = data;
    grpc_slice_unref(counter->padding);
    g_free(counter);
}

static void count_send(RpcServerCall *call, gboolean ok, gpointer data)
{
    Counter *counter = data;
    if (!ok)
        return;
    if (counter->left == 0) {
        rpc_server_call_finish(call);
        return;
    }
    counter->left--;
    grpc_slice slices[2] = {grpc_slice_malloc(8), counter->padding};
    memcpy(GRPC_SLICE_START_PTR(slices[0]), &counter->next, 8);
    counter->next++;
    g_atomic_int_inc(&messages_sent);
    rpc_server_call_send(call, slices, 2, count_send, counter);
    grpc_slice_unref(slices[0]);
}

static void handle_count(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)data;
    gint64 wanted[2];
    g_assert_cmpuint(g_bytes_get_size(request), ==, sizeof wanted);
    memcpy(wanted, g_bytes_get_data(request, NULL), sizeof wanted);
    Counter *counter = g_new0(Counter, 1);
    counter->left = wanted[0];
    counter->padding = grpc_slice_malloc((size_t)wanted[1]);
    memset(GRPC_SLICE_START_PTR(counter->padding), 'p', (size_t)wanted[1]);
    rpc_server_call_set_data(call, counter, counter_free);
    g_atomic_int_inc(&open_calls);
    rpc_server_call_on_closed(call, count_closed, NULL);
    count_send(call, TRUE, counter);
}

/* "/test.Test/Chat": each message back, and OK after the last. */
static void chat_received(RpcServerCall *call, GBytes *message, gpointer data);

static void chat_sent(RpcServerCall *call, gboolean ok, gpointer data)
{
    if (ok)
        rpc_server_call_receive(call, chat_received, data);
}

static void chat_received(RpcServerCall *call, GBytes *message, gpointer data)
{
    if (!message) {
        rpc_server_call_finish(call);
        return;
    }
    grpc_slice slice = rpc_slice_from_bytes(message);
    rpc_server_call_send(call, &slice, 1, chat_sent, data);
    grpc_slice_unref(slice);
}

/* "/test.Test/Silent": a stream on which nothing ever comes. */
static void handle_silent(RpcServerCall *call, GBytes *request, gpointer data)
{
    (void)request, (void)data;
    g_atomic_int_inc(&open_calls);
    rpc_server_call_on_closed(call, count_closed, NULL);
}

/* --- the client's side ------------------------------------------------------------------------------------------------*/

typedef struct {
    gint n; /* atomic */
    gsize bytes;
    gint64 next;       /* the number that the next message must have, -1: not numbered */
    gint cancel_after; /* 0: never */
    GString *text;
    gint ended; /* atomic */
    GError *error;
} Reader;

static void reader_message(RpcStream *stream, GBytes *message, gpointer data)
{
    Reader *reader = data;
    g_assert_false(reader->ended);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(message, &size);
    reader->bytes += size;
    if (reader->next >= 0) {
        gint64 number;
        memcpy(&number, bytes, 8);
        g_assert_cmpint(number, ==, reader->next);
        reader->next++;
    }
    if (reader->text)
        g_string_append_len(reader->text, (const char *)bytes, (gssize)size);
    if (g_atomic_int_add(&reader->n, 1) + 1 == reader->cancel_after)
        rpc_stream_cancel(stream);
}

static void reader_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    Reader *reader = data;
    reader->error = error ? g_error_copy(error) : NULL;
    g_atomic_int_inc(&reader->ended);
}

static const RpcStreamHandlers reader_handlers = {reader_message, reader_end};

static void reader_clear(Reader *reader)
{
    g_assert_cmpint(reader->ended, ==, 1);
    g_clear_error(&reader->error);
    if (reader->text)
        g_string_free(g_steal_pointer(&reader->text), TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reader, reader_clear)

static char *address;
static RpcChannel *channel;

static RpcStream *open_count(gint64 n, gint64 size, const RpcCallOptions *options, Reader *reader)
{
    gint64 wanted[2] = {n, size};
    g_autoptr(GBytes) request = g_bytes_new(wanted, sizeof wanted);
    return rpc_stream_open(channel, "/test.Test/Count", request, TRUE, options, &reader_handlers, reader);
}

static const RpcCallOptions in_thread = {0};
static RpcCallOptions in_loop(void)
{
    return (RpcCallOptions){.context = g_main_context_default()};
}

static void test_server_stream(void)
{
    static const struct {
        gint64 n, size;
    } cases[] = {{0, 0}, {1, 10}, {2000, 100}, {20, 1000000}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (int threaded = 0; threaded < 2; threaded++) {
            RpcCallOptions options = threaded ? in_thread : in_loop();
            g_auto(Reader) reader = {0};
            RpcStream *stream = open_count(cases[i].n, cases[i].size, &options, &reader);
            wait_for(g_atomic_int_get(&reader.ended));
            g_assert_no_error(reader.error);
            g_assert_cmpint(reader.n, ==, cases[i].n);
            g_assert_cmpuint(reader.bytes, ==, cases[i].n * (cases[i].size + 8));
            g_assert_false(rpc_stream_send(stream, NULL)); /* over */
            rpc_stream_unref(stream);
        }
    }
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

static void test_bidirectional(void)
{
    RpcCallOptions options = in_loop();
    g_auto(Reader) reader = {.next = -1, .text = g_string_new(NULL)};
    RpcStream *stream = rpc_stream_open(channel, "/test.Test/Chat", NULL, FALSE, &options, &reader_handlers, &reader);
    g_autoptr(GString) expected = g_string_new(NULL);
    for (int i = 0; i < 500; i++) {
        g_autofree char *text = g_strdup_printf("message %d;", i);
        g_autoptr(GBytes) message = text_bytes(text);
        g_assert_true(rpc_stream_send(stream, message));
        g_string_append(expected, text);
    }
    wait_for(reader.n == 500);
    g_assert_cmpstr(reader.text->str, ==, expected->str);
    g_assert_false(reader.ended);
    rpc_stream_close_send(stream);
    g_assert_false(rpc_stream_send(stream, NULL));
    wait_for(reader.ended);
    g_assert_no_error(reader.error);
    rpc_stream_unref(stream);
}

/* A client that does not read (its context does not run) stops the server's sending after what fits into the windows, and loses
 * nothing. */
static void test_flow_control(void)
{
    enum { MESSAGES = 2000, SIZE = 10000 };
    g_autoptr(GMainContext) context = g_main_context_new();
    RpcCallOptions options = {.context = context};
    g_auto(Reader) reader = {0};
    g_atomic_int_set(&messages_sent, 0);
    RpcStream *stream = open_count(MESSAGES, SIZE, &options, &reader);
    wait_for(g_atomic_int_get(&messages_sent) > 1);
    /* Another stream on the connection is not held up, and while it transfers ten times what is waiting here, the first one
     * sends nothing more. */
    g_auto(Reader) beside = {0};
    RpcStream *other = open_count(200, 100000, &in_thread, &beside);
    wait_for(g_atomic_int_get(&beside.ended));
    g_assert_no_error(beside.error);
    gint sent = g_atomic_int_get(&messages_sent) - 200;
    g_assert_cmpint(sent * SIZE, <, 1000000);
    g_assert_cmpint(reader.n, ==, 0);
    while (!reader.ended)
        g_main_context_iteration(context, TRUE);
    g_assert_no_error(reader.error);
    g_assert_cmpint(reader.n, ==, MESSAGES);
    rpc_stream_unref(stream);
    rpc_stream_unref(other);
}

/* Pausing from inside message() holds back what follows, in the loop and on a polling thread, the end as well. */
static void pausing_message(RpcStream *stream, GBytes *message, gpointer data)
{
    rpc_stream_pause(stream);
    reader_message(stream, message, data);
}

static void test_pause(void)
{
    static const RpcStreamHandlers handlers = {pausing_message, reader_end};
    enum { MESSAGES = 100 };
    for (int threaded = 0; threaded < 2; threaded++) {
        RpcCallOptions options = threaded ? in_thread : in_loop();
        gint64 wanted[2] = {MESSAGES, 10};
        g_autoptr(GBytes) request = g_bytes_new(wanted, sizeof wanted);
        g_auto(Reader) reader = {0};
        RpcStream *stream = rpc_stream_open(channel, "/test.Test/Count", request, TRUE, &options, &handlers, &reader);
        for (int i = 1; i <= MESSAGES; i++) {
            wait_for(g_atomic_int_get(&reader.n) == i);
            g_auto(Reader) beside = {0}; /* as long as this takes, nothing more comes */
            rpc_stream_unref(open_count(3, 10, &options, &beside));
            wait_for(g_atomic_int_get(&beside.ended));
            g_assert_cmpint(g_atomic_int_get(&reader.n), ==, i);
            g_assert_false(g_atomic_int_get(&reader.ended));
            rpc_stream_resume(stream);
        }
        wait_for(g_atomic_int_get(&reader.ended));
        g_assert_no_error(reader.error);
        rpc_stream_unref(stream);

        g_auto(Reader) cancelled = {0};
        stream = rpc_stream_open(channel, "/test.Test/Count", request, TRUE, &options, &handlers, &cancelled);
        wait_for(g_atomic_int_get(&cancelled.n) == 1);
        rpc_stream_cancel(stream);
        rpc_stream_resume(stream);
        wait_for(g_atomic_int_get(&cancelled.ended));
        g_assert_cmpint(cancelled.n, ==, 1);
        rpc_stream_unref(stream);
    }
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

static void test_cancel(void)
{
    RpcCallOptions options = in_loop();
    g_auto(Reader) reader = {.cancel_after = 10};
    RpcStream *stream = open_count(-1, 100, &options, &reader);
    wait_for(reader.ended);
    g_assert_cmpint(reader.n, ==, 10); /* nothing after cancel */
    assert_error(reader.error, CLEAT_ERROR_CANCELLED, "/test.Test/Count");
    rpc_stream_cancel(stream); /* allowed */
    rpc_stream_unref(stream);
    wait_for(g_atomic_int_get(&open_calls) == 0);

    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    options.cancellable = cancellable;
    g_auto(Reader) second = {0}, third = {0};
    rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Silent", NULL, TRUE, &options, &reader_handlers, &second));
    wait_for(g_atomic_int_get(&open_calls) == 1);
    g_cancellable_cancel(cancellable);
    wait_for(second.ended);
    assert_error(second.error, CLEAT_ERROR_CANCELLED, "/test.Test/Silent");
    rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Silent", NULL, TRUE, &options, &reader_handlers, &third));
    wait_for(third.ended);
    assert_error(third.error, CLEAT_ERROR_CANCELLED, "/test.Test/Silent");
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

static void test_deadline(void)
{
    RpcCallOptions options = in_loop();
    options.timeout_ms = 100;
    g_auto(Reader) reader = {0};
    rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Silent", NULL, TRUE, &options, &reader_handlers, &reader));
    wait_for(reader.ended);
    assert_error(reader.error, CLEAT_ERROR_TIMEOUT, "/test.Test/Silent at ");
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

static void test_errors(void)
{
    RpcCallOptions options = in_loop();
    g_auto(Reader) unknown = {0}, nobody = {0}, large = {0};
    rpc_stream_unref(rpc_stream_open(channel, "/no.Such/Method", NULL, TRUE, &options, &reader_handlers, &unknown));
    wait_for(unknown.ended);
    assert_error(unknown.error, CLEAT_ERROR_UNIMPLEMENTED, "/no.Such/Method");
    g_autoptr(RpcChannel) nowhere = channel_to("127.0.0.1:1", NULL);
    rpc_stream_unref(rpc_stream_open(nowhere, "/test.Test/Silent", NULL, TRUE, &options, &reader_handlers, &nobody));
    wait_for(nobody.ended);
    assert_error(nobody.error, CLEAT_ERROR_UNAVAILABLE, "cannot reach 127.0.0.1:1");
    g_autofree char *data = g_malloc0(RPC_MAX_MESSAGE_BYTES + 1);
    g_autoptr(GBytes) request = g_bytes_new_static(data, RPC_MAX_MESSAGE_BYTES + 1);
    rpc_stream_unref(rpc_stream_open(channel, "/test.Test/Chat", request, TRUE, &options, &reader_handlers, &large));
    wait_for(large.ended);
    assert_error(large.error, CLEAT_ERROR_TOO_LARGE, "/test.Test/Chat");
}

/* The queue of a stream whose peer does not read is bounded. */
static void test_send_queue(void)
{
    RpcCallOptions options = in_loop();
    g_auto(Reader) reader = {0};
    RpcStream *stream = rpc_stream_open(channel, "/test.Test/Silent", NULL, FALSE, &options, &reader_handlers, &reader);
    g_autofree char *data = g_malloc0(100000);
    g_autoptr(GBytes) message = g_bytes_new_static(data, 100000);
    int queued = 0;
    while (queued < 5000 && rpc_stream_send(stream, message))
        queued++;
    g_assert_cmpint(queued, >=, 1024);
    g_assert_cmpint(queued, <, 2000);
    rpc_stream_cancel(stream);
    wait_for(reader.ended);
    rpc_stream_unref(stream);
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

/* A thousand streams on one connection are all let go when the client drops them. */
static void test_thousand(void)
{
    enum { STREAMS = 1000 };
    g_autofree Reader *readers = g_new0(Reader, STREAMS);
    g_autofree RpcStream **streams = g_new0(RpcStream *, STREAMS);
    RpcCallOptions options = in_loop();
    for (int i = 0; i < STREAMS; i++)
        streams[i] = rpc_stream_open(channel, "/test.Test/Silent", NULL, TRUE, &options, &reader_handlers, &readers[i]);
    wait_for(g_atomic_int_get(&open_calls) == STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        rpc_stream_cancel(streams[i]);
        rpc_stream_unref(streams[i]);
    }
    for (int i = 0; i < STREAMS; i++) {
        wait_for(readers[i].ended);
        assert_error(readers[i].error, CLEAT_ERROR_CANCELLED, "/test.Test/Silent");
        reader_clear(&readers[i]);
    }
    wait_for(g_atomic_int_get(&open_calls) == 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(2);
    g_autofree char *folder = folder_new();
    g_autofree char *path = g_strdup_printf("unix:%s/socket", folder);
    RpcServer *server = server_at(path, NULL, &address);
    rpc_server_handle(server, "/test.Test/Count", handle_count, NULL);
    rpc_server_handle(server, "/test.Test/Chat", chat_received, NULL);
    rpc_server_handle(server, "/test.Test/Silent", handle_silent, NULL);
    server_start(server);
    channel = channel_to(address, NULL);
    g_test_add_func("/rpc/stream/server", test_server_stream);
    g_test_add_func("/rpc/stream/bidirectional", test_bidirectional);
    g_test_add_func("/rpc/stream/flow-control", test_flow_control);
    g_test_add_func("/rpc/stream/pause", test_pause);
    g_test_add_func("/rpc/stream/cancel", test_cancel);
    g_test_add_func("/rpc/stream/deadline", test_deadline);
    g_test_add_func("/rpc/stream/errors", test_errors);
    g_test_add_func("/rpc/stream/send-queue", test_send_queue);
    g_test_add_func("/rpc/stream/thousand", test_thousand);
    int result = g_test_run();
    rpc_channel_unref(channel);
    server_end(server);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* socket and lock file are gone */
    g_free(address);
    rpc_shutdown();
    return result;
}
