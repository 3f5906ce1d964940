#include <string.h>

#include "lib/api/selector.h"
#include "lib/base/error.h"

enum { FIELD_NAME = -1, FIELD_NAMESPACE = -2, FIELD_UNKNOWN = -3 };

typedef struct {
    int field; /* index in the resource's row, or one of the above */
    gboolean negated;
    char *value;
} Term;

struct ApiFieldSelector {
    const ApiResource *resource;
    GArray *terms; /* of Term, all of which must hold */
};

static void term_clear(gpointer data)
{
    g_free(((Term *)data)->value);
}

void api_field_selector_free(ApiFieldSelector *selector)
{
    if (!selector)
        return;
    g_array_unref(selector->terms);
    g_free(selector);
}

static int find_field(const ApiResource *resource, const char *path)
{
    if (g_str_equal(path, "metadata.name"))
        return FIELD_NAME;
    if (g_str_equal(path, "metadata.namespace"))
        return FIELD_NAMESPACE;
    for (int i = 0; resource->selectable[i].path; i++) {
        if (g_str_equal(path, resource->selectable[i].path))
            return i;
    }
    return FIELD_UNKNOWN;
}

static void fail_unknown(const ApiResource *resource, const char *path, GError **error)
{
    g_autoptr(GString) known = g_string_new("metadata.name, metadata.namespace");
    for (int i = 0; resource->selectable[i].path; i++)
        g_string_append_printf(known, ", %s", resource->selectable[i].path);
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "field selector: \"%s\" cannot be selected in %s: these can: %s", path, resource->plural, known->str);
}

/* One "path=value", "path==value" or "path!=value". */
static gboolean parse_term(ApiFieldSelector *selector, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                    "field selector: \"%s\" is none of path=value, path==value, path!=value", text);
        return FALSE;
    }
    Term term = {.negated = equals[-1] == '!'};
    g_autofree char *path = g_strndup(text, (gsize)(equals - text) - (term.negated ? 1 : 0));
    g_strstrip(path);
    term.field = find_field(selector->resource, path);
    if (term.field == FIELD_UNKNOWN) {
        fail_unknown(selector->resource, path, error);
        return FALSE;
    }
    term.value = g_strstrip(g_strdup(equals + (!term.negated && equals[1] == '=' ? 2 : 1)));
    g_array_append_val(selector->terms, term);
    return TRUE;
}

ApiFieldSelector *api_field_selector_parse(const ApiResource *resource, const char *text, GError **error)
{
    g_autoptr(ApiFieldSelector) selector = g_new0(ApiFieldSelector, 1);
    selector->resource = resource;
    selector->terms = g_array_new(FALSE, TRUE, sizeof(Term));
    g_array_set_clear_func(selector->terms, term_clear);
    g_auto(GStrv) parts = g_strsplit(api_str(text), ",", -1);
    for (char **part = parts; *part; part++) {
        g_strstrip(*part);
        if (**part && !parse_term(selector, *part, error))
            return NULL;
    }
    return g_steal_pointer(&selector);
}

gboolean api_field_selector_is_everything(const ApiFieldSelector *selector)
{
    return selector->terms->len == 0;
}

gboolean api_field_selector_matches_lookup(const ApiFieldSelector *selector, ApiFieldLookup lookup,
                                           gconstpointer object)
{
    for (guint i = 0; i < selector->terms->len; i++) {
        const Term *term = &g_array_index(selector->terms, Term, i);
        const char *value = "";
        gsize size = 0;
        lookup(object, term->field, &value, &size);
        gboolean equal = strlen(term->value) == size && memcmp(term->value, value, size) == 0;
        if (equal == term->negated)
            return FALSE;
    }
    return TRUE;
}

/* A decoded object with its row. */
typedef struct {
    const ApiResource *resource;
    const ProtobufCMessage *object;
} Decoded;

/* The string field with the path of field numbers; "" when it or a parent is unset. */
static const char *read_string(const ProtobufCMessage *message, const guint8 *numbers)
{
    for (; message; numbers++) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, *numbers);
        const void *value = G_STRUCT_MEMBER(const void *, message, field->offset);
        if (numbers[1] == 0)
            return api_str(value);
        message = value;
    }
    return "";
}

static void lookup_decoded(gconstpointer data, int field, const char **ret_value, gsize *ret_size)
{
    const Decoded *decoded = data;
    if (field == FIELD_NAME)
        *ret_value = api_object_name(decoded->object);
    else if (field == FIELD_NAMESPACE)
        *ret_value = api_object_namespace(decoded->object);
    else
        *ret_value = read_string(decoded->object, decoded->resource->selectable[field].numbers);
    *ret_size = strlen(*ret_value);
}

gboolean api_field_selector_matches(const ApiFieldSelector *selector, const ProtobufCMessage *object)
{
    Decoded decoded = {selector->resource, object};
    return api_field_selector_matches_lookup(selector, lookup_decoded, &decoded);
}

const char *api_field_selector_value(const ApiFieldSelector *selector, int field)
{
    for (guint i = 0; i < selector->terms->len; i++) {
        const Term *term = &g_array_index(selector->terms, Term, i);
        if (term->field == field && !term->negated)
            return term->value;
    }
    return NULL;
}

const char *api_field_selector_name(const ApiFieldSelector *selector)
{
    return api_field_selector_value(selector, FIELD_NAME);
}
