#include "server/store/tree.h"

#include <string.h>

#define NODE_MAX 64
#define NODE_FEW (NODE_MAX / 4) /* a node with fewer is merged with a neighbour where that leaves room to grow */

/* A leaf owns a reference of each entry in lows[]. An inner node owns one of each child; its lows[i], the first entry below
 * child i, separates the children in searches and is borrowed from there: it is kept exact, so it cannot dangle. */
struct StoreNode {
    gatomicrefcount refs;
    guint height; /* 0: leaf */
    guint n;
    StoreEntry *lows[NODE_MAX];
    StoreNode *children[]; /* NODE_MAX of them in an inner node, none in a leaf */
};

static StoreNode *node_new(guint height)
{
    StoreNode *node = g_malloc(sizeof *node + (height > 0 ? NODE_MAX * sizeof(StoreNode *) : 0));
    g_atomic_ref_count_init(&node->refs);
    node->height = height;
    node->n = 0;
    return node;
}

static void node_unref(StoreNode *node)
{
    if (!node || !g_atomic_ref_count_dec(&node->refs))
        return;
    for (guint i = 0; i < node->n; i++) {
        if (node->height > 0)
            node_unref(node->children[i]);
        else
            store_entry_unref(node->lows[i]);
    }
    g_free(node);
}

/* The node itself if nobody else sees it, else a copy in its place. */
static StoreNode *node_own(StoreNode *node)
{
    if (g_atomic_ref_count_compare(&node->refs, 1))
        return node;
    StoreNode *copy = node_new(node->height);
    copy->n = node->n;
    memcpy(copy->lows, node->lows, node->n * sizeof *node->lows);
    for (guint i = 0; i < node->n; i++) {
        if (node->height > 0) {
            copy->children[i] = node->children[i];
            g_atomic_ref_count_inc(&copy->children[i]->refs);
        } else {
            store_entry_ref(copy->lows[i]);
        }
    }
    node_unref(node);
    return copy;
}

/* How many of the node's lows have a key <= key; *ret_equal: the last of them is equal. */
static guint node_search(const StoreNode *node, const char *key, gboolean *ret_equal)
{
    guint low = 0, high = node->n;
    *ret_equal = FALSE;
    while (low < high) {
        guint middle = (low + high) / 2;
        int order = strcmp(node->lows[middle]->key, key);
        if (order > 0) {
            high = middle;
        } else {
            low = middle + 1;
            *ret_equal = order == 0;
            if (order == 0)
                return low;
        }
    }
    return low;
}

/* Which child a key belongs to. */
static guint node_child(const StoreNode *node, const char *key)
{
    gboolean equal;
    guint n = node_search(node, key, &equal);
    return n > 0 ? n - 1 : 0;
}

static void node_insert_at(StoreNode *node, guint at, StoreEntry *low, StoreNode *child)
{
    memmove(node->lows + at + 1, node->lows + at, (node->n - at) * sizeof *node->lows);
    node->lows[at] = low;
    if (node->height > 0) {
        memmove(node->children + at + 1, node->children + at, (node->n - at) * sizeof *node->children);
        node->children[at] = child;
    }
    node->n++;
}

static void node_remove_at(StoreNode *node, guint at)
{
    node->n--;
    memmove(node->lows + at, node->lows + at + 1, (node->n - at) * sizeof *node->lows);
    if (node->height > 0)
        memmove(node->children + at, node->children + at + 1, (node->n - at) * sizeof *node->children);
}

/* Moves what is at <from> and after to the end of another node of the same height. */
static void node_move_tail(StoreNode *node, guint from, StoreNode *to)
{
    guint n = node->n - from;
    memcpy(to->lows + to->n, node->lows + from, n * sizeof *node->lows);
    if (node->height > 0)
        memcpy(to->children + to->n, node->children + from, n * sizeof *node->children);
    to->n += n;
    node->n = from;
}

/* Makes room in a full node for an insertion at <at> by splitting it; returns the new right half. Where the insertion is at
 * the very end, the left one stays full: keys that come in order, as at the first load, fill their nodes. */
static StoreNode *node_split(StoreNode *node, guint at)
{
    StoreNode *right = node_new(node->height);
    node_move_tail(node, at == node->n ? node->n : node->n / 2, right);
    return right;
}

/* Puts an item at its place in a node that is our own; returns the right half if the node had to be split. */
static StoreNode *node_add(StoreNode *node, guint at, StoreEntry *low, StoreNode *child)
{
    if (node->n < NODE_MAX) {
        node_insert_at(node, at, low, child);
        return NULL;
    }
    StoreNode *right = node_split(node, at);
    if (at > node->n || right->n == 0)
        node_insert_at(right, at - node->n, low, child);
    else
        node_insert_at(node, at, low, child);
    return right;
}

/* *ret_old: the reference of the entry that was replaced, or NULL. */
static StoreNode *node_set(StoreNode **node_at, StoreEntry *entry, StoreEntry **ret_old)
{
    StoreNode *node = *node_at = node_own(*node_at);
    if (node->height == 0) {
        gboolean equal;
        guint at = node_search(node, entry->key, &equal);
        if (!equal)
            return node_add(node, at, store_entry_ref(entry), NULL);
        *ret_old = node->lows[at - 1];
        node->lows[at - 1] = store_entry_ref(entry);
        return NULL;
    }
    guint at = node_child(node, entry->key);
    StoreNode *right = node_set(&node->children[at], entry, ret_old);
    node->lows[at] = node->children[at]->lows[0];
    return right ? node_add(node, at + 1, right->lows[0], right) : NULL;
}

/* Joins child <at> with its right neighbour if the two leave room to grow in one node. */
static void node_merge(StoreNode *node, guint at)
{
    if (at + 1 >= node->n || node->children[at]->n + node->children[at + 1]->n > NODE_MAX - NODE_FEW)
        return;
    StoreNode *left = node->children[at] = node_own(node->children[at]);
    StoreNode *right = node->children[at + 1] = node_own(node->children[at + 1]);
    node_move_tail(right, 0, left);
    node_unref(right);
    node_remove_at(node, at + 1);
}

static void node_remove(StoreNode **node_at, const char *key, StoreEntry **ret_old)
{
    StoreNode *node = *node_at = node_own(*node_at);
    if (node->height == 0) {
        gboolean equal;
        guint at = node_search(node, key, &equal);
        g_assert(equal);
        *ret_old = node->lows[at - 1];
        node_remove_at(node, at - 1);
        return;
    }
    guint at = node_child(node, key);
    node_remove(&node->children[at], key, ret_old);
    StoreNode *child = node->children[at];
    if (child->n == 0) {
        node_unref(child);
        node_remove_at(node, at);
        return;
    }
    node->lows[at] = child->lows[0];
    if (child->n < NODE_FEW)
        node_merge(node, at > 0 ? at - 1 : at);
}

StoreTree store_tree_copy(const StoreTree *tree)
{
    if (tree->root)
        g_atomic_ref_count_inc(&tree->root->refs);
    return *tree;
}

void store_tree_clear(StoreTree *tree)
{
    node_unref(tree->root);
    *tree = (StoreTree){0};
}

StoreEntry *store_tree_get(const StoreTree *tree, const char *key)
{
    const StoreNode *node = tree->root;
    if (!node)
        return NULL;
    while (node->height > 0)
        node = node->children[node_child(node, key)];
    gboolean equal;
    guint n = node_search(node, key, &equal);
    return equal ? node->lows[n - 1] : NULL;
}

void store_tree_set(StoreTree *tree, StoreEntry *entry)
{
    StoreEntry *old = NULL;
    if (!tree->root)
        tree->root = node_new(0);
    StoreNode *right = node_set(&tree->root, entry, &old);
    if (right) {
        StoreNode *root = node_new(tree->root->height + 1);
        node_insert_at(root, 0, tree->root->lows[0], tree->root);
        node_insert_at(root, 1, right->lows[0], right);
        tree->root = root;
    }
    tree->bytes += store_entry_size(entry) - (old ? store_entry_size(old) : 0);
    if (!old)
        tree->n++;
    store_entry_unref(old);
}

gboolean store_tree_remove(StoreTree *tree, const char *key)
{
    StoreEntry *old = NULL;
    if (!store_tree_get(tree, key))
        return FALSE;
    node_remove(&tree->root, key, &old);
    while (tree->root && tree->root->height > 0 && tree->root->n == 1) {
        StoreNode *child = tree->root->children[0];
        g_atomic_ref_count_inc(&child->refs);
        node_unref(tree->root);
        tree->root = child;
    }
    if (tree->root->n == 0)
        g_clear_pointer(&tree->root, node_unref);
    tree->n--;
    tree->bytes -= store_entry_size(old);
    store_entry_unref(old);
    return TRUE;
}

void store_tree_iter_init(StoreTreeIter *iter, const StoreTree *tree, const char *from, gboolean after)
{
    const StoreNode *node = tree->root;
    iter->depth = -1;
    while (node) {
        g_assert(iter->depth + 1 < STORE_TREE_DEPTH_MAX);
        iter->depth++;
        iter->stack[iter->depth].node = node;
        if (node->height == 0) {
            gboolean equal;
            guint n = node_search(node, from, &equal);
            iter->stack[iter->depth].at = equal && !after ? n - 1 : n;
            return;
        }
        guint at = node_child(node, from);
        iter->stack[iter->depth].at = at;
        node = node->children[at];
    }
}

StoreEntry *store_tree_iter_next(StoreTreeIter *iter)
{
    while (iter->depth >= 0) {
        const StoreNode *node = iter->stack[iter->depth].node;
        guint at = iter->stack[iter->depth].at;
        if (node->height == 0 && at < node->n) {
            iter->stack[iter->depth].at++;
            return node->lows[at];
        }
        if (node->height > 0 && at + 1 < node->n) {
            iter->stack[iter->depth].at++;
            for (node = node->children[at + 1];; node = node->children[0]) {
                iter->depth++;
                iter->stack[iter->depth].node = node;
                iter->stack[iter->depth].at = 0;
                if (node->height == 0)
                    break;
            }
            continue;
        }
        iter->depth--;
    }
    return NULL;
}
