#!/usr/bin/env bash
# jobs/unpack-packages.sh with two packages made here and an apt-get that only puts them where the real one downloads to:
# what they hold is told where it is now. usage: unpack.sh
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v dpkg-deb >/dev/null; then
  echo "skipped: no dpkg-deb"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
triplet=$(gcc -print-multiarch)

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# A package with a program that alternatives name, a pkg-config file, an absolute link within it, and a link to the host's library
lib=package/usr/lib/$triplet
mkdir -p package/DEBIAN package/usr/bin package/etc/demo "$lib/pkgconfig" "$lib/openmpi/lib/openmpi3" package/usr/share/demo
printf 'Package: demo\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: demo\n' >package/DEBIAN/control
printf '#!/bin/sh\necho moved\n' >package/usr/bin/mpirun.openmpi
chmod +x package/usr/bin/mpirun.openmpi
cat >"$lib/pkgconfig/demo.pc" <<'END'
prefix=/usr
libdir=${prefix}/lib
Libs: -L/usr/lib/demo -ldemo
Cflags: -I/usr/include/demo
Description: as in /usrdemo
END
ln -s /etc/demo package/usr/share/demo/settings
ln -s ../../.."$(realpath /bin/sh)" "$lib/libhost.so" # leads nowhere in the prefix: only the host has it
dpkg-deb --build package demo.deb >/dev/null

mkdir bin
cat >bin/apt-get <<END
#!/bin/sh
echo "\$*" >>$scratch/calls
case "\$*" in *install*) cp $scratch/demo.deb $scratch/prefix/apt/cache/archives ;; esac
END
chmod +x bin/apt-get
export PATH=$scratch/bin:$PATH

unpack() { "$top/jobs/unpack-packages.sh" "$@"; }

for again in once twice; do
  unpack prefix >out || fail "unpacking $again: $(cat out)"
  prefix=$scratch/prefix
  grep -q 'libopenblas-openmp-dev' calls || fail "the packages of [build] were not asked for"
  ! grep -q 'build-essential' calls || fail "a compiler can't be unpacked"
  [ "$("$prefix/usr/bin/mpirun")" = moved ] || fail "$again: mpirun has no name"
  [ "$(readlink "$prefix/usr/share/demo/settings")" = "$prefix/etc/demo" ] || fail "$again: an absolute link leads to the host"
  [ "$(realpath "$prefix/usr/lib/$triplet/libhost.so")" = "$(realpath /bin/sh)" ] || fail "$again: a link to what only the host has is broken"
  cmp -s "$prefix/usr/lib/$triplet/pkgconfig/demo.pc" - <<END || fail "$again: $(cat "$prefix/usr/lib/$triplet/pkgconfig/demo.pc")"
prefix=$prefix/usr
libdir=\${prefix}/lib
Libs: -L$prefix/usr/lib/demo -ldemo
Cflags: -I$prefix/usr/include/demo
Description: as in /usrdemo
END
done

# the environment: before what was there, and usable when nothing was there
bash -euc ". $prefix/environment.sh; [ \$(command -v mpirun) = $prefix/usr/bin/mpirun ]; [ \$OPAL_PREFIX = $prefix/usr ]" || fail "environment.sh"
env -u LD_LIBRARY_PATH bash -euc ". $prefix/environment.sh; [[ \$LD_LIBRARY_PATH != *: && \$LD_LIBRARY_PATH == $prefix/* ]]" ||
  fail "environment.sh leaves an empty folder, which is the current one, in LD_LIBRARY_PATH"

if unpack "a prefix" 2>message; then fail "a path with a space was taken"; fi
grep -q "may hold letters" message || fail "$(cat message)"
got=0
unpack 2>/dev/null || got=$?
[ "$got" = 2 ] || fail "no argument: exit code $got"
