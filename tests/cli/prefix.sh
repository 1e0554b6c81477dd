#!/usr/bin/env bash
# The build takes libraries from a prefix that the user names, as environment modules and Spack do, and not the system's
# of the same name; it needs CUnit for the tests only. usage: prefix.sh BUILD
# The prefix is made of links to this system's libraries; nothing is compiled, only what CMake decided is looked at.
set -euo pipefail
build=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; } # NAME: its value in the build under test

# A flat prefix each for OpenBLAS and for an HDF5 that calls itself parallel, and a pkg-config that knows no CUnit
blas=$scratch/openblas hdf5=$scratch/hdf5
mkdir -p "$blas/lib" "$blas/include" "$hdf5/lib" "$hdf5/include" "$scratch/bin"
ln -s "$(cached OPENBLAS_LIBRARY)" "$blas/lib/libopenblas.so"
ln -s "$(cached OPENBLAS_INCLUDE_DIR)"/*.h "$blas/include"
ln -s "$(sed -n 's/^HDF5_C_LIBRARY_hdf5:[A-Z]*=//p;s/^HDF5_hdf5_LIBRARY_RELEASE:[A-Z]*=\(\/\)/\1/p' "$build/CMakeCache.txt" | head -n 1)" \
  "$hdf5/lib/libhdf5.so"
headers=$(cached HDF5_C_INCLUDE_DIR)
for folder in /usr/include/hdf5/serial /usr/include; do
  if [ ! -e "$headers/hdf5.h" ]; then headers=$folder; fi
done
[ -e "$headers/hdf5.h" ] || fail "the headers of HDF5 were not found"
cp "$headers"/H5*.h "$headers/hdf5.h" "$hdf5/include"
sed -i 's|.*H5_HAVE_PARALLEL.*|#define H5_HAVE_PARALLEL 1|' "$hdf5"/include/H5pubconf*.h
cat >"$scratch/bin/pkg-config" <<END
#!/bin/sh
case "\$*" in *cunit*) exit 1 ;; esac
exec $(command -v pkg-config) "\$@"
END
chmod +x "$scratch/bin/pkg-config"

configure() { # FOLDER [CMake arguments]: as with the modules loaded
  env PATH="$scratch/bin:$PATH" LIBRARY_PATH="$blas/lib/:$hdf5/lib" CMAKE_PREFIX_PATH="$blas:$hdf5" HDF5_ROOT="$hdf5" \
    cmake -S "$top" -B "$@" >"$scratch/log" 2>&1
}

configure "$scratch/build" -DBUILD_TESTING=OFF || {
  tail -n 30 "$scratch/log" >&2
  fail "a prefix for OpenBLAS and HDF5 and no CUnit: the configuration failed"
}
cache=$scratch/build/CMakeCache.txt
grep -qxF "OPENBLAS_LIBRARY:FILEPATH=$blas/lib/libopenblas.so" "$cache" || fail "the system's OpenBLAS came before the prefix's"
grep -qxF "OPENBLAS_INCLUDE_DIR:PATH=$blas/include" "$cache" || fail "the system's cblas.h came before the prefix's"
link=$(sed -n 's/.*-Wl,-rpath,\([^ ]*\).*/\1/p' "$scratch/build/src/programs/CMakeFiles/cmus-train.dir/link.txt")
for folder in "$blas/lib" "$hdf5/lib"; do
  case ":$link:" in *":$folder:"*) ;; *) fail "$folder, named in LIBRARY_PATH as well, is not in the RPATH: $link" ;; esac
done
# a parallel HDF5's headers include mpi.h
flags=$scratch/build/src/data/CMakeFiles/cmus_data.dir/flags.make
mpi=$(cached MPI_C_HEADER_DIR)
grep -qF -- "$mpi" "$flags" || fail "no mpi.h ($mpi) for what includes a parallel hdf5.h: $(cat "$flags")"

if configure "$scratch/tests"; then fail "the tests were configured without CUnit"; fi
grep -q cunit "$scratch/log" || fail "no word of cunit: $(tail -n 5 "$scratch/log")"
