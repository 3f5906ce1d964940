#include "client/ctl/targets.h"

#include <glib/gstdio.h>
#include <string.h>

#include "lib/base/error.h"

static void target_free(gpointer data)
{
    Target *target = data;
    g_free(target->name);
    g_free(target);
}

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, text);
    return FALSE;
}

static void add_target(GPtrArray *targets, const ApiResource *resource, const char *name)
{
    Target *target = g_new(Target, 1);
    *target = (Target){resource, g_strdup(name)};
    g_ptr_array_add(targets, target);
}

/* The kinds that "all" stands for. */
static const ApiResourceIndex all_kinds[] = {API_INDEX_POD, API_INDEX_SERVICE, API_INDEX_DEPLOYMENT,
                                             API_INDEX_REPLICA_SET, API_INDEX_JOB};

/* A comma list of types, each with each of the names (none: all objects). */
static gboolean add_types(GPtrArray *targets, const char *types, char **names, GError **error)
{
    static char *no_names[] = {NULL, NULL};
    g_auto(GStrv) parts = g_strsplit(types, ",", -1);
    for (char **part = parts; *part; part++) {
        if (g_str_equal(*part, "all") && !*names) {
            for (gsize i = 0; i < G_N_ELEMENTS(all_kinds); i++)
                add_target(targets, api_resource_row(all_kinds[i]), NULL);
            continue;
        }
        const ApiResource *resource = api_resource_by_name(*part);
        if (!resource)
            return fail(error, "the server doesn't have a resource type \"%s\" (see ctl api-resources)", *part);
        char **name = *names ? names : no_names;
        do
            add_target(targets, resource, *name);
        while (*name && *++name);
    }
    return TRUE;
}

static gboolean add_slashed(GPtrArray *targets, char **args, GError **error)
{
    for (char **arg = args; *arg; arg++) {
        const char *slash = strchr(*arg, '/');
        if (!slash)
            return fail(error, "there is no need to name a type as an argument of its own beside TYPE/NAME (\"%s\")",
                        *arg);
        g_autofree char *type = g_strndup(*arg, (gsize)(slash - *arg));
        if (!slash[1] || strchr(slash + 1, '/'))
            return fail(error, "arguments in TYPE/NAME form have one type and one name (\"%s\")", *arg);
        char *names[] = {(char *)slash + 1, NULL};
        if (!add_types(targets, type, names, error))
            return FALSE;
    }
    return TRUE;
}

GPtrArray *targets_parse(char **args, GError **error)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(target_free);
    gboolean slashed = FALSE;
    for (char **arg = args; *arg; arg++)
        slashed |= strchr(*arg, '/') != NULL;
    if (!*args) {
        fail(error, "you must specify the type of resource (see ctl api-resources)");
        return NULL;
    }
    gboolean good = slashed ? add_slashed(targets, args, error) : add_types(targets, args[0], args + 1, error);
    return good ? g_steal_pointer(&targets) : NULL;
}

GPtrArray *targets_parse_named(Ctl *ctl, char **args, GError **error)
{
    if (!*args) {
        ctl_set_usage_error(ctl, error);
        return NULL;
    }
    g_autoptr(GPtrArray) targets = targets_parse(args, error);
    for (guint i = 0; targets && i < targets->len; i++) {
        const Target *target = targets->pdata[i];
        if (!target->name) {
            fail(error, "%s: which one? Give a name", target->resource->plural);
            return NULL;
        }
    }
    return g_steal_pointer(&targets);
}

static gboolean add_listed(Ctl *ctl, GPtrArray *targets, const ApiResource *resource, const char *label_selector,
                           GError **error)
{
    ClientListOptions options = {.label_selector = label_selector};
    const char *namespace_ = ctl_namespace_of(ctl, resource, FALSE, error);
    g_autoptr(GPtrArray) objects = namespace_ ? ctl_list(ctl, resource, namespace_, &options, NULL, error) : NULL;
    for (guint i = 0; objects && i < objects->len; i++)
        add_target(targets, resource, api_object_name(objects->pdata[i]));
    return objects != NULL;
}

GPtrArray *targets_select(Ctl *ctl, char **args, const char *label_selector, gboolean all, GError **error)
{
    if (!label_selector && !all)
        return targets_parse_named(ctl, args, error);
    g_autoptr(GPtrArray) kinds = targets_parse(args, error);
    g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(target_free);
    for (guint i = 0; kinds && i < kinds->len; i++) {
        const Target *kind = kinds->pdata[i];
        if (kind->name) {
            fail(error, "a name (\"%s\") excludes -l and --all", kind->name);
            return NULL;
        }
        if (!add_listed(ctl, targets, kind->resource, label_selector, error))
            return NULL;
    }
    if (kinds && targets->len == 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "no matching resources found");
        return NULL;
    }
    return kinds ? g_steal_pointer(&targets) : NULL;
}

static gboolean read_text(GPtrArray *manifests, const char *text, gsize size, const char *name, GError **error)
{
    g_autoptr(GPtrArray) found = api_decode_manifests(text, size, name, error);
    if (!found)
        return FALSE;
    g_ptr_array_extend_and_steal(manifests, g_steal_pointer(&found));
    return TRUE;
}

static gboolean read_stdin(GPtrArray *manifests, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[65536];
    gsize n;
    while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        g_string_append_len(text, buffer, (gssize)n);
    if (ferror(stdin))
        return fail(error, "standard input: %s", g_strerror(errno));
    return read_text(manifests, text->str, text->len, "STDIN", error);
}

static gboolean read_file(GPtrArray *manifests, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize size;
    return g_file_get_contents(path, &text, &size, error) && read_text(manifests, text, size, path, error);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean read_folder(GPtrArray *manifests, const char *path, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (g_str_has_suffix(name, ".yaml") || g_str_has_suffix(name, ".yml") || g_str_has_suffix(name, ".json"))
            g_ptr_array_add(names, g_build_filename(path, name, NULL));
    }
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        if (!read_file(manifests, names->pdata[i], error))
            return FALSE;
    }
    return dir != NULL;
}

GPtrArray *manifests_read(char **paths, GError **error)
{
    g_autoptr(GPtrArray) manifests = g_ptr_array_new_with_free_func((GDestroyNotify)api_manifest_free);
    for (char **path = paths; *path; path++) {
        gboolean good = g_str_equal(*path, "-")                  ? read_stdin(manifests, error)
                        : g_file_test(*path, G_FILE_TEST_IS_DIR) ? read_folder(manifests, *path, error)
                                                                 : read_file(manifests, *path, error);
        if (!good)
            return NULL;
    }
    if (manifests->len == 0) {
        fail(error, "no objects in %s", paths[0]);
        return NULL;
    }
    return g_steal_pointer(&manifests);
}

gboolean manifest_set_namespace(Ctl *ctl, ApiManifest *manifest, GError **error)
{
    if (!manifest->resource->namespaced)
        return TRUE;
    const char *own = api_object_namespace(manifest->object);
    if (!*own) {
        const char *current = ctl_namespace(ctl, error);
        if (current)
            api_set_string(&api_meta(manifest->object)->namespace_, current);
        return current != NULL;
    }
    if (ctl->namespace_flag && !g_str_equal(own, ctl->namespace_flag))
        return fail(
            error,
            "%s \"%s\" of the file is in the namespace \"%s\", not in \"%s\": pass --namespace=%s or leave it out",
            manifest->resource->singular, api_object_name(manifest->object), own, ctl->namespace_flag, own);
    return TRUE;
}
