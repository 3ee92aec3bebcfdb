# QUIC: real clients against an HTTP/3 server on aioquic (lab/quic.py).

# quic_up PORT[:retry]...: on all addresses of the server, or on those of $QUIC_ADDRESSES.
quic_up() {
    (server "$TMP/venv/bin/python" "$LAB/quic.py" server "$TMP/ca/all.pem" "$TMP/ca/leaf.key" \
        "${QUIC_ADDRESSES:-$(names | awk '{ print $3 "," $4 }' | paste -sd,)}" "$@" >>"$TMP/quic.log" 2>&1 &)
    wait_for server sh -c "ss -uln | grep -q ':${1%:*} '"
}

# The hash of the servers' key, by which Chromium takes a certificate that no public root has signed, over QUIC too.
spki() { openssl pkey -in "$TMP/ca/leaf.key" -pubout -outform der | openssl dgst -sha256 -binary | base64; }

case:quic-chromium() {
    dns_up; web_up; quic_up 443 4433
    page https://pastebin.com/x.png https://api.telegram.org:4433/x.png https://www.dropbox.com/x.png
    local forced=pastebin.com:443,api.telegram.org:4433,www.xbox.com:443
    capture "$DIR/input.pcap"
    chromium_get 1 https://portal.office.example/page.html --enable-quic --origin-to-force-quic-on=$forced \
        --ignore-certificate-errors-spki-list="$(spki)"
    chromium_get 2 https://www.xbox.com/ --enable-quic --origin-to-force-quic-on=$forced \
        --ignore-certificate-errors-spki-list="$(spki)"
    captured
    readme "_4433._https.api.telegram.org | 10.77.0.11 | dns_query | Chromium's question for the HTTPS record of a service on port 4433 (RFC 9460, section 9.1); it stands below api.telegram.org" <<WORDS
Chromium, headless ({version:chromium --version --no-sandbox}), with QUIC forced for pastebin.com, api.telegram.org (port 4433) and
www.xbox.com, against an HTTP/3 server on aioquic ({version:$TMP/venv/bin/pip list 2>/dev/null | grep aioquic}). Other names go over TCP.
$SYNTHETIC_NONE

Its ClientHello has an ML-KEM key share and fills two Initial packets; Chromium cuts it into many CRYPTO frames, shuffled, with PING and
PADDING frames between them.

A sensor reports contacts with pastebin.com and api.telegram.org (QUIC), www.dropbox.com (TLS), and none with portal.office.example and www.xbox.com.
WORDS
}

case:quic-firefox() {
    OWN_HTTPS=discord.com dns_up --dns-rr="discord.com,65,$("$TMP/venv/bin/python" "$LAB/svcb.py" 1 . alpn=h3,h2)"
    web_up; quic_up 443
    page https://discord.com/x.png https://paste.ee/x.png https://www.wikipedia.org/x.png
    capture "$DIR/input.pcap"
    firefox_get 1 https://portal.office.example/page.html \
        'user_pref("network.http.http3.enable", true);' \
        'user_pref("network.http.http3.disable_when_third_party_roots_found", false);' \
        'user_pref("network.http.http3.alt-svc-mapping-for-testing", "paste.ee;h3=:443,www.wikipedia.org;h3=:443");'
    captured
    readme <<WORDS
Firefox, headless ({version:firefox-esr --version}), with HTTP/3 for discord.com (it has an HTTPS record with alpn=h3), and for paste.ee and
www.wikipedia.org (by a preference that stands for Alt-Svc), against an HTTP/3 server on aioquic. $SYNTHETIC_NONE

Firefox cuts its ClientHello within the server name and sends the later part first, so that neither the first CRYPTO frame nor the first
datagram holds the name.

A sensor reports contacts with discord.com and paste.ee (QUIC, and TLS where Firefox races the two), and none with portal.office.example
and www.wikipedia.org.
WORDS
}

case:quic-aioquic() {
    dns_up; quic_up 443 8443 4433:retry
    capture "$DIR/input.pcap"
    local py="$TMP/venv/bin/python"
    client 1 "$py" "$LAB/quic.py" client "$TMP/ca/ca.pem" 1 https://api.telegram.org/ v6://discord.com/ https://www.example.com/
    client 2 "$py" "$LAB/quic.py" client "$TMP/ca/ca.pem" 2 https://graph.microsoft.com/ https://pastebin.com:8443/ https://www.python.org/
    client 3 "$py" "$LAB/quic.py" client "$TMP/ca/ca.pem" 1 https://paste.ee:4433/
    client 3 "$py" "$LAB/quic.py" client "$TMP/ca/ca.pem" 2 https://gist.github.com:4433/
    captured
    readme <<WORDS
A client on aioquic ({version:$TMP/venv/bin/pip list 2>/dev/null | grep aioquic}): pcaps/lab/quic.py, against the server of the same
file. $SYNTHETIC_NONE

| client | QUIC | names |
|---|---|---|
| 10.77.0.11, fd77::11 | version 1 (RFC 9000) on port 443 | api.telegram.org, discord.com (IPv6), www.example.com |
| 10.77.0.12 | version 2 (RFC 9369, 0x6b3343cf) on ports 443 and 8443 | graph.microsoft.com, pastebin.com (8443), www.python.org |
| 10.77.0.13 | version 1 and version 2 on port 4433, where the server sends a Retry: the second Initial has a token and other keys | paste.ee, gist.github.com |

A sensor reports contacts with all but www.example.com and www.python.org.
WORDS
}

case:quic-curl() {
    dns_up; quic_up 443
    capture "$DIR/input.pcap"
    client 1 "$TMP/venv/bin/python" "$LAB/quic_curl.py" "$TMP/ca/ca.pem" https://api.dropboxapi.com/2/files/list_folder \
        https://raw.githubusercontent.com/a/b/main/c https://www.debian.org/
    captured
    readme <<WORDS
libcurl with HTTP/3 only ({version:$TMP/venv/bin/python -c 'import curl_cffi; print(curl_cffi.__curl_version__)'}), by
the PyPI package curl_cffi, whose QUIC is ngtcp2: pcaps/lab/quic_curl.py. Debian's own curl has no HTTP/3. The first two requests are made as
libcurl by itself, the last in the guise of Chrome. $SYNTHETIC_NONE

A sensor reports contacts with api.dropboxapi.com and raw.githubusercontent.com, and none with www.debian.org.
WORDS
}
