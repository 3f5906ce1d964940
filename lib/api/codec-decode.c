/* From nodes to messages, strictly. */
#include <math.h>
#include <string.h>

#include "lib/api/codec-node.h"

/* What a scalar field takes, in words. */
static const char *expectation(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return "a string";
    case PROTOBUF_C_TYPE_BYTES:
        return "bytes as a base64 string";
    case PROTOBUF_C_TYPE_BOOL:
        return "true or false";
    case PROTOBUF_C_TYPE_ENUM:
        return "the name of a value";
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return "a number";
    default:
        return "a whole number";
    }
}

/* The commonest slips are a number or truth value without quotes where a string is due, and the reverse: hint at those. */
typedef enum { HINT_NONE, HINT_QUOTE, HINT_UNQUOTE } Hint;

static void add_mistyped(CodecErrors *errors, const CodecNode *node, const char *expects, Hint kind)
{
    g_autofree char *found = codec_node_describe(node);
    g_autofree char *hint = NULL;
    g_autoptr(CodecArena) arena = codec_arena_new();
    CodecNode unquoted = {.kind = CODEC_STRING};
    if (kind == HINT_QUOTE && (node->kind == CODEC_NUMBER || node->kind == CODEC_BOOL))
        hint = g_strdup_printf("; in quotes it is one: \"%s\"", node->written ? node->written : node->text);
    else if (kind == HINT_UNQUOTE && node->kind == CODEC_STRING && codec_yaml_resolve(arena, node->text, &unquoted) &&
             (unquoted.kind == CODEC_NUMBER || unquoted.kind == CODEC_BOOL))
        hint = g_strdup("; leave out the quotes");
    codec_errors_add(errors, node->line, node->column, "expected %s, found %s%s", expects, found, hint ? hint : "");
}

/* Reads a whole number into a field of its width. FALSE, with an error, when it is none or does not fit. */
static gboolean decode_integer(const ProtobufCFieldDescriptor *field, const CodecNode *node, void *out,
                               CodecErrors *errors)
{
    const char *text = node->text;
    if (node->kind != CODEC_NUMBER || strspn(text + (*text == '-'), "0123456789") < strlen(text) - (*text == '-')) {
        add_mistyped(errors, node, expectation(field), HINT_UNQUOTE);
        return FALSE;
    }
    gboolean good;
    gint64 number = 0;
    guint64 unsigned_number = 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        good = g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &unsigned_number, NULL);
        *(guint32 *)out = (guint32)unsigned_number;
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        good = g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &unsigned_number, NULL);
        *(guint64 *)out = unsigned_number;
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        good = g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &number, NULL);
        *(gint64 *)out = number;
        break;
    default:
        good = g_ascii_string_to_signed(text, 10, G_MININT32, G_MAXINT32, &number, NULL);
        *(gint32 *)out = (gint32)number;
    }
    if (!good)
        codec_errors_add(errors, node->line, node->column, "%s is out of range", text);
    return good;
}

static gboolean decode_real(const ProtobufCFieldDescriptor *field, const CodecNode *node, void *out,
                            CodecErrors *errors)
{
    if (node->kind != CODEC_NUMBER) {
        add_mistyped(errors, node, expectation(field), HINT_UNQUOTE);
        return FALSE;
    }
    double value = g_ascii_strtod(node->text, NULL);
    gboolean is_double = field->type == PROTOBUF_C_TYPE_DOUBLE;
    if (!isfinite(is_double ? value : (float)value)) {
        codec_errors_add(errors, node->line, node->column, "%s is out of range", node->text);
        return FALSE;
    }
    if (is_double)
        *(double *)out = value;
    else
        *(float *)out = (float)value;
    return TRUE;
}

static gboolean decode_enum(const ProtobufCFieldDescriptor *field, const CodecNode *node, void *out,
                            CodecErrors *errors)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    const ProtobufCEnumValue *value = NULL;
    gint64 number;
    if (node->kind == CODEC_STRING)
        value = protobuf_c_enum_descriptor_get_value_by_name(type, node->text);
    else if (node->kind == CODEC_NUMBER &&
             g_ascii_string_to_signed(node->text, 10, G_MININT32, G_MAXINT32, &number, NULL))
        value = protobuf_c_enum_descriptor_get_value(type, (int)number);
    if (!value) {
        add_mistyped(errors, node, expectation(field), HINT_UNQUOTE);
        return FALSE;
    }
    *(int *)out = value->value;
    return TRUE;
}

/* Standard base64 with padding; white space, which folded text brings along, is left out. */
static gboolean decode_bytes(const ProtobufCFieldDescriptor *field, const CodecNode *node, ProtobufCBinaryData *out,
                             CodecErrors *errors)
{
    if (node->kind != CODEC_STRING) {
        add_mistyped(errors, node, expectation(field), HINT_QUOTE);
        return FALSE;
    }
    g_autofree char *text = g_strdup(node->text);
    gsize n = 0;
    for (const char *p = node->text; *p; p++) {
        if (!g_ascii_isspace(*p))
            text[n++] = *p;
    }
    text[n] = '\0';
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    gsize digits = strspn(text, alphabet), padding = strspn(text + digits, "=");
    if (n % 4 != 0 || digits + padding != n || padding > 2) {
        codec_errors_add(errors, node->line, node->column, "expected %s: this is no base64 text", expectation(field));
        return FALSE;
    }
    gsize size = 0;
    out->data = n > 0 ? g_base64_decode(text, &size) : NULL;
    out->len = size;
    return TRUE;
}

/* One value, of a field that is neither repeated nor a map, or an element of one that is. */
static gboolean decode_value(const ProtobufCFieldDescriptor *field, const CodecNode *node, void *out,
                             CodecErrors *errors)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)out = codec_decode_message(field->descriptor, node, errors);
        return *(ProtobufCMessage **)out != NULL;
    case PROTOBUF_C_TYPE_STRING:
        if (node->kind != CODEC_STRING) {
            add_mistyped(errors, node, expectation(field), HINT_QUOTE);
            return FALSE;
        }
        *(char **)out = g_strdup(node->text);
        return TRUE;
    case PROTOBUF_C_TYPE_BYTES:
        return decode_bytes(field, node, out, errors);
    case PROTOBUF_C_TYPE_BOOL:
        if (node->kind != CODEC_BOOL) {
            add_mistyped(errors, node, expectation(field), HINT_UNQUOTE);
            return FALSE;
        }
        *(protobuf_c_boolean *)out = g_str_equal(node->text, "true");
        return TRUE;
    case PROTOBUF_C_TYPE_ENUM:
        return decode_enum(field, node, out, errors);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return decode_real(field, node, out, errors);
    default:
        return decode_integer(field, node, out, errors);
    }
}

static int compare_members(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const CodecMember *const *)a)->key, (*(const CodecMember *const *)b)->key);
}

/* Marks a singular field as set. */
static void set_presence(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) = field->id;
    else if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING &&
             field->type != PROTOBUF_C_TYPE_MESSAGE)
        G_STRUCT_MEMBER(protobuf_c_boolean, message, field->quantifier_offset) = TRUE;
}

static ProtobufCMessage *new_message(const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = g_malloc0(type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

/* The entries are sorted by key, so that equal maps have equal bytes. null is the empty string, as in Kubernetes. */
static void decode_map(const ProtobufCFieldDescriptor *field, const CodecNode *node, ProtobufCMessage *message,
                       CodecErrors *errors)
{
    if (node->kind != CODEC_MAP) {
        add_mistyped(errors, node, "a mapping", HINT_NONE);
        return;
    }
    const ProtobufCMessageDescriptor *type = field->descriptor;
    const ProtobufCFieldDescriptor *key_field = &type->fields[0], *value_field = &type->fields[1];
    g_autoptr(GPtrArray) members = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < node->n; i++) {
        if (codec_take_once(seen, &node->members[i], errors))
            g_ptr_array_add(members, &node->members[i]);
    }
    g_ptr_array_sort(members, compare_members);

    ProtobufCMessage **entries = members->len ? g_new0(ProtobufCMessage *, members->len) : NULL;
    for (guint i = 0; i < members->len; i++) {
        const CodecMember *member = members->pdata[i];
        static const CodecNode empty = {.kind = CODEC_STRING, .text = ""};
        const CodecNode *value = member->value;
        if (value->kind == CODEC_NULL && value_field->type == PROTOBUF_C_TYPE_STRING)
            value = &empty;
        entries[i] = new_message(type);
        G_STRUCT_MEMBER(char *, entries[i], key_field->offset) = g_strdup(member->key);
        gsize mark = codec_path_push(errors, member->key);
        if (decode_value(value_field, value, G_STRUCT_MEMBER_P(entries[i], value_field->offset), errors))
            set_presence(value_field, entries[i]);
        codec_path_pop(errors, mark);
    }
    G_STRUCT_MEMBER(ProtobufCMessage **, message, field->offset) = entries;
    G_STRUCT_MEMBER(size_t, message, field->quantifier_offset) = members->len;
}

static void decode_repeated(const ProtobufCFieldDescriptor *field, const CodecNode *node, ProtobufCMessage *message,
                            CodecErrors *errors)
{
    if (node->kind != CODEC_LIST) {
        add_mistyped(errors, node, "a list", HINT_NONE);
        return;
    }
    if (node->n == 0)
        return;
    gsize size = codec_field_size(field), n = 0;
    guint8 *array = g_malloc0_n(node->n, size);
    for (guint i = 0; i < node->n; i++) {
        gsize mark = codec_path_push_index(errors, i);
        if (decode_value(field, node->items[i], array + n * size, errors))
            n++;
        codec_path_pop(errors, mark);
    }
    G_STRUCT_MEMBER(void *, message, field->offset) = array;
    G_STRUCT_MEMBER(size_t, message, field->quantifier_offset) = n;
}

/* TRUE unless another member of the field's oneof is set. */
static gboolean oneof_is_free(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message,
                              const CodecMember *member, CodecErrors *errors)
{
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return TRUE;
    guint32 other = G_STRUCT_MEMBER(guint32, message, field->quantifier_offset);
    if (other == 0)
        return TRUE;
    codec_errors_add(errors, member->line, member->column, "excludes %s, which is given as well",
                     protobuf_c_message_descriptor_get_field(message->descriptor, other)->name);
    return FALSE;
}

static void decode_member(const ProtobufCFieldDescriptor *field, const CodecMember *member, ProtobufCMessage *message,
                          CodecErrors *errors)
{
    const CodecNode *node = member->value;
    if (node->kind == CODEC_NULL) /* as if it were not there */
        return;
    if (codec_field_is_map(field))
        decode_map(field, node, message, errors);
    else if (field->label == PROTOBUF_C_LABEL_REPEATED)
        decode_repeated(field, node, message, errors);
    else if (oneof_is_free(field, message, member, errors) &&
             decode_value(field, node, G_STRUCT_MEMBER_P(message, field->offset), errors))
        set_presence(field, message);
}

/* The field that has a name in the JSON form of a message, and in *message the message it belongs to: the message itself, or
 * one that is inline in it and is made when a field of it is first given. NULL if there is none. */
static const ProtobufCFieldDescriptor *find_field(ProtobufCMessage **message, const char *name)
{
    const ProtobufCMessageDescriptor *type = (*message)->descriptor;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, name);
    if (field && !codec_field_is_inline(type, field))
        return field;
    for (guint i = 0; i < type->n_fields; i++) {
        if (!codec_field_is_inline(type, &type->fields[i]))
            continue;
        ProtobufCMessage **part = G_STRUCT_MEMBER_P(*message, type->fields[i].offset);
        ProtobufCMessage *made = *part ? NULL : new_message(type->fields[i].descriptor);
        ProtobufCMessage *found = *part ? *part : made;
        field = find_field(&found, name);
        if (field) {
            *part = *part ? *part : made;
            *message = found;
            return field;
        }
        api_message_free(made);
    }
    return NULL;
}

static void add_names(const ProtobufCMessageDescriptor *type, GPtrArray *names)
{
    for (guint i = 0; i < type->n_fields; i++) {
        if (codec_field_is_inline(type, &type->fields[i]))
            add_names(type->fields[i].descriptor, names);
        else
            g_ptr_array_add(names, (gpointer)type->fields[i].name);
    }
}

static void add_unknown(const ProtobufCMessageDescriptor *type, const CodecMember *member, CodecErrors *errors)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    add_names(type, names);
    if (api_resource_by_descriptor(type)) {
        g_ptr_array_add(names, (gpointer) "apiVersion");
        g_ptr_array_add(names, (gpointer) "kind");
    }
    const char *nearest = codec_nearest(member->key, (const char *const *)names->pdata, names->len);
    if (nearest)
        codec_errors_add(errors, member->line, member->column, "unknown field (did you mean \"%s\"?)", nearest);
    else
        codec_errors_add(errors, member->line, member->column, "unknown field");
}

/* apiVersion and kind, which kinds of the table and their lists have in JSON only: TRUE if the member is one of them. */
static gboolean is_type_member(const ProtobufCMessageDescriptor *type, const CodecMember *member, CodecErrors *errors)
{
    gboolean is_kind = g_str_equal(member->key, "kind");
    if (!is_kind && !g_str_equal(member->key, "apiVersion"))
        return FALSE;
    const ApiResource *resource = api_resource_by_descriptor(type);
    if (!resource)
        return FALSE;
    g_autofree char *wanted = is_kind ? g_strconcat(resource->kind, type == resource->list ? "List" : "", NULL)
                                      : api_resource_api_version(resource);
    const CodecNode *value = member->value;
    if (value->kind != CODEC_STRING || !g_str_equal(value->text, wanted)) {
        g_autofree char *found = codec_node_describe(value);
        codec_errors_add(errors, value->line, value->column, "expected \"%s\", found %s", wanted, found);
    }
    return TRUE;
}

ProtobufCMessage *codec_decode_message(const ProtobufCMessageDescriptor *type, const CodecNode *node,
                                       CodecErrors *errors)
{
    const CodecSpecial *special = codec_special(type);
    if (!special && node->kind != CODEC_MAP) {
        add_mistyped(errors, node, "a mapping", HINT_NONE);
        return NULL;
    }
    ProtobufCMessage *message = new_message(type);
    if (special) {
        if (special->decode(node, message, errors))
            return message;
        add_mistyped(errors, node, special->expects, HINT_NONE);
        api_message_free(message);
        return NULL;
    }
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < node->n; i++) {
        const CodecMember *member = &node->members[i];
        if (!codec_take_once(seen, member, errors))
            continue;
        gsize mark = codec_path_push(errors, member->key);
        ProtobufCMessage *owner = message;
        const ProtobufCFieldDescriptor *field = NULL;
        if (!is_type_member(type, member, errors)) {
            field = find_field(&owner, member->key);
            if (!field)
                add_unknown(type, member, errors);
        }
        if (field)
            decode_member(field, member, owner, errors);
        codec_path_pop(errors, mark);
    }
    return message;
}
