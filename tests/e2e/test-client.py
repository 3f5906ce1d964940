"""A Python client made from the .proto files lists, watches, creates and deletes pods, sees errors as gRPC statuses, and
is refused without the right certificate."""
import threading

import grpc

import harness
from harness import check


def new_pod(name):
    from cleat.core.v1 import core_pb2
    pod = core_pb2.Pod()
    pod.metadata.name = name
    pod.spec.restartPolicy = 'Never'
    pod.spec.terminationGracePeriodSeconds = 1
    container = pod.spec.containers.add(name='main', image='busybox:1')
    container.command.extend(['sh', '-c', 'echo from python; exec sleep 1000'])
    return pod


def create(api, pod):
    from cleat.v1 import core_pb2
    return api.pods.Create(core_pb2.CreatePodRequest(namespace='default', object=pod), timeout=20)


def watch(api, resource_version, events, seen):
    """Collects the events of pod "python" in a thread; seen is set at its DELETED event."""
    from cleat.v1 import requests_pb2
    request = requests_pb2.ListRequest(namespace='default')
    request.options.fieldSelector = 'metadata.name=python'
    request.options.resourceVersion = resource_version
    stream = api.pods.Watch(request)

    def follow():
        try:
            for event in stream:
                events.append((event.type, event.object.status.phase, event.object.metadata.resourceVersion))
                if event.type == 'DELETED':
                    seen.set()
        except grpc.RpcError:
            pass  # cancelled below
    thread = threading.Thread(target=follow)
    thread.start()
    return stream, thread


def refused(code, call, *words):
    try:
        call()
    except grpc.RpcError as error:
        check(error.code() == code, 'expected', code, 'got', error.code(), error.details())
        check(all(word in error.details() for word in words), 'the error does not say', words, ':', error.details())
        return
    raise harness.Failure('the call was not refused with %s' % code)


def certificates():
    """A client without a certificate, and one with a certificate of a foreign authority, are refused."""
    from cleat.v1 import core_pb2_grpc, requests_pb2
    harness.run(harness.SOURCE + '/hack/certs', 'ca', harness.STUBS, 'foreign-ca', 'foreign')
    harness.run(harness.SOURCE + '/hack/certs', 'issue', harness.STUBS, 'foreign-ca', 'foreign',
                '/O=system:masters/CN=admin', 'client')

    def read(path):
        with open(path, 'rb') as file:
            return file.read()
    ca = read(harness.STATE + '/pki/ca.crt')
    foreign = (read(harness.STUBS + '/foreign.key'), read(harness.STUBS + '/foreign.crt'))
    for pair, code in (((None, None), grpc.StatusCode.UNAUTHENTICATED), (foreign, grpc.StatusCode.UNAVAILABLE)):
        channel = grpc.secure_channel('unix:' + harness.RUN + '/server-1.sock', grpc.ssl_channel_credentials(ca, *pair),
                                      options=[('grpc.ssl_target_name_override', 'localhost')])
        stub = core_pb2_grpc.PodsStub(channel)
        refused(code, lambda: stub.List(requests_pb2.ListRequest(), timeout=5))
        channel.close()


def test(api):
    listed = api.list(api.pods)
    check({pod.metadata.name for pod in harness.demo_ready(api)} <= {pod.metadata.name for pod in listed.items},
          'the list lacks pods of the demo')
    events, seen = [], threading.Event()
    stream, thread = watch(api, listed.metadata.resourceVersion, events, seen)
    made = create(api, new_pod('python'))
    check(made.metadata.uid and made.metadata.resourceVersion and made.metadata.namespace == 'default', made)
    refused(grpc.StatusCode.ALREADY_EXISTS, lambda: create(api, new_pod('python')), 'pods', 'python')
    refused(grpc.StatusCode.NOT_FOUND, lambda: api.get(api.pods, 'nobody'), 'pods', 'nobody')
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: create(api, new_pod('Not_A_Name')), 'metadata.name')
    stale = create(api, new_pod('stale'))
    stale.metadata.labels['a'] = 'b'
    from cleat.v1 import core_pb2
    stale.metadata.resourceVersion = listed.metadata.resourceVersion
    refused(grpc.StatusCode.ABORTED, lambda: api.pods.Update(
        core_pb2.UpdatePodRequest(namespace='default', object=stale), timeout=20), 'stale')
    api.delete(api.pods, 'stale', grace=0)

    harness.wait_until('the pod runs', lambda: api.get(api.pods, 'python').status.phase == 'Running')
    log = harness.wait_until('the log has its line', lambda: b''.join(chunk.data for chunk in api.pods.Logs(
        core_pb2.PodLogsRequest(namespace='default', name='python'), timeout=20)))
    check(log == b'from python\n', log)
    api.delete(api.pods, 'python')
    check(seen.wait(30), 'no DELETED event:', events)
    stream.cancel()
    thread.join()
    harness.say(events)
    kinds = [kind for kind, _, _ in events]
    check(kinds[0] == 'ADDED' and kinds[-1] == 'DELETED' and set(kinds[1:-1]) == {'MODIFIED'}, events)
    check('Running' in [phase for _, phase, _ in events], events)
    versions = [int(version) for _, _, version in events]
    check(versions == sorted(set(versions)), 'versions do not grow:', versions)
    certificates()


harness.main(test)
