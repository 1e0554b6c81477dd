#!/bin/bash
# mutation.sh BUILD: golden_check and golden_explain pass an untouched copy of a golden file, and fail when one element of
# any kind of dataset is off by 5 %. Needs python3-h5py.
set -u
check=$1/bin/golden_check
here=$(cd "$(dirname "$0")" && pwd)
for python in /usr/bin/python3 python3 none; do
    "$python" -c 'import h5py, numpy' 2>/dev/null && break
done
if [ "$python" = none ]; then
    echo "skipped: python3-h5py is not installed"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# untouched FILE
untouched() {
    cp "$here/$1" "$scratch/copy.h5" && chmod u+w "$scratch/copy.h5"
    if ! "$check" "$scratch/copy.h5" >"$scratch/out" 2>&1; then
        echo "FAILED: $1 untouched does not pass"
        cat "$scratch/out"
        failed=1
    fi
}

# mutated FILE DATASET ELEMENT: exit code 1, and the message names the dataset
mutated() {
    cp "$here/$1" "$scratch/copy.h5" && chmod u+w "$scratch/copy.h5"
    if ! "$python" "$here/mutate.py" "$scratch/copy.h5" "$2" "$3"; then
        echo "FAILED: $1 could not be changed at $2"
        failed=1
        return
    fi
    "$check" "$scratch/copy.h5" >"$scratch/out" 2>&1
    code=$?
    if [ $code -ne 1 ] || ! grep -q "^FAILED $2:" "$scratch/out"; then
        echo "FAILED: $1 with $3 of $2 changed: exit code $code"
        tail -n 4 "$scratch/out"
        failed=1
    fi
}

untouched choices.h5
while read -r dataset element; do
    mutated choices.h5 "$dataset" "$element"
done <<'LIST'
step0/case0/logits/fusion largest
step1/case1/logits/tem largest
step0/case1/loss/om largest
step2/case0/loss/fusion largest
step0/case0/loss/total largest
step0/case0/instance_weights largest
step1/case0/instance_weights largest
step0/case0/mean_distance largest
step2/case0/mean_distance largest
step0/grad/CrossAttn.W_k.weight largest
step0/grad/TEM_encoder.0.1.1.attn.relative_position_bias_table largest
step0/grad_digest/IM_encoder.0.3.0.mlp.0.weight largest
step0/grad_digest/IM_encoder.0.3.0.mlp.0.weight norm
step0/grad_digest/IM_encoder.0.3.0.mlp.0.weight sum
step2/grad_digest/OM_encoder.0.5.1.attn.qkv.bias largest
step2/grad_digest/OM_encoder.0.5.1.attn.qkv.bias norm
step2/grad_digest/MLP.linear1.weight sum
step0/after_digest/TEM_encoder.0.7.0.attn.qkv.bias largest
step0/after_digest/TEM_encoder.0.7.0.attn.qkv.bias norm
step2/after_digest/CrossAttn.proj.weight largest
step2/after_digest/CrossAttn.proj.weight norm
step2/after_digest/CrossAttn.proj.weight sum
LIST

untouched tiny.h5
while read -r dataset element; do
    mutated tiny.h5 "$dataset" "$element"
done <<'LIST'
step0/case2/logits/fusion largest
step0/grad/TEM_encoder.0.0.0.weight largest
step1/grad_digest/IM_encoder.1.bias norm
step2/after_digest/OM_encoder.0.2.norm.weight largest
LIST

check=$1/bin/golden_explain
untouched explain.h5
while read -r dataset element; do
    mutated explain.h5 "$dataset" "$element"
done <<'LIST'
cmsa/case0/heat largest
cmsa/case2/attention largest
multihead/case1/logits largest
multihead/case0/heat largest
multihead/case0/attention largest
enlarged/196 largest
LIST

[ $failed -eq 0 ] && echo "every change was found"
exit $failed
