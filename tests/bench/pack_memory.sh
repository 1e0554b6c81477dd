#!/bin/bash
# Peak memory of cmus-pack does not grow with the number of images but for what it must know of each: lists and checks.
#   pack_memory.sh BUILD [FEW MANY]     so many generated images (default 1000 20000)
# shellcheck source=tests/cli/pack_common.sh
. "$(dirname "$0")/../cli/pack_common.sh"
few=${2:-1000} many=${3:-20000}
allowed=800 # bytes an image: its names, its record (block.h), and what the checks compare

peak() { # THREADS ARGUMENTS...: KiB
    OMP_NUM_THREADS=$1 "$python" - "${@:2}" << 'END'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stderr=open("log", "w"), check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
END
}

for images in "$few" "$many"; do
    make_cases "cases-$images" "$images" 64
done
for threads in 1 2; do
    name="$threads threads"
    for images in "$few" "$many"; do
        rm -rf out
        kib=$(peak $threads "$pack" "cases-$images" --out out --shard-mb 64) || { tail -5 log; fail "$images images"; continue; }
        echo "$name, $images images: $kib KiB"
        [ "$images" = "$few" ] && least=$kib
    done
    grown=$(((kib - least) * 1024 / (many - few)))
    echo "$name: $grown bytes for each further image"
    [ "$grown" -le $allowed ] || fail "$grown bytes for each further image are more than $allowed"
done
finish
