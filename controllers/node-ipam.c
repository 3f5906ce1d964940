#include "controllers/node.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/log.h"

/* --- shares --- */

struct NodeShares {
    guint32 base; /* host byte order */
    guint mask_size;
    guint count;
    guint next;        /* where to look for a free one */
    char **owners;     /* by number; NULL: free */
    GHashTable *owned; /* node name (of owners) to its number + 1 */
    guint taken;
};

static gboolean parse_cidr(const char *text, guint32 *ret_base, guint *ret_size)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    struct in_addr address;
    guint64 size;
    if (g_strv_length(parts) != 2 || inet_pton(AF_INET, parts[0], &address) != 1 ||
        !g_ascii_string_to_unsigned(parts[1], 10, 1, 32, &size, NULL))
        return FALSE;
    guint32 base = ntohl(address.s_addr);
    if (size < 32 && (base & (G_MAXUINT32 >> size)) != 0)
        return FALSE;
    *ret_base = base;
    *ret_size = size;
    return TRUE;
}

NodeShares *node_shares_new(const char *cidr, guint mask_size, GError **error)
{
    guint32 base;
    guint size;
    if (!parse_cidr(cidr, &base, &size)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "cluster CIDR \"%s\" is not an IPv4 network such as 10.244.0.0/16", cidr);
        return NULL;
    }
    if (mask_size < size || mask_size > 30 || mask_size - size > 16) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "node CIDR mask size %u does not fit cluster CIDR %s: it must be from %u to %u", mask_size, cidr,
                    size, MIN(size + 16, 30));
        return NULL;
    }
    NodeShares *shares = g_new0(NodeShares, 1);
    shares->base = base;
    shares->mask_size = mask_size;
    shares->count = 1u << (mask_size - size);
    shares->owners = g_new0(char *, shares->count);
    shares->owned = g_hash_table_new(g_str_hash, g_str_equal);
    return shares;
}

void node_shares_free(NodeShares *shares)
{
    if (!shares)
        return;
    for (guint i = 0; i < shares->count; i++)
        g_free(shares->owners[i]);
    g_free(shares->owners);
    g_hash_table_unref(shares->owned);
    g_free(shares);
}

static void take(NodeShares *shares, guint number, const char *node)
{
    shares->owners[number] = g_strdup(node);
    g_hash_table_insert(shares->owned, shares->owners[number], GUINT_TO_POINTER(number + 1));
    shares->taken++;
}

gboolean node_shares_claim(NodeShares *shares, const char *cidr, const char *node)
{
    guint32 base;
    guint size;
    if (!parse_cidr(cidr, &base, &size) || size != shares->mask_size || base < shares->base)
        return FALSE;
    guint32 number = (base - shares->base) >> (32 - size);
    if (number >= shares->count)
        return FALSE;
    if (shares->owners[number])
        return g_str_equal(shares->owners[number], node);
    node_shares_release(shares, node);
    take(shares, number, node);
    return TRUE;
}

char *node_shares_get(NodeShares *shares, const char *node)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(shares->owned, node));
    if (number == 0) {
        if (shares->taken == shares->count)
            return NULL;
        while (shares->owners[shares->next])
            shares->next = (shares->next + 1) % shares->count;
        number = shares->next + 1;
        take(shares, shares->next, node);
        shares->next = (shares->next + 1) % shares->count;
    }
    struct in_addr address = {.s_addr = htonl(shares->base + ((number - 1) << (32 - shares->mask_size)))};
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address, text, sizeof text);
    return g_strdup_printf("%s/%u", text, shares->mask_size);
}

void node_shares_release(NodeShares *shares, const char *node)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(shares->owned, node));
    if (number == 0)
        return;
    g_hash_table_remove(shares->owned, node);
    g_clear_pointer(&shares->owners[number - 1], g_free);
    shares->taken--;
}

guint node_shares_free_count(const NodeShares *shares)
{
    return shares->count - shares->taken;
}

/* --- wiring --- */

/* The nodes there are claim their shares before any reconcile runs, as all are mapped first. So a restart forgets
 * nothing. */
static void wake_node(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    NodeShares *shares = controller_state(controller);
    const Node *node = (const Node *)(now ? now : old);
    if (!shares)
        return;
    if (!now)
        node_shares_release(shares, node->metadata->name);
    else if (!node->spec || !*api_str(node->spec->podcidr))
        controller_wake_self(controller, old, now);
    else if (!node_shares_claim(shares, node->spec->podcidr, node->metadata->name))
        log_warning("node %s: its pod CIDR %s is not a share of the cluster's, or another node's as well",
                    node->metadata->name, node->spec->podcidr);
}

static void free_shares(gpointer shares)
{
    node_shares_free(shares);
}

gboolean node_ipam_check(const ControllersOptions *options, GError **error)
{
    g_autoptr(NodeShares) shares =
        options->cluster_cidr ? node_shares_new(options->cluster_cidr, options->node_mask_size, error) : NULL;
    return shares || !options->cluster_cidr;
}

static void start(Controller *controller, const ControllersOptions *options)
{
    if (!options->cluster_cidr)
        return;
    NodeShares *shares = node_shares_new(options->cluster_cidr, options->node_mask_size, NULL);
    g_assert(shares); /* node_ipam_check() */
    controller_set_state(controller, shares, free_shares);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    NodeShares *shares = controller_state(controller);
    const Node *node = controller_get(controller, API_NODE, key);
    if (!node || (node->spec && *api_str(node->spec->podcidr)))
        return;
    g_autofree char *cidr = node_shares_get(shares, key);
    if (!cidr) {
        client_event(controller_events(controller), &node->base, "Warning", "CIDRNotAvailable",
                     "Node %s has no pod CIDR: all shares of the cluster CIDR are taken", key);
        plan_after(plan, G_GINT64_CONSTANT(60000000000));
        return;
    }
    Node *changed = (Node *)API_CLONE(node);
    if (!changed->spec)
        changed->spec = API_NEW(Core__V1__NodeSpec, core__v1__node_spec);
    api_set_string(&changed->spec->podcidr, cidr);
    api_append(changed->spec->podcidrs, changed->spec->n_podcidrs, g_strdup(cidr));
    plan_update(plan, changed);
}

static const ControllerWake wakes[] = {
    {API_INDEX_NODE, wake_node},
    {},
};

const ControllerRow node_ipam_controller = {
    .name = "node-ipam",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
