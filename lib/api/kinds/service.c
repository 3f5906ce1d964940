#include <arpa/inet.h>
#include <string.h>

#include "lib/api/kinds/kinds.h"
#include "lib/api/selector.h"

#define HEADLESS "None"

static const Core__V1__ServiceSpec *spec_of(const ProtobufCMessage *object)
{
    return ((const Core__V1__Service *)object)->spec;
}

static char *print_type(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return column_none(spec_of(object) ? spec_of(object)->type : NULL);
}

static char *print_cluster_ip(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    return column_none(spec_of(object) ? spec_of(object)->clusterip : NULL);
}

static char *print_external_ip(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__ServiceSpec *spec = spec_of(object);
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; spec && i < spec->n_externalips; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? "," : "", spec->externalips[i]);
    return column_none(text->str);
}

static char *print_ports(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__ServiceSpec *spec = spec_of(object);
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; spec && i < spec->n_ports; i++) {
        const Core__V1__ServicePort *port = spec->ports[i];
        g_string_append_printf(text, "%s%d", i > 0 ? "," : "", port->port);
        if (port->nodeport)
            g_string_append_printf(text, ":%d", port->nodeport);
        g_string_append_printf(text, "/%s", api_str(port->protocol));
    }
    return column_none(text->str);
}

static char *print_selector(const ProtobufCMessage *object, gint64 now_ns)
{
    (void)now_ns;
    const Core__V1__ServiceSpec *spec = spec_of(object);
    g_autoptr(ApiSelector) selector = spec ? api_selector_from_map(API_MAP(spec->selector), spec->n_selector) : NULL;
    g_autofree char *text = selector ? api_selector_format(selector) : NULL;
    return column_none(text);
}

const ApiColumn service_columns[] = {
    {"TYPE", FALSE, print_type},     {"CLUSTER-IP", FALSE, print_cluster_ip}, {"EXTERNAL-IP", FALSE, print_external_ip},
    {"PORT(S)", FALSE, print_ports}, {"SELECTOR", TRUE, print_selector},      {NULL, FALSE, NULL},
};

static void default_string(char **field, const char *value)
{
    if (api_str(*field)[0] == '\0')
        api_set_string(field, value);
}

static gboolean is_unset(const Meta__V1__IntOrString *value)
{
    return !value || (value->type == 0 ? value->intval == 0 : api_str(value->strval)[0] == '\0');
}

void service_set_defaults(ProtobufCMessage *object)
{
    Core__V1__ServiceSpec *spec = ((Core__V1__Service *)object)->spec;
    if (!spec)
        return;
    default_string(&spec->type, "ClusterIP");
    default_string(&spec->sessionaffinity, "None");
    default_string(&spec->internaltrafficpolicy, "Cluster");
    default_string(&spec->ipfamilypolicy, "SingleStack");
    if (spec->n_ipfamilies == 0)
        api_append(spec->ipfamilies, spec->n_ipfamilies, g_strdup("IPv4"));
    if (api_str(spec->clusterip)[0] && spec->n_clusterips == 0)
        api_append(spec->clusterips, spec->n_clusterips, g_strdup(spec->clusterip));
    for (gsize i = 0; i < spec->n_ports; i++) {
        Core__V1__ServicePort *port = spec->ports[i];
        default_string(&port->protocol, "TCP");
        if (is_unset(port->targetport))
            api_set(port->targetport, api_int_or_string_new(port->port));
    }
}

void service_prepare_update(ProtobufCMessage *object, const ProtobufCMessage *old)
{
    status_prepare_update(object, old);
    /* The address was given by the server; a manifest that is applied again does not know it. */
    Core__V1__ServiceSpec *spec = ((Core__V1__Service *)object)->spec;
    const Core__V1__ServiceSpec *old_spec = spec_of(old);
    if (!spec || !old_spec)
        return;
    if (api_str(spec->clusterip)[0] == '\0')
        api_set_string(&spec->clusterip, old_spec->clusterip);
    for (gsize i = 0; spec->n_clusterips == 0 && i < old_spec->n_clusterips; i++)
        api_append(spec->clusterips, spec->n_clusterips, g_strdup(old_spec->clusterips[i]));
}

static void validate_port(const Core__V1__ServicePort *port, gboolean name_needed, const Path *path,
                          ApiFieldErrors *errors)
{
    if (name_needed)
        require_name(errors, FIELD(path, "name"), port->name, api_name_dns_label);
    else
        check_name(errors, FIELD(path, "name"), port->name, api_name_dns_label);
    check_port(errors, FIELD(path, "port"), port->port);
    require_one_of(errors, FIELD(path, "protocol"), port->protocol, port_protocols);
    if (api_str_equal(port->protocol, "SCTP"))
        fail_unimplemented(errors, FIELD(path, "protocol"), port->protocol);
    if (is_unset(port->targetport) || port->targetport->type == 0)
        check_port(errors, FIELD(path, "targetPort"), port->targetport ? port->targetport->intval : 0);
    else
        check_name(errors, FIELD(path, "targetPort"), port->targetport->strval, port_name);
    check_name(errors, FIELD(path, "appProtocol"), port->appprotocol, api_name_qualified);
}

static void validate_ports(const Core__V1__ServiceSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    if (spec->n_ports == 0 && !api_str_equal(spec->clusterip, HEADLESS))
        fail_required(errors, path, NULL);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < spec->n_ports; i++) {
        const Core__V1__ServicePort *port = spec->ports[i];
        validate_port(port, spec->n_ports > 1, ITEM(path, i), errors);
        check_unique(errors, FIELD(ITEM(path, i), "name"), names, port->name);
        char *number = g_strdup_printf("%d/%s", port->port, api_str(port->protocol));
        if (g_hash_table_contains(numbers, number))
            fail_duplicate(errors, ITEM(path, i), number);
        g_hash_table_add(numbers, number);
    }
}

static const char *ipv4(const char *value)
{
    struct in_addr address;
    return inet_pton(AF_INET, value, &address) == 1 ? NULL : "must be a valid IPv4 address, (e.g. 10.9.8.7)";
}

static void validate_addresses(const Core__V1__ServiceSpec *spec, const Path *path, ApiFieldErrors *errors)
{
    const char *address = api_str(spec->clusterip);
    if (!g_str_equal(address, HEADLESS))
        check_name(errors, FIELD(path, "clusterIP"), address, ipv4);
    if (spec->n_clusterips > 1)
        fail_unimplemented(errors, ITEM(FIELD(path, "clusterIPs"), 1), spec->clusterips[1]);
    if (spec->n_clusterips > 0 && !api_str_equal(spec->clusterips[0], address))
        fail_invalid(errors, ITEM(FIELD(path, "clusterIPs"), 0), spec->clusterips[0],
                     "first value must match `clusterIP`");
    for (gsize i = 0; i < spec->n_ipfamilies; i++) {
        if (i > 0 || !g_str_equal(spec->ipfamilies[i], "IPv4"))
            fail_unimplemented(errors, ITEM(FIELD(path, "ipFamilies"), i), spec->ipfamilies[i]);
    }
}

void service_validate(const ProtobufCMessage *object, const ProtobufCMessage *old, ApiFieldErrors *errors)
{
    const Core__V1__ServiceSpec *spec = spec_of(object), *old_spec = old ? spec_of(old) : NULL;
    const Path *path = FIELD(NULL, "spec");
    if (!spec) {
        fail_required(errors, path, NULL);
        return;
    }
    validate_ports(spec, FIELD(path, "ports"), errors);
    check_labels(errors, FIELD(path, "selector"), API_MAP(spec->selector), spec->n_selector);
    validate_addresses(spec, path, errors);
    if (old_spec && api_str(old_spec->clusterip)[0] && !api_str_equal(old_spec->clusterip, spec->clusterip))
        fail_invalid(errors, FIELD(path, "clusterIP"), api_str(spec->clusterip), "field is immutable");
}
