#!/bin/bash
# What a version has on its disks, and whether this one goes on with it.
#
#   store.sh record FILE.tar.xz   makes a server and a phone with messages in both, ends them, and keeps
#                                 their directories: before a version is tagged, with its programs
#   store.sh play FILE.tar.xz     starts server and phone over a copy: what waits comes, once, the old
#                                 token and credentials still send, and the store is sound
#
# In the runfiles, or a folder with cli/bellwire and device-agent/bellwire-agent.
set -euo pipefail
what=$1 file=$(realpath -m "$2")
bellwire=$PWD/cli/bellwire
agent=$PWD/device-agent/bellwire-agent
# Sockets have short names.
work=$(mktemp -d /tmp/bellwire-store.XXXXXX)
pids=()
clean_up() {
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill -KILL "${pids[i]}" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT
fail() {
  echo "FAILED: $*"
  tail -n 20 "$work"/*.log
  exit 1
}
await() { # WHAT COMMAND...
  local what=$1 tries
  shift
  for ((tries = 0; tries < 600; tries++)); do
    "$@" && return
    sleep 0.1
  done
  fail "waited in vain for $what"
}
field() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

start_server() {
  rm -f "$work/server.json"
  "$bellwire" serve --data_dir "$work/server" --provider_listen 127.0.0.1:0 \
    --device_listen 127.0.0.1:0 --ready_file "$work/server.json" 2>>"$work/server.log" &
  server=$!
  pids+=("$server")
  await "the server" test -s "$work/server.json"
  BELLWIRE_SERVER=$(field provider_address <"$work/server.json")
  export BELLWIRE_SERVER BELLWIRE_DATA_DIR=$work/server
}
start_agent() {
  rm -f "$work/agent.json"
  "$agent" --server "$(field device_address <"$work/server.json")" --ca "$work/server/ca.pem" \
    --state_dir "$work/phone" --socket "$work/agent.sock" --ready_file "$work/agent.json" \
    2>>"$work/agent.log" &
  phone=$!
  pids+=("$phone")
  await "the agent" test -s "$work/agent.json"
  export BELLWIRE_AGENT_SOCKET=$work/agent.sock
}
end() { # PID
  kill -TERM "$1"
  wait "$1" || fail "it does not end well"
}
send() { # TEXT
  "$bellwire" send --token "$(cat "$work/token")" --text "$1" --credentials "$work/cred.json" \
    --ca "$work/server/ca.pem" --json | field message_id
}
# Whether the message has come so far.
is_at() { # STEP ID
  "$bellwire" trace "$2" --token "$(cat "$work/token")" --credentials "$work/cred.json" \
    --ca "$work/server/ca.pem" --json 2>>"$work/trace.log" | grep -q "\"$1\""
}

record() {
  local team on_phone at_server
  "$bellwire" init --data_dir "$work/server" --server_name localhost --server_name 127.0.0.1 >/dev/null
  start_server
  start_agent
  team=$("$bellwire" team create "Example Ltd" --json | field team_id)
  "$bellwire" app create com.example.mail --team "$team" >/dev/null
  "$bellwire" key create --team "$team" --out "$work/cred.json" >/dev/null
  "$bellwire" listen --app com.example.mail --json >"$work/app.out" 2>"$work/app.log" &
  pids+=($!)
  await "a token" grep -q '"event":"token"' "$work/app.out"
  grep '"event":"token"' "$work/app.out" | head -n 1 | field token >"$work/token"
  kill "${pids[-1]}"
  wait "${pids[-1]}" || true
  on_phone=$(send "waits on the phone")
  await "the phone" is_at AGENT_ACKED "$on_phone"
  end "$phone"
  at_server=$(send "waits at the server")
  end "$server"
  printf '%s\n%s\n' "$on_phone" "$at_server" >"$work/messages"
  tar -C "$work" -cJf "$file" --owner=0 --group=0 --numeric-owner server phone cred.json token messages
  echo "recorded in $file, $(stat -c %s "$file") bytes"
}

play() {
  local id
  tar -C "$work" --no-same-owner -xJf "$file"
  "$bellwire" registry check --data_dir "$work/server" >"$work/check.log" || fail "the store is damaged"
  start_server
  start_agent
  timeout 60 "$bellwire" listen --app com.example.mail --count 2 --json >"$work/app.out" \
    2>"$work/app.log" || fail "the messages do not come: $(cat "$work/app.out")"
  for text in "waits on the phone" "waits at the server"; do
    [ "$(grep -cF "\"$text\"" "$work/app.out")" -eq 1 ] || fail "not once: $text"
  done
  grep -qF "$(cat "$work/token")" "$work/app.out" || fail "the token is another"
  while read -r id; do await "the end of $id" is_at APP_ACKED "$id"; done <"$work/messages"
  send "of the next version" >/dev/null
  timeout 60 "$bellwire" listen --app com.example.mail --count 1 --json >"$work/next.out" \
    2>>"$work/app.log" || fail "a new message does not come"
  grep -qF '"of the next version"' "$work/next.out" || fail "$(cat "$work/next.out")"
  end "$phone"
  end "$server"
  "$bellwire" registry check --data_dir "$work/server" >"$work/check.log" || fail "it damages the store"
  echo "goes on with $file"
}

"$what"
