#!/bin/bash
# The part of packages_test.sh that runs in the Debian of the test.
set -euo pipefail
mode=$1
cd /opt/test
fail() {
  echo "FAILED: $*"
  tail -n 20 /var/log/bellwire*.log /run/user/*/systemd/*.log 2>/dev/null || true
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
until_gone() { # PATTERN
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    pgrep -f "$1" >/dev/null || return 0
    sleep 0.1
  done
  fail "it does not end: $1"
}
server_pid() { cut -d ' ' -f 1 /run/systemd/started/bellwire.service; }
# Without recommended packages, to be quick.
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >>/opt/test/apt.log 2>&1 || {
  tail -n 40 /opt/test/apt.log
  fail "apt-get $*"
}; }
# What has to do with us, but for logs, what apt has fetched, and this test.
traces() {
  find /etc /usr /var /lib /home -xdev \( -name '*bellwire*' -o -path '/etc/bellwire/*' \) \
    -not -path '/var/log/*' -not -path '/var/cache/*' -not -path /etc/bellwire \
    -not -path /etc/bellwire/ca.pem -not -path '/home/alice/*' | sort
}
traces >traces.before
# A desktop may bring a systemd: its systemctl is not the one that starts units here.
dpkg-divert --local --quiet --no-rename --divert /bin/systemctl.real --add /bin/systemctl

# --- A person with a desktop: the quickstart's reader, when he isn't root. ---

step "a desktop"
useradd --create-home --uid 4711 alice
export XDG_RUNTIME_DIR=/run/user/4711
install -d -m 700 -o alice /run/user/4711
as_alice() {
  runuser -u alice -- env HOME=/home/alice XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" MOZ_HEADLESS=1 \
    DBUS_SESSION_BUS_ADDRESS="unix:path=$XDG_RUNTIME_DIR/bus" "$@"
}
if [ "$mode" = debootstrap ]; then
  apt update
  apt install dbus
fi
as_alice dbus-daemon --session --nofork --nopidfile --address "unix:path=$XDG_RUNTIME_DIR/bus" \
  >/opt/test/bus.log 2>&1 &
bus=$!
for ((tries = 0; tries < 600; tries++)); do
  [ ! -S "$XDG_RUNTIME_DIR/bus" ] || break
  sleep 0.1
done

# What the reader of the guide types. Some of it is watched: between the installation and the setup
# nothing may run, and everything that is needed must be there.
check_installation() {
  local text page code=0
  for text in 'bellwire-setup$' 'systemctl enable --now bellwire-agent$' \
    'systemctl --user start bellwire-companion'; do
    grep -q -e "  $text" apt.log || fail "nobody said what comes next: $text"
  done
  [ "$(stat -c '%U %a' /var/lib/bellwire)" = 'bellwire 700' ] || fail "/var/lib/bellwire"
  [ "$(stat -c '%U %a' /var/lib/bellwire-agent)" = 'bellwire-agent 700' ] ||
    fail "/var/lib/bellwire-agent"
  [ -x /usr/lib/NetworkManager/dispatcher.d/50-bellwire-agent ] &&
    [ -x /usr/lib/bellwire/tell-network ] || fail "no hook of NetworkManager"
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
systemctl() {
  if [ "$1" = --user ]; then as_alice systemctl "$@"; else command systemctl "$@"; fi
}
bellwire() {
  if [ "$1" = companion ]; then as_alice bellwire "$@"; else command bellwire "$@"; fi
}

step "the quickstart"
python3 extract.py quickstart.md .
cp 0.0.1/*.deb .
began=$SECONDS
# shellcheck disable=SC1091
. ./run.sh
[ $((SECONDS - began)) -lt 600 ] || fail "the quickstart takes longer than ten minutes"
grep -q '^ok  Firefox shows: You have mail' firefox.log || fail "$(cat firefox.log)"
systemctl is-active bellwire || fail "the server does not run"
systemctl is-active bellwire-agent || fail "the agent does not run"
[ "$(stat -c %U /proc/"$(pidof bellwire-agent)")" = bellwire-agent ] || fail "the agent's user"
[ "$(stat -c %U /proc/"$(pidof bellwire-companion)")" = alice ] || fail "the companion's user"
wait_for 'You have mail' app.log
command bellwire config check /etc/bellwire/agent.conf
export BELLWIRE_DATA_DIR=/var/lib/bellwire
# Closing Firefox ends it, and nothing of that Firefox stays.
pkill -f firefox-trial
until_gone '^bellwire companion firefox try'
left=$(find /home/alice -name 'firefox-trial*')
[ -z "$left" ] || fail "left behind: $left"

step "Firefox of her own"
as_alice firefox-esr --headless -CreateProfile alice >/dev/null 2>&1
python3 extract.py browser.md browser
(cd browser && . ./run.sh)

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
pkill -f '^bellwire listen'
until_gone '^bellwire listen'
bellwire send --token "$TOKEN" --text 'over the upgrade' --credentials cred.json
true >apt.log
apt install ./0.0.2/bellwire-*.deb ./0.0.2/libbellwire0_*.deb
[ "$(dpkg-query -W -f '${Version}' bellwire-server)" = 0.0.2 ] || fail "no upgrade"
[ "$(server_pid)" != "$server" ] || fail "the upgrade did not restart the server"
systemctl is-active bellwire || fail "the server does not run after the upgrade"
systemctl is-active bellwire-agent || fail "the agent does not run after the upgrade"
grep -q '^log_level = debug$' /etc/bellwire/server.conf || fail "the configuration is another"
! grep -q 'bellwire-setup' apt.log || fail "it asks for keys that there are"
timeout 60 bellwire listen --app com.example.mail --count 1 >after.log ||
  fail "no message after the upgrade: $(cat after.log)"
grep -q 'over the upgrade' after.log || fail "the message is lost: $(cat after.log)"
grep -q "$TOKEN" after.log || fail "the token is another"

step "remove"
systemctl --user stop bellwire-companion
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
traces >traces.after
left=$(comm -13 traces.before traces.after)
[ -z "$left" ] || fail "left behind: $left"
kill $bus
step "done"
