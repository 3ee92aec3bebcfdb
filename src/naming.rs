//! Names for the nameless: connections without a hostname get one from what their client asked DNS for, or from the server's certificate.
//!
//! The first step of the Correlator. What the Worker tells comes in here, in the order of the capture, and names come out: those that
//! stood on the wire, with what DNS says otherwise; and those of connections that had none. These are waited with for [`Naming::PATIENCE`],
//! since a name may yet come: after STARTTLS, or with the certificate.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::capture::Timestamp;
use crate::decode::Path;
use crate::events::{Answer, Certified, Event, Instead, Nameless, Resolved, Sighting, What};
use crate::flow::{Flow, FlowKey, Protocol};
use crate::hostname::Hostname;
use crate::inspect::tls::{EchKind, KeptHello};
use crate::inspect::{Derived, Detail, Observation, SeenIn};
use crate::lists::Entry;
use crate::originator::{Answers, Asked, Candidates, Told};
use crate::seen::Mark;

/// Gives names to connections that have none.
#[derive(Debug, Default)]
pub struct Naming {
    answers: Answers,
    waiting: FxHashMap<FlowKey, Waiting>,
    /// Connections that wait, in the order in which they came, among others that have a name by now.
    order: VecDeque<(Mark, FlowKey)>,
    settled_early: u64,
}

/// A connection without a name.
#[derive(Debug)]
struct Waiting {
    mark: Mark,
    flow: Flow,
    hello: Option<KeptHello>,
    candidates: Option<Candidates>,
    path: Option<Box<Path>>,
}

impl Naming {
    /// Nanoseconds for which a name may yet come: STARTTLS takes three round trips, a certificate one and a slow server.
    pub const PATIENCE: i64 = 5_000_000_000;
    /// The most connections that wait; beyond it the oldest gets the name that it would have got later. Ten thousand a second, each for
    /// five seconds, are more than a large network has of those whose client asked DNS for the server; some 10 MiB.
    pub const MOST_WAITING: usize = 50_000;

    /// Takes what a frame told, and adds the names that are certain now to `told`.
    pub fn take(&mut self, event: Event, told: &mut Vec<Sighting>) {
        let Event { mark, what } = event;
        self.settle(mark.at, told);
        match what {
            What::Answer(answer) => self.learn(&answer, mark.at),
            What::Hostname(sighting) => self.named(*sighting, told),
            What::Named(_, flow) => drop(self.waiting.remove(&flow.key())),
            What::Nameless(nameless) => self.nameless(mark, *nameless, told),
            What::Certificate(certified) => self.certified(mark, *certified, told),
            other => debug_assert!(!other.is_for_the_correlator(), "{other:?}"),
        }
    }

    /// Adds the names of connections that have waited long enough by `now`.
    pub fn settle(&mut self, now: Timestamp, told: &mut Vec<Sighting>) {
        while let Some((mark, key)) = self.order.front() {
            let early = self.order.len() > Self::MOST_WAITING;
            if !early && now.since(mark.at) <= Self::PATIENCE {
                return;
            }
            if self.waiting.get(key).is_some_and(|waiting| waiting.mark == *mark)
                && let Some(waiting) = self.waiting.remove(key)
            {
                self.settled_early += u64::from(early);
                told.extend(waiting.by_answer(Vec::new()));
            }
            self.order.pop_front();
        }
    }

    /// Adds the names of all connections that still wait.
    pub fn finish(&mut self, told: &mut Vec<Sighting>) {
        self.settle(Timestamp::from_nanos(i64::MAX), told);
        while let Some((_, key)) = self.order.pop_front() {
            told.extend(self.waiting.remove(&key).and_then(|waiting| waiting.by_answer(Vec::new())));
        }
    }

    /// The name that a connection gets if nothing more comes of it.
    pub fn expected(&self, key: &FlowKey) -> Option<(Hostname, SeenIn)> {
        let candidates = self.waiting.get(key)?.candidates.as_ref()?;
        Some((candidates.best.name.clone(), SeenIn::DnsAnswer))
    }

    /// How many connections got their name before their time, because [`Self::MOST_WAITING`] was reached.
    pub const fn settled_early(&self) -> u64 {
        self.settled_early
    }

    /// How many answers of DNS were given up because a limit was reached.
    pub const fn answers_given_up(&self) -> u64 {
        self.answers.given_up()
    }

    fn learn(&mut self, answer: &Answer, at: Timestamp) {
        let Some((Resolved { client, entry, answered, service, .. }, name)) = answer.get() else { return };
        let client = *client;
        if *service {
            self.answers.learn_service(client, name, !answered.ech.is_empty());
        }
        if !answered.addresses.is_empty() {
            let (addresses, ttl) = (&answered.addresses[..], answered.ttl);
            self.answers.learn(&Told { client, name, entry: entry.as_ref(), addresses, ttl, at });
        }
        if !answered.ech.is_empty() {
            let asked = Arc::new(Asked { name: Hostname::from_canonical(name), entry: entry.clone() });
            for (config_id, public_name) in &answered.ech {
                self.answers.learn_ech(client, &asked, *config_id, public_name, at);
            }
        }
    }

    /// A name that stood on the wire: what DNS says otherwise, and what the hello hides.
    fn named(&mut self, mut sighting: Sighting, told: &mut Vec<Sighting>) {
        let observation = &mut sighting.observation;
        let Flow { src, dst, .. } = observation.flow;
        if matches!(observation.seen_in, SeenIn::DnsQuery | SeenIn::DnsResponse) {
            told.push(sighting);
            return;
        }
        if !self.waiting.is_empty() {
            self.waiting.remove(&observation.flow.key());
        }
        let mut hidden = None;
        if let Detail::Hello(hello) = &mut observation.detail
            && let Some(offer) = hello.ech()
        {
            let (name, at) = (&observation.hostname, observation.at);
            hidden = self.answers.hidden(src.ip, dst.ip, offer.config_id, name, at);
            hello.set_ech(match (&hidden, self.answers.has_ech(src.ip, name)) {
                (Some(_), _) => EchKind::Encrypted,
                (None, Some(false)) => EchKind::Grease,
                (None, _) => EchKind::Unknown,
            });
        }
        if hidden.is_none() && observation.seen_in.is_connection() {
            let others = self.answers.others(src.ip, dst.ip, &observation.hostname, observation.at);
            let others = others.into_iter().map(|asked| (SeenIn::DnsAnswer, asked.name.clone()));
            observation.disagrees_with.extend(others);
        }
        let inner = hidden.map(|candidates| {
            let hello = observation.detail.hello().cloned();
            let outer = Some(observation.hostname.clone());
            let Observation { at, source, frame, flow, .. } = *observation;
            let mut inner = by_answer(Mark { source, frame, at }, flow, hello, outer, candidates);
            inner.observation.path.clone_from(&observation.path);
            inner
        });
        told.push(sighting);
        told.extend(inner);
    }

    fn nameless(&mut self, mark: Mark, nameless: Nameless, told: &mut Vec<Sighting>) {
        let Nameless { mut flow, instead, hello, path } = nameless;
        if let Instead::Outer(outer) = instead {
            let Some(mut hello) = hello.filter(|_| self.answers.know_ech()) else { return };
            let hidden = hello.ech().and_then(|offer| {
                self.answers.hidden(flow.src.ip, flow.dst.ip, offer.config_id, &outer, mark.at)
            });
            if let Some(candidates) = hidden {
                hello.set_ech(EchKind::Encrypted);
                let mut inner = by_answer(mark, flow, Some(hello), Some(outer), candidates);
                inner.observation.path = path;
                told.push(inner);
            }
            return;
        }
        let asked = |flow: &Flow| self.answers.of(flow.src.ip, flow.dst.ip, mark.at);
        let mut candidates = asked(&flow);
        if candidates.is_none() && flow.protocol == Protocol::UDP && instead == Instead::Bytes {
            // The first datagram that was seen may be the server's.
            candidates = asked(&flow.reversed());
            flow = if candidates.is_some() { flow.reversed() } else { flow };
        }
        let certificate_may_come = flow.protocol == Protocol::TCP && hello.is_some();
        if candidates.is_none() && !certificate_may_come {
            return;
        }
        let key = flow.key();
        if let std::collections::hash_map::Entry::Vacant(place) = self.waiting.entry(key) {
            place.insert(Waiting { mark, flow, hello, candidates, path });
            self.order.push_back((mark, key));
        }
    }

    /// The names of a certificate, of a connection that waits for one.
    fn certified(&mut self, mark: Mark, certified: Certified, told: &mut Vec<Sighting>) {
        let Certified { flow, names, path } = certified;
        let waiting = self.waiting.remove(&flow.key()).unwrap_or_else(|| {
            let candidates = self.answers.of(flow.src.ip, flow.dst.ip, mark.at);
            Waiting { mark, flow, hello: None, candidates, path }
        });
        told.extend(waiting.by_certificate(names));
    }
}

impl Waiting {
    fn by_answer(self, disagrees_with: Vec<(SeenIn, Hostname)>) -> Option<Sighting> {
        let Self { mark, flow, hello, candidates, path } = self;
        let mut sighting = by_answer(mark, flow, hello, None, candidates?);
        sighting.observation.path = path;
        sighting.observation.disagrees_with = disagrees_with;
        Some(sighting)
    }

    /// The certificate stands above DNS, for it is the connection's own: of the names that it allows the one that the client asked for,
    /// else all of its names. Where the two have nothing in common, the one of a listed service is told, and both disagree.
    fn by_certificate(mut self, names: Vec<(Hostname, Option<Arc<Entry>>)>) -> Option<Sighting> {
        let listed = names.iter().position(|(_, entry)| entry.is_some());
        let mut disagrees_with = Vec::new();
        if let Some(candidates) = &mut self.candidates {
            let allowed = |asked: &Arc<Asked>| names.iter().any(|(name, _)| allows(name, &asked.name));
            let common: Vec<Arc<Asked>> =
                candidates.all.iter().filter(|asked| allowed(asked)).cloned().collect();
            if let Some(last) = common.last() {
                let best = common.iter().rev().find(|asked| asked.entry.is_some()).unwrap_or(last);
                let all = common.iter().map(|asked| asked.name.clone()).collect();
                let age = Some(self.mark.at.since(candidates.at));
                let (name, entry) = (best.name.clone(), best.entry.clone());
                return Some(self.sighting(SeenIn::TlsCertificate, name, entry, all, age, Vec::new()));
            }
            if candidates.best.entry.is_some() && listed.is_none() {
                let others = names.into_iter().take(MOST_OTHERS);
                let others = others.map(|(name, _)| (SeenIn::TlsCertificate, name)).collect();
                return self.by_answer(others);
            }
            let others = candidates.all.iter().rev().take(MOST_OTHERS);
            disagrees_with = others.map(|asked| (SeenIn::DnsAnswer, asked.name.clone())).collect();
        }
        let (name, entry) = names.get(listed.unwrap_or(0)).cloned()?;
        let all = names.into_iter().map(|(name, _)| name).collect();
        Some(self.sighting(SeenIn::TlsCertificate, name, entry, all, None, disagrees_with))
    }

    fn sighting(
        self,
        seen_in: SeenIn,
        hostname: Hostname,
        entry: Option<Arc<Entry>>,
        candidates: Vec<Hostname>,
        age: Option<i64>,
        disagrees_with: Vec<(SeenIn, Hostname)>,
    ) -> Sighting {
        let Self { mark: Mark { source, frame, at }, flow, hello, path, .. } = self;
        let detail = Detail::Derived(Box::new(Derived { age, candidates, outer: None, hello }));
        let observation =
            Observation { at, source, frame, flow, hostname, seen_in, detail, path, disagrees_with };
        Sighting { observation, entry }
    }
}

/// The most names that another disagrees with: enough to see what is going on.
const MOST_OTHERS: usize = 4;

/// A name by an answer of DNS.
fn by_answer(
    mark: Mark,
    flow: Flow,
    hello: Option<KeptHello>,
    outer: Option<Hostname>,
    candidates: Candidates,
) -> Sighting {
    let Mark { source, frame, at } = mark;
    let Asked { name, entry } = &*candidates.best;
    let detail = Detail::Derived(Box::new(Derived {
        age: Some(at.since(candidates.at)),
        candidates: candidates.all.iter().map(|asked| asked.name.clone()).collect(),
        outer,
        hello,
    }));
    let observation = Observation {
        at,
        source,
        frame,
        flow,
        hostname: name.clone(),
        seen_in: SeenIn::DnsAnswer,
        detail,
        path: None,
        disagrees_with: Vec::new(),
    };
    Sighting { observation, entry: entry.clone() }
}

/// Whether a name in a certificate, which may have `*` for its first label, is for a host (RFC 9525 section 6.3).
fn allows(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::events::Answers;
    use crate::flow::Endpoint;
    use crate::inspect::dns::Answered;
    use crate::inspect::tls::{self, Over};
    use crate::lists::Lists;

    const SECOND: i64 = 1_000_000_000;
    const CLIENT: [u8; 4] = [10, 0, 0, 7];

    fn flow(port: u16, server: u8) -> Flow {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        Flow { src: end(CLIENT, port), dst: end([192, 0, 2, server], 443), protocol: Protocol::TCP }
    }

    fn lookup(name: &str) -> (Hostname, Option<Arc<Entry>>) {
        static LISTS: std::sync::LazyLock<Lists> = std::sync::LazyLock::new(Lists::builtin);
        (Hostname::new(name).unwrap(), LISTS.lookup(name).cloned())
    }

    fn answer(name: &str, servers: &[u8], ech: &[(u8, &str)], service: bool) -> What {
        let (name, entry) = lookup(name);
        let addresses = servers.iter().map(|last| IpAddr::from([192, 0, 2, *last])).collect();
        let ech = ech.iter().map(|(id, public)| (*id, Hostname::new(public).unwrap())).collect();
        let answered = Answered { addresses, ttl: 60, ech };
        let mut answers = Answers::default();
        let mut answer = answers.add(&name, Resolved::new(CLIENT.into(), entry, answered, service));
        answer.share(&Arc::new(answers));
        What::Answer(answer)
    }

    fn chromium() -> KeptHello {
        static CHROMIUM: &[u8] = include_bytes!("../tests/data/hellos/chromium-156.bin");
        tls::client_hello(CHROMIUM, &mut Vec::new()).found().unwrap().keep(Over::Tcp)
    }

    fn nameless(port: u16, server: u8, instead: Instead) -> What {
        let hello = matches!(instead, Instead::Hello | Instead::Outer(_)).then(chromium);
        What::Nameless(Box::new(Nameless { flow: flow(port, server), instead, hello, path: None }))
    }

    fn sni(port: u16, server: u8, name: &str) -> What {
        let (hostname, entry) = lookup(name);
        let observation = Observation {
            at: Timestamp::from_nanos(0),
            source: 0,
            frame: 0,
            flow: flow(port, server),
            hostname,
            seen_in: SeenIn::TlsSni,
            detail: Detail::Hello(Box::new(chromium())),
            path: None,
            disagrees_with: Vec::new(),
        };
        What::Hostname(Box::new(Sighting { observation, entry }))
    }

    fn certificate(port: u16, server: u8, names: &[&str]) -> What {
        let names = names.iter().map(|name| lookup(name)).collect();
        What::Certificate(Box::new(Certified { flow: flow(port, server), names, path: None }))
    }

    /// Events with their seconds, and what is told: `way name`, age, candidates where they are several, `!` and what disagrees, the kind of
    /// an encrypted hello.
    fn check(events: Vec<(i64, What)>, expected: &[&str]) {
        let mut naming = Naming::default();
        let mut told = Vec::new();
        for (frame, (seconds, mut what)) in events.into_iter().enumerate() {
            let at = Timestamp::from_nanos(seconds * SECOND);
            if let What::Hostname(sighting) = &mut what {
                sighting.observation.at = at;
            }
            naming.take(Event { mark: Mark { source: 0, frame: frame as u64 + 1, at }, what }, &mut told);
        }
        naming.finish(&mut told);
        assert!(naming.waiting.is_empty() && naming.order.is_empty());
        let words = told.iter().map(|sighting| {
            let observation = &sighting.observation;
            let mut words = format!("{} {}", observation.seen_in.as_str(), observation.hostname);
            if let Detail::Derived(derived) = &observation.detail {
                if let Some(age) = derived.age {
                    words += &format!(" {}s", age / SECOND);
                }
                if derived.candidates.len() > 1 {
                    words += &format!(
                        " of {}",
                        derived.candidates.iter().map(|name| &**name).collect::<Vec<_>>().join(",")
                    );
                }
                if let Some(outer) = &derived.outer {
                    words += &format!(" in {outer}");
                }
            }
            for (seen_in, name) in &observation.disagrees_with {
                words += &format!(" !{}:{name}", seen_in.as_str());
            }
            let kind = observation.detail.hello().and_then(KeptHello::ech).map(|offer| offer.kind);
            match kind {
                Some(EchKind::Unknown) | None => words,
                Some(kind) => format!("{words} {}", kind.as_str()),
            }
        });
        assert_eq!(words.collect::<Vec<_>>(), expected);
    }

    /// The identifier in Chromium's hello, which is GREASE.
    const ID: u8 = 232;

    #[test]
    fn by_the_question_before() {
        check(
            vec![
                (0, answer("pastebin.com", &[1], &[], false)),
                (1, nameless(1, 1, Instead::Hello)),
                (2, nameless(2, 1, Instead::Bytes)),
                (3, nameless(3, 2, Instead::Bytes)),
                (4, answer("t.me", &[2], &[], false)),
            ],
            &["dns_answer pastebin.com 1s", "dns_answer pastebin.com 2s"],
        );
        check(
            vec![
                (0, answer("pastebin.com", &[1], &[], false)),
                (5, answer("www.example.com", &[1], &[], false)),
                (7, nameless(1, 1, Instead::Request)),
            ],
            &["dns_answer pastebin.com 7s of pastebin.com,www.example.com"],
        );
    }

    #[test]
    fn a_name_that_comes_later_stands_alone() {
        check(
            vec![
                (0, answer("pastebin.com", &[1], &[], false)),
                (1, nameless(1, 1, Instead::Bytes)),
                (2, sni(1, 1, "pastebin.com")),
                (3, nameless(2, 1, Instead::Bytes)),
                (4, What::Named(SeenIn::TlsSni, Box::new(flow(2, 1)))),
                (5, nameless(3, 1, Instead::Bytes)),
                (20, sni(3, 1, "pastebin.com")),
            ],
            &["tls_sni pastebin.com", "dns_answer pastebin.com 5s", "tls_sni pastebin.com"],
        );
    }

    #[test]
    fn the_certificate_stands_above_dns() {
        let noname = |port| nameless(port, 1, Instead::Hello);
        check(
            vec![(0, noname(1)), (0, certificate(1, 1, &["pastebin.com"]))],
            &["tls_certificate pastebin.com"],
        );
        check(
            vec![
                (0, answer("x.dropbox.com", &[1], &[], false)),
                (1, noname(1)),
                (1, certificate(1, 1, &["a.example", "*.dropbox.com"])),
                (2, noname(2)),
                (2, certificate(2, 1, &["a.example", "b.example"])),
                (3, noname(3)),
                (3, certificate(3, 1, &["a.example", "t.me"])),
            ],
            &[
                "tls_certificate x.dropbox.com 1s",
                "dns_answer x.dropbox.com 2s !tls_certificate:a.example !tls_certificate:b.example",
                "tls_certificate t.me of a.example,t.me !dns_answer:x.dropbox.com",
            ],
        );
    }

    #[test]
    fn names_that_disagree_with_dns() {
        check(
            vec![
                (0, answer("www.example.com", &[1], &[], false)),
                (1, sni(1, 1, "pastebin.com")),
                (2, sni(2, 1, "www.example.com")),
                (3, sni(3, 2, "pastebin.com")),
            ],
            &[
                "tls_sni pastebin.com !dns_answer:www.example.com",
                "tls_sni www.example.com",
                "tls_sni pastebin.com",
            ],
        );
    }

    #[test]
    fn hidden_names_and_grease() {
        let public = "public.example";
        check(
            vec![
                (0, answer("discord.com", &[1], &[(ID, public)], true)),
                (1, sni(1, 1, public)),
                (2, nameless(2, 1, Instead::Outer(Hostname::new(public).unwrap()))),
                (3, nameless(3, 1, Instead::Outer(Hostname::new("other.example").unwrap()))),
            ],
            &[
                "tls_sni public.example encrypted",
                "dns_answer discord.com 1s in public.example encrypted",
                "dns_answer discord.com 2s in public.example encrypted",
            ],
        );
        check(
            vec![
                (0, answer("pastebin.com", &[1], &[], true)),
                (1, sni(1, 1, "pastebin.com")),
                (2, sni(2, 2, "t.me")),
            ],
            &["tls_sni pastebin.com grease", "tls_sni t.me"],
        );
    }

    #[test]
    fn connections_that_wait_are_bounded() {
        let (mut naming, mut told) = (Naming::default(), Vec::new());
        let mark = |frame| Mark { source: 0, frame, at: Timestamp::from_nanos(0) };
        let what = answer("pastebin.com", &[1], &[], false);
        naming.take(Event { mark: mark(0), what }, &mut told);
        for number in 0..Naming::MOST_WAITING as u64 + 10 {
            let mut flow = flow(number as u16, 1);
            flow.dst.port = (number >> 16) as u16;
            let nameless = Nameless { flow, instead: Instead::Bytes, hello: None, path: None };
            naming.take(Event { mark: mark(number), what: What::Nameless(Box::new(nameless)) }, &mut told);
        }
        assert!(naming.waiting.len() <= Naming::MOST_WAITING + 1);
        assert!(naming.settled_early() >= 9 && told.len() as u64 == naming.settled_early());
    }
}
