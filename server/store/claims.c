#include "server/store/claims.h"

struct StoreClaims {
    GMutex lock; /* guards keys */
    GHashTable *keys;
};

StoreClaims *store_claims_new(void)
{
    StoreClaims *claims = g_new0(StoreClaims, 1);
    g_mutex_init(&claims->lock);
    claims->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return claims;
}

void store_claims_free(StoreClaims *claims)
{
    g_hash_table_unref(claims->keys);
    g_mutex_clear(&claims->lock);
    g_free(claims);
}

void store_claims_set(StoreClaims *claims, const char *key, gsize size, gboolean claimed)
{
    g_autofree char *copy = g_strndup(key, size);
    g_mutex_lock(&claims->lock);
    if (claimed)
        g_hash_table_add(claims->keys, g_steal_pointer(&copy));
    else
        g_hash_table_remove(claims->keys, copy);
    g_mutex_unlock(&claims->lock);
}

gboolean store_claims_has(StoreClaims *claims, const char *range, const char *item)
{
    g_autofree char *key = g_strconcat(range, "/", item, NULL);
    g_mutex_lock(&claims->lock);
    gboolean has = g_hash_table_contains(claims->keys, key);
    g_mutex_unlock(&claims->lock);
    return has;
}

void store_claims_reset(StoreClaims *claims, GHashTable *keys)
{
    g_mutex_lock(&claims->lock);
    GHashTable *old = claims->keys;
    claims->keys = keys;
    g_mutex_unlock(&claims->lock);
    g_hash_table_unref(old);
}
