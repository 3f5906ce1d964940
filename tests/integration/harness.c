#include "tests/integration/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "foreign/etcd/rpc.pb-c.h"
#include "foreign/grpc/health.pb-c.h"
#include "lib/api/object.h"

#define START_TIMEOUT_MS 30000

typedef struct {
    char *name; /* of the log file, without its ending */
    GPid pid;   /* 0: not running */
} Process;

struct Harness {
    char *dir;
    char *bin; /* where the programs are: beside the test */
    guint n_servers;
    char **server_args, **etcd_args;
    char *etcd_address, *etcd_peer;
    Process etcd;
    Process *servers;
    char **addresses;  /* of the servers */
    GHashTable *paths; /* identity -> its certificate's path, "config IDENTITY" -> its kubeconfig */
};

/* Identities other than nodes: certificate subjects. */
static const struct {
    const char *name, *subject;
} identities[] = {
    {"admin", "/O=system:masters/CN=admin"},
    {"scheduler", "/CN=system:kube-scheduler"},
    {"controllers", "/CN=system:kube-controller-manager"},
    {"proxy", "/O=system:node-proxiers/CN=system:kube-proxy"},
    {"agent-client", "/O=system:masters/CN=cleat-server-agent-client"},
    {"nobody", "/CN=nobody"},
};

G_GNUC_PRINTF(3, 4)
G_GNUC_NORETURN static void harness_fail(const Harness *harness, const Process *process, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *log = NULL;
    if (process) {
        g_autofree char *path = g_strdup_printf("%s/%s.log", harness->dir, process->name);
        g_file_get_contents(path, &log, NULL, NULL);
    }
    gsize size = log ? strlen(log) : 0;
    g_error("harness: %s\n%s", text, log ? log + (size > 4000 ? size - 4000 : 0) : "");
}

/* --- processes ---*/

static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void process_start(Harness *harness, Process *process, GPtrArray *argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_strdup_printf("%s/%s.log", harness->dir, process->name);
    FILE *log = fopen(path, "ae");
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_async_with_fds(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH,
                                die_with_parent, NULL, &process->pid, -1, fileno(log), fileno(log), &error))
        harness_fail(harness, NULL, "%s", error->message);
    fclose(log);
}

/* A program that is asked to end must do so without complaint: sanitizers tell of leaks by their exit status. */
static void process_stop(Harness *harness, Process *process, int signal)
{
    int status = 0;
    if (!process->pid)
        return;
    kill(process->pid, signal);
    kill(process->pid, SIGCONT);
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    process->pid = 0;
    if (signal == SIGTERM && process != &harness->etcd && status != 0)
        harness_fail(harness, process, "%s ended with status %d", process->name, status);
}

/* Ends the test if the process has ended by itself. */
static void process_check(Harness *harness, Process *process)
{
    int status;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return;
    process->pid = 0;
    harness_fail(harness, process, "%s has ended with status %d", process->name, status);
}

static void run(Harness *harness, GPtrArray *argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL, *errors = NULL;
    int status;
    g_ptr_array_add(argv, NULL);
    if (!g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status,
                      &error) ||
        !g_spawn_check_wait_status(status, &error))
        harness_fail(harness, NULL, "%s: %s\n%s%s", (char *)argv->pdata[0], error->message, output, errors);
}

G_GNUC_NULL_TERMINATED static GPtrArray *args_new(const char *first, ...)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    va_list args;
    va_start(args, first);
    for (const char *one = first; one; one = va_arg(args, const char *))
        g_ptr_array_add(argv, g_strdup(one));
    va_end(args);
    return argv;
}

static void args_add(GPtrArray *argv, char **more)
{
    for (char **one = more; one && *one; one++)
        g_ptr_array_add(argv, g_strdup(*one));
}

/* A TCP port of loopback that was free a moment ago. */
static guint16 free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* --- certificates ---*/

static GPtrArray *certs_args(const char *command)
{
    return args_new(CLEAT_SOURCE_DIR "/hack/certs", command, NULL);
}

static void issue(Harness *harness, const char *name, const char *subject, const char *purpose,
                  const char *const *hosts)
{
    g_autoptr(GPtrArray) argv = certs_args("issue");
    const char *const rest[] = {harness->dir, "ca", name, subject, purpose, NULL};
    args_add(argv, (char **)rest);
    args_add(argv, (char **)hosts);
    run(harness, argv);
}

static char *subject_of(Harness *harness, const char *identity)
{
    if (g_str_has_prefix(identity, "node:"))
        return g_strdup_printf("/O=system:nodes/CN=system:%s", identity);
    for (guint i = 0; i < G_N_ELEMENTS(identities); i++) {
        if (g_str_equal(identities[i].name, identity))
            return g_strdup(identities[i].subject);
    }
    harness_fail(harness, NULL, "no identity \"%s\"", identity);
}

const char *harness_certificate(Harness *harness, const char *identity)
{
    char *path = g_hash_table_lookup(harness->paths, identity);
    if (path)
        return path;
    g_autofree char *subject = subject_of(harness, identity);
    g_autofree char *name = g_strdelimit(g_strdup(identity), ":", '-');
    issue(harness, name, subject, "client", NULL);
    path = g_strdup_printf("%s/%s", harness->dir, name);
    g_hash_table_insert(harness->paths, g_strdup(identity), path);
    return path;
}

const char *harness_config(Harness *harness, const char *identity)
{
    g_autofree char *key = g_strconcat("config ", identity, NULL);
    char *path = g_hash_table_lookup(harness->paths, key);
    if (path)
        return path;
    g_autofree char *name = g_path_get_basename(harness_certificate(harness, identity));
    g_autoptr(GString) servers = g_string_new(NULL);
    for (guint i = 0; i < harness->n_servers; i++)
        g_string_append_printf(servers, "%sunix://%s", i ? "," : "", harness->addresses[i] + strlen("unix:"));
    path = g_strdup_printf("%s/%s.config", harness->dir, name);
    g_autoptr(GPtrArray) argv = certs_args("config");
    const char *const rest[] = {path, harness->dir, "ca", name, servers->str, NULL};
    args_add(argv, (char **)rest);
    run(harness, argv);
    g_hash_table_insert(harness->paths, g_steal_pointer(&key), path);
    return path;
}

RpcClientCredentials *harness_credentials(Harness *harness, const char *identity)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *ca = g_strconcat(harness->dir, "/ca.crt", NULL), *cert = NULL, *key = NULL;
    if (identity) {
        const char *path = harness_certificate(harness, identity);
        cert = g_strconcat(path, ".crt", NULL);
        key = g_strconcat(path, ".key", NULL);
    }
    RpcClientCredentials *credentials = rpc_client_credentials_load(ca, cert, key, &error);
    g_assert_no_error(error);
    return credentials;
}

RpcServerCredentials *harness_agent_credentials(Harness *harness)
{
    static const char *const hosts[] = {"127.0.0.1", NULL};
    g_autoptr(GError) error = NULL;
    issue(harness, "agent", "/O=system:nodes/CN=system:node:agent", "server", hosts);
    g_autofree char *ca = g_strconcat(harness->dir, "/ca.crt", NULL);
    g_autofree char *cert = g_strconcat(harness->dir, "/agent.crt", NULL);
    g_autofree char *key = g_strconcat(harness->dir, "/agent.key", NULL);
    RpcServerCredentials *credentials = rpc_server_credentials_load(ca, cert, key, TRUE, &error);
    g_assert_no_error(error);
    return credentials;
}

/* --- channels ---*/

static RpcChannel *channel_new(const char *address, const RpcClientCredentials *credentials)
{
    g_autoptr(GError) error = NULL;
    RpcChannelOptions options = {
        .addresses = (const char *const[]){address, NULL},
        .credentials = credentials,
        .max_message_bytes = 256 * 1024 * 1024,
    };
    RpcChannel *channel = rpc_channel_new(&options, &error);
    g_assert_no_error(error);
    return channel;
}

RpcChannel *harness_channel(Harness *harness, guint server, const char *identity)
{
    g_autoptr(RpcClientCredentials) credentials = harness_credentials(harness, identity);
    return channel_new(harness->addresses[server], credentials);
}

RpcChannel *harness_etcd_channel(Harness *harness)
{
    return channel_new(harness->etcd_address, NULL);
}

/* --- etcd ---*/

void harness_etcd_start(Harness *harness)
{
    g_autofree char *data = g_strconcat(harness->dir, "/etcd", NULL);
    g_autofree char *url = g_strconcat("http://", harness->etcd_address, NULL);
    g_autofree char *peer = g_strconcat("http://", harness->etcd_peer, NULL);
    g_autofree char *cluster = g_strconcat("test=", peer, NULL);
    g_autoptr(GPtrArray) argv =
        args_new("etcd", "--name", "test", "--data-dir", data, "--listen-client-urls", url, "--advertise-client-urls",
                 url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
                 "--unsafe-no-fsync", "--logger", "zap", "--log-outputs", "stderr", NULL);
    args_add(argv, harness->etcd_args);
    process_start(harness, &harness->etcd, argv);
    g_autoptr(RpcChannel) channel = harness_etcd_channel(harness);
    static const guint8 range[] = {0x0a, 0x01, 'x'}; /* etcdserverpb.RangeRequest{key: "x"} */
    g_autoptr(GBytes) request = g_bytes_new_static(range, sizeof range);
    RpcCallOptions options = {.timeout_ms = START_TIMEOUT_MS, .idempotent = TRUE};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/etcdserverpb.KV/Range", request, &options, &error);
    process_check(harness, &harness->etcd);
    if (!reply)
        harness_fail(harness, &harness->etcd, "etcd does not answer: %s", error->message);
}

void harness_etcd_stop(Harness *harness, int signal)
{
    process_stop(harness, &harness->etcd, signal);
}

const char *harness_etcd_address(const Harness *harness)
{
    return harness->etcd_address;
}

/* --- servers ---*/

static void server_spawn(Harness *harness, guint i)
{
    g_autofree char *program = g_strconcat(harness->bin, "/cleat-server", NULL);
    g_autofree char *cert = g_strconcat(harness->dir, "/server.crt", NULL);
    g_autofree char *key = g_strconcat(harness->dir, "/server.key", NULL);
    g_autofree char *ca = g_strconcat(harness->dir, "/ca.crt", NULL);
    g_autofree char *agent_cert = g_strconcat(harness->dir, "/agent-client.crt", NULL);
    g_autofree char *agent_key = g_strconcat(harness->dir, "/agent-client.key", NULL);
    g_autoptr(GPtrArray) argv = args_new(program, "--listen", harness->addresses[i], "--tls-cert", cert, "--tls-key",
                                         key, "--client-ca", ca, "--etcd", harness->etcd_address, "--agent-ca", ca,
                                         "--agent-cert", agent_cert, "--agent-key", agent_key, NULL);
    args_add(argv, harness->server_args);
    process_start(harness, &harness->servers[i], argv);
}

/* Asks the server's health until it says SERVING. */
void harness_server_await_ready(Harness *harness, guint i)
{
    static const guint8 serving[] = {0x08, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING};
    g_autoptr(RpcChannel) channel = harness_channel(harness, i, NULL);
    g_autoptr(GBytes) request = g_bytes_new_static("", 0);
    gint64 end = g_get_monotonic_time() + START_TIMEOUT_MS * 1000;
    while (g_get_monotonic_time() < end) {
        RpcCallOptions options = {.timeout_ms = 1000, .idempotent = TRUE};
        g_autoptr(GBytes) reply = rpc_unary_sync(channel, "/grpc.health.v1.Health/Check", request, &options, NULL);
        gsize size = 0;
        const void *data = reply ? g_bytes_get_data(reply, &size) : NULL;
        if (size == sizeof serving && memcmp(data, serving, size) == 0)
            return;
        process_check(harness, &harness->servers[i]);
        g_usleep(20000);
    }
    harness_fail(harness, &harness->servers[i], "server %u does not become ready", i);
}

void harness_server_start(Harness *harness, guint i)
{
    server_spawn(harness, i);
    harness_server_await_ready(harness, i);
}

void harness_server_stop(Harness *harness, guint i, int signal)
{
    process_stop(harness, &harness->servers[i], signal);
}

GPid harness_server_pid(const Harness *harness, guint i)
{
    return harness->servers[i].pid;
}

const char *harness_server_address(const Harness *harness, guint i)
{
    return harness->addresses[i];
}

const char *harness_dir(const Harness *harness)
{
    return harness->dir;
}

/* --- the whole ---*/

static void make_certificates(Harness *harness)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "cleat", "kubernetes", "kubernetes.default.svc",
                                        NULL};
    g_autoptr(GPtrArray) argv = certs_args("ca");
    const char *const rest[] = {harness->dir, "ca", "cleat-test", NULL};
    args_add(argv, (char **)rest);
    run(harness, argv);
    issue(harness, "server", "/CN=cleat-server", "server", hosts);
    harness_certificate(harness, "agent-client");
}

Harness *harness_new(const HarnessOptions *options)
{
    static const HarnessOptions standard;
    if (!options)
        options = &standard;
    Harness *harness = g_new0(Harness, 1);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    harness->bin = g_path_get_dirname(self);
    harness->dir = g_dir_make_tmp("cleat-test-XXXXXX", NULL);
    g_assert_nonnull(harness->dir);
    harness->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    harness->server_args = g_strdupv((char **)options->server_args);
    harness->etcd_args = g_strdupv((char **)options->etcd_args);
    harness->n_servers = options->servers ? options->servers : 1;
    harness->etcd = (Process){.name = g_strdup("etcd")};
    harness->etcd_address = g_strdup_printf("127.0.0.1:%u", free_port());
    harness->etcd_peer = g_strdup_printf("127.0.0.1:%u", free_port());
    harness->servers = g_new0(Process, harness->n_servers);
    harness->addresses = g_new0(char *, harness->n_servers + 1);
    for (guint i = 0; i < harness->n_servers; i++) {
        harness->servers[i].name = g_strdup_printf("server-%u", i);
        harness->addresses[i] = g_strdup_printf("unix:%s/server-%u.sock", harness->dir, i);
    }
    make_certificates(harness);
    harness_etcd_start(harness);
    for (guint i = 0; i < harness->n_servers; i++)
        server_spawn(harness, i);
    for (guint i = 0; i < harness->n_servers; i++)
        harness_server_await_ready(harness, i);
    return harness;
}

void harness_free(Harness *harness)
{
    for (guint i = 0; i < harness->n_servers; i++) {
        process_stop(harness, &harness->servers[i], SIGTERM);
        g_free(harness->servers[i].name);
    }
    process_stop(harness, &harness->etcd, SIGKILL);
    g_autoptr(GPtrArray) argv = args_new("rm", "-rf", "--", harness->dir, NULL);
    run(harness, argv);
    g_free(harness->etcd.name);
    g_free(harness->servers);
    g_strfreev(harness->addresses);
    g_strfreev(harness->server_args);
    g_strfreev(harness->etcd_args);
    g_hash_table_unref(harness->paths);
    g_free(harness->etcd_address);
    g_free(harness->etcd_peer);
    g_free(harness->bin);
    g_free(harness->dir);
    g_free(harness);
}

void harness_etcd_compact(Harness *harness, gint64 revision)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcChannel) etcd = harness_etcd_channel(harness);
    Etcdserverpb__CompactionRequest request = ETCDSERVERPB__COMPACTION_REQUEST__INIT;
    request.revision = revision;
    request.physical = TRUE;
    g_autoptr(GBytes) bytes = api_message_pack(&request.base);
    g_autoptr(GBytes) reply = rpc_unary_sync(etcd, "/etcdserverpb.KV/Compact", bytes, NULL, &error);
    g_assert_no_error(error);
}
