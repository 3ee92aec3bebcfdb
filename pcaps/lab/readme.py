"""Writes a case's README.md: the words of the case (stdin), then a table of what tshark sees in its captures.

usage: readme.py FOLDER NAMES.TXT [ROW...] <words

The words may hold {version:COMMAND}, replaced by the first line that the command prints. A ROW, "name | client | how | note",
is added to the table as it stands: it says what tshark does not see or what the reader should know.
"""
import os
import pathlib
import re
import subprocess
import sys

folder, names, extra = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
kinds = {}
for line in names.read_text().splitlines():
    words = line.split("#")[0].split()
    if words:
        kinds[words[0]] = words[1]


def run(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return " ".join(lines[0].split()) if lines else "?"


# Ports of the laboratory where tshark needs to be told that TLS or QUIC is spoken.
DECODE = [word for port in (2053, 8443) for word in ("-d", f"tcp.port=={port},tls")]
DECODE += ["-d", "udp.port==853,quic"]


def contact(name):
    name = name.lower().rstrip(".")
    labels = name.split(".")
    kind = kinds.get(name, "not listed")
    # What stands below a listed name is listed.
    if kind == "not listed" and any(kinds.get(".".join(labels[i:])) == "listed" for i in range(1, len(labels))):
        kind = "listed"
    return {"listed": "yes", "plain": "no", "look-alike": "no (look-alike)", "resolver": "resolver of encrypted DNS"}.get(
        kind, "no"
    )


def tshark(path, display, *fields):
    command = ["tshark", "-n", "-r", str(path), "-2", "-o", "tcp.reassemble_out_of_order:TRUE", *DECODE, "-Y", display, "-T", "fields", "-E", "separator=\t", "-E", "aggregator=,"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def rows(path):
    """One row for each (name, client, way it was seen), with the question types or the number of hellos."""
    seen = {}

    def note(name, client, how, what):
        seen.setdefault((name, client, how), []).append(what)

    ends = ("frame.protocols", "ip.src", "ipv6.src", "udp.dstport", "tcp.dstport")
    for client, udp, tcp, name, kind in innermost(
        path, "(dns || mdns || llmnr) && dns.flags.response == 0 && dns.qry.name", *ends, "dns.qry.name", "dns.qry.type"
    ):
        how = {"5353": "dns_query (mdns)", "5355": "dns_query (llmnr)"}.get(udp, "dns_query" + (" over tcp" if tcp else ""))
        for name, kind in zip(name.split(","), kind.split(",")):
            note(name, client, how, TYPES.get(kind, kind))
    for client, udp, tcp, tls, dtls, quic in innermost(
        path, "tls.handshake.type == 1 || dtls.handshake.type == 1", *ends,
        "tls.handshake.extensions_server_name", "dtls.handshake.extensions_server_name", "quic.version",
    ):
        name = tls or dtls
        how = "quic_sni" if quic else "tls_sni (dtls)" if udp else "tls_sni"
        note(name or "(none)", client, how, f"port {udp or tcp}")
    for client, udp, tcp, methods, hosts in innermost(path, "http.request", *ends, "http.request.method", "http.host"):
        for method, host in zip(methods.split(","), hosts.split(",") if hosts else [""]):
            # The port behind the name is no part of it.
            host = re.sub(r":\d+$", "", host)
            name = "(an address)" if re.fullmatch(r"[\d.]+|\[.*\]", host) else host or "(none)"
            note(name, client, "http_connect" if method == "CONNECT" else "http_host", f"port {tcp}")
    for (name, client, how), whats in seen.items():
        counts = ", ".join(f"{w}" + (f" ×{whats.count(w)}" if whats.count(w) > 1 else "") for w in dict.fromkeys(whats))
        yield name, client, how, counts, contact(name)


def innermost(path, display, *fields):
    """What tshark shows, with the innermost of all addresses and ports: those of a tunnel stand before them."""
    for protocols, v4, v6, udp, tcp, *rest in tshark(path, display, *fields):
        # A reassembled datagram is shown with the last fragment, whose protocols end at the fragment's own layer.
        layers = protocols.split(":")
        last = lambda *names: next((layer for layer in reversed(layers) if layer in names), "")
        client = {"ip": v4, "ipv6": v6}.get(last("ip", "ipv6"), "").split(",")[-1]
        transport = last("udp", "tcp")
        yield client, udp.split(",")[-1] * (transport != "tcp"), tcp.split(",")[-1] * (transport == "tcp"), *rest


TYPES = {"1": "A", "5": "CNAME", "12": "PTR", "16": "TXT", "28": "AAAA", "33": "SRV", "64": "SVCB", "65": "HTTPS",
         "255": "ANY", "257": "CAA", "15": "MX", "2": "NS", "6": "SOA"}

words = re.sub(r"\{version:([^}]*)\}", lambda m: run(m[1]), sys.stdin.read()).strip()
captures = sorted(p for p in folder.iterdir() if p.name.startswith("input"))
# What tshark is to read instead.
captures = [pathlib.Path(path) for path in os.environ.get("CAPTURES", "").split()] or captures
out = [f"# {folder.name}", "", words, "", f"Made by `pcaps/make {folder.name}`."]
for path in captures:
    title = "What is in it" if len(captures) == 1 else f"What is in {path.name}"
    out += ["", f"## {title}", "", "| name | client | seen as | how | contact |", "|---|---|---|---|---|"]
    out += [f"| {' | '.join(row)} |" for row in rows(path)]
if extra:
    out += ["", "## Beside the table", "", "| name | client | seen as | note |", "|---|---|---|---|"]
    out += [f"| {row} |" for row in extra]
(folder / "README.md").write_text("\n".join(out) + "\n")
