#include "agent/tree-remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/log.h"

#define SLICE_US 2000
#define DEPTH_MAX 256

/* A folder that is being emptied. */
typedef struct {
    DIR *dir;
    char *name; /* in the folder above */
} Level;

typedef struct {
    char *path;
    GArray *levels; /* Level, the deepest last */
    dev_t device;
    gboolean ok;
    void (*done)(gboolean ok, gpointer data);
    gpointer data;
} Removal;

static gboolean enter(Removal *removal, int parent, const char *name)
{
    struct stat info;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return FALSE;
    gboolean first = removal->levels->len == 0;
    if (fstat(fd, &info) < 0 || (!first && info.st_dev != removal->device) || removal->levels->len >= DEPTH_MAX) {
        close(fd);
        errno = EXDEV;
        return FALSE;
    }
    if (first)
        removal->device = info.st_dev;
    Level level = {fdopendir(fd), g_strdup(name)};
    g_array_append_val(removal->levels, level);
    return TRUE;
}

static void failed(Removal *removal, const char *name)
{
    if (removal->ok)
        log_warning("remove %s: %s: %s", removal->path, name, g_strerror(errno));
    removal->ok = FALSE;
}

/* Removes one entry, enters a folder, or leaves the deepest one. FALSE when all is done. */
static gboolean advance(Removal *removal)
{
    if (removal->levels->len == 0)
        return FALSE;
    Level level = g_array_index(removal->levels, Level, removal->levels->len - 1);
    int fd = dirfd(level.dir);
    struct dirent *entry = readdir(level.dir);
    if (!entry) {
        closedir(level.dir);
        g_array_set_size(removal->levels, removal->levels->len - 1);
        int parent = removal->levels->len ? dirfd(g_array_index(removal->levels, Level, removal->levels->len - 1).dir)
                                          : AT_FDCWD;
        if (unlinkat(parent, level.name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            failed(removal, level.name);
        g_free(level.name);
        return TRUE;
    }
    if (g_str_equal(entry->d_name, ".") || g_str_equal(entry->d_name, ".."))
        return TRUE;
    if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if ((errno != EISDIR && errno != EPERM) || !enter(removal, fd, entry->d_name))
        failed(removal, entry->d_name);
    return TRUE;
}

static gboolean run_slice(gpointer data)
{
    Removal *removal = data;
    gint64 until = g_get_monotonic_time() + SLICE_US;
    while (advance(removal)) {
        if (g_get_monotonic_time() >= until)
            return G_SOURCE_CONTINUE;
    }
    removal->done(removal->ok, removal->data);
    g_array_unref(removal->levels);
    g_free(removal->path);
    g_free(removal);
    return G_SOURCE_REMOVE;
}

void tree_remove(const char *path, void (*done)(gboolean ok, gpointer data), gpointer data)
{
    Removal *removal = g_new0(Removal, 1);
    removal->path = g_strdup(path);
    removal->levels = g_array_new(FALSE, FALSE, sizeof(Level));
    removal->done = done;
    removal->data = data;
    removal->ok = TRUE;
    if (!enter(removal, AT_FDCWD, path) && errno != ENOENT)
        failed(removal, path);
    g_idle_add(run_slice, removal);
}
