/* The ordered index of a resource's entries by key: a B+ tree whose nodes are refcounted and copied on write.
 *
 * A copy of the whole tree costs one reference. Whoever changes one of the copies afterwards copies only the nodes on the
 * way from the root to the change, so a reader walks its copy for as long as it likes, without a lock, while the writer goes
 * on. One tree value is used by one thread at a time; different copies may be used by different threads. */
#pragma once

#include "server/store/entry.h"

typedef struct StoreNode StoreNode;

/* {0} is the empty tree. */
typedef struct {
    StoreNode *root;
    guint n;
    gsize bytes; /* memory of the entries */
} StoreTree;

StoreTree store_tree_copy(const StoreTree *tree);
void store_tree_clear(StoreTree *tree);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreTree, store_tree_clear)

StoreEntry *store_tree_get(const StoreTree *tree, const char *key); /* borrowed; NULL if absent */
/* Inserts or replaces by the entry's key; takes a reference of its own. */
void store_tree_set(StoreTree *tree, StoreEntry *entry);
/* FALSE if the key was absent. */
gboolean store_tree_remove(StoreTree *tree, const char *key);

#define STORE_TREE_DEPTH_MAX 10 /* of 32 children each: more entries than memory holds */

/* Walks in key order. The tree must stay unchanged (walk a copy). */
typedef struct {
    struct {
        const StoreNode *node;
        guint at;
    } stack[STORE_TREE_DEPTH_MAX];
    int depth; /* of the leaf in the stack; -1: at the end */
} StoreTreeIter;
/* from: begin at the first key >= from, or, after, > from. */
void store_tree_iter_init(StoreTreeIter *iter, const StoreTree *tree, const char *from, gboolean after);
StoreEntry *store_tree_iter_next(StoreTreeIter *iter); /* borrowed; NULL at the end */
