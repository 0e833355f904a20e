"""One message for a million: how fast a fan-out is, and whether others wait for it."""
import itertools
import json
import os
import pathlib
import subprocess
import time
import typing

import load
import proc_stats
import scheduling
import senders
import servers
from harness import OURS, BenchError, Goal
from overload import BATCHES

SUMMARY = (
    "a topic message for 1,000,000 subscribers: its rate beside batches', and single Sends"
    " beside it"
)
PEERS = []
SUBSCRIBERS = "//bench/subscribers:make-subscribers"
PROGRAMS = [*servers.SEPARATE, load.PROGRAM, senders.SEND_LOAD, senders.STEADY_SEND, SUBSCRIBERS]
# Of the single Sends: so many a second.
SINGLE_PER_SECOND = 100
# A registry that takes less of a core, in so many seconds one after another, has nothing to do but
# the single Sends. These are a quarter: each is synced alone.
QUIET = 0.5
SETTLED_SECONDS = 5
# Kills of the servers, by turns, while one message goes to all.
KILLS = 20
GOALS = [
    Goal("single_p99_beside_of_alone", value_at_most=1.5),
    Goal("fan_out_of_batch_rate", value_at_least=0.5),
    Goal("subscribers_left_out", value_at_most=0),
    Goal("subscribers_reached_twice", value_at_most=0),
]


def run(bench):
    subscribers, devices, seconds = (20_000, 20, 1) if bench.quick else (1_000_000, 200, 15)
    town = Town(bench, devices)
    town.make_subscribers(town.team, subscribers)
    for _ in range(bench.rounds):
        town.start()
        batch = town.batch_rate(2 if bench.quick else 5)
        alone = town.singles(seconds)
        message = town.publish()
        time.sleep(0.5)
        began, before = time.monotonic(), town.show(message)
        beside = town.singles(seconds)
        elapsed, after = time.monotonic() - began, town.show(message)
        again = town.singles(seconds) if after["state"] == "DONE" else alone
        rate = (after["sent"] - before["sent"]) / elapsed
        if after["state"] == "DONE" and not bench.quick:
            raise BenchError(
                "the fan-out was over before the Sends beside it: make more subscribers"
            )
        p99_alone = (alone["p99_us"] + again["p99_us"]) / 2000
        bench.progress(
            f"batches {batch:,.0f}/s; fan-out {rate:,.0f}/s; single Sends p50"
            f" {alone['p50_us'] / 1000:.2f} ms, p99 {p99_alone:.2f} ms alone;"
            f" {beside['p50_us'] / 1000:.2f} and {beside['p99_us'] / 1000:.2f} ms beside it"
        )
        for metric, unit, value in [
            ("batch_messages_per_second", "1/s", batch),
            ("fan_out_messages_per_second", "1/s", rate),
            ("fan_out_of_batch_rate", "×", rate / batch),
            ("single_p50_alone", "ms", alone["p50_us"] / 1000),
            ("single_p99_alone", "ms", p99_alone),
            ("single_p50_beside", "ms", beside["p50_us"] / 1000),
            ("single_p99_beside", "ms", beside["p99_us"] / 1000),
            ("single_p99_beside_of_alone", "×", beside["p99_us"] / 1000 / p99_alone),
            ("gateway_peak_mb", "MB", town.peak("gateway") / 1e6),
            ("registry_peak_mb", "MB", town.peak("registry") / 1e6),
        ]:
            bench.sample(metric, unit, value)
        town.recall(message)
        town.stop()
    through_kills(bench, town, subscribers)
    bench.note(
        f"{subscribers:,} subscribers that never connect; batches and single Sends go to"
        f" {devices} other devices, which are connected; gateway, registry and connector are"
        " processes of their own; devices and senders have one processor, on which the single"
        " Sends go first"
    )


def through_kills(bench, town, subscribers):
    """One message to all while servers are killed: what lies in the mailboxes afterwards."""
    wanted = 3 if bench.quick else KILLS
    before = town.messages_in_mailboxes()
    town.start_servers()
    began, kills = time.monotonic(), 0
    message = town.publish()
    for name in itertools.cycle(["gateway", "registry", "connector"]):
        town.await_sent(message, subscribers * kills // wanted)
        if kills == wanted:
            break
        town.kill_and_restart(name)
        kills += 1
    shown = town.await_done(message)
    elapsed = time.monotonic() - began
    town.stop_servers()
    reached = town.messages_in_mailboxes() - before
    bench.progress(
        f"{kills} kills: {shown['sent']:,} sent in {elapsed:.0f} s, {reached:,} in mailboxes"
    )
    # A device has one message of it at most, or it has it twice.
    bench.sample("subscribers_left_out", "", max(0, subscribers - reached))
    bench.sample("subscribers_reached_twice", "", max(0, reached - subscribers))
    bench.sample("fan_out_through_kills", "s", elapsed)


class Team(typing.NamedTuple):
    team_id: str
    app_id: str
    credentials: pathlib.Path


class Town:
    """Servers with a topic of many subscribers, a few devices that are connected, and their
    backend."""

    def __init__(self, bench, devices):
        self._bench = bench
        self._count = devices
        self._runs = 0
        self._bellwire = servers.Bellwire(bench, "topics.server")
        self.team = self.make_team("bench")

    def make_team(self, name):
        """A team with an app, and a key in its credentials. REQUIRES: no server runs."""
        self.start_servers()
        team = Team(
            team_id=self.command("team", "create", name)["team_id"],
            app_id=f"com.example.{name}",
            credentials=self._bench.dir / f"{name}.credentials",
        )
        self.command("app", "create", team.app_id, "--team", team.team_id)
        self.command("key", "create", "--team", team.team_id, "--out", team.credentials)
        self.stop_servers()
        return team

    def make_subscribers(self, team, count, first=0):
        """So many devices that never connect, each subscribed to the topic `news`. REQUIRES: no
        server runs."""
        out = self._bench.run(
            f"make_subscribers.{first}",
            [
                self._bench.program(SUBSCRIBERS),
                "--data_dir",
                self._bellwire.data_dir,
                "--team",
                team.team_id,
                "--app",
                team.app_id,
                "--topic",
                "news",
                "--count",
                count,
                "--first",
                first,
            ],
            timeout_s=3600,
        )
        self._bench.progress(f"{count:,} subscribers made in {json.loads(out)['seconds']} s")

    def start_servers(self):
        self.processes = {
            "registry": self._bellwire.registry(),
            "connector": self._bellwire.connector(),
            "gateway": self._bellwire.gateway(),
        }

    def stop_servers(self):
        for name in ("gateway", "connector", "registry"):
            self.processes[name].stop()

    def kill_and_restart(self, name):
        """With SIGKILL, and at the address that it had."""
        process = self.processes[name]
        process.kill()
        start = {
            "registry": self._bellwire.registry,
            "connector": self._bellwire.connector,
            "gateway": self._bellwire.gateway,
        }[name]
        address = {
            "registry": "internal_address",
            "connector": "device_address",
            "gateway": "provider_address",
        }[name]
        self.processes[name] = start(listen=process.addresses[address])

    def messages_in_mailboxes(self):
        return self.check_store().get("messages in mailboxes", 0)

    def check_store(self):
        """How many records there are of each kind. REQUIRES: no server runs."""
        out = self._bench.run(
            "check",
            [
                self._bench.program("//cli:bellwire"),
                "registry",
                "check",
                "--data_dir",
                self._bellwire.data_dir,
                "--json",
            ],
            timeout_s=1800,
        )
        report = json.loads(out)
        if not report["sound"]:
            raise BenchError(f"the store is damaged: {report['problems'][:3]}")
        return report["records"]

    def command(self, *arguments):
        return self._bellwire.command(*arguments)

    def _topic(self, team, *arguments):
        out = subprocess.run(
            [str(self._bench.program("//cli:bellwire")), "topic", *map(str, arguments), "--json"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "BELLWIRE_SERVER": self._bellwire.provider_address,
                "BELLWIRE_DATA_DIR": str(self._bellwire.data_dir),
                "BELLWIRE_CREDENTIALS": str(team.credentials),
            },
        ).stdout
        return json.loads(out)

    def start(self):
        """The servers, the devices, and the backend of the single Sends."""
        self._runs += 1
        self.start_servers()
        self._devices = load.Load(
            self._bench, OURS, [self._bellwire.device_address], name=f"devices{self._runs}"
        )
        self._devices.connect(self._count)
        self._tokens = self._bench.dir / f"tokens{self._runs}"
        self._devices.ask("register", app=self.team.app_id, tokens=self._tokens)
        self._sender = senders.start_steady(
            self._bench, self._bellwire, self.team.credentials, self._tokens, SINGLE_PER_SECOND
        )
        time.sleep(0.2)  # Threads that start later are where their maker was.
        for server in self.processes.values():
            scheduling.keep_apart(self._devices, server)
        scheduling.keep_apart(self._sender, self.processes["gateway"])

    def batch_rate(self, seconds):
        """Messages a second that are taken of a backend that sends batches as fast as it is
        answered."""
        process = self._bench.start(
            f"batches{self._runs}",
            [
                self._bench.program(senders.SEND_LOAD),
                "--server",
                self._bellwire.provider_address,
                "--ca",
                self._bellwire.ca,
                "--credentials",
                self.team.credentials,
                "--tokens",
                self._tokens,
                "--seconds",
                seconds,
                "--payload_bytes",
                senders.PAYLOAD_BYTES,
                "--in_flight",
                20,
                *(f"--{name}={value}" for name, value in BATCHES.items()),
            ],
            piped=True,
        )
        time.sleep(0.2)
        scheduling.keep_apart(process, self.processes["gateway"])
        scheduling.give_way(process)
        rate = json.loads(process.wait())["messages_per_second"]
        self.settle()
        return rate

    def settle(self):
        """Until the registry has delivered what was queued and has compacted what was written: it
        takes less than QUIET of a core for SETTLED_SECONDS. A million subscribers leave it minutes
        of that."""
        registry, deadline, quiet = self.processes["registry"], time.monotonic() + 600, 0
        while quiet < (1 if self._bench.quick else SETTLED_SECONDS):
            if time.monotonic() > deadline:
                raise BenchError("the registry does not come to rest")
            before = proc_stats.cpu_seconds(registry.pid)
            time.sleep(1)
            quiet = quiet + 1 if proc_stats.cpu_seconds(registry.pid) - before < QUIET else 0

    def singles(self, seconds):
        """What the single Sends saw for so long."""
        self._sender.ask("report")
        time.sleep(seconds)
        return self._sender.ask("report")

    def publish(self, team=None):
        return self._topic(
            team or self.team, "send", "--topic", "news", "--text", "x" * senders.PAYLOAD_BYTES
        )["message_id"]

    def show(self, message, team=None):
        return self._topic(team or self.team, "show", message)

    def recall(self, message):
        """What is left of it would run beside the next round."""
        self._topic(self.team, "recall", message)
        self.await_done(message)

    def await_done(self, message, team=None):
        """Until its fan-out has ended; answers what `topic show` says then."""
        return self._await(message, lambda shown: "end_time" in shown, team)

    def await_sent(self, message, count):
        self._await(message, lambda shown: shown["sent"] >= count)

    def _await(self, message, reached, team=None):
        deadline = time.monotonic() + 1800
        while True:
            try:
                shown = self.show(message, team)
                if reached(shown):
                    return shown
            except subprocess.CalledProcessError:
                pass  # A server that was killed is not back yet.
            if time.monotonic() > deadline:
                raise BenchError("the fan-out did not come so far")
            time.sleep(0.2)

    def peak(self, name):
        return proc_stats.peak_resident_bytes(self.processes[name].pid)

    def stop(self):
        self._sender.ask("stop")
        self._sender.stop()
        self._devices.stop()
        self.stop_servers()
