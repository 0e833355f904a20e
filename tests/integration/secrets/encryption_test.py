#!/usr/bin/python3
"""End-to-end encryption over real processes: backends in C++, Python and JavaScript and the command
line encrypt, apps read it, and nobody in between has it: not in the store, not on the wire as who
has the server's keys sees it, not in memory, not in a log, not on the phone's disk or in its agent.
What is sent in the clear is found by the same search."""
import base64
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import APP, World, runfile  # noqa: E402


# So that the memory of daemons can be read, whoever runs this.
FLAGS = ["--core_dumps"]


class EncryptionTest(unittest.IsolatedAsyncioTestCase):
    async def both(self, test):
        for separate in (False, True):
            with self.subTest(separate=separate):
                world = World(separate, *FLAGS)
                try:
                    await world.open()
                    await test(world)
                finally:
                    await world.close()

    async def test_nobody_in_between_has_the_text(self):
        await self.both(self.nobody_in_between)

    async def nobody_in_between(self, world):
        team = (await world.admin("team", "create", "Example"))["team_id"]
        await world.admin("app", "create", APP, f"--team={team}")
        credentials = f"{world.root}/cred.json"
        await world.admin("key", "create", f"--team={team}", f"--out={credentials}")
        access_token = (await world.admin("key", "create", "--send_only", team))["access_token"]
        event = await world.listen(APP, "--encrypted", f"--key_file={world.root}/app.keys")
        encrypted_token = (await event("token"))["token"]
        self.assertTrue(encrypted_token.startswith("e1."), encrypted_token)
        token = encrypted_token.split(".")[1]

        async def by_the_command_line(text):
            await world.run(
                "send",
                *world.provider(),
                f"--credentials={credentials}",
                text=text,
                BELLWIRE_ENCRYPT_TO=encrypted_token,
            )

        async def in_python(text):
            await world.run(
                runfile("examples/python_provider/send.py"),
                *world.provider(),
                f"--credentials={credentials}",
                f"--protos={runfile('protos')}",
                f"--encrypted_token={encrypted_token}",
                text.decode(),
                program="/usr/bin/python3",
            )

        async def in_javascript(text):
            await world.run(
                runfile("examples/node_provider/send.js"),
                f"https://{world.provider_address}",
                f"{world.data_dir}/ca.pem",
                encrypted_token,
                text.decode(),
                program="node",
                BELLWIRE_ACCESS_TOKEN=access_token,
            )

        async def in_cpp(text):
            await world.run(
                world.provider_address,
                f"{world.data_dir}/ca.pem",
                encrypted_token,
                text.decode(),
                program="examples/cpp_provider/cpp_provider",
                BELLWIRE_ACCESS_TOKEN=access_token,
            )

        secrets = []
        for send in (by_the_command_line, in_python, in_javascript, in_cpp):
            text = f"only for the app {send.__name__} {os.urandom(8).hex()}".encode()
            await send(text)
            message = await event("message")
            self.assertEqual((message["payload"], message["encrypted"]), (text.decode(), True))
            secrets.append(text)

        clear = f"for everybody {os.urandom(8).hex()}".encode()
        await world.run(
            "send",
            *world.provider(),
            f"--credentials={credentials}",
            text=clear,
            BELLWIRE_TOKEN=token,
        )
        message = await event("message")
        self.assertEqual((message["payload"], message["encrypted"]), (clear.decode(), False))

        # What is sent in the clear is where it may be: the search finds things.
        self.assertTrue(world.store(clear))
        self.assertEqual(len(world.wire(clear)), len(world.recorders))
        self.assertTrue(world.memory(clear))
        self.assertEqual(world.log(clear), [], "a log never has a payload")
        for text in secrets:
            self.assertEqual(world.store(text), [])
            self.assertEqual(world.phone(text), [])
            self.assertEqual(world.wire(text), [])
            self.assertEqual(world.memory(text), [])
            self.assertEqual(world.log(text), [])
        # Nor is what it takes to read or to forge them.
        auth = base64.urlsafe_b64decode(encrypted_token.rsplit(".", 1)[1] + "==")
        self.assertEqual(
            world.store(auth)
            + world.phone(auth)
            + world.wire(auth)
            + world.memory(auth)
            + world.log(auth),
            [],
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
