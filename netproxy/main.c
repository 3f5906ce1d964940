/* cleat-netproxy: flags; the rest is in netproxy.c and watch.c. */
#include <stdio.h>
#include <stdlib.h>

#include "client/program.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "netproxy/dump.h"
#include "netproxy/netproxy.h"
#include "netproxy/watch.h"

static char *node_name, *cluster_cidr, *service_cidr, *cni_conf_dir, *cni_data_dir;
static gint mtu;
static gboolean dump, clean_up;

static const GOptionEntry entries[] = {
    {"node-name", 0, 0, G_OPTION_ARG_STRING, &node_name, "The Node that this machine is", "NAME"},
    {"cluster-cidr", 0, 0, G_OPTION_ARG_STRING, &cluster_cidr, "Addresses of all pods [10.244.0.0/16]", "NETWORK"},
    {"service-cidr", 0, 0, G_OPTION_ARG_STRING, &service_cidr, "Addresses of all services [10.96.0.0/16]", "NETWORK"},
    {"cni-conf-dir", 0, 0, G_OPTION_ARG_FILENAME, &cni_conf_dir,
     "Where to write the CNI configuration [none is written]", "DIR"},
    {"cni-data-dir", 0, 0, G_OPTION_ARG_FILENAME, &cni_data_dir,
     "Where pods' addresses are kept [/var/lib/cni/networks]", "DIR"},
    {"mtu", 0, 0, G_OPTION_ARG_INT, &mtu, "Of pods [that of the interface with the node's address]", "BYTES"},
    {"dump", 0, 0, G_OPTION_ARG_NONE, &dump, "Print what the kernel does for services now, and exit", NULL},
    {"clean-up", 0, 0, G_OPTION_ARG_NONE, &clean_up, "Remove the table, the routes and the CNI configuration, and exit",
     NULL},
    {0},
};

typedef struct {
    Netproxy *netproxy;
    NetproxyWatch *watch;
} Program;

static gboolean instead(int *ret_status)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    if (!dump && !clean_up)
        return FALSE;
    if (dump && (text = dump_services(&error)))
        fputs(*text ? text : "no services\n", stdout);
    else if (!dump)
        netproxy_clean_up(cni_conf_dir, &error);
    if (error)
        log_error("%s", error->message);
    *ret_status = error ? EXIT_FAILURE : EXIT_SUCCESS;
    return TRUE;
}

static gboolean network_flag(const char *flag, const char *text, NftNetwork *ret_network, GError **error)
{
    if (nft_network_parse(text, ret_network))
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "--%s: \"%s\" is not an IPv4 network like 10.244.0.0/16 (address bits beyond the length must be zero)",
                flag, text);
    return FALSE;
}

static gpointer start(Client *client, GError **error)
{
    NetproxyOptions options = {.node_name = node_name,
                               .cni_conf_dir = cni_conf_dir,
                               .cni_data_dir = cni_data_dir ? cni_data_dir : "/var/lib/cni/networks",
                               .mtu = (guint)mtu};
    if (!node_name || mtu < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    node_name ? "--mtu: must not be negative" : "--node-name: which Node is this machine?");
        return NULL;
    }
    if (!network_flag("cluster-cidr", cluster_cidr ? cluster_cidr : "10.244.0.0/16", &options.cluster, error) ||
        !network_flag("service-cidr", service_cidr ? service_cidr : "10.96.0.0/16", &options.services, error))
        return NULL;
    Netproxy *netproxy = netproxy_new(&options, error);
    if (!netproxy)
        return NULL;
    Program *program = g_new0(Program, 1);
    program->netproxy = netproxy;
    program->watch = netproxy_watch_new(client, netproxy);
    return program;
}

static void stop(gpointer data)
{
    Program *program = data;
    netproxy_watch_free(program->watch);
    netproxy_free(program->netproxy);
    g_free(program);
}

int main(int argc, char **argv)
{
    static const ClientProgram program = {
        .name = "cleat-netproxy",
        .summary = "- makes the addresses of services and pods work on a node",
        .entries = entries,
        .instead = instead,
        .start = start,
        .stop = stop,
    };
    return client_program_main(&program, argc, argv);
}
