"""What the end-to-end tests share: the cluster under test, its API through gRPC, sockets inside its network namespaces.

The cluster is started once by fixture.py (ctest fixture e2e_cluster) with two nodes and the demo applied. A test leaves
the demo as it found it: three available replicas.
"""
import contextlib
import ctypes
import glob
import os
import re
import socket
import subprocess
import sys
import time

SOURCE = os.environ['CLEAT_SOURCE']
BUILD = os.environ['CLEAT_BUILD']
NAME = os.environ['CLEAT_E2E_CLUSTER']
STATE = '/var/lib/cleat/' + NAME
RUN = '/run/cleat/' + NAME
STUBS = os.path.join(BUILD, 'tests/e2e/stubs')
NODES = ['node1', 'node2']
IMAGE = 'cleat/demo:1'
CLONE_NEWNET = 0x40000000

sys.path.insert(0, STUBS)


class Failure(Exception):
    """A test found what should not be."""


def say(*words):
    print('%.1f' % time.monotonic(), *words, flush=True)


def check(condition, *words):
    if not condition:
        raise Failure(' '.join(str(word) for word in words))


def wait_until(what, probe, timeout=30.0, interval=0.1):
    """Calls probe() until it returns something true, which is returned; an exception counts as "not yet"."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = probe()
            if value:
                return value
            last = value
        except Exception as error:  # the API may be away, on purpose
            last = repr(error)
        if time.monotonic() > end:
            raise Failure('not within %g s: %s (last: %s)' % (timeout, what, last))
        time.sleep(interval)


def run(*command, timeout=60, ok=True, **options):
    """Runs a command and returns its output; fails the test when it fails, unless ok is False."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, **options)
    if ok and done.returncode != 0:
        raise Failure('%s ended with %d: %s%s' % (' '.join(command), done.returncode, done.stdout, done.stderr))
    return done if not ok else done.stdout


def cluster(verb, *words, timeout=60, ok=True):
    """hack/cluster VERB --name e2e ..."""
    return run(SOURCE + '/hack/cluster', verb, '--name', NAME, *words, timeout=timeout, ok=ok)


def ctl(*words, timeout=60, ok=True):
    return run(BUILD + '/bin/ctl', '--config', STATE + '/admin.config', *words, timeout=timeout, ok=ok)


def on_node(node, *command, timeout=60, ok=True):
    return cluster('exec', node, '--', *command, timeout=timeout, ok=ok)


def leftovers():
    """Everything on the machine that carries the cluster's name: after `hack/cluster down` nothing."""
    found = [path for path in (STATE, RUN) if os.path.exists(path)]
    found += glob.glob('/run/netns/cleat-%s-*' % NAME)
    found += glob.glob('/sys/fs/cgroup/cleat-%s' % NAME) + glob.glob('/sys/fs/cgroup/*/cleat-%s' % NAME)
    with open('/proc/mounts') as mounts:
        found += [line for line in mounts if '/cleat/%s/' % NAME in line or 'cleat-%s-' % NAME in line]
    for process in glob.glob('/proc/[0-9]*'):
        try:
            with open(process + '/cmdline', 'rb') as file:
                words = file.read().replace(b'\0', b' ').decode(errors='replace')
        except OSError:
            continue
        if '/cleat/%s/' % NAME in words:
            found.append('%s: %s' % (process, words))
    return found


def faults():
    """Stops every component and returns what their logs tell of crashes: sanitizers' reports, and ends that no test
    asked for (137 is a test's kill -9, 143 and 0 are orderly)."""
    found = []
    for line in reversed(cluster('status').splitlines()[1:]):  # clients before servers
        component, log = line.split()[0], line.split()[-1]
        cluster('stop', component)
        with open(log, errors='replace') as file:
            for entry in file:
                ended = re.search(r'supervise: \S+ ended with status (\d+)', entry)
                if re.search(r'AddressSanitizer|LeakSanitizer|runtime error:|g_assert|CRITICAL', entry) or (
                        ended and ended[1] not in ('0', '137', '143')):
                    found.append('%s: %s' % (component, entry.strip()[:300]))
    return found


class Api:
    """The public gRPC API, with stubs made from the .proto files; every call has a deadline and waits for a server that
    is away."""

    def __init__(self, identity='admin'):
        import grpc
        def pem(name):
            with open('%s/pki/%s' % (STATE, name), 'rb') as file:
                return file.read()
        credentials = grpc.ssl_channel_credentials(pem('ca.crt'), pem(identity + '.key'), pem(identity + '.crt'))
        self.channel = grpc.secure_channel('unix:' + RUN + '/server-1.sock', credentials, options=[
            ('grpc.ssl_target_name_override', 'localhost'), ('grpc.max_reconnect_backoff_ms', 500)])
        from cleat.v1 import apps_pb2_grpc, batch_pb2_grpc, core_pb2_grpc, discovery_pb2_grpc
        self.pods = core_pb2_grpc.PodsStub(self.channel)
        self.nodes = core_pb2_grpc.NodesStub(self.channel)
        self.services = core_pb2_grpc.ServicesStub(self.channel)
        self.events = core_pb2_grpc.EventsStub(self.channel)
        self.deployments = apps_pb2_grpc.DeploymentsStub(self.channel)
        self.jobs = batch_pb2_grpc.JobsStub(self.channel)
        self.slices = discovery_pb2_grpc.EndpointSlicesStub(self.channel)

    def list(self, stub, namespace='default', **options):
        from cleat.v1 import requests_pb2
        request = requests_pb2.ListRequest(namespace=namespace)
        for key, value in options.items():
            setattr(request.options, key, value)
        return stub.List(request, timeout=20, wait_for_ready=True)

    def get(self, stub, name, namespace='default'):
        from cleat.v1 import requests_pb2
        return stub.Get(requests_pb2.GetRequest(namespace=namespace, name=name), timeout=20, wait_for_ready=True)

    def delete(self, stub, name, namespace='default', grace=None):
        from cleat.v1 import requests_pb2
        request = requests_pb2.DeleteRequest(namespace=namespace, name=name)
        if grace is not None:
            request.options.gracePeriodSeconds = grace
        return stub.Delete(request, timeout=20, wait_for_ready=True)

    def demo_pods(self):
        """The demo's pods that are not on their way out."""
        pods = self.list(self.pods, labelSelector='app=demo').items
        return [pod for pod in pods if not pod.metadata.HasField('deletionTimestamp')]


def ready(pod):
    return any(c.type == 'Ready' and c.status == 'True' for c in pod.status.conditions)


def containers(pods):
    """{(pod name, container name): (container id, restart count)}"""
    return {(pod.metadata.name, status.name): (status.containerID, status.restartCount)
            for pod in pods for status in pod.status.containerStatuses}


def demo_ready(api, count=3, timeout=60):
    """Waits until exactly count demo pods are there and Ready, and returns them."""
    def probe():
        pods = api.demo_pods()
        return len(pods) == count and all(ready(pod) for pod in pods) and pods
    return wait_until('%d demo pods are Ready' % count, probe, timeout)


def apply(manifest):
    done = subprocess.run([BUILD + '/bin/ctl', '--config', STATE + '/admin.config', 'apply', '-f', '-'], input=manifest,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    check(done.returncode == 0, 'ctl apply failed:', done.stdout, done.stderr)
    return done.stdout


@contextlib.contextmanager
def netns(path):
    """In the body, new sockets are made in the network namespace at path, and stay in it afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open('/proc/self/ns/net') as own, open(path) as other:
        check(libc.setns(other.fileno(), CLONE_NEWNET) == 0, 'setns', path, os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            libc.setns(own.fileno(), CLONE_NEWNET)


def node_netns(node):
    return '/run/netns/cleat-%s-%s' % (NAME, node)


def pod_netns(pod):
    """The network namespace of a running pod: that of its first container's process, as containerd tells it."""
    container = pod.status.containerStatuses[0].containerID.split('://')[1]
    for line in on_node(pod.spec.nodeName, 'ctr', '-n', 'k8s.io', 'tasks', 'ls').splitlines():
        words = line.split()
        if words[0] == container:
            return '/proc/%s/ns/net' % words[1]
    raise Failure('no task %s on %s' % (container, pod.spec.nodeName))


class Connection:
    """A kept-alive HTTP connection to the demo server: ask() tells which pod answered and its count of answers."""

    def __init__(self, namespace, address, port=80, timeout=5):
        with netns(namespace):
            self.socket = socket.create_connection((address, port), timeout)

    def ask(self):
        self.socket.sendall(b'GET / HTTP/1.1\r\nHost: demo\r\n\r\n')
        answer = b''
        while not re.search(rb'\r\n\r\n.*\n', answer):
            piece = self.socket.recv(4096)
            check(piece, 'the demo server closed the connection')
            answer += piece
        return parse_answer(answer.split(b'\r\n\r\n', 1)[1])

    def close(self):
        self.socket.close()


def parse_answer(line):
    host, greeting, count = line.decode().split()
    return host, greeting, int(count)


def ask(namespace, address, port=80):
    """One request on a connection of its own."""
    connection = Connection(namespace, address, port)
    try:
        return connection.ask()
    finally:
        connection.close()


def ask_udp(namespace, address, port=80, timeout=5):
    with netns(namespace):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(timeout)
            datagrams.sendto(b'?', (address, port))
            return parse_answer(datagrams.recv(1024))


def answering(namespace, address, question=ask, times=60):
    """{host name: number of answers} of so many questions."""
    hosts = {}
    for _ in range(times):
        host = question(namespace, address)[0]
        hosts[host] = hosts.get(host, 0) + 1
    return hosts


def main(test):
    """Runs test(api) with the demo there before and after it."""
    api = Api()
    try:
        demo_ready(api)
        test(api)
        demo_ready(api)
    except Failure as failure:
        say('FAILED:', failure)
        say(cluster('status', ok=False).stdout)
        say(ctl('get', 'pods', '-A', '-o', 'wide', ok=False).stdout)
        say('logs are in', STATE + '/log')
        sys.exit(1)
    say('passed')
