#!/usr/bin/python3
"""What must not leak by accident: payloads, tokens and keys stay out of the logs, out of what every
user of the machine can see of a process, and out of core dumps."""
import asyncio
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from search import files_with, spellings  # noqa: E402
from world import APP, World, runfile, soon  # noqa: E402


def setUpModule():
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def machine_makes_core_files(directory):
    """Whether a crash leaves a file in the working directory, as far as it is up to this
    machine."""
    done = subprocess.run(["/bin/sh", "-c", "kill -SEGV $$"], cwd=directory, check=False)
    cores = list(pathlib.Path(directory).iterdir())
    for core in cores:
        core.unlink()
    return done.returncode == -signal.SIGSEGV and bool(cores)


class LeakTest(unittest.IsolatedAsyncioTestCase):
    async def test_what_everybody_sees_of_a_token_that_is_an_argument(self):
        """Commands that take a token without a flag, caught the same way."""
        token = os.urandom(80).hex()
        with socket.create_server(("127.0.0.1", 0)) as mute:
            world = World(separate=False)
            try:
                await world.run("init", f"--data_dir={world.data_dir}")
                await world.run(
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-out",
                    f"{world.root}/key.pem",
                    program="openssl",
                )
                pem = pathlib.Path(world.root, "key.pem").read_text(encoding="utf-8")
                credentials = pathlib.Path(world.root, "cred.json")
                credentials.write_text(
                    json.dumps(
                        {"team_id": "teamaaaaaa", "key_id": "keyaaaaaaa", "private_key_pem": pem}
                    ),
                    encoding="utf-8",
                )
                credentials.chmod(0o600)
                server = [
                    f"--server=127.0.0.1:{mute.getsockname()[1]}",
                    f"--ca={world.data_dir}/ca.pem",
                ]
                admin = [*server, f"--admin_token_file={world.data_dir}/admin.token"]
                provider = [*server, f"--credentials={credentials}"]
                for command in (
                    ["alias", "create", "teamaaaaaa", "phone", token, *admin],
                    ["topic", "subscribe", "news", token, *provider],
                    ["topic", "unsubscribe", "news", token, *provider],
                    ["topic", "list", "--token", token, *provider],
                ):
                    with self.subTest(command=command[:2]):
                        shown = await self.shown_while_it_waits(mute, command)
                        self.assertIn(command[1].encode() + b"\0", shown)
                        self.assertNotIn(token.encode(), shown)
            finally:
                await world.close()

    async def shown_while_it_waits(self, mute, command):
        """What `ps` shows of a command that has called a server which says nothing."""
        process = await asyncio.create_subprocess_exec(
            runfile("cli/bellwire"), *command, stderr=subprocess.DEVNULL
        )
        try:
            mute.setblocking(False)
            connection, _ = await soon(asyncio.get_running_loop().sock_accept(mute))
            with connection:
                shown = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
                self.assertIsNone(process.returncode)
                return shown
        finally:
            process.kill()
            await soon(process.wait())

    async def test_what_everybody_sees_of_a_process(self):
        """`bellwire send --token T --text X`, caught while it waits for a server that says
        nothing."""
        secret = os.urandom(12).hex()
        text = f"text {os.urandom(8).hex()}"
        with tempfile.TemporaryDirectory() as root, socket.create_server(("127.0.0.1", 0)) as mute:
            world = World(separate=False)
            try:
                await world.run("init", f"--data_dir={world.data_dir}")
                credentials = f"{root}/cred.json"
                pathlib.Path(credentials).write_text(
                    '{"team_id": "teamaaaaaa", "key_id": "keyaaaaaaa", "private_key_pem": "%s"}'
                    % (
                        await world.run(
                            "genpkey",
                            "-algorithm",
                            "EC",
                            "-pkeyopt",
                            "ec_paramgen_curve:P-256",
                            program="openssl",
                        )
                    ).replace("\n", "\\n"),
                    encoding="utf-8",
                )
                os.chmod(credentials, 0o600)
                process = await asyncio.create_subprocess_exec(
                    runfile("cli/bellwire"),
                    "send",
                    f"--server=127.0.0.1:{mute.getsockname()[1]}",
                    f"--ca={world.data_dir}/ca.pem",
                    f"--credentials={credentials}",
                    "--token",
                    secret,
                    f"--text={text}",
                    stderr=subprocess.DEVNULL,
                )
                try:
                    # It has called: its arguments were taken long before.
                    loop = asyncio.get_running_loop()
                    mute.setblocking(False)
                    connection, _ = await soon(loop.sock_accept(mute))
                    with connection:
                        shown = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
                        self.assertIsNone(process.returncode)
                finally:
                    process.kill()
                    await soon(process.wait())
            finally:
                await world.close()
        self.assertIn(b"send\0", shown)
        self.assertIn(b"--token\0", shown)
        self.assertNotIn(secret.encode(), shown)
        self.assertNotIn(text.encode(), shown)

    async def crashed(self, *flags):
        """(where what was sent is in the core files of server and agent that died with it in
        memory; their names; where it is in logs, metrics and what else a crash left)."""
        with tempfile.TemporaryDirectory() as cores, tempfile.TemporaryDirectory() as left:
            # Whatever writes a report about a crash writes it there, or into the log.
            world = World(False, *flags, "--metrics_listen=127.0.0.1:0", cwd=cores, TMPDIR=left)
            try:
                await world.open()
                team = (await world.admin("team", "create", "Example"))["team_id"]
                await world.admin("app", "create", APP, f"--team={team}")
                credentials = f"{world.root}/cred.json"
                await world.admin("key", "create", f"--team={team}", f"--out={credentials}")
                event = await world.listen(APP)
                token = (await event("token"))["token"]
                text = f"payload {os.urandom(8).hex()}".encode()
                await world.run(
                    "send",
                    *world.provider(),
                    f"--credentials={credentials}",
                    text=text,
                    BELLWIRE_TOKEN=token,
                )
                await event("message")
                admin_token = pathlib.Path(world.data_dir, "admin.token").read_bytes().strip()
                for process in world.servers:
                    metrics = await world.metrics(process)
                    self.assertIn(b"bellwire_", metrics)
                    pathlib.Path(left, f"{process.name}.metrics").write_bytes(metrics)
                for process in world.servers:
                    process.process.send_signal(signal.SIGSEGV)
                    self.assertEqual(await soon(process.process.wait()), -signal.SIGSEGV)
                    # The next one would write into the same file.
                    for core in pathlib.Path(cores).glob("core*"):
                        core.rename(f"{cores}/{process.name}.{core.name}")
                secrets = {"payload": text, "token": token.encode(), "admin token": admin_token}
                return (
                    {
                        name: files_with(spellings(secret), cores)
                        for name, secret in secrets.items()
                    },
                    sorted(name.split(".")[0] for name in os.listdir(cores)),
                    {
                        name: world.log(secret) + files_with(spellings(secret), left)
                        for name, secret in secrets.items()
                    },
                )
            finally:
                await world.close()

    async def test_a_crash_leaves_no_memory_and_no_log_has_a_secret(self):
        found, cores, logs = await self.crashed()
        self.assertEqual(cores, [])
        self.assertEqual(found, {"payload": [], "token": [], "admin token": []})
        self.assertEqual(logs, {"payload": [], "token": [], "admin token": []})

    async def test_a_developer_gets_a_core_dump_and_it_has_secrets(self):
        """Or else the test above could not fail."""
        with tempfile.TemporaryDirectory() as directory:
            if not machine_makes_core_files(directory):
                self.skipTest("this machine leaves no core files in the working directory")
        found, cores, _ = await self.crashed("--core_dumps")
        self.assertEqual(cores, ["agent", "serve"])
        for name, files in found.items():
            self.assertTrue(files, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
