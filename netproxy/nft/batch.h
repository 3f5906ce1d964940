/* A batch: the messages of one nftables transaction, in the order in which the kernel applies them, all or none.
 *
 * Every message has its own sequence number, so an answer of the kernel leads back to the object it is about. Elements are
 * written straight into the buffer, and those that follow each other for the same map and the same verb share a message up
 * to its 64 KiB, so 10 000 services are some 300 messages. Not thread-safe. */
#pragma once

#include <glib.h>
#include <libnftnl/rule.h>
#include <linux/netlink.h>

#include "netproxy/nft/element.h"

typedef struct NftBatch NftBatch;

/* first_seq: the sequence number of the first message; the batch uses it and those that follow. */
NftBatch *nft_batch_new(guint32 first_seq);
void nft_batch_free(NftBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NftBatch, nft_batch_free)

/* The proxy's table. "Create fresh" is add, delete, add: the delete never fails then. */
void nft_batch_add_table(NftBatch *batch);
void nft_batch_delete_table(NftBatch *batch);

/* A map or set by its row in nft_map_info(). */
void nft_batch_add_map(NftBatch *batch, NftMap map);

/* A chain; type NULL makes one without a hook, else it is "filter" or "nat", with the hook's number (NF_INET_...). */
void nft_batch_add_chain(NftBatch *batch, const char *name, const char *type, guint hook, gint32 priority);

/* Appends a rule to its chain. Takes ownership. */
void nft_batch_add_rule(NftBatch *batch, struct nftnl_rule *rule);

/* An element. data is ignored for sets; comment (shown by nft, may be NULL) is cut at 120 bytes. Everything is copied. */
void nft_batch_add_element(NftBatch *batch, NftMap map, const NftKey *key, const NftData *data, const char *comment);
void nft_batch_delete_element(NftBatch *batch, NftMap map, const NftKey *key);

/* Ends the batch: its bytes can be sent; nothing can be added any more. Borrowed. */
const void *nft_batch_finish(NftBatch *batch, gsize *ret_length);

/* Messages so far, without the two that begin and end it. */
guint nft_batch_messages(const NftBatch *batch);
/* The sequence numbers of the first message of all, and of the last one that changes something: it asks for an answer. */
guint32 nft_batch_first_seq(const NftBatch *batch);
guint32 nft_batch_last_seq(const NftBatch *batch);
/* The first number that the next batch may use. */
guint32 nft_batch_next_seq(const NftBatch *batch);

/* What a message is about, for errors: "add element 10.96.0.1:80/tcp to map frontends", "add rule to chain n-3". offset is
 * the position in the message that the kernel complains of, or 0: it picks the element. New string. */
char *nft_batch_describe(const NftBatch *batch, guint32 seq, guint32 offset);
