/* The fixed part of the proxy's table: its maps, chains and rules. docs/netproxy.md draws it.
 *
 *   filter prerouting/output (-110)  new connections to a service without endpoints, or to an address of the service network
 *                                    that is no service: refused at once
 *   nat prerouting/output (-100)     frontend -> id -> chain n-<count> -> endpoint
 *   filter forward/output (0)        what slipped through untranslated is dropped, to be tried again; so are answers that
 *                                    conntrack takes for invalid: they would reach a client with the endpoint's address
 *                                    instead of the service's, and it would reset the connection
 *   nat postrouting (100)            masquerade: hairpin, clients from outside the cluster, pods to the outside
 *
 * The table can be replaced under traffic: no connection fails and no packet is lost by it (see the comments in ruleset.c). */
#pragma once

#include "netproxy/nft/batch.h"

/* IPv4 network. length 0 with address 0: none. */
typedef struct {
    guint32 address; /* network order */
    guint length;    /* bits */
} NftNetwork;

/* "10.244.1.0/24" to a network, whose host bits must be zero. FALSE for anything else; *ret_network is then unchanged. */
gboolean nft_network_parse(const char *text, NftNetwork *ret_network);
gboolean nft_network_contains(const NftNetwork *network, guint32 address);
/* New string. */
char *nft_network_to_string(const NftNetwork *network);

typedef struct {
    NftNetwork cluster;          /* of all pods */
    NftNetwork services;         /* of all cluster addresses */
    NftNetwork pods;             /* of the pods on this node; may be none */
    gboolean masquerade_bridged; /* between pods of this node: when the bridge hides answers from conntrack */
} NftSettings;

/* Chains for so many endpoints exist from the start; beyond that, they are made when a service needs them. */
#define NFT_CLASSES_AT_START 64

/* Appends: the table anew (what was there is gone in the same transaction), its maps, chains and rules. */
void nft_ruleset_build(NftBatch *batch, const NftSettings *settings);

/* Appends the chain for service ports with <count> endpoints. */
void nft_ruleset_add_class(NftBatch *batch, guint count);
