#!/bin/bash
# pack_bench.sh on a few generated cases: what it prints, one and two cores, wrong usage. Says nothing of speed.
# shellcheck source=tests/cli/common.sh
source "$(dirname "$0")/../cli/common.sh"
bench=$here/../bench/pack_bench.sh build=$(dirname "$bin")
for python in python3 /usr/bin/python3 none; do
    "$python" -c 'import PIL, h5py, numpy' 2>/dev/null && break
done
[ "$python" = none ] && { echo "skipped: python3-pil, python3-h5py and python3-numpy are not there"; exit 77; }

"$python" - <<'PY' || fail "the cases are not made"
import os
from PIL import Image
for case in range(3):
    for modality, mode in (("OM", "RGB"), ("IM", "RGB"), ("TEM", "L")):
        folder = "cases/class%d/p%d" % (case % 2, case)
        os.makedirs(folder, exist_ok=True)
        pixels = os.urandom(48 * 40 * len(mode))
        Image.frombytes(mode, (48, 40), pixels).save("%s/%s_class%d_p%d_1.png" % (folder, modality, case % 2, case))
PY

name="one core"
"$bench" --build "$build" --rounds 1 --size 32 --large 90 --cases 2 cases > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
contains bench.txt "1 cores, images of the data set 32 x 32" "cases: 9 images, 1 rounds" "90 x 90, jpeg: 6 images" "90 x 90, png: 6 images" \
    "90 x 90, tiff: 6 images" "Pillow + h5py" "cmus-pack / decoding alone, median of rounds: "
[ "$(grep -c 'images/s$' bench.txt)" = 12 ] || fail "not 3 ways of 4 folders: $(cat bench.txt)"
awk '/ images\/s$/ && !($(NF - 3) >= 0 && $(NF - 1) > 0) { exit 1 }' bench.txt || fail "no time: $(cat bench.txt)"

if [ "$(nproc)" -ge 2 ]; then
    name="two cores"
    both=$(taskset -cp $$ | sed 's/.*: //')
    "$bench" --build "$build" --rounds 1 --size 32 --cpus "$both" cases > bench.txt 2>&1 || fail "exit code $?: $(cat bench.txt)"
    contains bench.txt "cases: 9 images, 1 rounds"
fi

name="wrong usage"
"$bench" --build "$build" nowhere > usage.txt 2>&1
[ $? = 2 ] || fail "exit code of a folder that is not there"
contains usage.txt "nowhere: there is no such folder"
"$bench" --rounds 0 cases > usage.txt 2>&1
[ $? = 2 ] || fail "exit code of no rounds"
: > "cases/class0/p0/OM_class0_p0_1.png"
"$bench" --build "$build" --rounds 1 cases > damaged.txt 2>&1 && fail "a damaged file is measured"
contains damaged.txt "OM_class0_p0_1.png"

finish
