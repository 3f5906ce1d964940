#include "agent/cri.h"

#include <string.h>

#include "lib/api/object.h"
#include "lib/base/error.h"

#define RUNTIME "/runtime.v1.RuntimeService/"
#define IMAGE "/runtime.v1.ImageService/"
#define SECONDS 1000

struct Cri {
    RpcChannel *channel;
    GMainContext *context;
    GCancellable *cancel;
};

/* fail_fast: reads whose failure tells that the runtime is away; the rest waits for it to come back. */
static const struct {
    const char *path;
    const ProtobufCMessageDescriptor *reply;
    guint timeout_ms;
    gboolean fail_fast;
} methods[CRI_METHOD_MAX_] = {
    [CRI_VERSION] = {RUNTIME "Version", &runtime__v1__version_response__descriptor, 10 * SECONDS, TRUE},
    [CRI_STATUS] = {RUNTIME "Status", &runtime__v1__status_response__descriptor, 10 * SECONDS, TRUE},
    [CRI_RUN_POD_SANDBOX] = {RUNTIME "RunPodSandbox", &runtime__v1__run_pod_sandbox_response__descriptor, 240 * SECONDS,
                             FALSE},
    [CRI_STOP_POD_SANDBOX] = {RUNTIME "StopPodSandbox", &runtime__v1__stop_pod_sandbox_response__descriptor,
                              120 * SECONDS, FALSE},
    [CRI_REMOVE_POD_SANDBOX] = {RUNTIME "RemovePodSandbox", &runtime__v1__remove_pod_sandbox_response__descriptor,
                                120 * SECONDS, FALSE},
    [CRI_POD_SANDBOX_STATUS] = {RUNTIME "PodSandboxStatus", &runtime__v1__pod_sandbox_status_response__descriptor,
                                30 * SECONDS, TRUE},
    [CRI_LIST_POD_SANDBOX] = {RUNTIME "ListPodSandbox", &runtime__v1__list_pod_sandbox_response__descriptor,
                              30 * SECONDS, TRUE},
    [CRI_CREATE_CONTAINER] = {RUNTIME "CreateContainer", &runtime__v1__create_container_response__descriptor,
                              120 * SECONDS, FALSE},
    [CRI_START_CONTAINER] = {RUNTIME "StartContainer", &runtime__v1__start_container_response__descriptor,
                             120 * SECONDS, FALSE},
    [CRI_STOP_CONTAINER] = {RUNTIME "StopContainer", &runtime__v1__stop_container_response__descriptor, 60 * SECONDS,
                            FALSE},
    [CRI_REMOVE_CONTAINER] = {RUNTIME "RemoveContainer", &runtime__v1__remove_container_response__descriptor,
                              120 * SECONDS, FALSE},
    [CRI_CONTAINER_STATUS] = {RUNTIME "ContainerStatus", &runtime__v1__container_status_response__descriptor,
                              30 * SECONDS, TRUE},
    [CRI_LIST_CONTAINERS] = {RUNTIME "ListContainers", &runtime__v1__list_containers_response__descriptor, 30 * SECONDS,
                             TRUE},
    [CRI_IMAGE_STATUS] = {IMAGE "ImageStatus", &runtime__v1__image_status_response__descriptor, 60 * SECONDS, FALSE},
    [CRI_PULL_IMAGE] = {IMAGE "PullImage", &runtime__v1__pull_image_response__descriptor, 3600 * SECONDS, FALSE},
};

Cri *cri_new(const char *endpoint, GMainContext *context, GError **error)
{
    g_autofree char *address = endpoint[0] == '/' ? g_strconcat("unix:", endpoint, NULL) : g_strdup(endpoint);
    if (g_str_has_prefix(address, "unix:///")) {
        char *path = g_strconcat("unix:", address + strlen("unix://"), NULL);
        g_free(address);
        address = path;
    }
    RpcChannelOptions options = {.addresses = (const char *const[]){address, NULL}, .keepalive_ms = 60 * SECONDS};
    RpcChannel *channel = rpc_channel_new(&options, error);
    if (!channel)
        return NULL;
    Cri *cri = g_new0(Cri, 1);
    cri->channel = channel;
    cri->context = context;
    cri->cancel = g_cancellable_new();
    return cri;
}

void cri_free(Cri *cri)
{
    if (!cri)
        return;
    g_cancellable_cancel(cri->cancel);
    g_object_unref(cri->cancel);
    rpc_channel_unref(cri->channel);
    g_free(cri);
}

RpcChannel *cri_channel(Cri *cri)
{
    return cri->channel;
}

typedef struct {
    CriMethod method;
    CriDone done;
    gpointer data;
} CriCall;

static void on_reply(GBytes *bytes, const GError *error, gpointer data)
{
    g_autofree CriCall *call = data;
    if (error) {
        call->done(NULL, error, call->data);
        return;
    }
    gsize size;
    gconstpointer packed = g_bytes_get_data(bytes, &size);
    g_autoptr(GError) malformed = NULL;
    API_AUTO(ProtobufCMessage) reply = api_message_unpack(methods[call->method].reply, packed, size, &malformed);
    call->done(reply, malformed, call->data);
}

void cri_call(Cri *cri, CriMethod method, const ProtobufCMessage *request, gint64 extra_ms, CriDone done, gpointer data)
{
    g_autoptr(GBytes) bytes = api_message_pack(request);
    CriCall *call = g_new(CriCall, 1);
    *call = (CriCall){method, done, data};
    RpcCallOptions options = {
        .timeout_ms = methods[method].timeout_ms + extra_ms,
        .fail_fast = methods[method].fail_fast,
        .context = cri->context,
        .cancellable = cri->cancel,
    };
    rpc_unary(cri->channel, methods[method].path, bytes, &options, on_reply, call);
}
