/* Amounts of resources as the scheduler counts them. */
#pragma once

#include <glib.h>

#include "cleat/core/v1/core.pb-c.h"

/* The layout that protobuf-c gives every map<string, Quantity> entry. */
typedef struct {
    ProtobufCMessage base;
    char *key;
    Meta__V1__Quantity *value;
} SchedQuantityEntry;

/* A quantity in the resource's unit (cpu: thousandths; others: ones), rounded up. */
gint64 sched_amount(const char *resource, const Meta__V1__Quantity *quantity);
/* The entry of that name in a map, 0 if absent. */
gint64 sched_amount_of(SchedQuantityEntry *const *entries, gsize n, const char *resource);

/* What a pod asks of a node: per resource the sum over its containers, or the largest init container if that is more.
 * callback is called once for each resource that is asked for with an amount > 0. */
void sched_pod_requests(const Core__V1__PodSpec *spec, void (*callback)(const char *resource, gint64 amount, gpointer data),
                        gpointer data);
/* The same for scoring: a container without a cpu or memory request counts 100m and 200 MB. */
void sched_pod_scored_requests(const Core__V1__PodSpec *spec, gint64 *ret_cpu_milli, gint64 *ret_memory);
