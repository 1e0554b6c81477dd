#!/bin/bash
# cmus-report on good folds: numbers against an independent count, the page and its pictures, several runs, odd names.
. "$(dirname "$0")/common.sh"
report=$bin/cmus-report work=$scratch
folds() {
    python3 "$here/report_folds.py" "$@" || fail "report_folds.py $*"
}
lacks() { # FILE TEXT
    ! grep -qF -- "$2" "$1" || fail "'$2' is in $1"
}
makes() { # OUT ARGUMENTS...
    local out=$1
    shift
    "$report" "$@" --out "$out" >"$work/stdout" 2>"$work/stderr" || fail "cmus-report $*: exit code $?: $(cat "$work/stderr")"
    [ "$(tail -n 1 "$work/stdout")" = "report: $out/report.html" ] || fail "the last line is not the path of the report"
}
check() { # RUN OUT
    python3 "$here/report_check.py" "$1" "$2" || fail "report_check.py on $2"
}

# Five folds, three classes, four heads; a second time, with other threads, the same bytes, over the first.
folds run --case-seed 1
makes out run
check run out
contains stdout "run: 5 folds, 300 cases of 150 patients, 3 classes" fusion om im tem
cp -r out first
OMP_NUM_THREADS=3 makes out run
diff -r first out >differences || fail "a second run gives other files: $(head -5 differences)"
"$report" --help | grep -q -- --partial || fail "--help"
"$report" --version | grep -q '^cmus-report ' || fail "--version"

# One fold: no SD. One head besides fusion. Ids of a class that looks like a prefix.
folds one --folds 1 --heads om --classes 'om_x,MN'
makes one-out one
check one one-out

# A class that fold 0 lacks: undefined there and in the mean, defined in the pooled value.
folds absent --cases 20
sed -i '/^IgAN/d' absent/fold-0/predictions.csv
makes absent-out absent
check absent absent-out
contains absent-out/report.html undefined 'undefined in fold 0'
contains stdout undefined

# A picture whose data are not there is replaced by a sentence.
lacks out/report.html "not shown"
contains one-out/report.html "Bags of TEM images are not shown: the network has no TEM images."
folds older --older --images 60 --folds 2
makes older-out older
contains older-out/report.html "The mean distance over the epochs is not shown"
for picture in train-distance bag-size tem-weights train-loss-heads val-loss-heads; do
    [ -s out/figures/$picture.svg ] || fail "out/figures/$picture.svg is not there"
    [ $picture = train-distance ] || [ -s older-out/figures/$picture.png ] || fail "older-out/figures/$picture.png is not there"
done
for picture in older-out/figures/train-distance.svg one-out/figures/bag-size.svg; do
    [ ! -e $picture ] || fail "$picture was drawn without data"
done
contains older-out/figures/bag-size.svg '–' # many sizes are drawn as ranges

# Patients whose cases are all right or all wrong: the interval is that of patients, not of cases.
folds grouped
python3 - grouped/fold-*/predictions.csv <<'PYTHON' || fail "grouping"
import csv, sys
for number, path in enumerate(sys.argv[1:]):
    head, *rows = csv.reader(open(path, encoding="utf-8", newline=""))
    count = [0, 0]
    for row in rows:
        probabilities = [float(cell) for cell in row[3:6]]
        right = head[3 + probabilities.index(max(probabilities))] == "prob_" + row[2]
        row[1] = f"{number}-{right}-{count[right] // 3}"
        count[right] += 1
    csv.writer(open(path, "w", encoding="utf-8", newline=""), lineterminator="\n").writerows([head, *rows])
PYTHON
makes grouped-out grouped
check grouped grouped-out

# Two repeats of the same cases in one run; a run of the second repeat only.
folds twice --folds 2 --cases 20
cp -r twice/fold-0 twice/fold-2 && cp -r twice/fold-1 twice/fold-3
sed -i 's/"repeat": 0/"repeat": 1/' twice/fold-[23]/run.json
makes twice-out twice
check twice twice-out
contains stdout "twice: 4 folds, 40 cases of 20 patients"
contains twice-out/report.html "repeat 1, fold 0"
mkdir second && cp -r twice/fold-2 second/fold-0 && cp -r twice/fold-3 second/fold-1
makes second-out second
contains stdout "second: 2 folds, 40 cases of 20 patients"

# Names that are code: in HTML, SVG, gnuplot, CSV.
# shellcheck disable=SC2016
folds odd --folds 2 --cases 30 --classes '<script>alert(1)</script>,a"b`touch owned`,it'"'"'s & $(touch owned)'
makes odd-out odd
check odd odd-out
contains odd-out/report.html '&#60;script&#62;alert(1)&#60;/script&#62;'
lacks odd-out/report.html '<script>alert'
[ -z "$(find . -name owned)" ] || fail "a class name was run as a command"

# A folder with quotes, blanks and bytes that are no text; two runs side by side; a trailing slash.
folder=$'it\'s "a\xff folder'
mkdir "$folder" && cp -r run "$folder/run" && folds "$folder/other" --case-seed 1 --seed 2
makes "$folder/out" "$folder/run" "$folder/other/" run
contains "$folder/out/report.html" '<h2>Comparison</h2>' '<h2>other</h2>'
[ "$(find "$folder/out/figures" -name '*.png' | wc -l)" = 69 ] || fail "pictures of three runs"
python3 - "$folder/out/summary.json" <<'PYTHON' || fail "names of three runs"
import json, sys
names = [run["name"] for run in json.load(open(sys.argv[1], encoding="utf-8"))["runs"]]
sys.exit(len(set(names)) != 3 or names[1] != "other" or names[2] != "run")
PYTHON

finish
