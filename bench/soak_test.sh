#!/bin/bash
# tools/soak: its verdict over made-up samples, and a run of seconds with the programs of this build.
set -euo pipefail
cd "$TEST_SRCDIR/$TEST_WORKSPACE"
/usr/bin/python3 -B - <<'END'
import sys
sys.path.insert(0, "bench")
import dataclasses
import soak
from soak import MIB, Phases, Sample, Verdict

phases = Phases(load_end=3600, idle_begin=3660, idle_end=7200)
assert (phases.warm, phases.window) == (600, 600)


def samples(change):
    """A healthy server, looked at every ten seconds, but for what `change` makes of a sample."""
    for at in range(0, 7210, 10):
        load = min(at, 3600)
        sample = Sample(at=at, memory=100 * MIB + min(at, 600) * 10000, store=200 * MIB,
                        descriptors=2100, log=10 * at, cpu=0.2 * load + 0.001 * at)
        yield change(sample)


def broken(change):
    return Verdict("server", list(samples(change)), phases, soak.SERVER_BOUNDS).broken


healthy = Verdict("server", list(samples(lambda s: s)), phases, soak.SERVER_BOUNDS)
assert healthy.broken == [], healthy.broken
assert abs(healthy.figures["idle_cpu"] - 0.001) < 1e-6, healthy.figures
assert abs(healthy.figures["load_cpu"] - 0.201) < 1e-6, healthy.figures
assert healthy.figures["load_log_bytes_per_hour"] == 36000, healthy.figures

for what, change in {
    # 30 KB a second for an hour; and 8 KB a second while nothing happens.
    "end of the load": lambda s: dataclasses.replace(s, memory=s.memory + 30000 * min(s.at, 3600)),
    "end of the idle": lambda s: dataclasses.replace(
        s, memory=s.memory + 8000 * max(0, s.at - 3600)),
    "memory of the store": lambda s: dataclasses.replace(s, store=500 * MIB),
    "descriptors": lambda s: dataclasses.replace(s, descriptors=s.descriptors + int(s.at / 5)),
    "log in an hour of load": lambda s: dataclasses.replace(s, log=int(100 * min(s.at, 3600))),
    "log in an hour of idle": lambda s: dataclasses.replace(
        s, log=int(100 * max(0, s.at - 3600))),
    "core while idle": lambda s: dataclasses.replace(s, cpu=0.02 * s.at),
}.items():
    said = broken(change)
    assert len(said) == 1 and what in said[0], (what, said)
# What comes and goes is no growth: memtables fill and are written.
assert broken(lambda s: dataclasses.replace(s, memory=s.memory + int(s.at) % 300 * MIB)) == []
END

code=0
tools/soak --minutes 0.1 --devices 50 --per_second 50 --bin_dir . --json "$TEST_TMPDIR/soak.json" \
  >"$TEST_TMPDIR/out" || code=$?
cat "$TEST_TMPDIR/out"
# Seconds on a busy machine, with looks twice a second, say nothing of how idle it is.
if [ $code -ne 0 ]; then
  [ $code -eq 1 ] && grep -q '^BROKEN' "$TEST_TMPDIR/out"
  if grep '^BROKEN' "$TEST_TMPDIR/out" | grep -v 'share of a core while idle'; then exit 1; fi
fi
/usr/bin/python3 - "$TEST_TMPDIR/soak.json" <<'END'
import json, sys
said = json.load(open(sys.argv[1], encoding="utf-8"))
assert said["accepted"] > 100 and said["acknowledged"] == said["accepted"], said
assert set(said["programs"]) == {"server.serve", "agent"}, said["programs"].keys()
server = said["programs"]["server.serve"]
assert len(server["samples"]) > 12 and server["figures"]["store_bytes"] > 0, server["figures"]
END
