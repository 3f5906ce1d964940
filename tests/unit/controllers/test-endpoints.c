/* controllers/endpoints*.c: which endpoints, and which writes bring the slices there. */
#include "controllers/endpoints.h"
#include "tests/unit/controllers/fixture.h"

static Service *service_of(const char *spec)
{
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: web, namespace: default, uid: s1, labels: {team: a}}, "
                                            "spec: {selector: {app: web}, %s}}",
                                            spec);
    return fixture_decode(&core__v1__service__descriptor, yaml);
}

static gpointer pod_with_port(const char *words, int port)
{
    Pod *pod = fixture_pod(words);
    g_autofree char *yaml =
        g_strdup_printf("{name: c, ports: [{name: http, containerPort: %d}, {name: dns, protocol: UDP, "
                        "containerPort: 53}]}",
                        port);
    api_append(pod->spec->containers, pod->spec->n_containers, fixture_decode(&core__v1__container__descriptor, yaml));
    return pod;
}

/* Groups as "TYPE PORTS: ADDRESS[/r][/s][/t] ..." with a letter for each condition that holds. */
static char *groups_text(GPtrArray *groups)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < groups->len; i++) {
        const EndpointGroup *group = groups->pdata[i];
        g_string_append_printf(text, "%s%s", i ? "; " : "", group->address_type);
        for (guint j = 0; j < group->ports->len; j++) {
            const Discovery__V1__EndpointPort *port = group->ports->pdata[j];
            g_string_append_printf(text, " %s=%d/%s", port->name, port->port, port->protocol);
        }
        g_string_append_c(text, ':');
        for (guint j = 0; j < group->endpoints->len; j++) {
            const Endpoint *endpoint = group->endpoints->pdata[j];
            g_string_append_printf(text, " %s/%s%s%s", endpoint->addresses[0], endpoint->conditions->ready ? "r" : "",
                                   endpoint->conditions->serving ? "s" : "",
                                   endpoint->conditions->terminating ? "t" : "");
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_groups(void)
{
    static const struct {
        const char *spec, *groups;
    } rows[] = {
        {"ports: [{name: w, port: 80}]", "IPv4 w=80/TCP: 10.0.0.1/rs 10.0.0.2/ 10.0.0.3/st; IPv6 w=80/TCP: fd00::4/rs"},
        {"ports: [{name: w, port: 80, targetPort: 8080}], publishNotReadyAddresses: true",
         "IPv4 w=8080/TCP: 10.0.0.1/rs 10.0.0.2/r 10.0.0.3/rst; IPv6 w=8080/TCP: fd00::4/rs"},
        {"ports: [{port: 80, targetPort: http}]",
         "IPv4 =1/TCP: 10.0.0.1/rs; IPv4 =2/TCP: 10.0.0.2/ 10.0.0.3/st; IPv6 =2/TCP: fd00::4/rs"},
        {"ports: [{port: 80, targetPort: dns, protocol: UDP}, {name: x, port: 1, targetPort: dns}]",
         "IPv4 =53/UDP: 10.0.0.1/rs 10.0.0.2/ 10.0.0.3/st; IPv6 =53/UDP: fd00::4/rs"},
        {"clusterIP: None", "IPv4: 10.0.0.1/rs 10.0.0.2/ 10.0.0.3/st; IPv6: fd00::4/rs"},
    };
    g_autoptr(GPtrArray) pods = g_ptr_array_new_with_free_func(fixture_free_object);
    g_ptr_array_add(pods, pod_with_port("a Running ready ip=10.0.0.1 node=n", 1));
    g_ptr_array_add(pods, pod_with_port("c Running ready deleting ip=10.0.0.3", 2));
    g_ptr_array_add(pods, pod_with_port("b Running ip=10.0.0.2", 2));
    g_ptr_array_add(pods, pod_with_port("d Running ready ip=fd00::4", 2));
    g_ptr_array_add(pods, pod_with_port("e Succeeded ip=10.0.0.5", 1)); /* ended */
    g_ptr_array_add(pods, pod_with_port("f Pending", 1));               /* no address yet */
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Service) service = service_of(rows[i].spec);
        g_autoptr(GPtrArray) groups = endpoint_groups_new(service, (const Pod *const *)pods->pdata, pods->len);
        g_autofree char *text = groups_text(groups);
        g_assert_cmpstr(text, ==, rows[i].groups);
    }
}

/* The slices that a service has, and carrying out a plan on them as the server would. */
typedef struct {
    Service *service;
    GPtrArray *slices;
    guint names;
} World;

static void world_init(World *world, const char *spec)
{
    *world = (World){service_of(spec), g_ptr_array_new_with_free_func(fixture_free_object), 0};
}

static void world_done(World *world)
{
    API_FREE(world->service);
    g_ptr_array_unref(world->slices);
}

static guint find_slice(const World *world, const char *name)
{
    for (guint i = 0; i < world->slices->len; i++)
        if (g_str_equal(api_object_name(world->slices->pdata[i]), name))
            return i;
    g_assert_not_reached();
}

/* Pods from..to exist, all ready but <unready> (0: none). Returns what was done: "+" made, "~" changed, "-" deleted,
 * per slice. */
static char *world_set(World *world, guint from, guint to, guint unready)
{
    g_autoptr(GPtrArray) pods = g_ptr_array_new_with_free_func(fixture_free_object);
    for (guint i = from; i <= to; i++) {
        g_autofree char *words = g_strdup_printf("p%03u Running ip=10.0.0.%u %s", i, i, i == unready ? "" : "ready");
        g_ptr_array_add(pods, fixture_pod(words));
    }
    g_autoptr(GPtrArray) groups = endpoint_groups_new(world->service, (const Pod *const *)pods->pdata, pods->len);
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    endpoint_slices_plan(plan, world->service, groups, (const EndpointSlice *const *)world->slices->pdata,
                         world->slices->len);
    g_autoptr(GString) done = g_string_new(NULL);
    for (guint i = 0; i < plan->steps->len; i++) {
        PlanStep *step = plan->steps->pdata[i];
        if (step->verb == PLAN_DELETE) {
            g_ptr_array_remove_index(world->slices, find_slice(world, step->name));
        } else {
            EndpointSlice *slice = (EndpointSlice *)api_message_clone(step->object);
            if (step->verb == PLAN_UPDATE)
                g_ptr_array_remove_index(world->slices, find_slice(world, step->name));
            else
                slice->metadata->name = g_strdup_printf("s%u", world->names++);
            g_ptr_array_add(world->slices, slice);
        }
        g_string_append_c(done, step->verb == PLAN_CREATE ? '+' : step->verb == PLAN_UPDATE ? '~' : '-');
    }
    return g_string_free(g_steal_pointer(&done), FALSE);
}

/* Every wanted endpoint is there exactly once, and no slice is too long. */
static void world_check(const World *world, guint from, guint to)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < world->slices->len; i++) {
        const EndpointSlice *slice = world->slices->pdata[i];
        g_assert_cmpuint(slice->n_endpoints, <=, ENDPOINTS_PER_SLICE);
        g_assert_cmpstr(api_label(slice->metadata, "kubernetes.io/service-name"), ==, "web");
        g_assert_cmpstr(api_label(slice->metadata, "endpointslice.kubernetes.io/managed-by"), ==, ENDPOINTS_MANAGED_BY);
        g_assert_cmpstr(api_label(slice->metadata, "team"), ==, "a");
        g_assert_cmpstr(slice->metadata->ownerreferences[0]->uid, ==, "s1");
        for (gsize j = 0; j < slice->n_endpoints; j++)
            g_assert_true(g_hash_table_add(seen, slice->endpoints[j]->addresses[0]));
    }
    g_assert_cmpuint(g_hash_table_size(seen), ==, to >= from ? to - from + 1 : 0);
}

static void test_slices(void)
{
    static const struct {
        guint from, to, unready;
        const char *done;
        guint slices;
    } steps[] = {
        {1, 0, 0, "+", 1},                          /* none: an empty slice says so */
        {1, 0, 0, "", 1},       {1, 3, 0, "+-", 1}, /* the first ones */
        {1, 3, 0, "", 1},                           /* nothing to do */
        {1, 3, 2, "~", 1},                          /* one is not ready */
        {1, 250, 0, "~++", 3},                      /* 100 each */
        {1, 250, 249, "~", 3},                      /* a change in one slice touches that one only */
        {51, 250, 0, "~~", 3},                      /* the first slice shrinks; the other change is 249's */
        {51, 260, 0, "~", 3},                       /* new ones go where there is room */
        {201, 260, 0, "~-", 2},                     /* one shrinks, one becomes empty */
        {1, 0, 0, "--+", 1},
    };
    World world;
    world_init(&world, "ports: [{name: w, port: 80}]");
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_test_message("step %u", i);
        g_autofree char *done = world_set(&world, steps[i].from, steps[i].to, steps[i].unready);
        g_autoptr(GString) sorted = g_string_new(done);
        world_check(&world, steps[i].from, steps[i].to);
        g_assert_cmpuint(strlen(done), ==, strlen(steps[i].done));
        for (const char *c = steps[i].done; *c; c++) { /* in any order */
            const char *at = strchr(sorted->str, *c);
            g_assert_nonnull(at);
            g_string_erase(sorted, at - sorted->str, 1);
        }
        g_assert_cmpuint(world.slices->len, ==, steps[i].slices);
    }
    world_done(&world);
}

static void test_object(void)
{
    API_AUTO(Service) service = service_of("ports: [{name: w, port: 80, targetPort: 8080}]");
    g_autoptr(GPtrArray) pods =
        fixture_pods("a Running ready ip=10.0.0.1; b Running ip=10.0.0.2; c Running deleting ip=10.0.0.3");
    g_autoptr(GPtrArray) groups = endpoint_groups_new(service, (const Pod *const *)pods->pdata, pods->len);
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    endpoints_object_plan(plan, service, groups, NULL);
    fixture_assert_plan(plan, "0 create Endpoints web");
    const Core__V1__Endpoints *object = fixture_written(plan, PLAN_CREATE, API_ENDPOINTS);
    g_assert_cmpuint(object->n_subsets, ==, 1);
    g_assert_cmpuint(object->subsets[0]->n_addresses, ==, 1);
    g_assert_cmpstr(object->subsets[0]->addresses[0]->ip, ==, "10.0.0.1");
    g_assert_cmpuint(object->subsets[0]->n_notreadyaddresses, ==, 1);
    g_assert_cmpint(object->subsets[0]->ports[0]->port, ==, 8080);

    g_autoptr(Plan) again = plan_new(NOW_NS);
    endpoints_object_plan(again, service, groups, object);
    fixture_assert_plan(again, "");
    g_ptr_array_set_size(groups, 0);
    g_autoptr(Plan) empty = plan_new(NOW_NS);
    endpoints_object_plan(empty, service, groups, object);
    fixture_assert_plan(empty, "0 update Endpoints web");
    g_assert_cmpuint(((const Core__V1__Endpoints *)fixture_written(empty, PLAN_UPDATE, API_ENDPOINTS))->n_subsets, ==,
                     0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoints/groups", test_groups);
    g_test_add_func("/endpoints/slices", test_slices);
    g_test_add_func("/endpoints/object", test_object);
    return g_test_run();
}
