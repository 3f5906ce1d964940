#include <string.h>

#include "lib/api/kinds/kinds.h"

#define DATA_MAX (1024 * 1024)

static char *print_data(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__ConfigMap *map = (const Core__V1__ConfigMap *)object;
    return g_strdup_printf("%zu", map->n_data + map->n_binarydata);
}

const ApiColumn config_map_columns[] = {
    {"DATA", FALSE, print_data},
    {NULL, FALSE, NULL},
};

/* Whether both have the same entries. */
static gboolean same_content(const Core__V1__ConfigMap *map, const Core__V1__ConfigMap *old)
{
    Core__V1__ConfigMap a = *map, b = *old;
    a.metadata = b.metadata = NULL;
    a.has_immutable = b.has_immutable = 0;
    return SAME_MEANING(&a, &b);
}

void config_map_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Core__V1__ConfigMap *map = (const Core__V1__ConfigMap *)object, *before = (const Core__V1__ConfigMap *)old;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    gsize size = 0;
    for (gsize i = 0; i < map->n_data; i++) {
        const char *key = api_str(map->data[i]->key);
        require_name(errors, KEY(FIELD(NULL, "data"), key), key, api_name_config_key);
        g_hash_table_add(seen, (gpointer)key);
        size += strlen(api_str(map->data[i]->value));
    }
    for (gsize i = 0; i < map->n_binarydata; i++) {
        const char *key = api_str(map->binarydata[i]->key);
        const Path *path = KEY(FIELD(NULL, "binaryData"), key);
        require_name(errors, path, key, api_name_config_key);
        if (g_hash_table_contains(seen, key))
            fail_invalid(errors, path, key, "duplicate of key present in data");
        size += map->binarydata[i]->value.len;
    }
    if (size > DATA_MAX)
        api_field_invalid_number(errors, "data", (gint64)size, "Too long: may not be more than 1048576 bytes");
    if (!before || !before->immutable)
        return;
    if (!map->immutable)
        api_field_forbidden(errors, "immutable", "field is immutable when `immutable` is set");
    if (!same_content(map, before))
        api_field_forbidden(errors, "data", "field is immutable when `immutable` is set");
}
