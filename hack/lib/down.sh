# shellcheck shell=bash
# The end of a cluster: no process, mount, namespace, cgroup or file of it stays.

# cgroup_dirs: where this cluster's cgroups are, one per hierarchy that has some.
cgroup_dirs()
{
    local type dir rest
    while read -r rest dir type rest; do
        if [[ $type == cgroup || $type == cgroup2 ]] && [ -d "$dir/cleat-$name" ]; then
            echo "$dir/cleat-$name"
        fi
    done </proc/mounts
}

# namespace_pids KIND FILE: the processes whose namespace KIND (mnt, net) is the one that FILE holds.
namespace_pids()
{
    local kind=$1 wanted inode path
    wanted=$(stat -L -c %i "$2" 2>/dev/null) || return 0
    while read -r inode path; do
        if [ "$inode" = "$wanted" ]; then
            path=${path#/proc/}
            echo "${path%%/*}"
        fi
    done < <(stat -L -c '%i %n' /proc/[0-9]*/ns/"$kind" 2>/dev/null)
}

# with_descendants PID...: these processes and all below them: containers are children of their shim.
with_descendants()
{
    ps -e -o pid=,ppid= | awk -v roots="$*" '
        { child[$2] = child[$2] " " $1 }
        END {
            n = split(roots, todo, " ")
            for (i = 1; i <= n; i++) {
                if (todo[i] in seen) continue
                seen[todo[i]]
                print todo[i]
                m = split(child[todo[i]], more, " ")
                for (j = 1; j <= m; j++) todo[++n] = more[j]
            }
        }'
}

# leftover_pids: everything that still runs in the cluster's namespaces and cgroups.
leftover_pids()
{
    local file roots dir
    roots=$(
        for file in "$run"/ns/*; do namespace_pids mnt "$file"; done
        for file in /run/netns/cleat-"$name"-*; do
            if is_member "${file#/run/netns/cleat-"$name"-}"; then namespace_pids net "$file"; fi
        done
        for dir in $(cgroup_dirs); do find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null; done
    )
    # shellcheck disable=SC2086 # one word per pid
    [ -z "$roots" ] || with_descendants $roots
}

kill_leftovers()
{
    local pids i
    for ((i = 0; i < 100; i++)); do
        pids=$(leftover_pids)
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null || true
        sleep 0.1
    done
    warn "these processes do not end: ${pids//$'\n'/ }"
}

remove_cgroups()
{
    local dir i
    for dir in $(cgroup_dirs); do
        for ((i = 0; i < 50; i++)); do # a cgroup is busy until its last process is reaped
            find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null && break
            [ -d "$dir" ] || break
            sleep 0.1
        done
        [ ! -d "$dir" ] || warn "cannot remove the cgroup $dir"
    done
}

# remove_mounts DIR...: every mount at or below DIR, the deepest first.
remove_mounts()
{
    local dir mount
    for dir in "$@"; do
        while read -r mount; do
            umount -l "$mount" 2>/dev/null || true
        done < <(awk -v dir="$dir" '$2 == dir || index($2, dir "/") == 1 { print $2 }' /proc/mounts | sort -r)
    done
}

cluster_down()
{
    stop_grace=2 # nothing of it is needed again
    stop_all
    kill_leftovers
    remove_mounts "$run" "$state"
    remove_cgroups
    network_down
    rm -rf --one-file-system "$run" "$state"
    rm -f "/run/cleat/$name.lock"
    rmdir /var/lib/cleat /run/cleat /run/containerd 2>/dev/null || true # empty when this was the last cluster
    say "cluster $name: nothing of it is left"
}
