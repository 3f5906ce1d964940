/* Forgetting flows of datagrams. A flow keeps the endpoint that it began with as long as it goes on, so when an endpoint goes,
 * its clients would talk to nobody until they pause. Deleting the flow makes the next datagram choose anew. */
#pragma once

#include "netproxy/nft/element.h"

/* Whether a flow that was sent to <sent_to> and is answered by <answered_by> must be forgotten. */
typedef gboolean (*ConntrackStaleFunc)(const NftFrontend *sent_to, const NftDest *answered_by, gpointer user_data);

/* Deletes the UDP flows of the calling thread's network namespace that are stale; only_address limits it to those sent to one
 * address, which the kernel sorts out by itself (0: all). *ret_removed (may be NULL): how many were. Does not wait; a table of
 * 30 000 flows takes some 30 ms. Errors: INTERNAL. */
gboolean conntrack_remove_stale(guint32 only_address, ConntrackStaleFunc stale, gpointer user_data, guint *ret_removed,
                                GError **error);
