#!/bin/bash
# stage and preload change where images are read from and nothing else; nothing stays on the disk however a job ends.
source "$(dirname "$0")/train_common.sh"
make_data 57 # so many that the last shard has a part of a class only
# several shards
"$bin/cmus-pack" phantom/cases --out shards --size 64 --shard-mb 1 > log 2>&1 || { cat log; fail "no shards"; finish; }
cp data/splits.csv shards
shards=$(find shards -name '*.h5' | wc -l)
[ "$shards" -gt 1 ] || fail "only one shard"
echo "epochs: 2" > two.yaml
grep -v '^epochs' tiny.yaml >> two.yaml
mkdir disk
host=$(hostname)
mine=cmus-stage-$host-

same() { # RUN: as the plain run
    cut -d, -f1-4 plain/fold-0/steps.csv | cmp -s - <(cut -d, -f1-4 "$1/fold-0/steps.csv") || fail "$1: steps.csv differs"
    cmp -s plain/fold-0/predictions.csv "$1/fold-0/predictions.csv" || fail "$1: predictions.csv differs"
    [ "$(weights_of plain)" = "$(weights_of "$1")" ] || fail "$1: the weights differ"
    grep -q cmus-stage "$1/fold-0/run.json" && fail "$1: run.json names the copy"
}

nothing_on() { # DISK; mpirun may end before the ranks that it has told to end
    for _ in $(seq 300); do
        [ -z "$(ls -A "$1")" ] && return
        sleep 0.01
    done
    [ -z "$(ls -A "$1")" ] || fail "left on $1: $(ls -A "$1")"
}

refused() { # TEXT... : of the log of the job before, which must have failed
    contains log "$@"
    [ "$(grep -c 'stage, host\|preload:' log)" = 1 ] || fail "the message is not printed once: $(cat log)"
}

# Where the images come from makes no difference.
train 2 two.yaml --data shards --fold 0 --out plain > log 2>&1 || { cat log; fail "plain run"; }
train 2 two.yaml stage=disk --data shards --fold 0 --out staged > log 2>&1 || { cat log; fail "stage"; }
contains log "staged $shards shards, "
nothing_on disk
train 2 two.yaml preload=true --data shards --fold 0 --out preloaded > log 2>&1 || { cat log; fail "preload"; }
contains log "preloaded 57 cases" "of images in memory on each host"
train 2 two.yaml preload=true "stage=$scratch/disk" --data shards --fold 0 --out both > log 2>&1 || { cat log; fail "both"; }
nothing_on disk
for run in staged preloaded both; do
    same $run
done

# What jobs have left is removed, if it is of this host and this user and nobody holds it.
mkdir "disk/${mine}aaaaaa" "disk/${mine}bbbbbb" "disk/${mine}cccccc" "disk/${mine}dddddd" "disk/${mine}eeeeeee" disk/cmus-stage-other-host-aaaaaa
touch "disk/${mine}aaaaaa/.lock" "disk/${mine}aaaaaa/shard-00000.h5" "disk/${mine}bbbbbb/.lock" "disk/${mine}dddddd/file" \
    disk/cmus-stage-other-host-aaaaaa/.lock
(exec 9< "disk/${mine}bbbbbb/.lock" && flock 9 && exec sleep 600 > /dev/null 2>&1) &
holder=$!
for _ in $(seq 500); do
    flock -n "disk/${mine}bbbbbb/.lock" true || break
    sleep 0.01
done
if [ "$(id -u)" = 0 ]; then # of another user
    mkdir "disk/${mine}ffffff"
    chown 65534 "disk/${mine}ffffff"
fi
train 2 two.yaml stage=disk --data shards --fold 0 --out cleaned > log 2>&1 || { cat log; fail "with left-overs"; }
contains log "removed disk/${mine}aaaaaa, which a killed job had left"
[ "$(id -u)" != 0 ] || rmdir "disk/${mine}ffffff" || fail "another user's folder is gone"
[ "$(ls disk)" = "$(printf '%s\n' "${mine}bbbbbb" "${mine}dddddd" "${mine}eeeeeee" cmus-stage-other-host-aaaaaa | sort)" ] ||
    fail "what is held, another host's or not a stage's: $(ls disk)"
kill $holder
wait $holder 2> /dev/null
rm -rf disk/*

# Two jobs at once on one folder.
start_train 1 two.yaml stage=disk --data shards --fold 0 --out one > log1 2>&1
train 1 two.yaml stage=disk --data shards --fold 0 --out other > log 2>&1 || { cat log; fail "the second of two jobs"; }
wait $job || { cat log1; fail "the first of two jobs"; }
[ "$(weights_of one)" = "$(weights_of other)" ] || fail "two jobs at once: the weights differ"
nothing_on disk

# However a job ends. 200 epochs are never reached.
start() { # until its first update
    rm -rf ended
    start_train 2 two.yaml epochs=200 stage=disk --data shards --fold 0 --out ended > log 2>&1
    for _ in $(seq 3000); do
        [ -f ended/fold-0/steps.csv ] && [ "$(wc -l < ended/fold-0/steps.csv)" -gt 1 ] && break
        kill -0 $job 2> /dev/null || break
        sleep 0.01
    done
    [ "$(stat -c '%a %F' disk/*)" = "700 directory" ] || fail "the folder during training: $(ls -l disk; cat log)"
    for rank in $(pgrep -P $job); do
        [ "$(find "/proc/$rank/fd" -lname "$scratch/disk/$mine*/shard-*.h5" | wc -l)" = "$shards" ] ||
            fail "a rank does not read the copies: $(ls -l "/proc/$rank/fd")"
    done
}
for signal in TERM INT; do
    start
    kill -$signal $job
    wait $job 2> /dev/null
    nothing_on disk
done
start # one rank is asked to stop: all end in order, although the copies are gone by then
kill -TERM "$(pgrep -P "$job" | sort -n | head -1)"
wait "$job"
code=$?
[ $code = 75 ] || { cat log; fail "SIGTERM to a rank: exit code $code"; }
contains log "stopped by SIGTERM after update"
nothing_on disk
for end in head tail; do # one rank dies: mpirun ends the others
    start
    kill -9 "$(pgrep -P $job | sort -n | $end -1)"
    wait $job 2> /dev/null
    if [ $end = tail ]; then nothing_on disk; fi
done
start # removes what the killed first rank may have left
# shellcheck disable=SC2046
kill -9 $(pgrep -P $job) $job
wait $job 2> /dev/null
[ -n "$(ls disk)" ] || fail "SIGKILL left nothing to remove"
train 1 two.yaml stage=disk --data shards --fold 0 --out after > log 2>&1 || { cat log; fail "after SIGKILL"; }
contains log "which a killed job had left"
nothing_on disk

# What is refused: no folder, a damaged shard; in the fold's use nothing is left.
train 2 two.yaml stage=nowhere --data shards --fold 0 --out no > log 2>&1 && fail "stage=nowhere"
refused "stage, host $host: nowhere: there is no such folder"
cp -r shards damaged
printf 'x' | dd of=damaged/shard-00001.h5 bs=1 seek=20000 conv=notrunc status=none
train 2 two.yaml stage=disk --data damaged --fold 0 --out no > log 2>&1 && fail "stage of a damaged shard"
refused "damaged/shard-00001.h5: its SHA-256 is not that of dataset.json"
nothing_on disk
train 2 two.yaml preload=true --data damaged --fold 0 --out no > log 2>&1 && fail "preload of a damaged shard"
contains log "damaged/shard-00001.h5" "checksum"

# A shard that has no case of the fold is not copied.
cp -r shards part
last=$(grep '"cases"' part/dataset.json | tail -1 | tr -dc 0-9)
tail -n "$last" shards/splits.csv | cut -d, -f2 > held
awk -F, -v OFS=, 'NR == FNR { held[$1]; next } $2 in held { $5 = "holdout" } { print }' held shards/splits.csv > part/splits.csv
train 1 two.yaml stage=disk --data part --fold 0 --out part_run > log 2>&1 || { cat log; fail "a part of the shards"; }
contains log "staged $((shards - 1)) shard"

# No room.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=256k tmpfs small 2> /dev/null; then
    trap 'umount "$scratch/small" 2> /dev/null; rm -rf "$scratch"' EXIT
    train 2 two.yaml stage=small --data shards --fold 0 --out no > log 2>&1 && fail "stage on a small disk"
    refused "small has 0.2 MiB free, but the shards take"
    nothing_on small
    mpirun -q --oversubscribe --bind-to none -np 2 --mca osc_sm_backing_directory "$scratch/small" "$bin/cmus-train" two.yaml \
        preload=true --data shards --fold 0 --out no > log 2>&1 && fail "preload without room"
    refused "small has 0.2 MiB free" "MiB of memory for all its ranks are wanted"
    nothing_on small
    mount -o remount,size=64m,nr_inodes=4 small # runs full in the middle
    train 2 two.yaml stage=small --data shards --fold 0 --out no > log 2>&1 && fail "stage on a disk that runs full"
    refused "can't write small/$mine" "No space left on device"
    nothing_on small
    umount small
else
    echo "not root, or no mounts: the full disk is left out"
fi

finish
