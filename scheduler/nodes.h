/* All nodes as a structure of arrays: position i of every array belongs to node i. Filters and scores run along the arrays, so
 * a placement over thousands of nodes touches a few contiguous lines of memory and no pointers.
 *
 * Names, labels and taints are interned (equal strings are equal pointers). A node that goes leaves a hole, which the next new
 * node takes. Belongs to one thread. */
#pragma once

#include <glib.h>

#include "cleat/core/v1/core.pb-c.h"

/* A resource is a column: what each node can allocate and what its pods have asked for. Units: cpu in thousandths, memory and
 * ephemeral-storage in bytes, all others in ones. */
typedef struct {
    const char *name; /* interned */
    gint64 *allocatable;
    gint64 *requested;
} SchedColumn;

enum { SCHED_CPU, SCHED_MEMORY, SCHED_EPHEMERAL, SCHED_PODS, SCHED_FIRST_EXTENDED };

typedef struct {
    const char *key, *value; /* interned */
} SchedLabel;

typedef struct {
    const char *key, *value, *effect; /* interned */
} SchedTaint;

typedef struct {
    SchedLabel *labels; /* sorted by key pointer */
    guint n_labels;
    SchedTaint *taints;
    guint n_taints;
} SchedNodeFacts;

typedef struct {
    guint n;        /* positions in use or holes */
    guint capacity; /* of each array */
    const char **names;
    guint8 *exists;
    guint8 *unschedulable;
    SchedNodeFacts *facts;
    guint64 *facts_changed; /* value of facts_clock when labels, taints or unschedulable changed last */
    guint64 facts_clock;
    GArray *columns;        /* of SchedColumn; the first four are fixed */
    gint64 *scored_cpu;     /* requested, where a container without a request counts 100m and 200 MB (as Kubernetes scores) */
    gint64 *scored_memory;
    GHashTable *positions; /* name -> position + 1 */
    GArray *holes;         /* of guint */
    guint n_existing;
} SchedNodes;

SchedNodes *sched_nodes_new(void);
void sched_nodes_free(SchedNodes *nodes);

/* Adds a node or takes over its new state; what its pods ask for stays. Returns its position. *ret_grew (may be NULL) says
 * whether pods that did not fit may fit now: more room, other labels, fewer taints, schedulable again. */
guint sched_nodes_put(SchedNodes *nodes, const Core__V1__Node *node, gboolean *ret_grew);
/* Removes a node; its pods' requests go with it. No effect if unknown. */
void sched_nodes_remove(SchedNodes *nodes, const char *name);
/* -1 if unknown. */
gint sched_nodes_find(const SchedNodes *nodes, const char *name);

/* The column of a resource, made (with zeros) if there is none. */
guint sched_nodes_column(SchedNodes *nodes, const char *resource);
static inline const SchedColumn *sched_column(const SchedNodes *nodes, guint column)
{
    return &g_array_index(nodes->columns, SchedColumn, column);
}

/* The value of a label (interned key), NULL if absent. */
const char *sched_node_label(const SchedNodes *nodes, guint node, const char *key);
