# shellcheck shell=bash
# Long-running processes of a cluster: each has a supervisor (hack/lib/supervise) and a record "PID START-TIME RUNS" of
# both in $run/proc. A name like node1/agent is filed as node1-agent.

record_of() { echo "$run/proc/${1//\//-}"; }
log_of() { echo "$logs/${1//\//-}.log"; }

# start_time PID: when the process began, in clock ticks since boot; fails when there is no such process.
start_time()
{
    local stat fields
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [ "${fields[0]}" != Z ] || return 1
    echo "${fields[19]}"
}

# recorded_pid RECORD: the pid if the recorded process still runs.
recorded_pid()
{
    local pid begin rest
    { read -r pid begin rest <"$1"; } 2>/dev/null || return 1
    [ "$(start_time "$pid")" = "$begin" ] || return 1
    echo "$pid"
}

component_pid() { recorded_pid "$(record_of "$1")"; }
supervisor_pid() { recorded_pid "$(record_of "$1").supervisor"; }

# runs_of COMPONENT: how often it was started again.
runs_of()
{
    local pid begin runs
    { read -r pid begin runs <"$(record_of "$1")"; } 2>/dev/null && echo "$runs"
}

# end_process SECONDS PID START: SIGTERM, then SIGKILL if it is still there after SECONDS.
end_process()
{
    local limit=$1 pid=$2 begin=$3 i
    [ "$(start_time "$pid")" = "$begin" ] || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((i = 0; i < limit * 20; i++)); do
        [ "$(start_time "$pid")" = "$begin" ] || return 0
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
}

# start_supervised COMPONENT COMMAND...: harmless when it runs already. A component whose supervisor was lost is ended
# first, to get a supervisor again.
start_supervised()
{
    local component=$1 record log
    shift
    if supervisor_pid "$component" >/dev/null; then
        return
    fi
    stop_component "$component"
    record=$(record_of "$component")
    log=$(log_of "$component")
    mkdir -p "$run/proc" "$logs"
    setsid "$root/hack/lib/supervise" "$record" "$log" "$@" </dev/null >>"$log" 2>&1 {lock}>&- &
    last_log=$log
    wait_for 30 "$component started" supervisor_pid "$component"
    last_log=
}

stop_grace=15 # seconds from SIGTERM to SIGKILL

# stop_record RECORD: the supervisor first, or it would start the process again.
stop_record()
{
    local file pid begin rest
    for file in "$1.supervisor" "$1"; do
        if { read -r pid begin rest <"$file"; } 2>/dev/null; then
            end_process "$stop_grace" "$pid" "$begin"
        fi
        rm -f "$file"
    done
}

stop_component() { stop_record "$(record_of "$1")"; }

# kill_component COMPONENT: as if it had crashed; its supervisor starts it again.
kill_component()
{
    local pid
    pid=$(component_pid "$1") || fail "$1 does not run"
    kill -KILL "$pid"
    echo "$pid"
}

# stop_all: everything that has a record, at the same time.
stop_all()
{
    local file
    for file in "$run"/proc/*.supervisor; do
        [ ! -e "$file" ] || stop_record "${file%.supervisor}" &
    done
    wait
    for file in "$run"/proc/*; do # whose supervisor was killed
        [ ! -e "$file" ] || stop_record "$file"
    done
}
