//! The ladder rung by rung, and feeds that lie.

use proptest::prelude::*;

use super::super::attribution::{Attribution, AttributionLevel};
use super::super::record::{Parent, Process, Time};
use super::*;
use crate::hands::testing::Backwards;

/// A moment of the wire, in milliseconds.
pub(super) const fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_nanos(1_600_000_000 * SECOND + milliseconds * 1_000_000)
}

pub(super) fn end(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint { ip: address.ip(), port: address.port() }
}

pub(super) fn flow(src: &str, dst: &str) -> Flow {
    Flow { src: end(src), dst: end(dst), protocol: Protocol::TCP }
}

pub(super) fn process(pid: u32, image: &'static str) -> Process<'static> {
    let image = (!image.is_empty()).then(|| image.into());
    Process { pid: Some(pid), image, ..Process::default() }
}

pub(super) fn keyed(pid: u32, image: &'static str, key: &'static str) -> Process<'static> {
    Process { key: Some(key.into()), ..process(pid, image) }
}

/// Builds records of a host's Sysmon, whose two clocks are so many nanoseconds ahead.
#[derive(Clone, Copy)]
pub(super) struct Sysmon {
    pub(super) host: &'static str,
    pub(super) skewed: i64,
    pub(super) logged: i64,
}

pub(super) const WS5: Sysmon = Sysmon { host: "WS5", skewed: 0, logged: SECOND };

impl Sysmon {
    fn record(
        self,
        kind: &'static str,
        when: Timestamp,
        clock: Clock,
        what: Said<'static>,
    ) -> Record<'static> {
        let ahead = |by: i64, clock| Time { at: Timestamp::from_nanos(when.as_nanos() + by), clock };
        let skew = if clock == Clock::Skewed { self.skewed } else { 0 };
        Record {
            feed: FeedKind::Sysmon,
            kind: kind.into(),
            id: None,
            host: self.host.into(),
            host_id: None,
            time: ahead(self.logged, Clock::Logged),
            second: Some(ahead(skew, clock)),
            what,
        }
    }

    pub(super) fn start(self, when: Timestamp, process: Process<'static>) -> Record<'static> {
        self.record("1", when, Clock::Event, Said::Start(process))
    }

    pub(super) fn end(self, when: Timestamp, process: Process<'static>) -> Record<'static> {
        self.record("5", when, Clock::Event, Said::End(process))
    }

    pub(super) fn connection(
        self,
        when: Timestamp,
        process: Process<'static>,
        src: &str,
        dst: &str,
    ) -> Record<'static> {
        let end = |text| {
            let end = end(text);
            End { ip: end.ip, port: Some(end.port) }
        };
        let connection = Connection {
            process,
            protocol: Some(Protocol::TCP),
            ends: [end(src), end(dst)],
            local: Some(Side::First),
            initiated: Some(true),
            name: None,
            count: 1,
        };
        self.record("3", when, Clock::Skewed, Said::Connection(connection))
    }

    pub(super) fn query(
        self,
        when: Timestamp,
        process: Process<'static>,
        name: &'static str,
        status: &'static str,
        to: &[&str],
    ) -> Record<'static> {
        let query = Query {
            process,
            name: name.into(),
            addresses: to.iter().map(|ip| ip.parse().unwrap()).collect(),
            aliases: Vec::new(),
            status: Some(status.into()),
        };
        self.record("22", when, Clock::Skewed, Said::Query(query))
    }
}

pub(super) fn joined(records: &[Record<'_>], wire: &[(i64, Flow)]) -> Join {
    let mut join = Join::new(FeedMemory::of_bytes(64 << 20));
    records.iter().for_each(|record| join.record(record));
    wire.iter().for_each(|(when, flow)| join.conversation(*flow, at(*when), true));
    join.settle();
    join
}

pub(super) fn ask(join: &mut Join, when: i64, flow: Flow, name: &str) -> Attribution {
    join.attribute(&question(when, flow, name))
}

fn question(when: i64, flow: Flow, name: &str) -> Question<'_> {
    Question {
        at: at(when),
        flow,
        name: (!name.is_empty()).then_some(name),
        is_dns: flow.dst.port == 53,
        is_server: flow.dst.port != 53,
        or_server: false,
    }
}

/// What is said in short: level, process, and for whom.
fn short(attribution: &Attribution) -> String {
    let name = |process: &Arc<super::super::Process>| match (&process.name, process.pid) {
        (Some(name), Some(pid)) => format!("{name}/{pid}"),
        (name, pid) => format!("{name:?}/{pid:?}"),
    };
    let mut text = attribution.level.as_str().to_owned();
    if let Some(process) = &attribution.process {
        text = format!("{text} {}", name(process));
    }
    if let Some(delegated) = &attribution.delegated {
        text = format!(
            "{text} for {} by {}",
            delegated.likely.as_ref().map_or_else(|| "?".into(), name),
            delegated.kind
        );
        if let Some(level) = delegated.level {
            text = format!("{text} at {}", level.as_str());
        }
    }
    let mut others: Vec<String> = attribution.others.iter().map(name).collect();
    others.sort();
    if !others.is_empty() {
        text = format!("{text} [{}]", others.join(" "));
    }
    text
}

pub(super) const POWERSHELL: &str = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe";
const SVCHOST: &str = "C:\\Windows\\System32\\svchost.exe";
const CLIENT: &str = "10.0.0.7:50000";
pub(super) const SERVER: &str = "162.125.1.19:443";
pub(super) const RESOLVER: &str = "10.0.0.1:53";

/// The attribution of one connection at 10 s to `name`, given records, and of the question for it just before.
#[track_caller]
fn check(records: &[Record<'_>], connection: &str, question: &str) {
    for turned in [false, true] {
        let mut records = records.to_vec();
        if turned {
            records.reverse();
        }
        let mut join = joined(&records, &[(10_000, flow(CLIENT, SERVER))]);
        assert_eq!(
            short(&ask(&mut join, 10_050, flow(CLIENT, SERVER), "a.example")),
            connection,
            "turned {turned}"
        );
        let asked = ask(&mut join, 9_900, flow("10.0.0.7:60000", RESOLVER), "a.example");
        assert_eq!(short(&asked), question, "turned {turned}");
    }
}

#[test]
fn nothing_is_known_of_a_host_without_records() {
    check(&[], "no-telemetry", "no-telemetry");
    let other = Sysmon { host: "WS6", ..WS5 };
    check(
        &[other.connection(at(10_000), process(9, POWERSHELL), "10.0.0.8:1025", SERVER)],
        "no-telemetry",
        "no-telemetry",
    );
    let day = 86_400_000;
    check(
        &[WS5.connection(at(10_000 - day), process(9, POWERSHELL), "10.0.0.7:1025", "1.1.1.1:443")],
        "no-telemetry",
        "no-telemetry",
    );
}

#[test]
fn a_tuple_and_a_name() {
    let connection = WS5.connection(at(10_000), process(9, POWERSHELL), CLIENT, SERVER);
    check(std::slice::from_ref(&connection), "tuple powershell.exe/9", "none");
    let query = WS5.query(at(9_950), process(9, POWERSHELL), "A.Example.", "0", &["162.125.1.19"]);
    check(&[connection, query], "tuple-and-name powershell.exe/9", "dns-answer powershell.exe/9");
}

#[test]
fn the_record_of_the_other_end_names_nobody() {
    let mut accepted = WS5.connection(at(10_000), process(9, POWERSHELL), SERVER, CLIENT);
    if let Said::Connection(connection) = &mut accepted.what {
        connection.initiated = Some(false);
    }
    check(&[accepted], "no-telemetry", "no-telemetry");
}

#[test]
fn an_offset_is_learned_from_three_connections() {
    let behind = Sysmon { skewed: -5 * 86_400 * SECOND, logged: -5 * 86_400 * SECOND, ..WS5 };
    let flows: Vec<(i64, Flow)> =
        (0..4).map(|n| (n * 1000, flow(&format!("10.0.0.7:{}", 50_000 + n), SERVER))).collect();
    for number in 1..=4 {
        let records: Vec<_> = flows[..number]
            .iter()
            .map(|(when, flow)| {
                behind.connection(at(*when + 3), process(9, POWERSHELL), &flow.src.to_string(), SERVER)
            })
            .collect();
        let mut join = joined(&records, &flows);
        let found = ask(&mut join, 50, flows[0].1, "a.example");
        let expected = if number < 3 { "no-telemetry" } else { "tuple powershell.exe/9" };
        assert_eq!(short(&found), expected, "{number}");
        if number >= 3 {
            assert_eq!(found.clock_offset, Some(behind.skewed + 3_000_000));
        }
    }
}

#[test]
fn a_zone_is_found_by_starts_and_by_connections() {
    let zone = -4 * 3600 * SECOND;
    let local = Sysmon { logged: zone + SECOND, skewed: 60 * SECOND, ..WS5 };
    let records = [
        local.start(at(5_000), process(9, POWERSHELL)),
        local.connection(at(10_000), process(9, POWERSHELL), CLIENT, SERVER),
    ];
    check(&records, "tuple powershell.exe/9", "none");
    let join = joined(&records, &[]);
    let zones = join.report().zones;
    assert_eq!(zones.iter().map(ZoneFound::zone).collect::<Vec<_>>(), ["UTC-04:00"]);
}

#[test]
fn an_unknown_process_is_who_had_its_number() {
    let unknown = process(9, "");
    let mut records = vec![
        WS5.start(at(1_000), keyed(9, "C:\\a.exe", "k1")),
        WS5.end(at(2_000), keyed(9, "C:\\a.exe", "k1")),
        WS5.start(at(9_000), keyed(9, "C:\\mshta.exe", "k2")),
        WS5.end(at(9_960), keyed(9, "C:\\mshta.exe", "k2")),
        WS5.start(at(30_000), keyed(9, "C:\\b.exe", "k3")),
        WS5.connection(at(10_000), unknown.clone(), CLIENT, SERVER),
        WS5.query(at(9_950), unknown, "a.example", "0", &["162.125.1.19"]),
    ];
    check(&records, "tuple-and-name mshta.exe/9", "dns-answer mshta.exe/9");
    records.drain(2..4);
    check(&records, "tuple-and-name a.exe/9", "dns-answer a.exe/9");
    records.drain(..2);
    check(&records, "tuple-and-name None/Some(9)", "dns-answer None/Some(9)");
}

#[test]
fn a_delegate_acts_for_whoever_has_the_name_in_its_command_line() {
    let start = |pid, image, line: &'static str, key| {
        let process = Process { command_line: Some(line.into()), ..keyed(pid, image, key) };
        WS5.start(at(9_500), process)
    };
    let mut bitsadmin = start(8, "C:\\bitsadmin.exe", "bitsadmin /transfer x https://A.Example/f", "k8");
    if let Said::Start(process) = &mut bitsadmin.what {
        process.parent = Some(Parent { pid: Some(7), key: Some("k7".into()), ..Parent::default() });
    }
    let records = [
        start(7, "C:\\cmd.exe", "cmd /c bitsadmin /transfer x https://a.example/f", "k7"),
        bitsadmin,
        start(6, "C:\\notepad.exe", "notepad a.example.org", "k6"),
        start(5, SVCHOST, "svchost.exe -k netsvcs -p -s BITS", "k5"),
        WS5.connection(at(10_000), keyed(5, SVCHOST, "k5"), CLIENT, SERVER),
        WS5.query(at(9_950), keyed(5, SVCHOST, "k5"), "a.example", "0", &["162.125.1.19"]),
    ];
    check(
        &records,
        "tuple-and-name svchost.exe/5 for bitsadmin.exe/8 by bits at command-line",
        "dns-answer svchost.exe/5 for bitsadmin.exe/8 by bits at command-line",
    );
}

#[test]
fn who_only_looks_what_others_ask_for_is_not_it() {
    const MSMPENG: &str = "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MsMpEng.exe";
    let records = [
        WS5.query(at(9_950), process(9, POWERSHELL), "a.example", "0", &["162.125.1.19"]),
        WS5.query(at(9_940), process(3, MSMPENG), "a.example", "9701", &[]),
        WS5.query(at(9_941), process(3, MSMPENG), "a.example", "0", &["162.125.1.19"]),
        WS5.connection(at(9_000), process(9, POWERSHELL), "10.0.0.7:1025", "1.1.1.1:1"),
    ];
    check(&records, "dns-answer powershell.exe/9", "dns-answer powershell.exe/9");
}

#[test]
fn two_that_may_be_it_are_ambiguous() {
    let records = [
        WS5.query(at(9_950), process(9, POWERSHELL), "a.example", "0", &["162.125.1.19"]),
        WS5.query(at(9_960), process(3, "C:\\x.exe"), "a.example", "0", &["162.125.1.19"]),
        WS5.connection(at(9_000), process(9, POWERSHELL), "10.0.0.7:1025", "1.1.1.1:1"),
    ];
    check(&records, "ambiguous [powershell.exe/9 x.exe/3]", "ambiguous [powershell.exe/9 x.exe/3]");
    let other = Sysmon { host: "WS6", ..WS5 };
    let both = [
        WS5.connection(at(10_000), process(9, POWERSHELL), CLIENT, SERVER),
        other.connection(at(10_000), process(4, "C:\\x.exe"), CLIENT, SERVER),
    ];
    check(&both, "ambiguous [powershell.exe/9 x.exe/4]", "ambiguous");
}

/// The sensor is outside of a translation of addresses: it sees the gateway's address and none of the hosts'.
#[test]
fn behind_a_gateway_it_is_one_of_a_set() {
    let other = Sysmon { host: "ws6", ..WS5 };
    let inside = |sysmon: Sysmon, pid, client: &str| {
        // Its own address, as it sees it.
        sysmon.connection(at(9_000), process(pid, POWERSHELL), client, "192.168.0.1:445")
    };
    let asked = |sysmon: Sysmon, when, pid| {
        sysmon.query(at(when), process(pid, POWERSHELL), "a.example", "0", &["162.125.1.19"])
    };
    let alone = [inside(WS5, 9, "192.168.0.5:50000"), asked(WS5, 9_950, 9)];
    check(&alone, "site [powershell.exe/9]", "site [powershell.exe/9]");
    let both = [
        inside(WS5, 9, "192.168.0.5:50000"),
        asked(WS5, 9_950, 9),
        inside(other, 8, "192.168.0.6:50000"),
        asked(other, 9_990, 8),
        // Too long ago, though its answer is good still.
        asked(other, 10_000 - 60_000, 7),
    ];
    check(&both, "site [powershell.exe/8 powershell.exe/9]", "site [powershell.exe/8 powershell.exe/9]");
    let mut join = joined(&both, &[(10_000, flow(CLIENT, SERVER))]);
    let found = ask(&mut join, 10_050, flow(CLIENT, SERVER), "a.example");
    let hosts: Vec<_> = found.hosts.iter().map(|host| &*host.name).collect();
    assert_eq!((hosts.as_slice(), found.host), (&["ws5", "ws6"][..], None));
    // A host that is seen on the wire by an address of its own is not behind another.
    let mut join = joined(
        &alone,
        &[(10_000, flow(CLIENT, SERVER)), (9_000, flow("192.168.0.5:50000", "192.168.0.1:445"))],
    );
    assert_eq!(short(&ask(&mut join, 10_050, flow(CLIENT, SERVER), "a.example")), "no-telemetry");
}

#[test]
fn a_host_has_a_set_of_addresses() {
    let addresses = ["10.0.0.7", "10.9.0.7", "2001:db8::7", "2001:db8::abcd"];
    let client = |ip: &str| if ip.contains(':') { format!("[{ip}]:50000") } else { format!("{ip}:50000") };
    let said = |addresses: &[&str]| {
        let said = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        WS5.record("host.ip", at(9_000), Clock::Event, Said::Addresses(said))
    };
    let records =
        [said(&addresses), WS5.query(at(9_950), process(9, POWERSHELL), "a.example", "0", &["162.125.1.19"])];
    for ip in addresses {
        let server = if ip.contains(':') { "[2001:db8:1::1]:443" } else { SERVER };
        let flow = flow(&client(ip), server);
        let mut join = joined(&records, &[(10_000, flow)]);
        let expected = if ip.contains(':') { "name powershell.exe/9" } else { "dns-answer powershell.exe/9" };
        assert_eq!(short(&ask(&mut join, 10_050, flow, "a.example")), expected, "{ip}");
    }
}

#[test]
fn a_first_asker_caused_the_packet() {
    let records = [
        WS5.query(at(9_950), process(9, POWERSHELL), "a.example", "0", &[]),
        WS5.query(at(13_000), process(3, "C:\\x.exe"), "a.example", "0", &[]),
        WS5.connection(at(9_000), process(9, POWERSHELL), "10.0.0.7:1025", "1.1.1.1:1"),
    ];
    check(&records, "ambiguous [powershell.exe/9 x.exe/3]", "dns-answer powershell.exe/9");
}

#[test]
fn a_record_without_a_port_of_its_own() {
    let without = |when, pid, image| {
        let mut record = WS5.connection(at(when), process(pid, image), CLIENT, SERVER);
        record.feed = FeedKind::Auditbeat;
        if let Said::Connection(connection) = &mut record.what {
            connection.ends[0].port = None;
        }
        record
    };
    check(&[without(9_000, 9, POWERSHELL)], "destination powershell.exe/9", "none");
    check(&[without(100_000, 9, POWERSHELL)], "host [powershell.exe/9]", "none");
    check(
        &[without(9_000, 9, POWERSHELL), without(9_100, 3, "C:\\x.exe")],
        "ambiguous [powershell.exe/9 x.exe/3]",
        "none",
    );
    let mut asked = WS5.query(at(9_950), process(9, POWERSHELL), "a.example", "0", &[]);
    asked.feed = FeedKind::Auditbeat;
    check(
        &[without(9_000, 9, POWERSHELL), without(9_100, 3, "C:\\x.exe"), asked],
        "destination powershell.exe/9",
        "dns-answer powershell.exe/9",
    );
}

/// A container has an address of its own, and on the wire there is its host's: with the same port mostly.
#[test]
fn a_container_is_behind_its_hosts_address() {
    let contained = |when, pid, client: &str| {
        let process = Process { container: Some("containerd://c1".into()), ..process(pid, "/usr/bin/curl") };
        let mut record = WS5.connection(at(when), process, client, SERVER);
        record.feed = FeedKind::Tetragon;
        record
    };
    // The host's own address is known by another connection.
    let mut own = WS5.connection(at(9_000), process(3, "/usr/bin/kubelet"), "10.0.0.7:1025", "10.0.0.1:6443");
    own.feed = FeedKind::Tetragon;
    let seen = "destination curl/9";
    check(&[own.clone(), contained(9_995, 9, "10.244.0.30:50000")], seen, "none");
    check(&[own.clone(), contained(9_995, 9, "10.244.0.30:41000")], seen, "none");
    let two =
        [own.clone(), contained(9_995, 9, "10.244.0.30:50000"), contained(9_996, 8, "10.244.0.31:41000")];
    check(&two, seen, "none");
    let two =
        [own.clone(), contained(9_995, 9, "10.244.0.30:40999"), contained(9_996, 8, "10.244.0.31:41000")];
    check(&two, "ambiguous [curl/8 curl/9]", "none");
    // What is in no container has the address that it says, and this is none of its connections.
    let mut other = WS5.connection(at(9_995), process(9, "/usr/bin/curl"), "10.9.0.7:50000", SERVER);
    other.feed = FeedKind::Tetragon;
    check(&[own.clone(), other], "host [curl/9]", "none");
    // The bridge of Docker is every host's.
    let mut bridge = WS5.connection(at(9_995), process(9, "/usr/bin/curl"), "172.17.0.2:50000", SERVER);
    bridge.feed = FeedKind::Tetragon;
    check(&[own, bridge], seen, "none");
}

#[test]
fn a_feed_that_tells_of_the_first_of_many() {
    let mut first = WS5.connection(at(10_000 - 3_600_000), process(9, POWERSHELL), "10.0.0.7:1025", SERVER);
    first.feed = FeedKind::Defender;
    let mut later = WS5.connection(at(20_000), process(9, POWERSHELL), "10.0.0.7:1026", "1.1.1.1:1");
    later.feed = FeedKind::Defender;
    check(&[first, later], "destination-before powershell.exe/9", "none");
}

#[test]
fn ports_that_are_used_again_are_told_apart_by_time() {
    let records = [
        WS5.connection(at(10_000), keyed(9, POWERSHELL, "k9"), CLIENT, SERVER),
        WS5.connection(at(70_000), keyed(3, "C:\\x.exe", "k3"), CLIENT, SERVER),
    ];
    let mut join = joined(&records, &[(70_000, flow(CLIENT, SERVER)), (10_000, flow(CLIENT, SERVER))]);
    assert_eq!(short(&ask(&mut join, 10_050, flow(CLIENT, SERVER), "")), "tuple powershell.exe/9");
    assert_eq!(
        short(&ask(&mut join, 69_000, flow(CLIENT, SERVER), "")),
        "tuple powershell.exe/9",
        "an old one"
    );
    assert_eq!(short(&ask(&mut join, 70_050, flow(CLIENT, SERVER), "")), "tuple x.exe/3");
}

#[test]
fn a_clock_that_jumps_an_hour_has_two_offsets() {
    let mut records = Vec::new();
    let mut flows = Vec::new();
    for number in 0..40 {
        let when = number * 10_000;
        let client = format!("10.0.0.7:{}", 50_000 + number);
        let ahead = if number < 20 { 0 } else { 3600 * SECOND };
        let clock = Sysmon { skewed: ahead, logged: ahead + SECOND, ..WS5 };
        records.push(clock.connection(at(when), process(number as u32 + 1, "C:\\x.exe"), &client, SERVER));
        flows.push((when, flow(&client, SERVER)));
    }
    let mut join = joined(&records, &flows);
    for (number, (when, flow)) in flows.iter().enumerate() {
        let found = ask(&mut join, when + 10, *flow, "");
        assert_eq!(short(&found), format!("tuple x.exe/{}", number + 1));
    }
    assert!(join.report().offsets.iter().all(|offset| offset.jumps == 1), "{:?}", join.report().offsets);
}

#[test]
fn a_number_three_times_in_a_minute() {
    let mut records = Vec::new();
    let mut flows = Vec::new();
    for (turn, (image, key)) in
        [("C:\\a.exe", "k1"), ("C:\\b.exe", "k2"), ("C:\\c.exe", "k3")].into_iter().enumerate()
    {
        let when = turn as i64 * 20_000;
        let client = format!("10.0.0.7:{}", 50_000 + turn);
        records.push(WS5.start(at(when), keyed(9, image, key)));
        records.push(WS5.connection(at(when + 100), process(9, ""), &client, SERVER));
        records.push(WS5.end(at(when + 200), keyed(9, image, key)));
        flows.push((when + 100, flow(&client, SERVER)));
    }
    let mut join = joined(&records, &flows);
    let found: Vec<String> =
        flows.iter().map(|(when, flow)| short(&ask(&mut join, *when, *flow, ""))).collect();
    assert_eq!(found, ["tuple a.exe/9", "tuple b.exe/9", "tuple c.exe/9"]);
}

#[test]
fn one_process_in_two_feeds_is_one() {
    let mut security = WS5.connection(
        at(10_000),
        process(9, "\\device\\harddiskvolume2\\Windows\\POWERSHELL.EXE"),
        CLIENT,
        SERVER,
    );
    security.feed = FeedKind::Security;
    security.kind = "5156".into();
    let sysmon = WS5.connection(at(10_000), keyed(9, POWERSHELL, "k9"), CLIENT, SERVER);
    check(&[sysmon, security], "tuple powershell.exe/9", "none");
}

#[test]
fn two_spellings_of_a_host_are_one() {
    let long = Sysmon { host: "ws5.corp.example", ..WS5 };
    let records = [
        long.start(at(9_000), keyed(9, "C:\\mshta.exe", "k2")),
        WS5.connection(at(10_000), process(9, ""), CLIENT, SERVER),
        long.query(at(9_950), process(9, ""), "a.example", "0", &[]),
    ];
    check(&records, "tuple-and-name mshta.exe/9", "dns-answer mshta.exe/9");
    let mut join = joined(&records, &[]);
    let found = ask(&mut join, 10_000, flow(CLIENT, SERVER), "");
    assert_eq!(found.host.unwrap().name.as_ref(), "ws5.corp.example");
    assert_eq!(join.report().hosts, 1);
}

#[test]
fn memory_is_bounded_and_what_is_left_out_is_told() {
    let mut join = Join::new(FeedMemory::of_bytes(64 << 10));
    for number in 0..5_000u32 {
        let client = format!("10.0.{}.{}:50000", number / 250, number % 250 + 1);
        join.record(&WS5.connection(at(i64::from(number)), process(number, POWERSHELL), &client, SERVER));
        join.record(&WS5.query(at(i64::from(number)), process(number, POWERSHELL), "a.example", "0", &[]));
        join.conversation(flow(&client, SERVER), at(0), true);
    }
    assert!(join.has_lost());
    let limits = join.report().limits;
    for what in ["connections of the feed", "questions of the feed", "processes of the feed"] {
        assert!(limits.iter().any(|(name, count)| name == what && *count > 0), "{what}: {limits:?}");
    }
    assert_eq!(join.connections.len(), join.memory.connections);
}

#[test]
fn a_duplicate_changes_nothing() {
    let connection = WS5.connection(at(10_000), process(9, POWERSHELL), CLIENT, SERVER);
    check(&[connection.clone(), connection.clone(), connection.clone()], "tuple powershell.exe/9", "none");
    assert_eq!(joined(&[connection.clone(), connection], &[]).report().duplicates, 1);
}

/// Records of some hosts, with numbers that recur, clocks that are wrong, delegates, and processes that nobody names.
fn office(turns: usize) -> (Vec<Record<'static>>, Vec<(i64, Flow)>) {
    let mut records = Vec::new();
    let mut flows = Vec::new();
    let hosts = [
        Sysmon { host: "ws5", skewed: -61 * SECOND, logged: SECOND },
        Sysmon { host: "ws6.corp.example", skewed: 3 * SECOND, logged: -5 * 3600 * SECOND + SECOND },
        Sysmon { host: "ws7", skewed: 6 * 86_400 * SECOND, logged: SECOND },
    ];
    let images = ["C:\\a.exe", POWERSHELL, SVCHOST, "C:\\Program Files\\b.exe"];
    // As Sysmon makes them: the second and third group are a second of the start.
    let keys = [
        "00000001-1000-5f5e-0000-000000000000",
        "00000001-1007-5f5e-0000-000000000001",
        "00000001-100e-5f5e-0000-000000000002",
        "00000001-1015-5f5e-0000-000000000003",
        "00000001-101c-5f5e-0000-000000000004",
        "00000001-1023-5f5e-0000-000000000005",
        "00000001-102a-5f5e-0000-000000000006",
        "00000001-1031-5f5e-0000-000000000007",
        "00000001-1038-5f5e-0000-000000000008",
        "00000001-103f-5f5e-0000-000000000009",
    ];
    for (number, sysmon) in hosts.into_iter().enumerate() {
        for turn in 0..turns {
            let when = turn as i64 * 7_000;
            let pid = 100 + (turn as u32 % 3);
            let client = format!("10.0.0.{}:{}", number + 5, 50_000 + turn);
            let image = images[(turn + number) % images.len()];
            let known = keyed(pid, image, keys[turn]);
            if turn % 4 != 3 {
                records.push(sysmon.start(at(when - 400), known.clone()));
            }
            let said = if turn % 3 == 1 { process(pid, "") } else { known.clone() };
            records.push(sysmon.query(at(when - 20), said.clone(), "a.example", "0", &["162.125.1.19"]));
            records.push(sysmon.connection(at(when), said, &client, SERVER));
            records.push(sysmon.end(at(when + 500), known));
            flows.push((when, flow(&client, SERVER)));
        }
    }
    (records, flows)
}

fn all(records: &[Record<'_>], flows: &[(i64, Flow)]) -> Vec<Attribution> {
    let mut join = joined(records, flows);
    let mut sorted = flows.to_vec();
    sorted.sort();
    (sorted.iter())
        .flat_map(|(when, flow)| {
            let asked = Flow { dst: end(RESOLVER), ..*flow };
            [ask(&mut join, when + 30, *flow, "a.example"), ask(&mut join, when - 30, asked, "a.example")]
        })
        .collect()
}

#[test]
fn the_office_is_told_apart() {
    let (records, flows) = office(10);
    let found = all(&records, &flows);
    assert_eq!(found.len(), 60);
    let named = found.iter().filter(|one| one.process.as_ref().is_some_and(|process| process.name.is_some()));
    assert!(named.count() >= 54, "{:#?}", found.iter().map(short).collect::<Vec<_>>());
    assert!(found.iter().all(|one| one.level >= AttributionLevel::DnsAnswer));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Records and connections in any order, some of them twice: the same attributions, to the letter.
    #[test]
    fn order_decides_nothing(seed in any::<u64>(), again in 0usize..20) {
        let (mut records, mut flows) = office(4);
        let expected = all(&records, &flows);
        let copies: Vec<_> = records.iter().take(again).cloned().collect();
        records.extend(copies);
        shuffle(&mut records, seed);
        shuffle(&mut flows, seed.rotate_left(17));
        prop_assert_eq!(all(&records, &flows), expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// So many hands, who do everything in another order: the same, to the letter; and asked for one by one it is the same again.
    #[test]
    fn hands_decide_nothing(seed in any::<u64>(), hands in 1usize..6) {
        let (mut records, mut flows) = office(4);
        let expected = all(&records, &flows);
        shuffle(&mut records, seed);
        let mut join = Join::new(FeedMemory::of_bytes(64 << 20)).with_hands(Arc::new(Backwards(hands)));
        records.iter().for_each(|record| join.record(record));
        flows.iter().for_each(|(when, flow)| join.conversation(*flow, at(*when), true));
        join.settle();
        flows.sort();
        let asked: Vec<_> = (flows.into_iter())
            .flat_map(|(when, flow)| {
                let asked = Flow { dst: end(RESOLVER), ..flow };
                [question(when + 30, flow, "a.example"), question(when - 30, asked, "a.example")]
            })
            .collect();
        // More than one piece of them.
        let many = asked.len() * (1 + (seed % 40) as usize);
        let asked: Vec<_> = asked.into_iter().cycle().take(many).collect();
        let mut found = Vec::new();
        let ordered = asked.clone();
        join.attribute_all(asked, |one| *one, &mut |one, attribution| found.push((one.at, attribution)));
        prop_assert!(ordered.iter().map(|one| one.at).eq(found.iter().map(|(at, _)| *at)));
        prop_assert!(found.iter().map(|(_, found)| found).eq(expected.iter().cycle().take(many)));
    }
}

proptest! {
    /// Records that say anything do no harm.
    #[test]
    fn noise_is_borne(pids in prop::collection::vec(any::<u32>(), 1..20), times in prop::collection::vec(any::<i64>(), 1..20)) {
        let mut records = Vec::new();
        for (pid, time) in pids.iter().cycle().zip(&times) {
            let when = Timestamp::from_nanos(*time / 2);
            let process = process(*pid, "C:\\x.exe");
            records.push(WS5.start(when, process.clone()));
            records.push(WS5.connection(when, process.clone(), CLIENT, SERVER));
            records.push(WS5.query(when, process.clone(), "a.example", "0", &["162.125.1.19"]));
            records.push(WS5.end(when, process));
        }
        let mut join = joined(&records, &[(0, flow(CLIENT, SERVER)), (i64::MAX / 4_000_000, flow(SERVER, CLIENT))]);
        ask(&mut join, 10, flow(CLIENT, SERVER), "a.example");
        ask(&mut join, 10, flow(CLIENT, RESOLVER), "a.example");
    }
}

pub(super) fn shuffle<T>(values: &mut [T], mut seed: u64) {
    for place in (1..values.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values.swap(place, (seed >> 33) as usize % (place + 1));
    }
}
