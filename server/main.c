#include <stdlib.h>

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "server/server.h"

#define STOP_GRACE_MS 5000

static struct {
    char **listen;
    char *tls_cert, *tls_key, *client_ca;
    char *etcd, *etcd_ca, *etcd_cert, *etcd_key, *etcd_prefix;
    char *service_cidr;
    char *agent_ca, *agent_cert, *agent_key;
    char *log_level;
    int threads;
    gboolean version;
} flags = {.threads = 2};

static const GOptionEntry entries[] = {
    {"listen", 0, 0, G_OPTION_ARG_STRING_ARRAY, &flags.listen,
     "Listen here: 10.0.0.1:6443, [::1]:6443 or unix:/path; may be given several times", "ADDRESS"},
    {"tls-cert", 0, 0, G_OPTION_ARG_FILENAME, &flags.tls_cert, "The server's certificate (PEM)", "FILE"},
    {"tls-key", 0, 0, G_OPTION_ARG_FILENAME, &flags.tls_key, "Its key", "FILE"},
    {"client-ca", 0, 0, G_OPTION_ARG_FILENAME, &flags.client_ca, "The authority that signs clients' certificates",
     "FILE"},
    {"etcd", 0, 0, G_OPTION_ARG_STRING, &flags.etcd, "etcd's members", "ADDRESS[,ADDRESS...]"},
    {"etcd-ca", 0, 0, G_OPTION_ARG_FILENAME, &flags.etcd_ca, "Speak TLS with etcd, trusting this authority", "FILE"},
    {"etcd-cert", 0, 0, G_OPTION_ARG_FILENAME, &flags.etcd_cert, "The client certificate towards etcd", "FILE"},
    {"etcd-key", 0, 0, G_OPTION_ARG_FILENAME, &flags.etcd_key, "Its key", "FILE"},
    {"etcd-prefix", 0, 0, G_OPTION_ARG_STRING, &flags.etcd_prefix, "Where objects lie in etcd (/registry)", "PREFIX"},
    {"service-cidr", 0, 0, G_OPTION_ARG_STRING, &flags.service_cidr, "The addresses of services (10.96.0.0/16)",
     "RANGE"},
    {"agent-ca", 0, 0, G_OPTION_ARG_FILENAME, &flags.agent_ca, "The authority that signs the agents' certificates",
     "FILE"},
    {"agent-cert", 0, 0, G_OPTION_ARG_FILENAME, &flags.agent_cert, "The client certificate towards agents, for logs",
     "FILE"},
    {"agent-key", 0, 0, G_OPTION_ARG_FILENAME, &flags.agent_key, "Its key", "FILE"},
    {"threads", 0, 0, G_OPTION_ARG_INT, &flags.threads, "Threads that serve requests, 1 to 16 (2)", "N"},
    {"log-level", 0, 0, G_OPTION_ARG_STRING, &flags.log_level, "error, warning, info or debug (info)", "LEVEL"},
    {"version", 0, 0, G_OPTION_ARG_NONE, &flags.version, "Print the version and exit", NULL},
    G_OPTION_ENTRY_NULL,
};

G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_printerr("cleat-server: %s\n", text);
    exit(2);
}

static void parse_flags(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("- the API server of a Cleat cluster");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        die("%s", error->message);
    if (argc > 1)
        die("unexpected argument \"%s\"", argv[1]);
    if (flags.version) {
        g_print("cleat-server %s\n", CLEAT_VERSION);
        exit(0);
    }
    if (!flags.listen || !flags.tls_cert || !flags.tls_key || !flags.client_ca || !flags.etcd)
        die("--listen, --tls-cert, --tls-key, --client-ca and --etcd are required; see --help");
    if (!flags.etcd_ca && (flags.etcd_cert || flags.etcd_key))
        die("--etcd-cert and --etcd-key need --etcd-ca");
    if (!flags.agent_ca != !flags.agent_cert || !flags.agent_ca != !flags.agent_key)
        die("--agent-ca, --agent-cert and --agent-key belong together");
    if (flags.etcd_prefix && (flags.etcd_prefix[0] != '/' || g_str_has_suffix(flags.etcd_prefix, "/")))
        die("--etcd-prefix must begin with a slash and not end in one");
    if (flags.threads < 1 || flags.threads > 16)
        die("--threads must be 1 to 16");
}

static LogLevel parse_log_level(void)
{
    LogLevel level = LOG_LEVEL_INFO;
    if (flags.log_level && !log_level_parse(flags.log_level, &level))
        die("--log-level \"%s\" is none of error, warning, info, debug", flags.log_level);
    return level;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    parse_flags(argc, argv);
    log_setup("server", parse_log_level());
    rpc_init((guint)flags.threads);
    g_autoptr(RpcServerCredentials) credentials =
        rpc_server_credentials_load(flags.client_ca, flags.tls_cert, flags.tls_key, FALSE, &error);
    g_autoptr(RpcClientCredentials) etcd_credentials =
        error || !flags.etcd_ca ? NULL
                                : rpc_client_credentials_load(flags.etcd_ca, flags.etcd_cert, flags.etcd_key, &error);
    g_autoptr(RpcClientCredentials) agent_credentials =
        error || !flags.agent_ca
            ? NULL
            : rpc_client_credentials_load(flags.agent_ca, flags.agent_cert, flags.agent_key, &error);
    if (error)
        die("%s", error->message);
    g_auto(GStrv) etcd = g_strsplit(flags.etcd, ",", -1);
    ServerOptions options = {
        .listen = (const char *const *)flags.listen,
        .credentials = credentials,
        .etcd = (const char *const *)etcd,
        .etcd_credentials = etcd_credentials,
        .etcd_prefix = flags.etcd_prefix ? flags.etcd_prefix : "/registry",
        .service_cidr = flags.service_cidr ? flags.service_cidr : "10.96.0.0/16",
        .agent_credentials = agent_credentials,
    };
    Server *server = server_new(&options, &error);
    if (!server)
        die("%s", error->message);
    int signal = loop_run();
    log_info("signal %d: stopping", signal);
    server_free(server, STOP_GRACE_MS);
    rpc_shutdown();
    return 0;
}
