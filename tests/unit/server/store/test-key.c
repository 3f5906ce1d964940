#include "server/store/key.h"

#include <string.h>

static void test_parse(void)
{
    static const struct {
        const char *key;
        StoreKeyType type;
        const char *kind, *rest;
    } cases[] = {
        {"/registry/pods/default/web", STORE_KEY_OBJECT, "Pod", "default/web"},
        {"/registry/nodes/n1", STORE_KEY_OBJECT, "Node", "n1"},
        {"/registry/deployments.apps/default/web", STORE_KEY_OBJECT, "Deployment", "default/web"},
        {"/registry/leases.coordination.k8s.io/kube-node-lease/n1", STORE_KEY_OBJECT, "Lease", "kube-node-lease/n1"},
        {"/registry/cleat/serviceips/10.96.0.1", STORE_KEY_CLAIM, NULL, "serviceips/10.96.0.1"},
        {"/registry/deployments/default/web", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/pods/web", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/pods//web", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/pods/default/", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/pods/default/web/x", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/nodes/a/b", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/nodes/", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/nodes", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry/widgets/default/web", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registryx/pods/default/web", STORE_KEY_FOREIGN, NULL, NULL},
        {"/registry", STORE_KEY_FOREIGN, NULL, NULL},
        {"foo", STORE_KEY_FOREIGN, NULL, NULL},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        StoreKey key = store_key_parse("/registry", cases[i].key, strlen(cases[i].key));
        g_test_message("%s", cases[i].key);
        g_assert_cmpint(key.type, ==, cases[i].type);
        g_assert_cmpstr(key.resource ? key.resource->kind : NULL, ==, cases[i].kind);
        if (cases[i].rest)
            g_assert_cmpmem(key.rest, key.rest_size, cases[i].rest, strlen(cases[i].rest));
    }
}

static void test_round_trip(void)
{
    guint n;
    const ApiResource *rows = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        g_autofree char *key = store_key_new(rows[i].namespaced ? "ns" : "", "name");
        g_autofree char *etcd = store_key_to_etcd("/p", &rows[i], key);
        StoreKey parsed = store_key_parse("/p", etcd, strlen(etcd));
        g_assert_true(parsed.resource == &rows[i]);
        g_assert_cmpmem(parsed.rest, parsed.rest_size, key, strlen(key));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/store/key/parse", test_parse);
    g_test_add_func("/server/store/key/round-trip", test_round_trip);
    return g_test_run();
}
