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

    with tempfile.NamedTemporaryFile("w", suffix=".p8") as key:
        key.write(order["credentials"]["private_key_pem"])
        key.flush()
        client = APNs(key=key.name, key_id=order["credentials"]["key_id"],
                      team_id=order["credentials"]["team_id"], topic=order["topic"],
                      ssl_context=ssl.create_default_context(cafile=order["ca"]))
    client.pool.protocol_class = Connection

    async def send(message):
        result = await client.send_notification(NotificationRequest(
            device_token=message["token"], message={"aps": {"alert": message["text"]}}))
        return "sent" if result.is_successful else result.description

    results = await asyncio.gather(*[send(message) for message in order["messages"]])
    client.pool.close()
    print(json.dumps(results))


asyncio.run(main(json.load(sys.stdin)))
