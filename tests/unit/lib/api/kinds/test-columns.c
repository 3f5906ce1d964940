/* What "ctl get -o wide" shows of each kind: all columns of one object in one line. */
#include "lib/base/time.h"
#include "tests/unit/lib/api/kinds/fixture.h"

#define NOW "2026-01-01T01:00:00Z"
#define WEB(metadata, status)                                                                                          \
    "{apiVersion: v1, kind: Pod, metadata: {name: web" metadata                                                        \
    "}, spec: {nodeName: n1, containers: [{name: a}, {name: b}], "                                                     \
    "initContainers: [{name: i}, {name: k}]}, status: {" status "}}"
#define BOTH_DONE "initContainerStatuses: [{state: {terminated: {exitCode: 0}}}, {state: {terminated: {exitCode: 0}}}]"

static const struct {
    const char *yaml, *line;
} rows[] = {
    /* READY STATUS RESTARTS IP NODE NOMINATED */
    {WEB("", ""), "0/2||0|<none>|n1|<none>"},
    {WEB("", "phase: Pending"), "0/2|Pending|0|<none>|n1|<none>"},
    {WEB("",
         "phase: Pending, initContainerStatuses: [{state: {terminated: {exitCode: 0}}}, {restartCount: 1, state: {running: {}}}]"),
     "0/2|Init:1/2|1|<none>|n1|<none>"},
    {WEB("", "phase: Pending, initContainerStatuses: [{state: {waiting: {reason: PodInitializing}}}]"),
     "0/2|Init:0/2|0|<none>|n1|<none>"},
    {WEB("",
         "phase: Pending, initContainerStatuses: [{restartCount: 3, state: {waiting: {reason: CrashLoopBackOff}}}]"),
     "0/2|Init:CrashLoopBackOff|3|<none>|n1|<none>"},
    {WEB("", "phase: Pending, initContainerStatuses: [{state: {terminated: {exitCode: 1, reason: Error}}}]"),
     "0/2|Init:Error|0|<none>|n1|<none>"},
    {WEB("", "phase: Pending, initContainerStatuses: [{state: {terminated: {exitCode: 2}}}]"),
     "0/2|Init:ExitCode:2|0|<none>|n1|<none>"},
    {WEB("", "phase: Pending, initContainerStatuses: [{state: {terminated: {exitCode: 137, signal: 9}}}]"),
     "0/2|Init:Signal:9|0|<none>|n1|<none>"},
    {WEB("", "phase: Pending, " BOTH_DONE ", containerStatuses: [{state: {waiting: {reason: ContainerCreating}}}, {}]"),
     "0/2|ContainerCreating|0|<none>|n1|<none>"},
    {WEB("", "phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], " BOTH_DONE
             ", containerStatuses: [{ready: true, state: {running: {}}}, {ready: true, state: {running: {}}}]"),
     "2/2|Running|0|10.0.0.1|n1|<none>"},
    {WEB("", "phase: Running, " BOTH_DONE
             ", containerStatuses: [{ready: true, state: {running: {}}}, {state: {waiting: {reason: "
             "ImagePullBackOff}}}]"),
     "1/2|ImagePullBackOff|0|<none>|n1|<none>"},
    {WEB("", "phase: Pending, " BOTH_DONE ", containerStatuses: [{state: {waiting: {reason: ErrImagePull}}}, {}]"),
     "0/2|ErrImagePull|0|<none>|n1|<none>"},
    {WEB("",
         "phase: Running, " BOTH_DONE
         ", containerStatuses: [{restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}, "
         "lastState: {terminated: {finishedAt: '2026-01-01T00:58:00Z'}}}, {ready: true, restartCount: 1, state: {running: {}}}]"),
     "1/2|CrashLoopBackOff|5 (2m ago)|<none>|n1|<none>"},
    {WEB("", "phase: Succeeded, " BOTH_DONE
             ", containerStatuses: [{state: {terminated: {reason: Completed}}}, {state: {terminated: "
             "{reason: Completed}}}]"),
     "0/2|Completed|0|<none>|n1|<none>"},
    {WEB("", "phase: Failed, " BOTH_DONE
             ", containerStatuses: [{state: {terminated: {exitCode: 3}}}, {state: {terminated: {exitCode: 137, "
             "signal: 9}}}]"),
     "0/2|ExitCode:3|0|<none>|n1|<none>"},
    {WEB("", "phase: Failed, " BOTH_DONE
             ", containerStatuses: [{state: {terminated: {exitCode: 137, reason: OOMKilled}}}]"),
     "0/2|OOMKilled|0|<none>|n1|<none>"},
    {WEB("", "phase: Running, conditions: [{type: Ready, status: 'True'}], " BOTH_DONE
             ", containerStatuses: [{state: {terminated: {reason: Completed}}}, {ready: true, state: {running: {}}}]"),
     "1/2|Running|0|<none>|n1|<none>"},
    {WEB("", "phase: Running, " BOTH_DONE
             ", containerStatuses: [{state: {terminated: {reason: Completed}}}, {ready: true, state: "
             "{running: {}}}]"),
     "1/2|NotReady|0|<none>|n1|<none>"},
    {WEB("", "phase: Failed, reason: Evicted, " BOTH_DONE), "0/2|Evicted|0|<none>|n1|<none>"},
    {WEB(", deletionTimestamp: '" NOW "'",
         "phase: Running, " BOTH_DONE ", containerStatuses: [{ready: true, state: {running: {}}}]"),
     "1/2|Terminating|0|<none>|n1|<none>"},
    {WEB(", deletionTimestamp: '" NOW "'", "phase: Running, reason: NodeLost, " BOTH_DONE),
     "0/2|Unknown|0|<none>|n1|<none>"},
    {WEB(", deletionTimestamp: '" NOW "'",
         "phase: Succeeded, " BOTH_DONE ", containerStatuses: [{state: {terminated: {reason: "
         "Completed}}}]"),
     "0/2|Completed|0|<none>|n1|<none>"},
    /* READY UP-TO-DATE AVAILABLE CONTAINERS IMAGES SELECTOR */
    {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: w}, spec: {replicas: 3, selector: {matchLabels: {b: c, a: b}}, template: "
     "{spec: {containers: [{name: a, image: x}, {name: b, image: z}]}}}, status: {readyReplicas: 2, updatedReplicas: 1, "
     "availableReplicas: 2}}",
     "2/3|1|2|a,b|x,z|a=b,b=c"},
    {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w}, spec: {replicas: 3}, status: {replicas: 2, readyReplicas: 1}}",
     "3|2|1|<none>|<none>|<none>"},
    /* STATUS COMPLETIONS DURATION CONTAINERS IMAGES SELECTOR */
    {"{apiVersion: batch/v1, kind: Job, metadata: {name: w}, spec: {completions: 3}, status: {succeeded: 1, startTime: "
     "'2026-01-01T00:59:00Z'}}",
     "Running|1/3|60s|<none>|<none>|<none>"},
    {"{apiVersion: batch/v1, kind: Job, metadata: {name: w}, spec: {completions: 1}, status: {succeeded: 1, startTime: "
     "'2026-01-01T00:00:00Z', completionTime: '2026-01-01T00:00:07Z', conditions: [{type: Complete, status: 'True'}]}}",
     "Complete|1/1|7s|<none>|<none>|<none>"},
    {"{apiVersion: batch/v1, kind: Job, metadata: {name: w}, spec: {parallelism: 3}, status: {conditions: [{type: Complete, status: "
     "'False'}, {type: Failed, status: 'True'}]}}",
     "Failed|0/1 of 3||<none>|<none>|<none>"},
    {"{apiVersion: batch/v1, kind: Job, metadata: {name: w}, status: {conditions: [{type: Suspended, status: 'True'}]}}",
     "Suspended|0/1||<none>|<none>|<none>"},
    /* TYPE CLUSTER-IP EXTERNAL-IP PORT(S) SELECTOR */
    {"{apiVersion: v1, kind: Service, metadata: {name: w}, spec: {type: ClusterIP, clusterIP: 10.0.0.1, selector: {a: b}, ports: [{port: 80, "
     "protocol: TCP}, {port: 53, protocol: UDP, nodePort: 30053}]}}",
     "ClusterIP|10.0.0.1|<none>|80/TCP,53:30053/UDP|a=b"},
    {"{apiVersion: v1, kind: Service, metadata: {name: w}, spec: {type: ClusterIP, clusterIP: None}}",
     "ClusterIP|None|<none>|<none>|<none>"},
    /* STATUS ROLES VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME */
    {"{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {node-role.kubernetes.io/worker: '', a: b}}, status: {conditions: [{type: "
     "Ready, status: 'True'}], nodeInfo: {kubeletVersion: v1, osImage: Debian, kernelVersion: '6.1', containerRuntimeVersion: "
     "containerd://1}, addresses: [{type: InternalIP, address: 10.0.0.2}]}}",
     "Ready|worker|v1|10.0.0.2|<none>|Debian|6.1|containerd://1"},
    {"{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {unschedulable: true}, status: {conditions: [{type: Ready, status: "
     "Unknown}]}}",
     "NotReady,SchedulingDisabled|<none>||<none>|<none>|<unknown>|<unknown>|<unknown>"},
    {"{apiVersion: v1, kind: Node, metadata: {name: n1}}",
     "Unknown|<none>||<none>|<none>|<unknown>|<unknown>|<unknown>"},
    {"{apiVersion: v1, kind: Namespace, metadata: {name: w}, status: {phase: Active}}", "Active"},
    {"{apiVersion: v1, kind: ConfigMap, metadata: {name: w}, data: {a: b, c: d}, binaryData: {e: AA==}}", "3"},
    {"{apiVersion: v1, kind: Secret, metadata: {name: w}, type: Opaque, data: {e: AA==}}", "Opaque|1"},
    {"{apiVersion: v1, kind: ServiceAccount, metadata: {name: w}, secrets: [{name: a}]}", "1"},
    {"{apiVersion: v1, kind: Endpoints, metadata: {name: w}, subsets: [{addresses: [{ip: 1.1.1.1}, {ip: 1.1.1.2}], ports: [{port: 80}, {port: "
     "81}]}]}",
     "1.1.1.1:80,1.1.1.1:81,1.1.1.2:80 + 1 more..."},
    {"{apiVersion: v1, kind: Endpoints, metadata: {name: w}, subsets: [{addresses: [{ip: 1.1.1.1}]}]}", "1.1.1.1"},
    {"{apiVersion: v1, kind: Endpoints, metadata: {name: w}}", "<none>"},
    {"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: w}, addressType: IPv4, ports: [{port: 80}, {name: a}], "
     "endpoints: [{addresses: [1.1.1.1]}, {addresses: [1.1.1.2, 1.1.1.3]}, {addresses: [1.1.1.4]}]}",
     "IPv4|80,*|1.1.1.1,1.1.1.2,1.1.1.3 + 1 more..."},
    /* LAST SEEN TYPE REASON OBJECT SOURCE MESSAGE COUNT */
    {"{apiVersion: v1, kind: Event, metadata: {name: w}, involvedObject: {kind: Pod, name: web}, reason: Started, type: Normal, message: "
     "'hello\n', firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:59:30Z', count: 7, source: {component: agent, "
     "host: n1}}",
     "30s|Normal|Started|pod/web|agent, n1|hello|7"},
    {"{apiVersion: v1, kind: Event, metadata: {name: w}, involvedObject: {kind: Pod}, eventTime: '2026-01-01T00:59:00.000000Z', "
     "reportingComponent: scheduler, series: {count: 3, lastObservedTime: '2026-01-01T00:59:59.000000Z'}}",
     "1s|||pod|scheduler||3"},
    {"{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: w}, spec: {holderIdentity: n1}}", "n1"},
};

static void test_rows(void)
{
    gint64 now_ns;
    g_assert_true(time_parse(NOW, &now_ns));
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const ApiResource *resource;
        ProtobufCMessage *object = object_of(rows[i].yaml, &resource);
        g_autoptr(GString) line = g_string_new(NULL);
        for (const ApiColumn *column = resource->columns; column->title; column++) {
            g_autofree char *text = column->print(object, now_ns);
            g_string_append_printf(line, "%s%s", column > resource->columns ? "|" : "", text);
        }
        if (!g_str_equal(line->str, rows[i].line))
            g_error("%s\nexpected: %s\ngot: %s", rows[i].yaml, rows[i].line, line->str);
        api_message_free(object);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/columns/rows", test_rows);
    return g_test_run();
}
