#!/bin/sh
# The frame of tools/bench with a bench that measures nothing: medians, ratios, verdicts, JSON, plots, and
# that what a bench started has the processor time it is told to, and is gone afterwards.
set -eu
cd "$TEST_SRCDIR/$TEST_WORKSPACE"
tools/bench --help | grep -q "bench/README.md"
tools/bench --list
if tools/bench nowhere 2>"$TEST_TMPDIR/error"; then exit 1; fi
grep -q "there is no bench nowhere" "$TEST_TMPDIR/error"
/usr/bin/python3 -B - <<'END'
import json, os, sys, types, xml.dom.minidom
sys.path.insert(0, "bench")
import harness, report, scheduling
from harness import Goal

module = types.SimpleNamespace(PROGRAMS=[], GOALS=[
    Goal("things_per_second", peer="rival", ratio_at_least=1.5), Goal("lag_ms", value_at_most=5)])
options = types.SimpleNamespace(quick=False, rounds=3, bin_dir=".", install=False, show=print,
                                keep_logs=False)
bench = harness.Bench("nothing", module, options)
for round_number, ours in enumerate([300, 900, 320]):
    for who in bench.contenders(round_number, "bellwire", "rival"):
        bench.sample("things_per_second", "1/s", ours if who == "bellwire" else 200, who)
    bench.sample("lag_ms", "ms", 7)
assert bench.contenders(0, "a", "b") != bench.contenders(1, "a", "b")
rate, lag = bench.results()
assert json.loads(rate.line()) == {
    "bench": "nothing", "metric": "things_per_second", "unit": "1/s", "value": 320.0,
    "peer": "rival", "peer_value": 200.0, "ratio": 1.6}, rate.line()
assert rate.verdict is True and rate.spread == (300.0, 900.0)
assert json.loads(lag.line())["ratio"] is None and lag.verdict is False

echo = bench.start("echo", ["cat"], piped=True)
assert echo.ask('{"a": 1}') == {"a": 1}
try:
    echo.ask('{"error": "no"}')
    assert False
except harness.BenchError as error:
    assert "echo: no" in str(error)
deaf = bench.start("deaf", ["sleep", "1000"], piped=True)
try:
    deaf.read_json(timeout_s=0.05)
    assert False
except harness.BenchError as error:
    assert "said nothing" in str(error)
failing = bench.start("failing", ["sh", "-c", "echo the reason >&2; exit 3"], piped=True)
try:
    failing.wait()
    assert False
except harness.BenchError as error:
    assert "the reason" in str(error)

processors = os.sched_getaffinity(0)
scheduling.keep_apart(echo, deaf)
kept_apart = os.sched_getaffinity(echo.pid), os.sched_getaffinity(deaf.pid)
assert set.union(*kept_apart) == processors, kept_apart
assert len(processors) == 1 or not set.intersection(*kept_apart), kept_apart
scheduling.share(echo, deaf)
assert os.sched_getaffinity(echo.pid) == os.sched_getaffinity(deaf.pid) == processors
scheduling.give_way(deaf)
assert [os.getpriority(os.PRIO_PROCESS, who.pid) for who in (echo, deaf)] == [
    os.getpriority(os.PRIO_PROCESS, 0), 19]

bench.curve("growth", "Growth", "devices", "bytes", {"ours & theirs": [(1000, 5), (18000, 7.5)]}, log_x=True)
folder = os.environ["TEST_TMPDIR"]
names = report.write_plots(folder, bench)
assert names == ["nothing_growth.svg"]
xml.dom.minidom.parse(os.path.join(folder, names[0]))
report.print_table("nothing", bench.results(), ["a note"])
report.write_results(os.path.join(folder, "RESULTS.md"),
                     [("nothing", "measures nothing", bench.results(), ["a note"], names)],
                     ["tools/bench", "all"], ["libc6"])
text = open(os.path.join(folder, "RESULTS.md"), encoding="utf-8").read()
assert "| things_per_second | 320 |" in text and "**missed**" in text, text

bench.close(failed=False)
assert not echo.running and not deaf.running and not bench.dir.exists()
END
