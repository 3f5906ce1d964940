"""A second `hack/cluster up` changes nothing that runs, and brings back what does not."""
import harness
from harness import check

COMPONENTS = ['etcd-1', 'server-1', 'scheduler', 'controllers'] + [
    node + '/' + kind for node in harness.NODES for kind in ('containerd', 'netproxy', 'agent')]


def pids():
    return {component: harness.cluster('pid', component).strip() for component in COMPONENTS}


def test(api):
    before = pids()
    containers = harness.containers(harness.demo_ready(api))
    output = harness.cluster('up', timeout=120)
    check('hello-from-a-configmap' in output and 'What to type next' in output, output)
    check(pids() == before, 'a component was restarted:', before, pids())
    harness.cluster('stop', 'node2/agent')
    harness.cluster('stop', 'scheduler')
    check(harness.cluster('pid', 'scheduler', ok=False).returncode != 0, 'the scheduler was not stopped')
    harness.cluster('up', timeout=120)
    after = pids()
    changed = {component for component in COMPONENTS if before[component] != after[component]}
    check(changed == {'node2/agent', 'scheduler'}, 'restarted were', changed)
    check(harness.containers(harness.demo_ready(api)) == containers, 'containers changed')


harness.main(test)
