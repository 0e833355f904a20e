#!/usr/bin/python3
"""Every caller on the session bus against every method of the companion: only allowed cells pass.
Methods come from what the object says of itself, and one without a row fails. Prints the table of
docs/operate/security.md, and holds the page against it."""
import asyncio
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from dbus_next import Message, MessageType, Variant  # noqa: E402

from connector import CONNECTOR_PATH, App, Connector1  # noqa: E402
from fake_agent import FakeAgent  # noqa: E402
from world import DISTRIBUTOR, DISTRIBUTOR_PATH, Session, runfile, soon  # noqa: E402

SERVICE = "org.example.App"
TOKEN = "{1b4e28ba-2fa1-11d2-883f-0016d3cca427}"
STRANGER = 2001
PROPERTIES = "org.freedesktop.DBus.Properties"
STANDARD = ("org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable", PROPERTIES)


def strings(**values):
    return {key: Variant("s", value) for key, value in values.items()}


# By method: how it is called about SERVICE's registration, and what in an answer says that it came
# to something.
ROWS = {
    "Distributor1.Register": (
        "sss",
        [SERVICE, TOKEN, "an app"],
        lambda body: body[0] == "REGISTRATION_SUCCEEDED",
    ),
    "Distributor1.Unregister": ("s", [TOKEN], lambda body: True),
    "Distributor2.Register": (
        "a{sv}",
        [strings(service=SERVICE, token=TOKEN)],
        lambda body: body[0]["success"].value == "REGISTRATION_SUCCEEDED",
    ),
    "Distributor2.Unregister": ("a{sv}", [strings(token=TOKEN)], lambda body: True),
}
ALLOWED = {"the app"}


class AccessMatrixTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.session = Session()
        await self.session.open()
        # The stranger reaches the socket: the bus has to refuse it.
        os.chmod(self.session.root, 0o755)
        self.agent = FakeAgent(self.session.root)
        await self.agent.start()
        await self.session.start_companion(self.agent.path)
        self.app = await App(await self.session.connect(), SERVICE, 2).own()
        # It may come in either generation.
        self.app.bus.export(CONNECTOR_PATH, Connector1(self.app))
        self.other = await App(await self.session.connect(), "org.example.Other", 2).own()
        self.nameless = await self.session.connect()

    async def asyncTearDown(self):
        await self.agent.stop()
        await self.session.close()

    async def methods(self):
        reply = await soon(
            self.nameless.call(
                Message(
                    destination=DISTRIBUTOR,
                    path=DISTRIBUTOR_PATH,
                    interface="org.freedesktop.DBus.Introspectable",
                    member="Introspect",
                )
            )
        )
        root = xml.etree.ElementTree.fromstring(reply.body[0])
        for interface in root.iter("interface"):
            if interface.get("name") in STANDARD:
                continue
            # Nothing else than methods could be asked for.
            self.assertEqual([e.get("name") for e in interface.iter("property")], [])
            for method in interface.iter("method"):
                yield interface.get("name"), method.get("name")

    async def call(self, bus, interface, method):
        """Whether it came to something."""
        signature, body, passed = ROWS[f"{interface[16:]}.{method}"]
        reply = await soon(
            bus.call(
                Message(
                    destination=DISTRIBUTOR,
                    path=DISTRIBUTOR_PATH,
                    interface=interface,
                    member=method,
                    signature=signature,
                    body=body,
                )
            )
        )
        return reply.message_type == MessageType.METHOD_RETURN and passed(reply.body)

    def call_as_stranger(self, interface, method):
        """The same by another user of the machine. None: this user can't become another one."""
        if os.geteuid() != 0:
            return None
        known = subprocess.run(
            [
                "dbus-send",
                f"--bus={self.session.address}",
                "--print-reply",
                "--type=method_call",
                f"--dest={DISTRIBUTOR}",
                DISTRIBUTOR_PATH,
                f"{interface}.{method}",
                f"string:{SERVICE}",
                f"string:{TOKEN}",
                "string:an app",
            ],
            user=STRANGER,
            group=STRANGER,
            extra_groups=[],
            capture_output=True,
            check=False,
            timeout=60,
        )
        return known.returncode == 0

    async def register(self):
        """The app's own registration, which the callers then try to change; its instance."""
        self.assertTrue(await self.call(self.app.bus, "org.unifiedpush.Distributor2", "Register"))
        what, values = await soon(self.app.told.get())
        self.assertEqual(what, "endpoint")
        self.app.endpoint = values["endpoint"]
        return next(
            instance
            for instance, endpoint in self.agent.endpoints.items()
            if endpoint == values["endpoint"]
        )

    async def test_only_allowed_cells_pass(self):
        with open(runfile("docs/operate/security.md"), encoding="utf-8") as file:
            page = file.read()
        callers = {
            "another app": lambda i, m: self.call(self.other.bus, i, m),
            "who owns no name": lambda i, m: self.call(self.nameless, i, m),
            "another user of the machine": lambda i, m: asyncio.to_thread(
                self.call_as_stranger, i, m
            ),
            "the app": lambda i, m: self.call(self.app.bus, i, m),
        }
        seen = set()
        lines = ["| method of the companion | " + " | ".join(callers) + " |"]
        async for interface, method in self.methods():
            name = f"{interface[16:]}.{method}"
            self.assertIn(name, ROWS, f"{name} has no row: say who may call it")
            seen.add(name)
            cells = []
            for caller, call in callers.items():
                instance = await self.register()
                passed = await call(interface, method)
                if passed is None:
                    print(f"SKIPPED: {caller} needs root")
                    passed = False
                self.assertEqual(passed, caller in ALLOWED, f"{caller} calls {name}")
                ended = method == "Unregister" and passed
                if ended:
                    self.assertEqual(await soon(self.agent.unsubscribed.get()), instance)
                    while (await soon(self.app.told.get()))[0] != "unregistered":
                        pass
                else:
                    # It is untouched, and still the app's.
                    self.agent.deliver(instance, b"alive")
                    told = await soon(self.app.next_told())
                    self.assertEqual((told[0], told[1].get("message")), ("message", b"alive"))
                cells.append("yes" if passed else "-")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        self.assertEqual(seen, set(ROWS), "a row of a method that there is not")
        print("\n".join(lines))
        for line in lines:
            self.assertIn(line + "\n", page, "docs/operate/security.md doesn't say it")


if __name__ == "__main__":
    unittest.main(verbosity=2)
