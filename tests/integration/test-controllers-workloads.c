/* Deployments, replica sets, jobs and their dependents, with real controllers on a real server. */
#include "cleat/apps/v1/apps.pb-c.h"
#include "cleat/batch/v1/batch.pb-c.h"
#include "tests/integration/lab.h"

typedef Apps__V1__Deployment Deployment;
typedef Apps__V1__ReplicaSet ReplicaSet;
typedef Batch__V1__Job Job;

static const char *const no_election[] = {"--no-leader-election", NULL};

static const char web[] = "apiVersion: apps/v1\n"
                          "kind: Deployment\n"
                          "metadata: {name: web, namespace: default}\n"
                          "spec:\n"
                          "  replicas: 6\n"
                          "  selector: {matchLabels: {app: web}}\n"
                          "  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}\n"
                          "  template:\n"
                          "    metadata: {labels: {app: web}}\n"
                          "    spec: {containers: [{name: c, image: 'demo:1'}]}\n";

static guint count(Lab *lab, const ApiResource *resource)
{
    return client_cache_size(lab->caches[api_resource_index(resource)]);
}

/* Pods that are neither ended nor being deleted; only the ready ones. */
static guint count_pods(Lab *lab, gboolean ready)
{
    g_autoptr(GPtrArray) pods = client_cache_list(lab->caches[API_INDEX_POD], "default");
    guint n = 0;
    for (guint i = 0; i < pods->len; i++) {
        const Pod *pod = pods->pdata[i];
        n += !pod->metadata->deletiontimestamp && !lab_has_ended(pod) && (!ready || lab_is_ready(pod));
    }
    return n;
}

static gboolean is_rolled_out(Lab *lab, const char *name)
{
    const Deployment *deployment = lab_get(lab, API_DEPLOYMENT, name);
    const Apps__V1__DeploymentStatus *status = deployment ? deployment->status : NULL;
    return status && status->observedgeneration == deployment->metadata->generation &&
           status->replicas == deployment->spec->replicas && status->updatedreplicas == deployment->spec->replicas &&
           status->availablereplicas == deployment->spec->replicas;
}

static const char *condition_reason(Lab *lab, const char *type)
{
    const Deployment *deployment = lab_get(lab, API_DEPLOYMENT, "web");
    for (gsize i = 0; deployment->status && i < deployment->status->n_conditions; i++)
        if (g_str_equal(deployment->status->conditions[i]->type, type))
            return deployment->status->conditions[i]->reason;
    return "";
}

static void set_image(gpointer object, gconstpointer image)
{
    api_set_string(&((Deployment *)object)->spec->template_->spec->containers[0]->image, image);
}

static void set_replicas(gpointer object, gconstpointer replicas)
{
    api_set_scalar(((Deployment *)object)->spec, replicas, GPOINTER_TO_INT(replicas));
}

static const char *revision(Lab *lab)
{
    const Deployment *deployment = lab_get(lab, API_DEPLOYMENT, "web");
    const char *text = deployment ? api_annotation(deployment->metadata, "deployment.kubernetes.io/revision") : NULL;
    return text ? text : "";
}

typedef struct {
    guint least_ready, most;
} Seen;

/* The bounds, at every change that a client can see. */
static void check_bounds(gpointer data)
{
    Lab *lab = data;
    Seen *seen = lab->check_data;
    seen->least_ready = MIN(seen->least_ready, count_pods(lab, TRUE));
    seen->most = MAX(seen->most, count_pods(lab, FALSE));
}

static void start_web(Lab *lab)
{
    lab_init(lab, no_election);
    lab_add_node(lab, "n1");
    lab_add_node(lab, "n2");
    lab_apply(lab, web);
    lab_await(is_rolled_out(lab, "web"));
}

static void test_deployment(void)
{
    Lab lab;
    start_web(&lab);
    g_assert_cmpuint(count_pods(&lab, TRUE), ==, 6);
    lab_await(g_str_equal(condition_reason(&lab, "Progressing"), "NewReplicaSetAvailable"));
    g_assert_cmpstr(condition_reason(&lab, "Available"), ==, "MinimumReplicasAvailable");
    lab_await(g_str_equal(revision(&lab), "1"));

    /* Another version: between 5 ready and 8 in all, at every moment. */
    Seen seen = {.least_ready = G_MAXUINT};
    lab.check = check_bounds;
    lab.check_data = &seen;
    lab_edit(&lab, API_DEPLOYMENT, "web", set_image, "demo:2", FALSE);
    lab_await(is_rolled_out(&lab, "web") && count_pods(&lab, FALSE) == 6);
    g_assert_cmpuint(seen.least_ready, >=, 5);
    g_assert_cmpuint(seen.most, <=, 8);
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 2);
    lab_await(g_str_equal(revision(&lab), "2"));

    /* Back to the first: its ReplicaSet is used again, as the newest revision. */
    seen = (Seen){.least_ready = G_MAXUINT};
    lab_edit(&lab, API_DEPLOYMENT, "web", set_image, "demo:1", FALSE);
    lab_await(is_rolled_out(&lab, "web") && count_pods(&lab, FALSE) == 6);
    g_assert_cmpuint(seen.least_ready, >=, 5);
    g_assert_cmpuint(seen.most, <=, 8);
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 2);
    lab_await(g_str_equal(revision(&lab), "3"));
    lab.check = NULL;

    lab_edit(&lab, API_DEPLOYMENT, "web", set_replicas, GINT_TO_POINTER(2), FALSE);
    lab_await(is_rolled_out(&lab, "web") && count(&lab, API_POD) == 2);

    /* A pod that is deleted comes back. */
    g_autoptr(GPtrArray) pods = client_cache_list(lab.caches[API_INDEX_POD], "default");
    g_autofree char *victim = g_strdup(api_object_name(pods->pdata[0]));
    lab_delete(&lab, API_POD, victim, NULL);
    lab_await(!lab_get(&lab, API_POD, victim) && count_pods(&lab, TRUE) == 2);

    /* All of it goes with the deployment. */
    lab_delete(&lab, API_DEPLOYMENT, "web", "Background");
    lab_await(count(&lab, API_DEPLOYMENT) == 0 && count(&lab, API_REPLICA_SET) == 0 && count(&lab, API_POD) == 0);
    lab_done(&lab);
}

static void test_propagation(void)
{
    Lab lab;
    start_web(&lab);
    /* Orphaned: the ReplicaSet and its pods stay, without an owner; the next deployment adopts them. */
    lab_delete(&lab, API_DEPLOYMENT, "web", "Orphan");
    lab_await(count(&lab, API_DEPLOYMENT) == 0);
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 1);
    g_autoptr(GPtrArray) sets = client_cache_list(lab.caches[API_INDEX_REPLICA_SET], NULL);
    const char *name = api_object_name(sets->pdata[0]);
    g_autofree char *kept = g_strdup(name);
    lab_await(((const ReplicaSet *)lab_get(&lab, API_REPLICA_SET, kept))->metadata->n_ownerreferences == 0);
    g_assert_cmpuint(count_pods(&lab, TRUE), ==, 6);
    lab_apply(&lab, web);
    lab_await(is_rolled_out(&lab, "web"));
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 1);
    g_assert_nonnull(lab_get(&lab, API_REPLICA_SET, kept));
    g_assert_cmpuint(count_pods(&lab, TRUE), ==, 6);

    /* In the foreground: the deployment is the last to go. */
    lab_delete(&lab, API_DEPLOYMENT, "web", "Foreground");
    lab_await(count(&lab, API_DEPLOYMENT) == 0);
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 0);
    g_assert_cmpuint(count(&lab, API_POD), ==, 0);
    lab_done(&lab);
}

/* The controllers are killed in the middle of a roll-out, and it ends as it should, within the bounds. */
static void test_killed(void)
{
    Lab lab;
    start_web(&lab);
    Seen seen = {.least_ready = G_MAXUINT};
    lab.check = check_bounds;
    lab.check_data = &seen;
    lab.hold_unready = TRUE; /* the roll-out stops with 5 old pods and 3 new ones */
    lab_edit(&lab, API_DEPLOYMENT, "web", set_image, "demo:2", FALSE);
    lab_await(count_pods(&lab, FALSE) == 8 && count_pods(&lab, TRUE) == 5);
    lab_stop_controllers(&lab, SIGKILL);
    lab.hold_unready = FALSE;
    lab_play_all(&lab);
    lab_await(count_pods(&lab, TRUE) == 8);
    lab_start_controllers(&lab);
    lab_await(is_rolled_out(&lab, "web") && count_pods(&lab, FALSE) == 6);
    g_assert_cmpuint(seen.least_ready, >=, 5);
    g_assert_cmpuint(seen.most, <=, 8);
    g_assert_cmpuint(count(&lab, API_REPLICA_SET), ==, 2);
    lab_done(&lab);
}

/* Two instances: the second takes over when the first ends, at once when that gives the lease back. */
static void test_leader_election(void)
{
    Lab lab;
    lab_init(&lab, NULL);
    lab_add_node(&lab, "n1");
    lab_apply(&lab, web);
    lab_await(is_rolled_out(&lab, "web"));
    GPid first = lab.controllers;
    lab_start_controllers(&lab);
    GPid second = lab.controllers;
    lab.controllers = first;
    g_assert_cmpint(lab_stop_controllers(&lab, SIGTERM), ==, 0);
    lab.controllers = second;
    lab_edit(&lab, API_DEPLOYMENT, "web", set_replicas, GINT_TO_POINTER(3), FALSE);
    lab_await(is_rolled_out(&lab, "web") && count_pods(&lab, FALSE) == 3);
    lab_done(&lab);
}

/* --- jobs --- */

#define JOB(name, spec)                                                                                                \
    "{apiVersion: batch/v1, kind: Job, metadata: {name: " name ", namespace: default}, "                               \
    "spec: {" spec ", template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'demo:1'}]}}}}"

static gboolean job_is(Lab *lab, const char *name, const char *condition)
{
    const Job *job = lab_get(lab, API_JOB, name);
    for (gsize i = 0; job && job->status && i < job->status->n_conditions; i++)
        if (g_str_equal(job->status->conditions[i]->type, condition))
            return g_str_equal(job->status->conditions[i]->status, "True");
    return FALSE;
}

static void set_suspend(gpointer object, gconstpointer suspend)
{
    api_set_scalar(((Job *)object)->spec, suspend, GPOINTER_TO_INT(suspend));
}

static void test_jobs(void)
{
    Lab lab;
    lab_init(&lab, no_election);
    lab_add_node(&lab, "n1");
    lab.exit_phase = "Succeeded";
    lab_apply(&lab, JOB("five", "completions: 5, parallelism: 2"));
    lab_await(job_is(&lab, "five", "Complete"));
    const Job *job = lab_get(&lab, API_JOB, "five");
    g_assert_cmpint(job->status->succeeded, ==, 5);
    g_assert_cmpint(job->status->failed, ==, 0);
    g_assert_cmpint(job->status->active, ==, 0);
    g_assert_nonnull(job->status->completiontime);
    g_assert_cmpuint(count(&lab, API_POD), ==, 5);
    lab_delete(&lab, API_JOB, "five", "Background");
    lab_await(count(&lab, API_JOB) == 0 && count(&lab, API_POD) == 0);

    lab.exit_phase = "Failed";
    lab_apply(&lab, JOB("bad", "completions: 1, backoffLimit: 0"));
    lab_await(job_is(&lab, "bad", "Failed"));
    g_assert_cmpint(((const Job *)lab_get(&lab, API_JOB, "bad"))->status->failed, ==, 1);

    /* Gone by itself after it has ended. */
    lab.exit_phase = "Succeeded";
    lab_apply(&lab, JOB("brief", "completions: 1, ttlSecondsAfterFinished: 1"));
    lab_await(job_is(&lab, "brief", "Complete"));
    lab_await(!lab_get(&lab, API_JOB, "brief"));

    /* Suspended, its pods go without counting as failed; resumed, it runs to its end. */
    lab.exit_phase = NULL;
    lab_apply(&lab, JOB("rest", "completions: 2, parallelism: 2, backoffLimit: 0"));
    lab_await(count_pods(&lab, TRUE) == 2);
    lab_edit(&lab, API_JOB, "rest", set_suspend, GINT_TO_POINTER(TRUE), FALSE);
    lab_await(job_is(&lab, "rest", "Suspended") && count_pods(&lab, FALSE) == 0);
    lab.exit_phase = "Succeeded";
    lab_edit(&lab, API_JOB, "rest", set_suspend, GINT_TO_POINTER(FALSE), FALSE);
    lab_await(job_is(&lab, "rest", "Complete"));
    g_assert_cmpint(((const Job *)lab_get(&lab, API_JOB, "rest"))->status->failed, ==, 0);

    /* The deadline ends what runs. */
    lab.exit_phase = NULL;
    lab_apply(&lab, JOB("slow", "completions: 1, activeDeadlineSeconds: 1"));
    lab_await(job_is(&lab, "slow", "Failed"));
    lab_done(&lab);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    g_test_add_func("/controllers/deployment", test_deployment);
    g_test_add_func("/controllers/propagation", test_propagation);
    g_test_add_func("/controllers/killed", test_killed);
    g_test_add_func("/controllers/leader-election", test_leader_election);
    g_test_add_func("/controllers/jobs", test_jobs);
    int status = g_test_run();
    rpc_shutdown();
    return status;
}
