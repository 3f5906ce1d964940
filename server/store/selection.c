#include "server/store/selection.h"

void store_selection_clear(StoreSelection *selection)
{
    g_free(selection->namespace_);
    api_selector_free(selection->labels);
    api_field_selector_free(selection->fields);
    *selection = (StoreSelection){0};
}

gboolean store_selection_matches(const StoreSelection *selection, const StoreEntry *entry)
{
    return (selection->namespace_[0] == '\0' || store_entry_in_namespace(entry, selection->namespace_)) &&
           store_entry_matches(entry, selection->labels, selection->fields);
}

void store_selection_iter_init(const StoreSelection *selection, StoreTreeIter *iter, const StoreTree *tree,
                               const char *after)
{
    if (after) {
        store_tree_iter_init(iter, tree, after, TRUE);
        return;
    }
    g_autofree char *from = selection->namespace_[0] ? g_strconcat(selection->namespace_, "/", NULL) : g_strdup("");
    store_tree_iter_init(iter, tree, from, FALSE);
}

StoreEntry *store_selection_iter_next(const StoreSelection *selection, StoreTreeIter *iter)
{
    StoreEntry *entry;
    while ((entry = store_tree_iter_next(iter))) {
        if (selection->namespace_[0] && !store_entry_in_namespace(entry, selection->namespace_))
            return NULL; /* the keys of a namespace lie together */
        if (store_entry_matches(entry, selection->labels, selection->fields))
            return entry;
    }
    return NULL;
}
