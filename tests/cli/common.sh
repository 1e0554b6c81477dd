# shellcheck shell=bash
# Sourced by command-line tests with the build folder as $1: a scratch folder to be in, and how to fail and to end.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$1/bin" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0
name= # of the case at hand, for messages

fail() {
    echo "FAILED: ${name:+$name: }$*"
    failures=$((failures + 1))
}

finish() {
    [ "$failures" = 0 ] || echo "$failures checks failed"
    [ "$failures" = 0 ]
    exit
}

contains() { # FILE TEXT...
    local file=$1 text
    shift
    for text in "$@"; do
        grep -qF -- "$text" "$file" || fail "'$text' is not in $file: $(head -c 1000 "$file")"
    done
}

# need_python MODULE...: $python is one that has them, or the test is skipped (what its users call python3 may be another
# than Debian's)
need_python() {
    local modules=$*
    for python in python3 /usr/bin/python3; do
        "$python" -c "import ${modules// /, }" 2> /dev/null && return
    done
    echo "skipped: Python's $modules are not there"
    exit 77
}
