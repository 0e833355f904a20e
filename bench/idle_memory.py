"""What a connection costs while nothing happens: most of a push server's life."""
import time

import load
import proc_stats
import servers
from harness import OURS, BenchError, Goal

SUMMARY = "user memory per idle logged-in TLS device at 1,000 to 18,000 per process"
PEERS = ["openssl", "mosquitto"]
PROGRAMS = [*servers.SEPARATE, load.PROGRAM, load.LOOP]
GOALS = [
    Goal("user_bytes_per_device", peer="openssl", ratio_at_most=1.10),
    Goal("user_bytes_per_device", peer="mosquitto", ratio_at_most=1.00),
    Goal("growth_from_1000_to_18000", value_at_most=1.05),
]


def run(bench):
    steps = [50, 150, 300] if bench.quick else [1000, 6000, 18000]
    curves = {}
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, *PEERS):
            costs = measure(bench, who, steps, round_number)
            for devices, (user, kernel) in costs.items():
                bench.progress(
                    f"{who}: {user:,.0f} B per device at {devices:,}, in the kernel {kernel:,.0f} B"
                )
                suffix = "" if devices == steps[-1] else f"_at_{devices}"
                bench.sample("user_bytes_per_device" + suffix, "B", user, who)
                bench.sample("kernel_bytes_per_device" + suffix, "B", kernel, who)
                curves.setdefault(who, {}).setdefault(devices, []).append(user)
            if costs and who == OURS:
                bench.sample(
                    "growth_from_1000_to_18000", "×", costs[steps[-1]][0] / costs[steps[0]][0]
                )
    bench.curve(
        "per_device",
        "User memory per idle TLS device",
        "devices",
        "bytes",
        {
            who: [(n, sorted(v)[len(v) // 2]) for n, v in line.items()]
            for who, line in curves.items()
        },
    )


def measure(bench, who, steps, round_number):
    """devices → (user bytes, kernel bytes) per device of a fresh server; empty if it is left
    out."""
    started = servers.start_contender(bench, who, f"round{round_number}.{who}")
    if started is None:
        return {}
    server, address, others = started
    devices = load.Load(bench, who, [address])
    # The first connections fill what all of them share.
    warm = steps[0] // 10
    devices.connect(warm)
    settle(server)
    user_before, kernel_before = proc_stats.user_bytes(server.pid), proc_stats.socket_slab_bytes()
    costs = {}
    for count in steps:
        devices.connect(count)
        settle(server)
        user = proc_stats.user_bytes(server.pid) - user_before
        kernel = proc_stats.socket_slab_bytes()
        costs[count] = (
            user / (count - warm),
            (
                # Both ends of a connection are on this machine.
                (kernel - kernel_before) / (count - warm) / 2
                if kernel
                else 0
            ),
        )
    devices.stop()
    for process in [server, *reversed(others)]:
        process.stop()
    return costs


def settle(server, timeout_s=20):
    """Waits until the server is idle: work that follows a login, such as a sync, is done."""
    deadline = time.monotonic() + timeout_s
    quiet = 0
    while quiet < 3:
        if time.monotonic() > deadline:
            raise BenchError(f"{server.name} does not come to rest")
        before = proc_stats.cpu_seconds(server.pid)
        time.sleep(0.3)
        quiet = quiet + 1 if proc_stats.cpu_seconds(server.pid) - before < 0.01 else 0
