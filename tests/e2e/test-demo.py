"""The demo works: three running replicas over two nodes; the service answers by its cluster IP, over TCP and UDP, from a
node and from a pod of either node, balanced over all replicas; the job's output is in its log."""
import harness
from harness import check


def test(api):
    pods = harness.demo_ready(api)
    check({pod.spec.nodeName for pod in pods} == set(harness.NODES), 'the demo runs on',
          [pod.spec.nodeName for pod in pods], 'and not on both nodes')
    check(all(pod.status.phase == 'Running' for pod in pods), [pod.status.phase for pod in pods])
    names = {pod.metadata.name for pod in pods}
    address = api.get(api.services, 'demo').spec.clusterIP

    places = {node: harness.node_netns(node) for node in harness.NODES}
    places.update({'pod %s on %s' % (pod.metadata.name, pod.spec.nodeName): harness.pod_netns(pod) for pod in pods})
    for place, namespace in places.items():
        for protocol, question in (('TCP', harness.ask), ('UDP', harness.ask_udp)):
            hosts = harness.answering(namespace, address, question)
            harness.say(protocol, 'from', place, hosts)
            check(set(hosts) == names, protocol, 'from', place, 'was answered by', hosts, 'and not by all of', names)
            check(min(hosts.values()) >= 5, protocol, 'from', place, 'is not balanced:', hosts)
    greeting = harness.ask(places['node1'], address)[1]
    check(greeting == 'hello-from-a-configmap', 'the greeting is', greeting)

    output = harness.ctl('logs', 'job/demo-hello')
    check('hello-from-a-configmap, said the job on demo-hello-' in output and '\n3\n' in output, 'job output:', output)
    table = harness.ctl('get', 'pods', '-o', 'wide', '-l', 'app=demo').splitlines()
    check(len(table) == 4 and all(' Running ' in line for line in table[1:]), '\n'.join(table))


harness.main(test)
