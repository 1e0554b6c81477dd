#!/bin/bash
# cmus-weights: what it says of files, its refusals and exit codes; nothing half-written is left.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
export OMP_NUM_THREADS=1
make_data 9 --bag 1,2
train 1 tiny.yaml epochs=1 max_updates=1 --data data --fold 0 --out run > log 2>&1 || { cat log; exit 1; }
fold=run/fold-0
own=$fold/final/weights.safetensors

# edit TO STATEMENT...: a changed copy of the weights; STATEMENTs see the header's `tensors`, `metadata`, the bytes `data`
edit() {
    python3 - $own "$@" << 'END' || fail "edit $*"
import json, struct, sys
whole = open(sys.argv[1], "rb").read()
length = struct.unpack("<Q", whole[:8])[0]
tensors, old = json.loads(whole[8:8 + length]), whole[8 + length:]
metadata = tensors.pop("__metadata__")
data = {name: bytearray(old[slice(*entry["data_offsets"])]) for name, entry in tensors.items()}
def put(name, index, value):
    data[name][4 * index:4 * index + 4] = struct.pack("<f", value)
def drop(prefix):
    for name in [name for name in tensors if name.startswith(prefix)]:
        del tensors[name]
for statement in sys.argv[3:]:
    exec(statement)
at = 0
for name, entry in tensors.items():
    entry["data_offsets"] = [at, at := at + len(data[name])]
header = json.dumps({"__metadata__": metadata, **tensors}).encode()
header += b" " * (-len(header) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(header)) + header + b"".join(data[name] for name in tensors))
END
}
says() { # TEXT... -- ARGUMENTS...: it works, and says so
    local texts=()
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    "$bin/cmus-weights" "$@" > log 2>&1 || fail "$*: exit code $?: $(tail -1 log)"
    contains log "${texts[@]}"
}
refused() { # CODE TEXT... -- ARGUMENTS...: so it fails, and leaves nothing
    local code=$1 texts=() got
    shift
    while [ "$1" != -- ]; do
        texts+=("$1")
        shift
    done
    shift
    "$bin/cmus-weights" "$@" > log 2>&1
    got=$?
    [ $got = "$code" ] || fail "$*: exit code $got in place of $code: $(tail -3 log)"
    contains log "${texts[@]}"
    if [ -n "$(find . -name 'out.safetensors*' -print -quit)" ]; then fail "$*: left something: $(find . -name 'out*')"; fi
    rm -f out.safetensors*
}

edit no_fc.safetensors 'drop("OM_fc.")'
edit large.safetensors 'put("MLP.linear2.weight", 19, -70000.5)'
edit nan.safetensors 'put("MLP.linear1.bias", 3, float("nan"))'
edit plain.safetensors 'metadata = {"format": "pt"}'
edit escapes.safetensors 'metadata["note"] = "one\n\u001b[31mtwo"'
head -c 100000 $own > short.safetensors
mkdir empty

# What is wrong with a command line.
refused 2 "a command and FILE are needed" --
refused 2 "'look': inspect, import or export is expected" -- look $own
refused 2 "a command and FILE are needed" -- inspect
refused 2 "import needs --out OUT" -- import $own
refused 2 "--out does not go with inspect" -- inspect $own --out out.safetensors
refused 2 "--dtype is of export" -- import $own --out out.safetensors --dtype f16
refused 2 "--dtype f8: f32, f16 or bf16 is expected" -- export $own --out out.safetensors --dtype f8
refused 2 "--json is of inspect" -- export $own --out out.safetensors --json
refused 2 "second: one FILE, then KEY=VALUE is expected" -- inspect $own second
cp large.safetensors before.safetensors
refused 2 "large.safetensors is there already" -- export $own --out large.safetensors
cmp large.safetensors before.safetensors || fail "a file that was there was changed"

# What is wrong with files.
refused 1 "missing: No such file" -- inspect missing
refused 1 "empty: a folder without weights.safetensors and final/weights.safetensors" -- inspect empty
refused 1 "there is no folder nowhere/" -- export $own --out nowhere/out.safetensors
refused 1 "short.safetensors" -- inspect short.safetensors
refused 1 "unknown key 'embed_dims'; did you mean 'embed_dim'?" -- inspect $own embed_dims=3
refused 1 "missing.yaml" -- inspect $own --config missing.yaml
refused 1 "what was given differs" -- export $own --out out.safetensors embed_dim=16
refused 1 "embed_dim" -- import $own --out out.safetensors embed_dim=16
refused 1 "no_fc.safetensors: has no 'OM_fc.linear.weight'; a whole network is exported, parts are imported" -- export no_fc.safetensors --out out.safetensors
refused 1 "what was given differs" -- export $own --out out.safetensors 'classes=[MN, LN, IgAN]'
refused 1 "large.safetensors: tensor 'MLP.linear2.weight': -70000.5 at [1, 3] is beyond the range of float16 (65504); export as --dtype bf16 or f32" -- export large.safetensors --out out.safetensors --dtype f16
refused 1 "nan.safetensors" "finite" -- import nan.safetensors --out out.safetensors
"$bin/cmus-weights" inspect $own > /dev/full 2> log
[ $? = 1 ] || fail "a full disk is not seen"
contains log "can't print"

# What it says: which network a file is held against, what goes where.
says "the file's own configuration" "the whole network" 'classes: ["IgAN", "LN", "MN"]' "position index buffer" -- inspect $fold
grep -q memory_gib log && fail "the metadata hold what differs between machines"
says "final/weights.safetensors" "F32   [64]" -- inspect $fold/final
says "network of tiny.yaml" "the whole network" -- inspect plain.safetensors --config tiny.yaml
says "network of the published configuration" "does not fit" -- inspect plain.safetensors
mkdir -p old/final && cp plain.safetensors old/final/weights.safetensors && cp $fold/config.yaml old
says "network of old/final/../config.yaml" "the whole network" -- inspect old
says "OM_fc (2 tensors)" "370 tensors loaded" -- inspect no_fc.safetensors
says "MLP.linear1.bias  NOT FINITE: 1 values" "1 values are NOT FINITE" -- inspect nan.safetensors
says "  note:" "�[31mtwo" -- inspect escapes.safetensors
grep -q $'\e' log && fail "a file steers the terminal"
says '"fits": true' -- inspect no_fc.safetensors --json
python3 - << 'END' || fail "the JSON is wrong"
import json
found = json.load(open("log"))
tensors = {tensor["name"]: tensor for tensor in found["tensors"]}
assert found["kind"] == "safetensors" and found["metadata"]["cmus_version"] and found["bytes"] > 1e6
assert found["network"]["loaded"] == 370 and found["network"]["missing"] == ["OM_fc.linear.weight", "OM_fc.linear.bias"], found["network"]
bias = tensors["MLP.linear2.bias"]
assert bias["type"] == "F32" and bias["shape"] == [3] and bias["to"] == ["MLP.linear2.bias"]
assert bias["norm"] > 0 and bias["smallest"] < bias["largest"] and bias["not_finite"] == 0
index = tensors["OM_encoder.0.1.0.attn.relative_position_index"]
assert index["left_over"] == "position index buffer" and index["to"] == [] and "norm" not in index
END

# What it makes.
says "the whole network" "(F32)" -- export $fold --out same.safetensors
cmp $own same.safetensors || fail "an export of own weights is another file"
says "rounded to BF16: largest error" "in 'MLP.linear2.weight'" -- export large.safetensors --dtype bf16 --out large-bf16.safetensors
[ "$(stat -c %s large-bf16.safetensors)" -lt "$(($(stat -c %s same.safetensors) * 7 / 10))" ] || fail "bfloat16 takes as much as float32"
says "not loaded: OM_fc" -- import no_fc.safetensors --out part.safetensors
says "370 tensors loaded" -- inspect part.safetensors --config $fold/config.yaml
grep -q cmus_config log && fail "a part says that it is a network"
says "MLP (2 tensors)" "another number of classes" -- inspect $own 'classes=[A, B]'
"$bin/cmus-weights" export $fold --out quiet.safetensors --quiet > log 2>&1
[ -s log ] && fail "--quiet says $(cat log)"
train 1 tiny.yaml epochs=1 --data data --fold 0 --out again --init part.safetensors > log 2>&1 || fail "an import can't be trained: $(tail -1 log)"
contains log "OM_fc begins at random"

# Heads of other classes are left out with a word, on every way: of another number, and of other names.
edit renamed.safetensors 'metadata["cmus_config"] = metadata["cmus_config"].replace("IgAN", "FSGS")'
says "last layers of heads left out: 8 tensors" -- import $own --out two.safetensors 'classes=[A, B]'
says "last layers of heads left out: 8 tensors" -- import renamed.safetensors --out three.safetensors --config tiny.yaml 'classes=[IgAN, LN, MN]'
for file in two three renamed; do
    train 1 tiny.yaml epochs=1 max_updates=1 --data data --fold 0 --out "init-$file" --init $file.safetensors > log 2>&1 ||
        fail "--init $file.safetensors: $(tail -1 log)"
    contains log "these heads begin at random"
done
train 1 tiny.yaml epochs=1 max_updates=1 --data data --fold 0 --out init-folder --init run/fold-0 > log 2>&1 || fail "--init of a folder: $(tail -1 log)"
contains log "the whole network"
grep -q random log && fail "a whole network leaves something out"
find . -name '*.tmp' | grep . && fail "temporary files are left"
finish
