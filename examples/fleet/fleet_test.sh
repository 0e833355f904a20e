#!/bin/sh
# The example does what it says: the primary is killed, Sends go on, and the phone has got every
# message that was answered OK, once and in order. The same for a registry.
set -eu

skip() {
  echo "SKIPPED: $1"
  exit 0
}
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
for program in etcd patroni ip psql; do
  command -v $program >/dev/null || skip "there is no $program: tools/setup tools/packages-fleet.txt"
done

bin=$(mktemp -d)
chmod 755 "$bin"
trap 'rm -rf "$bin"' EXIT
for program in cli/bellwire connector/bellwire-connector device-agent/bellwire-agent \
  gateway/bellwire-gateway registry/bellwire-registry; do
  ln -s "$PWD/$program" "$bin/"
done
for what in primary registry; do
  examples/fleet/fleet --bin_dir "$bin" --dir "$bin/fleet" demo --kill $what
done
