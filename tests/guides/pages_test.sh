#!/bin/bash
# Each page of docs/guide that has commands has a test that runs them, and each block is clear.
set -euo pipefail
log=${TEST_TMPDIR:-/tmp}/pages.log
/usr/bin/python3 tests/guides/extract.py --check docs/guide/*.md | tee "$log"

missing=
for page in docs/guide/*.md; do
  name=$(basename "$page" .md)
  # Its commands are run by //tests/packages:packages_test, in a Debian with the packages.
  [ "$name" != quickstart ] || continue
  ! grep -q "^$page: 0 blocks" "$log" || continue
  grep -q "^    (\"$name\"," tests/guides/BUILD.bazel || grep -A1 '^    ($' tests/guides/BUILD.bazel |
    grep -q "\"$name\"," || missing="$missing $name"
done
[ -z "$missing" ] || { echo "FAILED: no test runs the commands of:$missing" && exit 1; }
echo "every page is run"
