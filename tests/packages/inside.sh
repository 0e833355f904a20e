#!/bin/bash
# The part of packages_test.sh that runs in the Debian of the test.
set -euo pipefail
cd /opt/test
fail() {
  echo "FAILED: $*"
  tail -n 20 /var/log/bellwire*.log 2>/dev/null || true
  exit 1
}
step() { echo "--- $* ($(cut -d. -f1 /proc/uptime))"; }
wait_for() { # PATTERN FILE
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    grep -q -e "$1" "$2" 2>/dev/null && return
    sleep 0.1
  done
  fail "$2: never $1: $(cat "$2")"
}
server_pid() { cut -d ' ' -f 1 /run/systemd/started/bellwire.service; }
# Without recommended packages, to be quick.
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >>/opt/test/apt.log 2>&1 || {
  tail -n 40 /opt/test/apt.log
  fail "apt-get $*"
}; }

# What the reader of the guide types. Some of it is watched: between the installation and the setup
# nothing may run, and everything that is needed must be there.
python3 extract.py quickstart.md .

check_installation() {
  local text page code=0
  for text in 'bellwire-setup$' 'systemctl enable --now bellwire-agent$' \
    'systemctl --user start bellwire-companion'; do
    grep -q -e "  $text" apt.log || fail "nobody said what comes next: $text"
  done
  [ "$(stat -c '%U %a' /var/lib/bellwire)" = 'bellwire 700' ] || fail "/var/lib/bellwire"
  [ "$(stat -c '%U %a' /var/lib/bellwire-agent)" = 'bellwire-agent 700' ] ||
    fail "/var/lib/bellwire-agent"
  systemctl is-active bellwire || code=$?
  [ $code -eq 3 ] || fail "a server without keys was started"
  for page in man1/bellwire.1 man1/bellwire-serve.1 man1/bellwire-config.1 man8/bellwire-agent.8 \
    man8/bellwire-gateway.8 man8/bellwire-companion.8 man8/bellwire-setup.8; do
    # A minimal Debian leaves man pages out: dpkg says what the package has.
    dpkg -S "/usr/share/man/$page.gz" >/dev/null || fail "no page $page"
  done
}
bellwire-setup() {
  check_installation
  command bellwire-setup "$@" >setup.log || fail "bellwire-setup: $(cat setup.log)"
  # Again: it changes nothing.
  sha256sum /etc/bellwire/* /var/lib/bellwire/ca.pem cred.json >before
  command bellwire-setup "$@" >again.log || fail "bellwire-setup again: $(cat again.log)"
  sha256sum --check --quiet before || fail "bellwire-setup changed something the second time"
  ! command bellwire-setup --nonsense 2>/dev/null || fail "bellwire-setup takes anything"
}

step "the guide"
apt update
cp 0.0.1/*.deb .
# shellcheck disable=SC1091
. ./run.sh
systemctl is-active bellwire || fail "the server does not run"
systemctl is-active bellwire-agent || fail "the agent does not run"
[ "$(stat -c %U /proc/"$(pidof bellwire-agent)")" = bellwire-agent ] || fail "the agent's user"
wait_for 'You have mail' app.log
bellwire config check /etc/bellwire/agent.conf
export BELLWIRE_DATA_DIR=/var/lib/bellwire

step "completion"
apt install ./0.0.1/libbellwire0_*.deb
set +u
. /usr/share/bash-completion/completions/bellwire
set -u
complete_line() { # WORD...
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  _bellwire || true  # compgen finds nothing.
  echo "${COMPREPLY[*]}"
}
[ "$(complete_line bellwire conf)" = config ] || fail "completion of a command"
[ "$(complete_line bellwire config '')" = 'check show' ] || fail "completion of its commands"
[ "$(complete_line bellwire send --prio)" = --priority ] || fail "completion of a flag"
[[ " $(complete_line bellwire serve --log_level '') " = *' debug '* ]] || fail "completion of a value"

step "configuration"
bellwire config check /etc/bellwire/server.conf
# The unit has none of this shell's environment.
env -u BELLWIRE_DATA_DIR bellwire config show server >show.log
grep -q 'data_dir.*/var/lib/bellwire.*/etc/bellwire/server.conf:' show.log || fail "$(cat show.log)"
echo 'log_level = debug' >>/etc/bellwire/server.conf
bellwire reload
wait_for 'event=settings_changed keys=log_level' /var/log/bellwire.service.log
echo 'no_such_key = 1' >>/etc/bellwire/server.conf
! bellwire reload 2>reload.log || fail "a bad file was taken"
grep -q 'server.conf:.*there is no key "no_such_key"' reload.log || fail "$(cat reload.log)"
sed -i '/no_such_key/d' /etc/bellwire/server.conf

step "upgrade"
server=$(server_pid)
# The app ends, so that the next message waits for it.
kill "$(pgrep -f '^bellwire listen')"
wait
bellwire send --token "$TOKEN" --text 'over the upgrade' --credentials cred.json
true >apt.log
apt install ./0.0.2/bellwire-*.deb ./0.0.2/libbellwire0_*.deb
[ "$(dpkg-query -W -f '${Version}' bellwire-server)" = 0.0.2 ] || fail "no upgrade"
[ "$(server_pid)" != "$server" ] || fail "the upgrade did not restart the server"
systemctl is-active bellwire || fail "the server does not run after the upgrade"
systemctl is-active bellwire-agent || fail "the agent does not run after the upgrade"
grep -q '^log_level = debug$' /etc/bellwire/server.conf || fail "the configuration is another"
! grep -q 'bellwire init' apt.log || fail "it asks for keys that there are"
timeout 60 bellwire listen --app com.example.mail --count 1 >after.log ||
  fail "no message after the upgrade: $(cat after.log)"
grep -q 'over the upgrade' after.log || fail "the message is lost: $(cat after.log)"
grep -q "$TOKEN" after.log || fail "the token is another"

step "remove"
apt remove 'bellwire-*' 'libbellwire*'
! pidof bellwire bellwire-agent || fail "daemons outlive their packages"
[ -s /var/lib/bellwire/ca.pem ] && [ -s /etc/bellwire/server.conf ] || fail "remove took too much"

step "install again"
apt install ./0.0.2/bellwire-*.deb
systemctl start bellwire bellwire-agent
bellwire send --token "$TOKEN" --text 'after all that' --credentials cred.json
timeout 60 bellwire listen --app com.example.mail --count 1 | grep -q 'after all that' ||
  fail "the state did not survive a removal"

step "purge"
apt purge 'bellwire-*'
! pidof bellwire bellwire-agent || fail "daemons outlive their packages"
# What the guide's reader put there stays.
left=$(find / -xdev \( -name '*bellwire*' -o -path '/etc/bellwire/*' \) -not -path '/proc/*' \
  -not -path "/opt/*" -not -path '/var/log/*' -not -path '/run/*' -not -path '/var/cache/*' \
  -not -path /etc/bellwire -not -path /etc/bellwire/ca.pem)
[ -z "$left" ] || fail "left behind: $left"
step "done"
