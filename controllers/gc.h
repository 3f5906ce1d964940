/* The garbage collector: what is owned (metadata.ownerReferences) goes when its last owner has gone, and an owner
 * that is deleted in the foreground or with its dependents orphaned goes when these have gone or been let go. */
#pragma once

#include "controllers/controller.h"

extern const ControllerRow gc_controller;

/* What is known about an owner named in a reference. */
typedef enum {
    GC_OWNER_SOLID,   /* it is there (or of a kind or in a place that we cannot look at) */
    GC_OWNER_WAITING, /* it is there, but being deleted in the foreground: it waits for us to go */
    GC_OWNER_ABSENT,  /* it is gone: the server said so */
    GC_OWNER_UNSEEN,  /* the cache has it not; ask the server */
} GcOwner;

/* The decision about an object that is not being deleted; owners[i] belongs to its i-th reference, none is
 * GC_OWNER_UNSEEN. */
void gc_plan_dependent(Plan *plan, const ProtobufCMessage *object, const GcOwner *owners, gboolean has_dependents);

/* The decision about an owner that is being deleted with the finalizer foregroundDeletion or orphan;
 * dependents[0..n) are those that refer to it. */
void gc_plan_owner(Plan *plan, const ProtobufCMessage *object, const ProtobufCMessage *const *dependents, gsize n);
