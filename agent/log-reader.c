#include "agent/log-reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log-line.h"
#include "lib/base/error.h"

#define BLOCK (128 * 1024)
#define LINE_MAX_SIZE (1024 * 1024) /* runtimes cut lines at 16 KiB: anything longer is no log line */
#define HEADER_MAX 64               /* stamp, stream and tag */

struct LogReader {
    char *path;
    int fd;
    LogReadOptions options;
    goffset offset;    /* next to read; while seeking: the start of the earliest line found */
    gboolean seeking;  /* looking for the start of the last tail_lines, backwards */
    goffset seek_at;   /* start of what has been looked through */
    goffset seek_end;  /* of the file when the search began */
    gint64 seek_lines; /* lines counted */
    GString *rest;     /* a line whose newline has not come */
    gboolean in_line;  /* the last piece was partial: the next goes on in the same line */
    gint64 given;      /* bytes */
};

static int open_log(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        g_set_error(error, CLEAT_ERROR, errno == ENOENT ? CLEAT_ERROR_NOT_FOUND : CLEAT_ERROR_INTERNAL,
                    "open log %s: %s", path, g_strerror(errno));
    return fd;
}

LogReader *log_reader_new(const char *path, const LogReadOptions *options, GError **error)
{
    int fd = open_log(path, error);
    if (fd < 0)
        return NULL;
    LogReader *reader = g_new0(LogReader, 1);
    reader->path = g_strdup(path);
    reader->fd = fd;
    reader->options = *options;
    reader->rest = g_string_new(NULL);
    reader->seeking = options->tail_lines >= 0;
    if (reader->seeking)
        reader->offset = reader->seek_at = reader->seek_end = MAX(lseek(fd, 0, SEEK_END), 0);
    return reader;
}

void log_reader_free(LogReader *reader)
{
    if (!reader)
        return;
    close(reader->fd);
    g_string_free(reader->rest, TRUE);
    g_free(reader->path);
    g_free(reader);
}

/* --- tail -------------------------------------------------------------------------------------------------------------*/

/* Whether the line that begins at <offset> is whole (tag F). Lines of no known form count as whole. */
static gboolean is_whole(LogReader *reader, goffset offset)
{
    char header[HEADER_MAX];
    gssize size = pread(reader->fd, header, sizeof header, offset);
    const char *newline = size > 0 ? memchr(header, '\n', (gsize)size) : NULL;
    LogLine line;
    if (newline)
        size = newline - header;
    return size <= 0 || !log_line_parse(header, (gsize)size, &line) || !line.partial;
}

/* The line [start, reader->offset) was found, going backwards. A log line may come in pieces, P ... P F: only its last piece
 * (or, at the end of the file, what there is of it) is counted. TRUE when the tail begins behind this one. */
static gboolean tail_begins(LogReader *reader, goffset start)
{
    if (start >= reader->offset)
        return FALSE;
    if (reader->offset == reader->seek_end || is_whole(reader, start)) {
        if (reader->seek_lines == reader->options.tail_lines)
            return TRUE;
        reader->seek_lines++;
    }
    reader->offset = start;
    return FALSE;
}

/* Looks for line starts in the block before seek_at. */
static void seek_back(LogReader *reader)
{
    g_autofree char *block = g_malloc(BLOCK);
    goffset begin = MAX(reader->seek_at - BLOCK, 0);
    gssize size = pread(reader->fd, block, (gsize)(reader->seek_at - begin), begin);
    for (gssize i = size - 1; i >= 0; i--) {
        if (block[i] == '\n' && tail_begins(reader, begin + i + 1)) {
            reader->seeking = FALSE;
            return;
        }
    }
    reader->seek_at = begin;
    if (begin == 0) {
        tail_begins(reader, 0);
        reader->seeking = FALSE;
    }
}

/* --- output -----------------------------------------------------------------------------------------------------------*/

static void give_line(LogReader *reader, const char *text, gsize size, GString *out)
{
    LogLine line;
    if (!log_line_parse(text, size, &line))
        return;
    gboolean starts = !reader->in_line;
    reader->in_line = line.partial;
    if ((line.is_stderr ? reader->options.no_stderr : reader->options.no_stdout) ||
        (reader->options.since_ns && log_line_time(&line) < reader->options.since_ns))
        return;
    if (reader->options.timestamps && starts) {
        g_string_append_len(out, line.stamp, (gssize)line.stamp_size);
        g_string_append_c(out, ' ');
    }
    g_string_append_len(out, line.text, (gssize)line.size);
    if (!line.partial)
        g_string_append_c(out, '\n');
}

/* Gives out the complete lines of rest and keeps what follows the last newline. */
static void give_lines(LogReader *reader, GString *out)
{
    const char *at = reader->rest->str, *end = at + reader->rest->len, *newline;
    while ((newline = memchr(at, '\n', (gsize)(end - at)))) {
        give_line(reader, at, (gsize)(newline - at), out);
        at = newline + 1;
    }
    g_string_erase(reader->rest, 0, at - reader->rest->str);
    if (reader->rest->len > LINE_MAX_SIZE)
        g_string_truncate(reader->rest, 0);
}

/* Moves on to the file that now has the log's name, if the one at hand was renamed away. */
static gboolean reopen_rotated(LogReader *reader)
{
    struct stat ours, now;
    if (fstat(reader->fd, &ours) < 0 || stat(reader->path, &now) < 0 ||
        (ours.st_ino == now.st_ino && ours.st_dev == now.st_dev))
        return FALSE;
    int fd = open_log(reader->path, NULL);
    if (fd < 0)
        return FALSE;
    close(reader->fd);
    reader->fd = fd;
    reader->offset = 0;
    g_string_truncate(reader->rest, 0);
    return TRUE;
}

LogReadResult log_reader_next(LogReader *reader, GString *out)
{
    if (reader->seeking) {
        seek_back(reader);
        return LOG_READ_MORE;
    }
    if (reader->options.limit_bytes >= 0 && reader->given >= reader->options.limit_bytes)
        return LOG_READ_LIMIT;
    gsize had = reader->rest->len, shown = out->len;
    g_string_set_size(reader->rest, had + BLOCK);
    gssize size = pread(reader->fd, reader->rest->str + had, BLOCK, reader->offset);
    g_string_set_size(reader->rest, had + (gsize)MAX(size, 0));
    if (size <= 0)
        return reopen_rotated(reader) ? LOG_READ_MORE : LOG_READ_EMPTY;
    reader->offset += size;
    give_lines(reader, out);
    reader->given += (gint64)(out->len - shown);
    if (reader->options.limit_bytes >= 0 && reader->given > reader->options.limit_bytes) {
        g_string_truncate(out, out->len - (gsize)(reader->given - reader->options.limit_bytes));
        reader->given = reader->options.limit_bytes;
    }
    return LOG_READ_MORE;
}
