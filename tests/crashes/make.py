"""Makes the captures of this folder, none of which anybody would send: python3 make.py (needs `cryptography` and zstd)."""

import gzip
import os
import socket
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
A, B = "192.0.2.7", "198.51.100.9"
MAGIC = 0xA1B2C3D4


def save(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


# Files.

def head(link=1, snap=262144, magic=MAGIC):
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, snap, link)


def record(frame, caplen=None, wire=None, seconds=1795176000, fraction=0):
    caplen = len(frame) if caplen is None else caplen
    return struct.pack("<IIII", seconds, fraction, caplen, caplen if wire is None else wire) + frame


def pcap(*frames, link=1):
    return head(link) + b"".join(record(frame, fraction=number % 10**6) for number, frame in enumerate(frames))


def block(kind, body, length=None, behind=None):
    body += b"\0" * (-len(body) % 4)
    length = 12 + len(body) if length is None else length
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length if behind is None else behind)


def compress(data, *options):
    return subprocess.run(["zstd", *options], input=data, capture_output=True, check=True).stdout


def damaged(data, at, wrong):
    return data[:at] + wrong + data[at + len(wrong):]


def section(length=-1, magic=0x1A2B3C4D):
    return block(0x0A0D0D0A, struct.pack("<IHHq", magic, 1, 0, length))


def interface(link=1, options=b"", snap=0):
    return block(1, struct.pack("<HHI", link, 0, snap) + options)


def option(code, value, length=None):
    return struct.pack("<HH", code, len(value) if length is None else length) + value + b"\0" * (-len(value) % 4)


def packet(frame, index=0, caplen=None, at=(0x66000, 0)):
    caplen = len(frame) if caplen is None else caplen
    return block(6, struct.pack("<IIIII", index, *at, caplen, caplen) + frame)


# Frames.

def eth(kind, payload):
    return b"\2" * 6 + b"\4" * 6 + struct.pack(">H", kind) + payload


def ip4(proto, payload, ihl=5, total=None, fragment=0, ident=1, src=A, dst=B):
    total = 20 + len(payload) if total is None else total
    first = struct.pack(">BBHHHBBH", 0x40 | ihl, 0, total, ident, fragment, 64, proto, 0)
    return first + socket.inet_aton(src) + socket.inet_aton(dst) + payload


def ip6(proto, payload, length=None):
    ends = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    return struct.pack(">IHBB", 6 << 28, len(payload) if length is None else length, proto, 64) + ends + payload


def udp(payload, sport=40000, dport=53, length=None):
    return struct.pack(">HHHH", sport, dport, 8 + len(payload) if length is None else length, 0) + payload


def tcp(payload, seq=1, flags=0x18, sport=40000, dport=443, offset=5):
    return struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, 1, offset << 4, flags, 64000, 0, 0) + payload


def over_udp(payload, **ports):
    return eth(0x800, ip4(17, udp(payload, **ports)))


def over_tcp(payload, **fields):
    return eth(0x800, ip4(6, tcp(payload, **fields)))


def stream(data, size=1400, **fields):
    frames = [over_tcp(b"", seq=0, flags=2, **fields)]
    return frames + [over_tcp(data[at:at + size], seq=1 + at, **fields) for at in range(0, len(data), size)]


def dns(body, questions=1, flags=0x100, answers=0):
    return struct.pack(">HHHHHH", 0x1234, flags, questions, answers, 0, 0) + body


NAME = b"\3www\7example\3org\0"
QUERY = dns(NAME + b"\0\1\0\1")


def hello(name=b"www.example.org", extensions=None, length=None):
    names = b"\0" + struct.pack(">H", len(name)) + name
    names = struct.pack(">H", len(names)) + names
    extensions = b"\0\0" + struct.pack(">H", len(names)) + names if extensions is None else extensions
    body = b"\3\3" + b"\7" * 32 + b"\0\0\2\x13\1\1\0" + struct.pack(">H", len(extensions)) + extensions
    return b"\1" + struct.pack(">I", len(body) if length is None else length)[1:] + body


def tls(message, size=16384):
    cut = [message[at:at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\3\1" + struct.pack(">H", len(part)) + part for part in cut)


def nested(times, wrap, inner):
    for _ in range(times):
        inner = wrap(inner)
    return inner


# A QUIC Initial of the client (RFC 9001 section 5) with frames of anybody's choice.

def initial(frames, dcid=b"\x83\x94\xc8\xf0\x3e\x51\x57\x08"):
    import hashlib
    import hmac
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    def expand(secret, label, size):
        info = struct.pack(">HB", size, len(label) + 6) + b"tls13 " + label + b"\0"
        return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:size]

    salt = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
    client = expand(hmac.new(salt, dcid, hashlib.sha256).digest(), b"client in", 32)
    key, iv, hp = expand(client, b"quic key", 16), expand(client, b"quic iv", 12), expand(client, b"quic hp", 16)
    frames += b"\0" * max(0, 1162 - len(frames))
    first = b"\xc0\0\0\0\1" + bytes([len(dcid)]) + dcid + b"\0\0" + struct.pack(">H", 0x4000 | len(frames) + 17) + b"\0"
    sealed = AESGCM(key).encrypt(iv, frames, first)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[3:19])
    return bytes([first[0] ^ mask[0] & 15]) + first[1:-1] + bytes([first[-1] ^ mask[1]]) + sealed


def crypto(offset, data, length=None):
    def varint(number):
        return struct.pack(">Q", 3 << 62 | number)
    return b"\6" + varint(offset) + varint(len(data) if length is None else length) + data


def main():
    good = over_udp(QUERY)

    # pcap
    save("empty.pcap", b"")
    save("head-alone.pcap", head())
    save("head-cut.pcap", head()[:10])
    save("length-of-4-gib.pcap", pcap(good) + record(good, caplen=0xFFFFFFFF) + record(good))
    save("length-of-2-gib.pcap", pcap(good) + record(good, caplen=0x7FFFFFFF) + record(good))
    save("length-beyond-the-end.pcap", pcap(good) + record(good, caplen=5000))
    save("length-above-snaplen.pcap", head(snap=10) + record(good) + record(good))
    save("longer-than-the-wire.pcap", head() + record(good, wire=1) + record(good, wire=0))
    save("wire-of-4-gib.pcap", head() + record(good, wire=0xFFFFFFFF) + record(stream(tls(hello()))[1], wire=0xFFFFFFFF))
    save("times-that-lie.pcap", head() + b"".join(
        record(good, seconds=s, fraction=f) for s, f in [(0, 0), (2**32 - 1, 2**32 - 1), (5, 10**6), (0, 1)]))
    save("a-capture-in-a-capture.pcap", pcap(good, over_tcp(pcap(good, good)), pcap(good)) + b"\1" * 7 + pcap(good, good))
    save("records-of-nothing.pcap", head() + record(b"") * 500)
    save("unknown-link.pcap", pcap(good, link=0xFFFF) )
    save("every-link-type.pcapng", section() + b"".join(
        interface(link) + packet(bytes(range(256)), number) for number, link in enumerate(range(300))))
    save("fcs-in-the-link.pcap", pcap(good, link=0xF4000001))
    save("magic-both-ways.pcap", struct.pack(">I", MAGIC) + head()[4:] + record(good))

    # pcapng
    ng = section() + interface()
    save("block-of-nothing.pcapng", ng + packet(good) + block(6, b"", length=0) + packet(good))
    save("block-of-11.pcapng", ng + packet(good) + block(6, b"", length=11) + packet(good))
    save("block-of-4-gib.pcapng", ng + packet(good) + block(6, b"x" * 40, length=0xFFFFFFFC) + packet(good))
    save("block-unaligned.pcapng", ng + packet(good) + block(6, b"x" * 40, length=53) + packet(good))
    save("block-with-two-lengths.pcapng", ng + packet(good) + block(6, packet(good)[8:-4], behind=16) + packet(good))
    save("section-of-nothing.pcapng", section(0) + interface() + packet(good))
    save("section-too-long.pcapng", section(2**63 - 1) + interface() + packet(good))
    save("section-less-than-nothing.pcapng", section(-2) + interface() + packet(good))
    save("section-without-magic.pcapng", section(magic=0x12345678) + interface() + packet(good))
    save("packet-before-interface.pcapng", section() + packet(good) + interface() + packet(good))
    save("packet-of-no-interface.pcapng", ng + packet(good, 1) + packet(good, 2**32 - 1) + packet(good))
    save("packet-longer-than-its-block.pcapng", ng + packet(good, caplen=2**32 - 1) + packet(good, caplen=4096) + packet(good))
    save("simple-packets.pcapng", section() + interface(snap=20) + block(3, struct.pack("<I", 2**32 - 1) + good)
         + block(3, struct.pack("<I", 0)) + block(3, b""))
    save("options-that-lie.pcapng", section() + interface(options=option(9, b"\6", 65535)) + packet(good)
         + interface(options=option(9, b"") + option(9, b"\xff") + option(14, b"\x80" + b"\0" * 7)) + packet(good, 1))
    save("time-units.pcapng", section() + b"".join(
        interface(options=option(9, bytes([unit])) + option(14, struct.pack("<q", shift)) + option(0, b""))
        + packet(good, number, at=(2**32 - 1, 2**32 - 1))
        for number, (unit, shift) in enumerate((u, s) for u in (0, 6, 9, 19, 20, 127, 128, 190, 192, 255)
                                               for s in (0, -2**63, 2**63 - 1))))
    save("many-interfaces.pcapng", section() + interface() * 2000 + packet(good, 1999) + packet(good, 2000))
    save("many-sections.pcapng", (section() + interface() + packet(good)) * 500)
    save("unknown-blocks.pcapng", ng + block(0x7FFFFFFF, b"x" * 100) + block(0xBAD, b"") + block(5, b"") + block(4, b"x") + packet(good))

    # Compressed
    save("bomb.pcap.gz", gzip.compress(head() + bytes(8 << 20), 9))
    save("gzip-in-gzip.pcap.gz", gzip.compress(gzip.compress(pcap(good))))
    save("gzip-cut.pcap.gz", gzip.compress(pcap(*[good] * 50))[:-20])
    save("gzip-head-alone.pcap.gz", gzip.compress(pcap(good))[:12])
    save("gzip-with-more-behind.pcap.gz", gzip.compress(pcap(good)) + b"more")
    save("gzip-of-many-members.pcap.gz", b"".join(gzip.compress(bytes([byte])) for byte in pcap(good)) + gzip.compress(b"") * 2000)
    save("gzip-wrong-sum.pcap.gz", gzip.compress(pcap(good))[:-8] + b"\0" * 8)
    frames = pcap(*[over_udp(dns(NAME + struct.pack(">HH", 1, at))) for at in range(3000)])
    save("gzip-damaged.pcap.gz", damaged(gzip.compress(head() + bytes(16 << 20), 9), 5572, b"\xff\xff\0\0"))
    save("zstd-damaged.pcap.zst", damaged(compress(frames, "-3"), 4200, b"\xff" * 40))
    zstd = compress(head() + bytes(8 << 20), "-19", "--long=27")
    save("bomb.pcap.zst", zstd)
    save("zstd-window-of-3-tib.pcap.zst", b"\x28\xb5\x2f\xfd\0\xff\1\0\0")
    save("zstd-window-of-2-gib.pcap.zst", b"\x28\xb5\x2f\xfd\0" + bytes([21 << 3]) + struct.pack("<I", (24 << 3) | 1)[:3] + head())
    save("zstd-frames-to-skip.pcap.zst", struct.pack("<II", 0x184D2A50, 0) * 3000 + b"\x50\x2a\x4d\x18\xff\xff\xff\xff")
    save("zstd-cut.pcap.zst", zstd[:40])

    # Network
    save("ipv4-lengths.pcap", pcap(*[eth(0x800, ip4(17, udp(QUERY), ihl=ihl, total=total))
                                     for ihl in (0, 4, 5, 6, 15) for total in (0, 19, 20, 27, 28, 29, 65535, None)]))
    save("ip-fragments.pcap", pcap(*[eth(0x800, ip4(17, bytes(size), fragment=fragment)) for fragment, size in [
        (0x2000, 36), (0x2001, 4), (3, 24), (0x2000, 24), (0x3FFF, 1480), (0x1FFF, 1480), (0x2000, 0), (0x2000, 7), (2, 0)]]))
    save("ip-fragments-of-8.pcap", pcap(*[eth(0x800, ip4(17, bytes(8), fragment=0x2000 | at)) for at in range(0, 8191, 16)]))
    save("ipv6-lengths.pcap", pcap(*[eth(0x86DD, ip6(17, udp(QUERY), length)) for length in (0, 1, 7, 8, 9, 65535)]
                                   + [eth(0x86DD, ip6(0, b"\x11\0\xc2\4\xff\xff\xff\xff" + udp(QUERY), 0))]))
    save("ipv6-many-headers.pcap", pcap(*[eth(0x86DD, ip6(kind, nested(400, lambda inner: bytes([kind, 0]) + bytes(6) + inner, udp(QUERY))))
                                          for kind in (0, 43, 60, 44, 51)]))
    save("ipv6-fragment-in-fragment.pcap", pcap(eth(0x86DD, ip6(44, b"\x2c\0\0\1\0\0\0\1" * 100 + udp(QUERY)))))
    save("tunnels-without-end.pcap", pcap(
        eth(0x800, nested(100, lambda inner: ip4(4, inner), ip4(17, udp(QUERY)))),
        eth(0x86DD, nested(100, lambda inner: ip6(41, inner), ip6(17, udp(QUERY)))),
        eth(0x800, nested(60, lambda inner: ip4(47, b"\0\0\x65\x58" + eth(0x800, inner)), ip4(17, udp(QUERY)))),
        eth(0x800, nested(60, lambda inner: ip4(17, udp(b"\x08\0\0\0\0\0\1\0" + eth(0x800, inner), dport=4789)), ip4(17, udp(QUERY)))),
        eth(0x800, nested(60, lambda inner: ip4(17, udp(b"\x30\xff" + struct.pack(">HI", len(inner), 1) + inner, 2152, 2152)), ip4(17, udp(QUERY)))),
        eth(0x800, ip4(47, b"\xff\xff\x08\0" + b"\xff" * 200)),
        eth(0x8847, b"\0\0\x10\x40" * 300 + b"\0\0\x11\x40" + ip4(17, udp(QUERY))),
        eth(0x8100, b"\0\1\x81\0" * 300 + b"\0\1\x08\0" + ip4(17, udp(QUERY)))))

    # Transport
    save("tcp-headers.pcap", pcap(*[over_tcp(b"\1" * 44 + tls(hello()), offset=offset, flags=flags)
                                    for offset in range(16) for flags in (0, 2, 18, 7, 255)]))
    save("udp-lengths.pcap", pcap(*[eth(0x800, ip4(17, udp(QUERY, length=length))) for length in (0, 1, 7, 8, 9, 65535)]))
    data = tls(hello())
    save("tcp-one-byte-at-a-time.pcap", pcap(*stream(data, 1), *stream(data[::-1], 1)))
    save("tcp-backwards.pcap", pcap(*stream(data, 3)[:1], *reversed(stream(data, 3))))
    save("tcp-around-the-numbers.pcap", pcap(*[over_tcp(data[at:at + 5], seq=2**32 - 20 + at) for at in range(0, len(data), 5)],
                                             *[over_tcp(data, seq=seq) for seq in (2**31, 2**31 - 1, 2**32 - 1, 0)]))
    other = tls(hello(b"www.example.net"))
    save("tcp-that-disagrees.pcap", pcap(*[over_tcp(part[at:at + 9], seq=at) for at in range(0, len(data), 6) for part in (data, other, b"\0" * 200)]))
    save("tcp-far-ahead.pcap", pcap(*stream(data[:60], 60), *[over_tcp(b"x" * 1000, seq=70 + 3000 * at) for at in range(80)]))
    save("tcp-to-oneself.pcap", pcap(eth(0x800, ip4(6, tcp(data, sport=443, dport=443), src=A, dst=A))))

    # DNS
    save("dns-loops.pcap", pcap(*[over_udp(dns(body)) for body in [
        b"\xc0\x0c\0\1\0\1", b"\xc0\x0e\xc0\x0c\0\1\0\1", b"\3abc\xc0\x0c\0\1\0\1", b"\xff\xff\0\1\0\1",
        b"".join(b"\xc0" + bytes([14 + 2 * at]) for at in range(100)) + b"\0\0\1\0\1"]]))
    save("dns-counts.pcap", pcap(over_udp(dns(NAME + b"\0\1\0\1", 65535)), over_udp(dns(NAME + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1" * 200, 65535)),
                                 over_udp(dns(NAME + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\0\xff\xff", 1, 0x8180, 65535)),
                                 over_udp(dns(b"", 65535))))
    labels = b"".join(b"\1" + bytes([97 + at % 26]) for at in range(126)) + b"\0"
    save("dns-much-from-little.pcap", pcap(over_udp(dns(labels + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1" * 10000, 10001))))
    save("dns-long-names.pcap", pcap(*[over_udp(dns(body + b"\0\1\0\1")) for body in [
        b"\x3f" + b"a" * 63 + b"\0", b"\x40" + b"a" * 64 + b"\0", (b"\x3f" + b"a" * 63) * 4 + b"\0", (b"\x3f" + b"a" * 63) * 20 + b"\0",
        b"\1a" * 127 + b"\0", b"\1a" * 128 + b"\0", b"\0"]]))
    save("dns-hostile-names.pcap", pcap(*[over_udp(dns(bytes([len(label)]) + label + b"\0\0\1\0\1")) for label in [
        b"\x1b[2J\x1b]0;x\x07", b"a.b.c", b"\0\0\0", b"\r\nevil: 1", b"\xff\xfe\xfd", b'"}{"', "\u202egnp.exe".encode(), b"\\", b" "]]))
    save("dns-over-tcp.pcap", pcap(*stream(b"\0\0" * 2000 + struct.pack(">H", len(QUERY)) + QUERY + b"\xff\xff" + QUERY, dport=53)))

    # TLS
    save("tls-records-of-one.pcap", pcap(*stream(tls(hello(), 1))))
    save("tls-records-of-nothing.pcap", pcap(*stream(b"\x16\3\1\0\0" * 12000 + tls(hello()))))
    save("tls-hello-of-16-mib.pcap", pcap(*stream(tls(hello(length=0xFFFFFF) + b"\0" * 80000))))
    save("tls-many-extensions.pcap", pcap(*stream(tls(hello(extensions=b"\0\0\0\0" * 16000)))))
    lies = [b"\0\0\xff\xff", b"\0\0\0\2\xff\xff", b"\0\0\0\5\0\3\0\xff\xff", b"\0\0\0\0", b"\0\0\0\3\0\1\0", b"\0\x10\0\3\0\xff\1", b"\0\x2b\0\1\xff", b"\0"]
    save("tls-lengths-that-lie.pcap", pcap(*[over_tcp(tls(hello(extensions=lie)), sport=40000 + at) for at, lie in enumerate(lies)]))
    save("tls-hostile-names.pcap", pcap(*[over_tcp(tls(hello(name)), sport=41000 + at) for at, name in enumerate(
        [b"", b".", b"..", b"a" * 254, b"a" * 60000, b"\x1b[2J", b"a\0b.example", b"\n", b"\xff" * 9, "\u202e.example".encode(), b"[::1]"])]))
    save("tls-second-hellos.pcap", pcap(*stream((b"\x14\3\3\0\1\1" * 50 + tls(hello())) * 30)))

    # HTTP, SOCKS, PROXY
    get = b"GET / HTTP/1.1\r\nHost: www.example.org\r\n"
    save("http-head-without-end.pcap", pcap(*stream(get + b"X: y\r\n" * 11000, dport=80)))
    save("http-many-hosts.pcap", pcap(*stream(get * 1 + b"Host: a.example\r\n" * 3000 + b"\r\n", dport=80)))
    save("http-many-requests.pcap", pcap(*stream((get + b"\r\n") * 300, 1460, dport=80)))
    save("http-bodies-that-lie.pcap", pcap(*[over_tcp(get + line + b"\r\n\r\n" + body + get + b"\r\n", dport=80, sport=42000 + at)
         for at, (line, body) in enumerate([(b"Content-Length: 18446744073709551615", b""), (b"Content-Length: 99999999999999999999", b""),
         (b"Transfer-Encoding: chunked", b"ffffffffffffffff\r\n"), (b"Transfer-Encoding: chunked", b"0\r\n" * 300), (b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 100)])]))
    save("http-hostile-hosts.pcap", pcap(*[over_tcp(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", dport=80, sport=43000 + at)
         for at, host in enumerate([b"", b":", b":80", b"[", b"[]", b"[::1", b"a" * 9000, b"\x1b[31m", b"a\0b", b"@", b"@@@@", b"a:b:c", b"\xff"])]))
    save("http-line-feeds-alone.pcap", pcap(*stream(b"GET / HTTP/1.1" + b"\n" * 40000, dport=80), *stream(b"A" * 40000, dport=80, sport=44000)))
    save("socks-lengths.pcap", pcap(*[over_tcp(data, dport=1080, sport=45000 + at) for at, data in enumerate(
        [b"\5\1\0\3\xff" + b"a" * 20, b"\5\1\0\3\0\0\0", b"\5\xff" + b"\0" * 10, b"\4\1\0\x50\0\0\0\1" + b"u" * 3000, b"\5\1\0\4" + b"\0" * 3])]))
    save("proxy-lengths.pcap", pcap(*[over_tcp(data, sport=46000 + at) for at, data in enumerate(
        [b"PROXY TCP4 " + b"1" * 3000, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"\1" * 100, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0" * 80 + tls(hello())])]))

    # QUIC and DTLS
    save("quic-headers.pcap", pcap(*[over_udp((data + bytes(1200))[:1200], dport=443, sport=47000 + at) for at, data in enumerate([
        b"\xc0\0\0\0\1\xff", b"\xc0\0\0\0\1\x08" + b"\1" * 8 + b"\0\xff\xff\xff\xff\xff\xff\xff\xff", b"\xc0\0\0\0\1\x08" + b"\1" * 8 + b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xc0\0\0\0\0\0\0", b"\xc0\xff\xff\xff\xff\x14" + b"\1" * 20 + b"\x14" + b"\2" * 20, b"\xc0\0\0\0\1\0\0\0\0", b"\xc0\0\0\0\1\0\0\0\x40\x01"])]))
    save("quic-coalesced.pcap", pcap(over_udp(b"\xc0\0\0\0\1\0\0\0\1\0" * 140, dport=443)))
    good_hello = hello()
    save("quic-crypto-frames.pcap", pcap(*[over_udp(initial(frames), dport=443, sport=48000 + at) for at, frames in enumerate([
        crypto(0, good_hello), crypto(2**62 - 1, good_hello), crypto(2**62 - 10, b"x" * 20), crypto(0, b"", 2**62 - 1), crypto(1 << 40, good_hello),
        b"".join(crypto(at, good_hello[at:at + 1]) for at in range(60)), b"".join(crypto(at * 2, b"x") for at in range(60)),
        crypto(0, good_hello) + crypto(0, b"\xff" * 60), b"\2" + b"\xff" * 40, b"\2\0\0\xbf\xff\xff\xff\0", b"\x1c\0\xff\xff", b"\x40\6\0\0", b"\1" * 1100,
        crypto(0, hello(length=0xFFFFFF))])]))
    save("dtls-fragments.pcap", pcap(*[over_udp(b"\x16\xfe\xfd\0\0\0\0\0\0\0\0" + struct.pack(">H", 12 + len(body)) + b"\1" + total + b"\0\0" + offset + size + body, dport=443, sport=49000)
        for total, offset, size, body in [(b"\0\0\x50", b"\0\0\0", b"\0\0\x08", b"\xfe\xfd" + b"\7" * 6), (b"\0\0\x50", b"\0\0\x40", b"\0\0\xff", b"x" * 20),
        (b"\xff\xff\xff", b"\xff\xff\xf0", b"\0\0\x0f", b"x" * 15), (b"\xff\xff\xff", b"\0\0\0", b"\xff\xff\xff", b"x" * 15), (b"\0\0\0", b"\0\0\0", b"\0\0\0", b"")]]))

    # Both
    save("noise.pcap", pcap(*[eth(kind, bytes((seed * at * 131 + at * at + seed) & 255 for at in range(200)))
                              for seed in range(60) for kind in (0x800, 0x86DD)]))


main()
