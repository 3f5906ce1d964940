/* Reads a container's log file in small steps, so that a large file never holds up the loop. Follows the file through
 * rotation: what a rename left in the old file is read to its end first. One thread. */
#pragma once

#include <glib.h>

typedef struct {
    gint64 tail_lines;  /* -1: all */
    gint64 limit_bytes; /* of output; -1: none */
    gint64 since_ns;    /* wall clock; lines before it are left out; 0: none */
    gboolean timestamps;
    gboolean no_stdout, no_stderr;
} LogReadOptions;

typedef struct LogReader LogReader;

typedef enum {
    LOG_READ_MORE,  /* output may have come; call again */
    LOG_READ_EMPTY, /* the end of the file as it is now */
    LOG_READ_LIMIT, /* limit_bytes have been given out: nothing more comes */
} LogReadResult;

/* Errors: NOT_FOUND when there is no such file, INTERNAL naming it. */
LogReader *log_reader_new(const char *path, const LogReadOptions *options, GError **error);
void log_reader_free(LogReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LogReader, log_reader_free)

/* Reads up to 128 KiB of the file and appends what is to be shown to <out>. */
LogReadResult log_reader_next(LogReader *reader, GString *out);
