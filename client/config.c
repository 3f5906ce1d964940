#include "client/config.h"

#include <string.h>
#include <yaml.h>

#include "lib/base/error.h"

/* A parsed file, and where it lies: file names in it are relative to that folder. */
typedef struct {
    yaml_document_t document;
    const char *file;
    char *folder;
} KubeFile;

static const yaml_node_t *map_get(KubeFile *kube, const yaml_node_t *map, const char *key)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&kube->document, pair->key);
        if (name->type == YAML_SCALAR_NODE && g_str_equal(name->data.scalar.value, key))
            return yaml_document_get_node(&kube->document, pair->value);
    }
    return NULL;
}

/* The text of a scalar entry, NULL if absent or empty. Borrowed. */
static const char *map_text(KubeFile *kube, const yaml_node_t *map, const char *key)
{
    const yaml_node_t *node = map_get(kube, map, key);
    if (!node || node->type != YAML_SCALAR_NODE || node->data.scalar.length == 0)
        return NULL;
    return (const char *)node->data.scalar.value;
}

/* <list>[i].<inner> of the entry that has the name <name>, as kubeconfig keeps clusters, users and contexts. */
static const yaml_node_t *named_entry(KubeFile *kube, const char *list, const char *inner, const char *name, GError **error)
{
    const yaml_node_t *entries = map_get(kube, yaml_document_get_root_node(&kube->document), list);
    if (entries && entries->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *item = entries->data.sequence.items.start; item < entries->data.sequence.items.top; item++) {
            const yaml_node_t *entry = yaml_document_get_node(&kube->document, *item);
            const char *entry_name = map_text(kube, entry, "name");
            if (entry_name && g_str_equal(entry_name, name))
                return map_get(kube, entry, inner);
        }
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: %s: there is no entry named \"%s\"", kube->file, list, name);
    return NULL;
}

/* The PEM text under <key>-data (base64), or in the file that <key> names. NULL without an error if neither is set. */
static gboolean pem_text(KubeFile *kube, const yaml_node_t *map, const char *key, char **ret_pem, GError **error)
{
    g_autofree char *data_key = g_strconcat(key, "-data", NULL);
    const char *data = map_text(kube, map, data_key);
    if (data) {
        gsize size;
        g_autofree guchar *bytes = g_base64_decode(data, &size);
        if (size == 0 || !g_str_has_prefix((char *)bytes, "-----BEGIN")) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: %s: not base64 of a PEM text", kube->file, data_key);
            return FALSE;
        }
        *ret_pem = g_strndup((char *)bytes, size);
        return TRUE;
    }
    const char *name = map_text(kube, map, key);
    if (!name)
        return TRUE;
    g_autofree char *path = g_path_is_absolute(name) ? g_strdup(name) : g_build_filename(kube->folder, name, NULL);
    if (!g_file_get_contents(path, ret_pem, NULL, error)) {
        g_prefix_error(error, "%s: %s: ", kube->file, key);
        return FALSE;
    }
    return TRUE;
}

/* "https://10.0.0.1:6443, unix:///run/x.sock" to {"10.0.0.1:6443", "unix:/run/x.sock"}. */
static char **server_addresses(const char *file, const char *servers, gboolean *ret_all_unix, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(servers, ",", -1);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
    *ret_all_unix = TRUE;
    for (char **part = parts; *part; part++) {
        char *text = g_strstrip(*part);
        if (g_str_has_prefix(text, "unix:///")) {
            g_ptr_array_add(addresses, g_strconcat("unix:", text + strlen("unix://"), NULL));
            continue;
        }
        const char *host = g_str_has_prefix(text, "https://") ? text + strlen("https://") : NULL;
        gsize length = host ? strlen(host) : 0;
        if (length && host[length - 1] == '/')
            length--;
        if (length == 0 || memchr(host, '/', length)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "%s: server \"%s\": want https://HOST:PORT or unix:///PATH (several are joined by commas)", file, text);
            return NULL;
        }
        *ret_all_unix = FALSE;
        g_autofree char *address = g_strndup(host, length);
        const char *bracket = strrchr(address, ']'), *colon = strrchr(address, ':');
        g_ptr_array_add(addresses, colon && colon > bracket ? g_steal_pointer(&address) : g_strconcat(address, ":443", NULL));
    }
    g_ptr_array_add(addresses, NULL);
    return (char **)g_ptr_array_steal(addresses, NULL);
}

static gboolean config_from_cluster(ClientConfig *config, KubeFile *kube, const yaml_node_t *cluster, GError **error)
{
    const char *servers = map_text(kube, cluster, "server");
    if (!servers) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: the cluster of context \"%s\" has no server", kube->file,
                    config->context);
        return FALSE;
    }
    gboolean all_unix;
    config->addresses = server_addresses(kube->file, servers, &all_unix, error);
    if (!config->addresses)
        return FALSE;
    const char *server_name = map_text(kube, cluster, "tls-server-name");
    config->server_name = g_strdup(server_name ? server_name : all_unix ? "localhost" : NULL);
    return pem_text(kube, cluster, "certificate-authority", &config->ca, error);
}

static gboolean config_read(ClientConfig *config, KubeFile *kube, const char *context, GError **error)
{
    if (!context)
        context = map_text(kube, yaml_document_get_root_node(&kube->document), "current-context");
    if (!context) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: no current-context; choose one with --context", kube->file);
        return FALSE;
    }
    config->context = g_strdup(context);
    const yaml_node_t *entry = named_entry(kube, "contexts", "context", context, error);
    if (!entry)
        return FALSE;
    config->namespace_ = g_strdup(map_text(kube, entry, "namespace"));
    const char *cluster_name = map_text(kube, entry, "cluster"), *user_name = map_text(kube, entry, "user");
    if (!cluster_name) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: context \"%s\" names no cluster", kube->file, context);
        return FALSE;
    }
    const yaml_node_t *cluster = named_entry(kube, "clusters", "cluster", cluster_name, error);
    if (!cluster || !config_from_cluster(config, kube, cluster, error))
        return FALSE;
    if (!user_name)
        return TRUE;
    const yaml_node_t *user = named_entry(kube, "users", "user", user_name, error);
    return user && pem_text(kube, user, "client-certificate", &config->cert, error) &&
           pem_text(kube, user, "client-key", &config->key, error);
}

gboolean client_config_set_servers(ClientConfig *config, const char *servers, GError **error)
{
    gboolean all_unix;
    char **addresses = server_addresses("--server", servers, &all_unix, error);
    if (!addresses)
        return FALSE;
    g_strfreev(config->addresses);
    config->addresses = addresses;
    if (all_unix && !config->server_name)
        config->server_name = g_strdup("localhost");
    return TRUE;
}

char *client_config_default_path(void)
{
    const char *named = g_getenv("CLEAT_CONFIG");
    if (named && *named)
        return g_strdup(named);
    return g_build_filename(g_get_home_dir(), ".config", "cleat", "config", NULL);
}

ClientConfig *client_config_load(const char *file, const char *context, GError **error)
{
    g_autofree char *path = file ? g_strdup(file) : client_config_default_path();
    g_autofree char *text = NULL;
    gsize size;
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(path, &text, &size, &problem)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND,
                    "no cluster configuration: %s. Name the file with --config or CLEAT_CONFIG", problem->message);
        return NULL;
    }
    KubeFile kube = {.file = path, .folder = g_path_get_dirname(path)};
    yaml_parser_t parser;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    g_autoptr(ClientConfig) config = g_new0(ClientConfig, 1);
    gboolean ok = yaml_parser_load(&parser, &kube.document);
    if (ok) {
        ok = config_read(config, &kube, context, error);
        yaml_document_delete(&kube.document);
    } else {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s:%zu:%zu: %s", path, parser.problem_mark.line + 1,
                    parser.problem_mark.column + 1, parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    g_free(kube.folder);
    return ok ? g_steal_pointer(&config) : NULL;
}

void client_config_free(ClientConfig *config)
{
    if (!config)
        return;
    g_strfreev(config->addresses);
    g_free(config->server_name);
    g_free(config->ca);
    g_free(config->cert);
    g_free(config->key);
    g_free(config->namespace_);
    g_free(config->context);
    g_free(config);
}
