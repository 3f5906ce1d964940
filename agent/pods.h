/* All pods of the node: those of the API that are bound to it, those that the runtime runs with our label, and those of which
 * only folders or cgroups are left. Belongs to the agent's loop. */
#pragma once

#include "agent/pod.h"

typedef struct Pods Pods;

/* env is completed (changed, gone, data) and must outlive the pods. poked(data) runs when a container of any pod started or
 * ended. */
Pods *pods_new(PodEnv *env, void (*poked)(gpointer data), gpointer data);
/* Containers go on. */
void pods_free(Pods *pods);

/* Begins to follow the pods of the API: the node's name is ours. Until then nothing is started, stopped or removed. */
void pods_follow(Pods *pods);
/* Compares with what the runtime has, now; this is also done every 30 s. */
void pods_resync(Pods *pods);
/* The runtime told of a sandbox or container. */
void pods_runtime_changed(Pods *pods, const char *id, gboolean exited);
/* The runtime's readiness changed. */
void pods_wake_all(Pods *pods);

/* NULL if there is none; uid "" or NULL: any. Borrowed. */
Pod *pods_find(Pods *pods, const char *namespace_, const char *name, const char *uid);
