/* A list-watch cache: the current objects of one kind, kept up to date through disconnects, server changes and Expired.
 * Belongs to the client's GMainContext. */
#pragma once

#include "client/client.h"

typedef struct ClientCache ClientCache;

typedef struct {
    const char *namespace_;     /* NULL: all */
    const char *label_selector; /* NULL: all */
    const char *field_selector;
    /* An object came (old NULL), changed, or went (now NULL; old is its last known state). Both are borrowed; <now> lives until
     * it changes again or goes, <old> until this returns. After a new list, called for what differs only. */
    void (*changed)(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data);
    /* The first full list is in the cache (all its changed() calls are made). Once. May be NULL. */
    void (*synced)(ClientCache *cache, gpointer data);
    gpointer data;
} ClientCacheOptions;

/* options are copied. Starts at once; errors are retried for ever with back-off (100 ms to 5 s) and logged by nobody: see
 * client_cache_error(). */
ClientCache *client_cache_new(Client *client, const ApiResource *resource, const ClientCacheOptions *options);
void client_cache_free(ClientCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ClientCache, client_cache_free)

const ApiResource *client_cache_resource(const ClientCache *cache);
gboolean client_cache_is_synced(const ClientCache *cache);
/* The newest revision that the cache is known to reflect; 0 before it is synced. */
gint64 client_cache_revision(const ClientCache *cache);
/* Why it is not following the server just now, or NULL while it does. Borrowed. */
const GError *client_cache_error(const ClientCache *cache);

/* Objects are borrowed and live until they change or go: use them before returning to the loop, or clone. */
const ProtobufCMessage *client_cache_get(const ClientCache *cache, const char *namespace_, const char *name);
const ProtobufCMessage *client_cache_get_key(const ClientCache *cache, const char *key);
guint client_cache_size(const ClientCache *cache);
/* A new array of all (borrowed) objects; namespace_ NULL: of all namespaces. In no order. */
GPtrArray *client_cache_list(const ClientCache *cache, const char *namespace_);

/* An index by one string that each object has or not: value(object) gives a new string or NULL. Before the cache is synced.
 * Returns the index's number. */
typedef char *(*ClientIndexValue)(const ProtobufCMessage *object);
guint client_cache_add_index(ClientCache *cache, ClientIndexValue value);
/* A new array of the (borrowed) objects with that value; empty if none. */
GPtrArray *client_cache_by_index(const ClientCache *cache, guint index, const char *value);

/* Ready-made index values. */
char *client_index_namespace(const ProtobufCMessage *object);
char *client_index_controller_uid(const ProtobufCMessage *object); /* uid of the owner marked controller */
