#!/bin/bash
# Killed by SIGKILL in the middle of epochs and resumed, again and again: the same weights as undisturbed, bit for bit.
source "$(dirname "$0")/train_common.sh"
make_data 24
settings="tiny.yaml epochs=8 embed_dim=16"

# shellcheck disable=SC2086
train 2 $settings --data data --fold 0 --out whole > log 2>&1 || { cat log; fail "undisturbed run"; }

updates() {
    [ -f killed/fold-0/steps.csv ] && wc -l < killed/fold-0/steps.csv || echo 0
}

kill_after() { # UPDATES: starts or resumes and kills mpirun and all ranks as soon as there are so many rows
    # shellcheck disable=SC2086
    start_train 2 $settings --data data --fold 0 --out killed --resume > log 2>&1
    for _ in $(seq 2000); do
        [ "$(updates)" -gt "$1" ] && break
        kill -0 $job 2> /dev/null || break
        sleep 0.01
    done
    # shellcheck disable=SC2046
    kill -9 $(pgrep -P $job) $job 2> /dev/null
    wait $job 2> /dev/null
    [ "$(updates)" -gt "$1" ] || { cat log; fail "update $1 was not reached"; }
    [ -f killed/fold-0/MANIFEST.sha256 ] && fail "the kill after update $1 came too late"
}

# 6 updates an epoch: in the first epoch, right after a checkpoint began, in the middle of later epochs.
for after in 2 8 12 13 23 33; do
    kill_after $after
done
# shellcheck disable=SC2086
train 2 $settings --data data --fold 0 --out killed --resume > log 2>&1 || { cat log; fail "the last resume"; }
grep -q "resumed from killed/fold-0/last after epoch" log || fail "it does not say from where it resumed"
[ "$(weights_of whole)" = "$(weights_of killed)" ] || fail "the weights differ from the undisturbed run's"
for table in steps.csv train.csv; do
    columns=1-4
    [ $table = train.csv ] && columns=1-16
    cut -d, -f$columns whole/fold-0/$table | cmp -s - <(cut -d, -f$columns killed/fold-0/$table) || fail "$table differs"
done
python3 "$here/events_check.py" killed/fold-0 7 > log 2>&1 || { cat log; fail "event files of seven starts"; }
cmp -s whole/fold-0/predictions.csv killed/fold-0/predictions.csv || fail "predictions.csv differs"
find killed -name '*.tmp' -o -name 'last.*' | grep . && fail "leftovers"

# shellcheck disable=SC2086
train 2 $settings --data data --fold 0 --out killed --resume > log 2>&1 || fail "--resume on a finished fold"
grep -q "is finished already" log || fail "--resume on a finished fold does not say so"

finish
