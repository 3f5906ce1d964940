#include "lib/api/object.h"

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "foreign/etcd/rpc.pb-c.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

/* A pod with something of every sort: strings, numbers, lists, maps, bytes below. */
static Core__V1__Pod *pod_new(void)
{
    Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    meta->name = g_strdup("web");
    meta->namespace_ = g_strdup("shop");
    api_append(meta->finalizers, meta->n_finalizers, g_strdup("a/b"));
    api_label_set(meta, "app", "web");
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    api_set_scalar(pod->spec, terminationgraceperiodseconds, 0);
    pod->spec->securitycontext = API_NEW(Core__V1__PodSecurityContext, core__v1__pod_security_context);
    for (gint64 group = 1; group < 4; group++)
        api_append(pod->spec->securitycontext->supplementalgroups, pod->spec->securitycontext->n_supplementalgroups,
                   group);
    for (int i = 0; i < 3; i++) {
        Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
        container->name = g_strdup_printf("c%d", i);
        api_append(pod->spec->containers, pod->spec->n_containers, container);
    }
    return pod;
}

static void test_clone(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_new();
    API_AUTO(Core__V1__Pod) copy = API_CLONE(pod);
    g_assert_true(API_EQUAL(pod, copy));
    api_set_string(&copy->spec->containers[1]->name, "other");
    copy->spec->securitycontext->supplementalgroups[0] = 9;
    g_assert_cmpstr(pod->spec->containers[1]->name, ==, "c1");
    g_assert_cmpint(pod->spec->securitycontext->supplementalgroups[0], ==, 1);
    g_assert_false(API_EQUAL(pod, copy));
    g_assert_null(api_message_clone(NULL));

    API_AUTO(Core__V1__Secret) secret = API_NEW(Core__V1__Secret, core__v1__secret);
    Core__V1__Secret__DataEntry *entry = API_NEW(Core__V1__Secret__DataEntry, core__v1__secret__data_entry);
    entry->key = g_strdup("k");
    entry->has_value = 1;
    entry->value = (ProtobufCBinaryData){3, g_memdup2("a\0b", 3)};
    api_append(secret->data, secret->n_data, entry);
    API_AUTO(Core__V1__Secret) secret_copy = API_CLONE(secret);
    g_assert_true(API_EQUAL(secret, secret_copy));
    g_assert_true(secret_copy->data[0]->value.data != entry->value.data);
}

/* proto3 defaults and oneofs, and fields of a newer schema, which kinds of ours lack. */
static void test_clone_foreign(void)
{
    API_AUTO(Etcdserverpb__TxnRequest) request = API_NEW(Etcdserverpb__TxnRequest, etcdserverpb__txn_request);
    Etcdserverpb__RequestOp *op = API_NEW(Etcdserverpb__RequestOp, etcdserverpb__request_op);
    op->request_case = ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    op->request_put = API_NEW(Etcdserverpb__PutRequest, etcdserverpb__put_request);
    op->request_put->key = (ProtobufCBinaryData){1, g_memdup2("k", 1)};
    api_append(request->success, request->n_success, op);
    API_AUTO(Etcdserverpb__TxnRequest) copy = API_CLONE(request);
    g_assert_true(API_EQUAL(request, copy));
    g_assert_true(copy->success[0]->request_put != op->request_put);

    static const guint8 newer[] = {0x0a, 0x01, 'a', 0xfa, 0x01, 0x02, 'h', 'i'}; /* field 31 is unknown */
    GError *error = NULL;
    ProtobufCMessage *object =
        api_message_unpack(&core__v1__local_object_reference__descriptor, newer, sizeof newer, &error);
    g_assert_no_error(error);
    ProtobufCMessage *object_copy = api_message_clone(object);
    g_assert_cmpint(object_copy->n_unknown_fields, ==, 1);
    g_assert_true(api_message_equal(object, object_copy));
    api_message_free(object);
    api_message_free(object_copy);
}

static void test_equal(void)
{
    API_AUTO(Core__V1__PodSpec) a = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    API_AUTO(Core__V1__PodSpec) b = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    g_assert_true(API_EQUAL(a, b));
    g_assert_true(api_message_equal(NULL, NULL));
    g_assert_false(API_EQUAL(a, NULL));
    api_set_scalar(b, hostnetwork, FALSE); /* false is not unset */
    g_assert_false(API_EQUAL(a, b));
    API_AUTO(Core__V1__Pod) other = API_NEW(Core__V1__Pod, core__v1__pod);
    g_assert_false(API_EQUAL(a, other)); /* both encode as nothing, and are of two types */
}

static void test_pack(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_new();
    g_autoptr(GBytes) bytes = api_message_pack(&pod->base);
    gsize size;
    const void *data = g_bytes_get_data(bytes, &size);
    GError *error = NULL;
    ProtobufCMessage *again = api_message_unpack(&core__v1__pod__descriptor, data, size, &error);
    g_assert_no_error(error);
    g_assert_true(api_message_equal(&pod->base, again));
    api_message_free(again);
    g_assert_null(api_message_unpack(&core__v1__pod__descriptor, data, size - 1, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    g_clear_error(&error);
}

static void test_meta(void)
{
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    g_assert_null(API_META_PEEK(pod));
    g_assert_cmpstr(api_object_name(&pod->base), ==, "");
    g_assert_cmpint(api_object_revision(&pod->base), ==, 0);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    g_assert_true(meta == API_META_PEEK(pod));
    meta->uid = g_strdup("u");
    g_assert_cmpstr(api_object_uid(&pod->base), ==, "u");
    static const struct {
        const char *text;
        gint64 revision;
    } revisions[] = {
        {"1", 1}, {"9223372036854775807", G_MAXINT64}, {"9223372036854775808", 0}, {"", 0}, {"-1", 0}, {"1x", 0},
        {" 1", 0}};
    for (guint i = 0; i < G_N_ELEMENTS(revisions); i++) {
        api_set_string(&meta->resourceversion, revisions[i].text);
        g_assert_cmpint(api_object_revision(&pod->base), ==, revisions[i].revision);
    }
}

static void test_key(void)
{
    API_AUTO(Core__V1__Pod) pod = pod_new();
    g_autofree char *key = api_object_key(&pod->base);
    g_assert_cmpstr(key, ==, "shop/web");
    g_autofree char *namespace = NULL, *name = NULL;
    api_key_split(key, &namespace, &name);
    g_assert_cmpstr(namespace, ==, "shop");
    g_assert_cmpstr(name, ==, "web");
    api_set_string(&pod->metadata->namespace_, NULL);
    g_autofree char *cluster_key = api_object_key(&pod->base);
    g_assert_cmpstr(cluster_key, ==, "web");
    g_autofree char *none = NULL, *same = NULL;
    api_key_split(cluster_key, &none, &same);
    g_assert_cmpstr(none, ==, "");
    g_assert_cmpstr(same, ==, "web");
}

static void test_map(void)
{
    API_AUTO(Meta__V1__ObjectMeta) meta = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    g_assert_null(api_label(NULL, "a"));
    g_assert_null(api_label(meta, "a"));
    api_label_set(meta, "a", "1");
    api_label_set(meta, "b", "2");
    api_label_set(meta, "a", "3");
    g_assert_cmpint(meta->n_labels, ==, 2);
    g_assert_cmpstr(meta->labels[0]->key, ==, "a"); /* replaced in its place */
    g_assert_cmpstr(api_label(meta, "a"), ==, "3");
    g_assert_cmpstr(api_label(meta, "b"), ==, "2");
    api_label_set(meta, meta->labels[0]->key, NULL);
    g_assert_cmpint(meta->n_labels, ==, 1);
    g_assert_null(api_label(meta, "a"));
    api_label_set(meta, "none", NULL);
    g_assert_cmpint(meta->n_labels, ==, 1);
    api_annotation_set(meta, "n", "v");
    g_assert_cmpstr(api_annotation(meta, "n"), ==, "v");
    g_assert_null(api_label(meta, "n"));
}

static void add_label(Meta__V1__ObjectMeta *meta, const char *key, const char *value)
{
    Meta__V1__ObjectMeta__LabelsEntry *entry =
        API_NEW(Meta__V1__ObjectMeta__LabelsEntry, meta__v1__object_meta__labels_entry);
    entry->key = g_strdup(key);
    entry->value = g_strdup(value);
    api_append(meta->labels, meta->n_labels, entry);
}

/* protobuf keeps every entry of a key that comes twice. */
static void test_duplicate_keys(void)
{
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    Meta__V1__ObjectMeta *meta = API_META(pod);
    static const char *const keys[] = {"z", "a", "m", "a", "z", "a"};
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        char value[2] = {(char)('0' + i), '\0'};
        add_label(meta, keys[i], value);
    }
    add_label(meta, NULL, NULL);
    g_assert_cmpstr(api_label(meta, "a"), ==, "5");
    g_assert_cmpstr(api_label(meta, ""), ==, "");
    API_NORMALIZE(pod);
    static const struct {
        const char *key, *value;
    } expected[] = {{NULL, NULL}, {"a", "5"}, {"m", "2"}, {"z", "4"}};
    g_assert_cmpint(meta->n_labels, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_assert_cmpstr(meta->labels[i]->key, ==, expected[i].key);
        g_assert_cmpstr(meta->labels[i]->value, ==, expected[i].value);
    }
    add_label(meta, "a", "6");
    api_label_set(meta, "a", NULL);
    g_assert_null(api_label(meta, "a"));
}

static void test_time(void)
{
    static const struct {
        gint64 ns, seconds;
        gint32 micro_nanos;
    } rows[] = {
        {0, 0, 0}, {1500000000, 1, 500000000}, {1234567891, 1, 234567000}, {-1, -1, 999999000}, {-1000000000, -1, 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Meta__V1__Time) time = api_time_new(rows[i].ns);
        g_assert_cmpint(time->seconds, ==, rows[i].seconds);
        g_assert_cmpint(time->nanos, ==, 0);
        g_assert_cmpint(api_time_ns(time), ==, rows[i].seconds * TIME_NS_PER_S);
        API_AUTO(Meta__V1__MicroTime) micro = api_micro_time_new(rows[i].ns);
        g_assert_cmpint(micro->seconds, ==, rows[i].seconds);
        g_assert_cmpint(micro->nanos, ==, rows[i].micro_nanos);
    }
    g_assert_cmpint(api_time_ns(NULL), ==, 0);
    g_assert_cmpint(api_micro_time_ns(NULL), ==, 0);
    Meta__V1__Time far = META__V1__TIME__INIT;
    far.seconds = G_MAXINT64;
    g_assert_cmpint(api_time_ns(&far), ==, G_MAXINT64);
    far.seconds = G_MININT64;
    g_assert_cmpint(api_time_ns(&far), ==, G_MININT64);
}

static void test_owner(void)
{
    API_AUTO(Core__V1__Pod) owner = pod_new();
    api_set_string(&owner->metadata->uid, "u-1");
    API_AUTO(Core__V1__Pod) pod = pod_new();
    g_assert_null(api_controller_of(NULL));
    g_assert_null(api_controller_of(pod->metadata));
    Meta__V1__OwnerReference *plain = API_NEW(Meta__V1__OwnerReference, meta__v1__owner_reference);
    api_append(pod->metadata->ownerreferences, pod->metadata->n_ownerreferences, plain);
    g_assert_null(api_controller_of(pod->metadata));
    Meta__V1__OwnerReference *reference = api_owner_reference_new(API_DEPLOYMENT, &owner->base);
    api_append(pod->metadata->ownerreferences, pod->metadata->n_ownerreferences, reference);
    g_assert_true(api_controller_of(pod->metadata) == reference);
    g_assert_cmpstr(reference->apiversion, ==, "apps/v1");
    g_assert_cmpstr(reference->kind, ==, "Deployment");
    g_assert_cmpstr(reference->name, ==, "web");
    g_assert_cmpstr(reference->uid, ==, "u-1");
    g_assert_true(reference->blockownerdeletion);
}

static void test_int_or_string(void)
{
    static const struct {
        const char *text;
        gint64 total;
        gboolean good;
        gint64 down, up;
    } rows[] = {
        {"25%", 4, TRUE, 1, 1},   {"25%", 3, TRUE, 0, 1},           {"0%", 10, TRUE, 0, 0},
        {"100%", 7, TRUE, 7, 7},  {"150%", 3, TRUE, 4, 5},          {"-50%", 3, TRUE, -2, -1},
        {"%", 3, FALSE, 0, 0},    {"25", 3, FALSE, 0, 0},           {"a%", 3, FALSE, 0, 0},
        {"2 5%", 3, FALSE, 0, 0}, {"99999999999%", 3, FALSE, 0, 0}, {"2000000000%", G_MAXINT64, FALSE, 0, 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Meta__V1__IntOrString value = META__V1__INT_OR_STRING__INIT;
        value.type = 1;
        value.strval = (char *)rows[i].text;
        gint64 down = 0, up = 0;
        g_assert_cmpint(api_int_or_string_scaled(&value, rows[i].total, FALSE, &down), ==, rows[i].good);
        g_assert_cmpint(api_int_or_string_scaled(&value, rows[i].total, TRUE, &up), ==, rows[i].good);
        g_assert_cmpint(down, ==, rows[i].down);
        g_assert_cmpint(up, ==, rows[i].up);
    }
    API_AUTO(Meta__V1__IntOrString) number = api_int_or_string_new(-3);
    gint64 result = 0;
    g_assert_true(api_int_or_string_scaled(number, 100, TRUE, &result));
    g_assert_cmpint(result, ==, -3);
    g_assert_false(api_int_or_string_scaled(NULL, 100, TRUE, &result));
}

static void test_generate_name(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int i = 0; i < 1000; i++) {
        char *name = api_generate_name("web-");
        g_assert_cmpint(strlen(name), ==, 9);
        g_assert_true(g_str_has_prefix(name, "web-"));
        g_assert_cmpint(strspn(name + 4, "bcdfghjklmnpqrstvwxz2456789"), ==, 5);
        g_hash_table_add(seen, name);
    }
    g_assert_cmpint(g_hash_table_size(seen), >, 990); /* of 14 million */
    g_autofree char *prefix = g_strnfill(100, 'a');
    g_autofree char *longest = api_generate_name(prefix);
    g_assert_cmpint(strlen(longest), ==, 63);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object/clone", test_clone);
    g_test_add_func("/object/clone-foreign", test_clone_foreign);
    g_test_add_func("/object/equal", test_equal);
    g_test_add_func("/object/pack", test_pack);
    g_test_add_func("/object/meta", test_meta);
    g_test_add_func("/object/key", test_key);
    g_test_add_func("/object/map", test_map);
    g_test_add_func("/object/duplicate-keys", test_duplicate_keys);
    g_test_add_func("/object/time", test_time);
    g_test_add_func("/object/owner", test_owner);
    g_test_add_func("/object/int-or-string", test_int_or_string);
    g_test_add_func("/object/generate-name", test_generate_name);
    return g_test_run();
}
