#!/bin/bash
# The contracts of the recorded versions hold today, and a change that breaks one is found.
set -euo pipefail
/usr/bin/python3 tests/versions/contract.py

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tests"
cp -rL tests/versions "$work/tests"
broken() { # SED-COMMAND FILE
  rm -rf "$work/protos"
  cp -rL protos "$work"
  chmod -R u+w "$work/protos"
  sed -i "$1" "$work/protos/bellwire/$2"
  ! cmp -s "protos/bellwire/$2" "$work/protos/bellwire/$2" ||
    { echo "FAILED: $1 changes nothing" && exit 1; }
  ! (cd "$work" && /usr/bin/python3 tests/versions/contract.py) 2>"$work/said" ||
    { echo "FAILED: not found: $1" && exit 1; }
  grep -q 'no longer so' "$work/said" || { cat "$work/said" && exit 1; }
}
# Another number, another type, another name, and a field that is gone.
broken 's/  bytes payload = 2;/  bytes payload = 99;/' push/v1/push.proto
broken 's/  bytes payload = 2;/  string payload = 2;/' push/v1/push.proto
broken 's/  bytes payload = 2;/  bytes body = 2;/' push/v1/push.proto
broken '/  uint64 login_number = 3;/d' device/v1/device.proto
broken 's/  MAILBOX = 1;/  MAILBOX = 9;/' storage/v1/storage.proto
broken 's/rpc EndWaits(EndWaitsRequest) returns (EndWaitsResponse);//' internal/v1/internal.proto
echo "what breaks a contract is found"
