"""Writes HTTP requests as given, over one connection: what clients do not send by themselves.

usage: http.py ADDRESS PORT PIECE...      each PIECE is one write (and so one segment), with \\r \\n as escapes
"""
import socket
import sys
import time

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for piece in sys.argv[3:]:
    connection.sendall(piece.encode().decode("unicode_escape").encode("latin-1"))
    time.sleep(0.03)
connection.settimeout(0.3)
try:
    while connection.recv(4096):
        pass
except OSError:
    pass
