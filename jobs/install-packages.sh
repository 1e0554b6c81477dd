#!/usr/bin/env bash
# Installs what is missing of jobs/packages.txt: install-packages.sh [--list] [build] [test] [scaling] (no group: build).
# Uses apt-get, with sudo if the user is not root. Does nothing, and needs no network, when all is there.
# With --list it prints the names of the groups' packages and does nothing else.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
list=no
if [ "${1:-}" = --list ]; then
  list=yes
  shift
fi
groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(build)

packages_of() { # the names below the line [group]
  awk -v wanted="[$1]" '/^\[/ {inside = ($0 == wanted); next} inside && NF && !/^#/ {print $1}' "$here/packages.txt"
}

if [ "$list" = yes ]; then
  for group in "${groups[@]}"; do packages_of "$group"; done
  exit 0
fi

missing=()
for group in "${groups[@]}"; do
  while read -r package; do
    # a virtual package such as libjpeg-dev on some releases is there when something provides it
    dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done < <(packages_of "$group")
done
[ ${#missing[@]} -gt 0 ] || exit 0

run=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install-packages.sh: missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
    exit 1
  fi
  run=(sudo)
fi
echo "install-packages.sh: installing ${missing[*]}" >&2
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
