/* The scheduler: watches pods and nodes, places pods with the engine, binds them in batches. One GMainContext owns it all. */
#pragma once

#include "client/client.h"

typedef struct Scheduler Scheduler;

/* name: which spec.schedulerName is served. Fills its caches at once, but places pods only once activated. */
Scheduler *scheduler_new(Client *client, const char *name);
void scheduler_free(Scheduler *scheduler);
/* Begins to place pods: only the leader does. */
void scheduler_activate(Scheduler *scheduler);
