/* controllers/gc.c, podgc.c and namespace.c: what goes, and when. */
#include "controllers/gc.h"
#include "controllers/namespace.h"
#include "controllers/podgc.h"
#include "tests/unit/controllers/fixture.h"

#define OWNER(uid) "{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: " uid "}"
#define DELETING "deletionTimestamp: '1970-01-12T13:46:40Z'"

static gpointer config_map(const char *meta)
{
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: c, namespace: default, uid: u1, %s}}", meta);
    return fixture_decode(&core__v1__config_map__descriptor, yaml);
}

static void test_dependent(void)
{
    static const struct {
        const char *meta;
        GcOwner owners[2];
        gboolean has_dependents;
        const char *plan, *detail; /* detail: the propagation, or the uids of the owners left */
    } rows[] = {
        {"ownerReferences: [" OWNER("a") "]", {GC_OWNER_SOLID}, FALSE, "", NULL},
        {"ownerReferences: [" OWNER("a") "]", {GC_OWNER_ABSENT}, FALSE, "0 delete ConfigMap c", "Background"},
        {"ownerReferences: [" OWNER("a") "], finalizers: [orphan]",
         {GC_OWNER_ABSENT},
         FALSE,
         "0 delete ConfigMap c",
         "Orphan"},
        {"ownerReferences: [" OWNER("a") "]", {GC_OWNER_WAITING}, FALSE, "0 delete ConfigMap c", "Background"},
        {"ownerReferences: [" OWNER("a") "]", {GC_OWNER_WAITING}, TRUE, "0 delete ConfigMap c", "Foreground"},
        {"ownerReferences: [" OWNER("a") ", " OWNER("b") "]",
         {GC_OWNER_ABSENT, GC_OWNER_ABSENT},
         FALSE,
         "0 delete ConfigMap c",
         "Background"},
        {"ownerReferences: [" OWNER("a") ", " OWNER("b") "]",
         {GC_OWNER_SOLID, GC_OWNER_ABSENT},
         FALSE,
         "0 update ConfigMap c",
         "a"},
        {"ownerReferences: [" OWNER("a") ", " OWNER("b") "]",
         {GC_OWNER_WAITING, GC_OWNER_SOLID},
         TRUE,
         "0 update ConfigMap c",
         "b"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(ProtobufCMessage) object = config_map(rows[i].meta);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        gc_plan_dependent(plan, object, rows[i].owners, rows[i].has_dependents);
        fixture_assert_plan(plan, rows[i].plan);
        if (!rows[i].detail)
            continue;
        const PlanStep *step = plan->steps->pdata[0];
        if (step->verb == PLAN_DELETE) {
            g_assert_cmpstr(step->propagation, ==, rows[i].detail);
            g_assert_cmpstr(step->uid, ==, "u1");
        } else {
            const Meta__V1__ObjectMeta *meta = api_meta_peek(step->object);
            g_assert_cmpuint(meta->n_ownerreferences, ==, 1);
            g_assert_cmpstr(meta->ownerreferences[0]->uid, ==, rows[i].detail);
        }
    }
}

#define DEPENDENT(name, blocks)                                                                                        \
    "metadata: {name: " name                                                                                           \
    ", namespace: default, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: c, uid: u1, "                     \
    "blockOwnerDeletion: " blocks "}]}"

static void test_owner(void)
{
    static const struct {
        const char *meta, *dependents, *plan;
    } rows[] = {
        {DELETING ", finalizers: [foregroundDeletion]", "", "0 update ConfigMap c"},
        {DELETING ", finalizers: [foregroundDeletion]", DEPENDENT("d", "true"), ""},
        {DELETING ", finalizers: [foregroundDeletion]", DEPENDENT("d", "false"), "0 update ConfigMap c"},
        {DELETING ", finalizers: [orphan]", DEPENDENT("d", "true") ";" DEPENDENT("e", "false"),
         "0 update Secret d; 0 update Secret e; 1 update ConfigMap c"},
        {DELETING ", finalizers: [other]", DEPENDENT("d", "true"), ""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(ProtobufCMessage) object = config_map(rows[i].meta);
        g_autoptr(GPtrArray) dependents = fixture_list(&core__v1__secret__descriptor, rows[i].dependents);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        gc_plan_owner(plan, object, (const ProtobufCMessage *const *)dependents->pdata, dependents->len);
        fixture_assert_plan(plan, rows[i].plan);
        for (guint j = 0; j < plan->steps->len; j++) {
            const PlanStep *step = plan->steps->pdata[j];
            const Meta__V1__ObjectMeta *meta = api_meta_peek(step->object);
            g_assert_cmpuint(step->resource == API_SECRET ? meta->n_ownerreferences : meta->n_finalizers, ==, 0);
        }
    }
}

static void test_lost_pods(void)
{
    g_autoptr(GPtrArray) pods = fixture_pods("a Running; b Running deleting");
    g_autoptr(Plan) plan = plan_new(NOW_NS);
    podgc_plan_lost(plan, (const Pod *const *)pods->pdata, pods->len);
    fixture_assert_plan(plan, "0 delete Pod a; 0 delete Pod b");
    g_assert_cmpint(((PlanStep *)plan->steps->pdata[0])->grace_s, ==, 0);
}

static void test_finished_pods(void)
{
    static const struct {
        guint max;
        const char *plan;
    } rows[] = {{3, ""}, {2, "0 delete Pod b"}, {0, "0 delete Pod b; 0 delete Pod c; 0 delete Pod a"}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) pods = fixture_pods("a Failed age=1; b Succeeded age=3; c Failed age=2");
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        podgc_plan_finished(plan, (const Pod **)pods->pdata, pods->len, rows[i].max);
        fixture_assert_plan(plan, rows[i].plan);
    }
}

static Namespace *namespace_of(const char *meta, const char *finalizers)
{
    g_autofree char *yaml = g_strdup_printf("{metadata: {name: shop, %s}, spec: {finalizers: [%s]}}", meta, finalizers);
    return fixture_decode(&core__v1__namespace__descriptor, yaml);
}

/* Answers the plan's lists (<n> objects in the list of ConfigMaps, the first being deleted already) and goes on, as
 * the framework does. */
static void answer_lists(Plan *plan, guint n)
{
    API_AUTO(Core__V1__ConfigMapList) full = API_NEW(Core__V1__ConfigMapList, core__v1__config_map_list);
    for (guint i = 0; i < n; i++)
        api_append(full->items, full->n_items, config_map(i == 0 ? DELETING : ""));
    for (guint i = 0; i < plan->steps->len; i++) {
        PlanStep *step = plan->steps->pdata[i];
        if (!step->then)
            continue;
        plan_continue(plan, step);
        if (step->resource == API_CONFIG_MAP) {
            step->then(plan, &full->base, NULL, step->data);
        } else if (step->verb == PLAN_LIST) {
            g_autofree ProtobufCMessage *empty = g_malloc0(step->resource->list->sizeof_message);
            protobuf_c_message_init(step->resource->list, empty);
            step->then(plan, empty, NULL, step->data);
        } else {
            step->then(plan, NULL, NULL, step->data);
        }
    }
}

static guint count_steps(const Plan *plan, PlanVerb verb)
{
    guint n = 0;
    for (guint i = 0; i < plan->steps->len; i++)
        n += ((PlanStep *)plan->steps->pdata[i])->verb == verb;
    return n;
}

static void test_namespace(void)
{
    static const struct {
        const char *meta, *finalizers;
        guint objects, lists, deletes, updates;
    } rows[] = {
        {"", "kubernetes", 0, FALSE, 0, 0},      {DELETING, "kubernetes", 0, TRUE, 0, 1},
        {DELETING, "kubernetes", 3, TRUE, 2, 0}, {DELETING, "other, kubernetes", 0, TRUE, 0, 1},
        {DELETING, "other", 0, FALSE, 0, 0},
    };
    guint namespaced = 0, n;
    const ApiResource *resources = api_resources(&n);
    for (guint i = 0; i < n; i++)
        namespaced += resources[i].namespaced;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        API_AUTO(Namespace) namespace_ = namespace_of(rows[i].meta, rows[i].finalizers);
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        namespace_plan(plan, namespace_);
        g_assert_cmpuint(count_steps(plan, PLAN_LIST), ==, rows[i].lists ? namespaced : 0);
        answer_lists(plan, rows[i].objects);
        g_assert_cmpuint(count_steps(plan, PLAN_DELETE), ==, rows[i].deletes);
        g_assert_cmpuint(count_steps(plan, PLAN_UPDATE), ==, rows[i].updates);
        g_assert_cmpint(plan->after_ns >= 0, ==, rows[i].objects > 0);
        const Namespace *written = fixture_written(plan, PLAN_UPDATE, API_NAMESPACE);
        if (written)
            g_assert_cmpuint(written->spec->n_finalizers, ==, namespace_->spec->n_finalizers - 1);
    }
}

static void test_account(void)
{
    API_AUTO(Namespace) lives = namespace_of("", "kubernetes");
    API_AUTO(Namespace) goes = namespace_of(DELETING, "kubernetes");
    const struct {
        const Namespace *namespace_;
        gboolean has;
        const char *plan;
    } rows[] = {{lives, FALSE, "0 create ServiceAccount default"}, {lives, TRUE, ""}, {goes, FALSE, ""}};
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(Plan) plan = plan_new(NOW_NS);
        serviceaccount_plan(plan, rows[i].namespace_, rows[i].has);
        fixture_assert_plan(plan, rows[i].plan);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gc/dependent", test_dependent);
    g_test_add_func("/gc/owner", test_owner);
    g_test_add_func("/podgc/lost", test_lost_pods);
    g_test_add_func("/podgc/finished", test_finished_pods);
    g_test_add_func("/namespace/deletion", test_namespace);
    g_test_add_func("/namespace/account", test_account);
    return g_test_run();
}
