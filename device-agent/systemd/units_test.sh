#!/bin/bash
# The units as systemd reads them, and how far they are hardened. Without systemd-analyze (Debian's package
# systemd) there is nobody to ask.
set -euo pipefail
units=$(dirname "$0")
server=$units/../../cli/systemd/bellwire.service
# No unit takes the whole machine with it, or leaves secrets in a core file.
for unit in "$units/bellwire-agent.service" "$units/bellwire-app@.service" "$server"; do
  for setting in '^TasksMax=[0-9]' '^MemoryMax=[0-9]' '^LimitCORE=0$'; do
    grep -q "$setting" "$unit" || { echo "$unit: no line $setting"; exit 1; }
  done
done

if ! command -v systemd-analyze >/dev/null; then
  echo "SKIPPED: systemd-analyze is not installed"
  exit 0
fi

# Exposure in tenths: at most 2.0 of 10, which systemd calls OK.
for unit in "$units/bellwire-agent.service" "$server"; do
  systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" | tail -n 1
done

# Typing errors: systemd only warns of a setting that it doesn't know. That programs are not installed is no
# error of the unit.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for unit in "$units/bellwire-agent.service" "$units/bellwire-app@.service" "$server"; do
  sed -e 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit" >"$folder/$(basename "$unit")"
done
found=$(systemd-analyze verify --man=no "$folder/bellwire-agent.service" "$folder/bellwire.service" \
  "$folder/bellwire-app@com.example.mail.service" 2>&1 |
  grep -e "$folder" -e 'bellwire-' || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
for hook in start-app-unit start-app-dbus tell-network; do
  [ -x "$units/$hook" ] || { echo "$hook can't be run"; exit 1; }
  sh -n "$units/$hook"
done
echo "the units are sound"
