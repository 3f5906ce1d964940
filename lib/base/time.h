/* Wall-clock time as nanoseconds since 1970 UTC, and its RFC 3339 form. For durations use g_get_monotonic_time(). */
#pragma once

#include <glib.h>

#define TIME_NS_PER_S G_GINT64_CONSTANT(1000000000)

gint64 time_now_ns(void);

/* "2026-01-31T12:00:00Z", with <digits> (0..9) decimals of a second. New string. */
char *time_format(gint64 ns, int digits);

/* Reads RFC 3339 with any number of decimals (those after the ninth are dropped) and "Z" or a numeric offset.
 * FALSE for anything else; *ret_ns is then unchanged. */
gboolean time_parse(const char *text, gint64 *ret_ns);
