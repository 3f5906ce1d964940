#include "controllers/deployment.h"

#include "controllers/claim.h"
#include "controllers/pods.h"
#include "controllers/template.h"
#include "lib/api/labels.h"

#define ANNOTATION_REVISION_HISTORY "deployment.kubernetes.io/revision-history"
#define HISTORY_DEFAULT 10

/* --- what is there --- */

static gint64 spec_replicas(const ReplicaSet *rs)
{
    return rs->spec->has_replicas ? rs->spec->replicas : 1;
}

static int compare_age(gconstpointer a, gconstpointer b)
{
    const ReplicaSet *x = ((const RolloutSet *)a)->rs, *y = ((const RolloutSet *)b)->rs;
    gint64 created_x = api_time_ns(x->metadata->creationtimestamp),
           created_y = api_time_ns(y->metadata->creationtimestamp);
    if (created_x != created_y)
        return created_x < created_y ? -1 : 1;
    return g_strcmp0(x->metadata->name, y->metadata->name);
}

static void observe(RolloutSet *set, const ReplicaSet *rs)
{
    *set = (RolloutSet){.rs = rs, .replicas = spec_replicas(rs)};
    set->pods = MAX(set->replicas, rs->status ? rs->status->replicas : 0);
    set->available = MIN(set->replicas, rs->status ? rs->status->availablereplicas : 0);
    set->target = set->replicas;
}

void rollout_init(Rollout *rollout, const Deployment *deployment, const ReplicaSet *const *sets, gsize n)
{
    *rollout = (Rollout){.deployment = deployment};
    rollout->replicas = deployment->spec->has_replicas ? deployment->spec->replicas : 1;
    rollout_bounds(deployment, &rollout->max_surge, &rollout->max_unavailable);
    rollout->olds = g_array_new(FALSE, FALSE, sizeof(RolloutSet));
    for (gsize i = 0; i < n; i++) {
        RolloutSet set;
        observe(&set, sets[i]);
        g_array_append_val(rollout->olds, set);
    }
    g_array_sort(rollout->olds, compare_age);
    /* Of several with the current template the oldest is it: whoever looks comes to the same result. */
    for (guint i = 0; i < rollout->olds->len && !rollout->now; i++) {
        const RolloutSet *set = &g_array_index(rollout->olds, RolloutSet, i);
        if (!template_equal(set->rs->spec->template_, deployment->spec->template_))
            continue;
        rollout->now = g_memdup2(set, sizeof *set);
        g_array_remove_index(rollout->olds, i);
    }
}

void rollout_done(Rollout *rollout)
{
    g_array_unref(rollout->olds);
    g_free(rollout->now);
}

char *rollout_new_name(const Deployment *deployment, char **ret_hash)
{
    char *hash =
        template_hash(deployment->spec->template_, deployment->status ? deployment->status->collisioncount : 0);
    char *name = g_strconcat(deployment->metadata->name, "-", hash, NULL);
    if (ret_hash)
        *ret_hash = hash;
    else
        g_free(hash);
    return name;
}

/* --- revisions --- */

static gint64 revision_of(const Meta__V1__ObjectMeta *meta)
{
    const char *text = api_annotation(meta, API_ANNOTATION_DEPLOYMENT_REVISION);
    gint64 revision = 0;
    return text && g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &revision, NULL) ? revision : 0;
}

/* The newest roll-out has the highest number: a ReplicaSet that is rolled back to moves to the top again. */
static gint64 current_revision(const Rollout *rollout)
{
    gint64 highest = 0;
    for (guint i = 0; i < rollout->olds->len; i++)
        highest = MAX(highest, revision_of(g_array_index(rollout->olds, RolloutSet, i).rs->metadata));
    gint64 own = rollout->now ? revision_of(rollout->now->rs->metadata) : 0;
    return own > highest ? own : highest + 1;
}

static void set_number(Meta__V1__ObjectMeta *meta, const char *key, gint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    api_annotation_set(meta, key, text);
}

static void set_revision(Meta__V1__ObjectMeta *meta, gint64 revision)
{
    gint64 before = revision_of(meta);
    if (before == revision)
        return;
    if (before > 0) { /* what it was before it was rolled back to */
        const char *history = api_annotation(meta, ANNOTATION_REVISION_HISTORY);
        g_autofree char *longer = history && *history ? g_strdup_printf("%s,%" G_GINT64_FORMAT, history, before)
                                                      : g_strdup_printf("%" G_GINT64_FORMAT, before);
        api_annotation_set(meta, ANNOTATION_REVISION_HISTORY, longer);
    }
    set_number(meta, API_ANNOTATION_DEPLOYMENT_REVISION, revision);
}

/* The deployment's own annotations go to its ReplicaSet, for example the change cause, so that they come back with a
 * roll-back; not those that are about one object only. */
static void copy_annotations(Meta__V1__ObjectMeta *to, const Meta__V1__ObjectMeta *from)
{
    static const char *const own[] = {API_ANNOTATION_LAST_APPLIED, API_ANNOTATION_DEPLOYMENT_REVISION,
                                      ANNOTATION_REVISION_HISTORY, ANNOTATION_DESIRED_REPLICAS,
                                      ANNOTATION_MAX_REPLICAS,     NULL};
    for (gsize i = 0; i < from->n_annotations; i++)
        if (!g_strv_contains(own, from->annotations[i]->key))
            api_annotation_set(to, from->annotations[i]->key, from->annotations[i]->value);
}

/* --- writes --- */

static void set_replica_annotations(const Rollout *rollout, Meta__V1__ObjectMeta *meta)
{
    set_number(meta, ANNOTATION_DESIRED_REPLICAS, rollout->replicas);
    set_number(meta, ANNOTATION_MAX_REPLICAS, rollout->replicas + rollout->max_surge);
}

static ReplicaSet *new_set(const Rollout *rollout)
{
    const Deployment *deployment = rollout->deployment;
    g_autofree char *hash = NULL;
    ReplicaSet *rs = API_NEW(ReplicaSet, apps__v1__replica_set);
    Meta__V1__ObjectMeta *meta = rs->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    meta->name = rollout_new_name(deployment, &hash);
    meta->namespace_ = g_strdup(deployment->metadata->namespace_);
    api_append(meta->ownerreferences, meta->n_ownerreferences,
               api_owner_reference_new(API_DEPLOYMENT, &deployment->base));
    copy_annotations(meta, deployment->metadata);
    set_revision(meta, current_revision(rollout));
    set_replica_annotations(rollout, meta);

    rs->spec = API_NEW(Apps__V1__ReplicaSetSpec, apps__v1__replica_set_spec);
    api_set_scalar(rs->spec, replicas, rollout_initial_replicas(rollout));
    if (deployment->spec->minreadyseconds > 0)
        api_set_scalar(rs->spec, minreadyseconds, deployment->spec->minreadyseconds);
    rs->spec->template_ = (Core__V1__PodTemplateSpec *)API_CLONE(deployment->spec->template_);
    if (!rs->spec->template_->metadata)
        rs->spec->template_->metadata = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    const Meta__V1__ObjectMeta *labels = rs->spec->template_->metadata;
    api_label_set(rs->spec->template_->metadata, API_LABEL_POD_TEMPLATE_HASH, hash);
    for (gsize i = 0; i < labels->n_labels; i++)
        api_label_set(meta, labels->labels[i]->key, labels->labels[i]->value);
    rs->spec->selector = (Meta__V1__LabelSelector *)API_CLONE(deployment->spec->selector);
    api_map_set((ApiMapEntry ***)&rs->spec->selector->matchlabels, &rs->spec->selector->n_matchlabels,
                &meta__v1__label_selector__match_labels_entry__descriptor, API_LABEL_POD_TEMPLATE_HASH, hash);
    return rs;
}

/* Writes what has changed about a ReplicaSet: its size, and what it mirrors of its deployment. */
static void plan_set(Plan *plan, const Rollout *rollout, const RolloutSet *set)
{
    ReplicaSet *changed = (ReplicaSet *)API_CLONE(set->rs);
    if (set->target != set->replicas)
        api_set_scalar(changed->spec, replicas, set->target);
    if (set->target > 0)
        set_replica_annotations(rollout, changed->metadata);
    if (set == rollout->now) {
        copy_annotations(changed->metadata, rollout->deployment->metadata);
        set_revision(changed->metadata, current_revision(rollout));
        if (changed->spec->minreadyseconds != rollout->deployment->spec->minreadyseconds)
            api_set_scalar(changed->spec, minreadyseconds, rollout->deployment->spec->minreadyseconds);
    }
    if (API_EQUAL(changed, set->rs)) {
        API_FREE(changed);
        return;
    }
    PlanStep *step = plan_update(plan, changed);
    if (set->target != set->replicas)
        plan_step_event(
            step, "ScalingReplicaSet", "Scaled %s replica set %s from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
            set->target > set->replicas ? "up" : "down", set->rs->metadata->name, set->replicas, set->target);
}

static void plan_sets(Plan *plan, const Rollout *rollout)
{
    for (guint i = 0; i < rollout->olds->len; i++)
        plan_set(plan, rollout, &g_array_index(rollout->olds, RolloutSet, i));
    if (rollout->now)
        plan_set(plan, rollout, rollout->now);
}

/* A new ReplicaSet; or, if another one sits on its name, a new name, for which the collision count is part of the
 * hash. */
static void plan_new_set(Plan *plan, const Rollout *rollout, Apps__V1__DeploymentStatus *status)
{
    if (rollout->occupant) {
        api_set_scalar(status, collisioncount, status->collisioncount + 1);
        return;
    }
    ReplicaSet *rs = new_set(rollout);
    PlanStep *step = plan_create(plan, rs);
    plan_step_failure_event(step, "ReplicaSetCreateError");
    if (rs->spec->replicas > 0)
        plan_step_event(step, "ScalingReplicaSet", "Scaled up replica set %s from 0 to %d", rs->metadata->name,
                        rs->spec->replicas);
}

/* revisionHistoryLimit: of the old ReplicaSets without pods those with the lowest revisions go. */
static int compare_revision(gconstpointer a, gconstpointer b)
{
    gint64 x = revision_of((*(const ReplicaSet *const *)a)->metadata),
           y = revision_of((*(const ReplicaSet *const *)b)->metadata);
    return x < y ? -1 : x > y;
}

static void plan_cleanup(Plan *plan, const Rollout *rollout)
{
    const Apps__V1__DeploymentSpec *spec = rollout->deployment->spec;
    gint64 limit = spec->has_revisionhistorylimit ? spec->revisionhistorylimit : HISTORY_DEFAULT;
    g_autoptr(GPtrArray) idle = g_ptr_array_new();
    for (guint i = 0; i < rollout->olds->len; i++) {
        const RolloutSet *set = &g_array_index(rollout->olds, RolloutSet, i);
        if (set->pods == 0 && set->target == 0 && !set->rs->metadata->deletiontimestamp)
            g_ptr_array_add(idle, (gpointer)set->rs);
    }
    g_ptr_array_sort(idle, compare_revision);
    for (gint64 i = 0; i < (gint64)idle->len - limit; i++)
        plan_delete(plan, idle->pdata[i]);
}

/* --- the decision --- */

/* FALSE while some ReplicaSet's status does not yet tell about its present spec. */
static gboolean is_settled(const Rollout *rollout)
{
    for (guint i = 0; i <= rollout->olds->len; i++) {
        const RolloutSet *set = i < rollout->olds->len ? &g_array_index(rollout->olds, RolloutSet, i) : rollout->now;
        if (set && (set->rs->status ? set->rs->status->observedgeneration : 0) < set->rs->metadata->generation)
            return FALSE;
    }
    return TRUE;
}

/* Recreate: all old pods end before the first new one begins. */
static void plan_recreate(Plan *plan, Rollout *rollout, Apps__V1__DeploymentStatus *status)
{
    gboolean old_replicas = rollout->old_pods_run;
    for (guint i = 0; i < rollout->olds->len; i++) {
        RolloutSet *set = &g_array_index(rollout->olds, RolloutSet, i);
        old_replicas |= set->pods > 0;
        set->target = 0;
    }
    if (old_replicas)
        return;
    if (rollout->now)
        rollout->now->target = rollout->replicas;
    else
        plan_new_set(plan, rollout, status);
}

/* The next step of the roll-out. */
static void plan_step(Plan *plan, Rollout *rollout, Apps__V1__DeploymentStatus *status)
{
    const Apps__V1__DeploymentStrategy *strategy = rollout->deployment->spec->strategy;
    if (rollout_needs_scaling(rollout) || (rollout->deployment->spec->paused && is_settled(rollout)))
        rollout_scale(rollout);
    else if (rollout->deployment->spec->paused || !is_settled(rollout))
        return;
    else if (strategy && api_str_equal(strategy->type, "Recreate"))
        plan_recreate(plan, rollout, status);
    else if (!rollout->now)
        plan_new_set(plan, rollout, status);
    else
        rollout_roll(rollout);
}

void deployment_plan(Plan *plan, Rollout *rollout)
{
    const Deployment *deployment = rollout->deployment;
    plan_set_subject(plan, deployment);
    Apps__V1__DeploymentStatus *status = rollout_status(rollout, plan);
    gboolean lives = !deployment->metadata->deletiontimestamp;
    if (lives) {
        plan_step(plan, rollout, status);
        plan_sets(plan, rollout);
        plan_cleanup(plan, rollout);
    }
    /* The revision is metadata, which UpdateStatus does not write. It goes first: two writes of one object in one
     * plan would conflict, and this one wakes us for the other. */
    gint64 revision = rollout->now ? current_revision(rollout) : 0;
    if (lives && revision > 0 && revision_of(deployment->metadata) != revision) {
        API_FREE(status);
        Deployment *changed = (Deployment *)API_CLONE(deployment);
        set_number(changed->metadata, API_ANNOTATION_DEPLOYMENT_REVISION, revision);
        plan_update(plan, changed);
        return;
    }
    if (API_EQUAL(status, deployment->status)) {
        API_FREE(status);
        return;
    }
    Deployment *changed = (Deployment *)API_CLONE(deployment);
    api_set(changed->status, status);
    plan_update_status(plan, changed);
}

/* --- wiring --- */

static const Meta__V1__LabelSelector *selector_of(const ProtobufCMessage *owner)
{
    const Deployment *deployment = (const Deployment *)owner;
    return deployment->spec ? deployment->spec->selector : NULL;
}

static void wake_replicaset(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    claim_wake(controller, API_DEPLOYMENT, selector_of, old, now);
}

/* Recreate waits for the end of pods, which no ReplicaSet's status tells. */
static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    if (!old || (now && !pod_is_finished((const Pod *)now)))
        return;
    const Meta__V1__OwnerReference *owner = api_controller_of(api_meta_peek(old));
    if (!owner || !api_str_equal(owner->kind, API_REPLICA_SET->kind))
        return;
    g_autofree char *key = g_strconcat(api_object_namespace(old), "/", owner->name, NULL);
    const ProtobufCMessage *rs = controller_get(controller, API_REPLICA_SET, key);
    if (rs)
        controller_wake_owner(controller, API_DEPLOYMENT, NULL, rs);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    claim_start(controller, API_REPLICA_SET);
    controller_index(controller, API_POD, client_index_controller_uid);
}

static gboolean old_pods_run(Controller *controller, const Rollout *rollout)
{
    for (guint i = 0; i < rollout->olds->len; i++) {
        const ReplicaSet *rs = g_array_index(rollout->olds, RolloutSet, i).rs;
        g_autoptr(GPtrArray) pods =
            controller_by_index(controller, API_POD, client_index_controller_uid, rs->metadata->uid);
        for (guint j = 0; j < pods->len; j++)
            if (!pod_is_finished(pods->pdata[j]))
                return TRUE;
    }
    return FALSE;
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    const Deployment *deployment = controller_get(controller, API_DEPLOYMENT, key);
    if (!deployment || !deployment->spec || !deployment->spec->template_)
        return;
    g_autoptr(ApiSelector) selector = api_selector_from_message(deployment->spec->selector, NULL);
    if (!selector || api_selector_is_everything(selector))
        return; /* validation refuses these */
    g_autoptr(GPtrArray) all = claim_candidates(controller, API_REPLICA_SET, deployment);
    g_autoptr(GPtrArray) sets =
        claim(plan, API_DEPLOYMENT, deployment, selector, (const ProtobufCMessage *const *)all->pdata, all->len);
    if (!sets)
        return;
    Rollout rollout;
    rollout_init(&rollout, deployment, (const ReplicaSet *const *)sets->pdata, sets->len);
    g_autofree char *name = rollout_new_name(deployment, NULL);
    g_autofree char *new_key = g_strconcat(deployment->metadata->namespace_, "/", name, NULL);
    PlanVerb verb;
    const GError *failure = controller_failure(controller, key, &verb);
    rollout.occupant = rollout.now ? NULL : controller_get(controller, API_REPLICA_SET, new_key);
    rollout.create_failure = failure && verb == PLAN_CREATE ? failure->message : NULL;
    rollout.old_pods_run = old_pods_run(controller, &rollout);
    deployment_plan(plan, &rollout);
    rollout_done(&rollout);
}

static const ControllerWake wakes[] = {
    {API_INDEX_DEPLOYMENT, controller_wake_self},
    {API_INDEX_REPLICA_SET, wake_replicaset},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow deployment_controller = {
    .name = "deployment",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
