#!/bin/bash
# Any number of ranks: the same bits with allreduce_order=fixed, the same up to rounding without; resuming on other numbers of
# ranks; gradients that travel as bfloat16; updates that are skipped because a loss is not finite.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
export OMP_NUM_THREADS=1
make_data 24

run() { # NAME RANKS ARGUMENTS...: on fold 0 into the folder NAME
    name=$1
    local ranks=$2
    shift 2
    train "$ranks" "$@" --data data --fold 0 --out "$name" > "$name.log" 2>&1 || { cat "$name.log"; fail "exit code $?"; }
}

same_bits() { # NAME NAME: weights and predictions
    [ "$(weights_of "$1")" = "$(weights_of "$2")" ] || fail "its weights differ from those of $2"
    cmp -s "$1/fold-0/predictions.csv" "$2/fold-0/predictions.csv" || fail "its predictions differ from those of $2"
}

# A configuration with odd sizes: windows that are padded, three heads, the other attention, other costs of images.
sed -e 's/^embed_dim: .*/embed_dim: 24/' -e 's/^heads: .*/heads: [3, 6, 12, 24]/' tiny.yaml > odd.yaml
echo 'attention: multihead' >> odd.yaml

# The fixed order: the same bytes for any number of ranks, however the optimizer is shared and images are cut into waves.
fixed=(allreduce_order=fixed max_updates=10)
for config in tiny odd; do
    run "$config-1" 1 $config.yaml "${fixed[@]}"
    for ranks in 2 3 4; do
        run "$config-$ranks" $ranks $config.yaml "${fixed[@]}"
        same_bits "$config-$ranks" "$config-1"
    done
    run "$config-whole" 3 $config.yaml "${fixed[@]}" shard_optimizer=false
    same_bits "$config-whole" "$config-1"
    least=$(train 1 $config.yaml "${fixed[@]}" memory_gib=0.1 --data data --fold 0 --out least 2>&1 |
        sed -n 's/.*needs at least \([0-9.]*\) GiB.*/\1/p')
    little=$(awk -v least="$least" 'BEGIN { print least + 0.02 }')
    for ranks in 1 2; do
        run "$config-little-$ranks" $ranks $config.yaml "${fixed[@]}" "memory_gib=$little"
        same_bits "$config-little-$ranks" "$config-1"
    done
done
[ "$(wc -l < tiny-4/fold-0/steps.csv)" = 11 ] || fail "max_updates=10 made another number of updates"

# The fast order: the same up to rounding.
losses() { # NAME NAME UPDATES TOLERANCE
    paste -d, "$1/fold-0/steps.csv" "$2/fold-0/steps.csv" | awk -F, -v updates="$3" -v most="$4" 'NR > 1 {
        d = $3 / $10 - 1; if (d < 0) d = -d; if (d > worst) worst = d }
        END { printf "%d updates, worst relative difference %g\n", NR - 1, worst; exit !(NR - 1 == updates && worst < most) }' ||
        fail "its losses differ from those of $2"
}
for ranks in 1 2 3 4 8; do
    run "fast-$ranks" $ranks tiny.yaml max_updates=20
    [ $ranks = 1 ] || losses "fast-$ranks" fast-1 20 1e-4
done

# Stopped after an epoch on two ranks, resumed on four and on one: as if nothing had happened.
run undisturbed 1 tiny.yaml allreduce_order=fixed epochs=20
for ranks in 4 1; do
    start_train 2 tiny.yaml allreduce_order=fixed epochs=20 --data data --fold 0 --out "resumed-$ranks" > log 2>&1
    for ((i = 0; i < 600; i++)); do # ended as soon as the first epoch is in the checkpoint
        [ -d "resumed-$ranks/fold-0/last" ] && break
        sleep 0.05
    done
    kill "$job"
    wait "$job"
    name=resumed-$ranks
    [ -f "$name/fold-0/final/weights.safetensors" ] && fail "it was not stopped in time, and nothing was resumed"
    run "resumed-$ranks" $ranks tiny.yaml allreduce_order=fixed epochs=20 --resume
    same_bits "resumed-$ranks" undisturbed
done

# Gradients as bfloat16: near, and not the same.
run wire 3 tiny.yaml allreduce_precision=bf16 max_updates=10
run exact 3 tiny.yaml max_updates=10
losses wire exact 10 2e-2
[ "$(weights_of wire)" != "$(weights_of exact)" ] || fail "bfloat16 changes nothing"
contains wire.log "gradients in bfloat16"

# Losses that are infinite: every update is skipped, and the one after max_bad_steps ends the run and names cases.
huge_weights exact/fold-0/final/weights.safetensors bad.safetensors
skipped() { # LOG
    grep -o 'update [0-9].*skipped' "$1"
}
for order in fast fixed; do
    for ranks in 1 3; do
        name=bad-$order-$ranks
        train $ranks tiny.yaml max_bad_steps=3 "allreduce_order=$order" --init bad.safetensors --data data --fold 0 --out "$name" \
            > "$name.log" 2>&1
        [ $? = 1 ] || fail "exit code of a run whose losses are not finite"
        contains "$name.log" "the update is skipped" "max_bad_steps: 3" "3 updates were skipped before"
        [ "$(grep -c 'the update is skipped' "$name.log")" = 3 ] || fail "not three updates are said to be skipped"
        grep -q 'IgAN/\|MN/\|LN/' "$name.log" || fail "no case is named: $(tail -3 "$name.log")"
        awk -F, 'NR > 1 && $7 != 1 { exit 1 } END { exit NR < 4 }' "$name/fold-0/steps.csv" ||
            fail "steps.csv does not count the skipped updates: $(cat "$name/fold-0/steps.csv")"
    done
    [ "$(skipped "bad-$order-1.log")" = "$(skipped "bad-$order-3.log")" ] ||
        fail "one and three ranks name other cases"
done

finish
