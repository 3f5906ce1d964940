/* The deployment controller: rolls ReplicaSets out and back, within the bounds of the strategy, and reports how it
 *
 * goes.
 * deployment.c decides and is wired up; deployment-scale.c computes numbers of replicas; deployment-status.c
 * computes status and conditions. */
#pragma once

#include "cleat/apps/v1/apps.pb-c.h"
#include "controllers/controller.h"

extern const ControllerRow deployment_controller;

typedef Apps__V1__Deployment Deployment;
typedef Apps__V1__ReplicaSet ReplicaSet;

/* A ReplicaSet of the deployment with what was observed, and what is decided. */
typedef struct {
    const ReplicaSet *rs;
    gint64 replicas;  /* spec.replicas as it is */
    gint64 pods;      /* pods that exist or will without a further write: at least <replicas> */
    gint64 available; /* pods that are available and will not be deleted without a further write: at most <replicas> */
    gint64 target;    /* spec.replicas as it should be; begins as <replicas> */
} RolloutSet;

/* What a reconcile looks at, and the deployment's bounds in numbers. */
typedef struct {
    const Deployment *deployment;
    gint64 replicas, max_surge, max_unavailable; /* resolved: not both bounds are 0 unless replicas is */
    GArray *olds;                                /* RolloutSet, oldest first */
    RolloutSet *now;                             /* of the current template; NULL: not there yet */
    const ReplicaSet
        *occupant;         /* has the name that the new ReplicaSet would get and is not it; NULL: the name is free */
    gboolean old_pods_run; /* some pod of an old ReplicaSet has not ended yet */
    const char *create_failure; /* why the new ReplicaSet could not be created last time; NULL: it could */
} Rollout;

/* sets[0..n): the ReplicaSets that belong to the deployment. They stay borrowed. */
void rollout_init(Rollout *rollout, const Deployment *deployment, const ReplicaSet *const *sets, gsize n);
void rollout_done(Rollout *rollout);
/* The name of a new ReplicaSet for the current template. New string; *ret_hash (may be NULL) as well. */
char *rollout_new_name(const Deployment *deployment, char **ret_hash);

/* The decision. */
void deployment_plan(Plan *plan, Rollout *rollout);

/* --- deployment-scale.c --- */

#define ANNOTATION_DESIRED_REPLICAS "deployment.kubernetes.io/desired-replicas"
#define ANNOTATION_MAX_REPLICAS "deployment.kubernetes.io/max-replicas"

/* maxSurge and maxUnavailable in pods, as Kubernetes resolves them. */
void rollout_bounds(const Deployment *deployment, gint64 *ret_surge, gint64 *ret_unavailable);
/* How many replicas a ReplicaSet made now begins with. */
gint64 rollout_initial_replicas(const Rollout *rollout);
/* The next step of a rolling update. TRUE if some target changed. */
gboolean rollout_roll(Rollout *rollout);
/* The deployment's replicas were changed: spreads the change over the ReplicaSets that have pods. */
void rollout_scale(Rollout *rollout);
/* TRUE if some ReplicaSet with replicas was last told another number than spec.replicas. */
gboolean rollout_needs_scaling(const Rollout *rollout);

/* --- deployment-status.c --- */

/* A new status from what was observed, conditions included; may ask the plan for a reconcile at the progress
 * deadline. */
Apps__V1__DeploymentStatus *rollout_status(const Rollout *rollout, Plan *plan);
