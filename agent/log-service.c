#include "agent/log-service.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/log-reader.h"
#include "cleat/node/v1/node.pb-c.h"
#include "cleat/v1/requests.pb-c.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define LOGS_METHOD "/cleat.node.v1.NodeAgent/Logs"
#define READER_GROUP "system:masters"
#define STREAMS_MAX 1000
#define STOP_GRACE_MS 200

struct LogService {
    RpcServer *server;
    Pods *pods;
    GPtrArray *streams; /* Stream*, borrowed */
};

/* One reader. Lives until its call is closed and no message is under way. */
typedef struct {
    LogService *service;
    RpcServerCall *call;
    LogReader *reader;
    char *namespace_, *name, *uid, *container;
    char *path;
    gboolean previous, follow;
    gboolean over; /* the container had ended before the last look: the next end of the file is the log's end */
    gboolean sending, closed, finished;
    guint idle;
    int inotify; /* -1: does not follow */
    guint watch;
} Stream;

static void pump(Stream *stream);

static void stream_free(Stream *stream)
{
    g_ptr_array_remove_fast(stream->service->streams, stream);
    if (stream->idle)
        g_source_remove(stream->idle);
    if (stream->watch)
        g_source_remove(stream->watch);
    if (stream->inotify >= 0)
        close(stream->inotify);
    log_reader_free(stream->reader);
    rpc_server_call_unref(stream->call);
    g_free(stream->namespace_);
    g_free(stream->name);
    g_free(stream->uid);
    g_free(stream->container);
    g_free(stream->path);
    g_free(stream);
}

static void on_closed(RpcServerCall *call, gpointer data)
{
    (void)call;
    Stream *stream = data;
    stream->closed = TRUE;
    if (!stream->sending)
        stream_free(stream);
}

static void on_sent(RpcServerCall *call, gboolean ok, gpointer data)
{
    (void)call;
    Stream *stream = data;
    stream->sending = FALSE;
    if (stream->closed)
        stream_free(stream);
    else if (ok)
        pump(stream);
}

static void send_text(Stream *stream, const GString *text)
{
    Cleat__V1__LogChunk chunk = CLEAT__V1__LOG_CHUNK__INIT;
    chunk.has_data = TRUE;
    chunk.data.data = (guint8 *)text->str;
    chunk.data.len = text->len;
    g_autoptr(GBytes) bytes = api_message_pack(&chunk.base);
    grpc_slice slice = rpc_slice_from_bytes(bytes);
    stream->sending = TRUE;
    rpc_server_call_send(stream->call, &slice, 1, on_sent, stream);
    grpc_slice_unref(slice);
}

static void finish(Stream *stream)
{
    stream->finished = TRUE;
    rpc_server_call_finish(stream->call);
}

/* Whether the run whose log is read may still write. */
static gboolean is_alive(Stream *stream)
{
    Pod *pod = pods_find(stream->service->pods, stream->namespace_, stream->name, stream->uid);
    gboolean alive = FALSE;
    g_autofree char *why = NULL;
    g_autofree char *path = pod ? pod_log_path(pod, stream->container, stream->previous, &alive, &why) : NULL;
    return path && alive && g_str_equal(path, stream->path);
}

static gboolean on_idle(gpointer data)
{
    Stream *stream = data;
    stream->idle = 0;
    pump(stream);
    return G_SOURCE_REMOVE;
}

/* One step of reading per turn of the loop; one message under way per stream. */
static void pump(Stream *stream)
{
    if (stream->sending || stream->closed || stream->finished || stream->idle)
        return;
    g_autoptr(GString) text = g_string_new(NULL);
    LogReadResult result = log_reader_next(stream->reader, text);
    if (text->len > 0) {
        send_text(stream, text);
        return;
    }
    if (result == LOG_READ_EMPTY && stream->follow && !stream->over) {
        stream->over = !is_alive(stream);
        if (!stream->over)
            return; /* until the file changes or the container ends */
        result = LOG_READ_MORE;
    }
    if (result == LOG_READ_MORE)
        stream->idle = g_idle_add(on_idle, stream);
    else
        finish(stream);
}

static gboolean on_file_changed(gint fd, GIOCondition condition, gpointer data)
{
    (void)condition;
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(fd, events, sizeof events) > 0)
        ;
    pump(data);
    return G_SOURCE_CONTINUE;
}

/* Watches the log's folder: writes, and the new file after a rotation. */
static void follow_folder(Stream *stream)
{
    g_autofree char *folder = g_path_get_dirname(stream->path);
    stream->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (stream->inotify < 0 ||
        inotify_add_watch(stream->inotify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
        return; /* out of watches: what is there is shown, more at the next change of the container */
    stream->watch = g_unix_fd_add(stream->inotify, G_IO_IN, on_file_changed, stream);
}

/* --- requests ---------------------------------------------------------------------------------------------------------*/

static LogReadOptions read_options(const Core__V1__PodLogOptions *wanted)
{
    LogReadOptions options = {.tail_lines = -1, .limit_bytes = -1};
    if (!wanted)
        return options;
    if (wanted->has_taillines)
        options.tail_lines = MAX(wanted->taillines, 0);
    if (wanted->has_limitbytes)
        options.limit_bytes = MAX(wanted->limitbytes, 0);
    if (wanted->sincetime)
        options.since_ns = api_time_ns(wanted->sincetime);
    else if (wanted->has_sinceseconds)
        options.since_ns = time_now_ns() - CLAMP(wanted->sinceseconds, 0, G_MAXINT32) * TIME_NS_PER_S;
    options.timestamps = wanted->timestamps;
    options.no_stderr = api_str_equal(wanted->stream, "Stdout");
    options.no_stdout = api_str_equal(wanted->stream, "Stderr");
    return options;
}

static gboolean open_stream(Stream *stream, const Core__V1__PodLogOptions *wanted, GError **error)
{
    Pod *pod = pods_find(stream->service->pods, stream->namespace_, stream->name, stream->uid);
    if (!pod) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "pod \"%s/%s\" is not on this node", stream->namespace_,
                    stream->name);
        return FALSE;
    }
    gboolean alive;
    g_autofree char *why = NULL;
    stream->path = pod_log_path(pod, stream->container, stream->previous, &alive, &why);
    if (!stream->path) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s", why);
        return FALSE;
    }
    LogReadOptions options = read_options(wanted);
    stream->reader = log_reader_new(stream->path, &options, error);
    if (stream->reader && stream->follow)
        follow_folder(stream);
    return stream->reader != NULL;
}

static Stream *stream_new(LogService *service, RpcServerCall *call,
                          const Cleat__Node__V1__ContainerLogsRequest *request)
{
    Stream *stream = g_new0(Stream, 1);
    stream->service = service;
    stream->call = rpc_server_call_ref(call);
    stream->namespace_ = g_strdup(api_str(request->namespace_));
    stream->name = g_strdup(api_str(request->name));
    stream->uid = g_strdup(api_str(request->uid));
    stream->container = g_strdup(request->options ? api_str(request->options->container) : "");
    stream->previous = request->options && request->options->previous;
    stream->follow = request->options && request->options->follow;
    stream->inotify = -1;
    g_ptr_array_add(service->streams, stream);
    return stream;
}

static void on_logs(RpcServerCall *call, GBytes *bytes, gpointer data)
{
    LogService *service = data;
    gsize size;
    gconstpointer packed = g_bytes_get_data(bytes, &size);
    g_autoptr(GError) error = NULL;
    API_AUTO(Cleat__Node__V1__ContainerLogsRequest)
    request = (Cleat__Node__V1__ContainerLogsRequest *)api_message_unpack(
        &cleat__node__v1__container_logs_request__descriptor, packed, size, &error);
    if (request && service->streams->len >= STREAMS_MAX)
        g_set_error(&error, CLEAT_ERROR, CLEAT_ERROR_TOO_MANY_REQUESTS, "%d logs are being read on this node",
                    STREAMS_MAX);
    if (error) {
        rpc_server_call_fail(call, error);
        return;
    }
    Stream *stream = stream_new(service, call, request);
    if (!open_stream(stream, request->options, &error)) {
        stream_free(stream);
        rpc_server_call_fail(call, error);
        return;
    }
    rpc_server_call_on_closed(call, on_closed, stream);
    pump(stream);
}

static gboolean check_caller(RpcServerCall *call, gpointer data, GError **error)
{
    (void)data;
    const RpcIdentity *identity = rpc_server_call_identity(call);
    if (identity->groups && g_strv_contains(identity->groups, READER_GROUP))
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_FORBIDDEN,
                "user \"%s\" may not read logs from the node: it is not in group %s",
                identity->user ? identity->user : "", READER_GROUP);
    return FALSE;
}

LogService *log_service_new(const AgentConfig *config, Pods *pods, GMainContext *context, GError **error)
{
    g_autoptr(RpcServerCredentials) credentials =
        rpc_server_credentials_load(config->client_ca, config->tls_cert, config->tls_key, TRUE, error);
    if (!credentials)
        return NULL;
    LogService *service = g_new0(LogService, 1);
    RpcServerOptions options = {.context = context};
    service->pods = pods;
    service->streams = g_ptr_array_new();
    service->server = rpc_server_new(&options);
    rpc_server_set_gate(service->server, check_caller, NULL);
    rpc_server_handle(service->server, LOGS_METHOD, on_logs, service);
    if (rpc_server_listen(service->server, config->listen, credentials, NULL, error) &&
        rpc_server_start(service->server, error)) {
        rpc_server_set_serving(service->server, "", TRUE);
        return service;
    }
    rpc_server_free(service->server);
    g_ptr_array_unref(service->streams);
    g_free(service);
    return NULL;
}

void log_service_free(LogService *service)
{
    if (!service)
        return;
    rpc_server_stop(service->server, STOP_GRACE_MS);
    rpc_server_free(service->server);
    g_ptr_array_unref(service->streams);
    g_free(service);
}

void log_service_poke(LogService *service)
{
    for (guint i = service->streams->len; i-- > 0;) {
        Stream *stream = service->streams->pdata[i];
        if (stream->follow)
            pump(stream);
    }
}
