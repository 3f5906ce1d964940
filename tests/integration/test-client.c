/* The client library against real servers: a cache that survives the loss of its server and Expired, leaders that hand over,
 * events that count up. */
#include <signal.h>
#include <string.h>

#include "client/cache.h"
#include "client/events.h"
#include "client/leader.h"
#include "lib/base/error.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

#define PATIENCE_S 60

static Harness *harness;
static RpcChannel *a, *b; /* the servers */

/* Runs the loop until the condition holds. */
#define run_until(condition)                                                     \
    do {                                                                         \
        gint64 end_ = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;      \
        while (!(condition)) {                                                   \
            g_assert_cmpint(g_get_monotonic_time(), <, end_);                    \
            if (!g_main_context_iteration(NULL, FALSE))                          \
                g_usleep(1000);                                                  \
        }                                                                        \
    } while (0)

/* A client of the first server only. */
static Client *client_of_first(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ClientConfig) config = client_config_load(harness_config(harness, "admin"), NULL, &error);
    g_assert_no_error(error);
    g_strfreev(config->addresses);
    config->addresses = g_strdupv((char *[]){(char *)harness_server_address(harness, 0), NULL});
    Client *client = client_new(config, "test", NULL, &error);
    g_assert_no_error(error);
    return client;
}

typedef struct {
    GString *changes; /* "+m0 ~m0 -m0 " */
    gboolean synced;
} Seen;

static void on_changed(ClientCache *cache, const ProtobufCMessage *old, const ProtobufCMessage *now, gpointer data)
{
    Seen *seen = data;
    g_string_append_printf(seen->changes, "%c%s ", !old ? '+' : !now ? '-' : '~', api_object_name(now ? now : old));
    const char *key_namespace = api_object_namespace(now ? now : old);
    g_assert_true(client_cache_get(cache, key_namespace, api_object_name(now ? now : old)) == now);
}

static void on_synced(ClientCache *cache, gpointer data)
{
    g_assert_true(client_cache_is_synced(cache));
    ((Seen *)data)->synced = TRUE;
}

static char *value_index(const ProtobufCMessage *object)
{
    const Core__V1__ConfigMap *map = (const Core__V1__ConfigMap *)object;
    return map->n_data ? g_strdup(map->data[0]->value) : NULL;
}

static gint64 write_map(RpcChannel *channel, const char *ns, const char *name, const char *value)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage)
    object = kit_object("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {k: '%s'}}", name, ns, value);
    API_AUTO(ProtobufCMessage) written = kit_update(channel, object, &error);
    if (cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
        g_clear_error(&error);
        written = kit_create(channel, object, &error);
    }
    g_assert_no_error(error);
    return api_object_revision(written);
}

static guint indexed(ClientCache *cache, guint index, const char *value)
{
    g_autoptr(GPtrArray) found = client_cache_by_index(cache, index, value);
    return found->len;
}

/* Follows, loses its server, follows on; and when what happened meanwhile is compacted away, tells the differences. */
static void test_cache(void)
{
    g_autofree char *ns = kit_namespace(b);
    g_autoptr(Client) client = client_of_first();
    Seen seen = {.changes = g_string_new(NULL)};
    write_map(b, ns, "m0", "x");
    ClientCacheOptions options = {.namespace_ = ns, .changed = on_changed, .synced = on_synced, .data = &seen};
    g_autoptr(ClientCache) cache = client_cache_new(client, API_CONFIG_MAP, &options);
    guint index = client_cache_add_index(cache, value_index);
    run_until(seen.synced);
    g_assert_cmpstr(seen.changes->str, ==, "+m0 ");
    gint64 revision = write_map(b, ns, "m0", "y");
    write_map(b, ns, "m1", "y");
    run_until(g_str_has_suffix(seen.changes->str, "+m1 "));
    g_assert_cmpstr(seen.changes->str, ==, "+m0 ~m0 +m1 ");
    g_assert_cmpint(client_cache_revision(cache), >, revision);
    g_assert_cmpuint(indexed(cache, index, "x"), ==, 0);
    g_assert_cmpuint(indexed(cache, index, "y"), ==, 2);

    harness_server_stop(harness, 0, SIGKILL);
    run_until(client_cache_error(cache) != NULL);
    write_map(b, ns, "m2", "z");
    harness_server_start(harness, 0);
    run_until(g_str_has_suffix(seen.changes->str, "+m2 "));
    g_assert_cmpstr(seen.changes->str, ==, "+m0 ~m0 +m1 +m2 ");

    g_string_truncate(seen.changes, 0);
    harness_server_stop(harness, 0, SIGKILL);
    g_autoptr(GError) error = NULL;
    API_FREE(kit_delete(b, API_CONFIG_MAP, ns, "m0", NULL, &error));
    g_assert_no_error(error);
    write_map(b, ns, "m1", "w");
    harness_etcd_compact(harness, write_map(b, ns, "m3", "w"));
    harness_server_start(harness, 0);
    run_until(strstr(seen.changes->str, "-m0 ") && strstr(seen.changes->str, "+m3 "));
    g_assert_nonnull(strstr(seen.changes->str, "~m1 "));
    g_assert_null(strstr(seen.changes->str, "m2")); /* as it was: nothing to tell */
    g_assert_cmpuint(client_cache_size(cache), ==, 3);
    g_assert_cmpuint(indexed(cache, index, "w"), ==, 2);
    g_string_free(seen.changes, TRUE);
}

static void on_started(gpointer data)
{
    (*(guint *)data)++;
}

static void on_stopped(gpointer data)
{
    *(guint *)data += 1000;
}

static ClientLeader *candidate(Client *client, const char *identity, guint *count)
{
    ClientLeaderOptions options = {.name = "test", .identity = identity, .lease_s = 3, .renew_s = 2, .retry_s = 1,
                                   .started = on_started, .stopped = on_stopped, .data = count};
    return client_leader_new(client, &options);
}

/* One leads; the next follows at once after an orderly end, and after the lease time otherwise. */
static void test_leader(void)
{
    g_autoptr(Client) first_client = client_of_first();
    g_autoptr(Client) client = client_of_first();
    guint first = 0, second = 0, third = 0;
    ClientLeader *one = candidate(first_client, "one", &first);
    run_until(first == 1);
    ClientLeader *two = candidate(client, "two", &second);
    gint64 later = g_get_monotonic_time() + 5 * G_USEC_PER_SEC; /* longer than a lease: renewing keeps two out */
    run_until(g_get_monotonic_time() > later);
    g_assert_cmpuint(second, ==, 0);
    client_leader_free(one);
    run_until(second == 1);
    g_assert_true(client_leader_is_leading(two));

    /* an outage longer than renew_s: it steps down by itself */
    ClientLeader *three = candidate(client, "three", &third);
    harness_server_stop(harness, 0, SIGKILL);
    run_until(second >= 1000);
    g_assert_false(client_leader_is_leading(two));
    harness_server_start(harness, 0);
    run_until(second == 1002 || third == 1);
    client_leader_free(two);
    client_leader_free(three);
}

/* The same event again counts up instead of making another. */
static void test_events(void)
{
    g_autofree char *ns = kit_namespace(a);
    g_autoptr(Client) client = client_of_first();
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage)
    object = kit_must_create(a, "{apiVersion: v1, kind: ConfigMap, metadata: {name: subject, namespace: %s}}", ns);
    Seen seen = {.changes = g_string_new(NULL)};
    ClientCacheOptions options = {.namespace_ = ns, .changed = on_changed, .synced = on_synced, .data = &seen};
    g_autoptr(ClientCache) cache = client_cache_new(client, API_EVENT, &options);
    run_until(seen.synced);
    ClientEvents *events = client_events_new(client, "test", "host");
    for (guint i = 0; i < 3; i++)
        client_event(events, object, "Warning", "Broken", "it is broken");
    client_event(events, object, "Normal", "Other", "%s", "another");
    const Core__V1__Event *broken = NULL;
    gint32 count = 0;
    run_until(({
        g_autoptr(GPtrArray) all = client_cache_list(cache, NULL);
        broken = NULL;
        for (guint i = 0; i < all->len; i++)
            if (api_str_equal(((Core__V1__Event *)all->pdata[i])->reason, "Broken"))
                broken = all->pdata[i];
        count = broken ? broken->count : 0;
        all->len == 2 && count == 3;
    }));
    g_assert_cmpstr(broken->involvedobject->uid, ==, api_object_uid(object));
    g_assert_cmpstr(broken->source->component, ==, "test");
    /* a burst of different ones about one object is cut */
    for (guint i = 0; i < 100; i++)
        client_event(events, object, "Normal", "Burst", "number %u", i);
    g_assert_cmpuint(client_events_dropped(events), >=, 70);
    client_events_free(events);
    run_until(client_cache_size(cache) >= 20);
    g_string_free(seen.changes, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    harness = harness_new(&(HarnessOptions){.servers = 2});
    a = harness_channel(harness, 0, "admin");
    b = harness_channel(harness, 1, "admin");
    g_test_add_func("/integration/client/cache", test_cache);
    g_test_add_func("/integration/client/leader", test_leader);
    g_test_add_func("/integration/client/events", test_events);
    int result = g_test_run();
    rpc_channel_unref(a);
    rpc_channel_unref(b);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
