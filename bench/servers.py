"""Servers to be measured: Bellwire's, and MQTT brokers with their best settings."""
import json
import os
import pathlib
import shutil
import socket
import subprocess

# Who wants to run these adds them to PROGRAMS.
EMBEDDED = ["//cli:bellwire"]
SEPARATE = [
    "//cli:bellwire",
    "//registry:bellwire-registry",
    "//connector:bellwire-connector",
    "//gateway:bellwire-gateway",
]


def _link_tables(source, target):
    """Copies a file, if something may ever write into it: RocksDB never changes a table."""
    if source.endswith(".sst"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


class Bellwire:
    """One deployment of Bellwire with a data directory of its own. Start what you need."""

    def __init__(self, bench, name="bellwire", copy_of=None, log_level="warning"):
        """A new one, or what another one has on disk; that one must not run. What a daemon writes
        for each connection costs time: warnings are enough, mostly."""
        self._bench = bench
        self._log = ["--log_level", log_level]
        self._name = name
        self.data_dir = bench.dir / f"{name}.data"
        if copy_of is None:
            bench.run(
                f"{name}.init",
                [bench.program("//cli:bellwire"), "init", "--data_dir", self.data_dir],
            )
        else:
            shutil.copytree(copy_of.data_dir, self.data_dir, copy_function=_link_tables)
        self.ca = self.data_dir / "ca.pem"
        # HOST:PORT of the provider and the device port that were started last.
        self.provider_address = None
        self.device_address = None
        self._registry_address = None

    def _start(self, name, label, arguments):
        name = f"{self._name}.{name}"
        ready = self._bench.dir / f"{name}.ready"
        ready.unlink(missing_ok=True)
        process = self._bench.start(
            name, [self._bench.program(label), *arguments, "--ready_file", ready, *self._log]
        )
        process.addresses = process.wait_file(ready)
        self.provider_address = process.addresses.get("provider_address", self.provider_address)
        self.device_address = process.addresses.get("device_address", self.device_address)
        return process

    def serve(self, *arguments):
        """All three parts in one process (`bellwire serve`). Answers the Process; its `addresses`
        is what the ready file says."""
        return self._start(
            "serve",
            "//cli:bellwire",
            [
                "serve",
                "--data_dir",
                self.data_dir,
                "--provider_listen",
                "127.0.0.1:0",
                "--device_listen",
                "127.0.0.1:0",
                *arguments,
            ],
        )

    def registry(self, *arguments, listen="127.0.0.1:0"):
        process = self._start(
            "registry",
            "//registry:bellwire-registry",
            ["--data_dir", self.data_dir, "--listen", listen, *arguments],
        )
        self._registry_address = process.addresses["internal_address"]
        return process

    def connector(self, name="connector", *arguments, listen="127.0.0.1:0"):
        """REQUIRES: registry."""
        return self._start(
            name,
            "//connector:bellwire-connector",
            [
                "--data_dir",
                self.data_dir,
                "--registry_address",
                self._registry_address,
                "--listen",
                listen,
                "--internal_listen",
                "127.0.0.1:0",
                *arguments,
            ],
        )

    def gateway(self, name="gateway", *arguments, listen="127.0.0.1:0"):
        """REQUIRES: registry."""
        return self._start(
            name,
            "//gateway:bellwire-gateway",
            [
                "--data_dir",
                self.data_dir,
                "--registry_address",
                self._registry_address,
                "--listen",
                listen,
                *arguments,
            ],
        )

    def provider(self, app_id="com.example.bench"):
        """Makes a team, an app and a signing key; answers the path of the credentials, a JSON file
        with team_id, key_id and private_key_pem. REQUIRES: serve or gateway."""
        team = self.command("team", "create", "Bench")["team_id"]
        self.command("app", "create", app_id, "--team", team)
        credentials = self.data_dir / "credentials.json"
        self.command("key", "create", "--team", team, "--out", credentials)
        return credentials

    def command(self, *arguments):
        """A subcommand of bellwire; answers what it says. CalledProcessError has its stderr."""
        out = subprocess.run(
            [str(self._bench.program("//cli:bellwire")), *map(str, arguments), "--json"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "BELLWIRE_SERVER": self.provider_address,
                "BELLWIRE_DATA_DIR": str(self.data_dir),
            },
        ).stdout
        return json.loads(out)


def free_port():
    """A TCP port that nobody listens on, for servers that can't choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_mosquitto(bench, certificate_dir, name="mosquitto"):
    """Starts mosquitto with TLS 1.3 and the certificate of a Bellwire data directory, so that both
    pay for the same handshake. Answers (Process, port), or None if it is left out."""
    program = bench.tool("mosquitto")
    if program is None:
        return None
    port = free_port()
    config = bench.dir / f"{name}.conf"
    data = pathlib.Path(certificate_dir)
    config.write_text(
        f"""
listener {port} 127.0.0.1
cafile {data}/ca.pem
certfile {data}/server.pem
keyfile {data}/server.key
tls_version tlsv1.3
allow_anonymous true
# Without it a login waits for a delayed acknowledgement: 23 logins a second.
set_tcp_nodelay true
persistence false
max_inflight_messages 100
max_queued_messages 0
log_type error
user root
""",
        encoding="utf-8",
    )
    process = bench.start(name, [program, "-c", config])
    process.wait_listening(port)
    return process, port


def start_rabbitmq(bench, certificate_dir, name="rabbitmq"):
    """Starts RabbitMQ with its MQTT plugin, as start_mosquitto does. A publisher has its PUBACK
    when the queue's log is synced (README.md). Answers (Process, port), or None if it is left
    out."""
    # Debian's /usr/sbin/rabbitmq-server changes the user and the folder; this is what it calls.
    program = bench.tool("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if program is None:
        return None
    home = bench.dir / f"{name}.home"
    home.mkdir()
    port = free_port()
    data = pathlib.Path(certificate_dir)
    config = home / "rabbitmq.conf"
    config.write_text(
        f"""
listeners.tcp = none
mqtt.listeners.tcp = none
mqtt.listeners.ssl.default = 127.0.0.1:{port}
ssl_options.cacertfile = {data}/ca.pem
ssl_options.certfile = {data}/server.pem
ssl_options.keyfile = {data}/server.key
ssl_options.versions.1 = tlsv1.3
# The safest queue that a durable session can have; the default is classic.
mqtt.durable_queue_type = quorum
# As mosquitto's max_inflight_messages; the default is 10.
mqtt.prefetch = 100
log.console = true
log.console.level = error
log.file = false
""",
        encoding="utf-8",
    )
    # Erlang's directory of nodes. One of our own ends with the bench: RabbitMQ's would go on for
    # ever.
    epmd_port = free_port()
    epmd = bench.start(
        f"{name}.epmd", [bench.tool("epmd"), "-address", "127.0.0.1", "-port", epmd_port]
    )
    epmd.wait_listening(epmd_port)
    process = bench.start(
        name,
        [program],
        cwd=home,
        env={
            "HOME": str(home),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "bench@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_MNESIA_BASE": str(home),
            "RABBITMQ_LOG_BASE": str(home),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(home / "feature_flags"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_ENABLED_PLUGINS": "rabbitmq_mqtt",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # The script becomes the server, so that its process is what we measure and stop.
            "RUNNING_UNDER_SYSTEMD": "true",
        },
    )
    process.wait_listening(port, timeout_s=120)
    return process, port


def start_nats(bench, certificate_dir, name="nats"):
    """Starts nats-server with MQTT over JetStream in files, as start_mosquitto does. Answers
    (Process, port), or None if it is left out."""
    program = bench.tool("nats-server")
    if program is None:
        return None
    port = free_port()
    config = bench.dir / f"{name}.conf"
    data = pathlib.Path(certificate_dir)
    config.write_text(
        f"""
# MQTT sessions are kept under the server's name.
server_name: bench
# NATS's own protocol has a listener, which nobody uses here.
listen: 127.0.0.1:{free_port()}
jetstream {{
  store_dir: "{bench.dir / f"{name}.store"}"
}}
mqtt {{
  listen: 127.0.0.1:{port}
  # consumer_memory_storage would halve the costs. But such a consumer ends with the server, and
  # whatever it had not delivered is lost: only the default, files, keeps what was acknowledged.
  tls {{
    cert_file: "{data}/server.pem"
    key_file: "{data}/server.key"
    # The default is two seconds, for handshakes of a thousand devices on a busy machine.
    timeout: 30
  }}
}}
""",
        encoding="utf-8",
    )
    process = bench.start(name, [program, "--config", config])
    process.wait_listening(port)
    return process, port


# Name → what starts it, for those who speak MQTT.
BROKERS = {"mosquitto": start_mosquitto, "nats": start_nats, "rabbitmq": start_rabbitmq}


def start_openssl_loop(bench, certificate_dir):
    """Answers (the Process, its address). REQUIRES: PROGRAMS has load.LOOP."""
    process = bench.start(
        "openssl_loop", [bench.program("//bench:openssl_loop"), certificate_dir], piped=True
    )
    return process, f"127.0.0.1:{process.read_json()['port']}"


def start_contender(bench, who, name):
    """Starts the device port of Bellwire as a daemon of its own, or a peer's server, whose
    certificate is the same. Answers (the process to be measured, address, processes behind it), or
    None if the peer is left out. REQUIRES: PROGRAMS has SEPARATE and load.LOOP."""
    bellwire = Bellwire(bench, name)
    if who == "bellwire":
        registry = bellwire.registry()
        return bellwire.connector(), bellwire.device_address, [registry]
    if who == "openssl":
        return (*start_openssl_loop(bench, bellwire.data_dir), [])
    started = start_mosquitto(bench, bellwire.data_dir)
    return started and (started[0], f"127.0.0.1:{started[1]}", [])
