#!/bin/bash
# Builds the Debian packages of this build's programs, and installs, upgrades, removes and purges them
# in a Debian of their own, in which the commands of docs/guide/quickstart.md and browser.md are run.
# systemd can't be process 1 there: tests/packages/systemctl starts the units.
#
#   packages_test.sh here         in a copy-on-write view of this machine's own Debian, without a
#                                 network: it has what the packages depend on
#   packages_test.sh debootstrap  in a bare one, which fetches everything from Debian. Minutes.
#     --test_env=BELLWIRE_DEBIAN_ROOT=FILE.tar   takes the bare Debian from there, or leaves it there
#
# Needs root, for chroot and namespaces.
set -euo pipefail
mode=${1:?here or debootstrap}
root=$PWD
export PATH=$PATH:/usr/sbin:/sbin
skip() { echo "SKIPPED: $*" && exit 0; }
[ "$(id -u)" -eq 0 ] || skip "this is for root"
programs=(dpkg-buildpackage dh lintian man)
[ "$mode" = here ] || programs+=(debootstrap)
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null ||
    skip "there is no $program: tools/setup tools/packages-packaging.txt"
done
unshare --mount --pid --net --fork --kill-child true 2>/dev/null || skip "no namespaces here"

work=$(mktemp -d /tmp/bellwire-packages.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
fail() { echo "FAILED: $*" && exit 1; }

# --- Two versions: the second one is what an upgrade is to. ---

# tools/package works on the tree, which the sandbox's links lead to.
tree=$(dirname "$(dirname "$(readlink -f tools/package)")")
"$tree/tools/package" --bin_dir "$root" --version 0.0.1 --out "$work/0.0.1" >"$work/log" 2>&1 ||
  { cat "$work/log" && fail "tools/package"; }
! grep -q '^E: ' "$work/log" || { cat "$work/log" && fail "lintian has errors"; }
[ "$(find "$work/0.0.1" -name '*.deb' | wc -l)" -eq 6 ] || fail "there are not six packages"
mkdir "$work/0.0.2"
for package in "$work"/0.0.1/*.deb; do
  dpkg-deb -R "$package" "$work/next"
  sed -i 's/0\.0\.1/0.0.2/' "$work/next/DEBIAN/control"
  name=${package##*/}
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/next" "$work/0.0.2/${name/0.0.1/0.0.2}" \
    >"$work/log"
  rm -rf "$work/next"
done

# --- An app of strangers' builds with what libbellwire-dev installs. ---

for package in "$work"/0.0.1/libbellwire*.deb; do dpkg-deb -x "$package" "$work/dev"; done
PKG_CONFIG_PATH=$work/dev/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/pkgconfig
sed 's|"device-agent/client/|"bellwire/|' "$tree/examples/cpp_app/main.cc" >"$work/app.cc"
export PKG_CONFIG_PATH
sed -i "s|^prefix=.*|prefix=$work/dev/usr|" "$PKG_CONFIG_PATH/bellwire.pc"
flags=$(pkg-config --cflags --libs bellwire)
# shellcheck disable=SC2086  # $flags is a list of words.
g++ -std=c++20 "$work/app.cc" -o "$work/app" $flags || fail "the app does not build"
library=$(dirname "$PKG_CONFIG_PATH")
# It says what is wrong with the id, and ends.
said=$(LD_LIBRARY_PATH=$library timeout 60 "$work/app" 'not an app id' 2>&1) || true
[[ $said = 'error: an app id is '* ]] || fail "the app does not run: $said"
# The static library, which needs the C++ libraries below it named.
cat >"$work/app.c" <<'C'
#include <bellwire/bellwire.h>
int main(void) { bellwire_close(0); return 0; }
C
needed=$(readelf -d "$library/libbellwire.so.0" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/-l:\1/p')
# shellcheck disable=SC2086
gcc "$work/app.c" -I"$work/dev/usr/include" "$library/libbellwire.a" $needed -o "$work/app_c" ||
  fail "the C app does not build"
"$work/app_c" || fail "the C app does not run"

# --- The Debian that they go into. ---

if [ "$mode" = debootstrap ]; then
  debian=$work/debian
  tar=${BELLWIRE_DEBIAN_ROOT:-}
  mkdir "$debian"
  if [ -n "$tar" ] && [ -s "$tar" ]; then
    tar -C "$debian" -xf "$tar"
  else
    debootstrap --variant=minbase --include=curl,python3-minimal,ca-certificates bookworm \
      "$debian" http://deb.debian.org/debian >"$work/log" 2>&1 || {
      tail -n 5 "$work/log"
      skip "debootstrap can't make a Debian: is there a network?"
    }
    [ -z "$tar" ] || tar -C "$debian" -cf "$tar" .
  fi
fi

# Within its namespaces: the root, ready to be entered.
make_root() {
  local debian=$work/root
  mkdir "$debian"
  if [ "$mode" = here ]; then
    # What is written stays in memory, and goes with the namespace.
    mount -t tmpfs none "$work/memory"
    mkdir "$work"/memory/{upper,work}
    mount -t overlay overlay "$debian" \
      -o "lowerdir=/,upperdir=$work/memory/upper,workdir=$work/memory/work"
    # Nothing is known of what could be fetched.
    rm -rf "$debian"/var/lib/apt/lists/*
    ip link set lo up
  else
    mount --bind "$work/debian" "$debian"
    cp /etc/resolv.conf "$debian/etc/resolv.conf"
  fi
  # A machine on which the scripts of packages may start what they install.
  rm -f "$debian/usr/sbin/policy-rc.d"
  # What the installer of Debian writes, and debootstrap does not.
  printf "127.0.0.1 localhost\n::1 localhost\n" >"$debian/etc/hosts"
  mount -t proc proc "$debian/proc"
  mount --rbind /dev "$debian/dev"
  mount -t tmpfs none "$debian/run"
  mount -t tmpfs -o mode=1777 none "$debian/tmp"
  mount -t tmpfs -o mode=1777 none "$debian/dev/shm"
  mkdir -p "$debian/opt/test" "$debian/run/systemd/system"
  cp -r "$work/0.0.1" "$work/0.0.2" "$debian/opt/test"
  install -m 755 tests/packages/systemctl "$debian/usr/bin/systemctl"
  install -m 755 tests/packages/inside.sh "$debian/opt/test"
  install -m 644 docs/guide/quickstart.md docs/guide/browser.md tests/guides/extract.py \
    "$debian/opt/test"
  exec chroot "$debian" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} /bin/bash /opt/test/inside.sh "$mode"
}
export -f make_root
export work mode
mkdir "$work/memory"

# Processes and mounts of its own, and where nothing is fetched a network: nothing that the test
# starts outlives it.
namespaces=(--mount --pid --fork --kill-child)
[ "$mode" != here ] || namespaces+=(--net)
unshare "${namespaces[@]}" /bin/bash -euo pipefail -c make_root
echo "the packages are sound"
