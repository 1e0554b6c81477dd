#!/bin/bash
# cmus-report on folds with features.safetensors: t-SNE pictures that do not depend on threads, what is left out and said,
# damaged files.
. "$(dirname "$0")/common.sh"
report=$bin/cmus-report
export OMP_WAIT_POLICY=passive # other tests may run beside this one
folds() { # RUN ARGUMENTS OF report_folds.py...
    python3 "$here/report_folds.py" "$@" || fail "report_folds.py $*"
}
features() { # RUN ARGUMENTS OF report_features.py...
    python3 "$here/report_features.py" "$@" || fail "report_features.py $*"
}
makes() { # OUT ARGUMENTS...
    local out=$1
    shift
    "$report" "$@" --out "$out" >stdout 2>stderr || fail "cmus-report $*: exit code $?: $(cat stderr)"
}
pictures() { # OUT: names of its t-SNE pictures
    (cd "$1/figures" && echo tsne-*.svg)
}

name="all folds"
folds run --folds 3 --cases 40
features run --manifest
OMP_NUM_THREADS=1 makes out run
[ "$(pictures out)" = "tsne-fold-0.svg tsne-fold-1.svg tsne-fold-2.svg" ] || fail "$(pictures out)"
contains out/figures/tsne-fold-1.svg "t-SNE, fold 1" "40 cases, " IgAN MN LN wrong
contains out/report.html "t-SNE, fold 2" "perplexity at most 30"
! grep -q 'drawn by lot\|no saved features' out/report.html || fail "something seems left out"
wrong=$(python3 - <<'PYTHON'
import csv
count = 0
for row in csv.DictReader(open("run/fold-1/predictions.csv", encoding="utf-8")):
    classes = ["IgAN", "MN", "LN"]
    count += max(classes, key=lambda name: float(row["prob_" + name])) != row["label"]
print(count)
PYTHON
)
contains out/figures/tsne-fold-1.svg "40 cases, $wrong wrong"
cp -r out first
OMP_NUM_THREADS=3 makes out run
diff -r first out >differences || fail "other threads give other files: $(head -5 differences)"

name="some folds"
folds some --folds 3 --cases 20
features some --folds 0,2
makes some-out some
[ "$(pictures some-out)" = "tsne-fold-0.svg tsne-fold-2.svg" ] || fail "$(pictures some-out)"
contains some-out/report.html "1 of 3 folds have no saved features"

name="no folds"
folds none --folds 2 --cases 12
makes none-out none
[ ! -e none-out/figures/tsne-fold-0.svg ] || fail "a picture without features"
contains none-out/report.html "No features of the held-out cases were saved"

name="many folds, cases and few cases"
folds many --folds 12 --cases 650 --heads om
sed -i '5,$d' many/fold-0/predictions.csv
for fold in 2 3 4 5 6 7 8 9 10 11; do
    sed -i '14,$d' many/fold-$fold/predictions.csv
done
features many --dimensions 3
makes many-out many
[ "$(pictures many-out | wc -w)" = 10 ] || fail "$(pictures many-out)"
[ ! -e many-out/figures/tsne-fold-0.svg ] || fail "a picture of three cases"
contains many-out/figures/tsne-fold-1.svg "400 of 650 cases"
contains many-out/report.html "1 of 12 folds have no saved features, or fewer than 4 cases." \
    "The first 10 of 11 folds are drawn." "Of a fold with more, 400 cases drawn by lot are shown."

# Damaged files: no report, with a message; with --partial one without the fold, its pictures marked.
bad() { # NAME COMMAND TEXT...
    name=$1
    rm -rf bad out && cp -r run bad && rm bad/*/MANIFEST.sha256
    (cd bad && eval "$2") || fail "the command failed"
    "$report" bad --out out >stdout 2>stderr && fail "it was accepted"
    [ ! -e out ] || fail "something was written"
    contains stderr "no report was made" "${@:3}"
    makes out bad --partial
    [ "$(pictures out)" = "tsne-fold-0.svg tsne-fold-2.svg" ] || fail "$(pictures out)"
    contains out/figures/tsne-fold-2.svg "PARTIAL: 2 of 3 folds"
}
# shellcheck disable=SC2317 # called by bad()
edit() { # PYTHON: changes the header `header`, a dictionary, and the data `data`, a bytearray, of fold-1
    python3 - "$1" <<'PYTHON'
import json, struct, sys
path = "fold-1/features.safetensors"
content = open(path, "rb").read()
size = int.from_bytes(content[:8], "little")
header, data = json.loads(content[8:8 + size]), bytearray(content[8 + size:])
exec(sys.argv[1])
text = json.dumps(header).encode()
open(path, "wb").write(len(text).to_bytes(8, "little") + text + data)
PYTHON
}
f=bad/fold-1/features.safetensors
bad "cut short" 'truncate -s -5 fold-1/features.safetensors' "$f" "tensor 'om'"
bad "no safetensors" 'echo nothing >fold-1/features.safetensors' "$f"
bad "NaN" 'edit "struct.pack_into(\"<f\", data, 4 * (24 * 7 + 3), float(\"nan\"))"' \
    "$f: tensor 'fused', row 7: nan is no finite number"
bad "infinite" 'edit "struct.pack_into(\"<f\", data, len(data) - 4, float(\"-inf\"))"' \
    "$f: tensor 'om', row 39: -inf is no finite number"
bad "rows of other cases" 'cp ../some/fold-0/features.safetensors fold-1/' \
    "$f: tensor 'fused' has 20 rows, but predictions.csv has 40 cases"
bad "other type" 'edit "header[\"om\"][\"dtype\"] = \"I32\""' "$f: tensor 'om' is I32 with 2 dimensions, not F32 with 2"
bad "other dimensions" 'edit "header[\"fused\"][\"shape\"] = [40, 4, 6]"' "$f: tensor 'fused' is F32 with 3 dimensions"
bad "nothing fused" 'edit "header[\"tem\"] = header.pop(\"fused\")"' "$f: there is no tensor 'fused'"
bad "not listed" 'cd fold-1 && sha256sum ./*.csv | sed "s/\.\///" >MANIFEST.sha256' "bad/fold-1" "features.safetensors"
bad "other content" 'cp ../run/fold-1/MANIFEST.sha256 fold-1/ && edit "data[9] ^= 1"' "$f: the content differs"

finish
