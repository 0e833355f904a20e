#!/bin/sh
# Runs the demo's part with a browser, with the programs that this test was built with.
set -eu
mkdir "$TEST_TMPDIR/bin"
cp cli/bellwire device-agent/bellwire-agent device-agent/companion/bellwire-companion \
  "$TEST_TMPDIR/bin"
npm=$(cd ../doors_npm && pwd)
# Not below TEST_TMPDIR: the path of a Unix socket has 107 bytes at most.
screenshot=$(mktemp /tmp/bellwire-browser.XXXXXX.png)
trap 'rm -f "$screenshot"' EXIT
TMPDIR=/tmp tools/demo --browser --screenshot "$screenshot" --bin_dir "$TEST_TMPDIR/bin" \
  --npm_dir "$npm"
# An empty one would have no header.
head -c 8 "$screenshot" | grep -q PNG || { echo "no screenshot in $screenshot"; exit 1; }
