/* What each kind refuses, and in which words. part NULL: it is good. */
#include "cleat/core/v1/core.pb-c.h"
#include "tests/unit/lib/api/kinds/fixture.h"

typedef struct {
    const char *yaml, *part;
} Row;

static void run(const Row *rows, guint n)
{
    for (guint i = 0; i < n; i++)
        assert_create(rows[i].yaml, rows[i].part);
}

#define NO_CONTAINERS "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}, spec: {}}"
#define CONTAINERS(list)                                                                                               \
    "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}, spec: {containers: [" list "]}}"

static void test_pod(void)
{
    static const Row rows[] = {
        {POD("", ""), NULL},
        {NO_CONTAINERS, "spec.containers: Required value"},
        {"{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: d}}", "spec: Required value"},
        {CONTAINERS("{image: i}"), "spec.containers[0].name: Required value"},
        {CONTAINERS("{name: C, image: i}"),
         "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label"},
        {CONTAINERS("{name: c}"), "spec.containers[0].image: Required value"},
        {CONTAINERS("{name: c, image: ' i'}"),
         "image: Invalid value: \" i\": must not have leading or trailing whitespace"},
        {CONTAINERS("{name: c, image: i}, {name: c, image: i}"), "spec.containers[1].name: Duplicate value: \"c\""},
        {POD("", ", initContainers: [{name: c, image: i}]"), "spec.initContainers[0].name: Duplicate value: \"c\""},
        {POD("", ", restartPolicy: Sometimes"),
         "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\""},
        {POD("", ", dnsPolicy: Mine"), "spec.dnsPolicy: Unsupported value: \"Mine\""},
        {POD("", ", dnsPolicy: None"), "spec.dnsConfig: Required value: must provide at least one DNS nameserver"},
        {POD("", ", dnsPolicy: None, dnsConfig: {nameservers: [10.0.0.10]}"), NULL},
        {POD("", ", dnsConfig: {nameservers: [ten]}"),
         "spec.dnsConfig.nameservers[0]: Invalid value: \"ten\": must be a valid IP"},
        {POD("", ", dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}"),
         "must not have more than 3 nameservers"},
        {POD("", ", dnsConfig: {searches: ['a_b']}"), "spec.dnsConfig.searches[0]: Invalid value: \"a_b\""},
        {POD("", ", dnsConfig: {searches: [svc.local.], options: [{name: ndots, value: '5'}]}"), NULL},
        {POD("", ", dnsConfig: {options: [{value: '5'}]}"), "spec.dnsConfig.options[0].name: Required value"},
        {POD("", ", terminationGracePeriodSeconds: -1"),
         "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater"},
        {POD("", ", activeDeadlineSeconds: 0"),
         "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647"},
        {POD("", ", hostname: a.b"), "spec.hostname: Invalid value: \"a.b\""},
        {POD("", ", nodeName: A"), "spec.nodeName: Invalid value: \"A\""},
        {POD("", ", nodeSelector: {a b: c}"), "spec.nodeSelector: Invalid value: \"a b\""},
        {POD("", ", serviceAccountName: A"), "spec.serviceAccountName: Invalid value: \"A\""},
        {POD("", ", preemptionPolicy: Always"), "spec.preemptionPolicy: Unsupported value"},
        {POD("", ", imagePullSecrets: [{}]"), "spec.imagePullSecrets[0].name: Required value"},
        {POD("", ", hostAliases: [{ip: x, hostnames: [a]}]"), "spec.hostAliases[0].ip: Invalid value: \"x\""},
        {POD("", ", hostPID: true, shareProcessNamespace: true"),
         "ShareProcessNamespace and HostPID cannot both be enabled"},
        {POD("", ", hostNetwork: true, hostPID: true, hostIPC: true, shareProcessNamespace: false"), NULL},
        {POD("", ", securityContext: {runAsUser: -1}"), "spec.securityContext.runAsUser: Invalid value: -1"},
        {POD("", ", securityContext: {runAsGroup: 4294967296}"),
         "spec.securityContext.runAsGroup: Invalid value: 4294967296"},
        {POD("", ", securityContext: {fsGroup: -1, supplementalGroups: [1, -2]}"),
         "supplementalGroups[1]: Invalid value: -2"},
        {POD("", ", securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}"), NULL},
        {POD("", ", securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}"),
         "sysctls[0].name: Invalid value: \"vm.swappiness\""},
        {POD("", ", securityContext: {sysctls: [{value: '1'}]}"),
         "spec.securityContext.sysctls[0].name: Required value"},
        {POD("", ", hostNetwork: true, securityContext: {sysctls: [{name: net.a, value: '1'}]}"),
         "when `hostNetwork` is true"},
        {POD("", ", securityContext: {sysctls: [{name: net.a}, {name: net.a}]}"), "sysctls[1].name: Duplicate value"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_tolerations(void)
{
    static const Row rows[] = {
        {POD("", ", tolerations: [{key: a, value: b, effect: NoSchedule}]"), NULL},
        {POD("", ", tolerations: [{operator: Exists}]"), NULL},
        {POD("", ", tolerations: [{value: b}]"),
         "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists"},
        {POD("", ", tolerations: [{key: a, operator: Exists, value: b}]"),
         "value must be empty when `operator` is 'Exists'"},
        {POD("", ", tolerations: [{key: a, operator: In}]"), "spec.tolerations[0].operator: Unsupported value: \"In\""},
        {POD("", ", tolerations: [{key: a b}]"), "spec.tolerations[0].key: Invalid value: \"a b\""},
        {POD("", ", tolerations: [{key: a, value: b/c}]"), "spec.tolerations[0].value: Invalid value: \"b/c\""},
        {POD("", ", tolerations: [{key: a, effect: Never}]"),
         "spec.tolerations[0].effect: Unsupported value: \"Never\""},
        {POD("", ", tolerations: [{key: a, effect: NoSchedule, tolerationSeconds: 3}]"),
         "spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute'"},
        {POD("", ", tolerations: [{key: a, effect: NoExecute, tolerationSeconds: 3}]"), NULL},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_container(void)
{
    static const Row rows[] = {
        {POD(", command: [sh], args: ['-c', ''], workingDir: /a, stdin: true, stdinOnce: true, tty: true", ""), NULL},
        {POD(", imagePullPolicy: Often", ""), "spec.containers[0].imagePullPolicy: Unsupported value: \"Often\""},
        {POD(", ports: [{}]", ""), "spec.containers[0].ports[0].containerPort: Required value"},
        {POD(", ports: [{containerPort: 0}]", ""),
         "ports[0].containerPort: Invalid value: 0: must be between 1 and 65535"},
        {POD(", ports: [{containerPort: 65536}]", ""), "ports[0].containerPort: Invalid value: 65536"},
        {POD(", ports: [{containerPort: 1, protocol: ICMP}]", ""), "ports[0].protocol: Unsupported value: \"ICMP\""},
        {POD(", ports: [{containerPort: 1, name: '1'}]", ""),
         "name: Invalid value: \"1\": must contain at least one letter"},
        {POD(", ports: [{containerPort: 1, name: a--b}]", ""), "must not begin or end with a hyphen"},
        {POD(", ports: [{containerPort: 1, name: a_b}]", ""), "must contain only alpha-numeric"},
        {POD(", ports: [{containerPort: 1, name: abcdefghijklmnop}]", ""), "must be no more than 15 characters"},
        {POD(", ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]", ""),
         "ports[1].name: Duplicate value: \"a\""},
        {POD(", ports: [{containerPort: 1, hostPort: 1}]", ", hostNetwork: true"), NULL},
        {POD(", ports: [{containerPort: 1, hostPort: 2}]", ", hostNetwork: true"), "must match `containerPort`"},
        {POD(", resources: {limits: {cpu: -1}}", ""), "resources.limits[cpu]: Invalid value: \"-1\": must be greater"},
        {POD(", resources: {limits: {memory: 100m}}", ""),
         "resources.limits[memory]: Invalid value: \"100m\": must be a whole"},
        {POD(", resources: {limits: {cpu: 1}, requests: {cpu: 2}}", ""),
         "resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
        {POD(", resources: {limits: {cpu: 1}, requests: {cpu: 1000m}}", ""), NULL},
        {POD(", resources: {limits: {memory: 1Gi}, requests: {memory: 1.5Gi}}", ""),
         "must be less than or equal to memory limit"},
        {POD(", volumeMounts: [{name: v, mountPath: /a}]", ""),
         "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
        {POD(", volumeMounts: [{mountPath: /a}]", ""), "volumeMounts[0].name: Required value"},
        {POD(", volumeMounts: [{name: v}]", ", volumes: [{name: v}]"), "volumeMounts[0].mountPath: Required value"},
        {POD(", volumeMounts: [{name: v, mountPath: /a, readOnly: true}]", ", volumes: [{name: v}]"), NULL},
        {POD(", volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]", ", volumes: [{name: v}]"),
         "volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"},
        {POD(", volumeMounts: [{name: v, mountPath: /a, mountPropagation: Up}]", ", volumes: [{name: v}]"),
         "mountPropagation: Unsupported value: \"Up\""},
        {POD(", volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]", ", volumes: [{name: v}]"),
         "available only to privileged containers"},
        {POD(", securityContext: {privileged: true}, volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]",
             ", volumes: [{name: v}]"),
         NULL},
        {POD(", securityContext: {runAsUser: 1, runAsGroup: 2, readOnlyRootFilesystem: true, capabilities: {add: [NET_ADMIN], "
             "drop: [ALL]}, allowPrivilegeEscalation: false}",
             ""),
         NULL},
        {POD(", securityContext: {runAsUser: -1}", ""),
         "spec.containers[0].securityContext.runAsUser: Invalid value: -1"},
        {POD(", securityContext: {privileged: true, allowPrivilegeEscalation: false}", ""),
         "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_environment(void)
{
    static const Row rows[] = {
        {POD(", env: [{name: A, value: b}, {name: B}]", ""), NULL},
        {POD(", env: [{value: b}]", ""), "spec.containers[0].env[0].name: Required value"},
        {POD(", env: [{name: 'a=b'}]", ""), "env[0].name: Invalid value: \"a=b\""},
        {POD(", env: [{name: A, valueFrom: {}}]", ""), "env[0].valueFrom: Invalid value: must specify one of"},
        {POD(", env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", ""),
         "may not be specified when `value` is not empty"},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: a, key: b}}}]",
             ""),
         "may not have more than one field specified at a time"},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", ""), NULL},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a/b']\"}}}]", ""), NULL},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a b']\"}}}]", ""),
         "fieldPath: Unsupported value"},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.image}}}]", ""),
         "fieldPath: Unsupported value: \"spec.image\""},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {}}}]", ""), "valueFrom.fieldRef.fieldPath: Required value"},
        {POD(", env: [{name: A, valueFrom: {fieldRef: {apiVersion: v2, fieldPath: metadata.name}}}]", ""),
         "fieldRef.apiVersion"},
        {POD(", env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]", ""), NULL},
        {POD(", env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]", ""),
         "resource: Unsupported value"},
        {POD(", env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: x}}}]", ""),
         "resourceFieldRef.containerName: Not found: \"x\""},
        {POD(", env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: k}}}]", ""), NULL},
        {POD(", env: [{name: A, valueFrom: {configMapKeyRef: {key: k}}}]", ""), "configMapKeyRef.name: Required value"},
        {POD(", env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]", ""), "secretKeyRef.key: Required value"},
        {POD(", envFrom: [{configMapRef: {name: m}}, {prefix: P_, secretRef: {name: s}}]", ""), NULL},
        {POD(", envFrom: [{}]", ""), "envFrom[0]: Invalid value: must specify one of"},
        {POD(", envFrom: [{configMapRef: {name: m}, secretRef: {name: s}}]", ""), "may not have more than one field"},
        {POD(", envFrom: [{configMapRef: {}}]", ""), "envFrom[0].configMapRef.name: Required value"},
        {POD(", envFrom: [{secretRef: {name: S}}]", ""), "envFrom[0].secretRef.name: Invalid value: \"S\""},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_volumes(void)
{
    static const Row rows[] = {
        {POD("", ", volumes: [{name: v}]"), NULL},
        {POD("", ", volumes: [{emptyDir: {}}]"), "spec.volumes[0].name: Required value"},
        {POD("", ", volumes: [{name: V}]"), "spec.volumes[0].name: Invalid value: \"V\""},
        {POD("", ", volumes: [{name: v}, {name: v}]"), "spec.volumes[1].name: Duplicate value: \"v\""},
        {POD("", ", volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}]"),
         "may not specify more than 1 volume type"},
        {POD("", ", volumes: [{name: v, hostPath: {path: /a, type: Directory}}]"), NULL},
        {POD("", ", volumes: [{name: v, hostPath: {}}]"), "spec.volumes[0].hostPath.path: Required value"},
        {POD("", ", volumes: [{name: v, hostPath: {path: a}}]"), "must be an absolute path"},
        {POD("", ", volumes: [{name: v, hostPath: {path: /a/../b}}]"), "must not contain '..'"},
        {POD("", ", volumes: [{name: v, hostPath: {path: /a..b}}]"), NULL},
        {POD("", ", volumes: [{name: v, hostPath: {path: /a, type: Pipe}}]"),
         "hostPath.type: Unsupported value: \"Pipe\""},
        {POD("", ", volumes: [{name: v, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]"), NULL},
        {POD("", ", volumes: [{name: v, emptyDir: {medium: Memory, sizeLimit: -1Mi}}]"),
         "emptyDir.sizeLimit: Invalid value"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_workloads(void)
{
    static const Row rows[] = {
        {DEPLOYMENT(""), NULL},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {app: web}}, template: " TEMPLATE(
             ", activeDeadlineSeconds: 5") "}}",
         "spec.template.spec.activeDeadlineSeconds: Forbidden"},
        {DEPLOYMENT(", replicas: -1"), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
        {DEPLOYMENT(", minReadySeconds: 600"),
         "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"},
        {DEPLOYMENT(", revisionHistoryLimit: -1"), "spec.revisionHistoryLimit: Invalid value: -1"},
        {DEPLOYMENT(", paused: true, strategy: {type: Recreate}"), NULL},
        {DEPLOYMENT(", strategy: {type: Blue}"), "spec.strategy.type: Unsupported value: \"Blue\""},
        {DEPLOYMENT(", strategy: {type: Recreate, rollingUpdate: {}}"),
         "spec.strategy.rollingUpdate: Forbidden: may not be specified"},
        {DEPLOYMENT(", strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}"),
         "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"},
        {DEPLOYMENT(", strategy: {rollingUpdate: {maxSurge: 0%, maxUnavailable: 100%}}"), NULL},
        {DEPLOYMENT(", strategy: {rollingUpdate: {maxUnavailable: 101%}}"), "must not be greater than 100%"},
        {DEPLOYMENT(", strategy: {rollingUpdate: {maxUnavailable: 5x}}"),
         "maxUnavailable: Invalid value: \"5x\": a valid percent"},
        {DEPLOYMENT(", strategy: {rollingUpdate: {maxSurge: -1}}"), "maxSurge: Invalid value: -1"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {template: " TEMPLATE(
             "") "}}",
         "spec.selector: Required value"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {selector: {}, template: " TEMPLATE(
             "") "}}",
         "spec.selector: Invalid value: empty selector is invalid for deployment"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {a: b}}, template: " TEMPLATE(
             "") "}}",
         "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {selector: {matchExpressions: [{key: a, "
         "operator: Is}]}, template: " TEMPLATE("") "}}",
         "spec.selector: Invalid value: selector: \"Is\" is no operator"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {app: web}}}}",
         "spec.template: Required value"},
        {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w, namespace: d}}", "spec: Required value"},
        {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {app: web}}, "
         "template: " TEMPLATE(", restartPolicy: Never") "}}",
         "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""},
        {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w, namespace: d}, spec: {selector: {matchLabels: {app: web}}, "
         "template: " TEMPLATE(", nodeName: A") "}}",
         "spec.template.spec.nodeName: Invalid value: \"A\""},
        {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w, namespace: d}, spec: {replicas: -1, template: " TEMPLATE(
             "") "}}",
         "[spec.replicas: Invalid value: -1"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_job(void)
{
    static const Row rows[] = {
        {JOB("", ", restartPolicy: Never"), NULL},
        {JOB("", ", restartPolicy: OnFailure"), NULL},
        {JOB("", ""), "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""},
        {JOB(", completions: -1", ", restartPolicy: Never"), "spec.completions: Invalid value: -1"},
        {JOB(", parallelism: -1", ", restartPolicy: Never"), "spec.parallelism: Invalid value: -1"},
        {JOB(", backoffLimit: -1", ", restartPolicy: Never"), "spec.backoffLimit: Invalid value: -1"},
        {JOB(", activeDeadlineSeconds: -1", ", restartPolicy: Never"), "spec.activeDeadlineSeconds: Invalid value: -1"},
        {JOB(", ttlSecondsAfterFinished: -1", ", restartPolicy: Never"),
         "spec.ttlSecondsAfterFinished: Invalid value: -1"},
        {JOB(", suspend: true, ttlSecondsAfterFinished: 5, activeDeadlineSeconds: 9", ", restartPolicy: Never"), NULL},
        {JOB(", completionMode: Chaos", ", restartPolicy: Never"), "spec.completionMode: Unsupported value: \"Chaos\""},
        {JOB(", selector: {matchLabels: {a: b}}", ", restartPolicy: Never"),
         "`selector` does not match template `labels`"},
        {"{apiVersion: batch/v1, kind: Job, metadata: {name: w, namespace: d}, spec: {template: {metadata: {labels: "
         "{batch.kubernetes.io/controller-uid: x}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}",
         "spec.template.metadata.labels[batch.kubernetes.io/controller-uid]: Invalid value: \"x\": must be 'u-1'"},
        {"{apiVersion: batch/v1, kind: Job, metadata: {name: w, namespace: d}, spec: {}}",
         "spec.template: Required value"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_service(void)
{
    static const Row rows[] = {
        {SERVICE("ports: [{port: 80}]"), NULL},
        {SERVICE(""), "spec.ports: Required value"},
        {SERVICE("clusterIP: None"), NULL},
        {SERVICE("clusterIP: 10.96.0.1, ports: [{port: 80}]"), NULL},
        {SERVICE("clusterIP: ten, ports: [{port: 80}]"),
         "spec.clusterIP: Invalid value: \"ten\": must be a valid IPv4"},
        {SERVICE("clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2], ports: [{port: 80}]"),
         "first value must match `clusterIP`"},
        {SERVICE("ports: [{port: 0}]"), "spec.ports[0].port: Invalid value: 0"},
        {SERVICE("ports: [{port: 80, protocol: ICMP}]"), "spec.ports[0].protocol: Unsupported value: \"ICMP\""},
        {SERVICE("ports: [{port: 80, targetPort: 70000}]"), "spec.ports[0].targetPort: Invalid value: 70000"},
        {SERVICE("ports: [{port: 80, targetPort: http_x}]"), "spec.ports[0].targetPort: Invalid value: \"http_x\""},
        {SERVICE("ports: [{port: 80}, {port: 81}]"), "spec.ports[0].name: Required value"},
        {SERVICE("ports: [{port: 80, name: a}, {port: 81, name: a}]"), "spec.ports[1].name: Duplicate value: \"a\""},
        {SERVICE("ports: [{port: 80, name: a}, {port: 80, name: b}]"), "spec.ports[1]: Duplicate value: \"80/TCP\""},
        {SERVICE("ports: [{port: 80, name: a}, {port: 80, name: b, protocol: UDP}]"), NULL},
        {SERVICE("ports: [{port: 80}], selector: {a b: c}"), "spec.selector: Invalid value: \"a b\""},
        {"{apiVersion: v1, kind: Service, metadata: {name: 1web, namespace: d}, spec: {ports: [{port: 80}]}}",
         "metadata.name: Invalid value: \"1web\": a DNS-1035 label"},
        {"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: d}}", "spec: Required value"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void test_others(void)
{
    static const Row rows[] = {
        {"{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: d}, data: {a/b: c}}",
         "data[a/b]: Invalid value: \"a/b\""},
        {"{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: d}, data: {a: b}, binaryData: {a: AA==}}",
         "binaryData[a]: Invalid value: \"a\": duplicate of key present in data"},
        {"{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}, data: {..: AA==}}",
         "data[..]: Invalid value"},
        {"{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}, type: kubernetes.io/tls, stringData: {tls.crt: x}}",
         "data[tls.key]: Required value"},
        {"{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}, type: kubernetes.io/basic-auth}",
         "data[username]: Required value"},
        {"{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: d}, type: kubernetes.io/basic-auth, stringData: {password: x}}",
         NULL},
        {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{key: a, effect: NoSchedule}]}}", NULL},
        {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{effect: NoSchedule}]}}",
         "spec.taints[0].key: Required value"},
        {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{key: a, effect: Go}]}}",
         "spec.taints[0].effect: Unsupported"},
        {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {taints: [{key: a, effect: NoExecute}, {key: a, effect: NoExecute}]}}",
         "spec.taints[1]: Duplicate value: \"a:NoExecute\""},
        {"{apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: d}, subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]}",
         NULL},
        {"{apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: d}, subsets: [{}]}",
         "subsets[0]: Required value"},
        {"{apiVersion: v1, kind: Endpoints, metadata: {name: e, namespace: d}, subsets: [{addresses: [{ip: x}], ports: [{port: 0}]}]}",
         "[subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), "
         "subsets[0].ports[0].port: Invalid value: 0"},
        {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, addressType: IPv4, "
         "endpoints: [{addresses: [10.0.0.1]}]}",
         NULL},
        {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, endpoints: []}",
         "addressType: Required value"},
        {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, addressType: IPX, endpoints: []}",
         "addressType: Unsupported value: \"IPX\""},
        {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, addressType: IPv4, "
         "endpoints: [{addresses: []}, {addresses: ['::1']}]}",
         "[endpoints[0].addresses: Required value: must contain at least 1 address, endpoints[1].addresses[0]: Invalid value"},
        {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: d}, addressType: IPv4, endpoints: [], "
         "ports: [{port: 1}, {port: 2}]}",
         "ports[1].name: Duplicate value: \"\""},
        {"{apiVersion: v1, kind: Event, metadata: {name: e, namespace: d}, involvedObject: {namespace: d}}", NULL},
        {"{apiVersion: v1, kind: Event, metadata: {name: e, namespace: default}, involvedObject: {kind: Node, name: n1}}",
         NULL},
        {"{apiVersion: v1, kind: Event, metadata: {name: e, namespace: d}, involvedObject: {namespace: x}}",
         "involvedObject.namespace: Invalid value: \"x\": does not match event.namespace"},
        {"{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l, namespace: d}, spec: {holderIdentity: a, "
         "leaseDurationSeconds: 15}}",
         NULL},
        {"{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l, namespace: d}, spec: {leaseDurationSeconds: 0}}",
         "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
    };
    run(rows, G_N_ELEMENTS(rows));
}

static void set_data(Core__V1__ConfigMap *map, gsize size)
{
    Core__V1__ConfigMap__DataEntry *entry = API_NEW(Core__V1__ConfigMap__DataEntry, core__v1__config_map__data_entry);
    entry->key = g_strdup("a");
    entry->value = g_strnfill(size, 'x');
    api_append(map->data, map->n_data, entry);
}

static void test_sizes(void)
{
    for (gsize size = 1024 * 1024; size <= 1024 * 1024 + 1; size++) {
        API_AUTO(Core__V1__ConfigMap) map = API_NEW(Core__V1__ConfigMap, core__v1__config_map);
        api_set_string(&API_META(map)->name, "m");
        api_set_string(&API_META(map)->namespace_, "d");
        set_data(map, size);
        assert_validation(API_CONFIG_MAP, &map->base, NULL,
                          size > 1024 * 1024 ? "data: Invalid value: 1048577: Too long" : NULL, "a large map");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/invalid/pod", test_pod);
    g_test_add_func("/invalid/tolerations", test_tolerations);
    g_test_add_func("/invalid/container", test_container);
    g_test_add_func("/invalid/environment", test_environment);
    g_test_add_func("/invalid/volumes", test_volumes);
    g_test_add_func("/invalid/workloads", test_workloads);
    g_test_add_func("/invalid/job", test_job);
    g_test_add_func("/invalid/service", test_service);
    g_test_add_func("/invalid/others", test_others);
    g_test_add_func("/invalid/sizes", test_sizes);
    return g_test_run();
}
