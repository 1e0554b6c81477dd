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
