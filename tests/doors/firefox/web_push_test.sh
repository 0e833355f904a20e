#!/bin/sh
# Runs firefox_test.js with the programs of this build. They are copied: other users of the machine,
# whom the test plays too, can't read Bazel's folders.
set -eu
doors=$PWD/tests/doors/firefox
npm=$(cd ../doors_npm && pwd)
bin=$(mktemp -d /tmp/doors-bin.XXXXXX)
trap 'rm -rf "$bin"' EXIT
chmod 755 "$bin"
cp cli/bellwire device-agent/bellwire-agent device-agent/companion/bellwire-companion "$bin"
PATH=$bin:$PATH NODE_PATH=$npm/node_modules "$npm/node" --test-reporter=spec --test \
  --test-concurrency=1 "$doors/firefox_test.js"
