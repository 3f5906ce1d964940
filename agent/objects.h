/* ConfigMaps, Secrets and Services that pods of this node refer to, each followed by a watch for as long as a pod holds it.
 * Belongs to the agent's loop. */
#pragma once

#include "client/cache.h"

typedef struct Objects Objects;
typedef struct ObjectsHold ObjectsHold;

Objects *objects_new(Client *client);
/* Holds go first. */
void objects_free(Objects *objects);

/* What one pod refers to. changed(data) runs when any of it came, changed or went, and when it was read for the first time;
 * from the loop, never from inside a call here. */
ObjectsHold *objects_hold_new(Objects *objects, void (*changed)(gpointer data), gpointer data);
void objects_hold_free(ObjectsHold *hold);
/* Adds an object, or with name NULL all of the namespace; again is harmless. */
void objects_hold_add(ObjectsHold *hold, const ApiResource *resource, const char *namespace_, const char *name);
/* Whether everything held has been read once. */
gboolean objects_hold_is_synced(const ObjectsHold *hold);

/* An object that some hold has; NULL if there is none. Borrowed until it changes. */
const ProtobufCMessage *objects_get(Objects *objects, const ApiResource *resource, const char *namespace_,
                                    const char *name);
/* All of a namespace that some hold has. New array of borrowed objects. */
GPtrArray *objects_list(Objects *objects, const ApiResource *resource, const char *namespace_);
