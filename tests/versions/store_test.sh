#!/bin/bash
# This version goes on with the store and the phone that each recorded version has left.
set -euo pipefail
for file in tests/versions/*/store.tar.xz; do tests/versions/store.sh play "$file"; done
