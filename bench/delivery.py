"""From Send to the device's acknowledgement: how many, and how soon."""
import senders
from harness import OURS, Goal
from senders import LeftOut, Rig

SUMMARY = (
    "durable deliveries per second to 1,000 TLS devices, and their latency, against MQTT brokers'"
    " QoS 1"
)
PEERS = ["mosquitto", "nats", "rabbitmq"]
PROGRAMS = senders.PROGRAMS
GOALS = [
    # Nothing is stored at all; stored, but an OK doesn't wait for a sync; an OK waits for it
    # (README.md).
    Goal("deliveries_per_second", peer="mosquitto", ratio_at_least=1.5),
    Goal("deliveries_per_second", peer="nats", ratio_at_least=1),
    Goal("deliveries_per_second", peer="rabbitmq", ratio_at_least=5),
    Goal("p99_ms_at_quarter_load", value_at_most=5),
]

# name → flags of the sender. Each is a way that a provider could go; the best of them counts.
OUR_WAYS = {
    "unary_1": dict(mode="unary", in_flight=1),
    "unary_64": dict(mode="unary", in_flight=64),
    "unary_512": dict(mode="unary", in_flight=512, channels=2),
    "stream_64": dict(mode="stream", in_flight=64),
    "stream_1000": dict(mode="stream", in_flight=1000),
    "stream_3000": dict(mode="stream", in_flight=3000, channels=3),
    "batch_500": dict(mode="batch", batch=500, in_flight=500),
    "batch_2000": dict(mode="batch", batch=500, in_flight=2000),
}
THEIR_WAYS = {
    "window_1": dict(window=1),
    "window_100": dict(window=100),
    "window_1000": dict(window=1000),
    # nats-server stores what comes over a connection one after the other.
    "window_1000_over_8": dict(window=1000, connections=8),
}


def run(bench):
    # Few, so that each gets some 100 KiB even in a moment: more than a connection's first buffers.
    devices, seconds, warmup = (50, 0.3, 0.2) if bench.quick else (1000, 5, 2)
    best = {}
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, *PEERS):
            ways = OUR_WAYS if who == OURS else THEIR_WAYS
            try:
                rig = Rig(bench, who, devices, round_number)
            except LeftOut:
                continue
            rates = {}
            for way, flags in ways.items():
                sent = rig.send(seconds, warmup, **flags)
                rates[way] = sent.per_second
                bench.progress(
                    f"{who} {way}: {sent.per_second:,.0f}/s, p50 {sent.p50 / 1000:.2f} ms, "
                    f"p99 {sent.p99 / 1000:.2f} ms, p99.9 {sent.p999 / 1000:.2f} ms"
                )
                bench.sample(f"{way}_per_second", "1/s", sent.per_second, who)
                for name in ("p50", "p99", "p999"):
                    bench.sample(f"{way}_{name}_ms", "ms", getattr(sent, name) / 1000, who)
            best_way = max(rates, key=rates.get)
            bench.sample("deliveries_per_second", "1/s", rates[best_way], who)
            best.setdefault(who, []).append(best_way)
            at_quarter_load(bench, who, rig, rates[best_way] / 4, ways[best_way], seconds, warmup)
            rig.stop()
    for who, names in best.items():
        bench.note(f"{who}: deliveries_per_second is that of {', '.join(sorted(set(names)))}")


def at_quarter_load(bench, who, rig, rate, flags, seconds, warmup):
    """At a quarter of what it can do; for us one message a call, as an app sends when something
    happens."""
    flags = dict(mode="stream", rate=rate) if who == OURS else dict(flags, rate=rate)
    sent = rig.send(seconds, warmup, **flags)
    bench.progress(
        f"{who} at {rate:,.0f}/s: {sent.per_second:,.0f}/s, p50 {sent.p50 / 1000:.2f} ms, "
        f"p99 {sent.p99 / 1000:.2f} ms"
    )
    for name in ("p50", "p99", "p999"):
        bench.sample(f"{name}_ms_at_quarter_load", "ms", getattr(sent, name) / 1000, who)
