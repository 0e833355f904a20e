#!/bin/bash
# The providers of examples/ keep to what docs/guide/send.md says of retries: each is started while
# something else has the server's port and closes every connection, ends well once the server is
# back, and the app gets its message once.
set -euo pipefail
# shellcheck disable=SC1091
. tests/guides/world.sh

bellwire listen --app com.example.chat --encrypted --key_file "$short/keys" --json \
  >"$short/chat.out" 2>"$short/chat.log" &
pids+=($!)
await "an encrypted token" grep -q '"event":"token"' "$short/chat.out"
encrypted=$(grep '"event":"token"' "$short/chat.out" | tail -n 1 | grep -oE 'e1[.][A-Za-z0-9_.-]+')
[ -n "$encrypted" ] || { cat "$short/chat.out" && exit 1; }

# In the server's place: closes each connection, and says so.
cat >"$work/decoy.py" <<'PY'
import socket
import sys
port = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
while True:
    port.accept()[0].close()
    print("a connection", flush=True)
PY

try() { # NAME COMMAND...
  local name=$1 decoy program
  shift
  kill_server
  /usr/bin/python3 "$work/decoy.py" "$port" >"$work/$name.decoy" &
  decoy=$!
  pids+=("$decoy")
  "$@" "from $name" >"$work/$name.log" 2>&1 &
  program=$!
  pids+=("$program")
  await "$name to meet no server" grep -q 'a connection' "$work/$name.decoy"
  kill -KILL "$decoy"
  wait "$decoy" 2>/dev/null || true
  start_server
  wait "$program" || { cat "$work/$name.log" && echo "FAILED: $name gave up" && exit 1; }
  await "the message from $name" grep -qF "\"from $name\"" "$short/chat.out"
  [ "$(grep -cF "\"from $name\"" "$short/chat.out")" -eq 1 ] ||
    { cat "$short/chat.out" && echo "FAILED: what $name sent came more than once" && exit 1; }
}

export BELLWIRE_ACCESS_TOKEN=$KEY
try python /usr/bin/python3 examples/python_provider/send.py --server "$SERVER" \
  --ca "$data/ca.pem" --credentials "$work/cred.json" --protos "$root/protos" --patience 60 \
  --encrypted_token "$encrypted"
try node node examples/node_provider/send.js "https://$SERVER" "$data/ca.pem" "$encrypted"
try cpp examples/cpp_provider/cpp_provider "$SERVER" "$data/ca.pem" "$encrypted"
echo "all three retried"
