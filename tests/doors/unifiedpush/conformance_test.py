#!/usr/bin/python3
"""bellwire-companion as a UnifiedPush distributor, judged by Debian's python3-dbus-next, which
plays the connector's part in both generations of the protocol. The agent is a fake one that does as
it is told: end_to_end_test.py has the real one."""
import asyncio
import base64
import json
import os
import pathlib
import signal
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from dbus_next import Message, MessageType, NameFlag, RequestNameReply, Variant  # noqa: E402
from dbus_next.errors import DBusError  # noqa: E402

from connector import App  # noqa: E402
from fake_agent import FakeAgent  # noqa: E402
from world import DISTRIBUTOR, DISTRIBUTOR_PATH, PATIENCE, Process, Session, soon  # noqa: E402

CONNECTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "connector.py")
TOKEN = "{1b4e28ba-2fa1-11d2-883f-0016d3cca427}"
# The generator of P-256.
POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
VAPID = base64.urlsafe_b64encode(POINT).decode().rstrip("=")


def strings(**values):
    return {key: Variant("s", value) for key, value in values.items()}


class ConformanceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.session = Session()
        await self.session.open()
        self.agent = FakeAgent(self.session.root)
        await self.agent.start()
        await self.session.start_companion(self.agent.path)

    async def asyncTearDown(self):
        await self.agent.stop()
        await self.session.close()

    async def app(self, service="org.example.App", generation=2):
        return await App(await self.session.connect(), service, generation).own()

    async def register(self, app, token=TOKEN, service=None, **more):
        """Calls Register in the app's generation; (result, reason)."""
        distributor = await self.session.distributor(app.bus, app.generation)
        service = service or app.service
        if app.generation == 1:
            return tuple(await soon(distributor.call_register(service, token, "an app")))
        answer = await soon(
            distributor.call_register(strings(service=service, token=token, **more))
        )
        self.assertLessEqual(set(answer), {"success", "reason"})
        self.assertTrue(all(value.signature == "s" for value in answer.values()), answer)
        return (answer["success"].value, answer["reason"].value if "reason" in answer else "")

    async def registered(self, app, token=TOKEN, **more):
        """Registers and answers (instance, endpoint)."""
        self.assertEqual(await self.register(app, token, **more), ("REGISTRATION_SUCCEEDED", ""))
        what, values = await soon(app.told.get())
        self.assertEqual((what, values["token"]), ("endpoint", token))
        app.endpoint = values["endpoint"]
        instance = next(
            instance
            for instance, endpoint in self.agent.endpoints.items()
            if endpoint == values["endpoint"]
        )
        return instance, values["endpoint"]

    async def message(self, app):
        what, values = await soon(app.next_told())
        self.assertEqual(what, "message")
        return values

    # --- Register ---

    async def test_what_it_says_of_itself_is_the_specification(self):
        bus = await self.session.connect()
        reply = await soon(
            bus.call(
                Message(
                    destination=DISTRIBUTOR,
                    path=DISTRIBUTOR_PATH,
                    interface="org.freedesktop.DBus.Introspectable",
                    member="Introspect",
                )
            )
        )
        root = xml.etree.ElementTree.fromstring(reply.body[0])
        said = {}
        for interface in root.iter("interface"):
            if not interface.get("name").startswith("org.unifiedpush"):
                continue
            for method in interface.iter("method"):
                arguments = [
                    (a.get("direction"), a.get("type"), a.get("name")) for a in method.iter("arg")
                ]
                notes = {
                    a.get("name") for a in method.iter("annotation") if a.get("value") == "true"
                }
                said[interface.get("name")[16:] + "." + method.get("name")] = (arguments, notes)
        no_reply = "org.freedesktop.DBus.Method.NoReply"
        self.assertEqual(
            said,
            {
                "Distributor1.Register": (
                    [
                        ("in", "s", "serviceName"),
                        ("in", "s", "token"),
                        ("in", "s", "description"),
                        ("out", "s", "registrationResult"),
                        ("out", "s", "registrationResultReason"),
                    ],
                    set(),
                ),
                "Distributor1.Unregister": ([("in", "s", "token")], {no_reply}),
                "Distributor2.Register": (
                    [("in", "a{sv}", "args"), ("out", "a{sv}", "res")],
                    set(),
                ),
                "Distributor2.Unregister": (
                    [("in", "a{sv}", "args"), ("out", "a{sv}", "res")],
                    set(),
                ),
            },
        )

    async def test_an_endpoint_follows_every_register(self):
        for generation in (1, 2):
            app = await self.app(f"org.example.App{generation}", generation)
            first = await self.registered(app)
            self.assertEqual(await self.registered(app), first)
            self.assertTrue(app.told.empty())
        self.assertEqual(len(self.agent.subscriptions), 2)

    async def test_only_the_owner_of_the_name_registers(self):
        owner = await self.app()
        for generation in (1, 2):
            other = await self.app(f"org.example.Other{generation}", generation)
            for service in (owner.service, "org.example.Nobody"):
                self.assertEqual(
                    await self.register(other, service=service),
                    ("REGISTRATION_FAILED", "UNAUTHORIZED"),
                )
        self.assertEqual(self.agent.subscriptions, {})

    async def test_the_key_reaches_the_agent_and_another_one_is_another_endpoint(self):
        app = await self.app()
        bare, _ = await self.registered(app)
        self.assertEqual(self.agent.subscriptions[bare].vapid_key, b"")
        keyed, _ = await self.registered(app, vapid=VAPID)
        self.assertNotEqual(bare, keyed)
        self.assertEqual(await soon(self.agent.unsubscribed.get()), bare)
        self.assertEqual(self.agent.subscriptions[keyed].vapid_key, POINT)
        self.assertEqual(self.agent.subscriptions[keyed].owner, app.service)
        self.assertEqual((await self.registered(app, vapid=VAPID + "="))[0], keyed)

    async def test_says_what_is_wrong_with_an_argument(self):
        app = await self.app()
        distributor = await self.session.distributor(app.bus, 2)
        sound = strings(service=app.service, token=TOKEN)
        for argument, spoilt in (
            ("service", {**sound, "service": Variant("s", ":1.1")}),
            ("service", strings(token=TOKEN)),
            ("token", {**sound, "token": Variant("s", "t" * 101)}),
            ("token", strings(service=app.service)),
            ("token", {**sound, "token": Variant("u", 7)}),
            ("vapid", {**sound, "vapid": Variant("s", "A" * 87)}),
            ("vapid", {**sound, "vapid": Variant("ay", POINT)}),
        ):
            with self.assertRaises(DBusError) as caught:
                await soon(distributor.call_register(spoilt))
            self.assertEqual(caught.exception.type, "org.freedesktop.DBus.Error.InvalidArgs")
            self.assertTrue(caught.exception.text.startswith(argument), caught.exception.text)
        with self.assertRaises(DBusError):
            await soon(distributor.call_unregister({}))
        # What it doesn't know it ignores.
        answer = await soon(
            distributor.call_register(
                {**sound, "urgency": Variant("a{sv}", {"x": Variant("ai", [1, 2])})}
            )
        )
        self.assertEqual(answer["success"].value, "REGISTRATION_SUCCEEDED")
        self.assertEqual((await soon(app.told.get()))[0], "endpoint")

    async def test_says_why_the_server_refuses(self):
        code = self.agent.pb.Error
        for generation in (1, 2):
            app = await self.app(f"org.example.App{generation}", generation)
            for refusal, reason in (
                (code.VAPID_REQUIRED, "VAPID_REQUIRED"),
                (code.SUBSCRIPTIONS_OFF, "ACTION_REQUIRED"),
                (code.LIMIT_REACHED, "ACTION_REQUIRED"),
                (code.INTERNAL, "INTERNAL_ERROR"),
            ):
                self.agent.refusal = refusal
                self.assertEqual(await self.register(app), ("REGISTRATION_FAILED", reason))
            self.agent.refusal = None
            await self.registered(app)

    async def test_without_network_it_says_so_and_the_endpoint_comes_later(self):
        self.agent.answers = False
        app = await self.app()
        self.assertEqual(await self.register(app), ("REGISTRATION_FAILED", "NETWORK"))
        instance = (await soon(self.agent.subscribed.get())).instance
        self.agent.give_endpoint(instance, "https://push.example.com/wpush/late")
        what, values = await soon(app.told.get())
        self.assertEqual(
            (what, values["endpoint"]), ("endpoint", "https://push.example.com/wpush/late")
        )

    async def test_nonsense_and_floods_harm_nobody(self):
        app = await self.app()
        instance, _ = await self.registered(app)
        hostile = await self.app("org.example.Hostile")
        for generation, member, signature, body in (
            (1, "Register", "s", ["x"]),
            (1, "Register", "a{sv}", [{}]),
            (1, "Unregister", "ay", [b"x"]),
            (2, "Register", "sss", ["a", "b", "c"]),
            (2, "Register", "a{ss}", [{"token": "t"}]),
            (2, "Unregister", "", []),
            (2, "Nothing", "", []),
            (3, "Register", "a{sv}", [{}]),
        ):
            reply = await soon(
                hostile.bus.call(
                    Message(
                        destination=DISTRIBUTOR,
                        path=DISTRIBUTOR_PATH,
                        interface=f"org.unifiedpush.Distributor{generation}",
                        member=member,
                        signature=signature,
                        body=body,
                    )
                )
            )
            self.assertEqual(reply.message_type, MessageType.ERROR, (generation, member, signature))
        # More Registers than may wait, of apps that never get an endpoint.
        self.agent.answers = False
        calls = []
        for number in range(10):
            flooder = await self.app(f"org.example.Flooder{number}")
            distributor = await self.session.distributor(flooder.bus, 2)
            calls += [
                asyncio.ensure_future(
                    soon(
                        distributor.call_register(
                            strings(service=flooder.service, token=str(token))
                        )
                    )
                )
                for token in range(50)
            ]
            if number == 0:
                # This app alone asks for more than an app may have; beside others, all may fill up
                # first.
                await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        reasons = [answer["reason"].value for answer in await asyncio.gather(*calls)]
        self.assertEqual(set(reasons), {"INTERNAL_ERROR", "ACTION_REQUIRED", "NETWORK"})
        self.assertLessEqual(reasons.count("NETWORK"), 256)
        self.assertLessEqual(len(self.agent.subscriptions), 256 + 1)
        # The one that was there before.
        self.agent.deliver(instance, b"alive")
        self.assertEqual((await self.message(app))["message"], b"alive")

    # --- Messages ---

    async def test_messages_come_raw_in_order_and_the_answer_acknowledges(self):
        payloads = [bytes(range(256)) * 16, b"\x00", "ä".encode(), b"last"]
        for generation in (1, 2):
            app = await self.app(f"org.example.App{generation}", generation)
            instance, _ = await self.registered(app)
            app.hold = asyncio.Event()
            ids = [self.agent.deliver(instance, payload) for payload in payloads]
            first = await self.message(app)
            self.assertEqual(first["message"], payloads[0])
            self.assertEqual(first["token"], TOKEN)
            self.assertEqual(first["id"], f"00000000-0000-4000-8000-{ids[0]:012}")
            # Not before its answer, and no other one meanwhile.
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(self.agent.acks.get(), 0.3)
            self.assertTrue(app.told.empty())
            app.hold.set()
            app.hold = None
            for payload in payloads[1:]:
                self.assertEqual((await self.message(app))["message"], payload)
            for delivery_id in ids:
                self.assertEqual(await soon(self.agent.acks.get()), (instance, delivery_id))

    async def test_an_app_that_refuses_gets_the_message_again(self):
        app = await self.app()
        instance, _ = await self.registered(app)
        app.refuse = True
        delivery_id = self.agent.deliver(instance, b"one")
        for _ in range(2):
            self.assertEqual((await self.message(app))["message"], b"one")
        self.assertTrue(self.agent.acks.empty())
        app.refuse = False
        self.assertEqual((await self.message(app))["message"], b"one")
        self.assertEqual(await soon(self.agent.acks.get()), (instance, delivery_id))

    async def test_an_app_is_started_on_demand(self):
        for generation in (1, 2):
            service = f"org.example.OnDemand{generation}"
            log = f"{self.session.root}/{service}.log"
            self.session.make_activatable(
                service, f"/usr/bin/python3 {CONNECTOR} {service} {generation} {log}"
            )
            # It registers, and goes.
            app = await App(await self.session.connect(), service, generation).own()
            instance, _ = await self.registered(app)
            app.bus.disconnect()
            await soon(app.bus.wait_for_disconnect())
            for number in range(2):
                delivery_id = self.agent.deliver(instance, b"wake up %d" % number)
                self.assertEqual(await soon(self.agent.acks.get()), (instance, delivery_id))
            told = [
                json.loads(line)
                for line in pathlib.Path(log).read_text(encoding="utf-8").splitlines()
            ]
            self.assertEqual([entry["message"] for entry in told], ["wake up 0", "wake up 1"])

    async def test_an_app_that_fails_holds_up_itself_alone(self):
        # One that can't be started, one that never takes its name, one that never answers.
        self.session.make_activatable("org.example.Broken", "/bin/false")
        self.session.make_activatable("org.example.Hanging", "/bin/sleep 30")
        stuck = {}
        for service in ("org.example.Broken", "org.example.Hanging"):
            app = await self.app(service)
            stuck[service] = (await self.registered(app))[0]
            app.bus.disconnect()
            await soon(app.bus.wait_for_disconnect())
        silent = await self.app("org.example.Silent")
        stuck["org.example.Silent"] = (await self.registered(silent))[0]
        silent.hold = asyncio.Event()
        well = await self.app("org.example.Well")
        instance, _ = await self.registered(well)
        for one in stuck.values():
            self.agent.deliver(one, b"stuck")
        for number in range(50):
            delivery_id = self.agent.deliver(instance, b"%d" % number)
            self.assertEqual((await self.message(well))["message"], b"%d" % number)
            self.assertEqual(await soon(self.agent.acks.get()), (instance, delivery_id))
        # An app that was broken has its message as soon as it is there.
        mended = await self.app("org.example.Broken")
        self.assertEqual((await self.message(mended))["message"], b"stuck")
        self.assertEqual((await soon(self.agent.acks.get()))[0], stuck["org.example.Broken"])

    async def test_an_app_of_the_first_generation_need_not_answer(self):
        app = await self.app(generation=1)
        instance, _ = await self.registered(app)
        app.hold = asyncio.Event()
        ids = [self.agent.deliver(instance, b"%d" % number) for number in range(2)]
        for number, delivery_id in enumerate(ids):
            self.assertEqual((await self.message(app))["message"], b"%d" % number)
            self.assertEqual(await soon(self.agent.acks.get()), (instance, delivery_id))
        app.hold.set()

    # --- Unregister ---

    async def test_unregister_is_confirmed_and_reaches_the_agent(self):
        for generation, confirmed in ((1, ""), (2, TOKEN)):
            app = await self.app(f"org.example.App{generation}", generation)
            instance, _ = await self.registered(app)
            distributor = await self.session.distributor(app.bus, generation)
            argument = TOKEN if generation == 1 else strings(token=TOKEN)
            answer = await soon(distributor.call_unregister(argument))
            self.assertIn(answer, (None, {}))
            self.assertEqual(await soon(app.told.get()), ("unregistered", {"token": confirmed}))
            self.assertEqual(await soon(self.agent.unsubscribed.get()), instance)
            # The same token again is another registration.
            self.assertNotEqual((await self.registered(app))[0], instance)

    async def test_nobody_unregisters_anothers_token(self):
        app = await self.app()
        instance, _ = await self.registered(app)
        other = await self.app("org.example.Other")
        for generation, argument in ((1, TOKEN), (2, strings(token=TOKEN))):
            distributor = await self.session.distributor(other.bus, generation)
            with self.assertRaises(DBusError) as caught:
                await soon(distributor.call_unregister(argument))
            self.assertEqual(caught.exception.type, "org.freedesktop.DBus.Error.AccessDenied")
        self.agent.deliver(instance, b"alive")
        self.assertEqual((await self.message(app))["message"], b"alive")

    # --- Restarts ---

    async def test_registrations_outlive_the_companion(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            app = await self.app(f"org.example.App{how.value}")
            instance, endpoint = await self.registered(app, vapid=VAPID)
            while not self.agent.subscribed.empty():
                self.agent.subscribed.get_nowait()
            await self.session.companion.end(how)
            self.agent.deliver(instance, b"while it was away")
            await self.session.start_companion(self.agent.path)
            again = await soon(self.agent.subscribed.get())
            while again.instance != instance:
                again = await soon(self.agent.subscribed.get())
            self.assertEqual((again.owner, again.vapid_key), (app.service, POINT))
            self.assertEqual((await self.message(app))["message"], b"while it was away")
            self.assertEqual(await self.registered(app, vapid=VAPID), (instance, endpoint))
        state = os.stat(f"{self.session.root}/state/bellwire/subscriptions.db")
        self.assertEqual(state.st_mode & 0o777, 0o600)

    async def test_an_endpoint_that_changed_meanwhile_is_told(self):
        app = await self.app()
        instance, _ = await self.registered(app)
        await self.session.companion.end()
        self.agent.endpoints[instance] = "https://other.example/wpush/1"
        await self.session.start_companion(self.agent.path)
        what, values = await soon(app.next_told())
        self.assertEqual((what, values["endpoint"]), ("endpoint", "https://other.example/wpush/1"))

    async def test_an_unregister_outlives_the_companion_and_an_agent_that_is_away(self):
        app = await self.app()
        instance, _ = await self.registered(app)
        await self.agent.stop()
        distributor = await self.session.distributor(app.bus, 2)
        self.assertEqual(await soon(distributor.call_unregister(strings(token=TOKEN))), {})
        self.assertEqual((await soon(app.told.get()))[0], "unregistered")
        await self.session.companion.end(signal.SIGKILL)
        await self.session.start_companion(self.agent.path)
        await self.agent.start()
        self.assertEqual(await soon(self.agent.unsubscribed.get()), instance)

    async def test_an_agent_that_restarts_gives_nothing_twice(self):
        await self.session.companion.end()
        await self.session.start_companion(self.agent.path, patience=PATIENCE)
        app = await self.app()
        instance, endpoint = await self.registered(app)
        app.hold = asyncio.Event()
        self.agent.deliver(instance, b"one")
        self.agent.deliver(instance, b"two")
        self.assertEqual((await self.message(app))["message"], b"one")
        await self.agent.stop()
        # A known app has its endpoint without an agent.
        self.assertEqual(await self.register(app), ("REGISTRATION_SUCCEEDED", ""))
        while not self.agent.subscribed.empty():
            self.agent.subscribed.get_nowait()
        await self.agent.start()
        self.assertEqual((await soon(self.agent.subscribed.get())).instance, instance)
        app.hold.set()
        self.assertEqual(
            await soon(app.told.get()), ("endpoint", {"token": TOKEN, "endpoint": endpoint})
        )
        self.assertEqual((await self.message(app))["message"], b"two")
        for _ in range(2):
            await soon(self.agent.acks.get())
        self.assertEqual(self.agent.waiting, {})
        self.assertTrue(app.told.empty())

    async def test_the_bus_starts_the_companion(self):
        await self.session.companion.end()
        self.session.make_activatable(
            DISTRIBUTOR, " ".join(self.session.companion_arguments(self.agent.path))
        )
        app = await self.app()
        await self.registered(app)
        pid = await soon(
            app.bus.call(
                Message(
                    destination="org.freedesktop.DBus",
                    path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus",
                    member="GetConnectionUnixProcessID",
                    signature="s",
                    body=[DISTRIBUTOR],
                )
            )
        )
        self.assertEqual(pid.message_type, MessageType.METHOD_RETURN)
        os.kill(pid.body[0], signal.SIGTERM)

    async def test_two_companions_are_one_too_many(self):
        second = await Process.start(
            "second companion",
            self.session.companion_arguments(self.agent.path),
            f"{self.session.root}/second.log",
            env=self.session.environment(),
        )
        self.assertEqual(await soon(second.process.wait()), 1)
        self.assertIn("another companion of this user runs", second.said())
        await self.session.companion.end()
        # Nobody takes the name from another program.
        bus = await self.session.connect()
        self.assertEqual(
            await bus.request_name(DISTRIBUTOR, NameFlag.DO_NOT_QUEUE),
            RequestNameReply.PRIMARY_OWNER,
        )
        third = await Process.start(
            "third companion",
            self.session.companion_arguments(self.agent.path),
            f"{self.session.root}/third.log",
            env=self.session.environment(),
        )
        self.assertEqual(await soon(third.process.wait()), 1)
        # NAME_TAKEN.
        self.assertIn(f"another process has the name {DISTRIBUTOR}", third.said())

    async def test_it_ends_when_the_bus_does(self):
        self.session.daemon.terminate()
        self.assertEqual(await soon(self.session.companion.process.wait()), 1)
        self.assertIn("the session bus is gone", self.session.companion.said())


if __name__ == "__main__":
    unittest.main(verbosity=2)
