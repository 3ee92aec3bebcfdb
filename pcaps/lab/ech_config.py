"""Makes a key pair for Encrypted Client Hello: KEY (the private key), CONFIG (one ECHConfig), LIST (an ECHConfigList of it).

usage: ech_config.py FOLDER PUBLIC-NAME CONFIG-ID
"""
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

folder, public_name, identifier = pathlib.Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
private = X25519PrivateKey.generate()
public = private.public_key().public_bytes_raw()
# HpkeKeyConfig: id, DHKEM(X25519, HKDF-SHA256), the key, HKDF-SHA256 with AES-128-GCM and with ChaCha20Poly1305.
contents = struct.pack("!BHH", identifier, 0x0020, len(public)) + public + struct.pack("!HHHHH", 8, 1, 1, 1, 3)
contents += struct.pack("!BB", 64, len(public_name)) + public_name + struct.pack("!H", 0)
config = struct.pack("!HH", 0xFE0D, len(contents)) + contents
(folder / "ech.key").write_bytes(private.private_bytes_raw())
(folder / "ech.config").write_bytes(config)
(folder / "ech.list").write_bytes(struct.pack("!H", len(config)) + config)
