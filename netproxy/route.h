/* The proxy's routes in the main table: to the pods of other nodes through these nodes, and to the service network, so that
 * processes of the node may send to it at all. They carry a protocol number of their own; others' routes are never touched.
 * Main loop only. */
#pragma once

#include "netproxy/nft/ruleset.h"

#define ROUTE_PROTOCOL 104

typedef struct {
    NftNetwork network;
    guint32 gateway; /* network order; 0: the loopback device, so that the packet is translated on its way out */
    guint32 source;  /* network order: which address processes of this node then send from; 0: the kernel's choice */
} Route;

typedef struct Routes Routes;

/* changed: routes may have been lost, as an interface or address changed or somebody deleted one of ours. May be called often;
 * answer by routes_set(). */
Routes *routes_new(void (*changed)(gpointer user_data), gpointer user_data, GError **error);
void routes_free(Routes *routes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Routes, routes_free)

/* Makes the routes be these (array of Route): adds, corrects and removes what differs. Tries all before it fails with the
 * first error, which names the route. *ret_changes (may be NULL): how many were added, corrected or removed, also on failure.
 * Errors: UNAVAILABLE when a gateway is not on a link of this node (yet), INTERNAL. */
gboolean routes_set(Routes *routes, const GArray *wanted, guint *ret_changes, GError **error);

/* The MTU of the interface that has this address. FALSE if none has. */
gboolean routes_mtu_of_address(Routes *routes, guint32 address, guint *ret_mtu);
