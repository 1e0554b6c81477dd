#!/usr/bin/env bash
# cmus-split on small data sets: folds and what they are worth, what it refuses, and folds from NumPy's index files; and
# cmus-train, which refuses the same folds.
#   pack_split.sh BUILD
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_python numpy
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"


gives() { # CODE COMMAND...
    local wanted=$1 code=0
    shift
    name="${*:2}"
    "$@" > out 2> err || code=$?
    [ "$code" = "$wanted" ] || fail "exit code $code instead of $wanted: $(cat err)"
}
split() { # CODE ARGUMENTS...
    gives "$1" "$bin/cmus-split" "${@:2}"
}
unchanged() { # FILE COPY
    cmp -s "$1" "$2" || fail "$1 was changed"
}

# 30 cases; about a third of the patients have cases in two classes. `single`: no patient has two.
if ! { "$bin/cmus-phantom" --cases 30 --patients-with-two-cases 0.5 --size 32 --seed 2 tree &&
    "$bin/cmus-pack" tree/cases --out data --size 16 &&
    "$bin/cmus-phantom" --cases 24 --size 32 --seed 2 tree_single &&
    "$bin/cmus-pack" tree_single/cases --out single --size 16; } > log 2>&1; then
    cat log
    echo "no data set"
    exit 1
fi

# --- folds, once
split 0 data --folds 3 --seed 4 --repeats 2
[ "$(wc -l < data/splits.csv)" = 61 ] || fail "splits.csv has not one line a case and repeat"
"$python" - data/splits.csv out << 'END' || fail "folds or the numbers about them are wrong"
import collections, csv, re, sys
rows = list(csv.DictReader(open(sys.argv[1])))
said = open(sys.argv[2]).read()
fold = {}
for row in rows:
    assert fold.setdefault((row["patient_id"], row["repeat"]), row["fold"]) == row["fold"], row
assert len(set(p for p, _ in fold)) < 30
for repeat in "01":
    even = True
    for name in sorted(set(row["class"] for row in rows)):
        counts = collections.Counter(row["fold"] for row in rows if row["class"] == name and row["repeat"] == repeat)
        least, most, ideal = min(counts.values()), max(counts.values()), sum(counts.values()) / 3
        assert len(counts) == 3
        even = even and most - least <= 1
        line = f"repeat {repeat}, class {name}: {least} to {most} cases a fold, ideal {ideal:.3g}; " \
               f"off by at most {max(most - ideal, ideal - least):.2g}\n"
        assert line in said, (line, said)
    assert (f"repeat {repeat}: as even as any" in said) == even
END
[ "$(grep -c 'repeat [01], class ' out)" = 6 ] || fail "not a line a repeat and class"
cp data/splits.csv first.csv
split 2 data --folds 1
contains err "--folds"
split 2 data --folds 3 --seed 5
contains err "data/splits.csv: is there already, and results may depend on it; --force replaces it"
unchanged data/splits.csv first.csv
split 0 data --folds 3 --seed 4 --repeats 2 --force
unchanged data/splits.csv first.csv
split 0 data --folds 3 --seed 5 --repeats 2 --force
cmp -s data/splits.csv first.csv && fail "another seed made the same folds"
cp first.csv data/splits.csv
split 0 single --folds 4
contains out "repeat 0, class MN: 2 to 2 cases a fold, ideal 2; off by at most 0" "repeat 0: as even as any folds could be"
cp single/splits.csv single.csv

# --- a hold-out: whole patients, the same in every repeat
split 0 data --folds 2 --repeats 2 --holdout 0.2 --seed 1 --force
contains out "held out, class IgAN: " "ideal 2; off by "
"$python" - data/splits.csv << 'END' || fail "the hold-out"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
held = [set(row["patient_id"] for row in rows if row["fold"] == "holdout" and row["repeat"] == r) for r in "01"]
assert held[0] and held[0] == held[1], held
assert not held[0] & set(row["patient_id"] for row in rows if row["fold"] != "holdout")
assert 3 <= sum(row["fold"] == "holdout" for row in rows) / 2 <= 9
END
split 0 data --check
contains err "data/splits.csv: fits data"
contains out "held out, class IgAN: "

# --- a class that the hold-out lacks, or the whole data set; folds without the last line end
sed '0,/,MN,/s/\(,MN,.*,\).*/\1holdout/' single.csv > single/splits.csv
split 0 single --check
contains err "single/splits.csv: the hold-out of repeat 0 has no case of the class IgAN" "no case of the class LN"
mkdir -p few/MN few/LN
cp -r tree_single/cases/MN/* few/MN
patients=(tree_single/cases/LN/*)
cp -r "${patients[@]:0:3}" few/LN
"$bin/cmus-pack" few --out few_packed --size 16 > log 2>&1 || fail "packing: $(cat log)"
split 0 few_packed --folds 2 --holdout 0.13
contains err "few_packed/splits.csv: the hold-out of repeat 0 has no case of the class LN"
split 0 single --folds 2 --holdout 0.25 --force
grep -q "has no case" err && fail "a warning of a hold-out with every class"
head -c -1 single.csv > single/splits.csv
split 0 single --check
cp single.csv single/splits.csv
"$bin/cmus-pack" tree_single/cases --out lacking --size 16 --classes IgAN,LN,MN,None > log 2>&1 || fail "packing: $(cat log)"
split 1 lacking --folds 2
contains err "lacking: the class None has no cases at all"

# --- too many folds
rm data/splits.csv
split 1 data --folds 31
contains err "patients can't make 31 folds; ask for fewer folds"
split 1 data --folds 12
contains err "has no case of the class" "data: has too few patients of a class for 12 folds; ask for fewer"
[ -e data/splits.csv ] && fail "folds without a class were written"

# --- --check lists all offenders, cmus-train refuses the same
cat > tiny.yaml << 'END'
embed_dim: 8
depths: [2, 2, 2, 2]
heads: [1, 2, 4, 8]
image_size: 32
END
"$bin/cmus-pack" tree/cases --out data32 --size 32 > log 2>&1 || fail "packing at 32 pixels"
refuses() { # TEXT...: data/splits.csv
    split 1 data --check
    contains err "$@" "data/splits.csv: does not fit data: "
    cp data/splits.csv data32/
    gives 1 "$bin/cmus-train" tiny.yaml --data data32 --fold 0 --out run --check
    contains err "data32/splits.csv: does not fit the data set" "$@"
    [ "$(grep -c . err)" = 1 ] || fail "not one line"
    [ -e run ] && fail "output of a refused training"
}
cp first.csv data/splits.csv && split 0 data --check
cp first.csv data32/splits.csv
gives 0 "$bin/cmus-train" tiny.yaml --data data32 --fold 0 --out run --check
sed 3d first.csv > data/splits.csv
refuses "$(sed -n '3s/,.*//p' first.csv) has no line for repeat 0"
sed '3p' first.csv > data/splits.csv
refuses "line 4: $(sed -n '3s/,.*//p' first.csv) is there twice in repeat 0"
sed 's/,0,0$/,0,1/' first.csv > data/splits.csv
refuses "fold 0 of repeat 0 is empty"
# All cases of LN in fold 0, in each repeat: the others lack it, and patients with other cases are torn apart.
sed '/,LN,/s/[0-9]*$/0/' first.csv > data/splits.csv
refuses "fold 1 of repeat 0 has no case of the class LN" "fold 2 of repeat 1 has no case of the class LN" \
    "is in two folds of repeat 0" "is in two folds of repeat 1"
# Single cases: nothing but the class is wrong.
sed '/,LN,/s/[0-9]*$/0/' single.csv > single/splits.csv
split 1 single --check
contains err "fold 1 of repeat 0 has no case of the class LN" "single/splits.csv: does not fit single: 3 faults"
[ "$(grep -c . err)" = 4 ] || fail "not one line an offender"

# --- index files of NumPy
"$python" - single.csv data32/splits.csv << 'END'
import csv, os, sys
import numpy
cases = [row["case_id"] for row in csv.DictReader(open(sys.argv[1]))][::-1] # in another order than the data set's
fold = {row["case_id"]: int(row["fold"]) for row in csv.DictReader(open(sys.argv[1]))}
open("list.txt", "w").write("\n".join(cases) + "\n\n")
with open("list.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["number", "case_id"])
    writer.writerows(enumerate(cases))
def held(k):
    return numpy.array([i for i, case in enumerate(cases) if fold[case] == k])
def rest(k):
    return numpy.array([i for i, case in enumerate(cases) if fold[case] != k])
os.makedirs("npy")
for k, kind in enumerate(["<i8", ">i8", "<i4", ">u4"]):
    with open(f"npy/a_train_index_k={k + 1}.npy", "wb") as file:
        numpy.lib.format.write_array(file, rest(k).astype(kind), version=(1 + k % 3, 0))
    if k < 2:
        numpy.save(f"npy/a_{['test', 'val'][k]}_index_k={k + 1}.npy", numpy.random.permutation(held(k)).astype("<u8"))
END
import() { # CODE FOLDER [LIST]
    rm -f single/splits.csv
    split "$1" single --from-npy "$2" --prefix a --cases "${3:-list.txt}"
    [ "$1" = 0 ] || [ ! -e single/splits.csv ] || fail "folds were written all the same"
}
import 0 npy
unchanged single/splits.csv single.csv
contains out "repeat 0, class MN: 2 to 2 cases a fold"
import 0 npy list.csv
unchanged single/splits.csv single.csv
split 2 single --from-npy npy --prefix a --cases list.txt
contains err "is there already"
split 0 single --check

sed '2s/^.*$/IgAN\/nobody/' list.txt > strange.txt
import 1 npy strange.txt
contains err "strange.txt, line 2: the case IgAN/nobody is not in the data set" \
    "strange.txt: the case $(sed -n 2p list.txt) of the data set is not in it" "must have each case of the data set once"
sed '5p' list.txt > twice.txt
import 1 npy twice.txt
contains err "twice.txt, line 6: the case $(sed -n 5p list.txt) is in line 5 already"
sed 's/^$/x/;4s/^/\n/' list.txt > gap.txt
import 1 npy gap.txt
contains err "gap.txt, line 4: is empty; each line is a case"

damaged() { # TEXT... : what the Python on stdin does to the folder bad
    rm -rf bad
    cp -r npy bad
    (cd bad && "$python" -) || fail "damaging"
    import 1 bad
    contains err "$@"
}
damaged "bad/a_train_index_k=3.npy: is not there, but a file of k=4 is" <<< 'import os; os.remove("a_train_index_k=3.npy")'
damaged "bad/a_train_index_k=1.npy: is not there" << 'END'
import glob, os
[os.remove(name) for name in glob.glob("*.npy")]
END
damaged "bad/a_test_index_k=1.npy: is not the rest that training leaves: the position " "in none of the two" << 'END'
import numpy
numpy.save("a_test_index_k=1.npy", numpy.load("a_test_index_k=1.npy")[1:])
END
damaged "bad/a_val_index_k=2.npy: is not the rest" "in both of the two" << 'END'
import numpy
held = [int(i) for i in numpy.load("a_val_index_k=2.npy")]
numpy.save("a_val_index_k=2.npy", held + [next(i for i in range(24) if i not in held)])
END
damaged "bad/a_train_index_k=1.npy: number 0 (from 0) is -1, but list.txt has the positions 0 to 23" << 'END'
import numpy
numpy.save("a_train_index_k=1.npy", numpy.array([-1, 2]))
END
damaged "number 1 (from 0) is 24, but" << 'END'
import numpy
numpy.save("a_train_index_k=1.npy", numpy.array([1, 24]))
END
damaged "bad/a_train_index_k=2.npy: number 2 (from 0), the position 5, is there twice" << 'END'
import numpy
numpy.save("a_train_index_k=2.npy", numpy.array([5, 6, 5]))
END
damaged "'<f8' (floating point)" <<< 'import numpy; numpy.save("a_train_index_k=1.npy", numpy.array([1.0]))'
damaged "truth values" <<< 'import numpy; numpy.save("a_train_index_k=1.npy", numpy.array([True]))'
damaged "Python objects (a pickle)" <<< 'import numpy; numpy.save("a_train_index_k=1.npy", numpy.array([1, None]))'
damaged "not an array of one dimension" <<< 'import numpy; numpy.save("a_train_index_k=1.npy", numpy.ones((2, 3), int))'
damaged "structured" <<< 'import numpy; numpy.save("a_train_index_k=1.npy", numpy.zeros(2, [("a", int)]))'
damaged "should hold 18 numbers of 8 bytes, but has 143" << 'END'
data = open("a_train_index_k=1.npy", "rb").read()
open("a_train_index_k=1.npy", "wb").write(data[:-1])
END
damaged "begin with NumPy's mark" <<< 'open("a_train_index_k=1.npy", "w").write("1,2,3")'
# A case that two folds hold out, and one that none does.
damaged "is held out both by k=1 and by k=2" "is held out by no fold" "each case must be held out by one fold; 2 are not" << 'END'
import numpy, os
os.remove("a_test_index_k=1.npy"), os.remove("a_val_index_k=2.npy")
one, two = set(numpy.load("a_train_index_k=1.npy")), set(numpy.load("a_train_index_k=2.npy"))
both, none = min(two - one), min(one - two)
numpy.save("a_train_index_k=2.npy", sorted(two - {both} | {none}))
END
# Folds by case, as the authors make them, of patients with two cases.
"$python" - first.csv << 'END'
import csv, sys
import numpy
cases = [row["case_id"] for row in csv.DictReader(open(sys.argv[1])) if row["repeat"] == "0"]
open("list_two.txt", "w").write("\n".join(cases))
order = numpy.random.default_rng(1).permutation(len(cases))
import os
os.makedirs("by_case")
for k in range(3):
    numpy.save(f"by_case/MN_train_index_k={k + 1}.npy", numpy.sort(numpy.delete(order, slice(k, None, 3))))
END
rm -f data/splits.csv
split 1 data --from-npy by_case --prefix MN --cases list_two.txt
contains err "the patient P" "is in two folds of repeat 0: " "by_case: these folds leak: " "cmus-split DIR --folds 3"
[ "$(grep -c 'is in two folds' err)" = "$(sed -n 's/.*leak: \([0-9]*\) patients.*/\1/p' err)" ] || fail "not all patients"
[ -e data/splits.csv ] && fail "folds that leak were written"

# --- wrong usage
split 2 data --from-npy npy
contains err "--from-npy also wants --prefix NAME and --cases LIST"
split 2 data --prefix a
contains err "--prefix and --cases are for --from-npy"
split 2 data --from-npy npy --prefix a --cases list.txt --seed 3
contains err "--seed is for making folds, not for --from-npy"
split 2 data --check --force
contains err "--check only looks"

# --- a data set that is damaged, and a disk without space
cp -r single flipped && printf '\1' | dd of=flipped/shard-00000.h5 bs=1 seek=9 conv=notrunc status=none
split 1 flipped
contains err "flipped/shard-00000.h5"
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=1m small small 2> /dev/null; then
    trap 'umount "$scratch/small"; rm -rf "$scratch"' EXIT
    cp single/shard-00000.h5 single/dataset.json single/MANIFEST.sha256 small/
    [ ! -e single/findings.csv ] || cp single/findings.csv small/
    dd if=/dev/zero of=small/full bs=1k 2> /dev/null
    split 1 small --folds 2
    contains err "can't write small/splits.csv: No space left on device"
    compgen -G "small/splits.csv*" > /dev/null && fail "left behind: $(compgen -G "small/splits.csv*")"
else
    echo "not tested: no space left (needs root and tmpfs)"
fi

finish
