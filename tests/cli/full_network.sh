#!/bin/bash
# The full network (265 M parameters, 224 px, up to 10 TEM images) on real cases, two ranks: 20 updates on one fixed batch
# of four cases, all random choices off, halve the loss, and no rank needs more than 10 GiB. Needs 20 GiB and some minutes.
source "$(dirname "$0")/train_common.sh"
real=$here/../../../shared/data/real_cases
[ -d "$real" ] || { echo "skipped: the real cases are not there"; exit 77; }
memory=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
[ "$memory" -ge 20 ] || { echo "skipped: needs 20 GiB of free memory, there are $memory"; exit 77; }
configuration=$here/../../configs/cmusnet.yaml

# Four training and four held-out cases of different patients: the batch of four is the whole training set.
for case in GS/SAS-21915-001 GS/SESCAM-3-0 GS/VUHSK-1352 GS/SESCAM-9-0 nonGS/SAS-21942-001 nonGS/SESCAM-4-0 \
    nonGS/SAS-21904-001 nonGS/VUHSK-1762; do
    mkdir -p "cases/${case%/*}" && cp -r "$real/$case" "cases/$case"
done
"$bin/cmus-pack" cases --out data > log 2>&1 && "$bin/cmus-split" data --folds 2 --seed 1 >> log 2>&1 ||
    { cat log; fail "packing"; finish; }

train 2 "$configuration" max_updates=20 epochs=20 drop_path=0 dropout=0 flip_horizontal=false flip_vertical=false \
    lr_min=5e-5 eval_every=0 --data data --fold 0 --out run > log 2>&1 || { cat log; fail "training"; finish; }
grep -q "warning: .*ImageNet" log || fail "no warning that --init is missing"
cut -d, -f1,3- run/fold-0/steps.csv
grep "GiB" log
awk -F, 'NR == 2 { first = $3 } NR > 1 { last = $3; rows++ }
    END { printf "%d updates: loss %.4f to %.4f\n", rows, first, last; exit !(rows == 20 && last <= first / 2) }' \
    run/fold-0/steps.csv || fail "20 updates on a fixed batch do not halve the loss"
peak=$(sed -n 's/.*largest rank took \([0-9.]*\) GiB.*/\1/p' log)
awk -v peak="$peak" 'BEGIN { exit !(peak > 0 && peak <= 10) }' || fail "a rank needed $peak GiB"
finish
