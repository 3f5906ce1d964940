/* Protobuf to JSON and YAML and back, for every message, by walking protobuf-c descriptors.
 *
 * JSON and YAML are the Kubernetes API's: maps as objects, bytes as base64, Quantity and IntOrString as scalars, Time as
 * RFC 3339, inline fields merged into their parent (a table in the codec holds these special cases as rows).
 * Decoding is strict: an unknown, doubled or mistyped field is an error that gives file, line, column, path and, for an
 * unknown name, the nearest known one: web.yaml:12:9: spec.containers[0].imge: unknown field (did you mean "image"?)
 * Thread-safe: no state. */
#pragma once

#include "lib/api/object.h"

/* What a manifest file gives: one object with the kind it claims. */
typedef struct {
    const ApiResource *resource;
    ProtobufCMessage *object; /* owned */
    int line;                 /* where it starts, from 1 */
} ApiManifest;
void api_manifest_free(ApiManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ApiManifest, api_manifest_free)

/* All documents of a YAML or JSON text (also JSON objects one after the other), in order; kind List is flattened and empty
 * documents are skipped. <file> is used in messages. Returns a new array of ApiManifest* that owns them.
 * Errors: BAD_REQUEST; nothing is returned then. */
GPtrArray *api_decode_manifests(const char *text, gsize size, const char *file, GError **error);

/* One JSON or YAML value as a message of the given type (apiVersion and kind are accepted on kinds of the table). */
ProtobufCMessage *api_decode(const ProtobufCMessageDescriptor *type, const char *text, gsize size, const char *file,
                             GError **error);

typedef enum { API_FORMAT_JSON, API_FORMAT_JSON_PRETTY, API_FORMAT_YAML } ApiFormat;

/* Kinds of the table and their lists get apiVersion and kind first. Map keys and fields are sorted by name, as kubectl
 * prints them. New string, with a final newline except for API_FORMAT_JSON. */
char *api_encode(const ProtobufCMessage *message, ApiFormat format);

/* Several objects of any kinds as one v1 List. */
char *api_encode_list(const ProtobufCMessage *const *objects, gsize n, ApiFormat format);
