/* The program ctl against a real server: what it prints, where, and its exit status. */
#include <gio/gio.h>
#include <string.h>

#include "lib/rpc/rpc.h"
#include "tests/integration/harness.h"

static Harness *harness;
static char *ctl_path;

typedef struct {
    const char *command;    /* arguments of ctl */
    const char *stdin_text; /* may be NULL */
    int status;
    const char *out, *err; /* all of it; NULL: not looked at */
} Step;

static void run_step(const Step *step)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) args = NULL;
    g_autofree char *line = g_strdup_printf("%s %s", ctl_path, step->command);
    g_assert_true(g_shell_parse_argv(line, NULL, &args, NULL));
    g_test_message("ctl %s", step->command);
    GSubprocessFlags flags =
        G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE;
    g_autoptr(GSubprocess) process = g_subprocess_newv((const char *const *)args, flags, &error);
    g_assert_no_error(error);
    g_autofree char *out = NULL, *err = NULL;
    g_subprocess_communicate_utf8(process, step->stdin_text ? step->stdin_text : "", NULL, &out, &err, &error);
    g_assert_no_error(error);
    if (g_subprocess_get_exit_status(process) != step->status)
        g_error("ctl %s: status %d\n%s%s", step->command, g_subprocess_get_exit_status(process), out, err);
    if (step->out)
        g_assert_cmpstr(out, ==, step->out);
    if (step->err)
        g_assert_cmpstr(err, ==, step->err);
}

static void run_steps(const Step *steps, gsize n)
{
    for (gsize i = 0; i < n; i++)
        run_step(&steps[i]);
}

static const char map[] =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, labels: {a: b}}\ndata: {k: v, gone: x}\n";
static const char map_changed[] =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, labels: {a: b}}\ndata: {k: w}\n";
static const char two_maps[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m1}\n---\n"
                               "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m2}\n";
static const char bad_and_good[] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: UPPER}\n---\n"
                                   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n";

static void test_apply(void)
{
    static const Step steps[] = {
        {"apply -f -", map, 0, "configmap/m created\n", ""},
        {"apply -f -", map, 0, "configmap/m unchanged\n", ""},
        {"annotate cm m by=others", NULL, 0, "configmap/m annotated\n", ""},
        {"apply -f -", map_changed, 0, "configmap/m configured\n", ""},
        {"get cm m -o jsonpath='{.data} {.metadata.annotations.by}'", NULL, 0, "{\"k\":\"w\"} others", ""},
        {"apply -f - -o name", map_changed, 0, "configmap/m\n", ""},
        {"create -f -", map, 1, "", NULL},
        {"create configmap plain --from-literal=a=b", NULL, 0, "configmap/plain created\n", ""},
        {"apply -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {c: d}\n", 0,
         "configmap/plain configured\n",
         "Warning: configmaps/plain was not made by ctl apply (it lacks the annotation "
         "kubectl.kubernetes.io/last-applied-configuration, which is added now): fields that were set by other means stay as they "
         "are.\n"},
        {"get cm plain -o jsonpath={.data}", NULL, 0, "{\"a\":\"b\",\"c\":\"d\"}", ""},
        {"apply -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatum: {}\n", 1, "",
         "error: STDIN:4:1: datum: unknown field (did you mean \"data\"?)\n"},
        {"apply -f -", bad_and_good, 1, "configmap/good created\n", NULL},
        {"apply -f - -n other", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: default}\n", 1, "",
         "error: configmap \"x\" of the file is in the namespace \"default\", not in \"other\": pass --namespace=default or leave it "
         "out\n"},
        {"apply", NULL, 1, "", "error: usage: ctl apply -f FILE (see ctl apply --help)\n"},
        {"delete cm m plain good", NULL, 0,
         "configmap \"m\" deleted\nconfigmap \"plain\" deleted\nconfigmap \"good\" deleted\n", ""},
    };
    run_steps(steps, G_N_ELEMENTS(steps));
}

static void test_get(void)
{
    static const Step steps[] = {
        {"get cm", NULL, 0, "", "No resources found in default namespace.\n"},
        {"create -f -", two_maps, 0, "configmap/m1 created\nconfigmap/m2 created\n", ""},
        {"label cm m2 a=b", NULL, 0, "configmap/m2 labeled\n", ""},
        {"get cm -o name", NULL, 0, "configmap/m1\nconfigmap/m2\n", ""},
        {"get configmaps,ns -o name -l a=b", NULL, 0, "configmap/m2\n", ""},
        {"get cm -l a!=b -o name", NULL, 0, "configmap/m1\n", ""},
        {"get cm --field-selector metadata.name=m1 -o name", NULL, 0, "configmap/m1\n", ""},
        {"get cm/m1 ConfigMap/m2 -o jsonpath='{range .items[*]}{.metadata.name},{end}'", NULL, 0, "m1,m2,", ""},
        {"get cm m1 absent -o name", NULL, 1, "configmap/m1\n", NULL},
        {"get cm absent --ignore-not-found", NULL, 0, "", ""},
        {"get cm -f -", two_maps, 1, "", NULL},
        {"get -f - -o name", two_maps, 0, "configmap/m1\nconfigmap/m2\n", ""},
        {"get gizmos", NULL, 1, "",
         "error: the server doesn't have a resource type \"gizmos\" (see ctl api-resources)\n"},
        {"get cm -o xml", NULL, 1, "", NULL},
        {"get cm -n other", NULL, 0, "", "No resources found in other namespace.\n"},
        {"get ns default -o jsonpath={.kind}", NULL, 0, "Namespace", ""},
        {"describe cm m", NULL, 0, NULL, ""},
        {"delete cm --all", NULL, 0, "configmap \"m1\" deleted\nconfigmap \"m2\" deleted\n", ""},
        {"delete cm absent", NULL, 1, "", NULL},
        {"delete cm absent --ignore-not-found", NULL, 0, "", ""},
        {"delete cm", NULL, 1, "", "error: configmaps: give a name, a label selector (-l) or --all\n"},
    };
    run_steps(steps, G_N_ELEMENTS(steps));
}

static void test_change(void)
{
    static const Step steps[] = {
        {"create deployment d --image=i --replicas=2 -- run it", NULL, 0, "deployment.apps/d created\n", ""},
        {"scale deploy d --replicas=4 --current-replicas=3", NULL, 1, "",
         "error: expected 3 replicas, but deployment \"d\" has 2\n"},
        {"scale deploy d --replicas=4 --current-replicas=2", NULL, 0, "deployment.apps/d scaled\n", ""},
        {"get deploy d -o jsonpath='{.spec.replicas} {.spec.template.spec.containers[0].command}'", NULL, 0,
         "4 [\"run\",\"it\"]", ""},
        {"scale cm d --replicas=1", NULL, 1, "", NULL},
        {"rollout restart deploy/d", NULL, 0, "deployment.apps/d restarted\n", ""},
        {"wait --for=jsonpath='{.spec.replicas}'=4 deploy/d", NULL, 0, "deployment.apps/d condition met\n", ""},
        {"wait --for=condition=Available deploy/d --timeout=200ms", NULL, 1, "",
         "error: timed out waiting for the condition on deployments.apps/d\n"},
        {"wait --for=delete cm/absent", NULL, 0, "configmap/absent condition met\n", ""},
        {"wait --for=condition=Ready cm/absent", NULL, 1, "",
         "Error from server (NotFound): configmaps \"absent\" not found\n"},
        {"rollout status deploy/d --timeout=200ms", NULL, 1, NULL,
         "error: timed out waiting for the rollout of deployment \"d\"\n"},
        {"label deploy d x=1", NULL, 0, "deployment.apps/d labeled\n", ""},
        {"label deploy d x=2", NULL, 1, "", "error: 'x' already has a value (1), and --overwrite is false\n"},
        {"label deploy d x=2 --overwrite", NULL, 0, "deployment.apps/d labeled\n", ""},
        {"label deploy d x=2", NULL, 0, "deployment.apps/d not labeled\n", ""},
        {"label deploy d x-", NULL, 0, "deployment.apps/d labeled\n", ""},
        {"logs deploy/d", NULL, 1, "", "error: deployment \"d\" has no pod yet (they have the labels app=d)\n"},
        {"describe deploy d", NULL, 0, NULL, ""},
        {"delete deploy d --cascade=orphan --wait=false", NULL, 0, "deployment.apps \"d\" deleted\n", ""},
    };
    run_steps(steps, G_N_ELEMENTS(steps));
}

/* --- get -w -----------------------------------------------------------------------------------------------------------*/

static void expect_line(GDataInputStream *lines, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_data_input_stream_read_line_utf8(lines, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(line, ==, wanted);
}

/* Changes come as they happen, and go on coming after the server was away. */
static void test_watch(void)
{
    g_autoptr(GError) error = NULL;
    run_step(&(Step){"create configmap w1", NULL, 0, "configmap/w1 created\n", ""});
    g_autoptr(GSubprocess) watch = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, ctl_path, "get", "cm", "-w",
                                                    "-o", "jsonpath={.metadata.name}={.data.a}\n", NULL);
    g_assert_no_error(error);
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(watch));
    expect_line(lines, "w1=");
    run_step(&(Step){"create configmap w2 --from-literal=a=1", NULL, 0, NULL, ""});
    expect_line(lines, "w2=1");
    harness_server_stop(harness, 0, SIGKILL);
    harness_server_start(harness, 0);
    run_step(&(Step){"create configmap w3 --from-literal=a=3", NULL, 0, NULL, ""});
    expect_line(lines, "w3=3"); /* and not the others again */
    run_step(&(Step){"delete cm w1 w2 w3", NULL, 0, NULL, ""});
    g_subprocess_force_exit(watch);
    g_assert_true(g_subprocess_wait(watch, NULL, NULL));
}

/* Without a server, or without a right, it says so. */
static void test_refusals(void)
{
    g_autofree char *nobody = g_strdup_printf("get cm --config %s", harness_config(harness, "nobody"));
    run_step(&(Step){nobody, NULL, 1, "", NULL});
    g_autofree char *away = g_strdup_printf("get cm --server unix://%s/no.sock", harness_dir(harness));
    run_step(&(Step){away, NULL, 1, "", NULL});
    run_step(&(Step){
        "get cm --server nonsense", NULL, 1, "",
        "error: --server: server \"nonsense\": want https://HOST:PORT or unix:///PATH (several are joined by commas)\n"});
    run_step(&(Step){"get cm --config /nonexistent", NULL, 1, "", NULL});
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    rpc_init(1);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *bin = g_path_get_dirname(self);
    ctl_path = g_build_filename(bin, "ctl", NULL);
    harness = harness_new(NULL);
    g_setenv("CLEAT_CONFIG", harness_config(harness, "admin"), TRUE);
    g_test_add_func("/ctl/apply", test_apply);
    g_test_add_func("/ctl/get", test_get);
    g_test_add_func("/ctl/change", test_change);
    g_test_add_func("/ctl/watch", test_watch);
    g_test_add_func("/ctl/refusals", test_refusals);
    int status = g_test_run();
    harness_free(harness);
    rpc_shutdown();
    g_free(ctl_path);
    return status;
}
