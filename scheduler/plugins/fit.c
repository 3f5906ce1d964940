/* NodeResourcesFit: what the pod asks for must be left on the node; emptier nodes are better. */
#include "scheduler/plugins.h"

void sched_fit_filter(const SchedPod *pod, const SchedNodes *nodes, guint begin, guint end, guint8 *fits)
{
    for (guint r = 0; r < pod->n_requests; r++) {
        const SchedColumn *column = sched_column(nodes, pod->requests[r].column);
        const gint64 *restrict allocatable = column->allocatable;
        const gint64 *restrict requested = column->requested;
        gint64 amount = pod->requests[r].amount;
        for (guint i = begin; i < end; i++) /* no branch: the compiler makes vector code of it */
            fits[i] &= (guint8)(allocatable[i] - requested[i] >= amount);
    }
}

void sched_fit_explain(const SchedPod *pod, const SchedNodes *nodes, guint node, GPtrArray *reasons)
{
    for (guint r = 0; r < pod->n_requests; r++) {
        const SchedColumn *column = sched_column(nodes, pod->requests[r].column);
        if (column->allocatable[node] - column->requested[node] >= pod->requests[r].amount)
            continue;
        g_ptr_array_add(reasons, pod->requests[r].column == SCHED_PODS ? g_strdup("Too many pods")
                                                                       : g_strconcat("Insufficient ", column->name, NULL));
    }
}

/* Share that is left of <allocatable> once <used> is taken, 0..100. */
static gint64 left(gint64 allocatable, gint64 used)
{
    return allocatable <= 0 || used > allocatable ? 0 : (allocatable - used) * SCHED_MAX_SCORE / allocatable;
}

/* LeastAllocated: the mean of what is left of cpu and memory. */
void sched_fit_score_least_allocated(const SchedEngine *engine, const SchedPod *pod, const SchedNodes *nodes,
                                     const guint *candidates, guint n, gint64 *scores)
{
    (void)engine;
    const gint64 *cpu = sched_column(nodes, SCHED_CPU)->allocatable, *memory = sched_column(nodes, SCHED_MEMORY)->allocatable;
    for (guint k = 0; k < n; k++) {
        guint i = candidates[k];
        scores[k] = (left(cpu[i], nodes->scored_cpu[i] + pod->scored_cpu) +
                     left(memory[i], nodes->scored_memory[i] + pod->scored_memory)) / 2;
    }
}
