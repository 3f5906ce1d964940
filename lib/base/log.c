#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/time.h"

static const char *log_component = "cleat";
static LogLevel log_shown = LOG_LEVEL_INFO;
static const char *const level_names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};

static void log_line(LogLevel level, const char *text)
{
    g_autofree char *stamp = time_format(time_now_ns(), 3);
    g_autofree char *line = g_strdup_printf("%s %s %s: %s\n", stamp, level_names[level], log_component, text);
    fputs(line, stderr); /* one call: lines of several threads do not mix */
}

static void glib_message(const char *domain, GLogLevelFlags flags, const char *message, gpointer data)
{
    (void)data;
    LogLevel level = flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? LOG_LEVEL_ERROR
                     : flags & G_LOG_LEVEL_WARNING                      ? LOG_LEVEL_WARNING
                                                                        : LOG_LEVEL_DEBUG;
    log_write(level, "%s: %s", domain ? domain : "glib", message);
}

void log_setup(const char *component, LogLevel level)
{
    log_component = component;
    log_shown = level;
    g_log_set_default_handler(glib_message, NULL);
}

gboolean log_level_parse(const char *text, LogLevel *ret_level)
{
    for (guint i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (g_ascii_strcasecmp(text, level_names[i]) == 0) {
            *ret_level = (LogLevel)i;
            return TRUE;
        }
    }
    return FALSE;
}

void log_write(LogLevel level, const char *format, ...)
{
    if (level > log_shown)
        return;
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    log_line(level, text);
}
