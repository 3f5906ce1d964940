#include "client/ctl/follow.h"
#include "client/ctl/targets.h"
#include "client/ctl/verbs.h"
#include "lib/base/error.h"

typedef struct {
    Ctl *ctl;
    char **files;
    char *label_selector, *cascade, *timeout_flag;
    gboolean all, force, wait, now, ignore_not_found;
    gint64 grace_period; /* seconds; -1: the object's own */
    gint64 timeout_ms;   /* 0: as long as it takes */
    GPtrArray *waiting;  /* Gone* */
} Delete;

/* An object that was asked to go. */
typedef struct {
    const ApiResource *resource;
    char *namespace_, *name, *uid;
} Gone;

static void gone_free(gpointer data)
{
    Gone *gone = data;
    g_free(gone->namespace_);
    g_free(gone->name);
    g_free(gone->uid);
    g_free(gone);
}

static gboolean set_options(const Delete *delete, Meta__V1__DeleteOptions *options, GError **error)
{
    static const struct {
        const char *flag;
        const char *policy;
    } policies[] = {{"background", "Background"}, {"foreground", "Foreground"}, {"orphan", "Orphan"}};
    for (gsize i = 0; i < G_N_ELEMENTS(policies); i++) {
        if (g_strcmp0(delete->cascade, policies[i].flag) == 0)
            options->propagationpolicy = (char *)policies[i].policy;
    }
    if (delete->cascade && !options->propagationpolicy) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "--cascade: expected background, foreground or orphan, not \"%s\"", delete->cascade);
        return FALSE;
    }
    gint64 grace = delete->now ? 1 : delete->force && delete->grace_period < 0 ? 0 : delete->grace_period;
    if (grace == 0 && !delete->force)
        grace = 1; /* as kubectl: only --force takes an object away under a running container */
    if (grace >= 0)
        api_set_scalar(options, graceperiodseconds, grace);
    return TRUE;
}

static gboolean delete_one(Delete *delete, const ApiResource *resource, const char *namespace_, const char *name,
                           GError **error)
{
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    if (!set_options(delete, &options, error))
        return FALSE;
    g_autoptr(GError) problem = NULL;
    ProtobufCMessage *object = ctl_delete(delete->ctl, resource, namespace_, name, &options, &problem);
    if (!object) {
        if (delete->ignore_not_found && ctl_server_said(problem, CLEAT_ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    printf("%s%s%s \"%s\" %sdeleted\n", resource->singular, *resource->group ? "." : "", resource->group, name,
           delete->force ? "force " : "");
    Gone *gone = g_new(Gone, 1);
    *gone = (Gone){resource, g_strdup(namespace_), g_strdup(name), g_strdup(api_object_uid(object))};
    g_ptr_array_add(delete->waiting, gone);
    api_message_free(object);
    return TRUE;
}

/* The object itself is away, whether or not another took its name. */
static gboolean is_gone(const ProtobufCMessage *object, gpointer data)
{
    const Gone *gone = data;
    return !object || !g_str_equal(api_object_uid(object), gone->uid);
}

static gboolean wait_for_all(const Delete *delete, GError **error)
{
    gint64 end = g_get_monotonic_time() + delete->timeout_ms * 1000;
    for (guint i = 0; i < delete->waiting->len; i++) {
        Gone *gone = delete->waiting->pdata[i];
        gboolean timed_out = FALSE;
        gint64 left_ms = delete->timeout_ms > 0 ? MAX(0, end - g_get_monotonic_time()) / 1000 : -1;
        fflush(stdout);
        if (!follow_object(delete->ctl, gone->resource, gone->namespace_, gone->name, left_ms, is_gone, gone,
                           &timed_out, error))
            return FALSE;
        if (timed_out) {
            g_autofree char *plural = ctl_plural(gone->resource);
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_TIMEOUT, "timed out waiting for the deletion of %s/%s", plural,
                        gone->name);
            return FALSE;
        }
    }
    return TRUE;
}

/* All objects of a kind that the selector picks. */
static gboolean delete_listed(Delete *delete, const ApiResource *resource, const char *namespace_, GError **error)
{
    ClientListOptions options = {.label_selector = delete->label_selector};
    g_autoptr(GPtrArray) objects = ctl_list(delete->ctl, resource, namespace_, &options, NULL, error);
    for (guint i = 0; objects && i < objects->len; i++) {
        const ProtobufCMessage *object = objects->pdata[i];
        if (!delete_one(delete, resource, namespace_, api_object_name(object), error))
            return FALSE;
    }
    if (objects && objects->len == 0)
        fprintf(stderr, "No resources found\n");
    return objects != NULL;
}

/* One fault is reported and does not keep the others from being deleted. */
static gboolean delete_targets(Delete *delete, char **args, GError **error)
{
    g_autoptr(GPtrArray) targets = targets_parse(args, error);
    for (guint i = 0; targets && i < targets->len; i++) {
        const Target *target = targets->pdata[i];
        g_autoptr(GError) problem = NULL;
        const char *namespace_ = ctl_namespace_of(delete->ctl, target->resource, FALSE, error);
        if (!namespace_)
            return FALSE;
        if (!target->name && !delete->all && !delete->label_selector) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "%s: give a name, a label selector (-l) or --all",
                        target->resource->plural);
            return FALSE;
        }
        if (target->name && (delete->all || delete->label_selector)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "a name (\"%s\") excludes -l and --all",
                        target->name);
            return FALSE;
        }
        if (!(target->name ? delete_one(delete, target->resource, namespace_, target->name, &problem)
                           : delete_listed(delete, target->resource, namespace_, &problem)))
            ctl_report(delete->ctl, problem);
    }
    return targets != NULL;
}

static gboolean delete_files(Delete *delete, GError **error)
{
    g_autoptr(GPtrArray) manifests = manifests_read(delete->files, error);
    for (guint i = 0; manifests && i < manifests->len; i++) {
        ApiManifest *manifest = manifests->pdata[i];
        g_autoptr(GError) problem = NULL;
        if (!manifest_set_namespace(delete->ctl, manifest, &problem) ||
            !delete_one(delete, manifest->resource, api_object_namespace(manifest->object),
                        api_object_name(manifest->object), &problem))
            ctl_report(delete->ctl, problem);
    }
    return manifests != NULL;
}

VERB(delete)
{
    Delete delete = {.ctl = ctl, .wait = TRUE, .grace_period = -1};
    const GOptionEntry entries[] = {
        {"filename", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &delete.files, "The objects that a file names", "FILE"},
        {"selector", 'l', 0, G_OPTION_ARG_STRING, &delete.label_selector, "All objects with these labels", "SELECTOR"},
        {"all", 0, 0, G_OPTION_ARG_NONE, &delete.all, "All objects of the type in the namespace", NULL},
        {"grace-period", 0, 0, G_OPTION_ARG_INT64, &delete.grace_period, "Seconds to end in; default: the object's own",
         "N"},
        {"now", 0, 0, G_OPTION_ARG_NONE, &delete.now, "The same as --grace-period=1", NULL},
        {"force", 0, 0, G_OPTION_ARG_NONE, &delete.force, "At once, without waiting for the node to confirm", NULL},
        {"cascade", 0, 0, G_OPTION_ARG_STRING, &delete.cascade, "background (default), foreground or orphan", "POLICY"},
        {"wait", 0, 0, G_OPTION_ARG_NONE, &delete.wait, "Return when the objects are gone (default true)", NULL},
        {"timeout", 0, 0, G_OPTION_ARG_STRING, &delete.timeout_flag, "How long to wait; 0: as long as it takes", "30s"},
        {"ignore-not-found", 0, 0, G_OPTION_ARG_NONE, &delete.ignore_not_found, "A missing object is no error", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_auto(GStrv) args = ctl_parse(ctl, entries, argc, argv, error);
    delete.waiting = g_ptr_array_new_with_free_func(gone_free);
    gboolean good = args != NULL;
    if (good && (delete.files ? *args != NULL : !*args)) {
        ctl_set_usage_error(ctl, error);
        good = FALSE;
    }
    good = good && ctl_duration_flag("timeout", delete.timeout_flag, 0, &delete.timeout_ms, error);
    good = good && (delete.files ? delete_files(&delete, error) : delete_targets(&delete, args, error));
    if (good && delete.wait)
        good = wait_for_all(&delete, error);
    g_ptr_array_unref(delete.waiting);
    g_strfreev(delete.files);
    g_free(delete.label_selector);
    g_free(delete.cascade);
    g_free(delete.timeout_flag);
    return good;
}
