#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/quantity.h"

static void validate_ports(const Core__V1__Container *container, const Core__V1__PodSpec *spec, const Path *path,
                           ApiFieldErrors *errors)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < container->n_ports; i++) {
        const Core__V1__ContainerPort *port = container->ports[i];
        const Path *at = ITEM(path, i);
        check_name(errors, FIELD(at, "name"), port->name, port_name);
        check_unique(errors, FIELD(at, "name"), names, port->name);
        if (!port->has_containerport)
            fail_required(errors, FIELD(at, "containerPort"), NULL);
        else
            check_port(errors, FIELD(at, "containerPort"), port->containerport);
        require_one_of(errors, FIELD(at, "protocol"), port->protocol, port_protocols);
        if (port->hostport == 0)
            continue;
        if (!spec->hostnetwork)
            fail_unimplemented(errors, FIELD(at, "hostPort"), NULL);
        else if (port->hostport != port->containerport)
            fail_number(errors, FIELD(at, "hostPort"), port->hostport,
                        "must match `containerPort` when `hostNetwork` is true");
    }
}

/* A reference to a key of a ConfigMap or Secret. */
static void validate_key_reference(const Core__V1__LocalObjectReference *reference, const char *key, const Path *path,
                                   ApiFieldErrors *errors)
{
    require_name(errors, FIELD(path, "name"), reference ? reference->name : NULL, api_name_dns_subdomain);
    require_name(errors, FIELD(path, "key"), key, api_name_config_key);
}

/* metadata.labels['KEY'] or metadata.annotations['KEY'] */
static gboolean is_keyed_path(const char *path)
{
    const char *rest = g_str_has_prefix(path, "metadata.labels['")        ? path + strlen("metadata.labels['")
                       : g_str_has_prefix(path, "metadata.annotations['") ? path + strlen("metadata.annotations['")
                                                                          : NULL;
    if (!rest || !g_str_has_suffix(rest, "']"))
        return FALSE;
    g_autofree char *key = g_strndup(rest, strlen(rest) - strlen("']"));
    return api_name_qualified(key) == NULL;
}

static void validate_field_reference(const Core__V1__ObjectFieldSelector *selector, const Path *path,
                                     ApiFieldErrors *errors)
{
    static const char *const known[] = {
        "metadata.name",           "metadata.namespace", "metadata.uid",   "spec.nodeName", "status.hostIP",
        "spec.serviceAccountName", "status.podIP",       "status.hostIPs", "status.podIPs", NULL};
    static const char *const versions[] = {"v1", NULL};
    const char *field = api_str(selector->fieldpath);
    require_one_of(errors, FIELD(path, "apiVersion"), selector->apiversion, versions);
    if (field[0] == '\0')
        fail_required(errors, FIELD(path, "fieldPath"), NULL);
    else if (!is_keyed_path(field) && !g_strv_contains(known, field))
        fail_not_supported(errors, FIELD(path, "fieldPath"), field, known);
}

static void validate_resource_reference(const Core__V1__ResourceFieldSelector *selector, const Core__V1__PodSpec *spec,
                                        const Path *path, ApiFieldErrors *errors)
{
    static const char *const known[] = {"limits.cpu", "limits.memory", "requests.cpu", "requests.memory", NULL};
    require_one_of(errors, FIELD(path, "resource"), selector->resource, known);
    const char *name = api_str(selector->containername);
    if (name[0] == '\0')
        return;
    for (gsize i = 0; i < spec->n_containers + spec->n_initcontainers; i++) {
        const Core__V1__Container *one =
            i < spec->n_containers ? spec->containers[i] : spec->initcontainers[i - spec->n_containers];
        if (api_str_equal(one->name, name))
            return;
    }
    fail_not_found(errors, FIELD(path, "containerName"), name);
}

static void validate_env_source(const Core__V1__EnvVar *env, const Core__V1__PodSpec *spec, const Path *path,
                                ApiFieldErrors *errors)
{
    const Core__V1__EnvVarSource *source = env->valuefrom;
    int n = !!source->fieldref + !!source->resourcefieldref + !!source->configmapkeyref + !!source->secretkeyref +
            !!source->filekeyref;
    if (n == 0)
        fail_invalid(errors, path, NULL,
                     "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
    if (n > 1)
        fail_invalid(errors, path, NULL, "may not have more than one field specified at a time");
    if (n > 0 && api_str(env->value)[0])
        fail_invalid(errors, path, NULL, "may not be specified when `value` is not empty");
    if (source->fieldref)
        validate_field_reference(source->fieldref, FIELD(path, "fieldRef"), errors);
    if (source->resourcefieldref)
        validate_resource_reference(source->resourcefieldref, spec, FIELD(path, "resourceFieldRef"), errors);
    if (source->configmapkeyref)
        validate_key_reference(source->configmapkeyref->localobjectreference, source->configmapkeyref->key,
                               FIELD(path, "configMapKeyRef"), errors);
    if (source->secretkeyref)
        validate_key_reference(source->secretkeyref->localobjectreference, source->secretkeyref->key,
                               FIELD(path, "secretKeyRef"), errors);
}

static void validate_environment(const Core__V1__Container *container, const Core__V1__PodSpec *spec, const Path *path,
                                 ApiFieldErrors *errors)
{
    for (gsize i = 0; i < container->n_env; i++) {
        const Path *at = ITEM(FIELD(path, "env"), i);
        require_name(errors, FIELD(at, "name"), container->env[i]->name, api_name_env);
        if (container->env[i]->valuefrom)
            validate_env_source(container->env[i], spec, FIELD(at, "valueFrom"), errors);
    }
    for (gsize i = 0; i < container->n_envfrom; i++) {
        const Core__V1__EnvFromSource *from = container->envfrom[i];
        const Path *at = ITEM(FIELD(path, "envFrom"), i);
        check_name(errors, FIELD(at, "prefix"), from->prefix, api_name_env);
        if (!from->configmapref && !from->secretref)
            fail_invalid(errors, at, NULL, "must specify one of: `configMapRef` or `secretRef`");
        else if (from->configmapref && from->secretref)
            fail_invalid(errors, at, NULL, "may not have more than one field specified at a time");
        const Core__V1__LocalObjectReference *map =
            from->configmapref ? from->configmapref->localobjectreference : NULL;
        const Core__V1__LocalObjectReference *secret = from->secretref ? from->secretref->localobjectreference : NULL;
        if (from->configmapref)
            require_name(errors, FIELD(FIELD(at, "configMapRef"), "name"), map ? map->name : NULL,
                         api_name_dns_subdomain);
        if (from->secretref)
            require_name(errors, FIELD(FIELD(at, "secretRef"), "name"), secret ? secret->name : NULL,
                         api_name_dns_subdomain);
    }
}

/* Amounts of one map. What is counted in fractions is cpu alone; this release knows cpu and memory. */
static void validate_amounts(QuantityEntry *const *entries, gsize n, const Path *path, ApiFieldErrors *errors)
{
    if (n > RESOURCES_MAX)
        fail_number(errors, path, (gint64)n, "must have at most 64 items");
    for (gsize i = 0; i < MIN(n, RESOURCES_MAX); i++) {
        const char *key = api_str(entries[i]->key);
        ApiQuantity amount;
        gboolean is_cpu = g_str_equal(key, "cpu");
        if (!is_cpu && !g_str_equal(key, "memory")) {
            fail_unimplemented(errors, KEY(path, key), NULL);
            continue;
        }
        api_quantity_get(entries[i]->value, &amount);
        if (amount.nano < 0)
            fail_invalid(errors, KEY(path, key), entries[i]->value->string, "must be greater than or equal to 0");
        else if (!is_cpu && amount.nano % 1000000000 != 0)
            fail_invalid(errors, KEY(path, key), entries[i]->value->string, "must be a whole number of bytes");
    }
}

static void validate_resources(const Core__V1__ResourceRequirements *resources, const Path *path,
                               ApiFieldErrors *errors)
{
    validate_amounts(QUANTITIES(resources->limits), resources->n_limits, FIELD(path, "limits"), errors);
    validate_amounts(QUANTITIES(resources->requests), resources->n_requests, FIELD(path, "requests"), errors);
    for (gsize i = 0; i < MIN(resources->n_requests, RESOURCES_MAX); i++) {
        const Core__V1__ResourceRequirements__RequestsEntry *request = resources->requests[i];
        const Meta__V1__Quantity *limit = quantity_map_get(
            QUANTITIES(resources->limits), MIN(resources->n_limits, RESOURCES_MAX), api_str(request->key));
        ApiQuantity asked, allowed;
        if (!limit || !api_quantity_get(request->value, &asked) || !api_quantity_get(limit, &allowed) ||
            api_quantity_cmp(asked, allowed) <= 0)
            continue;
        g_autofree char *detail = g_strdup_printf("must be less than or equal to %s limit of %s", api_str(request->key),
                                                  api_str(limit->string));
        fail_invalid(errors, FIELD(path, "requests"), request->value ? request->value->string : NULL, detail);
    }
}

static void validate_mounts(const Core__V1__Container *container, GHashTable *volumes, const Path *path,
                            ApiFieldErrors *errors)
{
    const Core__V1__SecurityContext *security = container->securitycontext;
    static const char *const propagations[] = {"None", "HostToContainer", "Bidirectional", NULL};
    g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < container->n_volumemounts; i++) {
        const Core__V1__VolumeMount *mount = container->volumemounts[i];
        const Path *at = ITEM(path, i);
        if (api_str(mount->name)[0] == '\0')
            fail_required(errors, FIELD(at, "name"), NULL);
        else if (!g_hash_table_contains(volumes, mount->name))
            fail_not_found(errors, FIELD(at, "name"), mount->name);
        if (api_str(mount->mountpath)[0] == '\0')
            fail_required(errors, FIELD(at, "mountPath"), NULL);
        else if (!g_hash_table_add(paths, mount->mountpath))
            fail_invalid(errors, FIELD(at, "mountPath"), mount->mountpath, "must be unique");
        const char *propagation = api_str(mount->mountpropagation);
        if (propagation[0])
            require_one_of(errors, FIELD(at, "mountPropagation"), propagation, propagations);
        if (g_str_equal(propagation, "Bidirectional") && !(security && security->privileged))
            fail_forbidden(errors, FIELD(at, "mountPropagation"),
                           "Bidirectional mount propagation is available only to privileged containers");
    }
}

static void validate_id(gboolean has_id, gint64 id, const Path *path, ApiFieldErrors *errors)
{
    if (has_id && (id < 0 || id > G_MAXINT32))
        fail_number(errors, path, id, "must be between 0 and 2147483647, inclusive");
}

static void validate_security(const Core__V1__SecurityContext *security, const Path *path, ApiFieldErrors *errors)
{
    validate_id(security->has_runasuser, security->runasuser, FIELD(path, "runAsUser"), errors);
    validate_id(security->has_runasgroup, security->runasgroup, FIELD(path, "runAsGroup"), errors);
    if (security->has_allowprivilegeescalation && !security->allowprivilegeescalation && security->privileged)
        fail_invalid(errors, path, NULL, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
}

void container_validate(const Core__V1__Container *container, const Core__V1__PodSpec *spec, GHashTable *volumes,
                        const Path *path, ApiFieldErrors *errors)
{
    static const char *const pull_policies[] = {"Always", "IfNotPresent", "Never", NULL};
    require_name(errors, FIELD(path, "name"), container->name, api_name_dns_label);
    const char *image = api_str(container->image);
    if (image[0] == '\0')
        fail_required(errors, FIELD(path, "image"), NULL);
    else if (g_ascii_isspace(image[0]) || g_ascii_isspace(image[strlen(image) - 1]))
        fail_invalid(errors, FIELD(path, "image"), image, "must not have leading or trailing whitespace");
    require_one_of(errors, FIELD(path, "imagePullPolicy"), container->imagepullpolicy, pull_policies);
    validate_ports(container, spec, FIELD(path, "ports"), errors);
    validate_environment(container, spec, path, errors);
    if (container->resources)
        validate_resources(container->resources, FIELD(path, "resources"), errors);
    validate_mounts(container, volumes, FIELD(path, "volumeMounts"), errors);
    if (container->securitycontext)
        validate_security(container->securitycontext, FIELD(path, "securityContext"), errors);
}
