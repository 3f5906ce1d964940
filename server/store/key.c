#include "server/store/key.h"

#include <string.h>

#define CLAIMS "cleat"

char *store_key_new(const char *namespace_, const char *name)
{
    return namespace_[0] ? g_strconcat(namespace_, "/", name, NULL) : g_strdup(name);
}

char *store_key_to_etcd(const char *prefix, const ApiResource *resource, const char *key)
{
    const char *dot = resource->group[0] ? "." : "";
    return g_strconcat(prefix, "/", resource->plural, dot, resource->group, "/", key, NULL);
}

char *store_claim_to_etcd(const char *prefix, const char *range, const char *item)
{
    return g_strconcat(prefix, "/" CLAIMS "/", range, "/", item, NULL);
}

/* The row whose "<plural>[.<group>]" is the <size> bytes at <name>. */
static const ApiResource *resource_of(const char *name, gsize size)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        gsize plural = strlen(rows[i].plural), group = strlen(rows[i].group);
        gsize expected = group ? plural + 1 + group : plural;
        if (size != expected || memcmp(name, rows[i].plural, plural) != 0)
            continue;
        if (group == 0 || (name[plural] == '.' && memcmp(name + plural + 1, rows[i].group, group) == 0))
            return &rows[i];
    }
    return NULL;
}

/* Whether a cache key has the form of its resource's: one part, or two for a namespaced kind, none of them empty. */
static gboolean key_fits(const ApiResource *resource, const char *key, gsize size)
{
    const char *slash = memchr(key, '/', size);
    if (size == 0 || memchr(key, '\0', size))
        return FALSE;
    if (!resource->namespaced)
        return slash == NULL;
    return slash && slash > key && slash + 1 < key + size && !memchr(slash + 1, '/', (gsize)(key + size - slash - 1));
}

StoreKey store_key_parse(const char *prefix, const char *etcd_key, gsize size)
{
    const StoreKey foreign = {.type = STORE_KEY_FOREIGN};
    gsize prefix_size = strlen(prefix);
    if (size <= prefix_size + 1 || memcmp(etcd_key, prefix, prefix_size) != 0 || etcd_key[prefix_size] != '/')
        return foreign;
    const char *name = etcd_key + prefix_size + 1;
    const char *slash = memchr(name, '/', size - prefix_size - 1);
    if (!slash)
        return foreign;
    gsize name_size = (gsize)(slash - name);
    StoreKey key = {.rest = slash + 1, .rest_size = (gsize)(etcd_key + size - slash - 1)};
    if (name_size == strlen(CLAIMS) && memcmp(name, CLAIMS, name_size) == 0) {
        key.type = STORE_KEY_CLAIM;
        return key;
    }
    key.resource = resource_of(name, name_size);
    return key.resource && key_fits(key.resource, key.rest, key.rest_size) ? key : foreign;
}
