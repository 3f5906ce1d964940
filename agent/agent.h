/* The node agent put together: client, runtime, node, pods, log service. Everything runs in the default GMainContext. */
#pragma once

#include "agent/config.h"

typedef struct Agent Agent;

/* rpc_init() must have been called. config is borrowed. Makes its folders, takes the lock on root_dir, then works from the
 * loop. Errors: what is wrong with the configuration or the machine, and what to do about it. */
Agent *agent_new(const AgentConfig *config, GError **error);
/* Ends it; containers go on and are taken up by the next agent. */
void agent_free(Agent *agent);
/* It ended itself, as another agent holds the node's name. */
gboolean agent_was_refused(const Agent *agent);
