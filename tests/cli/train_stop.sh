#!/bin/bash
# Stopped by a signal in the middle of epochs, again and again: a checkpoint, exit code 75, and after --resume the same tables and bytes as undisturbed. --check, and the folders of repeats.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
export OMP_NUM_THREADS=1
make_data 24
settings=(tiny.yaml epochs=8 embed_dim=16 --data data --fold 0)

train 2 "${settings[@]}" --out whole > log 2>&1 || { cat log; fail "undisturbed run"; }

rows() { # TABLE: its rows so far
    { cat "stopped/fold-0/$1" 2> /dev/null || echo; } | tail -n +2 | wc -l
}

stop_after() { # SIGNAL UPDATES: starts or resumes, and asks to stop when there are so many rows more
    local wanted=$(($(rows steps.csv) + $2))
    start_train 2 "${settings[@]}" --out stopped --resume > log 2>&1
    for _ in $(seq 2000); do
        [ "$(rows steps.csv)" -ge $wanted ] && break
        kill -0 "$job" 2> /dev/null || break
        sleep 0.01
    done
    if [ "$1" = TERM ]; then # mpirun would end its ranks: one rank is told
        kill -TERM "$(pgrep -P "$job" | tail -1)"
    else
        kill "-$1" "$job"
    fi
    wait "$job"
    local code=$?
    [ $code = 75 ] || { cat log; fail "stopped by $1 after update $wanted: exit code $code"; }
}

# 6 updates an epoch.
for more in 2 7 1 4; do
    stop_after USR1 $more
    updates=$(rows steps.csv)
    contains log "stopped by SIGUSR1 after update $updates: stopped/fold-0/last holds all of it, --resume goes on"
    grep -q "\"step\": $updates,\$" stopped/fold-0/last/state.json || fail "the checkpoint is not of update $updates"
    [ "$(rows train.csv)" = $((updates / 6)) ] || [ $((updates % 6)) = 0 ] ||
        fail "update $updates: $(rows train.csv) rows in train.csv"
    [ $more != 2 ] || [ $((updates % 6)) != 0 ] || fail "it was not stopped in the middle of an epoch: update $updates"
done
stop_after TERM 1
contains log "stopped by SIGTERM after update"
train 2 "${settings[@]}" --out stopped --resume > log 2>&1 || { cat log; fail "the last resume"; }
[ "$(weights_of whole)" = "$(weights_of stopped)" ] || fail "the weights differ from the undisturbed run's"
cmp -s whole/fold-0/predictions.csv stopped/fold-0/predictions.csv || fail "predictions.csv differs"
cmp -s <(cut -d, -f1-4,7 whole/fold-0/steps.csv) <(cut -d, -f1-4,7 stopped/fold-0/steps.csv) || fail "steps.csv differs"
cmp -s <(cut -d, -f1-16 whole/fold-0/train.csv) <(cut -d, -f1-16 stopped/fold-0/train.csv) || fail "train.csv differs"
python3 "$here/events_check.py" stopped/fold-0 6 > events.txt 2>&1 || { cat events.txt; fail "event files of six starts"; }

# run.json: from the first start to the end, stops included.
for run in whole stopped; do
    python3 - $run/fold-0 << 'END' || fail "run.json of $run: from when to when"
import csv, datetime, json, sys
record = json.load(open(sys.argv[1] + "/run.json"))
took = datetime.datetime.fromisoformat(record["ended"][:-1]) - datetime.datetime.fromisoformat(record["started"][:-1])
trained = sum(float(row["seconds"]) for row in csv.DictReader(open(sys.argv[1] + "/train.csv")))
print(took, trained)
sys.exit(not 0 < trained - 1 < took.total_seconds() < 600)
END
done

# Two jobs on one fold: the second is told who is at work; what a killed one has left is no obstacle.
long=(tiny.yaml epochs=1000 --data data --out locked)
first_row() { # until the run "locked" has one
    for _ in $(seq 2000); do
        [ -f locked/fold-0/steps.csv ] && [ "$(wc -l < locked/fold-0/steps.csv)" -gt 1 ] && break
        kill -0 "$job" 2> /dev/null || break
        sleep 0.01
    done
}
start_train 2 "${long[@]}" --fold 0 > log 2>&1
first_row
train 1 "${long[@]}" --fold 0 --resume > second 2>&1 && fail "two jobs on one fold"
contains second "locked/fold-0: host $(hostname), process "
kill -0 "$job" || fail "the first of two jobs ended"
train 1 tiny.yaml epochs=1 --data data --out locked --fold 1 > second 2>&1 || fail "another fold of the same run: $(cat second)"
# shellcheck disable=SC2046
kill -9 $(pgrep -P "$job") "$job"
wait "$job" 2> /dev/null
[ -f locked/fold-0.lock ] || fail "there is no lock that a killed job left"
start_train 2 "${long[@]}" --fold 0 --resume > log 2>&1
sleep 1
first_row
kill -USR1 "$job"
wait "$job"
contains log "taken over from" "stopped by SIGUSR1"
[ -e locked/fold-0.lock ] && fail "the lock is left behind"

# What a submitting script asks before it submits.
"$bin/cmus-train" "${settings[@]}" --out new --check > check.txt 2> log || { cat log; fail "--check"; }
cmp -s <(cut -d: -f1 check.txt | tr '\n' ' ') <(printf 'folds repeats epochs updates_per_epoch disk_bytes memory_bytes ') ||
    fail "--check prints $(cat check.txt)"
[ "$(sed -n 's/^folds: //p;s/^updates_per_epoch: //p' check.txt | tr '\n' ' ')" = "3 6 " ] || fail "--check: wrong sizes"
[ -e new ] && fail "--check writes"
disk=$(sed -n 's/^disk_bytes: //p' check.txt)
[ "$(du -sb whole/fold-0 | cut -f1)" -lt "$disk" ] || fail "a fold takes more than --check said"
"$bin/cmus-train" "${settings[@]}" lr=-1 --out new --check > check.txt 2> log && fail "--check of a wrong value"
contains log "lr"
"$bin/cmus-train" "${settings[@]}" --out whole --check > check.txt 2> log && fail "--check of a finished fold"
contains log "holds a finished run"
"$bin/cmus-train" "${settings[@]}" --out whole --resume --check > check.txt 2> log || fail "--check --resume of a finished fold"

# Repeats: each fold has a folder of its own.
cp -r data repeats
rm repeats/splits.csv
"$bin/cmus-split" repeats --folds 2 --repeats 2 --seed 1 > log 2>&1 || fail "splits with repeats"
for repeat in 0 1; do
    for fold in 0 1; do
        train 1 tiny.yaml epochs=1 --data repeats --fold $fold --repeat $repeat --out repeated > log 2>&1 ||
            { cat log; fail "fold $fold of repeat $repeat"; }
    done
done
[ "$(cd repeated && echo fold-*)" = "fold-0 fold-1 fold-2 fold-3" ] || fail "folders of repeats: $(ls repeated)"
"$bin/cmus-report" repeated --out report > log 2>&1 || { cat log; fail "report of repeats"; }

finish
