# shellcheck shell=bash
# The network of a cluster: one namespace that is only a switch, one for the control plane, one per node, each with an
# eth0 on the switch. No namespace has a route off the machine, so every cluster may use the same addresses.

subnet=172.31.0
server_address() { echo "$subnet.$((10 + $1))"; }
etcd_address() { echo "$subnet.$((20 + $1))"; }
node_address() { echo "$subnet.$((100 + ${1#node}))"; }

netns_of() { echo "cleat-$name-$1"; }
netns_exists() { [ -e "/run/netns/$(netns_of "$1")" ]; }

# in_netns MEMBER COMMAND...
in_netns()
{
    local member=$1
    shift
    nsenter --net="/run/netns/$(netns_of "$member")" -- "$@"
}

network_switch()
{
    local switch
    switch=$(netns_of switch)
    netns_exists switch || ip netns add "$switch"
    if ! ip -n "$switch" link show br0 >/dev/null 2>&1; then
        ip -n "$switch" link set lo up
        ip -n "$switch" link add br0 type bridge
        ip -n "$switch" link set br0 up
    fi
}

# network_member MEMBER ADDRESS...: a namespace on the switch with these addresses.
network_member()
{
    local member=$1 ns switch address
    shift
    ns=$(netns_of "$member")
    switch=$(netns_of switch)
    netns_exists "$member" || ip netns add "$ns"
    ip -n "$ns" link set lo up
    if ! ip -n "$ns" link show eth0 >/dev/null 2>&1; then
        ip -n "$switch" link add "$member" type veth peer name eth0 netns "$ns"
        ip -n "$switch" link set "$member" master br0 up
        ip -n "$ns" link set eth0 up
    fi
    for address in "$@"; do
        ip -n "$ns" address replace "$address/24" dev eth0
    done
}

# network_node NODE: a member that forwards for its pods and shows bridged packets to netfilter.
network_node()
{
    network_member "$1" "$(node_address "$1")"
    in_netns "$1" sysctl -q -w net.ipv4.ip_forward=1
    in_netns "$1" sysctl -q -w net.bridge.bridge-nf-call-iptables=1 2>/dev/null ||
        warn "$1: no br_netfilter in this kernel; a pod may not reach a service that leads to a pod beside it"
}

network_up()
{
    local i control=()
    modprobe -q -a overlay br_netfilter veth nf_tables nf_conntrack 2>/dev/null || true # built in, or told later
    network_switch
    for ((i = 1; i <= servers; i++)); do control+=("$(server_address "$i")"); done
    for ((i = 1; i <= etcd; i++)); do control+=("$(etcd_address "$i")"); done
    network_member control "${control[@]}"
    for ((i = 1; i <= nodes; i++)); do network_node "node$i"; done
}

network_down()
{
    local ns
    for ns in $(ip netns list | cut -d' ' -f1); do
        if [[ $ns == cleat-$name-* ]] && is_member "${ns#cleat-"$name"-}"; then
            ip netns delete "$ns" || warn "cannot delete the network namespace $ns"
        fi
    done
    if [ -d /run/netns ] && [ -z "$(ls -A /run/netns)" ]; then # ip makes it, and mounts it on itself, when it needs it
        umount /run/netns 2>/dev/null || true
        rmdir /run/netns 2>/dev/null || true
    fi
}

# is_member WORD: so that the cluster "a" does not take the namespaces of "a-b" for its own.
is_member() { [[ $1 =~ ^(switch|control|node[0-9]+)$ ]]; }
