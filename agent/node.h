/* This machine's Node and its Lease: registers, renews, keeps the status true. Belongs to the agent's loop.
 *
 * The Lease (kube-node-lease/<node>) decides who holds the name: its holder is this agent's instance id, kept in the agent's
 * folder. A name whose lease another instance renewed lately is taken: the agent refuses it and touches nothing. */
#pragma once

#include "agent/config.h"
#include "agent/node-facts.h"
#include "agent/runtime.h"
#include "cleat/coordination/v1/coordination.pb-c.h"
#include "client/client.h"

typedef struct Node Node;

typedef struct {
    Client *client;
    const AgentConfig *config;
    const NodeFacts *facts;
    const char *instance;
    void (*registered)(gpointer data);               /* once: the name is ours and the Node exists */
    void (*refused)(const char *why, gpointer data); /* the name is taken, now or later: the agent must end */
    gpointer data;
} NodeOptions;

/* options are copied, what they point to is borrowed. Errors of the API are tried again for ever. */
Node *node_new(const NodeOptions *options);
void node_free(Node *node);
/* The runtime changed: name, version, readiness. Borrowed. */
void node_set_runtime(Node *node, const Runtime *runtime);

/* Whether a lease keeps <instance> out: another one holds it and renewed it less than its duration ago. Pure. */
gboolean node_lease_is_taken(const Coordination__V1__LeaseSpec *spec, const char *instance, gint64 now_ns);
