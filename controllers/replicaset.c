#include "controllers/replicaset.h"

#include "controllers/claim.h"
#include "lib/base/time.h"

#define BURST_MAX 500 /* pods created or deleted by one plan */

/* --- status --- */

static Apps__V1__ReplicaSetCondition *failure_condition_new(const ReplicaSet *rs, const char *message, gint64 now_ns)
{
    Apps__V1__ReplicaSetCondition *condition = API_NEW(Apps__V1__ReplicaSetCondition, apps__v1__replica_set_condition);
    condition->type = g_strdup("ReplicaFailure");
    condition->status = g_strdup("True");
    condition->reason = g_strdup("FailedCreate");
    condition->message = g_strdup(message);
    gint64 since = now_ns;
    for (gsize i = 0; rs->status && i < rs->status->n_conditions; i++)
        if (api_str_equal(rs->status->conditions[i]->type, "ReplicaFailure"))
            since = api_time_ns(rs->status->conditions[i]->lasttransitiontime);
    condition->lasttransitiontime = api_time_new(since);
    return condition;
}

static gboolean has_labels_of(const Pod *pod, const Core__V1__PodTemplateSpec *template_)
{
    const Meta__V1__ObjectMeta *meta = template_ ? template_->metadata : NULL;
    for (gsize i = 0; meta && i < meta->n_labels; i++) {
        const char *value = api_label(pod->metadata, meta->labels[i]->key);
        if (!value || !api_str_equal(value, meta->labels[i]->value))
            return FALSE;
    }
    return TRUE;
}

static Apps__V1__ReplicaSetStatus *status_new(Plan *plan, const ReplicaSet *rs, GPtrArray *pods,
                                              const char *create_failure)
{
    gint32 active = 0, labeled = 0, ready = 0, available = 0, terminating = 0;
    for (guint i = 0; i < pods->len; i++) {
        const Pod *pod = g_ptr_array_index(pods, i);
        if (pod_is_terminating(pod) && !pod_is_finished(pod))
            terminating++;
        if (!pod_is_active(pod))
            continue;
        gint64 when;
        active++;
        labeled += has_labels_of(pod, rs->spec->template_);
        ready += pod_is_ready(pod);
        available += pod_is_available(pod, rs->spec->minreadyseconds, plan->now_ns, &when);
        if (when > 0)
            plan_at(plan, when);
    }
    Apps__V1__ReplicaSetStatus *status = API_NEW(Apps__V1__ReplicaSetStatus, apps__v1__replica_set_status);
    api_set_scalar(status, replicas, active);
    api_set_scalar(status, fullylabeledreplicas, labeled);
    api_set_scalar(status, readyreplicas, ready);
    api_set_scalar(status, availablereplicas, available);
    api_set_scalar(status, terminatingreplicas, terminating);
    api_set_scalar(status, observedgeneration, rs->metadata->generation);
    if (create_failure)
        api_append(status->conditions, status->n_conditions, failure_condition_new(rs, create_failure, plan->now_ns));
    return status;
}

static void plan_status(Plan *plan, const ReplicaSet *rs, GPtrArray *pods, const char *create_failure)
{
    Apps__V1__ReplicaSetStatus *status = status_new(plan, rs, pods, create_failure);
    if (API_EQUAL(status, rs->status)) {
        API_FREE(status);
        return;
    }
    ReplicaSet *changed = (ReplicaSet *)API_CLONE(rs);
    api_set(changed->status, status);
    plan_update_status(plan, changed);
}

/* --- pods --- */

static void plan_creates(Plan *plan, const ReplicaSet *rs, guint n)
{
    g_autoptr(GPtrArray) pods = g_ptr_array_new();
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(pods, pod_from_template(rs->spec->template_, API_REPLICA_SET, rs));
    plan_create_slowly(plan, pods, "SuccessfulCreate", "Created pod: ", "FailedCreate");
}

static void plan_deletes(Plan *plan, GPtrArray *active, guint n)
{
    pods_sort_for_deletion((const Pod **)active->pdata, active->len);
    for (guint i = 0; i < n; i++) {
        PlanStep *step = plan_delete(plan, g_ptr_array_index(active, i));
        plan_step_event(step, "SuccessfulDelete", "Deleted pod: ");
        plan_step_failure_event(step, "FailedDelete");
    }
}

/* Status and pods are written side by side: the status says what was observed, not what will be. */
void replicaset_plan(Plan *plan, const ReplicaSet *rs, const ProtobufCMessage *const *candidates, gsize n,
                     const char *create_failure)
{
    g_autoptr(ApiSelector) selector = api_selector_from_message(rs->spec->selector, NULL);
    if (!selector || api_selector_is_everything(selector))
        return; /* validation refuses these; claiming every pod of the namespace would be worse than doing nothing */
    g_autoptr(GPtrArray) pods = claim(plan, API_REPLICA_SET, rs, selector, candidates, n);
    if (!pods)
        return;
    plan_set_subject(plan, rs);
    plan_status(plan, rs, pods, create_failure);
    if (rs->metadata->deletiontimestamp)
        return;
    g_autoptr(GPtrArray) active = g_ptr_array_new();
    for (guint i = 0; i < pods->len; i++)
        if (pod_is_active(g_ptr_array_index(pods, i)))
            g_ptr_array_add(active, g_ptr_array_index(pods, i));
    gint64 wanted = rs->spec->has_replicas ? rs->spec->replicas : 1;
    gint64 missing = CLAMP(wanted - active->len, -BURST_MAX, BURST_MAX);
    if (missing > 0)
        plan_creates(plan, rs, missing);
    else if (missing < 0)
        plan_deletes(plan, active, -missing);
}

/* --- wiring --- */

static const Meta__V1__LabelSelector *selector_of(const ProtobufCMessage *owner)
{
    const ReplicaSet *rs = (const ReplicaSet *)owner;
    return rs->spec ? rs->spec->selector : NULL;
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    claim_wake(controller, API_REPLICA_SET, selector_of, old, now);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    claim_start(controller, API_POD);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const ReplicaSet *rs = controller_get(controller, API_REPLICA_SET, key);
    if (!rs || !rs->spec)
        return;
    g_autoptr(GPtrArray) pods = claim_candidates(controller, API_POD, rs);
    PlanVerb verb;
    const GError *failure = controller_failure(controller, key, &verb);
    replicaset_plan(plan, rs, (const ProtobufCMessage *const *)pods->pdata, pods->len,
                    failure && verb == PLAN_CREATE ? failure->message : NULL);
}

static const ControllerWake wakes[] = {
    {API_INDEX_REPLICA_SET, controller_wake_self},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow replicaset_controller = {
    .name = "replicaset",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
