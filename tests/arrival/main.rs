//! Telemetry as it arrives: a hundred senders, files that are rotated, TLS with the senders that Debian packages.
//!
//! All of it stays on loopback and in folders of its own. Python and rsyslog are needed for what real senders do: without them that is
//! not run, and that is said, or is a failure where `UNDERTONE_CI` is set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod follow;
mod senders;
mod tls;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use undertone::arrival::{Address, Arrival, Arriving, Counts, Told};
use undertone::originator::record::{Record, Said};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A start of a process, as NXLog writes Sysmon's: whose number is `pid`, on one line without its end.
fn start(host: &str, pid: u32) -> String {
    format!(
        r#"{{"EventTime":"2020-10-18 21:15:06","EventID":1,"Hostname":"{host}","SourceName":"Microsoft-Windows-Sysmon","UtcTime":"2020-10-18 21:15:05.123","ProcessGuid":"{{365ABB72-6759-5CD8-0000-0010E2D50F00}}","ProcessId":"{pid}","Image":"C:\\Windows\\System32\\regsvr32.exe","CommandLine":"regsvr32 /s /n /u scrobj.dll","User":"CORP\\a"}}"#
    )
}

/// Opens sources, as they are typed.
fn open(sources: &[&str], tls: Option<&undertone::arrival::TlsFiles>) -> Result<Arrival, String> {
    let sources: Vec<Address> = sources
        .iter()
        .map(|text| Address::parse(text.as_ref()).map_err(|why| why.to_string()))
        .collect::<Result<_, _>>()?;
    Arrival::open(&sources, tls, None).map_err(|why| why.to_string())
}

/// What was told.
#[derive(Debug, Default)]
struct Heard {
    /// The processes that were told of, by host, in order.
    pids: BTreeMap<String, Vec<u32>>,
    /// How many that is.
    records: usize,
    notices: Vec<String>,
    ended: Vec<usize>,
}

impl Heard {
    fn take(&mut self, told: Told) {
        match told {
            Told::Records { records, .. } => records.iter().for_each(|record| self.record(record)),
            Told::Notice { text, .. } => self.notices.push(text),
            Told::Ended { source } => self.ended.push(source),
            Told::Passed(_) => {}
        }
    }

    fn record(&mut self, record: &Record<'_>) {
        let Said::Start(process) = &record.what else { panic!("{record:?}") };
        self.records += 1;
        self.pids.entry(record.host.clone().into_owned()).or_default().push(process.pid.unwrap());
    }

    /// Listens until something is so.
    fn until(&mut self, arriving: &Arriving, what: &str, so: impl Fn(&Self, &Counts) -> bool) -> &mut Self {
        let since = Instant::now();
        while !so(self, &arriving.counts()) {
            assert!(since.elapsed() < PATIENCE, "{what}: {:?}, {:#?}", self.notices, arriving.counts());
            match arriving.told().recv_timeout(Duration::from_millis(20)) {
                Ok(told) => self.take(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: nothing more comes"),
            }
            arriving.told().try_iter().for_each(|told| self.take(told));
        }
        self
    }

    /// Ends it, and hears what is left.
    fn end(mut self, arriving: Arriving) -> (Self, Counts) {
        arriving.stop();
        arriving.told().iter().for_each(|told| self.take(told));
        let counts = arriving.counts();
        assert!(arriving.join());
        (self, counts)
    }

    fn says(&self, text: &str) {
        assert!(self.notices.iter().any(|notice| notice.contains(text)), "{text}: {:?}", self.notices);
    }
}

/// Says that something is not run for want of a package, which is a failure where all are to be there.
fn is_there(program: &str) -> bool {
    let there = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(program).exists());
    if !there {
        println!("arrival: NOT RUN without {program}");
        assert!(std::env::var_os("UNDERTONE_CI").is_none(), "{program} is needed");
    }
    there
}
