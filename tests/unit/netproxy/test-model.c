#include "netproxy/model.h"

#include "tests/unit/netproxy/objects.h"

/* "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:8080 10.244.1.3:8080*" per port, '*' for a local endpoint; sorted. */
static char *describe(const Model *model, const char *key)
{
    g_autoptr(GPtrArray) ports = model_ports(model, key);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < ports->len; i++) {
        const ModelPort *port = ports->pdata[i];
        g_string_append_printf(text, "%s%s", i ? "; " : "", port->name);
        for (guint j = 0; j < port->frontends->len; j++) {
            g_autofree char *one = nft_frontend_to_string(&g_array_index(port->frontends, NftFrontend, j));
            g_string_append_printf(text, " %s", one);
        }
        g_string_append(text, " ->");
        for (guint j = 0; j < port->endpoints->len; j++) {
            const ModelEndpoint *endpoint = &g_array_index(port->endpoints, ModelEndpoint, j);
            g_autofree char *one = nft_dest_to_string(&endpoint->dest);
            g_string_append_printf(text, " %s%s", one, endpoint->local ? "*" : "");
        }
    }
    return g_strdup(text->str);
}

/* One service "web" with one slice, in and out. */
static const struct {
    const char *what;
    const char *address;
    const char *service_ports;
    const char *slice_ports;
    const char *endpoints;
    const char *expected;
} rows[] = {
    {"plain", "10.96.0.1", "http:TCP:80", "http:TCP:8080", "10.244.1.2,10.244.2.2@here",
     "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:8080 10.244.2.2:8080*"},
    {"a port without a name and protocol", "10.96.0.1", "::80", "::8080", "10.244.1.2@there",
     "default/web:80/tcp 10.96.0.1:80/tcp -> 10.244.1.2:8080"},
    {"ports are matched by name and protocol", "10.96.0.1", "dns:UDP:53,dns-tcp:TCP:53",
     "dns-tcp:TCP:5353,dns:UDP:5353", "10.244.1.2",
     "default/web:dns 10.96.0.1:53/udp -> 10.244.1.2:5353; "
     "default/web:dns-tcp 10.96.0.1:53/tcp -> 10.244.1.2:5353"},
    {"sctp", "10.96.0.1", "s:SCTP:7", "s:SCTP:7", "10.244.1.2", "default/web:s 10.96.0.1:7/sctp -> 10.244.1.2:7"},
    {"a port that the slice does not have", "10.96.0.1", "http:TCP:80", "https:TCP:443", "10.244.1.2",
     "default/web:http 10.96.0.1:80/tcp ->"},
    {"the same name with another protocol", "10.96.0.1", "p:TCP:80", "p:UDP:80", "10.244.1.2",
     "default/web:p 10.96.0.1:80/tcp ->"},
    {"not ready", "10.96.0.1", "http:TCP:80", "http:TCP:80", "10.244.1.2!,10.244.1.3",
     "default/web:http 10.96.0.1:80/tcp -> 10.244.1.3:80"},
    {"terminating ones only when there are no others", "10.96.0.1", "http:TCP:80", "http:TCP:80",
     "10.244.1.2~,10.244.1.3", "default/web:http 10.96.0.1:80/tcp -> 10.244.1.3:80"},
    {"all terminating", "10.96.0.1", "http:TCP:80", "http:TCP:80", "10.244.1.2~,10.244.1.3!",
     "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:80"},
    {"each endpoint once", "10.96.0.1", "http:TCP:80", "http:TCP:80", "10.244.1.2,10.244.1.2",
     "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:80"},
    {"headless", "None", "http:TCP:80", "http:TCP:80", "10.244.1.2", ""},
    {"no address yet", "", "http:TCP:80", "http:TCP:80", "10.244.1.2", ""},
    {"IPv6", "fd00::1", "http:TCP:80", "http:TCP:80", "10.244.1.2", ""},
    {"malformed endpoint, unknown protocol, ports out of range", "10.96.0.1", "a:TCP:80,b:QUIC:81,c:TCP:0,d:TCP:65536",
     "a:TCP:80", "10.244.1.2x,10.244.1.3", "default/web:a 10.96.0.1:80/tcp -> 10.244.1.3:80"},
};

static void test_ports(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].what);
        g_autoptr(Model) model = model_new("here");
        object_set_service(model, "web", rows[i].address, rows[i].service_ports);
        object_set_slice(model, "web-1", "web", rows[i].slice_ports, rows[i].endpoints);
        g_autofree char *text = describe(model, "default/web");
        g_assert_cmpstr(text, ==, rows[i].expected);
    }
}

static void test_slices(void)
{
    g_autoptr(Model) model = model_new("here");
    object_set_service(model, "web", "10.96.0.1", "http:TCP:80");
    object_set_slice(model, "web-1", "web", "http:TCP:80", "10.244.1.2");
    object_set_slice(model, "web-2", "web", "http:TCP:8080", "10.244.1.3");
    object_set_slice(model, "other-1", "other", "http:TCP:80", "10.244.1.4");
    g_autofree char *both = describe(model, "default/web");
    g_assert_cmpstr(both, ==, "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:80 10.244.1.3:8080");

    object_set_slice(model, "web-1", "other", "http:TCP:80", "10.244.1.2"); /* passes to another service */
    g_autofree char *one = describe(model, "default/web");
    g_assert_cmpstr(one, ==, "default/web:http 10.96.0.1:80/tcp -> 10.244.1.3:8080");
    model_remove_slice(model, "default", "web-2");
    model_remove_slice(model, "default", "web-2");
    g_autofree char *none = describe(model, "default/web");
    g_assert_cmpstr(none, ==, "default/web:http 10.96.0.1:80/tcp ->");
}

static gint compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *take_changed(Model *model)
{
    g_autoptr(GPtrArray) keys = model_take_changed(model);
    g_ptr_array_sort(keys, compare_keys);
    g_ptr_array_add(keys, NULL);
    return g_strjoinv(" ", (char **)keys->pdata);
}

static void assert_changed(Model *model, const char *expected)
{
    g_assert_cmpint(model_has_changed(model), ==, *expected != '\0');
    g_autofree char *keys = take_changed(model);
    g_assert_cmpstr(keys, ==, expected);
    g_assert_false(model_has_changed(model));
}

static void test_changed(void)
{
    g_autoptr(Model) model = model_new("here");
    object_set_service(model, "web", "10.96.0.1", "http:TCP:80");
    object_set_service(model, "db", "10.96.0.2", "sql:TCP:5432");
    assert_changed(model, "default/db default/web");
    object_set_slice(model, "web-1", "web", "http:TCP:80", "10.244.1.2");
    assert_changed(model, "default/web");
    object_set_slice(model, "web-1", "db", "http:TCP:80", "10.244.1.2");
    assert_changed(model, "default/db default/web");
    model_remove_slice(model, "default", "nothing");
    model_remove_service(model, "default", "nothing");
    assert_changed(model, "");
    model_remove_service(model, "default", "db");
    assert_changed(model, "default/db");
}

/* Fields beyond those of the builders. */
static void test_service_fields(void)
{
    g_autoptr(Model) model = model_new("here");
    API_AUTO(Core__V1__Service) service = object_service("web", "10.96.0.1", "http:TCP:80");
    object_set_slice(model, "web-1", "web", "http:TCP:80", "10.244.1.2@here,10.244.2.2@there");
    api_append(service->spec->clusterips, service->spec->n_clusterips, g_strdup("10.96.0.1"));
    api_append(service->spec->clusterips, service->spec->n_clusterips, g_strdup("fd00::1"));
    service->spec->internaltrafficpolicy = g_strdup("Local");
    model_set_service(model, service);
    g_autofree char *local = describe(model, "default/web");
    g_assert_cmpstr(local, ==, "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:80*");

    api_set_string(&service->spec->type, "ExternalName");
    model_set_service(model, service);
    g_autofree char *external = describe(model, "default/web");
    g_assert_cmpstr(external, ==, "");
}

/* What cannot be used is left out, and what the slice misses has defaults. */
static void test_slice_fields(void)
{
    g_autoptr(Model) model = model_new("here");
    object_set_service(model, "web", "10.96.0.1", "http:TCP:80");
    API_AUTO(Discovery__V1__EndpointSlice) slice = object_slice("web-1", "web", "http:TCP:80", "10.244.1.2,10.244.1.3");
    api_set(slice->endpoints[0]->conditions, NULL); /* ready is the default */
    slice->endpoints[1]->conditions->has_ready = FALSE;
    model_set_slice(model, slice);
    g_autofree char *defaults = describe(model, "default/web");
    g_assert_cmpstr(defaults, ==, "default/web:http 10.96.0.1:80/tcp -> 10.244.1.2:80 10.244.1.3:80");

    slice->ports[0]->has_port = FALSE;
    model_set_slice(model, slice);
    g_autofree char *no_port = describe(model, "default/web");
    g_assert_cmpstr(no_port, ==, "default/web:http 10.96.0.1:80/tcp ->");

    api_set_scalar(slice->ports[0], port, 80);
    api_set_string(&slice->addresstype, "IPv6");
    model_set_slice(model, slice);
    g_autofree char *family = describe(model, "default/web");
    g_assert_cmpstr(family, ==, "default/web:http 10.96.0.1:80/tcp ->");
    api_set_string(&slice->addresstype, "IPv4");
    api_label_set(API_META(slice), "kubernetes.io/service-name", NULL);
    model_set_slice(model, slice);
    g_autofree char *no_label = describe(model, "default/web");
    g_assert_cmpstr(no_label, ==, "default/web:http 10.96.0.1:80/tcp ->");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/netproxy/model/ports", test_ports);
    g_test_add_func("/netproxy/model/slices", test_slices);
    g_test_add_func("/netproxy/model/changed", test_changed);
    g_test_add_func("/netproxy/model/service-fields", test_service_fields);
    g_test_add_func("/netproxy/model/slice-fields", test_slice_fields);
    return g_test_run();
}
