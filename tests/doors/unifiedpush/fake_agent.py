"""The agent's end of a companion's connection, as docs/reference/agent_protocol.md says it, for
tests: it answers Subscribe with endpoints of its own making, and delivers what it is told to."""
import asyncio
import importlib
import os
import subprocess
import sys

from world import runfile, soon


def load_messages(folder):
    protos = runfile("protos")
    subprocess.run(
        ["protoc", f"-I{protos}", f"--python_out={folder}", "bellwire/agent/v1/agent.proto"],
        check=True,
    )
    sys.path.insert(0, folder)
    return importlib.import_module("bellwire.agent.v1.agent_pb2")


def varint(number):
    if number < 0x80:
        return bytes([number])
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7)


async def read_frame(reader):
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return await reader.readexactly(length)


class FakeAgent:
    def __init__(self, root):
        self.pb = load_messages(root)
        self.path = f"{root}/agent.sock"
        self.server = None
        self.writer = None
        # instance -> Subscribe
        self.subscriptions = {}
        self.endpoints = {}
        # An Error code, or None: Subscribe is answered by an endpoint.
        self.refusal = None
        self.answers = True
        self.acks = asyncio.Queue()
        self.subscribed = asyncio.Queue()
        self.unsubscribed = asyncio.Queue()
        self.last_delivery_id = 0
        # (instance, delivery id) -> Delivery that is not acknowledged.
        self.waiting = {}

    async def start(self):
        self.server = await asyncio.start_unix_server(self.serve, self.path)

    async def stop(self):
        self.server.close()
        if self.writer is not None:
            self.writer.close()
        await self.server.wait_closed()
        os.unlink(self.path)

    def say(self, **body):
        frame = self.pb.AgentFrame(**body).SerializeToString()
        self.writer.write(varint(len(frame)) + frame)

    async def serve(self, reader, writer):
        try:
            hello = self.pb.AppFrame.FromString(await soon(read_frame(reader)))
            assert hello.hello.companion and not hello.hello.app_id, hello
            self.writer = writer
            self.say(hello_ok=self.pb.HelloOk(agent_version="fake", inbox_id=b"i" * 16))
            while True:
                self.take(self.pb.AppFrame.FromString(await read_frame(reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def take(self, frame):
        body = frame.WhichOneof("body")
        if body == "subscribe":
            self.take_subscribe(frame.subscribe)
        elif body == "unsubscribe":
            instance = frame.unsubscribe.instance
            self.subscriptions.pop(instance, None)
            self.unsubscribed.put_nowait(instance)
            self.say(unsubscribed=self.pb.Unsubscribed(instance=instance))
        elif body == "ack":
            for delivery_id in frame.ack.delivery_ids:
                self.waiting.pop((frame.ack.instance, delivery_id), None)
                self.acks.put_nowait((frame.ack.instance, delivery_id))

    def take_subscribe(self, subscribe):
        instance = subscribe.instance
        if self.refusal is not None:
            self.say(error=self.pb.Error(code=self.refusal, message="refused", instance=instance))
            return
        self.subscriptions[instance] = subscribe
        self.subscribed.put_nowait(subscribe)
        if not self.answers:
            return
        self.give_endpoint(
            instance,
            self.endpoints.get(instance) or f"https://push.example.com/wpush/{instance[3:]}",
        )
        for (owner, _), delivery in sorted(self.waiting.items()):
            if owner == instance:
                delivery.redelivered = True
                self.say(delivery=delivery)

    def give_endpoint(self, instance, endpoint):
        self.endpoints[instance] = endpoint
        self.say(subscribed=self.pb.Subscribed(instance=instance, endpoint=endpoint))

    def deliver(self, instance, payload):
        self.last_delivery_id += 1
        delivery = self.pb.Delivery(
            delivery_id=self.last_delivery_id,
            instance=instance,
            payload=payload,
            message_id=f"00000000-0000-4000-8000-{self.last_delivery_id:012}",
        )
        delivery.content.door = self.pb.Content.WEB_PUSH
        delivery.content.encoding = "aes128gcm"
        self.waiting[(instance, self.last_delivery_id)] = delivery
        if self.writer is not None:
            self.say(delivery=delivery)
        return self.last_delivery_id
