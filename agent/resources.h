/* What containers ask for, as the kernel takes it: quality of service, cpu shares and quota, memory, OOM scores. Pure. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "foreign/cri/runtime.pb-c.h"
#include "lib/api/quantity.h"

typedef enum { QOS_GUARANTEED, QOS_BURSTABLE, QOS_BEST_EFFORT, QOS_MAX_ } QosClass;

QosClass qos_of(const Core__V1__PodSpec *spec);
/* "Guaranteed", "Burstable", "BestEffort": status.qosClass. Static. */
const char *qos_name(QosClass qos);

/* A limit or a request of a container by the resource's name. FALSE if it has none. */
gboolean resources_limit(const Core__V1__ResourceRequirements *resources, const char *name, ApiQuantity *ret);
gboolean resources_request(const Core__V1__ResourceRequirements *resources, const char *name, ApiQuantity *ret);

#define RESOURCES_CPU_PERIOD_US 100000
#define RESOURCES_MIN_SHARES 2

/* cpu.shares for a request: 1024 per core, at least 2. */
gint64 resources_shares(gint64 milli_cpu);
/* cpu.cfs_quota_us for a limit in a period of 100 ms: at least 1 ms; 0 for no limit. */
gint64 resources_quota(gint64 milli_cpu);
/* The v2 weight (1..10000) that equals cpu.shares. */
guint64 resources_weight(gint64 shares);
/* oom_score_adj of a container: -997 guaranteed, 1000 best effort, between 3 and 999 by its share of the node's memory. */
gint64 resources_oom_score(QosClass qos, const Core__V1__Container *container, gint64 node_memory);

/* A container's share of it for the runtime. New message. */
Runtime__V1__LinuxContainerResources *resources_for_container(QosClass qos, const Core__V1__Container *container,
                                                              gint64 node_memory);

/* Limits of a whole pod: sums of its containers, or what its largest init container needs; a limit that one container
 * lacks is none for the pod. */
typedef struct {
    gint64 shares;
    gint64 quota_us; /* 0: none */
    gint64 memory;   /* bytes; 0: none */
} PodLimits;
void resources_for_pod(const Core__V1__PodSpec *spec, PodLimits *ret_limits);
