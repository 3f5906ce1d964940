#include "lib/api/wire.h"

#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "lib/base/error.h"

#define POD (&core__v1__pod__descriptor)
#define META (&meta__v1__object_meta__descriptor)
#define BYTES(...) (const guint8[]){__VA_ARGS__}, sizeof((const guint8[]){__VA_ARGS__})

static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *type;
    const guint8 *data;
    gsize size;
    const char *problem; /* part of the message; NULL: good */
} checks[] = {
    {"empty", POD, (const guint8 *)"", 0, NULL},
    {"name", META, BYTES(0x0a, 3, 'w', 'e', 'b'), NULL},
    {"empty string", META, BYTES(0x0a, 0), NULL},
    {"negative number", META, BYTES(0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), NULL},
    {"long zero", META, BYTES(0x38, 0x80, 0x80, 0x00), NULL},
    {"nested", POD, BYTES(0x0a, 5, 0x0a, 3, 'w', 'e', 'b'), NULL},
    {"packed numbers", &core__v1__pod_security_context__descriptor, BYTES(0x22, 3, 1, 0x80, 1), NULL},
    {"one by one", &core__v1__pod_security_context__descriptor, BYTES(0x20, 1, 0x20, 2), NULL},
    {"tag cut off", META, BYTES(0x8a), "malformed bytes at offset 0"},
    {"field cut off", META, BYTES(0x0a, 3, 'w', 'e'), "malformed bytes at offset 0"},
    {"second field cut off", META, BYTES(0x0a, 1, 'w', 0x0a), "malformed bytes at offset 3"},
    {"length beyond 32 bits", META, BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), "malformed"},
    {"length of 4 GiB", META, BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 'a'), "malformed"},
    {"number of 11 bytes", META, BYTES(0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00),
     "malformed"},
    {"number of 65 bits", META, BYTES(0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02), "malformed"},
    {"field number 0", META, BYTES(0x02, 0), "malformed"},
    {"tag beyond 32 bits", META, BYTES(0x8a, 0x80, 0x80, 0x80, 0x10, 0), "malformed"},
    {"group", META, BYTES(0x0b, 0x0c), "malformed"},
    {"group end", META, BYTES(0x0c), "malformed"},
    {"wire type 7", META, BYTES(0x0f), "malformed"},
    {"unknown field", META, BYTES(0xfa, 0x01, 0), "unknown field number 31"},
    {"unknown nested field", POD, BYTES(0x0a, 3, 0xfa, 0x01, 0), "metadata: unknown field number 31"},
    {"string as number", META, BYTES(0x08, 1), "name: has wire type 0 instead of 2"},
    {"number as string", META, BYTES(0x3a, 1, 'a'), "generation: has wire type 2 instead of 0"},
    {"number as fixed", META, BYTES(0x39, 1, 2, 3, 4, 5, 6, 7, 8), "generation: has wire type 1 instead of 0"},
    {"message as number", POD, BYTES(0x08, 1), "metadata: has wire type 0 instead of 2"},
    {"NUL in string", META, BYTES(0x0a, 3, 'a', 0, 'b'), "name: text must be UTF-8 without NUL"},
    {"no UTF-8", META, BYTES(0x0a, 2, 0xc3, 0x28), "name: text must be UTF-8"},
    {"surrogate", META, BYTES(0x0a, 3, 0xed, 0xa0, 0x80), "name: text must be UTF-8"},
    {"overlong", META, BYTES(0x0a, 2, 0xc0, 0x80), "name: text must be UTF-8"},
    {"packed number cut off", &core__v1__pod_security_context__descriptor, BYTES(0x22, 2, 1, 0x80),
     "supplementalGroups[0]"},
    {"path", POD, BYTES(0x12, 11, 0x12, 0, 0x12, 0, 0x12, 5, 0x1a, 0, 0x1a, 1, 0xff),
     "spec.containers[2].command[1]: text must be"},
    {"deepest in message", POD, BYTES(0x0a, 2, 0x0a, 3), "metadata: malformed bytes at offset 0"},
};

static void test_check(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(checks); i++) {
        GError *error = NULL;
        g_autofree guint8 *exact = g_memdup2(checks[i].data, checks[i].size); /* a sanitizer sees what lies behind */
        gboolean good = api_wire_check(checks[i].type, exact, checks[i].size, &error);
        if (good != (checks[i].problem == NULL) || (error && !strstr(error->message, checks[i].problem)))
            g_error("%s: %s", checks[i].name, error ? error->message : "good");
        if (error)
            g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
        g_clear_error(&error);
        if (!good)
            continue;
        ProtobufCMessage *message = api_message_unpack(checks[i].type, exact, checks[i].size, &error);
        g_assert_no_error(error);
        api_message_free(message);
    }
}

static void assert_refused(const ProtobufCMessageDescriptor *type, const GByteArray *bytes, CleatErrorCode code,
                           const char *part)
{
    GError *error = NULL;
    g_assert_false(api_wire_check(type, bytes->data, bytes->len, &error));
    g_assert_error(error, CLEAT_ERROR, (int)code);
    if (!strstr(error->message, part))
        g_error("unexpected: %s", error->message);
    g_clear_error(&error);
}

/* No message of ours can hold itself; this one can, to any depth. */
static const ProtobufCFieldDescriptor nest_fields[];
static const ProtobufCMessageDescriptor nest = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "test.Nest",
    .short_name = "Nest",
    .c_name = "Nest",
    .package_name = "test",
    .sizeof_message = sizeof(ProtobufCMessage) + sizeof(void *),
    .n_fields = 1,
    .fields = nest_fields,
    .fields_sorted_by_name = (const unsigned[]){0},
    .n_field_ranges = 1,
    .field_ranges = (const ProtobufCIntRange[]){{1, 0}, {0, 1}},
};
static const ProtobufCFieldDescriptor nest_fields[] = {
    {.name = "inner",
     .id = 1,
     .label = PROTOBUF_C_LABEL_OPTIONAL,
     .type = PROTOBUF_C_TYPE_MESSAGE,
     .offset = sizeof(ProtobufCMessage),
     .descriptor = &nest},
};

static GByteArray *nested(guint levels)
{
    GByteArray *bytes = g_byte_array_new();
    for (guint i = 1; i < levels; i++) {
        guint8 head[11];
        gsize n = api_wire_put_tag(head, 1, 2);
        n += api_wire_put_varint(head + n, bytes->len);
        g_byte_array_prepend(bytes, head, (guint)n);
    }
    return bytes;
}

static void test_depth(void)
{
    GError *error = NULL;
    g_autoptr(GByteArray) deepest = nested(API_WIRE_MAX_DEPTH);
    g_assert_true(api_wire_check(&nest, deepest->data, deepest->len, &error));
    g_assert_no_error(error);
    g_autoptr(GByteArray) deeper = nested(API_WIRE_MAX_DEPTH + 1);
    assert_refused(&nest, deeper, CLEAT_ERROR_BAD_REQUEST, "nested deeper than 64 levels");
    g_autoptr(GByteArray) abyss = nested(20000);
    assert_refused(&nest, abyss, CLEAT_ERROR_BAD_REQUEST, "nested deeper than 64 levels");
}

static GByteArray *repeated(const guint8 *unit, guint size, guint times)
{
    GByteArray *bytes = g_byte_array_new();
    for (guint i = 0; i < times; i++)
        g_byte_array_append(bytes, unit, size);
    return bytes;
}

/* A few bytes that become much memory or much work. */
static void test_amplification(void)
{
    g_autoptr(GByteArray) large = g_byte_array_new();
    g_byte_array_set_size(large, API_WIRE_MAX_SIZE + 1);
    memset(large->data, 0, large->len);
    assert_refused(POD, large, CLEAT_ERROR_TOO_LARGE, "limit of 1572864");

    g_autoptr(GByteArray) containers = repeated(BYTES(0x12, 0), 700000); /* each two bytes a structure of 400 */
    assert_refused(&core__v1__pod_spec__descriptor, containers, CLEAT_ERROR_TOO_LARGE, "more than 64 MiB");

    g_autoptr(GByteArray) merges = repeated(BYTES(0x0a, 2, 0x72, 0), API_WIRE_MAX_MERGES + 2);
    assert_refused(POD, merges, CLEAT_ERROR_BAD_REQUEST, "metadata: occurs again and again");
    GError *error = NULL;
    g_assert_true(api_wire_check(POD, merges->data, merges->len - 4, &error));
    g_assert_no_error(error);

    g_autoptr(GByteArray) strings = repeated(BYTES(0x72, 0), 100000); /* many, and harmless */
    g_assert_true(api_wire_check(META, strings->data, strings->len, &error));
    g_assert_no_error(error);
}

/* Random changes of good bytes: what the check lets through must unpack. */
static void test_mutations(void)
{
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    api_label_set(API_META(pod), "app", "web");
    api_set_string(&pod->metadata->name, "web-1");
    pod->metadata->creationtimestamp = api_time_new(1700000000000000000);
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    Core__V1__Container *container = API_NEW(Core__V1__Container, core__v1__container);
    container->name = g_strdup("c");
    api_append(container->command, container->n_command, g_strdup("sleep"));
    api_append(pod->spec->containers, pod->spec->n_containers, container);
    pod->spec->securitycontext = API_NEW(Core__V1__PodSecurityContext, core__v1__pod_security_context);
    api_append(pod->spec->securitycontext->supplementalgroups, pod->spec->securitycontext->n_supplementalgroups, 7);
    g_autoptr(GBytes) bytes = api_message_pack(&pod->base);
    gsize size, good = 0;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    for (int round = 0; round < 200000; round++) {
        g_autofree guint8 *changed = g_memdup2(data, size);
        for (int k = g_rand_int_range(rand, 1, 4); k > 0; k--)
            changed[g_rand_int_range(rand, 0, (gint32)size)] = (guint8)g_rand_int(rand);
        gsize length = g_rand_int_range(rand, 0, 8) ? size : (gsize)g_rand_int_range(rand, 0, (gint32)size);
        if (!api_wire_check(POD, changed, length, NULL))
            continue;
        good++;
        GError *error = NULL;
        ProtobufCMessage *message = api_message_unpack(POD, changed, length, &error);
        g_assert_no_error(error);
        api_message_free(message);
    }
    g_assert_cmpint(good, >, 1000);
}

static void test_reader(void)
{
    static const guint8 data[] = {0x0a, 1, 'a', 0x38, 0xac, 0x02, 0x31, 1, 0, 0, 0, 0, 0, 0, 0x80, 0x35, 1, 0, 0, 0x80};
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, sizeof data);
    g_assert_true(api_wire_next(&reader));
    g_assert_true(reader.number == 1 && reader.wire_type == 2 && reader.size == 1 && reader.data == data + 2);
    g_assert_true(api_wire_next(&reader));
    g_assert_true(reader.number == 7 && reader.wire_type == 0 && reader.value == 300);
    g_assert_true(api_wire_next(&reader));
    g_assert_true(reader.number == 6 && reader.wire_type == 1 &&
                  reader.value == G_GUINT64_CONSTANT(0x8000000000000001));
    g_assert_true(api_wire_next(&reader));
    g_assert_true(reader.number == 6 && reader.wire_type == 5 && reader.value == 0x80000001);
    g_assert_false(api_wire_next(&reader));
    g_assert_true(reader.at == reader.end);
    api_wire_reader_init(&reader, data, sizeof data - 1);
    while (api_wire_next(&reader))
        ;
    g_assert_true(reader.at == data + 15); /* where the broken field starts */
}

static void test_find(void)
{
    static const guint8 node[] = {2, 10, 0}, name[] = {1, 1, 0};
    const guint8 *found = NULL;
    gsize size = 0;
    API_AUTO(Core__V1__Pod) pod = API_NEW(Core__V1__Pod, core__v1__pod);
    api_set_string(&API_META(pod)->name, "web");
    pod->spec = API_NEW(Core__V1__PodSpec, core__v1__pod_spec);
    api_set_string(&pod->spec->nodename, "n1");
    g_autoptr(GBytes) first = api_message_pack(&pod->base);
    g_assert_true(api_wire_find(g_bytes_get_data(first, NULL), g_bytes_get_size(first), node, &found, &size));
    g_assert_cmpmem(found, size, "n1", 2);

    /* A second spec that does not name the node leaves it, one that does changes it: as protobuf merges them. */
    g_autoptr(GByteArray) merged = g_byte_array_new();
    g_byte_array_append(merged, g_bytes_get_data(first, NULL), (guint)g_bytes_get_size(first));
    g_byte_array_append(merged, BYTES(0x12, 2, 0x58, 1));
    g_assert_true(api_wire_find(merged->data, merged->len, node, &found, &size));
    g_assert_cmpmem(found, size, "n1", 2);
    g_byte_array_append(merged, BYTES(0x12, 3, 0x52, 1, 'x'));
    g_assert_true(api_wire_find(merged->data, merged->len, node, &found, &size));
    g_assert_cmpmem(found, size, "x", 1);
    g_assert_true(api_wire_find(merged->data, merged->len, name, &found, &size));
    g_assert_cmpmem(found, size, "web", 3);
    static const guint8 phase[] = {3, 1, 0};
    g_assert_false(api_wire_find(merged->data, merged->len, phase, &found, &size));
}

static void test_varint(void)
{
    static const guint64 values[] = {0, 1, 127, 128, 16383, 16384, G_MAXUINT32, G_MAXUINT64};
    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        guint8 out[20];
        gsize n = api_wire_put_tag(out, 536870911, 0);
        gsize m = api_wire_put_varint(out + n, values[i]);
        g_assert_cmpint(m, ==, api_wire_varint_size(values[i]));
        ApiWireReader reader;
        api_wire_reader_init(&reader, out, n + m);
        g_assert_true(api_wire_next(&reader));
        g_assert_cmpuint(reader.number, ==, 536870911);
        g_assert_cmpuint(reader.value, ==, values[i]);
        g_assert_true(reader.at == reader.end);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/check", test_check);
    g_test_add_func("/wire/depth", test_depth);
    g_test_add_func("/wire/amplification", test_amplification);
    g_test_add_func("/wire/mutations", test_mutations);
    g_test_add_func("/wire/reader", test_reader);
    g_test_add_func("/wire/find", test_find);
    g_test_add_func("/wire/varint", test_varint);
    return g_test_run();
}
