#!/usr/bin/env bash
# Brings what is missing of jobs/packages.txt into a folder of one's own, without root, on Debian and Ubuntu:
#   unpack-packages.sh PREFIX [build] [test]        (no group: build)
# The packages of this release are downloaded by apt-get with lists and a cache of its own and unpacked, not installed;
# what they hold is then told where it is now. PREFIX/environment.sh, to be sourced, sets the paths. Packages that this
# host has are not taken again; CMUS_DPKG_STATUS names another file than /var/lib/dpkg/status as what the host has,
# such as a compute node's that has less. A compiler can't be had in this way and has to be there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 1 ] || [[ $1 == -* ]]; then
  echo "usage: unpack-packages.sh PREFIX [build] [test]" >&2
  exit 2
fi
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
shift
groups=("$@")
[ ${#groups[@]} -gt 0 ] || groups=(build)
status=${CMUS_DPKG_STATUS:-/var/lib/dpkg/status}

fail() {
  echo "unpack-packages.sh: $*" >&2
  exit 1
}

# The prefix is written into pkg-config's files, environment variables split by colons and CMake's lists.
[[ $prefix =~ ^[A-Za-z0-9/._+@-]+$ ]] || fail "$prefix: the path may hold letters, digits and / . _ + @ - only"
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  fail "apt-get and dpkg are needed; elsewhere than on Debian and Ubuntu see building-without-root.md"
fi
command -v gcc >/dev/null || fail "gcc is needed and can't be unpacked; ask the site for a compiler (often: module load gcc)"
triplet=$(gcc -print-multiarch)

# apt-get with everything that it writes below PREFIX/apt
apt() {
  apt-get -qq -o Dir::State="$prefix/apt/state" -o Dir::State::status="$status" -o Dir::Cache="$prefix/apt/cache" \
    -o Dir::Log="$prefix/apt" -o Debug::NoLocking=true "$@"
}

download_and_unpack() {
  local archive
  mapfile -t packages < <("$here/install-packages.sh" --list "${groups[@]}" | grep -vx build-essential)
  mkdir -p "$prefix/apt/state/lists/partial" "$prefix/apt/cache/archives/partial"
  apt update
  apt install --yes --download-only --no-install-recommends "${packages[@]}"
  for archive in "$prefix"/apt/cache/archives/*.deb; do
    [ -e "$archive" ] || continue # all of them are installed
    dpkg -x "$archive" "$prefix"
  done
  mkdir -p "$prefix/usr/bin" "$prefix/usr/lib/$triplet" # what the paths name is there, whatever was missing
}

# Links are made good: one with an absolute target gets it below the prefix if it is there; one that leads nowhere, since
# the host has the library itself and the prefix only its headers, leads to the host's.
mend_links() {
  local link target
  while IFS= read -r -d '' link; do
    target=$(readlink "$link")
    if [[ $target == /* ]]; then
      if [[ $target != "$prefix"/* && -e $prefix$target ]]; then ln -sfn "$prefix$target" "$link"; fi
    elif [ ! -e "$link" ]; then
      target=$(realpath -m "$(dirname "$link")/$target")
      if [ -e "${target#"$prefix"}" ]; then ln -sfn "${target#"$prefix"}" "$link"; fi
    fi
  done < <(find "$prefix/usr" "$prefix/etc" "$prefix/lib" -type l -print0 2>/dev/null)
}

# The names that Debian's alternatives give when a package is installed, and what they stand for
name_alternatives() {
  local name target
  while read -r name target; do
    if [ -e "$prefix/usr/$target" ]; then ln -sfn "$prefix/usr/$target" "$prefix/usr/$name"; fi
  done <<END
bin/mpirun bin/mpirun.openmpi
bin/mpiexec bin/mpiexec.openmpi
bin/mpicc bin/mpicc.openmpi
bin/gnuplot bin/gnuplot-nox
lib/$triplet/libpsm_infinipath.so.1 lib/libpsm1/libpsm_infinipath.so.1.16
END
}

# pkg-config's files name /usr; CMake asks them where headers and libraries are.
move_pkgconfig() {
  find "$prefix" -name '*.pc' -type f -exec sed -i -E "s#(^|[=[:space:]IL])/usr(/|\$)#\1$prefix/usr\2#g" {} +
}

# Fonts for gnuplot's PNG pictures: fontconfig's own files come from the installation of packages, which there was none of.
write_font_configuration() {
  cat >"$prefix/fonts.conf" <<END
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>$prefix/usr/share/fonts</dir>
  <cachedir>$prefix/var/cache/fontconfig</cachedir>
</fontconfig>
END
}

write_environment() {
  local libraries=$prefix/usr/lib/$triplet:$prefix/usr/lib:$prefix/lib/$triplet
  cat >"$prefix/environment.sh" <<END
# shellcheck shell=bash
# Made by unpack-packages.sh; to be sourced before building, and by every job before it runs the programs.
export PATH=$prefix/usr/bin\${PATH:+:\$PATH}
export LD_LIBRARY_PATH=$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export C_INCLUDE_PATH=$prefix/usr/include/$triplet:$prefix/usr/include\${C_INCLUDE_PATH:+:\$C_INCLUDE_PATH}
export CMAKE_PREFIX_PATH=$prefix/usr\${CMAKE_PREFIX_PATH:+:\$CMAKE_PREFIX_PATH}
export PKG_CONFIG_PATH=$prefix/usr/lib/$triplet/pkgconfig:$prefix/usr/share/pkgconfig\${PKG_CONFIG_PATH:+:\$PKG_CONFIG_PATH}
export FONTCONFIG_FILE=$prefix/fonts.conf
END
  # Open MPI and PMIx look for their plug-ins in the place they were compiled for unless told that they were moved.
  if [ -d "$prefix/usr/lib/$triplet/openmpi/lib/openmpi3" ]; then
    echo "export OPAL_PREFIX=$prefix/usr" >>"$prefix/environment.sh"
  fi
  local pmix=$prefix/usr/lib/$triplet/pmix2
  if [ -d "$pmix" ]; then
    echo "export PMIX_PREFIX=$pmix PMIX_PKGLIBDIR=$pmix/lib/pmix PMIX_PKGDATADIR=$pmix/share/pmix" >>"$prefix/environment.sh"
  fi
}

download_and_unpack
mend_links
name_alternatives
move_pkgconfig
write_font_configuration
write_environment
echo "unpack-packages.sh: $(find "$prefix/apt/cache/archives" -name '*.deb' | wc -l) packages are in $prefix; now: . $prefix/environment.sh"
