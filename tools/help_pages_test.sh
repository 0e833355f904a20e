#!/bin/bash
# The pages are what man can show, and have what --help says; the completion completes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" && exit 1; }

tools/help_pages --out "$dir" --version 1.2.3 cli/bellwire device-agent/bellwire-agent
for page in bellwire.1 bellwire-send.1 bellwire-key.1 bellwire-serve.1 daemons/bellwire-agent.8; do
  [ -s "$dir/man/$page" ] || fail "no $page"
  # A bare Debian has no man.
  command -v man >/dev/null || continue
  text=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=200 man --warnings -E UTF-8 -l "$dir/man/$page" 2>&1 |
    sed 's/.\x08//g')
  ! grep -q '^.*:[0-9]*: *warning' <<<"$text" || fail "$page: $text"
  grep -q 'bellwire 1.2.3' <<<"$text" || fail "$page has no version"
done
# Each flag of --help is in the page.
for flag in $(device-agent/bellwire-agent --help | grep -o -e '^ *--[a-z_]*' | grep -v help); do
  grep -q "\\\\fB${flag//-/\\\\-}\\\\fR" "$dir/man/daemons/bellwire-agent.8" || fail "no $flag"
done
grep -q 'bellwire key create' "$dir/man/bellwire-key.1" || fail "no commands of a group"

# shellcheck disable=SC1091
. "$dir/completions/bellwire"
expect() { # REPLY WORD...
  local reply=$1
  shift
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  _bellwire || true  # compgen finds nothing.
  [ "${COMPREPLY[*]}" = "$reply" ] || fail "bellwire $*: ${COMPREPLY[*]}"
}
expect send bellwire sen
expect 'create list revoke' bellwire key ''
expect --public_key bellwire key create --pub
expect '' bellwire key create --team x
expect 'high' bellwire send --priority hi
expect 'debug' bellwire serve --data_dir d --log_level d
(cd "$dir" && touch some.conf && expect some.conf bellwire config check so)
(cd "$dir" && mkdir deep && expect deep bellwire serve --data_dir d)
echo "the pages are sound"
