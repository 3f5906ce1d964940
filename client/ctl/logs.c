#include <string.h>

#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/batch/v1/batch.pb-c.h"
#include "cleat/v1/core.pb-c.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/api/selector.h"
#include "lib/base/error.h"

#define ANNOTATION_DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"

typedef struct {
    Ctl *ctl;
    char *container, *since_flag;
    gboolean follow, previous, timestamps;
    gint64 tail; /* lines; -1: all */
    gint64 since_ms;
    GMainLoop *loop;
    GError *problem;
} Logs;

/* --- which pod --------------------------------------------------------------------------------------------------------*/

/* The kinds whose pods are found by their selector. Every one is {metadata = 1, spec = 2} with spec.selector. */
static const Meta__V1__LabelSelector *pod_selector(const ProtobufCMessage *object)
{
    const ProtobufCFieldDescriptor *spec = protobuf_c_message_descriptor_get_field_by_name(object->descriptor, "spec");
    if (!spec || spec->type != PROTOBUF_C_TYPE_MESSAGE || !G_STRUCT_MEMBER(void *, object, spec->offset))
        return NULL;
    const ProtobufCFieldDescriptor *selector =
        protobuf_c_message_descriptor_get_field_by_name(spec->descriptor, "selector");
    if (!selector || selector->descriptor != &meta__v1__label_selector__descriptor)
        return NULL;
    return G_STRUCT_MEMBER(Meta__V1__LabelSelector *, G_STRUCT_MEMBER(void *, object, spec->offset), selector->offset);
}

/* Running pods first, then the youngest: the one whose log is most likely wanted. */
static int compare_pods(gconstpointer a, gconstpointer b)
{
    const Core__V1__Pod *x = *(Core__V1__Pod *const *)a, *y = *(Core__V1__Pod *const *)b;
    gboolean x_runs = x->status && api_str_equal(x->status->phase, "Running");
    gboolean y_runs = y->status && api_str_equal(y->status->phase, "Running");
    if (x_runs != y_runs)
        return x_runs ? -1 : 1;
    gint64 x_ns = x->metadata ? api_time_ns(x->metadata->creationtimestamp) : 0;
    gint64 y_ns = y->metadata ? api_time_ns(y->metadata->creationtimestamp) : 0;
    return x_ns > y_ns ? -1 : x_ns < y_ns;
}

/* A pod of an object, for example of a job. NULL with an error. */
static Core__V1__Pod *find_pod_of(Logs *logs, const Target *target, const char *namespace_, GError **error)
{
    ProtobufCMessage *object = ctl_get(logs->ctl, target->resource, namespace_, target->name, error);
    if (!object)
        return NULL;
    const Meta__V1__LabelSelector *message = pod_selector(object);
    g_autoptr(ApiSelector) selector = message ? api_selector_from_message(message, error) : NULL;
    g_autofree char *text = selector ? api_selector_format(selector) : NULL;
    api_message_free(object);
    if (!text) {
        if (!*error)
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "%s \"%s\" has no pods of its own to take a log from", target->resource->singular,
                        target->name);
        return NULL;
    }
    ClientListOptions options = {.label_selector = text};
    g_autoptr(GPtrArray) pods = ctl_list(logs->ctl, API_POD, namespace_, &options, NULL, error);
    if (!pods)
        return NULL;
    if (pods->len == 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "%s \"%s\" has no pod yet (they have the labels %s)",
                    target->resource->singular, target->name, text);
        return NULL;
    }
    g_ptr_array_sort(pods, compare_pods);
    Core__V1__Pod *pod = g_ptr_array_steal_index(pods, 0);
    if (pods->len > 0)
        fprintf(stderr, "Found %u pods, using pod/%s\n", pods->len + 1, api_object_name(&pod->base));
    return pod;
}

static Core__V1__Pod *find_pod(Logs *logs, char **args, const char *namespace_, GError **error)
{
    char *pod_args[] = {"pods", args[0], NULL};
    gboolean is_pod_name = !strchr(args[0], '/') && !args[1];
    g_autoptr(GPtrArray) targets = targets_parse_named(logs->ctl, is_pod_name ? pod_args : args, error);
    if (!targets)
        return NULL;
    const Target *target = targets->pdata[0];
    if (targets->len > 1) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "logs takes one pod; the container is named with -c");
        return NULL;
    }
    if (target->resource == API_POD)
        return (Core__V1__Pod *)ctl_get(logs->ctl, API_POD, namespace_, target->name, error);
    return find_pod_of(logs, target, namespace_, error);
}

/* The container that is meant when none is named: the annotated one, else the first. */
static const char *default_container(const Core__V1__Pod *pod)
{
    const char *annotated = api_annotation(pod->metadata, ANNOTATION_DEFAULT_CONTAINER);
    if (!pod->spec || pod->spec->n_containers == 0)
        return NULL;
    if (!annotated && pod->spec->n_containers > 1) {
        fprintf(stderr, "Defaulted container \"%s\" out of:", api_str(pod->spec->containers[0]->name));
        for (size_t i = 0; i < pod->spec->n_containers; i++)
            fprintf(stderr, "%s %s", i ? "," : "", api_str(pod->spec->containers[i]->name));
        fputc('\n', stderr);
    }
    return annotated ? annotated : pod->spec->containers[0]->name;
}

/* --- the stream -------------------------------------------------------------------------------------------------------*/

static void log_message(RpcStream *stream, GBytes *message, gpointer data)
{
    Logs *logs = data;
    gsize size;
    const void *bytes = g_bytes_get_data(message, &size);
    API_AUTO(Cleat__V1__LogChunk)
    chunk = (Cleat__V1__LogChunk *)api_message_unpack(&cleat__v1__log_chunk__descriptor, bytes, size,
                                                      logs->problem ? NULL : &logs->problem);
    if (!chunk || (chunk->data.len > 0 && fwrite(chunk->data.data, 1, chunk->data.len, stdout) != chunk->data.len) ||
        fflush(stdout) != 0)
        rpc_stream_cancel(stream);
}

static void log_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    Logs *logs = data;
    if (error && !logs->problem && !ferror(stdout))
        logs->problem = ctl_server_error(error);
    g_main_loop_quit(logs->loop);
}

static GBytes *log_request(const Logs *logs, const Core__V1__Pod *pod, const char *namespace_)
{
    Core__V1__PodLogOptions options = CORE__V1__POD_LOG_OPTIONS__INIT;
    Cleat__V1__PodLogsRequest request = CLEAT__V1__POD_LOGS_REQUEST__INIT;
    const char *container = logs->container ? logs->container : default_container(pod);
    options.container = (char *)container;
    api_set_scalar(&options, follow, logs->follow);
    api_set_scalar(&options, previous, logs->previous);
    api_set_scalar(&options, timestamps, logs->timestamps);
    if (logs->tail >= 0)
        api_set_scalar(&options, taillines, logs->tail);
    if (logs->since_ms > 0)
        api_set_scalar(&options, sinceseconds, (logs->since_ms + 999) / 1000);
    request.namespace_ = (char *)namespace_;
    request.name = (char *)api_object_name(&pod->base);
    request.options = &options;
    return api_message_pack(&request.base);
}

static gboolean stream_log(Logs *logs, const Core__V1__Pod *pod, const char *namespace_, GError **error)
{
    static const RpcStreamHandlers handlers = {log_message, log_end};
    Client *client = ctl_client(logs->ctl, error);
    if (!client)
        return FALSE;
    g_autoptr(GBytes) request = log_request(logs, pod, namespace_);
    RpcCallOptions options = {.context = client_context(client), .fail_fast = TRUE};
    logs->loop = g_main_loop_new(client_context(client), FALSE);
    RpcStream *stream =
        rpc_stream_open(client_channel(client), "/cleat.v1.Pods/Logs", request, TRUE, &options, &handlers, logs);
    g_main_loop_run(logs->loop);
    rpc_stream_unref(stream);
    g_main_loop_unref(logs->loop);
    if (logs->problem)
        g_propagate_error(error, g_steal_pointer(&logs->problem));
    return *error == NULL;
}

static gboolean run(Logs *logs, char **args, GError **error)
{
    if (!ctl_duration_flag("since", logs->since_flag, 0, &logs->since_ms, error))
        return FALSE;
    const char *namespace_ = ctl_namespace(logs->ctl, error);
    API_AUTO(Core__V1__Pod) pod = namespace_ ? find_pod(logs, args, namespace_, error) : NULL;
    return pod && stream_log(logs, pod, namespace_, error);
}

VERB(logs)
{
    Logs logs = {.ctl = ctl, .tail = -1};
    const GOptionEntry entries[] = {
        {"container", 'c', 0, G_OPTION_ARG_STRING, &logs.container, "Container of the pod", "NAME"},
        {"follow", 'f', 0, G_OPTION_ARG_NONE, &logs.follow, "Go on with what is written from now on", NULL},
        {"previous", 'p', 0, G_OPTION_ARG_NONE, &logs.previous, "Of the run before the last restart", NULL},
        {"timestamps", 0, 0, G_OPTION_ARG_NONE, &logs.timestamps, "The time before each line", NULL},
        {"tail", 0, 0, G_OPTION_ARG_INT64, &logs.tail, "Only the last lines; -1: all", "N"},
        {"since", 0, 0, G_OPTION_ARG_STRING, &logs.since_flag, "Only what is younger", "10m"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gboolean good = args != NULL;
    if (good && !*args) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    good = good && run(&logs, args, error);
    g_free(logs.container);
    g_free(logs.since_flag);
    return good;
}
