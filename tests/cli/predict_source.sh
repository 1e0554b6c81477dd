#!/usr/bin/env bash
# Cases have the same pixels from image files as from a data set packed of them: files of every kind, phantom cases, and
# real ones where they are at hand.
#   predict_source.sh BUILD COMPARE REAL_CASES
compare=$2 real=$3
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

same() { # TREE DATA: all pixels are the same
    "$compare" "$@" > said 2>&1 || fail "$1 and $2: $(tail -5 said)"
    contains said ", 0 images differ"
}

packed() { # TREE DATA OPTIONS...
    local tree=$1 data=$2
    shift 2
    "$bin/cmus-pack" "$tree" --out "$data" "$@" > log 2>&1 || fail "cmus-pack $tree: $(tail -3 log)"
}

name="phantom cases"
"$bin/cmus-phantom" --cases 6 --size 300 --seed 3 phantoms > log 2>&1 || fail "cmus-phantom: $(tail -3 log)"
packed phantoms/cases phantoms-packed
same phantoms/cases phantoms-packed

name="real cases"
if [ -d "$real" ]; then
    packed "$real" real-packed
    same "$real" real-packed
else
    echo "real cases are left out: $real is not there"
fi

name="files of every kind"
need_python PIL h5py numpy
"$python" "$here/pack_images.py" formats odd > log 2>&1 || fail "no images: $(tail -3 log)"
packed odd odd-packed
same odd odd-packed
packed odd odd-window --filter lanczos --window 300,20000 --size 64
same odd odd-window
# the test sees a difference where there is one
"$compare" odd odd-window plain > said 2>&1 && fail "other options give the same pixels"
contains said "TEM_png_gray16.png differs" "OM_1.JPG differs"
finish
