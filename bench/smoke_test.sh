#!/bin/sh
# One bench at its smallest size, with the programs of this build.
set -eu
cd "$TEST_SRCDIR/$TEST_WORKSPACE"
tools/bench "$1" --quick --bin_dir . --json "$TEST_TMPDIR/results.jsonl" --plots "$TEST_TMPDIR"
/usr/bin/python3 - "$1" "$TEST_TMPDIR/results.jsonl" <<'END'
import json, sys
name, path = sys.argv[1:]
lines = [json.loads(line) for line in open(path, encoding="utf-8")]
assert lines, "no results"
for line in lines:
    assert list(line) == ["bench", "metric", "unit", "value", "peer", "peer_value", "ratio"], line
    assert line["bench"] == name, line
    # The kernel's memory is the whole machine's, on which other tests run.
    assert line["value"] >= 0 or line["metric"].startswith("kernel_bytes"), line
END
