#include "client/ctl/lines.h"

#include <string.h>

#include "client/ctl/jsonpath.h"

typedef struct {
    guint depth;
    char *key;   /* NULL: text that stands for itself */
    char *value; /* NULL: a title */
} Line;

struct Lines {
    GArray *lines;
    guint depth;
};

static void line_clear(gpointer data)
{
    Line *line = data;
    g_free(line->key);
    g_free(line->value);
}

Lines *lines_new(void)
{
    Lines *lines = g_new0(Lines, 1);
    lines->lines = g_array_new(FALSE, FALSE, sizeof(Line));
    g_array_set_clear_func(lines->lines, line_clear);
    return lines;
}

void lines_free(Lines *lines)
{
    if (!lines)
        return;
    g_array_unref(lines->lines);
    g_free(lines);
}

static void push(Lines *lines, const char *key, const char *value)
{
    Line line = {lines->depth, g_strdup(key), g_strdup(value)};
    g_array_append_val(lines->lines, line);
}

void lines_add(Lines *lines, const char *key, const char *value)
{
    push(lines, key, value && *value ? value : "<none>");
}

void lines_addf(Lines *lines, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *value = g_strdup_vprintf(format, args);
    va_end(args);
    lines_add(lines, key, value);
}

void lines_add_set(Lines *lines, const char *key, const char *value)
{
    if (value && *value)
        push(lines, key, value);
}

void lines_title(Lines *lines, const char *key)
{
    push(lines, key, NULL);
}

void lines_in(Lines *lines)
{
    lines->depth++;
}

void lines_out(Lines *lines)
{
    lines->depth--;
}

void lines_text(Lines *lines, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "\n", -1);
    for (char **part = parts; *part; part++) {
        if (**part || part[1])
            push(lines, NULL, *part);
    }
}

void lines_add_map(Lines *lines, const char *key, ApiMapEntry *const *entries, gsize n, const char *separator)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < n; i++)
        g_string_append_printf(text, "%s%s%s%s", i ? "\n" : "", api_str(entries[i]->key), separator,
                               api_str(entries[i]->value));
    lines_add(lines, key, text->str);
}

/* Words begin where a capital follows a small letter, or begins a word after an abbreviation: "podIPAddress" is
 * "Pod IP Address"; an "s" after an abbreviation is its plural. */
char *lines_words(const char *name)
{
    GString *out = g_string_new(NULL);
    for (const char *p = name; *p; p++) {
        gboolean upper = g_ascii_isupper(*p), after_lower = p > name && g_ascii_islower(p[-1]);
        gboolean ends_abbreviation =
            p > name && g_ascii_isupper(p[-1]) && g_ascii_islower(p[1]) && !g_str_equal(p + 1, "s");
        if (upper && (after_lower || ends_abbreviation))
            g_string_append_c(out, ' ');
        g_string_append_c(out, p == name ? g_ascii_toupper(*p) : *p);
    }
    return g_string_free(out, FALSE);
}

static void add_list(Lines *lines, const char *key, const json_t *list)
{
    g_autoptr(GString) scalars = g_string_new(NULL);
    json_t *item;
    size_t i;
    gboolean blocks = FALSE;
    json_array_foreach((json_t *)list, i, item) blocks |= json_is_object(item) || json_is_array(item);
    if (blocks)
        lines_title(lines, key);
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_is_object(item)) {
            lines_in(lines);
            lines_add_tree(lines, item);
            lines_out(lines);
            continue;
        }
        g_autofree char *text = jsonpath_value_text(item);
        g_string_append_printf(scalars, "%s%s", i ? "\n" : "", text);
    }
    if (!blocks)
        lines_add(lines, key, scalars->str);
}

void lines_add_tree(Lines *lines, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        g_autofree char *key = lines_words(name);
        if (json_is_object(value) && json_object_size(value) > 0) {
            lines_title(lines, key);
            lines_in(lines);
            lines_add_tree(lines, value);
            lines_out(lines);
        } else if (json_is_array(value)) {
            add_list(lines, key, value);
        } else {
            g_autofree char *text = json_is_object(value) ? NULL : jsonpath_value_text(value);
            lines_add(lines, key, text);
        }
    }
}

/* The width of the keys of the block that line <at> is in: its neighbours of the same depth up to a line less deep. */
static gsize key_width(const Lines *lines, guint at)
{
    const Line *all = (const Line *)(gconstpointer)lines->lines->data;
    guint depth = all[at].depth, from = at, to = at;
    while (from > 0 && all[from - 1].depth >= depth)
        from--;
    while (to < lines->lines->len && all[to].depth >= depth)
        to++;
    gsize width = 0;
    for (guint i = from; i < to; i++) {
        if (all[i].depth == depth && all[i].key && all[i].value)
            width = MAX(width, (gsize)g_utf8_strlen(all[i].key, -1));
    }
    return width;
}

static void format_value(GString *out, const char *value, gsize column)
{
    g_auto(GStrv) parts = g_strsplit(value, "\n", -1);
    for (char **part = parts; *part; part++) {
        if (part > parts && !(**part == '\0' && !part[1]))
            g_string_append_printf(out, "\n%*s", (int)column, "");
        g_string_append(out, *part);
    }
}

char *lines_format(const Lines *lines)
{
    GString *out = g_string_new(NULL);
    gsize width = 0;
    for (guint i = 0; i < lines->lines->len; i++) {
        const Line *line = &g_array_index(lines->lines, Line, i);
        const Line *last = i > 0 ? &g_array_index(lines->lines, Line, i - 1) : NULL;
        if (!last || last->depth != line->depth)
            width = key_width(lines, i);
        g_string_append_printf(out, "%*s", (int)(2 * line->depth), "");
        if (!line->key) {
            g_string_append(out, line->value);
        } else {
            g_string_append_printf(out, "%s:", line->key);
            gsize padding = width + 2 - (gsize)MIN((gsize)g_utf8_strlen(line->key, -1), width);
            if (line->value) {
                g_string_append_printf(out, "%*s", (int)padding, "");
                format_value(out, line->value, 2 * line->depth + width + 3);
            }
        }
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}
