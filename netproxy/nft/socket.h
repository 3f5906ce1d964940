/* The netlink socket through which the proxy changes and reads its table. The kernel does the work of a transaction inside
 * the call that sends it, so all its answers are there when the call returns: nothing here waits. Main loop only. */
#pragma once

#include <glib.h>

#include "netproxy/nft/batch.h"

typedef struct NftSocket NftSocket;

/* For the network namespace of the calling thread. Needs CAP_NET_ADMIN. */
NftSocket *nft_socket_new(GError **error);
void nft_socket_free(NftSocket *socket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NftSocket, nft_socket_free)

/* The port id that the kernel's notifications give as the author of what is committed here. */
guint32 nft_socket_port(const NftSocket *socket);

/* A new batch with the next sequence numbers. */
NftBatch *nft_socket_batch(NftSocket *socket);

/* Sends the batch (and ends it). On failure nothing of it is in force; the error (INTERNAL, or UNAVAILABLE when it was not
 * sent or not answered) names the first objects that the kernel refused and says how many there were. */
gboolean nft_socket_commit(NftSocket *socket, NftBatch *batch, GError **error);

/* One element; comment is "" if it has none. All borrowed. For a verdict data->count is that of the chain, 0 if unknown. */
typedef void (*NftElementFunc)(const NftKey *key, const NftData *data, const char *comment, gpointer user_data);

/* Calls func for each element of a map of the table, in no order. The elements are those of one moment: a dump that another
 * transaction fell into is begun again (then reset, which may be NULL, is called first), up to 20 times. NOT_FOUND when there
 * is no such table. */
gboolean nft_socket_read(NftSocket *socket, NftMap map, NftElementFunc func, void (*reset)(gpointer user_data),
                         gpointer user_data, GError **error);
