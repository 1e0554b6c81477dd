#!/bin/bash
# cmus-pack under mpirun: the same bytes for any number of ranks and threads, one voice, one error.
#   pack_ranks.sh BUILD
# shellcheck source=tests/cli/pack_common.sh
. "$(dirname "$0")/pack_common.sh"
make_cases cases 120 120
few=(cases --size 96 --shard-mb 1)

name="ranks and threads"
packs 0 1 alone "${few[@]}" --on-error skip
[ "$(find alone -name 'shard-*.h5' | wc -l)" -ge 2 ] || fail "one shard only"
grep -q 'rank' alone/dataset.json && fail "dataset.json tells of ranks"
packs 0 3 threads "${few[@]}" --on-error skip
for ranks in 1 2 3; do
    packs $ranks $((3 - ranks / 2)) ranks-$ranks "${few[@]}" --on-error skip
    same alone ranks-$ranks
    [ "$(echo "ranks-$ranks".*)" = "ranks-$ranks.log" ] || fail "left behind: $(echo "ranks-$ranks".*)"
done
same alone threads
[ "$(grep -c 'cases, .* images, ' ranks-3.log)" = 1 ] || fail "not said once: $(cat ranks-3.log)"
grep -q 'rank [12]' ranks-3.log && fail "other ranks speak"

name="more ranks than images"
make_cases one 10 60
packs 0 1 one-alone one --size 32
packs 4 1 one-ranks one --size 32
same one-alone one-ranks

name="defects"
cp -r cases bad
truncate -s -300 bad/A/p00002/TEM_3.jpg
: > bad/B/p00003/OM_1.jpg
for ranks in 0 3; do
    under=("${launch[@]}" -np "$ranks")
    [ $ranks -gt 0 ] || under=()
    OMP_NUM_THREADS=1 "${under[@]}" "$pack" bad --size 96 --out never-$ranks > never-$ranks.log 2>&1
    code=$?
    [ $code = 1 ] || fail "exit code $code with $ranks ranks"
    contains never-$ranks.log "bad/A/p00002/TEM_3.jpg" "bad/B/p00003/OM_1.jpg"
    { [ -e never-$ranks ] || [ -e never-$ranks.partial ]; } && fail "something was left behind"
    packs $ranks 1 skipped-$ranks bad --size 96 --shard-mb 1 --on-error skip
done
cmp never-0.findings.csv never-3.findings.csv || fail "findings depend on ranks"
same skipped-0 skipped-3
contains skipped-3/rejected.csv A/p00002 B/p00003
# all ranks say it once, and mpirun adds nothing but its own words
[ "$(grep -c 'p00002/TEM_3.jpg' never-3.log)" = 1 ] || fail "said more than once: $(cat never-3.log)"

name="usage under mpirun"
"${launch[@]}" -np 2 "$pack" cases > usage.log 2>&1
code=$?
[ $code = 2 ] || fail "exit code $code"
[ "$(grep -c 'give SRC and --out' usage.log)" = 1 ] || fail "$(cat usage.log)"
"${launch[@]}" -np 2 "$pack" --verify alone > verify.log 2>&1 || fail "--verify: $(cat verify.log)"
[ "$(grep -c 'every checksum holds' verify.log)" = 1 ] || fail "$(cat verify.log)"
finish
