#!/bin/bash
# Runs the commands of a guide against a server and a phone of its own: what its reader types.
#
#   guide_test.sh PAGE.md [NEEDED_PROGRAM...]
set -euo pipefail
page=$1
shift
for program in "$@"; do
  command -v "$program" >/dev/null || { echo "SKIPPED: there is no $program" && exit 0; }
done

# shellcheck disable=SC1091
. tests/guides/world.sh

# --- The guide. ---

/usr/bin/python3 tests/guides/extract.py "$page" "$work"
(cd "$work" && exec /bin/bash ./run.sh) >"$work/guide.log" 2>&1 </dev/null &
pids+=($!)
if ! wait $!; then
  cat "$work/guide.log"
  tail -n 20 "$short"/*.log
  echo "FAILED: $page"
  exit 1
fi
cat "$work/guide.log"
echo "all commands of $page run"
