"""Debian's aioapns: sends what standard input says and prints what became of each, as JSON."""
import asyncio
import json
import ssl
import sys
import tempfile

from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsProductionClientProtocol


async def main(order):
    class Connection(APNsProductionClientProtocol):
        APNS_SERVER = order["host"]
        APNS_PORT = order["port"]

    context = ssl.create_default_context(cafile=order["ca"])
    clients = {}  # By topic, as aioapns has it.
    with tempfile.NamedTemporaryFile("w", suffix=".p8") as key:
        key.write(order["credentials"]["private_key_pem"])
        key.flush()
        for topic in {message.get("topic", order["topic"]) for message in order["messages"]}:
            clients[topic] = APNs(key=key.name, key_id=order["credentials"]["key_id"],
                                  team_id=order["credentials"]["team_id"], topic=topic,
                                  ssl_context=context)
            clients[topic].pool.protocol_class = Connection

    async def send(message):
        client = clients[message.get("topic", order["topic"])]
        result = await client.send_notification(NotificationRequest(
            device_token=message["token"], message={"aps": {"alert": message["text"]}}))
        return "sent" if result.is_successful else result.description

    results = await asyncio.gather(*[send(message) for message in order["messages"]])
    for client in clients.values():
        client.pool.close()
    print(json.dumps(results))


asyncio.run(main(json.load(sys.stdin)))
