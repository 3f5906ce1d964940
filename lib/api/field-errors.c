/* The list of field errors, worded as Kubernetes words them. */
#include <string.h>

#include "lib/api/validate.h"
#include "lib/base/error.h"

#define KEPT_MAX 64
#define SHOWN_VALUE_MAX 200 /* bytes of a user's value in a message */

typedef struct {
    char *path;
    const char *reason; /* static */
    char *message;
} FieldError;

struct ApiFieldErrors {
    GArray *kept; /* of FieldError */
    guint count;
};

static void field_error_clear(gpointer data)
{
    FieldError *one = data;
    g_free(one->path);
    g_free(one->message);
}

ApiFieldErrors *api_field_errors_new(void)
{
    ApiFieldErrors *errors = g_new0(ApiFieldErrors, 1);
    errors->kept = g_array_new(FALSE, TRUE, sizeof(FieldError));
    g_array_set_clear_func(errors->kept, field_error_clear);
    return errors;
}

void api_field_errors_free(ApiFieldErrors *errors)
{
    if (!errors)
        return;
    g_array_unref(errors->kept);
    g_free(errors);
}

guint api_field_errors_count(const ApiFieldErrors *errors)
{
    return errors->count;
}

static void G_GNUC_PRINTF(4, 5)
    add(ApiFieldErrors *errors, const char *path, const char *reason, const char *format, ...)
{
    if (++errors->count > KEPT_MAX)
        return;
    va_list args;
    va_start(args, format);
    FieldError one = {g_strdup(path), reason, g_strdup_vprintf(format, args)};
    va_end(args);
    g_array_append_val(errors->kept, one);
}

/* In quotes, with control characters escaped, UTF-8 left as it is, and the end of a long text left out. */
static char *quote(const char *value)
{
    char high[129];
    for (int i = 0; i < 128; i++)
        high[i] = (char)(128 + i);
    high[128] = '\0';
    gsize size = strlen(value);
    g_autofree char *head = g_strndup(value, SHOWN_VALUE_MAX);
    g_autofree char *valid = g_utf8_make_valid(head, -1);
    g_autofree char *escaped = g_strescape(valid, high);
    return g_strconcat("\"", escaped, size > SHOWN_VALUE_MAX ? "...\"" : "\"", NULL);
}

void api_field_required(ApiFieldErrors *errors, const char *path, const char *detail)
{
    gboolean more = detail && detail[0];
    add(errors, path, "FieldValueRequired", "Required value%s%s", more ? ": " : "", more ? detail : "");
}

void api_field_invalid(ApiFieldErrors *errors, const char *path, const char *value, const char *detail)
{
    g_autofree char *quoted = value ? quote(value) : NULL;
    add(errors, path, "FieldValueInvalid", "Invalid value: %s%s%s", quoted ? quoted : "", quoted ? ": " : "", detail);
}

void api_field_invalid_number(ApiFieldErrors *errors, const char *path, gint64 value, const char *detail)
{
    add(errors, path, "FieldValueInvalid", "Invalid value: %" G_GINT64_FORMAT ": %s", value, detail);
}

void api_field_duplicate(ApiFieldErrors *errors, const char *path, const char *value)
{
    g_autofree char *quoted = quote(api_str(value));
    add(errors, path, "FieldValueDuplicate", "Duplicate value: %s", quoted);
}

void api_field_not_supported(ApiFieldErrors *errors, const char *path, const char *value, const char *const *allowed)
{
    g_autofree char *quoted = quote(api_str(value));
    g_autofree char *list = g_strjoinv("\", \"", (char **)allowed);
    add(errors, path, "FieldValueNotSupported", "Unsupported value: %s: supported values: \"%s\"", quoted, list);
}

void api_field_not_found(ApiFieldErrors *errors, const char *path, const char *value)
{
    g_autofree char *quoted = quote(api_str(value));
    add(errors, path, "FieldValueNotFound", "Not found: %s", quoted);
}

void api_field_forbidden(ApiFieldErrors *errors, const char *path, const char *detail)
{
    add(errors, path, "FieldValueForbidden", "Forbidden: %s", detail);
}

void api_field_unimplemented(ApiFieldErrors *errors, const char *path, const char *value)
{
    g_autofree char *quoted = value ? quote(value) : NULL;
    add(errors, path, "FieldValueForbidden", "%s%snot implemented in this release", quoted ? quoted : "",
        quoted ? ": " : "");
}

/* "path: message", in brackets and joined by commas when there are several. */
static char *join(const ApiFieldErrors *errors)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < errors->kept->len; i++) {
        const FieldError *one = &g_array_index(errors->kept, FieldError, i);
        g_string_append_printf(text, "%s%s: %s", i > 0 ? ", " : "", one->path, one->message);
    }
    if (errors->count > errors->kept->len)
        g_string_append_printf(text, ", and %u more", errors->count - errors->kept->len);
    return errors->count == 1 ? g_strdup(text->str) : g_strdup_printf("[%s]", text->str);
}

gboolean api_field_errors_check(const ApiFieldErrors *errors, const ApiResource *resource, const char *name,
                                GError **error)
{
    if (errors->count == 0)
        return TRUE;
    if (!error)
        return FALSE;
    g_autofree char *text = join(errors);
    g_autofree char *quoted = quote(name);
    GError *invalid = g_error_new(CLEAT_ERROR, CLEAT_ERROR_INVALID, "%s%s%s %s is invalid: %s", resource->kind,
                                  resource->group[0] ? "." : "", resource->group, quoted, text);
    cleat_error_set_object(invalid, resource->group, resource->kind, name);
    for (guint i = 0; i < errors->kept->len; i++) {
        const FieldError *one = &g_array_index(errors->kept, FieldError, i);
        cleat_error_add_cause(invalid, one->path, one->reason, one->message);
    }
    g_propagate_error(error, invalid);
    return FALSE;
}
