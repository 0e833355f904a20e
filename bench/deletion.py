"""A team that is deleted with a message for each of 100,000 devices, beside another team's
Sends."""
import subprocess
import time

import proc_stats
import topics
from harness import BenchError, Goal

SUMMARY = (
    "a team of 100,000 devices is deleted: single Sends of another team beside it, memory, and a"
    " kill"
)
PEERS = []
PROGRAMS = topics.PROGRAMS
GOALS = [
    Goal("single_p99_beside_of_alone", value_at_most=1.5),
    Goal("registrations_left", value_at_most=0),
    Goal("messages_left", value_at_most=0),
]


def run(bench):
    doomed_devices, devices, seconds = (2_000, 20, 1) if bench.quick else (100_000, 200, 10)
    town = topics.Town(bench, devices)
    for number in range(bench.rounds):
        doomed = town.make_team(f"doomed{number}")
        town.make_subscribers(doomed, doomed_devices, first=number * doomed_devices)
        before = town.check_store()
        town.start()
        town.await_done(town.publish(doomed), doomed)
        town.settle()
        alone = town.singles(seconds)
        proc_stats.reset_peak(town.processes["registry"].pid)
        memory = town.peak("registry")
        town.command("team", "delete", doomed.team_id)
        began = time.monotonic()
        beside = town.singles(seconds)
        grown = town.peak("registry") - memory
        town.kill_and_restart("registry")
        await_gone(town, doomed)
        elapsed = time.monotonic() - began
        town.stop()
        after = town.check_store()
        ratio = beside["p99_us"] / alone["p99_us"]
        bench.progress(
            f"single Sends p50 {alone['p50_us'] / 1000:.2f} ms, p99 {alone['p99_us'] / 1000:.2f} ms"
            f" alone; {beside['p50_us'] / 1000:.2f} and {beside['p99_us'] / 1000:.2f} ms beside;"
            f" registry {grown / 1e6:+.1f} MB; all gone after {elapsed:.0f} s, with one kill -9"
        )
        bench.sample("single_p99_alone", "ms", alone["p99_us"] / 1000)
        bench.sample("single_p99_beside", "ms", beside["p99_us"] / 1000)
        bench.sample("single_p99_beside_of_alone", "×", ratio)
        bench.sample("registry_grown_mb", "MB", grown / 1e6)
        bench.sample("deletion_seconds", "s", elapsed)
        # The store had the doomed team's registrations before, and has this round's devices of the
        # other team besides.
        bench.sample(
            "registrations_left",
            "",
            after.get("registrations", 0) - (before["registrations"] - doomed_devices) - devices,
        )
        bench.sample("messages_left", "", after.get("messages in mailboxes", 0))


def await_gone(town, doomed):
    """Until nothing of the team is left, as `team delete --dry_run` says."""
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        try:
            town.command("team", "delete", doomed.team_id, "--dry_run")
        except subprocess.CalledProcessError as error:
            # Else the registry that was killed is not back yet.
            if "TEAM_NOT_FOUND" in error.stdout + error.stderr:
                return
        time.sleep(5)
    raise BenchError("the deletion does not end")
