#!/bin/bash
# What CMake builds and installs works: the agent gets a push, and an app that links the library as
# pkg-config says gets it from the agent.
#
#   cmake_test.sh          for this machine
#   cmake_test.sh arm64    the unit tests and the packages for arm64 (tools/package --arch arm64), run
#                          by qemu; skipped where tools/packages-arm64.txt is not installed
#     --test_env=BELLWIRE_ARM64_BUILD=DIR   builds there, and goes on where it was stopped
set -euo pipefail
architecture=${1:-}
command -v cmake >/dev/null || { echo "SKIPPED: there is no cmake" && exit 0; }
# CMake works on the tree, which the sandbox's links lead to.
tree=$(dirname "$(readlink -f CMakeLists.txt)")
build=$(mktemp -d "${TEST_TMPDIR:-/tmp}/cmake.XXXXXX")
emulator=()
library=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
if [ "$architecture" = arm64 ]; then
  for need in aarch64-linux-gnu-g++ qemu-aarch64-static; do
    command -v $need >/dev/null ||
      { echo "SKIPPED: there is no $need: tools/packages-arm64.txt says what is needed" && exit 0; }
  done
  emulator=(qemu-aarch64-static)
  library=lib/aarch64-linux-gnu
  arm64=${BELLWIRE_ARM64_BUILD:-$build/build}
  "$tree/device-agent/cmake/cross_build" --tests "$arm64" "$build/arm64"
  "$tree/tools/package" --arch arm64 --build_dir "$arm64" --out "$build/packages" \
    >"$build/log" 2>&1 || { cat "$build/log" && exit 1; }
  ! grep '^E: ' "$build/log" || { echo "FAILED: lintian has errors" && exit 1; }
  for package in "$build"/packages/*_arm64.deb; do dpkg-deb -x "$package" "$build/root"; done
  # A package of Debian 12 has the units of the system there.
  cp -r "$build/root/lib" "$build/root/usr"
else
  cmake -S "$tree" -B "$build/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
    >"$build/log" 2>&1 || { cat "$build/log" && exit 1; }
  cmake --build "$build/build" --parallel 2 >"$build/log" 2>&1 ||
    { tail -n 40 "$build/log" && exit 1; }
  DESTDIR=$build/root cmake --install "$build/build" >"$build/log"
fi

installed=$build/root/usr
for file in bin/bellwire-agent bin/bellwire-companion lib/systemd/system/bellwire-agent.service \
  lib/systemd/user/bellwire-companion.service lib/NetworkManager/dispatcher.d/50-bellwire-agent \
  "$library/libbellwire.so" include/bellwire/client.h "$library/pkgconfig/bellwire.pc"; do
  [ -e "$installed/$file" ] || { echo "FAILED: $file is not installed" && exit 1; }
done
[ -e "$build/root/etc/bellwire/agent.conf" ] || { echo "FAILED: no agent.conf" && exit 1; }
cmp "$installed/lib/systemd/system/bellwire-agent.service" \
  device-agent/systemd/bellwire-agent.service

# An app, as the guide has it.
/usr/bin/python3 tests/guides/extract.py docs/guide/receive.md "$build/guide"
compiler=g++
[ -z "$architecture" ] || compiler=aarch64-linux-gnu-g++
export PKG_CONFIG_SYSROOT_DIR=
sed -i "s|^prefix=.*|prefix=$installed|; s|=/usr/|=$installed/|" \
  "$installed/$library/pkgconfig/bellwire.pc"
flags=$(PKG_CONFIG_PATH=$installed/$library/pkgconfig pkg-config --cflags --libs bellwire)
# shellcheck disable=SC2086  # $flags is a list of words.
$compiler -std=c++20 "$build/guide/app.cc" $flags -o "$build/app"

# The agent of CMake in the place of Bazel's.
mkdir "$build/bin"
for program in bellwire-agent bellwire-companion; do
  printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${emulator[*]}" "$installed/bin/$program" \
    >"$build/bin/$program"
  chmod +x "$build/bin/$program"
done
export AGENT_PROGRAMS=$build/bin
# shellcheck disable=SC1091
. tests/guides/world.sh
LD_LIBRARY_PATH=$installed/$library "${emulator[@]}" "$build/app" "$SOCKET" >"$short/app.out" &
pids+=($!)
await "the app's token" grep -q '^token ' "$short/app.out"
bellwire send --token "$(sed -n 's/^token //p' "$short/app.out")" --text "built by CMake" \
  --credentials "$work/cred.json" --ca "$work/ca.pem"
await "the message" grep -q '^message built by CMake$' "$short/app.out"
bellwire agent status
rm -rf "$build"
echo "what CMake builds works"
