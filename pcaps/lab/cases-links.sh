# The same short exchange on different links. The kernel at hand may lack VLAN devices, so the tags are put on by a
# switch in user space (lab/wire.py), on a real cable where the capture is taken.

# The exchange of all link cases: one name of the list by TLS over IPv4, one over IPv6, an ordinary one by DNS and TLS.
exchange() {
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
    client 1 curl -6 -s --cacert "$TMP/ca/ca.pem" https://api.dropboxapi.com/2/files/list_folder
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://www.example.com/
}

LINK_WORDS="A sensor reports contacts with pastebin.com (by 10.77.0.11) and api.dropboxapi.com (DNS by 10.77.0.11, TLS by fd77::11), and none with www.example.com."

# trunk [TAG...]: between client 1 and the switch, a cable in the namespace ut-inner on which each frame carries these tags.
#   client's tap eth0 -- wire.py puts the tags on -- veth t0 ===== t1 -- wire.py takes them off -- the switch
trunk() {
    ip netns add ut-inner
    ip link add t0 netns ut-inner type veth peer name t1 netns ut-inner
    ip link add t2 netns ut-inner type veth peer name p-trunk netns ut-switch
    ip -n ut-switch link set p-trunk master br0
    ip netns exec ut-switch sysctl -qw net.ipv6.conf.p-trunk.disable_ipv6=1
    ip netns exec ut-inner sysctl -qw net.ipv6.conf.all.disable_ipv6=1
    # The client's cable is pulled out of the switch and ends in ut-inner.
    ip -n ut-switch link set p-c1 netns ut-inner
    local d
    for d in t0 t1 t2 p-c1; do
        ip netns exec ut-inner ethtool -K $d tso off gso off gro off tx off rx off txvlan off rxvlan off >/dev/null 2>&1 || true
        ip -n ut-inner link set $d mtu 1600 2>/dev/null || true
        ip -n ut-inner link set $d up
    done
    ip -n ut-switch link set p-trunk up
    (ip netns exec ut-inner "$TMP/venv/bin/python" "$LAB/wire.py" tag p-c1 t0 "$@" >>"$TMP/wire.log" 2>&1 &)
    (ip netns exec ut-inner "$TMP/venv/bin/python" "$LAB/wire.py" tag t2 t1 "$@" >>"$TMP/wire.log" 2>&1 &)
    sleep 0.5
}

case:link-vlan() {
    dns_up; web_up; trunk 8100:42
    capture "$DIR/input.pcap" ut-inner t0
    exchange; captured
    readme <<WORDS
Ethernet with an IEEE 802.1Q tag (VLAN 42) on every frame. Client and servers are real (curl, dnsmasq, nginx); the tags are put on
the cable by pcaps/lab/wire.py, a switch in user space.

$LINK_WORDS
WORDS
}

case:link-qinq() {
    dns_up; web_up; trunk 88a8:100 8100:42 8100:7
    capture "$DIR/input.pcap" ut-inner t0
    exchange; captured
    readme <<WORDS
Ethernet with three tags on every frame: a service tag (IEEE 802.1ad, VLAN 100) and two customer tags (802.1Q, VLAN 42 and 7).
Client and servers are real (curl, dnsmasq, nginx); the tags are put on the cable by pcaps/lab/wire.py, a switch in user space.

$LINK_WORDS
WORDS
}

case:link-sll() {
    dns_up; web_up
    capture "$DIR/input.pcap" ut-c1 any -y LINUX_SLL
    exchange; captured
    readme <<WORDS
Linux cooked capture v1 (link type 113): \`tcpdump -i any -y LINUX_SLL\` on the client. All real.

$LINK_WORDS
WORDS
}

case:link-sll2() {
    dns_up; web_up
    capture "$DIR/input.pcap" ut-c1 any -y LINUX_SLL2
    exchange; captured
    readme <<WORDS
Linux cooked capture v2 (link type 276): \`tcpdump -i any -y LINUX_SLL2\` on the client. All real.

$LINK_WORDS
WORDS
}

# tunnel: client 1 gets a tun device (packets without a link layer) as its way to all servers; lab/wire.py carries the
# packets to a tun device of the server.
tunnel() {
    local ns
    for ns in ut-c1 ut-server; do
        ip -n $ns tuntap add tun0 mode tun
        ip -n $ns link set tun0 up
    done
    ip -n ut-c1 addr flush dev eth0
    ip -n ut-c1 addr add 10.77.0.11/24 dev tun0
    ip -n ut-c1 addr add fd77::11/64 dev tun0 nodad
    ip -n ut-server route add 10.77.0.11/32 dev tun0
    ip -n ut-server route add fd77::11/128 dev tun0
    ("$TMP/venv/bin/python" "$LAB/wire.py" tun ut-c1 ut-server >>"$TMP/wire.log" 2>&1 & echo $! >"$TMP/wire.pid")
    sleep 0.5
}

case:link-raw() {
    tunnel; dns_up; web_up
    capture "$DIR/input.pcap" ut-c1 tun0
    exchange; captured
    kill "$(cat "$TMP/wire.pid")"
    readme <<WORDS
Raw IP (link type 101), IPv4 and IPv6 packets without a link layer: tcpdump on a tun device of the client. All real.

$LINK_WORDS
WORDS
}

case:link-null() {
    tunnel; dns_up; web_up
    mkdir -p "$TMP/work"
    capture "$TMP/work/raw.pcap" ut-c1 tun0
    exchange; captured
    kill "$(cat "$TMP/wire.pid")"
    "$TMP/venv/bin/python" "$LAB/convert.py" null "$TMP/work/raw.pcap" "$DIR/input.pcap"
    readme <<WORDS
BSD loopback (link type 0), as macOS and FreeBSD write it on lo0 and on tunnels. Synthetic in its link layer: a raw IP capture of the
laboratory is given the four bytes of the address family by pcaps/lab/convert.py (little-endian 2 for IPv4, 30 for IPv6 as on macOS).
The packets themselves are real.

$LINK_WORDS
WORDS
}
