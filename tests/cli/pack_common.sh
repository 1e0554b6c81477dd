# shellcheck shell=bash
# Sourced by tests of cmus-pack that kill it or run it under mpirun: cases, and how to run, kill and compare.
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=jobs/mpi-environment.sh
. "$here/../../jobs/mpi-environment.sh"
pack=$bin/cmus-pack
for python in python3 /usr/bin/python3 none; do
    "$python" -c 'import PIL, numpy' 2> /dev/null && break
done
[ "$python" = none ] && { echo "skipped: python3-pil and python3-numpy are not there"; exit 77; }
launch=(mpirun -q --oversubscribe --bind-to none)

make_cases() { # DIR IMAGES SIDE
    "$python" "$here/pack_cases.py" "$@" || { echo "no cases"; exit 1; }
}

packs() { # RANKS THREADS OUT OPTIONS...: into OUT, which must work; messages in OUT.log. 0 ranks: without mpirun
    local ranks=$1 threads=$2 out=$3
    shift 3
    local under=("${launch[@]}" -np "$ranks")
    [ "$ranks" -gt 0 ] || under=()
    OMP_NUM_THREADS=$threads "${under[@]}" "$pack" "$@" --out "$out" > "$out.log" 2>&1 ||
        { tail -5 "$out.log"; fail "exit code $?"; }
}

same() { # FOLDER FOLDER: the same files with the same bytes
    diff -r "$1" "$2" > difference || fail "$1 and $2 differ: $(head -3 difference)"
}

# start RANKS OUT OPTIONS...: one thread, in the background; $job is the process of cmus-pack or of mpirun
start() {
    local ranks=$1 out=$2
    shift 2
    local under=("${launch[@]}" -np "$ranks")
    [ "$ranks" -gt 0 ] || under=()
    OMP_NUM_THREADS=1 "${under[@]}" "$pack" "$@" --out "$out" > "$out.log" 2>&1 &
    job=$!
}

# when FILE SIGNAL: as soon as the file is there, $job gets the signal; sets $code
when() {
    until [ -e "$1" ]; do
        kill -0 "$job" 2> /dev/null || { fail "$1 was never there"; break; }
    done
    kill -"$2" "$job" 2> /dev/null
    wait "$job" 2> /dev/null
    # shellcheck disable=SC2034 # for the caller
    code=$?
}

# continued OUT: how many images were there from the run before, by OUT.log
continued() {
    sed -n 's/.*continued: \([0-9]*\) of .*/\1/p' "$1.log" | grep . || echo 0
}
