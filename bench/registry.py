"""The registry alone, on disk and synced, without any transport."""
import json
import re

import servers
from harness import OURS, Goal

SUMMARY = "appends, acks, binds, pages and token lookups per second against db_bench"
PEERS = ["db_bench"]
LOAD = "//bench/send:registry_load"
PROGRAMS = [*servers.EMBEDDED, LOAD]
GOALS = [Goal("appends_per_second", peer="db_bench", ratio_at_least=1.0)]
# Theirs for each of ours: a synced write for what writes, a read for what reads.
READS = ["token_lookups_per_second", "pages_per_second"]


def run(bench):
    devices = 50 if bench.quick else 2000
    per_device = 4 if bench.quick else 50
    # What one append adds to the log, so that both write the same.
    write_bytes = 512
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, *PEERS):
            if who == OURS:
                data_dir = servers.Bellwire(bench, f"registry.{round_number}").data_dir
                # As the gateway calls for messages whose ids it has made.
                out = json.loads(
                    bench.run(
                        f"load.{round_number}",
                        [
                            bench.program(LOAD),
                            "--data_dir",
                            data_dir,
                            "--devices",
                            devices,
                            "--per_device",
                            per_device,
                        ],
                    )
                )
                write_bytes = max(64, int(out.pop("log_bytes_per_append")))
                bench.note(f"an append writes {write_bytes} B to the log")
                for metric, value in out.items():
                    bench.sample(metric, "1/s", value)
                bench.progress(f"ours: {out}")
                continue
            theirs = db_bench(bench, round_number, write_bytes)
            if theirs is None:
                continue
            writes, reads = theirs
            bench.progress(
                f"db_bench: {writes:,.0f} writes/s of {write_bytes} B, {reads:,.0f} reads/s"
            )
            for metric in ("appends_per_second", "acks_per_second", "binds_per_second"):
                bench.sample(metric, "1/s", writes, who)
            for metric in READS:
                bench.sample(metric, "1/s", reads, who)


def db_bench(bench, round_number, write_bytes):
    """(synced writes, reads) per second of 64 threads."""
    program = bench.tool("db_bench")
    if program is None:
        return None
    each = 20 if bench.quick else 2000
    out = bench.run(
        f"db_bench.{round_number}",
        [
            program,
            "--benchmarks=fillrandom,readrandom",
            "--threads=64",
            f"--num={each}",
            f"--value_size={write_bytes}",
            "--key_size=24",
            "--sync=1",
            "--compression_type=none",
            f"--db={bench.dir}/db_bench.{round_number}",
        ],
    )
    rate = {
        name: float(value) for name, value in re.findall(r"^(\w+)\s+:.*?(\d+) ops/sec", out, re.M)
    }
    return rate["fillrandom"], rate["readrandom"]
