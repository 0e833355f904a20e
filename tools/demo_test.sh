#!/bin/sh
# Runs the demo with the programs that this test was built with.
set -eu
mkdir "$TEST_TMPDIR/bin"
cp cli/bellwire device-agent/bellwire-agent "$TEST_TMPDIR/bin"
# Not below TEST_TMPDIR: the path of a Unix socket has 107 bytes at most.
TMPDIR=/tmp exec tools/demo --bin_dir "$TEST_TMPDIR/bin"
