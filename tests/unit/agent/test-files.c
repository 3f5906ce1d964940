/* Volumes, cgroups and removal, on plain folders. */
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/tree-remove.h"
#include "agent/volume.h"
#include "lib/base/error.h"
#include "tests/unit/agent/fixture.h"

static char *temp;

static char *at(const char *name)
{
    return g_build_filename(temp, name, NULL);
}

static void on_removed(gboolean ok, gpointer data)
{
    *(int *)data = ok ? 1 : 2;
}

static gboolean remove_now(const char *path)
{
    int result = 0;
    tree_remove(path, on_removed, &result);
    while (result == 0)
        g_main_context_iteration(NULL, TRUE);
    return result == 1;
}

static void write_file(const char *path, const char *text)
{
    g_autofree char *dir = g_path_get_dirname(path);
    g_mkdir_with_parents(dir, 0755);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_remove(void)
{
    g_autofree char *tree = at("tree");
    g_autofree char *outside = at("outside/file");
    g_autofree char *outside_dir = at("outside");
    g_autofree char *link = at("tree/b/link");
    write_file(outside, "kept");
    for (guint i = 0; i < 500; i++) {
        g_autofree char *path = g_strdup_printf("%s/%c/%u/f%u", tree, 'a' + i % 3, i % 50, i);
        write_file(path, "x");
    }
    g_assert_cmpint(symlink(outside_dir, link), ==, 0);
    g_assert_true(remove_now(tree));
    g_assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(outside, G_FILE_TEST_EXISTS));
    g_assert_true(remove_now(tree)); /* nothing there */
}

static void test_host_path(void)
{
    static const struct {
        const char *type, *path;
        const char *error; /* NULL: accepted */
        GFileTest made;
    } rows[] = {
        {"", "none", NULL, 0},
        {"Directory", "dir", NULL, 0},
        {"Directory", "none", "is not a directory", 0},
        {"Directory", "file", "is not a directory", 0},
        {"DirectoryOrCreate", "new/dir", NULL, G_FILE_TEST_IS_DIR},
        {"DirectoryOrCreate", "file", "is not a directory", 0},
        {"File", "file", NULL, 0},
        {"File", "dir", "is not a file", 0},
        {"FileOrCreate", "newfile", NULL, G_FILE_TEST_IS_REGULAR},
        {"FileOrCreate", "nodir/newfile", "No such file", 0},
        {"Socket", "file", "is not a socket file", 0},
        {"CharDevice", "file", "is not a character device", 0},
        {"BlockDevice", "none", "is not a block device", 0},
        {"Wrong", "file", "unknown hostPath type Wrong", 0},
    };
    g_autofree char *dir = at("dir");
    g_autofree char *file = at("file");
    g_mkdir(dir, 0755);
    write_file(file, "");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = at(rows[i].path);
        g_autofree char *spec =
            g_strdup_printf("  volumes: [{name: v, hostPath: {path: %s, type: '%s'}}]\n", path, rows[i].type);
        API_AUTO(Core__V1__Pod) pod = pod_with("", spec);
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(volumes_prepare(pod, temp, &error), ==, rows[i].error == NULL);
        if (rows[i].error)
            g_assert_nonnull(strstr(error->message, rows[i].error));
        if (rows[i].made)
            g_assert_true(g_file_test(path, rows[i].made));
    }
}

static void test_mounts(void)
{
    API_AUTO(Core__V1__Pod)
    pod = pod_with("    volumeMounts: [{name: e, mountPath: /e}, {name: h, mountPath: /h, readOnly: true, "
                   "mountPropagation: HostToContainer}]\n",
                   "  volumes: [{name: e, emptyDir: {}}, {name: h, hostPath: {path: /tmp}}]\n");
    g_autofree char *pod_dir = at("pod");
    g_autofree char *volume = at("pod/volumes/e");
    g_autoptr(GError) error = NULL;
    g_assert_true(volumes_prepare(pod, pod_dir, &error));
    g_assert_true(volumes_prepare(pod, pod_dir, &error));
    struct stat info;
    g_assert_cmpint(stat(volume, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 07777, ==, 0777);
    g_autoptr(GPtrArray) mounts = volumes_mounts(pod, pod->spec->containers[0], pod_dir, &error);
    g_assert_no_error(error);
    const Runtime__V1__Mount *empty = mounts->pdata[0], *host = mounts->pdata[1];
    g_assert_cmpstr(empty->host_path, ==, volume);
    g_assert_cmpstr(empty->container_path, ==, "/e");
    g_assert_false(empty->readonly);
    g_assert_cmpstr(host->host_path, ==, "/tmp");
    g_assert_true(host->readonly);
    g_assert_cmpint(host->propagation, ==, RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER);
    volumes_release(pod_dir);
    g_assert_true(remove_now(pod_dir));
}

static void test_bad_volumes(void)
{
    static const struct {
        const char *lines, *spec, *message;
    } rows[] = {
        {"    volumeMounts: [{name: v, mountPath: /v}]\n", "  volumes: [{name: v, nfs: {server: s, path: /p}}]\n",
         "volume \"v\" is of a kind that this node cannot provide"},
        {"    volumeMounts: [{name: w, mountPath: /v}]\n", "  volumes: [{name: v, emptyDir: {}}]\n",
         "volume mount \"w\" names no volume of the pod"},
        {"    volumeMounts: [{name: v, mountPath: /v, subPath: a}]\n", "  volumes: [{name: v, emptyDir: {}}]\n",
         "volume mount \"v\": subPath cannot be provided by this node"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Core__V1__Pod) pod = pod_with(rows[i].lines, rows[i].spec);
        g_autoptr(GError) error = NULL;
        g_assert_null(volumes_mounts(pod, pod->spec->containers[0], temp, &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_INVALID);
        g_assert_cmpstr(error->message, ==, rows[i].message);
    }
}

static char *read_at(const char *name)
{
    g_autofree char *path = at(name);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* A v1 layout of two hierarchies, as folders: what the kernel would give as files is made beforehand. */
static void test_cgroup_v1(void)
{
    g_autofree char *cpu = at("cg/cpu");
    g_autofree char *memory = at("cg/memory");
    g_autofree char *shares = at("cg/cpu/cleat/n1/burstable/podu-1/cpu.shares");
    g_autofree char *quota = at("cg/cpu/cleat/n1/burstable/podu-1/cpu.cfs_quota_us");
    g_autofree char *limit = at("cg/memory/cleat/n1/burstable/podu-1/memory.limit_in_bytes");
    write_file(shares, "");
    write_file(quota, "");
    write_file(limit, "");
    g_autoptr(CgroupTree) tree = cgroup_tree_new_at((const char *const[]){cpu, memory, NULL}, FALSE, "/cleat/n1");
    g_autofree char *path = cgroup_pod_path(tree, QOS_BURSTABLE, "u-1");
    g_assert_cmpstr(path, ==, "/cleat/n1/burstable/podu-1");
    g_assert_cmpstr(cgroup_path_uid(path), ==, "u-1");
    g_assert_null(cgroup_path_uid("/cleat/n1/burstable"));
    PodLimits limits = {.shares = 512, .quota_us = 50000, .memory = 4096};
    g_autoptr(GError) error = NULL;
    g_assert_true(cgroup_pod_create(tree, path, &limits, &error));
    g_autofree char *got_shares = read_at("cg/cpu/cleat/n1/burstable/podu-1/cpu.shares");
    g_autofree char *got_quota = read_at("cg/cpu/cleat/n1/burstable/podu-1/cpu.cfs_quota_us");
    g_autofree char *got_limit = read_at("cg/memory/cleat/n1/burstable/podu-1/memory.limit_in_bytes");
    g_assert_cmpstr(got_shares, ==, "512");
    g_assert_cmpstr(got_quota, ==, "50000");
    g_assert_cmpstr(got_limit, ==, "4096");
    g_autoptr(GPtrArray) pods = cgroup_list_pods(tree);
    g_assert_cmpuint(pods->len, ==, 1);
    g_assert_cmpstr(pods->pdata[0], ==, path);
    g_unlink(shares);
    g_unlink(quota);
    g_unlink(limit);
    g_assert_true(cgroup_pod_remove(tree, path));
    g_autoptr(GPtrArray) none = cgroup_list_pods(tree);
    g_assert_cmpuint(none->len, ==, 0);
}

static void test_cgroup_v2(void)
{
    g_autofree char *root = at("cg2");
    g_autofree char *controllers = at("cg2/cgroup.controllers");
    g_autofree char *control = at("cg2/cgroup.subtree_control");
    g_autofree char *weight = at("cg2/c/guaranteed/podu/cpu.weight");
    g_autofree char *max = at("cg2/c/guaranteed/podu/cpu.max");
    g_autofree char *memory = at("cg2/c/guaranteed/podu/memory.max");
    write_file(controllers, "cpu memory\n");
    write_file(control, "");
    write_file(weight, "");
    write_file(max, "");
    write_file(memory, "");
    g_autoptr(CgroupTree) tree = cgroup_tree_new_at((const char *const[]){root, NULL}, TRUE, "/c");
    g_autofree char *path = cgroup_pod_path(tree, QOS_GUARANTEED, "u");
    PodLimits limits = {.shares = 1024, .quota_us = 150000};
    g_autoptr(GError) error = NULL;
    g_assert_true(cgroup_pod_create(tree, path, &limits, &error));
    g_autofree char *got_weight = read_at("cg2/c/guaranteed/podu/cpu.weight");
    g_autofree char *got_max = read_at("cg2/c/guaranteed/podu/cpu.max");
    g_autofree char *got_memory = read_at("cg2/c/guaranteed/podu/memory.max");
    g_autofree char *got_control = read_at("cg2/cgroup.subtree_control");
    g_assert_cmpstr(got_weight, ==, "39");
    g_assert_cmpstr(got_max, ==, "150000 100000");
    g_assert_cmpstr(got_memory, ==, "max");
    g_assert_true(g_str_has_prefix(got_control, "+memory")); /* a plain file keeps only what was written last */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    temp = g_dir_make_tmp("cleat-agent-XXXXXX", NULL);
    g_test_add_func("/agent/files/remove", test_remove);
    g_test_add_func("/agent/files/host-path", test_host_path);
    g_test_add_func("/agent/files/mounts", test_mounts);
    g_test_add_func("/agent/files/bad-volumes", test_bad_volumes);
    g_test_add_func("/agent/files/cgroup-v1", test_cgroup_v1);
    g_test_add_func("/agent/files/cgroup-v2", test_cgroup_v2);
    int result = g_test_run();
    g_assert_true(remove_now(temp));
    g_free(temp);
    return result;
}
