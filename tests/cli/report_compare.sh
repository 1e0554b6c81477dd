#!/bin/bash
# cmus-report on two and more runs, and --compare-to: numbers against an independent count, tables, what is refused.
. "$(dirname "$0")/common.sh"
report=$bin/cmus-report
export OMP_NUM_THREADS=1
folds() {
    python3 "$here/report_folds.py" "$@" || fail "report_folds.py $*"
}
makes() { # OUT ARGUMENTS...
    local out=$1
    shift
    "$report" "$@" --out "$out" >stdout 2>stderr || fail "cmus-report $*: exit code $?: $(cat stderr)"
}
check() { # OUT BASE OTHER...
    python3 "$here/report_compare_check.py" "$@" || fail "report_compare_check.py $*"
}
refused() { # TEXT... -- ARGUMENTS...: exit code 1, the texts in the message, and no trace in the folder `bad-out`
    local texts=() got
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    "$report" "$@" --out bad-out >stdout 2>stderr
    got=$?
    [ $got = 1 ] || fail "exit code $got, not 1: $(cat stderr)"
    [ ! -e bad-out ] || fail "something was written: $(ls -A bad-out)"
    rm -rf bad-out
    contains stderr "${texts[@]}"
}
# shellcheck source=tests/cli/report_edit.sh
. "$here/report_edit.sh"
name="three runs"
folds base --folds 3 --cases 50 --case-seed 5 --seed 1 --skill 2.4
folds "it's <b>_&%" --folds 3 --cases 50 --case-seed 5 --seed 2
folds other --folds 3 --cases 50 --case-seed 5 --seed 3 --skill 2.2
makes three base "it's <b>_&%" other
check three base "it's <b>_&%" other
contains three/report.html '<h2>Comparison</h2>' '<h3>it&#39;s &#60;b&#62;_&#38;% against base</h3>' '<h3>All pairs of runs</h3>' \
    '150 predictions of 150 cases of 75 patients, the same for all runs' '10000 paired bootstrap draws' \
    "tests take cases as independent"
contains three/comparison.md '## OM: other against base' "it's &#60;b>\\_&#38;%" "## All pairs of runs"
contains three/comparison.tex "it's \\textless{}b\\textgreater{}\\_\\&\\%" '\toprule' 'All pairs of runs'
contains three/MANIFEST.sha256 comparison.csv comparison.md comparison.tex
(cd three && sha256sum --quiet -c MANIFEST.sha256) || fail "MANIFEST.sha256"
OMP_NUM_THREADS=3 makes threads base "it's <b>_&%" other
diff -r three threads >differences || fail "three threads give other files: $(head -5 differences)"

name="the order of folds and cases does not matter"
cp -r base mixed
edit mixed/fold-0/predictions.csv 'rows[1:] = sorted(rows[1:], key=lambda row: row[7])'
makes same base mixed
python3 - same/comparison.csv <<'PYTHON' || fail "differences of a run from itself"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], encoding="utf-8")))
bad = [row for row in rows if {float(row[key]) for key in ("difference", "low", "high")} - {0.0}
       or row["p"] not in ("", "1") or row["p_holm"] not in ("", "1")]
print(*bad[:3], sep="\n")
sys.exit(bool(bad) or len(rows) < 100)
PYTHON

name="a class with one case; heads that only one run has"
folds few --folds 3 --cases 12 --case-seed 6 --seed 1
for fold in 0 1 2; do # one case of the last class is left in fold 0
    edit few/fold-$fold/predictions.csv "rows[1:] = [row for i, row in enumerate(rows[1:]) if row[2] != 'LN' or ($fold, row) == (0, [r for r in rows[1:] if r[2] == 'LN'][0])]"
done
cp -r few few-om
for fold in 0 1 2; do
    edit few-om/fold-$fold/predictions.csv 'rows[:] = [row[:6] + row[6:9] for row in rows]'
done
makes few-out few few-om
contains few-out/comparison.csv 'om,LN,auc' undefined
grep -q '^tem' few-out/comparison.csv && fail "a head of one run only is compared"

name="repeats"
folds twice --folds 2 --cases 30 --case-seed 7 --seed 1
folds again --folds 2 --cases 30 --case-seed 7 --seed 2
seed=2
for run in twice again; do
    seed=$((seed + 1))
    folds more --folds 2 --cases 30 --case-seed 7 --seed $seed
    mv more/fold-0 $run/fold-2 && mv more/fold-1 $run/fold-3 && rmdir more
    sed -i 's/"repeat": 0/"repeat": 1/' $run/fold-[23]/run.json
done
makes repeats twice again
check repeats twice again
contains repeats/comparison.md "120 predictions of 60 cases of 30 patients" "averaged over the repeats"
rm -rf second && mkdir second && cp -r again/fold-2 second/fold-0 && cp -r again/fold-3 second/fold-1
mkdir first && cp -r again/fold-0 again/fold-1 first
makes one-repeat first second # repeats 0 and 1 of the same cases
contains one-repeat/comparison.md "60 predictions of 60 cases"
name="a repeat is missing"
refused "can't be compared: 60 of the 120 predictions of the first are not in the second" "of repeat 1" -- twice first

name="other data set"
cp -r base bad && sed -i s/abab/cdcd/ bad/fold-*/run.json
refused "base and bad can't be compared: the data sets' hashes are abab" -- base bad
refused "the data sets' hashes" -- base bad --partial
name="other classes"
rm -r bad && folds bad --folds 3 --cases 50 --classes IgAN,MN,XX
refused "other classes" -- base bad
name="other label"
rm -r bad && cp -r base bad && edit bad/fold-1/predictions.csv 'rows[4][2] = "MN" if rows[4][2] == "LN" else "LN"'
refused "can't be compared: the case '" "has the labels '" -- base bad
name="other patient"
rm -r bad && cp -r base bad && edit bad/fold-1/predictions.csv 'rows[4][1] = "p9"'
refused "is of the patients '" "and 'p9'" -- base bad
name="other cases"
rm -r bad && cp -r base bad && edit bad/fold-1/predictions.csv 'rows.pop(); rows[7][0] = "new"; rows[7][1] = "p8"'
refused "base and bad can't be compared: 2 of the 150 predictions of the first are not in the second, such as the case" \
    "--partial" -- base bad
makes part base bad --partial
check part base bad
contains part/report.html "148 predictions of 148 cases" "3 predictions that not all runs have are left out"

name="drift"
makes old base
makes new other --compare-to old/summary.json
contains new/report.html '<h2>Drift</h2>' 'other against the earlier base' 'Of the same data set.' outside
contains new/MANIFEST.sha256 drift.csv
python3 - old/summary.json new/summary.json new/drift.csv <<'PYTHON' || fail "drift.csv"
import csv, json, sys
old, new = (json.load(open(path))["runs"][0]["heads"] for path in sys.argv[1:3])
rows = list(csv.DictReader(open(sys.argv[3], encoding="utf-8")))
for row in rows:
    then, now = (heads[row["head"]][row["scope"]] for heads in (old, new))
    then, now = ((one["classes"][row["class"]] if row["class"] else one)[row["metric"]] for one in (then, now))
    good = [then, now, now - then] == [float(row[key]) for key in ("old", "new", "difference")]
    if not good:
        sys.exit(f"{row} {then} {now}")
sys.exit(len(rows) < 200)
PYTHON
makes new other base --compare-to three/summary.json # by their names
contains new/report.html 'other against the earlier other' 'base against the earlier base'
sed 's/"balanced_accuracy": [0-9.]*,\?//; s/"LN"/"XX"/' old/summary.json >older.json
makes new base --compare-to older.json # numbers and a class that the earlier one lacks
contains new/drift.csv 'base,fusion,pooled,,balanced_accuracy,,' 'base,fusion,mean,LN,auc,,'
sed 's/ab\(abab\)*ab/cd/' old/summary.json >older.json
makes new base --compare-to older.json
contains new/report.html 'Of another data set'
name="drift that is refused"
sed 's/cmus-report summary 1/cmus-report summary 99/' old/summary.json >older.json
refused "older.json: the format is 'cmus-report summary 99', but this cmus-report reads 'cmus-report summary" -- base --compare-to older.json
echo '{"a": 1}' >older.json
refused "older.json: no summary.json of cmus-report" -- base --compare-to older.json
head -c 500 old/summary.json >older.json
refused "older.json, line " -- base --compare-to older.json
refused "nowhere.json" -- base --compare-to nowhere.json
refused "has several runs, but none of the name" -- mixed --compare-to three/summary.json
contains stderr "has no run 'mixed'"

finish
