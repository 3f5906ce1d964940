/* Termination messages: what a container leaves in the file at terminationMessagePath, or the end of its log, becomes the
 * message of its ended run. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log-reader.h"
#include "agent/pod-internal.h"
#include "agent/volume.h"
#include "lib/base/error.h"

#define DEFAULT_PATH "/dev/termination-log"
#define MESSAGE_MAX 4096
#define FALLBACK_LINES 80
#define FALLBACK_MAX 2048

/* <pod's folder>/containers/<name>/<restarts>. New string. */
static char *message_file(const Pod *pod, const char *container, guint restarts)
{
    g_autofree char *number = g_strdup_printf("%u", restarts);
    return g_build_filename(pod->dir, "containers", container, number, NULL);
}

gboolean pod_message_mount(Slot *slot, guint restarts, GPtrArray *mounts, GError **error)
{
    const char *path = api_str(slot->spec->terminationmessagepath);
    g_autofree char *file = message_file(slot->pod, slot->spec->name, restarts);
    g_autofree char *folder = g_path_get_dirname(file);
    if (g_mkdir_with_parents(folder, 0755) < 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make %s: %s", folder, g_strerror(errno));
        return FALSE;
    }
    if (!g_file_set_contents(file, "", 0, error))
        return FALSE;
    g_chmod(file, 0666); /* whoever the container runs as may write it */
    g_ptr_array_add(mounts, mount_new(path[0] ? path : DEFAULT_PATH, file, FALSE));
    return TRUE;
}

/* At most MESSAGE_MAX bytes; the container may have put anything there, so no link is followed. New string, or NULL. */
static char *read_message(const char *file)
{
    char text[MESSAGE_MAX];
    struct stat info;
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    gssize size = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? read(fd, text, sizeof text) : 0;
    close(fd);
    return size > 0 ? g_utf8_make_valid(text, size) : NULL;
}

/* The last lines of the log, cut at the front. New string, or NULL. */
static char *read_log_end(const Pod *pod, const Run *run)
{
    g_autofree char *path = g_strdup_printf("%s/%s/%u.log", pod->log_dir, run->container, run->restarts);
    LogReadOptions options = {.tail_lines = FALLBACK_LINES, .limit_bytes = -1};
    g_autoptr(LogReader) reader = log_reader_new(path, &options, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    while (reader && log_reader_next(reader, text) == LOG_READ_MORE)
        continue; /* 80 lines: a few steps */
    gsize skip = text->len > FALLBACK_MAX ? text->len - FALLBACK_MAX : 0;
    return text->len > 0 ? g_utf8_make_valid(text->str + skip, (gssize)(text->len - skip)) : NULL;
}

void pod_message_fill(Pod *pod, Run *run)
{
    if (run->message[0] || !run_is_over(run))
        return;
    g_autofree char *file = message_file(pod, run->container, run->restarts);
    char *message = read_message(file);
    const Slot *slot = pod_slot_named(pod, run->container);
    gboolean fallback = slot && api_str_equal(slot->spec->terminationmessagepolicy, "FallbackToLogsOnError");
    if (!message && fallback && run->exit_code != 0 && pod->log_dir)
        message = read_log_end(pod, run);
    if (!message)
        return;
    g_free(run->message);
    run->message = message;
}

void pod_message_remove(const Pod *pod, const Run *run)
{
    g_autofree char *file = message_file(pod, run->container, run->restarts);
    g_unlink(file);
}
