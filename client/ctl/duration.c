#include <string.h>

#include "client/ctl/ctl.h"
#include "lib/base/error.h"

gboolean ctl_duration_parse(const char *text, gint64 *ret_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    double sign = *text == '-' ? -1 : 1, total = 0;
    const char *p = text + (*text == '-' || *text == '+');
    if (!*p)
        return FALSE;
    while (*p) {
        char *end;
        if (!g_ascii_isdigit(*p) && *p != '.')
            return FALSE;
        double value = g_ascii_strtod(p, &end);
        if (end == p)
            return FALSE;
        gsize i = 0;
        while (i < G_N_ELEMENTS(units) && !g_str_has_prefix(end, units[i].name))
            i++;
        if (i == G_N_ELEMENTS(units) && !(*end == '\0' && p == text + (*text == '-' || *text == '+')))
            return FALSE; /* a number without a unit only stands alone, and means seconds */
        total += value * (i < G_N_ELEMENTS(units) ? units[i].ms : 1000);
        p = end + (i < G_N_ELEMENTS(units) ? strlen(units[i].name) : 0);
    }
    if (total > (double)G_MAXINT64 / 2000)
        return FALSE;
    *ret_ms = (gint64)(sign * total);
    return TRUE;
}

gboolean ctl_duration_flag(const char *flag, const char *text, gint64 fallback_ms, gint64 *ret_ms, GError **error)
{
    *ret_ms = fallback_ms;
    if (!text || ctl_duration_parse(text, ret_ms))
        return TRUE;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST,
                "--%s: expected a duration such as 30s or 1m30s, not \"%s\"", flag, text);
    return FALSE;
}
