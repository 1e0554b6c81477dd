#!/bin/bash
# exchange_bench on a small network and 2 ranks: what it prints and writes, wrong usage, bags that are too large. Says nothing of
# speed.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/../cli/train_common.sh"
make_data 9 --bag 2,2
printf 'max_tem: 2\nbucket_mb: 1\n' >> tiny.yaml

column() { # FILE ROW NAME: of a table
    awk -F, -v row="$2" -v name="$3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR == row + 1 { print $at }' "$1"
}

equal() { # WHAT GOT WANTED: numbers
    awk -v got="$2" -v wanted="$3" 'BEGIN { exit !(got == wanted && wanted != "") }' || fail "$1: '$2', not '$3'"
}

name="2 ranks"
mpi_run 2 "$bin/exchange_bench" 4 data tiny.yaml --csv rows.csv --link memory > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
contains bench.txt "2 ranks x 1 thread" "link: memory" "4 pairs of updates of 3 cases" "(a) with communication, s" "(b) without, s" \
    "(a) / (b), median of pairs" "backward in (b), s" "waited for weights, s" "share of it hidden" "peak memory"
awk '/^\(a\) \/ \(b\)/ { found = $NF > 0.05 && $NF < 50 } END { exit !found }' bench.txt || fail "the ratio: $(cat bench.txt)"
parameters=$(column rows.csv 1 parameters)
equal "images" "$(column rows.csv 1 images)" 12
# A rank sends the half that it does not own, and its own half as weights.
equal "bytes" "$(awk -v a="$(column rows.csv 1 sum_bytes)" -v b="$(column rows.csv 1 spread_bytes)" 'BEGIN { print a + b }')" \
    "$((parameters * 4))"
equal "bytes sent" "$(column rows.csv 1 sent_bytes)" "$((parameters * 4))"

name="1 rank"
mpi_run 1 "$bin/exchange_bench" 4 data tiny.yaml --csv rows.csv > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
equal "lines of the table" "$(wc -l < rows.csv)" 3
equal "ranks" "$(column rows.csv 2 ranks)" 1
equal "bytes sent" "$(column rows.csv 2 sent_bytes)" 0

for keys in --in-step allreduce_order=fixed "allreduce_precision=bf16 shard_optimizer=false" memory_gib=0.258; do
    name=$keys
    read -ra list <<< "$keys"
    mpi_run 2 "$bin/exchange_bench" 3 data tiny.yaml "${list[@]}" --csv keys.csv > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
done
[ "$(column keys.csv 4 waves)" -ge 2 ] || fail "all cases of an update in one wave"

name="wrong usage"
mpi_run 2 "$bin/exchange_bench" 2 data tiny.yaml > usage.txt 2>&1
[ $? = 2 ] || fail "exit code of too few updates"
contains usage.txt "usage: mpirun -np N exchange_bench UPDATES DATA CONFIG"
[ "$(grep -c usage: usage.txt)" = 1 ] || fail "said more than once"
"$bin/exchange_bench" 3 data tiny.yaml --csv > usage.txt 2>&1
[ $? = 2 ] || fail "exit code of --csv without a file"
"$bin/exchange_bench" 3 data tiny.yaml max_tem=3 > bags.txt 2>&1
[ $? = 1 ] || fail "exit code with bags of 3"
contains bags.txt "max_tem is 3" "give max_tem=2"
"$bin/exchange_bench" 3 nowhere tiny.yaml > nowhere.txt 2>&1
[ $? = 1 ] || fail "exit code without a data set"
contains nowhere.txt "nowhere/dataset.json"
"$bin/exchange_bench" 3 data tiny.yaml --csv nowhere/rows.csv > nowhere.txt 2>&1
[ $? = 1 ] || fail "exit code without a folder for the table"
contains nowhere.txt "nowhere/rows.csv"

finish
