#include "agent/runtime.h"

#include <string.h>

#include "foreign/containerd/events.pb-c.h"
#include "lib/api/object.h"
#include "lib/api/wire.h"
#include "lib/base/backoff.h"
#include "lib/base/error.h"
#include "lib/base/log.h"

/* Where runtimes tell of their events. The CRI's own stream comes first; what does not have it is asked in its own way.
 * parse returns FALSE for what is no news of a container; *ret_id is a new string. */
typedef struct {
    const char *runtime; /* NULL: any */
    const char *method;
    GBytes *(*request)(void);
    gboolean (*parse)(GBytes *message, char **ret_id, gboolean *ret_exited);
} EventSource;

struct Runtime {
    Cri *cri;
    GMainContext *context;
    RuntimeHandlers handlers;
    gpointer data;
    int refs; /* the owner's and one per call under way */
    gboolean closed;
    char *name;
    char *version;
    RuntimeReadiness readiness;
    char *message;
    GSource *poll;
    guint poll_ms;
    guint source;      /* the row of sources in use */
    RpcStream *stream; /* NULL: none open */
    GSource *reopen;
    Backoff backoff;
};

/* --- sources of events ------------------------------------------------------------------------------------------------*/

static GBytes *cri_request(void)
{
    return g_bytes_new(NULL, 0);
}

static gboolean cri_parse(GBytes *message, char **ret_id, gboolean *ret_exited)
{
    gsize size;
    gconstpointer data = g_bytes_get_data(message, &size);
    API_AUTO(Runtime__V1__ContainerEventResponse)
    event = runtime__v1__container_event_response__unpack(NULL, size, data);
    if (!event)
        return FALSE;
    *ret_id = g_strdup(event->container_id);
    *ret_exited = event->container_event_type == RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_STOPPED_EVENT;
    return TRUE;
}

static GBytes *containerd_request(void)
{
    char *filters[] = {(char *)"topic~=\"/tasks/\""};
    Containerd__Services__Events__V1__SubscribeRequest request =
        CONTAINERD__SERVICES__EVENTS__V1__SUBSCRIBE_REQUEST__INIT;
    request.filters = filters;
    request.n_filters = 1;
    return api_message_pack(&request.base);
}

/* All events of tasks have the container's id as field 1. TaskExit has the process's as field 2: an exec's end is a TaskExit
 * too. TaskDelete follows a TaskExit when the runtime is about to write the end into its status. */
static gboolean containerd_parse(GBytes *message, char **ret_id, gboolean *ret_exited)
{
    static const guint8 container_field[] = {1, 0}, process_field[] = {2, 0};
    gsize size;
    gconstpointer data = g_bytes_get_data(message, &size);
    API_AUTO(Containerd__Services__Events__V1__Envelope)
    envelope = containerd__services__events__v1__envelope__unpack(NULL, size, data);
    if (!envelope || !envelope->event || !g_str_equal(envelope->namespace_, "k8s.io"))
        return FALSE;
    const ProtobufCBinaryData *event = &envelope->event->value;
    gboolean exit = g_str_has_suffix(envelope->topic, "/tasks/exit");
    const guint8 *container, *process;
    gsize container_size, process_size;
    if (!api_wire_find(event->data, event->len, container_field, &container, &container_size) || container_size == 0)
        return FALSE;
    if (exit && api_wire_find(event->data, event->len, process_field, &process, &process_size) && process_size > 0 &&
        (process_size != container_size || memcmp(process, container, process_size) != 0))
        return FALSE;
    *ret_id = g_strndup((const char *)container, container_size);
    *ret_exited = exit;
    return TRUE;
}

static const EventSource sources[] = {
    {NULL, "/runtime.v1.RuntimeService/GetContainerEvents", cri_request, cri_parse},
    {"containerd", "/containerd.services.events.v1.Events/Subscribe", containerd_request, containerd_parse},
};

/* --- the stream -------------------------------------------------------------------------------------------------------*/

static void open_stream(Runtime *runtime);

static void runtime_unref(Runtime *runtime)
{
    if (--runtime->refs > 0)
        return;
    g_free(runtime->name);
    g_free(runtime->version);
    g_free(runtime->message);
    g_free(runtime);
}

static void drop_source(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

static GSource *add_timer(Runtime *runtime, guint ms, GSourceFunc run)
{
    GSource *source = g_timeout_source_new(ms);
    g_source_set_callback(source, run, runtime, NULL);
    g_source_attach(source, runtime->context);
    return source;
}

static void on_event(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream;
    Runtime *runtime = data;
    g_autofree char *id = NULL;
    gboolean exited;
    if (!runtime->closed && sources[runtime->source].parse(message, &id, &exited)) {
        backoff_reset(&runtime->backoff);
        runtime->handlers.changed(id, exited, runtime->data);
    }
}

static gboolean on_reopen(gpointer data)
{
    Runtime *runtime = data;
    drop_source(&runtime->reopen);
    open_stream(runtime);
    return G_SOURCE_REMOVE;
}

/* The next source that this runtime may have; without one the slow listing has to do. */
static gboolean next_source(Runtime *runtime)
{
    for (guint i = runtime->source + 1; i < G_N_ELEMENTS(sources); i++) {
        if (!sources[i].runtime || g_str_equal(sources[i].runtime, runtime->name)) {
            runtime->source = i;
            return TRUE;
        }
    }
    log_warning("the runtime \"%s\" offers no events: changes are found by listing only", runtime->name);
    return FALSE;
}

static void on_end(RpcStream *stream, const GError *error, gpointer data)
{
    Runtime *runtime = data;
    rpc_stream_unref(stream);
    runtime->stream = NULL;
    if (runtime->closed) {
        runtime_unref(runtime);
        return;
    }
    if (error && cleat_error_is(error, CLEAT_ERROR_UNIMPLEMENTED)) {
        if (next_source(runtime))
            open_stream(runtime);
    } else {
        log_debug("runtime events ended: %s", error ? error->message : "by the runtime");
        runtime->reopen = add_timer(runtime, backoff_next(&runtime->backoff), on_reopen);
    }
    runtime_unref(runtime);
}

/* What happened before the stream is there is found by a listing. */
static void open_stream(Runtime *runtime)
{
    static const RpcStreamHandlers handlers = {on_event, on_end};
    const EventSource *source = &sources[runtime->source];
    g_autoptr(GBytes) request = source->request();
    RpcCallOptions options = {.context = runtime->context};
    runtime->refs++;
    runtime->stream =
        rpc_stream_open(cri_channel(runtime->cri), source->method, request, TRUE, &options, &handlers, runtime);
    runtime->handlers.resync(runtime->data);
}

/* --- version and status -----------------------------------------------------------------------------------------------*/

static gboolean poll_again(gpointer data);

static void set_readiness(Runtime *runtime, gboolean ready, gboolean network, char *message)
{
    RuntimeReadiness *now = &runtime->readiness;
    gboolean changed =
        now->runtime != ready || now->network != network || !now->heard || g_strcmp0(runtime->message, message) != 0;
    now->heard = TRUE;
    now->runtime = ready;
    now->network = network;
    g_free(runtime->message);
    now->message = runtime->message = message;
    if (changed)
        runtime->handlers.state(runtime->data);
}

static void read_status(Runtime *runtime, const Runtime__V1__StatusResponse *reply)
{
    g_autoptr(GString) message = g_string_new(NULL);
    gboolean ready = FALSE, network = FALSE;
    for (gsize i = 0; reply->status && i < reply->status->n_conditions; i++) {
        const Runtime__V1__RuntimeCondition *condition = reply->status->conditions[i];
        if (g_str_equal(condition->type, "RuntimeReady"))
            ready = condition->status;
        else if (g_str_equal(condition->type, "NetworkReady"))
            network = condition->status;
        if (!condition->status)
            g_string_append_printf(message, "%scontainer runtime %s=false reason:%s message:%s",
                                   message->len ? ", " : "", condition->type, condition->reason, condition->message);
    }
    set_readiness(runtime, ready, network, g_strdup(message->str));
}

static void on_status(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Runtime *runtime = data;
    if (!runtime->closed) {
        if (error)
            set_readiness(runtime, FALSE, FALSE, g_strdup_printf("container runtime is down: %s", error->message));
        else
            read_status(runtime, (const Runtime__V1__StatusResponse *)reply);
        runtime->poll = add_timer(runtime, runtime->poll_ms, poll_again);
    }
    runtime_unref(runtime);
}

static void ask_status(Runtime *runtime)
{
    Runtime__V1__StatusRequest request = RUNTIME__V1__STATUS_REQUEST__INIT;
    runtime->refs++;
    cri_call(runtime->cri, CRI_STATUS, &request.base, 0, on_status, runtime);
}

static void on_version(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Runtime *runtime = data;
    if (!runtime->closed && reply) {
        const Runtime__V1__VersionResponse *version = (const Runtime__V1__VersionResponse *)reply;
        g_free(runtime->name);
        g_free(runtime->version);
        runtime->name = g_strdup(version->runtime_name);
        runtime->version = g_strdup(version->runtime_version);
        open_stream(runtime);
        ask_status(runtime);
    } else if (!runtime->closed) {
        set_readiness(runtime, FALSE, FALSE, g_strdup_printf("container runtime is down: %s", error->message));
        runtime->poll = add_timer(runtime, backoff_next(&runtime->backoff), poll_again);
    }
    runtime_unref(runtime);
}

static gboolean poll_again(gpointer data)
{
    Runtime *runtime = data;
    drop_source(&runtime->poll);
    if (runtime->name[0]) {
        ask_status(runtime);
        return G_SOURCE_REMOVE;
    }
    Runtime__V1__VersionRequest request = RUNTIME__V1__VERSION_REQUEST__INIT;
    runtime->refs++;
    cri_call(runtime->cri, CRI_VERSION, &request.base, 0, on_version, runtime);
    return G_SOURCE_REMOVE;
}

Runtime *runtime_new(Cri *cri, GMainContext *context, guint poll_ms, const RuntimeHandlers *handlers, gpointer data)
{
    Runtime *runtime = g_new0(Runtime, 1);
    runtime->cri = cri;
    runtime->context = context;
    runtime->handlers = *handlers;
    runtime->data = data;
    runtime->refs = 1;
    runtime->name = g_strdup("");
    runtime->version = g_strdup("");
    runtime->message = g_strdup("container runtime has not answered yet");
    runtime->readiness.message = runtime->message;
    runtime->poll_ms = poll_ms;
    runtime->backoff = (Backoff){.first_ms = 100, .max_ms = 2000};
    poll_again(runtime);
    return runtime;
}

void runtime_free(Runtime *runtime)
{
    if (!runtime)
        return;
    runtime->closed = TRUE;
    drop_source(&runtime->poll);
    drop_source(&runtime->reopen);
    if (runtime->stream)
        rpc_stream_cancel(runtime->stream);
    runtime_unref(runtime);
}

const char *runtime_name(const Runtime *runtime)
{
    return runtime->name;
}

const char *runtime_version(const Runtime *runtime)
{
    return runtime->version;
}

RuntimeReadiness runtime_readiness(const Runtime *runtime)
{
    return runtime->readiness;
}
