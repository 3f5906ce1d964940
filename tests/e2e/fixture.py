"""usage: fixture.py up|down: starts the cluster that the end-to-end tests share, or removes it and looks for leftovers."""
import glob
import os
import shutil
import subprocess
import sys

import harness


def make_stubs():
    """Python modules from our .proto files, as any user would make them."""
    shutil.rmtree(harness.STUBS, ignore_errors=True)
    os.makedirs(harness.STUBS)
    protos = os.path.join(harness.SOURCE, 'proto')
    files = [os.path.relpath(file, protos) for file in glob.glob(protos + '/cleat/**/*.proto', recursive=True)]
    plugin = '--plugin=protoc-gen-grpc_python=' + shutil.which('grpc_python_plugin')
    out = ['--python_out', harness.STUBS, '--grpc_python_out', harness.STUBS, plugin]
    harness.run('protoc', '-I', protos, *out, *files)
    harness.run('protoc', '-I', protos + '/foreign/cri', *out, 'runtime.proto')


def up():
    make_stubs()
    harness.run(harness.SOURCE + '/hack/cluster', 'down', '--name', harness.NAME, timeout=120)
    sys.exit(subprocess.call([harness.SOURCE + '/hack/cluster', 'up', '--name', harness.NAME], stdin=subprocess.DEVNULL))


def down():
    faults = harness.faults() if os.path.exists(harness.STATE + '/shape') else []
    if faults:  # what a reader needs to find the cause goes away with the cluster
        kept = os.path.join(harness.BUILD, 'tests/e2e/log')
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(harness.STATE + '/log', kept)
        print('components failed while the tests ran; their logs are kept in %s:' % kept, *faults, sep='\n')
    harness.run(harness.SOURCE + '/hack/cluster', 'down', '--name', harness.NAME, timeout=120)
    found = harness.leftovers()
    if found:
        print('left behind by hack/cluster down:', *found, sep='\n')
    sys.exit(1 if faults or found else 0)


{'up': up, 'down': down}[sys.argv[1]]()
