/* Which dependents belong to an owner: those that carry its controller reference and match its selector. A match
 * without a controller is adopted, an owned one that matches no more is released. */
#pragma once

#include "controllers/controller.h"
#include "lib/api/selector.h"

/* Looks at candidates[0..n), a superset of what may belong to <owner>, all of its namespace. Returns a new array of
 * the (borrowed) objects that are the owner's; or, when some must be adopted or released first, plans these updates
 * and returns NULL: the caller then leaves everything else to its next reconcile, which sees them done. selector
 * NULL: the controller reference alone decides. An owner that is being deleted adopts and releases nothing. */
GPtrArray *claim(Plan *plan, const ApiResource *owner_resource, gconstpointer owner, const ApiSelector *selector,
                 const ProtobufCMessage *const *candidates, gsize n);

/* Candidates are what the owner controls and what nobody controls. From a row's start: indexes for them. */
void claim_start(Controller *controller, const ApiResource *dependents);
/* A new array of the (borrowed) candidates for <owner>. */
GPtrArray *claim_candidates(Controller *controller, const ApiResource *dependents, gconstpointer owner);
/* For a row's map of dependents: wakes the controlling owner, or whoever could adopt an object without one. selector
 * gives an owner's selector, or NULL. */
void claim_wake(Controller *controller, const ApiResource *owners,
                const Meta__V1__LabelSelector *(*selector)(const ProtobufCMessage *owner), const ProtobufCMessage *old,
                const ProtobufCMessage *now);

/* Removes the references to <uid>. TRUE if there was one. */
gboolean owner_reference_remove(Meta__V1__ObjectMeta *meta, const char *uid);

/* Removes a finalizer. TRUE if it was there. */
gboolean finalizer_remove(Meta__V1__ObjectMeta *meta, const char *finalizer);
gboolean finalizer_has(const Meta__V1__ObjectMeta *meta, const char *finalizer);
