#!/usr/bin/env bash
# Times decoding alone, cmus-pack, and a Pillow + h5py script doing the same, in turn on the same files, and prints ratios.
#   tests/bench/pack_bench.sh [--rounds N] [--cpus LIST] [--size S] [--large PIXELS] [--cases N] [--build DIR] SRC
#   SRC             a folder of cases (<class>/<patient>/<MODALITY>_...) without damaged files
#   --rounds N      how often each way is run (default 5), after one round that does not count; the median counts
#   --cpus LIST     processors that all three may use, as taskset takes them (default: the last one)
#   --size S        of the images in the data set (default 224)
#   --large PIXELS  also files of PIXELS x PIXELS made of those of SRC: JPEG, PNG and TIFF, each in a folder of its own
#   --cases N       how many cases of those (default 4, so 12 images a folder)
#   --build DIR     build folder with bin/cmus-pack and bin/pack_decode (default: build)
# cmus-pack counts as a whole, from start to exit; of the script only its work counts, without the seconds that Python and
# its modules need to start. Decoding alone is without reading files, resizing and writing, by the project's decoders.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
rounds=5 cpus='' size=224 large='' cases=4 build=$top/build source=''
usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'
  exit "$1"
}
need() { # OPTION COUNT-OF-ARGUMENTS
  [ "$2" -ge 2 ] || { echo "pack_bench.sh: $1 needs a value" >&2; exit 2; }
}
count() { # OPTION VALUE
  [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || { echo "pack_bench.sh: $1 $2: a whole number from 1 is expected" >&2; exit 2; }
}
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) need "$1" $#; count "$1" "$2"; rounds=$2; shift 2 ;;
    --cpus) need "$1" $#; cpus=$2; shift 2 ;;
    --size) need "$1" $#; count "$1" "$2"; size=$2; shift 2 ;;
    --large) need "$1" $#; count "$1" "$2"; large=$2; shift 2 ;;
    --cases) need "$1" $#; count "$1" "$2"; cases=$2; shift 2 ;;
    --build) need "$1" $#; build=$2; shift 2 ;;
    --help) usage 0 ;;
    -*) echo "pack_bench.sh: what is $1? See pack_bench.sh --help" >&2; exit 2 ;;
    *) [ -z "$source" ] || { echo "pack_bench.sh: one folder is expected, not also $1" >&2; exit 2; }
       source=$1; shift ;;
  esac
done
[ -d "$source" ] || { echo "pack_bench.sh: ${source:-SRC}: there is no such folder" >&2; exit 2; }
for program in cmus-pack pack_decode; do
  [ -x "$build/bin/$program" ] || {
    echo "pack_bench.sh: there is no $build/bin/$program: cmake -S $top -B $build && cmake --build $build, or give --build DIR" >&2
    exit 1
  }
done
for python in python3 /usr/bin/python3 none; do
  "$python" -c 'import PIL, h5py, numpy' 2>/dev/null && break
done
[ "$python" != none ] || { echo "pack_bench.sh: apt-get install python3-pil python3-h5py python3-numpy" >&2; exit 1; }
helper=$top/tests/bench/pack_bench.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

[ -n "$cpus" ] || cpus=$(taskset -cp $$ | grep -o '[0-9]*$')
cores=$(taskset -c "$cpus" nproc)
# numpy's BLAS would start threads of its own
limited() {
  env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS="$cores" OPENBLAS_NUM_THREADS=1 taskset -c "$cpus" "$@"
}

one_round() { # SRC: prints the three times
  local decode own pillow start
  decode=$(limited "$build/bin/pack_decode" "$scratch/list")
  rm -rf "$scratch/packed" "$scratch/packed.h5"
  start=$EPOCHREALTIME
  limited "$build/bin/cmus-pack" "$1" --out "$scratch/packed" --size "$size" >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    return 1
  }
  own=$EPOCHREALTIME
  pillow=$(limited "$python" "$helper" pack "$1" "$scratch/packed.h5" "$size" "$cores")
  echo "${decode%% *} $(awk -v a="$start" -v b="$own" 'BEGIN { printf "%.6f", b - a }') $pillow"
}

compare() { # NAME SRC
  find "$2" -type f \( -name 'OM*' -o -name 'IM*' -o -name 'TEM*' \) | sort >"$scratch/list"
  one_round "$2" >"$scratch/warm-up"
  : >"$scratch/rounds"
  for ((i = 0; i < rounds; i++)); do
    one_round "$2" >>"$scratch/rounds"
  done
  "$python" "$helper" table "$1" "$(wc -l <"$scratch/list")" "$scratch/rounds"
}

echo "$cores cores, images of the data set $size x $size"
compare "$(basename "$source")" "$source"
if [ -n "$large" ]; then
  "$python" "$helper" large "$source" "$scratch/large" "$large" "$cases"
  for kind in jpeg png tiff; do
    compare "$large x $large, $kind" "$scratch/large/$kind"
  done
fi
