/* Encoded protobuf looked at without decoding it: the check of untrusted bytes, and reading single fields. No
 * allocation unless said; thread-safe. */
#pragma once

#include "lib/api/object.h"

#define API_WIRE_MAX_DEPTH 64
#define API_WIRE_MAX_SIZE (1536 * 1024) /* etcd takes no larger request */

#define API_WIRE_MAX_DECODED (64 * 1024 * 1024)
#define API_WIRE_MAX_MERGES 64

/* Depth, lengths and well-formedness of untrusted bytes, against the schema, so that api_message_unpack() succeeds and
 * is safe on them (protobuf-c recurses without limit): size up to API_WIRE_MAX_SIZE, nesting up to API_WIRE_MAX_DEPTH,
 * no group wire types, lengths inside the message, known field numbers, wire types that fit the schema, strings valid
 * UTF-8 without NUL, decoded structures of at most API_WIRE_MAX_DECODED bytes, and at most API_WIRE_MAX_MERGES second
 * occurrences of singular messages (each costs protobuf-c a copy of what came before: time that grows with the square).
 * Errors: BAD_REQUEST with the path, TOO_LARGE. */
gboolean api_wire_check(const ProtobufCMessageDescriptor *type, const void *data, gsize size, GError **error);

/* A cursor over the fields of one message. */
typedef struct {
    const guint8 *at, *end;
    guint32 number;
    guint8 wire_type;   /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    guint64 value;      /* varint and fixed */
    const guint8 *data; /* bytes: points into the message */
    gsize size;
} ApiWireReader;
void api_wire_reader_init(ApiWireReader *reader, const void *data, gsize size);
/* Moves to the next field. FALSE at the end, or on malformed bytes (at != end then). */
gboolean api_wire_next(ApiWireReader *reader);

/* The last occurrence of the bytes, string or message field with the path numbers[0], numbers[1], ... (0 ends), across
 * repeated occurrences of its parents as protobuf merges them. FALSE if absent. */
gboolean api_wire_find(const void *data, gsize size, const guint8 *numbers, const guint8 **ret_data, gsize *ret_size);

/* Writers; return the number of bytes put. out has room for 10. */
gsize api_wire_put_varint(guint8 *out, guint64 value);
gsize api_wire_put_tag(guint8 *out, guint32 number, guint8 wire_type);
gsize api_wire_varint_size(guint64 value);
