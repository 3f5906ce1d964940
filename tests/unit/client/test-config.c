/* client/config: kubeconfig files good and bad. */
#include "client/config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "lib/base/error.h"

static char *folder;

static char *write_file(const char *name, const char *text)
{
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static char *config_text(const char *server, const char *extra)
{
    return g_strdup_printf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                           "clusters:\n- name: k\n  cluster:\n    server: \"%s\"\n%s"
                           "users:\n- name: u\n  user: {}\n"
                           "contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: team}\n",
                           server, extra);
}

static void test_servers(void)
{
    static const struct {
        const char *server, *addresses, *server_name;
    } rows[] = {
        {"https://10.0.0.1:6443", "10.0.0.1:6443", NULL},
        {"https://10.0.0.1:6443/", "10.0.0.1:6443", NULL},
        {"https://cluster.example", "cluster.example:443", NULL},
        {"https://[::1]:6443", "[::1]:6443", NULL},
        {"https://[::1]", "[::1]:443", NULL},
        {"unix:///run/x.sock", "unix:/run/x.sock", "localhost"},
        {"unix:///run/1.sock, unix:///run/2.sock", "unix:/run/1.sock unix:/run/2.sock", "localhost"},
        {"unix:///run/1.sock,https://a:1", "unix:/run/1.sock a:1", NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = config_text(rows[i].server, "");
        g_autofree char *path = write_file("config", text);
        g_autoptr(GError) error = NULL;
        g_autoptr(ClientConfig) config = client_config_load(path, NULL, &error);
        g_assert_no_error(error);
        g_autofree char *addresses = g_strjoinv(" ", config->addresses);
        g_assert_cmpstr(addresses, ==, rows[i].addresses);
        g_assert_cmpstr(config->server_name, ==, rows[i].server_name);
        g_assert_cmpstr(config->namespace_, ==, "team");
        g_assert_cmpstr(config->context, ==, "c");
    }
}

static void test_pem(void)
{
    g_autofree char *ca = write_file("ca.pem", "-----BEGIN CERTIFICATE-----\nfile\n");
    g_autofree char *pem = g_base64_encode((const guchar *)"-----BEGIN X-----", 17);
    g_autofree char *text = g_strdup_printf(
        "current-context: c\nclusters:\n- {name: k, cluster: {server: 'https://a:1', tls-server-name: t, "
        "certificate-authority: ca.pem}}\nusers:\n- {name: u, user: {client-certificate-data: %s, client-key-data: %s}}\n"
        "contexts:\n- {name: c, context: {cluster: k, user: u}}\n",
        pem, pem);
    g_autofree char *path = write_file("config", text);
    g_autoptr(GError) error = NULL;
    g_autoptr(ClientConfig) config = client_config_load(path, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config->ca, ==, "-----BEGIN CERTIFICATE-----\nfile\n"); /* named relative to the config file */
    g_assert_cmpstr(config->cert, ==, "-----BEGIN X-----");
    g_assert_cmpstr(config->key, ==, "-----BEGIN X-----");
    g_assert_cmpstr(config->server_name, ==, "t");
    g_assert_null(config->namespace_);
}

static void test_bad(void)
{
    static const struct {
        const char *text;
        const char *message; /* part of it */
    } rows[] = {
        {"a: [", "config:2:1: "},
        {"current-context: c\n", "contexts: there is no entry named \"c\""},
        {"contexts: []\n", "no current-context"},
        {"current-context: c\ncontexts:\n- {name: c, context: {}}\n", "names no cluster"},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\n", "clusters: there is no entry named \"k\""},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\nclusters:\n- {name: k, cluster: {}}\n",
         "has no server"},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\nclusters:\n- {name: k, cluster: {server: "
         "'http://a'}}\n",
         "server \"http://a\""},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\nclusters:\n- {name: k, cluster: "
         "{server: 'https://a:1'}}\n",
         "users: there is no entry named \"u\""},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\nclusters:\n- {name: k, cluster: {server: "
         "'https://a:1', certificate-authority-data: '!!'}}\n",
         "certificate-authority-data: not base64 of a PEM"},
        {"current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\nclusters:\n- {name: k, cluster: {server: "
         "'https://a:1', certificate-authority: nowhere.pem}}\n",
         "nowhere.pem"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = write_file("config", rows[i].text);
        g_autoptr(GError) error = NULL;
        g_assert_null(client_config_load(path, NULL, &error));
        g_assert_nonnull(error);
        if (!strstr(error->message, rows[i].message))
            g_error("row %u: \"%s\" lacks \"%s\"", i, error->message, rows[i].message);
    }
}

static void test_absent(void)
{
    g_autofree char *path = g_build_filename(folder, "absent", NULL);
    g_setenv("CLEAT_CONFIG", path, TRUE);
    g_autoptr(GError) error = NULL;
    g_assert_null(client_config_load(NULL, NULL, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "CLEAT_CONFIG"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("cleat-config-XXXXXX", NULL);
    g_test_add_func("/client/config/servers", test_servers);
    g_test_add_func("/client/config/pem", test_pem);
    g_test_add_func("/client/config/bad", test_bad);
    g_test_add_func("/client/config/absent", test_absent);
    int result = g_test_run();
    for (const char *const *name = (const char *const[]){"config", "ca.pem", NULL}; *name; name++) {
        g_autofree char *path = g_build_filename(folder, *name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
    g_free(folder);
    return result;
}
