#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/rpc/rpc.h"

static gboolean show_version;
static char *log_level;
static AgentConfig config = {.heartbeat_s = 10, .max_pods = 110};

#define TEXT(name, field, help, value)                                                                                 \
    {                                                                                                                  \
        name, 0, 0, G_OPTION_ARG_STRING, &config.field, help, value                                                    \
    }
#define NUMBER(name, field, help, value)                                                                               \
    {                                                                                                                  \
        name, 0, 0, G_OPTION_ARG_INT, &config.field, help, value                                                       \
    }

static const GOptionEntry options[] = {
    TEXT("config", config_file, "How to reach the servers: a kubeconfig", "FILE"),
    TEXT("node-name", node_name, "Name of this node (default: the host's name)", "NAME"),
    TEXT("node-ip", node_ip, "Address of this node", "IP"),
    TEXT("runtime-endpoint", runtime_endpoint, "Socket of the container runtime", "unix:PATH"),
    TEXT("root-dir", root_dir, "Where volumes of pods are kept (default: /var/lib/cleat/agent)", "DIR"),
    TEXT("log-dir", log_dir, "Where containers' logs are kept (default: /var/log/pods)", "DIR"),
    TEXT("listen", listen, "Serve logs here; needs the three files below", "ADDRESS:PORT"),
    TEXT("tls-cert", tls_cert, "Certificate of the log service", "FILE"),
    TEXT("tls-key", tls_key, "Its key", "FILE"),
    TEXT("client-ca", client_ca, "Who signs the certificates of those who may read logs", "FILE"),
    TEXT("cgroup-root", cgroup_root, "Cgroup below which pods run (default: /cleat/NODE)", "PATH"),
    TEXT("cgroup-mount", cgroup_mount, "Where cgroups are mounted (default: /sys/fs/cgroup)", "DIR"),
    TEXT("resolv-conf", resolv_conf, "Resolver of pods with the node's DNS (default: /etc/resolv.conf)", "FILE"),
    {"cluster-dns", 0, 0, G_OPTION_ARG_STRING_ARRAY, &config.cluster_dns, "Address of the cluster's DNS; repeatable",
     "IP"},
    TEXT("cluster-domain", cluster_domain, "Domain of the cluster's names (default: cluster.local)", "DOMAIN"),
    NUMBER("heartbeat", heartbeat_s, "Seconds between renewals of the node's lease (default: 10)", "SECONDS"),
    NUMBER("max-pods", max_pods, "How many pods the node takes (default: 110)", "N"),
    {"log-level", 0, 0, G_OPTION_ARG_STRING, &log_level, "error, warning, info or debug (default: info)", "LEVEL"},
    {"version", 0, 0, G_OPTION_ARG_NONE, &show_version, "Print the version and exit", NULL},
    {0},
};

static void set_default(char **field, const char *value)
{
    if (!*field)
        *field = g_strdup(value);
}

/* Returns what is wrong with the flags, or NULL. Static text. */
static const char *complete_config(void)
{
    set_default(&config.node_name, g_get_host_name());
    set_default(&config.root_dir, "/var/lib/cleat/agent");
    set_default(&config.log_dir, "/var/log/pods");
    set_default(&config.runtime_endpoint, "unix:/run/containerd/containerd.sock");
    set_default(&config.cgroup_mount, "/sys/fs/cgroup");
    set_default(&config.resolv_conf, "/etc/resolv.conf");
    set_default(&config.cluster_domain, "cluster.local");
    if (!config.cgroup_root)
        config.cgroup_root = g_strconcat("/cleat/", config.node_name, NULL);
    if (!config.node_ip)
        return "--node-ip is needed: the address that other nodes reach this one by";
    if (config.cgroup_root[0] != '/' || strlen(config.cgroup_root) < 2)
        return "--cgroup-root must be a path below /";
    if (config.listen && (!config.tls_cert || !config.tls_key || !config.client_ca))
        return "--listen needs --tls-cert, --tls-key and --client-ca";
    if (config.heartbeat_s < 1 || config.heartbeat_s > 30)
        return "--heartbeat must be from 1 to 30: the lease lasts 40 s";
    if (config.max_pods < 1)
        return "--max-pods must be at least 1";
    return NULL;
}

static int run(void)
{
    g_autoptr(GError) error = NULL;
    rpc_init(1);
    Agent *agent = agent_new(&config, &error);
    gboolean ok = agent != NULL;
    if (ok) {
        log_info("node %s, runtime %s, folder %s", config.node_name, config.runtime_endpoint, config.root_dir);
        loop_run();
        ok = !agent_was_refused(agent);
    } else {
        log_error("%s", error->message);
    }
    agent_free(agent);
    rpc_shutdown();
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- runs the pods of one node");
    g_autoptr(GError) error = NULL;
    LogLevel level = LOG_LEVEL_INFO;
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "cleat-agent: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (show_version) {
        printf("cleat-agent %s\n", CLEAT_VERSION);
        return EXIT_SUCCESS;
    }
    const char *wrong = log_level && !log_level_parse(log_level, &level)
                            ? "--log-level must be error, warning, info or debug"
                            : complete_config();
    if (wrong) {
        fprintf(stderr, "cleat-agent: %s\n", wrong);
        return EXIT_FAILURE;
    }
    log_setup("agent", level);
    return run();
}
