#!/usr/bin/env bash
# From nothing to a report: installs what is missing, builds, draws demo cases without patients, packs them, makes five
# folds, trains each on two ranks, and prints the report. Takes about 11 minutes on two cores.
#   ./jobs/quickstart.sh [OUTPUT_FOLDER]     (default: quickstart in the checkout; an earlier one is replaced)
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/quickstart}
build=${CMUS_BUILD:-$top/build}
cases=${CMUS_QUICKSTART_CASES:-400}
folds=5

say() { printf '\n== %s\n' "$*"; }

began=$(date +%s)
say "installing what is missing"
"$top/jobs/install-packages.sh" build
# shellcheck source=jobs/mpi-environment.sh
. "$top/jobs/mpi-environment.sh"
say "building in $build"
"$top/jobs/build.sh" "$build"
bin=$build/bin

if [ -e "$out" ] && [ ! -f "$out/.quickstart" ]; then
  echo "quickstart.sh: $out exists and was not made by this script; name another folder" >&2
  exit 1
fi
rm -rf "$out"
mkdir -p "$out"
touch "$out/.quickstart"

say "drawing $cases demo cases"
"$bin/cmus-phantom" --cases "$cases" --seed 1 --out "$out/phantom"
say "packing them"
size=$(awk '$1 == "image_size:" {print $2}' "$top/configs/quickstart.yaml")
"$bin/cmus-pack" "$out/phantom/cases" --out "$out/data" --size "$size"
say "making $folds folds"
"$bin/cmus-split" "$out/data" --folds $folds --seed 1
for fold in $(seq 0 $((folds - 1))); do
  say "training fold $fold of $folds on 2 ranks"
  mpi_run 2 "$bin/cmus-train" "$top/configs/quickstart.yaml" --data "$out/data" --fold "$fold" --out "$out/run"
done
say "report"
"$bin/cmus-report" "$out/run" --out "$out/report"
say "done in $((($(date +%s) - began) / 60)) minutes: open $out/report/report.html"
