#!/bin/bash
# Files of weights in the names of several libraries land in the right tensors: the encoders' features against PyTorch's.
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_python torch torchvision
export OMP_NUM_THREADS=1
"${python:?}" "$here/weights_names.py" "$bin/encoder_features" || fail "what was loaded is not what PyTorch has"
finish
