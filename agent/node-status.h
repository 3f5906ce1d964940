/* The Node object of this machine. Pure. */
#pragma once

#include "agent/config.h"
#include "agent/node-facts.h"
#include "agent/runtime.h"
#include "cleat/core/v1/core.pb-c.h"

typedef struct {
    const AgentConfig *config;
    const NodeFacts *facts;
    RuntimeReadiness readiness;
    const char *runtime_name;
    const char *runtime_version;
    gint64 now_ns;
} NodeInput;

/* Sets the labels that describe the machine. TRUE if any was missing or different. */
gboolean node_set_labels(Core__V1__Node *node, const NodeInput *input);

/* The status from scratch; conditions and other parts of others in <old> (may be NULL) are kept. New message. */
Core__V1__NodeStatus *node_status_new(const NodeInput *input, const Core__V1__NodeStatus *old);

/* Equal but for heartbeat times. */
gboolean node_status_same(const Core__V1__NodeStatus *a, const Core__V1__NodeStatus *b);
