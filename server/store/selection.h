/* What a list or a watch asks for. Thread-safe: only read. */
#pragma once

#include "server/store/tree.h"

typedef struct {
    char *namespace_;         /* "": all */
    ApiSelector *labels;      /* NULL: all */
    ApiFieldSelector *fields; /* NULL: all */
} StoreSelection;

void store_selection_clear(StoreSelection *selection);
gboolean store_selection_matches(const StoreSelection *selection, const StoreEntry *entry);

/* Starts at the selection's namespace, or, where after is not NULL, behind that key. */
void store_selection_iter_init(const StoreSelection *selection, StoreTreeIter *iter, const StoreTree *tree,
                               const char *after);
/* The next entry that matches; borrowed; NULL at the end. */
StoreEntry *store_selection_iter_next(const StoreSelection *selection, StoreTreeIter *iter);
