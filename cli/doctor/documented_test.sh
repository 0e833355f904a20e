#!/bin/bash
# Every cause that a check can name is in the list of docs/operate/doctor.md, and no other is.
set -euo pipefail
named=$(grep -ohE '"[A-Z]+(_[A-Z]+)+"' cli/doctor/checks/*_checks.cc | tr -d '"' | grep -vx DBUS_SESSION_BUS_ADDRESS | sort -u)
listed=$(sed -n '/^## Causes/,/^## JSON/p' docs/operate/doctor.md | grep '^| `' | cut -d'|' -f2 |
  grep -oE '[A-Z]+(_[A-Z]+)+' | sort -u)
[ "$(wc -l <<<"$named")" -ge 20 ] || { echo "only $(wc -l <<<"$named") causes were found"; exit 1; }
diff <(echo "$named") <(echo "$listed") || { echo "<: no page says it  >: nothing names it"; exit 1; }
