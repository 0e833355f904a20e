#!/bin/bash
# A server, a phone and a team of a test's own, and what the guides call given. Sourced, in the
# runfiles: the programs are those of `data`. Leaves nothing behind.
#
# $work is the folder of the reader, $short a folder for sockets; kill_server and start_server.

root=$PWD
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/guide.XXXXXX")
short=$(mktemp -d /tmp/bellwire-guide.XXXXXX)
# Sockets have short names.
pids=()
clean_up() {
  local pid
  # What the guide started in the background goes with its group.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM -- "-${pids[i]}" 2>/dev/null || kill -TERM "${pids[i]}" 2>/dev/null || true
  done
  wait || true
  rm -rf "$work" "$short"
}
trap clean_up EXIT
set -m  # Each in a group of its own.

# --- The programs, as packages would install them. ---

bin=$work/bin
mkdir "$bin"
for program in "$root"/cli/bellwire "$root"/device-agent/{,companion/}bellwire-{agent,companion} \
  ${AGENT_PROGRAMS:+"$AGENT_PROGRAMS"/*}; do
  if [ -x "$program" ]; then ln -s "$program" "$bin"; fi
done
export PATH=$bin:$PATH
# The packages of npm, pinned.
if [ -d ../doors_npm/node_modules ]; then
  npm=$(cd ../doors_npm && pwd)
  ln -s "$npm/node" "$bin"
  export NODE_PATH=$npm/node_modules
fi
# As packages install it.
if [ -e "$root/device-agent/client/library/libbellwire.so" ]; then
  "$root/device-agent/client/library/stage" "$root" "$work/dev" 0
  export PKG_CONFIG_PATH=$work/dev/lib/pkgconfig
  export LD_LIBRARY_PATH=$work/dev/lib
fi
# curl says it with its exit code when a server refuses.
printf 'fail-with-body\nsilent\nshow-error\n' >"$work/.curlrc"
export HOME=$work
await() { # WHAT COMMAND...
  local what=$1 tries
  shift
  for ((tries = 0; tries < 600; tries++)); do
    "$@" && return
    sleep 0.1
  done
  echo "FAILED: waited in vain for $what"
  tail -n 20 "$short"/*.log
  exit 1
}
field() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# --- A server, a phone, a team: what the guides call given. ---

data=$short/data
bellwire init --data_dir "$data" --server_name localhost --server_name 127.0.0.1 >/dev/null
# Endpoints of subscriptions have the port in their names before there is a server.
port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
device_port=0
start_server() {
  rm -f "$short/server.json"
  bellwire serve --data_dir "$data" --provider_listen "127.0.0.1:$port" \
    --device_listen "127.0.0.1:$device_port" --public_url "https://localhost:$port" \
    --ready_file "$short/server.json" 2>>"$short/server.log" &
  server=$!
  pids+=("$server")
  await "the server" test -s "$short/server.json"
  device_port=$(field device_address <"$short/server.json" | sed 's/.*://')
}
kill_server() {
  kill -KILL "$server"
  wait "$server" 2>/dev/null || true
}
start_server
export SERVER=localhost:$port
export BELLWIRE_SERVER=$SERVER
export BELLWIRE_DATA_DIR=$data
bellwire-agent --server "127.0.0.1:$device_port" --ca "$data/ca.pem" \
  --state_dir "$short/phone" --socket "$short/agent.sock" --ready_file "$short/agent.json" \
  2>"$short/agent.log" &
pids+=($!)
await "the agent" test -s "$short/agent.json"
export BELLWIRE_AGENT_SOCKET=$short/agent.sock
export SOCKET=$BELLWIRE_AGENT_SOCKET
TEAM=$(bellwire team create "Example Ltd" --json | field team_id)
bellwire app create com.example.mail --team "$TEAM" >/dev/null
bellwire app create com.example.chat --team "$TEAM" >/dev/null
export TEAM
KEY=$(bellwire key create --send_only "$TEAM" --json | field access_token)
export KEY
cp "$data/ca.pem" "$work/ca.pem"
# Who has a certificate of a public authority needs no --cacert.
export CURL_CA_BUNDLE=$work/ca.pem
export REQUESTS_CA_BUNDLE=$work/ca.pem
bellwire key create --team "$TEAM" --out "$work/cred.json" >/dev/null
bellwire listen --app com.example.mail --json >"$short/mail.out" 2>"$short/mail.log" &
pids+=($!)
await "a token" grep -q '"event":"token"' "$short/mail.out"
TOKEN=$(grep '"event":"token"' "$short/mail.out" | head -n 1 | field token)
export TOKEN
export CA=ca.pem
export BELLWIRE_CA=ca.pem
# The tree of Bellwire, where a guide takes .proto files and examples from.
export BELLWIRE=$root

# A user's session, for the companion.
if [ -x "$bin/bellwire-companion" ]; then
  dbus-daemon --session --nofork --nopidfile --address "unix:path=$short/bus" 2>"$short/bus.log" &
  pids+=($!)
  await "a session bus" test -S "$short/bus"
  export DBUS_SESSION_BUS_ADDRESS=unix:path=$short/bus
  mkdir -m 700 "$short/user"
  bellwire-companion --socket "$short/agent.sock" --state_dir "$short/user" \
    --ready_file "$short/companion.json" 2>"$short/companion.log" &
  pids+=($!)
  await "the companion" test -s "$short/companion.json"
fi

