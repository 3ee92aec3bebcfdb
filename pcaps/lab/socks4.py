"""A SOCKS4 and SOCKS4a server: microsocks speaks version 5 only.

usage: socks4.py PORT
"""
import socket
import socketserver
import sys
import threading


class Socks4(socketserver.StreamRequestHandler):
    rbufsize = 0  # what follows the request belongs to the tunnel
    def handle(self):
        head = self.rfile.read(8)
        port, address = int.from_bytes(head[2:4], "big"), socket.inet_ntoa(head[4:8])
        self.text()  # the user
        if head[4:7] == b"\0\0\0" and head[7]:
            address = self.text().decode()  # SOCKS4a: a name instead of an address
        try:
            upstream = socket.create_connection((address, port), timeout=5)
        except OSError:
            self.wfile.write(b"\0\x5b" + head[2:8])
            return
        self.wfile.write(b"\0\x5a" + head[2:8])
        threading.Thread(target=self.copy, args=(upstream, self.connection), daemon=True).start()
        self.copy(self.connection, upstream)

    def text(self):
        text = b""
        while (byte := self.rfile.read(1)) not in (b"\0", b""):
            text += byte
        return text

    @staticmethod
    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", int(sys.argv[1])), Socks4, bind_and_activate=True).serve_forever()
