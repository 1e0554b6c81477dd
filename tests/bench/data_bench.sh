#!/bin/bash
# data_bench on a small network: what it prints, wrong usage, no data. Says nothing of speed.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/../cli/train_common.sh"
make_data 9

"$bin/data_bench" 6 data tiny.yaml > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
contains bench.txt "6 updates of 3 cases" "images in memory" "images from shards" "of which waited" "median of pairs" "loading alone"
awk '/^ratio/ { exit !($2 > 0.1 && $2 < 10) }' bench.txt || fail "the ratio: $(cat bench.txt)"

"$bin/data_bench" 2 data tiny.yaml > usage.txt 2>&1
[ $? = 2 ] || fail "exit code of too few updates"
contains usage.txt "usage: data_bench UPDATES DATA CONFIG"
"$bin/data_bench" 6 nowhere tiny.yaml > nowhere.txt 2>&1
[ $? = 1 ] || fail "exit code without a data set"
contains nowhere.txt "nowhere/dataset.json"

finish
