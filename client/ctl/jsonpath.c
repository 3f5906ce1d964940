#include "client/ctl/jsonpath.h"

#include <string.h>

#include "lib/base/error.h"

/* A reader of one path or template. The nodes that a path has led to so far are in an array; each step makes the next one. */
typedef struct {
    const char *start, *at;
    json_t *root;
    GError **error;
} Path;

static gboolean fail(Path *path, const char *message)
{
    g_set_error(path->error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST, "jsonpath: %s at \"%s\" (character %d of \"%s\")",
                message, path->at, (int)(path->at - path->start) + 1, path->start);
    return FALSE;
}

static gboolean take(Path *path, const char *text)
{
    if (!g_str_has_prefix(path->at, text))
        return FALSE;
    path->at += strlen(text);
    return TRUE;
}

static void skip_space(Path *path)
{
    while (g_ascii_isspace(*path->at))
        path->at++;
}

/* 'text' or "text", with \n, \t and backslashed quotes. NULL with an error. */
static char *take_string(Path *path)
{
    char quote = *path->at++;
    GString *text = g_string_new(NULL);
    for (; *path->at && *path->at != quote; path->at++) {
        char c = *path->at;
        if (c == '\\' && path->at[1]) {
            c = *++path->at;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        g_string_append_c(text, c);
    }
    if (*path->at != quote) {
        fail(path, "a string without its end");
        g_string_free(text, TRUE);
        return NULL;
    }
    path->at++;
    return g_string_free(text, FALSE);
}

/* A name after a point; a backslash keeps a point inside it. Empty if none begins here. */
static char *take_name(Path *path)
{
    GString *name = g_string_new(NULL);
    for (; *path->at && !strchr(".[]{}()=!<>, \t\n", *path->at); path->at++) {
        if (*path->at == '\\' && path->at[1])
            path->at++;
        g_string_append_c(name, *path->at);
    }
    return g_string_free(name, FALSE);
}

static void add_children(json_t *node, GPtrArray *out)
{
    const char *key;
    json_t *child;
    size_t i;
    if (json_is_object(node)) {
        json_object_foreach(node, key, child) g_ptr_array_add(out, child);
    } else {
        json_array_foreach(node, i, child) g_ptr_array_add(out, child);
    }
}

static void add_member(json_t *node, const char *name, GPtrArray *out)
{
    json_t *child = g_str_equal(name, "*") ? NULL : json_object_get(node, name);
    if (child)
        g_ptr_array_add(out, child);
    else if (g_str_equal(name, "*"))
        add_children(node, out);
}

/* The members of that name of the node and all below it. Objects nest at most as deep as the codec reads. */
static void add_descendants(json_t *node, const char *name, GPtrArray *out)
{
    add_member(node, name, out);
    g_autoptr(GPtrArray) children = g_ptr_array_new();
    add_children(node, children);
    for (guint i = 0; i < children->len; i++)
        add_descendants(children->pdata[i], name, out);
}

static void add_slice(json_t *node, gint64 from, gint64 to, GPtrArray *out)
{
    gint64 n = (gint64)json_array_size(node);
    from = from < 0 ? from + n : from;
    to = to < 0 ? to + n : to;
    for (gint64 i = MAX(from, 0); i < MIN(to, n); i++)
        g_ptr_array_add(out, json_array_get(node, (size_t)i));
}

char *jsonpath_value_text(const json_t *value)
{
    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    char *copy = g_strdup(text);
    free(text);
    return copy;
}

static gboolean walk(Path *path, GPtrArray **nodes);

/* How two values compare: as numbers when both are, else as texts. */
static int compare(const json_t *a, const char *b)
{
    g_autofree char *text = jsonpath_value_text(a);
    char *a_end, *b_end;
    double x = g_ascii_strtod(text, &a_end), y = g_ascii_strtod(b, &b_end);
    if (*text && *b && !*a_end && !*b_end)
        return (x > y) - (x < y);
    return strcmp(text, b);
}

typedef struct {
    const char *text;
    gboolean less, equal, greater; /* the outcomes of compare() that it accepts */
} Operator;

static const Operator operators[] = {
    {"==", FALSE, TRUE, FALSE}, {"!=", TRUE, FALSE, TRUE}, {"<=", TRUE, TRUE, FALSE},
    {">=", FALSE, TRUE, TRUE},  {"<", TRUE, FALSE, FALSE}, {">", FALSE, FALSE, TRUE},
};

static const Operator *take_operator(Path *path)
{
    skip_space(path);
    for (gsize i = 0; i < G_N_ELEMENTS(operators); i++) {
        if (take(path, operators[i].text))
            return &operators[i];
    }
    return NULL;
}

/* One item against "?(@.path OP value)" or "?(@.path)"; path->at is behind the "?(" and ends behind the ")". */
static gboolean matches(Path *path, json_t *item, gboolean *ret_match)
{
    skip_space(path);
    if (!take(path, "@"))
        return fail(path, "a filter begins with @");
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_ptr_array_add(found, item);
    if (!walk(path, &found))
        return FALSE;
    *ret_match = found->len > 0;
    const Operator *operator= take_operator(path);
    if (operator) {
        skip_space(path);
        gboolean quoted = *path->at == '"' || *path->at == '\'';
        g_autofree char *value = quoted ? take_string(path) : g_strndup(path->at, strcspn(path->at, ") \t"));
        if (!value)
            return FALSE;
        path->at += quoted ? 0 : strlen(value);
        int order = found->len > 0 ? compare(found->pdata[0], value) : 0;
        *ret_match = found->len > 0 && (order < 0 ? operator->less : order > 0 ? operator->greater : operator->equal);
    }
    skip_space(path);
    return take(path, ")") || fail(path, "expected )");
}

static gboolean filter_step(Path *path, const GPtrArray *nodes, GPtrArray *out)
{
    const char *begin = path->at;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (guint i = 0; i < nodes->len; i++)
        add_children(nodes->pdata[i], items);
    gboolean match;
    if (items->len == 0) { /* the syntax is checked all the same */
        json_t *nothing = json_null();
        return matches(path, nothing, &match);
    }
    for (guint i = 0; i < items->len; i++) {
        path->at = begin;
        if (!matches(path, items->pdata[i], &match))
            return FALSE;
        if (match)
            g_ptr_array_add(out, items->pdata[i]);
    }
    return TRUE;
}

/* "3", "-1", "1:3", ":2", "*": what is between brackets and neither quoted nor a filter. */
static gboolean index_step(Path *path, const GPtrArray *nodes, GPtrArray *out)
{
    if (take(path, "*")) {
        for (guint i = 0; i < nodes->len; i++)
            add_children(nodes->pdata[i], out);
        return TRUE;
    }
    char *end;
    gint64 from = g_ascii_strtoll(path->at, &end, 10), to;
    gboolean has_from = end > path->at;
    path->at = end;
    gboolean slice = take(path, ":");
    to = g_ascii_strtoll(path->at, &end, 10);
    gboolean has_to = slice && end > path->at;
    if (!has_from && !slice)
        return fail(path, "expected an index, * or a quoted name");
    path->at = slice ? end : path->at;
    for (guint i = 0; i < nodes->len; i++) {
        gint64 n = (gint64)json_array_size(nodes->pdata[i]);
        gint64 first = from < 0 ? from + n : from;
        add_slice(nodes->pdata[i], first, slice ? (has_to ? to : n) : first + 1, out);
    }
    return TRUE;
}

static gboolean bracket_step(Path *path, const GPtrArray *nodes, GPtrArray *out)
{
    if (*path->at == '\'' || *path->at == '"') {
        g_autofree char *name = take_string(path);
        for (guint i = 0; name && i < nodes->len; i++)
            add_member(nodes->pdata[i], name, out);
        if (!name)
            return FALSE;
    } else if (take(path, "?(") ? !filter_step(path, nodes, out) : !index_step(path, nodes, out)) {
        return FALSE;
    }
    return take(path, "]") || fail(path, "expected ]");
}

/* All steps from here on. *nodes is replaced by what they lead to. */
static gboolean walk(Path *path, GPtrArray **nodes)
{
    while (*path->at == '.' || *path->at == '[') {
        g_autoptr(GPtrArray) next = g_ptr_array_new();
        if (take(path, "[")) {
            if (!bracket_step(path, *nodes, next))
                return FALSE;
        } else {
            gboolean deep = take(path, "..");
            if (!deep)
                path->at++;
            g_autofree char *name = take_name(path);
            if (!*name && *path->at == '[') /* ".['a']" is "['a']" */
                continue;
            if (!*name && (deep || (*path->at && *path->at != '}' && *path->at != ' ')))
                return fail(path, "expected a name");
            for (guint i = 0; i < (*nodes)->len; i++) {
                if (!*name)
                    g_ptr_array_add(next, (*nodes)->pdata[i]);
                else if (deep)
                    add_descendants((*nodes)->pdata[i], name, next);
                else
                    add_member((*nodes)->pdata[i], name, next);
            }
        }
        g_ptr_array_unref(*nodes);
        *nodes = g_steal_pointer(&next);
    }
    return TRUE;
}

/* A path up to its end; "$" is the root, "@" or nothing the current value. NULL with an error. */
static GPtrArray *evaluate(Path *path, json_t *current)
{
    GPtrArray *nodes = g_ptr_array_new();
    g_ptr_array_add(nodes, take(path, "$") ? path->root : current);
    (void)take(path, "@");
    if (walk(path, &nodes))
        return nodes;
    g_ptr_array_unref(nodes);
    return NULL;
}

GPtrArray *jsonpath_find(json_t *root, const char *text, GError **error)
{
    gboolean braces = *text == '{' && g_str_has_suffix(text, "}");
    g_autofree char *inner = g_strndup(text + braces, strlen(text) - 2 * (gsize)braces);
    gboolean bare = *inner && !strchr(".[$@", *inner);
    g_autofree char *full = g_strconcat(bare ? "." : "", inner, NULL);
    Path path = {full, full, root, error};
    g_autoptr(GPtrArray) nodes = evaluate(&path, root);
    if (nodes && *path.at) {
        fail(&path, "unexpected text");
        return NULL;
    }
    return g_steal_pointer(&nodes);
}

static void append_values(GString *out, const GPtrArray *nodes)
{
    for (guint i = 0; i < nodes->len; i++) {
        g_autofree char *text = jsonpath_value_text(nodes->pdata[i]);
        g_string_append_printf(out, "%s%s", i ? " " : "", text);
    }
}

static gboolean expand(Path *path, json_t *current, gboolean in_range, GString *out);

/* "{range PATH}body{end}": the body for each value. With none the body is read all the same, to find its end. */
static gboolean expand_range(Path *path, json_t *current, GString *out)
{
    g_autoptr(GPtrArray) nodes = evaluate(path, current);
    if (!nodes || !(take(path, "}") || fail(path, "expected }")))
        return FALSE;
    const char *body = path->at;
    if (nodes->len == 0) {
        g_autoptr(GString) unseen = g_string_new(NULL);
        return expand(path, json_null(), TRUE, unseen);
    }
    for (guint i = 0; i < nodes->len; i++) {
        path->at = body;
        if (!expand(path, nodes->pdata[i], TRUE, out))
            return FALSE;
    }
    return TRUE;
}

/* Text and {parts} up to the end, or in a range up to its {end}. */
static gboolean expand(Path *path, json_t *current, gboolean in_range, GString *out)
{
    while (*path->at) {
        gsize plain = strcspn(path->at, "{");
        g_string_append_len(out, path->at, (gssize)plain);
        path->at += plain;
        if (!take(path, "{"))
            break;
        skip_space(path);
        if (take(path, "end}"))
            return in_range || fail(path, "{end} without a {range}");
        if (take(path, "range ")) {
            skip_space(path);
            if (!expand_range(path, current, out))
                return FALSE;
            continue;
        }
        if (*path->at == '"' || *path->at == '\'') {
            g_autofree char *text = take_string(path);
            if (!text)
                return FALSE;
            g_string_append(out, text);
        } else {
            g_autoptr(GPtrArray) nodes = evaluate(path, current);
            if (!nodes)
                return FALSE;
            append_values(out, nodes);
        }
        skip_space(path);
        if (!take(path, "}"))
            return fail(path, "expected }");
    }
    return !in_range || fail(path, "a {range} without its {end}");
}

char *jsonpath_expand(json_t *root, const char *template, GError **error)
{
    Path path = {template, template, root, error};
    g_autoptr(GString) out = g_string_new(NULL);
    if (!expand(&path, root, FALSE, out))
        return NULL;
    return g_string_free(g_steal_pointer(&out), FALSE);
}
