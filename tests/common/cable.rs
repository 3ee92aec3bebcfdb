//! A cable in a network namespace without a name, which ends with the last process in it: a sensor at one end, a player at the other.
//!
//! That needs `ip` and `unshare`, and root or user namespaces; without them nothing is run, and that is said, or is a failure where
//! `UNDERTONE_CI` is set.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::binary::{Ran, command, signal, wait};

/// The ends of the cable.
pub const SENSOR: &str = "ut-sensor";
pub const PLAYER: &str = "ut-player";

/// Runs the program again in a namespace, and `inside` there.
pub fn in_namespace(test: &str, inside: fn()) -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "inside") {
        inside();
        return ExitCode::SUCCESS;
    }
    let myself = std::env::current_exe().unwrap();
    for user in [&["--net", "--mount"][..], &["--net", "--mount", "--user", "--map-root-user"]] {
        let mut unshare = Command::new("unshare");
        unshare.args(user).args(["--pid", "--fork", "--kill-child", "--"]);
        let possible = Command::new(unshare.get_program())
            .args(unshare.get_args())
            .args(["ip", "link", "add", SENSOR, "type", "veth", "peer", "name", PLAYER])
            .output();
        if possible.is_ok_and(|output| output.status.success()) {
            let status = unshare.arg(myself).arg("inside").status().unwrap();
            return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    }
    println!("{test}: NOT RUN, for no network namespace can be made (needs unshare and ip, and root)");
    if std::env::var_os("UNDERTONE_CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A cable with nothing on it: no address, hence nobody who speaks of himself.
pub fn plug_in() {
    plug_in_another(SENSOR, PLAYER);
}

/// Another cable like it.
pub fn plug_in_another(sensor: &str, player: &str) {
    ip(&["link", "add", sensor, "type", "veth", "peer", "name", player]);
    for end in [sensor, player] {
        ip(&["link", "set", end, "addrgenmode", "none", "mtu", "9000", "up"]);
    }
}

pub fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}

/// Sends the frames of a capture into the cable, in order. Says how many.
pub fn play(path: &str) -> u64 {
    play_into(PLAYER, path)
}

/// Sends the frames of a capture into another cable.
pub fn play_into(player: &str, path: &str) -> u64 {
    let mut cable = pcap::Capture::from_device(player).unwrap().open().unwrap();
    let mut capture = pcap::Capture::from_file(path).unwrap();
    let mut frames = 0;
    while let Ok(frame) = capture.next_packet() {
        cable.sendpacket(frame.data).unwrap();
        frames += 1;
    }
    frames
}

/// A sensor at its end of the cable.
pub struct Sensor {
    pub child: Child,
    /// What it has said so far.
    pub said: String,
    pub lines: Receiver<String>,
}

impl Sensor {
    /// Starts it, and waits until it listens.
    pub fn start(options: &[&str]) -> Self {
        Self::on(&[SENSOR], options)
    }

    /// Starts it on these interfaces, and waits until it listens.
    pub fn on(interfaces: &[&str], options: &[&str]) -> Self {
        Self::within(&[], interfaces, options)
    }

    /// Starts it in an environment that has these as well.
    pub fn within(environment: &[(&str, &str)], interfaces: &[&str], options: &[&str]) -> Self {
        let mut line = vec!["live"];
        interfaces.iter().for_each(|interface| line.extend(["-i", *interface]));
        let mut child = command(&[&line, options].concat())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while err.read_line(&mut line).unwrap() > 0 {
                drop(tell.send(std::mem::take(&mut line)));
            }
        });
        let mut sensor = Self { child, said: String::new(), lines };
        sensor.hears(&format!("capturing on {}", interfaces.join(", ")));
        sensor
    }

    /// Waits until it says something. Gives the line.
    #[track_caller]
    pub fn hears(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
                Ok(line) => {
                    self.said += &line;
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => {
                    drop(self.child.kill());
                    panic!("{text:?} is not said: {}", self.said);
                }
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Sends it a signal, and gives what it found.
    pub fn stop(mut self, name: &str) -> Ran {
        // A pipe holds less than some find.
        let mut out = self.child.stdout.take().unwrap();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let mut ran = self.stop_unread(name);
        ran.out = reading.join().unwrap();
        ran
    }

    /// Sends it a signal, and reads what it found only once it has ended.
    pub fn stop_unread(self, name: &str) -> Ran {
        signal(&self.child, name);
        let Self { child, lines, .. } = self;
        let mut ran = wait(child, PATIENCE);
        ran.err = lines.iter().collect();
        ran
    }
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
