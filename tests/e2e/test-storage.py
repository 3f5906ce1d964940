"""What is stored in etcd is the Kubernetes storage envelope: "k8s", a zero byte, a runtime.Unknown with the kind, and in
it the object, without a resourceVersion."""
import base64
import json

import harness
from harness import check


def stored(prefix):
    """{key: (value, mod_revision)}"""
    answer = json.loads(harness.cluster('etcdctl', '--', 'get', '--prefix', prefix, '-w', 'json'))
    return {base64.b64decode(kv['key']).decode(): (base64.b64decode(kv['value']), kv['mod_revision'])
            for kv in answer.get('kvs', [])}


def unwrap(key, value):
    from cleat.runtime import runtime_pb2
    check(value.startswith(b'k8s\0'), key, 'begins with', value[:8])
    return runtime_pb2.Unknown.FromString(value[4:])


def test(api):
    from cleat.core.v1 import core_pb2
    everything = {key: value for key, value in stored('/registry/').items()
                  if not key.startswith('/registry/cleat/')}  # the server's own notes, which are no objects
    kinds = {unwrap(key, value).typeMeta.kind for key, (value, _) in everything.items()}
    harness.say(len(everything), 'objects of the kinds', sorted(kinds))
    check({'Pod', 'Node', 'Service', 'Namespace', 'ConfigMap', 'Deployment', 'ReplicaSet', 'Job', 'EndpointSlice',
           'Lease', 'ServiceAccount'} <= kinds, 'stored kinds are', kinds)
    check('/registry/deployments.apps/default/demo' in everything or '/registry/deployments/default/demo' in everything,
          sorted(everything))
    for pod in harness.demo_ready(api):
        key = '/registry/pods/default/' + pod.metadata.name
        value, revision = everything[key]
        envelope = unwrap(key, value)
        check((envelope.typeMeta.apiVersion, envelope.typeMeta.kind) == ('v1', 'Pod'), key, envelope.typeMeta)
        raw = core_pb2.Pod.FromString(envelope.raw)
        check(raw.metadata.name == pod.metadata.name and raw.metadata.uid == pod.metadata.uid, key, raw.metadata)
        check(not raw.metadata.resourceVersion, key, 'has a resourceVersion stored')
        if str(revision) == pod.metadata.resourceVersion:
            raw.metadata.resourceVersion = pod.metadata.resourceVersion
            check(raw == pod, key, 'differs from what the server serves')


harness.main(test)
