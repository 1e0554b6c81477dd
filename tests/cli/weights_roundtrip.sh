#!/bin/bash
# Weights out of PyTorch, trained here, back into PyTorch's own class: the same bits, and the same predictions of both.
# shellcheck source=tests/cli/train_common.sh
source "$(dirname "$0")/train_common.sh"
need_python h5py torch torchvision
export OMP_NUM_THREADS=1
make_data 12 --bag 1,4

round_trip() { # ARGUMENTS...
    "$python" "$here/weights_roundtrip.py" "$@"
}
weights() { # ARGUMENTS...
    "$bin/cmus-weights" "$@" >> log 2>&1 || { cat log; fail "cmus-weights $*"; }
}

# A whole network in the authors' names, with noise for weights; and encoders in torchvision's: the heads are random then.
round_trip make || exit 1
for name in whole encoders; do
    train 2 tiny.yaml head_relu=true epochs=1 max_updates=1 save_features=true --data data --fold 0 --out $name --init $name.pth > log 2>&1 ||
        { cat log; fail "exit code $?"; }
    weights import $name.pth --config tiny.yaml --out $name-imported.safetensors
    weights import $name-cased.pth --config tiny.yaml --out $name-cased.safetensors
    for type in f32 f16 bf16; do
        weights export $name/fold-0 --dtype $type --out $name-$type.safetensors
    done
done
name=
# PyTorch's file as it is, without training
"$bin/cmus-predict" "classes=[IgAN, LN, MN]" head_relu=true --config tiny.yaml --weights whole.pth --data data --out predicted > log 2>&1 ||
    { cat log; fail "cmus-predict: exit code $?"; }
round_trip check whole encoders || fail "see above"
# and once around: out of PyTorch as .pth, in again
for name in whole encoders; do
    weights import $name-saved.pth --config $name/fold-0/config.yaml --out $name-back.safetensors
    weights export $name-back.safetensors --out $name-again.safetensors
done
name=
round_trip same whole encoders || fail "the way through PyTorch changes values"
finish
