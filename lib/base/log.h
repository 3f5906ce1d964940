/* Logging for programs. Libraries return errors instead. One line per message on stderr:
 *   2026-01-31T12:00:00.123Z INFO agent: pod default/web-1: started
 * Thread-safe. */
#pragma once

#include <glib.h>

typedef enum { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG } LogLevel;

/* Names the program in each line and sets the most verbose level shown (default: "cleat", INFO). GLib's own messages go
 * the same way. Call once, before threads start. component: static string. */
void log_setup(const char *component, LogLevel level);

/* "error", "warning", "info" or "debug" to a level. FALSE for anything else; *ret_level is then unchanged. */
gboolean log_level_parse(const char *text, LogLevel *ret_level);

void log_write(LogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
