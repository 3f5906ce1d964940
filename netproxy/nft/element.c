#include "netproxy/nft/element.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Numbers of nft's data types; a concatenation has six bits for each. */
enum { TYPE_ADDRESS = 7, TYPE_PROTOCOL = 12, TYPE_PORT = 13, TYPE_MARK = 19, TYPE_VERDICT = 0xffffff00 };
#define CONCAT2(a, b) ((guint32)((a) << 6 | (b)))
#define CONCAT3(a, b, c) ((guint32)((a) << 12 | (b) << 6 | (c)))

static const NftMapInfo maps[NFT_MAPS_] = {
    [NFT_MAP_FRONTENDS] = {"frontends", sizeof(NftFrontend), 2 * sizeof(guint32), FALSE,
                           CONCAT3(TYPE_ADDRESS, TYPE_PROTOCOL, TYPE_PORT), CONCAT2(TYPE_MARK, TYPE_MARK)},
    [NFT_MAP_CLASSES] = {"classes", sizeof(guint32), 0, TRUE, TYPE_MARK, (guint32)TYPE_VERDICT},
    [NFT_MAP_ENDPOINTS] = {"endpoints", sizeof(NftSlot), sizeof(NftDest), FALSE, CONCAT2(TYPE_MARK, TYPE_MARK),
                           CONCAT2(TYPE_ADDRESS, TYPE_PORT)},
    [NFT_MAP_EMPTY] = {"empty", sizeof(guint32), 0, FALSE, TYPE_MARK, 0},
    [NFT_MAP_HAIRPIN] = {"hairpin", sizeof(NftPair), 0, FALSE, CONCAT2(TYPE_ADDRESS, TYPE_ADDRESS), 0},
    [NFT_MAP_NETWORKS] = {"networks", sizeof(guint32), sizeof(guint32), FALSE, TYPE_ADDRESS, TYPE_MARK},
};

static const struct {
    guint8 number;
    const char *name;
    const char *api_name;
} protocols[] = {{IPPROTO_TCP, "tcp", "TCP"}, {IPPROTO_UDP, "udp", "UDP"}, {IPPROTO_SCTP, "sctp", "SCTP"}};

const NftMapInfo *nft_map_info(NftMap map)
{
    g_assert(map < NFT_MAPS_);
    return &maps[map];
}

NftMap nft_map_by_name(const char *name)
{
    NftMap map = 0;
    while (map < NFT_MAPS_ && !g_str_equal(maps[map].name, name))
        map++;
    return map;
}

char *nft_class_chain(guint count)
{
    return g_strdup_printf("n-%u", count);
}

static char *address_to_string(guint32 address)
{
    char text[INET_ADDRSTRLEN];
    return g_strdup(inet_ntop(AF_INET, &address, text, sizeof text));
}

char *nft_frontend_to_string(const NftFrontend *frontend)
{
    g_autofree char *address = address_to_string(frontend->address);
    return g_strdup_printf("%s:%u/%s", address, ntohs(frontend->port), nft_protocol_name(frontend->protocol));
}

char *nft_dest_to_string(const NftDest *dest)
{
    g_autofree char *address = address_to_string(dest->address);
    return g_strdup_printf("%s:%u", address, ntohs(dest->port));
}

static char *frontend_key_to_string(const NftKey *key)
{
    return nft_frontend_to_string(&key->frontend);
}

static char *id_key_to_string(const NftKey *key)
{
    return g_strdup_printf("service %u", key->id);
}

static char *slot_key_to_string(const NftKey *key)
{
    return g_strdup_printf("service %u slot %u", key->slot.id, key->slot.slot);
}

static char *pair_key_to_string(const NftKey *key)
{
    g_autofree char *source = address_to_string(key->pair.source);
    return g_strdup_printf("%s to itself", source);
}

static char *network_key_to_string(const NftKey *key)
{
    g_autofree char *address = address_to_string(key->network);
    return g_strdup_printf("network %s", address);
}

char *nft_key_to_string(NftMap map, const NftKey *key)
{
    static char *(*const print[NFT_MAPS_])(const NftKey *key) = {
        [NFT_MAP_FRONTENDS] = frontend_key_to_string, [NFT_MAP_CLASSES] = id_key_to_string,
        [NFT_MAP_ENDPOINTS] = slot_key_to_string,     [NFT_MAP_EMPTY] = id_key_to_string,
        [NFT_MAP_HAIRPIN] = pair_key_to_string,       [NFT_MAP_NETWORKS] = network_key_to_string,
    };
    g_assert(map < NFT_MAPS_);
    return print[map](key);
}

guint8 nft_protocol_parse(const char *name)
{
    if (!*name)
        return IPPROTO_TCP;
    for (guint i = 0; i < G_N_ELEMENTS(protocols); i++)
        if (g_str_equal(protocols[i].api_name, name))
            return protocols[i].number;
    return 0;
}

const char *nft_protocol_name(guint8 protocol)
{
    for (guint i = 0; i < G_N_ELEMENTS(protocols); i++)
        if (protocols[i].number == protocol)
            return protocols[i].name;
    return "protocol";
}

gboolean nft_protocol_is_datagram(guint8 protocol)
{
    return protocol == IPPROTO_UDP;
}

guint nft_frontend_hash(gconstpointer data)
{
    const NftFrontend *frontend = data;
    return (frontend->address * 31 + frontend->port) * 31 + frontend->protocol;
}

gboolean nft_frontend_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(NftFrontend)) == 0;
}

guint nft_dest_hash(gconstpointer data)
{
    const NftDest *dest = data;
    return dest->address * 31 + dest->port;
}

gboolean nft_dest_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(NftDest)) == 0;
}
