#!/bin/bash
# Jobs in which a rank is paused, killed, stuck or fails: what is said, and that all processes end in time.
# shellcheck disable=SC2317,SC2030,SC2031 # cases are called by name, each in a subshell
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2034,SC2154 # used and set there
set -euo pipefail
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"
export OMPI_MCA_mpi_yield_when_idle=1
program=$(cd "$1" && pwd)/tests/unit/watchdog_program
limit=10 # seconds from the failure, or from the stall, to the end

start() { # NAME RANKS WAY REPORT STALL: in the background, until all ranks have said which processes they are
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

paused() {
    start paused 3 none 2 4
    sleep 0.5
    kill -STOP "$(process 1)"
    ended 1
    matches 'warning: no progress for [23] s: step [0-9]+ has been reached by ranks 0, 2 \(waiting for the others for [23] s\); nothing has been heard for [0-9]+ s of rank 1 on '"$host"', last at step [0-9]+ \(.*\): paused, ended or cut off' \
        "fatal on rank 0 of 3 \($host, .*\): no progress for [4-6] s at step [0-9]+ \(waiting for the others\), so the job is ended \(stall_timeout\); .*rank 1 on $host"
    [ "$(grep -c 'warning: no progress' "$log")" -le 2 ] || fail "more than two reports: $(cat "$log")"
}

paused_first() {
    start paused_first 2 none 2 4
    sleep 0.5
    kill -STOP "$(process 0)"
    ended 1
    matches 'rank 1: warning: no progress for [23] s: step [0-9]+ has been reached by rank 1 .* of rank 0 on '"$host" \
        'fatal on rank 1 of 2'
}

resumed() { # three seconds of pause, within the time: it goes on, and ends well
    start resumed 2 none 2 5
    sleep 0.5
    kill -STOP "$(process 0)"
    sleep 3
    kill -CONT "$(process 0)"
    ended 0
    matches 'rank 1: warning: no progress for [23] s'
    ! grep -q fatal "$log" || fail "a job that went on was ended: $(cat "$log")"
}

suspended() { # all ranks at once, for longer than the time, as a batch system does
    start suspended 2 slow 2 2.5
    sleep 1 # now they are in the slow step, and are for a while after the pause
    kill -STOP "$(process 0)" "$(process 1)"
    sleep 4
    kill -CONT "$(process 0)" "$(process 1)"
    ended 0
    ! grep -qE 'fatal|warning' "$log" || fail "the pause was taken for a stall: $(cat "$log")"
}

stuck() { # one that still answers
    start stuck 2 stuck 2 3
    ended 1
    matches "warning: no progress for [23] s: .*rank 0 on $host \(waiting for the others for . s\), rank 1 on $host \(computing for [23] s\)" \
        'fatal on rank [01] of 2 .*no progress for [345] s at step 5'
    ! grep -qE 'rank 1: warning|nothing has been heard' "$log" || fail "both ranks still answered: $(cat "$log")"
}

stuck_alone() {
    start stuck_alone 1 stuck 1 2
    ended 1
    matches "warning: no progress for [12] s: step 5 has been reached by rank 0 on $host \(computing for [12] s\)" \
        'fatal on rank 0 of 1'
}

failing() {
    local way
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
}

hanging() { # what should end the process does not return: it is killed
    start hanging 1 hang 0 0
    ended 1
    matches 'fatal on rank 0 of 1 .*: failed on purpose, with an end that hangs'
}

without_mpirun() { # mpirun itself is stopped, so MPI_Abort can't end anything
    start without_mpirun 2 stuck 0 2
    local mpirun
    mpirun=$(pgrep -P "$job") # under timeout
    kill -STOP "$mpirun"
    for _ in $(seq 20); do
        [ -n "$(running)" ] || break
        sleep 0.5
    done
    [ -z "$(running)" ] || fail "still there after $((SECONDS - began)) s: $(running)"
    kill -CONT "$mpirun"
    began=$SECONDS
    ended 1
}

together() { # CASE...: side by side, as they mostly wait
    local one jobs=()
    for one in "$@"; do
        (
            failures=0
            "$one"
            exit "$failures"
        ) &
        jobs+=($!)
    done
    for one in "${jobs[@]}"; do
        wait "$one" || failures=$((failures + 1))
    done
}

together without_mpirun hanging stuck paused
together paused_first resumed suspended stuck_alone
failing
finish
