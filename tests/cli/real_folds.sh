#!/bin/bash
# Real cases in six encodings, from the tree to a report: five folds of a small configuration on two ranks.
source "$(dirname "$0")/train_common.sh"
real=$here/../../../shared/data/real_cases
[ -d "$real" ] || { echo "skipped: the real cases are not there"; exit 77; }
"$bin/cmus-pack" "$real" --out data --size 64 > log 2>&1 && "$bin/cmus-split" data --folds 5 --seed 1 >> log 2>&1 ||
    { cat log; fail "packing"; finish; }
cat > small.yaml << END
embed_dim: 8
depths: [2, 2, 2, 2]
heads: [1, 1, 2, 4]
image_size: 64
classes: [nonGS, GS]
fusion_hidden: 16
head_relu: false
epochs: 3
lr: 3e-4
memory_gib: 1
END
for fold in 0 1 2 3 4; do
    OMP_NUM_THREADS=1 train 2 small.yaml --data data --fold $fold --out run > log 2>&1 || { cat log; fail "fold $fold"; }
done
"$bin/cmus-report" run --out report > log 2>&1 || { cat log; fail "report"; finish; }
cat log
[ "$(cat run/fold-*/predictions.csv | grep -vc '^case_id')" = 48 ] || fail "not every case was predicted once"
python3 - << 'END' || fail "summary.json"
import json
summary = json.load(open("report/summary.json"))
run = summary["runs"][0]
assert (run["cases"], run["patients"], run["folds_used"]) == (48, 28, 5), run
END
[ -s report/report.html ] || fail "no page"
finish
