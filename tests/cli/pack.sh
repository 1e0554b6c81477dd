#!/usr/bin/env bash
# cmus-pack on small generated trees: what they make, and what they say of bad input.
#   pack.sh BUILD
set -u
here=$(cd "$(dirname "$0")" && pwd)
pack=$1/bin/cmus-pack split=$1/bin/cmus-split
scratch=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0

for python in python3 /usr/bin/python3 none; do
  "$python" -c 'import PIL, h5py, numpy' 2>/dev/null && break
done
[ "$python" = none ] && { echo "skipped: python3-pil, python3-h5py and python3-numpy are not there"; exit 77; }

complain() {
  echo "FAILED: $*"
  [ -s err ] && sed 's/^/  stderr: /' err
  failures=$((failures + 1))
}

# runs COMMAND...: output in out and err, exit code in code
runs() {
  "$@" >out 2>err
  code=$?
}

# says TEXT...: each text is in err
says() {
  local text
  for text in "$@"; do
    grep -qF -- "$text" err || complain "no '$text' among the messages"
  done
}

# expect CODE WHAT [TEXT...]
expect() {
  local wanted=$1 what=$2
  shift 2
  [ "$code" = "$wanted" ] || complain "$what: exit code $code instead of $wanted"
  says "$@"
}

# leaves_nothing NAME: neither the folder nor a temporary one; findings may lie beside it
leaves_nothing() {
  rm -f "$1.findings.csv"
  compgen -G "$1*" >/dev/null && complain "left behind: $(compgen -G "$1*")"
}

# flip FILE POSITION: one bit of one byte
flip() {
  "$python" - "$1" "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte[0] ^ 16]))
PY
}

"$python" "$here/pack_images.py" cases gray 12 gray || exit 1
"$python" "$here/pack_images.py" cases colour 3 rgb || exit 1

# --- every format, bit for bit as Pillow
"$python" "$here/pack_images.py" formats formats || exit 1
runs "$pack" formats --out every --size 64
expect 0 "all formats" "TEM_tiff_pages.tif: has several pages"
"$python" "$here/pack_images.py" compare every/shard-00000.h5 formats || complain "images differ from Pillow's"

runs "$pack" formats --out filtered --size 64 --filter lanczos --window 300,20000
expect 0 "another filter and a window"
"$python" "$here/pack_images.py" compare filtered/shard-00000.h5 formats LANCZOS 300,20000 ||
  complain "images by another filter and a window differ from Pillow's"
tr -d ' \n' <filtered/dataset.json | grep -q '"resize":"lanczos","window":\[300,20000\]' ||
  complain "dataset.json does not tell filter and window"

# --- what is in the data set
runs "$pack" gray --out packed --size 32 --classes B,A,C
expect 0 "packing"
"$python" - packed <<'PY' || complain "the shard is not what it should be"
import h5py, json, sys
with h5py.File(sys.argv[1] + "/shard-00000.h5") as file:
    assert file["tem"].shape[3] == 1, "gray TEM images have one channel"
    assert [c.decode() for c in file.attrs["classes"]] == ["B", "A", "C"]
    assert [c.decode() for c in file["case_id"][:5]] == ["B/p0", "B/p2", "B/p3", "B/p5", "A/p0"], file["case_id"][:]
    tem = [s.decode().split("/")[-1] for s in file["source"][:] if b"C/p1/TEM" in s]
    assert tem == ["TEM_x_1.tif", "TEM_x_2.tif", "TEM_x_10.tif"], tem
    for name in ("om", "im", "tem"):
        assert file[name].fletcher32 and file[name].chunks[0] == 1
index = json.load(open(sys.argv[1] + "/dataset.json"))
assert index["counts"] == {"cases": 12, "patients": 6, "images": 48}, index["counts"]
PY
(cd packed && sha256sum --quiet -c MANIFEST.sha256) || complain "sha256sum does not agree with the manifest"
runs "$pack" gray colour/A --out never
expect 1 "a source of another shape" "p0: a class folder without folders of patients"
leaves_nothing never
mkdir both && cp -r gray/A both/A && cp -r colour/C both/C
runs "$pack" both --out mixed --size 32
expect 0 "gray and colour"
"$python" -c 'import h5py; assert h5py.File("mixed/shard-00000.h5")["tem"].shape[3] == 3' || complain "colour TEM needs 3 channels"

# --- the same bytes whatever the number of threads; shards of bounded size
runs env OMP_NUM_THREADS=1 "$pack" gray --out one --size 128 --shard-mb 1
expect 0 "one thread"
runs env OMP_NUM_THREADS=4 "$pack" gray --out four --size 128 --shard-mb 1
expect 0 "four threads"
diff -r one four || complain "the bytes depend on the number of threads"
[ "$(ls one/shard-*.h5 | wc -l)" -ge 2 ] || complain "--shard-mb 1 made one shard only"
runs "$pack" --verify one
expect 0 "verify" "12 cases, every checksum holds"

# --- bad cases: all are named, nothing is made
cp -r gray bad
truncate -s -200 bad/A/p0/IM_x_1.jpg
truncate -s 1000 bad/B/p0/OM_x_1.png
truncate -s 1000 bad/C/p1/TEM_x_1.tif
flip bad/B/p2/OM_x_1.png 2000
: >bad/C/p1/TEM_x_2.tif
echo "no image" >bad/C/p1/TEM_x_10.tif
rm bad/A/p1/IM_x_1.jpg bad/A/p3/TEM_x_1.tif bad/B/p3/OM_x_1.png
rm bad/C/p2/*
mkdir -p bad/D/p1 && cp bad/A/p4/* bad/D/p1
touch bad/notes.txt bad/A/list.csv bad/A/p4/report.pdf bad/A/p4/XX_1.jpg
cp bad/A/p4/OM_x_1.png bad/A/p4/OM_x_0.png
mkdir "$(printf 'bad/A/\377')"
runs "$pack" bad --out never --classes A,B,C
expect 1 "bad cases" "bad/A/p0/IM_x_1.jpg: damaged JPEG" "bad/B/p0/OM_x_1.png: damaged PNG" \
  "bad/C/p1/TEM_x_1.tif: damaged" "bad/B/p2/OM_x_1.png: damaged PNG" "bad/C/p1/TEM_x_2.tif: the file is empty" \
  "bad/C/p1/TEM_x_10.tif: not a JPEG, PNG or TIFF" "bad/A/p1: a case without IM" "bad/A/p3: a case without TEM" \
  "bad/B/p3: a case without OM" "bad/C/p2: a case without OM" "bad/D: the class D is not among" \
  "warning: bad/notes.txt" "warning: bad/A/list.csv" "warning: bad/A/p4/report.pdf" "warning: bad/A/p4/XX_1.jpg" \
  "bad/A/p4: has 2 OM images: the first, OM_x_0.png" "is not UTF-8" "nothing was packed"
leaves_nothing never
# every format, cut off; but for a page that nobody reads
cp -r formats cut && rm cut/A/p1/TEM_tiff_pages.tif
for file in cut/A/p1/*; do
  truncate -s $(($(stat -c %s "$file") * 7 / 10)) "$file"
done
runs "$pack" cut --out never
expect 1 "cut files" "$(ls cut/A/p1 | wc -l) defects"
for file in cut/A/p1/*; do
  says "cmus-pack: $file: "
done
leaves_nothing never
runs "$pack" gray --out never --pixel-limit 0
expect 2 "a limit of 0" "--pixel-limit"
"$python" -c 'from PIL import Image; Image.new("L", (1500, 1500)).save("bomb.png")'
cp -r colour bomb && cp bomb.png bomb/A/p0/OM_x_1.png
runs "$pack" bomb --out never --pixel-limit 2
expect 1 "too many pixels" "bomb/A/p0/OM_x_1.png: 1500 x 1500 pixels"
mkdir empty
runs "$pack" empty --out never
expect 1 "an empty tree" "empty: no case is in there"
runs "$pack" nowhere --out never
expect 1 "no tree" "nowhere: No such file"
runs "$pack" gray gray --out never
expect 1 "a case in two sources" "the same class and patient are in gray/A/p0 too"
leaves_nothing never

# --- the output folder
runs "$pack" gray --out packed --size 32
[ "$code" -ne 0 ] || complain "an existing data set was overwritten"
says "packed: the folder exists and is not empty"
runs "$pack" gray --out bomb.png
[ "$code" -ne 0 ] || complain "a file was overwritten"
says "bomb.png: exists and is no folder"
mkdir -p fresh fresh.partial && echo junk >fresh.partial/shard-00009.h5
runs "$pack" colour --out fresh/ --size 32
expect 0 "after a killed run, into an empty folder"
[ -e fresh/shard-00009.h5 ] && complain "a leftover of a killed run is in the data set"
[ -e fresh.partial ] && complain "left behind: fresh.partial"
mkdir busy.partial && : >busy.partial/lock
runs flock busy.partial/lock "$pack" colour --out busy --size 32
[ "$code" -ne 0 ] || complain "two processes made one data set"
says "busy: another process"
runs "$pack" colour --out nowhere/deep/packed --size 32
expect 0 "folders above the output are made"

# names that nothing can be renamed to: taken for what they lead to, or refused before any work
runs "$pack" colour --out "" --size 32
expect 2 "no name" "can't be the folder of results"
mkdir dot slash behind && ln -s behind link
runs "$pack" colour --out slash/./ --size 32
expect 0 "a name with a dot at its end"
runs "$pack" colour --out link --size 32
expect 0 "a link to an empty folder"
(cd dot && "$pack" ../colour --out . --size 32) 2>err || complain "the folder in which one is"
for name in slash behind dot; do
  [ -e $name/dataset.json ] || complain "no data set in $name"
  [ -e $name.partial ] && complain "left behind: $name.partial"
done
ln -s gone dangling
runs "$pack" colour --out dangling --size 32
expect 2 "a link to nowhere" "dangling: exists and is no folder"
runs "$pack" colour --out colour/packed --size 32
expect 2 "a data set in the source" "colour/packed: must not lie in colour"
[ -e colour/packed.partial ] && complain "a refused run left colour/packed.partial"
# another folder of that name, made meanwhile, does not cost the work
"$pack" gray --out late --size 1024 >out 2>err &
job=$!
until [ -e late.partial/scratch ]; do kill -0 $job 2>/dev/null || break; done
kill -STOP $job && mkdir late && touch late/other && kill -CONT $job
wait $job
code=$?
expect 1 "the name was taken meanwhile" "late.partial: move it yourself"
runs "$pack" --verify late.partial
expect 0 "the data set under its other name"
# pages and their place
runs "$pack" colour --out never --size 32 --preview nobody/page.html
[ "$code" -ne 0 ] || complain "a page in no folder"
says "nobody/page.html: its folder is not there"
leaves_nothing never
mkdir never
runs "$pack" colour --out never --size 32 --preview never/page.html
expect 2 "a page in the data set" "never/page.html: must not lie in never"
rm -r never
runs "$pack" --preview packed/dataset.json packed
expect 2 "a page in the place of dataset.json" "packed/dataset.json: must not lie in the data set"

# --- usage
for arguments in "" "gray" "--out x" "gray --out x --size 7" "gray --out x --size 1e2" "gray --out x --classes A,A" \
  "--verify packed gray" "gray --out x --nonsense"; do
  runs "$pack" $arguments
  expect 2 "cmus-pack $arguments"
done
runs "$pack" --help
expect 0 "--help"
grep -q -- --shard-mb out || complain "--help does not tell of --shard-mb"

# --- flipped bytes, missing files
size=$(stat -c %s packed/shard-00000.h5)
for position in 0 9 40 200 1000 $((size / 3)) $((size / 2)) $((size - 5000)) $((size - 1)); do
  rm -rf flipped && cp -r packed flipped && flip flipped/shard-00000.h5 $position
  runs "$pack" --verify flipped
  expect 1 "a flipped byte at $position" "flipped/shard-00000.h5"
done
rm -rf flipped && cp -r packed flipped && flip flipped/shard-00000.h5 9
runs "$split" flipped
expect 1 "splitting a damaged data set" "flipped/shard-00000.h5"
for position in 20 150 400; do
  for file in dataset.json MANIFEST.sha256; do
    rm -rf flipped && cp -r packed flipped
    [ "$position" -lt "$(stat -c %s flipped/$file)" ] || continue
    flip flipped/$file $position
    runs "$pack" --verify flipped
    expect 1 "a flipped byte at $position of $file" "flipped/"
  done
done
rm -rf flipped && cp -r one flipped && rm flipped/shard-00001.h5 && flip flipped/shard-00000.h5 3000
runs "$pack" --verify flipped
expect 1 "a damaged and a missing shard" "flipped/shard-00000.h5: the content differs" "flipped/shard-00001.h5" "2 files are damaged"
runs "$split" flipped
expect 1 "a missing shard" "flipped/shard-00001.h5: the shard is missing"
rm -rf flipped && cp -r packed flipped && rm flipped/MANIFEST.sha256
runs "$pack" --verify flipped
expect 0 "without a manifest" "warning: flipped has no MANIFEST.sha256"
runs "$pack" --verify gray
expect 1 "no data set" "gray/dataset.json: not there"

# --- no space left: while images are prepared, and while shards are written
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=1m small small 2>/dev/null; then
  mounted=$scratch/small
  for run in 224:scratch/block- 96:shard-00000.h5; do
    runs "$pack" gray --out small/packed --size ${run%:*}
    expect 1 "no space left at ${run%:*} pixels" "can't write small/packed.partial/${run#*:}" "No space left on device"
    leaves_nothing small/packed
  done
else
  echo "not tested: no space left (needs root and tmpfs)"
fi

[ "$failures" = 0 ] && echo "all passed"
exit $((failures > 0))
