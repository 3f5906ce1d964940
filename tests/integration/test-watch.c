/* Watches: order, beginnings, selectors, resumption, bookmarks, ends. */
#include <signal.h>
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/base/error.h"
#include "tests/integration/harness.h"
#include "tests/integration/kit.h"

static Harness *harness;
static RpcChannel *admin;

#define CONFIG                                                                                                         \
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s, labels: {app: '%s'}}, data: {k: v}}"

static void set_label(const char *ns, const char *name, const char *value)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) object = kit_object(CONFIG, name, ns, value);
    API_AUTO(ProtobufCMessage) updated = kit_update(admin, object, &error);
    g_assert_no_error(error);
}

static void remove_map(const char *ns, const char *name)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) last = kit_delete(admin, API_CONFIG_MAP, ns, name, NULL, &error);
    g_assert_no_error(error);
}

/* Without a revision: the present state, then what happens. Revisions rise. */
static void test_from_now(void)
{
    g_autofree char *ns = kit_namespace(admin);
    API_FREE(kit_must_create(admin, CONFIG, "b", ns, "x"));
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "x"));
    g_autoptr(KitWatch) watch = kit_watch(admin, API_CONFIG_MAP, ns, NULL);
    kit_watch_expect(watch, "ADDED", "a");
    kit_watch_expect(watch, "ADDED", "b");
    set_label(ns, "a", "y");
    remove_map(ns, "a");
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "z"));
    gint64 changed = kit_watch_expect(watch, "MODIFIED", "a");
    g_autoptr(KitEvent) event = kit_watch_next(watch);
    g_assert_cmpstr(event->type, ==, "DELETED");
    g_assert_cmpstr(api_label(api_meta(event->object), "app"), ==, "y"); /* its last state */
    gint64 deleted = api_object_revision(event->object);
    g_assert_cmpint(deleted, >, changed); /* at the revision of its deletion */
    g_assert_cmpint(kit_watch_expect(watch, "ADDED", "a"), >, deleted);
}

static void test_selectors(void)
{
    g_autofree char *ns = kit_namespace(admin);
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.labelselector = (char *)"app=web";
    options.fieldselector = (char *)"metadata.name!=c";
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "db"));
    g_autoptr(KitWatch) watch = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    API_FREE(kit_must_create(admin, CONFIG, "c", ns, "web")); /* not this one */
    API_FREE(kit_must_create(admin, CONFIG, "b", ns, "web"));
    kit_watch_expect(watch, "ADDED", "b");
    set_label(ns, "a", "web"); /* begins to match */
    kit_watch_expect(watch, "ADDED", "a");
    set_label(ns, "b", "db"); /* ceases to match */
    g_autoptr(KitEvent) event = kit_watch_next(watch);
    g_assert_cmpstr(event->type, ==, "DELETED");
    g_assert_cmpstr(api_label(api_meta(event->object), "app"), ==, "web");
    remove_map(ns, "b");
    remove_map(ns, "a");
    kit_watch_expect(watch, "DELETED", "a"); /* nothing about b any more */
}

static void test_resume(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "x"));
    API_AUTO(ProtobufCMessage) list = kit_list(admin, API_CONFIG_MAP, ns, NULL, &error);
    g_assert_no_error(error);
    API_FREE(kit_must_create(admin, CONFIG, "b", ns, "x"));
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.resourceversion = kit_list_meta(list)->resourceversion;
    g_autoptr(KitWatch) watch = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    gint64 revision = kit_watch_expect(watch, "ADDED", "b"); /* and not a */
    remove_map(ns, "a");
    kit_watch_expect(watch, "DELETED", "a");
    g_autofree char *version = g_strdup_printf("%" G_GINT64_FORMAT, revision);
    options.resourceversion = version;
    g_autoptr(KitWatch) again = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    kit_watch_expect(again, "DELETED", "a");
}

static void test_initial_events(void)
{
    g_autofree char *ns = kit_namespace(admin);
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "x"));
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    api_set_scalar(&options, sendinitialevents, TRUE);
    api_set_scalar(&options, allowwatchbookmarks, TRUE);
    options.resourceversionmatch = (char *)"NotOlderThan";
    g_autoptr(KitWatch) watch = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    kit_watch_expect(watch, "ADDED", "a");
    g_autoptr(KitEvent) bookmark = kit_watch_next(watch);
    g_assert_cmpstr(bookmark->type, ==, "BOOKMARK");
    g_assert_cmpstr(api_annotation(api_meta(bookmark->object), "k8s.io/initial-events-end"), ==, "true");
    g_assert_cmpint(api_object_revision(bookmark->object), >, 0);
    g_assert_cmpstr(api_object_name(bookmark->object), ==, "");
    API_FREE(kit_must_create(admin, CONFIG, "b", ns, "x"));
    g_assert_cmpint(kit_watch_expect(watch, "ADDED", "b"), >, api_object_revision(bookmark->object));
}

static void test_ends(void)
{
    g_autofree char *ns = kit_namespace(admin);
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    api_set_scalar(&options, timeoutseconds, 1);
    g_autoptr(KitWatch) short_one = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    g_autoptr(KitEvent) end = kit_watch_next(short_one);
    g_assert_null(end->type);
    g_assert_no_error(end->error);

    options = (Meta__V1__ListOptions)META__V1__LIST_OPTIONS__INIT;
    options.resourceversion = (char *)"no";
    g_autoptr(KitWatch) bad = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    g_autoptr(KitEvent) refused = kit_watch_next(bad);
    kit_assert_error(&refused->error, CLEAT_ERROR_BAD_REQUEST, "resourceVersion \"no\"");
    options.resourceversion = NULL;
    api_set_scalar(&options, sendinitialevents, TRUE);
    g_autoptr(KitWatch) unclear = kit_watch(admin, API_CONFIG_MAP, ns, &options);
    g_autoptr(KitEvent) refused_too = kit_watch_next(unclear);
    kit_assert_error(&refused_too->error, CLEAT_ERROR_BAD_REQUEST, "resourceVersionMatch");
}

/* Many watchers see the same events in the same order. */
static void test_many(void)
{
    enum { WATCHES = 200, OBJECTS = 50 };
    g_autofree char *ns = kit_namespace(admin);
    KitWatch *watches[WATCHES];
    for (int i = 0; i < WATCHES; i++)
        watches[i] = kit_watch(admin, API_CONFIG_MAP, ns, NULL);
    for (int i = 0; i < OBJECTS; i++) {
        g_autofree char *name = g_strdup_printf("c%02d", i);
        API_FREE(kit_must_create(admin, CONFIG, name, ns, "x"));
    }
    for (int i = 0; i < WATCHES; i++) {
        gint64 last = 0;
        for (int k = 0; k < OBJECTS; k++) {
            g_autofree char *name = g_strdup_printf("c%02d", k);
            gint64 revision = kit_watch_expect(watches[i], "ADDED", name);
            g_assert_cmpint(revision, >, last);
            last = revision;
        }
        kit_watch_free(watches[i]);
    }
}

/* A client that does not read costs nobody anything: it is told to begin anew once it is too far behind. */
static void test_slow_reader(void)
{
    enum { WRITES = 1000, SIZE = 100 * 1024 }; /* more bytes than the ring and the connection hold together */
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(GError) error = NULL;
    g_autofree char *blob = g_strnfill(SIZE, 'x');
    API_AUTO(ProtobufCMessage) object = kit_must_create(admin, CONFIG, "a", ns, "x");
    g_autoptr(RpcChannel) other = harness_channel(harness, 0, "admin");
    KitWatch *slow = kit_watch(other, API_CONFIG_MAP, ns, NULL);
    kit_watch_expect(slow, "ADDED", "a");
    kit_watch_hold(slow);
    for (int i = 0; i < WRITES; i++) {
        Core__V1__ConfigMap *map = (Core__V1__ConfigMap *)object;
        g_free(map->data[0]->value);
        map->data[0]->value = g_strdup_printf("%d %s", i, blob);
        API_AUTO(ProtobufCMessage) next = kit_update(admin, object, &error);
        g_assert_no_error(error);
        api_set_string(&api_meta(object)->resourceversion, api_meta(next)->resourceversion);
    }
    kit_watch_release(slow);
    for (;;) {
        g_autoptr(KitEvent) event = kit_watch_next(slow);
        if (event->type)
            continue;
        kit_assert_error(&event->error, CLEAT_ERROR_EXPIRED, "list again");
        break;
    }
    kit_watch_free(slow);
}

/* A server that is stopped ends its watches politely. */
static void test_stop(void)
{
    g_autofree char *ns = kit_namespace(admin);
    g_autoptr(KitWatch) watch = kit_watch(admin, API_CONFIG_MAP, ns, NULL);
    API_FREE(kit_must_create(admin, CONFIG, "a", ns, "x"));
    kit_watch_expect(watch, "ADDED", "a");
    gint64 before = g_get_monotonic_time();
    harness_server_stop(harness, 0, SIGTERM);
    g_assert_cmpint(g_get_monotonic_time() - before, <, 4 * G_USEC_PER_SEC);
    g_autoptr(KitEvent) end = kit_watch_next(watch);
    g_assert_null(end->type);
    g_assert_no_error(end->error);
    harness_server_start(harness, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    harness = harness_new(NULL);
    admin = harness_channel(harness, 0, "admin");
    g_test_add_func("/watch/from-now", test_from_now);
    g_test_add_func("/watch/selectors", test_selectors);
    g_test_add_func("/watch/resume", test_resume);
    g_test_add_func("/watch/initial-events", test_initial_events);
    g_test_add_func("/watch/ends", test_ends);
    g_test_add_func("/watch/many", test_many);
    g_test_add_func("/watch/slow-reader", test_slow_reader);
    g_test_add_func("/watch/stop", test_stop);
    int result = g_test_run();
    rpc_channel_unref(admin);
    harness_free(harness);
    rpc_shutdown();
    return result;
}
