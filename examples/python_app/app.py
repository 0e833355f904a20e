#!/usr/bin/python3
"""An app on the phone, in Python: gets a token from the agent, then prints what is pushed to it.

    app.py --socket /run/bellwire/agent.sock --app com.example.mail

docs/reference/agent_protocol.md is all it knows. Needs Debian's python3-protobuf and
protobuf-compiler."""
import argparse
import importlib
import pathlib
import socket
import subprocess
import sys
import tempfile


def load_messages():
    protos = pathlib.Path(__file__).resolve().parents[2] / "protos"
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            ["protoc", f"-I{protos}", f"--python_out={out}", "bellwire/agent/v1/agent.proto"],
            check=True,
        )
        sys.path.insert(0, out)
        return importlib.import_module("bellwire.agent.v1.agent_pb2")


def varint(n):
    return bytes([n]) if n < 0x80 else bytes([n & 0x7F | 0x80]) + varint(n >> 7)


def read_frame(stream):
    length = shift = 0
    while byte := stream.read(1):
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return stream.read(length)
    raise SystemExit("the agent closed the connection")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--socket", default="/run/bellwire/agent.sock")
    parser.add_argument("--app", required=True, help="such as com.example.mail")
    args, pb, connection = parser.parse_args(), load_messages(), socket.socket(socket.AF_UNIX)
    connection.connect(args.socket)

    def send(**body):
        frame = pb.AppFrame(**body).SerializeToString()
        connection.sendall(varint(len(frame)) + frame)

    send(hello=pb.Hello(app_id=args.app, client_version="app.py/1"))
    send(register=pb.Register())
    with connection.makefile("rb") as stream:
        while frame := pb.AgentFrame.FromString(read_frame(stream)):
            print(frame, flush=True)  # A registered{} holds the token: send it to your backend.
            if taken := frame.delivery.delivery_id or frame.gap.delivery_id:
                send(ack=pb.Ack(delivery_ids=[taken]))


if __name__ == "__main__":
    main()
