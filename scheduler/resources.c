#include "scheduler/resources.h"

#include "lib/api/quantity.h"

/* What Kubernetes assumes of a container that asks for nothing, when it scores (never when it filters). */
#define UNASKED_CPU_MILLI 100
#define UNASKED_MEMORY (200 * 1024 * 1024)

gint64 sched_amount(const char *resource, const Meta__V1__Quantity *quantity)
{
    ApiQuantity value;
    if (!api_quantity_get(quantity, &value))
        return 0;
    return g_str_equal(resource, "cpu") ? api_quantity_milli(value) : api_quantity_value(value);
}

gint64 sched_amount_of(SchedQuantityEntry *const *entries, gsize n, const char *resource)
{
    for (gsize i = n; i-- > 0;) /* the last entry of a key counts */
        if (g_str_equal(entries[i]->key, resource))
            return sched_amount(resource, entries[i]->value);
    return 0;
}

static gint64 container_request(const Core__V1__Container *container, const char *resource)
{
    const Core__V1__ResourceRequirements *resources = container->resources;
    return resources ? sched_amount_of((SchedQuantityEntry *const *)resources->requests, resources->n_requests, resource) : 0;
}

static gint64 pod_request(const Core__V1__PodSpec *spec, const char *resource, gint64 unasked)
{
    gint64 sum = 0;
    for (gsize i = 0; i < spec->n_containers; i++) {
        gint64 one = container_request(spec->containers[i], resource);
        sum += one ? one : unasked;
    }
    for (gsize i = 0; i < spec->n_initcontainers; i++) {
        gint64 one = container_request(spec->initcontainers[i], resource);
        sum = MAX(sum, one ? one : unasked);
    }
    return sum;
}

static void collect_names(GHashTable *names, Core__V1__Container *const *containers, gsize n)
{
    for (gsize i = 0; i < n; i++)
        for (gsize j = 0; containers[i]->resources && j < containers[i]->resources->n_requests; j++)
            g_hash_table_add(names, containers[i]->resources->requests[j]->key);
}

void sched_pod_requests(const Core__V1__PodSpec *spec, void (*callback)(const char *, gint64, gpointer), gpointer data)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    collect_names(names, spec->containers, spec->n_containers);
    collect_names(names, spec->initcontainers, spec->n_initcontainers);
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        gint64 amount = pod_request(spec, name, 0);
        if (amount > 0)
            callback(name, amount, data);
    }
}

void sched_pod_scored_requests(const Core__V1__PodSpec *spec, gint64 *ret_cpu_milli, gint64 *ret_memory)
{
    *ret_cpu_milli = pod_request(spec, "cpu", UNASKED_CPU_MILLI);
    *ret_memory = pod_request(spec, "memory", UNASKED_MEMORY);
}
