/* What is filled in, as the YAML that a user would see. */
#include "tests/unit/lib/api/kinds/fixture.h"

#define CONTAINER_DEFAULTS                                                                                             \
    "    terminationMessagePath: /dev/termination-log\n"                                                               \
    "    terminationMessagePolicy: File\n"
#define TEMPLATE_DEFAULTS                                                                                              \
    "      dnsPolicy: ClusterFirst\n"                                                                                  \
    "      restartPolicy: Always\n"                                                                                    \
    "      schedulerName: default-scheduler\n"                                                                         \
    "      securityContext: {}\n"                                                                                      \
    "      terminationGracePeriodSeconds: 30\n"

static const struct {
    const char *yaml, *expected;
} whole[] = {
    {POD("", ""), "apiVersion: v1\n"
                  "kind: Pod\n"
                  "metadata:\n"
                  "  name: web\n"
                  "  namespace: d\n"
                  "  uid: u-1\n"
                  "spec:\n"
                  "  containers:\n"
                  "  - image: i:1\n"
                  "    imagePullPolicy: IfNotPresent\n"
                  "    name: c\n" CONTAINER_DEFAULTS "  dnsPolicy: ClusterFirst\n"
                  "  enableServiceLinks: true\n"
                  "  preemptionPolicy: PreemptLowerPriority\n"
                  "  priority: 0\n"
                  "  restartPolicy: Always\n"
                  "  schedulerName: default-scheduler\n"
                  "  securityContext: {}\n"
                  "  serviceAccount: default\n"
                  "  serviceAccountName: default\n"
                  "  terminationGracePeriodSeconds: 30\n"
                  "  tolerations:\n"
                  "  - effect: NoExecute\n"
                  "    key: node.kubernetes.io/not-ready\n"
                  "    operator: Exists\n"
                  "    tolerationSeconds: 300\n"
                  "  - effect: NoExecute\n"
                  "    key: node.kubernetes.io/unreachable\n"
                  "    operator: Exists\n"
                  "    tolerationSeconds: 300\n"
                  "status:\n"
                  "  phase: Pending\n"
                  "  qosClass: BestEffort\n"},
    {DEPLOYMENT(""), "apiVersion: apps/v1\n"
                     "kind: Deployment\n"
                     "metadata:\n"
                     "  name: web\n"
                     "  namespace: d\n"
                     "  uid: u-1\n"
                     "spec:\n"
                     "  progressDeadlineSeconds: 600\n"
                     "  replicas: 1\n"
                     "  revisionHistoryLimit: 10\n"
                     "  selector:\n"
                     "    matchLabels:\n"
                     "      app: web\n"
                     "  strategy:\n"
                     "    rollingUpdate:\n"
                     "      maxSurge: 25%\n"
                     "      maxUnavailable: 25%\n"
                     "    type: RollingUpdate\n"
                     "  template:\n"
                     "    metadata:\n"
                     "      labels:\n"
                     "        app: web\n"
                     "    spec:\n"
                     "      containers:\n"
                     "      - image: i:1\n"
                     "        imagePullPolicy: IfNotPresent\n"
                     "        name: c\n"
                     "        terminationMessagePath: /dev/termination-log\n"
                     "        terminationMessagePolicy: File\n" TEMPLATE_DEFAULTS},
    {JOB("", ", restartPolicy: Never"), "apiVersion: batch/v1\n"
                                        "kind: Job\n"
                                        "metadata:\n"
                                        "  labels:\n"
                                        "    batch.kubernetes.io/controller-uid: u-1\n"
                                        "    batch.kubernetes.io/job-name: work\n"
                                        "    controller-uid: u-1\n"
                                        "    job-name: work\n"
                                        "  name: work\n"
                                        "  namespace: d\n"
                                        "  uid: u-1\n"
                                        "spec:\n"
                                        "  backoffLimit: 6\n"
                                        "  completionMode: NonIndexed\n"
                                        "  completions: 1\n"
                                        "  manualSelector: false\n"
                                        "  parallelism: 1\n"
                                        "  podReplacementPolicy: TerminatingOrFailed\n"
                                        "  selector:\n"
                                        "    matchLabels:\n"
                                        "      batch.kubernetes.io/controller-uid: u-1\n"
                                        "  suspend: false\n"
                                        "  template:\n"
                                        "    metadata:\n"
                                        "      labels:\n"
                                        "        batch.kubernetes.io/controller-uid: u-1\n"
                                        "        batch.kubernetes.io/job-name: work\n"
                                        "        controller-uid: u-1\n"
                                        "        job-name: work\n"
                                        "    spec:\n"
                                        "      containers:\n"
                                        "      - image: i:1\n"
                                        "        imagePullPolicy: IfNotPresent\n"
                                        "        name: c\n"
                                        "        terminationMessagePath: /dev/termination-log\n"
                                        "        terminationMessagePolicy: File\n"
                                        "      dnsPolicy: ClusterFirst\n"
                                        "      restartPolicy: Never\n"
                                        "      schedulerName: default-scheduler\n"
                                        "      securityContext: {}\n"
                                        "      terminationGracePeriodSeconds: 30\n"},
    {SERVICE("ports: [{port: 80, name: http}, {port: 53, name: dns, protocol: UDP, targetPort: dns}], clusterIP: None"),
     "apiVersion: v1\n"
     "kind: Service\n"
     "metadata:\n"
     "  name: web\n"
     "  namespace: d\n"
     "  uid: u-1\n"
     "spec:\n"
     "  clusterIP: None\n"
     "  clusterIPs:\n"
     "  - None\n"
     "  internalTrafficPolicy: Cluster\n"
     "  ipFamilies:\n"
     "  - IPv4\n"
     "  ipFamilyPolicy: SingleStack\n"
     "  ports:\n"
     "  - name: http\n"
     "    port: 80\n"
     "    protocol: TCP\n"
     "    targetPort: 80\n"
     "  - name: dns\n"
     "    port: 53\n"
     "    protocol: UDP\n"
     "    targetPort: dns\n"
     "  sessionAffinity: None\n"
     "  type: ClusterIP\n"},
    {"{apiVersion: v1, kind: Namespace, metadata: {name: shop}, status: {phase: Terminating}}",
     "apiVersion: v1\n"
     "kind: Namespace\n"
     "metadata:\n"
     "  labels:\n"
     "    kubernetes.io/metadata.name: shop\n"
     "  name: shop\n"
     "  uid: u-1\n"
     "spec:\n"
     "  finalizers:\n"
     "  - kubernetes\n"
     "status:\n"
     "  phase: Active\n"},
    {"{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}, data: {a: AA==, b: YmI=}, stringData: {a: x, c: ''}}",
     "apiVersion: v1\n"
     "kind: Secret\n"
     "data:\n"
     "  a: eA==\n"
     "  b: YmI=\n"
     "  c: \"\"\n"
     "metadata:\n"
     "  name: s\n"
     "  namespace: d\n"
     "  uid: u-1\n"
     "type: Opaque\n"},
};

static void test_whole(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(whole); i++) {
        const ApiResource *resource;
        ProtobufCMessage *object = created(whole[i].yaml, &resource);
        g_autofree char *text = api_encode(object, API_FORMAT_YAML);
        g_assert_cmpstr(text, ==, whole[i].expected);
        assert_validation(resource, object, NULL, NULL, whole[i].yaml);
        /* What is complete stays as it is. */
        if (resource->set_defaults)
            resource->set_defaults(object);
        g_autofree char *again = api_encode(object, API_FORMAT_YAML);
        g_assert_cmpstr(again, ==, text);
        api_message_free(object);
    }
}

/* One line of the result each; "!" before it: must not be there. */
static const struct {
    const char *yaml, *line;
} lines[] = {
    {POD(", imagePullPolicy: Never", ""), "imagePullPolicy: Never"},
    {"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}",
     "imagePullPolicy: Always"},
    {"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: 'nginx:latest'}]}}",
     "imagePullPolicy: Always"},
    {"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: 'reg:5000/nginx'}]}}",
     "imagePullPolicy: Always"},
    {"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: 'reg:5000/nginx:1'}]}}",
     "imagePullPolicy: IfNotPresent"},
    {"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: 'nginx@sha256:0'}]}}",
     "imagePullPolicy: IfNotPresent"},
    {POD("", ", initContainers: [{name: i, image: x}]"), "imagePullPolicy: Always"},
    {POD(", ports: [{containerPort: 80}]", ""), "protocol: TCP"},
    {POD(", ports: [{containerPort: 80, protocol: UDP}]", ""), "protocol: UDP"},
    {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", ""), "apiVersion: v1"},
    {POD(", resources: {limits: {cpu: 100m}}", ""), "cpu: 100m\n      requests:\n        cpu: 100m"},
    {POD(", resources: {limits: {cpu: 2}, requests: {cpu: 1}}", ""), "requests:\n        cpu: \"1\""},
    {POD(", livenessProbe: {httpGet: {port: 80}}", ""), "path: /"},
    {POD(", livenessProbe: {httpGet: {port: 80}}", ""), "periodSeconds: 10"},
    {POD("", ", volumes: [{name: v}]"), "- emptyDir: {}"},
    {POD("", ", volumes: [{name: v, hostPath: {path: /a}}]"), "type: \"\""},
    {POD("", ", volumes: [{name: v, hostPath: {path: /a}}]"), "!emptyDir"},
    {POD("", ", terminationGracePeriodSeconds: 0"), "terminationGracePeriodSeconds: 0"},
    {POD("", ", serviceAccount: old"), "serviceAccountName: old"},
    {POD("", ", serviceAccountName: mine"), "serviceAccount: mine"},
    {POD("", ", priorityClassName: system-node-critical"), "priority: 2000001000"},
    {POD("", ", tolerations: [{operator: Exists}]"), "!tolerationSeconds"},
    {POD("", ", tolerations: [{operator: Exists, effect: NoSchedule}]"), "tolerationSeconds: 300"},
    {POD("", ", tolerations: [{operator: Exists, key: node.kubernetes.io/not-ready}]"),
     "key: node.kubernetes.io/unreachable"},
    {DEPLOYMENT(", replicas: 0"), "replicas: 0"},
    {DEPLOYMENT(", strategy: {type: Recreate}"), "!rollingUpdate"},
    {DEPLOYMENT(", strategy: {rollingUpdate: {maxSurge: 2}}"), "maxUnavailable: 25%"},
    {DEPLOYMENT(", strategy: {rollingUpdate: {maxSurge: 2}}"), "maxSurge: 2"},
    {JOB(", parallelism: 3", ""), "!completions"},
    {JOB(", completions: 3", ""), "parallelism: 1"},
    {"{apiVersion: batch/v1, kind: Job, metadata: {name: w}, spec: {template: {metadata: {labels: {a: b}}, spec: {}}}}",
     "  labels:\n    a: b\n"},
    {JOB(", manualSelector: true, selector: {matchLabels: {a: b}}", ""), "!controller-uid"},
    {SERVICE("ports: [{port: 80, targetPort: 0}]"), "targetPort: 80"},
    {"{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {capacity: {cpu: 4}}}",
     "allocatable:\n    cpu: \"4\""},
    {"{apiVersion: v1, kind: Endpoints, metadata: {name: e}, subsets: [{ports: [{port: 1}]}]}", "protocol: TCP"},
    {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}, addressType: IPv4, endpoints: [], "
     "ports: [{port: 1}]}",
     "name: \"\""},
    {POD(", resources: {limits: {cpu: 1, memory: 1Gi}}", ""), "qosClass: Guaranteed"},
    {POD(", resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1024Mi}}", ""),
     "qosClass: Guaranteed"},
    {POD(", resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}", ""), "qosClass: Burstable"},
    {POD(", resources: {limits: {cpu: 1}}", ""), "qosClass: Burstable"},
    {POD(", resources: {requests: {memory: 1Mi}}", ""), "qosClass: Burstable"},
    {POD(", resources: {requests: {memory: 0}}", ""), "qosClass: BestEffort"},
    {POD(", resources: {limits: {cpu: 1, memory: 1Gi}}", ", initContainers: [{name: i, image: x}]"),
     "qosClass: Burstable"},
};

static void test_lines(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        const ApiResource *resource;
        ProtobufCMessage *object = created(lines[i].yaml, &resource);
        g_autofree char *text = api_encode(object, API_FORMAT_YAML);
        gboolean absent = lines[i].line[0] == '!';
        if ((strstr(text, lines[i].line + (absent ? 1 : 0)) != NULL) == absent)
            g_error("\"%s\" in:\n%s", lines[i].line, text);
        api_message_free(object);
    }
}

/* What an Update carries over from what is stored. */
static void test_update(void)
{
    static const struct {
        const char *old, *update, *line;
    } rows[] = {
        {POD("", ", nodeName: n1"), POD("", ""), "nodeName: n1"},
        {POD("", ""), "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}, status: {phase: Running}}",
         "phase: Pending"},
        {SERVICE("clusterIP: 10.0.0.1, ports: [{port: 80}]"), SERVICE("ports: [{port: 81}]"), "clusterIP: 10.0.0.1"},
        {JOB("", ", restartPolicy: Never"), JOB("", ", restartPolicy: Never"), "controller-uid: u-1"},
        {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {podCIDR: 10.0.1.0/24, podCIDRs: [10.0.1.0/24]}}",
         "{apiVersion: v1, kind: Node, metadata: {name: n1}}", "podCIDR: 10.0.1.0/24"},
        {"{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
         "{apiVersion: v1, kind: Namespace, metadata: {name: shop}, spec: {finalizers: []}}", "- kubernetes"},
        {"{apiVersion: v1, kind: Namespace, metadata: {name: shop, deletionTimestamp: '2026-01-01T00:00:00Z'}}",
         "{apiVersion: v1, kind: Namespace, metadata: {name: shop}, spec: {finalizers: []}}", "!- kubernetes"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ApiResource *resource;
        ProtobufCMessage *old = created(rows[i].old, &resource);
        ProtobufCMessage *object = updated(rows[i].update, old, &resource);
        g_autofree char *text = api_encode(object, API_FORMAT_YAML);
        gboolean absent = rows[i].line[0] == '!';
        if ((strstr(text, rows[i].line + (absent ? 1 : 0)) != NULL) == absent)
            g_error("\"%s\" in:\n%s", rows[i].line, text);
        api_message_free(object);
        api_message_free(old);
    }
}

static void test_deletion_grace(void)
{
    static const struct {
        const char *yaml;
        gint64 grace;
    } rows[] = {
        {POD("", ""), 0}, /* nobody runs it */
        {POD("", ", nodeName: n1"), 30},
        {POD("", ", nodeName: n1, terminationGracePeriodSeconds: 5"), 5},
        {POD("", ", nodeName: n1, terminationGracePeriodSeconds: 0"), 0},
    };
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ApiResource *resource;
        ProtobufCMessage *object = created(rows[i].yaml, &resource);
        g_assert_cmpint(resource->deletion_grace(object), ==, rows[i].grace);
        api_message_free(object);
    }
    const ApiResource *resource;
    ProtobufCMessage *finished = object_of("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {nodeName: n1, "
                                           "terminationGracePeriodSeconds: 30}, status: {phase: Succeeded}}",
                                           &resource);
    g_assert_cmpint(resource->deletion_grace(finished), ==, 0);
    api_message_free(finished);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/defaults/whole", test_whole);
    g_test_add_func("/defaults/lines", test_lines);
    g_test_add_func("/defaults/update", test_update);
    g_test_add_func("/defaults/deletion-grace", test_deletion_grace);
    return g_test_run();
}
