#!/usr/bin/env bash
# Does bfloat16 change the outcome? Trains one fold of the phantom data with several seeds in float32 and in bfloat16, in
# turn, and prints accuracy and loss on the held-out fold, their means and the spread of the seeds.
#   tests/bench/precision.sh [--build DIR] [--seeds N] [--cases N] [--keep DIR] [KEY=VALUE...]
#   --build DIR  build folder with bin/ (default: build)
#   --seeds N    runs of each precision (default 5)
#   --cases N    phantom cases (default 400, as in the quick start)
#   --keep DIR   work there and keep it (default: a temporary folder)
#   KEY=VALUE    goes to cmus-train, beside configs/quickstart.yaml
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
build=$top/build seeds=5 cases=400 keep='' keys=()
usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
  exit "$1"
}
while [ $# -gt 0 ]; do
  case $1 in
    --build | --seeds | --cases | --keep)
      [ $# -ge 2 ] || { echo "precision.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --help) usage 0 ;;
    *=*) keys+=("$1"); shift ;;
    *) echo "precision.sh: what is $1? See precision.sh --help" >&2; exit 2 ;;
  esac
done
for number in "$seeds" "$cases"; do
  [[ $number =~ ^[1-9][0-9]{0,3}$ ]] || { echo "precision.sh: $number: a whole number from 1 is expected" >&2; exit 2; }
done
bin=$build/bin
[ -x "$bin/cmus-train" ] || { echo "precision.sh: there is no $bin/cmus-train; build first or give --build DIR" >&2; exit 1; }
if [ -z "$keep" ]; then
  keep=$(mktemp -d)
  trap 'rm -rf "$keep"' EXIT
fi
mkdir -p "$keep"

if [ ! -f "$keep/data/splits.csv" ]; then
  size=$(awk '$1 == "image_size:" {print $2}' "$top/configs/quickstart.yaml")
  "$bin/cmus-phantom" --cases "$cases" --seed 1 --out "$keep/phantom" > /dev/null
  "$bin/cmus-pack" "$keep/phantom/cases" --out "$keep/data" --size "$size" > /dev/null
  "$bin/cmus-split" "$keep/data" --folds 5 --seed 1 > /dev/null
fi
# Of the last line of train.csv: total loss and accuracy on the held-out fold, and the seconds of all epochs.
outcome() {
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
           { seconds += $column["seconds"]; accuracy = $column["val_accuracy"]; loss = $column["val_loss"] }
           END { printf "%s %s %.1f\n", accuracy, loss, seconds }' "$1"
}
for ((seed = 1; seed <= seeds; seed++)); do
  for precision in fp32 bf16; do
    run=$keep/$precision-$seed
    echo "precision.sh: seed $seed of $seeds, $precision" >&2
    mpi_run 2 "$bin/cmus-train" "$top/configs/quickstart.yaml" "precision=$precision" "seed=$seed" "${keys[@]}" \
      --data "$keep/data" --fold 0 --out "$run" > "$run.log" 2>&1 || { tail -5 "$run.log" >&2; exit 1; }
    echo "$seed $precision $(outcome "$run/fold-0/train.csv")" | tee -a "$keep/outcomes"
  done
done
awk '{ n[$2]++; a[$2] += $3; aa[$2] += $3 * $3; l[$2] += $4; ll[$2] += $4 * $4; s[$2] += $5 }
     function sd(sum, squares, n) { return n > 1 ? sqrt((squares - sum * sum / n) / (n - 1)) : 0 }
     END { for (p in n) printf "%s: accuracy %.4f +- %.4f, loss %.4f +- %.4f (mean +- SD of %d seeds), %.1f s a run\n",
             p, a[p] / n[p], sd(a[p], aa[p], n[p]), l[p] / n[p], sd(l[p], ll[p], n[p]), n[p], s[p] / n[p] }' "$keep/outcomes"
