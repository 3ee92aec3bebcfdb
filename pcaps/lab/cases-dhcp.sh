# Addresses that change hands: DHCP.

# lease_up N: client N has no address until a server gives it one.
lease_up() {
    ip -n "ut-c$1" addr flush dev eth0
    # What a DHCP client calls when something changed, in place of the distribution's script: it sets the address and nothing else.
    cat >"$TMP/lease" <<'SCRIPT'
#!/bin/sh
case "${reason:-$1}" in
BOUND | RENEW | REBIND | REBOOT | bound | renew)
    ip addr flush dev eth0
    ip addr add "${new_ip_address:-$ip}/24" dev eth0
    ;;
RELEASE | EXPIRE | FAIL | STOP | deconfig) ip addr flush dev eth0 ;;
esac
SCRIPT
    chmod 755 "$TMP/lease"
}

# By ISC's client, with its short and its fully qualified name: lease_isc N NAME, and lease_isc_release N.
lease_isc() {
    cat >"$TMP/dhclient.conf" <<CONF
send host-name "$2";
send fqdn.fqdn "$2.office.example.";
send fqdn.encoded on;
send fqdn.server-update off;
request subnet-mask, host-name;
CONF
    rm -f "$TMP/dhclient.leases"
    client "$1" dhclient -1 -sf "$TMP/lease" -cf "$TMP/dhclient.conf" -lf "$TMP/dhclient.leases" -pf "$TMP/dhclient.pid" eth0
}
lease_isc_release() {
    client "$1" dhclient -r -sf "$TMP/lease" -cf "$TMP/dhclient.conf" -lf "$TMP/dhclient.leases" -pf "$TMP/dhclient.pid" eth0
}

# By BusyBox's client, with its short name: lease_busybox N NAME, and lease_busybox_release.
lease_busybox() {
    (ip netns exec "ut-c$1" udhcpc -f -R -n -i eth0 -s "$TMP/lease" -x "hostname:$2" -p "$TMP/udhcpc.pid" >>"$TMP/client.log" 2>&1 &)
    wait_for ip netns exec "ut-c$1" sh -c "ip -4 addr show dev eth0 | grep -q inet"
}
lease_busybox_release() {
    kill -TERM "$(cat "$TMP/udhcpc.pid")"
    sleep 0.5
}

# gives N ADDRESS N ADDRESS: from now on the server gives these clients these addresses.
gives() {
    local pid
    echo "02:77:00:00:00:1$1,$2" >"$TMP/dhcp-hosts"
    echo "02:77:00:00:00:1$3,$4" >>"$TMP/dhcp-hosts"
    for pid in $(ip netns pids ut-server); do
        if [ "$(cat "/proc/$pid/comm")" = dnsmasq ]; then kill -HUP "$pid"; fi
    done
    sleep 0.3
}

# does N HOST IMAGE NAME: client N fetches a page, and Sysmon of a host with this name tells of it, as it does by default: that a process
# began, what it asked DNS for, that it ended, and nothing of its connection.
does() {
    client "$1" /usr/bin/python3 "$LAB/told.py" "$DIR/sysmon.xml" "$2.office.example" "$3" "https://$4/"
}

case:dhcp() {
    local curl='C:\Windows\System32\curl.exe'
    local shell='C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe'
    rm -f "$DIR/sysmon.xml"
    : >"$TMP/dhcp-hosts"
    dns_up --dhcp-range=10.77.0.20,10.77.0.40,1h --dhcp-leasefile="$TMP/leases" --no-ping --interface=eth0 --dhcp-hostsfile="$TMP/dhcp-hosts"
    web_up
    gives 1 10.77.0.21 2 10.77.0.22
    lease_up 1
    lease_up 2
    capture "$DIR/input.pcap"
    lease_isc 1 WS1
    lease_busybox 2 ws2
    does 1 WS1 "$curl" pastebin.com
    does 2 WS2 "$shell" api.dropboxapi.com
    lease_isc_release 1
    lease_busybox_release
    gives 1 10.77.0.22 2 10.77.0.21
    lease_busybox 2 ws2
    lease_isc 1 WS1
    does 2 WS2 "$shell" pastebin.com
    does 1 WS1 "$curl" api.dropboxapi.com
    captured
    readme <<WORDS
Two hosts that swap their addresses by DHCP: WS1 (ISC's client, {version:dhclient --version}; it says its short and its fully qualified name) has
10.77.0.21 and then 10.77.0.22, WS2 (udhcpc, {version:busybox | head -1}; it says its short name) the other. dnsmasq is the server, with
leases of an hour; both give their address up before they take the other's. In each of the two halves each host fetches a page with curl.

\`sysmon.xml\` is what Sysmon of these hosts tells of it, in its default configuration, which has no record of a connection and so no address: who began,
and what it asked DNS for. It is synthetic, made by pcaps/lab/told.py at the moment of each page with the true times and process numbers; the hosts are
Linux, and the paths of programs are made up. So whose an address is can be known from the leases alone:
\`undertone replay input.pcap --feed sysmon.xml\`.

A sensor reports contacts with pastebin.com and api.dropboxapi.com by both addresses: pastebin.com by 10.77.0.21 was curl.exe of WS1 and then powershell.exe
of WS2, api.dropboxapi.com by 10.77.0.22 powershell.exe of WS2 and then curl.exe of WS1.
WORDS
}
