//! Sigma rules: the community's load unchanged and fire, and what can never fire is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use undertone::capture::Timestamp;
use undertone::flow::{Conversation, Endpoint, Flow, Protocol, Volume};
use undertone::hostname::Hostname;
use undertone::inspect::{Detail, Observation, SeenIn};
use undertone::lists::{Builder, Contact, Wanted};
use undertone::originator::{Attribution, AttributionLevel, Process};
use undertone::rules::sigma::{Report, Service};
use undertone::rules::{Finding, Rules, SigmaRules};

/// Rule files below a folder, sorted.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yml") {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn load(files: &[(String, Vec<u8>)]) -> Rules {
    Rules::load(false, files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

fn one(text: &str) -> Rules {
    load(&[("x.yml".into(), text.as_bytes().to_vec())])
}

fn report(rules: &Rules) -> &Report {
    let [report] = rules.sigma().own_reports() else { panic!("{:?}", rules.sigma().reports()) };
    report
}

/// A rule for a category with these lines of its detection.
fn rule(category: &str, detection: &str) -> String {
    let indented: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "title: T\nid: 7f2c0d84-4c52-4f0f-9d51-5d9b1bd1a001\nlogsource:\n    category: {category}\ndetection:\n{indented}level: high\n"
    )
}

/// The finding of a contact by a process of this path and command line; without a process where the path is empty.
fn meet(rules: &Rules, hostname: &str, seen_in: SeenIn, path: &str, line: &str) -> Option<Finding> {
    let mut builder = Builder::with_builtin();
    builder.want(rules.sigma().wanted());
    let lists = builder.build();
    let entry = lists.lookup(hostname)?.clone();
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    };
    let observation = Observation {
        at: Timestamp::from_parts(1000, 0),
        source: 0,
        frame: 1,
        flow: Flow { src: end("10.0.0.7:50000"), dst: end("192.0.2.1:443"), protocol: Protocol::TCP },
        hostname: Hostname::new(hostname).unwrap(),
        seen_in,
        detail: Detail::Nothing,
        path: None,
        disagrees_with: Vec::new(),
    };
    let process = (!path.is_empty()).then(|| {
        Arc::new(Process {
            executable: Some(path.into()),
            command_line: (!line.is_empty()).then(|| line.into()),
            started: Some(Timestamp::from_parts(900, 0)),
            ..Process::default()
        })
    });
    let level = if process.is_some() { AttributionLevel::Tuple } else { AttributionLevel::NoTelemetry };
    let attribution = Attribution { process, ..Attribution::nobody(level) };
    rules.judge(Contact { observation, entry }, attribution)
}

const PS: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";

/// All 105 of the community's load, and those that say something of a hostname are asked on it.
#[test]
fn the_communitys_rules_load_unchanged() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let files = files(&Path::new(&corpus).join("../sigma"));
    assert_eq!(files.len(), 105);
    let rules = load(&files);
    let reports = rules.sigma().reports();
    assert_eq!(reports.len(), 105);
    let mut counts = BTreeMap::<&str, usize>::new();
    for report in reports {
        let kind = match &report.service {
            Service::Names(_) => "names",
            Service::Connections => "connections",
            Service::Listed => "listed",
            Service::Unserved(_) => "unserved",
            Service::Never(_) => "never",
            Service::Refused(_) => "refused",
        };
        *counts.entry(kind).or_default() += 1;
        let file = report.file.rsplit('/').next().unwrap();
        println!("{file}: {}", report.service);
        report.notes.iter().for_each(|(what, right)| println!("    {what}; {right}"));
    }
    println!("{counts:?}, {} hostnames asked for", rules.sigma().wanted().len());
    assert_eq!(counts, [("connections", 43), ("listed", 5), ("names", 56), ("never", 1)].into());
    assert!(rules.sigma().ask_connections());
    assert_eq!(counts.get("refused"), None);
    assert_eq!(counts.get("unserved"), None);
    let fired = |hostname: &str, seen_in, path: &str| {
        meet(&rules, hostname, seen_in, path, "x").map(|finding| {
            let mut names: Vec<_> = finding.rules.iter().map(|rule| rule.name.clone()).collect();
            names.sort();
            names
        })
    };
    let says = |names: Option<Vec<String>>, part: &str| {
        names.unwrap_or_default().iter().any(|name| name.contains(part))
    };
    // A dead drop by an unknown program, and not by a browser; nothing while the process is not known.
    assert!(says(fired("pastebin.com", SeenIn::TlsSni, r"C:\Users\u\x.exe"), "Dead Drop"));
    assert!(!says(
        fired("pastebin.com", SeenIn::TlsSni, r"C:\Program Files\Google\Chrome\Application\chrome.exe"),
        "Dead Drop"
    ));
    assert!(!says(fired("pastebin.com", SeenIn::TlsSni, ""), "Dead Drop"));
    // Without a process: names that no list has, by suffix and within.
    assert!(says(fired("x.localtonet.com", SeenIn::TlsSni, ""), "LocaltoNet"));
    assert!(says(fired("pool.minexmr.com", SeenIn::TlsSni, ""), "Crypto"));
    assert!(says(fired("ufile.io", SeenIn::DnsQuery, ""), "Ufile"));
    // Only a rule's name, and another's program: no finding at all.
    assert_eq!(fired("unlisted.example", SeenIn::TlsSni, PS), None);
}

/// Rules without a hostname are asked on contacts with listed names as well, once the process is known; `connections.rs` has the others.
#[test]
fn a_rule_without_a_hostname_runs_on_listed_names() {
    let rules = one(&rule(
        "network_connection",
        "s:\n    Image|endswith: '\\powershell.exe'\n    Initiated: 'true'\ncondition: s",
    ));
    assert_eq!(report(&rules).service, Service::Connections);
    assert!(meet(&rules, "pastebin.com", SeenIn::TlsSni, PS, "").is_some());
    assert!(meet(&rules, "pastebin.com", SeenIn::TlsSni, r"C:\x.exe", "").is_none());
    assert!(meet(&rules, "pastebin.com", SeenIn::TlsSni, "", "").is_none());
    assert!(meet(&rules, "pastebin.com", SeenIn::DnsQuery, PS, "").is_none(), "a question is no connection");
    assert!(meet(&rules, "unlisted.example", SeenIn::TlsSni, PS, "").is_none());
}

/// A connection to a server of this name (none where it is empty) by Notepad, which began it, or accepted it.
fn connect(rules: &Rules, name: &str, accepted: bool) -> Option<Finding> {
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    };
    let volume = Volume { packets: 1, bytes: 60 };
    let at = Timestamp::from_parts(1000, 0);
    let conversation = Conversation {
        flow: Flow { src: end("10.0.0.7:50000"), dst: end("192.0.2.1:443"), protocol: Protocol::TCP },
        whole: true,
        ended: true,
        half_ended: false,
        source: 0,
        first_frame: 1,
        last_frame: 2,
        first: at,
        last: at,
        sent: volume,
        received: volume,
        copies: 0,
        path: None,
        name: (!name.is_empty()).then(|| Box::new((Hostname::new(name).unwrap(), SeenIn::TlsSni))),
    };
    let process = Arc::new(Process {
        executable: Some(r"C:\Windows\notepad.exe".into()),
        started: Some(Timestamp::from_parts(900, 0)),
        ..Process::default()
    });
    let attribution =
        Attribution { process: Some(process), accepted, ..Attribution::nobody(AttributionLevel::Tuple) };
    rules.connection(&conversation, &attribution)
}

/// What a rule sees of a connection that no list speaks of: its ends, its process, its name if it has one, and no service.
#[test]
fn a_connection_has_its_ends_its_process_and_perhaps_a_name() {
    for (detection, name, accepted, fires) in [
        ("Image|endswith: '\\notepad.exe'", "", false, true),
        ("Image|endswith: '\\notepad.exe'", "", true, true),
        ("Image|endswith: '\\paint.exe'", "", false, false),
        ("Initiated: 'true'", "", false, true),
        ("Initiated: 'true'", "", true, false),
        ("Initiated: 'false'", "", true, true),
        ("DestinationPort: 443", "", false, true),
        ("DestinationPort: 80", "", false, false),
        ("DestinationIp|cidr: 192.0.2.0/24", "", false, true),
        ("SecondsSinceProcessStart|lte: 100", "", false, true),
        (r"DestinationHostname|re: '^c[0-9]\.example$'", "c2.example", false, true),
        (r"DestinationHostname|re: '^c[0-9]\.example$'", "d2.example", false, false),
        (r"DestinationHostname|re: '.*'", "", false, false),
        ("DestinationHostname: null", "", false, true),
        ("SeenIn: tls_sni", "c2.example", false, true),
        ("SeenIn: address", "", false, false),
        ("ServiceName: '*'", "c2.example", false, false),
        ("NoiseTier|gte: 1", "c2.example", false, false),
        ("OriginatorClass: lolbin", "", false, true),
    ] {
        let rules = one(&rule("network_connection", &format!("s:\n    {detection}\ncondition: s")));
        assert_eq!(report(&rules).service, Service::Connections, "{detection}");
        let finding = connect(&rules, name, accepted);
        assert_eq!(finding.is_some(), fires, "{detection} {name:?} {accepted}");
        assert!(
            finding.is_none_or(|finding| finding.contact.entry.is_of_rule() && finding.rules[0].name == "T")
        );
    }
    // One that asks for a name is left to contacts.
    let named = one(&rule("network_connection", "s:\n    DestinationHostname: c2.example\ncondition: s"));
    assert!(connect(&named, "c2.example", false).is_none() && !named.sigma().ask_connections());
}

/// An exclusion by a field that is not known would not hold: the rule waits.
#[test]
fn exclusions_wait_for_their_field() {
    let rules = one(&rule(
        "contact",
        "s:\n    QueryName|endswith: '.dropboxapi.com'\nf:\n    CommandLine|contains: 'backup'\ncondition: s and not f",
    ));
    let fires =
        |path: &str, line: &str| meet(&rules, "api.dropboxapi.com", SeenIn::DnsQuery, path, line).is_some();
    assert!(fires(PS, "x"));
    assert!(!fires(PS, "backup"));
    assert!(!fires(PS, ""), "the command line is not known");
    assert!(!fires("", ""));
}

#[test]
fn hostnames_of_rules_become_part_of_what_is_looked_for() {
    let wanted = |value: &str| {
        let rules = one(&rule("dns_query", &format!("s:\n    {value}\ncondition: s")));
        rules.sigma().wanted().iter().cloned().collect::<Vec<_>>()
    };
    let suffix = |text: &str| vec![Wanted::Suffix(text.into())];
    assert_eq!(wanted("QueryName: ngrok.example"), suffix("ngrok.example"));
    assert_eq!(wanted("QueryName: 'NGROK.example'"), suffix("ngrok.example"));
    assert_eq!(wanted("QueryName|endswith: .ngrok.example"), suffix("ngrok.example"));
    assert_eq!(wanted("QueryName|endswith: ngrok.example"), suffix("ngrok.example"));
    assert_eq!(wanted("QueryName: '*.ngrok.example'"), suffix("ngrok.example"));
    assert_eq!(wanted("QueryName|endswith: .onion"), suffix("onion"));
    assert_eq!(wanted("QueryName|endswith: '-tunnel.example'"), [Wanted::End("-tunnel.example".into())]);
    assert_eq!(wanted("QueryName|startswith: aaa.stage."), [Wanted::Start("aaa.stage.".into())]);
    assert_eq!(wanted("QueryName|contains: tunnel"), [Wanted::Within("tunnel".into())]);
    assert_eq!(wanted("QueryName: 'a.*.tunnel.example'"), suffix("tunnel.example"));
    assert_eq!(wanted("QueryName|contains: ab"), []);
    assert_eq!(wanted("QueryName|re: '^x'"), []);
    // Of two that must both hold the one that asks for fewer; of two ways both.
    let both = rule(
        "dns_query",
        "a:\n    QueryName:\n        - a.example\n        - b.example\nb:\n    QueryName: c.example\ncondition: a or b",
    );
    assert_eq!(one(&both).sigma().wanted().len(), 3);
    let narrow = both.replace("a or b", "a and b");
    assert_eq!(one(&narrow).sigma().wanted().len(), 1);
    let excluded = both.replace("a or b", "a and not b");
    assert_eq!(one(&excluded).sigma().wanted().len(), 2);
}

#[test]
fn what_can_never_fire_says_why() {
    let told = |category: &str, detection: &str| {
        let rules = one(&rule(category, detection));
        let report = report(&rules);
        let notes: String = report.notes.iter().map(|(what, right)| format!("; {what}; {right}")).collect();
        format!("{}{notes}", report.service)
    };
    let check = |category: &str, detection: &str, parts: &[&str]| {
        let told = told(category, detection);
        parts.iter().for_each(|part| assert!(told.contains(part), "{told} has no {part}"));
    };
    check(
        "network_connection",
        "s:\n    DestinationHostname|endswith: ghostbin.co/\ncondition: s",
        &["can never fire", "a path is not in a hostname", "write ghostbin.co"],
    );
    check(
        "network_connection",
        "s:\n    DestinationHostname|endswith:\n        - ghostbin.co/\n        - .t.me\ncondition: s",
        &["runs on 1 hostname", "`ghostbin.co/` can never match", "`.t.me` misses t.me itself"],
    );
    check(
        "network_connection",
        "s:\n    DestinationHostname|endswith:\n        - t.me\n        - .t.me\ncondition: s",
        &["runs on 1 hostname"],
    );
    check(
        "network_connection",
        "s:\n    TargetFilename: x\ncondition: s",
        &["can never fire", "TargetFilename, which nothing here fills"],
    );
    check(
        "network_connection",
        "s:\n    TargetFilename: x\nt:\n    Image: x\ncondition: s or t",
        &["every connection", "a part of it needs the field TargetFilename"],
    );
    check(
        "network_connection",
        "s:\n    Image: x\nf:\n    TargetFilename: x\ncondition: s and not f",
        &["every connection"],
    );
    check("network_connection", "s:\n    DestinationHostname: .t.me\ncondition: s", &["begins with no dot"]);
    check(
        "network_connection",
        "s:\n    DestinationHostname|endswith: 't.me.'\ncondition: s",
        &["ends with no dot"],
    );
    check(
        "network_connection",
        "s:\n    DestinationHostname: 't.me:443'\ncondition: s",
        &["a port is not in a hostname", "write t.me"],
    );
    check("network_connection", "s:\n    Image: x\ncondition: s and t", &["t, which it does not define"]);
    check("process_creation", "s:\n    Image: x\ncondition: s", &["is not served", "process_creation"]);
    check("dns_query", "s:\n    QueryName|re: '^x'\ncondition: s", &["listed names only", "Re"]);
    let correlation = "title: C\ncorrelation:\n    type: event_count\n    rules:\n        - x\n    group-by:\n        - User\n    timespan: 60s\n    condition:\n        gte: 3\nlevel: high\n";
    assert!(report(&one(correlation)).service.to_string().contains("correlation rules"));
    for text in ["a: [", "- x", "title: T", "\u{0}", ": : :"] {
        let rules = one(text);
        assert!(
            rules.sigma().reports().iter().all(|report| matches!(report.service, Service::Refused(_))),
            "{text:?}"
        );
        assert!(!rules.sigma().reports().is_empty(), "{text:?}");
    }
    assert!(matches!(report(&load(&[("x".into(), vec![0xff, 0xfe])])).service, Service::Refused(_)));
}

/// Own fields, as the documentation names them.
#[test]
fn own_fields_are_filled() {
    for (field, value, fires) in [
        ("ServiceName", "Dropbox", true),
        ("ServiceCategory", "cloud-storage", true),
        ("NoiseTier", "2", true),
        ("NoiseTier|lte", "2", true),
        ("NoiseTier|lt", "2", false),
        ("SeenIn", "tls_sni", true),
        ("OriginatorClass", "interpreter", true),
        ("OriginatorTags", "suspicious-command-line", true),
        ("OriginatorTags", "masquerade", false),
        ("OriginatorAtHome", "'false'", true),
        ("SecondsSinceProcessStart|lte", "100", true),
        ("SecondsSinceProcessStart|lt", "100", false),
        ("AttributionLevel", "tuple", true),
        ("ProcessName", "powershell.exe", true),
        ("Initiated", "'true'", true),
        ("Initiated", "true", true),
        ("DestinationPort", "443", true),
        ("Protocol", "tcp", true),
        ("DestinationIp|cidr", "192.0.2.0/24", true),
    ] {
        let rules = one(&rule("contact", &format!("s:\n    {field}: {value}\ncondition: s")));
        let found = meet(&rules, "api.dropboxapi.com", SeenIn::TlsSni, PS, "powershell -enc x").is_some();
        assert_eq!(found, fires, "{field}: {value}, {}", report(&rules).service);
    }
}

/// A rule brings its own level and its author's name.
#[test]
fn a_users_rule_brings_its_level() {
    let text = rule("contact", "s:\n    QueryName: own.example\ncondition: s")
        + "author: A. Nalyst\ntags:\n    - attack.command-and-control\n    - attack.t1102.001\n";
    let rules = one(&text);
    let finding = meet(&rules, "own.example", SeenIn::TlsSni, "", "").unwrap();
    let rule = &finding.rules[0];
    assert_eq!(
        (finding.level.as_str(), rule.name.as_str(), rule.author.as_deref()),
        ("high", "T", Some("A. Nalyst"))
    );
    assert_eq!((rule.ruleset(), finding.techniques()), ("x.yml", vec!["T1102.001"]));
    assert!(finding.contact.entry.is_only_wanted());
    assert!(meet(&rules, "x.own.example", SeenIn::TlsSni, "", "").is_none(), "the rule has the apex only");
}

/// Several thousand rules are loaded in under a second, and a contact meets few of them.
#[test]
fn thousands_of_rules_load_quickly() {
    let text = |number: usize| {
        rule(
            "network_connection",
            &format!(
                "s:\n    DestinationHostname|endswith:\n        - .host{number}.example\n        - host{number}.example\n    Image|endswith: '\\\\tool{number}.exe'\nf:\n    Image|startswith: 'C:\\Program Files\\'\ncondition: s and not f"
            ),
        )
    };
    let files: Vec<_> =
        (0..4000).map(|number| (format!("{number}.yml"), text(number).into_bytes())).collect();
    let began = std::time::Instant::now();
    let rules = load(&files);
    let loading = began.elapsed();
    assert_eq!(rules.sigma().wanted().len(), 4000);
    assert_eq!(rules.sigma().iter().count(), 4000);
    let began = std::time::Instant::now();
    assert!(meet(&rules, "x.host1234.example", SeenIn::TlsSni, r"C:\x\tool1234.exe", "").is_some());
    println!("4000 rules loaded in {loading:?}, lists and a contact in {:?}", began.elapsed());
    // Dependencies are optimised in tests; the rest is not. A release build takes a fraction.
    assert!(loading.as_secs_f64() < 6.0, "{loading:?}");
    let _: &SigmaRules = rules.sigma();
}
