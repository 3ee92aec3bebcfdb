"""Rewrites a little-endian pcap of the laboratory in other forms. The packets stay as they are.

convert.py null IN OUT           raw IP becomes BSD loopback
convert.py bigendian IN OUT      microseconds, big-endian
convert.py pcapng ETHER RAW OUT  one pcapng with two interfaces (Ethernet, and raw IP in nanoseconds), the packets in order
                                 of time, an unknown block after the first, and interface statistics at the end
convert.py cut IN OUT            ends the file in the middle of the last packet that holds a ClientHello
convert.py rotate NAME IN OUT OUT  two files, the edge between the two segments of the ClientHello that has NAME in the second
convert.py once IN OUT           without the packets that are the same, to the last bit, as one within 50 ms before
convert.py wrap KIND IN OUT      an Ethernet capture, each packet in a wrapping of lab/wrap.py
"""
import struct
import sys


def read(path):
    """(link type, [(nanoseconds, original length, bytes)]) of a little-endian pcap."""
    data = open(path, "rb").read()
    magic, _, _, _, _, _, link = struct.unpack("<IHHiIII", data[:24])
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[magic]
    packets, at = [], 24
    while at < len(data):
        seconds, fraction, captured, length = struct.unpack("<IIII", data[at : at + 16])
        packets.append((seconds * 10**9 + fraction * unit, length, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return link, packets


def write(path, link, packets, order="<", nano=True):
    unit = 1 if nano else 1000
    with open(path, "wb") as out:
        out.write(struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))
        for time, length, data in packets:
            out.write(struct.pack(order + "IIII", time // 10**9, time % 10**9 // unit, len(data), length) + data)


def null(source, target):
    link, packets = read(source)
    assert link in (12, 101)
    family = {4: 2, 6: 30}
    write(target, 0, [(t, n + 4, struct.pack("<I", family[p[0] >> 4]) + p) for t, n, p in packets])


def bigendian(source, target):
    link, packets = read(source)
    write(target, link, packets, order=">", nano=False)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def pcapng(ether, raw, target):
    (link0, first), (link1, second) = read(ether), read(raw)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(4, b"undertone laboratory") + option(0, b""))
    out += block(1, struct.pack("<HHI", link0, 0, 262144) + option(2, b"eth0") + option(0, b""))
    out += block(1, struct.pack("<HHI", link1, 0, 262144) + option(2, b"tun0") + option(9, b"\x09") + option(0, b""))
    merged = sorted([(t, 0, n, p) for t, n, p in first] + [(t, 1, n, p) for t, n, p in second])
    counts = [0, 0]
    for number, (time, interface, length, data) in enumerate(merged):
        # Interface 0 has no if_tsresol, which means microseconds; interface 1 says 10^-9.
        stamp = time // 1000 if interface == 0 else time
        header = struct.pack("<IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(data), length)
        out += block(6, header + data)
        counts[interface] += 1
        if number == 0:
            out += block(0x0BAD, b"a block of a type that nobody knows")
    for interface, count in enumerate(counts):
        stamp = merged[-1][0] // (1000 if interface == 0 else 1)
        statistics = option(4, struct.pack("<Q", count)) + option(5, struct.pack("<Q", 0)) + option(0, b"")
        out += block(5, struct.pack("<III", interface, stamp >> 32, stamp & 0xFFFFFFFF) + statistics)
    open(target, "wb").write(out)


def tcp_payload(frame):
    """(conversation, payload) of an Ethernet frame with TCP, else None."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6:
        at, addresses = 14 + (frame[14] & 15) * 4, frame[26:34]
    elif kind == b"\x86\xdd" and frame[20] == 6:
        at, addresses = 54, frame[22:54]
    else:
        return None
    # An Ethernet frame is padded to 60 bytes: the length is that of the IP header.
    end = 14 + int.from_bytes(frame[16:18], "big") if kind == b"\x08\x00" else 54 + int.from_bytes(frame[18:20], "big")
    return (addresses, frame[at : at + 4]), frame[at + (frame[at + 12] >> 4) * 4 : end]


def is_hello(payload):
    return len(payload) > 5 and payload[0] == 22 and payload[5] == 1


def cut(source, target):
    link, packets = read(source)
    hellos = [i for i, (_, _, p) in enumerate(packets) if (tcp := tcp_payload(p)) and is_hello(tcp[1])]
    last = hellos[-1]
    write(target, link, packets[: last + 1])
    data = open(target, "rb").read()
    open(target, "wb").write(data[: -len(packets[last][2]) // 2])


def rotate(name, source, first, second):
    link, packets = read(source)
    for i, (_, _, p) in enumerate(packets):
        tcp = tcp_payload(p)
        # The hello is longer than its segment: the next segment of the same conversation ends it.
        if tcp and is_hello(tcp[1]) and int.from_bytes(tcp[1][3:5], "big") + 5 > len(tcp[1]):
            rest = next(t[1] for t in (tcp_payload(p) for _, _, p in packets[i + 1 :]) if t and t[0] == tcp[0])
            if name.encode() in rest:
                write(first, link, packets[: i + 1])
                write(second, link, packets[i + 1 :])
                return
    raise SystemExit(f"no ClientHello with {name} in its second segment")


def once(source, target):
    link, packets = read(source)
    seen, kept = {}, []
    for time, length, data in packets:
        if time - seen.get(data, -(10**18)) > 50_000_000:
            kept.append((time, length, data))
        seen[data] = time
    write(target, link, kept)


def wrap(kind, source, target):
    import wrap as wrappings

    link, packets = read(source)
    assert link == 1
    wrapped = [(time, wrappings.KINDS[kind](data)) for time, _, data in packets]
    write(target, wrappings.LINKS.get(kind, 1), [(time, len(data), data) for time, data in wrapped if data])


if __name__ == "__main__":
    {f.__name__: f for f in (null, bigendian, pcapng, cut, rotate, once, wrap)}[sys.argv[1]](*sys.argv[2:])
