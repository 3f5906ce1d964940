#include "client/cache.h"

#include "client/internal.h"
#include "lib/api/wire.h"
#include "lib/base/backoff.h"
#include "lib/base/error.h"

#define CACHE_MAX_INDEXES 4

typedef struct {
    char *key;
    ProtobufCMessage *object;
    gint64 revision;
    guint64 list_number;                    /* of the last full list that had it */
    char *index_values[CACHE_MAX_INDEXES]; /* NULL: not in that index */
} Entry;

typedef struct {
    ClientIndexValue value;
    GHashTable *entries; /* value -> GHashTable set of Entry* */
} Index;

/* Life of a cache: list, then watch from the list's revision; when the watch breaks, watch again from the last revision
 * seen; when the server answers Expired, list again and tell the differences. */
struct ClientCache {
    Client *client;
    const ApiResource *resource;
    ClientCacheOptions options; /* strings owned */
    GHashTable *entries;        /* key -> Entry* */
    Index indexes[CACHE_MAX_INDEXES];
    guint n_indexes;
    gboolean synced;
    gint64 revision;
    guint64 list_number;
    GError *error;
    Backoff backoff;
    GSource *retry;
    RpcStream *watch;
    GCancellable *cancellable; /* of the list under way */
};

static void cache_list(ClientCache *cache);
static void cache_watch(ClientCache *cache);

static void index_remove(ClientCache *cache, Entry *entry)
{
    for (guint i = 0; i < cache->n_indexes; i++) {
        if (!entry->index_values[i])
            continue;
        GHashTable *set = g_hash_table_lookup(cache->indexes[i].entries, entry->index_values[i]);
        g_hash_table_remove(set, entry);
        if (g_hash_table_size(set) == 0)
            g_hash_table_remove(cache->indexes[i].entries, entry->index_values[i]);
        g_clear_pointer(&entry->index_values[i], g_free);
    }
}

static void index_add(ClientCache *cache, Entry *entry)
{
    for (guint i = 0; i < cache->n_indexes; i++) {
        char *value = cache->indexes[i].value(entry->object);
        if (!value)
            continue;
        GHashTable *set = g_hash_table_lookup(cache->indexes[i].entries, value);
        if (!set) {
            set = g_hash_table_new(NULL, NULL);
            g_hash_table_insert(cache->indexes[i].entries, g_strdup(value), set);
        }
        g_hash_table_add(set, entry);
        entry->index_values[i] = value;
    }
}

static void entry_free(gpointer data)
{
    Entry *entry = data;
    for (guint i = 0; i < CACHE_MAX_INDEXES; i++)
        g_free(entry->index_values[i]);
    api_message_free(entry->object);
    g_free(entry->key);
    g_free(entry);
}

/* Takes ownership of object. Tells only what is new. */
static void cache_put(ClientCache *cache, ProtobufCMessage *object)
{
    g_autofree char *key = api_object_key(object);
    gint64 revision = api_object_revision(object);
    Entry *entry = g_hash_table_lookup(cache->entries, key);
    if (entry && entry->revision >= revision) { /* known, or older than what is known */
        entry->list_number = cache->list_number;
        api_message_free(object);
        return;
    }
    ProtobufCMessage *old = NULL;
    if (entry) {
        index_remove(cache, entry);
        old = entry->object;
    } else {
        entry = g_new0(Entry, 1);
        entry->key = g_steal_pointer(&key);
        g_hash_table_insert(cache->entries, entry->key, entry);
    }
    entry->object = object;
    entry->revision = revision;
    entry->list_number = cache->list_number;
    index_add(cache, entry);
    if (cache->options.changed)
        cache->options.changed(cache, old, object, cache->options.data);
    api_message_free(old);
}

static void cache_remove(ClientCache *cache, const char *key)
{
    Entry *entry = g_hash_table_lookup(cache->entries, key);
    if (!entry)
        return;
    index_remove(cache, entry);
    g_hash_table_steal(cache->entries, key);
    if (cache->options.changed)
        cache->options.changed(cache, entry->object, NULL, cache->options.data);
    entry_free(entry);
}

static gboolean cache_retry_now(gpointer data)
{
    ClientCache *cache = data;
    g_clear_pointer(&cache->retry, g_source_unref);
    if (cache->revision == 0 || cleat_error_is(cache->error, CLEAT_ERROR_EXPIRED))
        cache_list(cache);
    else
        cache_watch(cache);
    return G_SOURCE_REMOVE;
}

/* error NULL: the watch ended in peace, go on at once. */
static void cache_retry(ClientCache *cache, const GError *error)
{
    guint delay = 0;
    g_clear_error(&cache->error);
    if (error) {
        cache->error = g_error_copy(error);
        delay = cleat_error_is(error, CLEAT_ERROR_EXPIRED) ? 0 : backoff_next(&cache->backoff);
    }
    cache->retry = g_timeout_source_new(delay);
    g_source_set_callback(cache->retry, cache_retry_now, cache, NULL);
    g_source_attach(cache->retry, client_context(cache->client));
}

/* Drops what the last list did not have: it went while we were not watching. */
static void cache_sweep(ClientCache *cache)
{
    g_autoptr(GPtrArray) gone = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, cache->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Entry *entry = value;
        if (entry->list_number != cache->list_number)
            g_ptr_array_add(gone, g_strdup(entry->key));
    }
    for (guint i = 0; i < gone->len; i++)
        cache_remove(cache, gone->pdata[i]);
}

/* Objects are decoded one by one: a decoded list of all would double the memory for its time. */
static gboolean cache_take_list(ClientCache *cache, GBytes *reply, GError **error)
{
    gsize size, revision_size;
    const guint8 *bytes = g_bytes_get_data(reply, &size), *revision;
    ApiWireReader reader;
    api_wire_reader_init(&reader, bytes, size);
    while (api_wire_next(&reader)) {
        if (reader.number != 2 || reader.wire_type != 2)
            continue;
        ProtobufCMessage *object = api_message_unpack(cache->resource->object, reader.data, reader.size, error);
        if (!object)
            return FALSE;
        cache_put(cache, object);
    }
    if (reader.at != reader.end || !api_wire_find(bytes, size, (const guint8[]){1, 2, 0}, &revision, &revision_size)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "list of %s: malformed answer", cache->resource->plural);
        return FALSE;
    }
    g_autofree char *text = g_strndup((const char *)revision, revision_size);
    cache->revision = g_ascii_strtoll(text, NULL, 10);
    return TRUE;
}

static void cache_listed(GBytes *reply, const GError *error, gpointer data)
{
    g_autoptr(GError) problem = NULL;
    if (error && g_error_matches(error, CLEAT_ERROR, CLEAT_ERROR_CANCELLED))
        return; /* by client_cache_free(), or by the client's end */
    ClientCache *cache = data;
    g_clear_object(&cache->cancellable);
    if (error || !cache_take_list(cache, reply, &problem)) {
        cache_retry(cache, error ? error : problem);
        return;
    }
    g_clear_error(&cache->error);
    backoff_reset(&cache->backoff);
    cache_sweep(cache);
    if (!cache->synced) {
        cache->synced = TRUE;
        if (cache->options.synced)
            cache->options.synced(cache, cache->options.data);
    }
    cache_watch(cache);
}

static ClientListOptions cache_selectors(const ClientCache *cache)
{
    return (ClientListOptions){.label_selector = cache->options.label_selector,
                               .field_selector = cache->options.field_selector};
}

static void cache_list(ClientCache *cache)
{
    cache->list_number++;
    cache->cancellable = g_cancellable_new();
    ClientListOptions options = cache_selectors(cache);
    client_list_raw(cache->client, cache->resource, cache->options.namespace_, &options, cache->cancellable, cache_listed,
                    cache);
}

static void cache_event(const char *type, const ProtobufCMessage *object, gpointer data)
{
    ClientCache *cache = data;
    gint64 revision = api_object_revision(object);
    backoff_reset(&cache->backoff);
    if (g_str_equal(type, "DELETED")) {
        g_autofree char *key = api_object_key(object);
        cache_remove(cache, key);
    } else if (!g_str_equal(type, "BOOKMARK")) {
        cache_put(cache, api_message_clone(object));
    }
    cache->revision = MAX(cache->revision, revision);
}

static void cache_watch_end(const GError *error, gpointer data)
{
    if (error && g_error_matches(error, CLEAT_ERROR, CLEAT_ERROR_CANCELLED))
        return;
    ClientCache *cache = data;
    g_clear_pointer(&cache->watch, rpc_stream_unref);
    cache_retry(cache, error);
}

static void cache_watch(ClientCache *cache)
{
    static const ClientWatchHandlers handlers = {cache_event, cache_watch_end};
    ClientListOptions options = cache_selectors(cache);
    g_autofree char *revision = g_strdup_printf("%" G_GINT64_FORMAT, cache->revision);
    options.resource_version = revision;
    g_clear_error(&cache->error);
    cache->watch = client_watch(cache->client, cache->resource, cache->options.namespace_, &options, &handlers, cache);
}

static gboolean cache_start(gpointer data)
{
    ClientCache *cache = data;
    g_clear_pointer(&cache->retry, g_source_unref);
    cache_list(cache);
    return G_SOURCE_REMOVE;
}

ClientCache *client_cache_new(Client *client, const ApiResource *resource, const ClientCacheOptions *options)
{
    ClientCache *cache = g_new0(ClientCache, 1);
    cache->client = client;
    cache->resource = resource;
    cache->options = *options;
    cache->options.namespace_ = g_strdup(options->namespace_);
    cache->options.label_selector = g_strdup(options->label_selector);
    cache->options.field_selector = g_strdup(options->field_selector);
    cache->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    cache->backoff = (Backoff){.first_ms = 100, .max_ms = 5000};
    cache->retry = g_idle_source_new(); /* from the loop, so that indexes can be added first */
    g_source_set_callback(cache->retry, cache_start, cache, NULL);
    g_source_attach(cache->retry, client_context(client));
    return cache;
}

void client_cache_free(ClientCache *cache)
{
    if (!cache)
        return;
    if (cache->retry) {
        g_source_destroy(cache->retry);
        g_source_unref(cache->retry);
    }
    if (cache->cancellable) {
        g_cancellable_cancel(cache->cancellable);
        g_object_unref(cache->cancellable);
    }
    if (cache->watch) {
        rpc_stream_cancel(cache->watch);
        rpc_stream_unref(cache->watch);
    }
    for (guint i = 0; i < cache->n_indexes; i++)
        g_hash_table_unref(cache->indexes[i].entries);
    g_hash_table_unref(cache->entries);
    g_clear_error(&cache->error);
    g_free((char *)cache->options.namespace_);
    g_free((char *)cache->options.label_selector);
    g_free((char *)cache->options.field_selector);
    g_free(cache);
}

const ApiResource *client_cache_resource(const ClientCache *cache)
{
    return cache->resource;
}

gboolean client_cache_is_synced(const ClientCache *cache)
{
    return cache->synced;
}

gint64 client_cache_revision(const ClientCache *cache)
{
    return cache->synced ? cache->revision : 0;
}

const GError *client_cache_error(const ClientCache *cache)
{
    return cache->error;
}

const ProtobufCMessage *client_cache_get_key(const ClientCache *cache, const char *key)
{
    const Entry *entry = g_hash_table_lookup(cache->entries, key);
    return entry ? entry->object : NULL;
}

const ProtobufCMessage *client_cache_get(const ClientCache *cache, const char *namespace_, const char *name)
{
    if (!namespace_ || !*namespace_)
        return client_cache_get_key(cache, name);
    g_autofree char *key = g_strconcat(namespace_, "/", name, NULL);
    return client_cache_get_key(cache, key);
}

guint client_cache_size(const ClientCache *cache)
{
    return g_hash_table_size(cache->entries);
}

GPtrArray *client_cache_list(const ClientCache *cache, const char *namespace_)
{
    GPtrArray *objects = g_ptr_array_sized_new(g_hash_table_size(cache->entries));
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, cache->entries);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Entry *entry = value;
        if (!namespace_ || g_str_equal(api_object_namespace(entry->object), namespace_))
            g_ptr_array_add(objects, entry->object);
    }
    return objects;
}

guint client_cache_add_index(ClientCache *cache, ClientIndexValue value)
{
    g_assert(cache->n_indexes < CACHE_MAX_INDEXES && g_hash_table_size(cache->entries) == 0);
    cache->indexes[cache->n_indexes] = (Index){
        value, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref)};
    return cache->n_indexes++;
}

GPtrArray *client_cache_by_index(const ClientCache *cache, guint index, const char *value)
{
    g_assert(index < cache->n_indexes);
    GPtrArray *objects = g_ptr_array_new();
    GHashTable *set = g_hash_table_lookup(cache->indexes[index].entries, value);
    if (!set)
        return objects;
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, set);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_ptr_array_add(objects, ((Entry *)key)->object);
    return objects;
}

char *client_index_namespace(const ProtobufCMessage *object)
{
    return g_strdup(api_object_namespace(object));
}

char *client_index_controller_uid(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    const Meta__V1__OwnerReference *owner = meta ? api_controller_of(meta) : NULL;
    return owner ? g_strdup(owner->uid) : NULL;
}
