"""A server, a phone and apps: real processes, with recorders on their wires."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from recorder import Recorder
from search import files_with, in_memory, spellings

APP = "com.example.mail"
# Long enough for a busy machine; only a broken program takes it.
PATIENCE = 120


def runfile(path):
    for base in (os.environ.get("TEST_SRCDIR", "") + "/bellwire", os.getcwd()):
        if os.path.exists(f"{base}/{path}"):
            return f"{base}/{path}"
    raise FileNotFoundError(f"{path} is no input of this test")


def soon(awaitable):
    return asyncio.wait_for(awaitable, PATIENCE)


class Process:
    """A program of Bellwire that goes on, its log in a file."""

    def __init__(self, name, process, log):
        self.name, self.process, self.log = name, process, log
        # Of its ready file.
        self.addresses = None

    @property
    def pid(self):
        return self.process.pid

    async def ready(self, path):
        ended = asyncio.ensure_future(self.process.wait())
        while not os.path.exists(path):
            # The file announces itself to nobody: look again after a while, or when it ended.
            done, _ = await asyncio.wait([ended], timeout=0.01)
            if done:
                raise AssertionError(f"{self.name} ended with {ended.result()}:\n{self.said()}")
        ended.cancel()
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))

    def said(self):
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    async def end(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await soon(self.process.wait())


class World:
    """A server in one process or in three, recorders on its wires, an agent, and apps."""

    def __init__(self, separate, *flags, cwd=None, **environment):
        self.separate = separate
        # Of all that go on.
        self.flags = flags
        self.cwd = cwd
        self.environment = environment
        self.root = tempfile.mkdtemp(prefix="bellwire-", dir="/tmp")
        self.data_dir = f"{self.root}/server"
        self.logs = f"{self.root}/logs"
        os.mkdir(self.logs)
        self.servers = []
        self.agent = None
        self.apps = []
        self.recorders = []
        self.provider_address = None
        self.socket = f"{self.root}/agent.sock"

    async def run(self, *arguments, text=None, program="cli/bellwire", **environment):
        """What a program that ends prints."""
        is_ours = "/" in program and not program.startswith("/")
        process = await asyncio.create_subprocess_exec(
            runfile(program) if is_ours else program, *arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **environment})
        out, err = await soon(process.communicate(text))
        if process.returncode != 0:
            raise AssertionError(f"{program} {arguments[:2]}: {err.decode()}")
        return out.decode()

    async def start(self, name, program, *arguments):
        ready = f"{self.root}/{name}.ready"
        log = f"{self.logs}/{name}"
        with open(log, "ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                runfile(program), *arguments, *self.flags, f"--ready_file={ready}",
                "--log_level=debug", stderr=stderr, cwd=self.cwd,
                env={**os.environ, **self.environment})
        started = Process(name, process, log)
        # Who fails to be ready is ended with the others.
        self.servers.append(started)
        started.addresses = await soon(started.ready(ready))
        return started, started.addresses

    async def metrics(self, process):
        """What a scrape of it answers. It has --metrics_listen."""
        host, port = process.addresses["metrics_address"].rsplit(":", 1)
        reader, writer = await soon(asyncio.open_connection(host, int(port)))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        try:
            return await soon(reader.read(-1))
        finally:
            writer.close()

    async def record(self, target, directory, certificate, name, mutual):
        recorder = Recorder(target, f"{directory}/{certificate}.pem",
                            f"{directory}/{certificate}.key", f"{directory}/ca.pem", name, mutual)
        await recorder.open()
        self.recorders.append(recorder)
        return recorder.address

    async def open(self):
        data_dir = f"--data_dir={self.data_dir}"
        await self.run("init", data_dir, "--server_name=127.0.0.1", "--server_name=localhost")
        if self.separate:
            _, said = await self.start("registry", "registry/bellwire-registry", data_dir,
                                       "--listen=127.0.0.1:0")
            registry = await self.record(said["internal_address"], f"{self.data_dir}/internal",
                                         "node", "bellwire-internal", mutual=True)
            _, said = await self.start("connector", "connector/bellwire-connector", data_dir,
                                       "--listen=127.0.0.1:0", "--internal_listen=127.0.0.1:0",
                                       f"--registry_address={registry}")
            device_address = said["device_address"]
            _, said = await self.start("gateway", "gateway/bellwire-gateway", data_dir,
                                       "--listen=127.0.0.1:0", f"--registry_address={registry}")
        else:
            _, said = await self.start("serve", "cli/bellwire", "serve", data_dir, "--shards=1",
                                       "--provider_listen=127.0.0.1:0",
                                       "--device_listen=127.0.0.1:0")
            device_address = said["device_address"]
        self.provider_address = await self.record(said["provider_address"], self.data_dir,
                                                  "server", "localhost", mutual=False)
        self.agent, _ = await self.start(
            "agent", "device-agent/bellwire-agent", f"--server={device_address}",
            f"--ca={self.data_dir}/ca.pem", f"--state_dir={self.root}/phone",
            f"--socket={self.socket}")

    async def close(self):
        for process in self.apps + self.servers:
            await process.end()
        for recorder in self.recorders:
            await recorder.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def provider(self):
        return [f"--server={self.provider_address}", f"--ca={self.data_dir}/ca.pem"]

    async def admin(self, *arguments):
        return json.loads(await self.run(
            *arguments, *self.provider(), f"--admin_token_file={self.data_dir}/admin.token",
            "--json"))

    async def listen(self, app, *flags):
        """An app on the phone: what it prints, line by line."""
        log = f"{self.root}/listen"
        with open(log, "ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                runfile("cli/bellwire"), "listen", f"--app={app}", f"--socket={self.socket}",
                "--json", *flags, stdout=subprocess.PIPE, stderr=stderr)
        self.apps.append(Process("listen", process, log))

        async def event(kind):
            while True:
                line = await soon(process.stdout.readline())
                if not line:
                    raise AssertionError(pathlib.Path(log).read_text(encoding="utf-8"))
                said = json.loads(line)
                if said["event"] == kind:
                    return said

        return event

    # --- Where a text is. ---

    def store(self, text):
        return files_with(spellings(text), self.data_dir)

    def phone(self, text):
        return files_with(spellings(text), f"{self.root}/phone")

    def log(self, text):
        return files_with(spellings(text), self.logs)

    def wire(self, text):
        pattern = spellings(text)
        return [recorder.address for recorder in self.recorders
                if any(pattern.search(stream) for stream in recorder.recorded())]

    def memory(self, text):
        pattern = spellings(text)
        return [process.name for process in self.servers if in_memory(pattern, process.pid)]
