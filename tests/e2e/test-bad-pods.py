"""Pods that cannot run say why in their status, and harm nobody else: an image that is not there, a program that is not
there, a container that crashes at once, a ConfigMap that is missing; and manifests that are wrong are refused by field."""
import harness
from harness import check

POD = '''apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  restartPolicy: %s
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, %s}
'''
PODS = {
    'no-image': ('Always', 'image: "cleat.local/not-there:1"'),
    'no-program': ('Always', 'image: "busybox:1", command: ["/not/there"]'),
    'crashes': ('Always', 'image: "busybox:1", command: [sh, -c, "exit 3"]'),
    'fails': ('Never', 'image: "busybox:1", command: [sh, -c, "exit 4"]'),
    'no-config': ('Always', 'image: "busybox:1", envFrom: [{configMapRef: {name: not-there}}]'),
}
# manifest, what the error must say
WRONG = [
    (POD % ('wrong', 'Always', 'image: "busybox:1", imagee: x'), ['imagee', 'image', ':8:']),
    (POD % ('wrong', 'Always', 'image: "busybox:1", image: "busybox:2"'), ['image', ':8:']),
    (POD % ('wrong', 'Always', 'image: [1]'), ['spec.containers[0].image']),
    (POD % ('wrong', 'Always', 'image: "busybox:1", resources: {limits: {memory: 3Zx}}'), ['3Zx', 'memory']),
    (POD % ('Wrong_Name', 'Always', 'image: "busybox:1"'), ['Wrong_Name', 'metadata.name']),
    (POD % ('wrong', 'Sometimes', 'image: "busybox:1"'), ['Sometimes', 'spec.restartPolicy']),
]


def waits_for(api, name, reasons, words, exit_code=None):
    """The container of pod name waits for one of reasons, with words in its message; it ended with exit_code before."""
    def probe():
        pod = api.get(api.pods, name)
        status = pod.status.containerStatuses[0]
        seen = (status.state.waiting.reason, status.state.waiting.message)
        if exit_code is not None and status.lastState.terminated.exitCode != exit_code:
            return False
        return seen[0] in reasons and all(word in seen[1] for word in words) and seen
    seen = harness.wait_until('%s waits for one of %s' % (name, reasons), probe, 40)
    harness.say(name, *seen)


def test(api):
    before = harness.containers(harness.demo_ready(api))
    for manifest, words in WRONG:
        done = harness.run('sh', '-c', 'printf %%s "$1" | %s/bin/ctl --config %s/admin.config apply -f -' %
                           (harness.BUILD, harness.STATE), 'sh', manifest, ok=False)
        check(done.returncode != 0, 'this was accepted:', manifest)
        check(all(word in done.stderr for word in words), 'the error does not say', words, ':', done.stderr)

    for name, (policy, container) in PODS.items():
        harness.apply(POD % (name, policy, container))
    waits_for(api, 'no-image', ['ErrImagePull', 'ImagePullBackOff'], ['cleat.local/not-there:1'])
    waits_for(api, 'no-program', ['RunContainerError', 'CrashLoopBackOff'], [])
    waits_for(api, 'crashes', ['CrashLoopBackOff'], ['main'], exit_code=3)
    waits_for(api, 'no-config', ['CreateContainerConfigError'], ['not-there'])
    failed = harness.wait_until('the pod "fails" has failed', lambda: (
        lambda pod: pod.status.phase == 'Failed' and pod)(api.get(api.pods, 'fails')))
    check(failed.status.containerStatuses[0].state.terminated.exitCode == 4, failed.status)
    crashed = api.get(api.pods, 'crashes')
    check(crashed.status.containerStatuses[0].restartCount >= 1, crashed.status)

    for name in PODS:
        api.delete(api.pods, name)
    harness.wait_until('the bad pods are gone', lambda: not {pod.metadata.name for pod in api.list(api.pods).items}
                       & set(PODS), 60)
    after = harness.containers(harness.demo_ready(api))
    check(before == after, 'containers of the demo changed from', before, 'to', after)


harness.main(test)
