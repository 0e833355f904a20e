"""What it costs that payloads are sealed where they are stored."""
import senders
from harness import OURS, Goal
from senders import Rig

SUMMARY = (
    "durable deliveries per second with payloads sealed at rest, against the same server without"
)
# The same program without --payload_key_file.
CLEAR = "in_the_clear"
PEERS = [CLEAR]
PROGRAMS = senders.PROGRAMS
# Payload bytes: a usual message, and the largest.
SIZES = (256, 4096)
GOALS = [
    Goal(f"deliveries_of_{size}_bytes_per_second", peer=CLEAR, ratio_at_least=0.95)
    for size in SIZES
]


def run(bench):
    devices, seconds, warmup = (50, 0.3, 0.2) if bench.quick else (1000, 5, 2)
    keys = bench.dir / "payload.keys"
    bench.run(
        "key",
        [bench.program("//cli:bellwire"), "registry", "key", "create", "--payload_key_file", keys],
    )
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, CLEAR):
            flags = ["--payload_key_file", keys] if who == OURS else []
            rig = Rig(bench, OURS, devices, f"{round_number}.{who}", serve_flags=flags)
            for size in SIZES:
                sent = rig.send(seconds, warmup, mode="stream", in_flight=1000, payload_bytes=size)
                bench.progress(
                    f"{who}, {size} B: {sent.per_second:,.0f}/s, p99 {sent.p99 / 1000:.2f} ms"
                )
                bench.sample(f"deliveries_of_{size}_bytes_per_second", "1/s", sent.per_second, who)
                bench.sample(f"p99_ms_of_{size}_bytes", "ms", sent.p99 / 1000, who)
            rig.stop()
