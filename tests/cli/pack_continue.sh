#!/bin/bash
# Runs of cmus-pack that are killed, stopped, or meet damaged files, and are continued by the same command: the bytes are those
# of a run that nobody disturbed. And what must not be continued: other options, other files.
#   pack_continue.sh BUILD [ROUNDS]     so many kills at random moments (default 3)
# shellcheck source=tests/cli/pack_common.sh
. "$(dirname "$0")/pack_common.sh"
rounds=${2:-3}
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$scratch"' EXIT
make_cases cases 320 300
options=(cases --size 128 --shard-mb 2)
packs 0 2 whole "${options[@]}"
blocks=out.partial/scratch

stop_at() { # FILE SIGNAL RANKS OPTIONS...
    local file=$1 signal=$2 ranks=$3
    shift 3
    rm -rf out out.partial
    start "$ranks" out "$@"
    when "$file" "$signal"
}

check_whole() { # RANKS THREADS: continuing makes what an undisturbed run makes
    packs "$1" "$2" out "${options[@]}"
    same whole out
    [ -e out.partial ] && fail "out.partial was left behind"
}

name="killed while images are decoded"
stop_at $blocks/block-0000040 KILL 0 "${options[@]}"
[ "$code" = 137 ] || fail "exit code $code"
[ -e out ] && fail "the data set is there"
check_whole 0 2
[ "$(continued out)" -ge 80 ] || fail "only $(continued out) images were continued"
[ "$(continued out)" -lt 320 ] || fail "all images were there already"

name="killed while shards are written"
stop_at out.partial/shard-00001.h5 KILL 0 "${options[@]}"
before=$(stat -c '%i %Y' out.partial/shard-00000.h5)
check_whole 3 1
[ "$(continued out)" = 320 ] || fail "only $(continued out) images were continued"
[ "$(stat -c '%i %Y' out/shard-00000.h5)" = "$before" ] || fail "a finished shard was written again"

name="one rank killed"
rm -rf out out.partial
start 2 out "${options[@]}"
until [ -e $blocks/block-0000004 ]; do kill -0 "$job" 2> /dev/null || break; done
pkill -KILL -P "$job" -o
wait "$job" 2> /dev/null && fail "mpirun says that all is well"
[ -e out ] && fail "the data set is there"
check_whole 0 1
[ "$(continued out)" -gt 0 ] || fail "nothing was continued"

name="mpirun killed, and the next run at once"
stop_at $blocks/block-0000032 KILL 2 "${options[@]}"
check_whole 2 1

name="asked to stop"
for signal in TERM INT; do
    stop_at $blocks/block-0000024 $signal 0 "${options[@]}"
    [ "$code" = 75 ] || fail "SIG$signal: exit code $code"
    contains out.log "out: stopped by SIG$signal; the same command continues"
    [ -e $blocks/block-0000001 ] || fail "SIG$signal: what was done is gone"
done
rm -rf out out.partial
start 2 out "${options[@]}"
until [ -e $blocks/block-0000003 ]; do kill -0 "$job" 2> /dev/null || break; done
pkill -TERM -P "$job" -n # one of the ranks
wait "$job"
code=$?
[ "$code" = 75 ] || fail "a rank: exit code $code"
[ "$(grep -c 'out: stopped by SIGTERM; the same command continues' out.log)" = 1 ] || fail "a rank: $(cat out.log)"
[ -e $blocks/block-0000001 ] || fail "a rank: what was done is gone"
check_whole 0 1
[ "$(continued out)" -gt 0 ] || fail "nothing was continued"

name="damaged blocks"
stop_at $blocks/block-0000072 KILL 0 "${options[@]}"
there=$(find $blocks -name 'block-*' | wc -l)
: > $blocks/block-0000000
truncate -s -1 $blocks/block-0000001
printf x | dd of=$blocks/block-0000002 bs=1 seek=5000 conv=notrunc 2> /dev/null
cp $blocks/block-0000004 $blocks/block-0000003
rm $blocks/block-0000005
check_whole 2 1
# two images a block; five blocks are damaged, and the last may be half written
[ "$(continued out)" -le $((2 * (there - 5))) ] || fail "$(continued out) images of damaged blocks were used"
[ "$(continued out)" -ge $((2 * (there - 6))) ] || fail "only $(continued out) images were continued"

name="a damaged shard"
stop_at out.partial/shard-00001.h5 KILL 0 "${options[@]}"
printf x | dd of=out.partial/shard-00000.h5 bs=1 seek=9000 conv=notrunc 2> /dev/null
check_whole 0 1

name="other options"
packs 0 2 other cases --size 128 --shard-mb 2 --filter box
stop_at out.partial/shard-00001.h5 KILL 0 "${options[@]}"
packs 0 1 out cases --size 128 --shard-mb 2 --filter box
[ "$(continued out)" = 0 ] || fail "$(continued out) images of another filter were continued"
same other out

name="another file of the same size and time"
cp -r cases changed
packs 0 1 before changed --size 128
stop_at out.partial/shard-00000.h5 KILL 0 changed --size 128
touch -r changed/A/p00004/OM_1.jpg stamp
"$python" - changed/A/p00004/OM_1.jpg << 'END'
import sys
with open(sys.argv[1], "r+b") as file:  # one quantization value: another picture, no damage
    content = bytearray(file.read())
    content[content.index(b"\xff\xdb") + 5] += 3
    file.seek(0)
    file.write(content)
END
touch -r stamp changed/A/p00004/OM_1.jpg
packs 0 1 out changed --size 128
packs 0 1 after changed --size 128
same after out
cmp -s before/shard-00000.h5 after/shard-00000.h5 && fail "the changed file changes nothing"

name="killed at any moment"
for ((round = 0; round < rounds; round++)); do
    [ -e out.partial ] || rm -rf out
    start $((round % 4 == 3 ? 2 : 0)) out "${options[@]}"
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    kill -KILL "$job" 2> /dev/null
    wait "$job" 2> /dev/null
    [ -e out ] && same whole out
done
rm -rf out
check_whole 0 2

name="a file that changes while it is read"
mkdir -p growing/A && cp -r cases/A/p00002 growing/A
rm growing/A/p00002/TEM_1.jpg
"$python" - growing/A/p00002/TEM_1.tif << 'END'
import struct, sys
side = 12000  # gray, one strip, all zeros in a hole
tags = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 200), (278, 4, side), (279, 4, side * side)]
with open(sys.argv[1], "wb") as file:
    file.write(b"II" + struct.pack("<HIH", 42, 8, len(tags)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in tags))
    file.truncate(200 + side * side)
END
while :; do
    printf x >> growing/A/p00002/TEM_1.tif
    truncate -s -1 growing/A/p00002/TEM_1.tif
done &
writer=$!
"$pack" growing --out never > never.log 2>&1
code=$?
kill $writer
wait $writer 2> /dev/null
[ "$code" = 1 ] || fail "exit code $code"
contains never.log "growing/A/p00002/TEM_1.tif: the file changed while it was read"
{ [ -e never ] || [ -e never.partial ]; } && fail "something was left behind"

name="a full disk, a folder that can't be written"
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=2m small small 2> /dev/null; then
    mounted=$scratch/small
    for ranks in 0 2; do
        under=("${launch[@]}" -np "$ranks")
        [ $ranks -gt 0 ] || under=()
        OMP_NUM_THREADS=1 "${under[@]}" "$pack" "${options[@]}" --out small/out > small.log 2>&1
        code=$?
        [ "$code" = 1 ] || fail "a full disk, $ranks ranks: exit code $code"
        contains small.log "No space left on device"
        [ "$(grep -c 'No space left' small.log)" = 1 ] || fail "said more than once: $(cat small.log)"
        [ -z "$(ls small)" ] || fail "left on the full disk: $(ls small)"
    done
    mount -o remount,ro small
    "$pack" "${options[@]}" --out small/out > small.log 2>&1
    code=$?
    [ "$code" = 1 ] || fail "a read-only folder: exit code $code"
    contains small.log "Read-only file system"
else
    echo "not root: no full disk"
fi
finish
