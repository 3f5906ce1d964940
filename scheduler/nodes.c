#include "scheduler/nodes.h"

#include <string.h>

#include "lib/api/object.h"
#include "scheduler/resources.h"

/* Grows one array from the old to the new capacity, new places zeroed. */
#define GROW(array, from, to)                                                              \
    do {                                                                                   \
        (array) = g_realloc_n((array), (to), sizeof *(array));                             \
        memset((array) + (from), 0, (gsize)((to) - (from)) * sizeof *(array));             \
    } while (0)

static void nodes_add_column(SchedNodes *nodes, const char *resource)
{
    SchedColumn column = {
        .name = g_intern_string(resource),
        .allocatable = g_new0(gint64, nodes->capacity),
        .requested = g_new0(gint64, nodes->capacity),
    };
    g_array_append_val(nodes->columns, column);
}

SchedNodes *sched_nodes_new(void)
{
    SchedNodes *nodes = g_new0(SchedNodes, 1);
    nodes->columns = g_array_new(FALSE, FALSE, sizeof(SchedColumn));
    nodes->positions = g_hash_table_new(g_str_hash, g_str_equal);
    nodes->holes = g_array_new(FALSE, FALSE, sizeof(guint));
    nodes->facts_clock = 1;
    /* in the order of the enum */
    for (const char *const *name = (const char *const[]){"cpu", "memory", "ephemeral-storage", "pods", NULL}; *name; name++)
        nodes_add_column(nodes, *name);
    return nodes;
}

static void facts_clear(SchedNodeFacts *facts)
{
    g_free(facts->labels);
    g_free(facts->taints);
    *facts = (SchedNodeFacts){0};
}

void sched_nodes_free(SchedNodes *nodes)
{
    if (!nodes)
        return;
    for (guint i = 0; i < nodes->n; i++)
        facts_clear(&nodes->facts[i]);
    for (guint i = 0; i < nodes->columns->len; i++) {
        SchedColumn *column = &g_array_index(nodes->columns, SchedColumn, i);
        g_free(column->allocatable);
        g_free(column->requested);
    }
    g_array_unref(nodes->columns);
    g_array_unref(nodes->holes);
    g_hash_table_unref(nodes->positions);
    g_free(nodes->names);
    g_free(nodes->exists);
    g_free(nodes->unschedulable);
    g_free(nodes->facts);
    g_free(nodes->facts_changed);
    g_free(nodes->scored_cpu);
    g_free(nodes->scored_memory);
    g_free(nodes);
}

static void nodes_grow(SchedNodes *nodes)
{
    guint from = nodes->capacity, to = MAX(64, from * 2);
    GROW(nodes->names, from, to);
    GROW(nodes->exists, from, to);
    GROW(nodes->unschedulable, from, to);
    GROW(nodes->facts, from, to);
    GROW(nodes->facts_changed, from, to);
    GROW(nodes->scored_cpu, from, to);
    GROW(nodes->scored_memory, from, to);
    for (guint i = 0; i < nodes->columns->len; i++) {
        SchedColumn *column = &g_array_index(nodes->columns, SchedColumn, i);
        GROW(column->allocatable, from, to);
        GROW(column->requested, from, to);
    }
    nodes->capacity = to;
}

static guint nodes_take_position(SchedNodes *nodes, const char *name)
{
    guint node;
    if (nodes->holes->len > 0) {
        node = g_array_index(nodes->holes, guint, nodes->holes->len - 1);
        g_array_set_size(nodes->holes, nodes->holes->len - 1);
    } else {
        if (nodes->n == nodes->capacity)
            nodes_grow(nodes);
        node = nodes->n++;
    }
    nodes->names[node] = g_intern_string(name);
    nodes->exists[node] = 1;
    nodes->n_existing++;
    g_hash_table_insert(nodes->positions, (gpointer)nodes->names[node], GUINT_TO_POINTER(node + 1));
    return node;
}

static int label_compare(gconstpointer a, gconstpointer b)
{
    const SchedLabel *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static SchedNodeFacts facts_from(const Core__V1__Node *node)
{
    SchedNodeFacts facts = {0};
    const Meta__V1__ObjectMeta *meta = node->metadata;
    facts.n_labels = meta ? (guint)meta->n_labels : 0;
    facts.labels = g_new0(SchedLabel, facts.n_labels);
    for (guint i = 0; i < facts.n_labels; i++)
        facts.labels[i] = (SchedLabel){g_intern_string(meta->labels[i]->key), g_intern_string(api_str(meta->labels[i]->value))};
    if (facts.n_labels > 1)
        qsort(facts.labels, facts.n_labels, sizeof(SchedLabel), label_compare);
    facts.n_taints = node->spec ? (guint)node->spec->n_taints : 0;
    facts.taints = g_new0(SchedTaint, facts.n_taints);
    for (guint i = 0; i < facts.n_taints; i++) {
        const Core__V1__Taint *taint = node->spec->taints[i];
        facts.taints[i] = (SchedTaint){g_intern_string(api_str(taint->key)), g_intern_string(api_str(taint->value)),
                                       g_intern_string(api_str(taint->effect))};
    }
    return facts;
}

static gboolean facts_equal(const SchedNodeFacts *a, const SchedNodeFacts *b)
{
    return a->n_labels == b->n_labels && a->n_taints == b->n_taints &&
           (a->n_labels == 0 || memcmp(a->labels, b->labels, a->n_labels * sizeof(SchedLabel)) == 0) &&
           (a->n_taints == 0 || memcmp(a->taints, b->taints, a->n_taints * sizeof(SchedTaint)) == 0);
}

/* Takes over status.allocatable. TRUE if any column grew. */
static gboolean nodes_put_allocatable(SchedNodes *nodes, guint node, const Core__V1__NodeStatus *status)
{
    /* columns first: adding one moves the arrays of columns, and what is not named any more is zero */
    gsize n = status ? status->n_allocatable : 0;
    SchedQuantityEntry *const *entries = status ? (SchedQuantityEntry *const *)status->allocatable : NULL;
    for (gsize i = 0; i < n; i++)
        sched_nodes_column(nodes, entries[i]->key);
    gboolean grew = FALSE;
    for (guint c = 0; c < nodes->columns->len; c++) {
        SchedColumn *column = &g_array_index(nodes->columns, SchedColumn, c);
        gint64 amount = sched_amount_of(entries, n, column->name);
        grew |= amount > column->allocatable[node];
        column->allocatable[node] = amount;
    }
    return grew;
}

guint sched_nodes_put(SchedNodes *nodes, const Core__V1__Node *node, gboolean *ret_grew)
{
    gint found = sched_nodes_find(nodes, node->metadata->name);
    guint i = found >= 0 ? (guint)found : nodes_take_position(nodes, node->metadata->name);
    gboolean grew = found < 0;
    SchedNodeFacts facts = facts_from(node);
    guint8 unschedulable = node->spec && node->spec->has_unschedulable && node->spec->unschedulable;
    if (found < 0 || unschedulable != nodes->unschedulable[i] || !facts_equal(&facts, &nodes->facts[i])) {
        facts_clear(&nodes->facts[i]);
        nodes->facts[i] = facts;
        nodes->unschedulable[i] = unschedulable;
        nodes->facts_changed[i] = ++nodes->facts_clock;
        grew = TRUE;
    } else {
        facts_clear(&facts);
    }
    grew |= nodes_put_allocatable(nodes, i, node->status);
    if (ret_grew)
        *ret_grew = grew;
    return i;
}

void sched_nodes_remove(SchedNodes *nodes, const char *name)
{
    gint found = sched_nodes_find(nodes, name);
    if (found < 0)
        return;
    guint node = (guint)found;
    g_hash_table_remove(nodes->positions, name);
    nodes->exists[node] = 0;
    nodes->n_existing--;
    nodes->facts_changed[node] = ++nodes->facts_clock;
    facts_clear(&nodes->facts[node]);
    nodes->scored_cpu[node] = nodes->scored_memory[node] = 0;
    for (guint i = 0; i < nodes->columns->len; i++)
        sched_column(nodes, i)->allocatable[node] = sched_column(nodes, i)->requested[node] = 0;
    g_array_append_val(nodes->holes, node);
}

gint sched_nodes_find(const SchedNodes *nodes, const char *name)
{
    return (gint)GPOINTER_TO_UINT(g_hash_table_lookup(nodes->positions, name)) - 1;
}

guint sched_nodes_column(SchedNodes *nodes, const char *resource)
{
    for (guint i = 0; i < nodes->columns->len; i++)
        if (g_str_equal(sched_column(nodes, i)->name, resource))
            return i;
    nodes_add_column(nodes, resource);
    return nodes->columns->len - 1;
}

const char *sched_node_label(const SchedNodes *nodes, guint node, const char *key)
{
    const SchedNodeFacts *facts = &nodes->facts[node];
    guint low = 0, high = facts->n_labels;
    while (low < high) {
        guint middle = (low + high) / 2;
        if (facts->labels[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < facts->n_labels && facts->labels[low].key == key ? facts->labels[low].value : NULL;
}
