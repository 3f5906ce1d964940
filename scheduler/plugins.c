#include "scheduler/plugins.h"

/* Weights are Kubernetes' defaults. */
static const SchedPlugin plugins[] = {
    {
        .name = "NodeUnschedulable",
        .filter = sched_unschedulable_filter,
        .facts_only = TRUE,
        .explain = sched_unschedulable_explain,
        .events = SCHED_EVENT_NODE,
    },
    {
        .name = "NodeAffinity",
        .filter = sched_selector_filter,
        .facts_only = TRUE,
        .explain = sched_selector_explain,
        .events = SCHED_EVENT_NODE,
    },
    {
        .name = "TaintToleration",
        .filter = sched_taints_filter,
        .facts_only = TRUE,
        .explain = sched_taints_explain,
        .events = SCHED_EVENT_NODE,
        .score = sched_taints_score,
        .weight = 3,
    },
    {
        .name = "NodeResourcesFit",
        .filter = sched_fit_filter,
        .explain = sched_fit_explain,
        .events = SCHED_EVENT_NODE | SCHED_EVENT_ROOM,
        .score = sched_fit_score_least_allocated,
        .weight = 1,
    },
    {
        .name = "PodTopologySpread",
        .score = sched_spread_score,
        .weight = 2,
    },
};

const SchedPlugin *sched_plugins(guint *ret_n)
{
    *ret_n = G_N_ELEMENTS(plugins);
    return plugins;
}
