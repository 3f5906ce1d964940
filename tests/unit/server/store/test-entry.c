#include "server/store/entry.h"

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/api/envelope.h"
#include "lib/base/error.h"

static ProtobufCMessage *pod(void)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    meta->name = g_strdup("web");
    meta->namespace_ = g_strdup("default");
    meta->uid = g_strdup("u-1");
    api_label_set(meta, "app", "x");
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    pod->spec->nodename = g_strdup("n1");
    return &pod->base;
}

static GBytes *wrapped(const ProtobufCMessage *object)
{
    g_autoptr(GBytes) bytes = api_message_pack(object);
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    return api_envelope_wrap(API_POD, data, size);
}

static StoreEntry *from_etcd(const ApiResource *resource, const char *key, GBytes *value, GError **error)
{
    gsize size;
    const void *data = g_bytes_get_data(value, &size);
    return store_entry_from_etcd(resource, key, strlen(key), data, size, 1234567, error);
}

/* What is sent is the object with its resourceVersion; the block is the same as item of a list. */
static void test_forms(void)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) object = pod();
    g_autoptr(GBytes) value = wrapped(object);
    g_autoptr(StoreEntry) entry = from_etcd(API_POD, "default/web", value, &error);
    g_assert_no_error(error);

    grpc_slice message = store_entry_message(entry);
    API_AUTO(ProtobufCMessage)
    sent = api_message_unpack(API_POD->object, GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message), &error);
    grpc_slice_unref(message);
    g_assert_cmpint(api_object_revision(sent), ==, 1234567);
    api_set_string(&api_meta(object)->resourceversion, "1234567");
    g_assert_true(api_message_equal(sent, object));

    Core__V1__PodList *list =
        core__v1__pod_list__unpack(NULL, GRPC_SLICE_LENGTH(entry->block), GRPC_SLICE_START_PTR(entry->block));
    g_assert_nonnull(list);
    g_assert_cmpuint(list->n_items, ==, 1);
    g_assert_true(API_EQUAL(list->items[0], object));
    core__v1__pod_list__free_unpacked(list, NULL);

    gsize size;
    g_assert_cmpmem(store_entry_field(entry, 0, &size), size, "n1", 2); /* spec.nodeName */
    g_assert_cmpmem(store_entry_uid(entry, &size), size, "u-1", 3);
    g_assert_cmpstr(store_entry_name(entry), ==, "web");
    g_assert_true(store_entry_in_namespace(entry, "default"));
    g_assert_false(store_entry_in_namespace(entry, "def"));
    g_assert_false(store_entry_is_terminating(entry));
}

static void test_matches(void)
{
    static const struct {
        const char *labels, *fields;
        gboolean matches;
    } cases[] = {
        {"app=x", "", TRUE},
        {"app=y", "", FALSE},
        {"app", "spec.nodeName=n1", TRUE},
        {"!app", "", FALSE},
        {"other!=1", "", TRUE},
        {"", "metadata.name=web", TRUE},
        {"", "metadata.namespace=x", FALSE},
        {"", "spec.nodeName!=n1", FALSE},
        {"", "status.phase=", TRUE},
    };
    API_AUTO(ProtobufCMessage) object = pod();
    g_autoptr(GBytes) value = wrapped(object);
    g_autoptr(StoreEntry) entry = from_etcd(API_POD, "default/web", value, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ApiSelector) labels = api_selector_parse(cases[i].labels, NULL);
        g_autoptr(ApiFieldSelector) fields = api_field_selector_parse(API_POD, cases[i].fields, NULL);
        g_test_message("%s / %s", cases[i].labels, cases[i].fields);
        g_assert_cmpint(store_entry_matches(entry, labels, fields), ==, cases[i].matches);
    }
}

static void test_refused(void)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) object = pod();
    g_autoptr(GBytes) value = wrapped(object);
    g_autoptr(GBytes) noise = g_bytes_new_static("hello", 5);
    static const guint8 cut[] = {0x0a, 0x20, 'x'};
    g_autoptr(GBytes) broken = api_envelope_wrap(API_POD, cut, sizeof cut);
    const struct {
        const ApiResource *resource;
        const char *key;
        GBytes *value;
    } cases[] = {
        {API_POD, "default/other", value}, {API_POD, "other/web", value},    {API_SECRET, "default/web", value},
        {API_POD, "default/web", noise},   {API_POD, "default/web", broken},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_null(from_etcd(cases[i].resource, cases[i].key, cases[i].value, &error));
        g_assert_true(cleat_error_is(error, CLEAT_ERROR_BAD_REQUEST));
        g_clear_error(&error);
    }
}

/* Bytes of another writer, with metadata in two parts and not in front, are brought into the form that appending relies on. */
static void test_normalises(void)
{
    static const guint8 object[] = {
        0x12, 0x04, 0x52, 0x02, 'n', '1',                          /* spec {nodeName} */
        0x0a, 0x05, 0x0a, 0x03, 'w', 'e', 'b',                     /* metadata {name} */
        0x0a, 0x09, 0x1a, 0x07, 'd', 'e', 'f', 'a', 'u', 'l', 't', /* metadata {namespace} */
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) value = api_envelope_wrap(API_POD, object, sizeof object);
    g_autoptr(StoreEntry) entry = from_etcd(API_POD, "default/web", value, &error);
    g_assert_no_error(error);
    g_assert_cmpint(store_entry_object(entry)[0], ==, 0x0a);
    API_AUTO(ProtobufCMessage) decoded = store_entry_decode(entry, &error);
    g_assert_cmpstr(api_object_name(decoded), ==, "web");
    g_assert_cmpstr(((Core__V1__Pod *)decoded)->spec->nodename, ==, "n1");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/store/entry/forms", test_forms);
    g_test_add_func("/server/store/entry/matches", test_matches);
    g_test_add_func("/server/store/entry/refused", test_refused);
    g_test_add_func("/server/store/entry/normalises", test_normalises);
    return g_test_run();
}
