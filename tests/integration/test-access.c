/* Who may do what, and what a client may send. */
#include <stdlib.h>
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *admin;

/* One request as somebody; denied: its error is FORBIDDEN. */
typedef struct {
    const char *who, *verb;
    ApiResourceIndex resource;
    const char *namespace_, *name, *fields;
    gboolean denied;
} Access;

static const Access accesses[] = {
    {"nobody", "Get", API_INDEX_POD, "default", "x", NULL, TRUE},
    {"nobody", "List", API_INDEX_NAMESPACE, "", "", NULL, TRUE},
    {"admin", "Get", API_INDEX_SECRET, "default", "x", NULL, FALSE},
    {"controllers", "List", API_INDEX_SECRET, "", "", NULL, FALSE},
    {"scheduler", "List", API_INDEX_POD, "", "", NULL, FALSE},
    {"scheduler", "List", API_INDEX_SECRET, "", "", NULL, TRUE},
    {"scheduler", "Delete", API_INDEX_NODE, "", "x", NULL, TRUE},
    {"scheduler", "Get", API_INDEX_LEASE, "kube-system", "x", NULL, FALSE},
    {"proxy", "List", API_INDEX_SERVICE, "", "", NULL, FALSE},
    {"proxy", "List", API_INDEX_ENDPOINT_SLICE, "", "", NULL, FALSE},
    {"proxy", "List", API_INDEX_POD, "", "", NULL, TRUE},
    {"proxy", "Delete", API_INDEX_SERVICE, "default", "x", NULL, TRUE},
    {"node:n1", "Get", API_INDEX_NODE, "", "n1", NULL, FALSE},
    {"node:n1", "Delete", API_INDEX_NODE, "", "n1", NULL, TRUE},
    {"node:n1", "Get", API_INDEX_LEASE, "kube-node-lease", "n1", NULL, FALSE},
    {"node:n1", "Get", API_INDEX_LEASE, "kube-node-lease", "n2", NULL, TRUE},
    {"node:n1", "Get", API_INDEX_LEASE, "kube-system", "n1", NULL, TRUE},
    {"node:n1", "Get", API_INDEX_CONFIG_MAP, "default", "x", NULL, FALSE},
    {"node:n1", "Delete", API_INDEX_CONFIG_MAP, "default", "x", NULL, TRUE},
    {"node:n1", "List", API_INDEX_POD, "", "", "spec.nodeName=n1", FALSE},
    {"node:n1", "List", API_INDEX_POD, "", "", "spec.nodeName=n2", TRUE},
    {"node:n1", "List", API_INDEX_POD, "", "", NULL, TRUE},
    {"node:n1", "List", API_INDEX_DEPLOYMENT, "", "", NULL, TRUE},
};

static ProtobufCMessage *do_access(RpcChannel *channel, const Access *access, GError **error)
{
    const ApiResource *resource = api_resource_row(access->resource);
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.fieldselector = (char *)access->fields;
    if (g_str_equal(access->verb, "List"))
        return kit_list(channel, resource, access->namespace_, &options, error);
    if (g_str_equal(access->verb, "Get"))
        return kit_get(channel, resource, access->namespace_, access->name, NULL, error);
    return kit_delete(channel, resource, access->namespace_, access->name, NULL, error);
}

static void test_policy(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(accesses); i++) {
        const Access *access = &accesses[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(RpcChannel) channel = harness_channel(harness, 0, access->who);
        API_AUTO(ProtobufCMessage) object = do_access(channel, access, &error);
        g_test_message("%s %s %s %s", access->who, access->verb, api_resource_row(access->resource)->plural,
                       access->name);
        g_assert_cmpint(cleat_error_is(error, CLEAT_ERROR_FORBIDDEN), ==, access->denied);
        if (!access->denied)
            continue;
        g_autofree char *user =
            g_str_has_prefix(access->who, "node:") ? g_strconcat("system:", access->who, NULL) : NULL;
        g_assert_nonnull(strstr(error->message, user ? user : ""));
        g_assert_nonnull(strstr(error->message, api_resource_row(access->resource)->plural));
    }
}

#define POD_ON                                                                                                         \
    "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {nodeName: %s, containers: [{name: c, image: i}]}}"

/* A node touches its own pods, lease and Node, and nobody else's. */
static void test_node(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcChannel) node = harness_channel(harness, 0, "node:n1");
    API_AUTO(ProtobufCMessage) mine = kit_must_create(admin, POD_ON, "mine", ns, "n1");
    API_AUTO(ProtobufCMessage) other = kit_must_create(admin, POD_ON, "other", ns, "n2");
    API_AUTO(ProtobufCMessage) updated = kit_update_status(node, mine, &error);
    g_assert_no_error(error);
    g_assert_null(kit_update_status(node, other, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN,
                     "User \"system:node:n1\" cannot update the status of resource \"pods\"");
    g_assert_null(kit_get(node, API_POD, ns, "other", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "pods \"other\"");
    g_assert_null(kit_delete(node, API_POD, ns, "other", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "pods \"other\"");
    g_assert_null(kit_update(node, mine, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "cannot update");

    API_FREE(kit_must_create(node, "{apiVersion: v1, kind: Node, metadata: {name: n1}}"));
    API_AUTO(ProtobufCMessage) taken = kit_object("{apiVersion: v1, kind: Node, metadata: {name: n2}}");
    g_assert_null(kit_create(node, taken, &error));
    kit_assert_error(&error, CLEAT_ERROR_FORBIDDEN, "nodes \"n2\" is forbidden");
    API_FREE(kit_must_create(
        node, "{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: n1, namespace: kube-node-lease}}"));
}

static void test_identity(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcChannel) anonymous = harness_channel(harness, 0, NULL);
    g_assert_null(kit_get(anonymous, API_POD, "default", "x", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNAUTHORIZED, "a client certificate");

    /* a certificate of another authority: refused in the handshake */
    g_autofree char *dir = g_dir_make_tmp("cleat-foreign-XXXXXX", NULL);
    g_autofree char *make = g_strdup_printf(
        "'%s/hack/certs' ca %s ca other && '%s/hack/certs' issue %s ca admin /O=system:masters/CN=admin client",
        CLEAT_SOURCE_DIR, dir, CLEAT_SOURCE_DIR, dir);
    g_assert_cmpint(system(make), ==, 0);
    g_autofree char *ca = g_strconcat(harness_dir(harness), "/ca.crt", NULL);
    g_autofree char *cert = g_strconcat(dir, "/admin.crt", NULL), *key = g_strconcat(dir, "/admin.key", NULL);
    g_autoptr(RpcClientCredentials) foreign = rpc_client_credentials_load(ca, cert, key, &error);
    g_assert_no_error(error);
    RpcChannelOptions options = {.addresses = (const char *const[]){harness_server_address(harness, 0), NULL},
                                 .credentials = foreign};
    g_autoptr(RpcChannel) channel = rpc_channel_new(&options, &error);
    RpcCallOptions quick = {.timeout_ms = 2000, .fail_fast = TRUE};
    g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
    g_assert_null(rpc_unary_sync(channel, "/cleat.v1.Pods/List", empty, &quick, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNAVAILABLE, "");
    g_autofree char *away = g_strdup_printf("rm -rf %s", dir);
    g_assert_cmpint(system(away), ==, 0);
}

static void put_field(GByteArray *out, guint32 number, const void *data, gsize size)
{
    guint8 head[20];
    gsize n = api_wire_put_tag(head, number, 2);
    n += api_wire_put_varint(head + n, size);
    g_byte_array_append(out, head, (guint)n);
    g_byte_array_append(out, data, (guint)size);
}

/* A message nested <depth> times in field <number>. */
static GBytes *nested(guint32 number, guint depth)
{
    GByteArray *inner = g_byte_array_new();
    for (guint i = 0; i < depth; i++) {
        GByteArray *outer = g_byte_array_new();
        put_field(outer, number, inner->data, inner->len);
        g_byte_array_unref(inner);
        inner = outer;
    }
    return g_byte_array_free_to_bytes(inner);
}

static void expect_refused(const char *verb, GBytes *request, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(kit_call(admin, API_POD, verb, request, &error));
    kit_assert_error(&error, code, text);
}

/* Bytes that are no request are answered with what is wrong, and the server lives on. */
static void test_hostile(void)
{
    g_autoptr(GBytes) garbage = g_bytes_new_static("\xff\xff\xff\xff\xff", 5);
    static const char *const verbs[] = {"Get",          "List",   "Watch", "Create", "Update",
                                        "UpdateStatus", "Delete", "Bind",  "Logs"};
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++)
        expect_refused(verbs[i], garbage, CLEAT_ERROR_BAD_REQUEST, "");

    g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
    expect_refused("Create", empty, CLEAT_ERROR_BAD_REQUEST, "the request has no object");
    g_autoptr(GBytes) twice = g_bytes_new_static("\x12\x00\x12\x00", 4);
    expect_refused("Create", twice, CLEAT_ERROR_BAD_REQUEST, "given twice");
    g_autoptr(GBytes) not_text = g_bytes_new_static("\x0a\x01\xff\x12\x00", 5);
    expect_refused("Create", not_text, CLEAT_ERROR_BAD_REQUEST, "UTF-8");
    g_autoptr(GBytes) group = g_bytes_new_static("\x12\x02\x0b\x0c", 4);
    expect_refused("Create", group, CLEAT_ERROR_BAD_REQUEST, "");
    g_autoptr(GBytes) deep = nested(2, 5000);
    expect_refused("Create", deep, CLEAT_ERROR_BAD_REQUEST, "");

    g_autofree char *big = g_malloc0(3 * 1024 * 1024);
    g_autoptr(GBytes) huge = g_bytes_new(big, 3 * 1024 * 1024);
    g_autoptr(GError) error = NULL;
    g_assert_null(kit_call(admin, API_POD, "Create", huge, &error));
    g_assert_cmpint(cleat_error_to_grpc(cleat_error_code(error)), ==, 8); /* RESOURCE_EXHAUSTED */
    g_clear_error(&error);

    API_AUTO(ProtobufCMessage) list = kit_list(admin, API_POD, "default", NULL, &error);
    g_assert_no_error(error); /* still there */
}

static void test_unknown_method(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) empty = g_bytes_new_static("", 0);
    g_assert_null(kit_call(admin, API_POD, "Explode", empty, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNIMPLEMENTED, "Explode");
    g_assert_null(kit_call(admin, API_NODE, "Bind", empty, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNIMPLEMENTED, "Nodes/Bind");
}

static void test_dry_run(void)
{
    g_autoptr(GError) error = NULL;
    static const guint8 bytes[] = {0x0a, 7, 'd',  'e', 'f',  'a', 'u', 'l', 't',
                                   0x12, 0, 0x1a, 5,   0x0a, 3,   'A', 'l', 'l'};
    g_autoptr(GBytes) request = g_bytes_new_static(bytes, sizeof bytes);
    g_assert_null(kit_call(admin, API_POD, "Create", request, &error));
    kit_assert_error(&error, CLEAT_ERROR_BAD_REQUEST, "dryRun");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    harness = harness_new(NULL);
    admin = harness_channel(harness, 0, "admin");
    g_test_add_func("/access/policy", test_policy);
    g_test_add_func("/access/node", test_node);
    g_test_add_func("/access/identity", test_identity);
    g_test_add_func("/access/hostile", test_hostile);
    g_test_add_func("/access/unknown-method", test_unknown_method);
    g_test_add_func("/access/dry-run", test_dry_run);
    int result = g_test_run();
    rpc_channel_unref(admin);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
