"""An HTTP/3 server and client of the laboratory, on aioquic.

quic.py server CERTIFICATE KEY ADDRESS,ADDRESS... PORT[:retry]...
                                           also answers DNS over QUIC (RFC 9250), by asking 10.77.0.53
quic.py doq CA SERVER NAME                 one question by DNS over QUIC
quic.py client CA VERSION URL...                VERSION is 1 or 2: the QUIC version of the first packet
"""
import asyncio
import socket
import ssl
import sys
from urllib.parse import urlsplit

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, StreamDataReceived
from aioquic.quic.packet import QuicProtocolVersion

VERSIONS = {"1": QuicProtocolVersion.VERSION_1, "2": QuicProtocolVersion.VERSION_2}


def dns(question):
    """The answer to a question, both with the length before them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.sendto(question[2:], ("10.77.0.53", 53))
        answer = udp.recv(4096)
    return len(answer).to_bytes(2, "big") + answer


class Http(QuicConnectionProtocol):
    http = None
    done = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic) if event.alpn_protocol in H3_ALPN else None
        elif not self.http and isinstance(event, StreamDataReceived) and len(event.data) > 2:
            self._quic.send_stream_data(event.stream_id, dns(event.data), end_stream=True)
            self.transmit()
        for part in self.http.handle_event(event) if self.http else []:
            if self._quic.configuration.is_client:
                if isinstance(part, (HeadersReceived, DataReceived)) and part.stream_ended and self.done:
                    self.done.set_result(None)
            elif isinstance(part, HeadersReceived):
                self.http.send_headers(part.stream_id, [(b":status", b"200"), (b"content-type", b"text/html")])
                self.http.send_data(part.stream_id, b"ok\n", end_stream=True)
                self.transmit()

    async def get(self, url):
        while not self.http:
            await asyncio.sleep(0.001)
        self.done = asyncio.get_running_loop().create_future()
        stream = self._quic.get_next_available_stream_id()
        headers = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", url.netloc.encode()), (b":path", b"/")]
        self.http.send_headers(stream, headers, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self.done, 5)


async def server(certificate, key, addresses, ports):
    for port in ports:
        number, _, retry = port.partition(":")
        configuration = QuicConfiguration(is_client=False, alpn_protocols=[*H3_ALPN, "doq"])
        # A server that answers in the client's version, and takes both.
        configuration.supported_versions = list(VERSIONS.values())
        configuration.load_cert_chain(certificate, key)
        # A socket for each address: bound to all of them at once, it would answer from the wrong one.
        for address in addresses.split(","):
            await serve(address, int(number), configuration=configuration, create_protocol=Http, retry=bool(retry))
    await asyncio.Future()


async def client(ca, version, urls):
    for text in urls:
        url = urlsplit(text)
        configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=url.hostname)
        configuration.original_version = VERSIONS[version]
        configuration.supported_versions = [VERSIONS[version]]
        configuration.load_verify_locations(ca)
        # The resolver asks for A and AAAA; the prefix v6. of the scheme picks the address.
        family = socket.AF_INET6 if url.scheme == "v6" else socket.AF_INET
        address = socket.getaddrinfo(url.hostname, url.port or 443, family, socket.SOCK_DGRAM)[0][4][0]
        async with connect(address, url.port or 443, configuration=configuration, create_protocol=Http) as http:
            await http.get(url)
            print(text, "ok")


async def doq(ca, resolver, name):
    configuration = QuicConfiguration(alpn_protocols=["doq"], server_name=resolver)
    configuration.load_verify_locations(ca)
    address = socket.getaddrinfo(resolver, 853, socket.AF_INET, socket.SOCK_DGRAM)[0][4][0]
    question = bytes(2) + b"\1\0\0\1" + bytes(6) + b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0\0\1\0\1"
    async with connect(address, 853, configuration=configuration) as connection:
        reader, writer = await connection.create_stream()
        writer.write(len(question).to_bytes(2, "big") + question)
        writer.write_eof()
        print(name, len(await asyncio.wait_for(reader.read(), 5)), "bytes")


if sys.argv[1] == "doq":
    asyncio.run(doq(*sys.argv[2:]))
elif sys.argv[1] == "server":
    asyncio.run(server(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]))
else:
    asyncio.run(client(sys.argv[2], sys.argv[3], sys.argv[4:]))
