#!/bin/bash
# run_golden.sh PROGRAM FILE.h5 [GIB MOST]: golden_check, skipped (77) if the file or the kernel family that CMUS_KERNELS
# names is not there. With GIB the network gets so little memory, and must then hold at most MOST images at once.
# GOLDEN_PRECISION=bf16 in the environment: with products in bfloat16; skipped where the processor has none.
set -u
program=$1 file=$2
if [ ! -r "$file" ]; then
    echo "skipped: $file is not there"
    exit 77
fi
output=$("$program" ${GOLDEN_PRECISION:+--precision "$GOLDEN_PRECISION"} ${3:+--memory-gib "$3"} "$file" 2>&1)
code=$?
echo "$output"
if [ -n "${CMUS_KERNELS:-}" ] && grep -q 'not in this build or not for this processor' <<<"$output"; then
    echo "skipped: no kernels $CMUS_KERNELS here"
    exit 77
fi
if [ "${GOLDEN_PRECISION:-}" = bf16 ] && grep -q 'precision: bf16 needs' <<<"$output"; then
    echo "skipped: no bfloat16 here"
    exit 77
fi
if [ "${GOLDEN_PRECISION:-}" = bf16 ] && ! grep -q 'products in bfloat16' <<<"$output"; then
    echo "FAILED: did not run in bfloat16"
    exit 1
fi
if [ -n "${CMUS_KERNELS:-}" ] && ! grep -q "kernels $CMUS_KERNELS," <<<"$output"; then
    echo "FAILED: did not run with the kernels $CMUS_KERNELS"
    exit 1
fi
if [ $# -gt 3 ]; then
    images=$(sed -n 's/.* \([0-9]*\) images at once$/\1/p' <<<"$output")
    if [ -z "$images" ] || [ "$images" -gt "$4" ]; then
        echo "FAILED: ${images:-no} images at once, not at most $4: nothing was computed in parts"
        exit 1
    fi
fi
exit $code
