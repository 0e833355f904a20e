#!/bin/bash
# What the agent may do about a phone that sleeps, with the capabilities of its unit and without.
set -eu
agent=$1
if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
  echo "SKIPPED: capabilities are given by root, with setpriv"
  exit 0
fi
folder=$(mktemp -d)
chmod 755 "$folder"
pid=
trap '[ -z "$pid" ] || kill -9 "$pid"; rm -rf "$folder"' EXIT

# Starts the agent as nobody; the arguments are setpriv's.
start() {
  rm -rf "$folder/phone" "$folder/ready" "$folder/agent.sock"
  mkdir "$folder/phone"
  chmod 777 "$folder" "$folder/phone"
  chown 65534:65534 "$folder/phone"
  chmod 700 "$folder/phone"
  setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@" "$agent" --server 127.0.0.1:1 \
    --pin "$(printf 'a%.0s' {1..64})" --state_dir "$folder/phone" --socket "$folder/agent.sock" \
    --ready_file "$folder/ready" 2>"$folder/log" &
  pid=$!
  for _ in $(seq 600); do
    [ ! -s "$folder/ready" ] || return 0
    kill -0 "$pid" 2>/dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.1
  done
  cat "$folder/log"
  exit 1
}
stop() {
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  pid=
}
# NAME of a set in /proc/PID/status, such as CapEff; as a number.
capabilities() { echo $((16#$(sed -n "s/^$1:\s*//p" "/proc/$pid/status"))); }
fail() { echo "FAILED: $1"; cat "$folder/log"; exit 1; }
said() { grep -c "$1" "$folder/log" || true; }

wake_alarm=$((1 << 35)) block_suspend=$((1 << 36))
both=+wake_alarm,+block_suspend
if ! setpriv --inh-caps=$both --ambient-caps=$both true 2>/dev/null; then
  echo "SKIPPED: root has no CAP_WAKE_ALARM and CAP_BLOCK_SUSPEND here"
  exit 0
fi

start --bounding-set=-all,$both --inh-caps=-all,$both --ambient-caps=-all,$both
[ "$(capabilities CapEff)" = $((wake_alarm | block_suspend)) ] || fail "they are not in effect"
[ "$(capabilities CapAmb)" = 0 ] || fail "what starts apps would inherit them"
[ "$(said phone_not_woken)" = 0 ] || fail "with CAP_WAKE_ALARM it wakes the phone"
if [ -n "$(cat /sys/power/state 2>/dev/null)" ]; then
  [ "$(said suspend_not_held_off)" = 0 ] || fail "with CAP_BLOCK_SUSPEND it keeps it awake"
else
  echo "not seen: this kernel never suspends, so there is nothing to hold off"
fi
stop

start --bounding-set=-all,+wake_alarm --inh-caps=-all,+wake_alarm --ambient-caps=-all,+wake_alarm
[ "$(said phone_not_woken)" = 0 ] || fail "with CAP_WAKE_ALARM it wakes the phone"
[ "$(said suspend_not_held_off)" = 1 ] || fail "it says once that it can't keep it awake"
stop

start --bounding-set=-all --inh-caps=-all --ambient-caps=-all
[ "$(capabilities CapEff)" = 0 ] || fail "it still has some"
[ "$(said phone_not_woken)" = 1 ] || fail "it says once that it can't wake the phone"
stop
echo "the agent uses what it is given, and works without"
