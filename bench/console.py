"""What the console costs: deliveries per second beside a page that is open, one that is closed and
none; and how soon a page is told of a step."""
import datetime
import http.client
import json
import statistics
import threading
import time

import proc_stats
import senders
from harness import OURS, BenchError, Goal
from senders import Rig

SUMMARY = (
    "deliveries per second and CPU time of each beside an open console; how soon a page knows a"
    " step"
)
PEERS = []
PROGRAMS = senders.PROGRAMS
GOALS = [
    Goal("open_deliveries_ratio", value_at_least=0.98),
    # Neighbours that do the same lie some 1 % apart.
    Goal("closed_deliveries_ratio", value_at_least=0.98),
    Goal("step_known_p99_ms", value_at_most=200),
]
CONSOLE = ["--console_listen", "127.0.0.1:0"]
NAMES = ["open", "closed", "none"]


class Console:
    """A browser that is logged in, as the server's own administrator."""

    def __init__(self, rig):
        self._host = rig.server.addresses["console_address"]
        self._cookie = None
        self.team = json.loads(rig.credentials.read_text())["team_id"]
        token = (rig.data_dir / "admin.token").read_text().strip()
        connection, answer = self._ask("/api/login", {"name": "admin.token", "token": token})
        self._cookie = answer.headers["set-cookie"].split(";")[0]
        answer.read()
        connection.close()

    def _ask(self, path, body):
        connection = http.client.HTTPConnection(self._host, timeout=60)
        headers = {"content-type": "application/json", "x-bellwire-console": "1"}
        if self._cookie:
            headers["cookie"] = self._cookie
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise BenchError(f"{path}: {answer.status}: {answer.read()[:300]}")
        return connection, answer

    def call(self, method, body):
        connection, answer = self._ask(f"/api/rpc/{method}", body)
        value = json.loads(answer.read())
        connection.close()
        return value

    def live(self, what, body):
        """Data of events as they come, until the caller closes the generator."""
        connection, answer = self._ask(f"/api/live/{what}", body)
        try:
            while line := answer.readline():
                if line.startswith(b"data:"):
                    yield line[5:].strip()
        finally:
            connection.close()

    def send(self, token):
        """A test message, urgent; answers its id."""
        return self.call(
            "SupportService/SendTest",
            {
                "teamId": self.team,
                "message": {
                    "token": token,
                    "payload": "aGVsbG8=",
                    "priority": "PRIORITY_HIGH",
                    "ttl": "3600s",
                },
            },
        )["messageId"]

    def name(self, token, message_id):
        return {
            "team_id": self.team,
            "token": token,
            "message_id": message_id,
            "utc_offset_minutes": 0,
        }


class OpenPage:
    """A page with everything open that a page can have: overview, fleet, receipts of the team that
    the load is of, and a message that waits."""

    def __init__(self, console, token):
        later = (datetime.datetime.utcnow() + datetime.timedelta(days=1)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )
        waits = console.call(
            "SupportService/SendTest",
            {
                "teamId": console.team,
                "message": {
                    "token": token,
                    "payload": "aGVsbG8=",
                    "ttl": "3600s",
                    "deliverAt": later,
                },
            },
        )["messageId"]
        self.events = {}
        self.receipts = 0
        self.left_out = 0
        self._failure = None
        self._ended = False
        self._threads = [
            threading.Thread(target=self._read, args=(console, what, body), daemon=True)
            for what, body in [
                ("overview", {}),
                ("fleet", {}),
                ("receipts", {"team_id": console.team, "cursor": ""}),
                ("message", console.name(token, waits)),
            ]
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, console, what, body):
        try:
            for data in console.live(what, body):
                if self._ended:
                    return
                self.events[what] = self.events.get(what, 0) + 1
                if what == "receipts":
                    self.receipts += data.count(b'"messageId"')
                    self.left_out += data.count(b'"left_out"')
        except (OSError, BenchError, http.client.HTTPException) as error:
            self._failure = error
            return
        if not self._ended:
            self._failure = BenchError(f"the stream {what} ended")

    def close(self):
        self._ended = True
        # Each has an event within seconds, or dies with the server.
        if self._failure is not None:
            raise BenchError(f"the open page: {self._failure}")
        missing = {"overview", "fleet", "receipts", "message"} - set(self.events)
        if missing:
            raise BenchError(f"the open page was told nothing of {missing}")


def step_delays(console, token, count):
    """Milliseconds from each step of `count` messages to a page's knowing of it."""
    delays = []
    for _ in range(count):
        seen = set()
        for data in console.live("message", console.name(token, console.send(token))):
            now = time.time()
            for step in json.loads(data)["story"]["steps"]:
                if step["step"] in seen:
                    continue
                seen.add(step["step"])
                at = datetime.datetime.fromisoformat(step["time"].replace("Z", "+00:00"))
                delays.append(1000 * (now - at.timestamp()))
            if "AGENT_ACKED" in seen:
                break
    return sorted(delays)


def run(bench):
    devices, seconds, warmup, slices, messages = (
        (50, 0.5, 0.2, 3, 5) if bench.quick else (1000, 3, 1, 12, 200)
    )
    for round_number in range(bench.rounds):
        rigs = {
            name: Rig(
                bench,
                OURS,
                devices,
                f"{name}.{round_number}",
                serve_flags=[] if name == "none" else CONSOLE,
            )
            for name in NAMES
        }
        console = Console(rigs["open"])
        token = rigs["open"].tokens[0]
        delays = step_delays(console, token, messages)
        page = OpenPage(console, token)
        rates, cpu = {name: [] for name in NAMES}, {name: [] for name in NAMES}
        began = time.monotonic()
        for number in range(slices):
            # Each is first, second and third in turns.
            for name in NAMES[number % 3 :] + NAMES[: number % 3]:
                before = proc_stats.cpu_seconds(rigs[name].server.pid)
                sent = rigs[name].send(seconds, warmup, mode="stream", in_flight=1000)
                spent = proc_stats.cpu_seconds(rigs[name].server.pid) - before
                rates[name].append(sent.per_second)
                cpu[name].append(spent / sent.sender["succeeded"] * 1e6)
        elapsed = time.monotonic() - began
        page.close()
        for rig in rigs.values():
            rig.stop()
        for name in NAMES:
            bench.sample(f"{name}_deliveries_per_second", "1/s", statistics.median(rates[name]))
            bench.sample(f"{name}_cpu_us", "µs", statistics.median(cpu[name]))
        # Of slices side by side in time.
        for name, other in [("open", "closed"), ("closed", "none")]:
            pairs = [(one, two) for one, two in zip(rates[name], rates[other]) if two > 0]
            if not pairs:
                raise BenchError("nothing was delivered: the slices are too short for this machine")
            bench.sample(
                f"{name}_deliveries_ratio", "×", statistics.median(one / two for one, two in pairs)
            )
        bench.sample("step_known_p50_ms", "ms", delays[len(delays) // 2])
        bench.sample("step_known_p99_ms", "ms", delays[len(delays) * 99 // 100])
        bench.progress(
            f"the page was told {page.receipts / elapsed:.0f} receipts a second, and left some out "
            f"{page.left_out} times; events {page.events}; deliveries {rates}, CPU {cpu}"
        )
