#include "client/ctl/describe.h"

#include "cleat/core/v1/core.pb-c.h"
#include "client/ctl/table.h"
#include "client/ctl/targets.h"
#include "client/ctl/tree.h"
#include "client/ctl/verbs.h"
#include "lib/api/column.h"
#include "lib/api/labels.h"
#include "lib/base/time.h"

void describe_meta(Lines *lines, const ProtobufCMessage *object)
{
    static const Meta__V1__ObjectMeta none = META__V1__OBJECT_META__INIT;
    const Meta__V1__ObjectMeta *meta = api_meta_peek(object) ? api_meta_peek(object) : &none;
    lines_add(lines, "Name", meta->name);
    lines_add_set(lines, "Namespace", meta->namespace_);
    lines_add_map(lines, "Labels", API_MAP(meta->labels), meta->n_labels, "=");
    g_autoptr(GPtrArray) shown = g_ptr_array_new();
    for (size_t i = 0; i < meta->n_annotations; i++) {
        if (!api_str_equal(meta->annotations[i]->key, API_ANNOTATION_LAST_APPLIED))
            g_ptr_array_add(shown, meta->annotations[i]);
    }
    lines_add_map(lines, "Annotations", API_MAP(shown->pdata), shown->len, ": ");
}

static gint64 event_ns(const Core__V1__Event *event)
{
    gint64 last = event->series ? api_micro_time_ns(event->series->lastobservedtime) : 0;
    gint64 ns = MAX(MAX(api_time_ns(event->lasttimestamp), api_micro_time_ns(event->eventtime)), last);
    return ns ? ns : api_time_ns(event->firsttimestamp);
}

static int compare_events(gconstpointer a, gconstpointer b)
{
    gint64 x = event_ns(*(Core__V1__Event *const *)a), y = event_ns(*(Core__V1__Event *const *)b);
    return x < y ? -1 : x > y;
}

/* "5s", or "5s (x3 over 2m)". */
static char *event_age(const Core__V1__Event *event, gint64 now_ns)
{
    g_autofree char *last = api_duration_format(now_ns - event_ns(event));
    gint32 count = event->series ? event->series->count : event->count;
    gint64 first_ns = event->firsttimestamp ? api_time_ns(event->firsttimestamp) : api_micro_time_ns(event->eventtime);
    if (count <= 1 || first_ns == 0)
        return g_steal_pointer(&last);
    g_autofree char *first = api_duration_format(now_ns - first_ns);
    return g_strdup_printf("%s (x%d over %s)", last, count, first);
}

void describe_events(Lines *lines, GPtrArray *events, gint64 now_ns)
{
    if (events->len == 0) {
        lines_add(lines, "Events", NULL);
        return;
    }
    lines_title(lines, "Events");
    g_ptr_array_sort(events, compare_events);
    g_autoptr(CtlTable) table = ctl_table_new();
    const char *titles[] = {"Type", "Reason", "Age", "From", "Message", NULL};
    ctl_table_add(table, g_strdupv((char **)titles));
    for (guint i = 0; i < events->len; i++) {
        const Core__V1__Event *event = events->pdata[i];
        g_autofree char *age = event_age(event, now_ns);
        const char *from = event->source && api_str(event->source->component)[0] ? event->source->component
                                                                                 : api_str(event->reportingcomponent);
        const char *cells[] = {api_str(event->type), api_str(event->reason), age, from, api_str(event->message), NULL};
        ctl_table_add(table, g_strdupv((char **)cells));
    }
    g_autofree char *text = ctl_table_flush(table);
    lines_in(lines);
    lines_text(lines, text);
    lines_out(lines);
}

/* The fields of an object that has no page of its own. */
static void print_fields(Lines *lines, const ProtobufCMessage *object)
{
    describe_meta(lines, object);
    json_t *tree = tree_from_object(object), *metadata = json_object_get(tree, "metadata");
    const char *const told[] = {"name", "namespace", "labels", "annotations", "managedFields"};
    for (gsize i = 0; i < G_N_ELEMENTS(told); i++)
        json_object_del(metadata, told[i]);
    if (metadata && json_object_size(metadata) == 0)
        json_object_del(tree, "metadata");
    lines_add_tree(lines, tree);
    json_decref(tree);
}

/* Events name their object by kind and name; those of an object of the same name that was there before have another uid. */
static GPtrArray *list_events(Ctl *ctl, const ApiResource *resource, const ProtobufCMessage *object, GError **error)
{
    g_autofree char *selector =
        g_strdup_printf("involvedObject.kind=%s,involvedObject.name=%s", resource->kind, api_object_name(object));
    ClientListOptions options = {.field_selector = selector};
    g_autoptr(GPtrArray) events = ctl_list(ctl, API_EVENT, api_object_namespace(object), &options, NULL, error);
    for (guint i = events ? events->len : 0; i-- > 0;) {
        const Core__V1__Event *event = events->pdata[i];
        const char *uid = event->involvedobject ? api_str(event->involvedobject->uid) : "";
        if (*uid && !g_str_equal(uid, api_object_uid(object)) && !g_str_equal(uid, api_object_name(object)))
            g_ptr_array_remove_index(events, i);
    }
    return g_steal_pointer(&events);
}

static gboolean list_related(Ctl *ctl, const DescribeKind *kind, const ProtobufCMessage *object,
                             GPtrArray **ret_related, GError **error)
{
    if (!kind || !kind->related)
        return TRUE;
    g_autofree char *labels = kind->labels ? kind->labels(object) : NULL;
    g_autofree char *fields = kind->fields ? kind->fields(object) : NULL;
    if (!labels && !fields)
        return TRUE;
    ClientListOptions options = {.label_selector = labels, .field_selector = fields};
    *ret_related = ctl_list(ctl, kind->related(), fields ? "" : api_object_namespace(object), &options, NULL, error);
    return *ret_related != NULL;
}

static gboolean describe_object(Ctl *ctl, const ApiResource *resource, const ProtobufCMessage *object, GError **error)
{
    const DescribeKind *kind = describe_kind(resource);
    GPtrArray *found = NULL;
    if (!list_related(ctl, kind, object, &found, error))
        return FALSE;
    g_autoptr(GPtrArray) related = found;
    g_autoptr(GPtrArray) events = resource == API_EVENT ? NULL : list_events(ctl, resource, object, error);
    if (!events && resource != API_EVENT)
        return FALSE;
    g_autoptr(Lines) lines = lines_new();
    gint64 now_ns = time_now_ns();
    if (kind)
        kind->print(lines, object, related, now_ns);
    else
        print_fields(lines, object);
    if (events)
        describe_events(lines, events, now_ns);
    g_autofree char *text = lines_format(lines);
    fputs(text, stdout);
    return TRUE;
}

/* What a target stands for, with names that begin with the one given when there is no such object, as kubectl does. */
static GPtrArray *fetch(Ctl *ctl, const Target *target, const char *namespace_, const char *label_selector,
                        GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (target->name) {
        ProtobufCMessage *object = ctl_get(ctl, target->resource, namespace_, target->name, &problem);
        if (object || !ctl_server_said(problem, CLEAT_ERROR_NOT_FOUND)) {
            GPtrArray *one = object ? g_ptr_array_new_with_free_func((GDestroyNotify)api_message_free) : NULL;
            if (object)
                g_ptr_array_add(one, object);
            else
                g_propagate_error(error, g_steal_pointer(&problem));
            return one;
        }
    }
    ClientListOptions options = {.label_selector = label_selector};
    g_autoptr(GPtrArray) objects = ctl_list(ctl, target->resource, namespace_, &options, NULL, error);
    for (guint i = target->name && objects ? objects->len : 0; i-- > 0;) {
        if (!g_str_has_prefix(api_object_name(objects->pdata[i]), target->name))
            g_ptr_array_remove_index(objects, i);
    }
    if (objects && objects->len == 0 && problem) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return g_steal_pointer(&objects);
}

static gboolean describe_target(Ctl *ctl, const Target *target, const char *label_selector, gboolean all_namespaces,
                                guint *described, GError **error)
{
    const char *namespace_ = ctl_namespace_of(ctl, target->resource, all_namespaces, error);
    g_autoptr(GPtrArray) objects = namespace_ ? fetch(ctl, target, namespace_, label_selector, error) : NULL;
    for (guint i = 0; objects && i < objects->len; i++) {
        if ((*described)++ > 0)
            fputs("\n\n", stdout);
        if (!describe_object(ctl, target->resource, objects->pdata[i], error))
            return FALSE;
    }
    return objects != NULL;
}

VERB(describe)
{
    char *label_selector = NULL;
    gboolean all_namespaces = FALSE;
    const GOptionEntry entries[] = {
        {"selector", 'l', 0, G_OPTION_ARG_STRING, &label_selector, "Only objects with these labels", "SELECTOR"},
        {"all-namespaces", 'A', 0, G_OPTION_ARG_NONE, &all_namespaces, "In all namespaces", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    g_autoptr(GPtrArray) targets = args ? targets_parse(args, error) : NULL;
    guint described = 0;
    for (guint i = 0; targets && i < targets->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (!describe_target(ctl, targets->pdata[i], label_selector, all_namespaces, &described, &problem))
            ctl_report(ctl, problem);
    }
    if (targets && described == 0 && !ctl->failed)
        fprintf(stderr, "No resources found\n");
    g_free(label_selector);
    return targets != NULL;
}
