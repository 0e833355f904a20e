#!/bin/sh
# Runs a test of this folder, its argument, with the programs of this build.
set -eu
npm=$(cd ../doors_npm && pwd)
PATH=$PWD/cli:$PWD/device-agent:$PWD/gateway:$PWD/registry:$PWD/connector:$PATH \
  NODE_PATH=$npm/node_modules \
  "$npm/node" --test-reporter=spec --test --test-concurrency=1 "$PWD/tests/doors/apns/$1"
