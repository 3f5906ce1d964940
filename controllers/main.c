/* cleat-controllers: flags; the rest is in controller.c and the rows of table.c. */
#include "client/program.h"
#include "controllers/controller.h"
#include "controllers/node.h"
#include "lib/base/error.h"

static char *cluster_cidr;
static int node_mask_size = 24, node_grace_s = 40, terminated_pods_max = 12500;
static double eviction_rate = 0.1;

static const GOptionEntry entries[] = {
    {"cluster-cidr", 0, 0, G_OPTION_ARG_STRING, &cluster_cidr,
     "Network of the pods: each node gets a share as its spec.podCIDR [nodes get none]", "10.244.0.0/16"},
    {"node-cidr-mask-size", 0, 0, G_OPTION_ARG_INT, &node_mask_size, "Prefix length of a node's share [24]", "BITS"},
    {"node-monitor-grace-period", 0, 0, G_OPTION_ARG_INT, &node_grace_s,
     "A node that gives no sign of life for so long is lost [40]", "SECONDS"},
    {"node-eviction-rate", 0, 0, G_OPTION_ARG_DOUBLE, &eviction_rate,
     "From how many lost nodes per second and zone pods are driven off [0.1]", "NODES"},
    {"terminated-pod-gc-threshold", 0, 0, G_OPTION_ARG_INT, &terminated_pods_max,
     "Finished pods above this number are deleted, the oldest first; 0: none [12500]", "PODS"},
    {0},
};

static ControllersOptions options;

static gboolean check_positive(const char *flag, int value, int least, GError **error)
{
    if (value >= least)
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "--%s: %d is less than %d", flag, value, least);
    return FALSE;
}

static gpointer start(Client *client, GError **error)
{
    if (!check_positive("node-cidr-mask-size", node_mask_size, 1, error) ||
        !check_positive("node-monitor-grace-period", node_grace_s, 1, error) ||
        !check_positive("terminated-pod-gc-threshold", terminated_pods_max, 0, error))
        return NULL;
    options = (ControllersOptions){
        .cluster_cidr = cluster_cidr,
        .node_mask_size = node_mask_size,
        .node_grace_s = node_grace_s,
        .node_eviction_rate = eviction_rate,
        .terminated_pods_max = terminated_pods_max,
    };
    return node_ipam_check(&options, error) ? controllers_new(client, controller_rows, &options) : NULL;
}

static void lead(gpointer controllers)
{
    controllers_start(controllers);
}

static void stop(gpointer controllers)
{
    controllers_free(controllers);
}

int main(int argc, char **argv)
{
    static const ClientProgram program = {
        .name = "cleat-controllers",
        .summary = "- keeps what runs as it was asked for",
        .entries = entries,
        .elects = TRUE,
        .start = start,
        .lead = lead,
        .stop = stop,
    };
    return client_program_main(&program, argc, argv);
}
