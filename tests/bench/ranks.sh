#!/usr/bin/env bash
# What ranks and their options cost on this machine, with the full network: cmus-train on cases with 10 TEM images each, batch 4,
# in turn (A B B A ...); medians of the seconds in steps.csv without the first update of each run, and memory from run.json.
#   tests/bench/ranks.sh [OPTION...] [speed | fixed | wire | shard]... [KEY=VALUE...]
#   speed          2 ranks x 1 thread against 1 rank x 2 threads (the default)
#   fixed          allreduce_order: fixed against fast, as 1 rank x 2 threads and as 2 ranks x 1 thread
#   wire           allreduce_precision: bf16 against fp32, 2 ranks
#   shard          shard_optimizer: false against true, 2 ranks
#   --build DIR    build folder with bin/ (default: build)
#   --updates N    of a run (default 6); the first does not count
#   --rounds N     A B or B A, so often (default 2)
#   --csv FILE     a row a run, appended (default: ranks.csv)
#   --keep DIR     work there and keep the data set (default: a temporary folder). Needs 6 GB: a run ends with a checkpoint
#   KEY=VALUE      goes to cmus-train, beside configs/cmusnet.yaml
# The full network takes 10 GiB on one rank, and up to memory_gib on each of two. Exit codes: 0, 1 (failed), 2 (usage).
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
build=$top/build updates=6 rounds=2 csv=ranks.csv keep='' keys=() wanted=()

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
    exit "$1"
}

die() { # EXIT_CODE MESSAGE
    echo "ranks.sh: $2" >&2
    exit "$1"
}

while [ $# -gt 0 ]; do
    case $1 in
        --build | --updates | --rounds | --csv | --keep)
            [ $# -ge 2 ] || die 2 "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift 2
            ;;
        --help) usage 0 ;;
        speed | fixed | wire | shard) wanted+=("$1"); shift ;;
        *=*) keys+=("$1"); shift ;;
        *) die 2 "what is $1? See ranks.sh --help" ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || wanted=(speed)
[[ $updates =~ ^[2-9]$|^[1-9][0-9]{1,2}$ ]] || die 2 "--updates $updates: a whole number from 2"
[[ $rounds =~ ^[1-9][0-9]?$ ]] || die 2 "--rounds $rounds: a whole number from 1"
[ -x "$build/bin/cmus-train" ] || die 1 "there is no $build/bin/cmus-train; build first or give --build DIR"
bin=$(cd "$build/bin" && pwd)
csv=$(realpath -m "$csv")
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    work=$(cd "$keep" && pwd)
    trap 'rm -rf "$work/run"' EXIT
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

# One epoch of five folds is all updates of a run.
data=$work/data-$updates
if [ ! -f "$data/splits.csv" ]; then
    {
        "$bin/cmus-phantom" --cases $((5 * updates)) --bag 10,10 --patients-with-two-cases 0 --seed 1 --out "$work/phantom" &&
            "$bin/cmus-pack" "$work/phantom/cases" --out "$data" && "$bin/cmus-split" "$data" --folds 5 --seed 1 &&
            rm -rf "$work/phantom"
    } > "$work/log" 2>&1 || die 1 "no data set: $(tail -3 "$work/log")"
fi

[ -s "$csv" ] || echo "group,variant,layout,updates,median_seconds,data_seconds,peak_bytes" > "$csv"

median() { # of numbers, one a line
    sort -g | awk '{ value[NR] = $1 } END { if (!NR) exit 1; print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

column() { # FILE NAME: of a CSV file, without the first update
    awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } NR > 2 { print $at }' "$1"
}

# GROUP VARIANT LAYOUT [KEY=VALUE...]: one run. Its seconds are appended to $work/GROUP.VARIANT, its row to the table.
train() {
    local group=$1 variant=$2 layout=$3 run=$work/run seconds peak launch
    shift 3
    case $layout in
        1x2) launch=(env OMP_NUM_THREADS=2 mpirun -np 1 --bind-to none) ;;
        2x1) launch=(env OMP_NUM_THREADS=1 mpirun -np 2 --bind-to core) ;;
        *) die 1 "no layout $layout" ;;
    esac
    rm -rf "$run"
    "${launch[@]}" "$bin/cmus-train" "$top/configs/cmusnet.yaml" epochs=1 "max_updates=$updates" eval_every=0 "${keys[@]}" "$@" \
        --data "$data" --fold 0 --out "$run" > "$work/log" 2>&1 || die 1 "$variant ($layout): $(tail -5 "$work/log")"
    column "$run/fold-0/steps.csv" seconds > "$work/seconds"
    cat "$work/seconds" >> "$work/$group.$variant"
    seconds=$(median < "$work/seconds")
    peak=$(sed -n 's/.*"peak_memory_bytes": \([0-9]*\).*/\1/p' "$run/fold-0/run.json")
    echo "$peak" >> "$work/$group.$variant.peak"
    echo "$group,$variant,$layout,$updates,$seconds,$(column "$run/fold-0/steps.csv" data_seconds | median),$peak" >> "$csv"
    echo "ranks.sh: $variant ($layout): $seconds s an update" >&2
    rm -rf "$run"
}

# GROUP NAME_A LAYOUT_A KEY_A NAME_B LAYOUT_B KEY_B WHAT: in turn; WHAT is printed before the ratio of the medians A / B.
compare() {
    local group=$1 a=("$2" "$3" "$4") b=("$5" "$6" "$7") round one two
    rm -f "$work/$group".*
    for ((round = 0; round < rounds; round++)); do
        if ((round % 2 == 0)); then
            train "$group" "${a[@]}"
            train "$group" "${b[@]}"
        else
            train "$group" "${b[@]}"
            train "$group" "${a[@]}"
        fi
    done
    one=$(median < "$work/$group.${a[0]}")
    two=$(median < "$work/$group.${b[0]}")
    for variant in "${a[0]}" "${b[0]}"; do
        printf '%-22s %8.3f s an update, %6.2f GiB the largest rank\n' "$variant" "$(median < "$work/$group.$variant")" \
            "$(awk '{ if ($1 > most) most = $1 } END { print most / 2 ^ 30 }' "$work/$group.$variant.peak")"
    done
    awk -v what="$8" -v one="$one" -v two="$two" 'BEGIN { printf "%s: %.4f\n\n", what, one / two }'
}

for group in "${wanted[@]}"; do
    case $group in
        speed)
            compare speed 1-rank 1x2 allreduce_order=fast 2-ranks 2x1 allreduce_order=fast \
                "speed of 2 ranks x 1 thread over 1 rank x 2 threads (asked for: at least 0.92)"
            ;;
        fixed)
            compare fixed-1x2 fixed 1x2 allreduce_order=fixed fast 1x2 allreduce_order=fast \
                "time with allreduce_order: fixed, 1 rank x 2 threads (asked for: at most 1.6)"
            compare fixed-2x1 fixed 2x1 allreduce_order=fixed fast 2x1 allreduce_order=fast \
                "time with allreduce_order: fixed, 2 ranks x 1 thread (asked for: at most 1.6)"
            ;;
        wire)
            compare wire bf16 2x1 allreduce_precision=bf16 fp32 2x1 allreduce_precision=fp32 \
                "time with allreduce_precision: bf16, 2 ranks x 1 thread"
            ;;
        shard)
            compare shard whole 2x1 shard_optimizer=false shared 2x1 shard_optimizer=true \
                "time with shard_optimizer: false, 2 ranks x 1 thread"
            ;;
    esac
done
