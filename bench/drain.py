"""A connector is taken out of service: its devices move to another one, and nothing gets lost on
the way."""
import time

import load
import senders
import servers
from harness import OURS, BenchError, Goal
from idle_memory import settle

SUMMARY = "SIGTERM of one of two connectors: its devices move while messages are sent to them"
PEERS = []
PROGRAMS = [*servers.SEPARATE, load.PROGRAM, senders.STEADY_SEND]
GOALS = [
    Goal("all_moved_s", value_at_most=60),
    Goal("messages_lost", value_at_most=0),
    Goal("messages_doubled", value_at_most=0),
]


def run(bench):
    devices = 150 if bench.quick else 18000
    for round_number in range(bench.rounds):
        drain(bench, round_number, devices)


def drain(bench, round_number, devices):
    bellwire = servers.Bellwire(bench, f"drain{round_number}")
    registry, gateway = bellwire.registry(), bellwire.gateway()
    credentials = bellwire.provider()
    staying = bellwire.connector("staying")
    staying_address = bellwire.device_address
    leaving = bellwire.connector("leaving", "--drain_seconds", "60", "--drain_to", staying_address)

    crowd = load.Load(bench, OURS, [bellwire.device_address])
    crowd.connect(devices)
    tokens = bench.dir / f"tokens{round_number}"
    crowd.ask("register", app="com.example.bench", tokens=tokens)
    settle(registry)
    sender = senders.start_steady(bench, bellwire, credentials, tokens, 200)
    time.sleep(2)
    before = sender.ask("report")

    crowd.ask("reconnect", on=1, resume=1, at_once=devices)
    crowd.move_to(staying_address)
    begun = time.monotonic()
    leaving.terminate()
    moved = crowd.ask("await", ready=devices, losses=devices, timeout_s=120)
    gone_after = wait_for_end(leaving, begun)
    during = sender.ask("report")
    sent = sender.ask("stop")
    deadline = time.monotonic() + 30
    while (got := crowd.ask("counts"))["messages"] < sent["ok"] and time.monotonic() < deadline:
        time.sleep(0.2)

    bench.progress(
        f"{devices:,} devices moved in {moved['seconds']:.1f} s; {sent['ok']:,} messages answered "
        f"OK, {got['messages']:,} received, {got['repeats']:,} of them repeated to the agent; "
        f"Sends: p99 {before['p99_us'] / 1000:.1f} ms before, "
        f"{during['p99_us'] / 1000:.1f} ms meanwhile"
    )
    bench.sample("all_moved_s", "s", moved["seconds"])
    bench.sample("connector_gone_s", "s", gone_after)
    bench.sample("messages_sent", "", sent["ok"])
    bench.sample("messages_lost", "", sent["ok"] - got["messages"])
    bench.sample("messages_doubled", "", got["doubled"])
    bench.sample("send_p99_before_ms", "ms", before["p99_us"] / 1000)
    bench.sample("send_p99_meanwhile_ms", "ms", during["p99_us"] / 1000)
    for process in (crowd, sender, gateway, staying, registry):
        process.stop()


def wait_for_end(process, begun, timeout_s=90):
    """Seconds from `begun` until the process was gone."""
    while process.running:
        if time.monotonic() - begun > timeout_s:
            raise BenchError(f"{process.name} does not end")
        time.sleep(0.05)
    return time.monotonic() - begun
