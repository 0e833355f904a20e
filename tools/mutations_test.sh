#!/bin/sh
# Every mutation still applies to the tree that this test was built from.
exec "$(readlink -f tools/mutate)" --check
