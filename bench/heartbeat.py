"""What it costs the server to keep a quiet connection alive."""
import time

import load
import proc_stats
import servers
from harness import OURS, Goal
from idle_memory import settle

SUMMARY = (
    "server CPU time and bytes on the wire per heartbeat round trip, from 1,000 to 18,000 devices"
)
PEERS = ["openssl", "mosquitto"]
PROGRAMS = [*servers.SEPARATE, load.PROGRAM, load.LOOP]
GOALS = [
    Goal("cpu_us_per_heartbeat", value_at_most=15),
    Goal("cpu_growth_from_1000_to_18000", value_at_most=1.25),
]


def run(bench):
    steps = [50, 100, 200] if bench.quick else [1000, 6000, 18000]
    beats, per_second = (400, 400) if bench.quick else (60000, 40000)
    curves = {}
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, *PEERS):
            costs = measure(bench, who, round_number, steps, beats, per_second)
            for devices, (cpu_us, answer) in costs.items():
                bench.progress(f"{who}: {cpu_us:.1f} µs per heartbeat with {devices:,} devices")
                suffix = "" if devices == steps[-1] else f"_at_{devices}"
                bench.sample("cpu_us_per_heartbeat" + suffix, "µs", cpu_us, who)
                curves.setdefault(who, {}).setdefault(devices, []).append(cpu_us)
            if not costs:
                continue
            if who == OURS:
                bench.sample(
                    "cpu_growth_from_1000_to_18000", "×", costs[steps[-1]][0] / costs[steps[0]][0]
                )
            bench.sample("round_trip_p50_us", "µs", answer["heartbeat_p50_us"], who)
            bench.sample("round_trip_p99_us", "µs", answer["heartbeat_p99_us"], who)
            for way in ("sent", "received"):
                bench.sample(
                    f"tls_bytes_{way}_per_heartbeat", "B", answer[f"wire_bytes_{way}"] / beats, who
                )
    bench.curve(
        "cpu",
        "Server CPU time per heartbeat round trip",
        "devices",
        "µs",
        {
            who: [(n, sorted(v)[len(v) // 2]) for n, v in line.items()]
            for who, line in curves.items()
        },
    )


def measure(bench, who, round_number, steps, beats, per_second):
    """devices → (CPU µs per heartbeat, device_load's answer); empty if it is left out."""
    started = servers.start_contender(bench, who, f"round{round_number}.{who}")
    if started is None:
        return {}
    server, address, others = started
    devices = load.Load(bench, who, [address])
    costs = {}
    for count in steps:
        devices.connect(count)
        settle(server)
        # What it does without heartbeats, timers of its own, is not theirs.
        at_rest = cpu_while(server, lambda: time.sleep(1))
        begun = time.monotonic()
        before = proc_stats.cpu_seconds(server.pid)
        answer = devices.ask("heartbeats", count=beats, per_second=per_second)
        cpu = proc_stats.cpu_seconds(server.pid) - before
        cpu -= at_rest * (time.monotonic() - begun)
        costs[count] = (cpu / beats * 1e6, answer)
    devices.stop()
    for process in [server, *reversed(others)]:
        process.stop()
    return costs


def cpu_while(server, do):
    """CPU seconds per second."""
    begun, before = time.monotonic(), proc_stats.cpu_seconds(server.pid)
    do()
    return (proc_stats.cpu_seconds(server.pid) - before) / (time.monotonic() - begun)
