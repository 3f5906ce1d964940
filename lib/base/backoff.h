/* Exponential back-off with jitter. Plain values: no allocation, no clock. */
#pragma once

#include <glib.h>

typedef struct {
    guint first_ms; /* the first delay */
    guint max_ms;   /* no delay is longer */
    guint failures; /* so far; 0 after a success */
} Backoff;

/* Counts a failure and returns how long to wait, in ms: first * 2^(failures-1), capped, and up to 10 % more at random. */
guint backoff_next(Backoff *backoff);
void backoff_reset(Backoff *backoff);
