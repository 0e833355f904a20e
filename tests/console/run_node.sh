#!/bin/sh
# Runs a test or a script with the programs of this build.
#
#   run_node.sh --test|--run FILE [ARGUMENT...]
set -eu
how=$1
file=$2
shift 2
console=$(cd ../console_tests_npm && pwd)
doors=$(cd ../doors_npm && pwd)
PATH=$PWD/cli:$PWD/device-agent:$PATH
NODE_PATH=$console/node_modules:$doors/node_modules
export PATH NODE_PATH
if [ "$how" = --test ]; then
  command -v chromium >/dev/null || { echo "SKIPPED: there is no Chromium: run tools/setup"; exit 0; }
  exec "$console/node" --test-reporter=spec --test --test-concurrency=1 "$PWD/tests/console/$file"
fi
exec "$console/node" "$PWD/tests/console/$file" "$@"
