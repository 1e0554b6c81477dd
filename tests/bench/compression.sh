#!/usr/bin/env bash
# What compressed shards cost: size, and processor time of packing and of reading for each level, on one thread, as a table.
#   compression.sh BUILD SRC... [-- cmus-pack's options]
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,3s/^# *//p' "$0"; exit 2; }
bin=$1/bin
shift
sources=() more=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    sources+=("$1")
    shift
done
[ $# -le 1 ] || more=("${@:2}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMP_NUM_THREADS=1
TIMEFORMAT="%U %S"

echo "| level | MB | of the uncompressed | packing, s | reading, images/s |"
echo "|---|---|---|---|---|"
whole=
for level in 0 1 4 6 9; do
    options=("${more[@]}")
    [ "$level" = 0 ] || options+=("--compress=$level")
    best=
    for _ in 1 2 3; do
        rm -rf "$scratch/data"
        took=$({ time "$bin/cmus-pack" "${sources[@]}" --out "$scratch/data" "${options[@]}" >/dev/null 2>&1; } 2>&1)
        best=$(echo "$took ${best:-1e9}" | awk '{t = $1 + $2; printf "%.2f", t < $3 ? t : $3}')
    done
    bytes=$(cat "$scratch"/data/shard-*.h5 | wc -c)
    whole=${whole:-$bytes}
    read -r rate < <("$bin/shard_bench" "$scratch/data")
    awk -v level="$level" -v bytes="$bytes" -v whole="$whole" -v best="$best" -v rate="$rate" 'BEGIN {
        printf "| %s | %.1f | %.0f %% | %s | %s |\n", level == 0 ? "none" : level, bytes / 1e6, 100 * bytes / whole, best, rate }'
done
