#include "netproxy/changes.h"

#include <string.h>

#include "netproxy/nft/ruleset.h"

typedef struct {
    NftMap map;
    NftKey key;
    NftData data;
    char *comment;
    gboolean deleted;
    gboolean added;
} Change;

struct Changes {
    GPtrArray *list;   /* Change, in the order of their first mention */
    GHashTable *index; /* set of Change by map and key; borrowed from list */
    GHashTable *flows; /* set of NftFrontend */
};

static guint bytes_hash(const guint8 *bytes, gsize length)
{
    guint hash = 2166136261u; /* FNV-1a */
    for (gsize i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

static guint change_hash(gconstpointer data)
{
    const Change *change = data;
    return bytes_hash(change->key.bytes, sizeof change->key) + change->map;
}

static gboolean change_equal(gconstpointer a, gconstpointer b)
{
    const Change *one = a, *other = b;
    return one->map == other->map && memcmp(&one->key, &other->key, sizeof one->key) == 0;
}

static void change_free(gpointer data)
{
    Change *change = data;
    g_free(change->comment);
    g_free(change);
}

Changes *changes_new(void)
{
    Changes *changes = g_new0(Changes, 1);
    changes->list = g_ptr_array_new_with_free_func(change_free);
    changes->index = g_hash_table_new(change_hash, change_equal);
    changes->flows = g_hash_table_new_full(nft_frontend_hash, nft_frontend_equal, g_free, NULL);
    return changes;
}

void changes_free(Changes *changes)
{
    if (!changes)
        return;
    g_hash_table_unref(changes->index);
    g_hash_table_unref(changes->flows);
    g_ptr_array_unref(changes->list);
    g_free(changes);
}

static Change *change_get(Changes *changes, NftMap map, const NftKey *key)
{
    Change probe = {.map = map};
    memcpy(&probe.key, key, nft_map_info(map)->key_length);
    Change *change = g_hash_table_lookup(changes->index, &probe);
    if (!change) {
        change = g_memdup2(&probe, sizeof probe);
        g_ptr_array_add(changes->list, change);
        g_hash_table_add(changes->index, change);
    }
    return change;
}

void changes_add(Changes *changes, NftMap map, const NftKey *key, const NftData *data, const char *comment)
{
    Change *change = change_get(changes, map, key);
    g_free(change->comment);
    change->comment = g_strdup(comment);
    if (data)
        change->data = *data;
    change->added = TRUE;
}

void changes_delete(Changes *changes, NftMap map, const NftKey *key)
{
    Change *change = change_get(changes, map, key);
    if (change->added)
        change->added = FALSE;
    else
        change->deleted = TRUE;
}

void changes_add_flow(Changes *changes, const NftFrontend *frontend)
{
    g_hash_table_add(changes->flows, g_memdup2(frontend, sizeof *frontend));
}

GHashTable *changes_flows(const Changes *changes)
{
    return changes->flows;
}

gboolean changes_is_empty(const Changes *changes)
{
    return changes_count(changes) == 0;
}

guint changes_count(const Changes *changes)
{
    guint n = 0;
    for (guint i = 0; i < changes->list->len; i++) {
        const Change *change = changes->list->pdata[i];
        n += (change->deleted ? 1 : 0) + (change->added ? 1 : 0);
    }
    return n;
}

void changes_write_class(NftBatch *batch, GHashTable *classes, guint count)
{
    if (count > NFT_CLASSES_AT_START && g_hash_table_add(classes, GUINT_TO_POINTER(count)))
        nft_ruleset_add_class(batch, count);
}

void changes_write(const Changes *changes, NftBatch *batch, GHashTable *classes)
{
    const GPtrArray *list = changes->list;
    for (NftMap map = 0; map < NFT_MAPS_; map++)
        for (guint i = 0; i < list->len; i++) {
            const Change *change = list->pdata[i];
            if (change->map == map && change->deleted)
                nft_batch_delete_element(batch, map, &change->key);
        }
    for (guint i = 0; i < list->len; i++) {
        const Change *change = list->pdata[i];
        if (change->map == NFT_MAP_CLASSES && change->added)
            changes_write_class(batch, classes, change->data.count);
    }
    for (NftMap map = 0; map < NFT_MAPS_; map++)
        for (guint i = 0; i < list->len; i++) {
            const Change *change = list->pdata[i];
            if (change->map == map && change->added)
                nft_batch_add_element(batch, map, &change->key, &change->data, change->comment);
        }
}
