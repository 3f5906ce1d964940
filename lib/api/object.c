#include "lib/api/object.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/time.h"

void api_message_free(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

void api_message_auto_free(void *pointer_to_message)
{
    api_message_free(*(ProtobufCMessage **)pointer_to_message);
}

/* Size of one element of a field in memory. */
static gsize element_size(const ProtobufCFieldDescriptor *field)
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

/* Replaces what one element of a copied field points to by a copy of its own. */
static void element_own(const ProtobufCFieldDescriptor *field, void *element)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char **string = element;
        if (*string != field->default_value)
            *string = g_strdup(*string);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage **message = element;
        *message = *message ? api_message_clone(*message) : NULL;
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *bytes = element;
        const ProtobufCBinaryData *standard = field->default_value;
        if (!standard || bytes->data != standard->data)
            bytes->data = g_memdup2(bytes->data, bytes->len);
    }
}

static void field_own(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    void *member = G_STRUCT_MEMBER_P(message, field->offset);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        gsize n = G_STRUCT_MEMBER(size_t, message, field->quantifier_offset);
        gsize size = element_size(field);
        guint8 *array = n ? g_memdup2(*(void **)member, n * size) : NULL;
        for (gsize i = 0; i < n; i++)
            element_own(field, array + i * size);
        *(void **)member = array;
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
        G_STRUCT_MEMBER(guint32, message, field->quantifier_offset) != field->id)
        return; /* the union holds another member */
    element_own(field, member);
}

ProtobufCMessage *api_message_clone(const ProtobufCMessage *message)
{
    if (!message)
        return NULL;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    ProtobufCMessage *copy = g_memdup2(message, type->sizeof_message);
    for (guint i = 0; i < type->n_fields; i++)
        field_own(&type->fields[i], copy);
    if (copy->n_unknown_fields > 0) {
        copy->unknown_fields =
            g_memdup2(message->unknown_fields, message->n_unknown_fields * sizeof *message->unknown_fields);
        for (guint i = 0; i < copy->n_unknown_fields; i++)
            copy->unknown_fields[i].data = g_memdup2(copy->unknown_fields[i].data, copy->unknown_fields[i].len);
    }
    return copy;
}

gboolean api_message_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (!a || !b)
        return a == b;
    if (a->descriptor != b->descriptor)
        return FALSE;
    gsize size = protobuf_c_message_get_packed_size(a);
    if (size != protobuf_c_message_get_packed_size(b))
        return FALSE;
    g_autofree guint8 *bytes = g_malloc(2 * size + 1);
    protobuf_c_message_pack(a, bytes);
    protobuf_c_message_pack(b, bytes + size);
    return memcmp(bytes, bytes + size, size) == 0;
}

GBytes *api_message_pack(const ProtobufCMessage *message)
{
    gsize size = protobuf_c_message_get_packed_size(message);
    guint8 *bytes = g_malloc(size);
    protobuf_c_message_pack(message, bytes);
    return g_bytes_new_take(bytes, size);
}

ProtobufCMessage *api_message_unpack(const ProtobufCMessageDescriptor *type, const void *data, gsize size,
                                     GError **error)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, size, data);
    if (!message)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the bytes are not an encoded %s", type->name);
    return message;
}

/* Where a message of the form {metadata = 1, ...} keeps its metadata. */
static Meta__V1__ObjectMeta **meta_field(const ProtobufCMessage *object)
{
    const ProtobufCFieldDescriptor *field = &object->descriptor->fields[0];
    g_assert(field->id == 1 && field->descriptor == &meta__v1__object_meta__descriptor);
    return G_STRUCT_MEMBER_P(object, field->offset);
}

Meta__V1__ObjectMeta *api_meta(ProtobufCMessage *object)
{
    Meta__V1__ObjectMeta **meta = meta_field(object);
    if (!*meta)
        *meta = API_NEW(Meta__V1__ObjectMeta, meta__v1__object_meta);
    return *meta;
}

const Meta__V1__ObjectMeta *api_meta_peek(const ProtobufCMessage *object)
{
    return *meta_field(object);
}

const char *api_object_name(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    return meta ? api_str(meta->name) : "";
}

const char *api_object_namespace(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    return meta ? api_str(meta->namespace_) : "";
}

const char *api_object_uid(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    return meta ? api_str(meta->uid) : "";
}

gint64 api_object_revision(const ProtobufCMessage *object)
{
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    gint64 revision = 0;
    if (!meta || !meta->resourceversion ||
        !g_ascii_string_to_signed(meta->resourceversion, 10, 0, G_MAXINT64, &revision, NULL))
        return 0;
    return revision;
}

char *api_object_key(const ProtobufCMessage *object)
{
    const char *namespace = api_object_namespace(object);
    const char *name = api_object_name(object);
    return namespace[0] ? g_strconcat(namespace, "/", name, NULL) : g_strdup(name);
}

void api_key_split(const char *key, char **ret_namespace, char **ret_name)
{
    const char *slash = strchr(key, '/');
    *ret_namespace = slash ? g_strndup(key, (gsize)(slash - key)) : g_strdup("");
    *ret_name = g_strdup(slash ? slash + 1 : key);
}

void api_set_string(char **field, const char *value)
{
    char *copy = g_strdup(value); /* first: value may be part of what is freed */
    g_free(*field);
    *field = copy;
}

const char *api_str(const char *value)
{
    return value ? value : "";
}

const char *api_map_get(ApiMapEntry *const *entries, gsize n, const char *key)
{
    for (gsize i = n; i-- > 0;) {
        if (api_str_equal(entries[i]->key, key))
            return api_str(entries[i]->value);
    }
    return NULL;
}

/* Removes every entry of a key. */
static void map_remove(ApiMapEntry **entries, gsize *n, const char *map_key)
{
    g_autofree char *key = g_strdup(map_key); /* it may be part of what is freed */
    gsize kept = 0;
    for (gsize i = 0; i < *n; i++) {
        if (api_str_equal(entries[i]->key, key))
            API_FREE(entries[i]);
        else
            entries[kept++] = entries[i];
    }
    *n = kept;
}

void api_map_set(ApiMapEntry ***entries, gsize *n, const ProtobufCMessageDescriptor *entry_type, const char *key,
                 const char *value)
{
    ApiMapEntry *entry = NULL;
    if (value) {
        g_assert(entry_type->sizeof_message == sizeof(ApiMapEntry));
        entry = g_malloc(sizeof *entry);
        entry_type->message_init(&entry->base);
        entry->key = g_strdup(key);
        entry->value = g_strdup(value);
    }
    for (gsize i = *n; entry && i-- > 0;) {
        if (api_str_equal((*entries)[i]->key, entry->key)) { /* in place, so that the order stays */
            API_FREE((*entries)[i]);
            (*entries)[i] = entry;
            return;
        }
    }
    if (entry)
        api_append(*entries, *n, entry);
    else
        map_remove(*entries, n, key);
}

const char *api_label(const Meta__V1__ObjectMeta *meta, const char *key)
{
    return meta ? api_map_get(API_MAP(meta->labels), meta->n_labels, key) : NULL;
}

void api_label_set(Meta__V1__ObjectMeta *meta, const char *key, const char *value)
{
    api_map_set((ApiMapEntry ***)&meta->labels, &meta->n_labels, &meta__v1__object_meta__labels_entry__descriptor, key,
                value);
}

const char *api_annotation(const Meta__V1__ObjectMeta *meta, const char *key)
{
    return meta ? api_map_get(API_MAP(meta->annotations), meta->n_annotations, key) : NULL;
}

void api_annotation_set(Meta__V1__ObjectMeta *meta, const char *key, const char *value)
{
    api_map_set((ApiMapEntry ***)&meta->annotations, &meta->n_annotations,
                &meta__v1__object_meta__annotations_entry__descriptor, key, value);
}

/* Splits so that 0 <= *ret_nanos < 1 s also before 1970. */
static void split_ns(gint64 ns, gint64 *ret_seconds, gint32 *ret_nanos)
{
    *ret_seconds = ns / TIME_NS_PER_S;
    *ret_nanos = (gint32)(ns % TIME_NS_PER_S);
    if (*ret_nanos < 0) {
        (*ret_seconds)--;
        *ret_nanos += (gint32)TIME_NS_PER_S;
    }
}

/* Clients may send any number of seconds: saturates where 64-bit nanoseconds end (the years 1677 and 2262). */
static gint64 join_ns(gint64 seconds, gint32 nanos)
{
    gint64 ns;
    if (__builtin_mul_overflow(seconds, TIME_NS_PER_S, &ns) || __builtin_add_overflow(ns, nanos, &ns))
        return seconds < 0 ? G_MININT64 : G_MAXINT64;
    return ns;
}

Meta__V1__Time *api_time_new(gint64 ns)
{
    Meta__V1__Time *time = API_NEW(Meta__V1__Time, meta__v1__time);
    gint64 seconds;
    gint32 nanos;
    split_ns(ns, &seconds, &nanos);
    api_set_scalar(time, seconds, seconds);
    api_set_scalar(time, nanos, 0);
    return time;
}

Meta__V1__MicroTime *api_micro_time_new(gint64 ns)
{
    Meta__V1__MicroTime *time = API_NEW(Meta__V1__MicroTime, meta__v1__micro_time);
    gint64 seconds;
    gint32 nanos;
    split_ns(ns, &seconds, &nanos);
    api_set_scalar(time, seconds, seconds);
    api_set_scalar(time, nanos, nanos - nanos % 1000);
    return time;
}

gint64 api_time_ns(const Meta__V1__Time *time)
{
    return time ? join_ns(time->seconds, time->nanos) : 0;
}

gint64 api_micro_time_ns(const Meta__V1__MicroTime *time)
{
    return time ? join_ns(time->seconds, time->nanos) : 0;
}

const Meta__V1__OwnerReference *api_controller_of(const Meta__V1__ObjectMeta *meta)
{
    for (gsize i = 0; meta && i < meta->n_ownerreferences; i++) {
        if (meta->ownerreferences[i]->controller)
            return meta->ownerreferences[i];
    }
    return NULL;
}

Meta__V1__OwnerReference *api_owner_reference_new(const ApiResource *resource, const ProtobufCMessage *owner)
{
    Meta__V1__OwnerReference *reference = API_NEW(Meta__V1__OwnerReference, meta__v1__owner_reference);
    reference->apiversion = api_resource_api_version(resource);
    reference->kind = g_strdup(resource->kind);
    reference->name = g_strdup(api_object_name(owner));
    reference->uid = g_strdup(api_object_uid(owner));
    api_set_scalar(reference, controller, TRUE);
    api_set_scalar(reference, blockownerdeletion, TRUE);
    return reference;
}

Meta__V1__IntOrString *api_int_or_string_new(gint32 value)
{
    Meta__V1__IntOrString *result = API_NEW(Meta__V1__IntOrString, meta__v1__int_or_string);
    api_set_scalar(result, type, 0);
    api_set_scalar(result, intval, value);
    return result;
}

gboolean api_int_or_string_scaled(const Meta__V1__IntOrString *value, gint64 total, gboolean round_up,
                                  gint64 *ret_value)
{
    if (!value)
        return FALSE;
    if (value->type == 0) {
        *ret_value = value->intval;
        return TRUE;
    }
    gsize length = value->strval ? strlen(value->strval) : 0;
    if (length < 2 || value->strval[length - 1] != '%')
        return FALSE;
    g_autofree char *digits = g_strndup(value->strval, length - 1);
    gint64 percent, product;
    if (!g_ascii_string_to_signed(digits, 10, G_MININT32, G_MAXINT32, &percent, NULL) ||
        __builtin_mul_overflow(percent, total, &product))
        return FALSE;
    gint64 quotient = product / 100, rest = product % 100; /* C rounds towards zero */
    *ret_value = quotient + (round_up && rest > 0 ? 1 : !round_up && rest < 0 ? -1 : 0);
    return TRUE;
}

char *api_generate_name(const char *prefix)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789"; /* no vowels and no 0, 1, 3: no words, no mix-ups */
    char suffix[6] = "";
    for (int i = 0; i < 5; i++)
        suffix[i] = alphabet[g_random_int_range(0, sizeof alphabet - 1)];
    return g_strdup_printf("%.58s%s", prefix, suffix);
}
