# One capture in many file formats. The packets are real, the files are written by lab/convert.py, editcap, gzip and zstd.

FORMAT_WORDS="A sensor reports contacts with pastebin.com (by 10.77.0.11) and api.dropboxapi.com (DNS by 10.77.0.11, TLS by fd77::11), and none with www.example.com."

# source_capture: the exchange of the link cases as a nanosecond pcap, in \$TMP/work/ether.pcap.
source_capture() {
    dns_up; web_up
    mkdir -p "$TMP/work"
    capture "$TMP/work/ether.pcap"
    exchange; captured
}
convert() { "$TMP/venv/bin/python" "$LAB/convert.py" "$@"; }

case:formats-bigendian() {
    source_capture
    convert bigendian "$TMP/work/ether.pcap" "$DIR/input.pcap"
    readme <<WORDS
A pcap with microseconds in big-endian byte order, as a sensor on an old router writes it. Real packets of curl; the file is written by
pcaps/lab/convert.py.

$FORMAT_WORDS
WORDS
}

case:formats-microseconds() {
    source_capture
    editcap -F pcap "$TMP/work/ether.pcap" "$DIR/input.pcap"
    readme <<WORDS
The most common file there is: a pcap with microseconds, little-endian (magic a1b2c3d4). Real packets of curl; the file is written by
editcap ({version:editcap --version 2>/dev/null}).

$FORMAT_WORDS
WORDS
}

case:formats-nanoseconds() {
    source_capture
    cp "$TMP/work/ether.pcap" "$DIR/input.pcap"
    readme <<WORDS
A pcap with nanoseconds, little-endian (magic a1b23c4d), as written by tcpdump --time-stamp-precision=nano. Real packets of curl.

$FORMAT_WORDS
WORDS
}

case:formats-pcapng() {
    tunnel; dns_up; web_up
    mkdir -p "$TMP/work"
    capture "$TMP/work/raw.pcap" ut-c1 tun0
    exchange; captured
    kill "$(cat "$TMP/wire.pid")"
    capture "$TMP/work/ether.pcap"
    client 2 wget -4 -q -O /dev/null --ca-certificate="$TMP/ca/ca.pem" https://paste.ee/r/x
    captured
    convert pcapng "$TMP/work/ether.pcap" "$TMP/work/raw.pcap" "$DIR/input.pcapng"
    readme <<WORDS
A pcapng with two interfaces of different link types: eth0 is Ethernet in microseconds (no if_tsresol), tun0 is raw IP in nanoseconds.
After the first packet stands a block of unknown type (0x0BAD), at the end an Interface Statistics Block for each interface. The section
length is given as unknown (-1). Real packets of curl (tun0) and wget (eth0); the file is written by pcaps/lab/convert.py.

$FORMAT_WORDS And one with paste.ee by 10.77.0.12, on eth0.
WORDS
}

case:formats-gzip() {
    source_capture
    gzip -9nc "$TMP/work/ether.pcap" >"$DIR/input.pcap.gz"
    readme <<WORDS
A nanosecond pcap, compressed by gzip ({version:gzip --version}). Real packets of curl.

$FORMAT_WORDS
WORDS
}

case:formats-zstd() {
    source_capture
    zstd -qf -19 "$TMP/work/ether.pcap" -o "$DIR/input.pcap.zst"
    readme <<WORDS
A nanosecond pcap, compressed by zstd ({version:zstd --version}). Real packets of curl.

$FORMAT_WORDS
WORDS
}

case:formats-cut() {
    source_capture
    convert cut "$TMP/work/ether.pcap" "$DIR/input.pcap"
    readme "www.example.com | 10.77.0.11 | (cut off) | its DNS question is whole, its ClientHello is cut off with the file" <<WORDS
A capture that was cut off: the file ends in the middle of the ClientHello for www.example.com. Real packets of curl; the file is cut by
pcaps/lab/convert.py.

$FORMAT_WORDS A sensor uses all that stands before the cut and says that the file was cut off; www.example.com is seen in the DNS question
only. (tshark says "cut short" too.)
WORDS
}

case:formats-rotation() {
    dns_up; web_up
    page https://www.dropbox.com/x.png
    mkdir -p "$TMP/work"
    # Chromium puts its extensions in another order each time: again, until the name lies in the second segment.
    local i
    for i in $(seq 12); do
        capture "$TMP/work/ether.pcap"
        chromium_get 1 https://portal.office.example/page.html
        client 2 curl -4 -s --cacert "$TMP/ca/ca.pem" https://pastebin.com/raw/x
        captured
        if convert rotate www.dropbox.com "$TMP/work/ether.pcap" "$DIR/input-1.pcap" "$DIR/input-2.pcap"; then break; fi
        rm -rf "$TMP/home1"
    done
    readme "www.dropbox.com | fd77::11 | tls_sni | port 443: the hello begins in input-1.pcap and ends, with the name, in input-2.pcap; it is a contact" <<WORDS
Two files of one capture, as tcpdump -G leaves them. The edge lies between the two segments of the ClientHello of Chromium
({version:chromium --version --no-sandbox}) for www.dropbox.com, and the name stands in the second segment. Real packets; the file is
split by pcaps/lab/convert.py.

Read together in order, a sensor reports contacts with www.dropbox.com (DNS and TLS, by 10.77.0.11 and fd77::11) and pastebin.com (by
10.77.0.12). Read each for itself, the server name in the hello over the edge is lost, and www.dropbox.com is seen in DNS only.
WORDS
}
