/* The runtime's view of a pod: its sandboxes and the runs of its containers, kept by listings and by single reads. */
#include <string.h>

#include "agent/labels.h"
#include "agent/pod-internal.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

#define EXIT_CHECK_US 5000
#define EXIT_CHECK_MAX_US 200000
#define EXIT_CHECKS_MAX 100
#define READ_AGAIN_US (1 * G_USEC_PER_SEC)

/* --- what is known ----------------------------------------------------------------------------------------------------*/

void sandbox_free(gpointer data)
{
    Sandbox *sandbox = data;
    g_free(sandbox->id);
    g_strfreev(sandbox->ips);
    g_free(sandbox->grace);
    g_free(sandbox);
}

Run *pod_find_run(const Pod *pod, const char *id)
{
    for (guint i = 0; i < pod->runs->len; i++) {
        Run *run = pod->runs->pdata[i];
        if (g_str_equal(run->id, id))
            return run;
    }
    return NULL;
}

Sandbox *pod_find_sandbox(const Pod *pod, const char *id)
{
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (g_str_equal(sandbox->id, id))
            return sandbox;
    }
    return NULL;
}

Sandbox *pod_ready_sandbox(const Pod *pod)
{
    Sandbox *newest = NULL;
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox->ready && !sandbox->removing && (!newest || sandbox->attempt > newest->attempt))
            newest = sandbox;
    }
    return newest;
}

gboolean pod_has_id(const Pod *pod, const char *id)
{
    return pod_find_run(pod, id) || pod_find_sandbox(pod, id);
}

Run *pod_add_run(Pod *pod, Run *run)
{
    Run *old = pod_find_run(pod, run->id);
    if (old) { /* the old one's place, with what only we know of it */
        if (!run->sandbox_id)
            run->sandbox_id = g_steal_pointer(&old->sandbox_id);
        run->stop_until = old->stop_until;
        run->stopping = old->stopping;
        run->exit_checks = run_is_over(run) ? 0 : old->exit_checks;
        run->check_at = run_is_over(run) ? 0 : old->check_at;
        guint index;
        g_ptr_array_find(pod->runs, old, &index);
        pod->runs->pdata[index] = run;
        run_free(old);
    } else {
        g_ptr_array_add(pod->runs, run);
    }
    pod_message_fill(pod, run);
    pod_assign_runs(pod);
    return run;
}

void pod_drop_run(Pod *pod, const char *id)
{
    Run *run = pod_find_run(pod, id);
    if (!run)
        return;
    g_ptr_array_remove(pod->runs, run);
    pod_assign_runs(pod);
}

Sandbox *pod_add_sandbox(Pod *pod, const char *id, guint attempt, gboolean ready, gint64 created_ns)
{
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    if (!sandbox) {
        sandbox = g_new0(Sandbox, 1);
        sandbox->id = g_strdup(id);
        g_ptr_array_add(pod->sandboxes, sandbox);
    }
    sandbox->attempt = attempt;
    sandbox->ready = ready;
    sandbox->created_ns = created_ns;
    return sandbox;
}

void pod_drop_sandbox(Pod *pod, const char *id)
{
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    if (!sandbox)
        return;
    for (guint i = pod->runs->len; i-- > 0;) {
        Run *run = pod->runs->pdata[i];
        if (g_strcmp0(run->sandbox_id, id) == 0)
            g_ptr_array_remove_index(pod->runs, i);
    }
    g_ptr_array_remove(pod->sandboxes, sandbox);
    pod_assign_runs(pod);
}

/* --- single reads -----------------------------------------------------------------------------------------------------*/

static void refresh_done(Pod *pod);

/* The exit of a process is told before the runtime has written it into its status: ask again, soon and then less often.
 * checks: 0 while no exit is awaited. Returns when to ask again (monotonic us), or 0. */
static gint64 await_exit(guint *checks, gboolean over)
{
    if (*checks == 0 || over || ++*checks > EXIT_CHECKS_MAX) {
        *checks = 0;
        return 0;
    }
    return g_get_monotonic_time() + MIN(EXIT_CHECK_US * *checks, EXIT_CHECK_MAX_US);
}

static void on_run_status(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    const Runtime__V1__ContainerStatusResponse *status = (const Runtime__V1__ContainerStatusResponse *)reply;
    if (status && status->status) {
        Run *old = pod_find_run(pod, id);
        gboolean was_alive = !old || run_is_alive(old);
        Run *run = pod_add_run(pod, run_new(status->status, NULL));
        if (was_alive && run_is_over(run))
            log_info("pod %s/%s: container %s ended: %s, exit code %d", api_str(pod->namespace_), api_str(pod->name),
                     run->container, run->reason, run->exit_code);
        run->check_at = await_exit(&run->exit_checks, run_is_over(run));
        pod->env->changed(pod, pod->env->data);
    } else if (error && cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
        pod_drop_run(pod, id);
    } else {
        pod->refresh_at = g_get_monotonic_time() + READ_AGAIN_US;
    }
}

void pod_fetch_run(Pod *pod, const char *id)
{
    Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
    request.container_id = (char *)id;
    pod_call(pod, CRI_CONTAINER_STATUS, &request.base, 0, id, on_run_status);
}

static char **ips_of(const Runtime__V1__PodSandboxStatus *status)
{
    GPtrArray *ips = g_ptr_array_new();
    if (status->network && status->network->ip[0])
        g_ptr_array_add(ips, g_strdup(status->network->ip));
    for (gsize i = 0; status->network && i < status->network->n_additional_ips; i++)
        g_ptr_array_add(ips, g_strdup(status->network->additional_ips[i]->ip));
    g_ptr_array_add(ips, NULL);
    return (char **)g_ptr_array_free(ips, FALSE);
}

static void on_sandbox_status(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    const Runtime__V1__PodSandboxStatusResponse *status = (const Runtime__V1__PodSandboxStatusResponse *)reply;
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    if (!sandbox)
        return;
    sandbox->asking = FALSE;
    if (status && status->status) {
        sandbox->ready = status->status->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;
        sandbox->check_at = await_exit(&sandbox->exit_checks, !sandbox->ready);
        g_strfreev(sandbox->ips);
        sandbox->ips = ips_of(status->status);
    } else if (error && cleat_error_is(error, CLEAT_ERROR_NOT_FOUND)) {
        pod_drop_sandbox(pod, id);
    } else {
        pod->refresh_at = g_get_monotonic_time() + READ_AGAIN_US;
    }
}

static void ask_sandbox(Pod *pod, Sandbox *sandbox, PodReply done)
{
    Runtime__V1__PodSandboxStatusRequest request = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;
    request.pod_sandbox_id = sandbox->id;
    sandbox->asking = TRUE;
    pod_call(pod, CRI_POD_SANDBOX_STATUS, &request.base, 0, sandbox->id, done);
}

void pod_fetch_sandbox(Pod *pod, const char *id)
{
    ask_sandbox(pod, pod_find_sandbox(pod, id), on_sandbox_status);
}

void pod_runtime_changed(Pod *pod, const char *id, gboolean exited)
{
    Run *run = pod_find_run(pod, id);
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    log_debug("pod %s/%s: event of %.13s%s", api_str(pod->namespace_), api_str(pod->name), id, exited ? ": exit" : "");
    if (run) {
        if (run_is_alive(run) && (exited || run->exit_checks > 0))
            run->exit_checks = 1; /* any news of a process that has ended makes it worth asking often again */
        pod_fetch_run(pod, id);
    } else if (sandbox) {
        if (sandbox->ready && (exited || sandbox->exit_checks > 0))
            sandbox->exit_checks = 1;
        pod_fetch_sandbox(pod, id);
    }
}

/* --- listings ---------------------------------------------------------------------------------------------------------*/

static void on_listed_sandbox(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    on_sandbox_status(pod, id, reply, error);
    if (--pod->fetching == 0)
        refresh_done(pod);
}

/* A sandbox's addresses are part of the view: without them an adopted pod would be reported as one that has none. */
static void read_addresses(Pod *pod)
{
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (!sandbox->ready || sandbox->ips)
            continue;
        pod->fetching++;
        ask_sandbox(pod, sandbox, on_listed_sandbox);
    }
}

static void assign_sandboxes(Pod *pod, Runtime__V1__PodSandbox *const *items, gsize n)
{
    for (guint i = pod->sandboxes->len; i-- > 0;) {
        const Sandbox *known = pod->sandboxes->pdata[i];
        gboolean listed = FALSE;
        for (gsize j = 0; j < n && !listed; j++)
            listed = g_str_equal(items[j]->id, known->id);
        if (!listed) {
            g_autofree char *id = g_strdup(known->id);
            pod_drop_sandbox(pod, id);
        }
    }
    for (gsize i = 0; i < n; i++) {
        Sandbox *sandbox =
            pod_add_sandbox(pod, items[i]->id, items[i]->metadata ? items[i]->metadata->attempt : 0,
                            items[i]->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY, items[i]->created_at);
        g_free(sandbox->grace);
        sandbox->grace =
            g_strdup(api_map_get(API_MAP(items[i]->annotations), items[i]->n_annotations, ANNOTATION_GRACE));
    }
}

static void on_listed_run(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    on_run_status(pod, id, reply, error);
    if (--pod->fetching == 0)
        refresh_done(pod);
}

/* What is new or in another state is read in full. */
static void assign_containers(Pod *pod, Runtime__V1__Container *const *items, gsize n)
{
    for (guint i = pod->runs->len; i-- > 0;) {
        const Run *known = pod->runs->pdata[i];
        gboolean listed = FALSE;
        for (gsize j = 0; j < n && !listed; j++)
            listed = g_str_equal(items[j]->id, known->id);
        if (!listed)
            g_ptr_array_remove_index(pod->runs, i);
    }
    pod_assign_runs(pod);
    read_addresses(pod);
    for (gsize i = 0; i < n; i++) {
        Run *run = pod_find_run(pod, items[i]->id);
        if (run && run->state == (RunState)items[i]->state)
            continue;
        if (!run) { /* a place for it that knows its sandbox, which its status does not tell */
            Runtime__V1__ContainerStatus status = RUNTIME__V1__CONTAINER_STATUS__INIT;
            status.id = items[i]->id;
            status.metadata = items[i]->metadata;
            status.state = items[i]->state;
            status.created_at = items[i]->created_at;
            run = pod_add_run(pod, run_new(&status, items[i]->pod_sandbox_id));
        }
        Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
        request.container_id = items[i]->id;
        pod->fetching++;
        pod_call(pod, CRI_CONTAINER_STATUS, &request.base, 0, items[i]->id, on_listed_run);
    }
    if (pod->fetching == 0)
        refresh_done(pod);
}

/* A part that could not be read leaves the view stale: all is read once more. */
static void refresh_done(Pod *pod)
{
    pod->refreshing = FALSE;
    pod->stale = pod->refresh_at != 0;
    pod->listed |= !pod->stale;
    pod_wake(pod);
}

static void refresh_failed(Pod *pod)
{
    pod->refreshing = FALSE;
    pod->refresh_at = g_get_monotonic_time() + READ_AGAIN_US;
}

static void on_containers(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)id;
    const Runtime__V1__ListContainersResponse *list = (const Runtime__V1__ListContainersResponse *)reply;
    if (error)
        refresh_failed(pod);
    else
        assign_containers(pod, list->containers, list->n_containers);
}

static void on_sandboxes(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)id;
    const Runtime__V1__ListPodSandboxResponse *list = (const Runtime__V1__ListPodSandboxResponse *)reply;
    if (error) {
        refresh_failed(pod);
        return;
    }
    assign_sandboxes(pod, list->items, list->n_items);
    Runtime__V1__ContainerFilter__LabelSelectorEntry by_uid = RUNTIME__V1__CONTAINER_FILTER__LABEL_SELECTOR_ENTRY__INIT;
    Runtime__V1__ContainerFilter__LabelSelectorEntry *selector[] = {&by_uid};
    Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;
    Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
    by_uid.key = (char *)LABEL_POD_UID;
    by_uid.value = pod->uid;
    filter.label_selector = selector;
    filter.n_label_selector = 1;
    request.filter = &filter;
    pod_call(pod, CRI_LIST_CONTAINERS, &request.base, 0, NULL, on_containers);
}

/* Sandboxes first, so that a container made in between is not taken for one without a sandbox. */
void pod_refresh(Pod *pod)
{
    if (pod->refreshing) {
        pod->refresh_at = g_get_monotonic_time();
        return;
    }
    Runtime__V1__PodSandboxFilter__LabelSelectorEntry by_uid =
        RUNTIME__V1__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
    Runtime__V1__PodSandboxFilter__LabelSelectorEntry by_node =
        RUNTIME__V1__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
    Runtime__V1__PodSandboxFilter__LabelSelectorEntry *selector[] = {&by_uid, &by_node};
    Runtime__V1__PodSandboxFilter filter = RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
    Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
    by_uid.key = (char *)LABEL_POD_UID;
    by_uid.value = pod->uid;
    by_node.key = (char *)LABEL_NODE;
    by_node.value = pod->env->config->node_name;
    filter.label_selector = selector;
    filter.n_label_selector = 2;
    request.filter = &filter;
    pod->refreshing = pod->stale = TRUE;
    pod->refresh_at = 0;
    pod_call(pod, CRI_LIST_POD_SANDBOX, &request.base, 0, NULL, on_sandboxes);
}

/* A listing that was asked for before the pod's last own call ended may be older than what is known: left alone, unless
 * nothing is known yet. */
void pod_listed(Pod *pod, Runtime__V1__PodSandbox *const *sandboxes, gsize n_sandboxes,
                Runtime__V1__Container *const *containers, gsize n_containers, gint64 asked)
{
    if (pod->refreshing || (pod->listed && (pod->calls > 0 || pod->touched >= asked)))
        return;
    pod->refreshing = pod->stale = TRUE;
    pod->refresh_at = 0;
    assign_sandboxes(pod, sandboxes, n_sandboxes);
    assign_containers(pod, containers, n_containers);
}

gboolean pod_sync(Pod *pod)
{
    gint64 now = g_get_monotonic_time();
    if (pod->refresh_at && !pod->refreshing) {
        if (pod->refresh_at <= now)
            pod_refresh(pod);
        else
            pod_wake_at(pod, pod->refresh_at);
    }
    for (guint i = 0; i < pod->runs->len; i++) {
        Run *run = pod->runs->pdata[i];
        if (!run->check_at)
            continue;
        if (run->check_at > now) {
            pod_wake_at(pod, run->check_at);
            continue;
        }
        run->check_at = 0;
        pod_fetch_run(pod, run->id);
    }
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox->check_at > now) {
            pod_wake_at(pod, sandbox->check_at);
        } else if (sandbox->check_at) {
            sandbox->check_at = 0;
            pod_fetch_sandbox(pod, sandbox->id);
        }
    }
    return !pod->stale;
}
