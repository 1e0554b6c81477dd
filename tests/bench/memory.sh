#!/bin/bash
# The full network within 6.5 GiB a rank, everything included: 4 cases with 10 TEM images each, and a bag of 40. One rank with
# two threads, no files: minutes, and 7 GiB.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
memory=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
[ "$memory" -ge 8 ] || { echo "skipped: needs 8 GiB of free memory, there are $memory"; exit 77; }
most=6.5

trains() { # CASES TEM: in at most that memory
    name="$1 cases of $2 TEM images"
    "$bin/step_bench" "$here/../../configs/cmusnet.yaml" memory_gib=$most --batch "$1" --tem "$2" --steps 3 > out.txt 2> log ||
        { cat log; fail "exit code $?"; return; }
    peak=$(sed -n 's/^peak memory *\([0-9.]*\) GiB$/\1/p' out.txt)
    echo "$name: $peak GiB"
    grep -E '^(needed for|done once more|all )|mean loss' out.txt
    awk -v peak="$peak" -v most=$most 'BEGIN { exit !(peak > 4.9 && peak <= most) }' || fail "the rank took $peak GiB, not at most $most"
}
trains 4 10
trains 1 40
finish
