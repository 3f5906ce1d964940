/* From a create at the server to a container that runs, against the same container by raw CRI calls, in turns on one node.
 *   bench-pod-start CONFIG CONTAINERD-SOCKET NODE IMAGE [ROUNDS]      default: 15 rounds
 * The pods name their node, so that no scheduler is in the figure. Each is removed before the next starts. */
#include "bench-cluster.h"
#include "foreign/cri/runtime.pb-c.h"

#define CRI "/runtime.v1.RuntimeService/"
#define PATIENCE_S 60

/* --- raw --------------------------------------------------------------------------------------------------------------*/

static ProtobufCMessage *cri(RpcChannel *channel, const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *reply_type)
{
    g_autoptr(GBytes) bytes = bench_call_sync(channel, method, request);
    g_autoptr(GError) error = NULL;
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    ProtobufCMessage *reply = api_message_unpack(reply_type, data, size, &error);
    if (!reply)
        bench_fail(method, error);
    return reply;
}

static void raw_remove(RpcChannel *channel, char *sandbox)
{
    Runtime__V1__StopPodSandboxRequest stop = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
    stop.pod_sandbox_id = sandbox;
    g_bytes_unref(bench_call_sync(channel, CRI "StopPodSandbox", &stop.base));
    Runtime__V1__RemovePodSandboxRequest remove = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
    remove.pod_sandbox_id = sandbox;
    g_bytes_unref(bench_call_sync(channel, CRI "RemovePodSandbox", &remove.base));
}

/* Starts a container with a sandbox of its own and removes both. Returns the ms until it ran. */
static double raw_start(RpcChannel *channel, const char *image, guint i)
{
    g_autofree char *name = g_strdup_printf("bench-raw-%u", i);
    Runtime__V1__PodSandboxMetadata identity = RUNTIME__V1__POD_SANDBOX_METADATA__INIT;
    identity.name = identity.uid = name;
    identity.namespace_ = (char *)BENCH_NAMESPACE;
    Runtime__V1__LinuxPodSandboxConfig linux_config = RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__INIT;
    Runtime__V1__PodSandboxConfig sandbox_config = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
    sandbox_config.metadata = &identity;
    sandbox_config.hostname = name;
    sandbox_config.linux = &linux_config;
    Runtime__V1__RunPodSandboxRequest run = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
    run.config = &sandbox_config;

    double start = bench_seconds();
    API_AUTO(ProtobufCMessage)
    sandbox = cri(channel, CRI "RunPodSandbox", &run.base, &runtime__v1__run_pod_sandbox_response__descriptor);
    char *sandbox_id = ((Runtime__V1__RunPodSandboxResponse *)sandbox)->pod_sandbox_id;
    Runtime__V1__ContainerMetadata container_identity = RUNTIME__V1__CONTAINER_METADATA__INIT;
    container_identity.name = (char *)"main";
    Runtime__V1__ImageSpec image_spec = RUNTIME__V1__IMAGE_SPEC__INIT;
    image_spec.image = (char *)image;
    char *command[] = {(char *)"sleep", (char *)"3600"};
    Runtime__V1__ContainerConfig config = RUNTIME__V1__CONTAINER_CONFIG__INIT;
    config.metadata = &container_identity;
    config.image = &image_spec;
    config.command = command;
    config.n_command = G_N_ELEMENTS(command);
    Runtime__V1__CreateContainerRequest create = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
    create.pod_sandbox_id = sandbox_id;
    create.config = &config;
    create.sandbox_config = &sandbox_config;
    API_AUTO(ProtobufCMessage)
    container = cri(channel, CRI "CreateContainer", &create.base, &runtime__v1__create_container_response__descriptor);
    Runtime__V1__StartContainerRequest begin = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
    begin.container_id = ((Runtime__V1__CreateContainerResponse *)container)->container_id;
    g_bytes_unref(bench_call_sync(channel, CRI "StartContainer", &begin.base));
    double ms = (bench_seconds() - start) * 1e3;
    raw_remove(channel, sandbox_id);
    return ms;
}

/* --- through the server -----------------------------------------------------------------------------------------------*/

static gboolean pod_runs, pod_is_gone, watch_begun;

static void pod_event(const char *type, const ProtobufCMessage *object, gpointer data)
{
    (void)data;
    const Core__V1__Pod *pod = (const Core__V1__Pod *)object;
    if (g_str_equal(type, "BOOKMARK"))
        return;
    pod_is_gone = g_str_equal(type, "DELETED");
    pod_runs = !pod_is_gone && pod->status && api_str_equal(pod->status->phase, "Running");
}

static void pod_watch_end(const GError *error, gpointer data)
{
    (void)data;
    if (watch_begun)
        bench_fail("the watch ended", error);
}

/* Wakes the loop, to look at the time. */
static gboolean wake(gpointer data)
{
    (void)data;
    return G_SOURCE_CONTINUE;
}

static void run_until(const gboolean *done, const char *what)
{
    double until = bench_seconds() + PATIENCE_S;
    guint timer = g_timeout_add(100, wake, NULL);
    while (!*done) {
        if (bench_seconds() > until) {
            errno = ETIMEDOUT;
            bench_fail(what, NULL);
        }
        g_main_context_iteration(NULL, TRUE);
    }
    g_source_remove(timer);
}

static void pod_created(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    (void)object, (void)data;
    if (error)
        bench_fail("create", error);
}

static void pod_deleted(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    (void)object, (void)data;
    if (error)
        bench_fail("delete", error);
}

static Core__V1__Pod *sleeping_pod(const char *node, const char *image, const char *name)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    API_META(pod)->namespace_ = g_strdup(BENCH_NAMESPACE);
    API_META(pod)->name = g_strdup(name);
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    pod->spec->nodename = g_strdup(node);
    Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
    container->name = g_strdup("main");
    container->image = g_strdup(image);
    api_append(container->command, container->n_command, g_strdup("sleep"));
    api_append(container->command, container->n_command, g_strdup("3600"));
    api_append(pod->spec->containers, pod->spec->n_containers, container);
    return pod;
}

/* Creates a pod and removes it. Returns the ms until its status said Running. */
static double pod_start(Client *client, const char *node, const char *image, guint i)
{
    g_autofree char *name = g_strdup_printf("bench-%u", i);
    API_AUTO(Core__V1__Pod) pod = sleeping_pod(node, image, name);
    const ApiResource *resource = api_resource_by_descriptor(&core__v1__pod__descriptor);
    pod_runs = pod_is_gone = FALSE;
    double start = bench_seconds();
    client_create(client, &pod->base, pod_created, NULL);
    run_until(&pod_runs, "waiting for the pod to run");
    double ms = (bench_seconds() - start) * 1e3;
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    api_set_scalar(&options, graceperiodseconds, 0);
    client_delete(client, resource, BENCH_NAMESPACE, name, &options, pod_deleted, NULL);
    run_until(&pod_is_gone, "waiting for the pod to go");
    return ms;
}

static RpcStream *watch_pods(Client *client)
{
    static const ClientWatchHandlers handlers = {pod_event, pod_watch_end};
    const ApiResource *resource = api_resource_by_descriptor(&core__v1__pod__descriptor);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) list = client_list_sync(client, resource, BENCH_NAMESPACE, NULL, &error);
    if (!list)
        bench_fail("list", error);
    ClientListOptions options = {.resource_version = ((Core__V1__PodList *)list)->metadata->resourceversion};
    watch_begun = TRUE;
    return client_watch(client, resource, BENCH_NAMESPACE, &options, &handlers, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s CONFIG CONTAINERD-SOCKET NODE IMAGE [ROUNDS]\n", argv[0]);
        return 2;
    }
    guint rounds = argc > 5 ? (guint)atoi(argv[5]) : 15;
    rpc_init(1);
    BenchConnections server = bench_connect(argv[1], 1);
    g_autofree char *socket = g_strconcat("unix:", argv[2], NULL);
    const char *addresses[] = {socket, NULL};
    RpcChannelOptions options = {.addresses = addresses};
    RpcChannel *containerd = rpc_channel_new(&options, NULL);
    bench_make_namespace(server.clients[0]);
    RpcStream *watch = watch_pods(server.clients[0]);

    g_autoptr(GArray) raw = bench_sample(), pods = bench_sample();
    for (guint i = 0; i <= rounds; i++) {
        double raw_ms = raw_start(containerd, argv[4], i);
        double pod_ms = pod_start(server.clients[0], argv[3], argv[4], i);
        if (i == 0) /* the first is the warm-up */
            continue;
        bench_add(raw, raw_ms);
        bench_add(pods, pod_ms);
    }
    double raw_median = bench_quantile(raw, 0.5), pod_median = bench_quantile(pods, 0.5);
    printf(
        "raw CRI calls: %.0f ms (%.0f-%.0f); pod, from create to Running in a watch: %.0f ms (%.0f-%.0f) = raw %+.0f ms; "
        "medians of %u (lowest-highest)\n",
        raw_median, bench_quantile(raw, 0), bench_quantile(raw, 1), pod_median, bench_quantile(pods, 0),
        bench_quantile(pods, 1), pod_median - raw_median, rounds);
    watch_begun = FALSE;
    rpc_stream_cancel(watch);
    rpc_stream_unref(watch);
    rpc_channel_unref(containerd);
    bench_disconnect(&server);
    rpc_shutdown();
    return 0;
}
