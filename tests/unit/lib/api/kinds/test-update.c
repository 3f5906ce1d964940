/* What an update may not change. part NULL: it may. */
#include "tests/unit/lib/api/kinds/fixture.h"

#define CONFIG_MAP(rest) "{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: d}" rest "}"
#define SECRET(rest) "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}" rest "}"
#define SLICE(rest)                                                                                                    \
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, endpoints: []" rest "}"
#define NODE(spec) "{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {" spec "}}"
#define REPLICA_SET(label)                                                                                                   \
    "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {app: " label \
    "}}, template: {metadata: {labels: {app: " label "}}, spec: {containers: [{name: c, image: i}]}}}}"
#define POD_IMAGE(image)                                                                                               \
    "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}, spec: {containers: [{name: c, image: '" image    \
    "', "                                                                                                              \
    "imagePullPolicy: Always}]}}"

static const struct {
    const char *old, *update, *part;
} rows[] = {
    {POD("", ""), POD("", ""), NULL},
    {POD("", ", nodeName: n1"), POD("", ""), NULL},
    {POD_IMAGE("i:1"), POD_IMAGE("i:2"), NULL},
    {POD_IMAGE("i:1"), POD_IMAGE(""), "spec.containers[0].image: Required value"},
    {POD("", ""), POD(", command: [sh]", ""),
     "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"},
    {POD("", ""), POD("", ", nodeName: n1"), "spec: Forbidden"},
    {POD("", ", nodeName: n1"), POD("", ", nodeName: n2"), "spec: Forbidden"},
    {POD("", ""), POD("", ", terminationGracePeriodSeconds: 5"), "spec: Forbidden"},
    {POD("", ""), POD("", ", initContainers: [{name: i, image: i}]"), "spec: Forbidden"},
    {POD("", ""), POD("", ", tolerations: [{key: a, operator: Exists}]"), NULL},
    {POD("", ", tolerations: [{key: a, operator: Exists}]"), POD("", ""), "existing toleration can not be modified"},
    {POD("", ", tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 1}]"),
     POD("", ", tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 2}]"), NULL},
    {POD("", ""), POD("", ", activeDeadlineSeconds: 5"), NULL},
    {POD("", ", activeDeadlineSeconds: 5"), POD("", ", activeDeadlineSeconds: 4"), NULL},
    {POD("", ", activeDeadlineSeconds: 5"), POD("", ", activeDeadlineSeconds: 6"),
     "must be less than or equal to previous value"},
    {POD("", ", activeDeadlineSeconds: 5"), POD("", ""), "must be less than or equal to previous value"},
    {DEPLOYMENT(""), DEPLOYMENT(", replicas: 5, paused: true, strategy: {type: Recreate}"), NULL},
    {DEPLOYMENT(""),
     "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: d}, spec: {selector: {matchLabels: {app: web, a: b}}, "
     "template: {metadata: {labels: {app: web, a: b}}, spec: {containers: [{name: c, image: i}]}}}}",
     "spec.selector: Invalid value: field is immutable"},
    {REPLICA_SET("a"), REPLICA_SET("a"), NULL},
    {REPLICA_SET("a"), REPLICA_SET("b"), "spec.selector: Invalid value: field is immutable"},
    {JOB("", ", restartPolicy: Never"), JOB("", ", restartPolicy: Never"), NULL},
    {JOB("", ", restartPolicy: Never"),
     JOB(", parallelism: 4, completions: 1, suspend: true", ", restartPolicy: Never"), NULL},
    {JOB("", ", restartPolicy: Never"), JOB(", completions: 2", ", restartPolicy: Never"),
     "spec.completions: Invalid value: 2: field is immutable"},
    {JOB("", ", restartPolicy: Never"), JOB("", ", restartPolicy: OnFailure"),
     "spec.template: Invalid value: field is immutable"},
    {JOB("", ", restartPolicy: Never"), JOB(", selector: {matchLabels: {job-name: work}}", ", restartPolicy: Never"),
     "spec.selector: Invalid value: field is immutable"},
    {SERVICE("clusterIP: 10.0.0.1, ports: [{port: 80}]"), SERVICE("ports: [{port: 81}]"), NULL},
    {SERVICE("clusterIP: 10.0.0.1, ports: [{port: 80}]"), SERVICE("clusterIP: 10.0.0.2, ports: [{port: 80}]"),
     "spec.clusterIP: Invalid value: \"10.0.0.2\": field is immutable"},
    {SERVICE("clusterIP: 10.0.0.1, ports: [{port: 80}]"), SERVICE("clusterIP: None"),
     "spec.clusterIP: Invalid value: \"None\""},
    {CONFIG_MAP(", data: {a: b}"), CONFIG_MAP(", data: {a: c}, immutable: true"), NULL},
    {CONFIG_MAP(", data: {a: b}, immutable: true"), CONFIG_MAP(", data: {a: b}, immutable: true"), NULL},
    {CONFIG_MAP(", data: {a: b}, immutable: true"), CONFIG_MAP(", data: {a: c}, immutable: true"),
     "data: Forbidden: field is immutable when `immutable` is set"},
    {CONFIG_MAP(", data: {a: b}, immutable: true"), CONFIG_MAP(", data: {a: b}"),
     "immutable: Forbidden: field is immutable when"},
    {CONFIG_MAP(", data: {a: b}, immutable: true"),
     CONFIG_MAP(", data: {a: b}, binaryData: {c: AA==}, immutable: true"), "data: Forbidden"},
    {SECRET(", stringData: {a: b}"), SECRET(", stringData: {a: c}, immutable: true"), NULL},
    {SECRET(", stringData: {a: b}, immutable: true"), SECRET(", stringData: {a: c}, immutable: true"),
     "data: Forbidden"},
    {SECRET(", stringData: {a: b}, immutable: true"), SECRET(", data: {a: Yg==}, immutable: true"), NULL},
    {SECRET(""), SECRET(", type: mine/own"), "type: Invalid value: \"mine/own\": field is immutable"},
    {SLICE(", addressType: IPv4"), SLICE(", addressType: IPv4"), NULL},
    {NODE("podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24]"), NODE("unschedulable: true"), NULL},
    {NODE("podCIDR: 10.0.0.0/24, podCIDRs: [10.0.0.0/24]"), NODE("podCIDR: 10.0.1.0/24, podCIDRs: [10.0.1.0/24]"),
     "spec.podCIDR: Forbidden"},
    {NODE("providerID: a"), NODE("providerID: b"), "spec.providerID: Forbidden"},
};

static void test_update(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_update(rows[i].old, rows[i].update, rows[i].part);
}

/* Stored objects have their maps sorted; a client's have not. */
static void test_map_order(void)
{
    static const struct {
        const char *yaml, *other;
    } pairs[] = {
        {POD(", resources: {limits: {memory: 1Mi, cpu: 1}, requests: {memory: 1Mi}}", ", nodeSelector: {b: c, a: d}"),
         POD(", resources: {limits: {cpu: 1, memory: 1Mi}, requests: {memory: 1Mi}}", ", nodeSelector: {a: d, b: c}")},
        {CONFIG_MAP(", data: {b: c, a: d}, immutable: true"), CONFIG_MAP(", data: {a: d, b: c}, immutable: true")},
        {SECRET(", stringData: {b: c, a: d}, immutable: true"), SECRET(", stringData: {a: d, b: c}, immutable: true")},
    };
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        assert_update(pairs[i].yaml, pairs[i].other, NULL);
        const ApiResource *resource;
        ProtobufCMessage *old = created(pairs[i].yaml, &resource);
        api_message_normalize(old);
        ProtobufCMessage *object = updated(pairs[i].yaml, old, &resource);
        assert_validation(resource, object, old, NULL, pairs[i].yaml);
        api_message_free(object);
        api_message_free(old);
    }
}

static void test_node_status(void)
{
    static const struct {
        const char *capacity;
        const char *part;
    } amounts[] = {{"{cpu: 4, memory: 1Gi, example.com/gpu: 1}", NULL},
                   {"{cpu: -4}", "status.capacity[cpu]: Invalid value: \"-4\": must be greater than or equal to 0"},
                   {"{a b: 4}", "status.capacity[a b]: Invalid value: \"a b\""}};
    for (guint i = 0; i < G_N_ELEMENTS(amounts); i++) {
        g_autofree char *yaml = g_strdup_printf(
            "{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {capacity: %s}}", amounts[i].capacity);
        const ApiResource *resource;
        ProtobufCMessage *node = object_of(yaml, &resource);
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(api_validate(resource, node, node, TRUE, &error), ==, amounts[i].part == NULL);
        if (error)
            g_assert_nonnull(strstr(error->message, amounts[i].part));
        api_message_free(node);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/update/immutable", test_update);
    g_test_add_func("/update/map-order", test_map_order);
    g_test_add_func("/update/node-status", test_node_status);
    return g_test_run();
}
