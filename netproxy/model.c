#include "netproxy/model.h"

#include <arpa/inet.h>

#include "lib/api/object.h"

#define LABEL_SERVICE_NAME "kubernetes.io/service-name"

typedef struct {
    char *name;
    guint8 protocol;
    guint16 port; /* network order */
} ServicePort;

typedef struct {
    GArray *addresses; /* guint32 in network order */
    GArray *ports;     /* ServicePort */
    gboolean local_only;
} Service;

typedef struct {
    guint32 address;
    gboolean ready;
    gboolean serving_while_terminating;
    gboolean local;
} SliceEndpoint;

typedef struct {
    char *service;     /* key */
    GArray *ports;     /* ServicePort */
    GArray *endpoints; /* SliceEndpoint */
} Slice;

struct Model {
    char *node_name;
    GHashTable *services;   /* key -> Service */
    GHashTable *slices;     /* "namespace/name" of the slice -> Slice */
    GHashTable *by_service; /* service key -> GPtrArray of Slice, borrowed from slices; never empty */
    GHashTable *changed;    /* set of service keys */
};

/* --- lifecycle --------------------------------------------------------------------------------------------------------*/

static void service_port_clear(gpointer data)
{
    g_free(((ServicePort *)data)->name);
}

static GArray *service_ports_new(void)
{
    GArray *ports = g_array_new(FALSE, TRUE, sizeof(ServicePort));
    g_array_set_clear_func(ports, service_port_clear);
    return ports;
}

static void service_free(gpointer data)
{
    Service *service = data;
    g_array_unref(service->addresses);
    g_array_unref(service->ports);
    g_free(service);
}

static void slice_free(gpointer data)
{
    Slice *slice = data;
    g_free(slice->service);
    g_array_unref(slice->ports);
    g_array_unref(slice->endpoints);
    g_free(slice);
}

static void model_port_free(gpointer data)
{
    ModelPort *port = data;
    g_free(port->name);
    g_array_unref(port->frontends);
    g_array_unref(port->endpoints);
    g_free(port);
}

Model *model_new(const char *node_name)
{
    Model *model = g_new0(Model, 1);
    model->node_name = g_strdup(node_name);
    model->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, service_free);
    model->slices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, slice_free);
    model->by_service = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    model->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return model;
}

void model_free(Model *model)
{
    if (!model)
        return;
    g_hash_table_unref(model->by_service);
    g_hash_table_unref(model->services);
    g_hash_table_unref(model->slices);
    g_hash_table_unref(model->changed);
    g_free(model->node_name);
    g_free(model);
}

/* --- objects in -------------------------------------------------------------------------------------------------------*/

static char *key_new(const char *namespace, const char *name)
{
    return g_strdup_printf("%s/%s", namespace, name);
}

static void mark_changed(Model *model, const char *key)
{
    g_hash_table_add(model->changed, g_strdup(key));
}

static void service_add_address(Service *service, const char *address)
{
    guint32 parsed;
    if (inet_pton(AF_INET, api_str(address), &parsed) == 1)
        g_array_append_val(service->addresses, parsed);
}

static void ports_add(GArray *ports, const char *name, const char *protocol, gint32 number)
{
    ServicePort port = {.protocol = nft_protocol_parse(api_str(protocol)), .port = htons((guint16)number)};
    if (!port.protocol || number <= 0 || number > G_MAXUINT16)
        return;
    port.name = g_strdup(api_str(name));
    g_array_append_val(ports, port);
}

void model_set_service(Model *model, const Core__V1__Service *object)
{
    Service *service = g_new0(Service, 1);
    service->addresses = g_array_new(FALSE, FALSE, sizeof(guint32));
    service->ports = service_ports_new();
    const Core__V1__ServiceSpec *spec = object->spec;
    if (spec && g_strcmp0(spec->type, "ExternalName") != 0) {
        for (size_t i = 0; i < spec->n_clusterips; i++)
            service_add_address(service, spec->clusterips[i]);
        if (!spec->n_clusterips)
            service_add_address(service, spec->clusterip);
        for (size_t i = 0; i < spec->n_ports; i++)
            ports_add(service->ports, spec->ports[i]->name, spec->ports[i]->protocol,
                      spec->ports[i]->has_port ? spec->ports[i]->port : 0);
        service->local_only = g_strcmp0(spec->internaltrafficpolicy, "Local") == 0;
    }
    char *key = api_object_key(&object->base);
    mark_changed(model, key);
    g_hash_table_replace(model->services, key, service);
}

void model_remove_service(Model *model, const char *namespace, const char *name)
{
    g_autofree char *key = key_new(namespace, name);
    if (g_hash_table_remove(model->services, key))
        mark_changed(model, key);
}

static void slice_add_endpoint(Slice *slice, const Discovery__V1__Endpoint *endpoint, const char *node_name)
{
    const Discovery__V1__EndpointConditions *conditions = endpoint->conditions;
    SliceEndpoint parsed = {.local = g_strcmp0(endpoint->nodename, node_name) == 0};
    /* The addresses of an endpoint are interchangeable; clients of the API use the first. */
    if (!endpoint->n_addresses || inet_pton(AF_INET, endpoint->addresses[0], &parsed.address) != 1)
        return;
    parsed.ready = !conditions || !conditions->has_ready || conditions->ready;
    parsed.serving_while_terminating = conditions && conditions->has_terminating && conditions->terminating &&
                                       (conditions->has_serving ? conditions->serving : parsed.ready);
    g_array_append_val(slice->endpoints, parsed);
}

static Slice *slice_new(const Model *model, const Discovery__V1__EndpointSlice *object, const char *service_name)
{
    Slice *slice = g_new0(Slice, 1);
    slice->service = key_new(api_object_namespace(&object->base), service_name);
    slice->ports = service_ports_new();
    slice->endpoints = g_array_new(FALSE, FALSE, sizeof(SliceEndpoint));
    for (size_t i = 0; i < object->n_ports; i++)
        ports_add(slice->ports, object->ports[i]->name, object->ports[i]->protocol,
                  object->ports[i]->has_port ? object->ports[i]->port : 0);
    for (size_t i = 0; i < object->n_endpoints; i++)
        slice_add_endpoint(slice, object->endpoints[i], model->node_name);
    return slice;
}

static void slice_remove(Model *model, const char *key)
{
    Slice *slice = g_hash_table_lookup(model->slices, key);
    if (!slice)
        return;
    mark_changed(model, slice->service);
    GPtrArray *siblings = g_hash_table_lookup(model->by_service, slice->service);
    g_ptr_array_remove_fast(siblings, slice);
    if (!siblings->len)
        g_hash_table_remove(model->by_service, slice->service);
    g_hash_table_remove(model->slices, key);
}

void model_set_slice(Model *model, const Discovery__V1__EndpointSlice *object)
{
    char *key = api_object_key(&object->base);
    const char *service_name = api_label(api_meta_peek(&object->base), LABEL_SERVICE_NAME);
    slice_remove(model, key);
    if (!service_name || g_strcmp0(object->addresstype, "IPv4") != 0) {
        g_free(key);
        return;
    }
    Slice *slice = slice_new(model, object, service_name);
    mark_changed(model, slice->service);
    GPtrArray *siblings = g_hash_table_lookup(model->by_service, slice->service);
    if (!siblings) {
        siblings = g_ptr_array_new();
        g_hash_table_insert(model->by_service, g_strdup(slice->service), siblings);
    }
    g_ptr_array_add(siblings, slice);
    g_hash_table_replace(model->slices, key, slice);
}

void model_remove_slice(Model *model, const char *namespace, const char *name)
{
    g_autofree char *key = key_new(namespace, name);
    slice_remove(model, key);
}

/* --- ports out --------------------------------------------------------------------------------------------------------*/

/* The number at which the endpoints of a slice serve this port of the service, in network order; 0: not at all. */
static guint16 slice_target(const Slice *slice, const ServicePort *port)
{
    for (guint i = 0; i < slice->ports->len; i++) {
        const ServicePort *one = &g_array_index(slice->ports, ServicePort, i);
        if (one->protocol == port->protocol && g_str_equal(one->name, port->name))
            return one->port;
    }
    return 0;
}

/* Appends the endpoints of a kind, each address and port once. seen: set of NftDest. */
static void endpoints_add(GArray *endpoints, GHashTable *seen, const GPtrArray *slices, const ServicePort *port,
                          gboolean terminating, gboolean local_only)
{
    for (guint i = 0; i < slices->len; i++) {
        const Slice *slice = slices->pdata[i];
        guint16 target = slice_target(slice, port);
        for (guint j = 0; target && j < slice->endpoints->len; j++) {
            const SliceEndpoint *one = &g_array_index(slice->endpoints, SliceEndpoint, j);
            ModelEndpoint endpoint = {.dest = {.address = one->address, .port = target}, .local = one->local};
            gboolean wanted = terminating ? one->serving_while_terminating : one->ready;
            if (!wanted || (local_only && !one->local) || g_hash_table_contains(seen, &endpoint.dest))
                continue;
            g_hash_table_add(seen, g_memdup2(&endpoint.dest, sizeof endpoint.dest));
            g_array_append_val(endpoints, endpoint);
        }
    }
}

/* Those that are ready. If there are none, those that still serve while they terminate: better than nobody. */
static GArray *port_endpoints(const Model *model, const char *key, const Service *service, const ServicePort *port)
{
    GArray *endpoints = g_array_new(FALSE, TRUE, sizeof(ModelEndpoint));
    const GPtrArray *slices = g_hash_table_lookup(model->by_service, key);
    if (!slices)
        return endpoints;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(nft_dest_hash, nft_dest_equal, g_free, NULL);
    endpoints_add(endpoints, seen, slices, port, FALSE, service->local_only);
    if (!endpoints->len)
        endpoints_add(endpoints, seen, slices, port, TRUE, service->local_only);
    return endpoints;
}

static char *port_name(const char *key, const ServicePort *port)
{
    if (*port->name)
        return g_strdup_printf("%s:%s", key, port->name);
    return g_strdup_printf("%s:%u/%s", key, ntohs(port->port), nft_protocol_name(port->protocol));
}

GPtrArray *model_ports(const Model *model, const char *key)
{
    GPtrArray *ports = g_ptr_array_new_with_free_func(model_port_free);
    const Service *service = g_hash_table_lookup(model->services, key);
    if (!service || !service->addresses->len)
        return ports;
    for (guint i = 0; i < service->ports->len; i++) {
        const ServicePort *from = &g_array_index(service->ports, ServicePort, i);
        ModelPort *port = g_new0(ModelPort, 1);
        port->name = port_name(key, from);
        port->protocol = from->protocol;
        port->port = from->port;
        port->frontends = g_array_new(FALSE, TRUE, sizeof(NftFrontend));
        for (guint j = 0; j < service->addresses->len; j++) {
            NftFrontend frontend = {.address = g_array_index(service->addresses, guint32, j),
                                    .protocol = from->protocol,
                                    .port = from->port};
            g_array_append_val(port->frontends, frontend);
        }
        port->endpoints = port_endpoints(model, key, service, from);
        g_ptr_array_add(ports, port);
    }
    return ports;
}

GPtrArray *model_take_changed(Model *model)
{
    GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, model->changed);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        g_hash_table_iter_steal(&iter);
        g_ptr_array_add(keys, key);
    }
    return keys;
}

gboolean model_has_changed(const Model *model)
{
    return g_hash_table_size(model->changed) > 0;
}
