#include "netproxy/cni.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>

#include "lib/base/error.h"
#include "tests/unit/netproxy/lab.h"

static void test_write(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *top = g_dir_make_tmp("cleat-cni-XXXXXX", &error);
    g_autofree char *conf = g_build_filename(top, "net.d", NULL), *path = g_build_filename(conf, CNI_FILE_NAME, NULL);
    CniOptions options = {.conf_dir = conf, .data_dir = "/var/lib/cni", .mtu = 1450};
    gboolean changed = FALSE;
    g_assert_true(nft_network_parse("10.244.1.0/24", &options.pods));
    g_assert_true(cni_write(&options, &changed, &error));
    g_assert_true(changed);

    json_t *root = json_load_file(path, 0, NULL);
    const char *version, *name, *type, *bridge, *subnet, *dst, *data_dir, *ipam;
    int gateway, masquerade, hairpin, mtu;
    g_assert_cmpint(
        json_unpack(root, "{s:s, s:s, s:[{s:s, s:s, s:b, s:b, s:b, s:i, s:{s:s, s:[[{s:s}]], s:[{s:s}], s:s}}]}",
                    "cniVersion", &version, "name", &name, "plugins", "type", &type, "bridge", &bridge, "isGateway",
                    &gateway, "ipMasq", &masquerade, "hairpinMode", &hairpin, "mtu", &mtu, "ipam", "type", &ipam,
                    "ranges", "subnet", &subnet, "routes", "dst", &dst, "dataDir", &data_dir),
        ==, 0);
    g_assert_cmpstr(name, ==, "cleat");
    g_assert_cmpstr(version, ==, "1.0.0");
    g_assert_cmpstr(type, ==, "bridge");
    g_assert_cmpstr(bridge, ==, "cni0");
    g_assert_cmpstr(ipam, ==, "host-local");
    g_assert_cmpstr(subnet, ==, "10.244.1.0/24");
    g_assert_cmpstr(dst, ==, "0.0.0.0/0");
    g_assert_cmpstr(data_dir, ==, "/var/lib/cni");
    g_assert_true(gateway && hairpin && !masquerade);
    g_assert_cmpint(mtu, ==, 1450);
    json_decref(root);

    g_assert_true(cni_write(&options, &changed, &error)); /* the same again */
    g_assert_false(changed);
    options.mtu = 1400;
    g_assert_true(cni_write(&options, &changed, &error));
    g_assert_true(changed);

    g_assert_true(cni_remove(conf, &error));
    g_assert_true(cni_remove(conf, &error));
    g_assert_cmpint(g_rmdir(conf), ==, 0); /* nothing else was left in it */
    g_rmdir(top);
}

static void test_errors(void)
{
    g_autoptr(GError) error = NULL;
    CniOptions options = {.conf_dir = "/proc/no/such", .data_dir = "/x"};
    gboolean changed = FALSE;
    g_assert_false(cni_write(&options, &changed, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL);
    g_assert_nonnull(strstr(error->message, "/proc/no/such"));
}

/* Two pods connected by the real plugins with this configuration reach each other over the bridge. */
static void test_plugins(void)
{
    Lab lab;
    lab_init(&lab);
    g_autoptr(GError) error = NULL;
    g_autofree char *top = g_dir_make_tmp("cleat-cni-XXXXXX", &error),
                    *path = g_build_filename(top, CNI_FILE_NAME, NULL);
    g_autofree char *one = g_build_filename(top, "bridge.json", NULL), *data = g_build_filename(top, "data", NULL);
    CniOptions options = {.conf_dir = top, .data_dir = data, .mtu = 1450};
    int pods[] = {lab_namespace(), lab_namespace()};
    g_assert_true(nft_network_parse("10.244.1.0/24", &options.pods));
    g_assert_true(cni_write(&options, NULL, &error));
    json_t *root = json_load_file(path, 0, NULL), *plugin = json_array_get(json_object_get(root, "plugins"), 0);
    json_object_set(plugin, "cniVersion",
                    json_object_get(root, "cniVersion")); /* as the runtime hands it to the plugin */
    json_object_set(plugin, "name", json_object_get(root, "name"));
    g_assert_cmpint(json_dump_file(plugin, one, 0), ==, 0);
    json_decref(root);
    for (guint i = 0; i < G_N_ELEMENTS(pods); i++)
        lab_run(lab.node,
                "CNI_COMMAND=ADD CNI_CONTAINERID=pod%u CNI_NETNS=/proc/%d/fd/%d CNI_IFNAME=eth0 "
                "CNI_PATH=/usr/lib/cni /usr/lib/cni/bridge <%s >/dev/null",
                i, getpid(), pods[i], one);
    static const char *const addresses[] = {"10.244.1.2", "10.244.1.3"};
    int listener = lab_listen(pods[1], SOCK_STREAM, 80);
    int out = lab_connect(pods[0], addresses[1], 80, LAB_TIMEOUT_MS);
    g_assert_cmpint(out, >=, 0);
    g_autofree char *client = NULL, *mtu = NULL, *hairpin = NULL;
    close(lab_accept(listener, &client));
    g_assert_cmpstr(client, ==, addresses[0]);
    mtu = lab_output("ip link show cni0 | grep -c 'mtu 1450'");
    hairpin = lab_output("ip -d link show master cni0 | grep -c 'hairpin on'");
    g_assert_cmpstr(mtu, ==, "1\n");
    g_assert_cmpstr(hairpin, ==, "2\n");
    close(out);
    close(listener);
    close(pods[0]);
    close(pods[1]);
    lab_run(lab.node, "rm -r %s", top);
    lab_done(&lab);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/netproxy/cni/write", test_write);
    g_test_add_func("/netproxy/cni/errors", test_errors);
    g_test_add_func("/netproxy/cni/plugins", test_plugins);
    return g_test_run();
}
