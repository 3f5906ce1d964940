/* Placements per second of the scheduler's engine in memory: no server, no binding.
 *   bench-placement [NODES PODS]...     default: 1000 20000 5000 50000
 * Pods of 100 controllers with the same requests each are placed one by one and stay. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/api/object.h"
#include "scheduler/engine.h"
#include "scheduler/resources.h"

#define CONTROLLERS 100

static void add_quantity(SchedQuantityEntry ***entries, size_t *n, const ProtobufCMessageDescriptor *type, const char *key,
                         const char *value)
{
    SchedQuantityEntry *entry = g_malloc0(type->sizeof_message);
    type->message_init(&entry->base);
    entry->key = g_strdup(key);
    entry->value = API_NEW(Meta__V1__Quantity, meta__v1__quantity);
    entry->value->string = g_strdup(value);
    *entries = g_realloc_n(*entries, *n + 1, sizeof **entries);
    (*entries)[(*n)++] = entry;
}

static Core__V1__Node *node_new(guint i)
{
    Core__V1__Node *node = API_NEW(Core__V1__Node, core__v1__node);
    Meta__V1__ObjectMeta *meta = API_META(node);
    meta->name = g_strdup_printf("node-%u", i);
    api_label_set(meta, "kubernetes.io/hostname", meta->name);
    api_label_set(meta, "topology.kubernetes.io/zone", i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c");
    node->status = API_NEW(Core__V1__NodeStatus, core__v1__node_status);
    static const char *const amounts[][2] = {{"cpu", "32"}, {"memory", "128Gi"}, {"pods", "110"}, {"ephemeral-storage", "500Gi"}};
    for (guint k = 0; k < G_N_ELEMENTS(amounts); k++)
        add_quantity((SchedQuantityEntry ***)&node->status->allocatable, &node->status->n_allocatable,
                     &core__v1__node_status__allocatable_entry__descriptor, amounts[k][0], amounts[k][1]);
    return node;
}

static Core__V1__Pod *pod_new(guint i)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    meta->namespace_ = g_strdup("default");
    meta->name = g_strdup_printf("pod-%u", i);
    meta->uid = g_strdup_printf("uid-%u", i);
    Meta__V1__OwnerReference *owner = API_NEW(Meta__V1__OwnerReference, meta__v1__owner_reference);
    owner->uid = g_strdup_printf("owner-%u", i % CONTROLLERS);
    api_set_scalar(owner, controller, 1);
    api_append(meta->ownerreferences, meta->n_ownerreferences, owner);
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
    container->name = g_strdup("c");
    container->resources = API_NEW(Core__V1__ResourceRequirements, core__v1__resource_requirements);
    SchedQuantityEntry ***requests = (SchedQuantityEntry ***)&container->resources->requests;
    const ProtobufCMessageDescriptor *type = &core__v1__resource_requirements__requests_entry__descriptor;
    add_quantity(requests, &container->resources->n_requests, type, "cpu", i % 2 ? "100m" : "250m");
    add_quantity(requests, &container->resources->n_requests, type, "memory", "256Mi");
    api_append(pod->spec->containers, pod->spec->n_containers, container);
    return pod;
}

static void run(guint n_nodes, guint n_pods)
{
    g_autoptr(SchedEngine) engine = sched_engine_new();
    for (guint i = 0; i < n_nodes; i++) {
        API_AUTO(Core__V1__Node) node = node_new(i);
        sched_nodes_put(sched_engine_nodes(engine), node, NULL);
    }
    g_autoptr(GPtrArray) pods = g_ptr_array_new_with_free_func((GDestroyNotify)sched_pod_free);
    gint64 begin = g_get_monotonic_time();
    for (guint i = 0; i < n_pods; i++) {
        API_AUTO(Core__V1__Pod) pod = pod_new(i);
        g_ptr_array_add(pods, sched_pod_new(pod, sched_engine_nodes(engine)));
    }
    gint64 read = g_get_monotonic_time();
    guint placed = 0;
    for (guint i = 0; i < n_pods; i++) {
        gint node = sched_engine_place(engine, pods->pdata[i]);
        if (node < 0)
            continue;
        sched_engine_assign(engine, pods->pdata[i], (guint)node);
        placed++;
    }
    gint64 end = g_get_monotonic_time();
    printf("%6u nodes %7u pods: %6u placed, %8.0f placements/s (%.1f us each; reading a pod %.1f us more)\n", n_nodes, n_pods,
           placed, placed * 1e6 / (double)(end - read), (double)(end - read) / n_pods, (double)(read - begin) / n_pods);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        run(1000, 20000);
        run(5000, 50000);
    }
    for (int i = 1; i + 1 < argc; i += 2)
        run((guint)atoi(argv[i]), (guint)atoi(argv[i + 1]));
    return EXIT_SUCCESS;
}
