#include "lib/api/selector.h"

#include <string.h>

#include "lib/api/validate.h"
#include "lib/base/error.h"

#define REQUIREMENTS_MAX 256 /* each is tried on each object */

typedef enum { OP_IN, OP_NOT_IN, OP_EXISTS, OP_NOT_EXISTS } Operator;

typedef struct {
    char *key;
    Operator op;
    GPtrArray *values; /* of strings, sorted; empty for the last two operators */
} Requirement;

struct ApiSelector {
    GPtrArray *requirements; /* of Requirement*, all of which must hold; sorted by key */
    gboolean nothing;        /* matches no object whatever the requirements */
};

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void requirement_free(gpointer data)
{
    Requirement *requirement = data;
    g_free(requirement->key);
    g_ptr_array_unref(requirement->values);
    g_free(requirement);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Requirement, requirement_free)

static Requirement *requirement_new(const char *key, Operator op)
{
    Requirement *requirement = g_new0(Requirement, 1);
    requirement->key = g_strdup(key);
    requirement->op = op;
    requirement->values = g_ptr_array_new_with_free_func(g_free);
    return requirement;
}

static int compare_requirements(gconstpointer a, gconstpointer b)
{
    const Requirement *first = *(const Requirement *const *)a, *second = *(const Requirement *const *)b;
    int order = strcmp(first->key, second->key);
    return order ? order : (int)first->op - (int)second->op;
}

static ApiSelector *selector_new(void)
{
    ApiSelector *selector = g_new0(ApiSelector, 1);
    selector->requirements = g_ptr_array_new_with_free_func(requirement_free);
    return selector;
}

void api_selector_free(ApiSelector *selector)
{
    if (!selector)
        return;
    g_ptr_array_unref(selector->requirements);
    g_free(selector);
}

/* Takes ownership of the requirement, checks it and adds it. */
static gboolean selector_add(ApiSelector *selector, Requirement *requirement, GError **error)
{
    g_ptr_array_sort(requirement->values, compare_strings);
    g_ptr_array_add(selector->requirements, requirement);
    if (selector->requirements->len > REQUIREMENTS_MAX) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "selector: more than %d requirements",
                    REQUIREMENTS_MAX);
        return FALSE;
    }
    const char *problem = api_name_qualified(requirement->key);
    if (problem) {
        g_autofree char *safe = g_strescape(requirement->key, NULL);
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "selector: \"%s\" is no label key: %s", safe, problem);
        return FALSE;
    }
    for (guint i = 0; i < requirement->values->len; i++) {
        problem = api_name_label_value(requirement->values->pdata[i]);
        if (problem) {
            g_autofree char *safe = g_strescape(requirement->values->pdata[i], NULL);
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "selector: \"%s\" is no label value: %s", safe,
                        problem);
            return FALSE;
        }
    }
    return TRUE;
}

static void selector_finish(ApiSelector *selector)
{
    g_ptr_array_sort(selector->requirements, compare_requirements);
}

/* The text form. Words are runs of anything but blanks and the characters that have a meaning. */
#define SPECIAL " \t\r\n,()=!<>"

typedef struct {
    const char *text, *at;
    GError **error;
} Parser;

static void skip_blanks(Parser *parser)
{
    parser->at += strspn(parser->at, " \t\r\n");
}

static gboolean take(Parser *parser, const char *token)
{
    skip_blanks(parser);
    if (!g_str_has_prefix(parser->at, token))
        return FALSE;
    parser->at += strlen(token);
    return TRUE;
}

static char *take_word(Parser *parser)
{
    skip_blanks(parser);
    gsize n = strcspn(parser->at, SPECIAL);
    char *word = g_strndup(parser->at, n);
    parser->at += n;
    return word;
}

static gboolean parse_error(const Parser *parser, const char *expected)
{
    g_set_error(parser->error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "label selector \"%s\", at character %d: expected %s", parser->text,
                (int)(parser->at - parser->text) + 1, expected);
    return FALSE;
}

/* "(a, b)"; an empty value stands between two commas. */
static gboolean parse_set(Parser *parser, GPtrArray *values)
{
    if (!take(parser, "("))
        return parse_error(parser, "\"(\"");
    do
        g_ptr_array_add(values, take_word(parser));
    while (take(parser, ","));
    return take(parser, ")") || parse_error(parser, "\",\" or \")\"");
}

/* What follows a key: an operator and its values. */
static gboolean parse_condition(Parser *parser, Requirement *requirement)
{
    gboolean differs = take(parser, "!=");
    if (differs || take(parser, "==") || take(parser, "=")) {
        requirement->op = differs ? OP_NOT_IN : OP_IN;
        g_ptr_array_add(requirement->values, take_word(parser));
        return TRUE;
    }
    const char *start = parser->at;
    g_autofree char *word = take_word(parser);
    if (g_str_equal(word, "in") || g_str_equal(word, "notin")) {
        requirement->op = g_str_equal(word, "in") ? OP_IN : OP_NOT_IN;
        return parse_set(parser, requirement->values);
    }
    parser->at = start;
    return word[0] == '\0' || parse_error(parser, "one of = == != in notin \",\"");
}

static gboolean parse_requirement(Parser *parser, ApiSelector *selector)
{
    gboolean absent = take(parser, "!");
    g_autofree char *key = take_word(parser);
    if (key[0] == '\0')
        return parse_error(parser, "a label key");
    g_autoptr(Requirement) requirement = requirement_new(key, absent ? OP_NOT_EXISTS : OP_EXISTS);
    if (!absent && !parse_condition(parser, requirement))
        return FALSE;
    return selector_add(selector, g_steal_pointer(&requirement), parser->error);
}

ApiSelector *api_selector_parse(const char *text, GError **error)
{
    g_autoptr(ApiSelector) selector = selector_new();
    Parser parser = {api_str(text), api_str(text), error};
    skip_blanks(&parser);
    if (*parser.at == '\0')
        return g_steal_pointer(&selector);
    do {
        if (!parse_requirement(&parser, selector))
            return NULL;
    } while (take(&parser, ","));
    skip_blanks(&parser);
    if (*parser.at != '\0') {
        parse_error(&parser, "\",\" or the end");
        return NULL;
    }
    selector_finish(selector);
    return g_steal_pointer(&selector);
}

static const struct {
    const char *name;
    Operator op;
    gboolean has_values;
} operators[] = {
    {"In", OP_IN, TRUE},
    {"NotIn", OP_NOT_IN, TRUE},
    {"Exists", OP_EXISTS, FALSE},
    {"DoesNotExist", OP_NOT_EXISTS, FALSE},
};

static gboolean add_expression(ApiSelector *selector, const Meta__V1__LabelSelectorRequirement *expression,
                               GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(operators); i++) {
        if (!api_str_equal(expression->operator_, operators[i].name))
            continue;
        if (operators[i].has_values != (expression->n_values > 0)) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "selector: operator %s of key \"%s\" %s values",
                        operators[i].name, api_str(expression->key), operators[i].has_values ? "needs" : "takes no");
            return FALSE;
        }
        Requirement *requirement = requirement_new(api_str(expression->key), operators[i].op);
        for (gsize k = 0; k < expression->n_values; k++)
            g_ptr_array_add(requirement->values, g_strdup(expression->values[k]));
        return selector_add(selector, requirement, error);
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "selector: \"%s\" is no operator: In, NotIn, Exists and DoesNotExist are",
                api_str(expression->operator_));
    return FALSE;
}

static gboolean add_map(ApiSelector *selector, ApiMapEntry *const *entries, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++) {
        Requirement *requirement = requirement_new(api_str(entries[i]->key), OP_IN);
        g_ptr_array_add(requirement->values, g_strdup(api_str(entries[i]->value)));
        if (!selector_add(selector, requirement, error))
            return FALSE;
    }
    return TRUE;
}

ApiSelector *api_selector_from_message(const Meta__V1__LabelSelector *message, GError **error)
{
    g_autoptr(ApiSelector) selector = selector_new();
    selector->nothing = message == NULL;
    if (message && !add_map(selector, API_MAP(message->matchlabels), message->n_matchlabels, error))
        return NULL;
    for (gsize i = 0; message && i < message->n_matchexpressions; i++) {
        if (!add_expression(selector, message->matchexpressions[i], error))
            return NULL;
    }
    selector_finish(selector);
    return g_steal_pointer(&selector);
}

ApiSelector *api_selector_from_map(ApiMapEntry *const *entries, gsize n)
{
    ApiSelector *selector = selector_new();
    /* A map that validation would not have let in selects nothing. */
    selector->nothing = n == 0 || !add_map(selector, entries, n, NULL);
    selector_finish(selector);
    return selector;
}

static gboolean contains(const GPtrArray *values, const char *value, gsize size)
{
    for (guint i = 0; i < values->len; i++) {
        const char *one = values->pdata[i];
        if (strlen(one) == size && memcmp(one, value, size) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean requirement_holds(const Requirement *requirement, ApiLabelLookup lookup, gconstpointer labels)
{
    const char *value = "";
    gsize size = 0;
    gboolean present = lookup(labels, requirement->key, &value, &size);
    switch (requirement->op) {
    case OP_IN:
        return present && contains(requirement->values, value, size);
    case OP_NOT_IN:
        return !present || !contains(requirement->values, value, size);
    case OP_EXISTS:
        return present;
    default:
        return !present;
    }
}

gboolean api_selector_matches_lookup(const ApiSelector *selector, ApiLabelLookup lookup, gconstpointer labels)
{
    if (selector->nothing)
        return FALSE;
    for (guint i = 0; i < selector->requirements->len; i++) {
        if (!requirement_holds(selector->requirements->pdata[i], lookup, labels))
            return FALSE;
    }
    return TRUE;
}

typedef struct {
    ApiMapEntry *const *entries;
    gsize n;
} Labels;

static gboolean lookup_in_map(gconstpointer data, const char *key, const char **ret_value, gsize *ret_size)
{
    const Labels *labels = data;
    const char *value = api_map_get(labels->entries, labels->n, key);
    if (!value)
        return FALSE;
    *ret_value = value;
    *ret_size = strlen(value);
    return TRUE;
}

gboolean api_selector_matches(const ApiSelector *selector, ApiMapEntry *const *labels, gsize n)
{
    Labels map = {labels, n};
    return api_selector_matches_lookup(selector, lookup_in_map, &map);
}

gboolean api_selector_matches_meta(const ApiSelector *selector, const Meta__V1__ObjectMeta *meta)
{
    return meta ? api_selector_matches(selector, API_MAP(meta->labels), meta->n_labels)
                : api_selector_matches(selector, NULL, 0);
}

gboolean api_selector_is_everything(const ApiSelector *selector)
{
    return !selector->nothing && selector->requirements->len == 0;
}

static void format_requirement(GString *text, const Requirement *requirement)
{
    gboolean single = requirement->values->len == 1;
    switch (requirement->op) {
    case OP_EXISTS:
        g_string_append(text, requirement->key);
        return;
    case OP_NOT_EXISTS:
        g_string_append_printf(text, "!%s", requirement->key);
        return;
    case OP_IN:
        g_string_append_printf(text, single ? "%s=" : "%s in (", requirement->key);
        break;
    case OP_NOT_IN:
        g_string_append_printf(text, single ? "%s!=" : "%s notin (", requirement->key);
        break;
    }
    for (guint i = 0; i < requirement->values->len; i++)
        g_string_append_printf(text, "%s%s", i > 0 ? "," : "", (const char *)requirement->values->pdata[i]);
    if (!single)
        g_string_append_c(text, ')');
}

char *api_selector_format(const ApiSelector *selector)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < selector->requirements->len; i++) {
        if (i > 0)
            g_string_append_c(text, ',');
        format_requirement(text, selector->requirements->pdata[i]);
    }
    return g_strdup(text->str);
}
