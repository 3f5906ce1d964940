#include "server/store/tree.h"

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"

static StoreEntry *entry(const char *key, gint64 revision)
{
    static const guint8 object[] = {0x0a, 0x03, 0x0a, 0x01, 'x'};
    return store_entry_new(API_POD, key, strlen(key), object, sizeof object, revision);
}

static void set(StoreTree *tree, const char *key, gint64 revision)
{
    g_autoptr(StoreEntry) one = entry(key, revision);
    store_tree_set(tree, one);
}

/* The tree holds exactly what the model (key -> revision) does, in order. */
static void assert_equals(const StoreTree *tree, GHashTable *model)
{
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(model), (GCompareFunc)(void (*)(void))strcmp);
    StoreTreeIter iter;
    store_tree_iter_init(&iter, tree, "", FALSE);
    for (GList *key = keys; key; key = key->next) {
        StoreEntry *one = store_tree_iter_next(&iter);
        g_assert_nonnull(one);
        g_assert_cmpstr(one->key, ==, key->data);
        g_assert_cmpint(one->revision, ==, GPOINTER_TO_INT(g_hash_table_lookup(model, key->data)));
        g_assert_true(store_tree_get(tree, key->data) == one);
    }
    g_assert_null(store_tree_iter_next(&iter));
    g_assert_cmpuint(tree->n, ==, g_hash_table_size(model));
}

static GHashTable *model_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static GHashTable *model_copy(GHashTable *model)
{
    GHashTable *copy = model_new();
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, model);
    while (g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_insert(copy, g_strdup(key), value);
    return copy;
}

/* Random insertions, replacements and removals against a hash table; copies taken on the way must not change. */
static void test_model(gconstpointer data)
{
    guint keys = GPOINTER_TO_UINT(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(keys);
    g_auto(StoreTree) tree = {0};
    g_autoptr(GHashTable) model = model_new();
    StoreTree copies[4];
    GHashTable *models[4];
    for (int step = 1; step <= 20000; step++) {
        g_autofree char *key =
            g_strdup_printf("ns-%d/pod-%d", g_rand_int_range(random, 0, 3), g_rand_int_range(random, 0, (gint32)keys));
        /* phases of growing and of shrinking, so that nodes split and merge */
        gboolean remove = g_rand_int_range(random, 0, 10) < (step / 4000 % 2 ? 7 : 3);
        if (remove) {
            g_assert_cmpint(store_tree_remove(&tree, key), ==, g_hash_table_contains(model, key));
            g_hash_table_remove(model, key);
        } else {
            set(&tree, key, step);
            g_hash_table_insert(model, g_strdup(key), GINT_TO_POINTER(step));
        }
        if (step % 5000 == 0) {
            copies[step / 5000 - 1] = store_tree_copy(&tree);
            models[step / 5000 - 1] = model_copy(model);
        }
    }
    assert_equals(&tree, model);
    for (int i = 0; i < 4; i++) {
        assert_equals(&copies[i], models[i]);
        store_tree_clear(&copies[i]);
        g_hash_table_unref(models[i]);
    }
    g_autoptr(GList) rest = g_hash_table_get_keys(model);
    for (GList *key = rest; key; key = key->next)
        g_assert_true(store_tree_remove(&tree, key->data));
    g_assert_null(tree.root);
    g_assert_cmpuint(tree.bytes, ==, 0);
}

static void test_iterate_from(void)
{
    static const struct {
        const char *from;
        gboolean after;
        const char *first;
    } cases[] = {
        {"", FALSE, "a-b/x"},         {"a/", FALSE, "a/x000"}, {"a/x000", FALSE, "a/x000"}, {"a/x000", TRUE, "a/x001"},
        {"a/x0005", FALSE, "a/x001"}, {"a/x299", TRUE, "b/y"}, {"b/y", TRUE, NULL},         {"zzz", FALSE, NULL},
    };
    g_auto(StoreTree) tree = {0};
    set(&tree, "b/y", 1);
    set(&tree, "a-b/x", 1);
    for (int i = 0; i < 300; i++) {
        g_autofree char *key = g_strdup_printf("a/x%03d", i);
        set(&tree, key, 1);
    }
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        StoreTreeIter iter;
        store_tree_iter_init(&iter, &tree, cases[i].from, cases[i].after);
        StoreEntry *one = store_tree_iter_next(&iter);
        g_assert_cmpstr(one ? one->key : NULL, ==, cases[i].first);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/server/store/tree/model-few-keys", GUINT_TO_POINTER(20), test_model);
    g_test_add_data_func("/server/store/tree/model-many-keys", GUINT_TO_POINTER(5000), test_model);
    g_test_add_func("/server/store/tree/iterate-from", test_iterate_from);
    return g_test_run();
}
