#include "lib/base/backoff.h"

guint backoff_next(Backoff *backoff)
{
    guint64 delay = backoff->first_ms;
    for (guint i = 0; i < backoff->failures && delay < backoff->max_ms; i++)
        delay *= 2;
    backoff->failures++;
    delay = MIN(delay, backoff->max_ms);
    return (guint)(delay + (guint64)g_random_int_range(0, (gint32)(delay / 10 + 1)));
}

void backoff_reset(Backoff *backoff)
{
    backoff->failures = 0;
}
