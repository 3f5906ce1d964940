#include "agent/field-ref.h"

#include <string.h>

#include "agent/resources.h"
#include "lib/api/object.h"
#include "lib/base/error.h"

static const char *service_account(const Core__V1__Pod *pod)
{
    return pod->spec ? api_str(pod->spec->serviceaccountname) : "";
}

static const char *node_name(const Core__V1__Pod *pod)
{
    return pod->spec ? api_str(pod->spec->nodename) : "";
}

/* metadata.labels['KEY'] and metadata.annotations['KEY']: the key, or NULL if path is not of that form. New string. */
static char *subscript(const char *path, const char *prefix)
{
    gsize prefix_size = strlen(prefix), size = strlen(path);
    if (!g_str_has_prefix(path, prefix) || size < prefix_size + 4 || !g_str_has_prefix(path + prefix_size, "['") ||
        !g_str_has_suffix(path, "']"))
        return NULL;
    return g_strndup(path + prefix_size + 2, size - prefix_size - 4);
}

static char *map_value(const Core__V1__Pod *pod, const char *path)
{
    g_autofree char *label = subscript(path, "metadata.labels");
    if (label)
        return g_strdup(api_str(api_label(pod->metadata, label)));
    g_autofree char *annotation = subscript(path, "metadata.annotations");
    return annotation ? g_strdup(api_str(api_annotation(pod->metadata, annotation))) : NULL;
}

char *field_ref_value(const Core__V1__Pod *pod, const char *path, const FieldFacts *facts, GError **error)
{
    const struct {
        const char *path;
        const char *value;
    } plain[] = {
        {"metadata.name", api_object_name(&pod->base)},    {"metadata.namespace", api_object_namespace(&pod->base)},
        {"metadata.uid", api_object_uid(&pod->base)},      {"spec.nodeName", node_name(pod)},
        {"spec.serviceAccountName", service_account(pod)}, {"status.hostIP", api_str(facts->host_ip)},
        {"status.hostIPs", api_str(facts->host_ip)},       {"status.podIP", api_str(facts->pod_ip)},
    };
    for (guint i = 0; i < G_N_ELEMENTS(plain); i++) {
        if (api_str_equal(plain[i].path, path))
            return g_strdup(plain[i].value);
    }
    if (api_str_equal(path, "status.podIPs"))
        return facts->pod_ips ? g_strjoinv(",", (char **)facts->pod_ips) : g_strdup(api_str(facts->pod_ip));
    char *value = map_value(pod, api_str(path));
    if (!value)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "unsupported fieldPath: %s", api_str(path));
    return value;
}

static const Core__V1__Container *find_container(const Core__V1__PodSpec *spec, const char *name)
{
    for (gsize i = 0; i < spec->n_containers; i++) {
        if (api_str_equal(spec->containers[i]->name, name))
            return spec->containers[i];
    }
    for (gsize i = 0; i < spec->n_initcontainers; i++) {
        if (api_str_equal(spec->initcontainers[i]->name, name))
            return spec->initcontainers[i];
    }
    return NULL;
}

/* The figure of "limits.cpu" and the like; what has no limit may use the whole node. */
static gboolean resource_figure(const Core__V1__Container *container, const char *resource, const FieldFacts *facts,
                                ApiQuantity *ret)
{
    const struct {
        const char *name;
        ApiQuantity whole;
    } known[] = {
        {"cpu", facts->node_cpu},
        {"memory", facts->node_memory},
        {"ephemeral-storage", facts->node_ephemeral_storage},
    };
    gboolean limit = g_str_has_prefix(resource, "limits.");
    if (!limit && !g_str_has_prefix(resource, "requests."))
        return FALSE;
    const char *name = strchr(resource, '.') + 1;
    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!g_str_equal(known[i].name, name))
            continue;
        *ret = (ApiQuantity){0};
        if (limit ? !resources_limit(container->resources, name, ret)
                  : !resources_request(container->resources, name, ret))
            *ret = limit ? known[i].whole : (ApiQuantity){0};
        return TRUE;
    }
    return FALSE;
}

char *resource_field_ref_value(const Core__V1__Pod *pod, const Core__V1__Container *container,
                               const Core__V1__ResourceFieldSelector *selector, const FieldFacts *facts, GError **error)
{
    if (selector->containername && selector->containername[0])
        container = find_container(pod->spec, selector->containername);
    if (!container) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "container \"%s\" not found", selector->containername);
        return NULL;
    }
    ApiQuantity figure, divisor = api_quantity_from_value(1, API_QUANTITY_DECIMAL_SI);
    if (!resource_figure(container, api_str(selector->resource), facts, &figure)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "unsupported resource: %s", api_str(selector->resource));
        return NULL;
    }
    ApiQuantity given;
    if (selector->divisor && api_quantity_get(selector->divisor, &given) && given.nano > 0)
        divisor = given;
    __int128 quotient = figure.nano / divisor.nano + (figure.nano % divisor.nano > 0);
    return g_strdup_printf("%" G_GINT64_FORMAT, (gint64)quotient);
}
