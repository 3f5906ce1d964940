/* What verbs are made of, without a server: arguments, durations, tables, conditions, progress, texts of errors. */
#include "client/ctl/ctl.h"

#include <glib/gstdio.h>
#include <string.h>

#include "cleat/core/v1/core.pb-c.h"
#include "client/ctl/output.h"
#include "client/ctl/rollout.h"
#include "client/ctl/table.h"
#include "client/ctl/targets.h"
#include "client/ctl/tree.h"
#include "client/ctl/wait.h"
#include "lib/base/time.h"

static ProtobufCMessage *object_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests(text, strlen(text), "test", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(manifests->len, ==, 1);
    return g_steal_pointer(&((ApiManifest *)manifests->pdata[0])->object);
}

static void test_durations(void)
{
    static const struct {
        const char *text;
        gboolean good;
        gint64 ms;
    } cases[] = {
        {"30s", TRUE, 30000}, {"1m30s", TRUE, 90000}, {"2h", TRUE, 7200000}, {"500ms", TRUE, 500},
        {"0", TRUE, 0},       {"90", TRUE, 90000},    {"-1s", TRUE, -1000},  {"1.5s", TRUE, 1500},
        {"", FALSE, 0},       {"s", FALSE, 0},        {"1x", FALSE, 0},      {"1m30", FALSE, 0},
        {"-", FALSE, 0},      {"1h ", FALSE, 0},      {"inf", FALSE, 0},     {"1e300h", FALSE, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gint64 ms = 77;
        g_test_message("%s", cases[i].text);
        g_assert_cmpint(ctl_duration_parse(cases[i].text, &ms), ==, cases[i].good);
        g_assert_cmpint(ms, ==, cases[i].good ? cases[i].ms : 77);
    }
}

static void test_targets(void)
{
    static const struct {
        const char *args;
        const char *result; /* "pods/a services/" or the error */
    } cases[] = {
        {"pods", "pods/"},
        {"po,svc", "pods/ services/"},
        {"Pod a b", "pods/a pods/b"},
        {"pods,deploy a", "pods/a deployments/a"},
        {"pod/a svc/b", "pods/a services/b"},
        {"deployments.apps/x", "deployments/x"},
        {"all", "pods/ services/ deployments/ replicasets/ jobs/"},
        {"", "you must specify the type of resource (see ctl api-resources)"},
        {"foo", "the server doesn't have a resource type \"foo\" (see ctl api-resources)"},
        {"foo/a", "the server doesn't have a resource type \"foo\" (see ctl api-resources)"},
        {"pods pod/a", "there is no need to name a type as an argument of its own beside TYPE/NAME (\"pods\")"},
        {"pod/", "arguments in TYPE/NAME form have one type and one name (\"pod/\")"},
        {"pod/a/b", "arguments in TYPE/NAME form have one type and one name (\"pod/a/b\")"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) args = *cases[i].args ? g_strsplit(cases[i].args, " ", -1) : g_new0(char *, 1);
        g_autoptr(GPtrArray) targets = targets_parse(args, &error);
        g_autoptr(GString) result = g_string_new(error ? error->message : "");
        for (guint j = 0; targets && j < targets->len; j++) {
            const Target *target = targets->pdata[j];
            g_string_append_printf(result, "%s%s/%s", j ? " " : "", target->resource->plural, api_str(target->name));
        }
        g_assert_cmpstr(result->str, ==, cases[i].result);
    }
}

static void test_files(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("cleat-ctl-XXXXXX", &error);
    g_assert_no_error(error);
    static const struct {
        const char *name, *text;
    } files[] = {
        {"b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n"},
        {"a.json", "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}"},
        {"c.yml",
         "apiVersion: v1\nkind: Pod\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: d}\n"},
        {"ignored.txt", "{"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i].name, NULL);
        g_assert_true(g_file_set_contents(path, files[i].text, -1, NULL));
    }
    g_autoptr(GPtrArray) manifests = manifests_read((char *[]){dir, NULL}, &error);
    g_assert_no_error(error);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < manifests->len; i++)
        g_string_append(names, api_object_name(((ApiManifest *)manifests->pdata[i])->object));
    g_assert_cmpstr(names->str, ==, "abcd");

    g_autofree char *missing = g_build_filename(dir, "missing", NULL);
    g_assert_null(manifests_read((char *[]){missing, NULL}, &error));
    g_assert_nonnull(error);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(dir, files[i].name, NULL);
        g_remove(path);
    }
    g_rmdir(dir);
}

static void test_namespaces(void)
{
    Ctl ctl = {.namespace_flag = (char *)"mine"};
    g_autoptr(GError) error = NULL;
    ApiManifest pod = {API_POD, object_of("{apiVersion: v1, kind: Pod, metadata: {name: a}}"), 1};
    g_assert_true(manifest_set_namespace(&ctl, &pod, &error));
    g_assert_cmpstr(api_object_namespace(pod.object), ==, "mine");
    g_assert_true(manifest_set_namespace(&ctl, &pod, &error));
    ctl.namespace_flag = (char *)"other";
    g_assert_false(manifest_set_namespace(&ctl, &pod, &error));
    g_assert_cmpstr(
        error->message, ==,
        "pod \"a\" of the file is in the namespace \"mine\", not in \"other\": pass --namespace=mine or leave it out");
    ApiManifest node = {API_NODE, object_of("{apiVersion: v1, kind: Node, metadata: {name: a}}"), 1};
    g_assert_true(manifest_set_namespace(&ctl, &node, NULL));
    g_assert_cmpstr(api_object_namespace(node.object), ==, "");
    api_message_free(pod.object);
    api_message_free(node.object);
}

static void test_table(void)
{
    g_autoptr(CtlTable) table = ctl_table_new();
    ctl_table_add(table, g_strsplit("NAME|AGE", "|", -1));
    ctl_table_add(table, g_strsplit("\xC3\xA4\xC3\xB6|1\n2", "|", -1));
    g_autofree char *first = ctl_table_flush(table);
    g_assert_cmpstr(first, ==, "NAME   AGE\n\xC3\xA4\xC3\xB6     1 2\n");
    ctl_table_add(table, g_strsplit("x|y", "|", -1)); /* later rows keep the columns */
    g_autofree char *second = ctl_table_flush(table);
    g_assert_cmpstr(second, ==, "x      y\n");
}

static void test_object_table(void)
{
    gint64 now_ns = 0;
    g_assert_true(time_parse("2026-01-31T12:00:00Z", &now_ns));
    ProtobufCMessage *object = object_of(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a\n  namespace: ns\n  labels: {x: a, z: w}\n"
        "  creationTimestamp: 2026-01-31T11:58:00Z\n");
    const CtlTableStyle styles[] = {{0}, {.with_namespace = TRUE, .with_kind = TRUE}, {.with_labels = TRUE}};
    const char *const first[] = {"a", "ns", "a"}, *const last[] = {"2m", "2m", "x=a,z=w"};
    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++) {
        g_auto(GStrv) titles = ctl_table_titles(API_SERVICE_ACCOUNT, &styles[i]);
        g_auto(GStrv) cells = ctl_table_cells(API_SERVICE_ACCOUNT, object, &styles[i], now_ns);
        guint n = g_strv_length(cells);
        g_assert_cmpuint(g_strv_length(titles), ==, n);
        g_assert_cmpstr(cells[0], ==, first[i]);
        g_assert_cmpstr(cells[n - 1], ==, last[i]);
    }
    g_auto(GStrv) cells = ctl_table_cells(API_SERVICE_ACCOUNT, object, &styles[1], now_ns);
    g_assert_cmpstr(cells[1], ==, "serviceaccount/a");
    api_message_free(object);
}

static void test_wait_for(void)
{
    static const char node[] = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus:\n  phase: Up\n  conditions:\n"
                               "  - {type: Ready, status: 'True'}\n  - {type: Full, status: 'False'}\n";
    static const char stale[] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, generation: 2}\nstatus:\n"
                                "  observedGeneration: 1\n  conditions: [{type: Available, status: 'True'}]\n";
    static const struct {
        const char *flag, *object;
        gboolean met;
    } cases[] = {
        {"condition=Ready", node, TRUE},
        {"condition=ready=true", node, TRUE},
        {"condition=Ready=False", node, FALSE},
        {"condition=Full", node, FALSE},
        {"condition=Full=false", node, TRUE},
        {"condition=Absent", node, FALSE},
        {"condition=Ready", NULL, FALSE},
        {"condition=Available", stale, FALSE},
        {"jsonpath={.status.phase}=Up", node, TRUE},
        {"jsonpath={.status.phase}=Down", node, FALSE},
        {"jsonpath=.status.phase=Up", node, TRUE},
        {"jsonpath={.status.phase}", node, TRUE},
        {"jsonpath={.status.absent}", node, FALSE},
        {"jsonpath={.status.conditions[?(@.type==\"Full\")].status}=False", node, TRUE},
        {"delete", node, FALSE},
        {"delete", NULL, TRUE},
        {"create", node, TRUE},
        {"create", NULL, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        WaitFor wait;
        g_test_message("%s", cases[i].flag);
        g_assert_true(wait_for_parse(cases[i].flag, &wait, &error));
        ProtobufCMessage *object = cases[i].object ? object_of(cases[i].object) : NULL;
        g_assert_cmpint(wait_for_met(&wait, object), ==, cases[i].met);
        api_message_free(object);
        wait_for_done(&wait);
    }
    const char *const faults[] = {"Ready", "condition=", "jsonpath=", "jsonpath={.a[}", "deleted"};
    for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;
        WaitFor wait;
        g_assert_false(wait_for_parse(faults[i], &wait, &error));
        g_assert_error(error, CLEAT_ERROR, CLEAT_ERROR_BAD_REQUEST);
    }
}

static void test_rollout(void)
{
    static const struct {
        const char *status, *line;
        gboolean done;
    } cases[] = {
        {"{observedGeneration: 1}", "Waiting for deployment spec update to be observed...", FALSE},
        {"{observedGeneration: 2, updatedReplicas: 1}",
         "Waiting for deployment \"a\" rollout to finish: 1 out of 3 new replicas have been updated...", FALSE},
        {"{observedGeneration: 2, updatedReplicas: 3, replicas: 4}",
         "Waiting for deployment \"a\" rollout to finish: 1 old replicas are pending termination...", FALSE},
        {"{observedGeneration: 2, updatedReplicas: 3, replicas: 3, availableReplicas: 2}",
         "Waiting for deployment \"a\" rollout to finish: 2 of 3 updated replicas are available...", FALSE},
        {"{observedGeneration: 2, updatedReplicas: 3, replicas: 3, availableReplicas: 3}",
         "deployment \"a\" successfully rolled out", TRUE},
        {"{observedGeneration: 2, conditions: [{type: Progressing, reason: ProgressDeadlineExceeded}]}", NULL, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strdup_printf(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 2}, spec: {replicas: 3}, status: %s}",
            cases[i].status);
        ProtobufCMessage *object = object_of(text);
        gboolean done;
        g_autofree char *line = rollout_progress((Apps__V1__Deployment *)object, &done, &error);
        g_assert_cmpstr(line, ==, cases[i].line);
        g_assert_cmpint(done, ==, cases[i].done);
        if (!line)
            g_assert_cmpstr(error->message, ==, "deployment \"a\" exceeded its progress deadline");
        api_message_free(object);
    }
}

static void test_error_texts(void)
{
    g_autoptr(GError) missing = g_error_new(CLEAT_ERROR, CLEAT_ERROR_NOT_FOUND, "pods \"x\" not found");
    g_autoptr(GError) away = g_error_new(CLEAT_ERROR, CLEAT_ERROR_UNAVAILABLE, "cannot reach it");
    g_autoptr(GError) invalid = g_error_new(CLEAT_ERROR, CLEAT_ERROR_INVALID, "Pod \"a\" is invalid: ...");
    cleat_error_set_object(invalid, "", "Pod", "a");
    cleat_error_add_cause(invalid, "spec.x", "FieldValueRequired", "Required value: give one");
    g_autoptr(GError) invalid_twice = g_error_copy(invalid);
    cleat_error_add_cause(invalid_twice, "spec.y", "FieldValueInvalid", "Invalid value: 3");
    const struct {
        const GError *error;
        const char *text;
    } cases[] = {
        {missing, "Error from server (NotFound): pods \"x\" not found"},
        {away, "Unable to connect to the server: cannot reach it"},
        {invalid, "The Pod \"a\" is invalid: spec.x: Required value: give one"},
        {invalid_twice, "The Pod \"a\" is invalid:\n* spec.x: Required value: give one\n* spec.y: Invalid value: 3"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) from_server = ctl_server_error(cases[i].error);
        g_autofree char *text = ctl_error_text(from_server);
        g_assert_cmpstr(text, ==, cases[i].text);
        g_assert_true(ctl_server_said(from_server, (CleatErrorCode)cases[i].error->code));
        g_assert_false(ctl_server_said(cases[i].error, (CleatErrorCode)cases[i].error->code));
    }
    g_autofree char *local = ctl_error_text(missing);
    g_assert_cmpstr(local, ==, "error: pods \"x\" not found");
}

static void test_output(void)
{
    static const struct {
        const char *flag;
        int format; /* -1: refused */
    } cases[] = {{NULL, OUTPUT_TABLE},  {"wide", OUTPUT_WIDE},
                 {"yaml", OUTPUT_YAML}, {"=json", OUTPUT_JSON},
                 {"name", OUTPUT_NAME}, {"jsonpath={.a}", OUTPUT_JSONPATH},
                 {"xml", -1},           {"", -1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Output output;
        g_autoptr(GError) error = NULL;
        gboolean good = output_parse(cases[i].flag, &output, &error);
        g_assert_cmpint(good ? (int)output.format : -1, ==, cases[i].format);
    }
    g_autofree char *pod = ctl_object_label(API_POD, "a"), *deployment = ctl_object_label(API_DEPLOYMENT, "a");
    g_assert_cmpstr(pod, ==, "pod/a");
    g_assert_cmpstr(deployment, ==, "deployment.apps/a");
}

static void test_tree(void)
{
    ProtobufCMessage *object = object_of("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  managedFields:\n"
                                         "  - fieldsV1: {big: 99999999999999999999}\n");
    json_t *tree = tree_from_object(object);
    char *text = json_dumps(tree, JSON_COMPACT);
    g_assert_cmpstr(text, ==, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}");
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    g_ptr_array_add(objects, object);
    json_t *list = tree_from_list(objects);
    g_assert_true(json_equal(json_array_get(json_object_get(list, "items"), 0), tree));
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *again = tree_to_object(tree, API_POD->object, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(api_object_name(again), ==, "a");
    free(text);
    json_decref(tree);
    json_decref(list);
    api_message_free(again);
    api_message_free(object);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/durations", test_durations);
    g_test_add_func("/ctl/targets", test_targets);
    g_test_add_func("/ctl/files", test_files);
    g_test_add_func("/ctl/namespaces", test_namespaces);
    g_test_add_func("/ctl/table", test_table);
    g_test_add_func("/ctl/object-table", test_object_table);
    g_test_add_func("/ctl/wait-for", test_wait_for);
    g_test_add_func("/ctl/rollout", test_rollout);
    g_test_add_func("/ctl/error-texts", test_error_texts);
    g_test_add_func("/ctl/output", test_output);
    g_test_add_func("/ctl/tree", test_tree);
    return g_test_run();
}
