/* What the maps of the nftables table must hold: ids of service ports, dense endpoint slots, who owns a frontend. It is moved
 * from one state to the next, and tells what changes by it. Pure data, no kernel. Not thread-safe.
 *
 * Invariants: the slots of a port are 0..n-1 without a hole, as a random number picks one. An id belongs to one port. A
 * frontend that several ports claim belongs to the one that claimed it first, and passes on when that lets go. */
#pragma once

#include "netproxy/changes.h"
#include "netproxy/model.h"

typedef struct Table Table;

Table *table_new(void);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)

/* Moves a service to these ports (ModelPort*; empty: it is gone) and adds what that means for the kernel to <changes>. The
 * cost is that of the service, not of the table. */
void table_set_service(Table *table, const char *key, const GPtrArray *ports, Changes *changes);

/* Writes every element, and the chains they need, into a batch that has made the maps anew. classes as in changes.h. */
void table_write(const Table *table, NftBatch *batch, GHashTable *classes);

/* The ports in the table. */
guint table_n_ports(const Table *table);
/* Whether the frontend belongs to a service; *ret_served (may be NULL) says whether <dest> is one of its endpoints. */
gboolean table_find(const Table *table, const NftFrontend *frontend, const NftDest *dest, gboolean *ret_served);
