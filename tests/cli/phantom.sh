#!/usr/bin/env bash
# cmus-phantom: layout, repeatability, refusals. usage: phantom.sh BUILD
set -euo pipefail
phantom=$(cd "$1" && pwd)/bin/cmus-phantom
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3 # has Debian's packages
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
trap 'echo "FAILED: phantom.sh, line $LINENO" >&2' ERR

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# fails_with CODE TEXT command...: that exit code, that text in stderr, nothing left behind
fails_with() {
    local code=$1 text=$2 got=0
    shift 2
    "$@" >/dev/null 2>message || got=$?
    [ "$got" = "$code" ] || fail "exit code $got, not $code: $*"
    grep -qF -- "$text" message || fail "no '$text' in: $(cat message)"
    [ -z "$(find . -name '*.partial*' -o -name '*.tmp')" ] || fail "partial output left by: $*"
}

# What is drawn
OMP_NUM_THREADS=1 "$phantom" --cases 12 --size 64 --seed 7 --patients-with-two-cases 0.5 --bag 1,3 one 2>/dev/null
OMP_NUM_THREADS=4 "$phantom" --cases 12 --size 64 --seed 7 --patients-with-two-cases 0.5 --bag 1,3 --out many 2>/dev/null
diff -r one many || fail "the number of threads changes the output"
(cd one && sha256sum --quiet -c MANIFEST.sha256) || fail "MANIFEST.sha256 does not hold"
[ "$(wc -l <one/MANIFEST.sha256)" = $(($(find one -type f | wc -l) - 1)) ] || fail "MANIFEST.sha256 lacks files"
[ "$(find one/cases -mindepth 2 -maxdepth 2 -type d | wc -l)" = 12 ] || fail "not 12 cases"
for class in IgAN MN LN; do
    [ "$(find "one/cases/$class" -mindepth 1 -maxdepth 1 | wc -l)" = 4 ] || fail "not 4 cases of $class"
done
[ "$(find one/cases -mindepth 2 -printf '%f\n' | sort | uniq -d | wc -l)" -gt 0 ] || fail "no patient with two cases"
if "$python" -c 'import numpy, PIL' 2>/dev/null; then
    "$python" "$here/phantom_truth.py" one 64 >/dev/null
fi

# A case does not depend on how many others there are, but on the seed
"$phantom" --cases 5 --size 64 --seed 7 --patients-with-two-cases 0.5 --bag 1,3 few 2>/dev/null
for part in cases masks; do
    [ -z "$(diff -rq few/$part one/$part | grep -v '^Only in one')" ] || fail "fewer cases are other cases"
done
"$phantom" --cases 5 --size 64 --seed 8 --bag 1,3 other 2>/dev/null
cmp -s few/cases/IgAN/P0001/OM_IgAN_P0001_1.jpg other/cases/IgAN/P0001/OM_IgAN_P0001_1.jpg && fail "the seed does nothing"

# Classes and knobs
"$phantom" --cases 4 --size 32 --classes LN,MN --im-faded 1 --off-target 0 --tem-partial 0 knobs 2>/dev/null
[ "$(ls knobs/cases | tr '\n' ' ')" = "LN MN " ] || fail "--classes is not kept to"
grep -q ',TEM,' knobs/truth.csv || fail "no TEM images"
! grep ',TEM,' knobs/truth.csv | grep -qv ',good,' || fail "--off-target 0 draws off target"
! grep ',IM,' knobs/truth.csv | grep -q ',good,' || fail "--im-faded 1 draws good images"
spared() { # P: TEM images of lupus that show both places, and how many of them have deposits in the mesangium, along the membrane, in neither
    "$phantom" --cases 40 --size 32 --classes LN --off-target 0 --tem-partial 0 --tem-spared "$1" "spared-$1" 2>/dev/null
    awk -F, '$4 == "TEM" { n++; mesangium += $11 > 0; membrane += $12 > 0; neither += $11 == 0 && $12 == 0 }
        END { print n, mesangium, membrane, neither }' "spared-$1/truth.csv"
}
read -r images mesangium membrane neither < <(spared 0)
[ "$mesangium" = "$images" ] && [ "$neither" = 0 ] || fail "--tem-spared 0 spares $((images - mesangium)) of $images"
read -r images mesangium membrane neither < <(spared 1)
[ "$neither" = "$images" ] || fail "--tem-spared 1 draws deposits in $((images - neither)) of $images"
read -r images mesangium membrane neither < <(spared 0.5)
for share in $((100 * mesangium / images)) $((100 * membrane / images)) $((200 * neither / images)); do
    [ "$share" -gt 30 ] && [ "$share" -lt 70 ] || fail "--tem-spared 0.5: $mesangium, $membrane, $neither of $images"
done
cmp -s spared-0/cases/LN/P0003/OM_LN_P0003_1.jpg spared-1/cases/LN/P0003/OM_LN_P0003_1.jpg || fail "--tem-spared changes OM images"

# Refusals
mkdir empty full && touch full/file
"$phantom" --cases 1 --size 32 empty/ 2>/dev/null || fail "an empty folder is refused"
fails_with 1 "full: not empty" "$phantom" --cases 1 --size 32 full
[ "$(ls full)" = file ] || fail "the folder that was there is changed"
fails_with 1 "full/file: a file" "$phantom" --cases 1 --size 32 full/file
fails_with 1 "/proc/none" "$phantom" --cases 1 --size 32 /proc/none/out
# A disk that takes no more: files over 2 KiB fail
limited() (
    trap '' XFSZ
    ulimit -f 2
    "$@"
)
fails_with 1 "can't write a." limited "$phantom" --cases 3 --size 128 a
[ ! -e a ] || fail "output without its files"
fails_with 2 "output folder" "$phantom"
fails_with 2 "output folder" "$phantom" a b
fails_with 2 "--cases: '0'" "$phantom" --cases 0 a
fails_with 2 "--size: 'x'" "$phantom" --size x a
fails_with 2 "--seed: '-1'" "$phantom" --seed=-1 a
fails_with 2 "--bag: '5,2'" "$phantom" --bag 5,2 a
fails_with 2 "'FSGS' is none of" "$phantom" --classes IgAN,FSGS a
fails_with 2 "'MN' is there twice" "$phantom" --classes MN,MN a
fails_with 2 "--im-faded: '1.5'" "$phantom" --im-faded 1.5 a
[ ! -e a ] || fail "wrong usage made output"
echo "phantom: all passed"
