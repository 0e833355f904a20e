"""What Send costs beside a bare call of gRPC."""
import json

import senders
import servers
from harness import OURS, Goal
from senders import Rig

SUMMARY = (
    "unary Sends per second to connected devices, all the way to the ack, against a bare gRPC echo"
)
PEERS = ["grpc_echo"]
ECHO = "//bench/send:grpc_echo"
PROGRAMS = [*senders.PROGRAMS, ECHO]
GOALS = [Goal("sends_per_second", peer="grpc_echo", ratio_at_least=0.5)]

DEPTHS = {"256": dict(in_flight=256, channels=2), "1000": dict(in_flight=1000, channels=2)}


def run(bench):
    devices, seconds, warmup = (200, 0.3, 0.2) if bench.quick else (1000, 5, 2)
    for round_number in range(bench.rounds):
        for who in bench.contenders(round_number, OURS, *PEERS):
            measure = ours if who == OURS else echo
            rates = []
            for depth, rate in measure(bench, round_number, devices, seconds, warmup):
                bench.progress(f"{who}, {depth} in flight: {rate:,.0f}/s")
                bench.sample(f"sends_per_second_{depth}_in_flight", "1/s", rate, who)
                rates.append(rate)
            bench.sample("sends_per_second", "1/s", max(rates), who)


def ours(bench, round_number, devices, seconds, warmup):
    """Of the messages that the devices acknowledged, and no others."""
    rig = Rig(bench, OURS, devices, round_number)
    for depth, flags in DEPTHS.items():
        yield depth, rig.send(seconds, warmup, mode="unary", **flags).per_second
    rig.stop()


def echo(bench, round_number, _devices, seconds, warmup):
    """The same client, messages and TLS, and a server that does nothing."""
    bellwire = servers.Bellwire(bench, f"echo.{round_number}")
    bellwire.serve()
    credentials = bellwire.provider()
    ready = bench.dir / f"echo.{round_number}.ready"
    server = bench.start(
        f"echo.{round_number}",
        [
            bench.program(ECHO),
            "--certificate",
            bellwire.data_dir / "server.pem",
            "--key",
            bellwire.data_dir / "server.key",
            "--ready_file",
            ready,
        ],
    )
    address = server.wait_file(ready)["provider_address"]
    tokens = bench.dir / "echo.tokens"
    tokens.write_text("0123456789abcdef" * 8 + "\n", encoding="ascii")
    for depth, flags in DEPTHS.items():
        said = json.loads(
            bench.run(
                f"echo.{round_number}.{depth}",
                [
                    bench.program(senders.SEND_LOAD),
                    "--server",
                    address,
                    "--ca",
                    bellwire.ca,
                    "--credentials",
                    credentials,
                    "--tokens",
                    tokens,
                    "--mode",
                    "unary",
                    "--payload_bytes",
                    senders.PAYLOAD_BYTES,
                    "--seconds",
                    seconds,
                    "--warmup_seconds",
                    warmup,
                    *(f"--{k}={v}" for k, v in flags.items()),
                ],
            )
        )
        yield depth, said["messages_per_second"]
    server.stop()
