"""What every bench of tools/bench is written against: processes, samples, progress.

A bench is a module of this folder:

    SUMMARY = "one line for tools/bench --list"
    PROGRAMS = ["//cli:bellwire", ...]      Bazel labels that it runs; built before it starts
    PEERS = ["mosquitto", ...]              who is measured beside us
    GOALS = [Goal("user_bytes_per_device", peer="openssl", ratio_at_most=1.10), ...]

    def run(bench): ...                     bench is a Bench

`run` starts processes, measures ours and the peers' in turns, `bench.rounds` times, and hands in
what it measured with `bench.sample`. Nothing else is needed: medians, tables, JSON and files come
from that. Samples of the same metric by different contenders are compared.
"""
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import report

OURS = "bellwire"


class BenchError(Exception):
    """Something did not work that has nothing to do with how fast it is. The text is for a
    person."""


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a metric must reach: its ratio to a peer's, or its value. See Result.verdict."""

    metric: str
    peer: str | None = None
    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    value_at_least: float | None = None
    value_at_most: float | None = None

    def text(self):
        for name, sign in [("at_least", "≥"), ("at_most", "≤")]:
            ratio, value = getattr(self, "ratio_" + name), getattr(self, "value_" + name)
            if ratio is not None:
                return f"{sign} {ratio:.2f} ×"
            if value is not None:
                return f"{sign} {value:g}"
        raise ValueError(self)

    def reached_by(self, result):
        checks = [
            (result.ratio, self.ratio_at_least, self.ratio_at_most),
            (result.value, self.value_at_least, self.value_at_most),
        ]
        return all(
            (least is None or got >= least) and (most is None or got <= most)
            for got, least, most in checks
        )


@dataclasses.dataclass
class Result:
    """One line of the table. `value` and `peer_value` are medians over the rounds; `spread` and
    `peer_spread` are (least, most)."""

    bench: str
    metric: str
    unit: str
    value: float
    spread: tuple
    peer: str | None = None
    peer_value: float | None = None
    peer_spread: tuple | None = None
    goal: Goal | None = None

    @property
    def ratio(self):
        return self.value / self.peer_value if self.peer_value else None

    @property
    def verdict(self):
        """True or False: whether the goal was reached. None: there is none."""
        return None if self.goal is None else self.goal.reached_by(self)

    def line(self):
        """The result as one line of JSON."""
        return json.dumps(
            {
                "bench": self.bench,
                "metric": self.metric,
                "unit": self.unit,
                "value": self.value,
                "peer": self.peer,
                "peer_value": self.peer_value,
                "ratio": self.ratio,
            }
        )


class Process:
    """A program that a bench started. Its stdout and stderr go to `log`, unless stdout is piped.
    It dies with tools/bench, whatever happens to that."""

    def __init__(self, name, argv, log, env=None, piped=False, cwd=None):
        self.name = name
        self.log = pathlib.Path(log)
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else sink,
                stderr=sink,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                preexec_fn=_die_with_parent,
                text=True,
            )
        self.pid = self._process.pid

    @property
    def running(self):
        return self._process.poll() is None

    def ask(self, command, timeout_s=600):
        """Writes a line to the program's stdin and answers the JSON object that it writes to its
        stdout. REQUIRES: piped."""
        if not self.running:
            raise self._died("has ended")
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self.read_json(timeout_s)

    def send(self, command):
        """As ask, but the answer is fetched later, with read_json."""
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def read_json(self, timeout_s=600):
        """The next line of stdout, a JSON object. REQUIRES: piped."""
        with _Alarm(timeout_s, lambda: self._died(f"said nothing for {timeout_s} s")):
            line = self._process.stdout.readline()
        if not line:
            raise self._died("ended without an answer")
        answer = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    def wait_file(self, path, timeout_s=60):
        """Waits until the program has written the JSON file `path`; answers what is in it."""
        path = pathlib.Path(path)
        self._wait(path.exists, f"did not write {path.name}", timeout_s)
        return json.loads(path.read_text(encoding="utf-8"))

    def wait_log(self, pattern, timeout_s=60):
        """Waits for a line in its log; answers the match."""
        found = []

        def look():
            match = re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace"))
            found.append(match)
            return match is not None

        self._wait(look, f"did not log {pattern!r}", timeout_s)
        return found[-1]

    def wait_listening(self, port, timeout_s=60):
        """Waits until something listens on the TCP port, for programs that don't tell."""
        hexadecimal = f":{port:04X} "

        def look():
            return any(
                hexadecimal in row and " 0A " in row
                for name in ("tcp", "tcp6")
                if os.path.exists(f"/proc/net/{name}")
                for row in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()
            )

        self._wait(look, f"does not listen on port {port}", timeout_s)

    def wait(self, timeout_s=600):
        """Waits for its end; answers its stdout if piped. BenchError if it failed."""
        try:
            out, _ = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise self._died(f"did not end within {timeout_s} s") from None
        if self._process.returncode != 0:
            raise self._died(f"failed with {self._process.returncode}")
        return out

    def terminate(self):
        self._process.terminate()

    def kill(self):
        """SIGKILL; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s=20):
        """SIGTERM, and SIGKILL for who doesn't hear it. Returns when it is gone."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def _wait(self, condition, what, timeout_s):
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self.running:
                raise self._died("ended")
            if time.monotonic() > deadline:
                raise self._died(f"{what} within {timeout_s} s")
            time.sleep(0.01)

    def _died(self, what):
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        return BenchError("\n  ".join([f"{self.name} {what}; its log ends with:", *tail]))


class Bench:
    """One bench while it runs."""

    def __init__(self, name, module, options):
        self.name = name
        self.module = module
        # A size that proves that it works, and measures nothing.
        self.quick = options.quick
        # How often each contender is measured.
        self.rounds = 1 if options.quick and not options.rounds else options.rounds or 3
        # Scratch space, removed afterwards.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"bellwire-bench-{name}."))
        self.notes = []
        self.curves = []
        self._bin_dir = pathlib.Path(options.bin_dir)
        self._install = options.install
        self._show = options.show
        self._processes = []
        self._samples = {}
        self._units = {}
        self._keep_logs = options.keep_logs

    # --- Measuring. ---

    def contenders(self, round_number, *names):
        """The names in the order of this round: turned round each time, so that nobody always goes
        first."""
        return list(names) if round_number % 2 == 0 else list(reversed(names))

    def sample(self, metric, unit, value, who=OURS):
        """Hands in one measured value: of ours, or of the peer `who`."""
        self._units.setdefault(metric, unit)
        self._samples.setdefault(metric, {}).setdefault(who, []).append(float(value))

    def median(self, metric, who=OURS):
        return statistics.median(self._samples[metric][who])

    def curve(self, name, title, x_label, y_label, series, log_x=False, log_y=False):
        """A plot: `series` is {label: [(x, y), ...]}. Goes to NAME.svg where plots are asked
        for."""
        self.curves.append(
            dict(
                name=name,
                title=title,
                x_label=x_label,
                y_label=y_label,
                series=series,
                log_x=log_x,
                log_y=log_y,
            )
        )

    def note(self, text):
        """A remark that belongs under the table: what differed, what was left out."""
        self.notes.append(text)
        self.progress(text)

    def results(self):
        """What the samples come to: a Result a metric and peer."""
        out = []
        goals = {(g.metric, g.peer): g for g in getattr(self.module, "GOALS", [])}
        for metric, by_contender in self._samples.items():
            if OURS not in by_contender:
                continue
            ours = by_contender[OURS]
            base = dict(
                bench=self.name,
                metric=metric,
                unit=self._units[metric],
                value=statistics.median(ours),
                spread=(min(ours), max(ours)),
            )
            peers = [who for who in by_contender if who != OURS]
            for who in peers:
                theirs = by_contender[who]
                out.append(
                    Result(
                        **base,
                        peer=who,
                        peer_value=statistics.median(theirs),
                        peer_spread=(min(theirs), max(theirs)),
                        goal=goals.get((metric, who)),
                    )
                )
            if not peers or (metric, None) in goals:
                out.append(Result(**base, goal=goals.get((metric, None))))
        return out

    # --- Running things. ---

    def program(self, label):
        """The path of a built program, such as "//cli:bellwire". It must be in PROGRAMS."""
        if label not in self.module.PROGRAMS:
            raise ValueError(f"{label} is not in PROGRAMS of {self.name}")
        path = self._bin_dir / label.removeprefix("//").replace(":", "/")
        if not path.exists():
            raise BenchError(f"there is no {path}; was it built?")
        return path

    def start(self, name, argv, **options):
        """Starts a Process; it is stopped at the end of the bench at the latest."""
        process = Process(name, argv, self.dir / f"{name}.log", **options)
        self._processes.append(process)
        return process

    def run(self, name, argv, timeout_s=600, **options):
        """Runs a program to its end; answers its stdout."""
        return self.start(name, argv, piped=True, **options).wait(timeout_s)

    def tool(self, name):
        """The path of a program of a Debian package, or None. None means: leave that peer out, and
        happens only where nothing may be installed (--bin_dir, as in the smoke tests)."""
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if found is None:
            if self._install:
                raise BenchError(
                    f"there is no {name}; tools/packages-bench.txt should name its package"
                )
            self.note(f"left out: {name} is not installed")
        return found

    def progress(self, text):
        """Says on stderr what is going on."""
        self._show(f"{self.name}: {text}")

    def close(self, failed):
        for process in reversed(self._processes):
            process.stop(timeout_s=1 if failed else 20)
        if self._keep_logs or failed:
            print(f"logs: {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def build(root, packages, labels):
    """Installs the lists of packages, and builds with --config=opt; answers the programs'
    folder."""
    subprocess.run([str(root / "tools/setup"), *packages], cwd=root, check=True)
    print("building with --config=opt ...", file=sys.stderr)
    subprocess.run(
        ["bazel", "build", "--config=opt", *labels], cwd=root, check=True, stdout=sys.stderr
    )
    info = subprocess.run(
        ["bazel", "info", "--config=opt", "bazel-bin"],
        cwd=root,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return info.stdout.strip()


def progress_shower():
    """What says on stderr how far we are, with the time since now."""
    start = time.monotonic()

    def show(text):
        stamp = f"[{time.monotonic() - start:6.1f} s]"
        print(report.paint(f"{stamp} {text}", "2", sys.stderr), file=sys.stderr, flush=True)

    return show


class _Alarm:
    """Raises what `error()` answers if the block takes longer than `seconds`."""

    def __init__(self, seconds, error):
        self._seconds, self._error = seconds, error

    def __enter__(self):
        def expired(_signal, _frame):
            raise self._error()

        self._before = signal.signal(signal.SIGALRM, expired)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)
