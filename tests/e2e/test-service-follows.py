"""Deleting a pod brings a new one, the service follows, and nobody else is disturbed."""
import harness
from harness import check


def test(api):
    before = harness.demo_ready(api)
    address = api.get(api.services, 'demo').spec.clusterIP
    victim, *others = before
    kept = harness.containers(others)
    api.delete(api.pods, victim.metadata.name)
    harness.wait_until('the deleted pod is gone', lambda: victim.metadata.name not in
                       [pod.metadata.name for pod in api.list(api.pods, labelSelector='app=demo').items])
    after = harness.demo_ready(api)
    names = {pod.metadata.name for pod in after}
    check(victim.metadata.uid not in {pod.metadata.uid for pod in after}, 'the deleted pod is still there')
    for name in harness.NODES:
        namespace = harness.node_netns(name)
        harness.wait_until('the service on %s leads to the new pods' % name,
                           lambda: set(harness.answering(namespace, address)) == names, timeout=10)
    now = harness.containers(after)
    check(all(now.get(key) == value for key, value in kept.items()), 'other containers changed:', kept, now)

    harness.ctl('scale', 'deployment', 'demo', '--replicas=5')
    grown = {pod.metadata.name for pod in harness.demo_ready(api, 5)}
    harness.wait_until('the service leads to five pods', lambda: set(harness.answering(
        harness.node_netns('node2'), address, times=100)) == grown, timeout=10)
    harness.ctl('scale', 'deployment', 'demo', '--replicas=3')
    shrunk = {pod.metadata.name for pod in harness.demo_ready(api, 3)}
    harness.wait_until('the service leads to three pods', lambda: set(harness.answering(
        harness.node_netns('node2'), address, times=100)) == shrunk, timeout=10)


harness.main(test)
