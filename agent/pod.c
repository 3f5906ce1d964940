#include "agent/pod.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "agent/env.h"
#include "agent/pod-internal.h"
#include "agent/pod-status.h"
#include "agent/volume.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/time.h"

#define DEFAULT_GRACE_S 30

static const struct {
    const char *name;
    PodState (*step)(Pod *pod);
} states[POD_STATE_MAX_] = {
    [POD_ADOPT] = {"adopt", pod_step_adopt},       [POD_SETUP] = {"set-up", pod_step_setup},
    [POD_SANDBOX] = {"sandbox", pod_step_sandbox}, [POD_RUN] = {"run", pod_step_run},
    [POD_STOP] = {"stop", pod_step_stop},          [POD_END] = {"end", pod_step_end},
    [POD_REMOVE] = {"remove", pod_step_remove},    [POD_CLEAN] = {"clean", pod_step_clean},
    [POD_DELETE] = {"delete", pod_step_delete},    [POD_GONE] = {"gone", NULL},
};

/* --- life -------------------------------------------------------------------------------------------------------------*/

Pod *pod_new(const PodEnv *env, const char *uid, const char *namespace_, const char *name)
{
    Pod *pod = g_new0(Pod, 1);
    pod->env = env;
    pod->refs = 1;
    pod->uid = g_strdup(uid);
    pod->namespace_ = g_strdup(namespace_);
    pod->name = g_strdup(name);
    pod->dir = g_build_filename(env->config->root_dir, "pods", uid, NULL);
    if (namespace_ && name) {
        g_autofree char *folder = g_strdup_printf("%s_%s_%s", namespace_, name, uid);
        pod->log_dir = g_build_filename(env->config->log_dir, folder, NULL);
    }
    pod->sandboxes = g_ptr_array_new_with_free_func(sandbox_free);
    pod->runs = g_ptr_array_new_with_free_func((GDestroyNotify)run_free);
    pod->slots = g_ptr_array_new_with_free_func(slot_free);
    pod->errors = (Backoff){.first_ms = 1000, .max_ms = 10000};
    pod->report_errors = (Backoff){.first_ms = 200, .max_ms = 5000};
    pod->start_ns = time_now_ns();
    return pod;
}

Pod *pod_ref(Pod *pod)
{
    pod->refs++;
    return pod;
}

static void drop_source(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

void pod_unref(Pod *pod)
{
    if (!pod || --pod->refs > 0)
        return;
    g_ptr_array_unref(pod->slots);
    g_ptr_array_unref(pod->runs);
    g_ptr_array_unref(pod->sandboxes);
    API_FREE(pod->own);
    API_FREE(pod->latest);
    g_free(pod->uid);
    g_free(pod->namespace_);
    g_free(pod->name);
    g_free(pod->dir);
    g_free(pod->log_dir);
    g_free(pod);
}

void pod_detach(Pod *pod)
{
    pod->detached = TRUE;
    drop_source(&pod->idle);
    drop_source(&pod->timer);
    g_clear_pointer(&pod->hold, objects_hold_free);
}

const char *pod_uid(const Pod *pod)
{
    return pod->uid;
}

const char *pod_namespace(const Pod *pod)
{
    return pod->namespace_;
}

const char *pod_name(const Pod *pod)
{
    return pod->name;
}

const Core__V1__Pod *pod_object(const Pod *pod)
{
    return pod->object;
}

const char *pod_state_name(const Pod *pod)
{
    return states[pod->state].name;
}

const char *pod_log_dir(const Pod *pod)
{
    return pod->log_dir;
}

/* --- steps ------------------------------------------------------------------------------------------------------------*/

/* Runs the machine until nothing more can be done now. The reference keeps the pod alive should it become GONE. */
static void run_steps(Pod *pod)
{
    pod_ref(pod);
    drop_source(&pod->timer);
    pod->wake_at = 0;
    gboolean fit = pod_sync(pod);
    while (fit && pod->state != POD_GONE) {
        PodState next = states[pod->state].step(pod);
        if (next == pod->state)
            break;
        log_debug("pod %s/%s: %s to %s", api_str(pod->namespace_), api_str(pod->name), states[pod->state].name,
                  states[next].name);
        pod->state = next;
        pod->retry_at = 0;
        backoff_reset(&pod->errors);
    }
    if (pod->state == POD_GONE)
        pod->env->gone(pod, pod->env->data);
    else if (fit && pod->state != POD_ADOPT)
        pod_report(pod);
    pod_unref(pod);
}

static gboolean on_idle(gpointer data)
{
    Pod *pod = data;
    drop_source(&pod->idle);
    run_steps(pod);
    return G_SOURCE_REMOVE;
}

void pod_wake(Pod *pod)
{
    if (pod->idle || pod->detached || pod->state == POD_GONE)
        return;
    pod->idle = g_idle_source_new();
    g_source_set_priority(pod->idle, G_PRIORITY_DEFAULT);
    g_source_set_callback(pod->idle, on_idle, pod, NULL);
    g_source_attach(pod->idle, client_context(pod->env->client));
}

static gboolean on_timer(gpointer data)
{
    Pod *pod = data;
    drop_source(&pod->timer);
    pod->wake_at = 0;
    run_steps(pod);
    return G_SOURCE_REMOVE;
}

void pod_wake_at(Pod *pod, gint64 when)
{
    if (pod->detached || (pod->wake_at && pod->wake_at <= when))
        return;
    gint64 wait_ms = (when - g_get_monotonic_time() + 999) / 1000;
    drop_source(&pod->timer);
    pod->wake_at = when;
    pod->timer = g_timeout_source_new((guint)CLAMP(wait_ms, 0, G_MAXINT));
    g_source_set_callback(pod->timer, on_timer, pod, NULL);
    g_source_attach(pod->timer, client_context(pod->env->client));
}

void pod_retry_later(Pod *pod)
{
    pod->retry_at = g_get_monotonic_time() + (gint64)backoff_next(&pod->errors) * 1000;
    pod_wake_at(pod, pod->retry_at);
}

/* --- calls ------------------------------------------------------------------------------------------------------------*/

typedef struct {
    Pod *pod;
    char *id;
    PodReply done;
} Call;

static void on_reply(const ProtobufCMessage *reply, const GError *error, gpointer data)
{
    Call *call = data;
    Pod *pod = call->pod;
    pod->calls--;
    pod->touched = g_get_monotonic_time();
    if (!pod->detached) {
        call->done(pod, call->id, reply, error);
        pod_wake(pod);
    }
    pod_unref(pod);
    g_free(call->id);
    g_free(call);
}

void pod_call(Pod *pod, CriMethod method, const ProtobufCMessage *request, gint64 extra_ms, const char *id,
              PodReply done)
{
    Call *call = g_new(Call, 1);
    *call = (Call){pod_ref(pod), g_strdup(id), done};
    pod->calls++;
    pod->touched = g_get_monotonic_time();
    cri_call(pod->env->cri, method, request, extra_ms, on_reply, call);
}

/* --- the object -------------------------------------------------------------------------------------------------------*/

void pod_event(Pod *pod, const char *type, const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (pod->object && !pod->object_gone)
        client_event(pod->env->events, &pod->object->base, type, reason, "%s", message);
}

void pod_set_object(Pod *pod, const Core__V1__Pod *object)
{
    gboolean first = !pod->object;
    pod->object = object;
    if (pod->latest && api_object_revision(&object->base) >= api_object_revision(&pod->latest->base))
        api_set(pod->latest, NULL);
    pod_make_slots(pod);
    if (first)
        pod_assign_runs(pod);
    pod_wake(pod);
}

void pod_object_gone(Pod *pod)
{
    if (pod->object) {
        pod->own = API_CLONE((Core__V1__Pod *)pod->object);
        pod->object = pod->own;
        pod_make_slots(pod);
    }
    pod->object_gone = TRUE;
    pod_wake(pod);
}

gboolean pod_is_deleted(const Pod *pod)
{
    return pod->object_gone || (pod->object && pod->object->metadata->deletiontimestamp);
}

/* activeDeadlineSeconds counts from when the pod was first taken up, as its status says. */
static void check_deadline(Pod *pod)
{
    const Core__V1__Pod *object = pod->object;
    if (!object->spec->has_activedeadlineseconds || pod->failed_reason)
        return;
    gint64 start = object->status && object->status->starttime ? api_time_ns(object->status->starttime) : pod->start_ns;
    gint64 left_us = (start - time_now_ns()) / 1000 + object->spec->activedeadlineseconds * G_USEC_PER_SEC;
    if (left_us > 0) {
        pod_wake_at(pod, g_get_monotonic_time() + left_us);
        return;
    }
    pod->failed_reason = "DeadlineExceeded";
    pod->failed_message = "Pod was active on the node longer than the specified deadline";
    pod_event(pod, "Normal", "DeadlineExceeded", "%s", pod->failed_message);
}

gboolean pod_should_run(Pod *pod)
{
    if (!pod->object || pod_is_deleted(pod) || pod->ended || pod_status_is_terminal(pod->object->status))
        return FALSE;
    check_deadline(pod);
    return !pod->failed_reason;
}

gint64 pod_grace_s(const Pod *pod)
{
    const Core__V1__Pod *object = pod->object;
    if (object && object->metadata->has_deletiongraceperiodseconds)
        return MAX(object->metadata->deletiongraceperiodseconds, 0);
    if (object && object->spec->has_terminationgraceperiodseconds)
        return MAX(object->spec->terminationgraceperiodseconds, 0);
    for (guint i = 0; !object && i < pod->sandboxes->len; i++) {
        const Sandbox *sandbox = pod->sandboxes->pdata[i];
        if (sandbox->grace)
            return CLAMP(g_ascii_strtoll(sandbox->grace, NULL, 10), 0, G_MAXINT);
    }
    return DEFAULT_GRACE_S;
}

/* --- the first states -------------------------------------------------------------------------------------------------*/

PodState pod_step_adopt(Pod *pod)
{
    if (!pod->listed || (!pod->object && !pod->object_gone))
        return POD_ADOPT;
    if (!pod_should_run(pod))
        return POD_STOP;
    return POD_SETUP;
}

static void hold_reference(const ApiResource *resource, const char *name, gpointer data)
{
    Pod *pod = data;
    if (name && name[0])
        objects_hold_add(pod->hold, resource, pod->namespace_, name);
}

static void on_objects_changed(gpointer data)
{
    Pod *pod = data;
    for (guint i = 0; i < pod->slots->len; i++) {
        Slot *slot = pod->slots->pdata[i];
        if (g_strcmp0(slot->reason, "CreateContainerConfigError") == 0)
            slot->retry_at = 0; /* what was missing may be there now */
    }
    pod_wake(pod);
}

/* Begins to follow everything that the pod's containers refer to. */
static void hold_objects(Pod *pod)
{
    const Core__V1__PodSpec *spec = pod->object->spec;
    pod->hold = objects_hold_new(pod->env->objects, on_objects_changed, pod);
    for (guint i = 0; i < pod->slots->len; i++)
        env_references(((Slot *)pod->slots->pdata[i])->spec, hold_reference, pod);
    for (gsize i = 0; i < spec->n_imagepullsecrets; i++)
        hold_reference(API_SECRET, spec->imagepullsecrets[i]->name, pod);
    if (!spec->has_enableservicelinks || spec->enableservicelinks)
        objects_hold_add(pod->hold, API_SERVICE, pod->namespace_, NULL);
}

/* The file "name" is what a later agent needs to find the logs of a pod of which only this folder is left. */
static gboolean make_folders(Pod *pod, GError **error)
{
    g_autofree char *marker = g_build_filename(pod->dir, "name", NULL);
    g_autofree char *names = g_strdup_printf("%s/%s\n", pod->namespace_, pod->name);
    const char *const folders[] = {pod->dir, pod->log_dir};
    for (guint i = 0; i < G_N_ELEMENTS(folders); i++) {
        if (g_mkdir_with_parents(folders[i], 0755) < 0) {
            g_set_error(error, CLEAT_ERROR, CLEAT_ERROR_INTERNAL, "make %s: %s", folders[i], g_strerror(errno));
            return FALSE;
        }
    }
    return g_file_set_contents(marker, names, -1, error);
}

PodState pod_step_setup(Pod *pod)
{
    if (!pod_should_run(pod))
        return POD_STOP;
    if (pod->retry_at > g_get_monotonic_time()) {
        pod_wake_at(pod, pod->retry_at);
        return POD_SETUP;
    }
    if (!pod->hold)
        hold_objects(pod);
    g_autoptr(GError) error = NULL;
    PodLimits limits;
    g_autofree char *cgroup = cgroup_pod_path(pod->env->cgroups, qos_of(pod->object->spec), pod->uid);
    resources_for_pod(pod->object->spec, &limits);
    if (make_folders(pod, &error) && volumes_prepare(pod->object, pod->dir, &error) &&
        cgroup_pod_create(pod->env->cgroups, cgroup, &limits, &error)) {
        pod->set_up = TRUE;
        return POD_SANDBOX;
    }
    log_warning("pod %s/%s: %s", pod->namespace_, pod->name, error->message);
    pod_event(pod, "Warning", "FailedMount", "%s", error->message);
    for (guint i = 0; i < pod->slots->len; i++)
        slot_set_reason(pod->slots->pdata[i], "ContainerCreating", error->message);
    pod_retry_later(pod);
    return POD_SETUP;
}

/* --- logs -------------------------------------------------------------------------------------------------------------*/

/* The only container, if there is just one. */
static Slot *sole_slot(const Pod *pod, char **ret_why)
{
    Slot *found = NULL;
    g_autoptr(GString) names = g_string_new(NULL);
    guint n = 0;
    for (guint i = 0; i < pod->slots->len; i++) {
        Slot *slot = pod->slots->pdata[i];
        g_string_append_printf(names, "%s%s", names->len ? " " : "", slot->spec->name);
        if (!slot->init && ++n == 1)
            found = slot;
    }
    if (n == 1)
        return found;
    *ret_why =
        g_strdup_printf("a container name must be specified for pod %s, choose one of: [%s]", pod->name, names->str);
    return NULL;
}

char *pod_log_path(const Pod *pod, const char *container, gboolean previous, gboolean *ret_alive, char **ret_why)
{
    Slot *slot = container && container[0] ? pod_slot_named(pod, container) : sole_slot(pod, ret_why);
    if (!slot) {
        if (!*ret_why)
            *ret_why = g_strdup_printf("container %s is not valid for pod %s", container, pod->name);
        return NULL;
    }
    const Run *run = previous ? slot->previous : slot->current;
    if (!run && previous) {
        *ret_why = g_strdup_printf("previous terminated container \"%s\" in pod \"%s\" not found", slot->spec->name,
                                   pod->name);
        return NULL;
    }
    if (!run) {
        *ret_why = g_strdup_printf("container \"%s\" in pod \"%s\" is waiting to start: %s", slot->spec->name,
                                   pod->name, slot->reason ? slot->reason : "ContainerCreating");
        return NULL;
    }
    *ret_alive = run_is_alive(run);
    return g_strdup_printf("%s/%s/%u.log", pod->log_dir, slot->spec->name, run->restarts);
}
