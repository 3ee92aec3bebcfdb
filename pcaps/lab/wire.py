"""Cables of the laboratory in user space.

wire.py tag PLAIN TAGGED ETHERTYPE:VLAN...   carries frames between two interfaces and tags those of the second one
wire.py shuffle ONE OTHER                    carries frames between two interfaces; in those from ONE, TCP data to port 443 comes
                                             in pairs that are swapped, to 8443 twice, and to 2053 without the first segment,
                                             which the sender then has to send again
wire.py tun NAMESPACE NAMESPACE              carries packets between the devices tun0 of two namespaces
"""
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys

from convert import tcp_payload

TAGS = (0x8100, 0x88A8, 0x9100)
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23


def packet_socket(device):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.bind((device, 0))
    # Promiscuous, for the frames are addressed to the ends of the cable and not to this middle.
    index = socket.if_nametoindex(device)
    s.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", index, 1, 0, b""))
    return s


def tag(frame, tags):
    return frame[:12] + b"".join(struct.pack("!HH", *t) for t in tags) + frame[12:]


def untag(frame):
    # The kernel has already taken the outermost tag off.
    while struct.unpack("!H", frame[12:14])[0] in TAGS:
        frame = frame[:12] + frame[16:]
    return frame


def carry_tags(plain, tagged, tags):
    tags = [tuple(int(x, base) for x, base in zip(t.split(":"), (16, 10))) for t in tags]
    plain, tagged = packet_socket(plain), packet_socket(tagged)
    while True:
        for s in select.select([plain, tagged], [], [])[0]:
            frame = s.recv(65535)
            if s is plain:
                tagged.send(tag(frame, tags))
            else:
                plain.send(untag(frame))


def carry_shuffled(one, other):
    one, other = packet_socket(one), packet_socket(other)
    held, seen = {}, set()
    while True:
        ready = select.select([one, other], [], [], 0.02)[0]
        if not ready:  # Nobody follows: what is held goes on alone.
            for frame in held.values():
                other.send(frame)
            held.clear()
        for s in ready:
            frame = s.recv(65535)
            if s is other:
                one.send(frame)
                continue
            conversation, payload = tcp_payload(frame) or (None, b"")
            port = int.from_bytes(conversation[1][2:4], "big") if payload else 0
            if port == 443 and conversation not in held:
                held[conversation] = frame
            elif port == 443:
                other.send(frame)
                other.send(held.pop(conversation))
            elif port == 2053 and conversation not in seen:
                seen.add(conversation)
            else:
                other.send(frame)
                if port == 8443:
                    other.send(frame)


def open_tun(namespace):
    """The device tun0 of a namespace, by setns(2) in this one process."""
    with open(f"/run/netns/{namespace}") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", b"tun0", 0x0001 | 0x1000))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return tun


def carry_packets(one, other):
    one, other = open_tun(one), open_tun(other)
    while True:
        for fd in select.select([one, other], [], [])[0]:
            os.write(other if fd == one else one, os.read(fd, 65535))


if __name__ == "__main__":
    if sys.argv[1] == "tag":
        carry_tags(sys.argv[2], sys.argv[3], sys.argv[4:])
    elif sys.argv[1] == "shuffle":
        carry_shuffled(*sys.argv[2:])
    elif sys.argv[1] == "tun":
        carry_packets(*sys.argv[2:])
