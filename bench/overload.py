"""What becomes of Sends when more come than the server can take."""
import proc_stats
import senders
from harness import OURS, BenchError, Goal
from senders import Rig

SUMMARY = (
    "three times the load that the server can take: how late the accepted are, how many are"
    " refused, memory"
)
PEERS = []
PROGRAMS = senders.PROGRAMS
GOALS = [
    # Flat: refused early, not served late. From half too much to three times as much; not from the
    # capacity itself, at which what waits is next to nothing in one run and as much as may wait in
    # another.
    Goal("accepted_p99_growth", value_at_most=2),
    Goal("peak_resident_growth", value_at_most=1.5),
]

# Batches, because their sender costs the machine least: it must offer three times what the server
# takes. Of a size that many of them make up what the gateway lets wait.
BATCHES = dict(mode="batch", batch=50, channels=4)


def run(bench):
    devices, seconds, warmup = (200, 1, 0.5) if bench.quick else (1000, 8, 2)
    for round_number in range(bench.rounds):
        rig = Rig(bench, OURS, devices, round_number)
        # Fills caches and buffers too: what memory is measured from.
        closed_loop = rig.send(seconds, warmup, in_flight=1000, **BATCHES).per_second
        # What it can take is what it delivers when more than that comes: a sender that waits for
        # answers leaves it idle at times, and one times what that came to would be no full load.
        capacity = rig.send(seconds, warmup, rate=2 * closed_loop, **BATCHES).per_second
        bench.sample("capacity_per_second", "1/s", capacity)
        p99, peak = {}, {}
        for times in (1, 1.5, 3):
            p99[times], peak[times] = at(bench, rig, times, capacity, seconds, warmup)
        bench.sample("accepted_p99_growth", "×", p99[3] / p99[1.5])
        bench.sample("peak_resident_growth", "×", peak[3] / peak[1])
        rig.stop()
    bench.note(
        "latency of the accepted: from when they were due to the device; of the refused: to the"
        " answer, the start included; the sender and the devices share the machine"
    )


def at(bench, rig, times, capacity, seconds, warmup):
    """Offers so many times the capacity. Answers the accepted messages' p99 in ms and the server's
    peak in bytes."""
    proc_stats.reset_peak(rig.server.pid)
    sent = rig.send(seconds, warmup, rate=times * capacity, **BATCHES)
    peak = proc_stats.peak_resident_bytes(rig.server.pid)
    said = sent.sender
    if said["failed"] != said["refused"]:
        raise BenchError(
            f"{said['failed'] - said['refused']} messages failed in another way than "
            "RESOURCE_EXHAUSTED with RetryInfo"
        )
    offered = said["succeeded"] + said["failed"]
    share = 100 * said["refused"] / offered
    p99 = sent.p99 / 1000
    bench.progress(
        f"at {times} × capacity: {offered / (seconds + warmup):,.0f}/s offered,"
        f" {sent.per_second:,.0f}/s delivered, {share:.0f} % refused, p99 of the accepted"
        f" {p99:.0f} ms and of the refused {said['refused_p99_us'] / 1000:.0f} ms, peak"
        f" {peak / 2**20:.0f} MiB"
    )
    for metric, unit, value in [
        ("delivered_per_second", "1/s", sent.per_second),
        ("refused_share", "%", share),
        ("accepted_p99", "ms", p99),
        ("refused_p99", "ms", said["refused_p99_us"] / 1000),
        ("peak_resident", "MiB", peak / 2**20),
    ]:
        bench.sample(f"{metric}_at_{times}x", unit, value)
    return p99, peak
