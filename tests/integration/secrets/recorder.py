"""Who has the server's keys and sits on the wire: ends TLS with them, notes what passes, and passes
it on."""
import asyncio
import ssl


class Recorder:
    """Listens on a port of its own and passes everything on to `target`, "host:port", over TLS
    again. Use open() and close()."""

    def __init__(self, target, certificate, key, ca, server_name, mutual):
        self._host, port = target.rsplit(":", 1)
        self._port = int(port)
        self._server_name = server_name
        self._inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inward.load_cert_chain(certificate, key)
        self._inward.set_alpn_protocols(["h2", "http/1.1"])
        self._ca = ca
        self._own = (certificate, key) if mutual else None
        # What passed in one direction of one connection.
        self._streams = []
        self._server = None
        self._tasks = set()
        self.address = None

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._inward)
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def recorded(self):
        return [bytes(stream) for stream in self._streams]

    def _outward(self, agreed):
        """For a connection to the server, which shall speak what the client and this end agreed
        on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self._ca)
        if self._own is not None:
            context.load_cert_chain(*self._own)
        if agreed is not None:
            context.set_alpn_protocols([agreed])
        return context

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            there, back = await asyncio.open_connection(
                self._host,
                self._port,
                server_hostname=self._server_name,
                ssl=self._outward(writer.get_extra_info("ssl_object").selected_alpn_protocol()),
            )
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, reader, writer):
        stream = bytearray()
        self._streams.append(stream)
        try:
            while data := await reader.read(65536):
                stream += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
