# What no client of today sends, or no capture of the laboratory shows: packets made by hand, and captures of other cases in part.

case:quic-old() {
    "$TMP/venv/bin/python" "$LAB/handbuilt.py" quic-old "$DIR/input.pcap"
    readme <<'WORDS'
QUIC before the standard, one datagram each: Google's Q043 and Q046 in clear, Q050 with its own salt (each with the name in a CHLO), and Meta's mvfst
(0xfaceb002, draft 27). All packets are hand-built by pcaps/lab/handbuilt.py, for no client of today sends them.

A sensor reports contacts with pastebin.com and drive.google.com (10.77.0.11), docs.google.com (10.77.0.12) and graph.microsoft.com (10.77.0.13).
The last datagram is cut by a snap length of 400 bytes: no key opens it, and the sensor says so and gives no name.

| name | client | seen as | note |
|---|---|---|---|
| pastebin.com, drive.google.com, docs.google.com, graph.microsoft.com | 10.77.0.11 to 13 | quic_sni | tshark does not read the names of all of these versions |
| discord.com | 10.77.0.13 | (unseen) | cut |
WORDS
}

case:one-sided() {
    "$TMP/venv/bin/python" "$LAB/handbuilt.py" one-sided "$DIR/input.pcap"
    readme <<'WORDS'
What a mirror port shows that sees only the way to the clients: of the captures of the cases nameless and certificate, the frames that go to a client (taken
out by pcaps/lab/handbuilt.py). The packets are real; that half of them are missing is not.

A sensor reports the questions by the responses (pastebin.com, api.telegram.org, discord.com, paste.ee, gist.github.com, short.pastebin.com), and the
connections by the certificates and by the answers before them: pastebin.com, api.telegram.org and one of 43 names (api.dropboxapi.com) by certificates,
pastebin.com, discord.com, gist.github.com and short.pastebin.com by DNS. One connection is named by its certificate that had another name in its hello
(10.77.0.13: www.python.org), which is not seen here.

| name | client | seen as | note |
|---|---|---|---|
| pastebin.com, api.telegram.org, www.example.com, discord.com, paste.ee, shared.office.example, gist.github.com, short.pastebin.com | 10.77.0.11 to 14 | dns_response | each once: the question of a response |
| pastebin.com, api.telegram.org, www.example.com | 10.77.0.11, fd77::11, 10.77.0.13 | tls_certificate | the server's side of the connections |
WORDS
}
