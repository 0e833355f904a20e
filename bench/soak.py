"""Does anything grow? A steady load for a time, and then as long with nothing to do (tools/soak).

One server, an agent with an app, and thousands of devices that device_load plays; two backends that
send at a steady rate, to the devices and to the app. Their memory, descriptors, logs and processor
time are looked at every few seconds, and held against the bounds below.
"""
import dataclasses
import json
import os
import pathlib
import re
import time
import urllib.request

import load
import proc_stats
import senders
import servers
from harness import BenchError

PROGRAMS = [*servers.SEPARATE, "//device-agent:bellwire-agent", load.PROGRAM, senders.STEADY_SEND]

APP = "com.example.bench"
# To the app: what a phone gets in a busy hour, in a minute.
APP_MESSAGES_PER_SECOND = 1
# What agents learn of ordinary networks is some minutes.
HEARTBEAT_SECONDS = 400
# A JWT is good for an hour; a backend that starts anew signs another one.
SENDER_LIFE_SECONDS = 1200
# From the start of the load until memory is held against what it was: caches have their size then.
WARM_UP_SECONDS = 600
# Memory goes up and down with what is written back: the highest of so long a time is compared.
WINDOW_SECONDS = 600
# What the load has left to do in the background comes to an end, before idle means idle.
SETTLE_SECONDS = 60
SAMPLE_SECONDS = 10

KIB, MIB = 1024, 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What may come of a program."""

    # Bytes by which the memory of its own may be higher at the end of the load than after the
    # warm-up, and at the end of the idle time than at its beginning. Without the store's.
    load_growth: int
    idle_growth: int
    # More than there were at the start.
    descriptors: int
    # Bytes of log in an hour, of load or idle.
    log_per_hour: int
    # Share of a core while idle.
    idle_cpu: float = 0.01


# A server logs what an operator should know: not what goes well. Its descriptors beside connections
# are tables of the store, 512 at most (registry/engine/rocksdb/rocksdb_options.cc).
SERVER_BOUNDS = Bounds(
    load_growth=48 * MIB, idle_growth=16 * MIB, descriptors=512, log_per_hour=256 * KIB
)
AGENT_BOUNDS = Bounds(
    load_growth=4 * MIB, idle_growth=2 * MIB, descriptors=8, log_per_hour=64 * KIB
)
# What the store holds in memory: memtables within a cache, which has this size
# (registry/engine/rocksdb/rocksdb_options.cc). Blocks that are in use may be above it.
STORE_BYTES = 400 * MIB


@dataclasses.dataclass(frozen=True)
class Sample:
    """A program at one moment. `at` is seconds since the start of the load."""

    at: float
    memory: int  # of its own, without the store's
    store: int  # memory of the store; 0: it has none
    descriptors: int
    log: int  # bytes written since its start
    cpu: float  # seconds since its start


@dataclasses.dataclass(frozen=True)
class Phases:
    """When, in seconds since the start of the load."""

    load_end: float
    idle_begin: float
    idle_end: float

    @property
    def warm(self):
        """The end of the warm-up. A load that is short has a short one."""
        return min(WARM_UP_SECONDS, self.load_end / 3)

    @property
    def window(self):
        return min(WINDOW_SECONDS, self.load_end / 3)


def between(samples, begin, end):
    """Those of a time; where there is none, the one before its end."""
    found = [s for s in samples if begin <= s.at <= end]
    return found or [s for s in samples if s.at <= end][-1:] or samples[:1]


def highest(samples, begin, end):
    return max(s.memory for s in between(samples, begin, end))


class Verdict:
    """What came of one program: figures, and which bounds it broke."""

    def __init__(self, name, samples, phases, bounds):
        self.name, self.samples = name, samples
        at = phases
        warm = highest(samples, at.warm, at.warm + at.window)
        loaded = highest(samples, at.load_end - at.window, at.load_end)
        idle = between(samples, at.idle_begin, at.idle_end)
        idle_window = (at.idle_end - at.idle_begin) / 3
        idle_first = highest(samples, at.idle_begin, at.idle_begin + idle_window)
        idle_last = highest(samples, at.idle_end - idle_window, at.idle_end)
        seconds = max(idle[-1].at - idle[0].at, 1e-9)
        under_load = between(samples, 0, at.load_end)
        self.figures = {
            "start_bytes": samples[0].memory,
            "after_warm_up_bytes": warm,
            "load_end_bytes": loaded,
            "idle_begin_bytes": idle_first,
            "idle_end_bytes": idle_last,
            "store_bytes": max(s.store for s in samples),
            "descriptors_start": samples[0].descriptors,
            "descriptors_most": max(s.descriptors for s in samples),
            "load_log_bytes_per_hour": per_hour(under_load, "log"),
            "idle_log_bytes_per_hour": per_hour(idle, "log"),
            "load_cpu": rate(under_load, "cpu"),
            "idle_cpu": (idle[-1].cpu - idle[0].cpu) / seconds,
        }
        self.broken = list(self._broken(bounds))

    def _broken(self, bounds):
        f = self.figures
        yield from self._above(
            "memory at the end of the load, over that after the warm-up",
            f["load_end_bytes"] - f["after_warm_up_bytes"],
            bounds.load_growth,
        )
        yield from self._above(
            "memory at the end of the idle time, over that at its beginning",
            f["idle_end_bytes"] - f["idle_begin_bytes"],
            bounds.idle_growth,
        )
        yield from self._above("memory of the store", f["store_bytes"], STORE_BYTES)
        yield from self._above(
            "descriptors over those at the start",
            f["descriptors_most"] - f["descriptors_start"],
            bounds.descriptors,
        )
        for phase in "load", "idle":
            yield from self._above(
                f"log in an hour of {phase}", f[f"{phase}_log_bytes_per_hour"], bounds.log_per_hour
            )
        yield from self._above("share of a core while idle", f["idle_cpu"], bounds.idle_cpu)

    def _above(self, what, value, bound):
        if value > bound:
            yield f"{self.name}: {what}: {value:,.4g} is above the bound {bound:,.4g}"


def rate(samples, field):
    """Of a field that only grows, in a second."""
    first, last = samples[0], samples[-1]
    if last.at <= first.at:
        return 0.0
    return (getattr(last, field) - getattr(first, field)) / (last.at - first.at)


def per_hour(samples, field):
    """The same in an hour. A minute's lines are no hour's: below ten minutes it is what there
    was."""
    first, last = samples[0], samples[-1]
    if last.at - first.at < 600:
        return float(getattr(last, field) - getattr(first, field))
    return 3600 * rate(samples, field)


class Watched:
    """A program under test, and what was seen of it."""

    def __init__(self, process, bounds, metrics_address=None):
        self.name, self.bounds = process.name, bounds
        self._process = process
        self._metrics_url = metrics_address and f"http://{metrics_address}/metrics"
        self.samples = []

    def look(self, at):
        if not self._process.running:
            raise BenchError(f"{self.name} has ended; its log is {self._process.log}")
        pid = self._process.pid
        store = int(self.metric("bellwire_registry_store_memory_bytes"))
        self.samples.append(
            Sample(
                at=at,
                memory=proc_stats.user_bytes(pid) - store,
                store=store,
                descriptors=len(os.listdir(f"/proc/{pid}/fd")),
                log=self._process.log.stat().st_size,
                cpu=proc_stats.cpu_seconds(pid),
            )
        )

    def metric(self, name):
        """The value of a metric, with its labels if it has some; 0: this program has none."""
        if self._metrics_url is None:
            return 0.0
        with urllib.request.urlopen(self._metrics_url, timeout=30) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0


class Sender:
    """A backend that sends at a steady rate, and starts anew from time to time."""

    def __init__(self, start):
        self._start = start
        self.accepted = 0
        self.repeated = 0
        self._process = start()
        self._began = time.monotonic()

    def renew_if_old(self):
        if time.monotonic() - self._began < SENDER_LIFE_SECONDS:
            return
        self.stop()
        self._process = self._start()
        self._began = time.monotonic()

    def stop(self):
        """Returns once every message was answered OK."""
        said = self._process.ask("stop", timeout_s=120)
        self.accepted += said["ok"]
        self.repeated += said["repeated"]
        self._process.stop()


class Soak:
    """The whole run."""

    def __init__(self, bench, options):
        self._bench = bench
        self._devices = options.devices
        self._load_seconds = 60 * options.minutes
        self._idle_seconds = 60 * options.idle_minutes
        # A short run is looked at as often as a long one.
        self._sample_seconds = min(SAMPLE_SECONDS, self._load_seconds / 12)
        self._watched = []
        self._start_servers(options.daemons)
        credentials = self._bellwire.provider(APP)
        self._load = load.Load(bench, "bellwire", [self._bellwire.device_address], name="devices")
        bench.progress(f"{self._devices} devices connect and register")
        self._load.connect(self._devices)
        tokens = bench.dir / "devices.tokens"
        self._load.ask("register", app=APP, tokens=tokens)
        app_tokens = self._start_phone()
        self._start_senders = [
            lambda: self._steady("backend", credentials, tokens, options.per_second),
            lambda: self._steady("app_backend", credentials, app_tokens, APP_MESSAGES_PER_SECOND),
        ]
        self._began = time.monotonic()

    def run(self):
        """Answers (Phases, [Verdict], what else there is to say)."""
        self._began = time.monotonic()
        self._look()
        acked_before = self._acked()
        sending = [Sender(start) for start in self._start_senders]
        self._pass("load", self._load_seconds, sending)
        load_end = self._now()
        for sender in sending:
            sender.stop()
        accepted = sum(sender.accepted for sender in sending)
        self._await_acked(acked_before + accepted)
        settle = min(SETTLE_SECONDS, self._idle_seconds / 6)
        self._pass("settling", settle, [])
        idle_begin = self._now()
        self._look()
        self._pass("idle", self._idle_seconds - settle, [])
        self._look()
        phases = Phases(load_end, idle_begin, self._now())
        more = {
            "accepted": accepted,
            "acknowledged": int(self._acked() - acked_before),
            "repeated": sum(sender.repeated for sender in sending),
            "store_on_disk_bytes": sum(
                path.stat().st_size for path in self._bellwire.data_dir.rglob("*") if path.is_file()
            ),
        }
        verdicts = [Verdict(w.name, w.samples, phases, w.bounds) for w in self._watched]
        return phases, verdicts, more

    # --- What runs. ---

    def _start_servers(self, daemons):
        bellwire = servers.Bellwire(self._bench, "server", log_level="info")
        metrics = ["--metrics_listen", "127.0.0.1:0"]
        if daemons:
            started = [
                bellwire.registry(*metrics),
                bellwire.connector("connector", *metrics),
                bellwire.gateway("gateway", *metrics),
            ]
        else:
            started = [bellwire.serve(*metrics)]
        for process in started:
            self._watched.append(
                Watched(process, SERVER_BOUNDS, process.addresses["metrics_address"])
            )
        self._bellwire = bellwire
        self._registry = self._watched[0]

    def _start_phone(self):
        """An agent and an app; answers the file with the app's token."""
        bench = self._bench
        socket, ready = bench.dir / "agent.sock", bench.dir / "agent.ready"
        agent = bench.start(
            "agent",
            [
                bench.program("//device-agent:bellwire-agent"),
                "--server",
                self._bellwire.device_address,
                "--ca",
                self._bellwire.ca,
                "--state_dir",
                bench.dir / "phone",
                "--socket",
                socket,
                "--ready_file",
                ready,
            ],
        )
        agent.wait_file(ready)
        app = bench.start(
            "app",
            [bench.program("//cli:bellwire"), "listen", "--app", APP, "--socket", socket, "--json"],
        )
        token = app.wait_log(r'"token": ?"([0-9a-f]+)"')[1]
        tokens = bench.dir / "app.tokens"
        tokens.write_text(token + "\n", encoding="ascii")
        self._watched.append(Watched(agent, AGENT_BOUNDS))
        return tokens

    def _steady(self, name, credentials, tokens, per_second):
        return self._bench.start(
            name,
            [
                self._bench.program(senders.STEADY_SEND),
                "--server",
                self._bellwire.provider_address,
                "--ca",
                self._bellwire.ca,
                "--credentials",
                credentials,
                "--tokens",
                tokens,
                "--per_second",
                per_second,
            ],
            piped=True,
        )

    # --- What is seen. ---

    def _now(self):
        return time.monotonic() - self._began

    def _look(self):
        for watched in self._watched:
            watched.look(self._now())

    def _acked(self):
        return self._registry.metric('bellwire_registry_steps_total{step="agent_acked"}')

    def _await_acked(self, count):
        """Every message that was answered OK is acknowledged by its device, once."""
        deadline = time.monotonic() + 120
        while self._acked() < count:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{count - self._acked():.0f} messages that were answered OK did "
                    "not reach their devices within 120 s"
                )
            time.sleep(0.2)
        if self._acked() > count:
            raise BenchError("more messages were acknowledged than were sent")

    def _pass(self, name, seconds, sending):
        """Lets the time go by; heartbeats of the devices pace it."""
        end = self._now() + seconds
        said = -1
        while self._now() < end:
            self._heartbeats(min(self._sample_seconds, end - self._now()))
            self._look()
            for sender in sending:
                sender.renew_if_old()
            minute = int((seconds - (end - self._now())) / 60)
            if minute != said:
                said = minute
                self._bench.progress(
                    f"{name}, minute {minute}: "
                    + "; ".join(
                        f"{w.name} {w.samples[-1].memory / MIB:.1f} MiB" for w in self._watched
                    )
                )

    def _heartbeats(self, seconds):
        """Those that are due in this time, evenly; returns when it is over."""
        began = time.monotonic()
        per_second = max(1, self._devices // HEARTBEAT_SECONDS)
        count = max(1, int(seconds * per_second))
        counts = self._load.ask("heartbeats", count=count, per_second=per_second)
        if counts["doubled"]:
            raise BenchError("a message came twice")
        if counts["ready"] < self._devices:
            raise BenchError(
                f"{self._devices - counts['ready']} devices lost their session: "
                f"{counts['last_error']}"
            )
        time.sleep(max(0, began + seconds - time.monotonic()))


def describe(phases, verdicts, more):
    """The figures, for a person."""
    lines = [
        (
            f"load: {phases.load_end / 60:.1f} min, {more['accepted']:,} messages answered OK, "
            f"{more['acknowledged']:,} acknowledged, {more['repeated']:,} sent again; "
            f"then idle: {(phases.idle_end - phases.idle_begin) / 60:.1f} min"
        ),
        f"on disk at the end: {more['store_on_disk_bytes'] / MIB:.0f} MiB",
        "",
    ]
    head = [
        "program",
        "start",
        f"after {phases.warm / 60:.0f} min",
        "end of load",
        "end of idle",
        "store",
        "fds",
        "log/h load",
        "log/h idle",
        "CPU load",
        "CPU idle",
    ]
    rows = [head]
    for verdict in verdicts:
        f = verdict.figures
        rows.append(
            [
                verdict.name,
                *(
                    f"{f[key] / MIB:.1f} MiB"
                    for key in (
                        "start_bytes",
                        "after_warm_up_bytes",
                        "load_end_bytes",
                        "idle_end_bytes",
                        "store_bytes",
                    )
                ),
                f"{f['descriptors_start']} to {f['descriptors_most']}",
                *(
                    f"{f[key] / KIB:.1f} KiB"
                    for key in ("load_log_bytes_per_hour", "idle_log_bytes_per_hour")
                ),
                *(f"{100 * f[key]:.2f} %" for key in ("load_cpu", "idle_cpu")),
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines += [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    lines.append("")
    broken = [text for verdict in verdicts for text in verdict.broken]
    lines += [f"BROKEN  {text}" for text in broken] or ["within all bounds"]
    return "\n".join(lines)


def write_json(path, phases, verdicts, more):
    """Everything: figures and samples."""
    pathlib.Path(path).write_text(
        json.dumps(
            {
                "phases": dataclasses.asdict(phases),
                **more,
                "programs": {
                    v.name: {
                        "figures": v.figures,
                        "broken": v.broken,
                        "samples": [dataclasses.asdict(s) for s in v.samples],
                    }
                    for v in verdicts
                },
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
