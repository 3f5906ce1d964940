"""A second agent that takes the name of a node that is there, and one whose certificate is another node's, say so and do
no harm."""
import harness
from harness import check


def second_agent(config, timeout=30):
    """Runs an agent as "node1" beside the real one, with the configuration of another; returns how it ended."""
    folder = harness.STATE + '/node2/second-agent'
    return harness.on_node(
        'node2', 'timeout', str(timeout), harness.BUILD + '/bin/cleat-agent', '--config', harness.STATE + '/conf/' + config,
        '--node-name', 'node1', '--node-ip', '172.31.0.102', '--root-dir', folder, '--log-dir', folder + '/logs',
        '--runtime-endpoint', 'unix:%s/node2/containerd.sock' % harness.RUN,
        '--cgroup-root', '/cleat-%s/second' % harness.NAME, timeout=timeout + 15, ok=False)


def test(api):
    before = harness.containers(harness.demo_ready(api))
    taken = second_agent('node1-agent.config')
    harness.say(taken.returncode, taken.stderr)
    check(taken.returncode not in (0, 124) and 'node name "node1" is taken' in taken.stderr, 'the agent ended with',
          taken.returncode, taken.stderr)
    other = second_agent('node2-agent.config', timeout=5)
    harness.say(other.returncode, other.stderr)
    check(other.returncode != 0 and 'node1' in other.stderr and 'system:node:node2' in other.stderr,
          'the agent with a foreign certificate says', other.stderr)
    node = api.get(api.nodes, 'node1', namespace='')
    addresses = {address.type: address.address for address in node.status.addresses}
    check(addresses['InternalIP'] == '172.31.0.101', addresses)
    check(harness.containers(harness.demo_ready(api)) == before, 'containers changed')


harness.main(test)
