//! How fast telemetry is read, in records a second on one core; and how fast it is joined to the wire (`joined`).
//!
//! `matter` is a log of events 1, 3 and 22 alone, which are all read and told; `mix` has one of them in twenty, as the recorded logs of
//! OTRF/Security-Datasets have, between events of accesses, registry and files, which are passed over. `recorded` reads one of those logs, where
//! `UNDERTONE_CORPUS` says where they are. Allocations stand beside the times.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "joined/mod.rs"]
mod joined;

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use undertone::originator::feed::Feed;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Records of one log.
const RECORDS: usize = 20_000;

/// What part of a real log matters: one record in so many.
const SHARE: usize = 20;

/// How the bytes come from a file.
const BLOCK: usize = 256 * 1024;

#[divan::bench(args = ["matter", "mix"])]
fn read_sysmon_json(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &log(kind, json), RECORDS);
}

#[divan::bench(args = ["matter", "mix"])]
fn read_sysmon_xml(bencher: Bencher<'_, '_>, kind: &str) {
    read(bencher, &log(kind, xml), RECORDS);
}

/// `dcom-iertutil` of the recordings: 37,814 events of Sysmon, the Security log and PowerShell by NXLog, 2,314 bytes in the mean.
#[divan::bench]
fn read_recorded(bencher: Bencher<'_, '_>) {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else { return };
    let folder = Path::new(&corpus).join("../feeds/dcom-iertutil");
    let path = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(".json.gz"))
        .unwrap();
    let mut log = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()), &mut log).unwrap();
    let records = log.split(|byte| *byte == b'\n').count();
    read(bencher, &log, records);
}

fn read(bencher: Bencher<'_, '_>, log: &[u8], records: usize) {
    bencher.counter(ItemsCount::new(records)).counter(BytesCount::new(log.len())).bench_local(|| {
        let mut feed = Feed::new();
        let mut told = 0_u64;
        for block in log.chunks(BLOCK) {
            feed.push(black_box(block), &mut |record| {
                black_box(&record);
                told += 1;
            });
        }
        feed.finish(&mut |_| told += 1);
        assert_eq!(told, feed.tally().told);
        assert_eq!(feed.tally().all_refused(), 0);
        told
    });
}

/// A log of one kind, in one spelling.
fn log(kind: &str, spell: fn(usize, u32, &[(&str, String)]) -> String) -> Vec<u8> {
    let mut log = String::new();
    for number in 0..RECORDS {
        let matters = kind == "matter" || number % SHARE == 0;
        let (id, fields) = if matters { event(number) } else { other(number) };
        log += &spell(number, id, &fields);
        log.push('\n');
    }
    log.into_bytes()
}

/// An event that matters: two connections and two questions to each start of a process.
fn event(number: usize) -> (u32, Vec<(&'static str, String)>) {
    let guid = format!("{{42c2e005-e3e5-5f80-{:04x}-000000000400}}", number % 0xffff);
    let mut fields = vec![
        ("RuleName", "-".to_owned()),
        (
            "UtcTime",
            format!(
                "2020-10-09 22:{:02}:{:02}.{:03}",
                number / 60_000 % 60,
                number / 1000 % 60,
                number % 1000
            ),
        ),
        ("ProcessGuid", guid),
        ("ProcessId", (number % 20_000).to_string()),
        ("Image", r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe".to_owned()),
        ("User", r"THESHIRE\pgustavo".to_owned()),
    ];
    let mut more = |name, value: &str| fields.push((name, value.to_owned()));
    match number / SHARE % 5 {
        0 => {
            more("FileVersion", "10.0.18362.1 (WinBuild.160101.0800)");
            more("Description", "Windows PowerShell");
            more("Product", "Microsoft® Windows® Operating System");
            more("Company", "Microsoft Corporation");
            more("OriginalFileName", "PowerShell.EXE");
            more(
                "CommandLine",
                r#""C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe" -noP -sta -w 1 -enc SQBmACgAJABQAFMAVgBlAHIAcwBpAG8AbgBUAGEAYgBsAGUALgBQAFMAVgBlAHIAcwBpAG8AbgAuAE0AYQBqAG8AcgAgAC0AZwBlACAAMwApAHsA"#,
            );
            more("CurrentDirectory", r"C:\Users\pgustavo\");
            more("LogonGuid", "{42c2e005-e3c3-5f80-68ee-910100000000}");
            more("IntegrityLevel", "High");
            more(
                "Hashes",
                "SHA1=36C5D12033B2EAF251BAE61C00690FFB17FDDC87,MD5=CDA48FC75952AD12D99E526D0B6BF70A,SHA256=908B64B1971A979C7E3E8CE4621945CBA84854CB98D76367B791A6E22B5F6D53,IMPHASH=A7CEFACDDA74B13CD330390769752481",
            );
            more("ParentProcessGuid", "{42c2e005-e3c1-5f80-e407-000000000400}");
            more("ParentProcessId", "108");
            more("ParentImage", r"C:\Windows\System32\cmd.exe");
            more("ParentCommandLine", r#"C:\Windows\System32\cmd.exe /c "powershell""#);
            (1, fields)
        }
        1 | 2 => {
            more("Protocol", "tcp");
            more("Initiated", "true");
            more("SourceIsIpv6", "false");
            more("SourceIp", "192.168.2.5");
            more("SourceHostname", "WORKSTATION5.theshire.local");
            more("SourcePort", &(49_152 + number % 16_000).to_string());
            more("SourcePortName", "-");
            more("DestinationIsIpv6", "false");
            more("DestinationIp", "151.101.248.133");
            more("DestinationHostname", "-");
            more("DestinationPort", "443");
            more("DestinationPortName", "https");
            (3, fields)
        }
        _ => {
            more("QueryName", "raw.githubusercontent.com");
            more("QueryStatus", "0");
            more("QueryResults", "type:  5 github.map.fastly.net;::ffff:151.101.248.133;");
            (22, fields)
        }
    }
}

/// An event that does not: an access to a process, with its stack.
fn other(number: usize) -> (u32, Vec<(&'static str, String)>) {
    let stack: Vec<String> = (0..14)
        .map(|frame| format!(r"C:\windows\System32\combase.dll+{:x}", frame * 0x1234 + number % 7))
        .collect();
    let fields = vec![
        ("UtcTime", format!("2020-10-09 22:27:{:02}.{:03}", number / 1000 % 60, number % 1000)),
        ("SourceImage", r"C:\Windows\System32\RuntimeBroker.exe".to_owned()),
        ("TargetImage", r"C:\windows\system32\backgroundTaskHost.exe".to_owned()),
        ("GrantedAccess", "0x1000".to_owned()),
        ("CallTrace", stack.join("|")),
    ];
    (10, fields)
}

/// As NXLog writes it: the fields, its own beside them, and the message that repeats them.
fn json(number: usize, id: u32, fields: &[(&str, String)]) -> String {
    let mut message = "Event:\r\n".to_owned();
    for (name, value) in fields {
        write!(message, "{name}: {value}\r\n").unwrap();
    }
    let mut line = format!(r#"{{"SourceModuleName":"eventlog","Severity":"INFO","RecordNumber":{number},"#);
    for (name, value) in fields.iter().map(|(name, value)| (*name, value)).chain([("Message", &message)]) {
        write!(line, "\"{name}\":{},", serde_json::to_string(value).unwrap()).unwrap();
    }
    line + &format!(
        "\"EventID\":{id},\"SourceName\":\"Microsoft-Windows-Sysmon\",\"EventTime\":\"2020-10-09 18:27:50\",\
         \"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"ExecutionProcessID\":3120,\"UserID\":\"S-1-5-18\",\
         \"@timestamp\":\"2020-10-09T22:30:04.673Z\",\"EventReceivedTime\":\"2020-10-09 18:30:04\",\"EventType\":\"INFO\",\
         \"Hostname\":\"WORKSTATION5.theshire.local\",\"SourceModuleType\":\"im_msvistalog\",\"tags\":[\"mordorDataset\"]}}"
    )
}

/// As `wevtutil` writes it.
fn xml(number: usize, id: u32, fields: &[(&str, String)]) -> String {
    let mut line = format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Sysmon' \
         Guid='{{5770385f-c22a-43e0-bf4c-06f5698ffbd9}}'/><EventID>{id}</EventID><Version>5</Version><Level>4</Level><Task>{id}</Task>\
         <Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime='2020-10-09T22:27:50.562199000Z'/>\
         <EventRecordID>{number}</EventRecordID><Correlation/><Execution ProcessID='3120' ThreadID='1092'/>\
         <Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>WORKSTATION5.theshire.local</Computer>\
         <Security UserID='S-1-5-18'/></System><EventData>"
    );
    for (name, value) in fields {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        write!(line, "<Data Name='{name}'>{value}</Data>").unwrap();
    }
    line + "</EventData></Event>"
}
