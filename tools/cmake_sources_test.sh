#!/bin/bash
# device-agent/cmake/sources.cmake is what the BUILD files say now.
set -euo pipefail
cd "$(dirname "$(readlink -f tools/cmake_sources)")/.."
exec tools/cmake_sources --check
