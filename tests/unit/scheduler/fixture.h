/* Nodes and pods for the scheduler's tests, from YAML. */
#pragma once

#include "lib/api/codec.h"
#include "scheduler/engine.h"

/* Decodes one object of the type; a mistake in the text ends the test. */
static inline ProtobufCMessage *fixture_decode(const ProtobufCMessageDescriptor *type, const char *yaml)
{
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *message = api_decode(type, yaml, strlen(yaml), "test", &error);
    g_assert_no_error(error);
    return message;
}

static inline void fixture_node(SchedEngine *engine, const char *name, const char *spec, const char *allocatable, const char *labels)
{
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: '%s', labels: {%s}}, spec: {%s}, status: {allocatable: {%s}}}", name,
                                            labels, spec, allocatable);
    API_AUTO(Core__V1__Node) node = (Core__V1__Node *)fixture_decode(&core__v1__node__descriptor, yaml);
    sched_nodes_put(sched_engine_nodes(engine), node, NULL);
}

/* owner "" for none. */
static inline SchedPod *fixture_pod(SchedEngine *engine, const char *name, const char *spec, const char *owner)
{
    g_autofree char *owners = *owner ? g_strdup_printf("[{controller: true, uid: %s, kind: ReplicaSet, name: r, apiVersion: apps/v1}]", owner)
                                     : g_strdup("[]");
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: '%s', namespace: default, uid: uid-%s, ownerReferences: %s}, spec: {%s}}",
                                            name, name, owners, spec);
    API_AUTO(Core__V1__Pod) pod = (Core__V1__Pod *)fixture_decode(&core__v1__pod__descriptor, yaml);
    return sched_pod_new(pod, sched_engine_nodes(engine));
}
