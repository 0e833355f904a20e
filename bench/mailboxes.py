"""A store full of waiting messages: how soon it is back, and whether it takes more as fast as an empty one."""
import json
import subprocess
import time

import servers
from harness import Goal

SUMMARY = "restart and appends of a registry with 100 messages for each of 100,000 devices"
PEERS = ["empty"]
LOAD = "//bench/send:registry_load"
PROGRAMS = [*servers.SEPARATE, LOAD]
GOALS = [
    Goal("restart_seconds", value_at_most=10),
    Goal("appends_per_second", peer="empty", ratio_at_least=0.95),
]
# What a notification of a chat has; the records around it are larger.
PAYLOAD_BYTES = 64


def run(bench):
    devices, fresh = (200, 20) if bench.quick else (100_000, 10_000)
    full = servers.Bellwire(bench, "full")
    began = time.monotonic()
    slices = 10
    for n in range(slices):
        share = devices // slices
        out = load(bench, full, f"fill.{n}", devices=share, per_device=100, fill=True, first_device=n * share)
        bench.progress(f"{(n + 1) * share * 100:,} messages, {out['appends_per_second']:,.0f} appends/s")
    size = int(subprocess.run(["du", "-sb", full.data_dir / "registry"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split()[0])
    bench.note(f"{devices * 100:,} messages of {PAYLOAD_BYTES} B made in {time.monotonic() - began:,.0f} s; "
               f"the store has {size / 1e6:,.0f} MB")
    for round_number in range(bench.rounds):
        began = time.monotonic()
        registry = full.registry()
        bench.sample("restart_seconds", "s", time.monotonic() - began)
        registry.kill()
        bench.progress(f"restart: {time.monotonic() - began:.2f} s")
        # Message ids of the gateway's making, and of callers', which the registry has to look for.
        for turn, (metric, flags) in enumerate([("appends_per_second", {}),
                                                ("appends_of_callers_ids_per_second", {"caller_ids": True})]):
            # There and back: a machine that grows faster or slower meanwhile favours neither.
            order = bench.contenders(round_number, "full", "empty")
            for run_number, who in enumerate(order + order[::-1]):
                name = f"{who}.{round_number}.{turn}.{run_number}"
                target = full if who == "full" else servers.Bellwire(bench, name)
                # Devices of their own: a mailbox of 100 is full, and would have to drop one for each.
                first = devices + (8 * round_number + 4 * turn + run_number) * fresh
                out = load(bench, target, name, devices=fresh, per_device=100, fill=True, first_device=first,
                           **flags)
                rate = out["appends_per_second"]
                bench.progress(f"{who}, {metric}: {rate:,.0f}")
                bench.sample(metric, "1/s", rate, *(["empty"] if who == "empty" else []))


def load(bench, target, name, **flags):
    arguments = [f"--{k}" if v is True else f"--{k}={v}" for k, v in flags.items()]
    return json.loads(bench.run(name, [bench.program(LOAD), "--data_dir", target.data_dir,
                                       "--payload_bytes", PAYLOAD_BYTES, *arguments], timeout_s=3600))
