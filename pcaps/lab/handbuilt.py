"""Writes captures whose packets no client of today sends: handbuilt.py CASE FILE.

quic-old    Google's QUIC (Q043, Q046, Q050) and Meta's mvfst, one datagram each, and what follows a snap length
one-sided   of the captures of other cases what a mirror port shows that sees only the way to the clients

The layouts are those of draft-ietf-quic-transport-27 and -tls-27 (mvfst), of "QUIC Wire Layout Specification" and "QUIC Crypto" (Google), and
of lsquic where these say nothing.
"""
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PCAPS = pathlib.Path(__file__).resolve().parent.parent
SALTS = {
    0xFACEB002: bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"),
    0x51303530: bytes.fromhex("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45"),
}


def expand(secret, label, length):
    label = b"tls13 " + label
    info = struct.pack("!HB", length, len(label)) + label + b"\0"
    return hmac.new(secret, info + b"\x01", hashlib.sha256).digest()[:length]


def initial(version, identifier, frames):
    """RFC 9001 section 5 with the salt of the version; 1200 octets."""
    secret = expand(hmac.new(SALTS[version], identifier, hashlib.sha256).digest(), b"client in", 32)
    key, iv, protect = expand(secret, b"quic key", 16), expand(secret, b"quic iv", 12), expand(secret, b"quic hp", 16)
    frames = frames.ljust(1150, b"\0")
    head = b"\xc1" + struct.pack("!IB", version, len(identifier)) + identifier + b"\0" + b"\0"
    number = b"\0\x01"
    head += struct.pack("!H", 0x4000 | len(number) + len(frames) + 16) + number
    nonce = bytes(a ^ b for a, b in zip(iv, b"\x01".rjust(12, b"\0")))
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    sample = (number + sealed)[4:20]
    mask = Cipher(algorithms.AES(protect), modes.ECB()).encryptor().update(sample)
    head = bytearray(head)
    head[0] ^= mask[0] & 0x0F
    head[-2] ^= mask[1]
    head[-1] ^= mask[2]
    return bytes(head) + sealed


def chlo(name):
    tags = [(b"PAD\0", b"-" * 300), (b"SNI\0", name.encode()), (b"VER\0", b"Q046")]
    end, index, values = 0, b"", b""
    for tag, value in tags:
        end += len(value)
        index += tag + struct.pack("<I", end)
        values += value
    return b"CHLO" + struct.pack("<HH", len(tags), 0) + index + values


def stream(data):
    """Stream 1 with a length, without an offset."""
    return b"\xa0\x01" + struct.pack("!H", len(data)) + data


def hello(name):
    name = name.encode()
    sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    versions = struct.pack("!HHBH", 43, 3, 2, 0x0304)
    extensions = sni + versions
    body = b"\x03\x03" + bytes(range(32)) + b"\0\0\x02\x13\x01\x01\0" + struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x06\x00" + struct.pack("!H", 0x4000 | len(message)) + message


def sum16(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def udp(client, port, server, payload):
    source, destination = bytes([10, 77, 0, client]), bytes([10, 77, 0, server])
    datagram = struct.pack("!HHHH", port, 443, 8 + len(payload), 0) + payload
    datagram = datagram[:6] + struct.pack("!H", sum16(source + destination + struct.pack("!HH", 17, len(datagram)) + datagram)) + datagram[8:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), port, 0, 64, 17, 0, source, destination)
    head = head[:10] + struct.pack("!H", sum16(head)) + head[12:]
    return b"\x02\x77" * 3 + b"\x02\x77" * 3 + b"\x08\x00" + head + datagram


def old():
    identifier = bytes.fromhex("0011223344556677")
    # Flags: version, 8 octets of connection ID, 1 of number; number; hash.
    yield udp(11, 50001, 104, b"\x09" + identifier + b"Q043" + b"\x01" + b"\0" * 12 + stream(chlo("pastebin.com")))
    yield udp(11, 50002, 106, b"\xc0" + b"Q046" + b"\x50" + identifier + b"\x01" + b"\0" * 12 + stream(chlo("drive.google.com")))
    message = chlo("docs.google.com")
    yield udp(12, 50003, 106, initial(0x51303530, identifier, b"\x08\x00" + struct.pack("!H", 0x4000 | len(message)) + message))
    yield udp(13, 50004, 108, initial(0xFACEB002, identifier, hello("graph.microsoft.com")))
    yield udp(13, 50005, 108, initial(0xFACEB002, identifier, hello("discord.com")))[:400]


def records(path):
    data = path.read_bytes()
    place = 24
    while place < len(data):
        seconds, nanos, length, wire = struct.unpack_from("<4I", data, place)
        yield seconds, nanos, wire, data[place + 16 : place + 16 + length]
        place += 16 + length


def to_clients(frame):
    """Whether a frame goes to one of the clients, which are 10.77.0.11 to 14 and fd77::11 to 14."""
    kind = frame[12:14]
    address = frame[30:34] if kind == b"\x08\x00" else frame[38:54] if kind == b"\x86\xdd" else b""
    return address[:2] in (b"\x0a\x4d", b"\xfd\x77") and address[-1] in ((11, 12, 13, 14) if kind == b"\x08\x00" else (0x11, 0x12, 0x13, 0x14))


def write(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for seconds, nanos, wire, frame in packets:
            file.write(struct.pack("<4I", seconds, nanos, len(frame), wire) + frame)


if __name__ == "__main__":
    case, path = sys.argv[1:]
    if case == "quic-old":
        frames = list(old())
        whole = [1242 if len(frame) == 400 else len(frame) for frame in frames]
        write(path, [(1763700000 + number, 0, whole[number], frame) for number, frame in enumerate(frames)])
    else:
        packets = [record for source in ("certificate", "nameless") for record in records(PCAPS / source / "input.pcap")]
        write(path, [record for record in packets if to_clients(record[3])])
