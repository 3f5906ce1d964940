#include "lib/api/envelope.h"

#include <string.h>

#include "lib/api/wire.h"
#include "lib/base/error.h"

static const guint8 magic[4] = {'k', '8', 's', '\0'};

/* Field numbers of runtime.Unknown and runtime.TypeMeta. */
enum { UNKNOWN_TYPE_META = 1, UNKNOWN_RAW = 2, UNKNOWN_CONTENT_ENCODING = 3, UNKNOWN_CONTENT_TYPE = 4 };
enum { TYPE_META_API_VERSION = 1, TYPE_META_KIND = 2 };

static gsize put_bytes(guint8 *out, guint32 number, const void *data, gsize size)
{
    gsize n = api_wire_put_tag(out, number, 2);
    n += api_wire_put_varint(out + n, size);
    if (size > 0)
        memcpy(out + n, data, size);
    return n + size;
}

GBytes *api_envelope_wrap(const ApiResource *resource, const void *object, gsize size)
{
    g_autofree char *api_version = api_resource_api_version(resource);
    guint8 type_meta[256];
    g_assert(strlen(api_version) + strlen(resource->kind) + 2 * 11 <= sizeof type_meta);
    gsize type_size = put_bytes(type_meta, TYPE_META_API_VERSION, api_version, strlen(api_version));
    type_size += put_bytes(type_meta + type_size, TYPE_META_KIND, resource->kind, strlen(resource->kind));

    guint8 *out = g_malloc(sizeof magic + type_size + size + 4 * 11);
    gsize n = sizeof magic;
    memcpy(out, magic, n);
    n += put_bytes(out + n, UNKNOWN_TYPE_META, type_meta, type_size);
    n += put_bytes(out + n, UNKNOWN_RAW, object, size);
    /* Kubernetes writes these two although they are empty: the stored bytes are the same as its own. */
    n += put_bytes(out + n, UNKNOWN_CONTENT_ENCODING, NULL, 0);
    n += put_bytes(out + n, UNKNOWN_CONTENT_TYPE, NULL, 0);
    return g_bytes_new_take(g_realloc(out, n), n);
}

typedef struct {
    const guint8 *data;
    gsize size;
} Slice;

/* The last occurrence of each bytes field with a number below <n>; others stay as they are. FALSE if malformed. */
static gboolean read_slices(const void *data, gsize size, Slice *slices, guint32 n)
{
    ApiWireReader reader;
    api_wire_reader_init(&reader, data, size);
    while (api_wire_next(&reader)) {
        if (reader.number >= n)
            continue;
        if (reader.wire_type != 2)
            return FALSE;
        slices[reader.number] = (Slice){reader.data, reader.size};
    }
    return reader.at == reader.end;
}

static gboolean fail(GError **error, const char *what)
{
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "no Kubernetes storage envelope: %s", what);
    return FALSE;
}

/* The row for apiVersion "group/version" or "version", and kind. */
static const ApiResource *find_resource(Slice api_version, Slice kind, GError **error)
{
    g_autofree char *version = g_strndup((const char *)api_version.data, api_version.size);
    g_autofree char *name = g_strndup((const char *)kind.data, kind.size);
    char *slash = strchr(version, '/');
    g_autofree char *group = slash ? g_strndup(version, (gsize)(slash - version)) : g_strdup("");
    const ApiResource *resource = api_resource_by_kind(group, slash ? slash + 1 : version, name);
    if (!resource) {
        g_autofree char *safe_version = g_strescape(version, NULL), *safe_name = g_strescape(name, NULL);
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "storage envelope of an unknown kind: \"%s\" of \"%s\"", safe_name, safe_version);
    }
    return resource;
}

gboolean api_envelope_open(const void *data, gsize size, const ApiResource **ret_resource, const guint8 **ret_object,
                           gsize *ret_size, GError **error)
{
    if (size < sizeof magic || memcmp(data, magic, sizeof magic) != 0)
        return fail(error, "it does not start with \"k8s\\0\"");
    const guint8 *body = (const guint8 *)data + sizeof magic;
    Slice unknown[UNKNOWN_CONTENT_TYPE + 1] = {{body, 0}, {body, 0}, {body, 0}, {body, 0}, {body, 0}};
    Slice type[TYPE_META_KIND + 1] = {{body, 0}, {body, 0}, {body, 0}};
    if (!read_slices(body, size - sizeof magic, unknown, G_N_ELEMENTS(unknown)) ||
        !read_slices(unknown[UNKNOWN_TYPE_META].data, unknown[UNKNOWN_TYPE_META].size, type, G_N_ELEMENTS(type)))
        return fail(error, "malformed bytes");
    if (unknown[UNKNOWN_CONTENT_ENCODING].size > 0 || unknown[UNKNOWN_CONTENT_TYPE].size > 0)
        return fail(error, "its content is not plain protobuf");
    const ApiResource *resource = find_resource(type[TYPE_META_API_VERSION], type[TYPE_META_KIND], error);
    if (!resource)
        return FALSE;
    *ret_resource = resource;
    *ret_object = unknown[UNKNOWN_RAW].data;
    *ret_size = unknown[UNKNOWN_RAW].size;
    return TRUE;
}
