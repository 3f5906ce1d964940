"""A cluster with two servers and three etcd members goes on without one of each. It is a cluster of its own
(CLEAT_E2E_CLUSTER), and its removal is looked at too."""
import sys

import harness
from harness import check


def runs(name):
    """Creates a pod and waits until it runs: that takes server, etcd, scheduler and agent."""
    manifest = ('{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {terminationGracePeriodSeconds: 1, containers: '
                '[{name: main, image: "cleat/demo:1"}]}}' % name)
    harness.wait_until('pod %s is accepted' % name, lambda: harness.apply(manifest), 30)
    harness.wait_until('pod %s runs' % name, lambda: ' Running ' in harness.ctl('get', 'pod', name), 60)
    harness.say('pod', name, 'runs')


def test():
    harness.cluster('down')
    harness.cluster('up', '--nodes', '1', '--servers', '2', '--etcd', '3', '--no-demo', timeout=180)
    runs('first')
    for component in ('server-1', 'server-2', 'etcd-2'):
        harness.cluster('stop', component)
        runs('without-' + component)
        harness.cluster('start', component)
    names = harness.ctl('get', 'pods', '-o', 'name').split()
    check(len(names) == 4, 'pods are', names)


try:
    test()
    harness.cluster('down', timeout=120)
    found = harness.leftovers()
    check(not found, 'left behind by hack/cluster down:', *found)
except harness.Failure as failure:
    harness.say('FAILED:', failure)
    harness.say(harness.cluster('status', ok=False).stdout)
    harness.say(harness.ctl('get', 'pods', '-A', '-o', 'wide', ok=False).stdout)
    harness.cluster('down', timeout=120, ok=False)
    sys.exit(1)
harness.say('passed')
