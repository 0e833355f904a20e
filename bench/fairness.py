"""A quiet team beside noisy ones: what one tenant can do to another."""
import json
import time

import load
import scheduling
import senders
import servers
from harness import OURS, BenchError, Goal
from overload import BATCHES

SUMMARY = (
    "a team that sends 10 messages a second beside one, ten and a hundred that together send three"
    " times what the server takes"
)
PEERS = []
PROGRAMS = [*senders.PROGRAMS, senders.STEADY_SEND]
NOISY = [1, 10, 100]
QUIET_PER_SECOND = 10
# What the quiet team's p99 may be: so many times what it is alone, and so much more.
TIMES_ALONE, MORE_MS = 2, 5
GOALS = [
    goal
    for noisy in NOISY
    for goal in (
        Goal(f"quiet_p99_of_bound_beside_{noisy}", value_at_most=1),
        Goal(f"quiet_refused_beside_{noisy}", value_at_most=0),
    )
]


def run(bench):
    devices, seconds, warmup, most = (20, 2, 0.5, 10) if bench.quick else (200, 30, 3, max(NOISY))
    town = Town(bench, devices, most)
    for round_number in range(bench.rounds):
        capacity = town.capacity(2 if bench.quick else 5, warmup)
        bench.sample("capacity_per_second", "1/s", capacity)
        for noisy in bench.contenders(round_number, *NOISY):
            alone = town.quiet_for(seconds)
            beside = town.quiet_for(seconds, warmup, min(noisy, most), 3 * capacity)
            report(bench, noisy, alone, beside)
    town.stop()
    bench.note(
        "latency is that of the quiet team's Sends, from the call to the answer; the server has a"
        " processor of its own, and devices and senders share the other, on which the quiet team"
        " goes first"
    )


def report(bench, noisy, alone, beside):
    alone_ms, beside_ms = alone["p99_us"] / 1000, beside["p99_us"] / 1000
    bound_ms = TIMES_ALONE * alone_ms + MORE_MS
    share = beside["noisy_refused"] / max(1, beside["noisy_sent"])
    bench.progress(
        f"beside {noisy}: p50 {beside['p50_us'] / 1000:.2f} ms, p99 {beside_ms:.2f} ms; alone"
        f" {alone['p50_us'] / 1000:.2f} and {alone_ms:.2f} ms; {beside['refused']} of"
        f" {beside['calls']} refused; of the noisy {100 * share:.0f} %,"
        f" {beside['noisy_per_second']:,.0f}/s taken"
    )
    for metric, unit, value in [
        ("quiet_p99_alone_before", "ms", alone_ms),
        ("quiet_p99_beside", "ms", beside_ms),
        ("quiet_p50_beside", "ms", beside["p50_us"] / 1000),
        ("quiet_p99_of_bound_beside", "×", beside_ms / bound_ms),
        ("quiet_refused_beside", "", beside["refused"] + alone["refused"]),
        ("noisy_refused_share_beside", "%", 100 * share),
        ("noisy_taken_per_second_beside", "1/s", beside["noisy_per_second"]),
    ]:
        bench.sample(f"{metric}_{noisy}", unit, value)


class Town:
    """A server, devices that have the apps of all teams, and the teams."""

    def __init__(self, bench, devices, noisy):
        self._bench = bench
        self._bellwire = servers.Bellwire(bench, "fairness.server")
        self.server = self._bellwire.serve()
        self._devices = load.Load(
            bench, OURS, [self._bellwire.device_address], name="fairness.devices"
        )
        self._devices.connect(devices)
        self._quiet = self._team("quiet", 1)[0]
        self._noisy = self._team("noisy", noisy)
        self._runs = 0
        # As the teams' own machines do, this one's sender starts at once when it is due.
        credentials, tokens = self._quiet
        self._sender = senders.start_steady(
            bench, self._bellwire, credentials, tokens, QUIET_PER_SECOND
        )
        scheduling.keep_apart(self._devices, self.server)
        scheduling.keep_apart(self._sender, self.server)

    def _team(self, name, count):
        """Makes teams, each with an app on every device; answers the files of (credentials, tokens)
        of each."""
        teams = []
        for i in range(count):
            app = f"com.example.{name}{i}"
            made = self._bellwire.command("team", "create", f"{name}{i}")["team_id"]
            self._bellwire.command("app", "create", app, "--team", made)
            credentials = self._bench.dir / f"{name}{i}.credentials"
            self._bellwire.command("key", "create", "--team", made, "--out", credentials)
            tokens = self._bench.dir / f"{name}{i}.tokens"
            self._devices.ask("register", app=app, tokens=tokens)
            teams.append((credentials, tokens))
        return teams

    def _start_noise(self, teams, seconds, **arguments):
        self._runs += 1
        files = [",".join(str(team[i]) for team in self._noisy[:teams]) for i in (0, 1)]
        arguments = {**BATCHES, "channels": max(1, BATCHES["channels"] // teams), **arguments}
        process = self._bench.start(
            f"fairness.noise{self._runs}",
            [
                self._bench.program(senders.SEND_LOAD),
                "--server",
                self._bellwire.provider_address,
                "--ca",
                self._bellwire.ca,
                "--credentials",
                files[0],
                "--tokens",
                files[1],
                "--seconds",
                seconds,
                "--warmup_seconds",
                0,
                "--payload_bytes",
                senders.PAYLOAD_BYTES,
                *(f"--{name}={value}" for name, value in arguments.items()),
            ],
            piped=True,
        )
        time.sleep(0.2)  # Threads that start later are where their maker was.
        scheduling.keep_apart(process, self.server)
        scheduling.give_way(process)
        return process

    def capacity(self, seconds, warmup):
        """Messages a second that one team gets taken when more come."""
        closed = self._noise_rate(seconds + warmup, in_flight=1000)
        return self._noise_rate(seconds + warmup, rate=2 * closed)

    def _noise_rate(self, seconds, **arguments):
        return json.loads(self._start_noise(1, seconds, **arguments).wait())["messages_per_second"]

    def quiet_for(self, seconds, warmup=0, noisy=0, rate=0):
        """What the quiet team saw for so long, beside so many others that send at this rate
        together."""
        noise = self._start_noise(noisy, seconds + warmup, rate=rate) if noisy else None
        time.sleep(warmup)
        before = self._sender.ask("report")
        time.sleep(seconds)
        after = self._sender.ask("report")
        seen = {
            "p50_us": after["p50_us"],
            "p99_us": after["p99_us"],
            "calls": after["calls"],
            "refused": after["repeated"] - before["repeated"],
        }
        if noise is not None:
            said = json.loads(noise.wait())
            if said["failed"] != said["refused"]:
                raise BenchError(
                    f"{said['failed'] - said['refused']} messages failed in another way than "
                    "RESOURCE_EXHAUSTED with RetryInfo"
                )
            seen.update(
                noisy_sent=said["succeeded"] + said["failed"],
                noisy_refused=said["refused"],
                noisy_per_second=said["messages_per_second"],
            )
            time.sleep(1)  # What is queued is delivered.
        return seen

    def stop(self):
        self._sender.ask("stop")
        for process in (self._sender, self._devices, self.server):
            process.stop()
