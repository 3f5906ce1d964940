/* From messages to nodes. */
#include <math.h>
#include <string.h>

#include "lib/api/codec-node.h"

static CodecNode *number_node(CodecArena *arena, char *text)
{
    CodecNode *node = codec_node_new(arena, CODEC_NUMBER, text);
    g_free(text);
    return node;
}

static CodecNode *real_node(CodecArena *arena, double value)
{
    if (!isfinite(value)) /* JSON has no such number */
        return codec_node_new(arena, CODEC_NULL, "null");
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(text, sizeof text, value);
    return codec_node_new(arena, CODEC_NUMBER, text);
}

static CodecNode *encode_enum(CodecArena *arena, const ProtobufCFieldDescriptor *field, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor, number);
    return value ? codec_node_new(arena, CODEC_STRING, value->name) : number_node(arena, g_strdup_printf("%d", number));
}

/* Strings of messages that nobody has checked may hold anything; what is no UTF-8 is replaced, as neither format can hold it. */
static CodecNode *string_node(CodecArena *arena, const char *text)
{
    if (g_utf8_validate(text, -1, NULL))
        return codec_node_new(arena, CODEC_STRING, text);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return codec_node_new(arena, CODEC_STRING, valid);
}

static CodecNode *encode_bytes(CodecArena *arena, const ProtobufCBinaryData *bytes)
{
    g_autofree char *text = bytes->len ? g_base64_encode(bytes->data, bytes->len) : NULL;
    return codec_node_new(arena, CODEC_STRING, api_str(text));
}

static CodecNode *encode_value(CodecArena *arena, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return codec_encode_message(arena, *(const ProtobufCMessage *const *)value);
    case PROTOBUF_C_TYPE_STRING:
        return string_node(arena, api_str(*(const char *const *)value));
    case PROTOBUF_C_TYPE_BYTES:
        return encode_bytes(arena, value);
    case PROTOBUF_C_TYPE_BOOL:
        return codec_node_new(arena, CODEC_BOOL, *(const protobuf_c_boolean *)value ? "true" : "false");
    case PROTOBUF_C_TYPE_ENUM:
        return encode_enum(arena, field, *(const int *)value);
    case PROTOBUF_C_TYPE_FLOAT:
        return real_node(arena, *(const float *)value);
    case PROTOBUF_C_TYPE_DOUBLE:
        return real_node(arena, *(const double *)value);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return number_node(arena, g_strdup_printf("%u", *(const guint32 *)value));
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return number_node(arena, g_strdup_printf("%" G_GUINT64_FORMAT, *(const guint64 *)value));
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return number_node(arena, g_strdup_printf("%" G_GINT64_FORMAT, *(const gint64 *)value));
    default:
        return number_node(arena, g_strdup_printf("%d", *(const gint32 *)value));
    }
}

/* Whether a proto3 field without presence differs from its default. */
static gboolean is_not_default(const ProtobufCFieldDescriptor *field, const void *value)
{
    static const guint8 zero[8];
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)value != NULL;
    case PROTOBUF_C_TYPE_STRING:
        return *api_str(*(const char *const *)value) != '\0';
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)value)->len > 0;
    default:
        return memcmp(value, zero, codec_field_size(field)) != 0;
    }
}

static gboolean is_present(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const void *value = G_STRUCT_MEMBER_P(message, field->offset);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) == field->id;
    switch (field->label) {
    case PROTOBUF_C_LABEL_REPEATED:
        return G_STRUCT_MEMBER(size_t, message, field->quantifier_offset) > 0;
    case PROTOBUF_C_LABEL_OPTIONAL:
        if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
            const void *pointer = *(const void *const *)value;
            return pointer && pointer != field->default_value;
        }
        return G_STRUCT_MEMBER(protobuf_c_boolean, message, field->quantifier_offset);
    case PROTOBUF_C_LABEL_NONE:
        return is_not_default(field, value);
    default:
        return TRUE;
    }
}

static int compare_members(gconstpointer a, gconstpointer b)
{
    return strcmp(((const CodecMember *)a)->key, ((const CodecMember *)b)->key);
}

static void add_member(GArray *members, const char *key, CodecNode *value)
{
    CodecMember member = {.key = key, .value = value};
    g_array_append_val(members, member);
}

/* Of two entries of one key the last counts, as everywhere in protobuf. */
static CodecNode *encode_map(CodecArena *arena, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *parts = ((const ProtobufCMessageDescriptor *)field->descriptor)->fields;
    ProtobufCMessage *const *entries = G_STRUCT_MEMBER(ProtobufCMessage *const *, message, field->offset);
    size_t n = G_STRUCT_MEMBER(size_t, message, field->quantifier_offset);
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = n; i-- > 0;) {
        const char *key = api_str(G_STRUCT_MEMBER(const char *, entries[i], parts[0].offset));
        if (!g_hash_table_add(seen, (gpointer)key))
            continue;
        const void *value = G_STRUCT_MEMBER_P(entries[i], parts[1].offset);
        gboolean is_message = parts[1].type == PROTOBUF_C_TYPE_MESSAGE;
        CodecNode *node = is_message && !*(const ProtobufCMessage *const *)value
                              ? codec_node_new(arena, CODEC_NULL, "null")
                              : encode_value(arena, &parts[1], value);
        add_member(members, string_node(arena, key)->text, node);
    }
    g_array_sort(members, compare_members);
    CodecNode *map = codec_node_new(arena, CODEC_MAP, NULL);
    codec_node_set_members(arena, map, members);
    return map;
}

static CodecNode *encode_repeated(CodecArena *arena, const ProtobufCFieldDescriptor *field,
                                  const ProtobufCMessage *message)
{
    const guint8 *array = G_STRUCT_MEMBER(const guint8 *, message, field->offset);
    size_t n = G_STRUCT_MEMBER(size_t, message, field->quantifier_offset), size = codec_field_size(field);
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (size_t i = 0; i < n; i++)
        g_ptr_array_add(items, encode_value(arena, field, array + i * size));
    CodecNode *list = codec_node_new(arena, CODEC_LIST, NULL);
    codec_node_set_items(arena, list, items);
    return list;
}

static void add_fields(CodecArena *arena, const ProtobufCMessage *message, GArray *members)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (guint i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (!is_present(field, message))
            continue;
        const void *value = G_STRUCT_MEMBER_P(message, field->offset);
        if (codec_field_is_inline(type, field))
            add_fields(arena, *(const ProtobufCMessage *const *)value, members);
        else if (codec_field_is_map(field))
            add_member(members, field->name, encode_map(arena, field, message));
        else if (field->label == PROTOBUF_C_LABEL_REPEATED)
            add_member(members, field->name, encode_repeated(arena, field, message));
        else
            add_member(members, field->name, encode_value(arena, field, value));
    }
}

CodecNode *codec_encode_message(CodecArena *arena, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const CodecSpecial *special = codec_special(type);
    if (special)
        return special->encode(arena, message);
    g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(CodecMember));
    add_fields(arena, message, fields);
    g_array_sort(fields, compare_members);
    const ApiResource *resource = api_resource_by_descriptor(type);
    if (resource) {
        g_autofree char *version = api_resource_api_version(resource);
        add_member(members, "apiVersion", codec_node_new(arena, CODEC_STRING, version));
        g_autofree char *kind = g_strconcat(resource->kind, type == resource->list ? "List" : "", NULL);
        add_member(members, "kind", codec_node_new(arena, CODEC_STRING, kind));
    }
    g_array_append_vals(members, fields->data, fields->len);
    CodecNode *map = codec_node_new(arena, CODEC_MAP, NULL);
    codec_node_set_members(arena, map, members);
    return map;
}
