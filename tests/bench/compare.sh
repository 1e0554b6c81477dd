#!/usr/bin/env bash
# Times updates of the full network here and in PyTorch, in turn, and prints the ratios in seconds an image.
#   tests/bench/compare.sh [--rounds N] [--steps N] [--quick] [--build DIR] [--logs DIR] [KEY=VALUE...]
#   --rounds N   how often each way is run (default 3); the median of the rounds counts
#   --steps N    updates of a run (default 8); the median of the later half counts, the others are warming up
#   --quick      one round of 4 updates, to see that it works
#   --build DIR  build folder with bin/step_bench (default: build)
#   --logs DIR   keep the output of every run there
#   KEY=VALUE    goes to step_bench: a key of the configuration, such as memory_gib=6
# 16 images an update everywhere. PyTorch's default way: one process, all cores, a bag of 14 in one batch. Its best way that
# is known: two ranks of DistributedDataParallel with half of the cores each, a case of 8 images a rank, and an allocator that
# keeps its memory. Here: two cases of 8 images, by one process with all cores.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
unset OMP_WAIT_POLICY # each run has the cores for itself: threads that wait may spin, as they do by default

rounds=3 steps=8 build=$top/build logs='' keys=()
usage() {
  sed -n '3,/^set/s/^# \{0,1\}//p' "$0"
  exit "$1"
}
need() { # OPTION COUNT-OF-ARGUMENTS
  [ "$2" -ge 2 ] || { echo "compare.sh: $1 needs a value" >&2; exit 2; }
}
count() { # OPTION VALUE
  [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || { echo "compare.sh: $1 $2: a whole number from 1 is expected" >&2; exit 2; }
}
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) need "$1" $#; count "$1" "$2"; rounds=$2; shift 2 ;;
    --steps) need "$1" $#; count "$1" "$2"; steps=$2; shift 2 ;;
    --quick) rounds=1 steps=4; shift ;;
    --build) need "$1" $#; build=$2; shift 2 ;;
    --logs) need "$1" $#; logs=$2; shift 2 ;;
    --help) usage 0 ;;
    *=*) keys+=("$1"); shift ;;
    *) echo "compare.sh: what is $1? See compare.sh --help" >&2; exit 2 ;;
  esac
done

bench=$build/bin/step_bench reference=$top/tests/golden/cmusnet_reference.py python=/usr/bin/python3
[ -x "$bench" ] || {
  echo "compare.sh: there is no $bench: cmake -S $top -B $build && cmake --build $build, or give --build DIR" >&2
  exit 1
}
"$python" -c 'import torch, torchvision, h5py, numpy' 2>/dev/null || {
  echo "compare.sh: PyTorch is missing: apt-get install python3-torch python3-torchvision python3-h5py python3-numpy" >&2
  exit 1
}
needed=20 available=$(awk '/^MemAvailable/ { print int($2 / 2^20) }' /proc/meminfo) # two PyTorch ranks take 9.3 GiB each
if [ "$available" -lt $needed ]; then
  echo "compare.sh: $available GiB of memory are free and PyTorch's two ranks need $needed: end what else runs" >&2
  exit 1
fi
if [ -z "$logs" ]; then
  logs=$(mktemp -d)
  trap 'rm -rf "$logs"' EXIT
else
  mkdir -p "$logs"
  rm -f "$logs"/*.seconds
fi
cores=$(nproc)
half=$((cores > 1 ? cores / 2 : 1))

# Without the settings of this shell that change the BLAS.
plain() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$@"; }
ours() { plain env OMP_NUM_THREADS="$1" "$bench" "$top/configs/cmusnet.yaml" "${keys[@]}" --batch 2 --tem 6 --steps "$steps"; }
theirs() { plain "${@:2}" "$python" "$reference" bench --preset full --threads "$1" --steps "$steps" "${shape[@]}"; }

ways=(ours default best)
run_way() {
  case $1 in
    ours) ours "$cores" ;;
    default) shape=(--tem 14) && theirs "$cores" ;;
    best) shape=(--tem 6 --ranks 2) && theirs "$half" env MALLOC_MMAP_THRESHOLD_=8000000000 \
      MALLOC_TRIM_THRESHOLD_=16000000000 MALLOC_TOP_PAD_=268435456 OMP_NUM_THREADS="$half" OPENBLAS_NUM_THREADS="$half" ;;
  esac
}
declare -A title=(
  [ours]="step_bench, 1 process x $cores threads"
  [default]="PyTorch, 1 process x $cores threads" [best]="PyTorch, 2 ranks x $half threads")

seconds_of() { # WAY LOG: seconds an image
  case $1 in
    ours) awk '$1 == "all" { print $4; exit }' "$2" ;;
    *) awk '/^median of the later half/ { print $(NF - 3) }' "$2" ;;
  esac
}
memory_of() { # WAY LOG: GiB of a rank
  case $1 in
    ours) awk '/^peak memory / { print $(NF - 1) }' "$2" ;;
    *) awk '/^peak memory of a rank/ { print $(NF - 1) }' "$2" ;;
  esac
}
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

echo "machine   $(lscpu | sed -n 's/^Model name: *//p' | head -1), $cores cores, $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 2^20 }' /proc/meminfo), Linux $(uname -r)"
echo "libraries PyTorch $("$python" -c 'import torch; print(torch.__version__)'), $(mpirun --version | head -1)"
echo "sources   $("$bench" --version)"
echo "load      $(cut -d' ' -f1-3 /proc/loadavg) before the first run (it should be near 0)"
echo "rounds    $rounds of $steps updates each, 16 images an update; seconds an image${keys[*]:+; ${keys[*]}}"
echo
printf '%-34s' round
printf ' %8s' $(seq "$rounds") median GiB/rank
echo
for ((round = 1; round <= rounds; round++)); do
  for way in "${ways[@]}"; do
    log=$logs/$way-$round.txt
    echo "compare.sh: round $round of $rounds: ${title[$way]}" >&2
    run_way "$way" > "$log" 2> "$log.err" || { tail -5 "$log.err" >&2; echo "compare.sh: ${title[$way]} failed" >&2; exit 1; }
    seconds_of "$way" "$log" >> "$logs/$way.seconds"
  done
done
declare -A result
for way in "${ways[@]}"; do
  result[$way]=$(median < "$logs/$way.seconds")
  printf '%-34s' "${title[$way]}"
  while read -r value; do printf ' %8.4f' "$value"; done < "$logs/$way.seconds"
  printf ' %8.4f %8.2f\n' "${result[$way]}" "$(memory_of "$way" "$logs/$way-$rounds.txt")"
done

echo
echo "${title[ours]}: ${result[ours]} s an image. As many times as fast as"
for way in default best; do
  awk -v name="${title[$way]}" -v theirs="${result[$way]}" -v ours="${result[ours]}" -v kind=$way \
    'BEGIN { printf "  %-34s (its %s way): %.2f\n", name, kind, theirs / ours }'
done
echo
echo "In the last round of it:"
grep -E '^(OpenBLAS|needed|SGEMM|ratio|peak)' "$logs/ours-$rounds.txt"
