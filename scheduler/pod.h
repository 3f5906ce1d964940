/* A pod as the scheduler sees it: interned and reduced to what filters and scores ask. */
#pragma once

#include "scheduler/nodes.h"

typedef struct {
    guint column; /* of SchedNodes */
    gint64 amount;
} SchedRequest;

typedef struct {
    const char *key;      /* interned; "" tolerates every key */
    const char *value;    /* interned; ignored when exists */
    const char *effect;   /* interned; "" tolerates every effect */
    gboolean exists;      /* operator Exists */
} SchedToleration;

typedef struct {
    char *key;  /* "namespace/name" */
    char *uid;
    gint32 priority;
    gint64 created_ns;
    guint attempts; /* so far, counted by the queue */
    SchedRequest *requests; /* the pods column is always among them */
    guint n_requests;
    gint64 scored_cpu, scored_memory;
    SchedLabel *selector; /* nodeSelector */
    guint n_selector;
    SchedToleration *tolerations;
    guint n_tolerations;
    char *group;     /* uid of the controller, whose pods are spread; NULL: none */
    char *class_key; /* pods with equal keys pass the same filters that look at a node's facts only */
} SchedPod;

/* Columns for unknown resources are added to <nodes>. */
SchedPod *sched_pod_new(const Core__V1__Pod *pod, SchedNodes *nodes);
void sched_pod_free(SchedPod *pod);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SchedPod, sched_pod_free)

/* Counts the pod on a node (sign +1) or takes it off again (-1). */
void sched_pod_count(const SchedPod *pod, SchedNodes *nodes, guint node, int sign);

gboolean sched_pod_tolerates(const SchedPod *pod, const SchedTaint *taint);
