# DNS beyond the plain question over UDP.

case:dns-tcp() {
    dns_up
    capture "$DIR/input.pcap"
    client 1 dig +tcp +tries=1 pastebin.com
    client 1 dig +tcp +tries=1 @fd77::53 paste.ee AAAA
    client 2 kdig +tcp +keepopen discord.com A discord.com AAAA gist.github.com HTTPS www.debian.org A
    client 3 /usr/bin/python3 "$LAB/dns.py" tcp 10.77.0.53
    captured
    readme <<WORDS
DNS over TCP: one question a connection (dig, {version:dig -v}; IPv4 and IPv6), several on one connection (kdig +keepopen,
{version:kdig --version}), and, hand-built by pcaps/lab/dns.py (10.77.0.13), a length prefix that is split between its two bytes, two
messages in one segment, and a message in three segments. The server is dnsmasq; it answers all of them.

A sensor reports contacts with pastebin.com and paste.ee (10.77.0.11, fd77::11), discord.com and gist.github.com (10.77.0.12), pastebin.com,
api.telegram.org and raw.githubusercontent.com (10.77.0.13), and none with www.debian.org and www.example.com.
WORDS
}

case:dns-types() {
    local py="$TMP/venv/bin/python"
    "$py" "$LAB/ech_config.py" "$TMP" public.ech.example 77
    OWN_HTTPS=docs.google.com dns_up \
        --dns-rr="docs.google.com,65,$("$py" "$LAB/svcb.py" 1 . alpn=h3,h2 ipv4hint=10.77.0.117 ipv6hint=fd77::117 ech="$TMP/ech.list")" \
        --dns-rr="alias.office.example,65,$("$py" "$LAB/svcb.py" 0 docs.google.com)" \
        --dns-rr="_dns.resolver.arpa,64,$("$py" "$LAB/svcb.py" 1 dns.google alpn=dot,h2 port=853 dohpath='/dns-query{?dns}')" \
        --cname=drop.office.example,edge.office.example --cname=edge.office.example,x.pastebin.com \
        --txt-record=t.me,"a text of the laboratory" --caa-record=pastebin.com,0,issue,ca.office.example \
        --mx-host=office.example,mail.office.example,10 --srv-host=_ldap._tcp.office.example,files.office.example,389
    capture "$DIR/input.pcap"
    local q
    for q in "pastebin.com A" "pastebin.com AAAA" "docs.google.com HTTPS" "alias.office.example HTTPS" "_dns.resolver.arpa SVCB" \
        "t.me TXT" "discord.com ANY +notcp" "pastebin.com CAA" "paste.ee TYPE257" "drop.office.example A" "drop.office.example AAAA" \
        "office.example MX" "_ldap._tcp.office.example SRV" "_dmarc.discord.com TXT" "version.bind TXT CH" "hostname.bind TXT CH" \
        "api.telegram.org A +nocookie +noedns" "api.telegram.org A +subnet=192.0.2.0/24 +nsid" "graph.microsoft.com A +dnssec" \
        "www.dropbox.com.does-not-exist.example A" "-x 10.77.0.104" "-x fd77::104" "www.example.com NSEC" "www.googleapis.com TYPE65280" \
        "gist.github.com A +opcode=notify" "pAsTe.eE A"; do
        # shellcheck disable=SC2086
        client 1 dig +tries=1 +time=1 $q
    done
    client 2 kdig +retry=0 +time=1 +padding=128 storage.googleapis.com A
    client 3 /usr/bin/python3 "$LAB/dns.py" odd 10.77.0.53
    captured
    readme \
        "two questions | 10.77.0.13 | dns_query | one message asks for pastebin.com (A) and discord.com (AAAA): both are seen" \
        "caf + bytes c3 a9 + .pastebin.com | 10.77.0.13 | dns_query | UTF-8 in a name; the contact with pastebin.com stands" \
        "caf + bytes e9 ff + .discord.com | 10.77.0.13 | dns_query | bytes that are no UTF-8; the contact with discord.com stands" \
        "my printer.office.example | 10.77.0.13 | dns_query | a space in a name, no contact" \
        "a\\.b.pastebin.com | 10.77.0.13 | dns_query | one label with a dot in it: three labels and not four; a contact with pastebin.com" \
        "drop.office.example | 10.77.0.11 | dns_query | no contact by its own name; the answer is a CNAME chain by edge.office.example to x.pastebin.com, which is in the answer" <<WORDS
One question of each kind: A, AAAA, HTTPS (65; an answer with alpn, both hints and ech, and one in alias mode), SVCB (64; the resolver's own, for
encrypted DNS), TXT, ANY, CAA (257), MX, SRV, PTR, NSEC, a private type (65280), class CHAOS, EDNS with cookie, client subnet, NSID, DNSSEC
and padding, a message without EDNS, opcodes NOTIFY and STATUS, a CNAME chain, a name that does not exist; dig ({version:dig -v}) and
kdig ({version:kdig --version}), answered by dnsmasq. Hand-built by pcaps/lab/dns.py (10.77.0.13): two questions in one message, bytes ≥ 0x80, a space
and a dot in a label, a name of 245 characters, the root.

A sensor reports contacts with pastebin.com, docs.google.com, t.me, discord.com, paste.ee, api.telegram.org, graph.microsoft.com,
www.googleapis.com and gist.github.com (10.77.0.11), storage.googleapis.com (10.77.0.12), and pastebin.com, discord.com, paste.ee and
api.github.com (10.77.0.13). None with www.dropbox.com.does-not-exist.example, the CHAOS names, and the reverse names.
WORDS
}

case:mdns-llmnr() {
    "$TMP/venv/bin/pip" -q install zeroconf
    local c
    for c in 1 2; do
        ip -n ut-c$c route add 224.0.0.0/4 dev eth0
    done
    dns_up
    capture "$DIR/input.pcap" ut-switch p-c1
    (ip netns exec ut-c2 "$TMP/venv/bin/python" "$LAB/mdns.py" announce "Hall printer" 10.77.0.12 >>"$TMP/mdns.log" 2>&1 &)
    (ip netns exec ut-c2 "$TMP/venv/bin/python" "$LAB/dns.py" llmnr-answer wpad 10.77.0.12 >>"$TMP/mdns.log" 2>&1 &)
    sleep 2
    client 1 "$TMP/venv/bin/python" "$LAB/mdns.py" browse
    client 1 dig +tries=1 +time=1 -p 5353 @224.0.0.251 printer.local A
    client 1 dig +tries=1 +time=1 -p 5353 @224.0.0.251 pastebin.com A
    client 1 "$TMP/venv/bin/python" "$LAB/dns.py" llmnr-ask wpad fileserver
    client 1 dig +tries=1 +time=1 -p 5355 @224.0.0.252 api.dropboxapi.com A
    captured
    readme <<WORDS
mDNS (port 5353): a printer announces itself and a browser finds it, both by the Python package zeroconf
({version:$TMP/venv/bin/pip list 2>/dev/null | grep zeroconf}); dig asks by multicast too. LLMNR (port 5355) over IPv4 and IPv6: questions and the answer for wpad are
hand-built by pcaps/lab/dns.py, as Windows sends them; one question is by dig. Public names are rarely asked for in this way: pastebin.com and
api.dropboxapi.com are in it so that there is something to report. Captured at the port of 10.77.0.11.

A sensor reports contacts with pastebin.com (mDNS) and api.dropboxapi.com (LLMNR) by 10.77.0.11, and none with the local names.
WORDS
}
