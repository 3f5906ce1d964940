/* How tables write durations and ages. Thread-safe. */
#pragma once

#include "lib/api/object.h"

/* "45s", "5m30s", "3h", "12d": two units at most, as kubectl writes them; "<invalid>" when clearly negative. New
 * string. */
char *api_duration_format(gint64 ns);

/* The same for the time between two moments, which may be any (of objects that clients have made). */
char *api_elapsed_format(gint64 from_ns, gint64 to_ns);

/* The time from <then> to now, or "<unknown>" when it is not set. New string. */
char *api_age_format(const Meta__V1__Time *then, gint64 now_ns);
