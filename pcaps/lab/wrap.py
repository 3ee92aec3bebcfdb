"""Wrappings by hand, for what neither the kernel at hand nor Open vSwitch makes: each takes an Ethernet frame of the laboratory and gives
one of the wrapping's link type, or nothing where the wrapping has no room for it (ARP in what carries IP alone).

Outer addresses are 192.0.2.1 and 192.0.2.2, or 2001:db8::1 and 2001:db8::2, towards the servers; checksums of outer IPv4 headers are right,
those of outer UDP are left out, as RFC 768 allows.
"""
import ipaddress
import struct

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
CLIENT = bytes.fromhex("027700000011")


def parts(frame):
    """(towards the servers, addresses, EtherType, packet); an IP packet without the padding of short frames."""
    addresses, kind, packet = frame[:12], frame[12:14], frame[14:]
    if kind == IPV4:
        packet = packet[: int.from_bytes(packet[2:4], "big")]
    elif kind == IPV6:
        packet = packet[: 40 + int.from_bytes(packet[4:6], "big")]
    return frame[6:12] == CLIENT, addresses, kind, packet


def ip(frame):
    """(towards the servers, addresses, packet) of a frame with IP, else nothing."""
    outward, addresses, kind, packet = parts(frame)
    return (outward, addresses, packet) if kind in (IPV4, IPV6) else None


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


serial = 0


def in_v4(outward, protocol, payload):
    global serial
    serial += 1
    ends = [ipaddress.ip_address(f"192.0.2.{n}").packed for n in ((1, 2) if outward else (2, 1))]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), serial, 0, 64, protocol, 0) + b"".join(ends)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def in_v6(outward, protocol, payload):
    ends = [ipaddress.ip_address(f"2001:db8::{n}").packed for n in ((1, 2) if outward else (2, 1))]
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + b"".join(ends) + payload


def in_udp(ports, outward, payload):
    source, destination = ports if outward else reversed(ports)
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def eth(addresses, kind, payload):
    return (addresses + kind + payload).ljust(60, b"\0")


def snap(kind, packet):
    return b"\xaa\xaa\x03\0\0\0" + kind + packet


def llc_snap(frame):
    _, addresses, kind, packet = parts(frame)
    content = snap(kind, packet)
    return eth(addresses, struct.pack("!H", len(content)), content) if len(content) <= 1500 else None


def provider_backbone(frame):
    backbone = bytes.fromhex("0277000000b2 0277000000b1")
    return backbone + b"\x88\xe7" + struct.pack("!I", 0x00012345) + frame


def ppp_protocol(packet):
    return b"\0\x21" if packet[0] >> 4 == 4 else b"\0\x57"


def pppoe(frame):
    if found := ip(frame):
        _, addresses, packet = found
        return eth(addresses, b"\x88\x64", struct.pack("!BBHH", 0x11, 0, 7, 2 + len(packet)) + ppp_protocol(packet) + packet)


def ppp(frame):
    if found := ip(frame):
        return b"\xff\x03" + ppp_protocol(found[2]) + found[2]


def wireless(frame):
    """A data frame of a station to its access point, or back, unencrypted."""
    outward, addresses, kind, packet = parts(frame)
    destination, source, station = addresses[:6], addresses[6:12], bytes.fromhex("0277000000aa")
    flags, three = (1, station + source + destination) if outward else (2, destination + station + source)
    return struct.pack("<BBH", 0x08, flags, 44) + three + struct.pack("<H", 16) + snap(kind, packet)


def radiotap(frame):
    # Flags and rate: no sum behind the frame, 24 Mbit/s.
    return struct.pack("<BBHIBB", 0, 0, 10, 0x06, 0, 48) + wireless(frame)


def over_v4(protocol, carried, versions=(4, 6)):
    def kind(frame):
        outward, addresses, _, _ = parts(frame)
        content = carried(frame)
        if content is not None and (protocol not in (4, 41) or content[0] >> 4 in versions):
            return eth(addresses, IPV4, in_v4(outward, protocol, content))

    return kind


def packet_of(version):
    def carried(frame):
        found = ip(frame)
        return found[2] if found and found[2][0] >> 4 == version else None

    return carried


def four_in_six(frame):
    if (packet := packet_of(4)(frame)) is not None:
        outward, addresses, _, _ = parts(frame)
        return eth(addresses, IPV6, in_v6(outward, 4, packet))


def teredo(frame):
    packet = packet_of(6)(frame)
    outward, addresses, _, _ = parts(frame)
    # The server's own packets have an origin in front: a port and an address, hidden by inversion (RFC 4380 section 5.1.1).
    origin = b"" if outward else b"\0\0" + bytes(b ^ 0xFF for b in struct.pack("!H4B", 40000, 192, 0, 2, 1))
    if packet is not None:
        return eth(addresses, IPV4, in_v4(outward, 17, in_udp((40000, 3544), outward, origin + packet)))


def l2tp(frame):
    if found := ip(frame):
        outward, addresses, packet = found
        content = b"\xff\x03" + ppp_protocol(packet) + packet
        header = struct.pack("!HHHH", 0x4002, 8 + len(content), 3, 9)
        return eth(addresses, IPV4, in_v4(outward, 17, in_udp((1701, 1701), outward, header + content)))


def gtp_u(frame):
    if found := ip(frame):
        outward, addresses, packet = found
        header = struct.pack("!BBHI", 0x30, 255, len(packet), 9 if outward else 10)
        return eth(addresses, IPV4, in_v4(outward, 17, in_udp((2152, 2152), outward, header + packet)))


def erspan_2(frame):
    global serial
    header = struct.pack("!HHIHHI", 0x1000, 0x88BE, serial + 1, 0x1000, 0x0005, 0)
    return over_v4(47, lambda frame: header + frame)(frame)


LINKS = {"ppp": 9, "wireless": 105, "radiotap": 127}

KINDS = {
    "llc-snap": llc_snap,
    "provider-backbone": provider_backbone,
    "pppoe": pppoe,
    "ppp": ppp,
    "wireless": wireless,
    "radiotap": radiotap,
    "erspan-1": over_v4(47, lambda frame: b"\0\0\x88\xbe" + frame),
    "erspan-2": erspan_2,
    "ipip": over_v4(4, packet_of(4)),
    "6in4": over_v4(41, packet_of(6)),
    "4in6": four_in_six,
    "teredo": teredo,
    "l2tp": l2tp,
    "gtp-u": gtp_u,
}
