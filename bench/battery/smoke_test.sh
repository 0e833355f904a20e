#!/bin/sh
# The program itself: a short run in all its forms, and a wrong name.
set -eu
program=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$program" --days 2 --seed 7 --json "$dir/out.json" --svg "$dir/out.svg" >"$dir/table"
grep -q "bellwire" "$dir/table"
/usr/bin/python3 - "$dir" <<'END'
import json, sys, xml.dom.minidom
runs = json.load(open(sys.argv[1] + "/out.json"))["runs"]
assert {"bellwire", "mars", "microG", "ntfy 45 s"} <= {run["policy"] for run in runs}, runs
xml.dom.minidom.parse(sys.argv[1] + "/out.svg")
END

code=0
"$program" --scenario nowhere >/dev/null 2>"$dir/error" || code=$?
[ "$code" = 2 ]
grep -q "commute" "$dir/error"
