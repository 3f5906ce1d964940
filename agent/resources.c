#include "agent/resources.h"

#include <string.h>

#include "lib/api/object.h"

static const char *const qos_names[QOS_MAX_] = {"Guaranteed", "Burstable", "BestEffort"};
static const char *const qos_resources[] = {"cpu", "memory"};

gboolean resources_limit(const Core__V1__ResourceRequirements *resources, const char *name, ApiQuantity *ret)
{
    for (gsize i = resources ? resources->n_limits : 0; i-- > 0;) {
        if (api_str_equal(resources->limits[i]->key, name))
            return api_quantity_get(resources->limits[i]->value, ret);
    }
    return FALSE;
}

gboolean resources_request(const Core__V1__ResourceRequirements *resources, const char *name, ApiQuantity *ret)
{
    for (gsize i = resources ? resources->n_requests : 0; i-- > 0;) {
        if (api_str_equal(resources->requests[i]->key, name))
            return api_quantity_get(resources->requests[i]->value, ret);
    }
    return FALSE;
}

/* The request, or the limit where only that is given. */
static gboolean effective_request(const Core__V1__ResourceRequirements *resources, const char *name, ApiQuantity *ret)
{
    return resources_request(resources, name, ret) || resources_limit(resources, name, ret);
}

static gboolean is_positive(ApiQuantity quantity)
{
    return quantity.nano > 0;
}

/* What one container says about the class: clears *guaranteed, sets *asks. */
static void qos_count(const Core__V1__Container *container, gboolean *guaranteed, gboolean *asks)
{
    for (guint i = 0; i < G_N_ELEMENTS(qos_resources); i++) {
        ApiQuantity limit, request;
        gboolean limited = resources_limit(container->resources, qos_resources[i], &limit) && is_positive(limit);
        gboolean requested =
            resources_request(container->resources, qos_resources[i], &request) && is_positive(request);
        *asks |= limited || requested;
        if (!limited || (requested && api_quantity_cmp(limit, request) != 0))
            *guaranteed = FALSE;
    }
}

QosClass qos_of(const Core__V1__PodSpec *spec)
{
    gboolean guaranteed = TRUE, asks = FALSE;
    for (gsize i = 0; i < spec->n_containers; i++)
        qos_count(spec->containers[i], &guaranteed, &asks);
    for (gsize i = 0; i < spec->n_initcontainers; i++)
        qos_count(spec->initcontainers[i], &guaranteed, &asks);
    if (!asks)
        return QOS_BEST_EFFORT;
    return guaranteed ? QOS_GUARANTEED : QOS_BURSTABLE;
}

const char *qos_name(QosClass qos)
{
    return qos_names[qos];
}

gint64 resources_shares(gint64 milli_cpu)
{
    return CLAMP(milli_cpu * 1024 / 1000, RESOURCES_MIN_SHARES, 262144);
}

gint64 resources_quota(gint64 milli_cpu)
{
    return milli_cpu > 0 ? MAX(milli_cpu * RESOURCES_CPU_PERIOD_US / 1000, 1000) : 0;
}

guint64 resources_weight(gint64 shares)
{
    return 1 + (guint64)(CLAMP(shares, 2, 262144) - 2) * 9999 / 262142;
}

gint64 resources_oom_score(QosClass qos, const Core__V1__Container *container, gint64 node_memory)
{
    if (qos == QOS_GUARANTEED)
        return -997;
    ApiQuantity request;
    if (qos == QOS_BEST_EFFORT)
        return 1000;
    if (node_memory <= 0 || !effective_request(container->resources, "memory", &request))
        return 999;
    gint64 score = 1000 - (gint64)((__int128)1000 * api_quantity_value(request) / node_memory);
    return CLAMP(score, 3, 999);
}

static gint64 cpu_request(const Core__V1__Container *container)
{
    ApiQuantity cpu;
    return effective_request(container->resources, "cpu", &cpu) ? api_quantity_milli(cpu) : 0;
}

static gint64 cpu_limit(const Core__V1__Container *container)
{
    ApiQuantity cpu;
    return resources_limit(container->resources, "cpu", &cpu) ? api_quantity_milli(cpu) : 0;
}

static gint64 memory_limit(const Core__V1__Container *container)
{
    ApiQuantity memory;
    return resources_limit(container->resources, "memory", &memory) ? api_quantity_value(memory) : 0;
}

Runtime__V1__LinuxContainerResources *resources_for_container(QosClass qos, const Core__V1__Container *container,
                                                              gint64 node_memory)
{
    Runtime__V1__LinuxContainerResources *out =
        API_NEW(Runtime__V1__LinuxContainerResources, runtime__v1__linux_container_resources);
    out->cpu_shares = resources_shares(cpu_request(container));
    out->cpu_quota = resources_quota(cpu_limit(container));
    out->cpu_period = out->cpu_quota ? RESOURCES_CPU_PERIOD_US : 0;
    out->memory_limit_in_bytes = memory_limit(container);
    out->oom_score_adj = resources_oom_score(qos, container, node_memory);
    return out;
}

/* The pod's figure for one kind of limit: the sum over containers, but at least that of the largest init container; 0 when
 * any container has none. */
static gint64 pod_limit(const Core__V1__PodSpec *spec, gint64 (*of)(const Core__V1__Container *))
{
    gint64 sum = 0;
    for (gsize i = 0; i < spec->n_containers; i++) {
        gint64 limit = of(spec->containers[i]);
        if (limit == 0)
            return 0;
        sum += limit;
    }
    for (gsize i = 0; i < spec->n_initcontainers; i++) {
        gint64 limit = of(spec->initcontainers[i]);
        if (limit == 0)
            return 0;
        sum = MAX(sum, limit);
    }
    return sum;
}

void resources_for_pod(const Core__V1__PodSpec *spec, PodLimits *ret_limits)
{
    gint64 request = 0;
    for (gsize i = 0; i < spec->n_containers; i++)
        request += cpu_request(spec->containers[i]);
    for (gsize i = 0; i < spec->n_initcontainers; i++)
        request = MAX(request, cpu_request(spec->initcontainers[i]));
    ret_limits->shares = resources_shares(request);
    ret_limits->quota_us = resources_quota(pod_limit(spec, cpu_limit));
    ret_limits->memory = pod_limit(spec, memory_limit);
}
