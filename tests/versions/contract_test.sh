#!/bin/bash
# The contracts of the recorded versions hold today, what they wrote is understood, and a change that
# breaks either is found.
set -euo pipefail
/usr/bin/python3 tests/versions/contract.py
/usr/bin/python3 tests/versions/golden.py

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
  for check in "${checks[@]}"; do
    ! (cd "$work" && /usr/bin/python3 "tests/versions/$check.py") 2>"$work/said" ||
      { echo "FAILED: $check does not find: $1" && exit 1; }
    grep -q 'no longer so' "$work/said" || { cat "$work/said" && exit 1; }
  done
}
# Another number, another type, and a field that is gone.
checks=(contract golden)
broken 's/  bytes payload = 2;/  bytes payload = 99;/' push/v1/push.proto
broken 's/  bytes payload = 2;/  string payload = 2;/' push/v1/push.proto
broken '/  uint64 login_number = 3;/d' device/v1/device.proto
# The same type in other bytes.
checks=(golden)
broken 's/  repeated uint64 delivery_ids = 1;/  repeated uint64 delivery_ids = 1 [packed = false];/' \
  agent/v1/agent.proto
# Another name.
checks=(contract)
broken 's/  bytes payload = 2;/  bytes body = 2;/' push/v1/push.proto
broken 's/  MAILBOX = 1;/  MAILBOX = 9;/' storage/v1/storage.proto
broken 's/rpc EndWaits(EndWaitsRequest) returns (EndWaitsResponse);//' internal/v1/internal.proto
echo "what breaks a contract is found"
