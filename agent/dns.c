#include "agent/dns.h"

#include <string.h>

#include "lib/api/object.h"

#define HOSTNAME_MAX 63
#define SEARCHES_MAX 32

static gboolean contains(char *const *array, gsize n, const char *text)
{
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(array[i], text))
            return TRUE;
    }
    return FALSE;
}

static void add_once(char ***array, gsize *n, const char *text)
{
    if (text[0] && !contains(*array, *n, text))
        api_append(*array, *n, g_strdup(text));
}

static void add_search(Runtime__V1__DNSConfig *config, const char *domain)
{
    if (config->n_searches < SEARCHES_MAX)
        add_once(&config->searches, &config->n_searches, domain);
}

Runtime__V1__DNSConfig *dns_parse_resolv_conf(const char *text)
{
    Runtime__V1__DNSConfig *config = API_NEW(Runtime__V1__DNSConfig, runtime__v1__dnsconfig);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        g_strdelimit(lines[i], "\t\r", ' ');
        g_auto(GStrv) words = g_strsplit(g_strstrip(lines[i]), " ", -1);
        if (!words[0])
            continue;
        gboolean is_search = g_str_equal(words[0], "search");
        for (guint j = 1; words[j]; j++) {
            if (g_str_equal(words[0], "nameserver"))
                add_once(&config->servers, &config->n_servers, words[j]);
            else if (is_search || g_str_equal(words[0], "domain"))
                add_search(config, words[j]);
            else if (g_str_equal(words[0], "options"))
                add_once(&config->options, &config->n_options, words[j]);
        }
    }
    return config;
}

/* A later option of the same name replaces the earlier: "ndots:2" over "ndots:5". */
static void set_option(Runtime__V1__DNSConfig *config, const char *name, const char *value)
{
    gsize size = strlen(name);
    char *option = value ? g_strdup_printf("%s:%s", name, value) : g_strdup(name);
    for (gsize i = 0; i < config->n_options; i++) {
        const char *old = config->options[i];
        if (strncmp(old, name, size) == 0 && (old[size] == '\0' || old[size] == ':')) {
            g_free(config->options[i]);
            config->options[i] = option;
            return;
        }
    }
    api_append(config->options, config->n_options, option);
}

static void add_cluster(Runtime__V1__DNSConfig *config, const Core__V1__Pod *pod, const char *const *servers,
                        const char *domain)
{
    g_autofree char *own = g_strdup_printf("%s.svc.%s", api_object_namespace(&pod->base), domain);
    g_autofree char *services = g_strdup_printf("svc.%s", domain);
    for (guint i = 0; servers[i]; i++)
        add_once(&config->servers, &config->n_servers, servers[i]);
    add_search(config, own);
    add_search(config, services);
    add_search(config, domain);
}

static void add_pod_config(Runtime__V1__DNSConfig *config, const Core__V1__PodDNSConfig *own)
{
    for (gsize i = 0; i < own->n_nameservers; i++)
        add_once(&config->servers, &config->n_servers, own->nameservers[i]);
    for (gsize i = 0; i < own->n_searches; i++)
        add_search(config, own->searches[i]);
    for (gsize i = 0; i < own->n_options; i++)
        set_option(config, api_str(own->options[i]->name), own->options[i]->value);
}

Runtime__V1__DNSConfig *dns_config_for(const Core__V1__Pod *pod, const Runtime__V1__DNSConfig *node,
                                       const char *const *cluster_dns, const char *cluster_domain)
{
    Runtime__V1__DNSConfig *config = API_NEW(Runtime__V1__DNSConfig, runtime__v1__dnsconfig);
    const Core__V1__PodSpec *spec = pod->spec;
    const char *policy = spec->dnspolicy ? spec->dnspolicy : "ClusterFirst";
    gboolean cluster =
        cluster_dns && cluster_dns[0] &&
        ((g_str_equal(policy, "ClusterFirst") && !spec->hostnetwork) || g_str_equal(policy, "ClusterFirstWithHostNet"));
    if (cluster)
        add_cluster(config, pod, cluster_dns, cluster_domain);
    if (!g_str_equal(policy, "None")) {
        for (gsize i = 0; i < node->n_servers && !cluster; i++)
            add_once(&config->servers, &config->n_servers, node->servers[i]);
        for (gsize i = 0; i < node->n_searches; i++)
            add_search(config, node->searches[i]);
        for (gsize i = 0; i < node->n_options; i++)
            add_once(&config->options, &config->n_options, node->options[i]);
    }
    if (cluster)
        set_option(config, "ndots", "5");
    if (spec->dnsconfig)
        add_pod_config(config, spec->dnsconfig);
    return config;
}

char *pod_hostname(const Core__V1__Pod *pod)
{
    const char *name =
        pod->spec->hostname && pod->spec->hostname[0] ? pod->spec->hostname : api_object_name(&pod->base);
    char *hostname = g_strndup(name, HOSTNAME_MAX);
    for (gsize size = strlen(hostname); size > 0 && (hostname[size - 1] == '-' || hostname[size - 1] == '.'); size--)
        hostname[size - 1] = '\0';
    return hostname;
}

static void add_own_lines(GString *out, const Core__V1__Pod *pod, const char *const *pod_ips,
                          const char *cluster_domain)
{
    g_autofree char *hostname = pod_hostname(pod);
    g_string_append(out, "127.0.0.1\tlocalhost\n"
                         "::1\tlocalhost ip6-localhost ip6-loopback\n"
                         "fe00::0\tip6-localnet\n"
                         "fe00::0\tip6-mcastprefix\n"
                         "fe00::1\tip6-allnodes\n"
                         "fe00::2\tip6-allrouters\n");
    for (guint i = 0; pod_ips && pod_ips[i]; i++) {
        const char *subdomain = api_str(pod->spec->subdomain);
        if (subdomain[0])
            g_string_append_printf(out, "%s\t%s.%s.%s.svc.%s\t%s\n", pod_ips[i], hostname, subdomain,
                                   api_object_namespace(&pod->base), cluster_domain, hostname);
        else
            g_string_append_printf(out, "%s\t%s\n", pod_ips[i], hostname);
    }
}

char *hosts_file(const Core__V1__Pod *pod, const char *const *pod_ips, const char *cluster_domain,
                 const char *node_hosts)
{
    GString *out = g_string_new("# Kubernetes-managed hosts file.\n");
    if (pod->spec->hostnetwork)
        g_string_append(out, api_str(node_hosts));
    else
        add_own_lines(out, pod, pod_ips, cluster_domain);
    if (out->str[out->len - 1] != '\n')
        g_string_append_c(out, '\n');
    if (pod->spec->n_hostaliases > 0)
        g_string_append(out, "\n# Entries added by HostAliases.\n");
    for (gsize i = 0; i < pod->spec->n_hostaliases; i++) {
        const Core__V1__HostAlias *alias = pod->spec->hostaliases[i];
        g_string_append(out, api_str(alias->ip));
        for (gsize j = 0; j < alias->n_hostnames; j++)
            g_string_append_printf(out, "\t%s", alias->hostnames[j]);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}
