/* Numbers of replicas.
 *
 * The bounds of a rolling update hold at every moment for pods that are not being deleted, because both sides are
 * counted pessimistically: RolloutSet.pods counts what an old spec may still be holding, RolloutSet.available what
 * the spec will leave. deployment.c moves on only when every ReplicaSet's status reflects its spec
 * (observedGeneration). */
#include "controllers/deployment.h"

static gint64 annotation_number(const ReplicaSet *rs, const char *key, gint64 otherwise)
{
    const char *text = api_annotation(rs->metadata, key);
    gint64 value;
    return text && g_ascii_string_to_signed(text, 10, 0, G_MAXINT32, &value, NULL) ? value : otherwise;
}

static gint64 scaled(const Meta__V1__IntOrString *value, gint64 total, gboolean round_up)
{
    gint64 result = 0;
    return value && api_int_or_string_scaled(value, total, round_up, &result) ? MAX(result, 0) : 0;
}

void rollout_bounds(const Deployment *deployment, gint64 *ret_surge, gint64 *ret_unavailable)
{
    const Apps__V1__DeploymentStrategy *strategy = deployment->spec->strategy;
    gint64 replicas = deployment->spec->has_replicas ? deployment->spec->replicas : 1;
    gint64 surge = 0, unavailable = 0;
    if (strategy && api_str_equal(strategy->type, "Recreate")) {
        unavailable = replicas;
    } else if (strategy && strategy->rollingupdate) {
        surge = scaled(strategy->rollingupdate->maxsurge, replicas, TRUE);
        unavailable = scaled(strategy->rollingupdate->maxunavailable, replicas, FALSE);
        /* Percentages of few replicas may both round to nothing, which would never move. */
        if (surge == 0 && unavailable == 0)
            unavailable = 1;
    } else { /* both at their default of 25 % */
        surge = (replicas + 3) / 4;
        unavailable = replicas / 4;
    }
    *ret_surge = surge;
    *ret_unavailable = MIN(unavailable, replicas);
}

static RolloutSet *old(const Rollout *rollout, guint i)
{
    return &g_array_index(rollout->olds, RolloutSet, i);
}

gint64 rollout_initial_replicas(const Rollout *rollout)
{
    const Apps__V1__DeploymentStrategy *strategy = rollout->deployment->spec->strategy;
    if (strategy && api_str_equal(strategy->type, "Recreate"))
        return rollout->replicas;
    gint64 pods = rollout->now ? rollout->now->pods : 0;
    for (guint i = 0; i < rollout->olds->len; i++)
        pods += old(rollout, i)->pods;
    gint64 have = rollout->now ? rollout->now->replicas : 0;
    gint64 room = MAX(rollout->replicas + rollout->max_surge - pods, 0);
    return have + MAX(MIN(room, rollout->replicas - have), 0);
}

/* Takes replicas from the old ReplicaSets, oldest first: to begin with those that are not available, which costs
 * nothing, then available ones as long as enough remain in all. The first part is bounded too, as they may yet
 * become available: no fewer pods are kept than must be available. If that bound is reached, no available ones are
 * left over for the second. */
static gboolean roll_down(Rollout *rollout)
{
    gint64 min_available = rollout->replicas - rollout->max_unavailable;
    gint64 available = MIN(rollout->now->available, rollout->now->target);
    gint64 budget = available - min_available;
    for (guint i = 0; i < rollout->olds->len; i++) {
        available += old(rollout, i)->available;
        budget += old(rollout, i)->replicas;
    }
    gint64 surplus = available - min_available;
    gboolean changed = FALSE;
    for (guint i = 0; i < rollout->olds->len && budget > 0; i++) {
        gint64 n = MIN(budget, old(rollout, i)->target - old(rollout, i)->available);
        old(rollout, i)->target -= n;
        budget -= n;
        changed |= n > 0;
    }
    for (guint i = 0; i < rollout->olds->len && surplus > 0; i++) {
        gint64 n = MIN(surplus, old(rollout, i)->target);
        old(rollout, i)->target -= n;
        surplus -= n;
        changed |= n > 0;
    }
    return changed;
}

gboolean rollout_roll(Rollout *rollout)
{
    RolloutSet *now = rollout->now;
    gint64 target = now->replicas > rollout->replicas ? rollout->replicas : rollout_initial_replicas(rollout);
    gboolean changed = target != now->target;
    now->target = target;
    return roll_down(rollout) || changed;
}

/* --- proportional scaling --- */

gboolean rollout_needs_scaling(const Rollout *rollout)
{
    gint64 replicas = rollout->replicas;
    if (rollout->now && rollout->now->replicas > 0 &&
        annotation_number(rollout->now->rs, ANNOTATION_DESIRED_REPLICAS, replicas) != replicas)
        return TRUE;
    for (guint i = 0; i < rollout->olds->len; i++)
        if (old(rollout, i)->replicas > 0 &&
            annotation_number(old(rollout, i)->rs, ANNOTATION_DESIRED_REPLICAS, replicas) != replicas)
            return TRUE;
    return FALSE;
}

/* The only ReplicaSet with replicas or, when none has any, the newest; NULL when several have. */
static RolloutSet *single_active(const Rollout *rollout)
{
    RolloutSet *found = rollout->now && rollout->now->replicas > 0 ? rollout->now : NULL;
    for (guint i = 0; i < rollout->olds->len; i++) {
        if (old(rollout, i)->replicas == 0)
            continue;
        if (found)
            return NULL;
        found = old(rollout, i);
    }
    if (found || rollout->now)
        return found ? found : rollout->now;
    return rollout->olds->len > 0 ? old(rollout, rollout->olds->len - 1) : NULL;
}

/* What a ReplicaSet's share of <to_add> is, by its size among the replicas there were when it was last told a
 * number. */
static gint64 share(const Rollout *rollout, const RolloutSet *set, gint64 to_add, gint64 added)
{
    if (set->replicas == 0 || to_add == 0 || to_add == added)
        return 0;
    gint64 fraction = -set->replicas;
    if (rollout->replicas > 0) {
        gint64 then = annotation_number(set->rs, ANNOTATION_MAX_REPLICAS, 0);
        if (then <= 0)
            then = rollout->deployment->status && rollout->deployment->status->replicas > 0
                       ? rollout->deployment->status->replicas
                       : rollout->replicas;
        gint64 product = set->replicas * (rollout->replicas + rollout->max_surge);
        fraction = (2 * product + then) / (2 * then) - set->replicas; /* rounded to the nearest */
    }
    return to_add > 0 ? MIN(fraction, to_add - added) : MAX(fraction, to_add - added);
}

/* Largest first; among equals, who grows is the newest and who shrinks is the oldest. */
static void sort_by_size(GPtrArray *sets, gboolean newest_first)
{
    for (guint i = 1; i < sets->len; i++) { /* few; stable on the order of creation */
        RolloutSet *set = sets->pdata[i];
        guint j = i;
        for (; j > 0; j--) {
            const RolloutSet *before = sets->pdata[j - 1];
            if (before->replicas > set->replicas || (before->replicas == set->replicas && !newest_first))
                break;
            sets->pdata[j] = sets->pdata[j - 1];
        }
        sets->pdata[j] = set;
    }
}

static void scale_proportionally(Rollout *rollout)
{
    g_autoptr(GPtrArray) sets = g_ptr_array_new();
    gint64 total = 0;
    for (guint i = 0; i < rollout->olds->len; i++)
        g_ptr_array_add(sets, old(rollout, i));
    if (rollout->now)
        g_ptr_array_add(sets, rollout->now);
    for (guint i = 0; i < sets->len; i++)
        total += ((RolloutSet *)sets->pdata[i])->replicas;
    gint64 allowed = rollout->replicas > 0 ? rollout->replicas + rollout->max_surge : 0;
    gint64 to_add = allowed - total, added = 0;
    sort_by_size(sets, to_add > 0);
    for (guint i = 0; i < sets->len; i++) {
        RolloutSet *set = sets->pdata[i];
        gint64 n = share(rollout, set, to_add, added);
        set->target = MAX(set->replicas + n, 0);
        added += n;
    }
    if (sets->len > 0 && to_add != added) {
        RolloutSet *largest = sets->pdata[0];
        largest->target = MAX(largest->target + to_add - added, 0);
    }
}

void rollout_scale(Rollout *rollout)
{
    RolloutSet *single = single_active(rollout);
    if (single) {
        single->target = rollout->replicas;
        return;
    }
    const RolloutSet *now = rollout->now;
    if (now && now->replicas == rollout->replicas && now->available == rollout->replicas) {
        for (guint i = 0; i < rollout->olds->len; i++)
            old(rollout, i)->target = 0;
        return;
    }
    const Apps__V1__DeploymentStrategy *strategy = rollout->deployment->spec->strategy;
    if (!strategy || !api_str_equal(strategy->type, "Recreate"))
        scale_proportionally(rollout);
}
