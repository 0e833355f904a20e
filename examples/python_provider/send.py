#!/usr/bin/python3
"""Sends pushes to a device token through Bellwire: an app backend in Python.

    send.py --server HOST:PORT --ca ca.pem --credentials cred.json --token TOKEN "You have mail"

With --encrypted_token in the place of --token only the app can read it (docs/guide/end_to_end.md).
Retries as docs/guide/send.md says. Needs nothing of Bellwire but its .proto files, and of Debian:
python3-grpcio, python3-jwt, python3-cryptography, protobuf-compiler-grpc. Prints a JSON object for
each message.
"""
import argparse
import importlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import uuid

import grpc
import jwt

import encrypt

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "protos"


def load_stubs(protos):
    """Makes the Python stubs from the .proto files and imports them. A backend of yours would do
    the first half once, in its build."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            [
                "protoc",
                f"-I{protos}",
                f"--python_out={out}",
                f"--grpc_python_out={out}",
                "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                "bellwire/push/v1/push.proto",
                "google/rpc/error_details.proto",
            ],
            check=True,
        )
        sys.path.insert(0, out)
        return (
            importlib.import_module("bellwire.push.v1.push_pb2"),
            importlib.import_module("bellwire.push.v1.push_pb2_grpc"),
            importlib.import_module("google.rpc.error_details_pb2"),
        )


def bearer_token(credentials):
    """An ES256 JWT that proves who sends; good for an hour, so make a new one every 50 minutes."""
    return jwt.encode(
        {"iss": credentials["team_id"], "iat": int(time.time())},
        credentials["private_key_pem"],
        algorithm="ES256",
        headers={"kid": credentials["key_id"]},
    )


# With the same message id any of them may be tried again.
AGAIN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


def asked_delay(error, error_details_pb2):
    """How long the server wants us to wait, in seconds. None: it does not say."""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in error_details_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return info.retry_delay.ToTimedelta().total_seconds()
    return None


def send(push, request, credentials, error_details_pb2, seconds):
    """The answer to a message, tried again for so long. The request has a message id: whatever
    became of an attempt, the next one is the same message."""
    end = time.monotonic() + seconds
    pause = 0.2
    while True:
        try:
            # wait_for_ready: without it a call fails at once while the channel is in back-off after
            # a lost connection, and in grpcio 1.51 the calls of many threads, each tried again at
            # once, keep it there long after the server is back.
            return push.Send(
                request,
                metadata=[("authorization", "Bearer " + bearer_token(credentials))],
                timeout=end - time.monotonic(),
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            delay = asked_delay(error, error_details_pb2)
            if delay is None:
                delay, pause = random.uniform(pause / 2, pause), min(2 * pause, 10)
            if error.code() not in AGAIN or time.monotonic() + delay >= end:
                raise
            time.sleep(delay)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--server", default="localhost:7443")
    parser.add_argument("--ca", required=True, help="the server's ca.pem")
    parser.add_argument("--credentials", required=True, help="made by `bellwire key create --out`")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--token", help="device token, as the app got it")
    to.add_argument("--encrypted_token", help="encrypted token, as the app got it")
    parser.add_argument(
        "--patience", type=float, default=30, help="for how long to try each message, in seconds"
    )
    parser.add_argument("--protos", default=PROTOS, help="the protos/ folder of Bellwire")
    parser.add_argument("text", nargs="+", help="a message each")
    arguments = parser.parse_args()

    push_pb2, push_pb2_grpc, error_details_pb2 = load_stubs(arguments.protos)
    credentials = json.loads(pathlib.Path(arguments.credentials).read_text(encoding="utf-8"))
    ca = pathlib.Path(arguments.ca).read_bytes()

    with grpc.secure_channel(arguments.server, grpc.ssl_channel_credentials(ca)) as channel:
        push = push_pb2_grpc.PushServiceStub(channel)
        for text in arguments.text:
            token, payload = arguments.token, text.encode()
            if arguments.encrypted_token:
                token, payload = encrypt.encrypt_for(arguments.encrypted_token, payload)
            request = push_pb2.SendRequest(
                token=token,
                payload=payload,
                message_id=str(uuid.uuid4()),
                priority=push_pb2.PRIORITY_HIGH,
            )
            sent_at = time.time_ns()
            try:
                answer = send(push, request, credentials, error_details_pb2, arguments.patience)
            except grpc.RpcError as error:
                print(f"error: {error.code().name}: {error.details()}", file=sys.stderr)
                return 1
            answered_at = time.time_ns()
            print(
                json.dumps(
                    {
                        "message_id": answer.message_id,
                        "outcome": push_pb2.SendResponse.Outcome.Name(answer.outcome),
                        "sent_at_us": sent_at // 1000,
                        "took_us": (answered_at - sent_at) // 1000,
                    }
                ),
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
