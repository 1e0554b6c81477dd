#!/usr/bin/env bash
# All tests, with their own set-up: installs what is missing, builds with warnings as errors, runs every test by ctest,
# and some of them once more under AddressSanitizer and UndefinedBehaviorSanitizer.
#   ./tests/run.sh            what must hold after every change
#   ./tests/run.sh --full     also the full network and the long tests
# The last line is "N passed, N failed".
set -uo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
full=no
case "${1:-}" in
  '') ;;
  --full) full=yes ;;
  *) echo "usage: tests/run.sh [--full]" >&2; exit 2 ;;
esac

"$top/jobs/install-packages.sh" build test || exit 1
# Without root, or where they can't be installed, the test that needs them says so and is skipped.
[ "$(id -u)" -ne 0 ] || "$top/jobs/install-packages.sh" cluster || true
"$top/jobs/install-packages.sh" browser || true
"$top/jobs/install-packages.sh" torch || true
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
# Threads that wait for each other must not spin while tests share the cores.
export OMP_WAIT_POLICY=passive
build=${CMUS_TEST_BUILD:-$top/build-test}
sanitized=${CMUS_TEST_BUILD_SANITIZED:-$top/build-sanitized}
"$top/jobs/build.sh" "$build" -DCMUS_WARNINGS_AS_ERRORS=ON || exit 1
"$top/jobs/build.sh" "$sanitized" -DCMUS_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo || exit 1

passed=0 failed=0 skipped=0
# run_ctest FOLDER ARGUMENTS...: adds ctest's own counts to ours
run_ctest() {
  local folder=$1 report=$1/ctest-results.xml counts
  shift
  rm -f "$report"
  ctest --test-dir "$folder" --output-on-failure --output-junit "$report" "$@"
  if ! counts=$(sed -n '2,8s/.*\(tests\|failures\|skipped\|disabled\)="\([0-9]*\)".*/\1=\2/p' "$report" 2>/dev/null) ||
    [ -z "$counts" ]; then
    echo "run.sh: ctest left no results in $report" >&2
    failed=$((failed + 1))
    return
  fi
  local tests=0 failures=0 skips=0
  tests=$(sed -n 's/^tests=//p' <<<"$counts")
  failures=$(sed -n 's/^failures=//p' <<<"$counts")
  skips=$(sed -n 's/^skipped=//p' <<<"$counts")
  failed=$((failed + failures))
  skipped=$((skipped + skips))
  passed=$((passed + tests - failures - skips))
}

selection=(-LE full)
[ $full = yes ] && selection=()
run_ctest "$build" "${selection[@]}"
# Leaks are looked for where no MPI runs: Open MPI keeps memory until the end of a process.
export UBSAN_OPTIONS=print_stacktrace=1
no_mpi='^(unit|golden|fuzz)/' mpi='unit/test_(dist|shared_memory|watchdog|launch|reducer|optimizer)'
ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$top/tests/leaks.txt:print_suppressions=0 \
  run_ctest "$sanitized" -LE full -R "$no_mpi" -E "$mpi"
# Scripts alone are not run twice.
ASAN_OPTIONS=detect_leaks=0 run_ctest "$sanitized" -LE full -R "$mpi|^cli/" -E "^cli/(jobs|prefix|unpack)"

[ "$skipped" -eq 0 ] || echo "$skipped skipped (the reason is in their output)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
