#!/usr/bin/env bash
# Configures and builds: build.sh BUILD_FOLDER [CMake arguments]. Prints the build's output only when it fails.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift
mkdir -p "$folder"
log=$folder/build.log
if ! { cmake -S "$top" -B "$folder" "$@" && cmake --build "$folder" -j "$(nproc)"; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  echo "build.sh: the build failed; all of its output is in $log" >&2
  exit 1
fi
