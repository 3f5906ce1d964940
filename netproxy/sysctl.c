#include "netproxy/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"

gboolean sysctl_write(const char *name, const char *value, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/sys/%s", name);
    g_autofree char *now = NULL;
    if (g_file_get_contents(path, &now, NULL, NULL) && g_str_equal(g_strchomp(now), value))
        return TRUE;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0) {
        g_set_error(error, CLEAT_ERROR, errno == ENOENT ? CLEAT_ERROR_NOT_FOUND : CLEAT_ERROR_INTERNAL,
                    "set the kernel parameter %s to %s: %s", name, value, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    close(fd);
    return TRUE;
}
