# The same short exchange as that of the links, through tunnels. Open vSwitch is at both ends (lab/overlay.sh), or the kernel's VXLAN; what
# neither of them makes is put around the packets of an ordinary capture by lab/wrap.py.

source "$LAB/overlay.sh"

OVS_WORDS="All real: curl, dnsmasq and nginx, and {version:ovs-vswitchd --version} in user space at both ends of the tunnel."

# through_overlay WORDS TYPE [OPTION=VALUE...]
through_overlay() {
    local words=$1
    dns_up; web_up; overlay "${@:2}"
    capture "$DIR/input.pcap" ut-left u0
    exchange; captured
    readme <<WORDS
$words, between 192.0.2.1 and 192.0.2.2.
$OVS_WORDS

$LINK_WORDS
WORDS
}

case:tunnel-gre() { through_overlay "GRE with a key (RFC 2784, RFC 2890), 7, around Ethernet frames" gre key=7; }
case:tunnel-geneve() { through_overlay "Geneve (RFC 8926), network identifier 42" geneve key=42; }
case:tunnel-erspan-2() { through_overlay "ERSPAN type II, session 5" erspan key=5 erspan_ver=1 erspan_idx=3; }
case:tunnel-erspan-3() { through_overlay "ERSPAN type III, session 6" erspan key=6 erspan_ver=2 erspan_dir=0 erspan_hwid=4; }

case:tunnel-vxlan() {
    dns_up; web_up; cut_cable
    local side remote=2 local=1 access=p-c1 underlay=u0
    for side in left right; do
        ip -n ut-$side addr add 192.0.2.$local/24 dev $underlay
        ip -n ut-$side link add vxlan0 type vxlan id 42 dstport 4789 local 192.0.2.$local remote 192.0.2.$remote dev $underlay
        ip -n ut-$side link add br1 type bridge mcast_snooping 0
        for d in vxlan0 $access; do ip -n ut-$side link set $d master br1; done
        for d in vxlan0 br1; do
            ip netns exec ut-$side sysctl -qw net.ipv6.conf.$d.disable_ipv6=1
            ip -n ut-$side link set $d up
        done
        remote=1 local=2 access=t2 underlay=u1
    done
    capture "$DIR/input.pcap" ut-left u0
    exchange; captured
    readme <<WORDS
VXLAN (RFC 7348), network identifier 42, between 192.0.2.1 and 192.0.2.2. All real: curl, dnsmasq and nginx, and the kernel's own tunnel device at both ends.

$LINK_WORDS
WORDS
}

# by_hand WORDS KIND [CAPTURE OF ANOTHER CASE]: the exchange on Ethernet, and then a wrapping around each packet.
by_hand() {
    local from=$TMP/work/plain.pcap
    if [ $# = 3 ]; then
        from=$PCAPS/$3
    else
        dns_up; web_up
        mkdir -p "$TMP/work"
        capture "$from" ut-switch p-c1
        exchange; captured
    fi
    "$TMP/venv/bin/python" "$LAB/convert.py" wrap "$2" "$from" "$DIR/input.pcap"
    readme <<WORDS
$1. Synthetic in its wrapping: the packets are real (curl, dnsmasq, nginx), and pcaps/lab/wrap.py puts it around them.

${4-$LINK_WORDS}
WORDS
}

ONLY_V4="It carries IPv4 alone: a sensor reports contacts with pastebin.com and, by DNS, api.dropboxapi.com, both by 10.77.0.11, and none with www.example.com."
ONLY_V6="It carries IPv6 alone: a sensor reports a contact with api.dropboxapi.com by fd77::11."

case:tunnel-erspan-1() { by_hand "ERSPAN type I: GRE without a sequence number, and no header of its own, between 192.0.2.1 and 192.0.2.2" erspan-1; }
case:tunnel-gtpu() { by_hand "GTP-U (3GPP TS 29.281) around IPv4 and IPv6, endpoint identifiers 9 and 10, between 192.0.2.1 and 192.0.2.2" gtp-u; }
case:tunnel-l2tp() { by_hand "L2TP version 2 (RFC 2661), tunnel 3, session 9, with PPP inside, between 192.0.2.1 and 192.0.2.2" l2tp; }
case:tunnel-nested() {
    by_hand "ERSPAN type II around the cable of the case tunnel-vxlan: what a mirror port sends of an overlay's underlay" erspan-2 tunnel-vxlan/input.pcap
}

# some_by_hand WORDS KIND WORDS
some_by_hand() {
    local LINK_WORDS=$3
    by_hand "$1" "$2"
}

case:tunnel-ipip() { some_by_hand "IPv4 in IPv4 (RFC 2003), between 192.0.2.1 and 192.0.2.2" ipip "$ONLY_V4"; }
case:tunnel-4in6() { some_by_hand "IPv4 in IPv6 (RFC 2473), between 2001:db8::1 and 2001:db8::2" 4in6 "$ONLY_V4"; }
case:tunnel-6in4() { some_by_hand "IPv6 in IPv4 (RFC 4213), between 192.0.2.1 and 192.0.2.2" 6in4 "$ONLY_V6"; }
case:tunnel-teredo() { some_by_hand "Teredo (RFC 4380), IPv6 in UDP to port 3544, with an origin in front of what comes back" teredo "$ONLY_V6"; }

case:link-snap() { by_hand "IEEE 802.3 with LLC and SNAP (RFC 1042): a length in place of the EtherType. Frames that were too long for it are left out" llc-snap; }
case:link-802.1ah() { by_hand "Provider backbone bridges (IEEE 802.1ah), service 0x012345: a customer's frames within frames of the provider" provider-backbone; }
case:link-pppoe() { by_hand "PPP over Ethernet (RFC 2516), session 7" pppoe; }
case:link-ppp() { by_hand "PPP (link type 9), with the address and control bytes of HDLC-like framing" ppp; }
case:link-802.11() { by_hand "IEEE 802.11 (link type 105), unencrypted data frames of a station to its access point and back" wireless; }
case:link-radiotap() { by_hand "IEEE 802.11 behind a radiotap header (link type 127), unencrypted data frames of a station to its access point and back" radiotap; }

case:link-mpls() {
    dns_up; web_up; cut_cable
    bridges left u0 p-c1 192.0.2.1 192.0.2.2
    bridges right u1 t2 192.0.2.2 192.0.2.1
    local side access=p-c1 underlay=u0
    for side in left right; do
        ovs $side del-port under $underlay
        ovs $side add-port over $underlay
        # Two labels; the inner one says what is below, which MPLS itself does not.
        flows $side \
            "in_port=$access,ip,actions=push_mpls:0x8847,set_field:16->mpls_label,push_mpls:0x8847,set_field:100->mpls_label,output:$underlay" \
            "in_port=$access,ipv6,actions=push_mpls:0x8847,set_field:17->mpls_label,push_mpls:0x8847,set_field:100->mpls_label,output:$underlay" \
            "in_port=$underlay,mpls,mpls_label=100,actions=pop_mpls:0x8847,resubmit(,1)" \
            "table=1,mpls,mpls_label=16,actions=pop_mpls:0x0800,output:$access" \
            "table=1,mpls,mpls_label=17,actions=pop_mpls:0x86dd,output:$access" \
            "in_port=$access,arp,actions=output:$underlay" "in_port=$underlay,arp,actions=output:$access"
        access=t2 underlay=u1
    done
    capture "$DIR/input.pcap" ut-left u0
    exchange; captured
    readme <<WORDS
MPLS (RFC 3032): two labels around IPv4 and IPv6. All real: curl, dnsmasq and nginx, and {version:ovs-vswitchd --version} in user space at both ends.

$LINK_WORDS
WORDS
}

case:link-nflog() {
    dns_up; web_up
    local hook
    ip netns exec ut-c1 nft add table inet lab
    for hook in input output; do
        ip netns exec ut-c1 nft add chain inet lab $hook "{ type filter hook $hook priority 0; }"
        ip netns exec ut-c1 nft add rule inet lab $hook log group 5
    done
    capture "$DIR/input.pcap" ut-c1 nflog:5 --time-stamp-precision=micro
    exchange; captured
    readme <<WORDS
Linux netfilter log (link type 239): nftables logs what the client sends and receives to a group, and tcpdump -i nflog:5 reads it. All real.

$LINK_WORDS
WORDS
}

case:fragments() {
    dns_up
    ip -n ut-c1 link set eth0 mtu 1280
    capture "$DIR/input.pcap" ut-switch p-c1
    # An option of EDNS that is of no use but long (a code for local use, RFC 6891 section 9).
    local long
    long=$(printf '%02600d' 0)
    client 1 kdig -4 +notcp +retry=0 +time=1 +ednsopt=65001:$long @10.77.0.53 pastebin.com
    client 1 kdig -6 +notcp +retry=0 +time=1 +ednsopt=65001:$long @fd77::53 api.dropboxapi.com
    client 1 kdig -4 +notcp +retry=0 +time=1 +ednsopt=65001:$long @10.77.0.53 www.example.com
    captured
    readme <<WORDS
Queries of 1.3 kB that the client's kernel cut into fragments of IPv4 and of IPv6, for the link takes 1280 bytes. All real (kdig; dnsmasq does not
answer so long a query).

A sensor reports contacts with pastebin.com (by 10.77.0.11) and api.dropboxapi.com (by fd77::11), and none with www.example.com.
WORDS
}

case:mirrored-twice() {
    dns_up; web_up
    # A SPAN port: what comes in and goes out at the client's port and at the servers' goes to it too.
    ip link add span0 netns ut-switch type veth peer name span1 netns ut-switch
    local port way
    for port in span0 span1; do
        ip netns exec ut-switch sysctl -qw net.ipv6.conf.$port.disable_ipv6=1
        ip -n ut-switch link set $port up
    done
    for port in p-c1 p-server; do
        tc -n ut-switch qdisc add dev $port clsact
        for way in ingress egress; do
            tc -n ut-switch filter add dev $port $way u32 match u32 0 0 action mirred egress mirror dev span0
        done
    done
    capture "$DIR/input.pcap" ut-switch span1
    exchange; captured
    "$TMP/venv/bin/python" "$LAB/convert.py" once "$DIR/input.pcap" "$TMP/once.pcap"
    CAPTURES=$TMP/once.pcap readme <<WORDS
Each packet twice, as a mirror of both ports of a conversation gives it: where it comes into the switch and where it goes out. All real
(curl, dnsmasq, nginx, and the kernel's own mirroring). The table counts each packet once (pcaps/lab/convert.py leaves out the copies for it), and
so does a sensor, which says in its closing summary how many came twice.

$LINK_WORDS
WORDS
}
