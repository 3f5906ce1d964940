#include "client/ctl/merge.h"
#include "client/ctl/output.h"
#include "client/ctl/targets.h"
#include "client/ctl/tree.h"
#include "client/ctl/verbs.h"
#include "lib/api/labels.h"
#include "lib/base/error.h"

/* What the user says now, with itself as the annotation that the next apply compares with. */
static ProtobufCMessage *with_last_applied(const ProtobufCMessage *object)
{
    ProtobufCMessage *result = api_message_clone(object);
    api_annotation_set(api_meta(result), API_ANNOTATION_LAST_APPLIED, NULL);
    g_autofree char *text = api_encode(result, API_FORMAT_JSON);
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    api_annotation_set(api_meta(result), API_ANNOTATION_LAST_APPLIED, line);
    return result;
}

typedef struct {
    const ApiResource *resource;
    const ProtobufCMessage *modified;
    gboolean warned;
} Merge;

/* What the user said the last time, or an empty object. */
static json_t *last_applied(Merge *merge, const ProtobufCMessage *live)
{
    const char *text = api_annotation(api_meta_peek(live), API_ANNOTATION_LAST_APPLIED);
    json_t *tree = text ? json_loads(text, 0, NULL) : NULL;
    if (tree)
        return tree;
    if (!merge->warned) {
        g_autofree char *plural = ctl_plural(merge->resource);
        fprintf(
            stderr,
            "Warning: %s/%s was not made by ctl apply (it lacks the annotation %s, which is added now): fields that were "
            "set by other means stay as they are.\n",
            plural, api_object_name(live), API_ANNOTATION_LAST_APPLIED);
        merge->warned = TRUE;
    }
    return json_object();
}

static ProtobufCMessage *merge_change(const ProtobufCMessage *live, gpointer data, GError **error)
{
    Merge *merge = data;
    json_t *original = last_applied(merge, live);
    json_t *modified = tree_from_object(merge->modified), *now = tree_from_object(live);
    json_t *merged = merge_three_way(original, modified, now);
    ProtobufCMessage *result = json_equal(merged, now) ? NULL : tree_to_object(merged, merge->resource->object, error);
    json_decref(original);
    json_decref(modified);
    json_decref(now);
    json_decref(merged);
    return result;
}

static gboolean apply_one(Ctl *ctl, ApiManifest *manifest, const Output *output, GError **error)
{
    if (!manifest_set_namespace(ctl, manifest, error))
        return FALSE;
    const char *name = api_object_name(manifest->object), *namespace_ = api_object_namespace(manifest->object);
    if (!*name) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "%s without metadata.name: apply needs the name; generateName works with ctl create",
                    manifest->resource->kind);
        return FALSE;
    }
    ProtobufCMessage *modified = with_last_applied(manifest->object);
    Merge merge = {.resource = manifest->resource, .modified = modified};
    gboolean changed = FALSE;
    g_autoptr(GError) problem = NULL;
    ProtobufCMessage *result =
        ctl_modify(ctl, manifest->resource, namespace_, name, merge_change, &merge, &changed, &problem);
    const char *verb = changed ? "configured" : "unchanged";
    if (!result && ctl_server_said(problem, CLEAT_ERROR_NOT_FOUND)) {
        g_clear_error(&problem);
        result = ctl_create(ctl, modified, &problem);
        verb = "created";
    }
    gboolean good = result && output_change(output, result, verb, &problem);
    if (!good)
        g_propagate_error(error, g_steal_pointer(&problem));
    api_message_free(result);
    api_message_free(modified);
    return good;
}

VERB(apply)
{
    char **files = NULL, *output_flag = NULL;
    const GOptionEntry entries[] = {
        {"filename", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &files, "File, folder or - (standard input); repeatable",
         "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_STRING, &output_flag, "name, json, yaml or jsonpath=TEMPLATE", "FORMAT"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    Output output;
    gboolean good = args && output_parse(output_flag, &output, error);
    if (good && (!files || *args)) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    g_autoptr(GPtrArray) manifests = good ? manifests_read(files, error) : NULL;
    for (guint i = 0; manifests && i < manifests->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (!apply_one(ctl, manifests->pdata[i], &output, &problem)) /* the others are applied nevertheless */
            ctl_report(ctl, problem);
    }
    g_strfreev(files);
    g_free(output_flag);
    return manifests != NULL;
}
