#!/usr/bin/python3
"""Payloads at rest over real processes: keys are rotated under load while the server is killed,
nothing is lost, nothing lies in the clear, and a server without the right keys says so and changes
nothing."""
import asyncio
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from search import files_with, spellings  # noqa: E402
from world import APP, PATIENCE, World, runfile, soon  # noqa: E402

ROTATIONS = 3
SENDERS = 4


class Server:
    """`bellwire serve` in a World, killed and started again at the same ports."""

    def __init__(self, world):
        self.world = world
        self.data_dir = f"--data_dir={world.data_dir}"
        self.key_file = f"{world.root}/payload.keys"
        self.provider = "127.0.0.1:0"
        self.device = "127.0.0.1:0"
        self.process = None
        self.starts = 0

    def arguments(self, sealed=True):
        return ["serve", self.data_dir, "--shards=1", f"--provider_listen={self.provider}",
                f"--device_listen={self.device}"] + (
                    [f"--payload_key_file={self.key_file}"] if sealed else [])

    async def start(self, sealed=True):
        self.starts += 1
        self.process, said = await self.world.start(f"serve{self.starts}", "cli/bellwire",
                                                    *self.arguments(sealed))
        self.provider, self.device = said["provider_address"], said["device_address"]
        self.world.provider_address = self.provider

    async def kill(self):
        self.process.process.send_signal(signal.SIGKILL)
        await soon(self.process.process.wait())

    async def refuses(self, sealed=True):
        """What a start says that fails."""
        process = await asyncio.create_subprocess_exec(
            runfile("cli/bellwire"), *self.arguments(sealed), stderr=asyncio.subprocess.PIPE)
        _, err = await soon(process.communicate())
        return process.returncode, err.decode()

    async def status(self):
        return await self.world.admin("registry", "key", "status")

    async def until(self, done):
        """The status, once it is as wanted."""
        for _ in range(10 * PATIENCE):
            status = await self.status()
            if done(status):
                return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"the rotation does not end: {status}")


def is_over(status):
    return bool(status["end_time"]) and not status["former_key_ids"] and not status["old_files"]


class AtRestTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.world = World(False)
        self.server = Server(self.world)
        self.addAsyncCleanup(self.world.close)
        await self.world.run("init", self.server.data_dir, "--server_name=127.0.0.1",
                             "--server_name=localhost")

    async def begin(self, sealed):
        """A server, and a phone with an app, which then goes: what is sent waits in the server."""
        world, server = self.world, self.server
        await self.rotate("create")
        await server.start(sealed)
        await self.start_agent()
        team = (await world.admin("team", "create", "Example"))["team_id"]
        await world.admin("app", "create", APP, f"--team={team}")
        self.credentials = f"{world.root}/cred.json"
        await world.admin("key", "create", f"--team={team}", f"--out={self.credentials}")
        event = await world.listen(APP)
        self.token = (await event("token"))["token"]
        await world.agent.end()
        for app in world.apps:
            await app.end()

    async def start_agent(self):
        world = self.world
        world.agent, _ = await world.start(
            f"agent{self.server.starts}", "device-agent/bellwire-agent",
            f"--server={self.server.device}", f"--ca={world.data_dir}/ca.pem",
            f"--state_dir={world.root}/phone", f"--socket={world.socket}")

    async def rotate(self, what="rotate"):
        return json.loads(await self.world.run(
            "registry", "key", what, f"--payload_key_file={self.server.key_file}", "--json"))

    async def send(self, text):
        """Until the server has said OK, with one message id."""
        message_id = str(uuid.uuid4())
        for _ in range(PATIENCE):
            try:
                await self.world.run(
                    "send", *self.world.provider(), f"--credentials={self.credentials}",
                    f"--message_id={message_id}", text=text.encode(), BELLWIRE_TOKEN=self.token)
                return
            except AssertionError as error:
                # It was killed meanwhile.
                last = error
                await asyncio.sleep(0.2)
        raise last

    async def received(self, count):
        """What the app gets once the phone is back, in order."""
        await self.start_agent()
        event = await self.world.listen(APP)
        return [(await event("message"))["payload"] for _ in range(count)]

    async def test_rotations_under_load_and_kills(self):
        await self.begin(sealed=True)
        world, server = self.world, self.server
        mark = f"secret-{os.urandom(6).hex()}"
        sent, over = [], False

        async def sender(name):
            number = 0
            # Below a hundred together: a full mailbox drops its oldest.
            while not over and len(sent) < 90:
                text = f"{mark} {name} {number}"
                sent.append(text)
                await self.send(text)
                number += 1

        senders = [asyncio.ensure_future(sender(name)) for name in range(SENDERS)]
        ids = [(await server.status())["current_key_id"]]
        for _ in range(ROTATIONS):
            ids.append((await self.rotate())["key_id"])
            for _ in range(2):
                # In the midst of noticing, sealing anew, and rewriting.
                await asyncio.sleep(random.random() * 2)
                await server.kill()
                await server.start()
            await server.until(lambda status: status["current_key_id"] == ids[-1])
        status = await server.until(is_over)
        over = True
        await asyncio.gather(*senders)
        self.assertEqual(status["current_key_id"], ids[-1])
        self.assertEqual(sorted(status["unneeded_key_ids"]), sorted(ids[:-1]))
        self.assertFalse(status["clear_payloads"])
        # The old keys go, and the server starts without them.
        await server.kill()
        lines = pathlib.Path(server.key_file).read_text(encoding="utf-8").splitlines()
        newest = [line for line in lines if line.startswith(ids[-1])]
        pathlib.Path(server.key_file).write_text("\n".join(newest) + "\n", encoding="utf-8")
        self.assertEqual(files_with(spellings(mark.encode()), world.data_dir), [])
        check = await world.run("registry", "check", server.data_dir,
                                f"--payload_key_file={server.key_file}")
        self.assertIn("sound", check)
        await server.start()
        self.assertGreater(len(sent), 10)
        self.assertEqual(sorted(await self.received(len(sent))), sorted(sent))

    async def test_an_existing_store_is_sealed_and_needs_its_key_then(self):
        await self.begin(sealed=False)
        world, server = self.world, self.server
        mark = f"secret-{os.urandom(6).hex()}"
        texts = [f"{mark} {number}" for number in range(12)]
        for text in texts[:8]:
            await self.send(text)
        self.assertEqual((await server.status())["current_key_id"], "")
        self.assertTrue(files_with(spellings(mark.encode()), world.data_dir), "the search works")
        await server.kill()
        await server.start()
        for text in texts[8:]:
            await self.send(text)
        await server.until(is_over)
        await server.kill()
        self.assertEqual(files_with(spellings(mark.encode()), world.data_dir), [])

        # Without the key, and with another one: an error that says which, and nothing is touched.
        code, said = await server.refuses(sealed=False)
        self.assertNotEqual(code, 0)
        self.assertIn("--payload_key_file", said)
        right = server.key_file
        server.key_file = f"{world.root}/wrong.keys"
        await self.rotate("create")
        code, said = await server.refuses()
        self.assertNotEqual(code, 0)
        self.assertIn("put it back", said)
        server.key_file = f"{world.data_dir}/payload.keys"
        shutil.copy(right, server.key_file)
        code, said = await server.refuses()
        self.assertNotEqual(code, 0)
        self.assertIn("lies in", said)
        os.unlink(server.key_file)
        server.key_file = right
        await server.start()
        self.assertEqual(sorted(await self.received(len(texts))), sorted(texts))


if __name__ == "__main__":
    unittest.main(verbosity=2)
