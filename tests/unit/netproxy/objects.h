/* Services and EndpointSlices for tests, and a look at what a table holds. */
#pragma once

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#include "lib/api/object.h"
#include "netproxy/model.h"
#include "netproxy/table.h"

/* ports: "http:TCP:80,dns:UDP:53" (name may be empty). */
static inline Core__V1__Service *object_service(const char *name, const char *address, const char *ports)
{
    Core__V1__Service *service = API_NEW(Core__V1__Service, core__v1__service);
    api_set_string(&API_META(service)->name, name);
    api_set_string(&API_META(service)->namespace_, "default");
    service->spec = API_NEW(Core__V1__ServiceSpec, core__v1__service_spec);
    service->spec->clusterip = g_strdup(address);
    g_auto(GStrv) list = g_strsplit(ports, ",", -1);
    for (char **one = list; *one; one++) {
        g_auto(GStrv) part = g_strsplit(*one, ":", 3);
        Core__V1__ServicePort *port = API_NEW(Core__V1__ServicePort, core__v1__service_port);
        port->name = g_strdup(part[0]);
        port->protocol = g_strdup(part[1]);
        api_set_scalar(port, port, atoi(part[2]));
        api_append(service->spec->ports, service->spec->n_ports, port);
    }
    return service;
}

/* One endpoint: "10.244.1.2" with any of the suffixes "!" (not ready), "~" (terminating but serving, so not ready),
 * "@node" (last). */
static inline Discovery__V1__Endpoint *object_endpoint(const char *text)
{
    Discovery__V1__Endpoint *endpoint = API_NEW(Discovery__V1__Endpoint, discovery__v1__endpoint);
    g_auto(GStrv) part = g_strsplit(text, "@", 2);
    gsize length = strcspn(part[0], "!~");
    gboolean terminating = strchr(part[0], '~') != NULL;
    endpoint->conditions = API_NEW(Discovery__V1__EndpointConditions, discovery__v1__endpoint_conditions);
    api_set_scalar(endpoint->conditions, ready, part[0][length] == '\0');
    api_set_scalar(endpoint->conditions, serving, terminating || part[0][length] == '\0');
    api_set_scalar(endpoint->conditions, terminating, terminating);
    api_append(endpoint->addresses, endpoint->n_addresses, g_strndup(part[0], length));
    endpoint->nodename = g_strdup(part[1]);
    return endpoint;
}

/* endpoints: a list of the above, "" for none; ports as in object_service(). */
static inline Discovery__V1__EndpointSlice *object_slice(const char *name, const char *service, const char *ports,
                                                         const char *endpoints)
{
    Discovery__V1__EndpointSlice *slice = API_NEW(Discovery__V1__EndpointSlice, discovery__v1__endpoint_slice);
    api_set_string(&API_META(slice)->name, name);
    api_set_string(&API_META(slice)->namespace_, "default");
    api_label_set(API_META(slice), "kubernetes.io/service-name", service);
    slice->addresstype = g_strdup("IPv4");
    g_auto(GStrv) port_list = g_strsplit(ports, ",", -1), endpoint_list = g_strsplit(endpoints, ",", -1);
    for (char **one = port_list; *one; one++) {
        g_auto(GStrv) part = g_strsplit(*one, ":", 3);
        Discovery__V1__EndpointPort *port = API_NEW(Discovery__V1__EndpointPort, discovery__v1__endpoint_port);
        port->name = g_strdup(part[0]);
        port->protocol = g_strdup(part[1]);
        api_set_scalar(port, port, atoi(part[2]));
        api_append(slice->ports, slice->n_ports, port);
    }
    for (char **one = endpoint_list; *one; one++)
        api_append(slice->endpoints, slice->n_endpoints, object_endpoint(*one));
    return slice;
}

static inline void object_set_service(Model *model, const char *name, const char *address, const char *ports)
{
    API_AUTO(Core__V1__Service) service = object_service(name, address, ports);
    model_set_service(model, service);
}

static inline void object_set_slice(Model *model, const char *name, const char *service, const char *ports,
                                    const char *endpoints)
{
    API_AUTO(Discovery__V1__EndpointSlice) slice = object_slice(name, service, ports, endpoints);
    model_set_slice(model, slice);
}

/* Moves the table to what the model says. New. */
static inline Changes *object_update(Model *model, Table *table)
{
    Changes *changes = changes_new();
    g_autoptr(GPtrArray) keys = model_take_changed(model);
    for (guint i = 0; i < keys->len; i++) {
        g_autoptr(GPtrArray) ports = model_ports(model, keys->pdata[i]);
        table_set_service(table, keys->pdata[i], ports, changes);
    }
    return changes;
}
