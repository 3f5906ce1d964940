/* One line of a container's log file as CRI runtimes write it: "<RFC3339Nano> stdout|stderr P|F <text>". Pure. */
#pragma once

#include <glib.h>

/* Points into the text that was parsed. */
typedef struct {
    const char *stamp;
    gsize stamp_size;
    const char *text; /* without the newline */
    gsize size;
    gboolean is_stderr;
    gboolean partial; /* tag P: the line goes on in the next one */
} LogLine;

/* line: without the newline. FALSE for anything that is not of the form. */
gboolean log_line_parse(const char *line, gsize size, LogLine *ret_line);
/* Wall-clock ns of the line's stamp; 0 if it is none. */
gint64 log_line_time(const LogLine *line);
