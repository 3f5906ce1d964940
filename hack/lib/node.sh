# shellcheck shell=bash
# A node: its network namespace, its mount namespace, its own containerd, agent and netproxy.
#
# The mount namespace receives what the machine mounts but gives nothing back, so every mount of containers and volumes
# is gone with the node. In it /run/containerd, which containerd uses whatever its configuration says, is the node's own.

mount_ns() { echo "$run/ns/$1"; }
containerd_socket() { echo "$run/$1/containerd.sock"; }

# in_node NODE COMMAND...
in_node()
{
    local node=$1
    shift
    CONTAINERD_ADDRESS=$(containerd_socket "$node") \
        nsenter "--net=/run/netns/$(netns_of "$node")" "--mount=$(mount_ns "$node")" -- "$@"
}

node_containerd_config()
{
    local node=$1
    cat <<END
version = 2
root = "$state/$node/containerd"
state = "$run/$node/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "$(containerd_socket "$node")"
[ttrpc]
  address = "$(containerd_socket "$node").ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "cleat.local/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$state/$node/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
END
}

# mounted DIR: whether DIR is a mount point here.
mounted() { mountpoint -q "$1"; }

node_namespace_up()
{
    local node=$1 file
    file=$(mount_ns "$node")
    mkdir -p "$run/ns" "$run/$node/run-containerd" /run/containerd
    if ! mounted "$run/ns"; then # a mount namespace can be held by a file only in a private mount
        mount --bind "$run/ns" "$run/ns"
        mount --make-private "$run/ns"
    fi
    [ "$(stat -f -c %T "$file" 2>/dev/null)" != nsfs ] || return 0
    touch "$file"
    # shared below the node's own root, as volumes with mount propagation ask for it
    unshare "--mount=$file" --propagation slave -- \
        sh -c 'mount --make-rshared / && mount --bind "$1" /run/containerd' sh "$run/$node/run-containerd" ||
        fail "cannot make the mount namespace of $node"
}

command_containerd()
{
    command=(nsenter "--net=/run/netns/$(netns_of "$1")" "--mount=$(mount_ns "$1")" --
        containerd --config "$conf/$1-containerd.toml")
}

command_agent()
{
    local node=$1 address
    address=$(node_address "$node")
    command=(nsenter "--net=/run/netns/$(netns_of "$node")" "--mount=$(mount_ns "$node")" --
        "$bin/cleat-agent" --config "$conf/$node-agent.config" --node-name "$node" --node-ip "$address"
        --runtime-endpoint "unix:$(containerd_socket "$node")" --root-dir "$state/$node/agent"
        --log-dir "$state/$node/pods" --listen "$address:10250" --tls-cert "$pki/$node-serving.crt"
        --tls-key "$pki/$node-serving.key" --client-ca "$pki/ca.crt" --cgroup-root "/cleat-$name/$node")
}

command_netproxy()
{
    command=(nsenter "--net=/run/netns/$(netns_of "$1")" "--mount=$(mount_ns "$1")" --
        "$bin/cleat-netproxy" --config "$conf/$1-netproxy.config" --node-name "$1" --cluster-cidr "$cluster_cidr"
        --service-cidr "$service_cidr" --cni-conf-dir "$state/$1/cni" --cni-data-dir "$state/$1/cni-data")
}

# load_image NODE FILE
load_image()
{
    local output
    output=$(in_node "$1" ctr -n k8s.io images import "$2" 2>&1) || fail "$1 cannot import $2: $output"
}

# load_images NODE: the built images, once per build of them.
load_images()
{
    local image
    for image in "$images"/*.tar; do
        [ "$state/$1/${image##*/}.loaded" -nt "$image" ] && continue
        load_image "$1" "$image"
        touch "$state/$1/${image##*/}.loaded"
    done
}

nodes_up()
{
    local i node
    for ((i = 1; i <= nodes; i++)); do
        node=node$i
        mkdir -p "$state/$node"/{agent,pods,cni,cni-data,containerd} "$run/$node"
        node_containerd_config "$node" >"$conf/$node-containerd.toml"
        node_namespace_up "$node"
        start_component "$node/containerd"
    done
    for ((i = 1; i <= nodes; i++)); do
        node=node$i
        last_log=$(log_of "$node/containerd")
        wait_for 60 "containerd of $node answers" in_node "$node" ctr version
        load_images "$node"
        start_component "$node/netproxy"
        start_component "$node/agent"
        say "$node: containerd, agent and netproxy run at $(node_address "$node")"
    done
    last_log=
}
