#!/bin/bash
# cmus-predict: the same digits from a data set, from image files, under any number of ranks and threads, and as training
# wrote for its held-out fold; ensembles; missing modalities; labels; explanations; every refusal.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
export OMP_NUM_THREADS=1
make_data 24 --bag 1,5
for fold in 0 1; do
    train 2 tiny.yaml epochs=2 --data data --fold $fold --out run > log 2>&1 || { cat log; exit 1; }
done

predict() { # ARGUMENTS...: into the folder $name; what is said goes to $name.log
    "$bin/cmus-predict" "$@" --out "$name" > "$name.log" 2>&1 || { cat "$name.log"; fail "exit code $?"; }
}
refused() { # CODE TEXT... -- ARGUMENTS...: the exit code, what is said; nothing is left behind
    local code=$1 texts=()
    shift
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    "$bin/cmus-predict" "$@" > log 2>&1
    local got=$?
    [ $got = "$code" ] || fail "exit code $got in place of $code: $(tail -3 log)"
    contains log "${texts[@]}"
    if [ -e refused ] || [ -e refused.partial ]; then fail "something was left behind"; fi
    rm -rf refused refused.partial
}
columns() { # CSV: those that training writes as well, sorted by case
    cut -d, -f1-"$(head -1 run/fold-0/predictions.csv | tr , '\n' | wc -l)" "$1" | sort
}
one=run/fold-0/final/weights.safetensors

# The held-out fold: the digits of the training run.
name=held_out
predict --weights $one --data data --fold 0
diff <(columns $name/predictions.csv) <(columns run/fold-0/predictions.csv) > differences || fail "other digits than in training: $(cat differences)"
(cd $name && sha256sum -c --quiet MANIFEST.sha256) || fail "the manifest"

# All cases: from shards, from files, by ranks, by threads, in other orders.
name=shards
predict --weights $one --data data
[ "$(wc -l < shards/predictions.csv)" = 25 ] || fail "$(wc -l < shards/predictions.csv) lines"
name=files
predict --weights $one --cases phantom/cases
diff <(sort files/predictions.csv) <(sort shards/predictions.csv) > differences || fail "files give other digits: $(head -4 differences)"
for ranks in 2 3; do
    name=ranks-$ranks
    "${launch[@]}" -np $ranks "$bin/cmus-predict" --weights $one --data data --out $name > $name.log 2>&1 || { cat $name.log; fail "exit code"; }
    cmp $name/predictions.csv shards/predictions.csv || fail "other bytes"
done
name=threads
OMP_NUM_THREADS=2 predict --weights $one --data data
cmp threads/predictions.csv shards/predictions.csv || fail "other bytes"
name=single
case=$(sed -n 2p shards/predictions.csv | cut -d, -f1)
predict --weights $one --case-id "$case" --om "phantom/cases/$case"/OM_* --im "phantom/cases/$case"/IM_* --tem "phantom/cases/$case"/TEM_*
[ "$(cut -d, -f4- single/predictions.csv | tail -1)" = "$(sed -n 2p shards/predictions.csv | cut -d, -f4-)" ] || fail "a single case gives other digits"
name=moved # what the file says of itself is enough
cp $one moved.safetensors
predict --weights moved.safetensors --data data
cmp moved/predictions.csv shards/predictions.csv || fail "other bytes"

# Two networks: means and spreads.
name=ensemble
predict --weights run/fold-0 run/fold-1 --data data
refused 1 "only 2 folds" -- --weights run --data data --out refused
name=second
predict --weights run/fold-1 --data data
python3 - << 'END' || fail "means and spreads"
import csv, json
read = lambda name: list(csv.DictReader(open(f"{name}/predictions.csv")))
both, first, second = read("ensemble"), read("shards"), read("second")
document = json.load(open("ensemble/predictions.json"))
assert document["format"] == "cmus-predict 1" and len(document["models"]) == 2 and len(document["cases"]) == len(both) == 24
assert [m["fold"] for m in document["models"]] == ["0", "1"] and document["source"]["kind"] == "data"
for row, a, b, entry in zip(both, first, second, document["cases"]):
    assert row["models"] == "2" and row["missing"] == "" and entry["case_id"] == row["case_id"] == a["case_id"]
    probabilities = {}
    for column in row:
        if column.startswith("prob_"):
            x, y = float(a[column]), float(b[column])
            assert abs(float(row[column]) - (x + y) / 2) < 1e-8, column
        if column.startswith("prob_") and "sd_" + column[5:] in row:
            probabilities[column[5:]] = float(row[column])
            assert abs(float(row["sd_" + column[5:]]) - abs(x - y) / 2**0.5) < 1e-8
            assert abs(entry["models"][0]["probabilities"]["fusion"][column[5:]] - x) < 1e-8
    assert row["predicted"] == max(probabilities, key=probabilities.get) == entry["predicted"]
    weights = [float(w) for w in row["tem_weight"].split(";")]
    assert len(weights) == len(entry["tem"]) and all(abs(w - t["weight"]) < 1e-7 for w, t in zip(weights, entry["tem"]))
assert all(r["sd_MN"] == "0" for r in first)
END

# Missing modalities.
name=missing
mkdir -p lacking/MN
cp -r phantom/cases/MN/"$(find phantom/cases/MN -mindepth 1 -maxdepth 1 -printf "%f\n" | sort | head -1)" lacking/MN/no_om
rm lacking/MN/no_om/OM_*
refused 1 no_om OM -- --weights $one --cases lacking --out refused
predict --weights $one --cases lacking --allow-missing
python3 - << 'END' || fail "what is said of a case without OM"
import csv
row, = csv.DictReader(open("missing/predictions.csv"))
full = {r["case_id"]: r for r in csv.DictReader(open("shards/predictions.csv"))}
assert row["missing"] == "om" and row["prob_MN"] == "" and row["prob_om_MN"] == "" and row["sd_MN"] == ""
twin = full["MN/" + sorted(__import__("os").listdir("phantom/cases/MN"))[0]]
for head in ("im", "tem"):
    assert row[f"prob_{head}_MN"] == twin[f"prob_{head}_MN"], head
mean = {c: float(row["prob_im_" + c]) + float(row["prob_tem_" + c]) for c in ("IgAN", "LN", "MN")}
assert row["predicted"] == max(mean, key=mean.get)
END
rm -r lacking/MN/no_om/TEM_*
refused 1 TEM -- --weights $one --cases lacking --allow-missing --out refused

# Cases that can't be read.
name=damaged
cp -r phantom/cases damaged_cases
victim=$(find damaged_cases -name 'TEM_*' | sort | head -1)
head -c 300 "$victim" > piece && mv piece "$victim"
refused 1 "$(basename "$victim")" -- --weights $one --cases damaged_cases --out refused
predict --weights $one --cases damaged_cases --on-error skip
[ "$(wc -l < damaged/predictions.csv)" = 24 ] || fail "$(wc -l < damaged/predictions.csv) lines"
contains damaged/rejected.csv "$(basename "$victim")"

# Cases without classes, and labels for them.
name=unknown
mkdir new && for folder in phantom/cases/*/*; do cp -r "$folder" "new/$(basename "$(dirname "$folder")")-$(basename "$folder")"; done
predict --weights $one --cases new
python3 -c 'import csv; assert all(r["label"] == "" for r in csv.DictReader(open("unknown/predictions.csv")))' || fail "labels from nowhere"
diff <(cut -d, -f4- unknown/predictions.csv | sort) <(cut -d, -f4- shards/predictions.csv | sort) > differences || fail "other digits: $(head -4 differences)"
{ echo case_id,class; for folder in new/*; do folder=$(basename "$folder"); echo "$folder,${folder%%-*}"; done; } > labels.csv
name=labelled
predict --weights $one --cases new --labels labels.csv
contains labelled.log "with a known class are right"
sed -i 's/,MN$/,FSGS/' labels.csv
refused 1 FSGS "IgAN" -- --weights $one --cases new --labels labels.csv --out refused

# Explanations: a picture, a page and maps for each case, also by several ranks, with the same bytes.
name=explained
predict --weights run/fold-0 run/fold-1 --data data --fold 0 --explain
name=explained-2
"${launch[@]}" -np 2 "$bin/cmus-predict" --weights run/fold-0 run/fold-1 --data data --fold 0 --explain --out $name > $name.log 2>&1 || { cat $name.log; fail "exit code"; }
diff -r explained/explain explained-2/explain || fail "two ranks explain otherwise"
cases=$(($(wc -l < explained/predictions.csv) - 1))
for ending in png html safetensors; do
    count=$(find explained/explain -name "0*.$ending" | wc -l)
    [ "$count" = $cases ] || fail "$count files .$ending for $cases cases"
done
contains explained/explain/index.html .html MN
name=class
predict --weights $one --data data --fold 0 --explain --class MN
grep -l '"class":"MN"' class/explain/*.safetensors | wc -l | grep -qx $cases || fail "another class is explained"
name=own # what a file says of itself stands: classes in another order would be other diagnoses
refused 1 "what was given differs" -- 'classes=[MN, LN, IgAN]' --weights $one --data data --out refused
sed 's/^classes:.*/classes: [MN, LN, IgAN]/' run/fold-0/config.yaml > other.yaml
refused 1 "what was given differs" -- --config other.yaml --weights $one --data data --out refused
predict --weights $one memory_gib=2 --data data
cmp own/predictions.csv shards/predictions.csv || fail "other bytes"
name=leftovers # of a killed run
mkdir -p leftovers.partial/explain && touch leftovers.partial/explain/old.html leftovers.partial/rejected.csv
predict --weights $one --data data --fold 0 --explain
if [ -e leftovers/explain/old.html ] || [ -e leftovers/rejected.csv ]; then fail "they are in the results"; fi
name=overflow
python3 - $one huge.safetensors << 'END' || fail "no damaged weights"
import json, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
length = struct.unpack("<Q", data[:8])[0]
begin, end = json.loads(data[8:8 + length])["MLP.linear1.weight"]["data_offsets"]
data[8 + length + begin:8 + length + end] = struct.pack("<f", 3e38) * ((end - begin) // 4)
open(sys.argv[2], "wb").write(data)
END
refused 1 "no finite probabilities" -- --weights huge.safetensors --data data --out refused
name=two_hosts # with other weights
"${launch[@]}" -np 1 "$bin/cmus-predict" --weights $one --data data --out refused : \
    -np 1 "$bin/cmus-predict" --weights run/fold-1 $one --data data --out refused > log 2>&1 && fail "they were taken"
contains log "what the networks are differs"
rm -rf refused.partial
name=inside
refused 2 "must not lie among the cases" -- --weights $one --cases phantom/cases --out phantom/cases/refused
name=few # more ranks than cases
mkdir -p lonely && cp -r "new/$(find new -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | head -1)" lonely/
"${launch[@]}" -np 3 "$bin/cmus-predict" --weights $one --cases lonely --explain --out few > log 2>&1 || { cat log; fail "exit code"; }
[ "$(wc -l < few/predictions.csv)" = 2 ] || fail "$(wc -l < few/predictions.csv) lines"
refused 2 -- --weights $one --data data --class MN --out refused
refused 2 "FSGS" "IgAN" -- --weights $one --data data --explain --class FSGS --out refused

# What is refused.
name=refusals
refused 2 "--weights" -- --data data --out refused
refused 2 "one of --data" -- --weights $one --out refused
refused 2 "one of --data" -- --weights $one --data data --cases phantom/cases --out refused
refused 2 "--tem is needed" -- --weights $one --om a.jpg --im b.jpg --out refused
refused 1 "nowhere" -- --weights nowhere --data data --out refused
refused 1 "nowhere" -- --weights $one --data nowhere --out refused
refused 2 "count twice" -- --weights $one $one --data data --out refused
refused 1 "last/weights.safetensors" -- --weights $one run/fold-1/last/weights.safetensors.missing last/weights.safetensors --data data --out refused
refused 1 "holdout" -- --weights $one --data data --fold holdout --out refused
"$bin/cmus-pack" phantom/cases --out data32 --size 32 > log 2>&1
refused 1 "32" "64" -- --weights $one --data data32 --out refused
mkdir full && touch full/file
refused 2 "is not empty" -- --weights $one --data data --out full
rm -r full
head -c 100000 $one > short.safetensors
refused 1 short.safetensors -- --weights short.safetensors --data data --out refused
cp -r run damaged_run
printf x | dd of=damaged_run/fold-0/final/weights.safetensors bs=1 seek=100000 conv=notrunc 2> /dev/null
refused 1 "checksum" -- --weights damaged_run/fold-0 --data data --out refused
train 1 tiny.yaml epochs=1 max_tem=2 --data data --fold 1 --out other > log 2>&1
refused 1 "max_tem" -- --weights $one other/fold-1 --data data --out refused

finish
