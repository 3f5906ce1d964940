#include "netproxy/nft/ruleset.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <string.h>

#include "netproxy/nft/expr.h"

/* Positions in the headers. */
enum { IP_SOURCE = 12, IP_DESTINATION = 16, IP_ADDRESS_LENGTH = 4, PORT_DESTINATION = 2, PORT_LENGTH = 2 };

enum { REGISTER_SERVICE = 4 };

/* Between conntrack (-200) and the translation of destinations (-100). */
enum { PRIORITY_REFUSE = -110, PRIORITY_FORWARD = 0 };

#define CT_STATE_INVALID 1u /* NF_CT_STATE_INVALID_BIT */
#define CT_STATE_NEW 8u     /* NF_CT_STATE_BIT(IP_CT_NEW) */

/* --- networks ---------------------------------------------------------------------------------------------------------*/

static guint32 network_mask(const NftNetwork *network)
{
    return network->length ? htonl(~(guint32)0 << (32 - network->length)) : 0;
}

gboolean nft_network_parse(const char *text, NftNetwork *ret_network)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    NftNetwork network = {0};
    guint64 length;
    if (!parts[0] || !parts[1] || inet_pton(AF_INET, parts[0], &network.address) != 1 ||
        !g_ascii_string_to_unsigned(parts[1], 10, 1, 32, &length, NULL))
        return FALSE;
    network.length = (guint)length;
    if (network.address & ~network_mask(&network))
        return FALSE;
    *ret_network = network;
    return TRUE;
}

gboolean nft_network_contains(const NftNetwork *network, guint32 address)
{
    return network->length && (address & network_mask(network)) == network->address;
}

char *nft_network_to_string(const NftNetwork *network)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &network->address, text, sizeof text);
    return g_strdup_printf("%s/%u", text, network->length);
}

/* --- parts of rules ---------------------------------------------------------------------------------------------------*/

/* Registers 0-2: the frontend that the packet is sent to. */
static void load_frontend(struct nftnl_rule *rule)
{
    nft_rule_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IP_DESTINATION, IP_ADDRESS_LENGTH, 0);
    nft_rule_meta(rule, NFT_META_L4PROTO, 1);
    nft_rule_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, PORT_LENGTH, 2);
}

/* Register 4: the id of the service port that the packet is sent to. The rule ends here if there is none.
 *
 * The map's data are 8 bytes, which land in registers 3 and 4, and the id is in the second half, for the sake of the command
 * nft: up to 1.0.6 at least it takes the result of a map for 0 bits wide and aborts when that is looked up elsewhere, and one
 * "nft list ruleset" on the node is not to end so. This way it knows nothing of register 4 but that it was 0 once, and prints
 * "0" where the id stands. */
static void load_service(struct nftnl_rule *rule)
{
    load_frontend(rule);
    nft_rule_u32(rule, 0, REGISTER_SERVICE);
    nft_rule_in_map(rule, NFT_MAP_FRONTENDS, 0, REGISTER_SERVICE - 1);
}

/* The connection was sent to a service: its destination, as the client gave it, is a frontend. */
static void match_translated(struct nftnl_rule *rule)
{
    guint32 translated = IPS_DST_NAT;
    nft_rule_ct(rule, NFT_CT_STATUS, 0);
    nft_rule_mask(rule, 0, &translated, sizeof translated);
    nft_rule_equal(rule, 0, &translated, sizeof translated);
    nft_rule_ct_original(rule, NFT_CT_DST_IP, 0);
    nft_rule_meta(rule, NFT_META_L4PROTO, 1);
    nft_rule_ct_original(rule, NFT_CT_PROTO_DST, 2);
    nft_rule_in_map(rule, NFT_MAP_FRONTENDS, 0, 0);
}

/* One of the packet's addresses (by its position in the header) is in the network, or is not. */
static void match_network(struct nftnl_rule *rule, guint position, const NftNetwork *network, gboolean inside)
{
    guint32 mask = network_mask(network);
    nft_rule_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, position, IP_ADDRESS_LENGTH, 0);
    nft_rule_mask(rule, 0, &mask, sizeof mask);
    if (inside)
        nft_rule_equal(rule, 0, &network->address, sizeof network->address);
    else
        nft_rule_not_equal(rule, 0, &network->address, sizeof network->address);
}

static void match_ct_state(struct nftnl_rule *rule, guint32 state, gboolean is)
{
    guint32 zero = 0;
    nft_rule_ct(rule, NFT_CT_STATE, 0);
    nft_rule_mask(rule, 0, &state, sizeof state);
    if (is)
        nft_rule_not_equal(rule, 0, &zero, sizeof zero);
    else
        nft_rule_equal(rule, 0, &zero, sizeof zero);
}

/* --- chains -----------------------------------------------------------------------------------------------------------*/

static void build_reject(NftBatch *batch)
{
    nft_batch_add_chain(batch, "reject", NULL, 0, 0);
    guint8 tcp = IPPROTO_TCP;
    struct nftnl_rule *rule = nft_rule_new("reject");
    nft_rule_meta(rule, NFT_META_L4PROTO, 0);
    nft_rule_equal(rule, 0, &tcp, sizeof tcp);
    nft_rule_reject(rule, NFT_REJECT_TCP_RST, 0);
    nft_batch_add_rule(batch, rule);

    rule = nft_rule_new("reject");
    nft_rule_reject(rule, NFT_REJECT_ICMP_UNREACH, ICMP_PORT_UNREACH);
    nft_batch_add_rule(batch, rule);
}

/* Connections that can go nowhere. The order of the rules is the decision: a frontend with endpoints is left alone, then
 * any other frontend is refused, then whatever else is sent into the service network.
 *
 * Every refusal needs a hit in a map of this table, even for the network, which a comparison could tell: while the kernel
 * replaces the table, the old chains still run for a moment (their rules stay until the hooks are taken away), but their maps
 * are empty already (not their sets, whose elements refer to nothing). A refusal without a hit would then refuse every
 * connection; this way the old chain does nothing, and the new one, which runs after it, decides. */
static void build_refuse(NftBatch *batch, const NftSettings *settings)
{
    nft_batch_add_chain(batch, "refuse", NULL, 0, 0);
    struct nftnl_rule *rule = nft_rule_new("refuse");
    load_service(rule);
    nft_rule_in_set(rule, NFT_MAP_EMPTY, REGISTER_SERVICE, TRUE);
    nft_rule_verdict(rule, NFT_RETURN, NULL);
    nft_batch_add_rule(batch, rule);

    rule = nft_rule_new("refuse");
    load_service(rule);
    nft_rule_verdict(rule, NFT_GOTO, "reject");
    nft_batch_add_rule(batch, rule);

    if (settings->services.length) {
        guint32 mask = network_mask(&settings->services);
        NftKey key = {.network = settings->services.address};
        nft_batch_add_element(batch, NFT_MAP_NETWORKS, &key, &(NftData){0}, NULL);
        rule = nft_rule_new("refuse");
        nft_rule_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IP_DESTINATION, IP_ADDRESS_LENGTH, 0);
        nft_rule_mask(rule, 0, &mask, sizeof mask);
        nft_rule_in_map(rule, NFT_MAP_NETWORKS, 0, 0);
        nft_rule_verdict(rule, NFT_GOTO, "reject");
        nft_batch_add_rule(batch, rule);
    }
}

static void build_filter_hook(NftBatch *batch, const char *chain, guint hook)
{
    nft_batch_add_chain(batch, chain, "filter", hook, PRIORITY_REFUSE);
    struct nftnl_rule *rule = nft_rule_new(chain);
    match_ct_state(rule, CT_STATE_NEW, TRUE);
    nft_rule_verdict(rule, NFT_GOTO, "refuse");
    nft_batch_add_rule(batch, rule);
}

/* A new connection into the service network that was neither translated nor refused has slipped through while there was no
 * table. Its packet is dropped before conntrack remembers it, so that the next try is looked at anew. */
static void build_untranslated(NftBatch *batch, const char *chain, guint hook, const NftSettings *settings)
{
    nft_batch_add_chain(batch, chain, "filter", hook, PRIORITY_FORWARD);
    if (!settings->services.length)
        return;
    struct nftnl_rule *rule = nft_rule_new(chain);
    match_ct_state(rule, CT_STATE_NEW, TRUE);
    match_network(rule, IP_DESTINATION, &settings->services, TRUE);
    nft_rule_verdict(rule, NF_DROP, NULL);
    nft_batch_add_rule(batch, rule);
}

static void build_forward(NftBatch *batch, const NftSettings *settings)
{
    build_untranslated(batch, "forward", NF_INET_FORWARD, settings);
    if (!settings->cluster.length)
        return;
    struct nftnl_rule *rule = nft_rule_new("forward");
    match_ct_state(rule, CT_STATE_INVALID, TRUE);
    match_network(rule, IP_SOURCE, &settings->cluster, TRUE);
    nft_rule_verdict(rule, NF_DROP, NULL);
    nft_batch_add_rule(batch, rule);
}

/* --- translation ------------------------------------------------------------------------------------------------------
 * Every chain that translates exists twice, one directly after the other. While the kernel replaces the table, a packet may
 * meet a new chain before the change (without rules yet) and then the old one after it (its maps are empty already); it would
 * go on untranslated, and so would all of its connection. The second chain sees it after both, and has rules and maps. A
 * connection that has been translated does not come to it, so it costs others one more look-up for their first packet. */

static const char *const hook_suffix[] = {"", "-again"};

static void build_nat_hook(NftBatch *batch, const char *name, guint hook)
{
    for (guint i = 0; i < G_N_ELEMENTS(hook_suffix); i++) {
        g_autofree char *chain = g_strconcat(name, hook_suffix[i], NULL);
        nft_batch_add_chain(batch, chain, "nat", hook, NF_IP_PRI_NAT_DST + (gint)i);
        struct nftnl_rule *rule = nft_rule_new(chain);
        load_service(rule);
        nft_rule_verdict_map(rule, NFT_MAP_CLASSES, REGISTER_SERVICE);
        nft_batch_add_rule(batch, rule);
    }
}

static void add_masquerade(NftBatch *batch, struct nftnl_rule *rule)
{
    nft_rule_masquerade(rule);
    nft_batch_add_rule(batch, rule);
}

static void build_service_masquerade(NftBatch *batch, const char *chain, const NftSettings *settings)
{
    struct nftnl_rule *rule = nft_rule_new(chain); /* an endpoint that reached itself would answer itself */
    match_translated(rule);
    nft_rule_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IP_SOURCE, IP_ADDRESS_LENGTH, 0);
    nft_rule_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IP_DESTINATION, IP_ADDRESS_LENGTH, 1);
    nft_rule_in_set(rule, NFT_MAP_HAIRPIN, 0, FALSE);
    add_masquerade(batch, rule);

    if (settings->cluster.length) { /* else the answer would take another way than through this node */
        rule = nft_rule_new(chain);
        match_network(rule, IP_SOURCE, &settings->cluster, FALSE);
        match_translated(rule);
        add_masquerade(batch, rule);
    }
    if (settings->masquerade_bridged && settings->pods.length) {
        rule = nft_rule_new(chain);
        match_network(rule, IP_SOURCE, &settings->pods, TRUE);
        match_network(rule, IP_DESTINATION, &settings->pods, TRUE);
        match_translated(rule);
        add_masquerade(batch, rule);
    }
}

/* The world does not know the way to a pod. */
static void build_world_masquerade(NftBatch *batch, const char *chain, const NftSettings *settings)
{
    const NftNetwork multicast = {htonl(0xe0000000), 4};
    if (!settings->cluster.length)
        return;
    struct nftnl_rule *rule = nft_rule_new(chain);
    match_network(rule, IP_SOURCE, &settings->cluster, TRUE);
    match_network(rule, IP_DESTINATION, &settings->cluster, FALSE);
    match_network(rule, IP_DESTINATION, &multicast, FALSE);
    add_masquerade(batch, rule);
}

static void build_postrouting(NftBatch *batch, const NftSettings *settings)
{
    for (guint i = 0; i < G_N_ELEMENTS(hook_suffix); i++) {
        g_autofree char *chain = g_strconcat("nat-postrouting", hook_suffix[i], NULL);
        nft_batch_add_chain(batch, chain, "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC + (gint)i);
        build_service_masquerade(batch, chain, settings);
        build_world_masquerade(batch, chain, settings);
    }
}

/* The second rule is for a packet that meets the new count and the old endpoints while a transaction is being applied: slot
 * 0 exists whatever the count, so it is sent there instead of nowhere. */
void nft_ruleset_add_class(NftBatch *batch, guint count)
{
    g_autofree char *chain = nft_class_chain(count);
    nft_batch_add_chain(batch, chain, NULL, 0, 0);
    for (guint fallback = 0; fallback < 2; fallback++) {
        struct nftnl_rule *rule = nft_rule_new(chain);
        load_service(rule);
        if (fallback)
            nft_rule_u32(rule, 0, REGISTER_SERVICE + 1);
        else
            nft_rule_random(rule, count, REGISTER_SERVICE + 1);
        nft_rule_in_map(rule, NFT_MAP_ENDPOINTS, REGISTER_SERVICE, 0);
        nft_rule_dnat(rule, 0, 1);
        nft_batch_add_rule(batch, rule);
    }
}

void nft_ruleset_build(NftBatch *batch, const NftSettings *settings)
{
    nft_batch_add_table(batch);
    nft_batch_delete_table(batch);
    nft_batch_add_table(batch);
    for (NftMap map = 0; map < NFT_MAPS_; map++)
        nft_batch_add_map(batch, map);
    for (guint count = 1; count <= NFT_CLASSES_AT_START; count++)
        nft_ruleset_add_class(batch, count);
    build_reject(batch);
    build_refuse(batch, settings);
    build_filter_hook(batch, "filter-prerouting", NF_INET_PRE_ROUTING);
    build_filter_hook(batch, "filter-output", NF_INET_LOCAL_OUT);
    build_forward(batch, settings);
    build_untranslated(batch, "output", NF_INET_LOCAL_OUT, settings);
    build_nat_hook(batch, "nat-prerouting", NF_INET_PRE_ROUTING);
    build_nat_hook(batch, "nat-output", NF_INET_LOCAL_OUT);
    build_postrouting(batch, settings);
}
