#!/bin/bash
# tell-network against a NetworkManager, a modem and an agent that are scripts.
set -eu
script=$(dirname "$0")/tell-network
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/nmcli" <<'END'
#!/bin/bash
case "$*" in
  *"connection show --active") printf 'u-wifi:wlan0\nu-gsm:cdc-wdm0\nu-cable:eth0\n' ;;
  *"IP-IFACE device show cdc-wdm0") echo wwan0 ;;
  *"IP-IFACE device show wlan0") echo wlan0 ;;
  *"IP-IFACE device show eth0") echo eth0 ;;
  *"connection.type connection show uuid u-wifi") echo 802-11-wireless ;;
  *"connection.type connection show uuid u-gsm") echo gsm ;;
  *"connection.type connection show uuid u-cable") echo 802-3-ethernet ;;
  *"802-11-wireless.ssid connection show uuid u-wifi") echo 'Caf: "home" $x' ;;
  *"gsm.apn connection show uuid u-gsm") echo internet ;;
  *) exit 10 ;;
esac
END
cat >"$folder/mmcli" <<'END'
#!/bin/bash
echo 'modem.3gpp.imei                 : 123456789012345'
echo 'modem.3gpp.operator-code        : 26201'
END
cat >"$folder/bellwire" <<END
#!/bin/bash
printf '<%s>' "\$@" >>"$folder/told"
echo >>"$folder/told"
END
chmod +x "$folder/nmcli" "$folder/mmcli" "$folder/bellwire"
export PATH=$folder:$PATH

expect() { # NAME, and what the agent was told on stdin
  diff -u - "$folder/told" || { echo "FAILED: $1"; exit 1; }
  : >"$folder/told"
}

: >"$folder/told"
"$script"
expect "all that are up" <<'END'
<agent><network><--interface><wlan0><--kind><wifi><--name><Caf: "home" $x>
<agent><network><--interface><wwan0><--kind><cellular><--name><26201/internet>
END

CONNECTION_UUID=u-gsm DEVICE_IFACE=cdc-wdm0 DEVICE_IP_IFACE=wwan0 "$script" cdc-wdm0 up
expect "a modem comes" <<'END'
<agent><network><--interface><wwan0><--kind><cellular><--name><26201/internet>
END

CONNECTION_UUID=u-wifi "$script" wlan0 up
expect "a Wi-Fi comes" <<'END'
<agent><network><--interface><wlan0><--kind><wifi><--name><Caf: "home" $x>
END

CONNECTION_UUID=u-wifi "$script" wlan0 down
expect "a Wi-Fi goes" <<'END'
<agent><network><--interface><wlan0><--forget>
END

# Nothing to say, and nobody to ask: no failure.
CONNECTION_UUID=u-cable "$script" eth0 up
CONNECTION_UUID=gone "$script" eth0 up
"$script" "" hostname
rm "$folder/mmcli"
CONNECTION_UUID=u-gsm DEVICE_IP_IFACE=wwan0 "$script" cdc-wdm0 up
expect "nothing" </dev/null
printf '#!/bin/sh\nexit 1\n' >"$folder/bellwire"
CONNECTION_UUID=u-wifi "$script" wlan0 up
CONNECTION_UUID=u-wifi "$script" wlan0 down
echo "networks are told"
