"""A store full of waiting messages: how soon it is back, and whether it takes more as fast as an
empty one."""
import contextlib
import json
import shutil
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
    Goal("appends_of_callers_ids_per_second", peer="empty", ratio_at_least=0.95),
]
# What a notification of a chat has; the records around it are larger.
PAYLOAD_BYTES = 64
# Of one run: enough for flushes, and for merges that the store owes from before.
APPENDS = 2_000_000


def run(bench):
    devices, appends = (200, 2_000) if bench.quick else (100_000, APPENDS)
    full = servers.Bellwire(bench, "full")
    began = time.monotonic()
    slices = 10
    for n in range(slices):
        share = devices // slices
        rate = fill(bench, full, f"fill.{n}", share, first_device=n * share)
        bench.progress(f"{(n + 1) * share * 100:,} messages, {rate:,.0f} appends/s")
    size = int(
        subprocess.run(
            ["du", "-sb", full.data_dir / "registry"], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.split()[0]
    )
    bench.note(
        f"{devices * 100:,} messages of {PAYLOAD_BYTES} B made in"
        f" {time.monotonic() - began:,.0f} s; the store has {size / 1e6:,.0f} MB"
    )
    for round_number in range(bench.rounds):
        with store(bench, "restarted", copy_of=full) as restarted:
            began = time.monotonic()
            registry = restarted.registry()
            seconds = time.monotonic() - began
            registry.kill()
        bench.progress(f"restart: {seconds:.2f} s")
        bench.sample("restart_seconds", "s", seconds)
        # Message ids of the gateway's making, and of callers', which the registry has to look for.
        for metric, flags in [
            ("appends_per_second", {}),
            ("appends_of_callers_ids_per_second", {"caller_ids": True}),
        ]:
            # There and back: a machine that grows faster or slower meanwhile favours neither.
            order = bench.contenders(round_number, "full", "empty")
            for run_number, who in enumerate(order + order[::-1]):
                name = f"{metric}.{round_number}.{run_number}"
                # Each run has the same store before it, not what the run before left undone.
                with store(bench, name, copy_of=full if who == "full" else None) as target:
                    # Devices that are new: a mailbox of 100 is full, and would have to drop one for
                    # each.
                    rate = fill(bench, target, name, appends // 100, first_device=devices, **flags)
                bench.progress(f"{who}, {metric}: {rate:,.0f}")
                bench.sample(metric, "1/s", rate, *(["empty"] if who == "empty" else []))


@contextlib.contextmanager
def store(bench, name, copy_of):
    made = servers.Bellwire(bench, name, copy_of=copy_of)
    try:
        yield made
    finally:
        shutil.rmtree(made.data_dir)


def fill(bench, target, name, devices, **flags):
    """100 messages for each of `devices`; answers how many a second."""
    flags = {
        "devices": devices,
        "per_device": 100,
        "fill": True,
        "payload_bytes": PAYLOAD_BYTES,
        **flags,
    }
    arguments = [f"--{k}" if v is True else f"--{k}={v}" for k, v in flags.items()]
    out = bench.run(
        f"{name}.load",
        [bench.program(LOAD), "--data_dir", target.data_dir, *arguments],
        timeout_s=3600,
    )
    return json.loads(out)["appends_per_second"]
