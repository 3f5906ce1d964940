"""A rolling update replaces every pod and never has fewer than replicas - maxUnavailable available pods, nor more than
replicas + maxSurge pods that are not on their way out."""
import threading

import harness
from harness import check


class PodWatch:
    """Follows the demo's pods and keeps the extremes."""

    def __init__(self, api):
        from cleat.v1 import requests_pb2
        listed = api.list(api.pods, labelSelector='app=demo')
        self.pods = {pod.metadata.name: pod for pod in listed.items}
        self.fewest_ready = self.most = len(self.pods)
        request = requests_pb2.ListRequest(namespace='default')
        request.options.labelSelector = 'app=demo'
        request.options.resourceVersion = listed.metadata.resourceVersion
        self.error = None
        self.stream = api.pods.Watch(request)
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()

    def follow(self):
        try:
            for event in self.stream:
                if event.type == 'DELETED':
                    self.pods.pop(event.object.metadata.name, None)
                elif event.type in ('ADDED', 'MODIFIED'):
                    self.pods[event.object.metadata.name] = event.object
                staying = [pod for pod in self.pods.values() if not pod.metadata.HasField('deletionTimestamp')]
                self.most = max(self.most, len(staying))
                self.fewest_ready = min(self.fewest_ready, sum(harness.ready(pod) for pod in staying))
        except Exception as error:
            if not self.stopping:
                self.error = error

    stopping = False

    def stop(self):
        self.stopping = True
        self.stream.cancel()
        self.thread.join()
        check(self.error is None, 'the watch broke:', self.error)


def manifest(image):
    with open(harness.SOURCE + '/docs/examples/demo.yaml') as file:
        text = file.read()
    check('cleat/demo:1' in text, 'docs/examples/demo.yaml does not use cleat/demo:1')
    return text.replace('cleat/demo:1', image)


def updated(api, image):
    def probe():
        status = api.get(api.deployments, 'demo').status
        pods = api.list(api.pods, labelSelector='app=demo').items
        return (status.updatedReplicas == status.availableReplicas == status.replicas == 3 and len(pods) == 3
                and all(pod.spec.containers[0].image == image and harness.ready(pod) for pod in pods))
    harness.wait_until('all pods run ' + image, probe, 90)


def test(api):
    old = {pod.metadata.uid for pod in harness.demo_ready(api)}
    watch = PodWatch(api)
    try:
        harness.apply(manifest('cleat/demo:2'))
        updated(api, 'cleat/demo:2')
        check(not old & {pod.metadata.uid for pod in api.demo_pods()}, 'an old pod is still there')
        harness.apply(manifest('cleat/demo:1'))  # and back
        updated(api, 'cleat/demo:1')
    finally:
        watch.stop()
    harness.say('fewest available:', watch.fewest_ready, 'most pods:', watch.most)
    check(watch.fewest_ready >= 2, 'only', watch.fewest_ready, 'pods were available at some moment')
    check(watch.most <= 4, watch.most, 'pods at some moment')


harness.main(test)
