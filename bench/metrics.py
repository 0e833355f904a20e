"""What metrics cost: deliveries per second and CPU time, shown and scraped, beside not shown."""
import statistics
import threading
import urllib.request

import proc_stats
import senders
from harness import OURS, BenchError, Goal
from senders import Rig

SUMMARY = (
    "deliveries per second and CPU time of each with metrics shown and scraped, beside without"
)
PEERS = []
PROGRAMS = senders.PROGRAMS
# Counting itself can't be switched off: what is measured is a server that shows it and one that
# doesn't.
GOALS = [
    Goal("deliveries_ratio", value_at_least=0.98),
    Goal("cpu_ratio", value_at_most=1.02),
]
SCRAPES_PER_SECOND = 1


class Scraper:
    """Asks for the metrics as Prometheus does, until it is closed."""

    def __init__(self, address):
        self._url = f"http://{address}/metrics"
        self._ended = threading.Event()
        self._failure = None
        self.scrapes = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ended.wait(1 / SCRAPES_PER_SECOND):
            try:
                with urllib.request.urlopen(self._url, timeout=10) as answer:
                    if b"bellwire_gateway_messages_total" not in answer.read():
                        raise ValueError("no metrics")
                self.scrapes += 1
            except (OSError, ValueError) as error:
                self._failure = error
                return

    def close(self):
        self._ended.set()
        self._thread.join()
        if self._failure is not None:
            raise BenchError(f"{self._url}: {self._failure}")


def run(bench):
    # Slices are short and alternate between two servers that both run all the time: what the
    # machine does meanwhile falls on both.
    devices, seconds, warmup, slices = (50, 0.5, 0.2, 2) if bench.quick else (1000, 3, 1, 12)
    for round_number in range(bench.rounds):
        rigs = {
            "on": Rig(
                bench,
                OURS,
                devices,
                f"on.{round_number}",
                serve_flags=["--metrics_listen", "127.0.0.1:0"],
            ),
            "off": Rig(bench, OURS, devices, f"off.{round_number}"),
        }
        scraper = Scraper(rigs["on"].server.addresses["metrics_address"])
        rates, cpu = {"on": [], "off": []}, {"on": [], "off": []}
        for number in range(slices):
            # on off, off on, on off, ...: neither is always the second one.
            for name in ["on", "off"] if number % 2 == 0 else ["off", "on"]:
                before = proc_stats.cpu_seconds(rigs[name].server.pid)
                sent = rigs[name].send(seconds, warmup, mode="stream", in_flight=1000)
                spent = proc_stats.cpu_seconds(rigs[name].server.pid) - before
                rates[name].append(sent.per_second)
                cpu[name].append(spent / sent.sender["succeeded"] * 1e6)
        scraper.close()
        if scraper.scrapes == 0:
            raise BenchError("nothing was scraped: the slices are too short")
        for rig in rigs.values():
            rig.stop()
        for name in rigs:
            bench.sample(f"{name}_deliveries_per_second", "1/s", statistics.median(rates[name]))
            bench.sample(f"{name}_cpu_us", "µs", statistics.median(cpu[name]))
        # Of each pair of slices, side by side in time.
        bench.sample(
            "deliveries_ratio",
            "×",
            statistics.median(on / off for on, off in zip(rates["on"], rates["off"])),
        )
        bench.sample(
            "cpu_ratio", "×", statistics.median(on / off for on, off in zip(cpu["on"], cpu["off"]))
        )
        bench.progress(f"{scraper.scrapes} scrapes; deliveries {rates}, CPU {cpu}")
