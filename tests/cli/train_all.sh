#!/bin/bash
# cmus-train --fold all: every case but those kept apart, no held-out fold; ranks, resuming, the lock, --check; cmus-report
# and cv-status.sh beside it.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
export OMP_NUM_THREADS=1
make_data 24
rm data/splits.csv
"$bin/cmus-split" data --folds 2 --holdout 0.2 --seed 1 > log 2>&1 || { cat log; fail "splits with cases kept apart"; }
kept_apart=$(grep -c ',holdout$' data/splits.csv)
cases=$(($(wc -l < data/splits.csv) - 1 - kept_apart))
[ "$kept_apart" -gt 0 ] || fail "no case is kept apart, and nothing is tested"
sed -i "s/^epochs: .*/epochs: 3/" tiny.yaml
settings=(tiny.yaml allreduce_order=fixed --data data --fold all)
final='fold-all/final/weights.safetensors'

name="one rank"
train 1 "${settings[@]}" save_features=true --out run > log 2>&1 || { cat log; fail "exit code $?"; }
contains log "fold all of 2: $cases training cases, none is held out" "trained on all $cases cases"
[ "$(cd run/fold-all && find . -maxdepth 1 -type f -printf '%f\n' | grep -v '^events' | sort | tr '\n' ' ')" = \
    "MANIFEST.sha256 config.yaml run.json steps.csv train.csv " ] || fail "files: $(ls run/fold-all)"
(cd run/fold-all && sha256sum -c MANIFEST.sha256 > /dev/null) || fail "the manifest"
[ -e run/fold-all.lock ] && fail "the lock is left behind"
contains run/fold-all/run.json '"fold": "all"' '"held_out_cases": 0' "\"training_cases\": $cases" '"fold_complete": true'
updates=$((3 * ((cases + 2) / 3)))
[ "$(wc -l < run/fold-all/steps.csv)" = $((updates + 1)) ] || fail "not $updates updates"
awk -F, 'NR > 1 && ($8 == "" || $9 $14 $16 != "") { exit 1 }' run/fold-all/train.csv || fail "train.csv: $(cat run/fold-all/train.csv)"

name="two ranks"
train 2 "${settings[@]}" --out two > log 2>&1 || { cat log; fail "exit code $?"; }
cmp run/$final two/$final || fail "other weights than one rank"

name="stopped and resumed"
start_and_wait() { # ARGUMENTS...: until two updates are done
    rm -rf stopped
    start_train 2 "${settings[@]}" --out stopped "$@" > log 2>&1
    for ((i = 0; i < 3000; i++)); do
        [ -f stopped/fold-all/steps.csv ] && [ "$(wc -l < stopped/fold-all/steps.csv)" -gt 2 ] && break
        kill -0 "$job" 2> /dev/null || break
        sleep 0.01
    done
}
stop() {
    kill -USR1 "$job"
    wait "$job"
    local code=$?
    [ $code = 75 ] || fail "exit code $code of the stopped one: $(tail -3 log)"
}
start_and_wait epochs=1000
train 1 "${settings[@]}" epochs=1000 --out stopped --resume > second 2>&1 && fail "two jobs on it"
contains second "stopped/fold-all: host "
stop
start_and_wait
stop
contains stopped/fold-all/last/state.json '"fold": "all"'
train 1 "${settings[@]}" --out stopped --resume > log 2>&1 || { cat log; fail "resume"; }
contains log "resumed from stopped/fold-all/last"
cmp run/$final stopped/$final || fail "other weights than undisturbed"
train 1 "${settings[@]}" --out stopped --resume > log 2>&1 || fail "resume of a finished one"
contains log "is finished already"
cp -r stopped/fold-all stopped/fold-0 # another fold's folder
train 1 tiny.yaml allreduce_order=fixed --data data --fold 0 --out stopped --resume > log 2>&1 && fail "taken for fold 0"
contains log "the fold is all of repeat 0 there, 0 of repeat 0 here"

name="--check and wrong use"
"$bin/cmus-train" "${settings[@]}" --out new --check > check.txt 2> log || { cat log; fail "--check"; }
contains check.txt "folds: 2" "updates_per_epoch: $(((cases + 2) / 3))"
[ -e new ] && fail "--check writes"
"$bin/cmus-train" "${settings[@]}" --repeat 1 --out new > log 2>&1
[ $? = 2 ] || fail "--repeat 1 is no wrong use"
"$bin/cmus-train" tiny.yaml --data data --fold none --out new > log 2>&1
[ $? = 2 ] || fail "--fold none is no wrong use"
"$bin/cmus-train" tiny.yaml --data data --out new > log 2>&1
[ $? = 2 ] || fail "--fold may be left out"

name="the report"
"$bin/cmus-report" run --out report > log 2>&1 && fail "a report without folds"
contains log "fold-all was trained on every case"
for fold in 0 1; do
    train 1 tiny.yaml epochs=1 --data data --fold $fold --out run > log 2>&1 || { cat log; fail "fold $fold"; }
done
"$bin/cmus-report" run --out report > log 2>&1 || { cat log; fail "exit code $?"; }
contains log "run/fold-all is left out" "run: 2 folds"

name="cv-status.sh"
touch run/config.yaml # what run-local.sh would have made
cat > run/job.conf << 'END'
folds=2 repeats=1 epochs=1 updates_per_epoch=1 grid_folder=
END
"$here/../../jobs/cv-status.sh" run > status 2>&1 || { cat status; fail "exit code $?"; }
grep -Eq '^all +finished +3/3 +[0-9.]+ +- ' status || fail "$(cat status)"
rm run/fold-all/MANIFEST.sha256
touch -d '1 hour ago' run/fold-all.lock
"$here/../../jobs/cv-status.sh" run > status 2>&1
grep -Eq '^all +stopped .*--resume' status || fail "$(cat status)"

finish
