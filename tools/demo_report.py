"""What tools/demo measures.

    demo_report.py latency --deadline_seconds N SENT.json... -- RECEIVED.json...
        from before the backend's call until the app has it: minimum, median, 99th percentile.
        SENT has the lines of examples/python_provider/send.py, RECEIVED those of `bellwire listen
        --json`. Waits until every message sent was received, each once.
    demo_report.py sent SENT.json
    demo_report.py received APP RECEIVED.json MESSAGE_ID
        one message, for people.
    demo_report.py connections --pid PID --port PORT --expect N
        counts the TCP connections of a process to a port.

Exits non-zero if something is missing or too much.
"""
import json
import os
import pathlib
import re
import statistics
import sys
import time


def read_lines(path):
    """The JSON objects of a file that somebody may be writing."""
    for line in pathlib.Path(path).read_text(encoding="utf-8").split("\n")[:-1]:
        yield json.loads(line)


def received_by(paths):
    """Message id -> when it was received, every time."""
    times = {}
    for path in paths:
        for event in read_lines(path):
            if event["event"] == "message":
                times.setdefault(event["message_id"], []).append(event["received_at_us"])
    return times


def latency(arguments):
    deadline = time.monotonic() + float(arguments[1])
    split = arguments.index("--")
    sent = {m["message_id"]: m for path in arguments[2:split] for m in read_lines(path)}
    while True:
        received = received_by(arguments[split + 1:])
        missing = sent.keys() - received.keys()
        if not missing:
            break
        if time.monotonic() > deadline:
            print(f"error: {len(missing)} of {len(sent)} messages did not arrive")
            return 1
        time.sleep(0.05)
    if any(len(received[message]) != 1 for message in sent):
        print("error: a message arrived more than once")
        return 1
    ms = sorted((received[i][0] - m["sent_at_us"]) / 1000 for i, m in sent.items())
    call = sorted(m["took_us"] / 1000 for m in sent.values())
    print(f"{len(ms)} sent, {len(ms)} received, each once")
    for name, values in [("call answered (durable)", call), ("in the app's hands", ms)]:
        print(f"  {name:24} min {values[0]:5.1f} ms   median {statistics.median(values):5.1f} ms   "
              f"p99 {values[int(len(values) * 0.99) - 1]:5.1f} ms")
    return 0


def sent(arguments):
    for message in read_lines(arguments[0]):
        print(f"{message['outcome']} in {message['took_us'] / 1000:.1f} ms: "
              f"message {message['message_id']}")
    return 0


def received(arguments):
    app, path, message_id = arguments
    events = [e for e in read_lines(path) if e.get("message_id") == message_id]
    for event in events:
        print(f"{app} received \"{event['payload']}\", "
              f"{event['latency_ms']} ms after the gateway accepted it")
    return 0 if len(events) == 1 else 1


def connections(arguments):
    options = dict(zip(arguments[::2], arguments[1::2]))
    pid, port, expected = options["--pid"], int(options["--port"]), int(options["--expect"])
    inodes = set()
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
        except FileNotFoundError:
            continue  # Closed meanwhile.
        if match:
            inodes.add(match[1])
    count = 0
    for table in ("tcp", "tcp6"):
        try:
            rows = pathlib.Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii")
        except FileNotFoundError:
            continue  # A kernel without IPv6.
        for row in rows.split("\n")[1:-1]:
            columns = row.split()
            if int(columns[2].split(":")[1], 16) == port and columns[9] in inodes:
                count += 1
    print(f"the agent (pid {pid}) has {count} TCP connection{'s'[count == 1:]} to the server")
    return 0 if count == expected else 1


if __name__ == "__main__":
    COMMANDS = {"latency": latency, "sent": sent, "received": received,
                "connections": connections}
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
