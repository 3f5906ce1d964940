/* fieldRef and resourceFieldRef: facts of a pod and its containers as text. Pure. */
#pragma once

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/quantity.h"

/* What a pod's containers may ask that is not in its object. All borrowed. */
typedef struct {
    const char *pod_ip;         /* NULL: none yet */
    const char *const *pod_ips; /* NULL-terminated; may be NULL */
    const char *host_ip;
    ApiQuantity node_cpu; /* the node's allocatable: what a container without a limit is told */
    ApiQuantity node_memory;
    ApiQuantity node_ephemeral_storage;
} FieldFacts;

/* The value of "metadata.name", "metadata.labels['x']", "status.podIP", ... A label or annotation that is not there is "".
 * New string. Errors: INVALID naming the path when there is no such field. */
char *field_ref_value(const Core__V1__Pod *pod, const char *path, const FieldFacts *facts, GError **error);

/* The value of a resourceFieldRef in <container>, or in the container it names, divided and rounded up. New string.
 * Errors: INVALID for an unknown container or resource. */
char *resource_field_ref_value(const Core__V1__Pod *pod, const Core__V1__Container *container,
                               const Core__V1__ResourceFieldSelector *selector, const FieldFacts *facts,
                               GError **error);
