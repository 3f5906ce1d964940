#include "client/ctl/follow.h"
#include "client/ctl/output.h"
#include "client/ctl/table.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

typedef struct {
    Ctl *ctl;
    char *output_flag, *label_selector, *field_selector;
    char **files;
    gboolean watch, all_namespaces, no_headers, show_labels, ignore_not_found;
    Output output;
    gboolean several_kinds;
} Get;

/* What is shown of one kind at a time, and of a watch what was shown already. */
typedef struct {
    const Get *get;
    const ApiResource *resource;
    CtlTable *table;
    CtlTableStyle style;
    gboolean has_titles;
    GHashTable *shown; /* uid to resourceVersion, in a watch */
    GError *problem;
} View;

static void view_init(View *view, const Get *get, const ApiResource *resource)
{
    *view = (View){.get = get, .resource = resource, .table = ctl_table_new()};
    view->style = (CtlTableStyle){
        .wide = get->output.format == OUTPUT_WIDE,
        .with_namespace = get->all_namespaces && resource->namespaced,
        .with_kind = get->several_kinds,
        .with_labels = get->show_labels,
    };
}

static void view_done(View *view)
{
    ctl_table_free(view->table);
    if (view->shown)
        g_hash_table_unref(view->shown);
    g_clear_error(&view->problem);
}

static gboolean is_table(const Get *get)
{
    return get->output.format == OUTPUT_TABLE || get->output.format == OUTPUT_WIDE;
}

static void view_add(View *view, const ProtobufCMessage *object)
{
    if (!view->has_titles && !view->get->no_headers)
        ctl_table_add(view->table, ctl_table_titles(view->resource, &view->style));
    view->has_titles = TRUE;
    ctl_table_add(view->table, ctl_table_cells(view->resource, object, &view->style, time_now_ns()));
}

static void view_flush(View *view)
{
    g_autofree char *text = ctl_table_flush(view->table);
    fputs(text, stdout);
    fflush(stdout);
}

/* --- watching ---------------------------------------------------------------------------------------------------------*/

/* Whether this state of an object was not shown yet. */
static gboolean is_news(View *view, const ProtobufCMessage *object)
{
    const char *uid = api_object_uid(object);
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object);
    const char *revision = api_str(meta ? meta->resourceversion : NULL), *known = g_hash_table_lookup(view->shown, uid);
    if (known && g_str_equal(known, revision))
        return FALSE;
    g_hash_table_replace(view->shown, g_strdup(uid), g_strdup(revision));
    return TRUE;
}

/* Shows one object; TRUE (stop) when that fails. */
static gboolean watch_show(View *view, const ProtobufCMessage *object)
{
    if (is_table(view->get)) {
        view_add(view, object);
        return FALSE;
    }
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_ptr_array_add(one, (gpointer)object);
    if (view->get->output.format == OUTPUT_YAML)
        fputs("---\n", stdout);
    return !output_objects(&view->get->output, one, FALSE, stdout, &view->problem);
}

static gboolean watch_state(const GPtrArray *objects, gpointer data)
{
    View *view = data;
    gboolean stop = FALSE;
    for (guint i = 0; i < objects->len && !stop; i++)
        stop = is_news(view, objects->pdata[i]) && watch_show(view, objects->pdata[i]);
    view_flush(view);
    return stop;
}

static gboolean watch_event(const char *type, const ProtobufCMessage *object, gpointer data)
{
    (void)type;
    View *view = data;
    gboolean stop = is_news(view, object) && watch_show(view, object);
    view_flush(view);
    return stop;
}

static gboolean watch_target(const Get *get, const Target *target, GError **error)
{
    static const FollowHandlers handlers = {watch_state, watch_event};
    const char *namespace_ = ctl_namespace_of(get->ctl, target->resource, get->all_namespaces, error);
    if (!namespace_)
        return FALSE;
    g_autofree char *by_name = target->name ? g_strdup_printf("metadata.name=%s", target->name) : NULL;
    ClientListOptions options = {.label_selector = get->label_selector,
                                 .field_selector = by_name ? by_name : get->field_selector};
    if (target->name) { /* an object that is not there is an error, as without -w */
        ProtobufCMessage *object = ctl_get(get->ctl, target->resource, namespace_, target->name, error);
        if (!object)
            return FALSE;
        api_message_free(object);
    }
    View view;
    view_init(&view, get, target->resource);
    view.shown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    gboolean timed_out;
    gboolean good =
        follow_list(get->ctl, target->resource, namespace_, &options, -1, &handlers, &view, &timed_out, error);
    if (view.problem) {
        g_propagate_error(error, g_steal_pointer(&view.problem));
        good = FALSE;
    }
    view_done(&view);
    return good;
}

/* --- once -------------------------------------------------------------------------------------------------------------*/

/* Appends what one target stands for. */
static gboolean fetch(const Get *get, const Target *target, const char *namespace_, GPtrArray *objects, GError **error)
{
    if (target->name) {
        ProtobufCMessage *object = ctl_get(get->ctl, target->resource, namespace_, target->name, error);
        if (object)
            g_ptr_array_add(objects, object);
        return object != NULL;
    }
    ClientListOptions options = {.label_selector = get->label_selector, .field_selector = get->field_selector};
    g_autoptr(GPtrArray) found = ctl_list(get->ctl, target->resource, namespace_, &options, NULL, error);
    if (!found)
        return FALSE;
    g_ptr_array_extend_and_steal(objects, g_steal_pointer(&found));
    return TRUE;
}

/* Objects of one kind after the other, each kind with its own titles. */
static void print_tables(const Get *get, const GPtrArray *objects)
{
    for (guint i = 0; i < objects->len;) {
        const ProtobufCMessage *first = objects->pdata[i];
        View view;
        view_init(&view, get, api_resource_by_descriptor(first->descriptor));
        if (i > 0 && !get->no_headers)
            fputs("\n", stdout);
        for (; i < objects->len && ((ProtobufCMessage *)objects->pdata[i])->descriptor == first->descriptor; i++)
            view_add(&view, objects->pdata[i]);
        view_flush(&view);
        view_done(&view);
    }
}

static void say_none(const Get *get, const GPtrArray *targets, const char *namespace_)
{
    gboolean namespaced = FALSE;
    for (guint i = 0; i < targets->len; i++)
        namespaced |= ((const Target *)targets->pdata[i])->resource->namespaced;
    if (namespaced && !get->all_namespaces)
        fprintf(stderr, "No resources found in %s namespace.\n", namespace_);
    else
        fprintf(stderr, "No resources found\n");
}

/* An object that cannot be had is reported, and the others are shown nevertheless. */
static gboolean get_once(const Get *get, const GPtrArray *targets, GError **error)
{
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    gboolean named = FALSE, reported = FALSE;
    for (guint i = 0; i < targets->len; i++) {
        const Target *target = targets->pdata[i];
        const char *namespace_ = ctl_namespace_of(get->ctl, target->resource, get->all_namespaces, error);
        if (!namespace_)
            return FALSE;
        named |= target->name != NULL;
        g_autoptr(GError) problem = NULL;
        if (fetch(get, target, namespace_, objects, &problem) ||
            (get->ignore_not_found && ctl_server_said(problem, CLEAT_ERROR_NOT_FOUND)))
            continue;
        ctl_report(get->ctl, problem);
        reported = TRUE;
        if (ctl_server_said(problem, CLEAT_ERROR_UNAVAILABLE))
            break; /* the rest would fail alike */
    }
    if (!is_table(get)) {
        gboolean as_list = !(named && targets->len == 1);
        return (objects->len == 0 && (reported || (named && get->ignore_not_found))) ||
               output_objects(&get->output, objects, as_list, stdout, error);
    }
    print_tables(get, objects);
    if (objects->len == 0 && !reported && !named)
        say_none(get, targets,
                 api_str(get->ctl->namespace_flag ? get->ctl->namespace_flag : ctl_namespace(get->ctl, NULL)));
    return TRUE;
}

/* The objects that files name, as targets; each in its own namespace. */
static gboolean get_files(Get *get, GError **error)
{
    g_autoptr(GPtrArray) manifests = manifests_read(get->files, error);
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free);
    for (guint i = 0; manifests && i < manifests->len; i++) {
        ApiManifest *manifest = manifests->pdata[i];
        g_autoptr(GError) problem = NULL;
        if (!manifest_set_namespace(get->ctl, manifest, error))
            return FALSE;
        ProtobufCMessage *object = ctl_get(get->ctl, manifest->resource, api_object_namespace(manifest->object),
                                           api_object_name(manifest->object), &problem);
        if (object)
            g_ptr_array_add(objects, object);
        else
            ctl_report(get->ctl, problem);
        get->several_kinds |= manifest->resource != ((ApiManifest *)manifests->pdata[0])->resource;
    }
    if (!manifests)
        return FALSE;
    if (!is_table(get))
        return objects->len == 0 || output_objects(&get->output, objects, manifests->len > 1, stdout, error);
    print_tables(get, objects);
    return TRUE;
}

static gboolean run(Get *get, char **args, GError **error)
{
    if (!output_parse(get->output_flag, &get->output, error))
        return FALSE;
    if (get->files && *args) {
        ctl_set_usage_error(get->ctl, error);
        return FALSE;
    }
    if (get->files)
        return get_files(get, error);
    g_autoptr(GPtrArray) targets = targets_parse(args, error);
    if (!targets)
        return FALSE;
    for (guint i = 0; i < targets->len; i++) {
        const Target *target = targets->pdata[i];
        get->several_kinds |= target->resource != ((const Target *)targets->pdata[0])->resource;
        if (target->name && (get->all_namespaces || get->label_selector || get->field_selector)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                        "a name (\"%s\") excludes selectors and --all-namespaces", target->name);
            return FALSE;
        }
    }
    if (!get->watch)
        return get_once(get, targets, error);
    if (targets->len != 1) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "you may only watch one kind, or one object, at a time");
        return FALSE;
    }
    return watch_target(get, targets->pdata[0], error);
}

VERB(get)
{
    Get get = {.ctl = ctl};
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_STRING, &get.output_flag, "wide, name, json, yaml or jsonpath=TEMPLATE",
         "FORMAT"},
        {"selector", 'l', 0, G_OPTION_ARG_STRING, &get.label_selector, "Only objects with these labels", "SELECTOR"},
        {"field-selector", 0, 0, G_OPTION_ARG_STRING, &get.field_selector, "Only objects with these fields",
         "SELECTOR"},
        {"all-namespaces", 'A', 0, G_OPTION_ARG_NONE, &get.all_namespaces, "In all namespaces", NULL},
        {"watch", 'w', 0, G_OPTION_ARG_NONE, &get.watch, "Then go on and show changes", NULL},
        {"filename", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &get.files, "The objects that a file names", "FILE"},
        {"no-headers", 0, 0, G_OPTION_ARG_NONE, &get.no_headers, "No titles", NULL},
        {"show-labels", 0, 0, G_OPTION_ARG_NONE, &get.show_labels, "A column with all labels", NULL},
        {"ignore-not-found", 0, 0, G_OPTION_ARG_NONE, &get.ignore_not_found, "A missing object is no error", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    gboolean good = args && run(&get, args, error);
    g_free(get.output_flag);
    g_free(get.label_selector);
    g_free(get.field_selector);
    g_strfreev(get.files);
    return good;
}
