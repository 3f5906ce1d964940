/* The pod's status in the API: computed after every step, written when it differs from what the object says. One write is
 * under way at a time; what changed meanwhile goes with the next. */
#include "agent/pod-internal.h"
#include "agent/pod-status.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

char **pod_addresses(const Pod *pod)
{
    const Sandbox *sandbox = pod_ready_sandbox(pod);
    if (pod->object->spec->hostnetwork)
        return g_strdupv((char *[]){pod->env->config->node_ip, NULL});
    if (sandbox && sandbox->ips)
        return g_strdupv(sandbox->ips);
    const Core__V1__PodStatus *old = pod->object->status;
    char **ips = g_new0(char *, (old ? old->n_podips : 0) + 1);
    for (gsize i = 0; old && i < old->n_podips; i++)
        ips[i] = g_strdup(api_str(old->podips[i]->ip));
    return ips;
}

/* The newest object known. */
static const Core__V1__Pod *base_object(const Pod *pod)
{
    return pod->latest ? pod->latest : pod->object;
}

static Core__V1__PodStatus *compute(Pod *pod)
{
    g_autofree StatusSlot *slots = g_new0(StatusSlot, pod->slots->len + 1);
    for (guint i = 0; i < pod->slots->len; i++) {
        const Slot *slot = pod->slots->pdata[i];
        slots[i] = (StatusSlot){
            .spec = slot->spec,
            .init = slot->init,
            .done = slot->done,
            .current = slot->current,
            .previous = slot->previous,
            .restarting = slot_is_restarting(slot),
            .waiting_reason = slot->reason,
            .waiting_message = slot->message,
        };
    }
    g_auto(GStrv) ips = pod_addresses(pod);
    const Sandbox *sandbox = pod_ready_sandbox(pod);
    StatusInput input = {
        .pod = base_object(pod),
        .slots = slots,
        .n_slots = pod->slots->len,
        .sandbox_ready = sandbox && sandbox->ips,
        .pod_ips = (const char *const *)ips,
        .host_ip = pod->env->config->node_ip,
        .runtime_name = runtime_name(pod->env->runtime),
        .terminal = pod->stopped,
        .failed_reason = pod->failed_reason,
        .failed_message = pod->failed_message,
        .start_ns = pod->start_ns,
        .now_ns = time_now_ns(),
    };
    return pod_status_compute(&input);
}

static void on_object(const ProtobufCMessage *object, const GError *error, gpointer data);

static void again_later(Pod *pod, const GError *error)
{
    pod->report_at = g_get_monotonic_time() + (gint64)backoff_next(&pod->report_errors) * 1000;
    if (pod->report_errors.failures == 1)
        log_warning("pod %s/%s: write status: %s; trying again", pod->namespace_, pod->name, error->message);
}

/* The answer to an UpdateStatus, or to the Get after a conflict. */
static void on_object(const ProtobufCMessage *object, const GError *error, gpointer data)
{
    Pod *pod = data;
    pod->reporting = FALSE;
    if (pod->detached) {
        pod_unref(pod);
        return;
    }
    if (object) {
        log_debug("pod %s/%s: status written", pod->namespace_, pod->name);
        backoff_reset(&pod->report_errors);
        if (g_str_equal(api_object_uid(object), pod->uid) &&
            api_object_revision(object) > api_object_revision(&pod->object->base))
            api_set(pod->latest, API_CLONE((Core__V1__Pod *)object));
    } else if (cleat_error_is(error, CLEAT_ERROR_CONFLICT)) {
        pod->reporting = TRUE;
        client_get(pod->env->client, API_POD, pod->namespace_, pod->name, on_object, pod_ref(pod));
    } else {
        again_later(pod, error);
    }
    pod_wake(pod);
    pod_unref(pod);
}

void pod_report(Pod *pod)
{
    if (!pod->object || pod->object_gone || pod->reporting)
        return;
    if (pod->report_at > g_get_monotonic_time()) {
        pod_wake_at(pod, pod->report_at);
        return;
    }
    Core__V1__PodStatus *status = compute(pod);
    const Core__V1__Pod *base = base_object(pod);
    if (API_EQUAL(base->status, status)) {
        API_FREE(status);
        return;
    }
    API_AUTO(Core__V1__Pod) object = API_CLONE((Core__V1__Pod *)base);
    api_set(object->status, status);
    pod->reporting = TRUE;
    client_update_status(pod->env->client, &object->base, on_object, pod_ref(pod));
}

gboolean pod_report_is_settled(Pod *pod)
{
    if (!pod->object || pod->object_gone)
        return TRUE;
    if (pod->reporting)
        return FALSE;
    API_AUTO(Core__V1__PodStatus) status = compute(pod);
    return API_EQUAL(base_object(pod)->status, status);
}
