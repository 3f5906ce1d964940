/* One way to fail: a GError of the domain CLEAT_ERROR, which knows its gRPC code, its Kubernetes reason, the object it is
 * about and the fields at fault. Any other GError (GIO, GLib) reads as CLEAT_ERROR_INTERNAL.
 *
 * A message names the object and what was tried; the last sentence may say what to do next. Libraries make errors and
 * never log them. All functions here are thread-safe as long as one GError is used by one thread at a time. */
#pragma once

#include <glib.h>

typedef enum {
    CLEAT_ERROR_INTERNAL,          /* a defect, or a fault of the machine */
    CLEAT_ERROR_BAD_REQUEST,       /* the request cannot be read: malformed bytes, unknown option, bad selector */
    CLEAT_ERROR_INVALID,           /* the object breaks a rule; the causes name the fields */
    CLEAT_ERROR_NOT_FOUND,
    CLEAT_ERROR_ALREADY_EXISTS,
    CLEAT_ERROR_CONFLICT,          /* a stale resourceVersion, or a precondition that does not hold */
    CLEAT_ERROR_EXPIRED,           /* the revision asked for is compacted or out of the ring: list again */
    CLEAT_ERROR_UNAUTHORIZED,      /* who is it? */
    CLEAT_ERROR_FORBIDDEN,         /* known, but may not */
    CLEAT_ERROR_TOO_MANY_REQUESTS, /* overload or a cap: try again later */
    CLEAT_ERROR_TOO_LARGE,
    CLEAT_ERROR_TIMEOUT,           /* the deadline passed; the outcome may be unknown */
    CLEAT_ERROR_UNAVAILABLE,       /* not reachable or not ready; trying again makes sense */
    CLEAT_ERROR_CANCELLED,         /* by us */
    CLEAT_ERROR_UNIMPLEMENTED,
    CLEAT_ERROR_MAX_,
} CleatErrorCode;

#define CLEAT_ERROR (cleat_error_quark())
GQuark cleat_error_quark(void);

/* A field at fault. reason is Kubernetes' word: FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, ... */
typedef struct {
    char *field;   /* "spec.containers[0].name" */
    char *reason;
    char *message;
} CleatCause;

/* The object an error is about; each may be NULL. Owned by the error. */
typedef struct {
    char *group;
    char *kind;
    char *name;
} CleatErrorObject;

/* Names the object an error is about (copied). error must be of CLEAT_ERROR. */
void cleat_error_set_object(GError *error, const char *group, const char *kind, const char *name);

/* Adds a cause (copied). error must be of CLEAT_ERROR. */
void cleat_error_add_cause(GError *error, const char *field, const char *reason, const char *message);

/* The object an error is about, or NULL for an error of another domain. Borrowed. */
const CleatErrorObject *cleat_error_object(const GError *error);

/* Borrowed array of CleatCause*, possibly empty, or NULL for an error of another domain. */
const GPtrArray *cleat_error_causes(const GError *error);

/* The code of any GError: its own in our domain, CLEAT_ERROR_CANCELLED for G_IO_ERROR_CANCELLED, else INTERNAL. */
CleatErrorCode cleat_error_code(const GError *error);
gboolean cleat_error_is(const GError *error, CleatErrorCode code);

/* Translations, from one table. grpc codes are those of grpc/status.h; http those of meta.v1.Status.code. */
int cleat_error_to_grpc(CleatErrorCode code);
int cleat_error_to_http(CleatErrorCode code);
const char *cleat_error_to_reason(CleatErrorCode code); /* "NotFound", "Invalid", ...; static */

/* The code for a gRPC status; reason (may be NULL) decides where several codes share one status. */
CleatErrorCode cleat_error_from_grpc(int grpc_code, const char *reason);
