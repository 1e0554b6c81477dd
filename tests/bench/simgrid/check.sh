#!/usr/bin/env bash
# Seconds of a sum and of a spread of the whole network on a simulated cluster of 100 Gbit/s (SimGrid), against bytes / bandwidth as
# scaling_model.py takes them. Needs libsimgrid-dev.
#   tests/bench/simgrid/check.sh [PARAMETERS [BUCKET_MB [HOSTS...]]]     (265e6, 25, 2 4 8 16 32 64)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
parameters=${1:-265e6} bucket=${2:-25}
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || set -- 2 4 8 16 32 64
command -v smpicc > /dev/null || { echo "check.sh: there is no smpicc: apt-get install libsimgrid-dev" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
smpicc -O2 "$here/exchange.c" -o "$work/exchange"
for ((i = 1; i <= 64; i++)); do echo "h$i"; done > "$work/hosts"
echo "| hosts | bytes / bandwidth, s | sum, s | spread, s | more than that |"
echo "|---|---|---|---|---|"
for count in "$@"; do
    smpirun -np "$count" -platform "$here/cluster.xml" -hostfile "$work/hosts" --cfg=smpi/simulate-computation:false --log=root.thres:error \
        "$work/exchange" "$parameters" "$bucket" > "$work/out" 2> "$work/errors" || { tail -5 "$work/errors" >&2; exit 1; }
    awk -v parameters="$parameters" '{ ideal = 4 * parameters * ($2 - 1) / $2 / 12.5e9
        printf "| %d | %.4f | %.4f | %.4f | %+.1f %% |\n", $2, ideal, $4, $6, 100 * (($4 + $6) / 2 / ideal - 1) }' "$work/out"
done
