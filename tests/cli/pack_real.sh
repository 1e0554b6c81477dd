#!/usr/bin/env bash
# cmus-pack and cmus-split on real public images, where they are at hand (they are not part of the project).
#   pack_real.sh BUILD CASES ODD_IMAGES
set -u
pack=$1/bin/cmus-pack split=$1/bin/cmus-split cases=$2 odd=$3
here=$(cd "$(dirname "$0")" && pwd)
[ -d "$cases" ] && [ -d "$odd" ] || { echo "skipped: $cases or $odd is not there"; exit 77; }
for python in python3 /usr/bin/python3 none; do
  "$python" -c 'import PIL, h5py, numpy' 2>/dev/null && break
done
[ "$python" = none ] && { echo "skipped: python3-pil, python3-h5py and python3-numpy are not there"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
fail() {
  echo "FAILED: $*"
  exit 1
}

"$pack" "$cases" --out packed || fail "packing $cases"
"$pack" --verify packed || fail "verifying"
"$split" packed --folds 5 --seed 1 || fail "splitting"
"$split" packed --check >/dev/null || fail "checking the splits"
"$python" - packed <<'PY' || fail "the data set is not what it should be"
import csv, json, sys
index = json.load(open(sys.argv[1] + "/dataset.json"))
assert index["classes"] == ["GS", "nonGS"], index["classes"]
assert index["counts"] == {"cases": 48, "patients": 28, "images": 264}, index["counts"]
folds = {}
for row in csv.DictReader(open(sys.argv[1] + "/splits.csv")):
    folds.setdefault(row["patient_id"], []).append((row["fold"], row["class"]))
assert len(folds) == 28 and sum(len(f) == 2 for f in folds.values()) == 20
assert all(len({fold for fold, _ in rows}) == 1 for rows in folds.values()), "a patient is in two folds"
for name in index["classes"]:
    counts = [sum((str(k), name) in rows for rows in folds.values()) for k in range(5)]
    assert max(counts) - min(counts) <= 1, (name, counts)
PY
for shard in packed/shard-*.h5; do
  "$python" "$here/pack_images.py" compare "$shard" "$cases" || fail "images of $shard differ from Pillow's"
done

# originals of odd kinds: a palette, a nearly black JPEG, low contrast
case=odd/X/p1
mkdir -p $case
number=0
for file in "$odd"/*; do
  case $file in
    *stain*) cp "$file" $case/OM_1.png ;;
    *kidney*) cp "$file" $case/IM_1.jpg ;;
    *) number=$((number + 1)); cp "$file" "$case/TEM_$number.${file##*.}" ;;
  esac
done
"$pack" odd --out odd-packed || fail "packing odd images"
"$python" "$here/pack_images.py" compare odd-packed/shard-00000.h5 odd || fail "odd images differ from Pillow's"
echo "all passed"
