/* Where the JSON form of a message is not simply that of its fields: the rows for types and for inline fields. */
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "cleat/runtime/runtime.pb-c.h"
#include "lib/api/codec-node.h"
#include "lib/api/quantity.h"
#include "lib/base/time.h"

/* Kept as written, so that a user finds again what he wrote; a number is taken for its digits. */
static gboolean decode_quantity(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    (void)errors;
    ApiQuantity quantity;
    if ((node->kind != CODEC_STRING && node->kind != CODEC_NUMBER) || !api_quantity_parse(node->text, &quantity, NULL))
        return FALSE;
    ((Meta__V1__Quantity *)message)->string = g_strdup(node->text);
    return TRUE;
}

static CodecNode *encode_quantity(CodecArena *arena, const ProtobufCMessage *message)
{
    const char *text = ((const Meta__V1__Quantity *)message)->string;
    return codec_node_new(arena, CODEC_STRING, text && *text && g_utf8_validate(text, -1, NULL) ? text : "0");
}

static gboolean decode_int_or_string(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    (void)errors;
    Meta__V1__IntOrString *value = (Meta__V1__IntOrString *)message;
    gint64 number;
    if (node->kind == CODEC_STRING) {
        api_set_scalar(value, type, 1);
        value->strval = g_strdup(node->text);
        return TRUE;
    }
    if (node->kind != CODEC_NUMBER || !g_ascii_string_to_signed(node->text, 10, G_MININT32, G_MAXINT32, &number, NULL))
        return FALSE;
    api_set_scalar(value, type, 0);
    api_set_scalar(value, intval, (gint32)number);
    return TRUE;
}

static CodecNode *encode_int_or_string(CodecArena *arena, const ProtobufCMessage *message)
{
    const Meta__V1__IntOrString *value = (const Meta__V1__IntOrString *)message;
    if (value->type == 1) {
        g_autofree char *valid = g_utf8_make_valid(api_str(value->strval), -1);
        return codec_node_new(arena, CODEC_STRING, valid);
    }
    g_autofree char *text = g_strdup_printf("%d", value->intval);
    return codec_node_new(arena, CODEC_NUMBER, text);
}

/* Time has whole seconds in JSON, MicroTime six decimals; what is finer is dropped. */
static gboolean decode_time(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    (void)errors;
    gint64 ns;
    if (node->kind != CODEC_STRING || !time_parse(node->text, &ns))
        return FALSE;
    gint64 seconds = ns / TIME_NS_PER_S - (ns % TIME_NS_PER_S < 0);
    Meta__V1__Time *time = (Meta__V1__Time *)message;
    api_set_scalar(time, seconds, seconds);
    api_set_scalar(time, nanos, 0);
    return TRUE;
}

static gboolean decode_micro_time(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    gint64 ns;
    if (!decode_time(node, message, errors) || !time_parse(node->text, &ns))
        return FALSE;
    Meta__V1__MicroTime *time = (Meta__V1__MicroTime *)message;
    gint32 nanos = (gint32)(ns - time->seconds * TIME_NS_PER_S);
    time->nanos = nanos - nanos % 1000;
    return TRUE;
}

/* Seconds that no time of the readers' range has (1678 to 2261) are shown as the end of it. */
static char *format_time(gint64 seconds, gint32 nanos, int digits)
{
    gint64 last = G_MAXINT64 / TIME_NS_PER_S - 2;
    return time_format(CLAMP(seconds, -last, last) * TIME_NS_PER_S + CLAMP(nanos, 0, TIME_NS_PER_S - 1), digits);
}

static CodecNode *encode_time(CodecArena *arena, const ProtobufCMessage *message)
{
    g_autofree char *text = format_time(((const Meta__V1__Time *)message)->seconds, 0, 0);
    return codec_node_new(arena, CODEC_STRING, text);
}

static CodecNode *encode_micro_time(CodecArena *arena, const ProtobufCMessage *message)
{
    const Meta__V1__MicroTime *time = (const Meta__V1__MicroTime *)message;
    g_autofree char *text = format_time(time->seconds, time->nanos, 6);
    return codec_node_new(arena, CODEC_STRING, text);
}

/* Any JSON value as its own text. */
static void check_raw(const CodecNode *node, CodecErrors *errors)
{
    g_autoptr(GHashTable) seen = node->kind == CODEC_MAP ? g_hash_table_new(g_str_hash, g_str_equal) : NULL;
    for (guint i = 0; i < node->n; i++) {
        gboolean in_map = node->kind == CODEC_MAP;
        if (in_map && !codec_take_once(seen, &node->members[i], errors))
            continue;
        gsize mark = in_map ? codec_path_push(errors, node->members[i].key) : codec_path_push_index(errors, i);
        check_raw(in_map ? node->members[i].value : node->items[i], errors);
        codec_path_pop(errors, mark);
    }
}

static void decode_raw(const CodecNode *node, ProtobufCBinaryData *bytes, CodecErrors *errors)
{
    check_raw(node, errors);
    GString *text = g_string_new(NULL);
    codec_write_json(text, node, 0);
    bytes->len = text->len;
    bytes->data = (guint8 *)g_string_free(text, FALSE);
}

static CodecNode *encode_raw(CodecArena *arena, const ProtobufCBinaryData *bytes)
{
    const char *text = (const char *)bytes->data;
    g_autoptr(GPtrArray) values = NULL;
    if (bytes->len > 0 && g_utf8_validate_len(text, bytes->len, NULL))
        values = codec_read_json(arena, text, bytes->len, "raw", NULL);
    return values && values->len == 1 ? values->pdata[0] : codec_node_new(arena, CODEC_NULL, "null");
}

static gboolean decode_fields_v1(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    Meta__V1__FieldsV1 *fields = (Meta__V1__FieldsV1 *)message;
    fields->has_raw = TRUE;
    decode_raw(node, &fields->raw, errors);
    return TRUE;
}

static CodecNode *encode_fields_v1(CodecArena *arena, const ProtobufCMessage *message)
{
    return encode_raw(arena, &((const Meta__V1__FieldsV1 *)message)->raw);
}

static gboolean decode_raw_extension(const CodecNode *node, ProtobufCMessage *message, CodecErrors *errors)
{
    Runtime__RawExtension *extension = (Runtime__RawExtension *)message;
    extension->has_raw = TRUE;
    decode_raw(node, &extension->raw, errors);
    return TRUE;
}

static CodecNode *encode_raw_extension(CodecArena *arena, const ProtobufCMessage *message)
{
    return encode_raw(arena, &((const Runtime__RawExtension *)message)->raw);
}

static const CodecSpecial specials[] = {
    {&meta__v1__quantity__descriptor, "a quantity such as 500m, 2 or 1.5Gi", decode_quantity, encode_quantity},
    {&meta__v1__int_or_string__descriptor, "a whole number of 32 bits or a string", decode_int_or_string,
     encode_int_or_string},
    {&meta__v1__time__descriptor, "a time such as 2026-01-31T12:00:00Z", decode_time, encode_time},
    {&meta__v1__micro_time__descriptor, "a time such as 2026-01-31T12:00:00.123456Z", decode_micro_time,
     encode_micro_time},
    {&meta__v1__fields_v1__descriptor, "any value", decode_fields_v1, encode_fields_v1},
    {&runtime__raw_extension__descriptor, "any value", decode_raw_extension, encode_raw_extension},
};

static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *field;
} inline_fields[] = {
    {&core__v1__volume__descriptor, "volumeSource"},
    {&core__v1__secret_projection__descriptor, "localObjectReference"},
    {&core__v1__config_map_volume_source__descriptor, "localObjectReference"},
    {&core__v1__config_map_projection__descriptor, "localObjectReference"},
    {&core__v1__config_map_key_selector__descriptor, "localObjectReference"},
    {&core__v1__secret_key_selector__descriptor, "localObjectReference"},
    {&core__v1__config_map_env_source__descriptor, "localObjectReference"},
    {&core__v1__secret_env_source__descriptor, "localObjectReference"},
    {&core__v1__probe__descriptor, "handler"},
    {&core__v1__ephemeral_container__descriptor, "ephemeralContainerCommon"},
};

const CodecSpecial *codec_special(const ProtobufCMessageDescriptor *type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(specials); i++) {
        if (specials[i].type == type)
            return &specials[i];
    }
    return NULL;
}

gboolean codec_field_is_inline(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field)
{
    for (gsize i = 0; i < G_N_ELEMENTS(inline_fields); i++) {
        if (inline_fields[i].type == type && g_str_equal(inline_fields[i].field, field->name))
            return TRUE;
    }
    return FALSE;
}

/* protoc makes of "map<string, V> labels" a nested message LabelsEntry {key = 1, value = 2}; nothing else marks it. */
gboolean codec_field_is_map(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE)
        return FALSE;
    const ProtobufCMessageDescriptor *entry = field->descriptor;
    return entry->n_fields == 2 && g_str_has_suffix(entry->short_name, "Entry") && entry->fields[0].id == 1 &&
           entry->fields[0].type == PROTOBUF_C_TYPE_STRING && g_str_equal(entry->fields[0].name, "key") &&
           entry->fields[1].id == 2 && g_str_equal(entry->fields[1].name, "value");
}

gsize codec_field_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}
