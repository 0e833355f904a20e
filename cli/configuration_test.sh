#!/bin/bash
# `bellwire config` and `bellwire reload` beside real daemons.
set -euo pipefail
root=$PWD
bellwire=$root/cli/bellwire
export PATH=$root/gateway:$root/device-agent:$PATH
for variable in $(compgen -e | grep '^BELLWIRE_' || true); do unset "$variable"; done

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
fail() {
  echo "FAILED: $*"
  [ ! -e "$dir/log" ] || cat "$dir/log"
  exit 1
}
# CODE PATTERN COMMAND...: exits with CODE, and writes what the pattern (grep) finds.
expect() {
  local code=$1 pattern=$2 got=0 output
  shift 2
  output=$("$@" 2>&1) || got=$?
  [ "$got" = "$code" ] || fail "$* exits with $got: $output"
  grep -q -e "$pattern" <<<"$output" || fail "$*: no $pattern in: $output"
}
wait_for() { # PATTERN FILE
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    grep -q -e "$1" "$2" 2>/dev/null && return
    [ -z "$server" ] || kill -0 "$server" 2>/dev/null || fail "the server ended before: $1"
    sleep 0.1
  done
  fail "$2: never $1"
}

# --- check ---

printf 'server = push.example.com:7444\nheartbeat_seconds = 60 # a minute\n' >"$dir/agent.conf"
expect 0 'sound.*agent.conf: 2 of its values hold for agent' "$bellwire" config check "$dir/agent.conf"
cp "$dir/agent.conf" "$dir/phone"
expect 1 'does not say whose configuration' "$bellwire" config check "$dir/phone"
expect 0 'sound' "$bellwire" config check "$dir/phone" --daemon agent
expect 1 'no daemon "agnet"; is agent meant?' "$bellwire" config check "$dir/phone" --daemon agnet
# A key of another daemon is none of this one's.
expect 1 'phone:1: there is no key "server"' "$bellwire" config check "$dir/phone" --daemon server
printf 'sever = push.example.com:7444\n' >"$dir/agent.conf"
expect 1 'agent.conf:1: there is no key "sever"; is "server" meant?' \
  "$bellwire" config check "$dir/agent.conf"
printf 'server = push.example.com:99999\n' >"$dir/agent.conf"
expect 1 "(in $dir/agent.conf:1)" "$bellwire" config check "$dir/agent.conf"
printf '# nothing\n' >"$dir/agent.conf"
expect 1 'error: --server is required' "$bellwire" config check "$dir/agent.conf"
expect 1 'nothere.conf' "$bellwire" config check --daemon server "$dir/nothere.conf"
# A daemon says the same, and does not start.
expect 2 'there is no key "sever"' bellwire-agent --config <(echo 'sever = x:1')

# --- show ---

printf 'registry_address = of_file:1\nlisten = :1\npublic_url = https://a\npublic_url = https://b\n' \
  >"$dir/gateway.conf"
show() { "$bellwire" config show gateway --file "$dir/gateway.conf" --json | grep "\"$1\""; }
expect 1 'error: --data_dir is required' "$bellwire" config show gateway --file "$dir/gateway.conf"
export BELLWIRE_DATA_DIR=/of/environment
expect 0 '"value":"/of/environment","from":"environment","where":"BELLWIRE_DATA_DIR"' show data_dir
echo 'data_dir = /of/file' >>"$dir/gateway.conf"
expect 0 '/of/environment' show data_dir
unset BELLWIRE_DATA_DIR
expect 0 "\"/of/file\",\"from\":\"file\",\"where\":\"$dir/gateway.conf:5\"" show data_dir
expect 0 '\["https://a","https://b"\],"from":"file"' show public_url
expect 0 '"15","from":"default"' show drain_seconds
expect 0 "listen  *:1  *file $dir/gateway.conf:2" \
  "$bellwire" config show gateway --file "$dir/gateway.conf"
# Flags win.
gateway() { bellwire-gateway --config "$dir/gateway.conf" --listen=:2 --show_config | grep '"listen"'; }
expect 0 '":2","from":"flag"' gateway

# --- reload ---

"$bellwire" init --data_dir "$dir/data" >"$dir/init"
printf 'data_dir = %s\nready_file = %s\nprovider_listen = 127.0.0.1:0\ndevice_listen = 127.0.0.1:0\n' \
  "$dir/data" "$dir/ready" >"$dir/server.conf"
"$bellwire" serve --config "$dir/server.conf" 2>"$dir/log" &
server=$!
wait_for '"pid"' "$dir/ready"
expect 1 'does not say whose\|is not a daemon' "$bellwire" reload --ready_file "$dir/server.conf"
printf '{"pid":%d}\n' $$ >"$dir/other"
expect 1 'does not run' "$bellwire" reload --ready_file "$dir/other"

printf 'log_level = debug\nlog_json = true\nshards = 2\n' >>"$dir/server.conf"
expect 0 "SIGHUP to process $server" "$bellwire" reload --ready_file "$dir/ready"
wait_for '"event":"settings_changed","keys":"log_level,log_json"' "$dir/log"
wait_for '"event":"restart_needed","keys":"shards"' "$dir/log"
sed -i 's/^log_level.*/log_levle = info/' "$dir/server.conf"
expect 0 'SIGHUP' "$bellwire" reload --ready_file "$dir/ready"
wait_for 'reload_failed.*is .*log_level.* meant' "$dir/log"
# What it was told before still holds, and it serves.
kill "$server"
wait "$server" || fail "the server does not end well"
wait_for '"event":"shutting_down"' "$dir/log"
server=
echo "the configuration is sound"
