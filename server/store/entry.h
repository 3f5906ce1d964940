/* One version of one stored object, as the caches hold it: encoded, immutable, refcounted. Thread-safe.
 *
 * The bytes are kept in the form in which they are sent, so that reads copy nothing. One block of memory, counted by gRPC:
 *     0x12 <length>                 the item of a list (field 2), and of a watch event (field 2)
 *     <object>                      as stored in etcd
 *     metadata{resourceVersion}     a second, tiny metadata, which protobuf merges into the first
 * A list is the concatenation of such blocks; a Get answers with the block without its first bytes. */
#pragma once

#include <grpc/slice.h>

#include "lib/api/selector.h"

#define STORE_SUFFIX_MAX 32 /* of metadata{resourceVersion} */

/* metadata{resourceVersion} for appending to an object; returns its size. */
gsize store_suffix(gint64 revision, guint8 out[STORE_SUFFIX_MAX]);
/* The same as a slice of its own. */
grpc_slice store_suffix_slice(gint64 revision);

typedef struct {
    gatomicrefcount refs;
    const ApiResource *resource;
    gint64 revision;     /* etcd's mod_revision */
    grpc_slice block;    /* see above */
    guint32 object_at;   /* where the object begins in the block */
    guint32 object_size; /* without the suffix */
    guint32 meta_at;     /* the first metadata, from the object's start; size 0: none */
    guint32 meta_size;
    guint32 namespace_size; /* of the key; 0: cluster-scoped */
    struct {
        guint32 at, size;         /* from the object's start; size 0: unset */
    } fields[API_SELECTABLE_MAX]; /* the values of the resource's selectable fields */
    char key[];                   /* "namespace/name" or "name" */
} StoreEntry;

/* key and object (encoded, trusted) are copied. */
StoreEntry *store_entry_new(const ApiResource *resource, const char *key, gsize key_size, const void *object,
                            gsize size, gint64 revision);
/* From what etcd holds. BAD_REQUEST when the value is no envelope of this kind, its object does not decode, or the object
 * has another name than the key. */
StoreEntry *store_entry_from_etcd(const ApiResource *resource, const char *key, gsize key_size, const void *value,
                                  gsize size, gint64 revision, GError **error);
StoreEntry *store_entry_ref(StoreEntry *entry);
void store_entry_unref(StoreEntry *entry); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreEntry, store_entry_unref)

/* The stored object; borrowed. */
const guint8 *store_entry_object(const StoreEntry *entry);
/* Object and suffix, as an answer sends it. The caller unrefs. */
grpc_slice store_entry_message(const StoreEntry *entry);
/* The stored object without the suffix. The caller unrefs. */
grpc_slice store_entry_object_slice(const StoreEntry *entry);
/* Decoded, without resourceVersion. New message. */
ProtobufCMessage *store_entry_decode(const StoreEntry *entry, GError **error);

/* Memory that the entry takes. */
gsize store_entry_size(const StoreEntry *entry);
const char *store_entry_name(const StoreEntry *entry); /* borrowed */
gboolean store_entry_in_namespace(const StoreEntry *entry, const char *namespace_);
/* The value of selectable field <field> of the resource's row; size 0 if unset. Borrowed, not NUL-terminated. */
const char *store_entry_field(const StoreEntry *entry, int field, gsize *ret_size);
/* Whether it has a metadata.deletionTimestamp. */
gboolean store_entry_is_terminating(const StoreEntry *entry);
/* metadata.uid; borrowed, not NUL-terminated; size 0 if unset. */
const char *store_entry_uid(const StoreEntry *entry, gsize *ret_size);

/* Selectors; NULL matches all. */
gboolean store_entry_matches(const StoreEntry *entry, const ApiSelector *labels, const ApiFieldSelector *fields);
