#include "controllers/node.h"

#include "lib/base/time.h"

static gboolean tolerates(const Core__V1__Toleration *toleration, const Core__V1__Taint *taint)
{
    const char *key = api_str(toleration->key), *operator_ = api_str(toleration->operator_);
    if (*api_str(toleration->effect) && !api_str_equal(toleration->effect, taint->effect))
        return FALSE;
    if (*key && !api_str_equal(key, taint->key))
        return FALSE;
    if (g_str_equal(operator_, "Exists"))
        return TRUE;
    return *key && api_str_equal(toleration->value, taint->value);
}

/* Of the tolerations that match a taint the shortest counts; one without a limit is no limit. */
static gint64 taint_time(const Core__V1__Taint *taint, const Pod *pod, gint64 now_ns)
{
    gint64 seconds = -1;
    gboolean tolerated = FALSE;
    for (gsize i = 0; i < pod->spec->n_tolerations; i++) {
        const Core__V1__Toleration *toleration = pod->spec->tolerations[i];
        if (!tolerates(toleration, taint))
            continue;
        tolerated = TRUE;
        if (toleration->has_tolerationseconds && (seconds < 0 || toleration->tolerationseconds < seconds))
            seconds = MAX(toleration->tolerationseconds, 0);
    }
    if (!tolerated)
        return 0;
    if (seconds < 0)
        return G_MAXINT64;
    gint64 added = taint->timeadded ? api_time_ns(taint->timeadded) : now_ns;
    return added + MIN(seconds, 1000000000) * TIME_NS_PER_S;
}

gint64 node_evict_time(const Core__V1__Taint *const *taints, gsize n, const Pod *pod, gint64 now_ns)
{
    gint64 earliest = G_MAXINT64;
    for (gsize i = 0; i < n; i++)
        if (api_str_equal(taints[i]->effect, "NoExecute"))
            earliest = MIN(earliest, taint_time(taints[i], pod, now_ns));
    return earliest;
}

void node_evict_plan(Plan *plan, const Node *node, const Pod *const *pods, gsize n)
{
    if (!node->spec || node->spec->n_taints == 0)
        return;
    for (gsize i = 0; i < n; i++) {
        if (!pods[i]->spec || !pod_is_active(pods[i]))
            continue;
        gint64 when = node_evict_time((const Core__V1__Taint *const *)node->spec->taints, node->spec->n_taints, pods[i],
                                      plan->now_ns);
        if (when <= plan->now_ns)
            plan_delete(plan, pods[i]);
        else if (when < G_MAXINT64)
            plan_at(plan, when);
    }
}

/* --- wiring --- */

static gboolean has_no_execute(const Node *node)
{
    for (gsize i = 0; node && node->spec && i < node->spec->n_taints; i++)
        if (api_str_equal(node->spec->taints[i]->effect, "NoExecute"))
            return TRUE;
    return FALSE;
}

static void wake_node(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    if (has_no_execute((const Node *)now))
        controller_wake_self(controller, old, now);
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    (void)old;
    const char *node = now ? pod_node_name((const Pod *)now) : "";
    if (*node && has_no_execute(controller_get(controller, API_NODE, node)))
        controller_add(controller, node);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    controller_index(controller, API_POD, pod_index_node);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const Node *node = controller_get(controller, API_NODE, key);
    if (!node)
        return;
    g_autoptr(GPtrArray) pods = controller_by_index(controller, API_POD, pod_index_node, key);
    node_evict_plan(plan, node, (const Pod *const *)pods->pdata, pods->len);
    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        g_autofree char *pod_key = g_strconcat(step->namespace_, "/", step->name, NULL);
        client_event(controller_events(controller), controller_get(controller, API_POD, pod_key), "Normal",
                     "TaintManagerEviction", "Marking for deletion Pod %s", pod_key);
    }
}

static const ControllerWake wakes[] = {
    {API_INDEX_NODE, wake_node},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow node_evict_controller = {
    .name = "node-evict",
    .concurrency = 8,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
