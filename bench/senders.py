"""Devices and who sends to them: Bellwire with its provider, MQTT brokers with a publisher."""
import base64
import json
import time

import load
import servers
from harness import OURS, BenchError

SEND_LOAD = "//bench/send:send_load"
STEADY_SEND = "//bench/send:steady_send"
MQTT_PUBLISH = "//bench/send:mqtt_publish"
PROGRAMS = [*servers.EMBEDDED, load.PROGRAM, SEND_LOAD, MQTT_PUBLISH]
PAYLOAD_BYTES = 256
# As send_load --mode=web_push says in its JWT.
PUBLIC_URL = "https://localhost"


def vapid_key(credentials):
    """The public half of a provider's key, which send_load signs its VAPID JWT with, in
    base64url."""
    pem = json.loads(credentials.read_text())["private_key_pem"].strip().splitlines()
    # PKCS #8 as OpenSSL writes it ends with the public point.
    point = base64.b64decode("".join(pem[1:-1]))[-65:]
    return base64.urlsafe_b64encode(point).decode().rstrip("=")


def start_steady(bench, bellwire, credentials, tokens, per_second):
    """A backend that sends at a fixed rate (steady_send --help); answers its Process."""
    return bench.start(
        "steady_send",
        [
            bench.program(STEADY_SEND),
            "--server",
            bellwire.provider_address,
            "--ca",
            bellwire.ca,
            "--credentials",
            credentials,
            "--tokens",
            tokens,
            "--per_second",
            per_second,
        ],
        piped=True,
    )


class Sent:
    """What one measurement came to: messages that devices acknowledged each second, how long after
    they were sent (μs: `p50`, `p99`, `p999`), and what the sender says."""

    def __init__(self, seconds, counts, sender):
        self.per_second = counts["messages"] / seconds
        self.p50, self.p99, self.p999 = (
            counts.get(f"message_{p}_us", 0) for p in ("p50", "p99", "p999")
        )
        self.sender = sender


class Rig:
    """A server with `devices` connected devices. Of ours each has the app; or, with `subscribed`, a
    subscription that is bound to the sender's VAPID key. `serve_flags` are of `bellwire serve`."""

    def __init__(self, bench, who, devices, round_number, subscribed=False, serve_flags=()):
        self._bench = bench
        self._who = who
        name = f"{who}.{round_number}"
        self._bellwire = servers.Bellwire(bench, f"{name}.server")
        if who == OURS:
            self.server = self._bellwire.serve(
                *(["--public_url", PUBLIC_URL] if subscribed else []), *serve_flags
            )
            self._credentials = self._bellwire.provider()
            address = self._bellwire.device_address
        else:
            started = servers.BROKERS[who](bench, self._bellwire.data_dir, f"{name}.{who}")
            if started is None:
                raise LeftOut()
            self.server, self._port = started
            address = f"127.0.0.1:{self._port}"
        self._devices = load.Load(bench, who, [address], name=f"{name}.devices")
        self._devices.connect(devices)
        self._count = devices
        self._tokens = bench.dir / f"{name}.tokens"
        if who == OURS:
            what = (
                {"vapid_key": vapid_key(self._credentials)}
                if subscribed
                else {"app": "com.example.bench"}
            )
            self._devices.ask("register", tokens=self._tokens, **what)
        self._runs = 0

    @property
    def data_dir(self):
        """Of the server."""
        return self._bellwire.data_dir

    @property
    def credentials(self):
        """The file of the provider. REQUIRES: ours."""
        return self._credentials

    @property
    def tokens(self):
        """Of the devices' apps. REQUIRES: ours."""
        return self._tokens.read_text(encoding="utf-8").split()

    def send(self, seconds, warmup, **arguments):
        """Sends for that long, as send_load's or mqtt_publish's flags say, and waits until every
        message that was answered OK has arrived. A Sent."""
        self._runs += 1
        self._devices.ask("counts", reset=1)
        sender = self._start_sender(seconds + warmup, arguments)
        time.sleep(warmup)
        began = time.monotonic()
        warmed = self._devices.ask("counts", reset=1)
        time.sleep(seconds)
        counts = self._devices.ask("counts", reset=1)
        elapsed = time.monotonic() - began
        said = json.loads(sender.wait())
        missing = said["succeeded"] - warmed["messages"] - counts["messages"]
        if missing > 0:
            self._devices.ask("await", messages=missing, timeout_s=60)
        if self._devices.ask("counts", reset=1)["doubled"]:
            raise BenchError("a message came twice")
        return Sent(elapsed, counts, said)

    def _start_sender(self, seconds, arguments):
        arguments = {"payload_bytes": PAYLOAD_BYTES, **arguments}
        flags = [f"--{name}={value}" for name, value in arguments.items()]
        common = ["--seconds", seconds, "--ca", self._bellwire.ca, *flags]
        name = f"{self._who}.sender.{self._bench.dir.name}.{id(self)}.{self._runs}"
        if self._who == OURS:
            argv = [
                self._bench.program(SEND_LOAD),
                "--server",
                self._bellwire.provider_address,
                "--credentials",
                self._credentials,
                "--tokens",
                self._tokens,
                "--warmup_seconds",
                0,
                *common,
            ]
        else:
            argv = [
                self._bench.program(MQTT_PUBLISH),
                "--port",
                self._port,
                "--topics",
                self._count,
                *common,
            ]
        return self._bench.start(name, argv, piped=True)

    def stop(self):
        self._devices.stop()
        self.server.stop()


class LeftOut(Exception):
    """The peer is not installed."""
