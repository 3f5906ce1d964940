/* Admission: what the server adds to, and asks of, an object beyond the rules of its kind alone: things that depend on other
 * objects, or that belong to the transaction of the write. One row per kind that needs something, in admission.c. */
#pragma once

#include "lib/api/validate.h"
#include "server/context.h"
#include "server/store/mutate.h"

/* Each member may be NULL. All are called within a decision (server/store/mutate.h), perhaps several times for one request. */
typedef struct {
    /* Before the write of a new (old NULL) or changed object: may change it and add to the transaction. */
    gboolean (*admit)(Context *context, ProtobufCMessage *object, const ProtobufCMessage *old, StoreChange *change,
                      GError **error);
    /* Before the removal of an object, in the same transaction. */
    void (*release)(Context *context, const ProtobufCMessage *object, StoreChange *change);
    /* Whether it may be deleted at all. FORBIDDEN. */
    gboolean (*may_delete)(const ProtobufCMessage *object, GError **error);
    /* Its deletion has begun: deletionTimestamp is set. */
    void (*deletion_begins)(ProtobufCMessage *object);
    /* Whether something besides metadata.finalizers keeps an object that is being deleted. */
    gboolean (*is_held)(const ProtobufCMessage *object);
} AdmissionKind;

/* A row without members for kinds that need nothing. */
const AdmissionKind *admission_kind(const ApiResource *resource);

/* The namespace of a new object must be there and not be ending; if it changes before the object is written, the write is
 * decided again. So a namespace that is empty and ending stays empty. NOT_FOUND, FORBIDDEN. */
gboolean admission_namespace(Context *context, const ApiResource *resource, const char *namespace_, const char *name,
                             StoreChange *change, GError **error);

/* Rows. */
extern const AdmissionKind admission_service, admission_of_namespace;
