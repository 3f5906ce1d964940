/* The proxy of one node: makes the kernel do what Services, EndpointSlices and Nodes say. It is fed objects as they change and
 * acts a few milliseconds later, so that changes which come together cost one transaction. Nothing is touched before
 * netproxy_set_synced(): what an earlier run left in the kernel serves until then, and is replaced in one transaction.
 * Main loop only. */
#pragma once

#include "lib/api/object.h"
#include "netproxy/nft/ruleset.h"

typedef struct {
    const char *node_name;
    NftNetwork cluster;       /* of all pods */
    NftNetwork services;      /* of all cluster addresses */
    const char *cni_conf_dir; /* NULL: no CNI configuration is written */
    const char *cni_data_dir;
    guint mtu; /* of pods; 0: that of the interface with the node's address */
} NetproxyOptions;

typedef struct Netproxy Netproxy;

/* For the network namespace of the calling thread; needs CAP_NET_ADMIN. options are copied. Errors: INTERNAL. */
Netproxy *netproxy_new(const NetproxyOptions *options, GError **error);
/* Leaves the kernel as it is: services go on. */
void netproxy_free(Netproxy *netproxy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Netproxy, netproxy_free)

/* An object came (now), changed (now), or went (now is NULL, old its last state). Borrowed. */
void netproxy_service_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now);
void netproxy_slice_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now);
void netproxy_node_changed(Netproxy *netproxy, const ProtobufCMessage *old, const ProtobufCMessage *now);

/* All objects have been told once. */
void netproxy_set_synced(Netproxy *netproxy);

typedef struct {
    guint64 transactions; /* that changed single elements */
    guint64 replacements; /* of the whole table: at the start, after a foreign change or an error */
    guint64 failures;     /* of either */
    guint64 flows;        /* forgotten */
    guint last_messages;  /* of the last transaction */
} NetproxyCounters;
const NetproxyCounters *netproxy_counters(const Netproxy *netproxy);

/* Takes back all that a proxy did in this network namespace and this folder (may be NULL): table, routes, CNI file. */
gboolean netproxy_clean_up(const char *cni_conf_dir, GError **error);
