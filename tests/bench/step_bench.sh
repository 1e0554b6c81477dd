#!/bin/bash
# step_bench on a small network: FLOPs against a formula, the same in parts and in every run, a packed data set, wrong usage.
# Seconds only; says nothing of speed.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/../cli/common.sh"
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"

cat > tiny.yaml << END
embed_dim: 8
depths: [2, 2, 2, 2]
heads: [1, 2, 4, 8]
image_size: 64
fusion_hidden: 16
batch: 3
memory_gib: 1
END

bench() { # NAME ARGUMENTS...: output in NAME.txt, a row an update in NAME.csv
    name=$1
    shift
    "$bin/step_bench" "$@" --csv "$name.csv" > "$name.txt" 2> "$name.log" || { cat "$name.log"; fail "exit code $?"; }
    contains "$name.txt" forward backward update "needed FLOPs / time" "peak memory" product "window attention"
}

value() { # NAME TEXT: the number in the line that begins with the text
    awk -v text="$2" 'index($0, text) == 1 { $0 = substr($0, 45); print $1; exit }' "$1.txt"
}

# Without stochastic depth and with two TEM images (SMIL weighs both by 1) everything goes both ways: 3 cases of 4 images.
bench whole tiny.yaml drop_path=0 dropout=0 --tem 2 --steps 2
expected=$(awk 'BEGIN {
    cases = 3; images = 4 * cases; side = 16
    swin = 3 * 2 * side * side * 48 * 8 - 2 * side * side * 48 * 8 # patches: no gradient of the input
    for (stage = 0; stage < 4; stage++) {
        tokens = side * side; channels = 8 * 2 ^ stage; windows = int((side + 6) / 7) ^ 2
        swin += 2 * (3 * 2 * 12 * tokens * channels ^ 2 + (2 + 4) * 2 * windows * 49 * 49 * channels)
        side = side / 2
        if (stage < 3)
            swin += 3 * 2 * side * side * 4 * channels * 2 * channels # merging
    }
    tokens = 4; channels = 64
    cross = 7 * 2 * tokens * channels ^ 2 + 2 * 2 * 2 * tokens * tokens * channels
    heads = 3 * 2 * channels * 3 + 2 * 3 * channels * 16 + 2 * 16 * 3
    printf "%.6g", (images * swin + 3 * cases * (cross + heads)) * 1e-9
}')
[ "$(value whole 'needed for an update')" = "$expected" ] ||
    fail "$(value whole 'needed for an update') GFLOP are needed, and the formula says $expected"
[ "$(value whole 'done once more')" = 0 ] || fail "FLOPs were done once more though all fits"
# Nothing is random here: what changes the loss is the update, and the cases are different ones.
[ "$(cut -d, -f9 whole.csv | sort -u | wc -l)" = 3 ] || fail "the update does not change the loss"
bench single tiny.yaml drop_path=0 dropout=0 --tem 2 --steps 1 --batch 1
paste -d, single.csv whole.csv | awk -F, 'NR == 2 { d = $9 / $18 - 1; exit d < 1e-4 && d > -1e-4 }' || fail "all cases are the same"

# Images that do not fit go through twice: the same is needed, and the forward pass is done once more.
bench parts tiny.yaml drop_path=0 dropout=0 memory_gib=0.26 activations=store --tem 2 --steps 2
cmp -s <(cut -d, -f8 whole.csv) <(cut -d, -f8 parts.csv) || fail "needed FLOPs differ from those without parts"
awk -v again="$(value parts 'done once more')" -v all="$expected" 'BEGIN { exit !(again > 0.2 * all && again < 0.4 * all) }' ||
    fail "$(value parts 'done once more') GFLOP done once more of $expected"

# What lies inside a branch is computed again where that is asked for, or where it is what makes a case fit: queries, keys,
# values and hidden layer, 7 of the 12 tokens x channels^2 products of each of the 8 blocks, of 12 images.
again=$(awk 'BEGIN { printf "%.6g", 12 * 8 * 2 * 7 * 256 * 8 ^ 2 * 1e-9 }') # tokens x channels^2 is the same in every stage
bench recompute tiny.yaml drop_path=0 dropout=0 activations=recompute --tem 2 --steps 2
bench auto tiny.yaml drop_path=0 dropout=0 memory_gib=0.26 --tem 2 --steps 2
for name in recompute auto; do
    [ "$(value $name 'done once more')" = "$again" ] ||
        fail "$(value $name 'done once more') GFLOP done once more, and the formula says $again"
    paste -d, $name.csv whole.csv | awk -F, 'NR > 1 { d = $9 / $18 - 1; if ($8 != $17 || d > 1e-5 || d < -1e-5) exit 1 }' ||
        fail "needed FLOPs or losses differ from those with all stored"
done

# Random choices depend on the case and on the update alone: the same losses and FLOPs in every run.
for run in first second; do
    bench $run tiny.yaml --tem 4 --steps 3 --products 2
    [ "$(wc -l < "$name.csv")" = 4 ] || fail "rows of the CSV file"
done
paste -d, first.csv second.csv | awk -F, 'NR > 1 { d = $9 / $18 - 1; if (d < 0) d = -d
    if (d > 1e-5 || $8 != $17 || $2 != 18) bad = 1 } END { exit bad || NR != 4 }' ||
    fail "losses or FLOPs of two runs differ: $(cat first.csv second.csv)"

# A packed data set.
name=data
{ "$bin/cmus-phantom" --cases 6 --size 64 --seed 3 phantom && "$bin/cmus-pack" phantom/cases --out data --size 64; } > log 2>&1 ||
    fail "no data set: $(cat log)"
bench data tiny.yaml --data data --batch 2 --tem 3 --steps 2
contains data.txt "2 cases an update, data;"

# Wrong usage is 2, a file that is not there is 1; help goes to stdout, once.
name=usage
"$bin/step_bench" > usage.txt 2>&1
[ $? = 2 ] || fail "exit code without CONFIG"
[ "$(grep -c 'CONFIG is needed' usage.txt)" = 1 ] || fail "usage error is not said once: $(cat usage.txt)"
"$bin/step_bench" none.yaml > usage.txt 2>&1
[ $? = 1 ] || fail "exit code without a file"
mpirun -q --oversubscribe --bind-to none -np 2 "$bin/step_bench" tiny.yaml > usage.txt 2>&1
[ $? = 2 ] || fail "exit code under two ranks"
[ "$(grep -c 'it is for one process' usage.txt)" = 1 ] || fail "two ranks are not refused in one line: $(cat usage.txt)"
"$bin/step_bench" --help | grep -q -- '--products=N' || fail "--help"

name=precision
contains whole.txt "products in float32"
CMUS_KERNELS=avx2 "$bin/step_bench" tiny.yaml precision=bf16 > precision.txt 2>&1
[ $? = 1 ] || fail "exit code without bfloat16"
contains precision.txt "precision: bf16 needs" "fp32 works everywhere"

finish
