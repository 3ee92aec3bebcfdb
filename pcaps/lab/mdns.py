"""Service discovery by mDNS with the zeroconf package.

mdns.py announce NAME ADDRESS    a printer, until it is ended
mdns.py browse                   looks for printers and web servers, and resolves what it finds
"""
import socket
import sys
import time

from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

KIND = "_ipp._tcp.local."


class Listener(ServiceListener):
    def add_service(self, zc, kind, name):
        print(name, zc.get_service_info(kind, name))

    def update_service(self, *_):
        pass

    def remove_service(self, *_):
        pass


zc = Zeroconf(ip_version=IPVersion.V4Only)
if sys.argv[1] == "announce":
    name, address = sys.argv[2:]
    zc.register_service(ServiceInfo(KIND, f"{name}.{KIND}", port=631, addresses=[socket.inet_aton(address)], server="printer.local."))
    time.sleep(600)
else:
    ServiceBrowser(zc, [KIND, "_http._tcp.local."], Listener())
    time.sleep(2.5)
    zc.close()
