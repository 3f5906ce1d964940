/* The plugin table. To add a constraint or a preference: one row in plugins.c and one file in plugins/. */
#pragma once

#include "scheduler/engine.h"

typedef struct {
    const char *name; /* Kubernetes' name of the plugin */

    /* Clears fits[i] for each node i of [begin, end) that the pod may not use. NULL: no filter. */
    void (*filter)(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits);
    /* The filter looks only at the pod's class (SchedPod.class_key) and the nodes' facts: its results are kept per class. */
    gboolean facts_only;
    /* Adds why node does not pass the filter, in Kubernetes' words; adds nothing if it passes. Strings are taken over. */
    void (*explain)(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons);
    guint events; /* SchedEvents that may make a rejected pod pass */

    /* Sets scores[k] (0..100, 100 best) for candidates[k]. NULL: no opinion. */
    void (*score)(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes, const guint *candidates, guint n,
                  gint64 *scores);
    gint64 weight;
} SchedPlugin;

#define SCHED_MAX_SCORE 100

/* In the order in which filters run and explanations are sought. *ret_n rows. */
const SchedPlugin *sched_plugins(guint *ret_n);

/* The rows' functions, one file each in plugins/. */
void sched_fit_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits);
void sched_fit_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons);
void sched_fit_score_least_allocated(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes,
                                     const guint *candidates, guint n, gint64 *scores);
void sched_selector_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits);
void sched_selector_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons);
void sched_taints_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits);
void sched_taints_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons);
void sched_taints_score(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes, const guint *candidates,
                        guint n, gint64 *scores);
void sched_unschedulable_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits);
void sched_unschedulable_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons);
void sched_spread_score(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes, const guint *candidates,
                        guint n, gint64 *scores);
