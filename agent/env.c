#include "agent/env.h"

#include <string.h>

#include "agent/expand.h"
#include "lib/api/object.h"
#include "lib/api/validate.h"
#include "lib/base/error.h"

EnvVars *env_vars_new(void)
{
    EnvVars *vars = g_new0(EnvVars, 1);
    vars->names = g_ptr_array_new_with_free_func(g_free);
    vars->values = g_ptr_array_new_with_free_func(g_free);
    vars->index = g_hash_table_new(g_str_hash, g_str_equal);
    return vars;
}

void env_vars_free(EnvVars *vars)
{
    if (!vars)
        return;
    g_hash_table_unref(vars->index);
    g_ptr_array_unref(vars->names);
    g_ptr_array_unref(vars->values);
    g_free(vars);
}

void env_vars_set(EnvVars *vars, const char *name, const char *value)
{
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(vars->index, name));
    if (position > 0) {
        char *copy = g_strdup(value); /* first: value may be the old one */
        g_free(vars->values->pdata[position - 1]);
        vars->values->pdata[position - 1] = copy;
        return;
    }
    char *key = g_strdup(name);
    g_ptr_array_add(vars->names, key);
    g_ptr_array_add(vars->values, g_strdup(value));
    g_hash_table_insert(vars->index, key, GUINT_TO_POINTER(vars->names->len));
}

const char *env_vars_get(const EnvVars *vars, const char *name)
{
    guint position = GPOINTER_TO_UINT(g_hash_table_lookup(vars->index, name));
    return position > 0 ? vars->values->pdata[position - 1] : NULL;
}

const char *env_vars_lookup(const char *name, gpointer vars)
{
    return env_vars_get(vars, name);
}

/* --- services ---------------------------------------------------------------------------------------------------------*/

/* "my-svc" to "MY_SVC". */
static char *service_prefix(const char *name)
{
    char *prefix = g_ascii_strup(name, -1);
    return g_strdelimit(prefix, "-", '_');
}

static void set_formatted(EnvVars *vars, const char *prefix, const char *suffix, const char *value)
{
    g_autofree char *name = g_strconcat(prefix, suffix, NULL);
    env_vars_set(vars, name, value);
}

/* The variables of Docker links for one port: X_PORT_80_TCP and its parts. */
static void add_link(EnvVars *vars, const char *prefix, const char *ip, const Core__V1__ServicePort *port)
{
    g_autofree char *protocol = g_ascii_strup(port->protocol ? port->protocol : "TCP", -1);
    g_autofree char *scheme = g_ascii_strdown(protocol, -1);
    g_autofree char *number = g_strdup_printf("%d", port->port);
    g_autofree char *url = g_strdup_printf("%s://%s:%s", scheme, ip, number);
    g_autofree char *base = g_strdup_printf("%s_PORT_%s_%s", prefix, number, protocol);
    env_vars_set(vars, base, url);
    set_formatted(vars, base, "_PROTO", scheme);
    set_formatted(vars, base, "_PORT", number);
    set_formatted(vars, base, "_ADDR", ip);
}

static void add_service(EnvVars *vars, const Core__V1__Service *service)
{
    const Core__V1__ServiceSpec *spec = service->spec;
    if (!spec || !spec->clusterip || !spec->clusterip[0] || g_str_equal(spec->clusterip, "None") || spec->n_ports == 0)
        return;
    g_autofree char *prefix = service_prefix(api_object_name(&service->base));
    const Core__V1__ServicePort *first = spec->ports[0];
    g_autofree char *number = g_strdup_printf("%d", first->port);
    set_formatted(vars, prefix, "_SERVICE_HOST", spec->clusterip);
    set_formatted(vars, prefix, "_SERVICE_PORT", number);
    for (gsize i = 0; i < spec->n_ports; i++) {
        if (!spec->ports[i]->name || !spec->ports[i]->name[0])
            continue;
        g_autofree char *port_name = service_prefix(spec->ports[i]->name);
        g_autofree char *suffix = g_strconcat("_SERVICE_PORT_", port_name, NULL);
        g_autofree char *value = g_strdup_printf("%d", spec->ports[i]->port);
        set_formatted(vars, prefix, suffix, value);
    }
    g_autofree char *protocol = g_ascii_strdown(first->protocol ? first->protocol : "TCP", -1);
    g_autofree char *url = g_strdup_printf("%s://%s:%s", protocol, spec->clusterip, number);
    set_formatted(vars, prefix, "_PORT", url);
    for (gsize i = 0; i < spec->n_ports; i++)
        add_link(vars, prefix, spec->clusterip, spec->ports[i]);
}

/* --- envFrom ----------------------------------------------------------------------------------------------------------*/

typedef struct {
    const EnvInput *input;
    EnvVars *declared; /* of the container: envFrom and env so far */
    EnvVars *services;
    GPtrArray *skipped;
} Builder;

static const char *lookup_any(const char *name, gpointer data)
{
    const Builder *builder = data;
    const char *value = env_vars_get(builder->declared, name);
    return value ? value : env_vars_get(builder->services, name);
}

static void add_key(Builder *builder, const char *prefix, const char *key, const char *value)
{
    g_autofree char *name = g_strconcat(api_str(prefix), key, NULL);
    if (api_name_env(name) == NULL)
        env_vars_set(builder->declared, name, value);
    else if (builder->skipped)
        g_ptr_array_add(builder->skipped, g_steal_pointer(&name));
}

static void add_config_map(Builder *builder, const char *prefix, const Core__V1__ConfigMap *map)
{
    for (gsize i = 0; i < map->n_data; i++)
        add_key(builder, prefix, map->data[i]->key, api_str(map->data[i]->value));
}

static void add_secret(Builder *builder, const char *prefix, const Core__V1__Secret *secret)
{
    for (gsize i = 0; i < secret->n_data; i++) {
        const ProtobufCBinaryData *data = &secret->data[i]->value;
        g_autofree char *value = g_strndup((const char *)data->data, data->len);
        add_key(builder, prefix, secret->data[i]->key, value);
    }
}

/* Finds an object of the pod's namespace; NULL with an error unless it is optional. */
static const ProtobufCMessage *find_object(Builder *builder, const ApiResource *resource,
                                           const Core__V1__LocalObjectReference *reference, gboolean optional,
                                           GError **error)
{
    const char *name = reference ? api_str(reference->name) : "";
    const ProtobufCMessage *object = builder->input->object(resource, name, builder->input->data);
    if (!object && !optional)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "%s \"%s\" not found", resource->singular, name);
    return object;
}

static gboolean add_env_from(Builder *builder, const Core__V1__EnvFromSource *source, GError **error)
{
    GError *missing = NULL;
    if (source->configmapref) {
        const ProtobufCMessage *map = find_object(builder, API_CONFIG_MAP, source->configmapref->localobjectreference,
                                                  source->configmapref->optional, &missing);
        if (map)
            add_config_map(builder, source->prefix, (const Core__V1__ConfigMap *)map);
    } else if (source->secretref) {
        const ProtobufCMessage *secret = find_object(builder, API_SECRET, source->secretref->localobjectreference,
                                                     source->secretref->optional, &missing);
        if (secret)
            add_secret(builder, source->prefix, (const Core__V1__Secret *)secret);
    }
    if (missing)
        g_propagate_error(error, missing);
    return missing == NULL;
}

/* --- env --------------------------------------------------------------------------------------------------------------*/

static void set_no_key(const Builder *builder, const char *kind, const char *name, const char *key, GError **error)
{
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "couldn't find key %s in %s %s/%s", api_str(key), kind,
                api_object_namespace(&builder->input->pod->base), api_str(name));
}

/* *ret_value stays NULL for what is optional and absent. */
static gboolean config_map_value(Builder *builder, const Core__V1__ConfigMapKeySelector *selector, char **ret_value,
                                 GError **error)
{
    GError *missing = NULL;
    const Core__V1__ConfigMap *map = (const Core__V1__ConfigMap *)find_object(
        builder, API_CONFIG_MAP, selector->localobjectreference, selector->optional, &missing);
    for (gsize i = map ? map->n_data : 0; i-- > 0 && !*ret_value;) {
        if (api_str_equal(map->data[i]->key, selector->key))
            *ret_value = g_strdup(api_str(map->data[i]->value));
    }
    if (map && !*ret_value && !selector->optional)
        set_no_key(builder, "ConfigMap", api_object_name(&map->base), selector->key, &missing);
    if (missing)
        g_propagate_error(error, missing);
    return missing == NULL;
}

static gboolean secret_value(Builder *builder, const Core__V1__SecretKeySelector *selector, char **ret_value,
                             GError **error)
{
    GError *missing = NULL;
    const Core__V1__Secret *secret = (const Core__V1__Secret *)find_object(
        builder, API_SECRET, selector->localobjectreference, selector->optional, &missing);
    for (gsize i = secret ? secret->n_data : 0; i-- > 0 && !*ret_value;) {
        const ProtobufCBinaryData *data = &secret->data[i]->value;
        if (api_str_equal(secret->data[i]->key, selector->key))
            *ret_value = g_strndup((const char *)data->data, data->len);
    }
    if (secret && !*ret_value && !selector->optional)
        set_no_key(builder, "Secret", api_object_name(&secret->base), selector->key, &missing);
    if (missing)
        g_propagate_error(error, missing);
    return missing == NULL;
}

static gboolean source_value(Builder *builder, const Core__V1__EnvVarSource *source, char **ret_value, GError **error)
{
    const EnvInput *input = builder->input;
    if (source->configmapkeyref)
        return config_map_value(builder, source->configmapkeyref, ret_value, error);
    if (source->secretkeyref)
        return secret_value(builder, source->secretkeyref, ret_value, error);
    if (source->fieldref)
        *ret_value = field_ref_value(input->pod, source->fieldref->fieldpath, input->facts, error);
    else if (source->resourcefieldref)
        *ret_value =
            resource_field_ref_value(input->pod, input->container, source->resourcefieldref, input->facts, error);
    else
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "unsupported valueFrom");
    return *ret_value != NULL;
}

static gboolean add_env(Builder *builder, const Core__V1__EnvVar *var, GError **error)
{
    g_autofree char *value = NULL;
    if (var->valuefrom && !(var->value && var->value[0])) {
        if (!source_value(builder, var->valuefrom, &value, error))
            return FALSE;
        if (!value)
            return TRUE;
    } else {
        value = expand(api_str(var->value), lookup_any, builder);
    }
    env_vars_set(builder->declared, var->name, value);
    return TRUE;
}

EnvVars *env_build(const EnvInput *input, GPtrArray *skipped, GError **error)
{
    g_autoptr(EnvVars) declared = env_vars_new();
    g_autoptr(EnvVars) services = env_vars_new();
    Builder builder = {input, declared, services, skipped};
    for (gsize i = 0; i < input->n_services; i++)
        add_service(services, (const Core__V1__Service *)input->services[i]);
    for (gsize i = 0; i < input->container->n_envfrom; i++) {
        if (!add_env_from(&builder, input->container->envfrom[i], error))
            return NULL;
    }
    for (gsize i = 0; i < input->container->n_env; i++) {
        if (!add_env(&builder, input->container->env[i], error))
            return NULL;
    }
    for (guint i = 0; i < services->names->len; i++) {
        if (!env_vars_get(declared, services->names->pdata[i]))
            env_vars_set(declared, services->names->pdata[i], services->values->pdata[i]);
    }
    return g_steal_pointer(&declared);
}

void env_references(const Core__V1__Container *container,
                    void (*each)(const ApiResource *resource, const char *name, gpointer data), gpointer data)
{
    for (gsize i = 0; i < container->n_envfrom; i++) {
        const Core__V1__EnvFromSource *from = container->envfrom[i];
        if (from->configmapref && from->configmapref->localobjectreference)
            each(API_CONFIG_MAP, from->configmapref->localobjectreference->name, data);
        if (from->secretref && from->secretref->localobjectreference)
            each(API_SECRET, from->secretref->localobjectreference->name, data);
    }
    for (gsize i = 0; i < container->n_env; i++) {
        const Core__V1__EnvVarSource *source = container->env[i]->valuefrom;
        if (source && source->configmapkeyref && source->configmapkeyref->localobjectreference)
            each(API_CONFIG_MAP, source->configmapkeyref->localobjectreference->name, data);
        if (source && source->secretkeyref && source->secretkeyref->localobjectreference)
            each(API_SECRET, source->secretkeyref->localobjectreference->name, data);
    }
}
