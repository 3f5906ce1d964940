# shellcheck shell=bash
# Sourced by every script in hack/: messages with the elapsed time, bounded waits, who is asking.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
started_at=$EPOCHSECONDS
last_log= # the log file to read when the step that is running fails

say() { printf '[%3ds] %s\n' $((EPOCHSECONDS - started_at)) "$*"; }
warn() { printf '[%3ds] warning: %s\n' $((EPOCHSECONDS - started_at)) "$*" >&2; }

# Ends the script. When the step at hand named a log file, shows its end and where to read the rest.
fail()
{
    printf '[%3ds] FAILED: %s\n' $((EPOCHSECONDS - started_at)) "$*" >&2
    if [ -n "$last_log" ]; then
        if [ -s "$last_log" ]; then
            printf 'the end of %s:\n' "$last_log" >&2
            tail -n 15 "$last_log" | cut -c1-400 | sed 's/^/    /' >&2
        fi
        printf 'read %s to learn more\n' "$last_log" >&2
    fi
    exit 1
}

need_root() { [ "$(id -u)" = 0 ] || fail "this needs root: sudo $0 $*"; }

# wait_for SECONDS WHAT COMMAND...: runs COMMAND five times a second until it succeeds, telling every five seconds that
# it still waits; fails the script when SECONDS are over.
wait_for()
{
    local limit=$1 what=$2 begin=$EPOCHSECONDS told=$EPOCHSECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((EPOCHSECONDS - begin >= limit)); then
            fail "$what: not after $limit s"
        fi
        if ((EPOCHSECONDS - told >= 5)); then
            say "  still waiting ($((EPOCHSECONDS - begin)) of at most $limit s): $what"
            told=$EPOCHSECONDS
        fi
        sleep 0.2
    done
}

# as_owner COMMAND...: runs COMMAND as the user who called sudo, so that what it builds is theirs, else as we are.
as_owner()
{
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$(stat -c %U "$root")" = "$SUDO_USER" ]; then
        runuser -u "$SUDO_USER" -- "$@"
    else
        "$@"
    fi
}
