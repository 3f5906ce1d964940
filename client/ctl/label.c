/* label and annotate. */
#include <string.h>

#include "client/ctl/output.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"

/* What differs between the two verbs. */
typedef struct {
    const char *(*get)(const Meta__V1__ObjectMeta *meta, const char *key);
    void (*set)(Meta__V1__ObjectMeta *meta, const char *key, const char *value);
    const char *done, *not_done;
} Kind;

static const Kind labels = {api_label, api_label_set, "labeled", "not labeled"};
static const Kind annotations = {api_annotation, api_annotation_set, "annotated", "not annotated"};

typedef struct {
    const Kind *kind;
    char **changes; /* "key=value" or "key-"; borrowed */
    gboolean overwrite;
} Edit;

static gboolean edit_one(const Edit *edit, Meta__V1__ObjectMeta *meta, const char *change, GError **error)
{
    const char *equals = strchr(change, '=');
    g_autofree char *key = g_strndup(change, equals ? (gsize)(equals - change) : strlen(change) - 1);
    const char *value = equals ? equals + 1 : NULL, *old = edit->kind->get(meta, key);
    if (value && old && !edit->overwrite && !g_str_equal(old, value)) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_CONFLICT, "'%s' already has a value (%s), and --overwrite is false",
                    key, old);
        return FALSE;
    }
    edit->kind->set(meta, key, value);
    return TRUE;
}

static ProtobufCMessage *edit_change(const ProtobufCMessage *object, gpointer data, GError **error)
{
    const Edit *edit = data;
    ProtobufCMessage *copy = api_message_clone(object);
    gboolean good = TRUE;
    for (char **change = edit->changes; *change && good; change++)
        good = edit_one(edit, api_meta(copy), *change, error);
    if (!good || api_message_equal(copy, object))
        g_clear_pointer(&copy, api_message_free);
    return copy;
}

static gboolean edit_target(Ctl *ctl, const Target *target, Edit *edit, const Output *output, GError **error)
{
    const char *namespace_ = ctl_namespace_of(ctl, target->resource, FALSE, error);
    gboolean changed;
    ProtobufCMessage *object =
        namespace_ ? ctl_modify(ctl, target->resource, namespace_, target->name, edit_change, edit, &changed, error)
                   : NULL;
    gboolean good = object && output_change(output, object, changed ? edit->kind->done : edit->kind->not_done, error);
    api_message_free(object);
    return good;
}

/* The first argument that says a change, and so ends the names. */
static char **find_changes(char **args)
{
    while (*args && !strchr(*args, '=') && !(strlen(*args) > 1 && g_str_has_suffix(*args, "-")))
        args++;
    return args;
}

static gboolean run(Ctl *ctl, const Kind *kind, int argc, char **argv, GError **error)
{
    Edit edit = {.kind = kind};
    char *label_selector = NULL, *output_flag = NULL;
    gboolean all = FALSE;
    const GOptionEntry entries[] = {
        {"overwrite", 0, 0, G_OPTION_ARG_NONE, &edit.overwrite, "Also replace a value that is there", NULL},
        {"selector", 'l', 0, G_OPTION_ARG_STRING, &label_selector, "All objects with these labels", "SELECTOR"},
        {"all", 0, 0, G_OPTION_ARG_NONE, &all, "All objects of the type in the namespace", NULL},
        {"output", 'o', 0, G_OPTION_ARG_STRING, &output_flag, "name, json, yaml or jsonpath=TEMPLATE", "FORMAT"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    Output output;
    gboolean good = args && output_parse(output_flag, &output, error);
    g_auto(GStrv) changes = good ? g_strdupv(find_changes(args)) : NULL;
    edit.changes = changes;
    if (good && (!*changes || changes == args)) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    for (char **rest = good ? find_changes(args) : NULL; rest && *rest; rest++)
        g_clear_pointer(rest, g_free);
    g_autoptr(GPtrArray) targets = good ? targets_select(ctl, args, label_selector, all, error) : NULL;
    for (guint i = 0; targets && i < targets->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (!edit_target(ctl, targets->pdata[i], &edit, &output, &problem))
            ctl_report(ctl, problem);
    }
    g_free(label_selector);
    g_free(output_flag);
    return targets != NULL;
}

VERB(label)
{
    return run(ctl, &labels, argc, argv, error);
}

VERB(annotate)
{
    return run(ctl, &annotations, argc, argv, error);
}
