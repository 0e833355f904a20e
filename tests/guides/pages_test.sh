#!/bin/bash
# Each page of docs/guide and docs/operate that has commands has a test that runs them, and each block
# is clear. What is not run is printed, with its reason.
set -euo pipefail
log=${TEST_TMPDIR:-/tmp}/pages.log
/usr/bin/python3 tests/guides/extract.py --check docs/guide/*.md docs/operate/*.md | tee "$log"

missing=
for page in docs/guide/*.md docs/operate/*.md; do
  name=$(basename "$page" .md)
  folder=$(basename "$(dirname "$page")")
  case $page in
    # Their commands are run by //tests/packages:packages_test, in a Debian with the packages.
    docs/guide/quickstart.md | docs/guide/browser.md) continue ;;
  esac
  ! grep -q "^$page: 0 blocks" "$log" || continue
  tr -d ' \n' <tests/guides/BUILD.bazel | grep -q "(\"$folder\",\"$name\"," || missing="$missing $page"
done
[ -z "$missing" ] || { echo "FAILED: no test runs the commands of:$missing" && exit 1; }
echo "every page is run"
