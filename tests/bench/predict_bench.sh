#!/usr/bin/env bash
# Times cmus-predict on image files with the full network, in turn with PyTorch on the same files and weights, and prints ratios.
#   tests/bench/predict_bench.sh [--rounds N] [--build DIR] [--few N] [--many N] [KEY=VALUE...]
#   --rounds N   how often each way is run (default 3); medians count
#   --build DIR  build folder with bin/cmus-predict (default: build)
#   --few N      cases of the short run (default 4) and of the long one (--many, default 16): seconds a case here are those
#   --many N     of the cases between them, so that start and loading of the weights do not count (PyTorch's neither)
#   KEY=VALUE    goes to cmus-predict: such as precision=bf16
# A case has 12 images (10 TEM) of 224 px as JPEG files, drawn by cmus-phantom. PyTorch's default way: one process, all
# cores. Its best way that is known: two processes with half of the cores each, and an allocator that keeps its memory.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
rounds=3 build=$top/build few=4 many=16 tolerance=1e-4 keys=()
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --build) build=$2; shift 2 ;;
    --few) few=$2; shift 2 ;;
    --many) many=$2; shift 2 ;;
    --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    precision=bf16) keys+=("$1"); tolerance=0.05; shift ;;
    *=*) keys+=("$1"); shift ;;
    *) echo "predict_bench.sh: what is $1? See --help" >&2; exit 2 ;;
  esac
done
bin=$build/bin python=/usr/bin/python3 script=$top/tests/bench/predict_bench.py
[ -x "$bin/cmus-predict" ] || { echo "predict_bench.sh: there is no $bin/cmus-predict; build, or give --build DIR" >&2; exit 1; }
"$python" -c 'import torch, torchvision, PIL' 2>/dev/null || {
  echo "predict_bench.sh: PyTorch is missing: jobs/install-packages.sh torch test" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cores=$(nproc)
half=$((cores > 1 ? cores / 2 : 1))
plain() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE -u OMP_WAIT_POLICY "$@"; }

for n in "$few" "$many"; do
  "$bin/cmus-phantom" --cases "$n" --bag 10,10 --seed 5 --out "$work/phantom-$n" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
done
"$python" "$script" weights "$work/weights.pth"

# Seconds of the whole program.
ours() { # CASES
  local began ended
  rm -rf "$work/out-$1"
  began=$(date +%s.%N)
  plain /usr/bin/time -f '%M' -o "$work/memory" "$bin/cmus-predict" encoder=swin_b 'classes=[IgAN, LN, MN]' "${keys[@]}" \
    --config "$top/configs/cmusnet.yaml" --weights "$work/weights.pth" --cases "$work/phantom-$1/cases" \
    --out "$work/out-$1" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
  ended=$(date +%s.%N)
  awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.3f\n", b - a }'
}
theirs() { # PROCESSES THREADS
  plain env MALLOC_MMAP_THRESHOLD_=8000000000 MALLOC_TRIM_THRESHOLD_=16000000000 MALLOC_TOP_PAD_=268435456 \
    OMP_NUM_THREADS="$2" OPENBLAS_NUM_THREADS="$2" "$python" "$script" predict "$work/weights.pth" "$work/phantom-$many/cases" \
    --processes "$1" --threads "$2" --check "$work/out-$many/predictions.csv" --tolerance "$tolerance" > "$work/theirs"
  awk '/^seconds a case/ { print $NF }' "$work/theirs"
}
default() {
  plain "$python" "$script" predict "$work/weights.pth" "$work/phantom-$few/cases" --processes 1 --threads "$cores" > "$work/default"
  awk '/^seconds a case/ { print $NF }' "$work/default"
}
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

echo "machine   $(lscpu | sed -n 's/^Model name: *//p' | head -1), $cores cores; load $(cut -d' ' -f1 /proc/loadavg) (it should be near 0)"
echo "libraries PyTorch $("$python" -c 'import torch; print(torch.__version__)'); $("$bin/cmus-predict" --version)"
echo "seconds a case of 12 images${keys[*]:+; ${keys[*]}}"
printf '%-6s %10s %10s %10s\n' round cmus-predict default best
ours "$few" > "$work/warm" # files come into the page cache
for ((round = 1; round <= rounds; round++)); do
  short=$(ours "$few") long=$(ours "$many")
  awk -v a="$short" -v b="$long" -v n=$((many - few)) 'BEGIN { printf "%.4f\n", (b - a) / n }' >> "$work/ours.seconds"
  awk -v a="$short" -v each="$(tail -1 "$work/ours.seconds")" -v n="$few" 'BEGIN { printf "%.2f\n", a - n * each }' >> "$work/start.seconds"
  default >> "$work/default.seconds"
  theirs 2 "$half" >> "$work/best.seconds"
  printf '%-6s %10s %10s %10s\n' "$round" "$(tail -1 "$work/ours.seconds")" "$(tail -1 "$work/default.seconds")" "$(tail -1 "$work/best.seconds")"
done
ours=$(median < "$work/ours.seconds")
echo "median: cmus-predict $ours s a case, start and loading $(median < "$work/start.seconds") s, peak $(awk '{ printf "%.2f", $1 / 2^20 }' "$work/memory") GiB"
for way in default best; do
  awk -v way=$way -v theirs="$(median < "$work/$way.seconds")" -v ours="$ours" \
    'BEGIN { printf "PyTorch, %-7s %.4f s a case: cmus-predict is %.2f times as fast\n", way, theirs, theirs / ours }'
done
grep '^largest' "$work/theirs"
