#include <string.h>

#include "client/ctl/output.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/api/envelope.h"
#include "lib/api/wire.h"
#include "lib/base/error.h"

/* An object in the storage form, as it stands in etcd. */
static GPtrArray *read_envelope(const char *file, const char *data, gsize size, GError **error)
{
    const ApiResource *resource;
    const guint8 *bytes;
    gsize bytes_size;
    ProtobufCMessage *object = NULL;
    if (api_envelope_open(data, size, &resource, &bytes, &bytes_size, error) &&
        api_wire_check(resource->object, bytes, bytes_size, error))
        object = api_message_unpack(resource->object, bytes, bytes_size, error);
    if (!object) {
        g_prefix_error(error, "%s: ", file);
        return NULL;
    }
    ApiManifest *manifest = g_new0(ApiManifest, 1);
    *manifest = (ApiManifest){resource, object, 1};
    GPtrArray *manifests = g_ptr_array_new_with_free_func((GDestroyNotify)api_manifest_free);
    g_ptr_array_add(manifests, manifest);
    return manifests;
}

/* The objects of all files: texts, or envelopes, which their first bytes tell apart. */
static GPtrArray *read_all(char **files, GError **error)
{
    g_autoptr(GPtrArray) manifests = g_ptr_array_new_with_free_func((GDestroyNotify)api_manifest_free);
    for (char **file = files; *file; file++) {
        g_autofree char *data = NULL;
        gsize size = 0;
        if (g_file_test(*file, G_FILE_TEST_IS_REGULAR) && !g_file_get_contents(*file, &data, &size, error))
            return NULL;
        gboolean stored = size >= 4 && memcmp(data, "k8s", 4) == 0;
        g_autoptr(GPtrArray) found =
            stored ? read_envelope(*file, data, size, error) : manifests_read((char *[]){*file, NULL}, error);
        if (!found)
            return NULL;
        g_ptr_array_extend_and_steal(manifests, g_steal_pointer(&found));
    }
    return g_steal_pointer(&manifests);
}

static gboolean write_envelope(const GPtrArray *manifests, GError **error)
{
    if (manifests->len != 1) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "-o protobuf holds one object; there are %u (give them one by one)", manifests->len);
        return FALSE;
    }
    const ApiManifest *manifest = manifests->pdata[0];
    gsize size;
    g_autoptr(GBytes) packed = api_message_pack(manifest->object);
    const void *data = g_bytes_get_data(packed, &size);
    g_autoptr(GBytes) envelope = api_envelope_wrap(manifest->resource, data, size);
    data = g_bytes_get_data(envelope, &size);
    fwrite(data, 1, size, stdout);
    return TRUE;
}

/* YAML as a stream of documents, the rest as one object or a List. */
static gboolean write_text(const GPtrArray *manifests, const Output *output, GError **error)
{
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    for (guint i = 0; i < manifests->len; i++)
        g_ptr_array_add(objects, ((ApiManifest *)manifests->pdata[i])->object);
    if (output->format != OUTPUT_YAML && output->format != OUTPUT_TABLE)
        return output_objects(output, objects, FALSE, stdout, error);
    for (guint i = 0; i < objects->len; i++) {
        g_autofree char *text = api_encode(objects->pdata[i], API_FORMAT_YAML);
        printf("%s%s", i ? "---\n" : "", text);
    }
    return TRUE;
}

VERB(convert)
{
    char **files = NULL, *output_flag = NULL;
    const GOptionEntry entries[] = {
        {"filename", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &files, "File, folder or - (standard input); repeatable",
         "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_STRING, &output_flag,
         "yaml (the default), json, name, jsonpath=TEMPLATE, or protobuf: the form that is stored in etcd", "FORMAT"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gboolean good = args != NULL;
    if (good && (!files || *args)) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    gboolean protobuf = g_strcmp0(output_flag, "protobuf") == 0;
    Output output;
    good = good && (protobuf || output_parse(output_flag, &output, error));
    g_autoptr(GPtrArray) manifests = good ? read_all(files, error) : NULL;
    good = manifests && (protobuf ? write_envelope(manifests, error) : write_text(manifests, &output, error));
    g_strfreev(files);
    g_free(output_flag);
    return good;
}
