#!/bin/bash
# Bad input: exit code 1 (2 for wrong usage), one line that names the file, and no output.
source "$(dirname "$0")/train_common.sh"
make_data 12

expect() { # CODE TEXT COMMAND...
    local code=$1 text=$2
    shift 2
    "$@" > out 2> error
    local got=$?
    [ $got = "$code" ] || fail "exit code $got for: $*"
    grep -qF -- "$text" error || { fail "'$text' is not said by: $*"; cat error; }
    [ "$(grep -c . error)" = 1 ] || { fail "not one line from: $*"; cat error; }
    [ ! -e out_folder ] || { fail "output of: $*"; rm -rf out_folder; }
}
run() { # CONFIG [KEY=VALUE...]
    train 2 "$@" --data data --fold 0 --out out_folder --quiet
}
bad() { # TEXT FILE_CONTENT
    printf '%b' "$2" > bad.yaml
    expect 1 "$1" run bad.yaml
}

bad "bad.yaml, line 2: unknown key 'batchh'; did you mean 'batch'?" 'lr: 1e-3\nbatchh: 3\n'
bad "bad.yaml, line 1: lr: 'fast' is not a number" 'lr: fast\n'
bad "bad.yaml: classes are [\"GS\", \"nonGS\"], but the data set data has [\"IgAN\", \"LN\", \"MN\"]" \
    'image_size: 64\nclasses: [GS, nonGS]\n'
bad "bad.yaml: image_size is 224, but the images of data have 64 pixels" 'epochs: 2\n'
expect 1 "'lr=x'" run tiny.yaml lr=x
CMUS_KERNELS=avx2 expect 1 "tiny.yaml: precision: bf16 needs a processor with AVX512-BF16 or AMX" run tiny.yaml precision=bf16
CMUS_KERNELS=avx2 expect 1 "fp32 works everywhere" run tiny.yaml precision=bf16
expect 1 "none.yaml: No such file" run none.yaml
expect 1 "nowhere/dataset.json" train 2 tiny.yaml --data nowhere --fold 0 --out out_folder
expect 1 "tiny.yaml: no safetensors file" run tiny.yaml --init tiny.yaml
expect 2 "--fold 3: data/splits.csv has the folds 0 to 2" train 1 tiny.yaml --data data --fold 3 --out out_folder
expect 2 "--repeat 1: data/splits.csv has the repeats 0 to 0" train 1 tiny.yaml --data data --fold 0 --repeat 1 --out out_folder

cp -r data unsplit && rm unsplit/splits.csv
expect 1 "unsplit/splits.csv: there is none; make it once by: cmus-split unsplit" \
    train 2 tiny.yaml --data unsplit --fold 0 --out out_folder

# A flipped byte in the middle of a shard: in an image, which is read when its batch comes.
cp -r data flipped
shard=$(ls flipped/*.h5 | head -1)
python3 - "$shard" << 'END'
import sys
with open(sys.argv[1], "r+b") as file:
    content = file.read()
    file.seek(len(content) // 2)
    file.write(bytes([content[len(content) // 2] ^ 1]))
END
train 2 tiny.yaml --data flipped --fold 0 --out flipped_run --quiet 2> error && fail "a flipped byte was not noticed"
grep -qF "$shard" error && [ "$(grep -c . error)" = 1 ] || { fail "message of a flipped byte"; cat error; }
[ ! -e flipped_run/fold-0/predictions.csv ] || fail "predictions from a damaged shard"

# Checkpoints: of another configuration, of other data; a begun run without --resume; a damaged one.
train 2 tiny.yaml epochs=1 --data data --fold 0 --out run --quiet 2> error || { cat error; fail "first run"; }
expect 1 "run/fold-0/run.json: belongs to another run: epochs is 1 there, 5 here" \
    train 2 tiny.yaml --data data --fold 0 --out run --resume
rm run/fold-0/MANIFEST.sha256 # as if it had been killed before the end
cp -r run foreign && rm foreign/fold-0/run.json
expect 1 "foreign/fold-0/last/state.json: belongs to another run: epochs is 1 there, 5 here; lr is 0.0002 there, 0.01 here" \
    train 2 tiny.yaml lr=1e-2 --data data --fold 0 --out foreign --resume
cp -r data resplit && rm resplit/splits.csv && "$bin/cmus-split" resplit --folds 3 --seed 2 > log 2>&1 || fail "another split"
cmp -s data/splits.csv resplit/splits.csv ||
    expect 1 "the hash of splits.csv is" train 2 tiny.yaml epochs=1 --data resplit --fold 0 --out run --resume
expect 1 "run/fold-0: holds a begun run; continue it by --resume" train 2 tiny.yaml epochs=1 --data data --fold 0 --out run
truncate -s -1 run/fold-0/last/moments.safetensors
train 2 tiny.yaml epochs=1 --data data --fold 0 --out run --resume --quiet 2> error && fail "a damaged checkpoint was used"
grep -qF "run/fold-0/last/moments.safetensors: the content differs" error || { fail "message of a damaged checkpoint"; cat error; }

# A timeline that could not be written at the end of the training.
expect 1 "trace: nowhere/trace.json: there is no folder nowhere/" \
    train 2 tiny.yaml trace=nowhere/trace.json --data data --fold 0 --out untraced

# Weights that are no number are refused; of those that make the loss none, the cases are named.
python3 - run/fold-0/final/weights.safetensors << 'END'
import sys
content = bytearray(open(sys.argv[1], "rb").read())
content[-4:] = b"\0\0\xc0\x7f"
open("nan.safetensors", "wb").write(content)
END
expect 1 "nan.safetensors: tensor 'TEM_fc.linear.weight' holds nan at place" \
    train 2 tiny.yaml --data data --fold 0 --out not_finite --init nan.safetensors --quiet
huge_weights run/fold-0/final/weights.safetensors huge.safetensors
train 2 tiny.yaml max_bad_steps=0 --data data --fold 0 --out not_a_number --init huge.safetensors --quiet 2> error &&
    fail "a loss that is no number was not noticed"
grep -q "update 1: the loss is not finite for the cases '.*/P" error && [ "$(grep -c . error)" = 1 ] ||
    { fail "message of a loss that is no number"; cat error; }

# No space left.
mkdir full
if mount -t tmpfs -o size=4m none full 2> /dev/null; then
    trap 'umount "$scratch/full"; rm -rf "$scratch"' EXIT
    train 2 tiny.yaml --data data --fold 0 --out full/run --quiet 2> error && fail "no space left was not noticed"
    grep -qF "can't write full/run/fold-0/last.new/moments.safetensors: No space left on device" error &&
        [ "$(grep -c . error)" = 1 ] || { fail "message of no space left"; cat error; }
    [ -z "$(find full -name '*.tmp' -o -name 'last*')" ] || fail "a broken checkpoint was left on the full disk"
    mount -o remount,size=64m full
    train 2 tiny.yaml --data data --fold 0 --out full/run --quiet --resume 2> error || { cat error; fail "resume with space"; }
else
    echo "no right to mount a small tmpfs: 'no space left' was not tested"
fi

finish
