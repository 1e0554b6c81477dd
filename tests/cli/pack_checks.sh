#!/usr/bin/env bash
# The checks of cmus-pack that need what is in the images, and what --on-error makes of them.
#   pack_checks.sh BUILD
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
for python in python3 /usr/bin/python3 none; do
    "$python" -c 'import PIL, numpy' 2>/dev/null && break
done
[ "$python" = none ] && { echo "skipped: python3-pil and python3-numpy are not there"; exit 77; }
export OMP_NUM_THREADS=2

# packs CODE TREE [OPTION...]: packs TREE to TREE-packed; what was said is in err
packs() {
    local wanted=$1 tree=$2 code=0
    shift 2
    rm -rf "$tree-packed" "$tree-packed.findings.csv"
    "$bin/cmus-pack" "$tree" --out "$tree-packed" --size 96 "$@" >out 2>err || code=$?
    [ "$code" = "$wanted" ] || fail "exit code $code instead of $wanted: $(cat err)"
}

lacks() { # FILE TEXT
    ! grep -qF -- "$2" "$1" || fail "'$2' is in $1: $(grep -F -- "$2" "$1" | head -3)"
}

name="copies with edits"
"$bin/cmus-phantom" drawn --cases 9 --seed 3 >/dev/null 2>&1
"$python" "$here/pack_copies.py" make drawn/cases copies 3
packs 0 copies
"$python" "$here/pack_copies.py" count copies-packed/findings.csv copies 0.95 || fail "copies are not told"

# Patients p0 to p5 of classes A and B, all images different crops of one large picture.
name="crops of one picture"
"$python" - crops <<'PY'
import sys
from pathlib import Path
import numpy as np
from PIL import Image
random = np.random.default_rng(3)
large = Image.fromarray(random.integers(0, 256, (60, 60), np.uint8)).resize((2400, 2400), Image.BICUBIC)
large = Image.fromarray((np.asarray(large) * 0.8 + random.integers(0, 40, (2400, 2400))).astype(np.uint8))
for i in range(6):
    folder = Path(sys.argv[1], "AB"[i % 2], f"p{i}")
    folder.mkdir(parents=True)
    for j, name in enumerate(["OM_1", "IM_1", "TEM_1", "TEM_2"]):
        large.crop((400 * i, 600 * j, 400 * i + 400, 600 * j + 400)).save(folder / f"{name}.png", compress_level=1)
PY
packs 0 crops
lacks err warning
lacks crops-packed/findings.csv warning

# What a picture is under another patient, whatever the file: turned by its tag, gray as RGB.
name="equal pixels"
cp -r crops leak
"$python" - leak <<'PY'
import sys
from PIL import Image
tree = sys.argv[1]
gray = Image.open(f"{tree}/A/p0/TEM_1.png")
tags = Image.Exif()
tags[0x0112] = 6  # turned right by a quarter to be seen
gray.convert("RGB").transpose(Image.ROTATE_90).save(f"{tree}/B/p3/TEM_2.tif", exif=tags)
gray.save(f"{tree}/A/p0/TEM_3.png", optimize=True)
PY
rm leak/B/p3/TEM_2.png
packs 1 leak
[ ! -e leak-packed ] || fail "the data set is there"
contains err "leak/A/p0/TEM_1.png: under another patient there is the same picture, pixel by pixel: leak/B/p3/TEM_2.tif of case B/p3" \
    "leak/B/p3/TEM_2.tif: under another patient" "case A/p0"
contains leak-packed.findings.csv "error,A/p0,leak/A/p0/TEM_3.png" "error,B/p3,leak/B/p3/TEM_2.tif"
name="equal pixels, skipped"
packs 0 leak --on-error skip
[ "$(cut -d, -f1 leak-packed/rejected.csv | sed 1d | sort | tr '\n' ' ')" = "A/p0 B/p3 " ] ||
    fail "rejected: $(cat leak-packed/rejected.csv)"
contains err "4 cases, 16 images"
"$bin/cmus-pack" --verify leak-packed >out 2>err || fail "$(cat err)"

name="equal pixels under one patient"
cp -r crops twice
cp twice/A/p0/TEM_1.png twice/A/p0/TEM_3.png
mkdir twice/B/p0
cp twice/A/p0/*_1.png twice/B/p0
packs 0 twice
contains twice-packed/findings.csv "the same picture twice in a case: equal to twice/A/p0/TEM_1.png" \
    "warning,B/p0,twice/B/p0/OM_1.png,the same picture in two classes: equal to twice/A/p0/OM_1.png of this patient's case A/p0" \
    "patient p0 is in 2 classes: A (case A/p0), B (case B/p0)"

name="odd images"
cp -r crops odd
"$python" - odd <<'PY'
import sys
import numpy as np
from PIL import Image
tree = sys.argv[1]
random = np.random.default_rng(4)
Image.fromarray(random.integers(0, 6, (400, 400), np.uint8)).save(f"{tree}/A/p0/IM_1.png")
Image.new("L", (400, 400)).save(f"{tree}/A/p2/IM_1.png")
tags = Image.Exif()
tags[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
tags[0x013B] = "Dr. Miller"
Image.open(f"{tree}/B/p1/OM_1.png").save(f"{tree}/B/p1/OM_1.jpg", exif=tags, quality=95)
Image.open(f"{tree}/B/p1/TEM_1.png").resize((60, 60)).save(f"{tree}/B/p1/TEM_1.png")
PY
rm odd/B/p1/OM_1.png
packs 0 odd
contains odd-packed/findings.csv "warning,A/p0,odd/A/p0/IM_1.png,\"nearly black" \
    "warning,A/p2,odd/A/p2/IM_1.png,\"nearly black" \
    "warning,B/p1,odd/B/p1/OM_1.jpg,its tags tell where it was taken (GPS)" \
    "warning,B/p1,odd/B/p1/OM_1.jpg,its tags may name a person" \
    '"60 x 60 pixels, where TEM images have about 400 x 400"'
[ "$(wc -l <odd-packed/findings.csv)" = 6 ] || fail "findings: $(cat odd-packed/findings.csv)"
! grep -qa Miller odd-packed/* || fail "the data set holds a name from a tag"

name="an empty picture"
"$python" -c 'import sys; from PIL import Image; Image.new("RGB", (400, 400), (250, 240, 250)).save(sys.argv[1])' odd/A/p4/OM_1.png
packs 1 odd
contains err "odd/A/p4/OM_1.png: no picture: all pixels are of one colour"
packs 0 odd --on-error skip
contains odd-packed/rejected.csv "odd/A/p4/OM_1.png: no picture"

name="a class whose cases are all rejected"
: >odd/A/p0/OM_1.png
: >odd/A/p2/TEM_1.png
packs 1 odd --on-error skip
contains err "all cases of class A have errors: mend one, or leave the class out by --classes"
[ ! -e odd-packed ] || fail "the data set is there"
contains odd-packed.findings.csv "error,A/p0,odd/A/p0/OM_1.png" "error,A/p2,odd/A/p2/TEM_1.png"

name="an error of no case"
ln -s nowhere leak/C
packs 1 leak --on-error skip
contains err "this concerns no single case that could be skipped"
finish
