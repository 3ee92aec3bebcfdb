"""Hand-built DNS messages, where no client sends them so.

dns.py tcp SERVER          one connection: a length prefix that is split, two messages in one segment, a message in three
dns.py odd SERVER          two questions in one message, other opcodes, odd names, over UDP
dns.py llmnr-ask NAME...   questions by LLMNR (RFC 4795) to 224.0.0.252 and ff02::1:3
dns.py llmnr-answer NAME ADDRESS   answers such questions for one name
"""
import socket
import struct
import sys
import time

A, AAAA, HTTPS = 1, 28, 65


def encode(name):
    labels = [label if isinstance(label, bytes) else label.encode() for label in (name.split(".") if isinstance(name, str) else name)]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(number, *questions, opcode=0, flags=0x0100):
    body = b"".join(encode(name) + struct.pack("!HH", kind, 1) for name, kind in questions)
    return struct.pack("!HHHHHH", number, flags | opcode << 11, len(questions), 0, 0, 0) + body


def tcp(server):
    connection = socket.create_connection((server, 53), timeout=3)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def framed(message):
        return struct.pack("!H", len(message)) + message

    def send(*pieces):
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.01)

    one = framed(query(0x1001, ("pastebin.com", A)))
    send(one[:1], one[1:])
    send(framed(query(0x1002, ("api.telegram.org", A))) + framed(query(0x1003, ("www.example.com", AAAA))))
    three = framed(query(0x1004, ("raw.githubusercontent.com", HTTPS)))
    send(three[:9], three[9:25], three[25:])
    connection.settimeout(0.5)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        pass


def odd(server):
    messages = [
        query(0x2001, ("pastebin.com", A), ("discord.com", AAAA)),
        query(0x2002, ("paste.ee", A), opcode=2),  # STATUS
        query(0x2003, ("api.github.com", 6), opcode=4),  # NOTIFY
        query(0x2004, ([b"caf\xc3\xa9", b"pastebin", b"com"], A)),
        query(0x2005, ([b"caf\xe9\xff", b"discord", b"com"], A)),
        query(0x2006, ([b"my printer", b"office", b"example"], A)),
        query(0x2007, ([b"a.b", b"pastebin", b"com"], A)),  # one label with a dot in it
        query(0x2008, ([b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 40, b"pastebin", b"com"], A)),
        query(0x2009, ([], 2)),  # the root
    ]
    for message in messages:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.sendto(message, (server, 53))
        time.sleep(0.02)


def llmnr_ask(*names):
    for number, name in enumerate(names):
        for family, group in ((socket.AF_INET, "224.0.0.252"), (socket.AF_INET6, "ff02::1:3%eth0")):
            udp = socket.socket(family, socket.SOCK_DGRAM)
            udp.settimeout(0.3)
            target = socket.getaddrinfo(group, 5355, family, socket.SOCK_DGRAM)[0][4]
            udp.sendto(query(0x3000 + number, (name, A if family == socket.AF_INET else AAAA), flags=0), target)
            try:
                udp.recvfrom(1500)
            except TimeoutError:
                pass


def llmnr_answer(name, address):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("", 5355))
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.252") + socket.inet_aton("0.0.0.0"))
    while True:
        message, sender = udp.recvfrom(1500)
        if encode(name) in message:
            answer = message[:2] + b"\x80\x00" + struct.pack("!HHHH", 1, 1, 0, 0) + message[12:]
            udp.sendto(answer + b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 30, 4) + socket.inet_aton(address), sender)


if __name__ == "__main__":
    {"tcp": tcp, "odd": odd, "llmnr-ask": llmnr_ask, "llmnr-answer": llmnr_answer}[sys.argv[1]](*sys.argv[2:])
