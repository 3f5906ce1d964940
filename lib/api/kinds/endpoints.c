#include "lib/api/kinds/kinds.h"

#define SHOWN_MAX 3

/* "10.0.0.1:80,10.0.0.2:80 + 1 more..." */
static char *print_endpoints(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__Endpoints *endpoints = (const Core__V1__Endpoints *)object;
    g_autoptr(GString) text = g_string_new(NULL);
    gsize n = 0;
    for (gsize i = 0; i < endpoints->n_subsets; i++) {
        const Core__V1__EndpointSubset *subset = endpoints->subsets[i];
        gsize ports = MAX(subset->n_ports, 1);
        for (gsize k = 0; k < subset->n_addresses * ports && n + k < SHOWN_MAX; k++) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? "," : "", api_str(subset->addresses[k / ports]->ip));
            if (subset->n_ports > 0)
                g_string_append_printf(text, ":%d", subset->ports[k % ports]->port);
        }
        n += subset->n_addresses * ports;
    }
    if (n > SHOWN_MAX)
        g_string_append_printf(text, " + %zu more...", n - SHOWN_MAX);
    return column_none(text->str);
}

const ApiColumn endpoints_columns[] = {
    {"ENDPOINTS", FALSE, print_endpoints},
    {NULL, FALSE, NULL},
};

void endpoints_set_defaults(ProtobufCMessage *object)
{
    Core__V1__Endpoints *endpoints = (Core__V1__Endpoints *)object;
    for (gsize i = 0; i < endpoints->n_subsets; i++) {
        for (gsize k = 0; k < endpoints->subsets[i]->n_ports; k++) {
            Core__V1__EndpointPort *port = endpoints->subsets[i]->ports[k];
            if (api_str(port->protocol)[0] == '\0')
                api_set_string(&port->protocol, "TCP");
        }
    }
}

static void validate_addresses(Core__V1__EndpointAddress *const *addresses, gsize n, const Path *path,
                               ApiFieldErrors *errors)
{
    for (gsize i = 0; i < n; i++) {
        require_name(errors, FIELD(ITEM(path, i), "ip"), addresses[i]->ip, api_name_ip);
        check_name(errors, FIELD(ITEM(path, i), "hostname"), addresses[i]->hostname, api_name_dns_label);
        check_name(errors, FIELD(ITEM(path, i), "nodeName"), addresses[i]->nodename, api_name_dns_subdomain);
    }
}

void endpoints_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    (void)old;
    const Core__V1__Endpoints *endpoints = (const Core__V1__Endpoints *)object;
    for (gsize i = 0; i < endpoints->n_subsets; i++) {
        const Core__V1__EndpointSubset *subset = endpoints->subsets[i];
        const Path *path = ITEM(FIELD(NULL, "subsets"), i);
        if (subset->n_addresses + subset->n_notreadyaddresses == 0)
            fail_required(errors, path, "must specify `addresses` or `notReadyAddresses`");
        validate_addresses(subset->addresses, subset->n_addresses, FIELD(path, "addresses"), errors);
        validate_addresses(subset->notreadyaddresses, subset->n_notreadyaddresses, FIELD(path, "notReadyAddresses"),
                           errors);
        for (gsize k = 0; k < subset->n_ports; k++) {
            const Core__V1__EndpointPort *port = subset->ports[k];
            const Path *port_path = ITEM(FIELD(path, "ports"), k);
            if (subset->n_ports > 1)
                require_name(errors, FIELD(port_path, "name"), port->name, api_name_dns_label);
            check_port(errors, FIELD(port_path, "port"), port->port);
            require_one_of(errors, FIELD(port_path, "protocol"), port->protocol, port_protocols);
        }
    }
}
