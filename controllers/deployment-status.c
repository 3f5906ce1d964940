#include "controllers/deployment.h"

#include "lib/base/time.h"

typedef Apps__V1__DeploymentCondition Condition;

static const Condition *find_condition(const Apps__V1__DeploymentStatus *status, const char *type)
{
    for (gsize i = 0; status && i < status->n_conditions; i++)
        if (api_str_equal(status->conditions[i]->type, type))
            return status->conditions[i];
    return NULL;
}

static void remove_condition(Apps__V1__DeploymentStatus *status, const char *type)
{
    gsize kept = 0;
    for (gsize i = 0; i < status->n_conditions; i++) {
        if (api_str_equal(status->conditions[i]->type, type))
            API_FREE(status->conditions[i]);
        else
            status->conditions[kept++] = status->conditions[i];
    }
    status->n_conditions = kept;
    if (kept == 0)
        g_clear_pointer(&status->conditions, g_free);
}

/* Sets or replaces a condition. With the status and reason it has already, nothing changes unless <again>, which
 * stands for new progress: then lastUpdateTime does. */
static void set_condition(Apps__V1__DeploymentStatus *status, const char *type, const char *value, const char *reason,
                          char *message, gboolean again, gint64 now_ns)
{
    g_autofree char *text = message;
    const Condition *before = find_condition(status, type);
    gboolean same_status = before && api_str_equal(before->status, value);
    if (same_status && api_str_equal(before->reason, reason) && !again)
        return;
    gint64 transition = same_status ? api_time_ns(before->lasttransitiontime) : now_ns;
    remove_condition(status, type);
    Condition *condition = API_NEW(Condition, apps__v1__deployment_condition);
    condition->type = g_strdup(type);
    condition->status = g_strdup(value);
    condition->reason = g_strdup(reason);
    condition->message = g_steal_pointer(&text);
    condition->lastupdatetime = api_time_new(now_ns);
    condition->lasttransitiontime = api_time_new(transition);
    api_append(status->conditions, status->n_conditions, condition);
}

/* --- counts --- */

static void count(Apps__V1__DeploymentStatus *status, const ReplicaSet *rs, gint64 *wanted)
{
    *wanted += rs->spec->has_replicas ? rs->spec->replicas : 1;
    if (!rs->status)
        return;
    status->replicas += rs->status->replicas;
    status->readyreplicas += rs->status->readyreplicas;
    status->availablereplicas += rs->status->availablereplicas;
    status->terminatingreplicas += rs->status->terminatingreplicas;
}

/* Conditions and the collision count are carried over. */
static Apps__V1__DeploymentStatus *counts_new(const Rollout *rollout)
{
    const Deployment *deployment = rollout->deployment;
    Apps__V1__DeploymentStatus *status = (Apps__V1__DeploymentStatus *)API_CLONE(deployment->status);
    if (!status)
        status = API_NEW(Apps__V1__DeploymentStatus, apps__v1__deployment_status);
    api_set_scalar(status, replicas, 0);
    api_set_scalar(status, readyreplicas, 0);
    api_set_scalar(status, availablereplicas, 0);
    api_set_scalar(status, terminatingreplicas, 0);
    gint64 wanted = 0;
    for (guint i = 0; i < rollout->olds->len; i++)
        count(status, g_array_index(rollout->olds, RolloutSet, i).rs, &wanted);
    if (rollout->now)
        count(status, rollout->now->rs, &wanted);
    const ReplicaSet *now = rollout->now ? rollout->now->rs : NULL;
    api_set_scalar(status, updatedreplicas, now && now->status ? now->status->replicas : 0);
    api_set_scalar(status, unavailablereplicas, MAX(wanted - status->availablereplicas, 0));
    api_set_scalar(status, observedgeneration, deployment->metadata->generation);
    return status;
}

/* --- conditions --- */

static gboolean is_complete(const Rollout *rollout, const Apps__V1__DeploymentStatus *status)
{
    return status->updatedreplicas == rollout->replicas && status->replicas == rollout->replicas &&
           status->availablereplicas == rollout->replicas;
}

static gboolean has_progressed(const Apps__V1__DeploymentStatus *before, const Apps__V1__DeploymentStatus *now)
{
    if (!before)
        return now->updatedreplicas > 0;
    return now->updatedreplicas > before->updatedreplicas ||
           now->replicas - now->updatedreplicas < before->replicas - before->updatedreplicas ||
           now->readyreplicas > before->readyreplicas || now->availablereplicas > before->availablereplicas;
}

static gboolean deadline_ns(const Deployment *deployment, gint64 *ret_ns)
{
    if (!deployment->spec->has_progressdeadlineseconds || deployment->spec->progressdeadlineseconds == G_MAXINT32)
        return FALSE;
    *ret_ns = deployment->spec->progressdeadlineseconds * TIME_NS_PER_S;
    return TRUE;
}

static char *subject(const Rollout *rollout)
{
    if (rollout->now)
        return g_strdup_printf("ReplicaSet \"%s\"", rollout->now->rs->metadata->name);
    return g_strdup_printf("Deployment \"%s\"", rollout->deployment->metadata->name);
}

/* The deadline runs from the last progress; it stands still while there is none to be expected. */
static void check_deadline(const Rollout *rollout, Apps__V1__DeploymentStatus *status, Plan *plan)
{
    static const char *const resting[] = {"NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused",
                                          NULL};
    const Condition *progressing = find_condition(status, "Progressing");
    gint64 limit;
    if (!progressing || !deadline_ns(rollout->deployment, &limit) || rollout->deployment->spec->paused ||
        g_strv_contains(resting, api_str(progressing->reason)))
        return;
    gint64 end = api_time_ns(progressing->lastupdatetime) + limit;
    if (end > plan->now_ns) {
        plan_at(plan, end);
        return;
    }
    g_autofree char *who = subject(rollout);
    set_condition(status, "Progressing", "False", "ProgressDeadlineExceeded",
                  g_strdup_printf("%s has timed out progressing.", who), FALSE, plan->now_ns);
}

static void set_progressing(const Rollout *rollout, Apps__V1__DeploymentStatus *status, Plan *plan)
{
    const Deployment *deployment = rollout->deployment;
    const Condition *before = find_condition(status, "Progressing");
    const char *reason = before ? api_str(before->reason) : "";
    gboolean timed_out = g_str_equal(reason, "ProgressDeadlineExceeded");
    gint64 now = plan->now_ns;
    if (deployment->spec->paused || g_str_equal(reason, "DeploymentPaused")) {
        if (deployment->spec->paused && !timed_out)
            set_condition(status, "Progressing", "Unknown", "DeploymentPaused", g_strdup("Deployment is paused"), FALSE,
                          now);
        else if (!deployment->spec->paused)
            set_condition(status, "Progressing", "Unknown", "DeploymentResumed", g_strdup("Deployment is resumed"),
                          FALSE, now);
        return;
    }
    if (rollout->create_failure && !rollout->now) {
        set_condition(status, "Progressing", "False", "ReplicaSetCreateError", g_strdup(rollout->create_failure), FALSE,
                      now);
        return;
    }
    g_autofree char *who = subject(rollout);
    gboolean resting = g_str_equal(reason, "NewReplicaSetAvailable");
    if (rollout->now && is_complete(rollout, status))
        set_condition(status, "Progressing", "True", "NewReplicaSetAvailable",
                      g_strdup_printf("%s has successfully progressed.", who), FALSE, now);
    else if (resting && rollout->now && status->replicas == status->updatedreplicas)
        return; /* rolled out already: pods that come and go later, or scaling, are no roll-out */
    else if (!rollout->now || !before || resting)
        set_condition(status, "Progressing", "True", "ReplicaSetUpdated", g_strdup_printf("%s is progressing.", who),
                      FALSE, now); /* a roll-out begins: the deadline runs from here */
    else if (has_progressed(deployment->status, status))
        set_condition(status, "Progressing", "True", "ReplicaSetUpdated", g_strdup_printf("%s is progressing.", who),
                      TRUE, now);
    check_deadline(rollout, status, plan);
}

static void set_available(const Rollout *rollout, Apps__V1__DeploymentStatus *status, gint64 now)
{
    if (status->availablereplicas >= rollout->replicas - rollout->max_unavailable)
        set_condition(status, "Available", "True", "MinimumReplicasAvailable",
                      g_strdup("Deployment has minimum availability."), FALSE, now);
    else
        set_condition(status, "Available", "False", "MinimumReplicasUnavailable",
                      g_strdup("Deployment does not have minimum availability."), FALSE, now);
}

static const Apps__V1__ReplicaSetCondition *replica_failure(const RolloutSet *set)
{
    const Apps__V1__ReplicaSetStatus *status = set ? set->rs->status : NULL;
    for (gsize i = 0; status && i < status->n_conditions; i++)
        if (api_str_equal(status->conditions[i]->type, "ReplicaFailure") &&
            api_str_equal(status->conditions[i]->status, "True"))
            return status->conditions[i];
    return NULL;
}

static void set_replica_failure(const Rollout *rollout, Apps__V1__DeploymentStatus *status, gint64 now)
{
    const Apps__V1__ReplicaSetCondition *failure = replica_failure(rollout->now);
    for (guint i = 0; i < rollout->olds->len && !failure; i++)
        failure = replica_failure(&g_array_index(rollout->olds, RolloutSet, i));
    if (failure)
        set_condition(status, "ReplicaFailure", "True", api_str(failure->reason), g_strdup(failure->message), FALSE,
                      now);
    else
        remove_condition(status, "ReplicaFailure");
}

Apps__V1__DeploymentStatus *rollout_status(const Rollout *rollout, Plan *plan)
{
    Apps__V1__DeploymentStatus *status = counts_new(rollout);
    set_available(rollout, status, plan->now_ns);
    set_progressing(rollout, status, plan);
    set_replica_failure(rollout, status, plan->now_ns);
    return status;
}
