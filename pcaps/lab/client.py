"""Fetches each URL with urllib. A prefix 4: or 6: sets the address family; the default is IPv4.

usage: client.py [4:|6:]URL...
"""
import socket
import sys
import urllib.request

resolve = socket.getaddrinfo
for url in sys.argv[1:]:
    family = socket.AF_INET6 if url.startswith("6:") else socket.AF_INET
    socket.getaddrinfo = lambda host, port, *_, family=family, **__: resolve(host, port, family, socket.SOCK_STREAM)
    url = url.removeprefix("4:").removeprefix("6:")
    print(url, urllib.request.urlopen(url, timeout=5).status)
