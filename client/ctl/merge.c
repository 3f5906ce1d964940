#include "client/ctl/merge.h"

#include <glib.h>

/* Lists whose items are told apart by fields, and merged one by one. The Kubernetes API marks them in its types; a name
 * means the same wherever it occurs, with these fields the first that the items have. */
typedef struct {
    const char *list;
    const char *keys[2];  /* an item's identity; no key at all: the item itself, a string */
    const char *fallback; /* what an absent second key counts as */
} ListRule;

static const ListRule list_rules[] = {
    {"containers", {"name", NULL}, NULL},
    {"initContainers", {"name", NULL}, NULL},
    {"ephemeralContainers", {"name", NULL}, NULL},
    {"env", {"name", NULL}, NULL},
    {"volumes", {"name", NULL}, NULL},
    {"imagePullSecrets", {"name", NULL}, NULL},
    {"secrets", {"name", NULL}, NULL},
    {"resourceClaims", {"name", NULL}, NULL},
    {"volumeMounts", {"mountPath", NULL}, NULL},
    {"volumeDevices", {"devicePath", NULL}, NULL},
    {"hostAliases", {"ip", NULL}, NULL},
    {"ownerReferences", {"uid", NULL}, NULL},
    {"conditions", {"type", NULL}, NULL},
    {"topologySpreadConstraints", {"topologyKey", "whenUnsatisfiable"}, ""},
    {"ports", {"containerPort", "protocol"}, "TCP"},
    {"ports", {"port", "protocol"}, "TCP"},
    {"finalizers", {NULL, NULL}, NULL},
};

/* Objects that stand for a choice (a volume has one source, a strategy one type): once something in them is changed, what the
 * user does not name is what belongs to the choice made before. */
static gboolean is_choice(const char *name, const char *parent_list)
{
    return g_str_equal(name, "strategy") || (parent_list && g_str_equal(parent_list, "volumes"));
}

/* The identity of an item under a rule, or NULL if it has none. New string. */
static char *item_key(const ListRule *rule, const json_t *item)
{
    if (!rule->keys[0])
        return g_strdup(json_string_value(item));
    json_t *first = json_object_get(item, rule->keys[0]);
    if (!first || json_is_object(first) || json_is_array(first))
        return NULL;
    char *text = json_dumps(first, JSON_ENCODE_ANY);
    const char *second = rule->keys[1] ? json_string_value(json_object_get(item, rule->keys[1])) : NULL;
    char *key = g_strdup_printf("%s|%s", text, second ? second : rule->fallback ? rule->fallback : "");
    free(text);
    return key;
}

/* Items by identity (borrowed). NULL if one has none or two have the same: such a list is replaced as a whole. */
static GHashTable *index_items(const ListRule *rule, const json_t *list)
{
    g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *key = item_key(rule, json_array_get(list, i));
        if (!key || g_hash_table_contains(index, key)) {
            g_free(key);
            return NULL;
        }
        g_hash_table_insert(index, key, json_array_get(list, i));
    }
    return g_steal_pointer(&index);
}

typedef struct {
    const ListRule *rule;
    GHashTable *original, *modified, *live;
} ListIndex;

static void list_index_done(ListIndex *index)
{
    g_clear_pointer(&index->original, g_hash_table_unref);
    g_clear_pointer(&index->modified, g_hash_table_unref);
    g_clear_pointer(&index->live, g_hash_table_unref);
}

static gboolean list_index_init(ListIndex *index, const char *name, const json_t *original, const json_t *modified,
                                const json_t *live)
{
    for (gsize i = 0; i < G_N_ELEMENTS(list_rules); i++) {
        if (!g_str_equal(list_rules[i].list, name))
            continue;
        const ListRule *rule = &list_rules[i];
        *index = (ListIndex){rule, index_items(rule, original), index_items(rule, modified), index_items(rule, live)};
        if (index->original && index->modified && index->live)
            return TRUE;
        list_index_done(index);
    }
    return FALSE;
}

static json_t *merge_value(const char *name, const char *list, const json_t *original, const json_t *modified,
                           const json_t *live);

/* Whether the items that both have stand in the same order in both. */
static gboolean same_order(const ListIndex *index, const json_t *modified, const json_t *live)
{
    size_t j = 0;
    for (size_t i = 0; i < json_array_size(modified); i++) {
        g_autofree char *key = item_key(index->rule, json_array_get(modified, i));
        json_t *wanted = g_hash_table_lookup(index->live, key);
        while (wanted && j < json_array_size(live) && json_array_get(live, j) != wanted)
            j++;
        if (j == json_array_size(live))
            return FALSE;
    }
    return TRUE;
}

/* Appends the merged items of <order>: those of the user that are live too, or not (both as asked), and those of others. */
static void append_items(const ListIndex *index, const json_t *order, gboolean common, gboolean only_here, json_t *out)
{
    for (size_t i = 0; i < json_array_size(order); i++) {
        const json_t *item = json_array_get(order, i);
        g_autofree char *key = item_key(index->rule, item);
        json_t *modified = g_hash_table_lookup(index->modified, key), *live = g_hash_table_lookup(index->live, key);
        if (modified && live) {
            if (common)
                json_array_append_new(
                    out, merge_value("", index->rule->list, g_hash_table_lookup(index->original, key), modified, live));
        } else if (only_here && (modified || !g_hash_table_contains(index->original, key))) {
            json_array_append_new(out, json_deep_copy(item));
        }
    }
}

/* The live order is kept if it does not contradict the user's, so that applying a file again changes nothing. */
static json_t *merge_list(const ListIndex *index, const json_t *modified, const json_t *live)
{
    json_t *out = json_array();
    gboolean keep = same_order(index, modified, live);
    if (keep) {
        append_items(index, live, TRUE, TRUE, out);
        append_items(index, modified, FALSE, TRUE, out);
    } else {
        append_items(index, modified, TRUE, TRUE, out);
        append_items(index, live, FALSE, TRUE, out);
    }
    return out;
}

static json_t *merge_object(const char *name, const char *list, const json_t *original, const json_t *modified,
                            const json_t *live)
{
    json_t *out = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)live, key, value)
    {
        json_t *wanted = json_object_get(modified, key);
        if (wanted)
            json_object_set_new(out, key, merge_value(key, NULL, json_object_get(original, key), wanted, value));
        else if (!json_object_get(original, key))
            json_object_set(out, key, value);
    }
    json_object_foreach((json_t *)modified, key, value)
    {
        if (!json_object_get(out, key))
            json_object_set_new(out, key, json_deep_copy(value));
    }
    if (is_choice(name, list) && !json_equal(out, live)) {
        json_object_foreach((json_t *)live, key, value)
        {
            if (!json_object_get(modified, key))
                json_object_del(out, key);
        }
    }
    return out;
}

/* name: of the field, "" for an item of <list>. original may be NULL. */
static json_t *merge_value(const char *name, const char *list, const json_t *original, const json_t *modified,
                           const json_t *live)
{
    if (json_is_object(modified) && json_is_object(live))
        return merge_object(name, list, json_is_object(original) ? original : NULL, modified, live);
    ListIndex index;
    if (json_is_array(modified) && json_is_array(live) && list_index_init(&index, name, original, modified, live)) {
        json_t *out = merge_list(&index, modified, live);
        list_index_done(&index);
        return out;
    }
    return json_deep_copy(modified);
}

json_t *merge_three_way(const json_t *original, const json_t *modified, const json_t *live)
{
    return merge_value("", NULL, original, modified, live);
}
