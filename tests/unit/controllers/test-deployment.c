/* controllers/deployment*.c: steps of a roll-out, scaling, status and conditions. */
#include "controllers/deployment.h"
#include "controllers/template.h"
#include "tests/unit/controllers/fixture.h"

#define TEMPLATE "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i:2}]}}"
#define OLD_TEMPLATE(n) "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: old:" n "}]}}"

/* spec and more are YAML; status may be "". */
static Deployment *deployment_of(const char *spec, const char *meta, const char *status)
{
    g_autofree char *yaml =
        g_strdup_printf("{metadata: {name: web, namespace: default, uid: d1, generation: 7%s}, "
                        "spec: {selector: {matchLabels: {app: web}}, " TEMPLATE ", %s}, status: {%s}}",
                        meta, spec, status);
    return fixture_decode(&apps__v1__deployment__descriptor, yaml);
}

/* A ReplicaSet in numbers: "spec/pods/available[ KEY=VALUE (an annotation of deployment.kubernetes.io)]". */
static ReplicaSet *set_of(const char *name, const char *template_, const char *words)
{
    g_auto(GStrv) word = g_strsplit(words, " ", -1), number = g_strsplit(word[0], "/", 3);
    g_autoptr(GString) annotations = g_string_new(NULL);
    for (guint i = 1; word[i]; i++) {
        const char *equals = strchr(word[i], '=');
        g_string_append_printf(annotations, "'deployment.kubernetes.io/%.*s': '%s', ", (int)(equals - word[i]), word[i],
                               equals + 1);
    }
    g_autofree char *created = time_format((NOW_S + name[0]) * TIME_NS_PER_S, 0);
    g_autofree char *yaml = g_strdup_printf(
        "{metadata: {name: '%s', namespace: default, uid: u-%s, generation: 2, creationTimestamp: '%s', annotations: {%s}}, "
        "spec: {replicas: %s, %s}, status: {observedGeneration: 2, replicas: %s, readyReplicas: %s, availableReplicas: %s}}",
        name, name, created, annotations->str, number[0], template_, number[1], number[2], number[2]);
    return fixture_decode(&apps__v1__replica_set__descriptor, yaml);
}

/* A deployment, up to two old ReplicaSets "a" and "b", and the current one "n"; NULL: not there. */
typedef struct {
    const char *spec, *meta, *status;
    const char *a, *b, *now;
} Scene;

typedef struct {
    Deployment *deployment;
    GPtrArray *sets;
    Rollout rollout;
} Stage;

static void stage_init(Stage *stage, const Scene *scene)
{
    stage->deployment = deployment_of(scene->spec, scene->meta ? scene->meta : "", scene->status ? scene->status : "");
    stage->sets = g_ptr_array_new_with_free_func(fixture_free_object);
    if (scene->a)
        g_ptr_array_add(stage->sets, set_of("a", OLD_TEMPLATE("1"), scene->a));
    if (scene->b)
        g_ptr_array_add(stage->sets, set_of("b", OLD_TEMPLATE("2"), scene->b));
    if (scene->now)
        g_ptr_array_add(stage->sets, set_of("n", TEMPLATE, scene->now));
    rollout_init(&stage->rollout, stage->deployment, (const ReplicaSet *const *)stage->sets->pdata, stage->sets->len);
}

static void stage_done(Stage *stage)
{
    rollout_done(&stage->rollout);
    g_ptr_array_unref(stage->sets);
    API_FREE(stage->deployment);
}

static void test_bounds(void)
{
    static const struct {
        const char *spec;
        gint64 surge, unavailable;
    } rows[] = {
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}", 3, 2},
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", 3, 2},
        {"replicas: 1, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}", 1, 0},
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1%}}", 0, 1}, /* never stuck */
        {"replicas: 3, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 9}}", 0, 3},
        {"replicas: 10", 3, 2},
        {"replicas: 10, strategy: {type: Recreate}", 0, 10},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Deployment) deployment = deployment_of(rows[i].spec, "", "");
        gint64 surge, unavailable;
        rollout_bounds(deployment, &surge, &unavailable);
        g_assert_cmpint(surge, ==, rows[i].surge);
        g_assert_cmpint(unavailable, ==, rows[i].unavailable);
    }
}

#define ROLL(surge, unavailable)                                                                                       \
    "replicas: 10, strategy: {rollingUpdate: {maxSurge: " surge ", maxUnavailable: " unavailable "}}"

/* One step: a plan, without the status that goes with it. */
static void test_steps(void)
{
    static const struct {
        Scene scene;
        const char *plan;
    } rows[] = {
        /* the beginning */
        {{"replicas: 3", "", "", NULL, NULL, NULL}, "0 create ReplicaSet web-HASH=3"},
        {{ROLL("3", "2"), "", "", "10/10/10", NULL, NULL}, "0 create ReplicaSet web-HASH=3"},
        {{ROLL("0", "2"), "", "", "10/10/10", NULL, NULL}, "0 create ReplicaSet web-HASH=0"},
        /* old ones make room as far as enough is available */
        {{ROLL("0", "2"), "", "", "10/10/10", NULL, "0/0/0"}, "0 update ReplicaSet a=8"},
        {{ROLL("3", "2"), "", "", "10/10/10", NULL, "3/3/0"}, "0 update ReplicaSet a=8"},
        /* new ones wait until the old pods are gone in fact */
        {{ROLL("3", "2"), "", "", "8/10/8", NULL, "3/3/0"}, ""},
        {{ROLL("3", "2"), "", "", "8/8/8", NULL, "3/3/0"}, "0 update ReplicaSet n=5"},
        /* as many old ones go as new ones are available */
        {{ROLL("3", "2"), "", "", "8/8/8", NULL, "5/5/2"}, "0 update ReplicaSet a=6"},
        {{ROLL("3", "2"), "", "", "8/8/8", NULL, "5/5/5"}, "0 update ReplicaSet a=3"},
        {{ROLL("3", "2"), "", "", "3/3/3", NULL, "10/10/10"}, "0 update ReplicaSet a=0"},
        /* old pods that are not available go first, from the oldest set on */
        {{ROLL("3", "2"), "", "", "4/4/4", "6/6/3", "3/3/1"}, "0 update ReplicaSet b=3"},
        {{ROLL("3", "2"), "", "", "4/4/1", "6/6/6", "3/3/3"}, "0 update ReplicaSet a=0; 0 update ReplicaSet b=5"},
        /* none may go, even of the dead, when that would leave fewer pods than must be available */
        {{ROLL("0", "2"), "", "", "8/8/0", NULL, "2/2/0"}, ""},
        /* too many new ones, after the number was lowered in the middle */
        {{ROLL("3", "2"), "", "", "0/0/0", NULL, "12/12/12"}, "0 update ReplicaSet n=10"},
        /* done */
        {{ROLL("3", "2"), "", "", "0/0/0", NULL, "10/10/10"}, ""},
        /* paused: nothing moves, but scaling works */
        {{"paused: true, " ROLL("3", "2"), "", "", "10/10/10", NULL, NULL}, ""},
        {{"paused: true, replicas: 4", "", "", "10/10/10 desired-replicas=10", NULL, NULL}, "0 update ReplicaSet a=4"},
        /* Recreate: all old ones end before new ones begin */
        {{"replicas: 3, strategy: {type: Recreate}", "", "", "3/3/3", NULL, NULL}, "0 update ReplicaSet a=0"},
        {{"replicas: 3, strategy: {type: Recreate}", "", "", "0/1/0", NULL, NULL}, ""},
        {{"replicas: 3, strategy: {type: Recreate}", "", "", "0/0/0", NULL, NULL}, "0 create ReplicaSet web-HASH=3"},
        {{"replicas: 3, strategy: {type: Recreate}", "", "", "0/0/0", NULL, "0/0/0"}, "0 update ReplicaSet n=3"},
        /* one that is being deleted */
        {{"replicas: 3", ", deletionTimestamp: '2026-01-01T00:00:00Z'", "", NULL, NULL, NULL}, ""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Stage stage;
        stage_init(&stage, &rows[i].scene);
        g_autofree char *hash = template_hash(stage.deployment->spec->template_, 0);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        deployment_plan(plan, &stage.rollout);
        /* Only what changes a size: annotations are looked at elsewhere. */
        g_autoptr(GString) text = g_string_new(NULL);
        for (guint j = 0; j < plan->steps->len; j++) {
            const PlanStep *step = plan->steps->pdata[j];
            if (step->resource != API_REPLICA_SET || (step->verb == PLAN_UPDATE && !step->event_message))
                continue;
            g_string_append_printf(text, "%s%u %s ReplicaSet %s=%d", text->len ? "; " : "", step->stage,
                                   step->verb == PLAN_CREATE ? "create" : "update", step->name,
                                   ((ReplicaSet *)step->object)->spec->replicas);
        }
        g_string_replace(text, hash, "HASH", 1);
        g_test_message("row %u", i);
        g_assert_cmpstr(text->str, ==, rows[i].plan);
        stage_done(&stage);
    }
}

/* Scaling in the middle of a roll-out keeps proportions. */
static void test_proportions(void)
{
    static const struct {
        Scene scene;
        gint64 a, b, now;
    } rows[] = {
        {{"replicas: 20, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", "", "",
          "8/8/8 desired-replicas=10 max-replicas=13", NULL, "5/5/5 desired-replicas=10 max-replicas=13"},
         14,
         -1,
         9},
        {{"replicas: 5, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", "", "",
          "7/7/7 desired-replicas=10 max-replicas=13", NULL, "6/6/6 desired-replicas=10 max-replicas=13"},
         4,
         -1,
         4},
        {{"replicas: 5, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", "", "",
          "8/8/8 desired-replicas=10 max-replicas=13", NULL, "5/5/5 desired-replicas=10 max-replicas=13"},
         0,
         -1,
         5}, /* the new ones are enough already */
        {{"replicas: 0", "", "", "8/8/8 desired-replicas=10 max-replicas=13", NULL,
          "5/5/5 desired-replicas=10 max-replicas=13"},
         0,
         -1,
         0},
        {{"replicas: 7", "", "", "10/10/10 desired-replicas=10", "0/0/0", NULL}, 7, 0, -1},
        {{"replicas: 10", "", "", "2/2/2 desired-replicas=9", NULL, "10/10/10 desired-replicas=9"}, 0, -1, 10},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Stage stage;
        stage_init(&stage, &rows[i].scene);
        g_assert_true(rollout_needs_scaling(&stage.rollout));
        rollout_scale(&stage.rollout);
        g_assert_cmpint(g_array_index(stage.rollout.olds, RolloutSet, 0).target, ==, rows[i].a);
        if (rows[i].b >= 0)
            g_assert_cmpint(g_array_index(stage.rollout.olds, RolloutSet, 1).target, ==, rows[i].b);
        if (rows[i].now >= 0)
            g_assert_cmpint(stage.rollout.now->target, ==, rows[i].now);
        stage_done(&stage);
    }
}

/* Conditions as "TYPE=STATUS/REASON", sorted by type. */
static void test_conditions(void)
{
#define PROGRESSING(status, reason, updated)                                                                           \
    "conditions: [{type: Progressing, status: '" status "', reason: " reason ", lastUpdateTime: '" updated "'}], "
#define LONG_AGO "1970-01-12T13:40:00Z" /* 400 s before NOW */
#define RECENT "1970-01-12T13:46:30Z"   /* 10 s before NOW */
    static const struct {
        Scene scene;
        const char *available, *progressing;
        gint64 after_s; /* -1: no reconcile asked for */
    } rows[] = {
        {{"replicas: 3, progressDeadlineSeconds: 100", "", "", NULL, NULL, NULL},
         "False",
         "True/ReplicaSetUpdated",
         100},
        {{"replicas: 3, progressDeadlineSeconds: 100", "", "", NULL, NULL, "3/3/3"},
         "True",
         "True/NewReplicaSetAvailable",
         -1},
        {{"replicas: 3, progressDeadlineSeconds: 100", "",
          PROGRESSING("True", "ReplicaSetUpdated", LONG_AGO) "replicas: 3, updatedReplicas: 3", NULL, NULL, "3/3/0"},
         "False",
         "False/ProgressDeadlineExceeded",
         -1},
        {{"replicas: 3, progressDeadlineSeconds: 100", "",
          PROGRESSING("True", "ReplicaSetUpdated", RECENT) "replicas: 3, updatedReplicas: 3", NULL, NULL, "3/3/0"},
         "False",
         "True/ReplicaSetUpdated",
         90},
        /* progress: the deadline begins anew */
        {{"replicas: 3, progressDeadlineSeconds: 100", "",
          PROGRESSING("True", "ReplicaSetUpdated", LONG_AGO) "replicas: 3, updatedReplicas: 3", NULL, NULL, "3/3/1"},
         "False",
         "True/ReplicaSetUpdated",
         100},
        /* without a deadline */
        {{"replicas: 3", "", PROGRESSING("True", "ReplicaSetUpdated", LONG_AGO) "replicas: 3, updatedReplicas: 3", NULL,
          NULL, "3/3/0"},
         "False",
         "True/ReplicaSetUpdated",
         -1},
        /* rolled out, then a pod is lost: no roll-out */
        {{"replicas: 3, progressDeadlineSeconds: 100", "",
          PROGRESSING("True", "NewReplicaSetAvailable", LONG_AGO) "replicas: 3", NULL, NULL, "3/3/0"},
         "False",
         "True/NewReplicaSetAvailable",
         -1},
        /* a new template after a roll-out */
        {{"replicas: 3, progressDeadlineSeconds: 100", "",
          PROGRESSING("True", "NewReplicaSetAvailable", LONG_AGO) "replicas: 3", "3/3/3", NULL, NULL},
         "True",
         "True/ReplicaSetUpdated",
         100},
        {{"replicas: 3, paused: true", "", "", NULL, NULL, "3/3/3"}, "True", "Unknown/DeploymentPaused", -1},
        {{"replicas: 3", "", PROGRESSING("Unknown", "DeploymentPaused", LONG_AGO), NULL, NULL, "3/3/3"},
         "True",
         "Unknown/DeploymentResumed",
         -1},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Stage stage;
        stage_init(&stage, &rows[i].scene);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        API_AUTO(Apps__V1__DeploymentStatus) status = rollout_status(&stage.rollout, plan);
        g_autofree char *progressing = NULL;
        const char *available = NULL;
        for (gsize j = 0; j < status->n_conditions; j++) {
            const Apps__V1__DeploymentCondition *condition = status->conditions[j];
            if (g_str_equal(condition->type, "Available"))
                available = condition->status;
            else
                progressing = g_strdup_printf("%s/%s", condition->status, condition->reason);
        }
        g_test_message("row %u", i);
        g_assert_cmpstr(available, ==, rows[i].available);
        g_assert_cmpstr(progressing, ==, rows[i].progressing);
        g_assert_cmpint(plan->after_ns, ==, rows[i].after_s < 0 ? -1 : rows[i].after_s * TIME_NS_PER_S);
        stage_done(&stage);
    }
}

static void test_counts(void)
{
    Stage stage;
    const Scene scene = {ROLL("3", "2"), "", "collisionCount: 2", "4/5/4", NULL, "5/5/3"};
    stage_init(&stage, &scene);
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    API_AUTO(Apps__V1__DeploymentStatus) status = rollout_status(&stage.rollout, plan);
    g_assert_cmpint(status->replicas, ==, 10);
    g_assert_cmpint(status->updatedreplicas, ==, 5);
    g_assert_cmpint(status->readyreplicas, ==, 7);
    g_assert_cmpint(status->availablereplicas, ==, 7);
    g_assert_cmpint(status->unavailablereplicas, ==, 2);
    g_assert_cmpint(status->observedgeneration, ==, 7);
    g_assert_cmpint(status->collisioncount, ==, 2);
    stage_done(&stage);
}

static void test_new_set(void)
{
    Stage stage;
    const Scene scene = {
        "replicas: 2, minReadySeconds: 5",
        ", annotations: {kubernetes.io/change-cause: because, kubectl.kubernetes.io/last-applied-configuration: nothing}",
        "",
        "2/2/2 revision=4",
        NULL,
        NULL};
    stage_init(&stage, &scene);
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    deployment_plan(plan, &stage.rollout);
    const ReplicaSet *rs = fixture_written(plan, PLAN_CREATE, API_REPLICA_SET);
    g_autofree char *hash = template_hash(stage.deployment->spec->template_, 0),
                    *name = g_strconcat("web-", hash, NULL);
    g_assert_cmpstr(rs->metadata->name, ==, name);
    g_assert_cmpstr(rs->metadata->namespace_, ==, "default");
    g_assert_cmpstr(rs->metadata->ownerreferences[0]->uid, ==, "d1");
    g_assert_cmpstr(api_label(rs->metadata, "pod-template-hash"), ==, hash);
    g_assert_cmpstr(api_label(rs->metadata, "app"), ==, "web");
    g_assert_cmpstr(api_label(rs->spec->template_->metadata, "pod-template-hash"), ==, hash);
    g_assert_cmpuint(rs->spec->selector->n_matchlabels, ==, 2);
    g_assert_cmpint(rs->spec->minreadyseconds, ==, 5);
    g_assert_cmpstr(api_annotation(rs->metadata, "deployment.kubernetes.io/revision"), ==, "5");
    g_assert_cmpstr(api_annotation(rs->metadata, ANNOTATION_DESIRED_REPLICAS), ==, "2");
    g_assert_cmpstr(api_annotation(rs->metadata, ANNOTATION_MAX_REPLICAS), ==, "3");
    g_assert_cmpstr(api_annotation(rs->metadata, "kubernetes.io/change-cause"), ==, "because");
    g_assert_null(api_annotation(rs->metadata, "kubectl.kubernetes.io/last-applied-configuration"));
    stage_done(&stage);
}

/* The name is taken by something else: the next name follows from a higher collision count. */
static void test_collision(void)
{
    Stage stage;
    const Scene scene = {"replicas: 2", "", "", NULL, NULL, NULL};
    stage_init(&stage, &scene);
    API_AUTO(ReplicaSet) occupant = set_of("x", OLD_TEMPLATE("9"), "0/0/0");
    stage.rollout.occupant = occupant;
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    deployment_plan(plan, &stage.rollout);
    fixture_assert_plan(plan, "0 status Deployment web");
    const Deployment *after = fixture_written(plan, PLAN_UPDATE_STATUS, API_DEPLOYMENT);
    g_assert_cmpint(after->status->collisioncount, ==, 1);
    g_autofree char *before_name = rollout_new_name(stage.deployment, NULL),
                    *after_name = rollout_new_name(after, NULL);
    g_assert_cmpstr(before_name, !=, after_name);
    stage_done(&stage);
}

/* A roll-back gives the old ReplicaSet the newest revision, and remembers which it had. */
static void test_rollback(void)
{
    Stage stage;
    const Scene scene = {
        ROLL("3", "2"),    ", annotations: {deployment.kubernetes.io/revision: '5'}", "", "10/10/10 revision=5", NULL,
        "0/0/0 revision=3"};
    stage_init(&stage, &scene);
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    deployment_plan(plan, &stage.rollout);
    const Deployment *deployment = fixture_written(plan, PLAN_UPDATE, API_DEPLOYMENT);
    g_assert_cmpstr(api_annotation(deployment->metadata, "deployment.kubernetes.io/revision"), ==, "6");
    const ReplicaSet *rs = (gpointer)((PlanStep *)plan->steps->pdata[1])->object;
    g_assert_cmpstr(rs->metadata->name, ==, "n");
    g_assert_cmpstr(api_annotation(rs->metadata, "deployment.kubernetes.io/revision"), ==, "6");
    g_assert_cmpstr(api_annotation(rs->metadata, "deployment.kubernetes.io/revision-history"), ==, "3");
    stage_done(&stage);
}

static void test_history(void)
{
    static const struct {
        const char *spec;
        const char *deleted;
    } rows[] = {
        {"replicas: 1, revisionHistoryLimit: 2", ""},
        {"replicas: 1, revisionHistoryLimit: 1", "b"}, /* the lowest revision, not the oldest */
        {"replicas: 1, revisionHistoryLimit: 0", "b a"},
        {"replicas: 1", ""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Stage stage;
        const Scene scene = {rows[i].spec, "", "", "0/0/0 revision=4", "0/0/0 revision=3", "1/1/1 revision=5"};
        stage_init(&stage, &scene);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        deployment_plan(plan, &stage.rollout);
        g_autoptr(GString) deleted = g_string_new(NULL);
        for (guint j = 0; j < plan->steps->len; j++) {
            const PlanStep *step = plan->steps->pdata[j];
            if (step->verb == PLAN_DELETE)
                g_string_append_printf(deleted, "%s%s", deleted->len ? " " : "", step->name);
        }
        g_assert_cmpstr(deleted->str, ==, rows[i].deleted);
        stage_done(&stage);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/deployment/bounds", test_bounds);
    g_test_add_func("/deployment/steps", test_steps);
    g_test_add_func("/deployment/proportions", test_proportions);
    g_test_add_func("/deployment/conditions", test_conditions);
    g_test_add_func("/deployment/counts", test_counts);
    g_test_add_func("/deployment/new-set", test_new_set);
    g_test_add_func("/deployment/collision", test_collision);
    g_test_add_func("/deployment/rollback", test_rollback);
    g_test_add_func("/deployment/history", test_history);
    return g_test_run();
}
