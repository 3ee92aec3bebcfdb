# Hellos that do not come in one piece.

# small_packets N: client N sends IPv4 packets of 300 bytes at most, as behind a tunnel of tunnels.
small_packets() { ip -n "ut-c$1" route replace 10.77.0.0/24 dev eth0 src "10.77.0.1$1" mtu lock 300; }

case:split-hello() {
    dns_up; web_up
    # Client 1's cable goes through a switch in user space, which swaps, doubles and loses segments.
    ip netns add ut-inner
    ip netns exec ut-inner sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip link add t2 netns ut-inner type veth peer name p-trunk netns ut-switch
    ip -n ut-switch link set p-c1 netns ut-inner
    ip -n ut-switch link set p-trunk master br0
    ip netns exec ut-switch sysctl -qw net.ipv6.conf.p-trunk.disable_ipv6=1
    ip netns exec ut-inner ethtool -K t2 tso off gso off gro off tx off rx off >/dev/null
    ip netns exec ut-inner ethtool -K p-c1 tso off gso off gro off tx off rx off >/dev/null
    ip -n ut-inner link set t2 up
    ip -n ut-inner link set p-c1 up
    ip -n ut-switch link set p-trunk up
    (ip netns exec ut-inner "$TMP/venv/bin/python" "$LAB/wire.py" shuffle p-c1 t2 >>"$TMP/wire.log" 2>&1 &)
    sleep 0.5
    page https://drive.google.com/x.png
    capture "$DIR/input.pcap"
    chromium_get 1 https://portal.office.example/page.html
    small_packets 1
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://www.dropbox.com/
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://paste.ee:8443/r/x
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://t.me:2053/x
    small_packets 2
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
    # A fragment limit of 512 bytes and a hello that is longer, for it offers many protocols: two records by OpenSSL itself.
    s_client 3 -4 -connect api.telegram.org:443 -servername api.telegram.org -max_send_frag 512 \
        -alpn "$(seq -s, -f 'a-protocol-with-a-long-name-%03g' 16)"
    client 3 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/chop.py" discord.com 8443 0 1
    client 3 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/chop.py" graph.microsoft.com 443 40 0
    client 3 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/chop.py" gist.github.com 443 16 7
    client 3 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/chop.py" www.example.com 443 100 50
    captured
    readme <<WORDS
ClientHellos that come in pieces. The hellos are real, and so are the TCP stacks, which put up with all of it.

| client | name | how its hello comes |
|---|---|---|
| 10.77.0.11, fd77::11 | portal.office.example, drive.google.com | Chromium ({version:chromium --version --no-sandbox}): two segments, the second before the first |
| 10.77.0.11 | www.dropbox.com | curl on a path with packets of 300 bytes: segments swapped in pairs |
| 10.77.0.11 | paste.ee, port 8443 | the same, each segment twice |
| 10.77.0.11 | t.me, port 2053 | the same, the first segment lost before the capture and sent again after the others |
| 10.77.0.12 | pastebin.com | curl on a path with packets of 300 bytes, in order |
| 10.77.0.13 | api.telegram.org | openssl s_client -max_send_frag 512 ({version:openssl version | cut -c1-14}): two TLS records |
| 10.77.0.13 | discord.com, port 8443 | one record, a segment for each byte |
| 10.77.0.13 | graph.microsoft.com | records of 40 bytes, all in one segment |
| 10.77.0.13 | gist.github.com | records of 16 bytes in segments of 7 |
| 10.77.0.13 | www.example.com | records of 100 bytes in segments of 50 |

Swapping, doubling and losing is done on the cable by pcaps/lab/wire.py; records and segments of the last four are cut by
pcaps/lab/chop.py, a client with Python's OpenSSL. nginx answers each of them: they are all hellos that a server takes.

A sensor reports contacts with all names but portal.office.example and www.example.com.
WORDS
}
