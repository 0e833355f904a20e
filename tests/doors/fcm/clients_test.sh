#!/bin/sh
# Runs clients_test.js with the programs of this build.
set -eu
npm=$(cd ../doors_npm && pwd)
PATH=$PWD/cli:$PWD/device-agent:$PWD/registry:$PWD/connector:$PWD/gateway:$PATH \
  NODE_PATH=$npm/node_modules \
  "$npm/node" --test-reporter=spec --test --test-concurrency=1 \
  "$PWD/tests/doors/fcm/clients_test.js"
