"""A server that speaks just enough of seven protocols to be asked for TLS, and then speaks TLS.

usage: starttls.py CERTIFICATE KEY PROTOCOL:PORT...
Each protocol is a talk: what the server says first, then pairs of what it waits for and what it answers. After the last answer TLS begins.
"""
import socketserver
import ssl
import sys
import threading

# A minimal LDAP extended response: messageID 1, resultCode success, no names, responseName StartTLS.
LDAP_OK = bytes.fromhex("3024020101781f0a0100040004008a16") + b"1.3.6.1.4.1.1466.20037"
TALKS = {
    "smtp": (b"220 mail.office.example ESMTP\r\n", [(b"EHLO", b"250-mail.office.example\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go ahead\r\n")]),
    "imap": (b"* OK IMAP4rev1 ready\r\n", [(b"CAPABILITY", b"* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n"), (b"STARTTLS", b". OK begin TLS\r\n")]),
    "pop3": (b"+OK POP3 ready\r\n", [(b"STLS", b"+OK begin TLS\r\n")]),
    "ftp": (b"220 files\r\n", [(b"AUTH ", b"234 go ahead\r\n")]),
    "ldap": (b"", [(b"1.3.6.1.4.1.1466.20037", LDAP_OK)]),
    "xmpp": (
        b"",
        [
            (b"<stream:stream", b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
             b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
            (b"<starttls", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ],
    ),
    "postgres": (b"", [(b"\x04\xd2\x16\x2f", b"S")]),
}
# After TLS has begun, each protocol goes on inside; whoever asks gets one polite line.
certificate, key, *ports = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def handler(greeting, talk):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                self.request.sendall(greeting)
                for awaited, answer in talk:
                    heard = b""
                    while awaited.lower() not in heard.lower():
                        piece = self.request.recv(4096)
                        if not piece:
                            return
                        heard += piece
                        # IMAP answers carry the tag of the command.
                        if awaited in (b"STARTTLS", b"CAPABILITY") and greeting.startswith(b"*"):
                            answer = answer.replace(b"\r\n. ", b"\r\n" + heard.split()[0] + b" ")
                            if answer.startswith(b". "):
                                answer = heard.split()[0] + answer[1:]
                    self.request.sendall(answer)
                with context.wrap_socket(self.request, server_side=True) as tls:
                    tls.settimeout(2)
                    tls.recv(4096)
            except OSError:
                pass

    return Handler


socketserver.ThreadingTCPServer.allow_reuse_address = True
for item in ports:
    protocol, port = item.split(":")
    server = socketserver.ThreadingTCPServer(("", int(port)), handler(*TALKS[protocol]))
    threading.Thread(target=server.serve_forever).start()
