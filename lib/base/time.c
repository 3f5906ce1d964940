#include "lib/base/time.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

gint64 time_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * TIME_NS_PER_S + now.tv_nsec;
}

char *time_format(gint64 ns, int digits)
{
    g_assert(digits >= 0 && digits <= 9);
    gint64 seconds = ns / TIME_NS_PER_S;
    gint64 rest = ns % TIME_NS_PER_S;
    if (rest < 0) {
        seconds--;
        rest += TIME_NS_PER_S;
    }
    struct tm tm;
    time_t t = (time_t)seconds;
    gmtime_r(&t, &tm);
    char base[64], fraction[16] = "";
    strftime(base, sizeof base, "%Y-%m-%dT%H:%M:%S", &tm);
    if (digits > 0) {
        snprintf(fraction, sizeof fraction, ".%09" G_GINT64_FORMAT, rest);
        fraction[1 + digits] = '\0';
    }
    return g_strconcat(base, fraction, "Z", NULL);
}

/* Reads exactly <n> digits at *p and moves on. -1 when they are not there. */
static int take_digits(const char **p, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!g_ascii_isdigit((*p)[i]))
            return -1;
        value = value * 10 + ((*p)[i] - '0');
    }
    *p += n;
    return value;
}

static gboolean take_char(const char **p, char c)
{
    if (**p != c)
        return FALSE;
    (*p)++;
    return TRUE;
}

/* "Z", "+hh:mm" or "-hh:mm" up to the end of the text, as seconds east of UTC. */
static gboolean take_offset(const char *p, int *ret_seconds)
{
    if ((p[0] == 'Z' || p[0] == 'z') && p[1] == '\0') {
        *ret_seconds = 0;
        return TRUE;
    }
    int sign = *p == '-' ? -1 : *p == '+' ? 1 : 0;
    if (sign == 0)
        return FALSE;
    p++;
    int hours = take_digits(&p, 2);
    if (hours < 0 || hours > 23 || !take_char(&p, ':'))
        return FALSE;
    int minutes = take_digits(&p, 2);
    if (minutes < 0 || minutes > 59 || *p != '\0')
        return FALSE;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return TRUE;
}

gboolean time_parse(const char *text, gint64 *ret_ns)
{
    const char *p = text;
    int year = take_digits(&p, 4);
    if (year < 0 || !take_char(&p, '-'))
        return FALSE;
    int month = take_digits(&p, 2);
    if (month < 1 || month > 12 || !take_char(&p, '-'))
        return FALSE;
    int day = take_digits(&p, 2);
    if (!g_date_valid_dmy((GDateDay)MAX(day, 0), (GDateMonth)month, (GDateYear)year) || (*p != 'T' && *p != 't'))
        return FALSE;
    p++;
    int hour = take_digits(&p, 2);
    if (hour < 0 || hour > 23 || !take_char(&p, ':'))
        return FALSE;
    int minute = take_digits(&p, 2);
    if (minute < 0 || minute > 59 || !take_char(&p, ':'))
        return FALSE;
    int second = take_digits(&p, 2);
    if (second < 0 || second > 59)
        return FALSE;
    gint64 nanos = 0;
    if (take_char(&p, '.')) {
        gint64 unit = TIME_NS_PER_S / 10;
        if (!g_ascii_isdigit(*p))
            return FALSE;
        for (; g_ascii_isdigit(*p); p++, unit /= 10)
            nanos += (*p - '0') * unit;
    }
    int offset;
    if (!take_offset(p, &offset))
        return FALSE;
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
                    .tm_hour = hour, .tm_min = minute, .tm_sec = second};
    gint64 seconds = timegm(&tm) - offset;
    /* int64 nanoseconds reach from 1678 to 2261 */
    if (seconds > G_MAXINT64 / TIME_NS_PER_S - 1 || seconds < G_MININT64 / TIME_NS_PER_S + 1)
        return FALSE;
    *ret_ns = seconds * TIME_NS_PER_S + nanos;
    return TRUE;
}
