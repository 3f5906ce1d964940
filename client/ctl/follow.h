/* A list and then its changes, for as long as it takes: the base of "get -w", "wait", "delete" and "rollout status". */
#pragma once

#include "client/ctl/ctl.h"

/* Each returns TRUE to stop. state is called with the whole list, first and again after every interruption (what changed
 * meanwhile is only in the list). event: type is ADDED, MODIFIED or DELETED. Everything is borrowed. */
typedef struct {
    gboolean (*state)(const GPtrArray *objects, gpointer data);
    gboolean (*event)(const char *type, const ProtobufCMessage *object, gpointer data);
} FollowHandlers;

/* Returns TRUE when a handler stopped it, or after timeout_ms (< 0: none) with *ret_timed_out set. A server that goes away
 * meanwhile is waited for. FALSE with an error when the server refuses. */
gboolean follow_list(Ctl *ctl, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                     gint64 timeout_ms, const FollowHandlers *handlers, gpointer data, gboolean *ret_timed_out,
                     GError **error);

/* The same for one object: test gets it as it is, or NULL while there is none, and returns TRUE to stop. */
typedef gboolean (*FollowTest)(const ProtobufCMessage *object, gpointer data);
gboolean follow_object(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                       gint64 timeout_ms, FollowTest test, gpointer data, gboolean *ret_timed_out, GError **error);
