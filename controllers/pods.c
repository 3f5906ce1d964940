#include "controllers/pods.h"

#include "lib/base/time.h"

#define ANNOTATION_DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

const Core__V1__PodCondition *pod_condition(const Pod *pod, const char *type)
{
    for (gsize i = 0; pod->status && i < pod->status->n_conditions; i++)
        if (api_str_equal(pod->status->conditions[i]->type, type))
            return pod->status->conditions[i];
    return NULL;
}

gboolean pod_is_ready(const Pod *pod)
{
    const Core__V1__PodCondition *ready = pod_condition(pod, "Ready");
    return ready && api_str_equal(ready->status, "True");
}

gboolean pod_is_available(const Pod *pod, gint64 min_ready_s, gint64 now_ns, gint64 *ret_when_ns)
{
    if (ret_when_ns)
        *ret_when_ns = 0;
    if (!pod_is_ready(pod))
        return FALSE;
    if (min_ready_s <= 0)
        return TRUE;
    gint64 when = api_time_ns(pod_condition(pod, "Ready")->lasttransitiontime) + min_ready_s * TIME_NS_PER_S;
    if (when <= now_ns)
        return TRUE;
    if (ret_when_ns)
        *ret_when_ns = when;
    return FALSE;
}

gboolean pod_has_phase(const Pod *pod, const char *phase)
{
    return pod->status && api_str_equal(pod->status->phase, phase);
}

gboolean pod_is_finished(const Pod *pod)
{
    return pod_has_phase(pod, "Succeeded") || pod_has_phase(pod, "Failed");
}

gboolean pod_is_terminating(const Pod *pod)
{
    return pod->metadata && pod->metadata->deletiontimestamp;
}

gboolean pod_is_active(const Pod *pod)
{
    return !pod_is_finished(pod) && !pod_is_terminating(pod);
}

const char *pod_node_name(const Pod *pod)
{
    return pod->spec ? api_str(pod->spec->nodename) : "";
}

gint32 pod_restarts(const Pod *pod)
{
    gint32 restarts = 0;
    for (gsize i = 0; pod->status && i < pod->status->n_containerstatuses; i++)
        restarts += pod->status->containerstatuses[i]->restartcount;
    for (gsize i = 0; pod->status && i < pod->status->n_initcontainerstatuses; i++)
        restarts += pod->status->initcontainerstatuses[i]->restartcount;
    return restarts;
}

gint64 pod_finish_time(const Pod *pod, gint64 otherwise)
{
    gint64 last = 0;
    for (gsize i = 0; pod->status && i < pod->status->n_containerstatuses; i++) {
        const Core__V1__ContainerState *state = pod->status->containerstatuses[i]->state;
        if (state && state->terminated)
            last = MAX(last, api_time_ns(state->terminated->finishedat));
    }
    if (last == 0 && pod_is_terminating(pod))
        last = api_time_ns(pod->metadata->deletiontimestamp);
    return last ? last : otherwise;
}

Pod *pod_from_template(const Core__V1__PodTemplateSpec *template_, const ApiResource *owner_resource,
                       gconstpointer owner)
{
    Pod *pod = API_NEW(Pod, core__v1__pod);
    pod->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    const Meta__V1__ObjectMeta *from = template_ ? template_->metadata : NULL;
    for (gsize i = 0; from && i < from->n_labels; i++)
        api_label_set(pod->metadata, from->labels[i]->key, from->labels[i]->value);
    for (gsize i = 0; from && i < from->n_annotations; i++)
        api_annotation_set(pod->metadata, from->annotations[i]->key, from->annotations[i]->value);
    for (gsize i = 0; from && i < from->n_finalizers; i++)
        api_append(pod->metadata->finalizers, pod->metadata->n_finalizers, g_strdup(from->finalizers[i]));
    api_set_string(&pod->metadata->namespace_, api_object_namespace(owner));
    pod->metadata->generatename = g_strconcat(api_object_name(owner), "-", NULL);
    api_append(pod->metadata->ownerreferences, pod->metadata->n_ownerreferences,
               api_owner_reference_new(owner_resource, owner));
    if (template_ && template_->spec)
        pod->spec = API_CLONE(template_->spec);
    return pod;
}

/* --- which pod to delete --- */

/* A pod with what it is compared by, computed once. Smaller values go first. */
typedef struct {
    const Pod *pod;
    gint64 rank[8];
} Ranked;

static gint64 phase_rank(const Pod *pod)
{
    if (pod_has_phase(pod, "Running"))
        return 2;
    return pod_has_phase(pod, "Unknown") ? 1 : 0;
}

static gint64 deletion_cost(const Pod *pod)
{
    const char *text = pod->metadata ? api_annotation(pod->metadata, ANNOTATION_DELETION_COST) : NULL;
    gint64 cost = 0;
    return text && g_ascii_string_to_signed(text, 10, G_MININT32, G_MAXINT32, &cost, NULL) ? cost : 0;
}

static void rank(Ranked *ranked, const Pod *pod, guint on_same_node)
{
    gboolean ready = pod_is_ready(pod);
    ranked->pod = pod;
    ranked->rank[0] = *pod_node_name(pod) ? 1 : 0;
    ranked->rank[1] = phase_rank(pod);
    ranked->rank[2] = ready;
    ranked->rank[3] = deletion_cost(pod);
    ranked->rank[4] = -(gint64)on_same_node;
    ranked->rank[5] = ready ? -api_time_ns(pod_condition(pod, "Ready")->lasttransitiontime) : 0;
    ranked->rank[6] = -pod_restarts(pod);
    ranked->rank[7] = pod->metadata ? -api_time_ns(pod->metadata->creationtimestamp) : 0;
}

static int compare_ranked(gconstpointer a, gconstpointer b)
{
    const Ranked *x = a, *y = b;
    for (guint i = 0; i < G_N_ELEMENTS(x->rank); i++)
        if (x->rank[i] != y->rank[i])
            return x->rank[i] < y->rank[i] ? -1 : 1;
    return g_strcmp0(api_object_name(&x->pod->base), api_object_name(&y->pod->base));
}

void pods_sort_for_deletion(const Pod **pods, gsize n)
{
    g_autoptr(GHashTable) per_node = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < n; i++) {
        gpointer key = (gpointer)pod_node_name(pods[i]);
        guint count = GPOINTER_TO_UINT(g_hash_table_lookup(per_node, key));
        g_hash_table_insert(per_node, key, GUINT_TO_POINTER(count + 1));
    }
    g_autofree Ranked *ranked = g_new(Ranked, n);
    for (gsize i = 0; i < n; i++)
        rank(&ranked[i], pods[i], GPOINTER_TO_UINT(g_hash_table_lookup(per_node, pod_node_name(pods[i]))));
    if (n > 1)
        qsort(ranked, n, sizeof *ranked, compare_ranked);
    for (gsize i = 0; i < n; i++)
        pods[i] = ranked[i].pod;
}

char *pod_index_node(const ProtobufCMessage *object)
{
    const char *node = pod_node_name((const Pod *)object);
    return *node ? g_strdup(node) : NULL;
}
