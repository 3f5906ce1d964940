#include "client/ctl/output.h"

#include <string.h>

#include "client/ctl/jsonpath.h"
#include "client/ctl/tree.h"
#include "lib/base/error.h"

static const struct {
    const char *name;
    OutputFormat format;
} formats[] = {{"wide", OUTPUT_WIDE}, {"name", OUTPUT_NAME}, {"json", OUTPUT_JSON}, {"yaml", OUTPUT_YAML}};

gboolean output_parse(const char *flag, Output *ret_output, GError **error)
{
    *ret_output = (Output){0};
    if (!flag)
        return TRUE;
    flag += *flag == '='; /* "-o=yaml" */
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (g_str_equal(flag, formats[i].name)) {
            ret_output->format = formats[i].format;
            return TRUE;
        }
    }
    if (g_str_has_prefix(flag, "jsonpath=")) {
        *ret_output = (Output){OUTPUT_JSONPATH, flag + strlen("jsonpath=")};
        return TRUE;
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "no output format \"%s\": there are wide, name, json, yaml and jsonpath=TEMPLATE", flag);
    return FALSE;
}

static gboolean print_jsonpath(const Output *output, const GPtrArray *objects, gboolean as_list, FILE *file,
                               GError **error)
{
    json_t *tree = as_list || objects->len != 1 ? tree_from_list(objects) : tree_from_object(objects->pdata[0]);
    g_autofree char *text = jsonpath_expand(tree, output->template, error);
    json_decref(tree);
    if (!text)
        return FALSE;
    fputs(text, file);
    return TRUE;
}

gboolean output_objects(const Output *output, const GPtrArray *objects, gboolean as_list, FILE *file, GError **error)
{
    if (output->format == OUTPUT_JSONPATH)
        return print_jsonpath(output, objects, as_list, file, error);
    if (output->format == OUTPUT_NAME) {
        for (guint i = 0; i < objects->len; i++) {
            const ProtobufCMessage *object = objects->pdata[i];
            g_autofree char *label =
                ctl_object_label(api_resource_by_descriptor(object->descriptor), api_object_name(object));
            fprintf(file, "%s\n", label);
        }
        return TRUE;
    }
    ApiFormat format = output->format == OUTPUT_YAML ? API_FORMAT_YAML : API_FORMAT_JSON_PRETTY;
    g_autofree char *text = as_list || objects->len != 1
                                ? api_encode_list((const ProtobufCMessage *const *)objects->pdata, objects->len, format)
                                : api_encode(objects->pdata[0], format);
    fputs(text, file);
    return TRUE;
}

gboolean output_change(const Output *output, const ProtobufCMessage *object, const char *verb, GError **error)
{
    if (output->format != OUTPUT_TABLE && output->format != OUTPUT_WIDE) {
        g_autoptr(GPtrArray) one = g_ptr_array_new();
        g_ptr_array_add(one, (gpointer)object);
        return output_objects(output, one, FALSE, stdout, error);
    }
    g_autofree char *label = ctl_object_label(api_resource_by_descriptor(object->descriptor), api_object_name(object));
    printf("%s %s\n", label, verb);
    return TRUE;
}
