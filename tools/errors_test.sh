#!/bin/bash
# Every error that the code can make is in docs/reference/errors.md, and some test causes it.
set -euo pipefail
cd "$(dirname "$(readlink -f tools/errors)")/.."
exec tools/errors --check
