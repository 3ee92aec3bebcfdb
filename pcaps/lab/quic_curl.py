"""Fetches each URL with libcurl over HTTP/3 only; the last one in the guise of Chrome.

usage: quic_curl.py CA URL...
"""
import sys

from curl_cffi import CurlHttpVersion, requests

ca, *urls = sys.argv[1:]
for url in urls:
    guise = {"impersonate": "chrome"} if url == urls[-1] else {}
    print(url, requests.get(url, verify=ca, http_version=CurlHttpVersion.V3ONLY, timeout=5, **guise).status_code)
