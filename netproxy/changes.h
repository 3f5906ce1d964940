/* The elements that one transaction deletes and adds. Per key only the net effect counts: a deletion takes back an addition
 * of the same round, so the kernel never gets a deletion of what it does not hold. Not thread-safe. */
#pragma once

#include "netproxy/nft/batch.h"

typedef struct Changes Changes;

Changes *changes_new(void);
void changes_free(Changes *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Changes, changes_free)

/* comment may be NULL; everything is copied. What is in the kernel under this key must have been deleted before. */
void changes_add(Changes *changes, NftMap map, const NftKey *key, const NftData *data, const char *comment);
void changes_delete(Changes *changes, NftMap map, const NftKey *key);

/* A frontend whose datagrams may have gone elsewhere before: conntrack must be looked through. */
void changes_add_flow(Changes *changes, const NftFrontend *frontend);
/* Set of NftFrontend. Borrowed. */
GHashTable *changes_flows(const Changes *changes);

gboolean changes_is_empty(const Changes *changes);
/* How many elements are deleted and added. */
guint changes_count(const Changes *changes);

/* Writes the deletions, then the chains that are missing for new numbers of endpoints, then the additions. classes: set of
 * the counts (GUINT_TO_POINTER) beyond NFT_CLASSES_AT_START whose chains exist; it gets what is written. */
void changes_write(const Changes *changes, NftBatch *batch, GHashTable *classes);

/* Writes the chain for <count> endpoints if it is not there. */
void changes_write_class(NftBatch *batch, GHashTable *classes, guint count);
