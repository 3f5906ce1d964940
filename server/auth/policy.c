#include "server/auth/auth.h"

#include <string.h>

#include "lib/api/labels.h"
#include "lib/base/error.h"

#define NODE_USER "system:node:"
#define NODE_GROUP "system:nodes"

#define AUTH_READ (AUTH_GET | AUTH_LIST | AUTH_WATCH)
#define AUTH_ALL (~0u)

#define BIT(resource) (G_GUINT64_CONSTANT(1) << API_INDEX_##resource)
#define EVERYTHING (~G_GUINT64_CONSTANT(0))

typedef enum {
    SCOPE_ANY,
    SCOPE_OWN_NAME, /* the object has the name of the node that calls */
    SCOPE_BOUND,    /* the object is bound to the node that calls (spec.nodeName) */
} Scope;

/* What a user, or the members of a group, may do. Rules add up; what no rule allows is denied. */
typedef struct {
    const char *user;  /* NULL: see group */
    const char *group; /* NULL: see user */
    guint verbs;
    guint64 resources;
    const char *namespace_; /* NULL: any */
    Scope scope;
} Rule;

static const Rule rules[] = {
    {.group = "system:masters", .verbs = AUTH_ALL, .resources = EVERYTHING},
    {.user = "system:kube-controller-manager", .verbs = AUTH_ALL, .resources = EVERYTHING},

    {.user = "system:kube-scheduler", .verbs = AUTH_READ, .resources = EVERYTHING & ~BIT(SECRET)},
    {.user = "system:kube-scheduler", .verbs = AUTH_BIND | AUTH_UPDATE_STATUS | AUTH_DELETE, .resources = BIT(POD)},
    {.user = "system:kube-scheduler", .verbs = AUTH_CREATE | AUTH_UPDATE, .resources = BIT(EVENT)},
    {.user = "system:kube-scheduler",
     .verbs = AUTH_CREATE | AUTH_UPDATE,
     .resources = BIT(LEASE),
     .namespace_ = API_NAMESPACE_SYSTEM},

    {.group = "system:node-proxiers",
     .verbs = AUTH_READ,
     .resources = BIT(SERVICE) | BIT(ENDPOINTS) | BIT(ENDPOINT_SLICE) | BIT(NODE)},
    {.group = "system:node-proxiers", .verbs = AUTH_CREATE | AUTH_UPDATE, .resources = BIT(EVENT)},
    {.user = "system:kube-proxy",
     .verbs = AUTH_READ,
     .resources = BIT(SERVICE) | BIT(ENDPOINTS) | BIT(ENDPOINT_SLICE) | BIT(NODE)},
    {.user = "system:kube-proxy", .verbs = AUTH_CREATE | AUTH_UPDATE, .resources = BIT(EVENT)},

    {.group = NODE_GROUP,
     .verbs = AUTH_READ,
     .resources = BIT(NODE) | BIT(SERVICE) | BIT(ENDPOINTS) | BIT(ENDPOINT_SLICE) | BIT(CONFIG_MAP) | BIT(SECRET) |
                  BIT(NAMESPACE) | BIT(SERVICE_ACCOUNT)},
    {.group = NODE_GROUP,
     .verbs = AUTH_CREATE | AUTH_UPDATE | AUTH_UPDATE_STATUS,
     .resources = BIT(NODE),
     .scope = SCOPE_OWN_NAME},
    {.group = NODE_GROUP,
     .verbs = AUTH_READ | AUTH_CREATE | AUTH_UPDATE | AUTH_DELETE,
     .resources = BIT(LEASE),
     .namespace_ = API_NAMESPACE_NODE_LEASE,
     .scope = SCOPE_OWN_NAME},
    {.group = NODE_GROUP,
     .verbs = AUTH_READ | AUTH_UPDATE_STATUS | AUTH_DELETE,
     .resources = BIT(POD),
     .scope = SCOPE_BOUND},
    {.group = NODE_GROUP, .verbs = AUTH_CREATE | AUTH_UPDATE, .resources = BIT(EVENT)},
};

static const struct {
    AuthVerb verb;
    const char *name;
} verb_names[] = {
    {AUTH_GET, "get"},       {AUTH_LIST, "list"},     {AUTH_WATCH, "watch"},
    {AUTH_CREATE, "create"}, {AUTH_UPDATE, "update"}, {AUTH_UPDATE_STATUS, "update the status of"},
    {AUTH_DELETE, "delete"}, {AUTH_BIND, "bind"},     {AUTH_LOGS, "read logs of"},
};

const char *auth_verb_name(AuthVerb verb)
{
    for (guint i = 0; i < G_N_ELEMENTS(verb_names); i++) {
        if (verb_names[i].verb == verb)
            return verb_names[i].name;
    }
    g_assert_not_reached();
}

static gboolean is_member(const RpcIdentity *who, const char *group)
{
    return who->groups && g_strv_contains(who->groups, group);
}

const char *auth_node_name(const RpcIdentity *who)
{
    if (!who->user || !g_str_has_prefix(who->user, NODE_USER) || !is_member(who, NODE_GROUP))
        return NULL;
    const char *name = who->user + strlen(NODE_USER);
    return name[0] ? name : NULL;
}

/* The selectable field of a resource that says which node an object is bound to; -1: none. */
static int bound_field(const ApiResource *resource)
{
    for (int i = 0; resource->selectable[i].path; i++) {
        if (g_str_equal(resource->selectable[i].path, "spec.nodeName"))
            return i;
    }
    return -1;
}

static AuthVerdict judge_bound(const AuthRequest *request, const char *node)
{
    int field = bound_field(request->resource);
    if (field < 0)
        return AUTH_DENIED;
    if (request->verb != AUTH_LIST && request->verb != AUTH_WATCH)
        return AUTH_IF_BOUND;
    const char *pinned = request->fields ? api_field_selector_value(request->fields, field) : NULL;
    return pinned && g_str_equal(pinned, node) ? AUTH_ALLOWED : AUTH_DENIED;
}

static AuthVerdict judge_scope(const AuthRequest *request, Scope scope)
{
    const char *node = auth_node_name(request->who);
    if (scope == SCOPE_ANY)
        return AUTH_ALLOWED;
    if (!node)
        return AUTH_DENIED;
    if (scope == SCOPE_BOUND)
        return judge_bound(request, node);
    const char *name = request->fields ? api_field_selector_name(request->fields) : request->name;
    return name && g_str_equal(name, node) ? AUTH_ALLOWED : AUTH_DENIED;
}

AuthVerdict auth_request(const AuthRequest *request)
{
    const RpcIdentity *who = request->who;
    AuthVerdict best = AUTH_DENIED;
    for (guint i = 0; i < G_N_ELEMENTS(rules) && who->user; i++) {
        const Rule *rule = &rules[i];
        if (rule->user ? !g_str_equal(rule->user, who->user) : !is_member(who, rule->group))
            continue;
        if (!(rule->verbs & request->verb) ||
            !(rule->resources & (G_GUINT64_CONSTANT(1) << api_resource_index(request->resource))))
            continue;
        if (rule->namespace_ && !g_str_equal(rule->namespace_, request->namespace_))
            continue;
        best = MIN(best, judge_scope(request, rule->scope));
    }
    return best;
}

gboolean auth_object(const AuthRequest *request, const StoreEntry *object)
{
    const char *node = auth_node_name(request->who);
    int field = bound_field(object->resource);
    if (!node || field < 0)
        return FALSE;
    gsize size;
    const char *bound = store_entry_field(object, field, &size);
    return size == strlen(node) && memcmp(bound, node, size) == 0;
}

GError *auth_denied(const AuthRequest *request)
{
    const ApiResource *resource = request->resource;
    g_autofree char *named = request->name[0] ? g_strdup_printf(" \"%s\"", request->name) : g_strdup("");
    g_autofree char *where = !resource->namespaced    ? g_strdup(" at the cluster scope")
                             : request->namespace_[0] ? g_strdup_printf(" in the namespace \"%s\"", request->namespace_)
                                                      : g_strdup(" in all namespaces");
    GError *error = g_error_new(CLEAT_ERROR, CLEAT_ERROR_FORBIDDEN,
                                "%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\"%s",
                                resource->plural, named, request->who->user ? request->who->user : "",
                                auth_verb_name(request->verb), resource->plural, resource->group, where);
    cleat_error_set_object(error, resource->group, resource->plural, request->name);
    return error;
}
