"""What a Send costs through each front door."""
import proc_stats
import senders
from harness import OURS, Goal
from senders import Rig

SUMMARY = (
    "Sends per second, and the server's CPU time of each, through gRPC, JSON and Web Push side by"
    " side"
)
PEERS = []
PROGRAMS = senders.PROGRAMS
# Of the mode of send_load, what it is called here. gRPC is what the others are held against.
DOORS = {"unary": "grpc", "json": "json", "web_push": "web_push"}
GOALS = [Goal(f"{name}_cpu_ratio", value_at_most=1.2) for name in DOORS.values() if name != "grpc"]


def run(bench):
    devices, seconds, warmup = (200, 0.5, 0.3) if bench.quick else (1000, 5, 2)
    for round_number in range(bench.rounds):
        cpu_us = {}
        for mode in bench.contenders(round_number, *DOORS):
            name = DOORS[mode]
            # A server of its own: what the one before left on disk is not this one's to compact.
            rig = Rig(bench, OURS, devices, f"{name}.{round_number}", subscribed=mode == "web_push")
            before = proc_stats.cpu_seconds(rig.server.pid)
            sent = rig.send(seconds, warmup, mode=mode, in_flight=256, channels=2)
            spent = proc_stats.cpu_seconds(rig.server.pid) - before
            rig.stop()
            # All of it: from the first Send of the warm-up to the last acknowledgement.
            cpu_us[name] = spent / sent.sender["succeeded"] * 1e6
            bench.progress(f"{name}: {sent.per_second:,.0f}/s, {cpu_us[name]:.1f} µs of CPU each")
            bench.sample(f"{name}_sends_per_second", "1/s", sent.per_second)
            bench.sample(f"{name}_cpu_us", "µs", cpu_us[name])
        for name, spent in cpu_us.items():
            if name != "grpc":
                bench.sample(f"{name}_cpu_ratio", "×", spent / cpu_us["grpc"])
