/* PodTopologySpread, as far as its default goes: pods of one controller prefer nodes that have the fewest of them. */
#include "scheduler/plugins.h"

static void spread_count(guint node, guint pods, gpointer data)
{
    gint64 *by_node = data;
    by_node[node] = pods;
}

void sched_spread_score(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes, const guint *candidates,
                        guint n, gint64 *scores)
{
    g_autofree gint64 *by_node = g_new0(gint64, nodes->n); /* pods of the group, for every position */
    if (pod->group)
        sched_engine_group_nodes(engine, pod->group, spread_count, by_node);
    gint64 most = 0;
    for (guint k = 0; k < n; k++)
        most = MAX(most, by_node[candidates[k]]);
    for (guint k = 0; k < n; k++)
        scores[k] = most ? (most - by_node[candidates[k]]) * SCHED_MAX_SCORE / most : SCHED_MAX_SCORE;
}
