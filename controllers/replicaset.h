/* The replicaset controller: keeps as many pods as the ReplicaSet asks for, and its status. */
#pragma once

#include "cleat/apps/v1/apps.pb-c.h"
#include "controllers/controller.h"
#include "controllers/pods.h"

extern const ControllerRow replicaset_controller;

typedef Apps__V1__ReplicaSet ReplicaSet;

/* The decision: candidates are all pods of the namespace that may concern rs. create_failure: why pods could not be
 * created last time, or NULL. */
void replicaset_plan(Plan *plan, const ReplicaSet *rs, const ProtobufCMessage *const *candidates, gsize n,
                     const char *create_failure);
