#include "scheduler/pod.h"

#include "lib/api/object.h"
#include "scheduler/resources.h"

typedef struct {
    SchedNodes *nodes;
    GArray *requests;
} Collect;

static void collect_request(const char *resource, gint64 amount, gpointer data)
{
    Collect *collect = data;
    SchedRequest request = {sched_nodes_column(collect->nodes, resource), amount};
    g_array_append_val(collect->requests, request);
}

static void pod_take_requests(SchedPod *pod, const Core__V1__PodSpec *spec, SchedNodes *nodes)
{
    Collect collect = {nodes, g_array_new(FALSE, FALSE, sizeof(SchedRequest))};
    SchedRequest one = {SCHED_PODS, 1};
    g_array_append_val(collect.requests, one);
    sched_pod_requests(spec, collect_request, &collect);
    pod->n_requests = collect.requests->len;
    pod->requests = (SchedRequest *)(gpointer)g_array_free(collect.requests, FALSE);
    sched_pod_scored_requests(spec, &pod->scored_cpu, &pod->scored_memory);
}

static void pod_take_rules(SchedPod *pod, const Core__V1__PodSpec *spec)
{
    pod->n_selector = (guint)spec->n_nodeselector;
    pod->selector = g_new0(SchedLabel, pod->n_selector);
    for (guint i = 0; i < pod->n_selector; i++)
        pod->selector[i] = (SchedLabel){g_intern_string(spec->nodeselector[i]->key),
                                        g_intern_string(api_str(spec->nodeselector[i]->value))};
    pod->n_tolerations = (guint)spec->n_tolerations;
    pod->tolerations = g_new0(SchedToleration, pod->n_tolerations);
    for (guint i = 0; i < pod->n_tolerations; i++) {
        const Core__V1__Toleration *from = spec->tolerations[i];
        pod->tolerations[i] = (SchedToleration){
            .key = g_intern_string(api_str(from->key)),
            .value = g_intern_string(api_str(from->value)),
            .effect = g_intern_string(api_str(from->effect)),
            .exists = api_str_equal(from->operator_, "Exists"),
        };
    }
}

/* Interned pointers stand for their strings, so the key needs no escaping. */
static char *pod_class_key(const SchedPod *pod)
{
    GString *key = g_string_new(NULL);
    for (guint i = 0; i < pod->n_selector; i++)
        g_string_append_printf(key, "s%p%p", (const void *)pod->selector[i].key, (const void *)pod->selector[i].value);
    for (guint i = 0; i < pod->n_tolerations; i++) {
        const SchedToleration *t = &pod->tolerations[i];
        g_string_append_printf(key, "t%p%p%p%d", (const void *)t->key, (const void *)t->value, (const void *)t->effect, t->exists);
    }
    return g_string_free(key, FALSE);
}

SchedPod *sched_pod_new(const Core__V1__Pod *message, SchedNodes *nodes)
{
    static const Core__V1__PodSpec no_spec = CORE__V1__POD_SPEC__INIT;
    const Core__V1__PodSpec *spec = message->spec ? message->spec : &no_spec;
    SchedPod *pod = g_new0(SchedPod, 1);
    pod->key = api_object_key(&message->base);
    pod->uid = g_strdup(api_object_uid(&message->base));
    pod->priority = spec->has_priority ? spec->priority : 0;
    pod->created_ns = message->metadata ? api_time_ns(message->metadata->creationtimestamp) : 0;
    const Meta__V1__OwnerReference *owner = message->metadata ? api_controller_of(message->metadata) : NULL;
    pod->group = owner ? g_strdup(owner->uid) : NULL;
    pod_take_requests(pod, spec, nodes);
    pod_take_rules(pod, spec);
    pod->class_key = pod_class_key(pod);
    return pod;
}

void sched_pod_free(SchedPod *pod)
{
    if (!pod)
        return;
    g_free(pod->key);
    g_free(pod->uid);
    g_free(pod->requests);
    g_free(pod->selector);
    g_free(pod->tolerations);
    g_free(pod->group);
    g_free(pod->class_key);
    g_free(pod);
}

void sched_pod_count(const SchedPod *pod, SchedNodes *nodes, guint node, int sign)
{
    for (guint i = 0; i < pod->n_requests; i++)
        sched_column(nodes, pod->requests[i].column)->requested[node] += sign * pod->requests[i].amount;
    nodes->scored_cpu[node] += sign * pod->scored_cpu;
    nodes->scored_memory[node] += sign * pod->scored_memory;
}

gboolean sched_pod_tolerates(const SchedPod *pod, const SchedTaint *taint)
{
    for (guint i = 0; i < pod->n_tolerations; i++) {
        const SchedToleration *t = &pod->tolerations[i];
        if ((*t->effect && t->effect != taint->effect) || (*t->key && t->key != taint->key))
            continue;
        if (t->exists || (*t->key && t->value == taint->value))
            return TRUE;
    }
    return FALSE;
}
