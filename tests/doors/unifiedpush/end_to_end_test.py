#!/usr/bin/python3
"""UnifiedPush from end to end: a backend that knows Web Push only (curl), bellwire serve,
bellwire-agent, bellwire-companion, and apps on a session bus by Debian's python3-dbus-next."""
import asyncio
import base64
import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import jwt  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402
from dbus_next import Variant  # noqa: E402

from connector import App  # noqa: E402
from world import Process, Session, runfile, soon  # noqa: E402

CONNECTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connector.py")
# Nothing is ever looked up: curl connects to the provider port instead.
HOST = "push.example.test"
PUBLIC_URL = f"https://{HOST}"


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def point_of(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypted(text):
    """A body in the framing of RFC 8291. Nobody here decrypts: the app must get these very
    bytes."""
    key = point_of(ec.generate_private_key(ec.SECP256R1()))
    return os.urandom(16) + (4096).to_bytes(4, "big") + bytes([len(key)]) + key + text + bytes(17)


class Server:
    """bellwire serve, and a backend's way to it."""

    def __init__(self, root):
        self.root = root
        self.data_dir = f"{root}/server"
        self.process = None
        self.addresses = None

    async def start(self):
        init = await Process.start(
            "bellwire init",
            [
                runfile("cli/bellwire"),
                "init",
                f"--data_dir={self.data_dir}",
                f"--server_name={HOST}",
                "--server_name=127.0.0.1",
            ],
            f"{self.root}/init.log",
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await soon(init.process.wait()) != 0:
            raise AssertionError(init.said())
        ready = f"{self.root}/server.ready"
        self.process = await Process.start(
            "bellwire serve",
            [
                runfile("cli/bellwire"),
                "serve",
                f"--data_dir={self.data_dir}",
                "--shards=1",
                "--provider_listen=127.0.0.1:0",
                "--device_listen=127.0.0.1:0",
                f"--public_url={PUBLIC_URL}",
                f"--ready_file={ready}",
            ],
            f"{self.root}/server.log",
        )
        self.addresses = await soon(self.process.ready(ready))

    async def post(self, endpoint, body, *headers):
        """The status of the answer."""
        arguments = [
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "30",
            "--cacert",
            f"{self.data_dir}/ca.pem",
            "--connect-to",
            f"{HOST}:443:{self.addresses['provider_address']}",
            "--data-binary",
            "@-",
        ]
        for header in ("TTL: 3600", "Content-Encoding: aes128gcm", *headers):
            arguments += ["-H", header]
        process = await asyncio.create_subprocess_exec(
            *arguments, endpoint, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        status, _ = await soon(process.communicate(body))
        return int(status)


class Agent:
    def __init__(self, root, server):
        self.root, self.server = root, server
        self.socket = f"{root}/agent.sock"
        self.process = None
        self.starts = 0

    async def start(self):
        self.starts += 1
        ready = f"{self.root}/agent-{self.starts}.ready"
        self.process = await Process.start(
            "bellwire-agent",
            [
                runfile("device-agent/bellwire-agent"),
                f"--server={self.server.addresses['device_address']}",
                f"--ca={self.server.data_dir}/ca.pem",
                f"--state_dir={self.root}/agent",
                f"--socket={self.socket}",
                f"--ready_file={ready}",
            ],
            f"{self.root}/agent.log",
        )
        await soon(self.process.ready(ready))


class EndToEndTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.session = Session()
        await self.session.open()
        self.server = Server(self.session.root)
        await self.server.start()
        self.agent = Agent(self.session.root, self.server)
        await self.agent.start()
        await self.session.start_companion(self.agent.socket, patience=20)

    async def asyncTearDown(self):
        for process in (self.session.companion, self.agent.process, self.server.process):
            if process is not None and process.process.returncode is None:
                await process.end()
        await self.session.close()

    async def app(self, service, generation=2):
        return await App(await self.session.connect(), service, generation).own()

    async def registered(self, app, token="token", **more):
        distributor = await self.session.distributor(app.bus, app.generation)
        if app.generation == 1:
            answer = await soon(distributor.call_register(app.service, token, "an app"))
        else:
            arguments = {"service": app.service, "token": token, **more}
            said = await soon(
                distributor.call_register(
                    {key: Variant("s", value) for key, value in arguments.items()}
                )
            )
            answer = [said["success"].value, said["reason"].value if "reason" in said else ""]
        self.assertEqual(answer, ["REGISTRATION_SUCCEEDED", ""])
        what, values = await soon(app.told.get())
        self.assertEqual((what, values["token"]), ("endpoint", token))
        app.endpoint = values["endpoint"]
        return values["endpoint"]

    async def message(self, app):
        what, values = await soon(app.next_told())
        self.assertEqual(what, "message")
        return values["message"]

    async def status(self):
        process = await asyncio.create_subprocess_exec(
            runfile("cli/bellwire"),
            "agent",
            "status",
            "--json",
            f"--socket={self.agent.socket}",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await soon(process.communicate())
        return json.loads(out)

    async def test_a_backend_reaches_apps_of_both_generations_in_order(self):
        for generation in (1, 2):
            app = await self.app(f"org.example.App{generation}", generation)
            endpoint = await self.registered(app)
            self.assertTrue(endpoint.startswith(PUBLIC_URL + "/wpush/"), endpoint)
            self.assertLessEqual(len(endpoint), 1000)
            bodies = [encrypted(b"%d" % number) for number in range(20)]
            for body in bodies:
                self.assertEqual(await self.server.post(endpoint, body), 201)
            for body in bodies:
                self.assertEqual(await self.message(app), body)
        self.assertTrue(app.told.empty())

    async def test_the_key_binds_the_sender(self):
        app = await self.app("org.example.App")
        key = ec.generate_private_key(ec.SECP256R1())
        endpoint = await self.registered(app, vapid=base64url(point_of(key)))

        def authorization(signer):
            token = jwt.encode(
                {
                    "aud": PUBLIC_URL,
                    "exp": int(time.time()) + 3600,
                    "sub": "mailto:ops@example.test",
                },
                signer,
                algorithm="ES256",
            )
            return f"Authorization: vapid t={token}, k={base64url(point_of(signer))}"

        body = encrypted(b"bound")
        self.assertEqual(await self.server.post(endpoint, body), 401)
        stranger = authorization(ec.generate_private_key(ec.SECP256R1()))
        self.assertIn(await self.server.post(endpoint, body, stranger), (401, 403))
        self.assertEqual(await self.server.post(endpoint, body, authorization(key)), 201)
        self.assertEqual(await self.message(app), body)
        self.assertTrue(app.told.empty())

    async def test_an_app_is_started_on_demand(self):
        service = "org.example.OnDemand"
        log = f"{self.session.root}/app.log"
        self.session.make_activatable(service, f"/usr/bin/python3 {CONNECTOR} {service} 2 {log}")
        app = await App(await self.session.connect(), service, 2).own()
        endpoint = await self.registered(app)
        app.bus.disconnect()
        await soon(app.bus.wait_for_disconnect())
        self.assertEqual(await self.server.post(endpoint, encrypted(b"wake up")), 201)

        async def taken():
            while (await self.status())["inbox_messages"] != 0 or not os.path.exists(log):
                pass

        await soon(taken())
        told = [
            json.loads(line)["message"].encode("latin-1")
            for line in pathlib.Path(log).read_text(encoding="utf-8").splitlines()
        ]
        self.assertEqual(len(told), 1)
        self.assertIn(b"wake up", told[0])

    async def test_messages_outlive_whoever_is_killed(self):
        app = await self.app("org.example.App")
        endpoint = await self.registered(app)

        async def companion():
            await self.session.companion.end(signal.SIGKILL)
            return lambda: self.session.start_companion(self.agent.socket, patience=20)

        async def agent():
            await self.agent.process.end(signal.SIGKILL)
            return self.agent.start

        for kill in (companion, agent):
            start = await kill()
            bodies = [encrypted(b"%d" % number) for number in range(5)]
            for body in bodies:
                self.assertEqual(await self.server.post(endpoint, body), 201)
            await start()
            for body in bodies:
                self.assertEqual(await self.message(app), body)
            self.assertEqual(await self.registered(app), endpoint)
        self.assertTrue(app.told.empty())

    async def test_a_hangup_ends_nobody(self):
        app = await self.app("org.example.App")
        endpoint = await self.registered(app)
        companion = self.session.companion
        companion.process.send_signal(signal.SIGHUP)

        async def told():
            while "hangup_ignored" not in companion.said() and companion.process.returncode is None:
                await asyncio.sleep(0.01)

        await soon(told())
        self.assertIsNone(companion.process.returncode)
        body = encrypted(b"after the hangup")
        self.assertEqual(await self.server.post(endpoint, body), 201)
        self.assertEqual(await self.message(app), body)

    async def test_a_dead_endpoint_is_gone(self):
        app = await self.app("org.example.App")
        endpoint = await self.registered(app)
        self.assertEqual(
            [(s["owner"], s["connected"]) for s in (await self.status())["subscriptions"]],
            [("org.example.App", True)],
        )
        distributor = await self.session.distributor(app.bus, 2)
        await soon(distributor.call_unregister({"token": Variant("s", "token")}))
        self.assertEqual(await soon(app.told.get()), ("unregistered", {"token": "token"}))

        async def gone():
            while (status := await self.server.post(endpoint, encrypted(b"late"))) == 201:
                pass
            return status

        self.assertEqual(await soon(gone()), 410)
        self.assertNotEqual(await self.registered(app), endpoint)


if __name__ == "__main__":
    unittest.main(verbosity=2)
