/* Who may do what. Identities come from client certificates (lib/rpc/server.h); what they may do is one table in policy.c.
 * Thread-safe: no state. */
#pragma once

#include "lib/rpc/server.h"
#include "server/store/entry.h"

typedef enum {
    AUTH_GET = 1 << 0,
    AUTH_LIST = 1 << 1,
    AUTH_WATCH = 1 << 2,
    AUTH_CREATE = 1 << 3,
    AUTH_UPDATE = 1 << 4,
    AUTH_UPDATE_STATUS = 1 << 5,
    AUTH_DELETE = 1 << 6,
    AUTH_BIND = 1 << 7,
    AUTH_LOGS = 1 << 8,
} AuthVerb;

const char *auth_verb_name(AuthVerb verb); /* "get", "update status", ...; static */

typedef struct {
    const RpcIdentity *who;
    AuthVerb verb;
    const ApiResource *resource;
    const char *namespace_;         /* "": all, or cluster-scoped */
    const char *name;               /* "" if there is none */
    const ApiFieldSelector *fields; /* of a list or watch; may be NULL */
} AuthRequest;

typedef enum {
    AUTH_ALLOWED,
    AUTH_IF_BOUND, /* only for an object that is bound to the caller's node: ask auth_object() once it is known */
    AUTH_DENIED,
} AuthVerdict;

AuthVerdict auth_request(const AuthRequest *request);
/* Whether the object is bound to the node that calls. */
gboolean auth_object(const AuthRequest *request, const StoreEntry *object);
/* FORBIDDEN, naming user, verb and resource. New error. */
GError *auth_denied(const AuthRequest *request);

/* The name of the node that calls ("system:node:NAME" in group system:nodes), or NULL. Borrowed. */
const char *auth_node_name(const RpcIdentity *who);
