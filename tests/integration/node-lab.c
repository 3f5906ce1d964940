#include "tests/integration/node-lab.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"
#include "tests/integration/kit.h"

#define NODE "n1"
#define LOG_ADDRESS "127.0.0.1:10250"
#define READY_TIMEOUT_S 60
#define LOG_SHOWN 6000

struct NodeLab {
    Harness *harness;
    char *bin;
    char *socket;
    char *agent_dir, *log_dir;
    char *serving; /* path of the agent's certificate, without the ending */
    GPid containerd, agent;
    RpcChannel *api, *cri;
};

static char *lab_dir;    /* made by node_lab_enter(); removed by the janitor */
static char *lab_cgroup; /* likewise */
static int janitor = -1; /* the pipe to it */

/* --- cleaning ---------------------------------------------------------------------------------------------------------*/

static gboolean is_ours(const char *pid)
{
    g_autofree char *path = g_build_filename("/proc", pid, "cmdline", NULL);
    g_autofree char *text = NULL;
    gsize size = 0;
    if (!g_ascii_isdigit(pid[0]) || !g_file_get_contents(path, &text, &size, NULL) || size == 0)
        return FALSE;
    for (gsize i = 0; i + 1 < size; i++)
        text[i] = text[i] ? text[i] : ' ';
    return strstr(text, "containerd-shim") && strstr(text, lab_dir);
}

/* Shims outlive containerd: they are known by the socket's path in their arguments. */
static void kill_shims(void)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *pid;
    while (proc && (pid = g_dir_read_name(proc))) {
        if (is_ours(pid))
            kill((pid_t)atoi(pid), SIGKILL);
    }
}

static void kill_members(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "cgroup.procs", NULL);
    g_autofree char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) pids = g_strsplit(text ? text : "", "\n", -1);
    for (guint i = 0; pids[i]; i++) {
        if (atoi(pids[i]) > 1)
            kill((pid_t)atoi(pids[i]), SIGKILL);
    }
}

static void remove_cgroup(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(folder, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_cgroup(child);
    }
    kill_members(folder);
    for (guint i = 0; i < 100 && g_rmdir(folder) < 0 && errno == EBUSY; i++)
        g_usleep(20000); /* killed processes leave when the kernel gets to it */
}

static void clean(void)
{
    kill_shims();
    g_autofree char *v2 = g_strconcat("/sys/fs/cgroup", lab_cgroup, NULL);
    remove_cgroup(v2);
    g_autoptr(GDir) mounts = g_dir_open("/sys/fs/cgroup", 0, NULL);
    const char *name;
    while (mounts && (name = g_dir_read_name(mounts))) {
        g_autofree char *folder = g_strconcat("/sys/fs/cgroup/", name, lab_cgroup, NULL);
        if (g_file_test(folder, G_FILE_TEST_IS_DIR))
            remove_cgroup(folder);
    }
    const char *const remove[] = {"rm", "-rf", "--one-file-system", "--", lab_dir, NULL};
    g_spawn_sync(NULL, (char **)remove, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

/* What the agent said last, for a test that failed. */
static void show_agent_log(void)
{
    g_autofree char *path = g_build_filename(lab_dir, "agent.log", NULL);
    g_autofree char *text = NULL;
    gsize size = 0;
    if (g_file_get_contents(path, &text, &size, NULL))
        fprintf(stderr, "--- the end of the agent's log ---\n%s", text + (size > LOG_SHOWN ? size - LOG_SHOWN : 0));
}

/* A process of its own session in the outer namespaces: when the test ends, its end of the pipe closes; when it ends well,
 * it writes a byte first. */
static void start_janitor(void)
{
    int ends[2];
    g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid > 0) {
        close(ends[0]);
        janitor = ends[1];
        return;
    }
    char byte;
    gssize size;
    setsid();
    close(ends[1]);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    while ((size = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
        continue;
    if (size == 0)
        show_agent_log();
    else
        while (read(ends[0], &byte, 1) > 0)
            continue;
    clean();
    _exit(0);
}

/* --- processes --------------------------------------------------------------------------------------------------------*/

static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static GPid start(const char *log_name, const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(lab_dir, log_name, NULL);
    FILE *log = fopen(path, "ae");
    GPid pid = 0;
    g_spawn_async_with_fds(NULL, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH, die_with_parent,
                           NULL, &pid, -1, fileno(log), fileno(log), &error);
    g_assert_no_error(error);
    fclose(log);
    return pid;
}

static int wait_for_end(GPid pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static char *run(const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *errors = NULL;
    char *output = NULL;
    int status;
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status, &error);
    if (!error)
        g_spawn_check_wait_status(status, &error);
    if (error)
        g_error("%s: %s\n%s%s", argv[0], error->message, output ? output : "", errors ? errors : "");
    return output;
}

static void write_file(const char *path, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void write_file(const char *path, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

/* --- namespaces -------------------------------------------------------------------------------------------------------*/

gboolean node_lab_enter(void)
{
    if (geteuid() != 0)
        return FALSE;
    lab_dir = g_dir_make_tmp("cleat-node-XXXXXX", NULL);
    lab_cgroup = g_strdup_printf("/cleat-test-%d", getpid());
    start_janitor();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
        mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0)
        g_error("namespaces: %s", g_strerror(errno));
    g_autofree char *private = g_build_filename(lab_dir, "run-containerd", NULL);
    g_mkdir(private, 0755);
    g_mkdir_with_parents("/run/containerd", 0755); /* containerd uses it whatever its configuration says */
    if (mount(private, "/run/containerd", NULL, MS_BIND, NULL) < 0)
        g_error("/run/containerd: %s", g_strerror(errno));
    g_free(run((const char *const[]){"ip", "link", "set", "lo", "up", NULL}));
    g_free(run((const char *const[]){"sysctl", "-qw", "net.ipv4.ip_forward=1", NULL}));
    return TRUE;
}

/* --- containerd -------------------------------------------------------------------------------------------------------*/

static void write_containerd_config(NodeLab *lab)
{
    g_autofree char *path = g_build_filename(lab_dir, "containerd.toml", NULL);
    g_autofree char *network = g_build_filename(lab_dir, "cni", "10-bridge.conflist", NULL);
    g_autofree char *folder = g_path_get_dirname(network);
    g_mkdir(folder, 0755);
    write_file(path,
               "version = 2\n"
               "root = \"%s/containerd\"\n"
               "state = \"%s/state\"\n"
               "disabled_plugins = [\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.btrfs\",\n"
               "  \"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.zfs\"]\n"
               "[grpc]\n"
               "  address = \"%s\"\n"
               "[ttrpc]\n"
               "  address = \"%s.ttrpc\"\n"
               "[plugins.\"io.containerd.grpc.v1.cri\"]\n"
               "  sandbox_image = \"cleat.local/pause:1\"\n"
               "  restrict_oom_score_adj = true\n"
               "  netns_mounts_under_state_dir = true\n"
               "  [plugins.\"io.containerd.grpc.v1.cri\".cni]\n"
               "    bin_dir = \"/usr/lib/cni\"\n"
               "    conf_dir = \"%s/cni\"\n",
               lab_dir, lab_dir, lab->socket, lab->socket, lab_dir);
    write_file(network,
               "{\"cniVersion\": \"0.4.0\", \"name\": \"lab\", \"plugins\": [{\"type\": \"bridge\", \"bridge\": "
               "\"cni0\", \"isGateway\": true, \"hairpinMode\": true, \"ipam\": {\"type\": \"host-local\", "
               "\"dataDir\": \"%s/cni-data\", \"ranges\": [[{\"subnet\": \"10.88.0.0/24\"}]], "
               "\"routes\": [{\"dst\": \"0.0.0.0/0\"}]}}]}\n",
               lab_dir);
}

char *node_lab_ctr(NodeLab *lab, const char *const *args)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    const char *const head[] = {"ctr", "--address", lab->socket, "--namespace", "k8s.io"};
    for (guint i = 0; i < G_N_ELEMENTS(head); i++)
        g_ptr_array_add(argv, (gpointer)head[i]);
    for (guint i = 0; args[i]; i++)
        g_ptr_array_add(argv, (gpointer)args[i]);
    g_ptr_array_add(argv, NULL);
    return run((const char *const *)argv->pdata);
}

static void load_images(NodeLab *lab)
{
    static const char *const names[] = {"pause.tar", "busybox.tar"};
    g_autofree char *images = g_build_filename(lab->bin, "..", "images", NULL);
    g_free(run((const char *const[]){CLEAT_SOURCE_DIR "/hack/images/build", images, NULL}));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(images, names[i], NULL);
        g_free(node_lab_ctr(lab, (const char *const[]){"images", "import", path, NULL}));
    }
}

static void start_containerd(NodeLab *lab)
{
    lab->socket = g_build_filename(lab_dir, "containerd.sock", NULL);
    write_containerd_config(lab);
    g_autofree char *config = g_build_filename(lab_dir, "containerd.toml", NULL);
    lab->containerd = start("containerd.log", (const char *const[]){"containerd", "--config", config, NULL});
    g_autofree char *address = g_strconcat("unix:", lab->socket, NULL);
    g_autoptr(GError) error = NULL;
    RpcChannelOptions options = {.addresses = (const char *const[]){address, NULL}};
    lab->cri = rpc_channel_new(&options, &error);
    g_assert_no_error(error);
    RpcCallOptions call = {.timeout_ms = READY_TIMEOUT_S * 1000, .idempotent = TRUE};
    g_autoptr(GBytes) empty = g_bytes_new(NULL, 0);
    g_autoptr(GBytes) reply = rpc_unary_sync(lab->cri, "/runtime.v1.RuntimeService/Version", empty, &call, &error);
    g_assert_no_error(error);
    load_images(lab);
}

/* --- agent ------------------------------------------------------------------------------------------------------------*/

static GPtrArray *agent_args(NodeLab *lab, const char *agent_dir)
{
    const char *dir = harness_dir(lab->harness);
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(argv, g_strconcat(lab->bin, "/cleat-agent", NULL));
    g_ptr_array_add(argv, g_strconcat("--config=", harness_config(lab->harness, "node:" NODE), NULL));
    g_ptr_array_add(argv, g_strdup("--node-name=" NODE));
    g_ptr_array_add(argv, g_strdup("--node-ip=127.0.0.1"));
    g_ptr_array_add(argv, g_strconcat("--runtime-endpoint=unix:", lab->socket, NULL));
    g_ptr_array_add(argv, g_strconcat("--root-dir=", agent_dir, NULL));
    g_ptr_array_add(argv, g_strconcat("--log-dir=", lab->log_dir, NULL));
    g_ptr_array_add(argv, g_strconcat("--cgroup-root=", lab_cgroup, NULL));
    g_ptr_array_add(argv, g_strdup("--listen=" LOG_ADDRESS));
    g_ptr_array_add(argv, g_strconcat("--tls-cert=", lab->serving, ".crt", NULL));
    g_ptr_array_add(argv, g_strconcat("--tls-key=", lab->serving, ".key", NULL));
    g_ptr_array_add(argv, g_strconcat("--client-ca=", dir, "/ca.crt", NULL));
    g_ptr_array_add(argv, g_strdup("--log-level=debug"));
    g_ptr_array_add(argv, g_strdup("--heartbeat=2"));
    g_ptr_array_add(argv, NULL);
    return argv;
}

void node_lab_agent_start(NodeLab *lab)
{
    g_autoptr(GPtrArray) argv = agent_args(lab, lab->agent_dir);
    lab->agent = start("agent.log", (const char *const *)argv->pdata);
}

void node_lab_agent_stop(NodeLab *lab, int signal)
{
    kill(lab->agent, signal);
    int status = wait_for_end(lab->agent);
    if (signal == SIGTERM)
        g_assert_cmpint(status, ==, 0);
    lab->agent = 0;
}

GPid node_lab_agent_pid(NodeLab *lab)
{
    return lab->agent;
}

int node_lab_second_agent(NodeLab *lab, char **ret_text)
{
    g_autofree char *dir = g_build_filename(lab_dir, "second", NULL);
    g_autofree char *log = g_build_filename(lab_dir, "second.log", NULL);
    g_autoptr(GPtrArray) argv = agent_args(lab, dir);
    g_free(argv->pdata[8]);
    argv->pdata[8] = g_strdup("--listen=127.0.0.1:10251");
    int status = wait_for_end(start("second.log", (const char *const *)argv->pdata));
    g_assert_true(g_file_get_contents(log, ret_text, NULL, NULL));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static gboolean is_ready(const Core__V1__Node *node)
{
    for (gsize i = 0; node->status && i < node->status->n_conditions; i++) {
        if (g_str_equal(node->status->conditions[i]->type, "Ready"))
            return g_str_equal(node->status->conditions[i]->status, "True");
    }
    return FALSE;
}

static void await_node(NodeLab *lab)
{
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.fieldselector = (char *)"metadata.name=" NODE;
    options.resourceversionmatch = (char *)"NotOlderThan";
    api_set_scalar(&options, sendinitialevents, TRUE);
    api_set_scalar(&options, allowwatchbookmarks, TRUE);
    g_autoptr(KitWatch) watch = kit_watch(lab->api, API_NODE, "", &options);
    for (gboolean ready = FALSE; !ready;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        ready = g_str_equal(event->type, "BOOKMARK") ? FALSE : is_ready((const Core__V1__Node *)event->object);
    }
}

/* --- the whole --------------------------------------------------------------------------------------------------------*/

NodeLab *node_lab_new(void)
{
    NodeLab *lab = g_new0(NodeLab, 1);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    lab->bin = g_path_get_dirname(self);
    lab->agent_dir = g_build_filename(lab_dir, "agent", NULL);
    lab->log_dir = g_build_filename(lab_dir, "pods", NULL);
    start_containerd(lab);
    lab->harness = harness_new(NULL);
    lab->api = harness_channel(lab->harness, 0, "admin");
    lab->serving = g_build_filename(harness_dir(lab->harness), "n1-serving", NULL);
    g_free(run((const char *const[]){CLEAT_SOURCE_DIR "/hack/certs", "issue", harness_dir(lab->harness), "ca",
                                     "n1-serving", "/CN=n1", "server", "127.0.0.1", NODE, NULL}));
    node_lab_agent_start(lab);
    await_node(lab);
    return lab;
}

void node_lab_free(NodeLab *lab)
{
    if (lab->agent)
        node_lab_agent_stop(lab, SIGTERM);
    rpc_channel_unref(lab->api);
    rpc_channel_unref(lab->cri);
    kill(lab->containerd, SIGKILL);
    wait_for_end(lab->containerd);
    harness_free(lab->harness);
    g_assert_cmpint(write(janitor, "", 1), ==, 1);
    g_free(lab->bin);
    g_free(lab->socket);
    g_free(lab->agent_dir);
    g_free(lab->log_dir);
    g_free(lab->serving);
    g_free(lab);
}

Harness *node_lab_harness(NodeLab *lab)
{
    return lab->harness;
}

RpcChannel *node_lab_api(NodeLab *lab)
{
    return lab->api;
}

RpcChannel *node_lab_cri(NodeLab *lab)
{
    return lab->cri;
}

RpcChannel *node_lab_logs(NodeLab *lab, const char *identity)
{
    g_autoptr(RpcClientCredentials) credentials = harness_credentials(lab->harness, identity);
    g_autoptr(GError) error = NULL;
    RpcChannelOptions options = {.addresses = (const char *const[]){LOG_ADDRESS, NULL}, .credentials = credentials};
    RpcChannel *channel = rpc_channel_new(&options, &error);
    g_assert_no_error(error);
    return channel;
}

const char *node_lab_dir(NodeLab *lab)
{
    (void)lab;
    return lab_dir;
}

const char *node_lab_agent_dir(NodeLab *lab)
{
    return lab->agent_dir;
}

const char *node_lab_log_dir(NodeLab *lab)
{
    return lab->log_dir;
}

const char *node_lab_cgroup(NodeLab *lab)
{
    (void)lab;
    return lab_cgroup;
}
