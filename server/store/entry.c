#include "server/store/entry.h"

#include <stdio.h>
#include <string.h>

#include "lib/api/envelope.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"

/* Field numbers of meta.v1.ObjectMeta. */
enum {
    META_NAME = 1,
    META_NAMESPACE = 3,
    META_UID = 5,
    META_RESOURCE_VERSION = 6,
    META_DELETION_TIMESTAMP = 9,
    META_LABELS = 11
};

#define ITEM_FIELD 2 /* of a list's items and of a watch event's object */
#define WIRE_BYTES 2

gsize store_suffix(gint64 revision, guint8 out[STORE_SUFFIX_MAX])
{
    char digits[24];
    gsize n = (gsize)snprintf(digits, sizeof digits, "%" G_GINT64_FORMAT, revision);
    out[0] = 1 << 3 | WIRE_BYTES; /* metadata */
    out[1] = (guint8)(n + 2);
    out[2] = META_RESOURCE_VERSION << 3 | WIRE_BYTES;
    out[3] = (guint8)n;
    memcpy(out + 4, digits, n);
    return n + 4;
}

grpc_slice store_suffix_slice(gint64 revision)
{
    guint8 suffix[STORE_SUFFIX_MAX];
    gsize size = store_suffix(revision, suffix);
    return grpc_slice_from_copied_buffer((const char *)suffix, size);
}

static void entry_find_parts(StoreEntry *entry)
{
    const guint8 *object = store_entry_object(entry), *data;
    gsize size;
    static const guint8 metadata[] = {1, 0};
    if (api_wire_find(object, entry->object_size, metadata, &data, &size)) {
        entry->meta_at = (guint32)(data - object);
        entry->meta_size = (guint32)size;
    }
    for (int i = 0; i < API_SELECTABLE_MAX && entry->resource->selectable[i].path; i++) {
        if (!api_wire_find(object, entry->object_size, entry->resource->selectable[i].numbers, &data, &size))
            continue;
        entry->fields[i].at = (guint32)(data - object);
        entry->fields[i].size = (guint32)size;
    }
}

StoreEntry *store_entry_new(const ApiResource *resource, const char *key, gsize key_size, const void *object,
                            gsize size, gint64 revision)
{
    guint8 prefix[16], suffix[STORE_SUFFIX_MAX];
    gsize suffix_size = store_suffix(revision, suffix);
    gsize prefix_size = api_wire_put_tag(prefix, ITEM_FIELD, WIRE_BYTES);
    prefix_size += api_wire_put_varint(prefix + prefix_size, size + suffix_size);

    StoreEntry *entry = g_malloc0(sizeof *entry + key_size + 1);
    g_atomic_ref_count_init(&entry->refs);
    entry->resource = resource;
    entry->revision = revision;
    memcpy(entry->key, key, key_size);
    const char *slash = memchr(key, '/', key_size);
    entry->namespace_size = slash ? (guint32)(slash - key) : 0;
    entry->block = grpc_slice_malloc_large(prefix_size + size + suffix_size);
    guint8 *block = GRPC_SLICE_START_PTR(entry->block);
    memcpy(block, prefix, prefix_size);
    memcpy(block + prefix_size, object, size);
    memcpy(block + prefix_size + size, suffix, suffix_size);
    entry->object_at = (guint32)prefix_size;
    entry->object_size = (guint32)size;
    entry_find_parts(entry);
    return entry;
}

/* Whether metadata names the object as its key does. */
static gboolean entry_is_named_by_key(const StoreEntry *entry)
{
    static const guint8 name_path[] = {META_NAME, 0}, namespace_path[] = {META_NAMESPACE, 0};
    const guint8 *meta = store_entry_object(entry) + entry->meta_at, *data;
    gsize size;
    const char *name = store_entry_name(entry);
    if (!api_wire_find(meta, entry->meta_size, name_path, &data, &size) || size != strlen(name) ||
        memcmp(data, name, size) != 0)
        return FALSE;
    gboolean has_namespace = api_wire_find(meta, entry->meta_size, namespace_path, &data, &size);
    if (entry->namespace_size == 0)
        return !has_namespace || size == 0;
    return has_namespace && size == entry->namespace_size && memcmp(data, entry->key, size) == 0;
}

/* The second half of the append trick's promise: exactly one metadata, which comes first. What this server stores is so;
 * other bytes are brought into that form. */
static gboolean is_canonical(const guint8 *object, gsize size)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, object, size);
    for (guint n = 0; api_wire_next(&reader); n++) {
        if ((reader.number == 1) != (n == 0))
            return FALSE;
    }
    return size > 0;
}

StoreEntry *store_entry_from_etcd(const ApiResource *resource, const char *key, gsize key_size, const void *value,
                                  gsize size, gint64 revision, GError **error)
{
    const ApiResource *found;
    const guint8 *object;
    gsize object_size;
    if (!api_envelope_open(value, size, &found, &object, &object_size, error))
        return NULL;
    if (found != resource) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the stored object is a %s, not a %s", found->kind,
                    resource->kind);
        return NULL;
    }
    if (!api_wire_check(resource->object, object, object_size, error))
        return NULL;
    g_autoptr(GBytes) normal = NULL;
    if (!is_canonical(object, object_size)) {
        API_AUTO(ProtobufCMessage) message = api_message_unpack(resource->object, object, object_size, error);
        if (!message)
            return NULL;
        normal = api_message_pack(message);
        object = g_bytes_get_data(normal, &object_size);
    }
    g_autoptr(StoreEntry) entry = store_entry_new(resource, key, key_size, object, object_size, revision);
    if (!entry_is_named_by_key(entry)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "the stored object is not named as its key");
        return NULL;
    }
    return g_steal_pointer(&entry);
}

StoreEntry *store_entry_ref(StoreEntry *entry)
{
    g_atomic_ref_count_inc(&entry->refs);
    return entry;
}

void store_entry_unref(StoreEntry *entry)
{
    if (!entry || !g_atomic_ref_count_dec(&entry->refs))
        return;
    grpc_slice_unref(entry->block);
    g_free(entry);
}

const guint8 *store_entry_object(const StoreEntry *entry)
{
    return GRPC_SLICE_START_PTR(entry->block) + entry->object_at;
}

grpc_slice store_entry_message(const StoreEntry *entry)
{
    return grpc_slice_sub(entry->block, entry->object_at, GRPC_SLICE_LENGTH(entry->block));
}

grpc_slice store_entry_object_slice(const StoreEntry *entry)
{
    return grpc_slice_sub(entry->block, entry->object_at, entry->object_at + entry->object_size);
}

ProtobufCMessage *store_entry_decode(const StoreEntry *entry, GError **error)
{
    return api_message_unpack(entry->resource->object, store_entry_object(entry), entry->object_size, error);
}

gsize store_entry_size(const StoreEntry *entry)
{
    return sizeof *entry + strlen(entry->key) + 1 + GRPC_SLICE_LENGTH(entry->block);
}

const char *store_entry_name(const StoreEntry *entry)
{
    return entry->namespace_size > 0 ? entry->key + entry->namespace_size + 1 : entry->key;
}

gboolean store_entry_in_namespace(const StoreEntry *entry, const char *namespace_)
{
    gsize size = strlen(namespace_);
    return size == entry->namespace_size && memcmp(entry->key, namespace_, size) == 0;
}

const char *store_entry_field(const StoreEntry *entry, int field, gsize *ret_size)
{
    *ret_size = entry->fields[field].size;
    return (const char *)store_entry_object(entry) + entry->fields[field].at;
}

static gboolean entry_find_meta(const StoreEntry *entry, guint8 number, const guint8 **ret_data, gsize *ret_size)
{
    const guint8 path[] = {number, 0};
    return api_wire_find(store_entry_object(entry) + entry->meta_at, entry->meta_size, path, ret_data, ret_size);
}

gboolean store_entry_is_terminating(const StoreEntry *entry)
{
    const guint8 *data;
    gsize size;
    return entry_find_meta(entry, META_DELETION_TIMESTAMP, &data, &size);
}

const char *store_entry_uid(const StoreEntry *entry, gsize *ret_size)
{
    const guint8 *data = (const guint8 *)"";
    *ret_size = 0;
    (void)entry_find_meta(entry, META_UID, &data, ret_size);
    return (const char *)data;
}

/* ApiLabelLookup: the last label of that key counts, as in a decoded map. */
static gboolean lookup_label(gconstpointer labels, const char *key, const char **ret_value, gsize *ret_size)
{
    const StoreEntry *entry = labels;
    gsize key_size = strlen(key);
    gboolean found = FALSE;
    ApiWireReader reader, pair;
    api_wire_reader_init(&reader, store_entry_object(entry) + entry->meta_at, entry->meta_size);
    while (api_wire_next(&reader)) {
        if (reader.number != META_LABELS || reader.wire_type != WIRE_BYTES)
            continue;
        gboolean same = key_size == 0;
        const char *value = "";
        gsize size = 0;
        api_wire_reader_init(&pair, reader.data, reader.size);
        while (api_wire_next(&pair)) {
            if (pair.number == 1)
                same = pair.size == key_size && memcmp(pair.data, key, key_size) == 0;
            else if (pair.number == 2)
                value = (const char *)pair.data, size = pair.size;
        }
        if (same) {
            found = TRUE;
            *ret_value = value;
            *ret_size = size;
        }
    }
    return found;
}

/* ApiFieldLookup */
static void lookup_field(gconstpointer object, int field, const char **ret_value, gsize *ret_size)
{
    const StoreEntry *entry = object;
    if (field >= 0) {
        *ret_value = store_entry_field(entry, field, ret_size);
    } else if (field == -1) {
        *ret_value = store_entry_name(entry);
        *ret_size = strlen(*ret_value);
    } else {
        *ret_value = entry->key;
        *ret_size = entry->namespace_size;
    }
}

gboolean store_entry_matches(const StoreEntry *entry, const ApiSelector *labels, const ApiFieldSelector *fields)
{
    return (!labels || api_selector_matches_lookup(labels, lookup_label, entry)) &&
           (!fields || api_field_selector_matches_lookup(fields, lookup_field, entry));
}
