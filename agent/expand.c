#include "agent/expand.h"

#include <string.h>

/* Reads the variable at <at>, which points behind "$(". Returns what follows ")", or NULL if there is none. */
static const char *read_variable(GString *out, const char *at, ExpandLookup lookup, gpointer data)
{
    const char *end = strchr(at, ')');
    if (!end)
        return NULL;
    g_autofree char *name = g_strndup(at, (gsize)(end - at));
    const char *value = lookup(name, data);
    if (value)
        g_string_append(out, value);
    else
        g_string_append_printf(out, "$(%s)", name);
    return end + 1;
}

char *expand(const char *text, ExpandLookup lookup, gpointer data)
{
    GString *out = g_string_sized_new(strlen(text));
    for (const char *at = text; *at;) {
        const char *after = at[0] == '$' && at[1] == '(' ? read_variable(out, at + 2, lookup, data) : NULL;
        if (after) {
            at = after;
            continue;
        }
        g_string_append_c(out, *at);
        at += at[0] == '$' && at[1] == '$' ? 2 : 1;
    }
    return g_string_free(out, FALSE);
}
