/* Decisions of the node controller. */
#include "controllers/node.h"

#include "lib/api/labels.h"

#define PARTIAL_PERCENT 55
#define SMALL_CLUSTER 50 /* nodes; below, a partial disruption stops evictions altogether */

/* --- how many at once --- */

NodeZoneState node_zone_state(guint nodes, guint ready)
{
    guint lost = nodes - ready;
    if (nodes > 0 && ready == 0)
        return NODE_ZONE_FULL;
    return lost > 2 && lost * 100 >= nodes * PARTIAL_PERCENT ? NODE_ZONE_PARTIAL : NODE_ZONE_NORMAL;
}

double node_zone_rate(NodeZoneState state, guint nodes, double rate)
{
    if (state != NODE_ZONE_PARTIAL)
        return rate;
    return nodes > SMALL_CLUSTER ? rate / 10 : 0;
}

gboolean node_bucket_take(NodeBucket *bucket, double rate, gint64 now_us, gint64 *ret_wait_us)
{
    double seconds = (double)(now_us - bucket->filled_us) / G_USEC_PER_SEC;
    bucket->tokens = bucket->filled_us == 0 ? 1 : MIN(bucket->tokens + seconds * rate, 1);
    bucket->filled_us = now_us;
    if (rate <= 0) {
        *ret_wait_us = G_MAXINT64;
        return FALSE;
    }
    if (bucket->tokens >= 1) {
        bucket->tokens -= 1;
        return TRUE;
    }
    *ret_wait_us = (gint64)((1 - bucket->tokens) / rate * G_USEC_PER_SEC) + 1;
    return FALSE;
}

/* --- conditions --- */

const Core__V1__NodeCondition *node_condition(const Node *node, const char *type)
{
    for (gsize i = 0; node->status && i < node->status->n_conditions; i++)
        if (api_str_equal(node->status->conditions[i]->type, type))
            return node->status->conditions[i];
    return NULL;
}

const char *node_ready(const Node *node)
{
    const Core__V1__NodeCondition *ready = node_condition(node, "Ready");
    return ready ? api_str(ready->status) : "";
}

/* What only the agent can know is unknown now. TRUE if that was news. */
static gboolean make_unknown(Node *node, const char *type, gint64 now_ns)
{
    Core__V1__NodeCondition *condition = (Core__V1__NodeCondition *)node_condition(node, type);
    if (condition && api_str_equal(condition->status, "Unknown"))
        return FALSE;
    gboolean never = !condition;
    if (never) {
        condition = API_NEW(Core__V1__NodeCondition, core__v1__node_condition);
        condition->type = g_strdup(type);
        api_append(node->status->conditions, node->status->n_conditions, condition);
    }
    api_set_string(&condition->status, "Unknown");
    api_set_string(&condition->reason, never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown");
    api_set_string(&condition->message, never ? "The node's agent never posted node status."
                                              : "The node's agent stopped posting node status.");
    api_set(condition->lasttransitiontime, api_time_new(now_ns));
    return TRUE;
}

static gboolean plan_unknown(Plan *plan, const Node *node)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    Node *changed = (Node *)API_CLONE(node);
    if (!changed->status)
        changed->status = API_NEW(Core__V1__NodeStatus, core__v1__node_status);
    gboolean news = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        news |= make_unknown(changed, types[i], plan->now_ns);
    if (!news) {
        API_FREE(changed);
        return FALSE;
    }
    PlanStep *step = plan_update_status(plan, changed);
    plan_step_event(step, "NodeNotReady", "Node %s status is now: NodeNotReady", node->metadata->name);
    return TRUE;
}

/* --- taints --- */

static gboolean condition_is(const Node *node, const char *type, const char *status)
{
    const Core__V1__NodeCondition *condition = node_condition(node, type);
    return condition && api_str_equal(condition->status, status);
}

static Core__V1__Taint *find_taint(const Node *node, const char *key, const char *effect)
{
    for (gsize i = 0; node->spec && i < node->spec->n_taints; i++)
        if (api_str_equal(node->spec->taints[i]->key, key) && api_str_equal(node->spec->taints[i]->effect, effect))
            return node->spec->taints[i];
    return NULL;
}

static void set_taint(Node *node, const char *key, const char *effect, gboolean wanted, gint64 added_ns)
{
    Core__V1__Taint *taint = find_taint(node, key, effect);
    if (wanted && !taint) {
        taint = API_NEW(Core__V1__Taint, core__v1__taint);
        taint->key = g_strdup(key);
        taint->effect = g_strdup(effect);
        taint->timeadded = api_time_new(added_ns);
        api_append(node->spec->taints, node->spec->n_taints, taint);
    } else if (!wanted && taint) {
        gsize kept = 0;
        for (gsize i = 0; i < node->spec->n_taints; i++)
            if (node->spec->taints[i] != taint)
                node->spec->taints[kept++] = node->spec->taints[i];
        node->spec->n_taints = kept;
        API_FREE(taint);
        if (kept == 0)
            g_clear_pointer(&node->spec->taints, g_free);
    }
}

/* Conditions that keep new pods away, each by a taint of the same name. */
static void set_pressure_taints(Node *node, gint64 now_ns)
{
    static const struct {
        const char *condition, *key;
    } rows[] = {
        {"MemoryPressure", "node.kubernetes.io/memory-pressure"},
        {"DiskPressure", "node.kubernetes.io/disk-pressure"},
        {"PIDPressure", "node.kubernetes.io/pid-pressure"},
        {"NetworkUnavailable", "node.kubernetes.io/network-unavailable"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        set_taint(node, rows[i].key, "NoSchedule", condition_is(node, rows[i].condition, "True"), now_ns);
    set_taint(node, API_TAINT_UNSCHEDULABLE, "NoSchedule", node->spec->unschedulable, now_ns);
}

static const Core__V1__Taint *eviction_taint(const Node *node)
{
    const Core__V1__Taint *taint = find_taint(node, API_TAINT_UNREACHABLE, "NoExecute");
    return taint ? taint : find_taint(node, API_TAINT_NOT_READY, "NoExecute");
}

gboolean node_wants_eviction(const Node *node)
{
    const char *ready = node_ready(node);
    return (g_str_equal(ready, "False") || g_str_equal(ready, "Unknown")) && !eviction_taint(node);
}

/* Lost (Unknown) and not ready (False) have a taint each, in two strengths. When one follows the other, pods' time
 * on the node goes on running. */
static void set_ready_taints(Node *node, NodeSituation situation, gint64 now_ns)
{
    const char *ready = node_ready(node);
    gboolean lost = g_str_equal(ready, "Unknown"), not_ready = !lost && !g_str_equal(ready, "True");
    const Core__V1__Taint *before = eviction_taint(node);
    gint64 since = before && before->timeadded ? api_time_ns(before->timeadded) : now_ns;
    gboolean evict = *ready && !situation.evict_none && (before || situation.may_evict);
    set_taint(node, API_TAINT_UNREACHABLE, "NoSchedule", lost, now_ns);
    set_taint(node, API_TAINT_NOT_READY, "NoSchedule", not_ready, now_ns);
    set_taint(node, API_TAINT_UNREACHABLE, "NoExecute", lost && evict, since);
    set_taint(node, API_TAINT_NOT_READY, "NoExecute", not_ready && evict, since);
}

static void plan_taints(Plan *plan, const Node *node, NodeSituation situation)
{
    Node *changed = (Node *)API_CLONE(node);
    if (!changed->spec)
        changed->spec = API_NEW(Core__V1__NodeSpec, core__v1__node_spec);
    set_ready_taints(changed, situation, plan->now_ns);
    set_pressure_taints(changed, plan->now_ns);
    for (gsize i = 0; i < changed->spec->n_taints; i++) {
        Core__V1__Taint *taint = changed->spec->taints[i];
        if (api_str_equal(taint->effect, "NoExecute") &&
            !taint->timeadded) /* a user's: tolerationSeconds run from here */
            taint->timeadded = api_time_new(plan->now_ns);
    }
    const Core__V1__NodeSpec empty = CORE__V1__NODE_SPEC__INIT;
    if (api_message_equal(&changed->spec->base, node->spec ? &node->spec->base : &empty.base))
        API_FREE(changed);
    else
        plan_update(plan, changed);
}

/* --- pods --- */

/* Nobody answers for the pods of a lost node: services must not send anything there. The agent says otherwise if it
 * returns. */
static void plan_pod_not_ready(Plan *plan, const Pod *pod)
{
    if (!pod_is_ready(pod))
        return;
    Pod *changed = (Pod *)API_CLONE(pod);
    Core__V1__PodCondition *ready = (Core__V1__PodCondition *)pod_condition(changed, "Ready");
    api_set_string(&ready->status, "False");
    api_set_string(&ready->reason, "NodeNotReady");
    api_set_string(&ready->message, "The node's agent stopped posting status.");
    api_set(ready->lasttransitiontime, api_time_new(plan->now_ns));
    plan_update_status(plan, changed);
}

void node_plan(Plan *plan, const Node *node, const Pod *const *pods, gsize n, NodeSituation situation)
{
    plan_set_subject(plan, node);
    /* The status first and alone; writing it wakes us for what follows from it. */
    if (situation.silent && plan_unknown(plan, node))
        return;
    plan_taints(plan, node, situation);
    if (g_str_equal(node_ready(node), "Unknown"))
        for (gsize i = 0; i < n; i++)
            plan_pod_not_ready(plan, pods[i]);
}
