/* Several servers on one etcd, and what happens when etcd or a server goes away. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/etcd/rpc.pb-c.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *a, *b; /* the servers */

#define CONFIG "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {k: v%d}}"

static gint64 write_map(RpcChannel *channel, const char *ns, const char *name, int value)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) object = kit_object(CONFIG, name, ns, value);
    API_AUTO(ProtobufCMessage) updated = kit_update(channel, object, &error);
    if (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
        g_clear_error(&error);
        updated = kit_create(channel, object, &error);
    }
    g_assert_no_error(error);
    return api_object_revision(updated);
}

/* What is written on one server is read on the other, at once. */
static void test_two_servers(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 300; i++) {
        gint64 revision = write_map(i % 2 ? a : b, ns, "m", i);
        API_AUTO(ProtobufCMessage) read = kit_get(i % 2 ? b : a, API_CONFIG_MAP, ns, "m", NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(api_object_revision(read), ==, revision);
    }
    g_autofree char *other = kit_namespace(a); /* and used there */
    write_map(b, other, "m", 1);
    API_FREE(kit_delete(a, API_CONFIG_MAP, ns, "m", NULL, &error));
    g_assert_no_error(error);
    g_assert_null(kit_get(b, API_CONFIG_MAP, ns, "m", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_NOT_FOUND, "");
}

/* Two servers never give one address to two services. */
static void on_created(GBytes *reply, const GError *error, gpointer data)
{
    g_assert_no_error(error);
    g_async_queue_push(data, g_bytes_ref(reply));
}

static void test_addresses(void)
{
    enum { SERVICES = 60 };
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GAsyncQueue) done = g_async_queue_new();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < SERVICES; i++) {
        API_AUTO(ProtobufCMessage)
        object = kit_object(
            "{apiVersion: v1, kind: Service, metadata: {name: s%d, namespace: %s}, spec: {ports: [{port: 80}]}}", i,
            ns);
        g_autoptr(GBytes) request = kit_write_request(object);
        rpc_unary(i % 2 ? a : b, "/cleat.v1.Services/Create", request, NULL, on_created, done);
    }
    for (int i = 0; i < SERVICES; i++) {
        g_autoptr(GBytes) reply = g_async_queue_timeout_pop(done, 30 * G_USEC_PER_SEC);
        g_assert_nonnull(reply);
        const guint8 *address;
        gsize size;
        static const guint8 cluster_ip[] = {2, 3, 0};
        g_assert_true(
            api_wire_find(g_bytes_get_data(reply, NULL), g_bytes_get_size(reply), cluster_ip, &address, &size));
        g_assert_true(g_hash_table_add(seen, g_strndup((const char *)address, size)));
    }
}

/* The server is killed; its clients go on at the other one from where they were. */
static void test_server_killed(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(KitWatch) watch = kit_watch(a, API_CONFIG_MAP, ns, NULL);
    write_map(a, ns, "m0", 0);
    gint64 revision = kit_watch_expect(watch, "ADDED", "m0");
    harness_server_stop(harness, 0, SIGKILL);
    g_autoptr(KitEvent) end = kit_watch_next(watch);
    kit_assert_error(&end->error, CLEAT_ERROR_UNAVAILABLE, "");
    write_map(b, ns, "m1", 1);
    g_autofree char *version = g_strdup_printf("%" G_GINT64_FORMAT, revision);
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.resourceversion = version;
    g_autoptr(KitWatch) resumed = kit_watch(b, API_CONFIG_MAP, ns, &options);
    kit_watch_expect(resumed, "ADDED", "m1");
    harness_server_start(harness, 0);
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) read = kit_get(a, API_CONFIG_MAP, ns, "m1", NULL, &error);
    g_assert_no_error(error);
    /* it began after that revision: it says so instead of leaving out events */
    g_autoptr(KitWatch) too_old = kit_watch(a, API_CONFIG_MAP, ns, &options);
    g_autoptr(KitEvent) refused = kit_watch_next(too_old);
    kit_assert_error(&refused->error, CLEAT_ERROR_EXPIRED, "list again");
}

/* etcd goes away and comes back: watches live on, and tell each event once. */
static void test_etcd_restart(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GError) error = NULL;
    g_autoptr(KitWatch) watch = kit_watch(a, API_CONFIG_MAP, ns, NULL);
    g_autoptr(KitWatch) there = kit_watch(b, API_CONFIG_MAP, ns, NULL);
    gint64 last = 0;
    for (int i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("m%02d", i);
        if (i == 10 || i == 20) {
            harness_etcd_stop(harness, i == 10 ? SIGKILL : SIGTERM);
            API_AUTO(ProtobufCMessage) read = kit_get(a, API_CONFIG_MAP, ns, "m00", "0", &error);
            g_assert_no_error(error); /* "any" needs no etcd */
            harness_etcd_start(harness);
        }
        write_map(i % 2 ? a : b, ns, name, i);
    }
    for (int i = 0; i < 30; i++) {
        g_autofree char *name = g_strdup_printf("m%02d", i);
        gint64 revision = kit_watch_expect(watch, "ADDED", name);
        g_assert_cmpint(revision, >, last);
        g_assert_cmpint(kit_watch_expect(there, "ADDED", name), ==, revision);
        last = revision;
    }
}

/* While etcd is away a read that must be consistent and a write end with a clear error. */
static void test_etcd_away(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GError) error = NULL;
    harness_etcd_stop(harness, SIGKILL);
    g_assert_null(kit_get(a, API_CONFIG_MAP, ns, "m", NULL, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNAVAILABLE, "etcd (127.0.0.1:");
    API_AUTO(ProtobufCMessage) object = kit_object(CONFIG, "m", ns, 1);
    g_assert_null(kit_create(a, object, &error));
    kit_assert_error(&error, CLEAT_ERROR_UNAVAILABLE, "etcd (127.0.0.1:");
    harness_etcd_start(harness);
    write_map(a, ns, "m", 1);
}

/* Compaction of what everybody has seen goes unnoticed. */
static void test_compaction(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(KitWatch) watch = kit_watch(a, API_CONFIG_MAP, ns, NULL);
    gint64 revision = write_map(a, ns, "m0", 0);
    kit_watch_expect(watch, "ADDED", "m0");
    harness_etcd_compact(harness, revision);
    write_map(a, ns, "m1", 0);
    kit_watch_expect(watch, "ADDED", "m1");
}

/* A server that was cut off while etcd compacted what it has not seen: it reads everything again, and its watches end with
 * Expired rather than without what happened. A stopped process stands for the cut. */
static void test_compaction_gap(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GError) error = NULL;
    write_map(a, ns, "m0", 0);
    g_autoptr(KitWatch) watch = kit_watch(b, API_CONFIG_MAP, ns, NULL);
    kit_watch_expect(watch, "ADDED", "m0");
    kill(harness_server_pid(harness, 1), SIGSTOP);
    harness_etcd_stop(harness, SIGKILL); /* so that it has to come back by itself */
    harness_etcd_start(harness);
    write_map(a, ns, "m1", 0);
    API_FREE(kit_delete(a, API_CONFIG_MAP, ns, "m0", NULL, &error));
    g_assert_no_error(error);
    harness_etcd_compact(harness, write_map(a, ns, "m2", 0));
    kill(harness_server_pid(harness, 1), SIGCONT);
    g_autoptr(KitEvent) end = kit_watch_next(watch);
    kit_assert_error(&end->error, CLEAT_ERROR_EXPIRED, "list again");
    gsize n;
    API_AUTO(ProtobufCMessage) list = kit_list(b, API_CONFIG_MAP, ns, NULL, &error);
    g_assert_no_error(error);
    ProtobufCMessage **items = kit_items(list, &n);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(api_object_name(items[0]), ==, "m1");
    g_assert_cmpstr(api_object_name(items[1]), ==, "m2");
    g_autoptr(KitWatch) anew = kit_watch(b, API_CONFIG_MAP, ns, NULL);
    kit_watch_expect(anew, "ADDED", "m1");
    kit_watch_expect(anew, "ADDED", "m2");
    write_map(a, ns, "m3", 0);
    kit_watch_expect(anew, "ADDED", "m3");
}

static void on_outcome(GBytes *reply, const GError *error, gpointer data)
{
    (void)reply;
    g_assert_true(!error || cleat_error_is(error, CLEAT_ERROR_UNAVAILABLE) ||
                  cleat_error_is(error, CLEAT_ERROR_CONFLICT));
    g_async_queue_push(data, GINT_TO_POINTER(1));
}

/* A server that is stopped amid requests ends in order: each of them has an outcome, and it ends without complaint. */
static void test_stop_under_load(void)
{
    enum { REQUESTS = 200 };
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GAsyncQueue) done = g_async_queue_new();
    g_autoptr(KitWatch) watch = kit_watch(a, API_CONFIG_MAP, ns, NULL);
    write_map(a, ns, "m", 0);
    for (int i = 0; i < REQUESTS; i++) {
        API_AUTO(ProtobufCMessage) object = kit_object(CONFIG, "m", ns, i);
        g_autoptr(GBytes) update = kit_write_request(object);
        g_autoptr(GBytes) list = g_bytes_new_static("", 0);
        RpcCallOptions options = {.fail_fast = TRUE};
        if (i % 2)
            rpc_unary(a, "/cleat.v1.ConfigMaps/Update", update, &options, on_outcome, done);
        else
            rpc_unary(a, "/cleat.v1.ConfigMaps/List", list, &options, on_outcome, done);
    }
    harness_server_stop(harness, 0, SIGTERM);
    for (int i = 0; i < REQUESTS; i++)
        g_assert_nonnull(g_async_queue_timeout_pop(done, 30 * G_USEC_PER_SEC));
    harness_server_start(harness, 0);
}

/* Something in etcd that cannot be read spoils nothing else, at start and while running. */
static void test_foreign_bytes(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(GError) error = NULL;
    g_autoptr(RpcChannel) etcd = harness_etcd_channel(harness);
    g_autoptr(KitWatch) watch = kit_watch(a, API_CONFIG_MAP, ns, NULL);
    g_autofree char *key = g_strdup_printf("/registry/configmaps/%s/broken", ns);
    Etcdserverpb__PutRequest put = ETCDSERVERPB__PUT_REQUEST__INIT;
    put.key = (ProtobufCBinaryData){strlen(key), (guint8 *)key};
    put.value = (ProtobufCBinaryData){5, (guint8 *)"k8s\0\xff"};
    g_autoptr(GBytes) bytes = api_message_pack(&put.base);
    g_autoptr(GBytes) reply = rpc_unary_sync(etcd, "/etcdserverpb.KV/Put", bytes, NULL, &error);
    g_assert_no_error(error);
    write_map(a, ns, "fine", 1);
    kit_watch_expect(watch, "ADDED", "fine");
    harness_server_stop(harness, 0, SIGKILL);
    harness_server_start(harness, 0);
    gsize n;
    API_AUTO(ProtobufCMessage) list = kit_list(a, API_CONFIG_MAP, ns, NULL, &error);
    g_assert_no_error(error);
    (void)kit_items(list, &n);
    g_assert_cmpuint(n, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    HarnessOptions options = {.servers = 2};
    harness = harness_new(&options);
    a = harness_channel(harness, 0, "admin");
    b = harness_channel(harness, 1, "admin");
    g_test_add_func("/faults/two-servers", test_two_servers);
    g_test_add_func("/faults/addresses", test_addresses);
    g_test_add_func("/faults/server-killed", test_server_killed);
    g_test_add_func("/faults/etcd-restart", test_etcd_restart);
    g_test_add_func("/faults/etcd-away", test_etcd_away);
    g_test_add_func("/faults/compaction", test_compaction);
    g_test_add_func("/faults/compaction-gap", test_compaction_gap);
    g_test_add_func("/faults/stop-under-load", test_stop_under_load);
    g_test_add_func("/faults/foreign-bytes", test_foreign_bytes);
    int result = g_test_run();
    rpc_channel_unref(a);
    rpc_channel_unref(b);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
