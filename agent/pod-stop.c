/* The end of a pod: containers are stopped, sandboxes removed, folders and cgroups freed, the object deleted. Each state can
 * be entered again after a restart of the agent and does only what is left to do. */
#include <glib/gstdio.h>

#include "agent/pod-internal.h"
#include "agent/tree-remove.h"
#include "agent/volume.h"
#include "lib/base/error.h"
#include "lib/base/log.h"

#define CGROUP_RETRY_US 100000
#define CGROUP_TRIES_MAX 100

/* --- calls ------------------------------------------------------------------------------------------------------------*/

/* Unknown to the runtime is as good as done. */
static gboolean is_done(const GError *error)
{
    return !error || cleat_error_is(error, CLEAT_ERROR_NOT_FOUND);
}

static void call_failed(Pod *pod, const char *what, const char *id, const GError *error)
{
    log_warning("pod %s/%s: %s %.13s: %s", api_str(pod->namespace_), api_str(pod->name), what, id, error->message);
    pod_event(pod, "Warning", "FailedKillPod", "error killing pod: %s: %s", what, error->message);
    pod_retry_later(pod);
}

static void on_run_stopped(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)reply;
    Run *run = pod_find_run(pod, id);
    if (!run)
        return;
    run->stopping = FALSE;
    if (is_done(error)) {
        pod_fetch_run(pod, id);
        return;
    }
    run->stop_until = 0;
    call_failed(pod, "stop container", id, error);
}

void pod_stop_run(Pod *pod, Run *run, gint64 grace_s)
{
    gint64 until = g_get_monotonic_time() + grace_s * G_USEC_PER_SEC;
    if (run->stop_until && run->stop_until <= until)
        return;
    Runtime__V1__StopContainerRequest request = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;
    request.container_id = run->id;
    request.timeout = grace_s;
    run->stop_until = until;
    run->stopping = TRUE;
    pod_call(pod, CRI_STOP_CONTAINER, &request.base, grace_s * 1000, run->id, on_run_stopped);
}

static void on_run_removed(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)reply;
    Run *run = pod_find_run(pod, id);
    if (!run)
        return;
    run->stopping = FALSE;
    if (!is_done(error)) {
        call_failed(pod, "remove container", id, error);
        return;
    }
    if (pod->log_dir) {
        g_autofree char *log = g_strdup_printf("%s/%s/%u.log", pod->log_dir, run->container, run->restarts);
        g_unlink(log);
    }
    pod_message_remove(pod, run);
    pod_drop_run(pod, id);
}

void pod_remove_run(Pod *pod, const Run *run)
{
    Runtime__V1__RemoveContainerRequest request = RUNTIME__V1__REMOVE_CONTAINER_REQUEST__INIT;
    request.container_id = run->id;
    pod_find_run(pod, run->id)->stopping = TRUE;
    pod_call(pod, CRI_REMOVE_CONTAINER, &request.base, 0, run->id, on_run_removed);
}

static void on_sandbox_stopped(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)reply;
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    if (!sandbox)
        return;
    sandbox->removing = FALSE;
    if (!is_done(error)) {
        call_failed(pod, "stop sandbox", id, error);
        return;
    }
    sandbox->stopped = TRUE;
    sandbox->ready = FALSE;
    pod->refresh_at = g_get_monotonic_time();
}

void pod_stop_sandbox(Pod *pod, Sandbox *sandbox)
{
    if (sandbox->removing)
        return;
    Runtime__V1__StopPodSandboxRequest request = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
    request.pod_sandbox_id = sandbox->id;
    sandbox->removing = TRUE;
    pod_call(pod, CRI_STOP_POD_SANDBOX, &request.base, 0, sandbox->id, on_sandbox_stopped);
}

static void on_sandbox_removed(Pod *pod, const char *id, const ProtobufCMessage *reply, const GError *error)
{
    (void)reply;
    Sandbox *sandbox = pod_find_sandbox(pod, id);
    if (!sandbox)
        return;
    sandbox->removing = FALSE;
    if (is_done(error))
        pod_drop_sandbox(pod, id);
    else
        call_failed(pod, "remove sandbox", id, error);
}

void pod_remove_sandbox(Pod *pod, Sandbox *sandbox)
{
    if (sandbox->removing)
        return;
    Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
    request.pod_sandbox_id = sandbox->id;
    sandbox->removing = TRUE;
    pod_call(pod, CRI_REMOVE_POD_SANDBOX, &request.base, 0, sandbox->id, on_sandbox_removed);
}

/* TRUE while the pause after a failure lasts; it is then woken in time. */
static gboolean pauses(Pod *pod)
{
    if (pod->retry_at <= g_get_monotonic_time())
        return FALSE;
    pod_wake_at(pod, pod->retry_at);
    return TRUE;
}

/* --- STOP -------------------------------------------------------------------------------------------------------------*/

static gboolean slots_busy(const Pod *pod)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        if (slot->state == SLOT_CREATE || slot->state == SLOT_START)
            return TRUE;
    }
    return pod->making_sandbox;
}

static gboolean runs_alive(Pod *pod)
{
    gboolean alive = FALSE;
    gint64 grace = pod_grace_s(pod);
    for (guint i = 0; i < pod->runs->len; i++) {
        Run *run = pod->runs->pdata[i];
        if (run->state != RUN_RUNNING)
            continue;
        alive = TRUE;
        if (!run->stop_until)
            pod_event(pod, "Normal", "Killing", "Stopping container %s", run->container);
        pod_stop_run(pod, run, grace);
    }
    return alive;
}

/* A stop that is under way is shortened when the grace is, but a pause after a failed one is kept. */
PodState pod_step_stop(Pod *pod)
{
    if (pauses(pod) || slots_busy(pod) || runs_alive(pod))
        return POD_STOP;
    pod->stopped = TRUE;
    return pod_is_deleted(pod) ? POD_REMOVE : POD_END;
}

/* --- END --------------------------------------------------------------------------------------------------------------*/

static void release(Pod *pod);

/* What has ended needs no network, volumes and cgroups; its containers stay, for their status and logs. */
PodState pod_step_end(Pod *pod)
{
    if (pod_is_deleted(pod))
        return POD_REMOVE;
    if (pauses(pod))
        return POD_END;
    gboolean busy = FALSE;
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox->stopped)
            continue;
        busy = TRUE;
        pod_stop_sandbox(pod, sandbox);
    }
    if (!busy && !pod->released) {
        pod->released = TRUE;
        g_clear_pointer(&pod->hold, objects_hold_free);
        release(pod);
    }
    return POD_END;
}

/* --- REMOVE -----------------------------------------------------------------------------------------------------------*/

/* Done when a listing made afterwards shows nothing: a RunPodSandbox whose answer was lost may have left something. */
PodState pod_step_remove(Pod *pod)
{
    if (pauses(pod))
        return POD_REMOVE;
    for (guint i = 0; i < pod->sandboxes->len; i++)
        pod_remove_sandbox(pod, pod->sandboxes->pdata[i]);
    for (guint i = 0; pod->sandboxes->len == 0 && i < pod->runs->len; i++) {
        const Run *run = pod->runs->pdata[i];
        if (!run->stopping)
            pod_remove_run(pod, run);
    }
    if (pod->sandboxes->len > 0 || pod->runs->len > 0) {
        pod->verified = FALSE;
        return POD_REMOVE;
    }
    if (pod->verified)
        return POD_CLEAN;
    pod->verified = TRUE;
    pod_refresh(pod);
    return POD_REMOVE;
}

/* --- CLEAN ------------------------------------------------------------------------------------------------------------*/

static gboolean remove_cgroups(Pod *pod)
{
    gboolean gone = TRUE;
    for (guint qos = 0; qos < QOS_MAX_; qos++) {
        g_autofree char *path = cgroup_pod_path(pod->env->cgroups, (QosClass)qos, pod->uid);
        gone = cgroup_pod_remove(pod->env->cgroups, path) && gone;
    }
    return gone;
}

static void on_released(gboolean ok, gpointer data)
{
    (void)ok;
    pod_unref(data);
}

static void release(Pod *pod)
{
    g_autofree char *volumes = g_build_filename(pod->dir, "volumes", NULL);
    volumes_release(pod->dir);
    tree_remove(volumes, on_released, pod_ref(pod));
    remove_cgroups(pod);
}

static void on_folder_removed(gboolean ok, gpointer data)
{
    Pod *pod = data;
    (void)ok; /* told by tree_remove(); the next agent tries again */
    pod->removals--;
    pod->removed = pod->removals == 0;
    pod_wake(pod);
    pod_unref(pod);
}

/* The pod's own folder goes last, for it is by this that a later agent knows that there is something to clean. */
PodState pod_step_clean(Pod *pod)
{
    g_clear_pointer(&pod->hold, objects_hold_free);
    if (!remove_cgroups(pod) && pod->cgroup_tries++ < CGROUP_TRIES_MAX) {
        pod_wake_at(pod, g_get_monotonic_time() + CGROUP_RETRY_US);
        return POD_CLEAN;
    }
    if (pod->removed)
        return POD_DELETE;
    if (pod->removals == 0) {
        volumes_release(pod->dir);
        pod->removals = pod->log_dir ? 2 : 1;
        if (pod->log_dir)
            tree_remove(pod->log_dir, on_folder_removed, pod_ref(pod));
        tree_remove(pod->dir, on_folder_removed, pod_ref(pod));
    }
    return POD_CLEAN;
}

/* --- DELETE -----------------------------------------------------------------------------------------------------------*/

static void on_deleted(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    (void)object;
    Pod *pod = data;
    pod->deleting = FALSE;
    if (pod->detached) {
        pod_unref(pod);
        return;
    }
    if (error && !cleat_error_is(error, CLEAT_ERROR_NOT_FOUND) && !cleat_error_is(error, CLEAT_ERROR_CONFLICT))
        pod_retry_later(pod);
    else
        pod->retry_at = G_MAXINT64; /* the cache will tell that it is gone; with finalizers, that may take a while */
    pod_unref(pod);
}

/* Only after the last status has arrived, so that nobody misses how the containers ended. */
PodState pod_step_delete(Pod *pod)
{
    if (pod->object_gone)
        return POD_GONE;
    if (pod->deleting || !pod_report_is_settled(pod) || pod->retry_at == G_MAXINT64 || pauses(pod))
        return POD_DELETE;
    Meta__V1__Preconditions preconditions = META__V1__PRECONDITIONS__INIT;
    Meta__V1__DeleteOptions options = META__V1__DELETE_OPTIONS__INIT;
    preconditions.uid = pod->uid;
    options.preconditions = &preconditions;
    api_set_scalar(&options, graceperiodseconds, 0);
    pod->deleting = TRUE;
    client_delete(pod->env->client, API_POD, pod->namespace_, pod->name, &options, on_deleted, pod_ref(pod));
    return POD_DELETE;
}
