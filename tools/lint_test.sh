#!/bin/sh
# The lint of the tree that this test was built from: through the link that Bazel made to its script.
exec "$(readlink -f tools/lint)"
