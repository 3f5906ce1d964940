#include "agent/objects.h"

#include "lib/api/object.h"

struct Objects {
    Client *client;
    GHashTable *entries; /* key -> Entry* */
};

/* One watch: an object, or all of a namespace. */
typedef struct {
    Objects *objects;
    char *key;
    ClientCache *cache;
    GPtrArray *holds; /* ObjectsHold*, borrowed */
} Entry;

struct ObjectsHold {
    Objects *objects;
    GPtrArray *entries; /* Entry*, borrowed */
    void (*changed)(gpointer data);
    gpointer data;
};

static void entry_free(gpointer data)
{
    Entry *entry = data;
    client_cache_free(entry->cache);
    g_ptr_array_unref(entry->holds);
    g_free(entry->key);
    g_free(entry);
}

Objects *objects_new(Client *client)
{
    Objects *objects = g_new0(Objects, 1);
    objects->client = client;
    objects->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    return objects;
}

void objects_free(Objects *objects)
{
    if (!objects)
        return;
    g_hash_table_unref(objects->entries);
    g_free(objects);
}

static char *entry_key(const ApiResource *resource, const char *namespace_, const char *name)
{
    return g_strdup_printf("%s/%s/%s", resource->plural, namespace_, name ? name : "");
}

static void tell(Entry *entry)
{
    for (guint i = 0; i < entry->holds->len; i++) {
        ObjectsHold *hold = entry->holds->pdata[i];
        hold->changed(hold->data);
    }
}

static void on_changed(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    (void)old, (void)now;
    if (client_cache_is_synced(cache))
        tell(data);
}

static void on_synced(ClientCache *cache, gpointer data)
{
    (void)cache;
    tell(data);
}

static Entry *entry_new(Objects *objects, char *key, const ApiResource *resource, const char *namespace_,
                        const char *name)
{
    Entry *entry = g_new0(Entry, 1);
    g_autofree char *selector = name ? g_strdup_printf("metadata.name=%s", name) : NULL;
    ClientCacheOptions options = {
        .namespace_ = namespace_,
        .field_selector = selector,
        .changed = on_changed,
        .synced = on_synced,
        .data = entry,
    };
    entry->objects = objects;
    entry->key = key;
    entry->holds = g_ptr_array_new();
    entry->cache = client_cache_new(objects->client, resource, &options);
    g_hash_table_insert(objects->entries, key, entry);
    return entry;
}

ObjectsHold *objects_hold_new(Objects *objects, void (*changed)(gpointer data), gpointer data)
{
    ObjectsHold *hold = g_new0(ObjectsHold, 1);
    hold->objects = objects;
    hold->entries = g_ptr_array_new();
    hold->changed = changed;
    hold->data = data;
    return hold;
}

void objects_hold_free(ObjectsHold *hold)
{
    if (!hold)
        return;
    for (guint i = 0; i < hold->entries->len; i++) {
        Entry *entry = hold->entries->pdata[i];
        g_ptr_array_remove_fast(entry->holds, hold);
        if (entry->holds->len == 0)
            g_hash_table_remove(hold->objects->entries, entry->key);
    }
    g_ptr_array_unref(hold->entries);
    g_free(hold);
}

void objects_hold_add(ObjectsHold *hold, const ApiResource *resource, const char *namespace_, const char *name)
{
    g_autofree char *key = entry_key(resource, namespace_, name);
    Entry *entry = g_hash_table_lookup(hold->objects->entries, key);
    if (!entry)
        entry = entry_new(hold->objects, g_steal_pointer(&key), resource, namespace_, name);
    if (g_ptr_array_find(hold->entries, entry, NULL))
        return;
    g_ptr_array_add(hold->entries, entry);
    g_ptr_array_add(entry->holds, hold);
}

gboolean objects_hold_is_synced(const ObjectsHold *hold)
{
    for (guint i = 0; i < hold->entries->len; i++) {
        const Entry *entry = hold->entries->pdata[i];
        if (!client_cache_is_synced(entry->cache))
            return FALSE;
    }
    return TRUE;
}

const ProtobufCMessage *objects_get(Objects *objects, const ApiResource *resource, const char *namespace_,
                                    const char *name)
{
    g_autofree char *key = entry_key(resource, namespace_, name);
    const Entry *entry = g_hash_table_lookup(objects->entries, key);
    return entry ? client_cache_get(entry->cache, namespace_, name) : NULL;
}

GPtrArray *objects_list(Objects *objects, const ApiResource *resource, const char *namespace_)
{
    g_autofree char *key = entry_key(resource, namespace_, NULL);
    const Entry *entry = g_hash_table_lookup(objects->entries, key);
    return entry ? client_cache_list(entry->cache, namespace_) : g_ptr_array_new();
}
