#!/bin/sh
# Builds the console's page anew and compares it with what is checked in.
set -eu
npm=$(cd ../console_npm && pwd)
out=$TEST_TMPDIR/console
mkdir "$out"
cp -RL console/. "$out/"
ln -s "$npm/node_modules" "$out/node_modules"
cd "$out"
"$npm/node" node_modules/typescript/bin/tsc --noEmit
"$npm/node" node_modules/vite/bin/vite.js build --configLoader native --outDir built \
  --emptyOutDir
diff -r built dist || { echo "run tools/console build, and commit console/dist" >&2; exit 1; }
