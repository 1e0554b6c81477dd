#!/bin/bash
# cmus-report --external: numbers against an independent count, what is left out, the words of the page, several folders on the
# same cases, drift, and what is refused.
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
report=$bin/cmus-report
# shellcheck source=tests/cli/report_edit.sh
. "$here/report_edit.sh"
predicted() { # FOLD DIR OPTIONS...
    python3 "$here/report_external.py" "$@" || fail "report_external.py $*"
}
makes() { # OUT ARGUMENTS...
    local out=$1
    shift
    "$report" --external "$@" --out "$out" >stdout 2>stderr || fail "cmus-report --external $*: exit code $?: $(cat stderr)"
}
check() { # DIR OUT
    python3 "$here/report_check.py" "$1" "$2" || fail "report_check.py on $2"
}
lacks() { # FILE TEXT...
    local text
    for text in "${@:2}"; do
        ! grep -qF -- "$text" "$1" || fail "'$text' is in $1"
    done
}
refused() { # TEXT... -- ARGUMENTS...: exit code 1, a message, nothing written
    local texts=()
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    "$report" "$@" --out refused-out >stdout 2>stderr && fail "cmus-report $*: exit code 0"
    [ ! -e refused-out ] || fail "something was written"
    contains stderr "${texts[@]}"
}
spoiled() { # COMMAND: `spoiled` is a copy of `five`, without its manifest, that a command in it has changed
    rm -rf spoiled
    cp -r five spoiled
    rm spoiled/MANIFEST.sha256
    (cd spoiled && eval "$1") || fail "the command failed"
}
warns() { # ARGUMENTS...: what reading them says, in stderr; then there is no report, as `blank` has no label
    "$report" --external "$@" blank --out out >stdout 2>stderr && fail "a report of blank"
}
python3 "$here/report_folds.py" run --folds 1 --cases 60 --case-seed 1 &&
    python3 "$here/report_folds.py" other --folds 1 --cases 60 --case-seed 1 --seed 2 || exit 1
predicted run/fold-0 blank --unlabelled 60

name="an ensemble of which nothing is left out"
predicted run/fold-0 five --models 5
makes five-out five
check five five-out
contains stdout "five: external test set, an ensemble of 5 networks, 60 cases of 30 patients, 3 classes"
lacks stdout "mean"
contains five-out/report.html "CMUS-Net external test set" "measured on an external test set by an ensemble of 5 networks" \
    "run/fold-4/final/weights.safetensors" "$(printf 'model 4' | sha256sum | cut -d' ' -f1)" "whose probabilities were averaged" \
    "mean softmax" "other/hospital"
lacks five-out/report.html "cross-validation" "held-out fold" "Mean ± SD" "over the folds" "<h3>Training" "<h3>Features" ">Fold<" \
    "To be known" "or fold" "All folds" "all folds"
lacks five-out/summary.csv ",mean," ",sd,"
[ -s stderr ] && fail "warnings about nothing: $(cat stderr)"
[ "$(cut -d, -f1-3 five-out/cases.csv | tail -n +2 | sort -u)" = five,, ] || fail "fold and repeat of cases.csv are not empty"

name="cases without label and without a modality, one network that may know them"
knows="These cases may be those that the networks were trained on"
predicted run/fold-0 one --unlabelled 4 --incomplete 3 --source data --source-hash aa --model-hash aa
makes one-out one
check one one-out
contains stderr "one: 4 of 60 cases have no label and are left out." "3 of 60 cases lack images of a modality" "$knows"
contains stdout "external test set, one network, 53 cases"
contains one-out/report.html "4 of 60 cases have no label" "$knows" "measured on an external test set by one network" "on softmax" \
    "3 cases that lack images of a modality, of no number above" '<th scope="row">its hash</th><td>aa</td>'
right=$(awk -F, 'NR >= 6 && NR <= 8 {right += $3 == $(NF - 5)} END {print right + 0}' one/predictions.csv)
contains one-out/report.html "The heads that have their images predict $right of them right."
contains one-out/summary.json '"cases_predicted": 60' '"cases_without_label": 4' '"missing": "om"' "$knows"

name="a head that says nothing"
predicted run/fold-0 silent --silent tem
makes silent-out silent
check silent silent-out
contains silent-out/report.html "Bags of TEM images are not shown"

name="cases that the networks may know, or not"
for options in "--source-fold 0 --model-folds 1" "--source-fold 1 --model-folds 1,0" "--source-fold 0 --model-folds all"; do
    rm -rf known
    # shellcheck disable=SC2086
    predicted run/fold-0 known --source data --source-hash aa --model-hash aa $options
    warns known
    contains stderr "$knows"
done
for options in "--source-fold holdout --model-folds all" "--source-fold 1 --model-folds 1" "--model-hash bb"; do
    rm -rf known
    # shellcheck disable=SC2086
    predicted run/fold-0 known --source data --source-hash aa --model-hash aa $options
    warns known
    lacks stderr "$knows"
done

name="several on the same cases"
predicted other/fold-0 single
refused "five and one can't be compared: 7 of the 60 predictions of the first are not in the second" "--partial compares" -- \
    --external five one
makes out five single one --partial
contains out/report.html "<h2>Comparison</h2>" "An external test set: 53 predictions of 53 cases" ">Networks<" "single against five" \
    "7 predictions that not all runs have are left out."
lacks out/report.html "over the folds" "ll folds pooled"
contains out/comparison.csv "fusion,,accuracy,five,single,"
contains out/summary.json '"name": "single"'

name="drift"
makes drift single --compare-to five-out/summary.json
contains drift/report.html "single against the earlier five" "Whether the cases are the same is not known."
lacks drift/report.html "over the folds"
contains drift/drift.csv "single,fusion,pooled,,accuracy,"
lacks drift/drift.csv ",mean,"
sed 's/"external": true/"external": false/' five-out/summary.json >cross.json
refused "cross.json: is the report of a cross-validation, but this one is of an external test set" -- --external five \
    --compare-to cross.json
refused "five-out/summary.json: is the report of an external test set, but this one is of a cross-validation" -- run \
    --compare-to five-out/summary.json

name="what is refused"
refused "blank/predictions.csv: none of the 60 cases has a label" "--labels" -- --external blank
predicted run/fold-0 lacking --incomplete 60
refused "lacking/predictions.csv: no case with a label has images of all modalities" -- --external lacking
refused "run/predictions.csv: No such file" -- --external run
refused "five: there is no folder fold-0" "--external" -- five
spoiled 'edit predictions.csv "rows[4][2] = \"XX\""'
refused "spoiled/predictions.csv, line 5: the label 'XX' is none of the classes" -- --external spoiled
spoiled 'edit predictions.csv "rows[4][0] = rows[3][0]; rows[4][2] = \"\""'
refused "spoiled/predictions.csv, line 5: the case" "is predicted twice" -- --external spoiled
spoiled 'edit predictions.csv "rows[4][4] = \"\""'
refused "spoiled/predictions.csv, line 5, column 'prob_MN'" -- --external spoiled
spoiled 'edit predictions.csv "rows[0][rows[0].index(\"missing\")] = \"x\""'
refused "spoiled/predictions.csv" "'missing'" -- --external spoiled
spoiled 'sed -i "s/cmus-predict 1/cmus-predict 2/" predictions.json'
refused "spoiled/predictions.json: the format is 'cmus-predict 2', but this cmus-report reads 'cmus-predict 1'" -- --external spoiled
spoiled 'sed -i "s/\"LN\"/\"XX\"/" predictions.json'
refused "spoiled/predictions.json: 'classes' are not those of predictions.csv" -- --external spoiled
spoiled 'sed -i "s/\"sha256\"/\"sha\"/" predictions.json'
refused "spoiled/predictions.json: model 0 has no" -- --external spoiled
spoiled 'sed -i "s/\"models\"/\"none\"/" predictions.json'
refused "spoiled/predictions.json: the list 'models' is missing or empty" -- --external spoiled
spoiled 'head -c 300 ../five/predictions.json > predictions.json'
refused "spoiled/predictions.json, line " -- --external spoiled
spoiled 'cp ../five/MANIFEST.sha256 .; sed -i "s/0\.0125/0.0126/" predictions.csv'
refused "spoiled/predictions.csv" -- --external spoiled
spoiled true
warns spoiled
contains stderr "there is no MANIFEST.sha256"

finish
