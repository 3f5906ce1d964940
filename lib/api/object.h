/* Objects: protobuf-c messages whose first field is metadata, and what all code does with them.
 *
 * Memory: every string, array and sub-message of a message is heap memory of malloc/g_malloc (the same since GLib
 * 2.46), so fields are set with g_strdup() and API_NEW() and the whole is freed with api_message_free(). */
#pragma once

#include "lib/api/resource.h"

/* A new initialised message: Core__V1__Pod *pod = API_NEW(Core__V1__Pod, core__v1__pod); */
#define API_NEW(Type, prefix)                                                                                          \
    ({                                                                                                                 \
        Type *api_new_ = g_new(Type, 1);                                                                               \
        prefix##__init(api_new_);                                                                                      \
        api_new_;                                                                                                      \
    })

/* NULL is allowed. */
void api_message_free(ProtobufCMessage *message);
#define API_FREE(message) api_message_free((ProtobufCMessage *)(message))
/* A local that frees itself: API_AUTO(Core__V1__Pod) pod = ...; */
#define API_AUTO(Type) __attribute__((cleanup(api_message_auto_free))) Type *
void api_message_auto_free(void *pointer_to_message);

/* A deep copy of the same type. */
ProtobufCMessage *api_message_clone(const ProtobufCMessage *message);
#define API_CLONE(message) ((__typeof__(message))api_message_clone((const ProtobufCMessage *)(message)))

/* Same encoded bytes (unset and empty differ where proto2 tells them apart). NULL equals NULL only. */
gboolean api_message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b);
#define API_EQUAL(a, b) api_message_equal((const ProtobufCMessage *)(a), (const ProtobufCMessage *)(b))

/* Brings maps, at any depth, into the one form that is stored: sorted by key, and of each key the last entry only.
 * Equal objects then have equal bytes, and nothing downstream meets a key twice. */
void api_message_normalize(ProtobufCMessage *message);
#define API_NORMALIZE(message) api_message_normalize((ProtobufCMessage *)(message))

GBytes *api_message_pack(const ProtobufCMessage *message);

/* Decodes bytes from a trusted peer, or bytes that api_wire_check() has passed. BAD_REQUEST when malformed. */
ProtobufCMessage *api_message_unpack(const ProtobufCMessageDescriptor *type, const void *data, gsize size,
                                     GError **error);

/* The metadata of any object of the table: created if absent (api_meta), or NULL (api_meta_peek). Borrowed. */
Meta__V1__ObjectMeta *api_meta(ProtobufCMessage *object);
const Meta__V1__ObjectMeta *api_meta_peek(const ProtobufCMessage *object);
#define API_META(object) api_meta((ProtobufCMessage *)(object))
#define API_META_PEEK(object) api_meta_peek((const ProtobufCMessage *)(object))
const char *api_object_name(const ProtobufCMessage *object);      /* "" if unset; borrowed */
const char *api_object_namespace(const ProtobufCMessage *object); /* "" if unset; borrowed */
const char *api_object_uid(const ProtobufCMessage *object);       /* "" if unset; borrowed */
/* metadata.resourceVersion as a number, 0 if unset or none. */
gint64 api_object_revision(const ProtobufCMessage *object);

/* "namespace/name", or "name" for a cluster-scoped object: the key of caches and queues. New string. */
char *api_object_key(const ProtobufCMessage *object);
/* The reverse: *ret_namespace is "" when there is none. New strings. */
void api_key_split(const char *key, char **ret_namespace, char **ret_name);

/* Strings and messages in fields: set frees what was there, once the new value is made. A NULL value unsets. */
void api_set_string(char **field, const char *value);
#define api_set(field, value)                                                                                          \
    do {                                                                                                               \
        __typeof__(field) api_set_value_ = (value);                                                                    \
        API_FREE(field);                                                                                               \
        (field) = api_set_value_;                                                                                      \
    } while (0)
const char *api_str(const char *value); /* "" for NULL */
#define api_str_equal(a, b) g_str_equal(api_str(a), api_str(b))
/* A proto2 scalar field with its has_ flag: api_set_scalar(spec, replicas, 3) */
#define api_set_scalar(message, field, value)                                                                          \
    do {                                                                                                               \
        (message)->has_##field = 1;                                                                                    \
        (message)->field = (value);                                                                                    \
    } while (0)

/* Appends to a repeated field: api_append(spec->containers, spec->n_containers, container). Takes ownership of item. */
#define api_append(array, n, item)                                                                                     \
    do {                                                                                                               \
        (array) = g_realloc_n((array), (n) + 1, sizeof *(array));                                                      \
        (array)[(n)++] = (item);                                                                                       \
    } while (0)

/* map<string, string> fields, whatever their entry type: pass the array as API_MAP(array). The last entry of a key
 * counts. */
typedef struct {
    ProtobufCMessage base;
    char *key;
    char *value;
} ApiMapEntry;
#define API_MAP(array) ((ApiMapEntry **)(array))
const char *api_map_get(ApiMapEntry *const *entries, gsize n, const char *key); /* borrowed; NULL if absent */
/* Sets or replaces; value NULL removes. entry_type is the entry's descriptor. */
void api_map_set(ApiMapEntry ***entries, gsize *n, const ProtobufCMessageDescriptor *entry_type, const char *key,
                 const char *value);

/* Labels and annotations, by the above. set with NULL removes. */
const char *api_label(const Meta__V1__ObjectMeta *meta, const char *key);
void api_label_set(Meta__V1__ObjectMeta *meta, const char *key, const char *value);
const char *api_annotation(const Meta__V1__ObjectMeta *meta, const char *key);
void api_annotation_set(Meta__V1__ObjectMeta *meta, const char *key, const char *value);

/* Time fields. A Time keeps whole seconds and a MicroTime whole microseconds, as in Kubernetes; more is cut off. */
Meta__V1__Time *api_time_new(gint64 ns);
Meta__V1__MicroTime *api_micro_time_new(gint64 ns);
gint64 api_time_ns(const Meta__V1__Time *time); /* 0 for NULL */
gint64 api_micro_time_ns(const Meta__V1__MicroTime *time);

/* The owner that is marked controller, or NULL. Borrowed. */
const Meta__V1__OwnerReference *api_controller_of(const Meta__V1__ObjectMeta *meta);
/* A new reference that marks <owner> as the controller and blocks its deletion in the foreground. */
Meta__V1__OwnerReference *api_owner_reference_new(const ApiResource *resource, const ProtobufCMessage *owner);

Meta__V1__IntOrString *api_int_or_string_new(gint32 value);
/* The value against <total>: a percentage ("25%") rounded up or down. FALSE if it is a string but no percentage. */
gboolean api_int_or_string_scaled(const Meta__V1__IntOrString *value, gint64 total, gboolean round_up,
                                  gint64 *ret_value);

/* "web-" to "web-x7k2p": the suffix of generateName. New string, at most 63 characters. */
char *api_generate_name(const char *prefix);
