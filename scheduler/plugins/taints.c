/* TaintToleration: NoSchedule and NoExecute taints keep pods off; PreferNoSchedule ones make a node less liked. */
#include "scheduler/plugins.h"

static gboolean taint_is(const SchedTaint *taint, gboolean preference)
{
    return g_str_equal(taint->effect, "PreferNoSchedule") == preference;
}

/* The first taint that keeps the pod off, NULL if none does. */
static const SchedTaint *taint_against(const SchedPod *pod, const SchedNodeFacts *facts)
{
    for (guint i = 0; i < facts->n_taints; i++)
        if (taint_is(&facts->taints[i], FALSE) && !sched_pod_tolerates(pod, &facts->taints[i]))
            return &facts->taints[i];
    return NULL;
}

void sched_taints_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits)
{
    for (guint i = begin; i < end; i++)
        if (fits[i] && nodes->facts[i].n_taints && taint_against(pod, &nodes->facts[i]))
            fits[i] = 0;
}

void sched_taints_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons)
{
    const SchedTaint *taint = taint_against(pod, &nodes->facts[node]);
    if (taint)
        g_ptr_array_add(reasons, g_strdup_printf("node(s) had untolerated taint {%s: %s}", taint->key, taint->value));
}

/* 100 for the node with the fewest disliked taints, 0 for the one with the most. */
void sched_taints_score(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes, const guint *candidates,
                        guint n, gint64 *scores)
{
    (void)engine;
    gint64 most = 0;
    for (guint k = 0; k < n; k++) {
        const SchedNodeFacts *facts = &nodes->facts[candidates[k]];
        scores[k] = 0;
        for (guint i = 0; i < facts->n_taints; i++)
            scores[k] += taint_is(&facts->taints[i], TRUE) && !sched_pod_tolerates(pod, &facts->taints[i]);
        most = MAX(most, scores[k]);
    }
    for (guint k = 0; k < n; k++)
        scores[k] = most ? SCHED_MAX_SCORE - scores[k] * SCHED_MAX_SCORE / most : SCHED_MAX_SCORE;
}
