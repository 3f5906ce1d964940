# shellcheck shell=bash
# What a user sees: the state of the components, the demo, what to type next.

show_status()
{
    local component pid state_text
    printf '%-18s %-8s %-9s %-9s %s\n' COMPONENT PID STATE RESTARTS LOG
    for component in $(components); do
        if pid=$(component_pid "$component"); then
            state_text=running
        else
            pid=-
            state_text=stopped
            ! supervisor_pid "$component" >/dev/null || state_text=restarting
        fi
        printf '%-18s %-8s %-9s %-9s %s\n' "$component" "$pid" "$state_text" "$(runs_of "$component" || echo -)" \
            "$(log_of "$component")"
    done
}

wait_nodes_ready()
{
    local i
    for ((i = 1; i <= nodes; i++)); do
        last_log=$(log_of "node$i/agent")
        wait_for 60 "node$i is Ready" ctl wait --for=condition=Ready "node/node$i" --timeout=5s
        say "node$i: Ready"
    done
    last_log=
}

demo_up()
{
    say 'demo: applying docs/examples/demo.yaml'
    last_log=$(log_of server-1)
    ctl apply -f "$root/docs/examples/demo.yaml" || fail 'the server refused the demo'
    last_log=$(log_of controllers)
    wait_for 120 'the 3 replicas of the deployment demo are available' \
        ctl wait --for=condition=Available deployment/demo --timeout=5s
    say 'demo: the deployment is available'
    wait_for 120 'the job demo-hello is complete' ctl wait --for=condition=Complete job/demo-hello --timeout=5s
    say 'demo: the job is complete'
    last_log=
}

cluster_ip() { ctl get service "$1" -o yaml | sed -n 's/^ *clusterIP: *"\{0,1\}\([0-9.]*\)"\{0,1\}$/\1/p'; }

demo_show()
{
    local ip i
    ip=$(cluster_ip demo)
    printf '\n$ ctl get nodes -o wide\n' && ctl get nodes -o wide
    printf '\n$ ctl get pods -o wide\n' && ctl get pods -o wide
    printf '\n$ ctl get service demo\n' && ctl get service demo
    printf '\n$ ctl logs job/demo-hello\n' && ctl logs job/demo-hello
    printf '\nthe service, asked six times from node1 (http://%s/):\n' "$ip"
    for ((i = 0; i < 6; i++)); do
        in_node node1 timeout 5 busybox wget -q -O - "http://$ip/" || warn 'no answer'
    done
}

show_next()
{
    local option=
    [ "$name" = cleat ] || option=" --name $name"
    cat <<END

The cluster "$name" is up. What to type next:
    export PATH=$bin:\$PATH CLEAT_CONFIG=$admin_config
    ctl get pods -A -o wide                      ctl describe deployment demo
    ctl scale deployment demo --replicas=5       ctl get pods -w
    sudo hack/cluster$option status              sudo hack/cluster$option logs node1/agent -f
    sudo hack/cluster$option shell node1         (a shell on node1: busybox wget -q -O - http://$(cluster_ip demo)/)
    sudo hack/cluster$option down                removes all of it
END
}
