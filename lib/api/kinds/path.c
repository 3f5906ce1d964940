#include "lib/api/kinds/kinds.h"

static void append(GString *text, const Path *path)
{
    if (path->parent)
        append(text, path->parent);
    if (path->name)
        g_string_append_printf(text, "%s%s", text->len > 0 ? "." : "", path->name);
    else if (path->key)
        g_string_append_printf(text, "[%s]", path->key);
    else
        g_string_append_printf(text, "[%zu]", path->index);
}

char *path_format(const Path *path)
{
    GString *text = g_string_new(NULL);
    append(text, path);
    return g_string_free(text, FALSE);
}

void fail_required(ApiFieldErrors *errors, const Path *path, const char *detail)
{
    g_autofree char *text = path_format(path);
    api_field_required(errors, text, detail);
}

void fail_invalid(ApiFieldErrors *errors, const Path *path, const char *value, const char *detail)
{
    g_autofree char *text = path_format(path);
    api_field_invalid(errors, text, value, detail);
}

void fail_number(ApiFieldErrors *errors, const Path *path, gint64 value, const char *detail)
{
    g_autofree char *text = path_format(path);
    api_field_invalid_number(errors, text, value, detail);
}

void fail_duplicate(ApiFieldErrors *errors, const Path *path, const char *value)
{
    g_autofree char *text = path_format(path);
    api_field_duplicate(errors, text, value);
}

void fail_not_supported(ApiFieldErrors *errors, const Path *path, const char *value, const char *const *allowed)
{
    g_autofree char *text = path_format(path);
    api_field_not_supported(errors, text, value, allowed);
}

void fail_forbidden(ApiFieldErrors *errors, const Path *path, const char *detail)
{
    g_autofree char *text = path_format(path);
    api_field_forbidden(errors, text, detail);
}

void fail_not_found(ApiFieldErrors *errors, const Path *path, const char *value)
{
    g_autofree char *text = path_format(path);
    api_field_not_found(errors, text, value);
}

void fail_unimplemented(ApiFieldErrors *errors, const Path *path, const char *value)
{
    g_autofree char *text = path_format(path);
    api_field_unimplemented(errors, text, value);
}

void require_name(ApiFieldErrors *errors, const Path *path, const char *value, NameRule rule)
{
    if (api_str(value)[0] == '\0')
        fail_required(errors, path, NULL);
    else
        check_name(errors, path, value, rule);
}

void check_name(ApiFieldErrors *errors, const Path *path, const char *value, NameRule rule)
{
    const char *problem = api_str(value)[0] ? rule(value) : NULL;
    if (problem)
        fail_invalid(errors, path, value, problem);
}

void require_one_of(ApiFieldErrors *errors, const Path *path, const char *value, const char *const *allowed)
{
    if (api_str(value)[0] == '\0')
        fail_required(errors, path, NULL);
    else if (!g_strv_contains(allowed, value))
        fail_not_supported(errors, path, value, allowed);
}

void check_not_negative(ApiFieldErrors *errors, const Path *path, gint64 value)
{
    if (value < 0)
        fail_number(errors, path, value, "must be greater than or equal to 0");
}

void check_port(ApiFieldErrors *errors, const Path *path, gint64 value)
{
    if (value < 1 || value > 65535)
        fail_number(errors, path, value, "must be between 1 and 65535, inclusive");
}

void check_labels(ApiFieldErrors *errors, const Path *path, ApiMapEntry *const *labels, gsize n)
{
    if (n == 0)
        return;
    g_autofree char *text = path_format(path);
    api_validate_labels(labels, n, text, errors);
}

void check_immutable(ApiFieldErrors *errors, const Path *path, const ProtobufCMessage *value,
                     const ProtobufCMessage *old)
{
    if (!same_meaning(value, old))
        fail_invalid(errors, path, NULL, "field is immutable");
}

void check_unique(ApiFieldErrors *errors, const Path *path, GHashTable *seen, const char *value)
{
    if (api_str(value)[0] && !g_hash_table_add(seen, (gpointer)value))
        fail_duplicate(errors, path, value);
}
