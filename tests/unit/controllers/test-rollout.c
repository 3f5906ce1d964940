/* A rolling update as a whole: the deployment's and the replica sets' decisions are carried out on a model of the
 * cluster, in random order, with pods that become ready or die at random; between any two steps the bounds hold. */
#include "controllers/deployment.h"
#include "controllers/replicaset.h"
#include "controllers/template.h"
#include "tests/unit/controllers/fixture.h"

typedef struct {
    Deployment *deployment;
    GPtrArray *sets; /* ReplicaSet*, owned */
    GPtrArray *pods; /* Pod*, owned */
    GRand *random;
    gint64 clock_s;
    guint names;
} World;

static void world_init(World *world, const char *spec, guint32 seed)
{
    g_autofree char *yaml = g_strdup_printf(
        "{metadata: {name: web, namespace: default, uid: d1, generation: 1}, spec: {selector: {matchLabels: {app: web}}, "
        "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: 'i:0'}]}}, %s}}",
        spec);
    *world = (World){.deployment = fixture_decode(&apps__v1__deployment__descriptor, yaml),
                     .sets = g_ptr_array_new_with_free_func(fixture_free_object),
                     .pods = g_ptr_array_new_with_free_func(fixture_free_object),
                     .random = g_rand_new_with_seed(seed),
                     .clock_s = NOW_S};
}

static void world_done(World *world)
{
    API_FREE(world->deployment);
    g_ptr_array_unref(world->sets);
    g_ptr_array_unref(world->pods);
    g_rand_free(world->random);
}

static guint find_by_name(const GPtrArray *objects, const char *name)
{
    for (guint i = 0; i < objects->len; i++)
        if (g_str_equal(api_object_name(objects->pdata[i]), name))
            return i;
    g_assert_not_reached();
}

/* What the server does on a write. */
static void world_create(World *world, const PlanStep *step)
{
    ProtobufCMessage *object = api_message_clone(step->object);
    Meta__V1__ObjectMeta *meta = api_meta(object);
    if (meta->generatename)
        meta->name = g_strdup_printf("%s%u", meta->generatename, world->names++);
    meta->uid = g_strdup_printf("u-%s", meta->name);
    meta->creationtimestamp = api_time_new(world->clock_s * TIME_NS_PER_S);
    api_set_scalar(meta, generation, 1);
    g_ptr_array_add(step->resource == API_POD ? world->pods : world->sets, object);
}

static void world_update(World *world, const PlanStep *step)
{
    ProtobufCMessage *object = api_message_clone(step->object);
    if (step->resource == API_DEPLOYMENT) {
        API_FREE(world->deployment);
        world->deployment = (Deployment *)object;
        return;
    }
    if (step->resource == API_REPLICA_SET && step->verb == PLAN_UPDATE)
        api_meta(object)->generation++;
    GPtrArray *objects = step->resource == API_POD ? world->pods : world->sets;
    guint index = find_by_name(objects, step->name);
    API_FREE(objects->pdata[index]);
    objects->pdata[index] = object;
}

static void world_carry_out(World *world, const Plan *plan)
{
    for (guint i = 0; i < plan->steps->len; i++) {
        const PlanStep *step = plan->steps->pdata[i];
        if (step->verb == PLAN_CREATE)
            world_create(world, step);
        else if (step->verb == PLAN_DELETE)
            g_ptr_array_remove_index(step->resource == API_POD ? world->pods : world->sets,
                                     find_by_name(step->resource == API_POD ? world->pods : world->sets, step->name));
        else
            world_update(world, step);
    }
}

static void reconcile_deployment(World *world)
{
    Rollout rollout;
    rollout_init(&rollout, world->deployment, (const ReplicaSet *const *)world->sets->pdata, world->sets->len);
    g_autoptr(Plan) plan = plan_new(world->clock_s * TIME_NS_PER_S);
    deployment_plan(plan, &rollout);
    rollout_done(&rollout);
    world_carry_out(world, plan);
}

static void reconcile_set(World *world, guint index)
{
    g_autoptr(Plan) plan = plan_new(world->clock_s * TIME_NS_PER_S);
    replicaset_plan(plan, world->sets->pdata[index], (const ProtobufCMessage *const *)world->pods->pdata,
                    world->pods->len, NULL);
    world_carry_out(world, plan);
}

/* A pod that is not ready becomes so; a few of those that are ready are lost. */
static void change_pod(World *world, gboolean *ret_lost)
{
    if (world->pods->len == 0)
        return;
    Pod *pod = world->pods->pdata[g_rand_int_range(world->random, 0, world->pods->len)];
    if (pod_is_finished(pod))
        return;
    if (!pod->status)
        pod->status = API_NEW(Core__V1__PodStatus, core__v1__pod_status);
    api_set_string(&pod->status->phase, "Running");
    if (!pod_is_ready(pod)) {
        Core__V1__PodCondition *ready = API_NEW(Core__V1__PodCondition, core__v1__pod_condition);
        ready->type = g_strdup("Ready");
        ready->status = g_strdup("True");
        ready->lasttransitiontime = api_time_new(world->clock_s * TIME_NS_PER_S);
        api_append(pod->status->conditions, pod->status->n_conditions, ready);
    } else if (ret_lost && g_rand_int_range(world->random, 0, 40) == 0) {
        api_set_string(&pod->status->phase, "Failed");
        *ret_lost = TRUE;
    }
}

static guint count_pods(const World *world, gboolean available)
{
    guint n = 0;
    for (guint i = 0; i < world->pods->len; i++) {
        const Pod *pod = world->pods->pdata[i];
        n += pod_is_active(pod) && (!available || pod_is_available(pod, world->deployment->spec->minreadyseconds,
                                                                   world->clock_s * TIME_NS_PER_S, NULL));
    }
    return n;
}

static void random_step(World *world, gboolean *ret_lost)
{
    world->clock_s += g_rand_int_range(world->random, 0, 2);
    switch (g_rand_int_range(world->random, 0, 3)) {
    case 0:
        reconcile_deployment(world);
        break;
    case 1:
        if (world->sets->len > 0)
            reconcile_set(world, g_rand_int_range(world->random, 0, world->sets->len));
        break;
    default:
        change_pod(world, ret_lost);
    }
}

static gboolean is_rolled_out(const World *world)
{
    const Apps__V1__DeploymentStatus *status = world->deployment->status;
    gint32 replicas = world->deployment->spec->replicas;
    return status && status->observedgeneration == world->deployment->metadata->generation &&
           status->replicas == replicas && status->updatedreplicas == replicas && status->availablereplicas == replicas;
}

/* Runs until all is rolled out; with bounds, checks them after every step. */
static void run(World *world, gint64 min_available, gint64 max_pods, gboolean *ret_lost)
{
    for (guint i = 0; i < 20000; i++) {
        random_step(world, ret_lost);
        g_assert_cmpint(count_pods(world, FALSE), <=, max_pods);
        if (min_available > 0 && !(ret_lost && *ret_lost))
            g_assert_cmpint(count_pods(world, TRUE), >=, min_available);
        if (is_rolled_out(world))
            return;
    }
    g_assert_not_reached();
}

static void set_image(World *world, guint version)
{
    char **image = &world->deployment->spec->template_->spec->containers[0]->image;
    g_free(*image);
    *image = g_strdup_printf("i:%u", version);
    world->deployment->metadata->generation++;
}

static void test_bounds_hold(void)
{
    static const struct {
        const char *spec;
        gint64 min_available, max_pods;
    } rows[] = {
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", 8, 13},
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}", 10, 11},
        {"replicas: 10, strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}", 9, 10},
        {"replicas: 4, strategy: {rollingUpdate: {maxSurge: 100%, maxUnavailable: 0}}", 4, 8},
        {"replicas: 3", 3, 4},
        {"replicas: 7, minReadySeconds: 5, strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 3}}", 4, 9},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (guint32 seed = 1; seed <= 15; seed++) {
            World world;
            world_init(&world, rows[i].spec, seed);
            run(&world, 0, rows[i].max_pods, NULL);
            set_image(&world, 1);
            run(&world, rows[i].min_available, rows[i].max_pods, NULL);
            world_done(&world);
        }
    }
}

/* Another version in the middle of a roll-out, then back to the first; still within bounds, and it ends. */
static void test_interrupted(void)
{
    for (guint32 seed = 1; seed <= 30; seed++) {
        World world;
        world_init(&world, "replicas: 10, strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}", seed);
        run(&world, 0, 13, NULL);
        for (guint version = 1; version <= 4; version++) {
            set_image(&world, version % 4);
            for (guint i = 0; i < 60; i++) {
                random_step(&world, NULL);
                g_assert_cmpint(count_pods(&world, FALSE), <=, 13);
                g_assert_cmpint(count_pods(&world, TRUE), >=, 8);
            }
        }
        run(&world, 8, 13, NULL);
        world_done(&world);
    }
}

/* Pods that die are replaced, and the number never goes beyond the upper bound. */
static void test_losses(void)
{
    for (guint32 seed = 1; seed <= 30; seed++) {
        World world;
        gboolean lost = FALSE;
        world_init(&world, "replicas: 6, strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}", seed);
        run(&world, 0, 8, NULL);
        set_image(&world, 1);
        run(&world, 5, 8, &lost);
        world_done(&world);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rollout/bounds-hold", test_bounds_hold);
    g_test_add_func("/rollout/interrupted", test_interrupted);
    g_test_add_func("/rollout/losses", test_losses);
    return g_test_run();
}
