#!/bin/bash
# The same training under 1, 2 and 4 ranks; the same bits from the same number of ranks; the files of a finished fold.
# batch 3 on 4 ranks: one rank has no case; 16 training cases: the last batch of an epoch has 1.
source "$(dirname "$0")/train_common.sh"
make_data 24

for ranks in 1 2 4; do
    train $ranks tiny.yaml --data data --fold 0 --out run$ranks > log 2>&1 || { cat log; fail "$ranks ranks"; }
done

compare() { # A B: the first 20 updates' losses agree
    awk -F, 'NR == FNR { loss[FNR] = $3; next }
        FNR > 1 && FNR <= 21 { d = $3 / loss[FNR] - 1; if (d < 0) d = -d; if (d > worst) worst = d; rows++ }
        END { printf "%d updates, worst relative difference %g\n", rows, worst; exit !(rows == 20 && worst < 1e-4) }' \
        "$1/fold-0/steps.csv" "$2/fold-0/steps.csv"
}
compare run1 run2 || fail "1 and 2 ranks differ"
compare run1 run4 || fail "1 and 4 ranks differ"

# What is written beside changes no result.
for ranks in 2 4; do
    train $ranks tiny.yaml save_features=true tensorboard=false --data data --fold 0 --out again$ranks > log 2>&1 || { cat log; fail "$ranks ranks again"; }
    [ "$(weights_of run$ranks)" = "$(weights_of again$ranks)" ] || fail "$ranks ranks: two runs differ in the weights"
    cut -d, -f1-4 run$ranks/fold-0/steps.csv | cmp -s - <(cut -d, -f1-4 again$ranks/fold-0/steps.csv) ||
        fail "$ranks ranks: two runs differ in steps.csv"
    cmp -s run$ranks/fold-0/predictions.csv again$ranks/fold-0/predictions.csv ||
        fail "$ranks ranks: two runs differ in predictions.csv"
done

# The files of the fold.
fold=run2/fold-0
(cd $fold && sha256sum --quiet -c MANIFEST.sha256) || fail "the fold's manifest"
(cd $fold/final && sha256sum --quiet -c MANIFEST.sha256) || fail "the manifest of the final weights"
[ "$(head -1 $fold/train.csv)" = "epoch,lr,train_loss,train_loss_fusion,train_loss_om,train_loss_im,train_loss_tem,train_accuracy,val_loss,val_loss_fusion,val_loss_om,val_loss_im,val_loss_tem,val_accuracy,train_mean_distance,val_mean_distance,seconds" ] ||
    fail "header of train.csv"
[ "$(wc -l < $fold/train.csv)" = 6 ] || fail "rows of train.csv"
[ "$(head -1 $fold/steps.csv)" = "step,epoch,loss,gradient_norm,seconds,data_seconds,skipped" ] || fail "header of steps.csv"
awk -F, 'NR > 1 && (NF != 7 || $7 != 0 || $6 < 0 || $6 > $5) { exit 1 }' $fold/steps.csv || fail "data_seconds are not among the seconds"
[ "$(wc -l < $fold/steps.csv)" = 31 ] || fail "rows of steps.csv" # 5 epochs of 6 updates
head -1 $fold/predictions.csv | grep -q '^case_id,patient_id,label,prob_IgAN,.*,prob_om_.*,prob_im_.*,prob_tem_.*,tem_weight,tem_distance,tem_kept,mean_distance$' ||
    fail "header of predictions.csv"
held_out=$(awk -F, 'NR > 1 && $5 == 0 { print $1 }' data/splits.csv | sort)
[ "$(tail -n +2 $fold/predictions.csv | cut -d, -f1 | sort)" = "$held_out" ] || fail "predictions.csv is not of the held-out cases"
grep -q '"fold_complete": true' $fold/run.json || fail "run.json is not complete"
grep -q '"products": "float32"' $fold/run.json || fail "run.json does not say what the products were computed in"
grep -q '"energy_joules": [0-9n]' $fold/run.json || fail "run.json says nothing of energy"
awk -F, 'NR == FNR { if (FNR > 1) { sum += $NF; cases++ } next }
    { row = $16 } END { d = row - sum / cases; exit !(cases == 8 && sum > 0 && d * d < 1e-12) }' $fold/predictions.csv $fold/train.csv ||
    fail "val_mean_distance is not the mean of the predictions' mean distances"
for run in run1 run2 run4; do
    python3 "$here/events_check.py" $run/fold-0 1 > log 2>&1 || { cat log; fail "$run: event files"; }
done
for run in again2 again4; do
    python3 "$here/features_check.py" $run/fold-0 > log 2>&1 || { cat log; fail "$run: features"; }
    ls $run/fold-0/events.* > /dev/null 2>&1 && fail "$run: event files in spite of tensorboard=false"
done
find run2 -name '*.tmp' -o -name 'last.*' | grep . && fail "leftovers"

# The timeline: what every thread of both ranks did; and where the time went, once an epoch.
train 2 tiny.yaml epochs=2 trace=trace.json --data data --fold 0 --out traced > log 2>&1 || { cat log; fail "a run with a timeline"; }
[ "$(grep -c 'time: compute .* waiting .* communication .* hidden, loading' log)" = 2 ] || { cat log; fail "where the time went is not said"; }
python3 - << 'END' || fail "the timeline"
import json
events = json.load(open("trace.json"))["traceEvents"]
spans = [e for e in events if e["ph"] == "X"]
threads = {(e["pid"], e["args"]["name"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
assert threads == {(rank, name) for rank in (0, 1) for name in ("computation", "communication", "loading")}, threads
for name in ("images", "cases", "images backward", "optimizer", "reduce bucket", "spread bucket", "load images", "exchange maps",
             "wait for ranks"):
    assert {e["pid"] for e in spans if e["name"] == name} == {0, 1}, name
assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in spans)
for rank in (0, 1): # between its first and its last update the computation's time is accounted for, but for crumbs and files
    own = sorted((e["ts"], e["ts"] + e["dur"]) for e in spans if e["pid"] == rank and
                 e["tid"] == next(m["tid"] for m in events if m["ph"] == "M" and m["pid"] == rank and m["args"].get("name") == "computation"))
    steps = [e for e in spans if e["pid"] == rank and e["name"] == "optimizer"][:6]
    begin, end, covered, at = steps[0]["ts"], steps[-1]["ts"], 0, steps[0]["ts"]
    for first, last in own:
        covered += max(0, min(last, end) - max(first, at))
        at = max(at, min(last, end))
    assert covered > 0.8 * (end - begin), (rank, covered / (end - begin))
END

# The resolved configuration is a configuration with the same result.
train 2 $fold/config.yaml --data data --fold 0 --out same > log 2>&1 || { cat log; fail "resolved configuration"; }
[ "$(weights_of run2)" = "$(weights_of same)" ] || fail "the resolved configuration trains something else"

# Weights as a start: another number of epochs from the trained weights; all tensors are taken.
train 1 tiny.yaml epochs=1 --data data --fold 0 --out init --init $fold/final/weights.safetensors > log 2>&1 ||
    { cat log; fail "--init"; }
grep -q "372 tensors" log || fail "--init did not take all tensors"
awk -F, -v first="$(awk -F, 'NR == 2 { print $3 }' $fold/train.csv)" 'NR == 2 { exit !($3 < first) }' init/fold-0/train.csv ||
    fail "--init does not start from the trained weights"

# eval_every and max_updates.
train 1 tiny.yaml eval_every=2 epochs=3 max_updates=8 --data data --fold 1 --out short > log 2>&1 || { cat log; fail "max_updates"; }
[ "$(wc -l < short/fold-1/steps.csv)" = 9 ] || fail "max_updates=8 made another number of updates"
sed -n 2p short/fold-1/train.csv | grep -q ',,,,,,' || fail "eval_every=2 evaluated the first epoch"

finish
