#include "scheduler/engine.h"

#include <string.h>

#include "scheduler/plugins.h"

#define BLOCK 256            /* nodes filtered at a time */
#define CLASSES_MAX 512      /* remembered; beyond that all are forgotten at once */
#define ENOUGH_AT_LEAST 100  /* nodes that fit, before a search may stop */

/* Which nodes a class of pods may use, as far as the nodes' facts tell. */
typedef struct {
    guint8 *fits;  /* per position */
    guint capacity;
    guint64 clock; /* facts_clock up to which fits is right */
} Class;

struct SchedEngine {
    SchedNodes *nodes;
    GHashTable *groups;  /* uid of a controller -> GHashTable {position -> pods} */
    GHashTable *classes; /* class_key -> Class* */
    guint next;          /* where the next search begins */
    guint8 *fits;        /* scratch, per position */
    guint *candidates;   /* scratch */
    gint64 *scores;      /* scratch: one plugin's */
    gint64 *totals;      /* scratch */
    guint scratch;       /* capacity of the four above */
};

static void class_free(gpointer data)
{
    Class *class = data;
    g_free(class->fits);
    g_free(class);
}

SchedEngine *sched_engine_new(void)
{
    SchedEngine *engine = g_new0(SchedEngine, 1);
    engine->nodes = sched_nodes_new();
    engine->groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
    engine->classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, class_free);
    return engine;
}

void sched_engine_free(SchedEngine *engine)
{
    if (!engine)
        return;
    sched_nodes_free(engine->nodes);
    g_hash_table_unref(engine->groups);
    g_hash_table_unref(engine->classes);
    g_free(engine->fits);
    g_free(engine->candidates);
    g_free(engine->scores);
    g_free(engine->totals);
    g_free(engine);
}

SchedNodes *sched_engine_nodes(SchedEngine *engine)
{
    return engine->nodes;
}

static void engine_count_group(SchedEngine *engine, const char *group, guint node, int sign)
{
    if (!group)
        return;
    GHashTable *counts = g_hash_table_lookup(engine->groups, group);
    if (!counts) {
        counts = g_hash_table_new(NULL, NULL);
        g_hash_table_insert(engine->groups, g_strdup(group), counts);
    }
    gint count = GPOINTER_TO_INT(g_hash_table_lookup(counts, GUINT_TO_POINTER(node))) + sign;
    if (count > 0)
        g_hash_table_insert(counts, GUINT_TO_POINTER(node), GINT_TO_POINTER(count));
    else
        g_hash_table_remove(counts, GUINT_TO_POINTER(node));
    if (g_hash_table_size(counts) == 0)
        g_hash_table_remove(engine->groups, group);
}

void sched_engine_assign(SchedEngine *engine, const SchedPod *pod, guint node)
{
    sched_pod_count(pod, engine->nodes, node, 1);
    engine_count_group(engine, pod->group, node, 1);
}

void sched_engine_unassign(SchedEngine *engine, const SchedPod *pod, guint node)
{
    sched_pod_count(pod, engine->nodes, node, -1);
    engine_count_group(engine, pod->group, node, -1);
}

void sched_engine_group_nodes(const SchedEngine *engine, const char *group,
                              void (*callback)(guint node, guint pods, gpointer data), gpointer data)
{
    GHashTable *counts = g_hash_table_lookup(engine->groups, group);
    if (!counts)
        return;
    GHashTableIter iter;
    gpointer node, pods;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &node, &pods))
        callback(GPOINTER_TO_UINT(node), GPOINTER_TO_UINT(pods), data);
}

static void engine_grow_scratch(SchedEngine *engine)
{
    if (engine->scratch >= engine->nodes->capacity)
        return;
    engine->scratch = engine->nodes->capacity;
    engine->fits = g_renew(guint8, engine->fits, engine->scratch);
    engine->candidates = g_renew(guint, engine->candidates, engine->scratch);
    engine->scores = g_renew(gint64, engine->scores, engine->scratch);
    engine->totals = g_renew(gint64, engine->totals, engine->scratch);
}

/* Runs the filters that look at facts only on one node. */
static guint8 class_check(const SchedPod *pod, const SchedNodes *nodes, guint node, guint8 *fits)
{
    guint n;
    const SchedPlugin *plugins = sched_plugins(&n);
    fits[node] = nodes->exists[node];
    for (guint p = 0; p < n && fits[node]; p++)
        if (plugins[p].filter && plugins[p].facts_only)
            plugins[p].filter(pod, nodes, node, node + 1, fits);
    return fits[node];
}

/* Brings a class up to date: only nodes whose facts changed since are looked at again. */
static const guint8 *engine_class(SchedEngine *engine, const SchedPod *pod)
{
    SchedNodes *nodes = engine->nodes;
    Class *class = g_hash_table_lookup(engine->classes, pod->class_key);
    if (!class) {
        if (g_hash_table_size(engine->classes) >= CLASSES_MAX)
            g_hash_table_remove_all(engine->classes);
        class = g_new0(Class, 1);
        g_hash_table_insert(engine->classes, g_strdup(pod->class_key), class);
    }
    if (class->capacity < nodes->capacity) {
        class->fits = g_renew(guint8, class->fits, nodes->capacity);
        class->capacity = nodes->capacity;
    }
    if (class->clock != nodes->facts_clock) {
        for (guint i = 0; i < nodes->n; i++)
            if (nodes->facts_changed[i] > class->clock)
                class_check(pod, nodes, i, class->fits);
        class->clock = nodes->facts_clock;
    }
    return class->fits;
}

/* Kubernetes' numFeasibleNodesToFind: all of up to 100, then 50 % less one point per 125 nodes, at least 5 %. */
static guint enough(guint nodes)
{
    if (nodes <= ENOUGH_AT_LEAST)
        return nodes;
    guint percent = 50 - MIN(45, nodes / 125);
    return MAX(ENOUGH_AT_LEAST, nodes * percent / 100);
}

/* Filters one block and appends what fits to the candidates. */
static guint engine_filter_block(SchedEngine *engine, const SchedPod *pod, const guint8 *class_fits, guint begin, guint end,
                                 guint found, guint wanted)
{
    guint n;
    const SchedPlugin *plugins = sched_plugins(&n);
    memcpy(engine->fits + begin, class_fits + begin, end - begin);
    for (guint p = 0; p < n; p++)
        if (plugins[p].filter && !plugins[p].facts_only)
            plugins[p].filter(pod, engine->nodes, begin, end, engine->fits);
    for (guint i = begin; i < end && found < wanted; i++) {
        engine->candidates[found] = i;
        found += engine->fits[i];
        engine->next = i + 1;
    }
    return found;
}

/* Fills the candidates; returns how many there are. */
static guint engine_search(SchedEngine *engine, const SchedPod *pod)
{
    SchedNodes *nodes = engine->nodes;
    const guint8 *class_fits = engine_class(engine, pod);
    guint start = engine->next < nodes->n ? engine->next : 0, found = 0, wanted = enough(nodes->n_existing);
    for (guint begin = start; begin < nodes->n && found < wanted; begin += BLOCK)
        found = engine_filter_block(engine, pod, class_fits, begin, MIN(begin + BLOCK, nodes->n), found, wanted);
    for (guint begin = 0; begin < start && found < wanted; begin += BLOCK)
        found = engine_filter_block(engine, pod, class_fits, begin, MIN(begin + BLOCK, start), found, wanted);
    return found;
}

gint sched_engine_place(SchedEngine *engine, const SchedPod *pod)
{
    engine_grow_scratch(engine);
    guint found = engine_search(engine, pod);
    if (found == 0)
        return -1;
    guint n;
    const SchedPlugin *plugins = sched_plugins(&n);
    memset(engine->totals, 0, found * sizeof *engine->totals);
    for (guint p = 0; p < n && found > 1; p++) {
        if (!plugins[p].score)
            continue;
        plugins[p].score(engine, pod, engine->nodes, engine->candidates, found, engine->scores);
        for (guint k = 0; k < found; k++)
            engine->totals[k] += plugins[p].weight * engine->scores[k];
    }
    guint best = 0; /* of equals the first after where the last search ended: they take turns */
    for (guint k = 1; k < found; k++)
        if (engine->totals[k] > engine->totals[best])
            best = k;
    return (gint)engine->candidates[best];
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the reasons of the first plugin that rejects the node, as Kubernetes does. */
static guint explain_node(const SchedPod *pod, const SchedNodes *nodes, guint node, GHashTable *counts)
{
    guint n;
    const SchedPlugin *plugins = sched_plugins(&n);
    g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
    for (guint p = 0; p < n; p++) {
        if (plugins[p].explain)
            plugins[p].explain(pod, nodes, node, reasons);
        if (reasons->len == 0)
            continue;
        for (guint i = 0; i < reasons->len; i++) {
            guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, reasons->pdata[i]));
            g_hash_table_replace(counts, g_strdup(reasons->pdata[i]), GUINT_TO_POINTER(count + 1));
        }
        return plugins[p].events;
    }
    return 0;
}

char *sched_engine_explain(SchedEngine *engine, const SchedPod *pod, guint *ret_events)
{
    SchedNodes *nodes = engine->nodes;
    *ret_events = SCHED_EVENT_NODE;
    if (nodes->n_existing == 0)
        return g_strdup("0/0 nodes are available: no nodes are known yet.");
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < nodes->n; i++)
        if (nodes->exists[i])
            *ret_events |= explain_node(pod, nodes, i, counts);
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer reason, count;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &reason, &count))
        g_ptr_array_add(parts, g_strdup_printf("%u %s", GPOINTER_TO_UINT(count), (char *)reason));
    g_ptr_array_sort(parts, compare_strings);
    g_ptr_array_add(parts, NULL);
    g_autofree char *joined = g_strjoinv(", ", (char **)parts->pdata);
    return g_strdup_printf("0/%u nodes are available: %s.", nodes->n_existing, joined);
}
