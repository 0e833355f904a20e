#!/usr/bin/python3
"""Runs every command of `bellwire` with --json against a real server and a real phone, and holds
each answer against docs/reference/command_line_json.md. What shows or lists something is also asked
for people, on a terminal of 80 columns.

    json_test.py     in the runfiles of //cli:json_test
"""
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import json_shapes  # pylint: disable=wrong-import-position

PAGE = "docs/reference/command_line_json.md"
PROGRAM = os.path.abspath("cli/bellwire")
AGENT = os.path.abspath("device-agent/bellwire-agent")
POSTGRES = "/usr/lib/postgresql/15/bin/"
# A daemon; its addresses are in its ready file.
WITHOUT_JSON = {"serve"}
# With --json in other tests: one starts a browser (tests/doors/firefox), the other needs a registry
# that shares its database (tests/integration/database_test.cc).
RUN_ELSEWHERE = {"companion firefox try", "fleet drain"}
# What shows something to a person.
SHOWING = {"list", "show", "status", "enrolments", "doctor", "audit", "trace", "plan", "version"}
COLUMNS = 80
APP = "com.example.mail"
PATIENCE_S = 60


def walk(command, path=()):
    """(path, names of its options) of each command that does something."""
    named = [inner for inner in command["commands"] if inner["name"]]
    # Groups of options are commands without a name for CLI11.
    parts = [command, *(inner for inner in command["commands"] if not inner["name"])]
    if not named:
        yield " ".join(path), {
            name for part in parts for option in part["options"] for name in option["names"]
        }
    for inner in named:
        yield from walk(inner, (*path, inner["name"]))


def until(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.05)
    return answer


class Box:
    """A server, a phone, and a person who types commands."""

    def __init__(self, page, root):
        self.page, self.root = page, pathlib.Path(root)
        self.ran, self.failures, self.processes = set(), [], []
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8"}

    def path(self, name):
        return str(self.root / name)

    def start(self, name, argv, ready=None):
        with open(self.path(name + ".log"), "ab") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=self.environment)
        self.processes.append(process)
        if not ready:
            return process, {}

        def is_ready():
            assert (
                process.poll() is None
            ), f"{name} ended: {pathlib.Path(self.path(name + '.log')).read_text()}"
            return os.path.exists(ready)

        until(f"{name}'s ready file", is_ready)
        return process, json.loads(pathlib.Path(ready).read_text(encoding="utf-8"))

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        self.processes.remove(process)

    def end(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def run(self, command, *arguments, stdin="", codes=(0,), show=True):
        """What a command answers with --json: a list of values. It is held against the page."""
        argv = [PROGRAM, *command.split(), *map(str, arguments)]
        done = subprocess.run(
            [*argv, "--json"],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=PATIENCE_S,
        )
        self.ran.add(command)
        if done.returncode not in codes:
            self.failures.append(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
            return []
        wrong = self.page.check(command, done.stdout)
        if wrong:
            self.failures.append(f"{command}: {wrong}\n    {done.stdout[:600]}")
        if show and command.split()[-1] in SHOWING:
            self.show(argv, stdin)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def show(self, argv, stdin):
        """The same for a person: no line is wider than the terminal but for a word that is
        longer."""
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**self.environment, "COLUMNS": str(COLUMNS)},
            timeout=PATIENCE_S,
        )
        if done.returncode not in (0, 1):
            self.failures.append(f"{argv[1:]}: exit {done.returncode}: {done.stderr}")
        for line in done.stdout.splitlines():
            if len(line) > COLUMNS and len(max(line.split(), key=len)) < COLUMNS // 2:
                self.failures.append(f"{argv[1:]}: {len(line)} columns: {line}")

    def fails(self, command, *arguments):
        """A command that is refused says so as the page has it."""
        done = subprocess.run(
            [PROGRAM, *command.split(), *arguments, "--json"],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=PATIENCE_S,
        )
        assert done.returncode != 0 and done.stdout == "", done
        wrong = self.page.fits(("named", "Error"), json.loads(done.stderr.splitlines()[-1]))
        if wrong:
            self.failures.append(f"{command}, refused: {wrong}")


def server_machine(box):
    """What needs no server, and the directory of one."""
    data = box.path("data")
    box.run("version")
    box.run("init", "--data_dir", data)
    box.run("init", "--data_dir", data, "--repair")
    fleet = box.path("fleet")
    box.run("init", "--data_dir", fleet, "--fleet")
    box.run("cert renew", "--data_dir", data)
    box.run("cert renew", "--data_dir", fleet)
    box.run("cert add-name", "push.example.com", "--data_dir", data)
    box.run("cert show", "--data_dir", data)
    box.run("cert show", "--data_dir", fleet)
    config = pathlib.Path(box.path("server.conf"))
    config.write_text(f"data_dir = {data}\n", encoding="utf-8")
    box.run("config check", config)
    box.run("config show", "server", "--file", config)
    box.run(
        "admin create",
        "alice",
        "--role",
        "operator",
        "--data_dir",
        data,
        "--out",
        box.path("alice"),
    )
    box.run("admin list", "--data_dir", data)
    box.run("admin remove", "alice", "--data_dir", data)
    key_file = box.path("payload.keys")
    box.run("registry key create", "--payload_key_file", key_file)
    box.run("registry key rotate", "--payload_key_file", key_file)
    box.run("fleet plan", "--devices", 1000000, "--messages_a_day", 20000000)
    return data, key_file


def teams(box, admin):
    """Answers a team and its credentials."""
    [made] = box.run("team create", "Example", *admin)
    team = made["team_id"]
    box.run("team list", *admin)
    box.run("team set", team, "--apns_store_one", "on", *admin)
    box.run("app create", APP, "--team", team, *admin)
    box.run("app create", "com.example.short", "--team", team, *admin)
    box.run("app list", "--team", team, *admin)
    box.run("app delete", "com.example.short", "--dry_run", *admin)
    box.run("app delete", "com.example.short", *admin)
    credentials = box.path("cred.json")
    box.run("key create", "--team", team, "--out", credentials, *admin)
    box.run("key create", "--team", team, "--send_only", *admin)
    [fcm] = box.run("key create", "--team", team, "--fcm", "--out", box.path("fcm.json"), *admin)
    box.run("key list", "--team", team, *admin)
    box.run("key revoke", fcm["key_id"], *admin)
    box.run("quota set", team, "--messages_per_second", 1000, "--bytes_waiting", "10M", *admin)
    box.run("quota set", f"tokens:{APP}", "--messages_per_day", 100000, *admin)
    box.run("quota show", *admin)
    box.run("quota show", team, *admin)
    [short] = box.run("team create", "Short", *admin)
    box.run("team delete", short["team_id"], "--dry_run", *admin)
    box.run("team delete", short["team_id"], *admin)
    box.fails("team delete", short["team_id"] + "x", *admin)
    return team, ["--credentials", credentials]


def listen(box, socket, count, then):
    """What an app hears while `then(token)` goes on, until it has so many messages."""
    argv = [PROGRAM, "listen", "--app", APP, "--socket", socket, "--count", str(count), "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=box.environment) as app:
        lines = []
        for line in app.stdout:
            lines.append(line)
            if json.loads(line)["event"] == "token":
                then(json.loads(line)["token"])
        assert app.wait(PATIENCE_S) == 0
    box.ran.add("listen")
    wrong = box.page.check("listen", "".join(lines))
    if wrong:
        box.failures.append(f"listen: {wrong}\n    {''.join(lines)}")
    return [json.loads(line)["token"] for line in lines if "token" in json.loads(line)][0]


def messages(box, server, credentials, socket):
    provider = [*server, *credentials]

    def send(token):
        [first] = box.run(
            "send", "--token", token, "--text", "hello", "--priority", "high", *provider
        )
        box.run("trace", first["message_id"], "--token", token, *provider)

    token = listen(box, socket, 1, send)
    box.run("agent activity", "idle", "--socket", socket)
    box.run("send", "--token", token, "--text", "waits", "--wait", 1, *provider, codes=(1,))
    [waits] = box.run(
        "send", "--token", token, "--text", "later", "--deliver_at", "+10m", *provider
    )
    box.run("trace", waits["message_id"], "--token", token, *provider)
    box.run("recall", waits["message_id"], "--token", token, *provider)
    box.run("topic subscribe", "news", token, *provider)
    box.run("topic list", *provider)
    box.run("topic list", "--token", token, *provider)
    [sent] = box.run("topic send", "--topic", "news", "--text", "to all", *provider)
    box.run("topic show", sent["message_id"], *provider)
    box.run("topic show", sent["message_id"], "--follow", *provider)
    box.run("topic recall", sent["message_id"], *provider)
    box.run("topic unsubscribe", "news", token, *provider)
    return token


def receipts(box, server, credentials, token):
    """Until the cursor and a step were told."""
    argv = [PROGRAM, "receipts", *server, *credentials, "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=box.environment) as watch:
        lines = [watch.stdout.readline()]
        box.run("send", "--token", token, "--text", "watched", *server, *credentials)
        lines.append(watch.stdout.readline())
        watch.terminate()
    box.ran.add("receipts")
    wrong = box.page.check("receipts", "".join(lines))
    if wrong or "step" not in json.loads(lines[1]):
        box.failures.append(f"receipts: {wrong}\n    {''.join(lines)}")


def phone(box, socket):
    box.run("agent status", "--socket", socket)
    box.run(
        "agent network", "--kind", "wifi", "--name", "home", "--interface", "lo", "--socket", socket
    )
    box.run("agent enroll", "-", "--socket", socket, stdin="bwe_" + "a" * 42 + "\n")
    profile = box.path("profile")
    os.mkdir(profile, 0o700)
    pathlib.Path(profile, "prefs.js").write_text("", encoding="utf-8")
    firefox = ["--profile", profile, "--state_dir", box.path("companion")]
    for what in ("on", "status", "off"):
        box.run(f"companion firefox {what}", *firefox)


def devices(box, admin, team, token):
    [enrolment] = box.run("device enroll", "--ttl", "1h", "--count", 3, *admin)
    box.run("device enrolments", *admin)
    box.run("device enrolments", "--delete", enrolment["enrolment_id"], *admin, show=False)
    [device] = box.run("device list", *admin)
    box.run("device show", device["device_id"], *admin)
    box.run("alias create", team, "alarm", token, *admin)
    box.run("alias list", team, *admin)
    box.run("alias delete", team, "alarm", *admin)
    box.run("device revoke", device["device_id"], "--dry_run", *admin)
    box.run("device revoke", device["device_id"], *admin)
    box.run("device delete", device["device_id"], *admin)


def stores(box, data):
    """REQUIRES: the server is stopped."""
    box.run("registry check", "--data_dir", data, "--payload_key_file", box.path("payload.keys"))
    box.run("registry export", box.path("export"), "--data_dir", data)
    other = box.path("other")
    subprocess.run([PROGRAM, "init", "--data_dir", other], check=True, stdout=subprocess.DEVNULL)
    box.run("registry import", box.path("export"), "--data_dir", other)
    box.run(
        "registry restore",
        box.path("backups/monday"),
        "--data_dir",
        box.path("restored"),
        "--payload_key_file",
        box.path("payload.keys"),
    )


def database(box):
    """A fleet's store, in a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="bwpg.") as folder:
        as_user = {}
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        quiet = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": folder,
            **as_user,
        }
        subprocess.run(
            [POSTGRES + "initdb", "-D", folder + "/data", "-U", "bellwire", "-A", "trust", "-N"],
            check=True,
            **quiet,
        )
        server = subprocess.Popen(
            [POSTGRES + "postgres", "-D", folder + "/data", "-k", folder, "-h", "", "-F"], **quiet
        )
        try:
            url = f"host={folder} user=bellwire dbname=postgres"

            def answers():
                ready = subprocess.run([POSTGRES + "pg_isready", "-q", "-h", folder], check=False)
                return ready.returncode == 0

            until("PostgreSQL", answers)
            box.run("fleet init", "--database", url, "--partitions", 4)
            box.run("fleet status", "--database", url)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(PATIENCE_S)


def run_all(box):
    data, key_file = server_machine(box)
    os.mkdir(box.path("backups"), 0o700)
    ready = box.path("server.ready")
    server, addresses = box.start(
        "server",
        [
            PROGRAM,
            "serve",
            "--data_dir",
            data,
            "--provider_listen",
            "127.0.0.1:0",
            "--device_listen",
            "127.0.0.1:0",
            "--metrics_listen",
            "127.0.0.1:0",
            "--public_url",
            "https://push.example.com",
            "--payload_key_file",
            key_file,
            "--backup_dir",
            box.path("backups"),
            "--drain_seconds",
            "1",
            "--ready_file",
            ready,
        ],
        ready,
    )
    at = ["--server", addresses["provider_address"], "--ca", data + "/ca.pem"]
    admin = [*at, "--admin_token_file", data + "/admin.token"]
    team, credentials = teams(box, admin)
    socket = box.path("agent.sock")
    agent, _ = box.start(
        "agent",
        [
            AGENT,
            "--server",
            addresses["device_address"],
            "--ca",
            data + "/ca.pem",
            "--state_dir",
            box.path("phone"),
            "--socket",
            socket,
            "--ready_file",
            box.path("agent.ready"),
            "--reconnect_max_seconds",
            "1",
        ],
        box.path("agent.ready"),
    )
    token = messages(box, at, credentials, socket)
    receipts(box, at, credentials, token)
    phone(box, socket)
    box.run("status", "--data_dir", data, "--socket", socket)
    # A machine that is busy with other tests may be slow to answer: a finding.
    box.run("doctor", "--data_dir", data, "--socket", socket, codes=(0, 1))
    box.run("doctor", "--socket", box.path("nobody.sock"), codes=(1,))
    metrics = addresses["metrics_address"]
    box.run("top", "--once", "--metrics", f"{metrics},127.0.0.1:1")
    box.run("reload", "--ready_file", ready)
    box.run("registry key status", *admin)
    box.run("registry backup", "monday", *admin)
    devices(box, admin, team, token)
    box.run("audit", "--data_dir", data)
    box.run("audit", "--data_dir", data, "--verify", show=False)
    box.stop(agent)
    box.stop(server)
    stores(box, data)
    database(box)


def main():
    page = json_shapes.Page(pathlib.Path(PAGE).read_text(encoding="utf-8"))
    told = subprocess.run(
        [PROGRAM, "--help_json"], check=True, capture_output=True, text=True
    ).stdout
    commands = dict(walk(json.loads(told)))
    failures = [
        f"{name} takes no --json"
        for name, options in commands.items()
        if "--json" not in options and name not in WITHOUT_JSON
    ]
    failures += [
        f"{PAGE} does not say what `bellwire {name} --json` answers"
        for name in commands
        if name not in page.commands and name not in WITHOUT_JSON
    ]
    failures += [
        f"{PAGE} has a command `{name}`, and bellwire has none"
        for name in page.commands
        if name not in commands
    ]
    # Short: the path of a Unix socket has 107 bytes at most.
    root = tempfile.mkdtemp(prefix="bwjson.", dir="/tmp")
    box = Box(page, root)
    try:
        run_all(box)
    except BaseException:
        for log in sorted(pathlib.Path(root).glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        box.end()
        shutil.rmtree(root, ignore_errors=True)
    failures += box.failures
    failures += [
        f"no run of this test has `bellwire {name}`: add one"
        for name in page.commands
        if name in commands and name not in box.ran | RUN_ELSEWHERE
    ]
    if failures:
        sys.exit("\n".join(failures))
    print(f"{len(box.ran)} commands answer as {PAGE} says")


if __name__ == "__main__":
    main()
