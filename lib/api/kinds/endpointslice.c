#include <arpa/inet.h>

#include "lib/api/kinds/kinds.h"

#define SHOWN_MAX 3
#define ENDPOINTS_MAX 1000
#define ADDRESSES_MAX 100
#define PORTS_MAX 20000

static char *print_address_type(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return g_strdup(api_str(((const Discovery__V1__EndpointSlice *)object)->addresstype));
}

static char *print_ports(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Discovery__V1__EndpointSlice *slice = (const Discovery__V1__EndpointSlice *)object;
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < slice->n_ports && i < SHOWN_MAX; i++) {
        if (i > 0)
            g_string_append_c(text, ',');
        if (slice->ports[i]->has_port)
            g_string_append_printf(text, "%d", slice->ports[i]->port);
        else
            g_string_append_c(text, '*');
    }
    if (slice->n_ports > SHOWN_MAX)
        g_string_append_printf(text, " + %zu more...", slice->n_ports - SHOWN_MAX);
    return g_strdup(text->len > 0 ? text->str : "<unset>");
}

static char *print_endpoints(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Discovery__V1__EndpointSlice *slice = (const Discovery__V1__EndpointSlice *)object;
    g_autoptr(GString) text = g_string_new(NULL);
    gsize n = 0;
    for (gsize i = 0; i < slice->n_endpoints; i++) {
        for (gsize k = 0; k < slice->endpoints[i]->n_addresses; k++) {
            if (n++ < SHOWN_MAX)
                g_string_append_printf(text, "%s%s", text->len > 0 ? "," : "", slice->endpoints[i]->addresses[k]);
        }
    }
    if (n > SHOWN_MAX)
        g_string_append_printf(text, " + %zu more...", n - SHOWN_MAX);
    return g_strdup(n > 0 ? text->str : "<unset>");
}

const ApiColumn endpoint_slice_columns[] = {
    {"ADDRESSTYPE", FALSE, print_address_type},
    {"PORTS", FALSE, print_ports},
    {"ENDPOINTS", FALSE, print_endpoints},
    {NULL, FALSE, NULL},
};

void endpoint_slice_set_defaults(ProtobufCMessage *object)
{
    Discovery__V1__EndpointSlice *slice = (Discovery__V1__EndpointSlice *)object;
    for (gsize i = 0; i < slice->n_ports; i++) {
        Discovery__V1__EndpointPort *port = slice->ports[i];
        if (!port->name)
            port->name = g_strdup("");
        if (api_str(port->protocol)[0] == '\0')
            api_set_string(&port->protocol, "TCP");
    }
}

static const char *ipv4(const char *value)
{
    struct in_addr address;
    return inet_pton(AF_INET, value, &address) == 1 ? NULL : "must be a valid IPv4 address, (e.g. 10.9.8.7)";
}

static void validate_endpoint(const Discovery__V1__Endpoint *endpoint, const Path *path, ApiFieldErrors *errors)
{
    const Path *addresses = FIELD(path, "addresses");
    if (endpoint->n_addresses == 0)
        fail_required(errors, addresses, "must contain at least 1 address");
    if (endpoint->n_addresses > ADDRESSES_MAX)
        fail_number(errors, addresses, (gint64)endpoint->n_addresses, "must have at most 100 items");
    for (gsize i = 0; i < endpoint->n_addresses && i < ADDRESSES_MAX; i++)
        require_name(errors, ITEM(addresses, i), endpoint->addresses[i], ipv4);
    check_name(errors, FIELD(path, "hostname"), endpoint->hostname, api_name_dns_label);
    check_name(errors, FIELD(path, "nodeName"), endpoint->nodename, api_name_dns_subdomain);
}

static void validate_ports(const Discovery__V1__EndpointSlice *slice, const Path *path, ApiFieldErrors *errors)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    if (slice->n_ports > PORTS_MAX)
        fail_number(errors, path, (gint64)slice->n_ports, "must have at most 20000 items");
    for (gsize i = 0; i < slice->n_ports && i < PORTS_MAX; i++) {
        const Discovery__V1__EndpointPort *port = slice->ports[i];
        const char *name = api_str(port->name);
        check_name(errors, FIELD(ITEM(path, i), "name"), name, api_name_dns_label);
        if (!g_hash_table_add(names, (gpointer)name)) /* one port may have no name */
            fail_duplicate(errors, FIELD(ITEM(path, i), "name"), name);
        require_one_of(errors, FIELD(ITEM(path, i), "protocol"), port->protocol, port_protocols);
        if (port->has_port)
            check_port(errors, FIELD(ITEM(path, i), "port"), port->port);
    }
}

void endpoint_slice_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    static const char *const types[] = {"IPv4", NULL};
    const Discovery__V1__EndpointSlice *slice = (const Discovery__V1__EndpointSlice *)object;
    const Discovery__V1__EndpointSlice *before = (const Discovery__V1__EndpointSlice *)old;
    const Path *type = FIELD(NULL, "addressType"), *endpoints = FIELD(NULL, "endpoints");
    if (api_str_equal(slice->addresstype, "IPv6") || api_str_equal(slice->addresstype, "FQDN"))
        fail_unimplemented(errors, type, slice->addresstype);
    else
        require_one_of(errors, type, slice->addresstype, types);
    if (before && !api_str_equal(slice->addresstype, before->addresstype))
        fail_invalid(errors, type, slice->addresstype, "field is immutable");
    if (slice->n_endpoints > ENDPOINTS_MAX)
        fail_number(errors, endpoints, (gint64)slice->n_endpoints, "must have at most 1000 items");
    for (gsize i = 0; i < slice->n_endpoints && i < ENDPOINTS_MAX; i++)
        validate_endpoint(slice->endpoints[i], ITEM(endpoints, i), errors);
    validate_ports(slice, FIELD(NULL, "ports"), errors);
}
