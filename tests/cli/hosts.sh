#!/bin/bash
# Two hosts made of network namespaces: a unit test across them, the rate of the link, a cut, and that nothing stays.
# shellcheck source=tests/cli/common.sh
build=$(cd "$1" && pwd)
. "$(dirname "$0")/common.sh"
hosts=$here/../bench/hosts.sh
export OMP_NUM_THREADS=1

skip() {
    echo "SKIPPED: $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
command -v tc > /dev/null || skip "no ip and tc (package iproute2)"
"$hosts" list > before.txt 2>&1 || skip "no network namespaces: $(cat before.txt)"
[ ! -s before.txt ] || skip "somebody has hosts up: $(tr '\n' ' ' < before.txt)"
ip -brief link | awk '{ print $1 }' > links.txt
"$hosts" up 2 --rate 200mbit > up.txt 2>&1 || skip "hosts can't be made here: $(cat up.txt)"
trap '"$hosts" down; rm -rf "$scratch"' EXIT

name=names
timeout 60 "$hosts" run 2 hostname > names.txt 2> log || fail "exit code $?: $(cat log)"
[ "$(sort names.txt | paste -sd ' ')" = "h1 h2" ] || fail "ranks ran on $(cat names.txt)"

name="unit test"
timeout 120 "$hosts" run 2 "$build/tests/unit/test_dist" > dist.txt 2>&1 || fail "exit code $?: $(cat dist.txt)"
contains dist.txt "messages reach their peer ...passed"

name=rate # each rank sends and receives at least the 5 MB: 0.2 s
timeout 60 "$hosts" run 2 "$bin/allreduce_bench" 5 3 > rate.txt 2> log || fail "exit code $?: $(cat log)"
awk '/^ranks 2/ { found = $8 } END { exit !(found > 0.19 && found < 2) }' rate.txt || fail "$(cat rate.txt)"

name="cut link"
timeout 100 "$hosts" run 2 "$bin/allreduce_bench" 0.1 300 > cut.txt 2> log &
job=$!
sleep 0.7
{ "$hosts" cut h2 && "$hosts" cut h2; } || fail "h2 can't be cut twice"
sleep 4 # uncut it would have ended by now
{ [ ! -s cut.txt ] && kill -0 $job; } || fail "the job went on: $(cat cut.txt)"
{ "$hosts" mend h2 && "$hosts" mend h2; } || fail "h2 can't be mended twice"
wait $job || fail "exit code $? after mending: $(cat log)"
contains cut.txt "ranks 2"
"$hosts" cut h3 2> log && fail "a host that is not there was cut"
contains log "there is no host h3"

name="a training on a cut link"
{ "$bin/cmus-phantom" --cases 6 --size 64 --seed 3 phantom && "$bin/cmus-pack" phantom/cases --out data --size 64 &&
    "$bin/cmus-split" data --folds 2 --seed 1; } > log 2>&1 || fail "no data set: $(cat log)"
printf 'embed_dim: 8\ndepths: [2, 2, 2, 2]\nheads: [1, 2, 4, 8]\nimage_size: 64\nfusion_hidden: 16\nmemory_gib: 1\nepochs: 100000\n' > tiny.yaml
export OMPI_MCA_oob_tcp_keepalive_time=2 OMPI_MCA_oob_tcp_keepalive_intvl=1 OMPI_MCA_oob_tcp_keepalive_probes=2
timeout 120 "$hosts" run 2 "$bin/cmus-train" tiny.yaml stall_report=2 stall_timeout=12 --data data --fold 0 --out run > log 2>&1 &
job=$!
for _ in $(seq 100); do
    [ -f run/fold-0/steps.csv ] && [ "$(wc -l < run/fold-0/steps.csv)" -gt 10 ] && break
    sleep 0.3
done
[ "$(ip netns pids cmus-h2 | wc -l)" -gt 0 ] || fail "no rank on h2: $(cat log)"
"$hosts" cut h2
began=$SECONDS
wait $job && fail "a training on a cut link ended well"
ranks() { # still there on both hosts; Open MPI's own daemon on a host that was cut off may wait for longer
    { ip netns pids cmus-h1; ip netns pids cmus-h2; } | xargs -r ps -o comm= -p | grep -c cmus-train
}
while [ "$(ranks)" != 0 ]; do
    [ $((SECONDS - began)) -lt 40 ] || break
    sleep 0.2
done
took=$((SECONDS - began))
[ $took -le 22 ] || fail "ranks on a cut link ended after $took s; stall_timeout and 10 s are 22: $(cat log)"
contains log "no progress for"
"$hosts" mend h2

name=down
timeout 30 "$hosts" run 2 sleep 1000 > log 2>&1 &
sleep 1
processes=$(ip netns pids cmus-h1; ip netns pids cmus-h2)
[ -n "$processes" ] || fail "no job to end"
"$hosts" down || fail "exit code $?"
"$hosts" down || fail "exit code $? the second time"
for process in $processes; do
    state=$(awk '/^State/ { print $2 }' "/proc/$process/status" 2> /dev/null)
    [[ -z $state || $state == Z ]] || fail "process $process is still there" # a zombie has no more than its number
done
wait
[ -z "$("$hosts" list)" ] || fail "hosts are left: $("$hosts" list)"
! ip netns list | grep cmus- || fail "namespaces are left"
[ -z "$(compgen -G '/etc/netns/cmus-*')" ] || fail "files in /etc/netns are left"
[ ! -e /run/cmus-hosts ] || fail "/run/cmus-hosts is left"
ip -brief link | awk '{ print $1 }' | diff links.txt - || fail "the machine's own network changed"

name=usage
for wrong in "up 0" "up 2 --rate fast" "up 2 --rate" "run 2" "cut" "cut eth0" "nothing"; do
    # shellcheck disable=SC2086 # words
    "$hosts" $wrong > log 2>&1
    code=$?
    [ $code = 2 ] || fail "'$wrong': exit code $code: $(cat log)"
done
"$hosts" run 2 hostname > log 2>&1
[ $? = 1 ] || fail "a run without hosts"
contains log "hosts.sh up N comes first"

finish
