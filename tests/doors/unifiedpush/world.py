"""A user's session for tests: a private bus, bellwire-companion on it, and processes that end with
it."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import tempfile

from dbus_next.aio import MessageBus

DISTRIBUTOR = "org.unifiedpush.Distributor.bellwire"
DISTRIBUTOR_PATH = "/org/unifiedpush/Distributor"
# Long enough for a busy machine; only a broken program takes it.
PATIENCE = 60

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={root}</listen>
  <servicedir>{root}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def runfile(path):
    """A file of the runfiles, or of the tree."""
    for base in (os.environ.get("TEST_SRCDIR", "") + "/bellwire", os.getcwd()):
        if os.path.exists(f"{base}/{path}"):
            return f"{base}/{path}"
    raise FileNotFoundError(f"{path} is no input of this test")


def soon(awaitable):
    return asyncio.wait_for(awaitable, PATIENCE)


class Process:
    """A program of Bellwire. Its stderr is shown when it ends otherwise than the test asked."""

    def __init__(self, name, process, log):
        self.name, self.process, self.log = name, process, log

    @staticmethod
    async def start(name, arguments, log, **more):
        with open(log, "ab") as stderr:
            process = await asyncio.create_subprocess_exec(*arguments, stderr=stderr, **more)
        return Process(name, process, log)

    async def ready(self, path):
        """What its ready file says."""
        ended = asyncio.ensure_future(self.process.wait())
        while not os.path.exists(path):
            # The file announces itself to nobody: look again after a while, or when it ended.
            done, _ = await asyncio.wait([ended], timeout=0.01)
            if done:
                raise AssertionError(f"{self.name} ended with {ended.result()}:\n" + self.said())
        ended.cancel()
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))

    def said(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    async def end(self, how=signal.SIGTERM):
        if self.process.returncode is None:
            self.process.send_signal(how)
        code = await soon(self.process.wait())
        if how == signal.SIGTERM and code != 0:
            raise AssertionError(f"{self.name} ended with {code}:\n" + self.said())
        return code


class Session:
    """One user's bus and companion."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="bellwire-", dir="/tmp")
        self.services = f"{self.root}/services"
        self.address = None
        self.daemon = None
        self.companion = None
        self.companion_starts = 0
        self.buses = []

    async def open(self):
        os.mkdir(self.services)
        config = f"{self.root}/bus.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIG.format(root=self.root))
        self.daemon = await asyncio.create_subprocess_exec(
            "dbus-daemon",
            f"--config-file={config}",
            "--nofork",
            "--print-address",
            stdout=asyncio.subprocess.PIPE,
        )
        line = await soon(self.daemon.stdout.readline())
        self.address = line.decode().strip()

    async def close(self):
        for bus in self.buses:
            bus.disconnect()
        if self.companion is not None and self.companion.process.returncode is None:
            await self.companion.end()
        if self.daemon is not None:
            if self.daemon.returncode is None:
                self.daemon.terminate()
            await soon(self.daemon.wait())
        shutil.rmtree(self.root, ignore_errors=True)

    def companion_arguments(self, socket, patience=2):
        return [
            runfile("device-agent/companion/bellwire-companion"),
            f"--socket={socket}",
            f"--state_dir={self.root}/state/bellwire",
            "--log_level=debug",
            f"--app_patience_seconds={patience}",
        ]

    def environment(self):
        return {**os.environ, "DBUS_SESSION_BUS_ADDRESS": self.address, "HOME": self.root}

    async def start_companion(self, socket, patience=2):
        self.companion_starts += 1
        ready = f"{self.root}/companion-{self.companion_starts}.ready"
        self.companion = await Process.start(
            "bellwire-companion",
            self.companion_arguments(socket, patience) + [f"--ready_file={ready}"],
            f"{self.root}/companion.log",
            env=self.environment(),
        )
        await soon(self.companion.ready(ready))

    async def connect(self):
        """A connection of an app to the bus."""
        bus = await MessageBus(bus_address=self.address).connect()
        self.buses.append(bus)
        return bus

    async def distributor(self, bus, generation):
        """The proxy that a client makes of what the distributor says of itself."""
        introspection = await soon(bus.introspect(DISTRIBUTOR, DISTRIBUTOR_PATH))
        proxy = bus.get_proxy_object(DISTRIBUTOR, DISTRIBUTOR_PATH, introspection)
        return proxy.get_interface(f"org.unifiedpush.Distributor{generation}")

    def make_activatable(self, service, command):
        """D-Bus starts `command` when something is sent to `service` and nobody has the name. The
        bus looks for new files when it is asked for a name that it doesn't know."""
        with open(f"{self.services}/{service}.service", "w", encoding="utf-8") as file:
            file.write(f"[D-BUS Service]\nName={service}\nExec={command}\n")
