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
companion=device-agent/companion/bellwire-companion
PATH=$PWD/cli:$PWD/device-agent:$PWD/bench/subscribers:$PATH
NODE_PATH=$console/node_modules:$doors/node_modules
export PATH NODE_PATH
bin=
trap '[ -z "$bin" ] || rm -rf "$bin"' EXIT
if [ -e "$companion" ]; then
  # For another user of the machine, who can't read Bazel's folders.
  bin=$(mktemp -d /tmp/console-bin.XXXXXX)
  chmod 755 "$bin"
  cp cli/bellwire device-agent/bellwire-agent "$companion" "$bin"
  PATH=$bin:$PATH
  command -v firefox-esr >/dev/null || { echo "SKIPPED: there is no Firefox: run tools/setup"; exit 0; }
fi
command -v chromium >/dev/null || { echo "SKIPPED: there is no Chromium: run tools/setup"; exit 0; }
if [ "$how" = --test ]; then
  "$console/node" --test-reporter=spec --test --test-concurrency=1 "$PWD/tests/console/$file"
else
  "$console/node" "$PWD/tests/console/$file" "$@"
fi
