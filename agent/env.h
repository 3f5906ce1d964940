/* The environment of a container: service variables, envFrom, env with its references, expansion. Pure: what it reads
 * besides the pod is handed in. */
#pragma once

#include "agent/field-ref.h"
#include "lib/api/resource.h"

/* Names with values; each name once, in the order of first mention. */
typedef struct {
    GPtrArray *names;  /* char*, owned */
    GPtrArray *values; /* char*, owned, same order */
    GHashTable *index; /* name (borrowed from names) -> position + 1 */
} EnvVars;

EnvVars *env_vars_new(void);
void env_vars_free(EnvVars *vars);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EnvVars, env_vars_free)
void env_vars_set(EnvVars *vars, const char *name, const char *value);
const char *env_vars_get(const EnvVars *vars, const char *name); /* NULL if absent; borrowed */
/* The same as an ExpandLookup; data is the EnvVars. */
const char *env_vars_lookup(const char *name, gpointer vars);

typedef struct {
    const Core__V1__Pod *pod;
    const Core__V1__Container *container;
    const FieldFacts *facts;
    const ProtobufCMessage *const *services; /* of the pod's namespace; may be NULL */
    gsize n_services;
    /* A ConfigMap or Secret of the pod's namespace; NULL: there is none. Borrowed. */
    const ProtobufCMessage *(*object)(const ApiResource *resource, const char *name, gpointer data);
    gpointer data;
} EnvInput;

/* Builds the environment. Keys of envFrom that cannot be names are left out and appended to <skipped> (char*; may be NULL).
 * Errors: NOT_FOUND for a ConfigMap, a Secret or a key that is missing and not optional; INVALID for a bad field reference.
 * The messages are Kubernetes' own. */
EnvVars *env_build(const EnvInput *input, GPtrArray *skipped, GError **error);

/* Calls each(resource, name) for every ConfigMap and Secret that the container's environment refers to. */
void env_references(const Core__V1__Container *container,
                    void (*each)(const ApiResource *resource, const char *name, gpointer data), gpointer data);
