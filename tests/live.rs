//! A live sensor finds what a replay finds: captures are played into a cable at whose other end it listens.
//!
//! All of it happens in a network namespace (`common/cable.rs`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::binary::{Ran, dataset, text, undertone};
use common::cable::{PLAYER, SENSOR, Sensor, in_namespace, ip, play, play_into, plug_in, plug_in_another};
use serde_json::Value;

/// Captures on Ethernet: what clients send, hellos in pieces and out of order, other protocols, tags that a driver takes off, nothing to
/// find.
const PLAYED: [&str; 11] = [
    "curl",
    "first-look",
    "split-hello",
    "dns-types",
    "dns-tcp",
    "http",
    "quic-aioquic",
    "quic-chromium",
    "link-vlan",
    "link-qinq",
    "lookalikes",
];

fn main() -> ExitCode {
    in_namespace("live", inside)
}

/// Runs in the namespace.
fn inside() {
    plug_in();
    for case in PLAYED {
        finds_what_a_replay_finds(case);
    }
    let cases = every_case_alerts_as_its_replay();
    threads_that_see_a_direction_or_a_copy_each_tell_as_one();
    clients_are_seen_at_what_they_do();
    what_tcpreplay_plays_is_found();
    silence_can_be_ended();
    a_filter_holds();
    a_finding_decides_the_status();
    an_interface_that_is_not_there();
    an_interface_that_goes_away_and_comes_back();
    telemetry_names_the_process_as_it_arrives();
    println!(
        "live: {} captures found as in a replay, {cases} alert as in a replay, and 9 others ok",
        PLAYED.len()
    );
}

fn finds_what_a_replay_finds(case: &str) {
    let path = format!("pcaps/{case}/input.pcap");
    let replayed = undertone(&["replay", &path, "--min-level", "informational"]).ended(0);
    let sensor = Sensor::start(&["--json", "--min-level", "informational"]);
    let frames = play(&path);
    // At once: what the kernel still holds has been seen, and belongs to it.
    let live = sensor.stop("INT").ended(0);
    assert!(live.err.contains(&format!("  {} packets ", with_commas(frames))), "{case}: {live:#?}");
    assert!(!live.err.contains("dropped"), "{case}: {live:#?}");
    let (live_records, replayed) = (settled(&live), settled(&replayed));
    for (live, replayed) in live_records.iter().zip(&replayed) {
        assert_eq!(live, replayed, "{case}");
    }
    assert_eq!(live_records.len(), replayed.len(), "{case}");

    let ingress = |record: &Value| text(&record["observer"]["ingress"]["interface"]["name"]);
    assert!(live.records().iter().all(|record| ingress(record) == SENSOR), "{case}");
    // An alert goes out at the first contact; what comes later says that it is the same one.
    let mut seen = BTreeSet::new();
    for alert in live.records().iter().filter(|record| dataset(record) == "undertone.alert") {
        let new = seen.insert(text(&alert["event"]["id"]));
        assert_eq!(new, alert["event"]["action"].is_null(), "{case}: {alert}");
    }
}

/// Each case on Ethernet, with two threads, on several cables at once. Gives how many there are.
fn every_case_alerts_as_its_replay() -> usize {
    /// Its times run backwards, and by them an answer comes after the connection that it is for; in a cable they do not.
    const OTHERS: [&str; 1] = ["one-sided"];
    let is_ethernet = |path: &PathBuf| {
        pcap::Capture::from_file(path).is_ok_and(|capture| capture.get_datalink() == pcap::Linktype::ETHERNET)
    };
    let cases: Vec<PathBuf> = std::fs::read_dir("pcaps")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("input.pcap"))
        .filter(|path| path.exists() && is_ethernet(path))
        .filter(|path| !OTHERS.iter().any(|other| path.to_str().unwrap().contains(&format!("/{other}/"))))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (cases, next, wrong) = (&cases, &next, &wrong);
            scope.spawn(move || {
                let (sensing, playing) = (format!("ut-s{number}"), format!("ut-p{number}"));
                plug_in_another(&sensing, &playing);
                ip(&["link", "set", &playing, "mtu", "65000"]);
                ip(&["link", "set", &sensing, "mtu", "65000"]);
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let path = case.to_str().unwrap();
                    let replayed = undertone(&["replay", path, "--min-level", "informational"]).ended(0);
                    let options = ["--json", "--min-level", "informational", "--threads", "2"];
                    let sensor = Sensor::on(&[&sensing], &options);
                    play_into(&playing, path);
                    let live = sensor.stop("INT").ended(0);
                    let alerts = |ran: &Ran| {
                        let all = settled(ran).into_iter();
                        all.filter(|record| dataset(record) == "undertone.alert").collect::<Vec<_>>()
                    };
                    let (live, replayed) = (alerts(&live), alerts(&replayed));
                    for (only, all, others) in [("live", &live, &replayed), ("replayed", &replayed, &live)] {
                        for alert in all.iter().filter(|alert| !others.contains(alert)) {
                            wrong.lock().unwrap().push(format!("{path}: only {only}: {alert}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 40, "{}", cases.len());
    cases.len()
}

/// What the kernel sees of a tunnel is its ends. Here each direction of each conversation has a tunnel of its own, and in a second round
/// comes through another one again: what two threads see is to be told as one that sees all of it tells it.
fn threads_that_see_a_direction_or_a_copy_each_tell_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut split = 0;
    for case in [
        "first-look",
        "curl",
        "dns-types",
        "quic-aioquic",
        "certificate",
        "nameless",
        "starttls",
        "openssl",
        "dot-doh",
    ] {
        for copies in [1, 2] {
            let path = folder.path().join(format!("{case}-{copies}.pcap")).display().to_string();
            let frames = frames_of(&format!("pcaps/{case}/input.pcap"));
            let wrapped: Vec<Vec<u8>> = (frames.iter())
                .flat_map(|frame| (0..copies).map(move |copy| in_a_tunnel_of_its_own(frame, copy)))
                .collect();
            std::fs::write(&path, common::packets::pcap(&wrapped)).unwrap();
            let flows =
                |name: &str| folder.path().join(format!("{case}-{copies}-{name}")).display().to_string();
            let (replayed_flows, live_flows) = (flows("replayed"), flows("live"));
            let options = ["--json", "--min-level", "informational"];
            let replayed = [&["replay", &path, "--flows", &replayed_flows][..], &options].concat();
            let replayed = undertone(&replayed).ended(0);
            let options = [&["--threads", "2", "--flows", &live_flows][..], &options].concat();
            let sensor = Sensor::start(&options);
            play(&path);
            let live = sensor.stop("INT").ended(0);
            let line = |ran: &Ran, about: &str| {
                let line = ran.err.lines().find(|line| line.trim_start().starts_with(about));
                line.map(str::to_owned)
            };
            for about in ["names ", "contacts "] {
                assert_eq!(
                    line(&live, about),
                    line(&replayed, about),
                    "{case}, {copies} of each: {}",
                    live.err
                );
            }
            // A response tells a name only where its query went elsewhere, so that there may be more copies of what told something.
            let copied = |ran: &Ran| line(ran, "mirrored ").is_some();
            assert_eq!((copied(&live), copied(&replayed)), (copies > 1, copies > 1), "{case}: {}", live.err);
            let alerts = |ran: &Ran| -> Vec<Value> {
                let all = settled(ran).into_iter();
                all.filter(|record| dataset(record) == "undertone.alert").map(without_path).collect()
            };
            let (live, replayed) = (alerts(&live), alerts(&replayed));
            let only = |these: &[Value], those: &[Value]| -> Vec<String> {
                these.iter().filter(|one| !those.contains(one)).map(Value::to_string).collect()
            };
            assert_eq!(only(&live, &replayed), only(&replayed, &live), "{case}, {copies} of each");
            // Of each conversation both directions.
            let volumes = |path: &str| -> Vec<String> {
                let mut all: Vec<String> = (common::binary::records(&std::fs::read_to_string(path).unwrap())
                    .iter())
                .map(|one| {
                    format!(
                        "{} {} {}",
                        one["network"]["community_id"], one["network"]["packets"], one["source"]
                    )
                })
                .collect();
                all.sort();
                all
            };
            if copies == 1 {
                assert_eq!(volumes(&live_flows), volumes(&replayed_flows), "{case}");
            }
            split += wrapped.len();
        }
    }
    assert!(split > 2_000, "{split}");
}

/// Python, and curl and openssl where they are, reach a server by listed names over a cable, from a network namespace of their own: each name that
/// they ask for or connect to is told, once for each client.
fn clients_are_seen_at_what_they_do() {
    const SERVER: &str = r#"
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
def serve(port, wrap, answer):
    listener = socket.create_server(("10.9.0.1", port))
    while True:
        client, _ = listener.accept()
        try:
            if wrap:
                client = context.wrap_socket(client, server_side=True)
            client.recv(4096)
            client.sendall(answer)
            client.close()
        except OSError:
            pass
page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
for port, wrap in [(443, True), (80, False)]:
    threading.Thread(target=serve, args=(port, wrap, page)).start()
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("10.9.0.1", 53))
print("ready", flush=True)
while True:
    query, peer = resolver.recvfrom(512)
    end = query.index(0, 12) + 5
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + bytes([10, 9, 0, 1])
    resolver.sendto(query[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + query[12:end] + answer, peer)
"#;
    const CLIENT: &str = r#"
import http.client, socket, ssl
def ask(name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.sendto(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + labels + b"\0\0\x01\0\x01", ("10.9.0.1", 53))
    resolver.settimeout(5)
    resolver.recv(512)
ask("api.dropboxapi.com")
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection(("10.9.0.1", 443)) as plain:
    with context.wrap_socket(plain, server_hostname="api.dropboxapi.com") as server:
        server.sendall(b"GET / HTTP/1.1\r\n\r\n")
        server.recv(100)
plain = http.client.HTTPConnection("10.9.0.1", 80)
plain.request("GET", "/raw/x", headers={"Host": "pastebin.com"})
plain.getresponse().read()
"#;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(vec!["server.example".to_owned()]).unwrap();
    std::fs::write(at("cert"), made.cert.pem()).unwrap();
    std::fs::write(at("key"), made.signing_key.serialize_pem()).unwrap();
    let (here, there) = ("ut-host", "ut-client");
    plug_in_another(here, there);
    ip(&["addr", "add", "10.9.0.1/24", "dev", here]);

    // Which of the others there are, and the name that each reaches.
    let more = [
        ("curl", "curl -sk --resolve t.me:443:10.9.0.1 https://t.me/s/x", "t.me"),
        ("openssl", "echo | openssl s_client -connect 10.9.0.1:443 -servername discord.com", "discord.com"),
    ];
    let is_there = |program: &str| {
        Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success()
    };
    let more: Vec<_> = more.into_iter().filter(|(program, ..)| is_there(program)).collect();
    let lines: String = more.iter().map(|(_, line, _)| format!("{line} >/dev/null 2>&1\n")).collect();
    let steps = format!(
        "until ip link show {there} >/dev/null 2>&1; do sleep 0.05; done\n\
         ip addr add 10.9.0.2/24 dev {there} && ip link set {there} up && sleep 0.3\n\
         python3 -c \"$1\" || exit 1\n{lines}exit 0"
    );
    let mut server = Command::new("python3")
        .args(["-c", SERVER, &at("cert"), &at("key")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let sensor = Sensor::on(&[here], &["--json", "--threads", "2", "--min-level", "informational"]);
    let mut client =
        Command::new("unshare").args(["--net", "sh", "-c", &steps, "sh", CLIENT]).spawn().unwrap();
    // It has its namespace once it waits for the cable.
    std::thread::sleep(Duration::from_millis(300));
    ip(&["link", "set", there, "netns", &client.id().to_string()]);
    let status = client.wait().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let live = sensor.stop("INT").ended(0);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(status.success(), "{live:#?}");
    let seen: BTreeSet<(String, String)> = (settled(&live).into_iter())
        .filter(|record| dataset(record) == "undertone.alert")
        .map(|alert| {
            assert_eq!(alert["source"]["ip"], "10.9.0.2", "{alert}");
            let hostname = &alert["undertone"]["hostname"];
            (text(&hostname["name"]), hostname["seen_in"].to_string())
        })
        .collect();
    let expected =
        [("api.dropboxapi.com", r#"["dns_query","tls_sni"]"#), ("pastebin.com", r#"["http_host"]"#)];
    let expected: BTreeSet<(String, String)> = (expected.into_iter())
        .chain(more.iter().map(|(_, _, name)| (*name, r#"["tls_sni"]"#)))
        .map(|(name, ways)| (name.to_owned(), ways.to_owned()))
        .collect();
    assert_eq!(seen, expected, "{live:#?}");
    println!("live: python3 and {} others were seen at what they do", more.len());
}

/// By another player, as fast as it goes.
fn what_tcpreplay_plays_is_found() {
    let case = "pcaps/first-look/input.pcap";
    let replayed = undertone(&["replay", case]).ended(0);
    let sensor = Sensor::start(&["--json", "--threads", "2"]);
    let played = Command::new("tcpreplay").args(["-q", "--topspeed", "-i", PLAYER, case]).output();
    match played {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            drop(sensor.stop("INT").ended(0));
            println!("live: tcpreplay was NOT TRIED, for it is not here");
        }
        played => {
            assert!(played.unwrap().status.success());
            let live = sensor.stop("INT").ended(0).says(&["  522 packets "]);
            let alerts = |ran: &Ran| ran.alerts().into_iter().collect::<BTreeSet<_>>();
            assert_eq!(alerts(&live), alerts(&replayed));
        }
    }
}

/// The frames of a capture.
fn frames_of(path: &str) -> Vec<Vec<u8>> {
    let mut capture = pcap::Capture::from_file(path).unwrap();
    let mut frames = Vec::new();
    while let Ok(frame) = capture.next_packet() {
        frames.push(frame.data.to_vec());
    }
    frames
}

/// A frame in VXLAN, whose port says which conversation it is of, which direction, and which copy, as switches choose it.
fn in_a_tunnel_of_its_own(frame: &[u8], copy: u16) -> Vec<u8> {
    use undertone::capture::LinkType;
    use undertone::decode::{self, Transport};
    let ends = |one: (IpAddr, u16), other: (IpAddr, u16)| {
        let mut hasher = std::hash::DefaultHasher::new();
        (one.min(other), one.max(other)).hash(&mut hasher);
        (hasher.finish() as u16 % 4_000, u16::from(one < other))
    };
    let (conversation, direction) = match decode::packet(LinkType::ETHERNET, frame, frame.len() as u32) {
        Ok(packet) => match packet.transport {
            Transport::Tcp(it) => ends((packet.src, it.src_port), (packet.dst, it.dst_port)),
            Transport::Udp(it) => ends((packet.src, it.src_port), (packet.dst, it.dst_port)),
            _ => (0, 0),
        },
        Err(_) => (0, 0),
    };
    let payload = [&[8, 0, 0, 0, 0, 0, 7, 0], frame].concat();
    let port = 40_000 + 4 * conversation + 2 * direction + copy;
    common::packets::datagram(([192, 0, 2, 10], port), ([192, 0, 2, 20], 4789), &payload)
}

/// Which of two copies comes first is chance.
fn without_path(mut record: Value) -> Value {
    record["undertone"].as_object_mut().unwrap().remove("tunnel");
    record
}

fn silence_can_be_ended() {
    let sensor = Sensor::start(&[]);
    std::thread::sleep(Duration::from_millis(300));
    sensor.stop("TERM").ended(0).says(&["  0 packets "]);
}

fn a_filter_holds() {
    let sensor = Sensor::start(&["--json", "--filter", "host 10.77.0.13"]);
    play("pcaps/first-look/input.pcap");
    let live = sensor.stop("INT").ended(0);
    assert_eq!(live.alerts().into_iter().collect::<BTreeSet<_>>(), ["api.telegram.org".to_owned()].into());
}

fn a_finding_decides_the_status() {
    let sensor = Sensor::start(&["--fail-on", "low", "-o", "/dev/null"]);
    play("pcaps/first-look/input.pcap");
    sensor.stop("TERM").ended(3);
}

fn an_interface_that_is_not_there() {
    undertone(&["live", "-i", "ut-nothing"]).ended(1).says(&["ut-nothing"]);
}

/// Whether it is the cable or the port that goes: what was captured before is told, and what comes after it is back.
fn an_interface_that_goes_away_and_comes_back() {
    type Step = fn();
    let steps: [[Step; 2]; 2] = [
        [|| ip(&["link", "del", PLAYER]), plug_in],
        [|| ip(&["link", "set", SENSOR, "down"]), || ip(&["link", "set", SENSOR, "up"])],
    ];
    for [away, back] in steps {
        let mut sensor = Sensor::start(&["--json"]);
        play("pcaps/first-look/input.pcap");
        away();
        sensor.hears("it is tried again until it is back");
        back();
        sensor.hears("ut-sensor: capturing again, after ");
        play("pcaps/split-hello/input.pcap");
        let live = sensor.stop("INT").ended(0).says(&["Telegram"]);
        let alerts: BTreeSet<String> = live.alerts().into_iter().collect();
        assert!(alerts.contains("api.telegram.org") && alerts.contains("paste.ee"), "{live:#?}");
    }
}

/// Records as they stand at the end, in the order in which they came first, without what a cable changes: times, places, and
/// what is made of them.
fn settled(ran: &Ran) -> Vec<Value> {
    let mut records: Vec<(String, Value)> = Vec::new();
    for record in ran.records() {
        // Only an alert comes more than once.
        let key = record["event"]["id"].as_str().map_or_else(|| record.to_string(), str::to_owned);
        match records.iter_mut().find(|(known, _)| *known == key) {
            Some((_, earlier)) => *earlier = record,
            None => records.push((key, record)),
        }
    }
    records.into_iter().map(|(_, record)| without(record)).collect()
}

fn without(mut record: Value) -> Value {
    for (within, keys) in [
        ("", &["@timestamp", "file"][..]),
        ("/event", &["id", "start", "end", "duration", "action"]),
        ("/observer", &["ingress"]),
        ("/undertone", &["frame"]),
        ("/undertone/hostname", &["age_ms"]),
        ("/undertone/summary", &["alert"]),
    ] {
        if let Some(object) = record.pointer_mut(within).and_then(Value::as_object_mut) {
            keys.iter().for_each(|key| _ = object.remove(*key));
        }
    }
    record
}

/// As the closing summary shows numbers.
fn with_commas(number: u64) -> String {
    undertone::sink::count(number)
}

/// An alert goes out without its process, and comes again with it when the endpoint has told.
fn telemetry_names_the_process_as_it_arrives() {
    let case = "pcaps/first-look/input.pcap";
    let replayed = undertone(&["replay", case]).ended(0);
    let met = replayed.records().into_iter().find(|record| {
        dataset(record) == "undertone.alert" && record["destination"]["domain"] == "pastebin.com"
    });
    let met = met.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("feed.sock"), folder.path().join("events.json"));
    let unix = format!("unix:{}", socket.display());
    let mut sensor = Sensor::start(&["--json", "--feed", &unix, "--feed", file.to_str().unwrap()]);
    play(case);
    std::thread::sleep(Duration::from_millis(500));

    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%3f").to_string();
    let common = format!(
        r#""EventTime":"{now}","UtcTime":"{now}","Hostname":"WS5","SourceName":"Microsoft-Windows-Sysmon","ProcessGuid":"{{365ABB72-6759-5CD8-0000-0010E2D50F00}}","ProcessId":"1420","Image":"C:\\Windows\\System32\\regsvr32.exe","User":"CORP\\a""#
    );
    let start = format!(r#"{{"EventID":1,{common},"CommandLine":"regsvr32 /s /u scrobj.dll"}}"#);
    let connection = format!(
        r#"{{"EventID":3,{common},"Protocol":"tcp","Initiated":"true","SourceIp":{},"SourcePort":"{}","DestinationIp":{},"DestinationPort":"{}"}}"#,
        met["source"]["ip"], met["source"]["port"], met["destination"]["ip"], met["destination"]["port"]
    );
    // One by each way in.
    std::fs::write(&file, start + "\n").unwrap();
    let mut sender = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    sender.write_all((connection + "\nnonsense\n").as_bytes()).unwrap();
    drop(sender);
    sensor.hears("events.json: is there now");
    std::thread::sleep(Duration::from_millis(500));

    let live = sensor.stop("INT").ended(0);
    let alerts: Vec<Value> = live
        .records()
        .into_iter()
        .filter(|record| {
            dataset(record) == "undertone.alert" && record["undertone"]["service"]["name"] == "Pastebin"
        })
        .collect();
    let levels: Vec<String> =
        alerts.iter().map(|alert| text(&alert["undertone"]["attribution"]["level"])).collect();
    assert_eq!(levels.first().map(String::as_str), Some("pending"), "{live:#?}");
    let last = alerts.last().unwrap();
    assert_eq!(last["event"]["action"], "attribution-update", "{last:#}");
    assert_eq!(last["event"]["id"], alerts[0]["event"]["id"]);
    assert_eq!(last["process"]["executable"], "C:\\Windows\\System32\\regsvr32.exe", "{last:#}");
    assert!(live.err.contains("not a record 1"), "{}", live.err);
    assert!(!socket.exists(), "it is taken away");
}
