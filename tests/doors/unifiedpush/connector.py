#!/usr/bin/python3
"""The connector's part of UnifiedPush on D-Bus, on Debian's python3-dbus-next: an app as a test
sees it.

    connector.py SERVICE GENERATION LOG

By itself it is an app that D-Bus starts on demand: it notes what it is told in LOG, a line of JSON
each, and ends after the first message."""
import asyncio
import json
import sys

import dbus_next
from dbus_next import Variant
from dbus_next.aio import MessageBus
from dbus_next.errors import DBusError
from dbus_next.service import ServiceInterface, method

CONNECTOR_PATH = "/org/unifiedpush/Connector"


class Connector1(ServiceInterface):
    def __init__(self, app):
        super().__init__("org.unifiedpush.Connector1")
        self.app = app

    @method()
    async def Message(self, token: "s", message: "ay", id: "s"):  # noqa: F722, F821
        await self.app.take("message", token=token, message=bytes(message), id=id)

    @method()
    async def NewEndpoint(self, token: "s", endpoint: "s"):  # noqa: F821
        await self.app.take("endpoint", token=token, endpoint=endpoint)

    @method()
    async def Unregistered(self, token: "s"):  # noqa: F821
        await self.app.take("unregistered", token=token)


class Connector2(ServiceInterface):
    def __init__(self, app):
        super().__init__("org.unifiedpush.Connector2")
        self.app = app

    @method()
    async def Message(self, args: "a{sv}") -> "a{sv}":  # noqa: F722
        values = {key: value.value for key, value in args.items()}
        assert args["message"].signature == "ay", args
        await self.app.take("message", **values)
        return {"id": Variant("s", values["id"])} if "id" in values else {}

    @method()
    async def NewEndpoint(self, args: "a{sv}") -> "a{sv}":  # noqa: F722
        await self.app.take("endpoint", **{key: value.value for key, value in args.items()})
        return {}

    @method()
    async def Unregistered(self, args: "a{sv}") -> "a{sv}":  # noqa: F722
        await self.app.take("unregistered", **{key: value.value for key, value in args.items()})
        return {}


class App:
    """An app with a name on the bus. What it is told is in `told`, and in the file `log` before it
    answers; `refuse` makes it answer messages with an error, and `hold`, an asyncio.Event, makes it
    wait before it answers."""

    def __init__(self, bus, service, generation, log=None):
        self.bus, self.service, self.generation, self.log = bus, service, generation, log
        self.told = asyncio.Queue()
        # The test says it: the endpoint that the app keeps.
        self.endpoint = None
        self.refuse = False
        self.hold = None
        bus.export(CONNECTOR_PATH, Connector1(self) if generation == 1 else Connector2(self))

    async def take(self, what, **values):
        self.told.put_nowait((what, values))
        if self.log is not None:
            values = {
                key: value.decode("latin-1") if isinstance(value, bytes) else value
                for key, value in values.items()
            }
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(json.dumps({"what": what, **values}) + "\n")
        if what == "message" and self.hold is not None:
            await self.hold.wait()
        if what == "message" and self.refuse:
            raise DBusError("org.example.Error.Busy", "not now")

    async def next_told(self):
        """What it is told next, but for an endpoint that it knows: a companion that was ended
        before it had noted the app's answer says it again."""
        while True:
            what, values = await self.told.get()
            if what != "endpoint" or values["endpoint"] != self.endpoint:
                return what, values

    async def own(self):
        await self.bus.request_name(self.service)
        return self


async def main(service, generation, log):
    bus = await MessageBus().connect()
    app = await App(bus, service, int(generation), log).own()
    while (await app.told.get())[0] != "message":
        pass
    # The answer goes out before the end.
    await bus.call(
        dbus_next.Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus.Peer",
            member="Ping",
        )
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
