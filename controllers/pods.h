/* What controllers ask about pods. Pure functions; objects are borrowed. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/object.h"

typedef Core__V1__Pod Pod;

const Core__V1__PodCondition *pod_condition(const Pod *pod, const char *type); /* NULL if absent; borrowed */
gboolean pod_is_ready(const Pod *pod);
/* Ready for at least min_ready_s seconds. Otherwise, if it will be without any further change, *ret_when_ns (may be
 * NULL) says when; else 0. */
gboolean pod_is_available(const Pod *pod, gint64 min_ready_s, gint64 now_ns, gint64 *ret_when_ns);
gboolean pod_is_finished(const Pod *pod); /* phase Succeeded or Failed */
gboolean pod_is_terminating(const Pod *pod);
gboolean pod_is_active(const Pod *pod); /* neither finished nor terminating */
gboolean pod_has_phase(const Pod *pod, const char *phase);
const char *pod_node_name(const Pod *pod); /* "" if it has none */
gint32 pod_restarts(const Pod *pod);       /* of all containers together */
/* When the last container ended; else when it began to be deleted; else <otherwise>. */
gint64 pod_finish_time(const Pod *pod, gint64 otherwise);

/* A new pod as <template> says, named after and controlled by <owner>. */
Pod *pod_from_template(const Core__V1__PodTemplateSpec *template_, const ApiResource *owner_resource,
                       gconstpointer owner);

/* Sorts pods[0..n) so that those come first whose deletion hurts least: unassigned, then pending, not ready, cheap
 * by the annotation controller.kubernetes.io/pod-deletion-cost, sharing their node with many of the others, ready
 * for a short time, often restarted, young. */
void pods_sort_for_deletion(const Pod **pods, gsize n);

/* An index value for ClientCache: the name of the node a pod is bound to. */
char *pod_index_node(const ProtobufCMessage *object);
