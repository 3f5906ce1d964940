/* controllers/job.c: what is planned for a Job. */
#include "controllers/job.h"
#include "tests/unit/controllers/fixture.h"

#define OWN " owner=j1 app:j"

static Job *job_of(const char *spec, const char *status)
{
    g_autofree char *yaml = g_strdup_printf(
        "{metadata: {name: work, namespace: default, uid: j1}, spec: {selector: {matchLabels: {app: j}}, "
        "template: {metadata: {labels: {app: j}}, spec: {restartPolicy: OnFailure}}, %s}, status: {%s}}",
        spec, status);
    return fixture_decode(&batch__v1__job__descriptor, yaml);
}

static Plan *plan_for(const Job *job, GPtrArray *pods)
{
    Plan *plan = plan_new(NOW_NS);
    job_plan(plan, job, (const ProtobufCMessage *const *)pods->pdata, pods->len);
    return plan;
}

/* The plan without its step for the status, which each row would have. */
static char *pods_text(Plan *plan)
{
    g_autofree char *text = fixture_plan_text(plan);
    g_autoptr(GString) all = g_string_new(text);
    g_string_replace(all, "0 status Job work; ", "", 1);
    g_string_replace(all, "0 status Job work", "", 1);
    return g_string_free(g_steal_pointer(&all), FALSE);
}

#define STARTED "startTime: '1970-01-12T13:46:00Z', " /* 40 s before NOW */

static void test_pods(void)
{
    static const struct {
        const char *spec, *status, *pods, *plan;
    } rows[] = {
        {"completions: 1, parallelism: 1", "", "", "1 create Pod work-"},
        {"completions: 5, parallelism: 3", STARTED, "", "1 create Pod work-; 2 create Pod work-; 2 create Pod work-"},
        {"completions: 5, parallelism: 3", STARTED "succeeded: 3", "", "1 create Pod work-; 2 create Pod work-"},
        {"completions: 5, parallelism: 3", STARTED "succeeded: 3", "a Running tracked" OWN, "1 create Pod work-"},
        {"completions: 1, parallelism: 1", STARTED, "a Running tracked" OWN, ""},
        /* a pod that ended is noted, then let go; one more than noted before is wanted */
        {"completions: 2, parallelism: 1", STARTED, "a Succeeded tracked" OWN, "1 update Pod a; 1 create Pod work-"},
        {"completions: 1, parallelism: 1", STARTED, "a Succeeded tracked" OWN, "1 update Pod a"},
        /* after failures the next pod waits: 10 s, then 20 s */
        {"completions: 1, parallelism: 1", STARTED, "a Failed ended=9 tracked" OWN, "1 update Pod a"},
        {"completions: 1, parallelism: 1", STARTED, "a Failed ended=10 tracked" OWN,
         "1 update Pod a; 1 create Pod work-"},
        {"completions: 1, parallelism: 1", STARTED, "a Failed ended=19" OWN "; b Failed ended=40" OWN, ""},
        {"completions: 1, parallelism: 1", STARTED, "a Failed ended=20" OWN "; b Failed ended=40" OWN,
         "1 create Pod work-"},
        {"completions: 9, parallelism: 1", STARTED, "a Failed ended=20" OWN "; b Succeeded ended=5" OWN,
         "1 create Pod work-"},
        /* deleted before its end: counts as failed, is replaced at once */
        {"completions: 1, parallelism: 1", STARTED, "a Running deleting tracked" OWN,
         "1 update Pod a; 1 create Pod work-"},
        /* too many: the finalizer first, so that they do not count */
        {"completions: 5, parallelism: 1", STARTED, "a Running ready tracked" OWN "; b Running tracked" OWN,
         "1 update Pod b; 2 delete Pod b"},
        {"completions: 5, parallelism: 2, suspend: true", STARTED, "a Running tracked" OWN,
         "1 update Pod a; 2 delete Pod a"},
        {"completions: 1, parallelism: 1, suspend: true", "", "", ""},
        /* a work queue: no new pods once one has succeeded */
        {"parallelism: 2", STARTED, "a Running tracked" OWN, "1 create Pod work-"},
        {"parallelism: 2", STARTED "succeeded: 1", "a Running tracked" OWN, ""},
        /* failing: what runs is deleted, and counted when it ends */
        {"completions: 1, parallelism: 2, backoffLimit: 1", STARTED "failed: 2", "a Running tracked" OWN,
         "1 delete Pod a"},
        {"completions: 1, parallelism: 1, backoffLimit: 3", STARTED, "a Running restarts=3 tracked" OWN,
         "1 delete Pod a"},
        {"completions: 1, parallelism: 1, backoffLimit: 3", STARTED, "a Running restarts=2 tracked" OWN, ""},
        {"completions: 1, parallelism: 1, activeDeadlineSeconds: 40", STARTED, "a Running tracked" OWN,
         "1 delete Pod a"},
        {"completions: 1, parallelism: 1, activeDeadlineSeconds: 41", STARTED, "a Running tracked" OWN, ""},
        /* enough have succeeded: what still runs is deleted */
        {"completions: 1, parallelism: 2", STARTED "succeeded: 1", "a Running tracked" OWN, "1 delete Pod a"},
        /* foreign and adopted */
        {"completions: 1, parallelism: 1", STARTED, "a Running app:j", "0 update Pod a"},
        {"completions: 1, parallelism: 1", STARTED, "a Running owner=j0 app:j", "1 create Pod work-"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Job) job = job_of(rows[i].spec, rows[i].status);
        g_autoptr(GPtrArray) pods = fixture_pods(rows[i].pods);
        g_autoptr(Plan) plan = plan_for(job, pods);
        g_autofree char *text = pods_text(plan);
        g_test_message("row %u", i);
        g_assert_cmpstr(text, ==, rows[i].plan);
    }
}

/* Conditions that are true, in order. */
static char *true_conditions(const Batch__V1__JobStatus *status)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (gsize i = 0; i < status->n_conditions; i++)
        if (g_str_equal(status->conditions[i]->status, "True"))
            g_string_append_printf(text, "%s%s(%s)", text->len ? " " : "", status->conditions[i]->type,
                                   status->conditions[i]->reason);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_end(void)
{
#define FAILING "conditions: [{type: FailureTarget, status: 'True', reason: R, message: M}], "
    static const struct {
        const char *spec, *status, *pods, *conditions;
        gint succeeded, failed, active, terminating;
    } rows[] = {
        {"completions: 2, parallelism: 1", STARTED "succeeded: 2", "",
         "SuccessCriteriaMet(CompletionsReached) Complete(CompletionsReached)", 2, 0, 0, 0},
        /* noted, not counted yet: the last word waits */
        {"completions: 1, parallelism: 1", STARTED, "a Succeeded tracked" OWN, "SuccessCriteriaMet(CompletionsReached)",
         0, 0, 0, 0},
        {"completions: 1, parallelism: 1", STARTED "uncountedTerminatedPods: {succeeded: [u-a]}",
         "a Succeeded tracked" OWN, "SuccessCriteriaMet(CompletionsReached)", 0, 0, 0, 0},
        {"completions: 1, parallelism: 1", STARTED "uncountedTerminatedPods: {succeeded: [u-a]}", "a Succeeded" OWN,
         "SuccessCriteriaMet(CompletionsReached) Complete(CompletionsReached)", 1, 0, 0, 0},
        {"completions: 2, parallelism: 1",
         STARTED "succeeded: 1, uncountedTerminatedPods: {succeeded: [u-a], failed: [u-b]}", "",
         "SuccessCriteriaMet(CompletionsReached) Complete(CompletionsReached)", 2, 1, 0, 0},
        {"completions: 1, parallelism: 1", STARTED FAILING, "a Running" OWN, "FailureTarget(R)", 0, 0, 1, 0},
        {"completions: 1, parallelism: 1", STARTED FAILING, "a Running deleting" OWN, "FailureTarget(R)", 0, 0, 0, 1},
        {"completions: 1, parallelism: 1", STARTED FAILING, "a Failed deleting" OWN, "FailureTarget(R) Failed(R)", 0, 0,
         0, 0},
        {"completions: 1, parallelism: 1, backoffLimit: 0", STARTED "failed: 1", "",
         "FailureTarget(BackoffLimitExceeded) Failed(BackoffLimitExceeded)", 0, 1, 0, 0},
        {"completions: 0", STARTED, "", "SuccessCriteriaMet(CompletionsReached) Complete(CompletionsReached)", 0, 0, 0,
         0},
        {"parallelism: 2", STARTED "succeeded: 1", "a Running" OWN, "", 1, 0, 1, 0},
        {"parallelism: 2", STARTED "succeeded: 1", "",
         "SuccessCriteriaMet(CompletionsReached) Complete(CompletionsReached)", 1, 0, 0, 0},
        {"completions: 1, suspend: true", STARTED, "", "Suspended(JobSuspended)", 0, 0, 0, 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Job) job = job_of(rows[i].spec, rows[i].status);
        g_autoptr(GPtrArray) pods = fixture_pods(rows[i].pods);
        g_autoptr(Plan) plan = plan_for(job, pods);
        const Job *written = fixture_written(plan, PLAN_UPDATE_STATUS, API_JOB);
        g_test_message("row %u", i);
        g_assert_nonnull(written);
        g_autofree char *conditions = true_conditions(written->status);
        g_assert_cmpstr(conditions, ==, rows[i].conditions);
        g_assert_cmpint(written->status->succeeded, ==, rows[i].succeeded);
        g_assert_cmpint(written->status->failed, ==, rows[i].failed);
        g_assert_cmpint(written->status->active, ==, rows[i].active);
        g_assert_cmpint(written->status->terminating, ==, rows[i].terminating);
        gboolean complete = strstr(conditions, "Complete(") != NULL;
        g_assert_cmpint(written->status->completiontime != NULL, ==, complete);
    }
}

/* New pods carry what makes them count. */
static void test_new_pod(void)
{
    API_AUTO(Job) job = job_of("completions: 1", "");
    g_autoptr(GPtrArray) none = fixture_pods("");
    g_autoptr(Plan) plan = plan_for(job, none);
    const Pod *pod = fixture_written(plan, PLAN_CREATE, API_POD);
    g_assert_cmpuint(pod->metadata->n_finalizers, ==, 1);
    g_assert_cmpstr(pod->metadata->finalizers[0], ==, JOB_FINALIZER);
    g_assert_cmpstr(pod->metadata->ownerreferences[0]->kind, ==, "Job");
    const Job *written = fixture_written(plan, PLAN_UPDATE_STATUS, API_JOB);
    g_assert_cmpint(api_time_ns(written->status->starttime), ==, NOW_NS);
}

#define COMPLETE                                                                                                       \
    "conditions: [{type: Complete, status: 'True', lastTransitionTime: '1970-01-12T13:46:30Z'}]" /* 10 s before NOW */

static void test_finished(void)
{
    static const struct {
        const char *spec, *pods, *plan;
        gint64 after_s;
    } rows[] = {
        {"completions: 1", "", "", -1},
        {"completions: 1", "a Succeeded tracked" OWN, "0 update Pod a", -1},
        {"completions: 1, ttlSecondsAfterFinished: 30", "", "", 20},
        {"completions: 1, ttlSecondsAfterFinished: 10", "", "0 delete Job work", -1},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Job) job = job_of(rows[i].spec, COMPLETE);
        g_autoptr(GPtrArray) pods = fixture_pods(rows[i].pods);
        g_autoptr(Plan) plan = plan_for(job, pods);
        fixture_assert_plan(plan, rows[i].plan);
        g_assert_cmpint(plan->after_ns, ==, rows[i].after_s < 0 ? -1 : rows[i].after_s * TIME_NS_PER_S);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/job/pods", test_pods);
    g_test_add_func("/job/end", test_end);
    g_test_add_func("/job/new-pod", test_new_pod);
    g_test_add_func("/job/finished", test_finished);
    return g_test_run();
}
