/* The agent on a real containerd of its own: how soon a status follows the end of a container, a burst of pods, resident
 * memory. (bench-pod-start compares a pod's start with the raw CRI calls.) Needs root.
 *
 * bench-agent [PODS]: how many are started for each figure (default 10). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "tests/integration/kit.h"
#include "tests/integration/node-lab.h"

static NodeLab *lab;

static gint64 elapsed_ms(gint64 since)
{
    return (g_get_monotonic_time() - since) / 1000;
}

static int compare(gconstpointer a, gconstpointer b)
{
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return x < y ? -1 : x > y;
}

static void show(const char *what, gint64 *ms, guint n)
{
    qsort(ms, n, sizeof *ms, compare);
    g_print("%-44s median %5" G_GINT64_FORMAT " ms   max %5" G_GINT64_FORMAT " ms   (%u)\n", what, ms[n / 2], ms[n - 1],
            n);
}

/* --- pods ------------------------------------------------------------------------------------------------*/

static KitWatch *watch_all(void)
{
    Meta__V1__ListOptions options = META__V1__LIST_OPTIONS__INIT;
    options.resourceversionmatch = (char *)"NotOlderThan";
    api_set_scalar(&options, sendinitialevents, TRUE);
    api_set_scalar(&options, allowwatchbookmarks, TRUE);
    return kit_watch(node_lab_api(lab), API_POD, "default", &options);
}

static gboolean is_ready(const Core__V1__Pod *pod)
{
    for (gsize i = 0; pod->status && i < pod->status->n_conditions; i++) {
        if (g_str_equal(pod->status->conditions[i]->type, "Ready"))
            return g_str_equal(pod->status->conditions[i]->status, "True");
    }
    return FALSE;
}

/* Until the pod of that name is ready, is not ready, or is gone. */
static void await(KitWatch *watch, const char *name, const char *what)
{
    for (;;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        g_assert_no_error(event->error);
        if (g_str_equal(event->type, "BOOKMARK") || !g_str_equal(api_object_name(event->object), name))
            continue;
        gboolean gone = g_str_equal(event->type, "DELETED"), ready = !gone && is_ready((void *)event->object);
        if (g_str_equal(what, "gone") ? gone : !gone && ready == g_str_equal(what, "ready"))
            return;
    }
}

static void create_pod(const char *name)
{
    API_AUTO(ProtobufCMessage)
    pod = kit_must_create(node_lab_api(lab),
                          "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: default}, spec: {nodeName: n1,"
                          " terminationGracePeriodSeconds: 0, containers: [{name: main, image: 'busybox:1',"
                          " command: [sleep, '1000']}]}}",
                          name);
}

static void delete_pod(KitWatch *watch, const char *name)
{
    g_autoptr(GError) error = NULL;
    API_AUTO(ProtobufCMessage) gone = kit_delete(node_lab_api(lab), API_POD, "default", name, NULL, &error);
    g_assert_no_error(error);
    await(watch, name, "gone");
}

static gint64 start_pod(KitWatch *watch, const char *name)
{
    gint64 began = g_get_monotonic_time();
    create_pod(name);
    await(watch, name, "ready");
    return elapsed_ms(began);
}

/* The process of the container, by the runtime's list of tasks: the only one that is not a sandbox's is sleep's. */
static GPid container_pid(void)
{
    g_autofree char *tasks = node_lab_ctr(lab, (const char *const[]){"tasks", "list", NULL});
    g_auto(GStrv) lines = g_strsplit(tasks, "\n", -1);
    for (guint i = 1; lines[i] && lines[i][0]; i++) {
        const char *at = strchr(lines[i], ' ');
        GPid pid = at ? (GPid)g_ascii_strtoll(at, NULL, 10) : 0;
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid);
        g_autofree char *comm = NULL;
        if (pid > 1 && g_file_get_contents(path, &comm, NULL, NULL) && g_str_has_prefix(comm, "sleep"))
            return pid;
    }
    g_error("no container runs:\n%s", tasks);
}

static gint64 end_container(KitWatch *watch, const char *name)
{
    GPid pid = container_pid();
    gint64 began = g_get_monotonic_time();
    kill(pid, SIGKILL);
    await(watch, name, "unready");
    return elapsed_ms(began);
}

static gint64 agent_rss_kb(void)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", node_lab_agent_pid(lab));
    g_autofree char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    const char *line = strstr(text, "VmRSS:");
    return line ? g_ascii_strtoll(line + 6, NULL, 10) : 0;
}

/* --- figures ----------------------------------------------------------------------------------------------------------*/

static void bench_status(KitWatch *watch, guint n)
{
    g_autofree gint64 *starts = g_new0(gint64, n), *ends = g_new0(gint64, n);
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("one-%u", i);
        starts[i] = start_pod(watch, name);
        ends[i] = end_container(watch, name);
        delete_pod(watch, name);
    }
    show("pod, from create to Ready seen by a watch", starts, n);
    show("container killed to status seen by a watch", ends, n);
}

static void bench_memory(KitWatch *watch, guint n)
{
    gint64 empty = agent_rss_kb();
    gint64 began = g_get_monotonic_time();
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("many-%u", i);
        create_pod(name);
    }
    g_autoptr(GHashTable) ready = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    while (g_hash_table_size(ready) < n) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        if (g_str_equal(event->type, "MODIFIED") && is_ready((void *)event->object))
            g_hash_table_add(ready, g_strdup(api_object_name(event->object)));
    }
    g_print("%u pods at once: all ready after %" G_GINT64_FORMAT " ms\n", n, elapsed_ms(began));
    gint64 full = agent_rss_kb();
    g_print("agent RSS: %" G_GINT64_FORMAT " KB without pods, %" G_GINT64_FORMAT " KB with %u, %" G_GINT64_FORMAT
            " KB per pod\n",
            empty, full, n, (full - empty) / n);
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("many-%u", i);
        g_autoptr(GError) error = NULL;
        API_AUTO(ProtobufCMessage) gone = kit_delete(node_lab_api(lab), API_POD, "default", name, NULL, &error);
        g_assert_no_error(error);
    }
    for (guint gone = 0; gone < n;) {
        g_autoptr(KitEvent) event = kit_watch_next(watch);
        gone += g_str_equal(event->type, "DELETED");
    }
}

int main(int argc, char **argv)
{
    guint n = argc > 1 ? (guint)CLAMP(atoi(argv[1]), 1, 110) : 10;
    if (!node_lab_enter()) {
        g_printerr("bench-agent needs root\n");
        return EXIT_FAILURE;
    }
    rpc_init(1);
    lab = node_lab_new();
    KitWatch *watch = watch_all();
    g_print("agent RSS after its start: %" G_GINT64_FORMAT " KB\n", agent_rss_kb());
    bench_status(watch, n);
    bench_memory(watch, n);
    kit_watch_free(watch);
    node_lab_free(lab);
    rpc_shutdown();
    return EXIT_SUCCESS;
}
