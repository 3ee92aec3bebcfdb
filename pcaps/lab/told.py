"""Runs curl, and tells of it as Sysmon on Windows does: told.py FILE HOST IMAGE URL."""
import re
import subprocess
import sys
import time
from datetime import datetime, timezone
from html import escape
from urllib.parse import urlsplit

file, host, image, url = sys.argv[1:]
name = urlsplit(url).hostname


def utc(at):
    return datetime.fromtimestamp(at, timezone.utc)


def tell(number, event, at, data):
    written = utc(time.time()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = {"RuleName": "-", "UtcTime": utc(at).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], **data}
    fields = "".join(f"<Data Name='{key}'>{escape(str(value))}</Data>" for key, value in data.items())
    with open(file, "a", encoding="utf-8") as out:
        out.write(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Sysmon' "
            f"Guid='{{5770385F-C22A-43E0-BF4C-06F5698FFBD9}}'/><EventID>{event}</EventID><Version>5</Version>"
            f"<TimeCreated SystemTime='{written}'/><EventRecordID>{number}</EventRecordID>"
            "<Execution ProcessID='1880' ThreadID='288'/><Channel>Microsoft-Windows-Sysmon/Operational</Channel>"
            f"<Computer>{host}</Computer></System><EventData>{fields}</EventData></Event>\n"
        )


began = time.time()
curl = subprocess.Popen(
    ["curl", "-sk", "-4", "-o", "/dev/null", "-w", "%{remote_ip}", url], stdout=subprocess.PIPE, text=True
)
address, _ = curl.communicate()
asked = began + 0.01
second = int(began)
about = {
    "ProcessGuid": f"{{365ABB72-{second & 0xffff:04X}-{second >> 16:04X}-0000-0010{curl.pid:08X}}}",
    "ProcessId": curl.pid,
    "Image": image,
}
parent = {"ParentProcessId": 4, "ParentImage": r"C:\Windows\explorer.exe", "ParentCommandLine": "explorer.exe"}
number = int(began * 1000)
line = f'"{image}" {"-c iwr " if "powershell" in image else ""}{url}'
tell(number, 1, began, {**about, "CommandLine": line, "User": r"OFFICE\a", **parent})
answer = f"::ffff:{address};" if re.fullmatch(r"[0-9.]+", address) else "-"
tell(number + 1, 22, asked, {**about, "QueryName": name, "QueryStatus": 0, "QueryResults": answer})
tell(number + 2, 5, time.time(), about)
