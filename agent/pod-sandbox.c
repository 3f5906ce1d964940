/* The states in which a pod runs: its sandbox is made, then its containers in their order. */
#include "agent/dns.h"
#include "agent/pod-config.h"
#include "agent/pod-internal.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

/* --- sandbox ----------------------------------------------------------------------------------------------------------*/

Runtime__V1__PodSandboxConfig *pod_sandbox_config(Pod *pod, guint attempt)
{
    const AgentConfig *config = pod->env->config;
    g_autofree char *cgroup = cgroup_pod_path(pod->env->cgroups, qos_of(pod->object->spec), pod->uid);
    API_AUTO(Runtime__V1__DNSConfig)
    dns = dns_config_for(pod->object, pod->env->node_dns, (const char *const *)config->cluster_dns,
                         config->cluster_domain);
    SandboxInput input = {
        .node_name = config->node_name,
        .log_directory = pod->log_dir,
        .cgroup_parent = cgroup,
        .dns = dns,
        .attempt = attempt,
    };
    return sandbox_config_new(pod->object, &input);
}

static guint next_attempt(const Pod *pod)
{
    guint attempt = 0;
    for (guint i = 0; i < pod->sandboxes->len; i++)
        attempt = MAX(attempt, ((Sandbox *)pod->sandboxes->pdata[i])->attempt + 1);
    return attempt;
}

/* After a failure the view is read again: the runtime may have made it, or hold its name. */
static void on_sandbox_made(Pod *pod, const char *attempt, const ProtobufCMessage *reply, const GError *error)
{
    pod->making_sandbox = FALSE;
    if (error) {
        log_warning("pod %s/%s: make sandbox: %s", pod->namespace_, pod->name, error->message);
        pod_event(pod, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: %s", error->message);
        for (guint i = 0; i < pod->slots->len; i++)
            slot_set_reason(pod->slots->pdata[i], "ContainerCreating", error->message);
        pod_retry_later(pod);
        pod->refresh_at = g_get_monotonic_time();
        return;
    }
    for (guint i = 0; i < pod->slots->len; i++)
        slot_set_reason(pod->slots->pdata[i], NULL, NULL);
    const char *id = ((const Runtime__V1__RunPodSandboxResponse *)reply)->pod_sandbox_id;
    pod_add_sandbox(pod, id, (guint)g_ascii_strtoull(attempt, NULL, 10), TRUE, time_now_ns());
    pod_fetch_sandbox(pod, id);
}

static void make_sandbox(Pod *pod)
{
    guint attempt = next_attempt(pod);
    g_autofree char *number = g_strdup_printf("%u", attempt);
    API_AUTO(Runtime__V1__PodSandboxConfig) config = pod_sandbox_config(pod, attempt);
    Runtime__V1__RunPodSandboxRequest request = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
    request.config = config;
    request.runtime_handler = (char *)api_str(pod->object->spec->runtimeclassname);
    pod->making_sandbox = TRUE;
    pod_call(pod, CRI_RUN_POD_SANDBOX, &request.base, 0, number, on_sandbox_made);
}

/* Sandboxes that died are stopped first: that frees their network and ends what is left of their containers. TRUE while
 * any of that is still to be done. */
static gboolean stop_dead_sandboxes(Pod *pod)
{
    gboolean busy = FALSE;
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox->ready || sandbox->stopped)
            continue;
        busy = TRUE;
        pod_stop_sandbox(pod, sandbox);
    }
    for (guint i = 0; i < pod->runs->len; i++)
        busy |= ((Run *)pod->runs->pdata[i])->state == RUN_RUNNING;
    return busy;
}

static gboolean any_wants_run(const Pod *pod)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        if (!slot->init && slot_wants_run(slot))
            return TRUE;
    }
    return FALSE;
}

static gboolean network_is_ready(Pod *pod)
{
    RuntimeReadiness readiness = runtime_readiness(pod->env->runtime);
    if (pod->object->spec->hostnetwork || readiness.network || !readiness.runtime)
        return TRUE;
    pod_event(pod, "Warning", "NetworkNotReady", "network is not ready: %s", readiness.message);
    return FALSE; /* a change of it wakes the pod */
}

PodState pod_step_sandbox(Pod *pod)
{
    if (!pod_should_run(pod))
        return POD_STOP;
    Sandbox *sandbox = pod_ready_sandbox(pod);
    if (sandbox && sandbox->ips)
        return POD_RUN;
    if (sandbox || pod->making_sandbox) {
        if (sandbox && !sandbox->asking)
            pod_fetch_sandbox(pod, sandbox->id);
        return POD_SANDBOX;
    }
    if (!any_wants_run(pod)) {
        pod->ended = TRUE;
        return POD_STOP;
    }
    if (pod->retry_at > g_get_monotonic_time()) {
        pod_wake_at(pod, pod->retry_at);
        return POD_SANDBOX;
    }
    for (guint i = 0; i < pod->slots->len; i++)
        ((Slot *)pod->slots->pdata[i])->done = FALSE;
    if (!stop_dead_sandboxes(pod) && network_is_ready(pod))
        make_sandbox(pod);
    return POD_SANDBOX;
}

/* --- containers -------------------------------------------------------------------------------------------------------*/

static gboolean has_main_run(const Pod *pod, const char *sandbox_id)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        if (!slot->init && slot->current && g_strcmp0(slot->current->sandbox_id, sandbox_id) == 0)
            return TRUE;
    }
    return FALSE;
}

/* Steps the first init container that has not succeeded in this sandbox. TRUE when all have; once a container has been
 * made in the sandbox they are known to have, even if the runtime has forgotten them. */
static gboolean step_init(Pod *pod, Sandbox *sandbox)
{
    gboolean past = has_main_run(pod, sandbox->id);
    for (guint i = 0; i < pod->slots->len; i++) {
        Slot *slot = pod->slots->pdata[i];
        const Run *run = slot->current;
        if (!slot->init)
            continue;
        slot->done =
            slot->done || past ||
            (run && run->state == RUN_EXITED && run->exit_code == 0 && g_strcmp0(run->sandbox_id, sandbox->id) == 0);
        if (slot->done)
            continue;
        slot_step(slot, sandbox);
        return FALSE;
    }
    return TRUE;
}

/* Every container has ended and none will be run again, or an init container failed for good. */
static gboolean has_ended(const Pod *pod)
{
    gboolean all = TRUE;
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        if (slot->state != SLOT_IDLE)
            return FALSE;
        if (slot->init && !slot->done && slot->current && run_is_over(slot->current) && !slot_wants_run(slot) &&
            !(slot->current->state == RUN_EXITED && slot->current->exit_code == 0))
            return TRUE;
        if (!slot->init)
            all = all && !slot_wants_run(slot);
    }
    return all;
}

static gboolean is_needed(const Pod *pod, const Run *run)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        if (slot->current == run || slot->previous == run)
            return TRUE;
    }
    return FALSE;
}

static gboolean has_needed_run(const Pod *pod, const Sandbox *sandbox)
{
    for (guint i = 0; i < pod->runs->len; i++) {
        const Run *run = pod->runs->pdata[i];
        if (g_strcmp0(run->sandbox_id, sandbox->id) == 0 && is_needed(pod, run))
            return TRUE;
    }
    return FALSE;
}

/* Each container keeps its last two runs; older ones go, and dead sandboxes once nothing in them is needed. */
static void prune(Pod *pod, const Sandbox *current)
{
    for (guint i = 0; i < pod->runs->len; i++) {
        Run *run = pod->runs->pdata[i];
        if (run_is_over(run) && !run->stopping && !is_needed(pod, run))
            pod_remove_run(pod, run);
    }
    for (guint i = 0; i < pod->sandboxes->len; i++) {
        Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox != current && !sandbox->ready && sandbox->stopped && !has_needed_run(pod, sandbox))
            pod_remove_sandbox(pod, sandbox);
    }
}

static void step_containers(Pod *pod, Sandbox *sandbox)
{
    for (guint i = 0; i < pod->slots->len; i++) {
        Slot *slot = pod->slots->pdata[i];
        if (!slot->init)
            slot_step(slot, sandbox);
    }
}

PodState pod_step_run(Pod *pod)
{
    if (!pod_should_run(pod))
        return POD_STOP;
    Sandbox *sandbox = pod_ready_sandbox(pod);
    if (!sandbox) {
        pod_event(pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
        return POD_SANDBOX;
    }
    if (step_init(pod, sandbox))
        step_containers(pod, sandbox);
    if (has_ended(pod)) {
        pod->ended = TRUE;
        return POD_STOP;
    }
    prune(pod, sandbox);
    return POD_RUN;
}
