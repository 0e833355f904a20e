#!/bin/bash
# The unit as systemd reads it, how far it is hardened, and whether D-Bus starts the same program.
# Without systemd-analyze (Debian's package systemd) there is nobody to ask.
set -euo pipefail
units=$(dirname "$0")
unit=$units/bellwire-companion.service
name=org.unifiedpush.Distributor.bellwire
activation=$units/$name.service

# D-Bus takes the file by its name, and hands the start to the unit where systemd runs the user.
for line in '\[D-BUS Service\]' "Name=$name" 'SystemdService=bellwire-companion.service' \
  "Exec=$(sed -n 's|^ExecStart=||p' "$unit")"; do
  grep -qx "$line" "$activation" || { echo "$activation: no line $line"; exit 1; }
done
for setting in '^TasksMax=[0-9]' '^MemoryMax=[0-9]' '^LimitCORE=0$' '^NoNewPrivileges=yes$'; do
  grep -q "$setting" "$unit" || { echo "$unit: no line $setting"; exit 1; }
done

if ! command -v systemd-analyze >/dev/null; then
  echo "SKIPPED: systemd-analyze is not installed"
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A user's manager wants a place of its own, which a test doesn't have.
analyze() { XDG_RUNTIME_DIR=$folder HOME=$folder systemd-analyze --user --no-pager "$@"; }

# Exposure in tenths. A user's systemd can't mount, so that a third of what is counted is out of reach.
analyze security --offline=true --threshold=45 "$unit" | tail -n 1

# Typing errors: systemd only warns of a setting that it doesn't know. That programs are not installed
# is no error of the unit.
sed -e 's|^ExecStart=.*|ExecStart=/bin/true|' "$unit" >"$folder/bellwire-companion.service"
found=$(analyze verify --man=no "$folder/bellwire-companion.service" 2>&1 |
  grep -e "$folder/bellwire" -e 'bellwire-' || true)
[ -z "$found" ] || { echo "$found"; exit 1; }
echo "the units are sound"
