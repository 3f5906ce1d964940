/* Talking to the server, and saying what went wrong. */
#include <string.h>

#include "client/ctl/ctl.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"
#include "lib/rpc/rpc.h"

#define PAGE 500
#define MODIFY_TRIES 5

G_DEFINE_QUARK(ctl - server - error - quark, ctl_server_error)

/* "The Pod "web" is invalid: spec.x: Required value", or one line for each field. */
static char *invalid_text(const GError *error)
{
    const CleatErrorObject *object = cleat_error_object(error);
    const GPtrArray *causes = cleat_error_causes(error);
    g_autoptr(GString) text = g_string_new(NULL);
    if (object->kind)
        g_string_printf(text, "The %s \"%s\" is invalid:", object->kind, api_str(object->name));
    else
        g_string_assign(text, "The request is invalid:");
    for (guint i = 0; i < causes->len; i++) {
        const CleatCause *cause = causes->pdata[i];
        g_string_append_printf(text, "%s%s: %s", causes->len > 1 ? "\n* " : " ", api_str(cause->field),
                               api_str(cause->message));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

GError *ctl_server_error(const GError *error)
{
    CleatErrorCode code = cleat_error_code(error);
    const CleatErrorObject *object = cleat_error_object(error);
    const GPtrArray *causes = cleat_error_causes(error);
    g_autofree char *text = NULL;
    if (code == CLEAT_ERROR_INVALID && causes && causes->len > 0)
        text = invalid_text(error);
    else if (code == CLEAT_ERROR_UNAVAILABLE && (!object || !object->kind))
        text = g_strdup_printf("Unable to connect to the server: %s", error->message);
    else
        text = g_strdup_printf("Error from server (%s): %s", cleat_error_to_reason(code), error->message);
    return g_error_new_literal(CTL_SERVER_ERROR, (int)code, text);
}

gboolean ctl_server_said(const GError *error, CleatErrorCode code)
{
    return g_error_matches(error, CTL_SERVER_ERROR, (int)code);
}

char *ctl_error_text(const GError *error)
{
    if (error->domain == CTL_SERVER_ERROR)
        return g_strdup(error->message);
    return g_strdup_printf("error: %s", error->message);
}

void ctl_report(Ctl *ctl, const GError *error)
{
    g_autofree char *text = ctl_error_text(error);
    fflush(stdout); /* keeps the order where both go to one place */
    fprintf(stderr, "%s\n", text);
    ctl->failed = TRUE;
}

static gboolean load_config(Ctl *ctl, GError **error)
{
    if (ctl->config)
        return TRUE;
    g_autoptr(ClientConfig) config = client_config_load(ctl->config_file, ctl->context, error);
    if (!config || (ctl->server && !client_config_set_servers(config, ctl->server, error)))
        return FALSE;
    ctl->config = g_steal_pointer(&config);
    return TRUE;
}

Client *ctl_client(Ctl *ctl, GError **error)
{
    if (ctl->client || !load_config(ctl, error))
        return ctl->client;
    rpc_init(1);
    ctl->client = client_new(ctl->config, "ctl", NULL, error);
    if (!ctl->client)
        rpc_shutdown();
    return ctl->client;
}

const char *ctl_namespace(Ctl *ctl, GError **error)
{
    if (ctl->namespace_flag)
        return ctl->namespace_flag;
    if (!load_config(ctl, error))
        return NULL;
    return ctl->config->namespace_ ? ctl->config->namespace_ : API_NAMESPACE_DEFAULT;
}

const char *ctl_namespace_of(Ctl *ctl, const ApiResource *resource, gboolean all, GError **error)
{
    return resource->namespaced && !all ? ctl_namespace(ctl, error) : "";
}

/* Marks what a call came back with. problem is read after the call that is the first argument. */
static gpointer answer(gpointer object, GError **problem, GError **error)
{
    if (*problem)
        g_propagate_error(error, ctl_server_error(*problem));
    g_clear_error(problem);
    return object;
}

ProtobufCMessage *ctl_get(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                          GError **error)
{
    Client *client = ctl_client(ctl, error);
    GError *problem = NULL;
    return client ? answer(client_get_sync(client, resource, namespace_, name, &problem), &problem, error) : NULL;
}

ProtobufCMessage *ctl_create(Ctl *ctl, const ProtobufCMessage *object, GError **error)
{
    Client *client = ctl_client(ctl, error);
    GError *problem = NULL;
    return client ? answer(client_create_sync(client, object, &problem), &problem, error) : NULL;
}

ProtobufCMessage *ctl_update(Ctl *ctl, const ProtobufCMessage *object, GError **error)
{
    Client *client = ctl_client(ctl, error);
    GError *problem = NULL;
    return client ? answer(client_update_sync(client, object, &problem), &problem, error) : NULL;
}

ProtobufCMessage *ctl_delete(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                             const Meta__V1__DeleteOptions *options, GError **error)
{
    Client *client = ctl_client(ctl, error);
    GError *problem = NULL;
    return client ? answer(client_delete_sync(client, resource, namespace_, name, options, &problem), &problem, error)
                  : NULL;
}

/* Every list is {metadata = 1, items = 2} (lib/api/resource.h): this is its layout whatever the items are. */
typedef struct {
    ProtobufCMessage base;
    Meta__V1__ListMeta *metadata;
    size_t n_items;
    ProtobufCMessage **items;
} AnyList;

/* One page of a list; its items move to <objects>. Returns the list without them. */
static AnyList *list_page(Client *client, const ApiResource *resource, const char *namespace_,
                          const ClientListOptions *options, GPtrArray *objects, GError **error)
{
    GError *problem = NULL;
    AnyList *list = answer(client_list_sync(client, resource, namespace_, options, &problem), &problem, error);
    if (!list)
        return NULL;
    for (size_t i = 0; i < list->n_items; i++)
        g_ptr_array_add(objects, list->items[i]);
    g_clear_pointer(&list->items, g_free);
    list->n_items = 0;
    return list;
}

GPtrArray *ctl_list(Ctl *ctl, const ApiResource *resource, const char *namespace_, const ClientListOptions *options,
                    char **ret_revision, GError **error)
{
    Client *client = ctl_client(ctl, error);
    if (!client)
        return NULL;
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    ClientListOptions page = options ? *options : (ClientListOptions){0};
    page.limit = PAGE;
    g_autofree char *token = NULL;
    do {
        page.continue_token = token;
        AnyList *list = list_page(client, resource, namespace_, &page, objects, error);
        if (!list)
            return NULL;
        g_free(token);
        token = list->metadata ? g_strdup(list->metadata->continue_) : NULL;
        if (ret_revision && (!token || !*token))
            *ret_revision = g_strdup(list->metadata ? list->metadata->resourceversion : NULL);
        api_message_free(&list->base);
    } while (token && *token);
    return g_steal_pointer(&objects);
}

ProtobufCMessage *ctl_modify(Ctl *ctl, const ApiResource *resource, const char *namespace_, const char *name,
                             CtlChange change, gpointer data, gboolean *ret_changed, GError **error)
{
    for (int tries = 1;; tries++) {
        g_autoptr(GError) problem = NULL;
        ProtobufCMessage *object = ctl_get(ctl, resource, namespace_, name, error);
        if (!object)
            return NULL;
        ProtobufCMessage *changed = change(object, data, &problem);
        if (!changed && !problem) {
            *ret_changed = FALSE;
            return object;
        }
        api_message_free(object);
        ProtobufCMessage *result = changed ? ctl_update(ctl, changed, &problem) : NULL;
        api_message_free(changed);
        if (result) {
            *ret_changed = TRUE;
            return result;
        }
        if (!ctl_server_said(problem, CLEAT_ERROR_CONFLICT) || tries == MODIFY_TRIES) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return NULL;
        }
    }
}

char *ctl_plural(const ApiResource *resource)
{
    return g_strconcat(resource->plural, *resource->group ? "." : "", resource->group, NULL);
}

char *ctl_object_label(const ApiResource *resource, const char *name)
{
    return g_strconcat(resource->singular, *resource->group ? "." : "", resource->group, "/", name, NULL);
}
