# shellcheck shell=bash
# Certificates, and what runs in the control plane's namespace: etcd, servers, scheduler, controllers.

service_cidr=10.96.0.0/16
cluster_cidr=10.244.0.0/16

# joined SEPARATOR PREFIX SUFFIX FUNCTION COUNT: PREFIX$(FUNCTION 1)SUFFIX SEPARATOR PREFIX$(FUNCTION 2)SUFFIX ...
joined()
{
    local i list=
    for ((i = 1; i <= $5; i++)); do
        list+="$1$2$($4 "$i")$3"
    done
    echo "${list#"$1"}"
}

server_socket() { echo "$run/server-$1.sock"; }
server_urls() { joined , https:// :6443 server_address "$servers"; }
socket_urls() { joined , unix:// '' server_socket "$servers"; }

# Certificates and configurations that exist are kept without a look at them: a second "up" is quick.
issue() { [ -s "$pki/$2.crt" ] || "$root/hack/certs" issue "$pki" "$@"; }
config() { [ -s "$1" ] || "$root/hack/certs" config "$1" "$pki" ca "$2" "$3"; }

# identity NAME SUBJECT: a client certificate and the kubeconfig that goes with it.
identity()
{
    issue ca "$1" "$2" client
    config "$conf/$1.config" "$1" "$(server_urls)"
}

certificates_up()
{
    local i
    mkdir -p "$pki" "$conf"
    chmod 700 "$pki" "$conf"
    "$root/hack/certs" ca "$pki" ca cleat-ca
    "$root/hack/certs" ca "$pki" etcd-ca cleat-etcd-ca # its own: whoever it vouches for reads and writes everything
    issue etcd-ca etcd-client /CN=cleat-server client
    # An etcd member checks that a peer comes from an address in the peer's certificate, and connections leave the
    # control plane's namespace from its first address, which is the first server's.
    for ((i = 1; i <= etcd; i++)); do
        issue etcd-ca "etcd-$i" "/CN=etcd-$i" peer "$(etcd_address "$i")" "$(server_address 1)" localhost
    done
    for ((i = 1; i <= servers; i++)); do
        issue ca "server-$i" /CN=cleat-server server localhost 127.0.0.1 "$(server_address "$i")" \
            "server-$i" cleat kubernetes kubernetes.default kubernetes.default.svc 10.96.0.1
    done
    issue ca agent-client /O=system:masters/CN=cleat-server-agent-client client
    identity scheduler /CN=system:kube-scheduler
    identity controllers /CN=system:kube-controller-manager
    issue ca admin /O=system:masters/CN=admin client
    config "$admin_config" admin "$(socket_urls)"
    if [ -n "${SUDO_USER:-}" ]; then
        chown "$SUDO_USER" "$admin_config"
    fi
    for ((i = 1; i <= nodes; i++)); do
        identity "node$i-agent" "/O=system:nodes/CN=system:node:node$i"
        identity "node$i-netproxy" /O=system:node-proxiers/CN=system:kube-proxy
        issue ca "node$i-serving" "/CN=node$i" server "$(node_address "node$i")" "node$i"
    done
}

# Each command_... function sets the array command to what the component runs.
command_etcd()
{
    local i=$1 address peers
    address=$(etcd_address "$i")
    etcd_member() { echo "etcd-$1=https://$(etcd_address "$1")"; }
    peers=$(joined , '' :2380 etcd_member "$etcd")
    command=(nsenter "--net=/run/netns/$(netns_of control)" -- etcd --name "etcd-$i" --data-dir "$state/etcd-$i"
        --listen-client-urls "https://$address:2379" --advertise-client-urls "https://$address:2379"
        --listen-peer-urls "https://$address:2380" --initial-advertise-peer-urls "https://$address:2380"
        --initial-cluster "$peers" --initial-cluster-token "cleat-$name" --initial-cluster-state new
        --client-cert-auth --trusted-ca-file "$pki/etcd-ca.crt" --cert-file "$pki/etcd-$i.crt"
        --key-file "$pki/etcd-$i.key" --peer-client-cert-auth --peer-trusted-ca-file "$pki/etcd-ca.crt"
        --peer-cert-file "$pki/etcd-$i.crt" --peer-key-file "$pki/etcd-$i.key"
        --auto-compaction-mode periodic --auto-compaction-retention 5m --logger zap)
}

command_server()
{
    local i=$1
    # Its socket is for every user of the machine: the client certificate decides, as on the network address.
    command=(nsenter "--net=/run/netns/$(netns_of control)" -- sh -c 'umask 0 && exec "$@"' sh
        "$bin/cleat-server" --listen "$(server_address "$i"):6443" --listen "unix:$(server_socket "$i")"
        --tls-cert "$pki/server-$i.crt" --tls-key "$pki/server-$i.key" --client-ca "$pki/ca.crt"
        --etcd "$(joined , '' :2379 etcd_address "$etcd")" --etcd-ca "$pki/etcd-ca.crt"
        --etcd-cert "$pki/etcd-client.crt" --etcd-key "$pki/etcd-client.key" --service-cidr "$service_cidr"
        --agent-ca "$pki/ca.crt" --agent-cert "$pki/agent-client.crt" --agent-key "$pki/agent-client.key")
}

command_scheduler()
{
    command=(nsenter "--net=/run/netns/$(netns_of control)" -- "$bin/cleat-scheduler"
        --config "$conf/scheduler.config")
}

command_controllers()
{
    command=(nsenter "--net=/run/netns/$(netns_of control)" -- "$bin/cleat-controllers"
        --config "$conf/controllers.config" --cluster-cidr "$cluster_cidr" --node-cidr-mask-size 24)
}

# etcdctl_control ARGUMENT...: etcdctl with the servers' certificate, towards every member.
etcdctl_control()
{
    ETCDCTL_API=3 in_netns control etcdctl --cacert "$pki/etcd-ca.crt" --cert "$pki/etcd-client.crt" \
        --key "$pki/etcd-client.key" --endpoints "$(joined , https:// :2379 etcd_address "$etcd")" "$@"
}

ctl() { "$bin/ctl" --config "$admin_config" "$@"; }

control_up()
{
    local i
    for ((i = 1; i <= etcd; i++)); do start_component "etcd-$i"; done
    last_log=$(log_of etcd-1)
    wait_for 60 "etcd answers with all $etcd members" etcdctl_control endpoint health
    say "etcd: $etcd of $etcd members healthy"

    for ((i = 1; i <= servers; i++)); do start_component "server-$i"; done
    for ((i = 1; i <= servers; i++)); do
        last_log=$(log_of "server-$i")
        wait_for 30 "server-$i answers" ctl --server "unix://$(server_socket "$i")" get namespace default
        say "server-$i: answers at $(server_address "$i"):6443 and $(server_socket "$i")"
    done
    start_component scheduler
    start_component controllers
    last_log=
    say 'scheduler and controllers: started'
}
