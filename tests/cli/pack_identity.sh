#!/usr/bin/env bash
# cmus-pack --deidentify: no patient, case or file is named anywhere but in the map, whatever is wrong with the files.
#   pack_identity.sh BUILD
# shellcheck source=tests/cli/common.sh
source "$(dirname "$0")/common.sh"
need_python PIL h5py numpy
pack=$bin/cmus-pack

"$python" "$here/pack_images.py" cases cases 12 gray || exit 1
# Every name of a patient and of a file holds MRN4711 or 张伟.
number=0
for folder in cases/*/*; do
  for file in "$folder"/*; do
    mv "$file" "${file%_x_*}_MRN4711_${file##*_x_}"
  done
done
for patient in cases/*/*; do
  number=$((number + 1))
  case $patient in
    */p[0-2]) mv "$patient" "${patient%/*}/张伟${patient##*/}" ;;
    *) mv "$patient" "${patient%/*}/MRN4711-${patient##*/}" ;;
  esac
done
sick=$(compgen -G "cases/A/*" | head -1)
tampered=$(compgen -G "cases/B/*" | head -1)
copied=$(compgen -G "cases/C/*" | head -1) other=$(compgen -G "cases/C/*" | tail -1)
truncate -s -100 "$sick"/IM_MRN4711_1.jpg                # damaged
rm "$tampered"/IM_MRN4711_1.jpg                          # incomplete
cp "$copied"/OM_MRN4711_1.png "$other"/OM_MRN4711_1.png      # a copy under another patient
touch "$other/张伟.txt" "cases/MRN4711.txt" cases/C/张伟.pdf   # not used
cp "$(compgen -G "cases/B/*" | tail -1)"/OM_MRN4711_1.png "$(compgen -G "cases/B/*" | tail -1)"/OM_MRN4711_2.png
ln -s "$PWD/nowhere" "$other/TEM_MRN4711_9.tif"          # can't be read
printf 'it must not be guessed' >key
chmod 600 key

# names_nobody FILE...
names_nobody() {
  local found
  found=$("$python" - "$@" <<'PY'
import sys
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    for word in ("MRN4711", "张伟"):
        for form in (word.encode(), word.encode("utf-16-le"), ascii(word)[1:-1].encode()):
            if form in data:
                print(path, word)
PY
  )
  [ -z "$found" ] || fail "a name is in $found"
}

# --- a run that is stopped by what is wrong
"$pack" cases --out packed --size 32 --deidentify key >out 2>err && fail "defects did not stop"
[ ! -e packed ] || fail "a data set in spite of defects"
contains packed.findings.csv "f-" "damaged JPEG" "without IM"
names_nobody out err packed.findings.csv
contains packed.map.csv "kind,hashed,true" "张伟" "MRN4711"
[ "$(stat -c %a packed.map.csv)" = 600 ] || fail "others may read the map"

# --- without the sick cases
"$pack" cases --out packed --size 32 --deidentify key --on-error skip --preview page.html >out 2>err ||
  fail "skipping: $(cat err)"
[ ! -e packed.findings.csv ] || fail "old findings were left"
"$pack" --describe packed >described 2>>err || fail "--describe"
names_nobody out err described page.html packed/*
contains packed/rejected.csv "c-" ",A," ",B," ",C,"
contains packed/findings.csv "warning," "error,"
"$python" - packed packed.map.csv <<'PY' || fail "the map does not lead back"
import csv, h5py, sys
hashes = {(row["kind"], row["hashed"]): row["true"] for row in csv.DictReader(open(sys.argv[2]))}
with h5py.File(sys.argv[1] + "/shard-00000.h5") as file:
    cases, patients = ([text.decode() for text in file[name][:]] for name in ("case_id", "patient_id"))
    for case, patient in zip(cases, patients):
        folder = hashes["case", case]
        assert folder.split("/")[1] == hashes["patient", patient], (folder, patient)
    for line in file["source"][:]:
        digest, source = line.decode().split("  ")
        true = hashes["image", source]
        assert true.startswith(hashes["case", source.split("/")[0]] + "/" + source.split("/")[1].split("_")[0]), true
    assert len(set(patients)) < len(patients) or len(patients) < 6
for name in ("findings", "rejected"):
    for row in csv.DictReader(open(f"{sys.argv[1]}/{name}.csv")):
        if row.get("file"):
            assert row["file"] in ("A", "B", "C") or ("file", row["file"]) in hashes, row
        case = row.get("case") or row.get("case_id")
        assert not case or ("case", case) in hashes, row
PY

# --- the same key gives the same names, another one others; the place of the map
"$pack" cases --out again --size 32 --deidentify key --on-error skip --map packed.map.csv 2>err || fail "again: $(cat err)"
diff -r packed again >/dev/null || fail "the same key gives other names"
printf 'it must not be guessed either' >key2
"$pack" cases --out other --size 32 --deidentify key2 --on-error skip 2>err || fail "another key: $(cat err)"
cmp -s packed/rejected.csv other/rejected.csv && fail "another key gives the same names"
contains err "key2: other users may read the key"
for place in inside/map.csv inside.partial/map.csv; do
  mkdir -p inside inside.partial
  "$pack" cases --out inside --deidentify key --map $place 2>err && fail "a map at $place"
  contains err "$place: must not lie in inside"
done
cp key kept
printf 'one line of notes\n' >notes
for file in key notes; do
  "$pack" cases --out never --deidentify key --map $file 2>err && fail "the map in the place of $file"
  contains err "$file: is there and is no map of ids"
done
cmp key kept || fail "the key was overwritten"
printf 'too short' >weak
"$pack" cases --out never --deidentify weak 2>err && fail "a weak key"
contains err "weak: a key of 9 bytes can be guessed"
"$pack" cases --out never --deidentify nokey 2>err && fail "no key"
contains err nokey
"$pack" cases --out never --map map.csv 2>err && fail "--map alone"
contains err "--map goes with --deidentify"
compgen -G "never*" >/dev/null && fail "a refused run left something"
finish
