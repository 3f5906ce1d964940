/* NodeAffinity, as far as spec.nodeSelector goes: every label must be on the node. */
#include "scheduler/plugins.h"

static gboolean selector_matches(const SchedPod *pod, const SchedNodes *nodes, guint node)
{
    for (guint i = 0; i < pod->n_selector; i++)
        if (sched_node_label(nodes, node, pod->selector[i].key) != pod->selector[i].value)
            return FALSE;
    return TRUE;
}

void sched_selector_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits)
{
    if (pod->n_selector == 0)
        return;
    for (guint i = begin; i < end; i++)
        if (fits[i] && !selector_matches(pod, nodes, i))
            fits[i] = 0;
}

void sched_selector_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons)
{
    if (!selector_matches(pod, nodes, node))
        g_ptr_array_add(reasons, g_strdup("node(s) didn't match Pod's node affinity/selector"));
}
