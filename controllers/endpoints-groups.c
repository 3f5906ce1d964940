/* From a service and its pods to endpoints. */
#include "controllers/endpoints.h"

#include <string.h>

static void group_free(gpointer pointer)
{
    EndpointGroup *group = pointer;
    g_ptr_array_unref(group->ports);
    g_ptr_array_unref(group->endpoints);
    g_free(group);
}

static void message_free(gpointer pointer)
{
    API_FREE(pointer);
}

static const char *protocol_or_tcp(const char *protocol)
{
    return protocol && *protocol ? protocol : "TCP";
}

/* The number that a service port means in a pod, or 0: a named port may be another one in each pod, or none. */
static gint32 find_port(const Core__V1__ServicePort *port, const Pod *pod)
{
    const Meta__V1__IntOrString *target = port->targetport;
    if (!target || (target->type == 0 && target->intval == 0))
        return port->port;
    if (target->type == 0)
        return target->intval;
    for (gsize i = 0; i < pod->spec->n_containers; i++) {
        const Core__V1__Container *container = pod->spec->containers[i];
        for (gsize j = 0; j < container->n_ports; j++)
            if (api_str_equal(container->ports[j]->name, target->strval) &&
                g_str_equal(protocol_or_tcp(container->ports[j]->protocol), protocol_or_tcp(port->protocol)))
                return container->ports[j]->containerport;
    }
    return 0;
}

static GPtrArray *ports_new(const Service *service, const Pod *pod)
{
    GPtrArray *ports = g_ptr_array_new_with_free_func(message_free);
    for (gsize i = 0; i < service->spec->n_ports; i++) {
        const Core__V1__ServicePort *from = service->spec->ports[i];
        gint32 number = find_port(from, pod);
        if (number == 0)
            continue;
        Discovery__V1__EndpointPort *port = API_NEW(Discovery__V1__EndpointPort, discovery__v1__endpoint_port);
        port->name = g_strdup(api_str(from->name));
        port->protocol = g_strdup(protocol_or_tcp(from->protocol));
        port->appprotocol = g_strdup(from->appprotocol);
        api_set_scalar(port, port, number);
        g_ptr_array_add(ports, port);
    }
    return ports;
}

static Endpoint *endpoint_new(const Service *service, const Pod *pod)
{
    gboolean terminating = pod_is_terminating(pod), ready = pod_is_ready(pod);
    Endpoint *endpoint = API_NEW(Endpoint, discovery__v1__endpoint);
    api_append(endpoint->addresses, endpoint->n_addresses, g_strdup(pod->status->podip));
    endpoint->conditions = API_NEW(Discovery__V1__EndpointConditions, discovery__v1__endpoint_conditions);
    api_set_scalar(endpoint->conditions, ready, service->spec->publishnotreadyaddresses || (ready && !terminating));
    api_set_scalar(endpoint->conditions, serving, ready);
    api_set_scalar(endpoint->conditions, terminating, terminating);
    if (*pod_node_name(pod))
        endpoint->nodename = g_strdup(pod_node_name(pod));
    /* A pod's name in the domain of a headless service. */
    if (pod->spec->hostname && *pod->spec->hostname && api_str_equal(pod->spec->subdomain, service->metadata->name))
        endpoint->hostname = g_strdup(pod->spec->hostname);
    endpoint->targetref = API_NEW(Core__V1__ObjectReference, core__v1__object_reference);
    endpoint->targetref->kind = g_strdup("Pod");
    endpoint->targetref->namespace_ = g_strdup(pod->metadata->namespace_);
    endpoint->targetref->name = g_strdup(pod->metadata->name);
    endpoint->targetref->uid = g_strdup(pod->metadata->uid);
    return endpoint;
}

static gboolean ports_equal(GPtrArray *a, GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++)
        if (!API_EQUAL(a->pdata[i], b->pdata[i]))
            return FALSE;
    return TRUE;
}

/* Takes <ports> over. */
static EndpointGroup *group_for(GPtrArray *groups, const char *address_type, GPtrArray *ports)
{
    for (guint i = 0; i < groups->len; i++) {
        EndpointGroup *group = groups->pdata[i];
        if (group->address_type == address_type && ports_equal(group->ports, ports)) {
            g_ptr_array_unref(ports);
            return group;
        }
    }
    EndpointGroup *group = g_new(EndpointGroup, 1);
    *group = (EndpointGroup){address_type, ports, g_ptr_array_new_with_free_func(message_free)};
    g_ptr_array_add(groups, group);
    return group;
}

static int compare_endpoints(gconstpointer a, gconstpointer b)
{
    return g_strcmp0((*(const Endpoint *const *)a)->targetref->name, (*(const Endpoint *const *)b)->targetref->name);
}

GPtrArray *endpoint_groups_new(const Service *service, const Pod *const *pods, gsize n)
{
    static const char ipv4[] = "IPv4", ipv6[] = "IPv6";
    GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
    for (gsize i = 0; i < n; i++) {
        const Pod *pod = pods[i];
        if (pod_is_finished(pod) || !pod->spec || !pod->status || !*api_str(pod->status->podip))
            continue;
        const char *type = strchr(pod->status->podip, ':') ? ipv6 : ipv4;
        g_ptr_array_add(group_for(groups, type, ports_new(service, pod))->endpoints, endpoint_new(service, pod));
    }
    for (guint i = 0; i < groups->len; i++)
        g_ptr_array_sort(((EndpointGroup *)groups->pdata[i])->endpoints, compare_endpoints);
    return groups;
}
