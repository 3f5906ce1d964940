"""usage: test-kill.py COMPONENT: kill -9 of a component while the demo runs interrupts no running container, no
established connection and no service, and afterwards the cluster does its work again."""
import sys
import time

import harness
from harness import check

COMPONENT = sys.argv[1]
PROBE = '''
apiVersion: apps/v1
kind: Deployment
metadata: {name: probe}
spec:
  replicas: 2
  selector: {matchLabels: {app: probe}}
  template:
    metadata: {labels: {app: probe}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: server, image: "cleat/demo:1", ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: probe}
spec:
  selector: {app: probe}
  ports: [{port: 80, targetPort: 8080}]
'''


def watch_demo(connections, address, seconds):
    """The demo answers without a break, on connections that exist and on new ones."""
    end = time.monotonic() + seconds
    last = [connection.ask() for connection in connections]
    while time.monotonic() < end:
        for i, connection in enumerate(connections):
            host, _, count = connection.ask()
            check(host == last[i][0] and count > last[i][2], 'a connection to', last[i], 'is now answered by', host, count)
            last[i] = (host, _, count)
        for node in harness.NODES:
            harness.ask(harness.node_netns(node), address)
        time.sleep(0.05)


def works_again(api):
    """A new deployment and its service come up and go away: that takes every component."""
    harness.wait_until('the server takes the probe', lambda: harness.apply(PROBE), 60)

    def available():
        return api.get(api.deployments, 'probe').status.availableReplicas == 2
    harness.wait_until('the probe deployment is available', available, 90)
    address = api.get(api.services, 'probe').spec.clusterIP
    for node in harness.NODES:
        harness.wait_until('the probe service answers on ' + node,
                           lambda: len(harness.answering(harness.node_netns(node), address, times=20)) == 2, 20)
    api.delete(api.services, 'probe')
    api.delete(api.deployments, 'probe')
    harness.wait_until('the probe is gone', lambda: not api.list(api.pods, labelSelector='app=probe').items, 60)


def test(api):
    pods = harness.demo_ready(api)
    before = harness.containers(pods)
    address = api.get(api.services, 'demo').spec.clusterIP
    places = [harness.node_netns(node) for node in harness.NODES] + [harness.pod_netns(pod) for pod in pods]
    connections = [harness.Connection(place, address) for place in places]

    old = harness.cluster('pid', COMPONENT).strip()
    harness.cluster('kill', COMPONENT)
    watch_demo(connections, address, 3)
    new = harness.wait_until(COMPONENT + ' runs again', lambda: harness.cluster('pid', COMPONENT).strip(), 20)
    check(new != old, COMPONENT, 'was not killed')
    works_again(api)
    watch_demo(connections, address, 1)
    after = harness.containers(harness.demo_ready(api))
    check(after == before, 'containers changed from', before, 'to', after)


harness.main(test)
