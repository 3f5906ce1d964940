/* Serves the logs of containers to the API servers: cleat.node.v1.NodeAgent/Logs, with mutual TLS, for the group
 * system:masters only. Belongs to the agent's loop. */
#pragma once

#include "agent/pods.h"
#include "lib/rpc/server.h"

typedef struct LogService LogService;

/* Starts serving on config->listen. Errors: UNAVAILABLE naming the address, those of reading the certificates. */
LogService *log_service_new(const AgentConfig *config, Pods *pods, GMainContext *context, GError **error);
void log_service_free(LogService *service);
/* A container of some pod started or ended: those who follow its log are to look. */
void log_service_poke(LogService *service);
