"""A TLS client whose hello is real (Python's OpenSSL) and whose writes are not: it sends the hello in pieces.

usage: chop.py NAME PORT RECORD SEGMENT
  RECORD   the handshake bytes in one TLS record; 0 leaves the one record as it is
  SEGMENT  the bytes of one write, each of which becomes a TCP segment; 0 sends all at once
"""
import socket
import ssl
import struct
import sys
import time

name, (port, record, segment) = sys.argv[1], map(int, sys.argv[2:])
context = ssl.create_default_context()
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
connection = socket.create_connection((socket.getaddrinfo(name, port, socket.AF_INET)[0][4][0], port), timeout=5)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def step(action):
    while True:
        try:
            result = action()
            connection.sendall(outgoing.read())
            return result
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))


try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = outgoing.read()
if record:
    body = hello[5:]
    pieces = [body[i : i + record] for i in range(0, len(body), record)]
    hello = b"".join(hello[:3] + struct.pack("!H", len(piece)) + piece for piece in pieces)
size = segment or len(hello)
for at in range(0, len(hello), size):
    connection.sendall(hello[at : at + size])
    time.sleep(0.002)
step(tls.do_handshake)
step(lambda: tls.write(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()))
print(name, step(lambda: tls.read(100))[:15])
