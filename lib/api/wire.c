#include "lib/api/wire.h"

#include <string.h>

#include "lib/base/error.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Reads a varint of at most <max> bytes. FALSE when it does not end in time or has more than 64 bits. */
static gboolean take_varint(const guint8 **at, const guint8 *end, int max, guint64 *ret_value)
{
    guint64 value = 0;
    const guint8 *p = *at;
    for (int i = 0; i < max && p < end; i++) {
        guint8 byte = *p++;
        if (i == 9 && byte > 1)
            return FALSE;
        value |= (guint64)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *at = p;
            *ret_value = value;
            return TRUE;
        }
    }
    return FALSE;
}

static guint64 load_little(const guint8 *p, int n)
{
    guint64 value = 0;
    for (int i = n; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

void api_wire_reader_init(ApiWireReader *reader, const void *data, gsize size)
{
    *reader = (ApiWireReader){.at = data, .end = size ? (const guint8 *)data + size : data};
}

gboolean api_wire_next(ApiWireReader *reader)
{
    const guint8 *p = reader->at;
    guint64 tag, size;
    /* Five bytes for a tag and for a length is what protobuf-c reads; both fit 32 bits. */
    if (p == reader->end || !take_varint(&p, reader->end, 5, &tag) || tag > G_MAXUINT32 || tag >> 3 == 0)
        return FALSE;
    reader->number = (guint32)(tag >> 3);
    reader->wire_type = tag & 7;
    gsize left = (gsize)(reader->end - p);
    switch (reader->wire_type) {
    case WIRE_VARINT:
        if (!take_varint(&p, reader->end, 10, &reader->value))
            return FALSE;
        break;
    case WIRE_FIXED64:
    case WIRE_FIXED32: {
        int n = reader->wire_type == WIRE_FIXED64 ? 8 : 4;
        if (left < (gsize)n)
            return FALSE;
        reader->value = load_little(p, n);
        p += n;
        break;
    }
    case WIRE_BYTES:
        if (!take_varint(&p, reader->end, 5, &size) || size > (gsize)(reader->end - p))
            return FALSE;
        reader->data = p;
        reader->size = (gsize)size;
        p += size;
        break;
    default:
        return FALSE;
    }
    reader->at = p;
    return TRUE;
}

gboolean api_wire_find(const void *data, gsize size, const guint8 *numbers, const guint8 **ret_data, gsize *ret_size)
{
    ApiWireReader reader;
    gboolean found = FALSE;
    api_wire_reader_init(&reader, data, size);
    while (api_wire_next(&reader)) {
        if (reader.number != numbers[0] || reader.wire_type != WIRE_BYTES)
            continue;
        if (numbers[1] != 0) {
            found |= api_wire_find(reader.data, reader.size, numbers + 1, ret_data, ret_size);
        } else {
            *ret_data = reader.data;
            *ret_size = reader.size;
            found = TRUE;
        }
    }
    return found;
}

gsize api_wire_put_varint(guint8 *out, guint64 value)
{
    gsize n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (guint8)(value | 0x80);
    out[n++] = (guint8)value;
    return n;
}

gsize api_wire_put_tag(guint8 *out, guint32 number, guint8 wire_type)
{
    return api_wire_put_varint(out, (guint64)number << 3 | wire_type);
}

gsize api_wire_varint_size(guint64 value)
{
    gsize n = 1;
    for (; value >= 0x80; value >>= 7)
        n++;
    return n;
}

/* The check of untrusted bytes.
 *
 * One recursive walk over the bytes, each level guided by its message's descriptor. It adds up what protobuf-c would
 * allocate, so that two bytes that become a structure of 400 are accounted for before they are. */
typedef struct {
    gsize decoded; /* bytes that the unpacked message will take */
    guint merges;  /* second occurrences of singular messages */
    GError **error;
} Check;

/* One message being checked; frames are linked towards the root. */
typedef struct Frame Frame;
struct Frame {
    const Frame *parent;
    const ProtobufCMessageDescriptor *type;
    const guint8 *data, *field_start; /* of the message, and of the field being looked at */
    const guint8 *end;
    const ProtobufCFieldDescriptor *field; /* being looked at; NULL if none */
    guint depth;
};

#define ALLOCATION_COST 16 /* what malloc adds to each block */

/* The position of the field at <field_start> among the occurrences of its number. */
static guint occurrence(const Frame *frame)
{
    ApiWireReader reader;
    guint n = 0;
    api_wire_reader_init(&reader, frame->data, (gsize)(frame->end - frame->data));
    while (reader.at < frame->field_start && api_wire_next(&reader)) {
        if (reader.number == frame->field->id)
            n++;
    }
    return n;
}

static void append_path(GString *path, const Frame *frame)
{
    if (frame->parent)
        append_path(path, frame->parent);
    if (!frame->field)
        return;
    if (path->len > 0)
        g_string_append_c(path, '.');
    g_string_append(path, frame->field->name);
    if (frame->field->label == PROTOBUF_C_LABEL_REPEATED)
        g_string_append_printf(path, "[%u]", occurrence(frame));
}

static gboolean G_GNUC_PRINTF(4, 5)
    refuse(const Check *check, const Frame *frame, CleatErrorCode code, const char *format, ...)
{
    const Frame *root = frame;
    while (root->parent)
        root = root->parent;
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GString) path = g_string_new(NULL);
    append_path(path, frame);
    g_set_error(check->error, CLEAT_ERROR, (int)code, "encoded %s: %s%s%s", root->type->name, path->str,
                path->len > 0 ? ": " : "", what);
    return FALSE;
}

static guint8 wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

static gboolean add_decoded(Check *check, const Frame *frame, gsize size)
{
    check->decoded += size;
    if (check->decoded <= API_WIRE_MAX_DECODED)
        return TRUE;
    return refuse(check, frame, CLEAT_ERROR_TOO_LARGE, "decoded, the object would take more than %d MiB",
                  API_WIRE_MAX_DECODED >> 20);
}

/* The elements of a packed repeated field. */
static gboolean check_packed(Check *check, const Frame *frame, const guint8 *data, gsize size)
{
    guint8 wire_type = wire_type_of(frame->field->type);
    gsize width = wire_type == WIRE_FIXED64 ? 8 : wire_type == WIRE_FIXED32 ? 4 : 1;
    if (size % width != 0)
        return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "packed values are cut off");
    const guint8 *end = data + size;
    guint64 value;
    while (wire_type == WIRE_VARINT && data < end) {
        /* protobuf-c counts packed booleans by bytes */
        if (!take_varint(&data, end, frame->field->type == PROTOBUF_C_TYPE_BOOL ? 1 : 10, &value))
            return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "malformed packed number");
    }
    return add_decoded(check, frame, size / width * 8);
}

static gboolean check_message(Check *check, Frame *frame);

static gboolean check_bytes(Check *check, Frame *frame, const guint8 *data, gsize size)
{
    switch (frame->field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!g_utf8_validate_len((const char *)data, size, NULL))
            return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "text must be UTF-8 without NUL");
        return add_decoded(check, frame, size + 1 + sizeof(char *) + ALLOCATION_COST);
    case PROTOBUF_C_TYPE_BYTES:
        return add_decoded(check, frame, size + sizeof(ProtobufCBinaryData) + ALLOCATION_COST);
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessageDescriptor *type = frame->field->descriptor;
        Frame inner = {frame, type, data, data, data + size, NULL, frame->depth + 1};
        if (inner.depth > API_WIRE_MAX_DEPTH)
            return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "nested deeper than %d levels", API_WIRE_MAX_DEPTH);
        return add_decoded(check, frame, type->sizeof_message + sizeof(void *) + ALLOCATION_COST) &&
               check_message(check, &inner);
    }
    default:
        return check_packed(check, frame, data, size);
    }
}

static gboolean check_field(Check *check, Frame *frame, const ApiWireReader *reader)
{
    guint8 expected = wire_type_of(frame->field->type);
    gboolean packed =
        frame->field->label == PROTOBUF_C_LABEL_REPEATED && expected != WIRE_BYTES && reader->wire_type == WIRE_BYTES;
    if (reader->wire_type != expected && !packed)
        return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "has wire type %d instead of %d", reader->wire_type,
                      expected);
    if (reader->wire_type == WIRE_BYTES)
        return check_bytes(check, frame, reader->data, reader->size);
    return frame->field->label != PROTOBUF_C_LABEL_REPEATED || add_decoded(check, frame, 8);
}

/* Notes the field as seen. FALSE when a singular message comes too often. */
static gboolean note_merge(Check *check, const Frame *frame, guint8 *seen)
{
    guint index = (guint)(frame->field - frame->type->fields);
    gboolean again = seen[index / 8] & 1 << index % 8;
    seen[index / 8] |= (guint8)(1 << index % 8);
    if (!again || frame->field->type != PROTOBUF_C_TYPE_MESSAGE || frame->field->label == PROTOBUF_C_LABEL_REPEATED ||
        ++check->merges <= API_WIRE_MAX_MERGES)
        return TRUE;
    return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "occurs again and again");
}

static gboolean check_message(Check *check, Frame *frame)
{
    guint8 seen[frame->type->n_fields / 8 + 1];
    memset(seen, 0, sizeof seen);
    ApiWireReader reader;
    api_wire_reader_init(&reader, frame->data, (gsize)(frame->end - frame->data));
    while (frame->field = NULL, frame->field_start = reader.at, api_wire_next(&reader)) {
        frame->field = protobuf_c_message_descriptor_get_field(frame->type, reader.number);
        if (!frame->field)
            return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "unknown field number %u", reader.number);
        if (!note_merge(check, frame, seen) || !check_field(check, frame, &reader))
            return FALSE;
    }
    if (reader.at != reader.end)
        return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "malformed bytes at offset %zu of the message",
                      (gsize)(reader.at - frame->data));
    for (guint i = 0; i < frame->type->n_fields; i++) {
        if (frame->type->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !(seen[i / 8] & 1 << i % 8))
            return refuse(check, frame, CLEAT_ERROR_BAD_REQUEST, "%s is missing", frame->type->fields[i].name);
    }
    return TRUE;
}

gboolean api_wire_check(const ProtobufCMessageDescriptor *type, const void *data, gsize size, GError **error)
{
    if (size > API_WIRE_MAX_SIZE) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TOO_LARGE, "encoded %s: %zu bytes are more than the limit of %d",
                    type->name, size, API_WIRE_MAX_SIZE);
        return FALSE;
    }
    Check check = {.decoded = type->sizeof_message, .error = error};
    Frame root = {NULL, type, data, data, size ? (const guint8 *)data + size : data, NULL, 1};
    return check_message(&check, &root);
}
