//! TLS, with the senders that Debian packages: rsyslog, and Python.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use undertone::arrival::{Arriving, Counts, Ending, TlsFiles};

use super::{Heard, PATIENCE, is_there, open, start};

/// An authority, what it signed for the sensor and for senders, and a stranger's.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let own = Self { folder: tempfile::tempdir().unwrap() };
        let authority = own.authority("authority");
        let stranger = own.authority("stranger");
        own.sign("sensor", &authority, 2040);
        own.sign("sender", &authority, 2040);
        own.sign("expired", &authority, 2020);
        own.sign("wrong", &stranger, 2040);
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        fs::write(self.path(&format!("{name}.crt")), params.self_signed(&key).unwrap().pem()).unwrap();
        Issuer::new(params, key)
    }

    /// A certificate that is good until a year.
    fn sign(&self, name: &str, issuer: &Issuer<'_, KeyPair>, until: i32) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        fs::write(self.path(&format!("{name}.crt")), params.signed_by(&key, issuer).unwrap().pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.path("sensor.crt"),
            key: self.path("sensor.key"),
            ca: self.path("authority.crt"),
        }
    }

    /// Listens, and gives the port.
    fn listen(&self) -> (Arriving, String) {
        let arriving = open(&["tls:127.0.0.1:0"], Some(&self.files())).unwrap();
        let port = arriving.names()[0].rsplit_once(':').unwrap().1.to_owned();
        (arriving.start().unwrap(), port)
    }
}

/// The sender of the README: lines of a file over TLS. In TLS 1.3 the client may have ended before it hears that it is refused.
const PYTHON: &str = r#"
import socket, ssl, sys
version, port, ca, path, *own = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.maximum_version = ssl.TLSVersion[version]
if own:
    context.load_cert_chain(certfile=own[0], keyfile=own[1])
with socket.create_connection(("127.0.0.1", int(port))) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as sensor:
        with open(path, "rb") as records:
            sensor.sendall(records.read())
        sensor.unwrap()
"#;

#[test]
fn python_is_accepted_with_a_right_certificate_only() {
    if !is_there("python3") {
        return;
    }
    let certificates = Certificates::new();
    let records = certificates.path("records.json");
    fs::write(&records, (0..500).map(|pid| start("python", pid) + "\n").collect::<String>()).unwrap();
    let (arriving, port) = certificates.listen();
    let send = |version: &str, certificate: Option<&str>| -> Output {
        let mut command = Command::new("python3");
        command.args(["-c", PYTHON, version, &port]).arg(certificates.path("authority.crt")).arg(&records);
        if let Some(name) = certificate {
            command
                .arg(certificates.path(&format!("{name}.crt")))
                .arg(certificates.path(&format!("{name}.key")));
        }
        command.output().unwrap()
    };
    let mut heard = Heard::default();
    for (version, records) in [("TLSv1_2", 500), ("TLSv1_3", 1000)] {
        let sent = send(version, Some("sender"));
        assert!(sent.status.success(), "{sent:?}");
        heard.until(&arriving, "it is served", |heard, _| heard.records == records);
    }
    for (certificate, why) in [
        (None, Ending::NoCertificate),
        (Some("expired"), Ending::Expired),
        (Some("wrong"), Ending::UnknownAuthority),
    ] {
        let refused = send("TLSv1_2", certificate);
        assert!(!refused.status.success(), "{certificate:?}");
        send("TLSv1_3", certificate);
        heard.until(&arriving, "it is told", |_, counts| counts.sources[0].gone(why) == 2);
    }
    let (heard, counts) = heard.end(arriving);
    assert_eq!(heard.records, 1000, "nothing else was told");
    assert_eq!(counts.sources[0].gone(Ending::Closed), 2);
    for why in ["no certificate", "certificate expired", "certificate of another authority"] {
        heard.says(&format!(": {why}"));
    }
}

/// The recipe of the README, with a file in the place of the journal.
fn rsyslog(folder: &Path, driver: &str, port: &str, ca: &Path, own: Option<(PathBuf, PathBuf)>) -> String {
    let own = own.map_or_else(String::new, |(cert, key)| {
        format!(
            "defaultNetstreamDriverCertFile=\"{}\" defaultNetstreamDriverKeyFile=\"{}\"",
            cert.display(),
            key.display()
        )
    });
    format!(
        r#"
global(workDirectory="{folder}" maxMessageSize="1m" defaultNetstreamDriverCAFile="{ca}" {own})
module(load="imfile" PollingInterval="1")
input(type="imfile" File="{folder}/records.json" Tag="telemetry")
action(type="omfwd" target="localhost" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format" StreamDriver="{driver}" StreamDriverMode="1"
       StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"
       action.resumeInterval="1" action.resumeRetryCount="-1" queue.type="linkedList")
"#,
        folder = folder.display(),
        ca = ca.display(),
    )
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs rsyslog with a certificate until something is so.
fn with_rsyslog(
    certificates: &Certificates,
    driver: &str,
    certificate: Option<&str>,
    so: impl Fn(&Heard, &Counts) -> bool,
) -> (Heard, Counts) {
    let folder = tempfile::tempdir().unwrap();
    let (arriving, port) = certificates.listen();
    // One is longer than what rsyslog takes unless it is told to.
    let mut records: String = (0..300).map(|pid| start("rsyslog", pid) + "\n").collect();
    records += &start("rsyslog", 300).replace("scrobj.dll", &"x".repeat(50_000));
    fs::write(folder.path().join("records.json"), records + "\n").unwrap();
    let own = certificate
        .map(|name| (certificates.path(&format!("{name}.crt")), certificates.path(&format!("{name}.key"))));
    let config = rsyslog(folder.path(), driver, &port, &certificates.path("authority.crt"), own);
    fs::write(folder.path().join("rsyslog.conf"), config).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let child = Command::new("/usr/sbin/rsyslogd")
        .arg("-n")
        .arg("-f")
        .arg(folder.path().join("rsyslog.conf"))
        .arg("-i")
        .arg(folder.path().join("pid"))
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let daemon = Daemon(child);
    let mut heard = Heard::default();
    heard.until(&arriving, &format!("{driver} with {certificate:?}"), so);
    drop(daemon);
    heard.end(arriving)
}

fn rsyslog_is_accepted(driver: &str) {
    if !is_there("rsyslogd") || !is_there(&format!("../lib/{}/rsyslog/lmnsd_{driver}.so", triplet())) {
        return;
    }
    let certificates = Certificates::new();
    let (heard, counts) =
        with_rsyslog(&certificates, driver, Some("sender"), |heard, _| heard.records >= 301);
    assert_eq!(heard.pids["rsyslog"], (0..=300).collect::<Vec<_>>());
    assert_eq!(counts.sources[0].misframed, 0);
    for (certificate, why) in [
        (None, Ending::NoCertificate),
        (Some("expired"), Ending::Expired),
        (Some("wrong"), Ending::UnknownAuthority),
    ] {
        let (heard, _) =
            with_rsyslog(&certificates, driver, certificate, |_, counts| counts.sources[0].gone(why) > 0);
        assert_eq!(heard.records, 0, "{certificate:?}");
    }
}

/// Where Debian puts libraries.
fn triplet() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

#[test]
fn rsyslog_with_openssl_is_accepted_with_a_right_certificate_only() {
    rsyslog_is_accepted("ossl");
}

#[test]
fn rsyslog_with_gnutls_is_accepted_with_a_right_certificate_only() {
    rsyslog_is_accepted("gtls");
}

/// Whoever speaks something else, or nothing, occupies a place for a while and is told.
#[test]
fn strangers_are_refused_and_give_way() {
    let certificates = Certificates::new();
    let (arriving, port) = certificates.listen();
    let connect = || TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let mut plain = connect();
    plain.write_all((start("plain", 1) + "\n").as_bytes()).unwrap();
    let mut heard = Heard::default();
    heard.until(&arriving, "it is refused", |_, counts| counts.sources[0].gone(Ending::NotTls) == 1);
    let began = Instant::now();
    let silent: Vec<TcpStream> = (0..70).map(|_| connect()).collect();
    heard.until(&arriving, "the first gave way", |_, counts| {
        counts.sources[0].gone(Ending::Displaced) == 6 && counts.sources[0].senders.len() == 64
    });
    heard.until(&arriving, "none came in time", |_, counts| counts.sources[0].gone(Ending::Silent) == 64);
    assert!(began.elapsed() > Duration::from_secs(9) && began.elapsed() < PATIENCE);
    assert!(silent.iter().all(|mut stream| matches!(stream.read(&mut [0; 64]), Ok(_) | Err(_))));
    let (heard, _) = heard.end(arriving);
    assert_eq!(heard.records, 0);
    heard.says("not TLS");
    heard.says("no handshake in time");
}

#[test]
fn files_that_make_no_tls_are_named() {
    let certificates = Certificates::new();
    let nothing = certificates.path("nothing");
    fs::write(&nothing, "nothing").unwrap();
    let check = |change: &dyn Fn(&mut TlsFiles), says: &str| {
        let mut files = certificates.files();
        change(&mut files);
        let error = open(&["tls:127.0.0.1:0"], Some(&files)).unwrap_err();
        assert!(error.contains(says), "{error}");
    };
    check(&|files| files.cert = nothing.clone(), "--feed-tls-cert");
    check(&|files| files.cert = nothing.clone(), "nothing: holds no certificate in PEM");
    check(&|files| files.ca = nothing.clone(), "--feed-tls-ca");
    check(&|files| files.ca = certificates.path("absent"), "absent: cannot be read: No such file");
    check(&|files| files.key = nothing.clone(), "nothing: holds no private key in PEM");
    check(
        &|files| files.key = certificates.path("sender.key"),
        "does not belong to the certificate of --feed-tls-cert",
    );
}
