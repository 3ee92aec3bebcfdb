"""Prints the data of an SVCB or HTTPS record in hexadecimal, for dnsmasq's dns-rr.

usage: svcb.py PRIORITY TARGET [alpn=h3,h2] [port=853] [ipv4hint=A,..] [ipv6hint=A,..] [ech=FILE] [dohpath=TEMPLATE]
"""
import ipaddress
import pathlib
import struct
import sys

KEYS = {"alpn": 1, "port": 3, "ipv4hint": 4, "ech": 5, "ipv6hint": 6, "dohpath": 7}


def name(text):
    labels = [label.encode() for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def value(key, text):
    if key == "alpn":
        return b"".join(bytes([len(p)]) + p.encode() for p in text.split(","))
    if key == "port":
        return struct.pack("!H", int(text))
    if key in ("ipv4hint", "ipv6hint"):
        return b"".join(ipaddress.ip_address(a).packed for a in text.split(","))
    return pathlib.Path(text).read_bytes() if key == "ech" else text.encode()


priority, target, *parameters = sys.argv[1:]
data = struct.pack("!H", int(priority)) + name(target)
for key, text in sorted((p.split("=", 1) for p in parameters), key=lambda p: KEYS[p[0]]):
    body = value(key, text)
    data += struct.pack("!HH", KEYS[key], len(body)) + body
print(data.hex())
