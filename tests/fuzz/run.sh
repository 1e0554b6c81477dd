#!/usr/bin/env bash
# Runs fuzz targets with libFuzzer, as many at once as there are processors.
#   run.sh [--seconds N] [--build FOLDER] [--merge] [TARGET...]
#     --seconds N     for each target (600)
#     --build FOLDER  where to build and to keep what is found (build-fuzz beside tests/)
#     --merge         then the corpus in tests/fuzz/corpus takes in what reaches code that it does not reach
#     TARGET          such as jpeg; without: all of them
# Starts from the corpus and what earlier runs left in the build folder. A line a target says how many inputs were tried.
# A finding (a crash, a leak, 5 s or 1 GiB for one input) is kept in the build folder; then the exit code is 1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
seconds=600 build=$top/build-fuzz merge=no targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds N}; shift ;;
    --build) build=${2:?--build FOLDER}; shift ;;
    --merge) merge=yes ;;
    -*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} -eq 0 ]; then
  mapfile -t targets < <(sed -n 's/^cmus_fuzz_target(\([a-z0-9_]*\).*/\1/p' "$here/CMakeLists.txt")
fi
programs=("${targets[@]/#/fuzz_}")

"$top/jobs/install-packages.sh" build fuzz
mkdir -p "$build"
build=$(cd "$build" && pwd)
if ! { cmake -S "$top" -B "$build" -DCMAKE_C_COMPILER=clang -DCMUS_FUZZ=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
  cmake --build "$build" -j "$(nproc)" --target "${programs[@]}"; } >"$build/build.log" 2>&1; then
  tail -n 40 "$build/build.log" >&2
  echo "run.sh: the build failed; all of its output is in $build/build.log" >&2
  exit 1
fi

scratch=$(mktemp -d "$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)/cmus-fuzz-run-XXXXXX")
# shellcheck disable=SC2046 # a word for each process
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
export TMPDIR=$scratch
export UBSAN_OPTIONS=print_stacktrace=1
# A small quarantine: memory that is new for each input costs more than what is tested.
export ASAN_OPTIONS=quarantine_size_mb=16
export LSAN_OPTIONS=suppressions=$top/tests/leaks.txt:print_suppressions=0
limits=(-timeout=5 -rss_limit_mb=1024)

# fuzz TARGET: exit code 1 on a finding
fuzz() {
  local target=$1 work=$build/fuzz/$1 arguments
  mkdir -p "$work/corpus" "$work/findings"
  arguments=("${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$work/findings/")
  [ ! -f "$here/dictionaries/$target" ] || arguments+=(-dict="$here/dictionaries/$target")
  local code=0 count
  "$build/tests/fuzz/fuzz_$target" "${arguments[@]}" "$work/corpus" "$here/corpus/$target" >"$work/log" 2>&1 || code=$?
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  if [ $code -eq 0 ]; then
    echo "$target: ${count:-?} inputs in $seconds s, nothing found"
  else
    echo "$target: FOUND after ${count:-?} inputs: $(grep -m 1 -E '^SUMMARY|ERROR: |fatal' "$work/log" || echo "exit code $code"); log: $work/log"
    return 1
  fi
}

# grow TARGET: one input for each branch and message that the corpus does not reach
grow() {
  local target=$1 work=$build/fuzz/$1
  if ! "$build/tests/fuzz/fuzz_$target" "${limits[@]}" -merge=1 -use_counters=0 "$here/corpus/$target" "$work/corpus" >"$work/merge.log" 2>&1; then
    echo "$target: the corpus could not be extended; log: $work/merge.log" >&2
    return 1
  fi
  echo "$target: $(find "$here/corpus/$target" -type f | wc -l) inputs in the corpus, $(du -sk --apparent-size "$here/corpus/$target" | cut -f 1) KB"
}

found=0 running=0
for target in "${targets[@]}"; do
  if [ $running -ge "$(nproc)" ]; then
    wait -n || found=1
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || found=1
  running=$((running - 1))
done
if [ $merge = yes ]; then
  for target in "${targets[@]}"; do grow "$target" || found=1; done
fi
exit $found
