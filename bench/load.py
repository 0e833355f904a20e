"""device_load, as benches use it: thousands of devices in one process (bench/load/)."""

PROGRAM = "//bench/load:device_load"
LOOP = "//bench:openssl_loop"

# device_load's --protocol for each contender.
PROTOCOLS = {
    "bellwire": "bellwire",
    "openssl": "plain",
    "mosquitto": "mqtt",
    "nats": "mqtt_durable",
    "rabbitmq": "mqtt_durable",
}


class Load:
    """One device_load. Members it brings up are idle until they are told otherwise."""

    def __init__(self, bench, who, servers, name=None):
        self._process = bench.start(
            name or f"load.{who}",
            [bench.program(PROGRAM), "--protocol", PROTOCOLS[who]],
            piped=True,
        )
        self.pid = self._process.pid
        self.move_to(*servers)

    def move_to(self, *servers):
        """Where to connect from now on."""
        self.ask("servers", to=",".join(servers))

    def ask(self, command, **arguments):
        """A command of device_load (its --help lists them); answers what it says."""
        return self._process.ask(self._line(command, arguments))

    def start(self, command, **arguments):
        """As ask, but `finish` answers."""
        self._process.send(self._line(command, arguments))

    def finish(self):
        return self._process.read_json()

    def connect(self, count, **arguments):
        return self.ask("connect", count=count, **arguments)

    def stop(self):
        self._process.stop()

    @staticmethod
    def _line(command, arguments):
        return " ".join([command, *(f"{k}={v}" for k, v in arguments.items())])
