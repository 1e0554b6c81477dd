#!/bin/bash
# A rank of a training that is paused: the others say which, where and since when, and the job ends by itself. And a job of
# ranks that were given different things does not begin.
source "$(dirname "$0")/train_common.sh"
make_data 12

start_train 3 tiny.yaml epochs=100000 stall_report=1 stall_timeout=4 --data data --fold 0 --out run > log 2>&1
for _ in $(seq 300); do
    [ "$(wc -l 2> /dev/null < run/fold-0/steps.csv)" -gt 20 ] 2> /dev/null && break
    sleep 0.2
done
rank=$(pgrep -P $job cmus-train | tail -1)
[ -n "$rank" ] || { cat log; fail "no rank was found to be paused"; }
kill -STOP "$rank"
began=$SECONDS
wait $job && fail "a job with a paused rank ended well"
took=$((SECONDS - began))
[ $took -le 14 ] || fail "a job with a paused rank ended after $took s; stall_timeout and 10 s are 14"
alive() {
    case $(awk '/^State/ { print $2 }' "/proc/$1/status" 2> /dev/null) in "" | Z) return 1 ;; esac
}
for _ in $(seq 20); do # mpirun kills it 1 s after it asked it to end
    alive "$rank" || break
    sleep 0.2
done
alive "$rank" && { fail "the paused rank is still there"; kill -KILL "$rank"; }
grep -q "no progress for .* nothing has been heard .* of rank 2 on .*, last at step .*: paused, ended or cut off" log ||
    { cat log; fail "the paused rank is not named"; }
grep -q "fatal on rank 0 of 3 (.*stall_timeout)" log || { cat log; fail "the end is not explained"; }

# Ranks that were given different things.
differ() { # MESSAGE ARGUMENTS OF RANK 1...
    local message=$1
    shift
    mpirun -q --oversubscribe --bind-to none -np 1 "$bin/cmus-train" tiny.yaml --data data --fold 0 --out mixed \
        : -np 1 "$bin/cmus-train" tiny.yaml "$@" > log 2>&1 && fail "ranks that differ went on: $message"
    grep -q "$message" log || { cat log; fail "not said: $message"; }
}
differ "the configuration's hash differs: rank 1 on host " lr=1e-3 --data data --fold 0 --out mixed
cp -r data other
rm other/splits.csv
"$bin/cmus-split" other --folds 2 --seed 9 > split.log 2>&1 || { cat split.log; fail "other folds"; }
differ "the hash of splits.csv differs" --data other --fold 0 --out mixed
cp "$bin/cmus-train" changed && printf x >> changed
mpirun -q --oversubscribe --bind-to none -np 1 "$bin/cmus-train" tiny.yaml --data data --fold 0 --out mixed \
    : -np 1 ./changed tiny.yaml --data data --fold 0 --out mixed > log 2>&1 && fail "different programs went on"
grep -q "the program (SHA-256) differs: rank 1 on host " log || { cat log; fail "the different program is not named"; }

finish
