#!/bin/bash
# Jobs in which a rank is paused, killed, stuck or fails: what is said, and that all processes end in time.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2034,SC2154 # used and set there
set -euo pipefail
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"
export OMPI_MCA_mpi_yield_when_idle=1
program=$(cd "$1" && pwd)/tests/unit/watchdog_program
limit=10 # seconds from the failure, or from the stall, to the end

start() { # NAME RANKS WAY REPORT STALL: in the background, until each rank has done a step or two
    name=$1 log=$1.log
    timeout -k 1 60 mpirun -q --oversubscribe --bind-to none -np "$2" "$program" "$3" "$4" "$5" > "$log" 2>&1 &
    job=$!
    for _ in $(seq 100); do
        [ "$(grep -c 'is process' "$log")" = "$2" ] && break
        sleep 0.1
    done
    began=$SECONDS
}

process() { # RANK
    sed -n "s/^rank $1 is process //p" "$log"
}

running() { # ranks that are there, other than as zombies that nobody has collected yet
    ps -o pid=,stat= -p "$(sed -n 's/^rank [0-9]* is process //p' "$log" | paste -sd,)" | grep -v Z || true
}

ended() { # EXPECTED (0 or 1): the job's end, its exit code, that it was in time and left nothing behind
    local code=0 left
    wait "$job" || code=$?
    took=$((SECONDS - began))
    if [ "$1" = 0 ]; then
        [ "$code" = 0 ] || fail "exit code $code: $(cat "$log")"
    else
        [ "$code" != 0 ] && [ "$code" -lt 124 ] || [ "$code" = 137 ] || fail "exit code $code: $(cat "$log")"
        [ "$took" -le "$limit" ] || fail "took $took s"
    fi
    left=$(running)
    [ -z "$left" ] || sleep 1
    left=$(running)
    [ -z "$left" ] || fail "left behind: $left"
}

matches() { # PATTERN...: each in a line of the log
    local pattern
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$log" || fail "'$pattern' is not in: $(cat "$log")"
    done
}

host=$(hostname)

# A process that does not get on by its own, and one whose end hangs: beside the other cases, as they only wait.
start hang 1 hang 0 0
hang_job=$job hang_log=$log hang_began=$began

start paused 3 none 2 4
sleep 0.5
kill -STOP "$(process 1)"
ended 1
matches 'warning: no progress for 2 s: step [0-9]+ has been reached by ranks 0, 2 \(waiting for the others for 2 s\); nothing has been heard for [0-9]+ s of rank 1 on '"$host"', last at step [0-9]+ \(.*\): paused, ended or cut off' \
    "fatal on rank 0 of 3 \($host, .*\): no progress for 4 s at step [0-9]+ \(waiting for the others\), so the job is ended \(stall_timeout\); .*rank 1 on $host"
[ "$(grep -c 'warning: no progress' "$log")" -le 2 ] || fail "more than two reports: $(cat "$log")"

start paused_first 2 none 2 4
sleep 0.5
kill -STOP "$(process 0)"
ended 1
matches 'rank 1: warning: no progress for 2 s: step [0-9]+ has been reached by rank 1 .* of rank 0 on '"$host" \
    'fatal on rank 1 of 2'

start resumed 2 none 2 4
sleep 0.5
kill -STOP "$(process 0)"
sleep 3
kill -CONT "$(process 0)"
ended 0
matches 'rank 1: warning: no progress for 2 s'
grep -q fatal "$log" && fail "a job that went on was ended: $(cat "$log")"

start stuck 2 stuck 2 3
ended 1
matches 'warning: no progress for 2 s: .*rank 0 \(waiting for the others for . s\), rank 1 \(computing for 2 s\)' \
    'fatal on rank [01] of 2 .*no progress for 3 s at step 5'

start stuck_alone 1 stuck 1 2
ended 1
matches 'warning: no progress for 1 s: step 5 has been reached by rank 0 \(computing for 1 s\)' 'fatal on rank 0 of 1'

for way in fatal thread both kill two; do
    start $way 3 $way 0 0
    ended 1
    case $way in
    fatal) matches "fatal on rank 1 of 3 \($host, .*watchdog_program.c:[0-9]+\): failed on purpose$" ;;
    thread) matches 'fatal on rank 1 of 3 .*: failed on purpose on another thread$' ;;
    both) matches 'fatal on rank 1 of 3 .*: failed on purpose on (another|the main) thread$' ;;
    two) matches 'fatal on rank [01] of 3 .*: failed on purpose on rank [01]$' ;;
    esac
done

name=hang job=$hang_job log=$hang_log began=$hang_began
code=0
wait "$job" || code=$?
[ "$code" = 137 ] || fail "exit code $code: $(cat "$log")"
matches 'fatal on rank 0 of 1 .*: failed on purpose, with an end that hangs'

finish
