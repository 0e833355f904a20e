#!/usr/bin/python3
"""An app backend that sends at a fixed rate, whatever happens, and repeats what was not answered OK under
the same message id, as a backend does. For benches that look at something else meanwhile.

    steady_sender.py SERVER CA CREDENTIALS TOKENS PER_SECOND

`TOKENS` is a file, one a line; they are taken in turn. Reads commands from stdin, answers each with a line
of JSON: `report` (latency of the calls since the last report, and how many messages were answered OK
since the start) and `stop` (no new messages; answers once every message was answered OK).
"""
import json
import pathlib
import sys
import threading
import time
import uuid

import grpc
import jwt

METHOD = "/bellwire.push.v1.PushService/Send"
HIGH = 1
PAYLOAD_BYTES = 256


def field(number, data):
    """A length-delimited field of a protobuf message."""
    size, length = len(data), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


class Sender:
    def __init__(self, server, ca, credentials, tokens, per_second):
        signer = json.loads(pathlib.Path(credentials).read_text(encoding="utf-8"))
        self._tokens = pathlib.Path(tokens).read_text(encoding="ascii").split()
        self._per_second = float(per_second)
        bearer = jwt.encode({"iss": signer["team_id"], "iat": int(time.time())},
                            signer["private_key_pem"], algorithm="ES256",
                            headers={"kid": signer["key_id"]})
        self._metadata = [("authorization", "Bearer " + bearer)]
        root = pathlib.Path(ca).read_bytes()
        self._channel = grpc.secure_channel(server, grpc.ssl_channel_credentials(root))
        self._send = self._channel.unary_unary(METHOD)
        self._lock = threading.Condition()
        self._latencies = []
        self._sent = self._ok = self._repeated = self._open = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        start = time.monotonic()
        for number in range(sys.maxsize):
            delay = start + number / self._per_second - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            with self._lock:
                if self._stopping:
                    return
                self._open += 1
                self._sent += 1
            self._try(self._tokens[number % len(self._tokens)], str(uuid.uuid4()))

    def _try(self, token, message_id):
        begun = time.monotonic_ns()
        payload = begun.to_bytes(8, sys.byteorder).ljust(PAYLOAD_BYTES, b"x")
        request = (field(1, token.encode()) + field(2, payload) + field(3, message_id.encode()) +
                   bytes([6 << 3, HIGH]))
        call = self._send.future(request, metadata=self._metadata, timeout=10)
        call.add_done_callback(lambda done: self._answered(done, begun, token, message_id))

    def _answered(self, call, begun, token, message_id):
        ok = call.code() == grpc.StatusCode.OK
        with self._lock:
            self._latencies.append(time.monotonic_ns() - begun)
            if ok:
                self._ok += 1
                self._open -= 1
                self._lock.notify_all()
            else:
                self._repeated += 1
        if not ok:
            if call.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
                                   grpc.StatusCode.RESOURCE_EXHAUSTED):
                print(f"steady_sender: {call.code().name}: {call.details()}", file=sys.stderr)
            threading.Timer(0.2, self._try, (token, message_id)).start()

    def report(self):
        with self._lock:
            latencies, self._latencies = sorted(self._latencies), []
            out = {"sent": self._sent, "ok": self._ok, "repeated": self._repeated,
                   "calls": len(latencies)}
        if latencies:
            for name, part in (("p50_us", 0.5), ("p99_us", 0.99), ("max_us", 1)):
                out[name] = latencies[min(len(latencies) - 1, int(len(latencies) * part))] / 1000
        return out

    def stop(self):
        with self._lock:
            self._stopping = True
        self._thread.join()
        with self._lock:
            if not self._lock.wait_for(lambda: self._open == 0, timeout=60):
                return {"error": f"{self._open} messages were never answered OK"}
        return self.report()


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sender = Sender(*sys.argv[1:])
    for line in sys.stdin:
        command = line.strip()
        answer = {"report": sender.report, "stop": sender.stop}.get(
            command, lambda: {"error": f"there is no command {command}"})()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
