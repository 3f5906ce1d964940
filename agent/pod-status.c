#include "agent/pod-status.h"

#include <string.h>

#include "agent/resources.h"
#include "lib/base/time.h"

/* --- containers -------------------------------------------------------------------------------------------------------*/

static char *container_id(const StatusInput *input, const Run *run)
{
    return g_strdup_printf("%s://%s", input->runtime_name, run->id);
}

static Core__V1__ContainerState *terminated_state(const StatusInput *input, const Run *run)
{
    Core__V1__ContainerState *state = API_NEW(Core__V1__ContainerState, core__v1__container_state);
    Core__V1__ContainerStateTerminated *ended =
        API_NEW(Core__V1__ContainerStateTerminated, core__v1__container_state_terminated);
    gboolean unknown = run->state == RUN_UNKNOWN;
    api_set_scalar(ended, exitcode, unknown ? 137 : run->exit_code);
    ended->reason = g_strdup(unknown          ? "ContainerStatusUnknown"
                             : run->reason[0] ? run->reason
                             : run->exit_code ? "Error"
                                              : "Completed");
    if (run->message[0])
        ended->message = g_strdup(run->message);
    if (run->started_ns > 0)
        ended->startedat = api_time_new(run->started_ns);
    if (run->finished_ns > 0)
        ended->finishedat = api_time_new(run->finished_ns);
    ended->containerid = container_id(input, run);
    state->terminated = ended;
    return state;
}

static Core__V1__ContainerState *waiting_state(const char *reason, const char *message)
{
    Core__V1__ContainerState *state = API_NEW(Core__V1__ContainerState, core__v1__container_state);
    state->waiting = API_NEW(Core__V1__ContainerStateWaiting, core__v1__container_state_waiting);
    state->waiting->reason = g_strdup(reason);
    if (message && message[0])
        state->waiting->message = g_strdup(message);
    return state;
}

static Core__V1__ContainerState *running_state(const Run *run)
{
    Core__V1__ContainerState *state = API_NEW(Core__V1__ContainerState, core__v1__container_state);
    state->running = API_NEW(Core__V1__ContainerStateRunning, core__v1__container_state_running);
    state->running->startedat = api_time_new(run->started_ns);
    return state;
}

static gboolean is_running(const StatusSlot *slot)
{
    return slot->current && slot->current->state == RUN_RUNNING;
}

/* Over, and not to be run again. */
static gboolean has_ended(const StatusSlot *slot)
{
    return slot->current && run_is_over(slot->current) && !slot->restarting;
}

static gboolean has_succeeded(const StatusSlot *slot)
{
    if (slot->done && !slot->current)
        return TRUE;
    return has_ended(slot) && slot->current->state == RUN_EXITED && slot->current->exit_code == 0;
}

static gboolean is_ready(const StatusSlot *slot)
{
    return slot->init ? has_succeeded(slot) : is_running(slot);
}

/* What was reported of an init container before the runtime forgot it. */
static Core__V1__ContainerState *remembered_state(const StatusInput *input, const StatusSlot *slot)
{
    const Core__V1__PodStatus *old = input->pod->status;
    for (gsize i = 0; old && i < old->n_initcontainerstatuses; i++) {
        const Core__V1__ContainerStatus *one = old->initcontainerstatuses[i];
        if (api_str_equal(one->name, slot->spec->name) && one->state && one->state->terminated)
            return API_CLONE(one->state);
    }
    static const Run forgotten = {.id = (char *)"", .state = RUN_EXITED, .reason = (char *)"", .message = (char *)""};
    return terminated_state(input, &forgotten);
}

static Core__V1__ContainerStatus *container_status(const StatusInput *input, const StatusSlot *slot,
                                                   gboolean initialized)
{
    Core__V1__ContainerStatus *status = API_NEW(Core__V1__ContainerStatus, core__v1__container_status);
    const Run *run = slot->current;
    const Run *last = slot->restarting ? run : slot->previous;
    const char *idle = initialized && !slot->init ? "ContainerCreating" : "PodInitializing";
    status->name = g_strdup(slot->spec->name);
    if (is_running(slot))
        status->state = running_state(run);
    else if (has_ended(slot))
        status->state = terminated_state(input, run);
    else if (has_succeeded(slot))
        status->state = remembered_state(input, slot);
    else
        status->state = waiting_state(slot->waiting_reason ? slot->waiting_reason : idle, slot->waiting_message);
    status->laststate = last && run_is_over(last) ? terminated_state(input, last)
                                                  : API_NEW(Core__V1__ContainerState, core__v1__container_state);
    api_set_scalar(status, ready, is_ready(slot));
    api_set_scalar(status, started, is_running(slot));
    api_set_scalar(status, restartcount, run ? (gint32)run->restarts : 0);
    status->image = g_strdup(run && run->image[0] ? run->image : api_str(slot->spec->image));
    status->imageid = g_strdup(run ? run->image_ref : "");
    status->containerid = run ? container_id(input, run) : g_strdup("");
    return status;
}

static gboolean is_initialized(const StatusInput *input)
{
    for (gsize i = 0; i < input->n_slots; i++) {
        if (input->slots[i].init && !has_succeeded(&input->slots[i]))
            return FALSE;
    }
    return TRUE;
}

/* --- phase ------------------------------------------------------------------------------------------------------------*/

static gboolean any_init_failed(const StatusInput *input)
{
    for (gsize i = 0; i < input->n_slots; i++) {
        const StatusSlot *slot = &input->slots[i];
        if (slot->init && has_ended(slot) && !has_succeeded(slot))
            return TRUE;
    }
    return FALSE;
}

/* A pod that has ended is Succeeded if every container was, else Failed. */
static const char *final_phase(const StatusInput *input)
{
    if (input->failed_reason)
        return "Failed";
    for (gsize i = 0; i < input->n_slots; i++) {
        if (!has_succeeded(&input->slots[i]))
            return "Failed";
    }
    return "Succeeded";
}

/* Running once every container has been started at least once and any of them runs or will run again. */
static const char *phase_of(const StatusInput *input, gboolean initialized)
{
    if (pod_status_is_terminal(input->pod->status))
        return input->pod->status->phase; /* there is no way back */
    gboolean all_ended = TRUE;
    gboolean started = TRUE;
    for (gsize i = 0; i < input->n_slots; i++) {
        const StatusSlot *slot = &input->slots[i];
        if (slot->init)
            continue;
        all_ended = all_ended && has_ended(slot);
        started = started && slot->current && (slot->current->state != RUN_CREATED || slot->previous);
    }
    if (input->terminal || (initialized && all_ended) || any_init_failed(input))
        return final_phase(input);
    return initialized && started ? "Running" : "Pending";
}

gboolean pod_status_is_terminal(const Core__V1__PodStatus *status)
{
    return status && (api_str_equal(status->phase, "Succeeded") || api_str_equal(status->phase, "Failed"));
}

/* --- conditions -------------------------------------------------------------------------------------------------------*/

static const Core__V1__PodCondition *find_condition(const Core__V1__PodStatus *status, const char *type)
{
    for (gsize i = 0; status && i < status->n_conditions; i++) {
        if (api_str_equal(status->conditions[i]->type, type))
            return status->conditions[i];
    }
    return NULL;
}

/* Appends a condition; its transition time is the old one's unless the status changed. message: taken. */
static void add_condition(const StatusInput *input, Core__V1__PodStatus *status, const char *type, gboolean truth,
                          const char *reason, char *message)
{
    const Core__V1__PodCondition *old = find_condition(input->pod->status, type);
    Core__V1__PodCondition *condition = API_NEW(Core__V1__PodCondition, core__v1__pod_condition);
    condition->type = g_strdup(type);
    condition->status = g_strdup(truth ? "True" : "False");
    if (old && api_str_equal(old->status, condition->status) && old->lasttransitiontime)
        condition->lasttransitiontime = API_CLONE(old->lasttransitiontime);
    else
        condition->lasttransitiontime = api_time_new(input->now_ns);
    condition->reason = g_strdup(reason);
    condition->message = message;
    api_append(status->conditions, status->n_conditions, condition);
}

/* "containers with unready status: [a b]", or NULL when every container of that sort is ready. New string. */
static char *list_unready(const StatusInput *input, gboolean init, const char *what)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (gsize i = 0; i < input->n_slots; i++) {
        if (input->slots[i].init == init && !is_ready(&input->slots[i]))
            g_string_append_printf(names, "%s%s", names->len ? " " : "", input->slots[i].spec->name);
    }
    return names->len ? g_strdup_printf("containers with %s status: [%s]", what, names->str) : NULL;
}

/* The readiness gates that are not True, or NULL. New string. */
static char *list_gates(const StatusInput *input)
{
    const Core__V1__PodSpec *spec = input->pod->spec;
    g_autoptr(GString) out = g_string_new(NULL);
    for (gsize i = 0; i < spec->n_readinessgates; i++) {
        const char *type = api_str(spec->readinessgates[i]->conditiontype);
        const Core__V1__PodCondition *gate = find_condition(input->pod->status, type);
        if (!gate || !api_str_equal(gate->status, "True"))
            g_string_append_printf(out, "%scorresponding condition of pod readiness gate \"%s\" %s",
                                   out->len ? ", " : "", type, gate ? "is not \"True\"." : "does not exist.");
    }
    return out->len ? g_strdup(out->str) : NULL;
}

static void add_readiness(const StatusInput *input, Core__V1__PodStatus *status)
{
    if (pod_status_is_terminal(status)) {
        const char *reason = g_str_equal(status->phase, "Succeeded") ? "PodCompleted" : "PodFailed";
        add_condition(input, status, "Ready", FALSE, reason, NULL);
        add_condition(input, status, "ContainersReady", FALSE, reason, NULL);
        return;
    }
    char *unready = list_unready(input, FALSE, "unready");
    char *gates = list_gates(input);
    const char *reason = unready ? "ContainersNotReady" : gates ? "ReadinessGatesNotReady" : NULL;
    add_condition(input, status, "Ready", !reason, reason, unready ? g_strdup(unready) : g_strdup(gates));
    add_condition(input, status, "ContainersReady", !unready, unready ? "ContainersNotReady" : NULL, unready);
    g_free(gates);
}

static void add_conditions(const StatusInput *input, Core__V1__PodStatus *status, gboolean initialized)
{
    static const char *const ours[] = {"PodReadyToStartContainers", "Initialized",  "Ready",
                                       "ContainersReady",           "PodScheduled", NULL};
    gboolean completed = api_str_equal(status->phase, "Succeeded");
    add_condition(input, status, "PodReadyToStartContainers", input->sandbox_ready, NULL, NULL);
    add_condition(input, status, "Initialized", initialized,
                  completed     ? "PodCompleted"
                  : initialized ? NULL
                                : "ContainersNotInitialized",
                  initialized ? NULL : list_unready(input, TRUE, "incomplete"));
    add_readiness(input, status);
    const Core__V1__PodStatus *old = input->pod->status;
    const Core__V1__PodCondition *scheduled = find_condition(old, "PodScheduled");
    if (scheduled)
        api_append(status->conditions, status->n_conditions, API_CLONE((Core__V1__PodCondition *)scheduled));
    else
        add_condition(input, status, "PodScheduled", TRUE, NULL, NULL);
    for (gsize i = 0; old && i < old->n_conditions; i++) {
        if (!g_strv_contains(ours, api_str(old->conditions[i]->type)))
            api_append(status->conditions, status->n_conditions, API_CLONE(old->conditions[i]));
    }
}

/* --- the whole --------------------------------------------------------------------------------------------------------*/

static void add_addresses(const StatusInput *input, Core__V1__PodStatus *status)
{
    if (input->host_ip) {
        Core__V1__HostIP *ip = API_NEW(Core__V1__HostIP, core__v1__host_ip);
        ip->ip = g_strdup(input->host_ip);
        status->hostip = g_strdup(input->host_ip);
        api_append(status->hostips, status->n_hostips, ip);
    }
    for (guint i = 0; input->pod_ips && input->pod_ips[i]; i++) {
        Core__V1__PodIP *ip = API_NEW(Core__V1__PodIP, core__v1__pod_ip);
        ip->ip = g_strdup(input->pod_ips[i]);
        api_append(status->podips, status->n_podips, ip);
    }
    if (status->n_podips > 0)
        status->podip = g_strdup(status->podips[0]->ip);
}

Core__V1__PodStatus *pod_status_compute(const StatusInput *input)
{
    Core__V1__PodStatus *status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    const Core__V1__PodStatus *old = input->pod->status;
    gboolean initialized = is_initialized(input);
    status->phase = g_strdup(phase_of(input, initialized));
    if (input->failed_reason) {
        status->reason = g_strdup(input->failed_reason);
        status->message = g_strdup(input->failed_message);
    } else if (old && pod_status_is_terminal(old)) {
        status->reason = g_strdup(old->reason);
        status->message = g_strdup(old->message);
    }
    for (gsize i = 0; i < input->n_slots; i++) {
        Core__V1__ContainerStatus *one = container_status(input, &input->slots[i], initialized);
        if (input->slots[i].init)
            api_append(status->initcontainerstatuses, status->n_initcontainerstatuses, one);
        else
            api_append(status->containerstatuses, status->n_containerstatuses, one);
    }
    add_conditions(input, status, initialized);
    add_addresses(input, status);
    status->starttime = old && old->starttime ? API_CLONE(old->starttime) : api_time_new(input->start_ns);
    status->qosclass = g_strdup(qos_name(qos_of(input->pod->spec)));
    if (old && old->nominatednodename)
        status->nominatednodename = g_strdup(old->nominatednodename);
    if (input->pod->metadata->has_generation)
        api_set_scalar(status, observedgeneration, input->pod->metadata->generation);
    return status;
}
