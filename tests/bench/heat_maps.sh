#!/usr/bin/env bash
# Do heat maps lie on the deposits? Draws phantom cases, trains a small network at growing sizes, explains the held-out
# fold by cmus-predict --explain, and prints how much of the heat lies on the drawn deposits; beside it networks with
# random weights. results/heat_maps.md says what came out.
#   tests/bench/heat_maps.sh [--build DIR] [--cases N] [--random N] [--seed S] [--keep DIR] [--torch] [KEY=VALUE...]
#   --build DIR  build folder with bin/ (default: build)
#   --cases N    phantom cases (default 400; one fold of five is held out)
#   --random N   networks with random weights (default 3)
#   --seed S     of the training (default 2)
#   --keep DIR   work there and keep it; what is there already is not made again (default: a temporary folder)
#   --torch      compare the heat with PyTorch's, too (packages [test] and [torch])
#   KEY=VALUE    goes to cmus-train, beside configs/heat_maps.yaml
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
build=$top/build cases=400 random=3 seed=2 keep='' torch=no keys=()
usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
  exit "$1"
}
while [ $# -gt 0 ]; do
  case $1 in
    --build | --cases | --random | --seed | --keep)
      [ $# -ge 2 ] || { echo "heat_maps.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    --torch) torch=yes; shift ;;
    --help) usage 0 ;;
    *=*) keys+=("$1"); shift ;;
    *) echo "heat_maps.sh: what is $1? See heat_maps.sh --help" >&2; exit 2 ;;
  esac
done
for number in "$cases" "$random" "$seed"; do
  [[ $number =~ ^[1-9][0-9]{0,3}$ ]] || { echo "heat_maps.sh: $number: a whole number from 1 is expected" >&2; exit 2; }
done
bin=$build/bin
[ -x "$bin/cmus-predict" ] || { echo "heat_maps.sh: there is no $bin/cmus-predict; build first or give --build DIR" >&2; exit 1; }
if [ -z "$keep" ]; then
  keep=$(mktemp -d)
  trap 'rm -rf "$keep"' EXIT
fi
mkdir -p "$keep"
cd "$keep"

# quietly NAME COMMAND...: its output goes to NAME.log; the end of it is shown if it fails.
quietly() {
  local name=$1
  shift
  "$@" > "$name.log" 2>&1 || { tail -5 "$name.log" >&2; exit 1; }
}
# train NAME SIZE KEY=VALUE... [--init FILE]
train() {
  local name=$1 size=$2
  shift 2
  [ -d "$name/fold-0/final" ] && return
  quietly "$name" mpi_run 2 "$bin/cmus-train" "$top/configs/heat_maps.yaml" "image_size=$size" "seed=$seed" "${keys[@]}" "$@" \
    --data "data-$size" --fold 0 --out "$name"
  grep 'held-out fold' "$name.log" >&2
}
# explain RUN OUT
explain() {
  [ -d "$2" ] || quietly "$2" mpi_run 2 "$bin/cmus-predict" --weights "$1/fold-0" --data data-224 --fold 0 --out "$2" --explain
}

[ -d phantom ] || quietly phantom "$bin/cmus-phantom" --cases "$cases" --seed 1 --out phantom
for size in 56 112 224; do
  [ -f "data-$size/splits.csv" ] && continue
  quietly pack "$bin/cmus-pack" phantom/cases --out "data-$size" --size "$size"
  quietly split "$bin/cmus-split" "data-$size" --folds 5 --seed 1
done
started=$SECONDS
train small 56 epochs=40
train middle 112 epochs=20 --init small/fold-0/final/weights.safetensors
train large 224 --init middle/fold-0/final/weights.safetensors
echo "trained in $((SECONDS - started)) s"
explain large trained
networks=(trained)
for ((i = 1; i <= random; i++)); do
  train "initial-$i" 224 "seed=$((1000 + i))" max_updates=1 lr=1e-12 lr_min=1e-12 eval_every=0 # as good as untouched
  explain "initial-$i" "random-$i"
  networks+=("random-$i")
done
python3 "$top/tests/bench/heat_maps.py" phantom "${networks[@]}"
if [ "$torch" = yes ]; then
  python3 "$top/tests/bench/heat_maps.py" phantom large/fold-0/final/weights.safetensors --torch data-224 --against trained
fi
