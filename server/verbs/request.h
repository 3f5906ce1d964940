/* One request on its way: authenticate (the gate, in server.c), parse, authorise, admit and validate (server/admission), store. A
 * handler owns its Request and gives it up by answering. */
#pragma once

#include "lib/api/object.h"
#include "lib/base/error.h"
#include "server/auth/auth.h"
#include "server/context.h"

typedef struct {
    Context *context;
    RpcServerCall *call; /* a reference of ours */
    const ApiResource *resource;
    AuthVerb verb;
    char *namespace_;  /* "": all, or cluster-scoped */
    char *name;        /* "": none */
    gboolean if_bound; /* allowed only for objects that request_allows() accepts */
} Request;

/* Every verb is one row of the table in verbs.c and one file. */
typedef void (*RequestHandler)(Request *request, GBytes *body);
void verb_get(Request *request, GBytes *body);
void verb_list(Request *request, GBytes *body);
void verb_watch(Request *request, GBytes *body);
void verb_create(Request *request, GBytes *body);
void verb_update(Request *request, GBytes *body);
void verb_update_status(Request *request, GBytes *body);
void verb_delete(Request *request, GBytes *body);
void verb_bind(Request *request, GBytes *body);
void verb_logs(Request *request, GBytes *body);

Request *request_new(Context *context, RpcServerCall *call, const ApiResource *resource, AuthVerb verb);
void request_free(Request *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

/* --- parsing --------------------------------------------------------------------------------------------------------------*/

/* A message from the client, checked and decoded. BAD_REQUEST, TOO_LARGE. */
ProtobufCMessage *request_decode(const ProtobufCMessageDescriptor *type, const void *data, gsize size, GError **error);

/* Create and Update requests have the same layout for every kind: {namespace = 1, object = 2, options = 3}. *ret_options is
 * of the type given. The request's namespace is that of the message or of the object, which must agree; its name the object's. */
gboolean request_parse_write(Request *request, GBytes *body, const ProtobufCMessageDescriptor *options_type,
                             ProtobufCMessage **ret_object, ProtobufCMessage **ret_options, GError **error);

/* Namespace and name from a decoded request. BAD_REQUEST where the kind has or lacks a namespace and the request does not;
 * all_namespaces: an empty one is fine. */
gboolean request_set_target(Request *request, const char *namespace_, const char *name, gboolean all_namespaces,
                            GError **error);

/* BAD_REQUEST if the request names no object. */
gboolean request_require_name(const Request *request, GError **error);

/* --- authorising -----------------------------------------------------------------------------------------------------------*/

/* FORBIDDEN. fields: of a list or watch; may be NULL. */
gboolean request_authorize(Request *request, const ApiFieldSelector *fields, GError **error);
/* Whether the verdict holds for this object (TRUE unless it depends on the object). FORBIDDEN. */
gboolean request_allows(const Request *request, const StoreEntry *object, GError **error);

/* --- answering: gives the request up ---------------------------------------------------------------------------------------*/
void request_fail(Request *request, const GError *error);
/* An object as it is in a cache. */
void request_reply_entry(Request *request, const StoreEntry *entry);
/* An encoded object at a revision. */
void request_reply_object(Request *request, GBytes *object, gint64 revision);

/* --- errors about the request's object --------------------------------------------------------------------------------------*/

/* "pods", "deployments.apps". New string. */
char *request_plural(const Request *request);
/* An error of our domain that names the object; the text follows `pods "web" `. */
void request_set_error(const Request *request, GError **error, CleatErrorCode code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
void request_set_not_found(const Request *request, GError **error);

/* Calls ready when the caches are as new as metadata.resourceVersion of the options asks: "" consistent, "0" any, "N" not older.
 * Within this call or later; error: BAD_REQUEST for what is no revision, UNAVAILABLE. */
void request_await(Request *request, const char *resource_version, StoreDone ready, gpointer data);
