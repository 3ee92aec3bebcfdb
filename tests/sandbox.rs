//! What a sensor has given up it cannot do: open another file, execute a program, or become more than it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::fs;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

use common::binary::{Ran, signal, wait};
use common::cable::{Sensor, in_namespace, ip, plug_in};
use undertone::sandbox::{Kept, enter};

fn main() -> ExitCode {
    in_namespace("sandbox", inside)
}

fn inside() {
    plug_in();
    ip(&["link", "set", "lo", "up"]);
    from_within();
    every_thread_of_a_sensor();
    lists_elsewhere_are_refused();
    println!("sandbox: 3 ok");
}

/// In a thread of its own, for what is given up is given up for good.
fn from_within() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, content) in
        [("lists/ours.txt", "a.example\n"), ("out/findings", ""), ("other/file", "secret\n")]
    {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), content).unwrap();
    }
    let kept = Kept {
        user: None,
        read: vec![at("lists/ours.txt")],
        written: vec![at("out/findings")],
        removed: Vec::new(),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Before, all of it is possible.
            assert!(fs::read(at("other/file")).is_ok() && Command::new("true").status().unwrap().success());
            let said = enter(&kept).unwrap();
            assert!(said.contains("Landlock on 2 folders") && said.contains("seccomp"), "{said}");

            // What it needs it can do, also with files that replace others.
            assert_eq!(fs::read(at("lists/ours.txt")).unwrap(), b"a.example\n");
            fs::rename(at("out/findings"), at("out/findings.1")).unwrap();
            fs::write(at("out/findings"), "new\n").unwrap();
            // libpcap makes one when an interface is opened again.
            rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();

            let denied = |result: std::io::Result<()>, doing: &str| {
                let kind = result.expect_err(doing).kind();
                assert_eq!(kind, ErrorKind::PermissionDenied, "{doing}");
            };
            denied(fs::read(at("other/file")).map(drop), "to read another file");
            denied(fs::read("/etc/passwd").map(drop), "to read a file of the system");
            denied(fs::write(at("other/file"), ""), "to write another file");
            denied(fs::write(at("lists/ours.txt"), ""), "to write what is only read");
            denied(fs::write(at("lists/new.txt"), ""), "to put a file beside what is only read");
            denied(Command::new("true").status().map(drop), "to execute a program");
            denied(Command::new(at("out/findings")).status().map(drop), "to execute what it wrote");
        });
    });
    assert_eq!(fs::read(at("other/file")).unwrap(), b"secret\n");
}

/// What the kernel says of each thread.
fn every_thread_of_a_sensor() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    // To write beside its output, another user needs rights there.
    for (options, user) in [(&[][..], 0), (&["--user", "nobody"], 65_534)] {
        let line = [&["-o", &out, "--threads", "2", "--metrics", "0"][..], options].concat();
        let sensor = Sensor::start(&line);
        assert!(sensor.said.starts_with("undertone: runs "), "in the first line: {}", sensor.said);
        assert!(
            sensor.said.contains("with CAP_NET_RAW alone, Landlock on 1 folder, seccomp"),
            "{}",
            sensor.said
        );
        let mut threads = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", pid_here(&sensor))).unwrap() {
            let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let says =
                |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
            assert_eq!(says("CapEff:"), "0000000000002000", "CAP_NET_RAW");
            assert_eq!(says("CapPrm:"), "0000000000002000");
            assert_eq!(says("CapBnd:"), "0000000000002000");
            assert_eq!((says("NoNewPrivs:"), says("Seccomp:")), ("1".to_owned(), "2".to_owned()));
            assert_eq!(says("Uid:").split_whitespace().next().unwrap(), user.to_string());
            threads += 1;
        }
        assert!(
            threads >= 5,
            "one for the Correlator, two that read, an output, and the counters: {threads}"
        );
        sensor.stop("INT").ended(0);
    }
    let sensor = Sensor::start(&["--no-sandbox"]);
    assert!(sensor.said.contains("runs with all rights that it was started with"), "{}", sensor.said);
    sensor.stop("INT").ended(0);
}

/// Processes have numbers of their own in the namespace, while /proc shows those outside.
fn pid_here(sensor: &Sensor) -> u32 {
    let outside =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let inside = format!("{}", sensor.child.id());
    outside
        .filter_map(|name| name.parse::<u32>().ok())
        .find(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let mine = |line: &str| {
                line.starts_with("NSpid:") && line.split_whitespace().next_back() == Some(&*inside)
            };
            status.starts_with("Name:\tundertone") && status.lines().any(mine)
        })
        .unwrap()
}

/// The configuration is changed to name a file that lies in a folder that was not named before: a list, rules, who is allowed, whose
/// addresses are. Those of the start stay readable, wherever they are.
fn lists_elsewhere_are_refused() {
    const RULE: &str = "title: t\nlogsource: {category: dns_query}\ndetection: {one: {QueryName: more.example}, condition: one}\n";
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at_start = tempfile::tempdir().unwrap();
    let (config, hosts) = (folder.path().join("u.toml"), at_start.path().join("hosts"));
    fs::write(&hosts, "10.0.0.7 ws5\n").unwrap();
    let stated = format!("json = true\nhosts = {:?}\n", hosts.display().to_string());
    fs::write(&config, &stated).unwrap();
    let mut sensor = Sensor::start(&["--config", config.to_str().unwrap()]);
    for (option, name, content) in [
        ("lists", "more.txt", "more.example\n"),
        ("rules", "rule.yml", RULE),
        ("allow", "allow.txt", "more.example\n"),
        ("hosts", "others", "10.0.0.8 ws6\n"),
    ] {
        let (there, here) = (elsewhere.path().join(name), folder.path().join(name));
        fs::write(&there, content).unwrap();
        fs::write(&here, content).unwrap();
        let named = |path: &std::path::Path| {
            let name = format!("{:?}", path.display().to_string());
            match option {
                "hosts" => format!("json = true\nhosts = {name}\n"),
                _ => format!("{stated}{option} = [{name}]\n"),
            }
        };
        fs::write(&config, named(&there)).unwrap();
        sensor.signal("HUP");
        let line = sensor.hears(name);
        assert!(line.contains("cannot be read: Permission denied"), "{option}: {line}");
        sensor.hears("not read again, for what is said above");
        // In the folder of the configuration it is welcome.
        fs::write(&config, named(&here)).unwrap();
        sensor.signal("HUP");
        sensor.hears("read again");
    }
    sensor.hears("hosts has changed; that takes effect at the next start");
    // A bad file changes nothing, and is named with what is wrong with it.
    fs::write(folder.path().join("rule.yml"), "title: [\n").unwrap();
    fs::write(&config, format!("{stated}rules = [\"rule.yml\"]\n")).unwrap();
    sensor.signal("HUP");
    sensor.hears("rule.yml");
    sensor.hears("not read again, for what is said above");
    signal(&sensor.child, "INT");
    let ran: Ran = wait(sensor.child, std::time::Duration::from_secs(10));
    ran.ended(0);
}
