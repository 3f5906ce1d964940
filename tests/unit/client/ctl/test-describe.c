#include "client/ctl/describe.h"

#include <string.h>

#include "lib/api/codec.h"
#include "lib/base/time.h"

static void test_words(void)
{
    static const char *const cases[][2] = {
        {"name", "Name"},        {"creationTimestamp", "Creation Timestamp"}, {"podIP", "Pod IP"},
        {"podIPs", "Pod IPs"},   {"podIPAddress", "Pod IP Address"},          {"qosClass", "Qos Class"},
        {"hostPID", "Host PID"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *words = lines_words(cases[i][0]);
        g_assert_cmpstr(words, ==, cases[i][1]);
    }
}

static void test_lines(void)
{
    g_autoptr(Lines) lines = lines_new();
    lines_add(lines, "A", "1");
    lines_add(lines, "Longer", "x\ny");
    lines_add(lines, "None", NULL);
    lines_title(lines, "A Very Long Title");
    lines_in(lines);
    lines_add(lines, "In", "a");
    lines_add_set(lines, "Unset", "");
    lines_text(lines, "text\n");
    lines_out(lines);
    lines_add(lines, "B", "2");
    g_autofree char *text = lines_format(lines);
    g_assert_cmpstr(text, ==,
                    "A:       1\n"
                    "Longer:  x\n"
                    "         y\n"
                    "None:    <none>\n"
                    "A Very Long Title:\n"
                    "  In:  a\n"
                    "  text\n"
                    "B:       2\n");
}

/* The page of an object whose kind has one. related: a List, or NULL. */
static char *page(const char *text, const char *related, gint64 now_ns)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests(text, strlen(text), "object", &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) others = related ? api_decode_manifests(related, strlen(related), "related", &error) : NULL;
    g_assert_no_error(error);
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    for (guint i = 0; others && i < others->len; i++)
        g_ptr_array_add(objects, ((ApiManifest *)others->pdata[i])->object);
    const ApiManifest *manifest = manifests->pdata[0];
    g_autoptr(Lines) lines = lines_new();
    describe_kind(manifest->resource)->print(lines, manifest->object, objects, now_ns);
    return lines_format(lines);
}

static void check_lines(const char *text, const char *const *wanted)
{
    for (; *wanted; wanted++) {
        g_autofree char *line = g_strdup_printf("%s\n", *wanted);
        if (!strstr(text, line))
            g_error("\"%s\" is not in:\n%s", *wanted, text);
    }
}

static void test_pod(void)
{
    g_autofree char *text =
        page("apiVersion: v1\n"
             "kind: Pod\n"
             "metadata:\n"
             "  name: web\n"
             "  namespace: default\n"
             "  labels: {a: b, c: d}\n"
             "  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}\n"
             "  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]\n"
             "spec:\n"
             "  nodeName: n1\n"
             "  containers:\n"
             "  - name: main\n"
             "    image: busybox\n"
             "    command: [sh, -c]\n"
             "    ports: [{containerPort: 80, name: http}]\n"
             "    env: [{name: A, value: '1'}]\n"
             "    volumeMounts: [{name: v, mountPath: /v}]\n"
             "  volumes: [{name: v, emptyDir: {}}]\n"
             "  tolerations: [{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]\n"
             "status:\n"
             "  phase: Running\n"
             "  hostIP: 10.0.0.1\n"
             "  podIP: 10.244.0.2\n"
             "  conditions: [{type: Ready, status: 'True'}]\n"
             "  containerStatuses:\n"
             "  - name: main\n"
             "    ready: true\n"
             "    restartCount: 2\n"
             "    state: {running: {startedAt: 2026-01-31T12:00:00Z}}\n"
             "    lastState: {terminated: {exitCode: 3, reason: Error}}\n",
             NULL, 0);
    static const char *const wanted[] = {
        "Name:            web",
        "Labels:          a=b\n                 c=d",
        "Annotations:     <none>",
        "Node:            n1/10.0.0.1",
        "Status:          Running",
        "Controlled By:   ReplicaSet/r",
        "    Ports:          80/TCP (http)",
        "    Command:        sh\n                    -c",
        "    State:          Running",
        "      Started:  2026-01-31T12:00:00Z",
        "    Last State:     Terminated",
        "      Exit Code:  3",
        "    Restart Count:  2",
        "      A:  1",
        "    Mounts:         /v from v (rw)",
        "  Type    Status\n  Ready   True",
        "    Empty Dir:  <none>",
        "Tolerations:     k:NoExecute op=Exists for 300s",
        NULL,
    };
    check_lines(text, wanted);
}

static void test_node(void)
{
    g_autofree char *text = page(
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.244.0.0/24, taints: [{key: a, value: b, effect: "
        "NoSchedule}]}\nstatus:\n  capacity: {cpu: '2'}\n  addresses: [{type: InternalIP, address: 10.0.0.1}]\n"
        "  conditions: [{type: Ready, status: 'True', reason: AgentReady}]\n  nodeInfo: {architecture: amd64}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}, status: {phase: "
        "Running}}\n",
        0);
    static const char *const wanted[] = {
        "Taints:         a=b:NoSchedule",
        "Unschedulable:  false",
        "PodCIDR:        10.244.0.0/24",
        "  InternalIP:  10.0.0.1",
        "  Cpu:  2",
        "  Architecture:  amd64",
        "Pods (1 in total):",
        "  x           p      Running   <unknown>",
        NULL,
    };
    check_lines(text, wanted);
}

static void test_service(void)
{
    g_autofree char *text = page(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: a}, type: ClusterIP, clusterIP: 10.96.0.5, ports: "
        "[{name: http, port: 80, targetPort: web}]}\n",
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1}\naddressType: IPv4\nports: [{name: http, port: "
        "8080}]\nendpoints:\n- {addresses: [10.244.0.2], conditions: {ready: true}}\n- {addresses: [10.244.0.3], conditions: {ready: "
        "false}}\n- {addresses: [10.244.1.2]}\n",
        0);
    static const char *const wanted[] = {
        "Selector:     app=a",
        "IP:           10.96.0.5",
        "Port:         http 80/TCP",
        "TargetPort:   web/TCP",
        "Endpoints:    10.244.0.2:8080,10.244.1.2:8080",
        NULL,
    };
    check_lines(text, wanted);
}

static void test_deployment(void)
{
    g_autofree char *text = page(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, uid: u1}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: a}}\n"
        "  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}\n"
        "  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: i}]}}\n"
        "status: {replicas: 3, updatedReplicas: 2, availableReplicas: 2, unavailableReplicas: 1}\n",
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: d-1, ownerReferences: [{uid: u1, controller: true}]}, spec: "
        "{replicas: 2}, status: {replicas: 2, readyReplicas: 1}}\n"
        "- {apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: other, ownerReferences: [{uid: u2, controller: true}]}}\n",
        0);
    static const char *const wanted[] = {
        "Selector:               app=a",
        "Replicas:               3 desired | 2 updated | 3 total | 2 available | 1 unavailable",
        "RollingUpdateStrategy:  1 max unavailable, 25% max surge",
        "  Name   Desired   Current   Ready\n  d-1    2         2         1",
        NULL,
    };
    check_lines(text, wanted);
    g_assert_null(strstr(text, "other"));
}

static void test_events(void)
{
    static const char text[] =
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Event, metadata: {name: b}, type: Warning, reason: Late, message: second, count: 3, source: "
        "{component: agent}, firstTimestamp: 2026-01-31T11:50:00Z, lastTimestamp: 2026-01-31T11:59:30Z}\n"
        "- {apiVersion: v1, kind: Event, metadata: {name: a}, type: Normal, reason: Early, message: first, reportingComponent: "
        "scheduler, firstTimestamp: 2026-01-31T11:00:00Z}\n";
    gint64 now_ns = 0;
    g_assert_true(time_parse("2026-01-31T12:00:00Z", &now_ns));
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) manifests = api_decode_manifests(text, strlen(text), "events", &error);
    g_assert_no_error(error);
    g_autoptr(GPtrArray) events = g_ptr_array_new();
    for (guint i = 0; i < manifests->len; i++)
        g_ptr_array_add(events, ((ApiManifest *)manifests->pdata[i])->object);
    g_autoptr(Lines) lines = lines_new();
    describe_events(lines, events, now_ns);
    g_autofree char *shown = lines_format(lines);
    g_assert_cmpstr(shown, ==,
                    "Events:\n"
                    "  Type      Reason   Age                 From        Message\n"
                    "  Normal    Early    60m                 scheduler   first\n"
                    "  Warning   Late     30s (x3 over 10m)   agent       second\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ctl/describe/words", test_words);
    g_test_add_func("/ctl/describe/lines", test_lines);
    g_test_add_func("/ctl/describe/pod", test_pod);
    g_test_add_func("/ctl/describe/node", test_node);
    g_test_add_func("/ctl/describe/service", test_service);
    g_test_add_func("/ctl/describe/deployment", test_deployment);
    g_test_add_func("/ctl/describe/events", test_events);
    return g_test_run();
}
