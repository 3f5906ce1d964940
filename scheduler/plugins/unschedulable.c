/* NodeUnschedulable: spec.unschedulable (cordoned) keeps pods off unless they tolerate the taint that stands for it. */
#include "lib/api/labels.h"
#include "scheduler/plugins.h"

static gboolean pod_does_not_mind(const SchedPod *pod)
{
    SchedTaint taint = {g_intern_static_string(API_TAINT_UNSCHEDULABLE), g_intern_static_string(""),
                        g_intern_static_string("NoSchedule")};
    return sched_pod_tolerates(pod, &taint);
}

void sched_unschedulable_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits)
{
    guint8 keep_off = !pod_does_not_mind(pod);
    for (guint i = begin; i < end; i++)
        fits[i] &= !(nodes->unschedulable[i] & keep_off);
}

void sched_unschedulable_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons)
{
    if (nodes->unschedulable[node] && !pod_does_not_mind(pod))
        g_ptr_array_add(reasons, g_strdup("node(s) were unschedulable"));
}
