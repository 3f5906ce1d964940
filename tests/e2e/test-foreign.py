"""Containers that are not ours run on untouched, also through restarts of the agent: one in a containerd namespace of its
own, and one made through CRI, in the namespace that the agent uses, without the agent's labels."""
import grpc

import harness
from harness import check

NODE = 'node1'
CGROUP = '/cleat-%s/foreign' % harness.NAME
SLEEP = ['sh', '-c', 'exec sleep 1000']


def ctr(*words, ok=True):
    return harness.on_node(NODE, 'ctr', *words, ok=ok)


def tasks(namespace):
    """{container id: pid} of what runs."""
    lines = [line.split() for line in ctr('-n', namespace, 'tasks', 'ls').splitlines()[1:]]
    return {words[0]: words[1] for words in lines if words[2] == 'RUNNING'}


def run_by_ctr():
    ctr('-n', 'foreign', 'images', 'import', harness.STATE + '/images/busybox.tar')
    ctr('-n', 'foreign', 'run', '-d', '--cgroup', CGROUP, 'docker.io/library/busybox:1', 'stranger', *SLEEP)


def run_by_cri(runtime, cri):
    sandbox = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name='stranger', uid='stranger', namespace='default'), hostname='stranger',
        linux=cri.LinuxPodSandboxConfig(cgroup_parent=CGROUP))
    sandbox_id = runtime.RunPodSandbox(cri.RunPodSandboxRequest(config=sandbox), timeout=30).pod_sandbox_id
    config = cri.ContainerConfig(metadata=cri.ContainerMetadata(name='main'), command=SLEEP,
                                 image=cri.ImageSpec(image='docker.io/library/busybox:1'))
    container_id = runtime.CreateContainer(cri.CreateContainerRequest(
        pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox), timeout=30).container_id
    runtime.StartContainer(cri.StartContainerRequest(container_id=container_id), timeout=30)
    return sandbox_id, container_id


def strangers(sandbox_id, container_id):
    ours = tasks('k8s.io')
    return tasks('foreign').get('stranger'), ours.get(sandbox_id), ours.get(container_id)


def test(api):
    import runtime_pb2 as cri
    import runtime_pb2_grpc
    runtime = runtime_pb2_grpc.RuntimeServiceStub(
        grpc.insecure_channel('unix:%s/%s/containerd.sock' % (harness.RUN, NODE)))
    run_by_ctr()
    sandbox_id, container_id = run_by_cri(runtime, cri)
    try:
        before = strangers(sandbox_id, container_id)
        check(all(before), 'the foreign containers do not run:', before)
        old = harness.cluster('pid', NODE + '/agent').strip()
        harness.cluster('kill', NODE + '/agent')
        harness.wait_until('the agent runs again', lambda: harness.cluster('pid', NODE + '/agent').strip() != old)
        # A pod that comes and goes shows that the agent has looked at what runs and works on it.
        harness.apply('{apiVersion: v1, kind: Pod, metadata: {name: visitor}, spec: {nodeName: %s, restartPolicy: Never, '
                      'containers: [{name: main, image: "busybox:1", command: ["true"]}]}}' % NODE)
        harness.wait_until('the visitor ran', lambda: api.get(api.pods, 'visitor').status.phase == 'Succeeded')
        api.delete(api.pods, 'visitor')
        harness.wait_until('the visitor is gone', lambda: 'visitor' not in
                           [pod.metadata.name for pod in api.list(api.pods).items])
        after = strangers(sandbox_id, container_id)
        check(before == after, 'the foreign containers changed from', before, 'to', after)
        check('stranger' not in {pod.metadata.name for pod in api.list(api.pods).items}, 'the stranger became a pod')
    finally:
        runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id), timeout=30)
        ctr('-n', 'foreign', 'tasks', 'rm', '-f', 'stranger', ok=False)
        ctr('-n', 'foreign', 'containers', 'rm', 'stranger', ok=False)


harness.main(test)
