#!/usr/bin/env bash
# Neither colour histograms nor the amount of deposit may tell the classes of 300 phantom cases apart. usage: phantom_shortcut.sh BUILD
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1/bin/cmus-phantom" --cases 300 --size 96 --seed 3 "$scratch/cases" 2>/dev/null
python=/usr/bin/python3 # has Debian's packages
if "$python" -c 'import numpy, PIL' 2>/dev/null; then
    "$python" "$here/phantom_truth.py" "$scratch/cases" 96
fi
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" "$here/colour_shortcut.py" "$scratch/cases"
