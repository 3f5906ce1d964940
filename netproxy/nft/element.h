/* What the maps of the proxy's nftables table hold: keys and data as the kernel compares them, and what it calls them.
 *
 * The design (docs/netproxy.md): a frontend (address, protocol, port) leads to the id of a service port; the id leads to a
 * chain that all service ports with the same number of endpoints share; id and slot lead to an endpoint. So a change of one
 * endpoint is a change of one or two elements, whatever the number of services.
 *
 * Padding is part of a key: zero every struct before filling it. Addresses and ports are in network order, ids, slots and
 * counts in host order (as numgen yields them). */
#pragma once

#include <glib.h>

#define NFT_TABLE_NAME "cleat"

typedef enum {
    NFT_MAP_FRONTENDS, /* NftFrontend -> id */
    NFT_MAP_CLASSES,   /* id -> goto the chain for <count> endpoints */
    NFT_MAP_ENDPOINTS, /* NftSlot -> NftDest */
    NFT_MAP_EMPTY,     /* set of ids: service ports without endpoints */
    NFT_MAP_HAIRPIN,   /* set of NftPair: endpoints that may reach themselves through a service */
    NFT_MAP_NETWORKS,  /* address of the service network -> 0 */
    NFT_MAPS_,
} NftMap;

typedef struct {
    guint32 address;
    guint8 protocol; /* IPPROTO_TCP, ... */
    guint8 pad[3];
    guint16 port;
    guint16 pad2;
} NftFrontend;

typedef struct {
    guint32 id;
    guint32 slot;
} NftSlot;

typedef struct {
    guint32 address;
    guint16 port;
    guint16 pad;
} NftDest;

typedef struct {
    guint32 source;
    guint32 destination;
} NftPair;

typedef union {
    NftFrontend frontend;
    guint32 id;
    NftSlot slot;
    NftPair pair;
    guint32 network;
    guint8 bytes[12];
} NftKey;

typedef union {
    struct {
        guint32 pad;
        guint32 id;
    } service;     /* of NFT_MAP_FRONTENDS */
    guint32 count; /* of NFT_MAP_CLASSES: number of endpoints */
    NftDest dest;  /* of NFT_MAP_ENDPOINTS */
    guint8 bytes[8];
} NftData;

typedef struct {
    const char *name;  /* of the set in the kernel */
    guint key_length;  /* bytes */
    guint data_length; /* bytes; 0: a set, or a map to verdicts */
    gboolean verdict;  /* a map to verdicts */
    guint32 key_type;  /* for nft's display only */
    guint32 data_type; /* for nft's display, or that of verdicts */
} NftMapInfo;

const NftMapInfo *nft_map_info(NftMap map);
/* NFT_MAPS_ when no map has this name. */
NftMap nft_map_by_name(const char *name);

/* The chain for service ports with <count> endpoints: "n-3". New string. */
char *nft_class_chain(guint count);

/* In words: "10.96.0.1:80/tcp", "service 7", "service 7 slot 2", "10.244.1.3 to itself",
 * "network 10.96.0.0". New string. */
char *nft_key_to_string(NftMap map, const NftKey *key);
char *nft_frontend_to_string(const NftFrontend *frontend);
char *nft_dest_to_string(const NftDest *dest);

/* "TCP", "UDP" or "SCTP" to its number, 0 for anything else. "" is TCP, as in Kubernetes. */
guint8 nft_protocol_parse(const char *name);
/* "tcp", "udp", "sctp", or "protocol"; static. */
const char *nft_protocol_name(guint8 protocol);

/* Flows of a datagram protocol have no end that the peers tell each other. */
gboolean nft_protocol_is_datagram(guint8 protocol);

/* For hash tables keyed by NftFrontend or NftDest. */
guint nft_frontend_hash(gconstpointer frontend);
gboolean nft_frontend_equal(gconstpointer a, gconstpointer b);
guint nft_dest_hash(gconstpointer dest);
gboolean nft_dest_equal(gconstpointer a, gconstpointer b);
