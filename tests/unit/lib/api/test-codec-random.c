/* Whatever an object holds, its text reads back as an equal object: tried on random messages, made by reflection, of every
 * kind and of some messages that have what kinds lack (proto3, oneof, enum). */
#include <string.h>

#include "foreign/cri/runtime.pb-c.h"
#include "foreign/etcd/rpc.pb-c.h"
#include "lib/api/codec-node.h"
#include "lib/api/codec.h"

#define ROUNDS 40
#define MAX_DEPTH 12

static const char *const strings[] = {
    "",
    "a",
    "web-1",
    "yes",
    "on",
    "null",
    "~",
    "true",
    "0644",
    "1e3",
    ".inf",
    "-",
    "--- a",
    "...",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "'",
    "\"",
    "\\",
    "a\\nb",
    " a",
    "a ",
    "\ta",
    "a\t",
    "a\tb",
    "a\nb",
    "a\n",
    "a\n\n",
    "\na",
    "\n",
    " \n",
    "a\n b\n",
    " a\nb",
    "\n a",
    "a\n\nb",
    "a \nb",
    "a\r\nb",
    "\r",
    "\x7f",
    "\x01",
    "\xC2\x85",
    "\xE2\x80\xA8",
    "\xEF\xBB\xBF",
    "%",
    "@a",
    "`a",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "[a",
    "{a",
    "a]",
    "a,b",
    "? a",
    ": a",
    "a:",
    "<<",
    "=",
    "1:30",
    "2026-01-31",
    "2026-01-31T12:00:00Z",
    "\xF0\x9F\x98\x80",
    "\xC3\xA9t\xC3\xA9",
    "a\n  - b\n",
    "{\"a\":1}\n",
    "0x1F",
    "+1",
    "1_000",
    "a\n#b\n",
    "\n\n\n",
    "\xEF\xBF\xBE",
    "a\xC2\xA0z",
    "\xE3\x80\x80",
    "key with spaces",
};

static char *random_string(GRand *rand)
{
    if (g_rand_int_range(rand, 0, 3) > 0)
        return g_strdup(strings[g_rand_int_range(rand, 0, G_N_ELEMENTS(strings))]);
    static const gunichar alphabet[] = {'a',  'b',  ' ',  '\n', ':',     '#', '-', '"',
                                        '\'', '\t', '\\', 0xE9, 0x1F600, ',', '\r'};
    GString *text = g_string_new(NULL);
    for (int n = g_rand_int_range(rand, 0, 200); n > 0; n--)
        g_string_append_unichar(text, alphabet[g_rand_int_range(rand, 0, G_N_ELEMENTS(alphabet))]);
    return g_string_free(text, FALSE);
}

static ProtobufCMessage *random_message(GRand *rand, const ProtobufCMessageDescriptor *type, guint depth);

static const char *const quantities[] = {"0", "1", "500m", "1.5Gi", "1e9", "-3", "100n", "0.5", "7Ei"};
static const char *const raws[] = {"{}", "{\"f:a\":{\".\":{}}}", "[1.50,null,\"x\\n\"]", "true", "\"\"", "-1e+3"};

/* Canonical values of the types with forms of their own; FALSE for other types. */
static gboolean fill_special(GRand *rand, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &meta__v1__quantity__descriptor) {
        ((Meta__V1__Quantity *)message)->string =
            g_strdup(quantities[g_rand_int_range(rand, 0, G_N_ELEMENTS(quantities))]);
    } else if (type == &meta__v1__int_or_string__descriptor) {
        Meta__V1__IntOrString *value = (Meta__V1__IntOrString *)message;
        api_set_scalar(value, type, g_rand_int_range(rand, 0, 2));
        if (value->type == 0)
            api_set_scalar(value, intval, (gint32)g_rand_int(rand));
        else
            value->strval = random_string(rand);
    } else if (type == &meta__v1__time__descriptor || type == &meta__v1__micro_time__descriptor) {
        Meta__V1__MicroTime *time = (Meta__V1__MicroTime *)message;
        api_set_scalar(time, seconds, (gint32)g_rand_int(rand));
        api_set_scalar(time, nanos,
                       type == &meta__v1__time__descriptor ? 0 : g_rand_int_range(rand, 0, 1000000) * 1000);
    } else if (type == &meta__v1__fields_v1__descriptor) {
        Meta__V1__FieldsV1 *fields = (Meta__V1__FieldsV1 *)message;
        const char *raw = raws[g_rand_int_range(rand, 0, G_N_ELEMENTS(raws))];
        fields->has_raw = TRUE;
        fields->raw = (ProtobufCBinaryData){strlen(raw), (guint8 *)g_strdup(raw)};
    } else {
        return FALSE;
    }
    return TRUE;
}

static void fill_value(GRand *rand, const ProtobufCFieldDescriptor *field, void *out, guint depth)
{
    ProtobufCBinaryData *bytes = out;
    const ProtobufCEnumDescriptor *enum_type = field->descriptor;
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)out = random_message(rand, field->descriptor, depth + 1);
        break;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)out = random_string(rand);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes->len = (size_t)g_rand_int_range(rand, 0, 10);
        bytes->data = bytes->len ? g_malloc(bytes->len) : NULL;
        for (size_t i = 0; i < bytes->len; i++)
            bytes->data[i] = (guint8)g_rand_int(rand);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)out = g_rand_boolean(rand);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)out = enum_type->values[g_rand_int_range(rand, 0, (gint32)enum_type->n_values)].value;
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)out = (float)g_rand_double_range(rand, -1e6, 1e6);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)out = g_rand_double_range(rand, -1e20, 1e20);
        break;
    default:
        for (gsize i = 0; i < codec_field_size(field); i++)
            ((guint8 *)out)[i] = (guint8)g_rand_int(rand);
        if (g_rand_boolean(rand))
            memset(out, 0, codec_field_size(field));
    }
}

static int compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp((*(ApiMapEntry *const *)a)->key, (*(ApiMapEntry *const *)b)->key);
}

/* Sorts the entries of a map and drops those whose key is there already, as the decoder gives them. */
static void make_canonical_map(ProtobufCMessage **entries, size_t *n)
{
    size_t kept = 0;
    qsort(entries, *n, sizeof *entries, compare_keys);
    for (size_t i = 0; i < *n; i++) {
        if (kept > 0 && compare_keys(&entries[kept - 1], &entries[i]) == 0)
            api_message_free(entries[i]);
        else
            entries[kept++] = entries[i];
    }
    *n = kept;
}

static void fill_repeated(GRand *rand, const ProtobufCFieldDescriptor *field, ProtobufCMessage *message, guint depth)
{
    size_t *n = G_STRUCT_MEMBER_P(message, field->quantifier_offset), size = codec_field_size(field);
    *n = (size_t)g_rand_int_range(rand, 1, 4);
    guint8 *array = g_malloc0_n(*n, size);
    G_STRUCT_MEMBER(void *, message, field->offset) = array;
    for (size_t i = 0; i < *n; i++)
        fill_value(rand, field, array + i * size, depth);
    if (codec_field_is_map(field))
        make_canonical_map((ProtobufCMessage **)(void *)array, n);
}

static gboolean wants_field(GRand *rand, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                            guint depth)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth >= MAX_DEPTH)
        return FALSE;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) == 0 && g_rand_boolean(rand);
    /* fewer fields where many levels would make the message huge */
    return g_rand_int_range(rand, 0, depth < 3 ? 2 : 2 * (int)depth) == 0;
}

/* An inline message without fields cannot be told from none: it is left out. */
static gboolean is_empty(const ProtobufCMessage *message)
{
    return protobuf_c_message_get_packed_size(message) == 0;
}

static ProtobufCMessage *random_message(GRand *rand, const ProtobufCMessageDescriptor *type, guint depth)
{
    ProtobufCMessage *message = g_malloc0(type->sizeof_message);
    protobuf_c_message_init(type, message);
    if (fill_special(rand, message))
        return message;
    gboolean is_entry = g_str_has_suffix(type->short_name, "Entry") && type->n_fields == 2;
    for (guint i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (!is_entry && !wants_field(rand, message, field, depth))
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            fill_repeated(rand, field, message, depth);
            continue;
        }
        void *value = G_STRUCT_MEMBER_P(message, field->offset);
        fill_value(rand, field, value, depth);
        if (codec_field_is_inline(type, field) && is_empty(*(ProtobufCMessage **)value)) {
            api_message_free(*(ProtobufCMessage **)value);
            *(ProtobufCMessage **)value = NULL;
        } else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) = field->id;
        } else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
                   field->type != PROTOBUF_C_TYPE_MESSAGE) {
            G_STRUCT_MEMBER(protobuf_c_boolean, message, field->quantifier_offset) = TRUE;
        }
    }
    return message;
}

static void check_type(gconstpointer data)
{
    const ProtobufCMessageDescriptor *type = data;
    gsize largest = 0;
    for (guint32 round = 0; round < ROUNDS; round++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(round);
        ProtobufCMessage *message = random_message(rand, type, 0);
        for (ApiFormat format = API_FORMAT_JSON; format <= API_FORMAT_YAML; format++) {
            g_autoptr(GError) error = NULL;
            g_autofree char *text = api_encode(message, format);
            ProtobufCMessage *again = api_decode(type, text, strlen(text), "text", &error);
            if (error || !api_message_equal(message, again)) {
                g_autofree char *other = again ? api_encode(again, format) : NULL;
                g_test_message("round %u:\n%s\nread back as:\n%s", round, text, other);
            }
            g_assert_no_error(error);
            g_assert_true(api_message_equal(message, again));
            api_message_free(again);
        }
        largest = MAX(largest, protobuf_c_message_get_packed_size(message));
        api_message_free(message);
    }
    g_assert_cmpuint(largest, >, 0);
}

/* Objects of all kinds in one text come back in order, from all formats. */
static void check_list(void)
{
    guint n;
    const ApiResource *table = api_resources(&n);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(objects, random_message(rand, table[i].object, 2));
    for (ApiFormat format = API_FORMAT_JSON; format <= API_FORMAT_YAML; format++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = api_encode_list((const ProtobufCMessage *const *)objects->pdata, n, format);
        g_autoptr(GPtrArray) manifests = api_decode_manifests(text, strlen(text), "text", &error);
        g_assert_no_error(error);
        g_assert_cmpuint(manifests->len, ==, n);
        for (guint i = 0; i < n; i++) {
            const ApiManifest *manifest = manifests->pdata[i];
            g_assert_true(manifest->resource == &table[i]);
            g_assert_true(api_message_equal(manifest->object, objects->pdata[i]));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    guint n;
    const ApiResource *table = api_resources(&n);
    for (guint i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("/codec/random/%s", table[i].kind);
        g_test_add_data_func(path, table[i].object, check_type);
        g_autofree char *list_path = g_strdup_printf("/codec/random/%sList", table[i].kind);
        g_test_add_data_func(list_path, table[i].list, check_type);
    }
    static const ProtobufCMessageDescriptor *const others[] = {
        &meta__v1__status__descriptor,
        &meta__v1__delete_options__descriptor,
        &etcdserverpb__txn_request__descriptor,
        &runtime__v1__run_pod_sandbox_request__descriptor,
        &runtime__v1__container_stats__descriptor,
    };
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *path = g_strdup_printf("/codec/random/%s", others[i]->name);
        g_test_add_data_func(path, others[i], check_type);
    }
    g_test_add_func("/codec/random/list", check_list);
    return g_test_run();
}
