#include <glib/gstdio.h>
#include <string.h>

#include "agent/log-line.h"
#include "agent/log-reader.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define T "2026-01-31T12:00:0"

static void test_line(void)
{
    static const struct {
        const char *line;
        gboolean ok;
        const char *text;
        gboolean is_stderr, partial;
    } rows[] = {
        {T "1.5Z stdout F hello world", TRUE, "hello world", FALSE, FALSE},
        {T "1.5Z stderr P part", TRUE, "part", TRUE, TRUE},
        {T "1Z stdout F ", TRUE, "", FALSE, FALSE},
        {T "1Z stdout F", TRUE, "", FALSE, FALSE},
        {T "1Z stdout P:x y", TRUE, "y", FALSE, TRUE},
        {T "1Z stdout F  two", TRUE, " two", FALSE, FALSE},
        {"", FALSE, NULL, FALSE, FALSE},
        {"hello", FALSE, NULL, FALSE, FALSE},
        {T "1Z stdin F x", FALSE, NULL, FALSE, FALSE},
        {T "1Z stdout X x", FALSE, NULL, FALSE, FALSE},
        {T "1Z stdout Fx x", FALSE, NULL, FALSE, FALSE},
        {T "1Z stdout", FALSE, NULL, FALSE, FALSE},
        {" stdout F x", FALSE, NULL, FALSE, FALSE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        LogLine line;
        g_assert_cmpint(log_line_parse(rows[i].line, strlen(rows[i].line), &line), ==, rows[i].ok);
        if (!rows[i].ok)
            continue;
        g_assert_cmpmem(line.text, line.size, rows[i].text, strlen(rows[i].text));
        g_assert_cmpint(line.is_stderr, ==, rows[i].is_stderr);
        g_assert_cmpint(line.partial, ==, rows[i].partial);
        gint64 base;
        g_assert_true(time_parse(T "1Z", &base));
        g_assert_cmpint(log_line_time(&line) / TIME_NS_PER_S, ==, base / TIME_NS_PER_S);
    }
}

static char *read_all(LogReader *reader, LogReadResult *ret_result)
{
    GString *out = g_string_new(NULL);
    while ((*ret_result = log_reader_next(reader, out)) == LOG_READ_MORE)
        ;
    return g_string_free(out, FALSE);
}

static char *write_temp(const char *text)
{
    g_autofree char *dir = g_dir_make_tmp("cleat-log-XXXXXX", NULL);
    char *path = g_build_filename(dir, "0.log", NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static void remove_temp(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_unlink(path);
    g_rmdir(dir);
}

#define TEXT                                                                                                           \
    T "1.1Z stdout F one\n" T "2.2Z stderr F two\n" T "3.3Z stdout P thr\n" T "3.4Z stdout F ee\n"                     \
      "garbage\n" T "4.4Z stdout F four\n"

static void test_options(void)
{
    gint64 since;
    g_assert_true(time_parse(T "3Z", &since));
    const struct {
        LogReadOptions options;
        const char *expected;
        LogReadResult result;
    } rows[] = {
        {{.tail_lines = -1, .limit_bytes = -1}, "one\ntwo\nthree\nfour\n", LOG_READ_EMPTY},
        {{.tail_lines = 0, .limit_bytes = -1}, "", LOG_READ_EMPTY},
        {{.tail_lines = 1, .limit_bytes = -1}, "four\n", LOG_READ_EMPTY},
        {{.tail_lines = 3, .limit_bytes = -1}, "three\nfour\n", LOG_READ_EMPTY}, /* garbage counts as a line, unseen */
        {{.tail_lines = 4, .limit_bytes = -1}, "two\nthree\nfour\n", LOG_READ_EMPTY},
        {{.tail_lines = 99, .limit_bytes = -1}, "one\ntwo\nthree\nfour\n", LOG_READ_EMPTY},
        {{.tail_lines = -1, .limit_bytes = 6}, "one\ntw", LOG_READ_LIMIT},
        {{.tail_lines = -1, .limit_bytes = 0}, "", LOG_READ_LIMIT},
        {{.tail_lines = -1, .limit_bytes = -1, .since_ns = since}, "three\nfour\n", LOG_READ_EMPTY},
        {{.tail_lines = -1, .limit_bytes = -1, .no_stderr = TRUE}, "one\nthree\nfour\n", LOG_READ_EMPTY},
        {{.tail_lines = -1, .limit_bytes = -1, .no_stdout = TRUE}, "two\n", LOG_READ_EMPTY},
        {{.tail_lines = 3, .limit_bytes = -1, .timestamps = TRUE}, T "3.3Z three\n" T "4.4Z four\n", LOG_READ_EMPTY},
    };
    g_autofree char *path = write_temp(TEXT);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(LogReader) reader = log_reader_new(path, &rows[i].options, &error);
        g_assert_no_error(error);
        LogReadResult result;
        g_autofree char *got = read_all(reader, &result);
        g_assert_cmpstr(got, ==, rows[i].expected);
        g_assert_cmpint(result, ==, rows[i].result);
    }
    remove_temp(path);
}

/* Lines of every length around the size of a block, so that lines and headers are cut by its edge. */
static void test_large(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < 60; i++) {
        char *line = g_strnfill(15000 + i * 37, (char)('a' + i % 26));
        g_string_append_printf(text, T "1Z stdout F %s\n", line);
        g_ptr_array_add(lines, line);
    }
    g_autofree char *path = write_temp(text->str);
    for (guint tail = 0; tail <= lines->len + 1; tail++) {
        LogReadOptions options = {.tail_lines = tail, .limit_bytes = -1};
        g_autoptr(LogReader) reader = log_reader_new(path, &options, NULL);
        LogReadResult result;
        g_autofree char *got = read_all(reader, &result);
        g_autoptr(GString) expected = g_string_new(NULL);
        for (guint i = lines->len - MIN(tail, lines->len); i < lines->len; i++)
            g_string_append_printf(expected, "%s\n", (char *)lines->pdata[i]);
        g_assert_cmpstr(got, ==, expected->str);
    }
    remove_temp(path);
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    fputs(text, file);
    fclose(file);
}

static void assert_reads(LogReader *reader, const char *expected)
{
    LogReadResult result;
    g_autofree char *got = read_all(reader, &result);
    g_assert_cmpstr(got, ==, expected);
    g_assert_cmpint(result, ==, LOG_READ_EMPTY);
}

static void test_follow(void)
{
    g_autofree char *path = write_temp(T "1Z stdout F one\n" T "2Z std");
    g_autofree char *rotated = g_strconcat(path, ".old", NULL);
    LogReadOptions options = {.tail_lines = -1, .limit_bytes = -1};
    g_autoptr(LogReader) reader = log_reader_new(path, &options, NULL);
    assert_reads(reader, "one\n");
    append(path, "out F two\n" T "3Z stdout P th");
    assert_reads(reader, "two\n");
    append(path, "r\n" T "3Z stdout F ee\n");
    assert_reads(reader, "three\n");
    g_assert_cmpint(g_rename(path, rotated), ==, 0);
    append(rotated, T "4Z stdout F four\n");
    assert_reads(reader, "four\n");
    append(rotated, T "5Z stdout F five\n"); /* written after the rename, before the log was opened again */
    append(path, T "6Z stdout F six\n");
    assert_reads(reader, "five\nsix\n");
    g_unlink(rotated);
    remove_temp(path);
}

static void test_missing(void)
{
    g_autoptr(GError) error = NULL;
    LogReadOptions options = {.tail_lines = -1, .limit_bytes = -1};
    g_assert_null(log_reader_new("/nonexistent/0.log", &options, &error));
    g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/log/line", test_line);
    g_test_add_func("/agent/log/options", test_options);
    g_test_add_func("/agent/log/large", test_large);
    g_test_add_func("/agent/log/follow", test_follow);
    g_test_add_func("/agent/log/missing", test_missing);
    return g_test_run();
}
