#include "agent/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/api/object.h"
#include "lib/api/quantity.h"
#include "lib/base/error.h"

static gboolean set_errno_error(GError **error, const char *what, const char *path)
{
    int saved = errno;
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "%s %s: %s", what, path, g_strerror(saved));
    return FALSE;
}

/* <pod_dir>/volumes/<name>. */
static char *own_path(const Core__V1__Volume *volume, const char *pod_dir)
{
    return g_build_filename(pod_dir, "volumes", volume->name, NULL);
}

/* --- emptyDir ---------------------------------------------------------------------------------------------------------*/

static gboolean is_mount_point(const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);
    struct stat inner, outer;
    return stat(path, &inner) == 0 && stat(parent, &outer) == 0 && inner.st_dev != outer.st_dev;
}

static gboolean mount_memory(const char *path, const Core__V1__EmptyDirVolumeSource *source, GError **error)
{
    if (is_mount_point(path))
        return TRUE;
    ApiQuantity limit;
    g_autofree char *options = NULL;
    if (source->sizelimit && api_quantity_get(source->sizelimit, &limit) && limit.nano > 0)
        options = g_strdup_printf("mode=0777,size=%" G_GINT64_FORMAT, api_quantity_value(limit));
    else
        options = g_strdup("mode=0777");
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0 ||
           set_errno_error(error, "mount tmpfs at", path);
}

/* The folder belongs to everyone, and to the pod's fsGroup where it has one. */
static gboolean empty_dir_prepare(const Core__V1__Pod *pod, const Core__V1__Volume *volume, const char *pod_dir,
                                  GError **error)
{
    const Core__V1__EmptyDirVolumeSource *source = volume->volumesource->emptydir;
    const Core__V1__PodSecurityContext *security = pod->spec->securitycontext;
    gboolean group = security && security->has_fsgroup;
    g_autofree char *path = own_path(volume, pod_dir);
    if (g_mkdir_with_parents(path, 0750) < 0)
        return set_errno_error(error, "make", path);
    if (api_str_equal(source->medium, "Memory") && !mount_memory(path, source, error))
        return FALSE;
    if (group && chown(path, (uid_t)-1, (gid_t)security->fsgroup) < 0)
        return set_errno_error(error, "change the group of", path);
    if (chmod(path, group ? 02777 : 0777) < 0)
        return set_errno_error(error, "change the mode of", path);
    return TRUE;
}

static char *empty_dir_source(const Core__V1__Volume *volume, const char *pod_dir)
{
    return own_path(volume, pod_dir);
}

/* --- hostPath ---------------------------------------------------------------------------------------------------------*/

/* hostPath.type: what must be there, or is made. */
static const struct {
    const char *name;
    mode_t type; /* 0: anything */
    gboolean make;
    const char *wanted;
} host_path_types[] = {
    {"", 0, FALSE, NULL},
    {"DirectoryOrCreate", S_IFDIR, TRUE, "a directory"},
    {"Directory", S_IFDIR, FALSE, "a directory"},
    {"FileOrCreate", S_IFREG, TRUE, "a file"},
    {"File", S_IFREG, FALSE, "a file"},
    {"Socket", S_IFSOCK, FALSE, "a socket file"},
    {"CharDevice", S_IFCHR, FALSE, "a character device"},
    {"BlockDevice", S_IFBLK, FALSE, "a block device"},
};

static gboolean make_host_path(const char *path, mode_t type, GError **error)
{
    if (type == S_IFDIR)
        return g_mkdir_with_parents(path, 0755) == 0 || set_errno_error(error, "make", path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return set_errno_error(error, "make", path);
    close(fd);
    return TRUE;
}

static gboolean host_path_prepare(const Core__V1__Pod *pod, const Core__V1__Volume *volume, const char *pod_dir,
                                  GError **error)
{
    (void)pod, (void)pod_dir;
    const Core__V1__HostPathVolumeSource *source = volume->volumesource->hostpath;
    for (guint i = 0; i < G_N_ELEMENTS(host_path_types); i++) {
        if (!api_str_equal(host_path_types[i].name, source->type))
            continue;
        mode_t type = host_path_types[i].type;
        struct stat found;
        if (type == 0)
            return TRUE;
        if (stat(source->path, &found) == 0 && (found.st_mode & S_IFMT) == type)
            return TRUE;
        if (host_path_types[i].make && !g_file_test(source->path, G_FILE_TEST_EXISTS))
            return make_host_path(source->path, type, error);
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "hostPath type check failed: %s is not %s",
                    api_str(source->path), host_path_types[i].wanted);
        return FALSE;
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "unknown hostPath type %s", source->type);
    return FALSE;
}

static char *host_path_source(const Core__V1__Volume *volume, const char *pod_dir)
{
    (void)pod_dir;
    return g_strdup(volume->volumesource->hostpath->path);
}

/* --- the table --------------------------------------------------------------------------------------------------------*/

typedef struct {
    gsize field; /* of VolumeSource: a pointer, set for volumes of this kind */
    gboolean (*prepare)(const Core__V1__Pod *pod, const Core__V1__Volume *volume, const char *pod_dir, GError **error);
    char *(*source)(const Core__V1__Volume *volume, const char *pod_dir); /* the path on the node; new string */
} VolumeKind;

static const VolumeKind kinds[] = {
    {G_STRUCT_OFFSET(Core__V1__VolumeSource, emptydir), empty_dir_prepare, empty_dir_source},
    {G_STRUCT_OFFSET(Core__V1__VolumeSource, hostpath), host_path_prepare, host_path_source},
};

static const VolumeKind *kind_of(const Core__V1__Volume *volume, GError **error)
{
    for (guint i = 0; volume->volumesource && i < G_N_ELEMENTS(kinds); i++) {
        if (G_STRUCT_MEMBER(void *, volume->volumesource, kinds[i].field))
            return &kinds[i];
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "volume \"%s\" is of a kind that this node cannot provide",
                api_str(volume->name));
    return NULL;
}

gboolean volumes_prepare(const Core__V1__Pod *pod, const char *pod_dir, GError **error)
{
    for (gsize i = 0; i < pod->spec->n_volumes; i++) {
        const Core__V1__Volume *volume = pod->spec->volumes[i];
        const VolumeKind *kind = kind_of(volume, error);
        if (!kind)
            return FALSE;
        if (!kind->prepare(pod, volume, pod_dir, error)) {
            g_prefix_error(error, "volume \"%s\": ", volume->name);
            return FALSE;
        }
    }
    return TRUE;
}

Runtime__V1__Mount *mount_new(const char *container_path, const char *host_path, gboolean readonly)
{
    Runtime__V1__Mount *mount = API_NEW(Runtime__V1__Mount, runtime__v1__mount);
    mount->container_path = g_strdup(container_path);
    mount->host_path = g_strdup(host_path);
    mount->readonly = readonly;
    return mount;
}

static Runtime__V1__Mount *volume_mount(const Core__V1__Pod *pod, const Core__V1__VolumeMount *wanted,
                                        const char *pod_dir, GError **error)
{
    if (api_str(wanted->subpath)[0] || api_str(wanted->subpathexpr)[0]) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID,
                    "volume mount \"%s\": subPath cannot be provided by this node", api_str(wanted->name));
        return NULL;
    }
    for (gsize i = 0; i < pod->spec->n_volumes; i++) {
        const Core__V1__Volume *volume = pod->spec->volumes[i];
        if (!api_str_equal(volume->name, wanted->name))
            continue;
        const VolumeKind *kind = kind_of(volume, error);
        g_autofree char *source = kind ? kind->source(volume, pod_dir) : NULL;
        if (!source)
            return NULL;
        Runtime__V1__Mount *mount = mount_new(wanted->mountpath, source, wanted->readonly);
        if (api_str_equal(wanted->mountpropagation, "HostToContainer"))
            mount->propagation = RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER;
        else if (api_str_equal(wanted->mountpropagation, "Bidirectional"))
            mount->propagation = RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL;
        return mount;
    }
    g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID, "volume mount \"%s\" names no volume of the pod",
                api_str(wanted->name));
    return NULL;
}

static void mount_free(gpointer mount)
{
    API_FREE(mount);
}

GPtrArray *volumes_mounts(const Core__V1__Pod *pod, const Core__V1__Container *container, const char *pod_dir,
                          GError **error)
{
    g_autoptr(GPtrArray) mounts = g_ptr_array_new_with_free_func(mount_free);
    for (gsize i = 0; i < container->n_volumemounts; i++) {
        Runtime__V1__Mount *mount = volume_mount(pod, container->volumemounts[i], pod_dir, error);
        if (!mount)
            return NULL;
        g_ptr_array_add(mounts, mount);
    }
    return g_steal_pointer(&mounts);
}

void volumes_release(const char *pod_dir)
{
    g_autofree char *folder = g_build_filename(pod_dir, "volumes", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        while (is_mount_point(path) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
            ;
    }
}
