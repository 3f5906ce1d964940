/* The placement engine: nodes, the pods counted on them, and the plugin table that decides. Pure computation: no clock, no I/O,
 * no API. Belongs to one thread. */
#pragma once

#include "scheduler/pod.h"

typedef struct SchedEngine SchedEngine;

/* What may let a rejected pod pass. A pod that does not fit waits for the events of the plugins that rejected it. */
typedef enum {
    SCHED_EVENT_NODE = 1 << 0, /* a node came or changed for the better */
    SCHED_EVENT_ROOM = 1 << 1, /* a pod left a node */
} SchedEvent;

SchedEngine *sched_engine_new(void);
void sched_engine_free(SchedEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedEngine, sched_engine_free)
SchedNodes *sched_engine_nodes(SchedEngine *engine);

/* Counts a pod on a node, or takes it off. The same pod must be taken off before its node is removed and added anew. */
void sched_engine_assign(SchedEngine *engine, const SchedPod *pod, guint node);
void sched_engine_unassign(SchedEngine *engine, const SchedPod *pod, guint node);

/* The best node for the pod, not yet assigned; -1 if it fits nowhere. Looks at nodes from where the last search ended until
 * enough of them fit (all of up to 100 nodes; of 5 000 a tenth, as Kubernetes does). */
gint sched_engine_place(SchedEngine *engine, const SchedPod *pod);

/* Why no node fits: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." New string. *ret_events is
 * the set of SchedEvent that may help. Costs a look at every node. */
char *sched_engine_explain(SchedEngine *engine, const SchedPod *pod, guint *ret_events);

/* Pods of a controller (SchedPod.group) per node, for scores: calls back for each node that has some. */
void sched_engine_group_nodes(const SchedEngine *engine, const char *group, void (*callback)(guint node, guint pods, gpointer data),
                              gpointer data);
