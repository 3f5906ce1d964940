#include "lib/api/column.h"

#include "lib/base/time.h"

/* A first unit, and what is left of it in the second unless that is none. */
static char *two_units(gint64 first, char first_unit, gint64 second, char second_unit)
{
    return second
               ? g_strdup_printf("%" G_GINT64_FORMAT "%c%" G_GINT64_FORMAT "%c", first, first_unit, second, second_unit)
               : g_strdup_printf("%" G_GINT64_FORMAT "%c", first, first_unit);
}

char *api_duration_format(gint64 ns)
{
    gint64 seconds = ns / TIME_NS_PER_S, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < -1) /* a second of difference between the clocks of two machines is no news */
        return g_strdup("<invalid>");
    if (seconds < 120)
        return two_units(MAX(seconds, 0), 's', 0, 's');
    if (minutes < 10)
        return two_units(minutes, 'm', seconds % 60, 's');
    if (hours < 3)
        return two_units(minutes, 'm', 0, 's');
    if (hours < 8)
        return two_units(hours, 'h', minutes % 60, 'm');
    if (hours < 48)
        return two_units(hours, 'h', 0, 'm');
    if (days < 8)
        return two_units(days, 'd', hours % 24, 'h');
    if (days < 2 * 365)
        return two_units(days, 'd', 0, 'h');
    return two_units(days / 365, 'y', days < 8 * 365 ? days % 365 : 0, 'd');
}

char *api_elapsed_format(gint64 from_ns, gint64 to_ns)
{
    gint64 ns;
    if (__builtin_sub_overflow(to_ns, from_ns, &ns))
        ns = to_ns < from_ns ? G_MININT64 : G_MAXINT64;
    return api_duration_format(ns);
}

char *api_age_format(const Meta__V1__Time *then, gint64 now_ns)
{
    return then ? api_elapsed_format(api_time_ns(then), now_ns) : g_strdup("<unknown>");
}
