#!/bin/bash
# cmus-report on bad folds: exit code, a message that names place and reason, nothing written; --partial on what is left.
. "$(dirname "$0")/common.sh"
report=$bin/cmus-report work=$scratch
python3 "$here/report_folds.py" good --folds 3 --cases 12 || exit 1

refused() { # CODE ARGUMENTS...: exit code, and no trace in the folder `out`
    local code=$1 got
    shift
    PATH=${path:-$PATH} "$report" "$@" >stdout 2>stderr
    got=$?
    [ $got = "$code" ] || fail "exit code $got, not $code: $(cat stderr)"
    [ ! -e out ] || fail "something was written: $(ls -A out)"
    rm -rf out
}
# Spoils a copy of the good run by a command in it; the messages must hold the texts.
bad() { # NAME COMMAND TEXT...
    name=$1
    rm -rf bad && cp -r good bad
    (cd bad && eval "$2") || fail "the command failed"
    refused 1 bad --out out
    contains stderr "no report was made" "${@:3}"
}
# The same, and what --partial makes of it: with 2 folds of 3, marked.
bad_fold() {
    bad "$@"
    "$report" bad --out out --partial >stdout 2>stderr || fail "--partial fails: $(cat stderr)"
    contains stdout "PARTIAL, 2 of 3 folds"
    contains stderr "warning" "${@:3}"
    contains out/report.html "PARTIAL REPORT"
    contains out/summary.json '"partial": true' '"folds_used": 2'
    local picture
    for picture in out/figures/*.svg; do
        contains "$picture" "PARTIAL: 2 of 3 folds"
    done
    rm -rf out
}
# shellcheck source=tests/cli/report_edit.sh
. "$here/report_edit.sh"

# Folds that are not there or do not belong together.
bad_fold "missing fold" 'rm -r fold-1' "bad: fold-1 is missing"
bad "no predictions" 'rm fold-2/predictions.csv' "bad/fold-2/predictions.csv: No such file"
bad "no training record" 'rm fold-2/train.csv' "bad/fold-2/train.csv: No such file"
bad "no configuration" 'rm fold-2/config.yaml' "bad/fold-2/config.yaml: No such file"
bad "no run.json" 'rm fold-0/run.json' "bad/fold-0/run.json: No such file"
bad "not finished" 'sed -i s/true/false/ fold-0/run.json' "bad/fold-0/run.json" "the training has not ended"
bad_fold "other configuration" 'sed -i "s/lr: 0.0003/lr: 0.1/" fold-0/config.yaml; sed -i s/1212/3434/ fold-0/run.json' \
    "bad/fold-0: config.yaml, line 6: 'lr: 0.1', but bad/fold-1 has 'lr: 0.0003'"
bad "no hash of the configuration" 'sed -i /config_hash/d fold-0/run.json' "bad/fold-0/run.json: the key 'config_hash' is missing"
bad "other data set" 'sed -i s/abab/cdcd/ fold-1/run.json' "bad/fold-1: run.json: the data set's hash is cdcd"
bad_fold "shared case" 'sed -n 4p fold-0/predictions.csv >>fold-2/predictions.csv' \
    "bad/fold-2: 1 of its cases are in other folds too" "in bad/fold-0"
bad "shared patient" 'edit fold-2/predictions.csv "rows[5][1] = \"p0-0\""' \
    "bad/fold-2: 1 of its patients are in other folds too, such as 'p0-0' in bad/fold-0"
bad "other classes" 'sed -i 1s/prob_MN/prob_XX/ fold-1/predictions.csv' "bad/fold-1/predictions.csv, line 1"
bad "other order of classes" 'edit fold-1/predictions.csv "rows[0][3:15] = [c for i in range(3, 15, 3) for c in (rows[0][i+1], rows[0][i], rows[0][i+2])]"' \
    "bad/fold-1: predictions.csv, line 1: other classes"
bad "fold of another place" 'rm -r fold-2; cp -r fold-1 fold-2' "bad/fold-2/run.json: belongs to fold 1"
bad "checksum" 'cd fold-1; sha256sum *.csv >MANIFEST.sha256; sed -i s/0.1/0.2/ train.csv' \
    "bad/fold-1/train.csv: the content differs"
bad "several problems" 'rm fold-0/train.csv fold-2/predictions.csv' "bad/fold-0/train.csv" "bad/fold-2/predictions.csv" "2 problems"
bad "number of folds" 'sed -i "s/\"folds\": 3/\"folds\": 4/" */run.json' "bad: fold-3 is missing: the run has 4 folds"

# Damaged files: the message has file and line.
p=bad/fold-1/predictions.csv
bad_fold "case twice" 'sed -n 4p fold-1/predictions.csv >>fold-1/predictions.csv' "$p, line 14" "predicted twice; first on line 4"
bad "half a line" 'truncate -s -3 fold-1/predictions.csv' "$p, line 13: the file breaks off"
bad "missing cell" 'sed -i "5s/,[^,]*$//" fold-1/predictions.csv' "$p, line 5: 18 fields, but the header has 19"
bad "missing column" 'edit fold-1/predictions.csv "[row.pop(4) for row in rows]"' "$p, line 1" "is one missing?"
bad "missing TEM column" 'edit fold-1/predictions.csv "[row.pop(17) for row in rows]"' "$p: there is no column 'tem_kept'"
bad "no label column" 'edit fold-1/predictions.csv "[row.pop(2) for row in rows]"' "$p, line 1: column 3 is not 'label'"
bad "sum" 'edit fold-1/predictions.csv "rows[2][3] = str(float(rows[2][3]) * 0.9 + 0.05)"' "$p, line 3: the probabilities of the fusion head sum to"
bad "sum of another head" 'edit fold-1/predictions.csv "rows[2][12:15] = [\".4\", \".4\", \".1\"]"' "$p, line 3: the probabilities of the tem head sum to 0.9"
bad "NaN" 'edit fold-1/predictions.csv "rows[4][7] = \"nan\""' "$p, line 5, column 'prob_om_MN': 'nan' is not a number"
bad "negative" 'edit fold-1/predictions.csv "rows[4][3:6] = [\"-0.1\", \"1\", \"0.1\"]"' "$p, line 5" "not between 0 and 1"
bad "label" 'edit fold-1/predictions.csv "rows[4][2] = \"FSGS\""' "$p, line 5: the label 'FSGS' is none of the classes"
bad "no id" 'edit fold-1/predictions.csv "rows[4][0] = \"\""' "$p, line 5: the case_id is empty"
bad "list" 'edit fold-1/predictions.csv "rows[4][15] = \"0.5;x\""' "$p, line 5, column 'tem_weight'"
bad "lists of two lengths" 'edit fold-1/predictions.csv "rows[4][17] += \";1\""' "$p, line 5: tem_weight, tem_distance and tem_kept list"
bad "flag" 'edit fold-1/predictions.csv "rows[4][17] = rows[4][17].replace(\"1\", \"0.5\", 1)"' "$p, line 5, column 'tem_kept': 0.5 is neither 0 nor 1"
bad "weight" 'edit fold-1/predictions.csv "rows[4][15] = \"-\" + rows[4][15]"' "$p, line 5, column 'tem_weight': -" "is not between 0 and"
bad "mean distance" 'edit fold-1/predictions.csv "rows[4][18] = \"-1\""' "$p, line 5: the mean_distance is negative"
bad "no case" 'sed -i 2,\$d fold-1/predictions.csv' "$p: no case is predicted"
bad "empty file" ': >fold-1/predictions.csv' "$p: empty file"
bad "training text" 'edit fold-1/train.csv "rows[3][2] = \"inf\""' "bad/fold-1/train.csv, line 4, column 'train_loss'"
bad "training order" 'edit fold-1/train.csv "rows[3], rows[4] = rows[4], rows[3]"' "bad/fold-1/train.csv, line 5: epoch 2 follows epoch 3"
bad "training half a line" 'truncate -s -4 fold-1/train.csv' "bad/fold-1/train.csv, line 13: the file breaks off"
bad "JSON" 'truncate -s -9 fold-1/run.json' "bad/fold-1/run.json, line"
bad "JSON without hash" 'sed -i /dataset_hash/d fold-1/run.json' "bad/fold-1/run.json: the key 'dataset_hash'"

# What is no run, no way out, no gnuplot, and wrong usage.
name="nothing usable"
rm -rf bad && cp -r good bad && rm bad/*/predictions.csv
refused 1 bad --partial --out out
contains stderr "bad: no fold can be used"
name="no folds"
mkdir -p empty
refused 1 empty --out out
contains stderr "empty: there is no folder fold-0"
name="no run"
refused 1 nowhere --out out
contains stderr nowhere
name="no gnuplot"
path=/nonexistent refused 1 good --out out
contains stderr "gnuplot" "was not found; install it by: apt-get install gnuplot-nox"
name="broken gnuplot"
mkdir -p fake && printf '#!/bin/sh\necho "no such terminal"\nexit 3\n' >fake/gnuplot && chmod +x fake/gnuplot
path=$work/fake:$PATH refused 1 good --out out
contains stderr "gnuplot lacks the terminals svg and pngcairo" "no such terminal"
name="out is a file"
echo kept >file
refused 1 good --out file
[ "$(cat file)" = kept ] || fail "it was changed"
name="folds on other machines" # keys that change no result may differ
rm -rf bad && cp -r good bad && echo 'trace: "fold-1.json"' >>bad/fold-1/config.yaml
"$report" bad --out out >stdout 2>stderr || fail "refused: $(cat stderr)"
rm -rf out
name="old report stays"
"$report" good --out old >stdout 2>stderr && find old -type f | sort | xargs sha256sum >before
rm good/fold-1/predictions.csv
refused 1 good --out old
find old -type f | sort | xargs sha256sum | cmp - before || fail "it was changed"
name="no RUN"
refused 2 --out out
name="no --out"
refused 2 good
name="unknown option"
refused 2 good --out out --nonsense

finish
