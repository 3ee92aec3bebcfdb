# Plain HTTP, and names that a proxy is told.

# tinyproxy_up: on port 8888 of the server.
tinyproxy_up() {
    cat >"$TMP/tinyproxy.conf" <<CONF
Port 8888
Timeout 10
Allow 10.77.0.0/24
Allow fd77::/64
LogFile "$TMP/tinyproxy.log"
DisableViaHeader Yes
CONF
    (server tinyproxy -d -c "$TMP/tinyproxy.conf" >/dev/null 2>&1 &)
    wait_for server sh -c "ss -tln | grep -q :8888"
}

case:http() {
    dns_up; web_up; tinyproxy_up
    capture "$DIR/input.pcap"
    client 1 curl -4 -s http://pastebin.com/raw/x
    client 1 curl -4 -s http://raw.githubusercontent.com:8080/a/b
    client 1 curl -6 -s -X POST -d x=1 http://discord.com/api/webhooks/1/x
    client 1 wget -4 -q -O /dev/null http://www.example.com/
    # Through a proxy: the request line holds the whole URI.
    client 2 curl -4 -s -x http://10.77.0.53:8888 http://api.telegram.org/bot1/getUpdates
    client 2 curl -4 -s -x http://10.77.0.53:8888 http://www.wikipedia.org/
    local at py=/usr/bin/python3
    at=$(v4 paste.ee)
    # One connection, two requests in one segment, of different hosts; then nc, as a person types it.
    client 3 "$py" "$LAB/http.py" "$at" 80 'GET / HTTP/1.1\r\nHost: paste.ee\r\n\r\nGET /2 HTTP/1.1\r\nHost: gist.github.com\r\n\r\n'
    client 3 sh -c "printf 'GET / HTTP/1.1\r\nhost:T.ME\r\nConnection: close\r\n\r\n' | nc -w 1 $at 8080"
    client 3 "$py" "$LAB/http.py" "$at" 80 'GET /long HTTP/1.1\r\nUser-Agent: x\r\nHo' 'st: api.drop' 'boxapi.com:80' '\r\n\r\n'
    client 3 "$py" "$LAB/http.py" "$at" 80 'GET http://drive.google.com/x HTTP/1.1\r\nHost: www.xbox.com\r\n\r\n'
    client 3 "$py" "$LAB/http.py" "$at" 80 'GET / HTTP/1.0\r\n\r\n'
    client 3 "$py" "$LAB/http.py" "$at" 80 "GET / HTTP/1.1\r\nHost: $at\r\n\r\n"
    client 3 "$py" "$LAB/http.py" "$at" 80 'POST / HTTP/1.1\r\nHost: www.python.org\r\nContent-Length: 54\r\n\r\nGET / HTTP/1.1\r\nHost: docs.google.com\r\nX-Body: yes\r\n\r\n'
    captured
    readme \
        "drive.google.com | 10.77.0.13 | http_host | an absolute URI beside Host: www.xbox.com; the URI counts (RFC 9112, section 3.2.2), and the two disagree" \
        "docs.google.com | 10.77.0.13 | (no name) | a request inside the body of a POST to www.python.org: it is content, and no request" \
        "(none) | 10.77.0.13 | (no name) | HTTP/1.0 without Host, and a Host that is an address" <<WORDS
HTTP/1: curl and wget on ports 80 and 8080 over IPv4 and IPv6 (10.77.0.11); curl through tinyproxy, which makes the request line hold the
whole URI (10.77.0.12); and requests written by hand with nc and pcaps/lab/http.py (10.77.0.13): two requests for different hosts in one
segment, \`host:T.ME\` without a space, a Host that is split over three segments and has a port, an absolute URI that differs from the Host, no Host, an address as Host,
and a request inside the body of another. nginx answers.

A sensor reports contacts with pastebin.com, raw.githubusercontent.com, discord.com (10.77.0.11), api.telegram.org (10.77.0.12), paste.ee,
gist.github.com, t.me, api.dropboxapi.com and drive.google.com (10.77.0.13). None with www.example.com, www.wikipedia.org, www.xbox.com,
www.python.org, docs.google.com.
WORDS
}

case:proxy-connect() {
    dns_up; web_up; tinyproxy_up
    capture "$DIR/input.pcap"
    client 1 curl -4 -s -x http://10.77.0.53:8888 --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
    client 1 curl -s -x "http://[fd77::53]:8888" --cacert "$TMP/ca/ca.pem" https://api.telegram.org/bot1/getUpdates
    client 1 curl -4 -s -x http://10.77.0.53:8888 --cacert "$TMP/ca/ca.pem" https://www.example.com/
    # The proxy is told an address, and the name stands in the TLS inside only.
    client 2 curl -4 -s -x http://10.77.0.53:8888 --cacert "$TMP/ca/ca.pem" --connect-to "discord.com:443:$(v4 discord.com):443" https://discord.com/
    # A front: the proxy is told one name, the TLS inside says another.
    client 3 curl -4 -s -x http://10.77.0.53:8888 --cacert "$TMP/ca/ca.pem" --connect-to "graph.microsoft.com:443:www.xbox.com:443" https://graph.microsoft.com/
    # A tunnel for something that is no TLS.
    client 4 curl -4 -s -p -x http://10.77.0.53:8888 http://paste.ee/r/x
    captured
    readme \
        "pastebin.com, api.telegram.org, www.example.com | 10.77.0.11, fd77::11 | http_connect | the authority of CONNECT; the TLS inside says the same" \
        "(an address) | 10.77.0.12 | http_connect | CONNECT to an address; discord.com stands in the TLS inside only" \
        "www.xbox.com | 10.77.0.13 | http_connect | the TLS inside says graph.microsoft.com: they disagree, and the contact is with graph.microsoft.com" \
        "paste.ee | 10.77.0.14 | http_connect, http_host | CONNECT paste.ee:80, plain HTTP inside" <<WORDS
curl ({version:curl --version | cut -d' ' -f1-2}) through tinyproxy ({version:tinyproxy -v}) by CONNECT, with TLS inside. $SYNTHETIC_NONE

The clients do not ask DNS: the proxy does. A sensor reports contacts with pastebin.com, api.telegram.org, discord.com,
graph.microsoft.com and paste.ee, and none with www.example.com and www.xbox.com.
WORDS
}

case:proxy-socks() {
    dns_up; web_up
    (server microsocks -p 1080 >>"$TMP/socks.log" 2>&1 &)
    (server microsocks -p 1081 -u user -P word >>"$TMP/socks.log" 2>&1 &)
    (server /usr/bin/python3 "$LAB/socks4.py" 1084 >>"$TMP/socks.log" 2>&1 &)
    wait_for server sh -c "ss -tln | grep -q :1084"
    capture "$DIR/input.pcap"
    local ca="$TMP/ca/ca.pem"
    client 1 curl -4 -s --socks5-hostname 10.77.0.53:1080 --cacert "$ca" https://pastebin.com/raw/x
    client 1 curl -4 -s --socks5-hostname user:word@10.77.0.53:1081 --cacert "$ca" https://api.telegram.org/bot1/getUpdates
    client 1 curl -4 -s --socks5 10.77.0.53:1080 --cacert "$ca" https://discord.com/
    client 1 curl -4 -s --socks5-hostname 10.77.0.53:1080 --cacert "$ca" https://www.example.com/
    client 2 curl -4 -s --socks4a 10.77.0.53:1084 --cacert "$ca" https://paste.ee/r/x
    client 2 curl -4 -s --socks4 10.77.0.53:1084 --cacert "$ca" https://gist.github.com/a
    # No TLS inside: the name stands in the SOCKS request and in the HTTP inside.
    client 3 curl -4 -s --socks5-hostname 10.77.0.53:1080 http://raw.githubusercontent.com/a/b
    # Another name inside than the proxy is told.
    client 3 curl -4 -s --socks5-hostname 10.77.0.53:1080 --cacert "$ca" --connect-to "api.dropboxapi.com:443:www.xbox.com:443" https://api.dropboxapi.com/
    captured
    readme \
        "pastebin.com, api.telegram.org, www.example.com | 10.77.0.11 | socks | SOCKS5, the name given to the proxy; api.telegram.org with a user and a password (RFC 1929)" \
        "discord.com | 10.77.0.11 | tls_sni, dns_query | SOCKS5 with an address: curl asks DNS itself" \
        "paste.ee | 10.77.0.12 | socks | SOCKS4a" \
        "gist.github.com | 10.77.0.12 | tls_sni, dns_query | SOCKS4 with an address" \
        "raw.githubusercontent.com | 10.77.0.13 | socks, http_host | plain HTTP inside" \
        "www.xbox.com | 10.77.0.13 | socks | the TLS inside says api.dropboxapi.com: they disagree, and the contact is with api.dropboxapi.com" <<WORDS
curl ({version:curl --version | cut -d' ' -f1-2}) through SOCKS5 (microsocks, without and with a password) and SOCKS4 and 4a
(pcaps/lab/socks4.py, a small server in Python). The clients and the traffic are real.

A sensor reports contacts with pastebin.com, api.telegram.org, discord.com (10.77.0.11), paste.ee, gist.github.com (10.77.0.12),
raw.githubusercontent.com and api.dropboxapi.com (10.77.0.13). None with www.example.com and www.xbox.com.
WORDS
}

case:proxy-protocol() {
    dns_up; web_up
    # Client 2 is a load balancer: it takes the connections of client 1 and tells the server who they are from.
    cat >"$TMP/haproxy.cfg" <<CONF
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen v1
    bind 10.77.0.12:443
    server s $(v4 pastebin.com):4431 send-proxy
listen v2
    bind 10.77.0.12:8443
    bind [fd77::12]:8443 v6only
    server s $(v4 pastebin.com):4431 send-proxy-v2 proxy-v2-options ssl,unique-id
CONF
    (ip netns exec ut-c2 haproxy -db -f "$TMP/haproxy.cfg" >>"$TMP/haproxy.log" 2>&1 &)
    wait_for ip netns exec ut-c2 sh -c "ss -tln | grep -q :8443"
    capture "$DIR/input.pcap"
    local ca="$TMP/ca/ca.pem"
    client 1 curl -4 -s --cacert "$ca" --connect-to "pastebin.com:443:10.77.0.12:443" https://pastebin.com/raw/x
    client 1 curl -4 -s --cacert "$ca" --connect-to "api.telegram.org:443:10.77.0.12:8443" https://api.telegram.org/bot1/x
    client 1 curl -6 -s --cacert "$ca" --connect-to "www.example.com:443:[fd77::12]:8443" https://www.example.com/
    # curl writes the header of version 1 by itself.
    client 3 curl -4 -s --haproxy-protocol --cacert "$ca" --connect-to "discord.com:443:$(v4 discord.com):4431" https://discord.com/
    captured
    readme <<WORDS
The PROXY protocol before TLS: haproxy ({version:haproxy -v | cut -d' ' -f1-3}) on 10.77.0.12 forwards connections of 10.77.0.11 with a header of version 1 (text) and version 2
(binary, with extensions; IPv4 and IPv6 inside), and curl --haproxy-protocol sends version 1 (10.77.0.13). nginx on port 4431 takes them. $SYNTHETIC_NONE
Captured at the server's port, so the first leg (10.77.0.11 to 10.77.0.12) is not in it.

On the wire the client is 10.77.0.12; the header names 10.77.0.11 or fd77::11. A sensor skips the header and reports contacts with
pastebin.com and api.telegram.org by 10.77.0.12, discord.com by 10.77.0.13, and none with www.example.com.
WORDS
}
