#include "agent/dns.h"
#include "tests/unit/agent/fixture.h"

static char *words(char *const *array, gsize n)
{
    GString *out = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(out, "%s%s", i ? " " : "", array[i]);
    return g_string_free(out, FALSE);
}

static char *show(const Runtime__V1__DNSConfig *config)
{
    g_autofree char *servers = words(config->servers, config->n_servers);
    g_autofree char *searches = words(config->searches, config->n_searches);
    g_autofree char *options = words(config->options, config->n_options);
    return g_strdup_printf("%s|%s|%s", servers, searches, options);
}

static void test_parse(void)
{
    API_AUTO(Runtime__V1__DNSConfig)
    config = dns_parse_resolv_conf(
        "# a comment\nnameserver 192.0.2.53\nnameserver\t192.0.2.54 \nsearch a.example b.example\n"
        "options ndots:2 rotate\nbroken\nnameserver 192.0.2.53\n");
    g_autofree char *got = show(config);
    g_assert_cmpstr(got, ==, "192.0.2.53 192.0.2.54|a.example b.example|ndots:2 rotate");
}

static void test_policies(void)
{
    static const char *const cluster[] = {"10.96.0.10", NULL};
    static const struct {
        const char *spec;
        gboolean has_cluster_dns;
        const char *expected;
    } rows[] = {
        {"", FALSE, "192.0.2.53|a.example|rotate"},
        {"  dnsPolicy: Default\n", TRUE, "192.0.2.53|a.example|rotate"},
        {"", TRUE, "10.96.0.10|shop.svc.cluster.local svc.cluster.local cluster.local a.example|rotate ndots:5"},
        {"  dnsPolicy: ClusterFirst\n  hostNetwork: true\n", TRUE, "192.0.2.53|a.example|rotate"},
        {"  dnsPolicy: ClusterFirstWithHostNet\n  hostNetwork: true\n", TRUE,
         "10.96.0.10|shop.svc.cluster.local svc.cluster.local cluster.local a.example|rotate ndots:5"},
        {"  dnsPolicy: None\n  dnsConfig: {nameservers: [1.1.1.1], searches: [x], options: [{name: ndots, value: '2'}, {name: edns0}]}\n",
         TRUE, "1.1.1.1|x|ndots:2 edns0"},
        {"  dnsConfig: {options: [{name: ndots, value: '1'}]}\n", TRUE,
         "10.96.0.10|shop.svc.cluster.local svc.cluster.local cluster.local a.example|rotate ndots:1"},
    };
    API_AUTO(Runtime__V1__DNSConfig)
    node = dns_parse_resolv_conf("nameserver 192.0.2.53\nsearch a.example\noptions rotate\n");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with("", rows[i].spec);
        API_AUTO(Runtime__V1__DNSConfig)
        config = dns_config_for(pod, node, rows[i].has_cluster_dns ? cluster : NULL, "cluster.local");
        g_autofree char *got = show(config);
        g_assert_cmpstr(got, ==, rows[i].expected);
    }
}

static void test_hosts(void)
{
    static const char *const ips[] = {"10.1.2.3", NULL};
    static const struct {
        const char *spec, *has, *has_not;
    } rows[] = {
        {"", "\n10.1.2.3\tweb\n", "HostAliases"},
        {"  hostname: db\n  subdomain: sub\n", "\n10.1.2.3\tdb.sub.shop.svc.cluster.local\tdb\n", "\tweb"},
        {"  hostNetwork: true\n", "192.0.2.1 me\n", "10.1.2.3"},
        {"  hostAliases: [{ip: 9.9.9.9, hostnames: [a, b.c]}]\n", "# Entries added by HostAliases.\n9.9.9.9\ta\tb.c\n",
         "\tdb"},
        {"", "127.0.0.1\tlocalhost\n", "192.0.2.1"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with("", rows[i].spec);
        g_autofree char *got = hosts_file(pod, ips, "cluster.local", "192.0.2.1 me");
        g_assert_nonnull(strstr(got, rows[i].has));
        g_assert_null(strstr(got, rows[i].has_not));
    }
}

static void test_hostname(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_with("", "");
    g_free(pod->metadata->name);
    pod->metadata->name =
        g_strdup_printf("%s-%s", "a23456789012345678901234567890123456789012345678901234567890bc", "x.y");
    g_autofree char *got = pod_hostname(pod);
    g_assert_cmpstr(got, ==, "a23456789012345678901234567890123456789012345678901234567890bc"); /* no "-" at the cut */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/dns/parse", test_parse);
    g_test_add_func("/agent/dns/policies", test_policies);
    g_test_add_func("/agent/dns/hosts", test_hosts);
    g_test_add_func("/agent/dns/hostname", test_hostname);
    return g_test_run();
}
