#include "controllers/job.h"

#include <string.h>

#include "controllers/claim.h"
#include "lib/base/error.h"
#include "lib/base/time.h"

#define BURST_MAX 500
#define BACKOFF_FIRST_S 10 /* before the next pod after a failed one; doubled each time */
#define BACKOFF_MAX_S 600
#define BACKOFF_LIMIT_DEFAULT 6
#define POD_KEY_PREFIX "pod:" /* keys for pods whose job is gone; job keys have no colon */

typedef Batch__V1__JobStatus Status;

/* Everything that a plan is made from. */
typedef struct {
    const Job *job;
    const Batch__V1__JobSpec *spec;
    Plan *plan;
    GPtrArray *pods;          /* const Pod*: the job's */
    GPtrArray *active;        /* of these, neither finished nor terminating */
    guint terminating;        /* not finished, but being deleted */
    Status *status;           /* what is to be written */
    GPtrArray *tracked;       /* const Pod*: noted in status, still with the finalizer */
    gint64 succeeded, failed; /* with the noted ones */
} View;

/* --- conditions --- */

static const Batch__V1__JobCondition *find_condition(const Status *status, const char *type)
{
    for (gsize i = 0; status && i < status->n_conditions; i++)
        if (api_str_equal(status->conditions[i]->type, type))
            return status->conditions[i];
    return NULL;
}

static gboolean is_true(const Batch__V1__JobCondition *condition)
{
    return condition && api_str_equal(condition->status, "True");
}

static void set_condition(View *view, const char *type, const char *value, const char *reason, const char *message)
{
    Batch__V1__JobCondition *condition = (Batch__V1__JobCondition *)find_condition(view->status, type);
    if (condition && api_str_equal(condition->status, value) && api_str_equal(condition->reason, reason))
        return;
    if (!condition) {
        condition = API_NEW(Batch__V1__JobCondition, batch__v1__job_condition);
        api_append(view->status->conditions, view->status->n_conditions, condition);
    }
    api_set_string(&condition->type, type);
    api_set_string(&condition->status, value);
    api_set_string(&condition->reason, reason);
    api_set_string(&condition->message, message);
    api_set(condition->lasttransitiontime, api_time_new(view->plan->now_ns));
    api_set(condition->lastprobetime, api_time_new(view->plan->now_ns));
}

static const Batch__V1__JobCondition *finished_condition(const Status *status)
{
    const Batch__V1__JobCondition *complete = find_condition(status, "Complete"),
                                  *failed = find_condition(status, "Failed");
    return is_true(complete) ? complete : is_true(failed) ? failed : NULL;
}

/* --- counting --- */

static gboolean strings_contain(char *const *strings, gsize n, const char *string)
{
    for (gsize i = 0; i < n; i++)
        if (g_str_equal(strings[i], string))
            return TRUE;
    return FALSE;
}

static const Pod *find_pod(const View *view, const char *uid)
{
    for (guint i = 0; i < view->pods->len; i++)
        if (api_str_equal(((const Pod *)view->pods->pdata[i])->metadata->uid, uid))
            return view->pods->pdata[i];
    return NULL;
}

/* Uids of pods that have no finalizer any more become counts. Returns how many. */
static gint32 settle_uids(const View *view, char **uids, gsize *n)
{
    gsize kept = 0;
    for (gsize i = 0; i < *n; i++) {
        const Pod *pod = find_pod(view, uids[i]);
        if (pod && finalizer_has(pod->metadata, JOB_FINALIZER))
            uids[kept++] = uids[i];
        else
            g_free(uids[i]);
    }
    gint32 settled = *n - kept;
    *n = kept;
    return settled;
}

/* A pod that is deleted before it could succeed counts as failed. */
static void track(View *view)
{
    Status *status = view->status;
    if (!status->uncountedterminatedpods)
        status->uncountedterminatedpods =
            API_NEW(Batch__V1__UncountedTerminatedPods, batch__v1__uncounted_terminated_pods);
    Batch__V1__UncountedTerminatedPods *noted = status->uncountedterminatedpods;
    api_set_scalar(status, succeeded, status->succeeded + settle_uids(view, noted->succeeded, &noted->n_succeeded));
    api_set_scalar(status, failed, status->failed + settle_uids(view, noted->failed, &noted->n_failed));
    for (guint i = 0; i < view->pods->len; i++) {
        const Pod *pod = view->pods->pdata[i];
        if (pod_is_active(pod) || !finalizer_has(pod->metadata, JOB_FINALIZER))
            continue;
        g_ptr_array_add(view->tracked, (gpointer)pod);
        if (strings_contain(noted->succeeded, noted->n_succeeded, pod->metadata->uid) ||
            strings_contain(noted->failed, noted->n_failed, pod->metadata->uid))
            continue;
        if (pod_has_phase(pod, "Succeeded"))
            api_append(noted->succeeded, noted->n_succeeded, g_strdup(pod->metadata->uid));
        else
            api_append(noted->failed, noted->n_failed, g_strdup(pod->metadata->uid));
    }
    view->succeeded = status->succeeded + (gint64)noted->n_succeeded;
    view->failed = status->failed + (gint64)noted->n_failed;
}

static void plan_untrack(Plan *plan, const Pod *pod)
{
    Pod *changed = (Pod *)API_CLONE(pod);
    finalizer_remove(changed->metadata, JOB_FINALIZER);
    plan_update(plan, changed);
}

/* --- does it end? --- */

static gboolean deadline_passed(const View *view)
{
    if (!view->spec->has_activedeadlineseconds || !view->status->starttime || view->spec->suspend)
        return FALSE;
    gint64 end = api_time_ns(view->status->starttime) + view->spec->activedeadlineseconds * TIME_NS_PER_S;
    if (end > view->plan->now_ns) {
        plan_at(view->plan, end);
        return FALSE;
    }
    return TRUE;
}

/* Containers that are restarted in place count like failed pods. */
static gboolean restarts_exceed(const View *view, gint64 limit)
{
    const Core__V1__PodSpec *pod_spec = view->spec->template_ ? view->spec->template_->spec : NULL;
    if (!pod_spec || !api_str_equal(pod_spec->restartpolicy, "OnFailure"))
        return FALSE;
    gint64 restarts = 0;
    for (guint i = 0; i < view->active->len; i++)
        restarts += pod_restarts(view->active->pdata[i]);
    return limit == 0 ? restarts > 0 : restarts >= limit;
}

/* Notes in the conditions what the end will be. */
static void decide_end(View *view)
{
    gint64 limit = view->spec->has_backofflimit ? view->spec->backofflimit : BACKOFF_LIMIT_DEFAULT;
    if (is_true(find_condition(view->status, "FailureTarget")) ||
        is_true(find_condition(view->status, "SuccessCriteriaMet")))
        return;
    gboolean enough = view->spec->has_completions ? view->succeeded >= view->spec->completions
                                                  : view->succeeded > 0 && view->active->len == 0;
    if (view->failed > limit || restarts_exceed(view, limit))
        set_condition(view, "FailureTarget", "True", "BackoffLimitExceeded",
                      "Job has reached the specified backoff limit");
    else if (deadline_passed(view))
        set_condition(view, "FailureTarget", "True", "DeadlineExceeded",
                      "Job was active longer than specified deadline");
    else if (enough)
        set_condition(view, "SuccessCriteriaMet", "True", "CompletionsReached",
                      "Reached expected number of succeeded pods");
}

static gboolean is_ending(const View *view)
{
    return is_true(find_condition(view->status, "FailureTarget")) ||
           is_true(find_condition(view->status, "SuccessCriteriaMet"));
}

/* The last word is said when no pod runs any more and all are counted. */
static void finish_if_quiet(View *view)
{
    const Batch__V1__UncountedTerminatedPods *noted = view->status->uncountedterminatedpods;
    if (!is_ending(view) || view->active->len > 0 || view->terminating > 0 || noted->n_succeeded + noted->n_failed > 0)
        return;
    const Batch__V1__JobCondition *failure = find_condition(view->status, "FailureTarget");
    if (is_true(failure)) {
        g_autofree char *reason = g_strdup(failure->reason), *message = g_strdup(failure->message);
        set_condition(view, "Failed", "True", reason, message);
    } else {
        set_condition(view, "Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods");
        api_set(view->status->completiontime, api_time_new(view->plan->now_ns));
    }
}

/* --- status --- */

static void set_suspended(View *view)
{
    gboolean was = is_true(find_condition(view->status, "Suspended"));
    if (view->spec->suspend) {
        set_condition(view, "Suspended", "True", "JobSuspended", "Job suspended");
        api_set(view->status->starttime, NULL);
        return;
    }
    if (was)
        set_condition(view, "Suspended", "False", "JobResumed", "Job resumed");
    if (was || !view->status->starttime)
        api_set(view->status->starttime, api_time_new(view->plan->now_ns));
}

static void set_counts(View *view)
{
    gint32 ready = 0;
    for (guint i = 0; i < view->active->len; i++)
        ready += pod_is_ready(view->active->pdata[i]);
    api_set_scalar(view->status, active, view->active->len);
    api_set_scalar(view->status, ready, ready);
    api_set_scalar(view->status, terminating, view->terminating);
}

static void plan_status(View *view)
{
    if (API_EQUAL(view->status, view->job->status))
        return;
    Job *changed = (Job *)API_CLONE(view->job);
    api_set(changed->status, g_steal_pointer(&view->status));
    PlanStep *step = plan_update_status(view->plan, changed);
    const Batch__V1__JobCondition *end = finished_condition(changed->status);
    if (!end)
        return;
    gboolean failed = api_str_equal(end->type, "Failed");
    plan_step_event(step, failed ? "JobFailed" : "Completed", "%s", failed ? api_str(end->message) : "Job completed");
    step->event_is_warning = failed;
}

/* --- pods --- */

static void plan_delete_pod(Plan *plan, const Pod *pod)
{
    PlanStep *step = plan_delete(plan, pod);
    plan_step_event(step, "SuccessfulDelete", "Deleted pod: ");
    plan_step_failure_event(step, "FailedDelete");
}

/* Deletes <n> active pods that are too many. They lose the finalizer first, so that they do not count as failed. */
static void plan_drop(View *view, guint n)
{
    pods_sort_for_deletion((const Pod **)view->active->pdata, view->active->len);
    for (guint i = 0; i < n; i++) {
        const Pod *pod = view->active->pdata[i];
        if (finalizer_has(pod->metadata, JOB_FINALIZER))
            plan_untrack(view->plan, pod);
    }
    plan_barrier(view->plan);
    for (guint i = 0; i < n; i++)
        plan_delete_pod(view->plan, view->active->pdata[i]);
}

/* When the next pod may be made: at once, unless the last ones failed. */
static gint64 next_creation(const View *view)
{
    gint64 last_success = 0, last_failure = 0;
    guint failures = 0;
    for (guint i = 0; i < view->pods->len; i++)
        if (pod_has_phase(view->pods->pdata[i], "Succeeded"))
            last_success = MAX(last_success, pod_finish_time(view->pods->pdata[i], 0));
    for (guint i = 0; i < view->pods->len; i++) {
        const Pod *pod = view->pods->pdata[i];
        gint64 finished = pod_has_phase(pod, "Failed") ? pod_finish_time(pod, view->plan->now_ns) : 0;
        if (finished <= last_success)
            continue;
        failures++;
        last_failure = MAX(last_failure, finished);
    }
    if (failures == 0)
        return 0;
    gint64 delay = (gint64)BACKOFF_FIRST_S << MIN(failures - 1, 10);
    return last_failure + MIN(delay, BACKOFF_MAX_S) * TIME_NS_PER_S;
}

static void plan_create_pods(View *view, guint n)
{
    gint64 when = next_creation(view);
    if (when > view->plan->now_ns) {
        plan_at(view->plan, when);
        return;
    }
    g_autoptr(GPtrArray) pods = g_ptr_array_new();
    for (guint i = 0; i < MIN(n, BURST_MAX); i++) {
        Pod *pod = pod_from_template(view->spec->template_, API_JOB, view->job);
        api_append(pod->metadata->finalizers, pod->metadata->n_finalizers, g_strdup(JOB_FINALIZER));
        g_ptr_array_add(pods, pod);
    }
    plan_create_slowly(view->plan, pods, "SuccessfulCreate", "Created pod: ", "FailedCreate");
}

static void plan_pods(View *view)
{
    gint64 active = view->active->len, wanted = view->spec->has_parallelism ? view->spec->parallelism : 1;
    if (view->spec->suspend)
        wanted = 0;
    else if (view->spec->has_completions)
        wanted = MIN(wanted, MAX(view->spec->completions - view->succeeded, 0));
    else if (view->succeeded > 0) /* a work queue that one pod has found empty: the others end by themselves */
        wanted = MIN(wanted, active);
    if (active > wanted)
        plan_drop(view, active - wanted);
    else if (active < wanted)
        plan_create_pods(view, wanted - active);
}

/* --- the decision --- */

static void plan_finished(Plan *plan, const Job *job, GPtrArray *pods)
{
    for (guint i = 0; i < pods->len; i++)
        if (finalizer_has(((const Pod *)pods->pdata[i])->metadata, JOB_FINALIZER) && !pod_is_active(pods->pdata[i]))
            plan_untrack(plan, pods->pdata[i]);
    if (!job->spec->has_ttlsecondsafterfinished || job->metadata->deletiontimestamp)
        return;
    gint64 end = api_time_ns(finished_condition(job->status)->lasttransitiontime);
    gint64 expiry = end + job->spec->ttlsecondsafterfinished * TIME_NS_PER_S;
    if (expiry > plan->now_ns)
        plan_at(plan, expiry);
    else
        plan_delete(plan, job)->propagation = "Background";
}

static void plan_running(View *view)
{
    gboolean lives = !view->job->metadata->deletiontimestamp;
    track(view);
    if (lives) {
        set_suspended(view);
        decide_end(view);
        finish_if_quiet(view);
    }
    set_counts(view);
    gboolean ending = is_ending(view);
    plan_status(view);
    plan_barrier(view->plan);
    for (guint i = 0; i < view->tracked->len; i++)
        plan_untrack(view->plan, view->tracked->pdata[i]);
    if (ending)
        for (guint i = 0; i < view->active->len; i++)
            plan_delete_pod(view->plan, view->active->pdata[i]);
    else if (lives)
        plan_pods(view);
}

void job_plan(Plan *plan, const Job *job, const ProtobufCMessage *const *candidates, gsize n)
{
    g_autoptr(ApiSelector) selector = api_selector_from_message(job->spec->selector, NULL);
    if (!selector || api_selector_is_everything(selector))
        return; /* the server sets one, and validation refuses an empty one */
    g_autoptr(GPtrArray) pods = claim(plan, API_JOB, job, selector, candidates, n);
    if (!pods)
        return;
    plan_set_subject(plan, job);
    if (finished_condition(job->status)) {
        plan_finished(plan, job, pods);
        return;
    }
    g_autoptr(GPtrArray) active = g_ptr_array_new(), tracked = g_ptr_array_new();
    View view = {.job = job, .spec = job->spec, .plan = plan, .pods = pods, .active = active, .tracked = tracked};
    for (guint i = 0; i < pods->len; i++) {
        const Pod *pod = pods->pdata[i];
        view.terminating += pod_is_terminating(pod) && !pod_is_finished(pod);
        if (pod_is_active(pod))
            g_ptr_array_add(active, (gpointer)pod);
    }
    view.status = (Status *)API_CLONE(job->status);
    if (!view.status)
        view.status = API_NEW(Status, batch__v1__job_status);
    plan_running(&view);
    API_FREE(view.status);
}

/* --- wiring --- */

static void wake_lost_pod(Controller *controller, const Pod *pod)
{
    g_autofree char *pod_key = api_object_key(&pod->base);
    g_autofree char *key = g_strconcat(POD_KEY_PREFIX, pod_key, NULL);
    controller_add(controller, key);
}

static const Meta__V1__LabelSelector *selector_of(const ProtobufCMessage *owner)
{
    const Job *job = (const Job *)owner;
    return job->spec ? job->spec->selector : NULL;
}

/* The job that controls a pod, NULL if it is gone. */
static const Job *job_of(Controller *controller, const Pod *pod)
{
    const Meta__V1__OwnerReference *owner = api_controller_of(pod->metadata);
    if (!owner || !api_str_equal(owner->kind, API_JOB->kind))
        return NULL;
    g_autofree char *key = g_strconcat(api_str(pod->metadata->namespace_), "/", owner->name, NULL);
    const Job *job = controller_get(controller, API_JOB, key);
    return job && api_str_equal(job->metadata->uid, owner->uid) ? job : NULL;
}

static void wake_pod(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    claim_wake(controller, API_JOB, selector_of, old, now);
    const Pod *pod = (const Pod *)now;
    if (pod && finalizer_has(pod->metadata, JOB_FINALIZER) && !job_of(controller, pod))
        wake_lost_pod(controller, pod);
}

static void wake_job(Controller *controller, const ProtobufCMessage *old, const ProtobufCMessage *now)
{
    controller_wake_self(controller, old, now);
    if (now)
        return;
    g_autoptr(GPtrArray) pods =
        controller_by_index(controller, API_POD, client_index_controller_uid, api_object_uid(old));
    for (guint i = 0; i < pods->len; i++)
        wake_lost_pod(controller, pods->pdata[i]);
}

/* The server confirmed or denied that a pod's job is gone. data: the controller. */
static void job_asked(Plan *plan, const ProtobufCMessage *job, const GError *error, gpointer data)
{
    (void)error;
    const char *key = plan->data;
    const Pod *pod = controller_get(data, API_POD, key + strlen(POD_KEY_PREFIX));
    const Meta__V1__OwnerReference *owner = pod ? api_controller_of(pod->metadata) : NULL;
    if (!owner || !finalizer_has(pod->metadata, JOB_FINALIZER))
        return;
    if (!job || !api_str_equal(api_object_uid(job), owner->uid))
        plan_untrack(plan, pod);
}

/* A pod whose job is gone is counted by nobody: without this it could never be deleted. */
static void reconcile_lost_pod(Controller *controller, const char *key, Plan *plan)
{
    const Pod *pod = controller_get(controller, API_POD, key + strlen(POD_KEY_PREFIX));
    if (!pod || !finalizer_has(pod->metadata, JOB_FINALIZER) || job_of(controller, pod))
        return;
    const Meta__V1__OwnerReference *owner = api_controller_of(pod->metadata);
    if (!owner || !api_str_equal(owner->kind, API_JOB->kind)) {
        plan_untrack(plan, pod);
        return;
    }
    plan->data = g_strdup(key);
    plan->free_data = g_free;
    plan_get(plan, API_JOB, pod->metadata->namespace_, owner->name, job_asked, controller);
}

static void start(Controller *controller, const ControllersOptions *options)
{
    (void)options;
    claim_start(controller, API_POD);
}

static void reconcile(Controller *controller, const char *key, Plan *plan)
{
    if (g_str_has_prefix(key, POD_KEY_PREFIX)) {
        reconcile_lost_pod(controller, key, plan);
        return;
    }
    const Job *job = controller_get(controller, API_JOB, key);
    if (!job || !job->spec)
        return;
    g_autoptr(GPtrArray) pods = claim_candidates(controller, API_POD, job);
    job_plan(plan, job, (const ProtobufCMessage *const *)pods->pdata, pods->len);
}

static const ControllerWake wakes[] = {
    {API_INDEX_JOB, wake_job},
    {API_INDEX_POD, wake_pod},
    {},
};

const ControllerRow job_controller = {
    .name = "job",
    .concurrency = 16,
    .wakes = wakes,
    .start = start,
    .reconcile = reconcile,
};
