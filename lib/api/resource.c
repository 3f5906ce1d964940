#include "lib/api/resource.h"

#include <string.h>

#include "lib/api/kinds/kinds.h"

static const ApiResource resources[API_INDEX_MAX_] = {
    [API_INDEX_POD] =
        {
            .kind = "Pod",
            .plural = "pods",
            .singular = "pod",
            .short_names = {"po"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Pods",
            .namespaced = TRUE,
            .has_status = TRUE,
            .has_generation = TRUE,
            .object = &core__v1__pod__descriptor,
            .list = &core__v1__pod_list__descriptor,
            .selectable = {{"spec.nodeName", {2, 10}},
                           {"status.phase", {3, 1}},
                           {"spec.restartPolicy", {2, 3}},
                           {"spec.schedulerName", {2, 19}},
                           {"spec.serviceAccountName", {2, 8}},
                           {"status.podIP", {3, 6}}},
            .columns = pod_columns,
            .set_defaults = pod_set_defaults,
            .prepare_create = pod_prepare_create,
            .prepare_update = pod_prepare_update,
            .validate = pod_validate,
            .deletion_grace = pod_deletion_grace,
        },
    [API_INDEX_NODE] =
        {
            .kind = "Node",
            .plural = "nodes",
            .singular = "node",
            .short_names = {"no"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Nodes",
            .has_status = TRUE,
            .object = &core__v1__node__descriptor,
            .list = &core__v1__node_list__descriptor,
            .columns = node_columns,
            .set_defaults = node_set_defaults,
            .prepare_update = node_prepare_update,
            .validate = node_validate,
            .validate_status = node_validate_status,
        },
    [API_INDEX_SERVICE] =
        {
            .kind = "Service",
            .plural = "services",
            .singular = "service",
            .short_names = {"svc"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Services",
            .namespaced = TRUE,
            .has_status = TRUE,
            .object = &core__v1__service__descriptor,
            .list = &core__v1__service_list__descriptor,
            .check_name = api_name_dns1035_label,
            .selectable = {{"spec.clusterIP", {2, 3}}, {"spec.type", {2, 4}}},
            .columns = service_columns,
            .set_defaults = service_set_defaults,
            .prepare_create = status_prepare_create,
            .prepare_update = service_prepare_update,
            .validate = service_validate,
        },
    [API_INDEX_ENDPOINTS] =
        {
            .kind = "Endpoints",
            .plural = "endpoints",
            .singular = "endpoints",
            .short_names = {"ep"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Endpoints",
            .namespaced = TRUE,
            .object = &core__v1__endpoints__descriptor,
            .list = &core__v1__endpoints_list__descriptor,
            .columns = endpoints_columns,
            .set_defaults = endpoints_set_defaults,
            .validate = endpoints_validate,
        },
    [API_INDEX_NAMESPACE] =
        {
            .kind = "Namespace",
            .plural = "namespaces",
            .singular = "namespace",
            .short_names = {"ns"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Namespaces",
            .has_status = TRUE,
            .object = &core__v1__namespace__descriptor,
            .list = &core__v1__namespace_list__descriptor,
            .check_name = api_name_dns_label,
            .selectable = {{"status.phase", {3, 1}}},
            .columns = namespace_columns,
            .set_defaults = namespace_set_defaults,
            .prepare_create = namespace_prepare_create,
            .prepare_update = namespace_prepare_update,
        },
    [API_INDEX_CONFIG_MAP] =
        {
            .kind = "ConfigMap",
            .plural = "configmaps",
            .singular = "configmap",
            .short_names = {"cm"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.ConfigMaps",
            .namespaced = TRUE,
            .object = &core__v1__config_map__descriptor,
            .list = &core__v1__config_map_list__descriptor,
            .columns = config_map_columns,
            .validate = config_map_validate,
        },
    [API_INDEX_SECRET] =
        {
            .kind = "Secret",
            .plural = "secrets",
            .singular = "secret",
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Secrets",
            .namespaced = TRUE,
            .object = &core__v1__secret__descriptor,
            .list = &core__v1__secret_list__descriptor,
            .selectable = {{"type", {3}}},
            .columns = secret_columns,
            .set_defaults = secret_set_defaults,
            .validate = secret_validate,
        },
    [API_INDEX_SERVICE_ACCOUNT] =
        {
            .kind = "ServiceAccount",
            .plural = "serviceaccounts",
            .singular = "serviceaccount",
            .short_names = {"sa"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.ServiceAccounts",
            .namespaced = TRUE,
            .object = &core__v1__service_account__descriptor,
            .list = &core__v1__service_account_list__descriptor,
            .columns = service_account_columns,
        },
    [API_INDEX_EVENT] =
        {
            .kind = "Event",
            .plural = "events",
            .singular = "event",
            .short_names = {"ev"},
            .group = "",
            .version = "v1",
            .service = "cleat.v1.Events",
            .namespaced = TRUE,
            .object = &core__v1__event__descriptor,
            .list = &core__v1__event_list__descriptor,
            .selectable = {{"involvedObject.kind", {2, 1}},
                           {"involvedObject.namespace", {2, 2}},
                           {"involvedObject.name", {2, 3}},
                           {"involvedObject.uid", {2, 4}},
                           {"reason", {3}},
                           {"type", {9}}},
            .columns = event_columns,
            .validate = event_validate,
        },
    [API_INDEX_DEPLOYMENT] =
        {
            .kind = "Deployment",
            .plural = "deployments",
            .singular = "deployment",
            .short_names = {"deploy"},
            .group = "apps",
            .version = "v1",
            .service = "cleat.v1.Deployments",
            .namespaced = TRUE,
            .has_status = TRUE,
            .has_generation = TRUE,
            .object = &apps__v1__deployment__descriptor,
            .list = &apps__v1__deployment_list__descriptor,
            .columns = deployment_columns,
            .set_defaults = deployment_set_defaults,
            .prepare_create = status_prepare_create,
            .prepare_update = status_prepare_update,
            .validate = deployment_validate,
        },
    [API_INDEX_REPLICA_SET] =
        {
            .kind = "ReplicaSet",
            .plural = "replicasets",
            .singular = "replicaset",
            .short_names = {"rs"},
            .group = "apps",
            .version = "v1",
            .service = "cleat.v1.ReplicaSets",
            .namespaced = TRUE,
            .has_status = TRUE,
            .has_generation = TRUE,
            .object = &apps__v1__replica_set__descriptor,
            .list = &apps__v1__replica_set_list__descriptor,
            .columns = replica_set_columns,
            .set_defaults = replica_set_set_defaults,
            .prepare_create = status_prepare_create,
            .prepare_update = status_prepare_update,
            .validate = replica_set_validate,
        },
    [API_INDEX_JOB] =
        {
            .kind = "Job",
            .plural = "jobs",
            .singular = "job",
            .group = "batch",
            .version = "v1",
            .service = "cleat.v1.Jobs",
            .namespaced = TRUE,
            .has_status = TRUE,
            .has_generation = TRUE,
            .object = &batch__v1__job__descriptor,
            .list = &batch__v1__job_list__descriptor,
            .columns = job_columns,
            .set_defaults = job_set_defaults,
            .prepare_create = job_prepare_create,
            .prepare_update = job_prepare_update,
            .validate = job_validate,
        },
    [API_INDEX_ENDPOINT_SLICE] =
        {
            .kind = "EndpointSlice",
            .plural = "endpointslices",
            .singular = "endpointslice",
            .group = "discovery.k8s.io",
            .version = "v1",
            .service = "cleat.v1.EndpointSlices",
            .namespaced = TRUE,
            .has_generation = TRUE,
            .object = &discovery__v1__endpoint_slice__descriptor,
            .list = &discovery__v1__endpoint_slice_list__descriptor,
            .columns = endpoint_slice_columns,
            .set_defaults = endpoint_slice_set_defaults,
            .validate = endpoint_slice_validate,
        },
    [API_INDEX_LEASE] =
        {
            .kind = "Lease",
            .plural = "leases",
            .singular = "lease",
            .group = "coordination.k8s.io",
            .version = "v1",
            .service = "cleat.v1.Leases",
            .namespaced = TRUE,
            .object = &coordination__v1__lease__descriptor,
            .list = &coordination__v1__lease_list__descriptor,
            .columns = lease_columns,
            .validate = lease_validate,
        },
};

const ApiResource *api_resources(guint *ret_n)
{
    *ret_n = API_INDEX_MAX_;
    return resources;
}

const ApiResource *api_resource_row(ApiResourceIndex index)
{
    g_assert(index < API_INDEX_MAX_);
    return &resources[index];
}

guint api_resource_index(const ApiResource *resource)
{
    return (guint)(resource - resources);
}

const ApiResource *api_resource_by_kind(const char *group, const char *version, const char *kind)
{
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        const ApiResource *row = &resources[i];
        if (g_str_equal(row->kind, kind) && g_str_equal(row->group, group) &&
            (version == NULL || g_str_equal(row->version, version)))
            return row;
    }
    return NULL;
}

const ApiResource *api_resource_by_plural(const char *group, const char *plural)
{
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        if (g_str_equal(resources[i].plural, plural) && g_str_equal(resources[i].group, group))
            return &resources[i];
    }
    return NULL;
}

const ApiResource *api_resource_by_descriptor(const ProtobufCMessageDescriptor *object_or_list)
{
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        if (resources[i].object == object_or_list || resources[i].list == object_or_list)
            return &resources[i];
    }
    return NULL;
}

/* Whether <name>, without a group, is one of the names of a row. */
static gboolean row_is_called(const ApiResource *row, const char *name)
{
    if (g_ascii_strcasecmp(name, row->plural) == 0 || g_ascii_strcasecmp(name, row->singular) == 0 ||
        g_ascii_strcasecmp(name, row->kind) == 0)
        return TRUE;
    for (const char *const *one = row->short_names; *one; one++) {
        if (g_ascii_strcasecmp(name, *one) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Whether <suffix>, what follows the first dot of a typed name, is the row's "group" or "version.group". */
static gboolean row_is_in(const ApiResource *row, const char *suffix)
{
    if (g_ascii_strcasecmp(suffix, row->group) == 0)
        return TRUE;
    gsize n = strlen(row->version);
    if (g_ascii_strncasecmp(suffix, row->version, n) != 0)
        return FALSE;
    if (suffix[n] == '\0')
        return row->group[0] == '\0';
    return suffix[n] == '.' && g_ascii_strcasecmp(suffix + n + 1, row->group) == 0;
}

const ApiResource *api_resource_by_name(const char *name)
{
    const char *dot = strchr(name, '.');
    g_autofree char *first = dot ? g_strndup(name, (gsize)(dot - name)) : g_strdup(name);
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        if (row_is_called(&resources[i], first) && (!dot || row_is_in(&resources[i], dot + 1)))
            return &resources[i];
    }
    return NULL;
}

const ApiResource *api_resource_by_service(const char *service)
{
    for (guint i = 0; i < API_INDEX_MAX_; i++) {
        if (g_str_equal(resources[i].service, service))
            return &resources[i];
    }
    return NULL;
}

char *api_resource_api_version(const ApiResource *resource)
{
    return resource->group[0] ? g_strconcat(resource->group, "/", resource->version, NULL)
                              : g_strdup(resource->version);
}
