/* The agent of one node on a real containerd, against a real server. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleat/coordination/v1/coordination.pb-c.h"
#include "cleat/core/v1/core.pb-c.h"
#include "cleat/node/v1/node.pb-c.h"
#include "foreign/cri/runtime.pb-c.h"
#include "lib/api/codec.h"
#include "lib/base/error.h"
#include "lib/base/time.h"
#include "tests/integration/kit.h"
#include "tests/integration/node-lab.h"

static NodeLab *lab;

/* --- pods -------------------------------------------------------------------------------------------------------------*/

/* A pod bound to the node. container and spec: more of their fields as YAML, each with a comma at its end. */
static void create_pod(const char *name, const char *command, const char *container, const char *spec)
{
    API_AUTO(ProtobufCMessage)
    pod = kit_must_create(node_lab_api(lab),
                          "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: default},\n"
                          " spec: {nodeName: n1, %s %s\n"
                          "  containers: [{name: main, image: 'busybox:1', %s\n"
                          "   command: [sh, -c, \"%s\"]}]}}",
                          name, strstr(spec, "GracePeriod") ? "" : "terminationGracePeriodSeconds: 1,", spec, container,
                          command);
}

typedef gboolean (*PodTest)(const Core__V1__Pod *pod, gconstpointer want);

static KitWatch *watch_pod(const char *name)
{
    g_autofree char *selector = g_strconcat("metadata.name=", name, NULL);
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.fieldselector = selector;
    options.resourceversionmatch = (char *)"NotOlderThan";
    api_set_scalar(&options, sendinitialevents, TRUE);
    api_set_scalar(&options, allowwatchbookmarks, TRUE);
    return kit_watch(node_lab_api(lab), API_POD, "default", &options);
}

/* Follows the pod until test says so and returns that state. */
static Core__V1__Pod *await(const char *name, PodTest test, gconstpointer want)
{
    g_autoptr(KitWatch) watch = watch_pod(name);
    for (;;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        g_assert_cmpstr(event->type, !=, "DELETED");
        if (!g_str_equal(event->type, "BOOKMARK") && test((const Core__V1__Pod *)event->object, want))
            return (Core__V1__Pod *)g_steal_pointer(&event->object);
    }
}

/* Until the pod is gone from the API. */
static void await_gone(const char *name)
{
    g_autoptr(KitWatch) watch = watch_pod(name);
    for (gboolean seen = FALSE;;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        if (g_str_equal(event->type, "DELETED") || (g_str_equal(event->type, "BOOKMARK") && !seen))
            return;
        seen = TRUE;
    }
}

static gboolean has_phase(const Core__V1__Pod *pod, gconstpointer phase)
{
    return pod->status && api_str_equal(pod->status->phase, phase);
}

static const Core__V1__PodCondition *condition(const Core__V1__Pod *pod, const char *type)
{
    static const Core__V1__PodCondition none = CORE__V1__POD_CONDITION__INIT;
    for (gsize i = 0; pod->status && i < pod->status->n_conditions; i++) {
        if (g_str_equal(pod->status->conditions[i]->type, type))
            return pod->status->conditions[i];
    }
    return &none;
}

static gboolean is_ready(const Core__V1__Pod *pod, gconstpointer want)
{
    (void)want;
    return api_str_equal(condition(pod, "Ready")->status, "True");
}

static const Core__V1__ContainerStatus *main_status(const Core__V1__Pod *pod)
{
    return pod->status && pod->status->n_containerstatuses ? pod->status->containerstatuses[0] : NULL;
}

static gboolean waits_for(const Core__V1__Pod *pod, gconstpointer reason)
{
    const Core__V1__ContainerStatus *status = main_status(pod);
    return status && status->state->waiting && api_str_equal(status->state->waiting->reason, reason);
}

static gboolean has_restarted(const Core__V1__Pod *pod, gconstpointer times)
{
    const Core__V1__ContainerStatus *status = main_status(pod);
    return status && status->state->running && status->restartcount >= GPOINTER_TO_INT(times);
}

static void delete_pod(const char *name)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) gone = kit_delete(node_lab_api(lab), API_POD, "default", name, NULL, &error);
    g_assert_no_error(error);
    await_gone(name);
}

/* --- logs -------------------------------------------------------------------------------------------------------------*/

typedef struct {
    const char *identity; /* NULL: the server's */
    gint64 tail;          /* 0: all */
    gboolean previous, follow;
    const char *until; /* follow: enough when this text has come */
} LogWish;

typedef struct {
    GMainLoop *loop;
    GString *text;
    GError *error;
    const char *until;
    gboolean ended;
} LogCall;

static void on_log(RpcStream *stream, GBytes *message, gpointer data)
{
    (void)stream;
    LogCall *call = data;
    gsize size;
    gconstpointer bytes = g_bytes_get_data(message, &size);
    API_AUTO(Cleat__V1__LogChunk) chunk = cleat__v1__log_chunk__unpack(NULL, size, bytes);
    g_string_append_len(call->text, (const char *)chunk->data.data, (gssize)chunk->data.len);
    if (call->until && strstr(call->text->str, call->until))
        g_main_loop_quit(call->loop);
}

static void on_log_end(RpcStream *stream, const GError *error, gpointer data)
{
    (void)stream;
    LogCall *call = data;
    call->error = error ? g_error_copy(error) : NULL;
    call->ended = TRUE;
    g_main_loop_quit(call->loop);
}

static GBytes *log_request(const char *name, const LogWish *wish)
{
    Core__V1__PodLogOptions options = CORE__V1__POD_LOG_OPTIONS__INIT;
    Cleat__Node__V1__ContainerLogsRequest request = CLEAT__NODE__V1__CONTAINER_LOGS_REQUEST__INIT;
    if (wish->tail)
        api_set_scalar(&options, taillines, wish->tail);
    api_set_scalar(&options, previous, wish->previous);
    api_set_scalar(&options, follow, wish->follow);
    request.namespace_ = (char *)"default";
    request.name = (char *)name;
    request.options = &options;
    return api_message_pack(&request.base);
}

static char *read_log(const char *name, const LogWish *wish, GError **error)
{
    static const LogWish all;
    static const RpcStreamHandlers handlers = {on_log, on_log_end};
    wish = wish ? wish : &all;
    g_autoptr(RpcChannel) channel = node_lab_logs(lab, wish->identity ? wish->identity : "agent-client");
    g_autoptr(GBytes) request = log_request(name, wish);
    LogCall call = {.loop = g_main_loop_new(NULL, FALSE), .text = g_string_new(NULL), .until = wish->until};
    RpcCallOptions options = {.context = g_main_context_default(), .timeout_ms = 30000};
    RpcStream *stream =
        rpc_stream_open(channel, "/cleat.node.v1.NodeAgent/Logs", request, TRUE, &options, &handlers, &call);
    g_main_loop_run(call.loop);
    if (!call.ended) {
        rpc_stream_cancel(stream);
        g_main_loop_run(call.loop);
        g_clear_error(&call.error);
    }
    rpc_stream_unref(stream);
    g_main_loop_unref(call.loop);
    if (call.error) {
        g_string_free(call.text, TRUE);
        g_propagate_error(error, call.error);
        return NULL;
    }
    return g_string_free(call.text, FALSE);
}

static void assert_log(const char *name, const LogWish *wish, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *log = read_log(name, wish, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(log, ==, expected);
}

/* Runs a pod to its end and compares what it printed. */
static void assert_prints(const char *name, const char *command, const char *container, const char *spec,
                          const char *expected)
{
    g_autofree char *once = g_strconcat("restartPolicy: Never, ", spec, NULL);
    create_pod(name, command, container, once);
    API_AUTO(Core__V1__Pod) pod = await(name, has_phase, "Succeeded");
    assert_log(name, NULL, expected);
    delete_pod(name);
}

/* --- what is on the node ----------------------------------------------------------------------------------------------*/

static ProtobufCMessage *cri(const char *method, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *reply)
{
    g_autofree char *path = g_strconcat("/runtime.v1.RuntimeService/", method, NULL);
    g_autoptr(GBytes) packed = api_message_pack(request);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = rpc_unary_sync(node_lab_cri(lab), path, packed, NULL, &error);
    g_assert_no_error(error);
    gsize size;
    gconstpointer data = g_bytes_get_data(bytes, &size);
    return api_message_unpack(reply, data, size, NULL);
}

static Runtime__V1__ListPodSandboxResponse *list_sandboxes(void)
{
    Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
    return (Runtime__V1__ListPodSandboxResponse *)cri("ListPodSandbox", &request.base,
                                                      &runtime__v1__list_pod_sandbox_response__descriptor);
}

static gsize count_containers(void)
{
    Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
    API_AUTO(Runtime__V1__ListContainersResponse)
    list = (Runtime__V1__ListContainersResponse *)cri("ListContainers", &request.base,
                                                      &runtime__v1__list_containers_response__descriptor);
    return list->n_containers;
}

static guint count_entries(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint n = 0;
    while (dir && g_dir_read_name(dir))
        n++;
    return n;
}

static guint count_sandboxes(void)
{
    API_AUTO(Runtime__V1__ListPodSandboxResponse) list = list_sandboxes();
    return (guint)list->n_items;
}

/* Waits for a count on the node, of which nobody tells: pods whose object is gone are cleaned up after it. */
static void await_count(guint (*count)(void), guint wanted)
{
    for (guint i = 0; i < 400 && count() != wanted; i++)
        g_usleep(50000);
    g_assert_cmpuint(count(), ==, wanted);
}

static guint count_folders(void)
{
    g_autofree char *pods = g_build_filename(node_lab_agent_dir(lab), "pods", NULL);
    return count_entries(pods);
}

/* Nothing of any pod is left: sandboxes, containers, folders, logs, cgroups. The pod's own folder is the last to go. */
static void assert_node_is_empty(void)
{
    await_count(count_folders, 0);
    API_AUTO(Runtime__V1__ListPodSandboxResponse) sandboxes = list_sandboxes();
    g_assert_cmpuint(sandboxes->n_items, ==, 0);
    g_assert_cmpuint(count_containers(), ==, 0);
    g_assert_cmpuint(count_entries(node_lab_log_dir(lab)), ==, 0);
    static const char *const classes[] = {"guaranteed", "burstable", "besteffort"};
    for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
        g_autofree char *folder = g_build_filename("/sys/fs/cgroup/memory", node_lab_cgroup(lab), classes[i], NULL);
        g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir)))
            g_assert_false(g_str_has_prefix(name, "pod"));
    }
}

static guint count_events(const char *pod, const char *reason)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(Core__V1__EventList)
    list = (Core__V1__EventList *)kit_list(node_lab_api(lab), API_EVENT, "default", NULL, &error);
    g_assert_no_error(error);
    guint n = 0;
    for (gsize i = 0; i < list->n_items; i++) {
        const Core__V1__Event *event = list->items[i];
        n += api_str_equal(event->involvedobject->name, pod) && api_str_equal(event->reason, reason);
    }
    return n;
}

/* The first process of the pod's main container. */
static GPid main_pid(const Core__V1__Pod *pod)
{
    const char *id = strstr(main_status(pod)->containerid, "://") + 3;
    g_autofree char *output = node_lab_ctr(lab, (const char *const[]){"tasks", "list", NULL});
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], id))
            return (GPid)g_ascii_strtoll(lines[i] + strlen(id), NULL, 10);
    }
    g_error("no task %s in:\n%s", id, output);
}

/* --- tests ------------------------------------------------------------------------------------------------------------*/

static void test_node(void)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(Core__V1__Node) node = (Core__V1__Node *)kit_get(node_lab_api(lab), API_NODE, "", "n1", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(api_label(node->metadata, "kubernetes.io/hostname"), ==, "n1");
    g_assert_cmpuint(node->status->n_capacity, ==, 4);
    g_assert_cmpstr(node->status->addresses[0]->address, ==, "127.0.0.1");
    g_assert_cmpint(node->status->daemonendpoints->kubeletendpoint->port, ==, 10250);
    g_assert_true(g_str_has_prefix(node->status->nodeinfo->containerruntimeversion, "containerd://1."));
    API_AUTO(Coordination__V1__Lease)
    lease = (Coordination__V1__Lease *)kit_get(node_lab_api(lab), API_LEASE, "kube-node-lease", "n1", NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(lease->spec->holderidentity, "n1_"));
    g_assert_cmpint(time_now_ns() - api_micro_time_ns(lease->spec->renewtime), <, 10 * TIME_NS_PER_S);
}

/* A node name that is taken: the second agent says so and ends; the first goes on, and so does what it runs. */
static void test_name_taken(void)
{
    create_pod("steady", "exec sleep 1000", "", "");
    API_AUTO(Core__V1__Pod) before = await("steady", is_ready, NULL);
    g_autofree char *text = NULL;
    g_assert_cmpint(node_lab_second_agent(lab, &text), ==, 1);
    g_assert_nonnull(strstr(text, "node name \"n1\" is taken"));
    g_autoptr(GError) error = NULL;
    API_AUTO(Core__V1__Pod)
    after = (Core__V1__Pod *)kit_get(node_lab_api(lab), API_POD, "default", "steady", NULL, &error);
    g_assert_cmpstr(main_status(after)->containerid, ==, main_status(before)->containerid);
    g_assert_true(is_ready(after, NULL));
    delete_pod("steady");
}

static void test_pod_life(void)
{
    create_pod("life", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done", "",
               "terminationGracePeriodSeconds: 20,");
    API_AUTO(Core__V1__Pod) pod = await("life", is_ready, NULL);
    const Core__V1__ContainerStatus *status = main_status(pod);
    g_assert_cmpstr(pod->status->phase, ==, "Running");
    g_assert_true(g_str_has_prefix(pod->status->podip, "10.88.0."));
    g_assert_cmpstr(pod->status->hostip, ==, "127.0.0.1");
    g_assert_cmpstr(pod->status->qosclass, ==, "BestEffort");
    g_assert_nonnull(pod->status->starttime);
    g_assert_true(g_str_has_prefix(status->containerid, "containerd://"));
    g_assert_cmpstr(status->image, ==, "docker.io/library/busybox:1");
    g_assert_cmpint(status->restartcount, ==, 0);
    g_assert_cmpstr(condition(pod, "Initialized")->status, ==, "True");
    g_assert_cmpstr(condition(pod, "PodScheduled")->status, ==, "True");
    for (guint i = 0; i < 200 && count_events("life", "Started") == 0; i++) /* events are written beside the status */
        g_usleep(50000);
    g_assert_cmpuint(count_events("life", "Started"), ==, 1);
    gint64 began = g_get_monotonic_time();
    delete_pod("life"); /* it ends at once on SIGTERM */
    g_assert_cmpint(g_get_monotonic_time() - began, <, 10 * G_USEC_PER_SEC);
    assert_node_is_empty();
}

/* What does not end on SIGTERM is killed when its grace is over. */
static void test_grace(void)
{
    create_pod("stubborn", "trap '' TERM; while :; do sleep 0.1; done", "", "");
    API_AUTO(Core__V1__Pod) pod = await("stubborn", is_ready, NULL);
    delete_pod("stubborn");
    assert_node_is_empty();
}

static void test_outcomes(void)
{
    create_pod("good", "echo fine", "", "restartPolicy: Never,");
    create_pod("bad", "echo broken; exit 7", "", "restartPolicy: Never,");
    API_AUTO(Core__V1__Pod) good = await("good", has_phase, "Succeeded");
    API_AUTO(Core__V1__Pod) bad = await("bad", has_phase, "Failed");
    g_assert_cmpint(main_status(good)->state->terminated->exitcode, ==, 0);
    g_assert_cmpstr(main_status(good)->state->terminated->reason, ==, "Completed");
    g_assert_cmpint(main_status(bad)->state->terminated->exitcode, ==, 7);
    g_assert_cmpstr(main_status(bad)->state->terminated->reason, ==, "Error");
    g_assert_cmpstr(condition(good, "Ready")->reason, ==, "PodCompleted");
    assert_log("good", NULL, "fine\n");
    assert_log("bad", NULL, "broken\n");
    delete_pod("good");
    delete_pod("bad");
    assert_node_is_empty();
}

static void test_termination_message(void)
{
    create_pod("note", "echo -n because >/note; exit 1", "terminationMessagePath: /note,", "restartPolicy: Never,");
    create_pod("silent", "echo last words; exit 1", "terminationMessagePolicy: FallbackToLogsOnError,",
               "restartPolicy: Never,");
    API_AUTO(Core__V1__Pod) note = await("note", has_phase, "Failed");
    API_AUTO(Core__V1__Pod) silent = await("silent", has_phase, "Failed");
    g_assert_cmpstr(main_status(note)->state->terminated->message, ==, "because");
    g_assert_cmpstr(main_status(silent)->state->terminated->message, ==, "last words\n");
    delete_pod("note");
    delete_pod("silent");
    assert_node_is_empty();
}

static void test_back_off(void)
{
    create_pod("crash", "echo try; exit 3", "", "restartPolicy: OnFailure,");
    API_AUTO(Core__V1__Pod) pod = await("crash", waits_for, "CrashLoopBackOff");
    g_assert_cmpint(main_status(pod)->restartcount, ==, 1); /* the first restart comes at once */
    g_assert_cmpint(main_status(pod)->laststate->terminated->exitcode, ==, 3);
    g_assert_true(g_str_has_prefix(main_status(pod)->state->waiting->message, "back-off 10s restarting failed"));
    g_assert_cmpstr(pod->status->phase, ==, "Running");
    assert_log("crash", &(LogWish){.previous = TRUE}, "try\n");
    gint64 ended = api_time_ns(main_status(pod)->laststate->terminated->finishedat);
    g_autoptr(KitWatch) watch = watch_pod("crash");
    for (gboolean again = FALSE; !again;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        const Core__V1__ContainerStatus *status =
            g_str_equal(event->type, "BOOKMARK") ? NULL : main_status((const Core__V1__Pod *)event->object);
        again = status && status->restartcount == 2;
    }
    g_assert_cmpint(time_now_ns() - ended, >=, 9 * TIME_NS_PER_S);
    delete_pod("crash");
    assert_node_is_empty();
}

static void test_init_containers(void)
{
    static const char *const inits =
        "volumes: [{name: v, emptyDir: {}}], initContainers: ["
        "{name: a, image: 'busybox:1', command: [sh, -c, 'echo a >/v/f'], volumeMounts: [{name: v, mountPath: /v}]},"
        "{name: b, image: 'busybox:1', command: [sh, -c, 'echo b >>/v/f'], volumeMounts: [{name: v, mountPath: /v}]}],";
    assert_prints("inits", "cat /v/f", "volumeMounts: [{name: v, mountPath: /v}],", inits, "a\nb\n");
    create_pod("init-fails", "echo never", "",
               "restartPolicy: Never, initContainers: [{name: a, image: 'busybox:1', command: [sh, -c, 'exit 4']}],");
    API_AUTO(Core__V1__Pod) pod = await("init-fails", has_phase, "Failed");
    g_assert_cmpint(pod->status->initcontainerstatuses[0]->state->terminated->exitcode, ==, 4);
    g_assert_nonnull(main_status(pod)->state->waiting);
    g_assert_cmpstr(condition(pod, "Initialized")->status, ==, "False");
    delete_pod("init-fails");
    assert_node_is_empty();
}

static void test_environment(void)
{
    API_AUTO(ProtobufCMessage)
    service = kit_must_create(node_lab_api(lab),
                              "{apiVersion: v1, kind: Service, metadata: {name: my-db, namespace: default},"
                              " spec: {clusterIP: 10.96.0.77, ports: [{port: 5432}]}}");
    API_AUTO(ProtobufCMessage)
    secret =
        kit_must_create(node_lab_api(lab), "{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: default},"
                                           " stringData: {TOKEN: s3cr3t}}");
    assert_prints("env", "echo $A $B $TOKEN $MY_DB_SERVICE_HOST $HOSTNAME $(hostname); grep -c $IP /etc/hosts",
                  "envFrom: [{secretRef: {name: key}}], env: [{name: A, value: x}, {name: B, value: 'y$(A)'},"
                  " {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}],",
                  "", "x yx s3cr3t 10.96.0.77 env env\n1\n");
    assert_prints("no-links", "echo =$MY_DB_SERVICE_HOST=", "", "enableServiceLinks: false,", "==\n");
}

/* A ConfigMap that is not there yet keeps the container waiting, names itself, and lets it start when it comes. */
static void test_missing_config(void)
{
    create_pod("later", "echo $COLOR", "envFrom: [{configMapRef: {name: colors}}],", "restartPolicy: Never,");
    API_AUTO(Core__V1__Pod) waiting = await("later", waits_for, "CreateContainerConfigError");
    g_assert_cmpstr(main_status(waiting)->state->waiting->message, ==, "configmap \"colors\" not found");
    gint64 began = g_get_monotonic_time();
    API_AUTO(ProtobufCMessage)
    map = kit_must_create(node_lab_api(lab),
                          "{apiVersion: v1, kind: ConfigMap, metadata: {name: colors, namespace: default},"
                          " data: {COLOR: red}}");
    API_AUTO(Core__V1__Pod) done = await("later", has_phase, "Succeeded");
    g_assert_cmpint(g_get_monotonic_time() - began, <, 8 * G_USEC_PER_SEC); /* sooner than its next try was due */
    assert_log("later", NULL, "red\n");
    delete_pod("later");
}

static void test_images(void)
{
    create_pod("no-image", "true", "", "");
    API_AUTO(Core__V1__Pod) never = NULL;
    delete_pod("no-image");
    API_AUTO(ProtobufCMessage)
    first =
        kit_must_create(node_lab_api(lab),
                        "{apiVersion: v1, kind: Pod, metadata: {name: absent, namespace: default}, spec: {nodeName: n1,"
                        " containers: [{name: main, image: 'none.example/x:1', imagePullPolicy: Never}]}}");
    never = await("absent", waits_for, "ErrImageNeverPull");
    API_AUTO(ProtobufCMessage)
    second = kit_must_create(node_lab_api(lab),
                             "{apiVersion: v1, kind: Pod, metadata: {name: unreachable, namespace: default}, spec: {"
                             "nodeName: n1, containers: [{name: main, image: '127.0.0.1:1/x:1'}]}}");
    API_AUTO(Core__V1__Pod) failing = await("unreachable", waits_for, "ErrImagePull");
    g_assert_nonnull(strstr(main_status(failing)->state->waiting->message, "connection refused"));
    API_AUTO(Core__V1__Pod) pausing = await("unreachable", waits_for, "ImagePullBackOff");
    g_assert_cmpstr(pausing->status->phase, ==, "Pending");
    delete_pod("absent");
    delete_pod("unreachable");
    assert_node_is_empty();
}

static void test_volumes(void)
{
    g_autofree char *host = g_build_filename(node_lab_dir(lab), "shared", NULL);
    g_autofree char *spec = g_strdup_printf("volumes: [{name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}},"
                                            " {name: h, hostPath: {path: '%s', type: DirectoryOrCreate}}],",
                                            host);
    assert_prints("volumes", "stat -f -c %T /m; echo kept >/h/f; df -k /m | tail -n1 | awk '{print $2}'",
                  "volumeMounts: [{name: m, mountPath: /m}, {name: h, mountPath: /h}],", spec, "tmpfs\n1024\n");
    g_autofree char *file = g_build_filename(host, "f", NULL);
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "kept\n");
    assert_node_is_empty();
}

static void test_bad_host_path(void)
{
    create_pod("no-path", "true", "volumeMounts: [{name: h, mountPath: /h}],",
               "volumes: [{name: h, hostPath: {path: /nonexistent, type: Directory}}],");
    API_AUTO(Core__V1__Pod) pod = await("no-path", waits_for, "ContainerCreating");
    g_assert_nonnull(strstr(main_status(pod)->state->waiting->message, "volume \"h\": hostPath type check failed"));
    delete_pod("no-path");
    assert_node_is_empty();
}

static void test_limits(void)
{
    g_autofree char *path = g_strconcat(node_lab_cgroup(lab), "/guaranteed/pod", NULL);
    create_pod("limits", "exec sleep 1000", "resources: {limits: {cpu: 200m, memory: 32Mi}},", "");
    API_AUTO(Core__V1__Pod) pod = await("limits", is_ready, NULL);
    static const char *const files[][2] = {
        {"memory/%s%s/memory.limit_in_bytes", "33554432\n"},
        {"cpu/%s%s/cpu.cfs_quota_us", "20000\n"},
        {"cpu/%s%s/cpu.shares", "204\n"},
    };
    g_assert_cmpstr(pod->status->qosclass, ==, "Guaranteed");
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_auto(GStrv) parts = g_strsplit(files[i][0], "%s%s", 2);
        g_autofree char *file = g_strconcat("/sys/fs/cgroup/", parts[0], path, pod->metadata->uid, parts[1], NULL);
        g_autofree char *text = NULL;
        g_file_get_contents(file, &text, NULL, NULL);
        g_assert_cmpstr(text, ==, files[i][1]);
    }
    delete_pod("limits");
    create_pod("greedy", "exec tail /dev/zero", "resources: {limits: {memory: 8Mi}},", "restartPolicy: Never,");
    API_AUTO(Core__V1__Pod) killed = await("greedy", has_phase, "Failed");
    g_assert_cmpstr(main_status(killed)->state->terminated->reason, ==, "OOMKilled");
    delete_pod("greedy");
    assert_node_is_empty();
}

static void test_security(void)
{
    static const char *const show =
        "id -u; id -g; grep -E 'NoNewPrivs|CapEff|^Seccomp:' /proc/self/status | tr -d '\\\\t'; "
        "touch /x 2>/dev/null || echo ro";
    assert_prints("confined", show,
                  "securityContext: {runAsUser: 12, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,"
                  " capabilities: {drop: [ALL]}},",
                  "securityContext: {runAsGroup: 34},",
                  "12\n34\nCapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2\nro\n");
    create_pod("root", "true", "securityContext: {runAsNonRoot: true},", "");
    API_AUTO(Core__V1__Pod) refused = await("root", waits_for, "CreateContainerConfigError");
    g_assert_nonnull(strstr(main_status(refused)->state->waiting->message, "image will run as root"));
    delete_pod("root");
}

static void test_host_network(void)
{
    create_pod("host", "exec sleep 1000", "", "hostNetwork: true,");
    API_AUTO(Core__V1__Pod) pod = await("host", is_ready, NULL);
    g_assert_cmpstr(pod->status->podip, ==, "127.0.0.1");
    delete_pod("host");
}

static void test_deadline(void)
{
    create_pod("slow", "exec sleep 1000", "", "activeDeadlineSeconds: 6, restartPolicy: Never,");
    API_AUTO(Core__V1__Pod) pod = await("slow", has_phase, "Failed");
    g_assert_cmpstr(pod->status->reason, ==, "DeadlineExceeded");
    g_assert_nonnull(main_status(pod)->state->terminated);
    delete_pod("slow");
    assert_node_is_empty();
}

/* The container's process is killed: the status says so at once, and it is started again. */
static void test_status_latency(void)
{
    create_pod("victim", "exec sleep 1000", "", "");
    API_AUTO(Core__V1__Pod) pod = await("victim", is_ready, NULL);
    g_autoptr(KitWatch) watch = watch_pod("victim");
    GPid pid = main_pid(pod);
    gint64 began = g_get_monotonic_time();
    kill(pid, SIGKILL);
    for (gboolean told = FALSE; !told;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        told = !g_str_equal(event->type, "BOOKMARK") && !is_ready((const Core__V1__Pod *)event->object, NULL);
    }
    gint64 took_ms = (g_get_monotonic_time() - began) / 1000;
    g_test_message("a status was seen %" G_GINT64_FORMAT " ms after the container was killed", took_ms);
    g_assert_cmpint(took_ms, <, 2000);
    API_AUTO(Core__V1__Pod) again = await("victim", has_restarted, GINT_TO_POINTER(1));
    g_assert_cmpint(main_status(again)->laststate->terminated->exitcode, ==, 137);
    delete_pod("victim");
}

/* The sandbox's process is killed: a new sandbox is made and the container started in it. */
static void test_sandbox_lost(void)
{
    create_pod("lost", "exec sleep 1000", "", "");
    API_AUTO(Core__V1__Pod) pod = await("lost", is_ready, NULL);
    API_AUTO(Runtime__V1__ListPodSandboxResponse) before = list_sandboxes();
    g_assert_cmpuint(before->n_items, ==, 1);
    g_autofree char *killed =
        node_lab_ctr(lab, (const char *const[]){"tasks", "kill", "--signal", "SIGKILL", before->items[0]->id, NULL});
    API_AUTO(Core__V1__Pod) again = await("lost", has_restarted, GINT_TO_POINTER(1));
    g_assert_cmpstr(main_status(again)->containerid, !=, main_status(pod)->containerid);
    delete_pod("lost");
    assert_node_is_empty();
}

/* A container of somebody else, in a sandbox without our label. Returns the sandbox's id. */
static char *make_foreign(void)
{
    Runtime__V1__RunPodSandboxRequest request = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
    Runtime__V1__PodSandboxConfig config = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
    Runtime__V1__PodSandboxMetadata metadata = RUNTIME__V1__POD_SANDBOX_METADATA__INIT;
    Runtime__V1__LinuxPodSandboxConfig linux_config = RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__INIT;
    g_autofree char *parent = g_strconcat(node_lab_cgroup(lab), "/foreign", NULL);
    metadata.name = (char *)"foreign";
    metadata.namespace_ = (char *)"default";
    metadata.uid = (char *)"foreign-uid";
    linux_config.cgroup_parent = parent;
    config.metadata = &metadata;
    config.linux = &linux_config;
    request.config = &config;
    API_AUTO(Runtime__V1__RunPodSandboxResponse)
    reply = (Runtime__V1__RunPodSandboxResponse *)cri("RunPodSandbox", &request.base,
                                                      &runtime__v1__run_pod_sandbox_response__descriptor);
    return g_strdup(reply->pod_sandbox_id);
}

static void remove_foreign(const char *id)
{
    Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
    request.pod_sandbox_id = (char *)id;
    API_AUTO(ProtobufCMessage)
    reply = cri("RemovePodSandbox", &request.base, &runtime__v1__remove_pod_sandbox_response__descriptor);
}

static void assert_same_status(const Core__V1__Pod *a, const Core__V1__Pod *b)
{
    g_autofree char *x = api_encode(&a->status->base, API_FORMAT_YAML);
    g_autofree char *y = api_encode(&b->status->base, API_FORMAT_YAML);
    g_assert_cmpstr(x, ==, y);
}

/* The agent is killed and started again: what runs goes on untouched, what was deleted meanwhile goes, what is not ours
 * stays. */
static void test_agent_restart(void)
{
    g_autofree char *foreign = make_foreign();
    create_pod("stays", "exec sleep 1000", "", "");
    create_pod("goes", "exec sleep 1000", "", "");
    create_pod("done", "echo output", "", "restartPolicy: Never,");
    create_pod("looped", "exit 1", "", "");
    API_AUTO(Core__V1__Pod) stays = await("stays", is_ready, NULL);
    API_AUTO(Core__V1__Pod) goes = await("goes", is_ready, NULL);
    API_AUTO(Core__V1__Pod) done = await("done", has_phase, "Succeeded");
    API_AUTO(Core__V1__Pod) looped = await("looped", waits_for, "CrashLoopBackOff");
    node_lab_agent_stop(lab, SIGKILL);
    Meta__V1__DeleteOptions now = META__V1__DELETE_OPTIONS__INIT;
    api_set_scalar(&now, graceperiodseconds, 0);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) forced = kit_delete(node_lab_api(lab), API_POD, "default", "goes", &now, &error);
    g_assert_no_error(error);
    node_lab_agent_start(lab);
    create_pod("new", "exec sleep 1000", "", "");
    API_AUTO(Core__V1__Pod) fresh = await("new", is_ready, NULL);
    API_AUTO(Core__V1__Pod)
    after = (Core__V1__Pod *)kit_get(node_lab_api(lab), API_POD, "default", "stays", NULL, &error);
    g_assert_no_error(error);
    assert_same_status(after, stays); /* not even a condition moved */
    API_AUTO(Core__V1__Pod)
    still = (Core__V1__Pod *)kit_get(node_lab_api(lab), API_POD, "default", "done", NULL, &error);
    assert_same_status(still, done);
    assert_log("done", NULL, "output\n");
    API_AUTO(Core__V1__Pod)
    loops = (Core__V1__Pod *)kit_get(node_lab_api(lab), API_POD, "default", "looped", NULL, &error);
    g_assert_cmpint(main_status(loops)->restartcount, >=, main_status(looped)->restartcount);
    g_assert_cmpint(main_status(loops)->restartcount, <=, main_status(looped)->restartcount + 1);
    delete_pod("stays");
    delete_pod("done");
    delete_pod("new");
    delete_pod("looped");
    await_count(count_sandboxes, 1);
    API_AUTO(Runtime__V1__ListPodSandboxResponse) left = list_sandboxes();
    g_assert_cmpstr(left->items[0]->id, ==, foreign);
    g_assert_cmpint(left->items[0]->state, ==, RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY);
    remove_foreign(foreign);
}

/* The server is away: pods go on, and what ends is started again. Back again, the status is caught up with. */
static void test_api_lost(void)
{
    create_pod("alone", "exec sleep 1000", "", "");
    API_AUTO(Core__V1__Pod) pod = await("alone", is_ready, NULL);
    GPid pid = main_pid(pod);
    harness_server_stop(node_lab_harness(lab), 0, SIGKILL);
    kill(pid, SIGKILL);
    gsize running = 0;
    for (guint i = 0; i < 200 && running == 0; i++) { /* there is no API to watch */
        Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;
        Runtime__V1__ContainerStateValue state = RUNTIME__V1__CONTAINER_STATE_VALUE__INIT;
        Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
        state.state = RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;
        filter.state = &state;
        request.filter = &filter;
        API_AUTO(Runtime__V1__ListContainersResponse)
        list = (Runtime__V1__ListContainersResponse *)cri("ListContainers", &request.base,
                                                          &runtime__v1__list_containers_response__descriptor);
        for (gsize j = 0; j < list->n_containers; j++)
            running += list->containers[j]->metadata->attempt == 1;
        g_usleep(50000);
    }
    g_assert_cmpuint(running, ==, 1);
    harness_server_start(node_lab_harness(lab), 0);
    API_AUTO(Core__V1__Pod) again = await("alone", has_restarted, GINT_TO_POINTER(1));
    delete_pod("alone");
    assert_node_is_empty();
}

static void test_logs(void)
{
    create_pod("talk",
               "for i in 1 2 3 4 5; do echo line $i; done; trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done",
               "", "terminationGracePeriodSeconds: 20,");
    API_AUTO(Core__V1__Pod) pod = await("talk", is_ready, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *followed = read_log("talk", &(LogWish){.follow = TRUE, .until = "line 5\n"}, &error);
    g_assert_no_error(error);
    assert_log("talk", &(LogWish){.tail = 2}, "line 4\nline 5\n");
    static const struct {
        const char *name;
        LogWish wish;
        CleatErrorCode code;
        const char *text;
    } bad[] = {
        {"none", {0}, CLEAT_ERROR_NOT_FOUND, "pod \"default/none\" is not on this node"},
        {"talk",
         {.previous = TRUE},
         CLEAT_ERROR_BAD_REQUEST,
         "previous terminated container \"main\" in pod \"talk\" not found"},
        {"talk", {.identity = "nobody"}, CLEAT_ERROR_FORBIDDEN, "user \"nobody\" may not read logs"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *none = read_log(bad[i].name, &bad[i].wish, &error);
        kit_assert_error(&error, (int)bad[i].code, bad[i].text);
    }
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    API_AUTO(ProtobufCMessage) going = kit_delete(node_lab_api(lab), API_POD, "default", "talk", &options, &error);
    g_autofree char *rest = read_log("talk", &(LogWish){.follow = TRUE, .until = "bye\n"}, &error);
    g_assert_no_error(error);
    await_gone("talk");
}

/* Many at once: none is lost, none disturbs another. */
static void test_many(void)
{
    enum { MANY = 12 };
    gint64 began = g_get_monotonic_time();
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("many-%u", i);
        create_pod(name, "exec sleep 1000", "", "");
    }
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("many-%u", i);
        API_AUTO(Core__V1__Pod) pod = await(name, is_ready, NULL);
    }
    g_test_message("%d pods ready after %" G_GINT64_FORMAT " ms", MANY, (g_get_monotonic_time() - began) / 1000);
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("many-%u", i);
        delete_pod(name);
    }
    assert_node_is_empty();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!node_lab_enter()) {
        g_print("1..0 # SKIP needs root\n");
        return 77;
    }
    rpc_init(1);
    lab = node_lab_new();
    g_test_add_func("/agent/node", test_node);
    g_test_add_func("/agent/name-taken", test_name_taken);
    g_test_add_func("/agent/pod-life", test_pod_life);
    g_test_add_func("/agent/grace", test_grace);
    g_test_add_func("/agent/outcomes", test_outcomes);
    g_test_add_func("/agent/termination-message", test_termination_message);
    g_test_add_func("/agent/back-off", test_back_off);
    g_test_add_func("/agent/init-containers", test_init_containers);
    g_test_add_func("/agent/environment", test_environment);
    g_test_add_func("/agent/missing-config", test_missing_config);
    g_test_add_func("/agent/images", test_images);
    g_test_add_func("/agent/volumes", test_volumes);
    g_test_add_func("/agent/bad-host-path", test_bad_host_path);
    g_test_add_func("/agent/limits", test_limits);
    g_test_add_func("/agent/security", test_security);
    g_test_add_func("/agent/host-network", test_host_network);
    g_test_add_func("/agent/deadline", test_deadline);
    g_test_add_func("/agent/status-latency", test_status_latency);
    g_test_add_func("/agent/sandbox-lost", test_sandbox_lost);
    g_test_add_func("/agent/agent-restart", test_agent_restart);
    g_test_add_func("/agent/api-lost", test_api_lost);
    g_test_add_func("/agent/logs", test_logs);
    g_test_add_func("/agent/many", test_many);
    int result = g_test_run();
    node_lab_free(lab);
    rpc_shutdown();
    return result;
}
