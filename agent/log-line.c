#include "agent/log-line.h"

#include <string.h>

#include "lib/base/time.h"

#define STAMP_MAX 40

/* The word up to the next blank; NULL if there is no blank. Moves *at behind it. */
static const char *next_word(const char **at, const char *end, gsize *ret_size)
{
    const char *blank = memchr(*at, ' ', (gsize)(end - *at));
    if (!blank)
        return NULL;
    const char *word = *at;
    *ret_size = (gsize)(blank - word);
    *at = blank + 1;
    return word;
}

/* The tag's letters are separated by ":" and the first says whether the line is whole. */
gboolean log_line_parse(const char *line, gsize size, LogLine *ret_line)
{
    const char *at = line, *end = line + size;
    LogLine parsed = {0};
    gsize stream_size, tag_size = 0;
    parsed.stamp = next_word(&at, end, &parsed.stamp_size);
    if (!parsed.stamp || parsed.stamp_size == 0 || parsed.stamp_size > STAMP_MAX)
        return FALSE;
    const char *stream = next_word(&at, end, &stream_size);
    if (!stream || stream_size != 6 || (memcmp(stream, "stdout", 6) != 0 && memcmp(stream, "stderr", 6) != 0))
        return FALSE;
    const char *tag = next_word(&at, end, &tag_size);
    if (!tag) { /* an empty line may lack the last blank */
        tag = at;
        tag_size = (gsize)(end - at);
        at = end;
    }
    if (tag_size == 0 || (tag[0] != 'P' && tag[0] != 'F') || (tag_size > 1 && tag[1] != ':'))
        return FALSE;
    parsed.is_stderr = stream[3] == 'e';
    parsed.partial = tag[0] == 'P';
    parsed.text = at;
    parsed.size = (gsize)(end - at);
    *ret_line = parsed;
    return TRUE;
}

gint64 log_line_time(const LogLine *line)
{
    char stamp[STAMP_MAX + 1];
    gint64 ns = 0;
    memcpy(stamp, line->stamp, line->stamp_size);
    stamp[line->stamp_size] = '\0';
    return time_parse(stamp, &ns) ? ns : 0;
}
