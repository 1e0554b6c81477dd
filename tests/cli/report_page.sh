#!/bin/bash
# The page of cmus-report in a browser: what it does, what it must not do, and its size with the images of wrong cases.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
set -o pipefail
command -v chromium >/dev/null || { echo "skipped: there is no chromium"; exit 77; }
page() { # ARGUMENTS...
    python3 "$here/report_page.py" "$@" || fail "report_page.py $*"
}
report() { # ARGUMENTS...
    "$bin/cmus-report" "$@" >log 2>&1 || { cat log; fail "cmus-report $*"; }
}

# 600 cases, of which the last is called by the code that a page could hold.
name="600 cases"
python3 "$here/report_folds.py" run --cases 120 || exit 1
# shellcheck disable=SC2016
sed -i '2s|^[^,]*,|"MN/<script>var owned = 1</script><img src=x onerror=""owned = 1"">{{made}}",|' run/fold-1/predictions.csv
report run --out out
page out/report.html --hostile
[ "$(wc -l <out/cases.csv)" = 601 ] || fail "cases.csv has $(wc -l <out/cases.csv) lines"
python3 "$here/report_cases.py" run out/cases.csv || fail "cases.csv"

# Classes that are code; one head; more than 20,000 cases: the wrong ones only.
name="hostile classes"
python3 "$here/report_folds.py" odd --folds 2 --cases 30 --classes '</script><script>owned=1</script>,"><img src=x onerror=owned=1>,MN' || exit 1
sed -i '2s|^[^,]*,|<script>owned=1</script>,|' odd/fold-1/predictions.csv
report odd --out odd-out
page odd-out/report.html --hostile
name="many cases"
python3 "$here/report_folds.py" many --folds 2 --cases 10001 --heads "" || exit 1
report many --out many-out
[ "$(wc -l <many-out/cases.csv)" = 20003 ] || fail "cases.csv has $(wc -l <many-out/cases.csv) lines"
contains many-out/report.html "of so many predictions only the"
! grep -q '<tr [^>]*class="right"' many-out/report.html || fail "right cases are in the page"

# Images: a packed data set of 600 cases whose predictions are invented, so that most are wrong.
name="images"
"$bin/cmus-phantom" --cases 600 --bag 1,10 --patients-with-two-cases 0 --size 96 --seed 3 phantom >log 2>&1 || { cat log; exit 1; }
"$bin/cmus-pack" phantom/cases --out data --size 96 >log 2>&1 || { cat log; exit 1; }
"$bin/cmus-split" data >log 2>&1 || { cat log; exit 1; }
python3 "$here/report_folds.py" pictured --cases 120 && python3 "$here/report_pictured.py" pictured data phantom/cases || exit 1
report pictured --data data --out pictured-out
page pictured-out/report.html --images
size=$(stat -c %s pictured-out/report.html)
[ "$size" -lt 5000000 ] || fail "the page has $size bytes"
report pictured --data data --out again
cmp pictured-out/report.html again/report.html || fail "a second page differs"
name="images of another data set"
sed -i 's/"dataset_hash": "[0-9a-f]*"/"dataset_hash": "00"/' pictured/fold-*/run.json
"$bin/cmus-report" pictured --data data --out refused >log 2>&1 && fail "it was taken"
contains log "--data: the data set's hash is" "was trained on 00"
[ ! -e refused ] || fail "something was written"
name="no data set"
"$bin/cmus-report" run --data nowhere --out refused >log 2>&1 && fail "it was taken"
contains log nowhere
[ ! -e refused ] || fail "something was written"

finish
