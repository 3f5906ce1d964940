#include "agent/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/error.h"

#define CGROUP_V1_MAGIC 0x27e0eb
#define CGROUP_V2_MAGIC 0x63677270

struct CgroupTree {
    GPtrArray *hierarchies; /* char*: "/sys/fs/cgroup/cpu", ... */
    gboolean v2;
    char *root;
};

static const char *const class_folders[QOS_MAX_] = {"guaranteed", "burstable", "besteffort"};

CgroupTree *cgroup_tree_new_at(const char *const *hierarchies, gboolean v2, const char *root)
{
    CgroupTree *tree = g_new0(CgroupTree, 1);
    tree->hierarchies = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; hierarchies[i]; i++)
        g_ptr_array_add(tree->hierarchies, g_strdup(hierarchies[i]));
    tree->v2 = v2;
    tree->root = g_strdup(root);
    return tree;
}

static gboolean has_magic(const char *path, long magic)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

/* The v1 hierarchies below <mount>, each once: "cpu" may be a link to "cpu,cpuacct". In a hybrid layout the empty v2 tree
 * is one of them, as runc may put pods there. */
static void find_v1(GPtrArray *found, const char *mount)
{
    g_autoptr(GDir) dir = g_dir_open(mount, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(mount, name, NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_SYMLINK) &&
            (has_magic(path, CGROUP_V1_MAGIC) || has_magic(path, CGROUP_V2_MAGIC)))
            g_ptr_array_add(found, g_steal_pointer(&path));
    }
}

CgroupTree *cgroup_tree_new(const char *mount, const char *root, GError **error)
{
    if (has_magic(mount, CGROUP_V2_MAGIC))
        return cgroup_tree_new_at((const char *[]){mount, NULL}, TRUE, root);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    find_v1(found, mount);
    if (found->len == 0) {
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "no cgroup file system at %s: mount one there", mount);
        return NULL;
    }
    g_ptr_array_add(found, NULL);
    return cgroup_tree_new_at((const char *const *)found->pdata, FALSE, root);
}

void cgroup_tree_free(CgroupTree *tree)
{
    if (!tree)
        return;
    g_ptr_array_unref(tree->hierarchies);
    g_free(tree->root);
    g_free(tree);
}

gboolean cgroup_tree_is_v2(const CgroupTree *tree)
{
    return tree->v2;
}

char *cgroup_pod_path(const CgroupTree *tree, QosClass qos, const char *uid)
{
    return g_strdup_printf("%s/%s/pod%s", tree->root, class_folders[qos], uid);
}

const char *cgroup_path_uid(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return g_str_has_prefix(name, "pod") && name[3] ? name + 3 : NULL;
}

/* --- files ------------------------------------------------------------------------------------------------------------*/

static gboolean write_file(const char *folder, const char *file, const char *value, GError **error)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return TRUE; /* not a file of this hierarchy, or of this kernel */
    gssize size = (gssize)strlen(value);
    gboolean ok = fd >= 0 && write(fd, value, (gsize)size) == size;
    if (!ok)
        g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "write %s to %s: %s", value, path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static char *read_trimmed(const char *folder, const char *file)
{
    g_autofree char *path = g_build_filename(folder, file, NULL);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    return g_strstrip(text);
}

/* A new cpuset group of v1 has no cpus nor memory nodes, and takes no process before it has. */
static gboolean inherit_cpuset(const char *parent, const char *folder, GError **error)
{
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *own = read_trimmed(folder, files[i]);
        g_autofree char *inherited = own && !own[0] ? read_trimmed(parent, files[i]) : NULL;
        if (inherited && inherited[0] && !write_file(folder, files[i], inherited, error))
            return FALSE;
    }
    return TRUE;
}

/* v2: a folder's controllers are those that its parent's subtree_control names. */
static gboolean enable_controllers(const char *folder, GError **error)
{
    static const char *const wanted[] = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"};
    g_autofree char *have = read_trimmed(folder, "cgroup.controllers");
    g_auto(GStrv) names = g_strsplit(have ? have : "", " ", -1);
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autofree char *value = g_strconcat("+", wanted[i], NULL);
        if (g_strv_contains((const char *const *)names, wanted[i]) &&
            !write_file(folder, "cgroup.subtree_control", value, error))
            return FALSE;
    }
    return TRUE;
}

/* Makes <hierarchy><path>, step by step from the top. */
static gboolean make_path(const CgroupTree *tree, const char *hierarchy, const char *path, GError **error)
{
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    g_autofree char *folder = g_strdup(hierarchy);
    for (guint i = 0; names[i]; i++) {
        if (!names[i][0])
            continue;
        g_autofree char *child = g_build_filename(folder, names[i], NULL);
        if (tree->v2 && !enable_controllers(folder, error))
            return FALSE;
        if (g_mkdir(child, 0755) < 0 && errno != EEXIST) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make cgroup %s: %s", child, g_strerror(errno));
            return FALSE;
        }
        if (!tree->v2 && !inherit_cpuset(folder, child, error))
            return FALSE;
        g_free(folder);
        folder = g_steal_pointer(&child);
    }
    return !tree->v2 || enable_controllers(folder, error);
}

/* Writes the limits into the files of one hierarchy that exist there. */
static gboolean write_limits(const CgroupTree *tree, const char *folder, const PodLimits *limits, GError **error)
{
    g_autofree char *shares = g_strdup_printf("%" G_GINT64_FORMAT, limits->shares);
    g_autofree char *weight = g_strdup_printf("%" G_GUINT64_FORMAT, resources_weight(limits->shares));
    g_autofree char *quota = limits->quota_us ? g_strdup_printf("%" G_GINT64_FORMAT, limits->quota_us) : g_strdup("-1");
    g_autofree char *max = limits->quota_us ? g_strdup_printf("%s %d", quota, RESOURCES_CPU_PERIOD_US)
                                            : g_strdup_printf("max %d", RESOURCES_CPU_PERIOD_US);
    g_autofree char *memory =
        limits->memory ? g_strdup_printf("%" G_GINT64_FORMAT, limits->memory) : g_strdup(tree->v2 ? "max" : "-1");
    if (tree->v2)
        return write_file(folder, "cpu.weight", weight, error) && write_file(folder, "cpu.max", max, error) &&
               write_file(folder, "memory.max", memory, error);
    return write_file(folder, "cpu.shares", shares, error) && write_file(folder, "cpu.cfs_quota_us", quota, error) &&
           write_file(folder, "memory.limit_in_bytes", memory, error);
}

gboolean cgroup_pod_create(CgroupTree *tree, const char *path, const PodLimits *limits, GError **error)
{
    for (guint i = 0; i < tree->hierarchies->len; i++) {
        const char *hierarchy = tree->hierarchies->pdata[i];
        g_autofree char *folder = g_build_filename(hierarchy, path, NULL);
        if (!make_path(tree, hierarchy, path, error) || !write_limits(tree, folder, limits, error))
            return FALSE;
    }
    return TRUE;
}

/* Best effort gets the least of the processor; the other classes weigh what their pods ask for. */
gboolean cgroup_setup(CgroupTree *tree, GError **error)
{
    for (guint qos = 0; qos < QOS_MAX_; qos++) {
        PodLimits limits = {.shares = qos == QOS_BEST_EFFORT ? RESOURCES_MIN_SHARES : 1024};
        g_autofree char *path = g_build_filename(tree->root, class_folders[qos], NULL);
        if (!cgroup_pod_create(tree, path, &limits, error))
            return FALSE;
    }
    return TRUE;
}

/* --- removal ----------------------------------------------------------------------------------------------------------*/

static void kill_members(const char *folder)
{
    g_autofree char *text = read_trimmed(folder, "cgroup.procs");
    g_auto(GStrv) pids = g_strsplit(text ? text : "", "\n", -1);
    for (guint i = 0; pids[i]; i++) {
        gint64 pid = g_ascii_strtoll(pids[i], NULL, 10);
        if (pid > 1)
            kill((pid_t)pid, SIGKILL);
    }
}

static gboolean remove_folder(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    if (!dir)
        return errno == ENOENT || !g_file_test(folder, G_FILE_TEST_EXISTS);
    const char *name;
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(folder, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_folder(child);
    }
    g_dir_close(dir);
    if (g_rmdir(folder) == 0 || errno == ENOENT)
        return TRUE;
    kill_members(folder);
    return FALSE;
}

gboolean cgroup_pod_remove(CgroupTree *tree, const char *path)
{
    g_return_val_if_fail(cgroup_path_uid(path), FALSE);
    gboolean gone = TRUE;
    for (guint i = 0; i < tree->hierarchies->len; i++) {
        g_autofree char *folder = g_build_filename(tree->hierarchies->pdata[i], path, NULL);
        gone = remove_folder(folder) && gone;
    }
    return gone;
}

GPtrArray *cgroup_list_pods(const CgroupTree *tree)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < tree->hierarchies->len * QOS_MAX_; i++) {
        const char *folder = class_folders[i % QOS_MAX_];
        g_autofree char *path = g_build_filename(tree->hierarchies->pdata[i / QOS_MAX_], tree->root, folder, NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        while (dir && (name = g_dir_read_name(dir))) {
            char *pod = g_strdup_printf("%s/%s/%s", tree->root, folder, name);
            if (cgroup_path_uid(pod) && !g_hash_table_contains(seen, pod)) {
                g_hash_table_add(seen, pod); /* would take the new key for an equal old one: hence the look before */
                g_ptr_array_add(paths, pod);
            } else {
                g_free(pod);
            }
        }
    }
    return paths;
}
