#include "server/verbs/verbs.h"

#include "server/verbs/request.h"

typedef struct {
    const char *name; /* of the gRPC method */
    AuthVerb verb;
    RequestHandler handler;
} Verb;

/* Those that every resource has. */
static const Verb verbs[] = {
    {"Get", AUTH_GET, verb_get},          {"List", AUTH_LIST, verb_list},
    {"Watch", AUTH_WATCH, verb_watch},    {"Create", AUTH_CREATE, verb_create},
    {"Update", AUTH_UPDATE, verb_update}, {"UpdateStatus", AUTH_UPDATE_STATUS, verb_update_status},
    {"Delete", AUTH_DELETE, verb_delete},
};

/* Extras of single resources. */
static const struct {
    ApiResourceIndex resource;
    Verb verb;
} extras[] = {
    {API_INDEX_POD, {"Bind", AUTH_BIND, verb_bind}},
    {API_INDEX_POD, {"Logs", AUTH_LOGS, verb_logs}},
};

/* A method: what its handler needs to make a Request. Owned by the context. */
typedef struct {
    Context *context;
    const ApiResource *resource;
    const Verb *verb;
} Method;

static void handle(RpcServerCall *call, GBytes *body, gpointer data)
{
    const Method *method = data;
    method->verb->handler(request_new(method->context, call, method->resource, method->verb->verb), body);
}

static void register_one(Context *context, RpcServer *server, const ApiResource *resource, const Verb *verb)
{
    g_autofree char *name = g_strdup_printf("/%s/%s", resource->service, verb->name);
    Method *method = g_new(Method, 1);
    *method = (Method){context, resource, verb};
    g_ptr_array_add(context->methods, method);
    rpc_server_handle(server, name, handle, method);
}

void verbs_register(Context *context, RpcServer *server)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        for (guint k = 0; k < G_N_ELEMENTS(verbs); k++)
            register_one(context, server, &rows[i], &verbs[k]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(extras); i++)
        register_one(context, server, api_resource_row(extras[i].resource), &extras[i].verb);
}
