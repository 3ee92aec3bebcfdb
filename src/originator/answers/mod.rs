//! Who asked DNS for what: a client, an address of a server, and the names that led the one to the other.
//!
//! Names that meet no list are kept like the others, for an address that several names lead to is a contact with none of them for
//! sure, and that has to be told. A client is an address: what it asked by IPv4 says nothing of its connections by IPv6.
//!
//! How long a name is good for is not what DNS says: programs keep addresses longer than they may, for they resolve a name
//! once and connect again and again. So a name counts for its time to live or [`Answers::FRESH`], whichever is longer; where
//! none counts any more, the last one that was asked for stands in, until [`Answers::STALE`].

mod pairs;
mod records;

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use pairs::{Entered, Pair, Pairs};
use records::Records;

use crate::capture::Timestamp;
use crate::hostname::Hostname;
use crate::lists;

/// A name that a client asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The name.
    pub name: Hostname,
    /// The entry of the lists that it meets.
    pub entry: Option<Arc<lists::Entry>>,
}

/// The names by which a client may have come to a server.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// The one to be told: of those that meet a list the last one asked for, else the last one asked for.
    pub best: Arc<Asked>,
    /// When the client learned that it leads there.
    pub at: Timestamp,
    /// All of them, the last one asked for at the end.
    pub all: Vec<Arc<Asked>>,
}

/// What a client was told: at a time, that a name leads to these addresses, for so many seconds.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    /// Who had asked.
    pub client: IpAddr,
    /// For which name.
    pub name: &'t str,
    /// The entry of the lists that it meets.
    pub entry: Option<&'t Arc<lists::Entry>>,
    /// Where it is at home; of more than a hundred the first count.
    pub addresses: &'t [IpAddr],
    /// Seconds for which that may be kept.
    pub ttl: u32,
    /// When.
    pub at: Timestamp,
}

/// The names that clients asked for, by client and address of the server.
#[derive(Debug, Default)]
pub struct Answers {
    records: Records,
    pairs: Pairs,
    /// Configurations for encrypted hellos, by client and identifier.
    ech: FxHashMap<(IpAddr, u8), Vec<(Hostname, Answer)>>,
    services: Services,
    given_up: u64,
}

#[derive(Clone, Debug)]
struct Answer {
    asked: Arc<Asked>,
    at: Timestamp,
    /// Nanoseconds for which it counts.
    good_for: i64,
}

const SECOND: i64 = 1_000_000_000;

impl Answer {
    fn new(asked: Arc<Asked>, at: Timestamp, ttl: u32) -> Self {
        Self { asked, at, good_for: Answers::FRESH.max(i64::from(ttl) * SECOND) }
    }

    /// Whether it came before a moment, and not longer before it than so many nanoseconds. Captures run backwards by a little; what is a second
    /// later is no answer to a question before.
    fn is_within(&self, nanoseconds: i64, now: Timestamp) -> bool {
        (-SECOND..=nanoseconds).contains(&now.since(self.at))
    }
}

impl Answers {
    /// The most names of one pair; beyond it the oldest that meets no list is given up, or else the oldest. The address of a
    /// content network has dozens of names, and who has asked for 32 of them has told nothing by connecting.
    pub const MOST_NAMES: usize = Pairs::WAYS;
    /// The most configurations for encrypted hellos of all clients, by identifier; beyond it no further one is kept. A large network
    /// has few: what serves many names has one for all.
    pub const MOST_ECH: usize = 16_384;
    /// The most names of which it is kept whether they have such a configuration; beyond it older ones are given up. Browsers ask it of
    /// every name; 512 KiB.
    pub const MOST_SERVICES: usize = Services::SETS * Services::WAYS;
    /// The most names that are told as [others](Self::others).
    pub const MOST_OTHERS: usize = 4;
    /// Nanoseconds for which a name counts at least: five minutes, since clients' own caches do not go by times of 20 or 60 seconds
    /// to the second, and a page that was loaded goes on connecting.
    pub const FRESH: i64 = 300 * SECOND;
    /// Nanoseconds after which a name stands in for nothing: a day, in which a program that resolved a name once may go on with it.
    pub const STALE: i64 = 24 * 3600 * SECOND;

    /// Takes an answer. Where there is no room for it, others are given up: the oldest when their bytes are used up, and of pairs whose
    /// set is full one that meets no list.
    pub fn learn(&mut self, told: &Told<'_>) {
        let Self { records, pairs, given_up, .. } = self;
        let place = records.push(told, &mut |from, to, record| {
            for server in record.servers() {
                let pair = Pair::new(record.client(), server);
                match to {
                    Some(to) => pairs.moved(pair, from, to),
                    None => *given_up += u64::from(pairs.forget(pair, from)),
                }
            }
        });
        for server in told.addresses.get(..Records::MOST_ADDRESSES).unwrap_or(told.addresses) {
            let pair = Pair::new(told.client, *server);
            let same = |other| {
                let record = records.get(other);
                record.is_some_and(|record| record.is_of(told.name) && record.leads(told.client, *server))
            };
            match pairs.enter(pair, place, told.entry.is_some(), records, same) {
                Entered::Beside => {}
                Entered::Instead(before) => records.release(before),
                Entered::ForAnother(other) => {
                    records.release(other);
                    *given_up += 1;
                }
            }
        }
    }

    /// Takes a configuration for an encrypted hello that the client learned for a name.
    pub fn learn_ech(
        &mut self,
        client: IpAddr,
        asked: &Arc<Asked>,
        config_id: u8,
        public_name: &Hostname,
        at: Timestamp,
    ) {
        let key = (client, config_id);
        if self.ech.len() >= Self::MOST_ECH && !self.ech.contains_key(&key) {
            self.given_up += 1;
            return;
        }
        let known = self.ech.entry(key).or_default();
        known.retain(|(public, answer)| !(public == public_name && answer.asked.name == asked.name));
        if known.len() >= Self::MOST_NAMES {
            known.remove(0);
            self.given_up += 1;
        }
        known.push((public_name.clone(), Answer { asked: asked.clone(), at, good_for: Self::STALE }));
    }

    /// Takes whether the client learned a configuration for encrypted hellos with how to reach a name.
    pub fn learn_service(&mut self, client: IpAddr, name: &str, has_ech: bool) {
        self.given_up += u64::from(self.services.learn(service(client, name), has_ech));
    }

    /// Whether the client learned a configuration for encrypted hellos with how to reach a name; nothing where it did not ask.
    pub fn has_ech(&self, client: IpAddr, name: &Hostname) -> Option<bool> {
        self.services.get(service(client, name))
    }

    /// What a client was told of a server, the last answer at the end.
    fn known(&self, client: IpAddr, server: IpAddr) -> Vec<Answer> {
        let pair = Pair::new(client, server);
        let records = self.pairs.of(pair).filter_map(|place| self.records.get(place));
        let mut records: Vec<_> = records.filter(|record| record.leads(client, server)).collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse(self.records.answers_since(record)));
        records.iter().filter_map(|record| self.records.answer(record)).collect()
    }

    /// The names that lead a client to a server, as [`of`](Self::of) has them, where a name that it is said to have is none of
    /// them, fresh or not: the last ones asked for, at most [`Self::MOST_OTHERS`].
    pub fn others(&self, client: IpAddr, server: IpAddr, name: &str, now: Timestamp) -> Vec<Arc<Asked>> {
        let known = self.known(client, server);
        if known.is_empty() || known.iter().any(|answer| *answer.asked.name == *name) {
            return Vec::new();
        }
        let all = of(&known, now).map_or_else(Vec::new, |candidates| candidates.all);
        all.into_iter().rev().take(Self::MOST_OTHERS).collect()
    }

    /// The names by which a client may have come to a server at a time.
    pub fn of(&self, client: IpAddr, server: IpAddr, now: Timestamp) -> Option<Candidates> {
        of(&self.known(client, server), now)
    }

    /// Whether any client learned a configuration for encrypted hellos.
    pub fn know_ech(&self) -> bool {
        !self.ech.is_empty()
    }

    /// The names that a client may mean with an encrypted hello: those whose configuration has this identifier and name in clear. If some of
    /// them lead to the server, these.
    pub fn hidden(
        &self,
        client: IpAddr,
        server: IpAddr,
        config_id: u8,
        public_name: &str,
        now: Timestamp,
    ) -> Option<Candidates> {
        let known = self.ech.get(&(client, config_id))?;
        let all: Vec<&Answer> = (known.iter())
            .filter(|(public, answer)| **public == *public_name && answer.is_within(answer.good_for, now))
            .map(|(_, answer)| answer)
            .collect();
        let there = self.of(client, server, now);
        let leads = |answer: &&&Answer| {
            there.as_ref().is_some_and(|there| there.all.iter().any(|one| one.name == answer.asked.name))
        };
        let here: Vec<&Answer> = all.iter().filter(leads).copied().collect();
        candidates(if here.is_empty() { &all } else { &here })
    }

    /// How many names and pairs were given up because a limit was reached.
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }
}

/// Whether names have a configuration for encrypted hellos, by client.
#[derive(Debug, Default)]
struct Services {
    /// In each set the last one that came first; the lowest bit says it, the others stand for client and name, nought for none.
    sets: Vec<[u64; Self::WAYS]>,
}

impl Services {
    const SETS: usize = 1 << 13;
    const WAYS: usize = 8;

    /// Says whether another had to be given up for it.
    fn learn(&mut self, service: u64, has_ech: bool) -> bool {
        if self.sets.is_empty() {
            self.sets = vec![[0; Self::WAYS]; Self::SETS];
        }
        let Some(set) = self.sets.get_mut(place(service)) else { return false };
        let known = set.iter().position(|one| one >> 1 == service >> 1);
        let gone = known.is_none() && set.last().is_some_and(|last| *last != 0);
        if let Some(until) = set.get_mut(..=known.unwrap_or(Self::WAYS - 1)) {
            until.rotate_right(1);
        }
        if let Some(first) = set.first_mut() {
            *first = service & !1 | u64::from(has_ech);
        }
        gone
    }

    fn get(&self, service: u64) -> Option<bool> {
        let set = self.sets.get(place(service))?;
        set.iter().find(|one| **one >> 1 == service >> 1).map(|one| one & 1 == 1)
    }
}

const fn place(service: u64) -> usize {
    (service >> 40) as usize % Services::SETS
}

/// Those of the answers that count, or else the last one.
fn of(known: &[Answer], now: Timestamp) -> Option<Candidates> {
    let fresh: Vec<&Answer> = known.iter().filter(|answer| answer.is_within(answer.good_for, now)).collect();
    if fresh.is_empty() {
        let last = known.last().filter(|answer| answer.is_within(Answers::STALE, now))?;
        return candidates(&[last]);
    }
    candidates(&fresh)
}

/// What stands for a client and a name: that two have the same number would only make an offer look like another.
fn service(client: IpAddr, name: &str) -> u64 {
    // Nought is for none.
    FxBuildHasher.hash_one((client, name)).max(2)
}

fn candidates(answers: &[&Answer]) -> Option<Candidates> {
    let listed = answers.iter().rev().find(|answer| answer.asked.entry.is_some());
    let best = listed.or_else(|| answers.last())?;
    Some(Candidates {
        best: best.asked.clone(),
        at: best.at,
        all: answers.iter().map(|answer| answer.asked.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::lists::Lists;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

    fn server(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0xc000_0200 + number).into()
    }

    fn asked(name: &str) -> Arc<Asked> {
        let entry = Lists::builtin().lookup(name).cloned();
        Arc::new(Asked { name: Hostname::new(name).unwrap(), entry })
    }

    fn plain(name: &str) -> Arc<Asked> {
        Arc::new(Asked { name: Hostname::new(name).unwrap(), entry: None })
    }

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * SECOND)
    }

    fn learn(answers: &mut Answers, asked: &Asked, addresses: &[IpAddr], ttl: u32, at: Timestamp) {
        let Asked { name, entry } = asked;
        answers.learn(&Told { client: CLIENT, name, entry: entry.as_ref(), addresses, ttl, at });
    }

    fn names(found: Option<Candidates>) -> Option<(String, Vec<String>)> {
        found.map(|found| {
            let all = found.all.iter().map(|one| one.name.to_string()).collect();
            (found.best.name.to_string(), all)
        })
    }

    fn check(answers: &Answers, now: i64, expected: Option<(&str, &[&str])>) {
        let expected =
            expected.map(|(best, all)| (best.to_owned(), all.iter().map(|one| (*one).to_owned()).collect()));
        assert_eq!(names(answers.of(CLIENT, server(1), at(now))), expected, "at {now}");
    }

    #[test]
    fn the_listed_name_is_told_among_all_that_count() {
        let mut answers = Answers::default();
        learn(&mut answers, &asked("pastebin.com"), &[server(1), server(2)], 60, at(0));
        learn(&mut answers, &asked("www.example.com"), &[server(1)], 600, at(100));
        check(&answers, 200, Some(("pastebin.com", &["pastebin.com", "www.example.com"])));
        check(&answers, 301, Some(("www.example.com", &["www.example.com"])));
        check(&answers, 701, Some(("www.example.com", &["www.example.com"])));
        check(&answers, 100 + 86_401, None);
        check(&answers, -2, None);
        learn(&mut answers, &asked("pastebin.com"), &[server(1)], 1, at(400));
        check(&answers, 500, Some(("pastebin.com", &["www.example.com", "pastebin.com"])));
        assert!(answers.of(server(1), CLIENT, at(0)).is_none());
        assert!(answers.of(CLIENT, server(3), at(0)).is_none());
        assert_eq!(answers.given_up(), 0);
    }

    #[test]
    fn another_name_than_all_that_lead_there() {
        let mut answers = Answers::default();
        learn(&mut answers, &asked("pastebin.com"), &[server(1)], 60, at(0));
        learn(&mut answers, &plain("www.example.com"), &[server(1)], 60, at(400));
        let others = |name, now| -> Vec<String> {
            let others = answers.others(CLIENT, server(1), name, at(now));
            others.iter().map(|one| one.name.to_string()).collect()
        };
        assert_eq!(others("other.example", 100), ["pastebin.com"], "the other one came later");
        assert_eq!(others("other.example", 401), ["www.example.com"]);
        assert!(others("pastebin.com", 401).is_empty(), "it led there once");
        assert!(answers.others(CLIENT, server(2), "other.example", at(1)).is_empty());
    }

    #[test]
    fn whether_a_name_hides_others() {
        let mut answers = Answers::default();
        let name = |number: usize| Hostname::new(format!("n{number}.example")).unwrap();
        answers.learn_service(CLIENT, &name(0), true);
        answers.learn_service(CLIENT, &name(0), false);
        answers.learn_service(CLIENT, &name(1), true);
        assert_eq!([0, 1, 2].map(|one| answers.has_ech(CLIENT, &name(one))), [Some(false), Some(true), None]);
        assert_eq!(answers.has_ech(server(1), &name(0)), None);
        assert_eq!(answers.given_up(), 0);
        let more = 2 * Answers::MOST_SERVICES;
        for number in 2..more {
            answers.learn_service(CLIENT, &name(number), false);
        }
        assert_eq!(answers.has_ech(CLIENT, &name(more - 1)), Some(false));
        let kept = (0..more).filter(|number| answers.has_ech(CLIENT, &name(*number)).is_some()).count();
        assert!(kept > Answers::MOST_SERVICES / 4 * 3, "{kept}");
        assert_eq!(answers.given_up(), (more - kept) as u64);
    }

    #[test]
    fn hidden_names() {
        let mut answers = Answers::default();
        let public = Hostname::new("public.example").unwrap();
        for (name, number) in [("discord.com", 1), ("www.example.com", 2)] {
            answers.learn_ech(CLIENT, &asked(name), 77, &public, at(0));
            learn(&mut answers, &asked(name), &[server(number)], 60, at(0));
        }
        let hidden = |number, config_id, name: &str, now| {
            names(answers.hidden(CLIENT, server(number), config_id, name, at(now))).map(|found| found.0)
        };
        assert_eq!(hidden(1, 77, "public.example", 1).as_deref(), Some("discord.com"));
        assert_eq!(hidden(2, 77, "public.example", 1).as_deref(), Some("www.example.com"));
        assert_eq!(hidden(3, 77, "public.example", 1).as_deref(), Some("discord.com"), "the listed one");
        assert_eq!(hidden(1, 78, "public.example", 1), None);
        assert_eq!(hidden(1, 77, "other.example", 1), None);
        assert_eq!(hidden(1, 77, "public.example", 86_401), None);
    }

    #[test]
    fn names_of_one_pair_are_bounded_and_listed_ones_stay() {
        let mut answers = Answers::default();
        learn(&mut answers, &asked("pastebin.com"), &[server(1)], 60, at(0));
        for number in 0..100 {
            learn(&mut answers, &plain(&format!("n{number}.example")), &[server(1)], 60, at(0));
        }
        let found = answers.of(CLIENT, server(1), at(0)).unwrap();
        assert_eq!(found.all.len(), Answers::MOST_NAMES);
        assert_eq!(found.best.name.as_str(), "pastebin.com");
        assert_eq!(answers.given_up(), 101 - Answers::MOST_NAMES as u64);
    }

    fn entries(answers: &Answers) -> u64 {
        answers.pairs.entries() as u64
    }

    #[test]
    fn answers_are_bounded_and_the_oldest_go() {
        let mut answers = Answers::default();
        let (name, listed) = (plain("a.example"), asked("pastebin.com"));
        let most = 400_000;
        for number in 1..=most {
            let name = if number % 100 == 0 { &listed } else { &name };
            learn(&mut answers, name, &[server(number), server(0)], 60, at(0));
        }
        assert_eq!(
            entries(&answers) + answers.given_up(),
            u64::from(most) + 2,
            "what is not there is counted"
        );
        assert!(entries(&answers) > 60_000, "{}", entries(&answers));
        assert_eq!(
            names(answers.of(CLIENT, server(0), at(0))).unwrap().1.len(),
            2,
            "answered again and again"
        );
        assert!(answers.of(CLIENT, server(1), at(0)).is_none());
        let found = answers.of(CLIENT, server(most), at(0)).unwrap();
        assert_eq!(found.best.entry.as_ref().unwrap().service(), listed.entry.as_ref().unwrap().service());
        assert!(answers.of(CLIENT, server(most - 1), at(0)).is_some());
    }

    /// Memory is gone round in several times, and what was answered once is found with all that was answered meanwhile.
    #[test]
    fn what_comes_again_pushes_nothing_out() {
        let mut answers = Answers::default();
        let (listed, name) = (asked("pastebin.com"), plain("a.example"));
        for number in 1..=1_000 {
            let name = if number % 10 == 0 { &listed } else { &name };
            learn(
                &mut answers,
                name,
                &[server(number), Ipv6Addr::from_bits(u128::from(number)).into()],
                60,
                at(0),
            );
        }
        for number in 0..400_000 {
            let (again, name) = (server(10_000 + number % 7), if number % 3 == 0 { &listed } else { &name });
            learn(&mut answers, name, &[again], 60, at(1));
        }
        assert_eq!((answers.given_up(), entries(&answers)), (0, 2_000 + 14));
        for number in 1..=1_000 {
            for server in [server(number), Ipv6Addr::from_bits(u128::from(number)).into()] {
                let found = answers.of(CLIENT, server, at(2)).unwrap();
                let entry = found.best.entry.as_ref().map(|entry| entry.service());
                assert_eq!((found.at, entry), (at(0), (number % 10 == 0).then_some("Pastebin")), "{number}");
            }
        }
        assert_eq!(answers.of(CLIENT, server(10_001), at(2)).unwrap().all.len(), 2);
    }

    proptest! {
        /// What is found is what was told, the last answer of each name at its time.
        #[test]
        fn like_a_list(told in prop::collection::vec((0..3u8, 0..6usize, prop::collection::vec(0..8u8, 1..6)), 1..60)) {
            let clients: [IpAddr; 3] = [CLIENT, [10, 0, 0, 8].into(), Ipv6Addr::from_bits(7).into()];
            let servers = |number: u8| match number {
                0..4 => server(u32::from(number)),
                _ => Ipv6Addr::from_bits(u128::from(number)).into(),
            };
            static NAMES: LazyLock<[Arc<Asked>; 6]> = LazyLock::new(|| {
                ["pastebin.com", "t.me", "a.example", "b.example", "c.example", "d.example"].map(asked)
            });
            let mut answers = Answers::default();
            let mut model: Vec<(IpAddr, IpAddr, Arc<Asked>, i64)> = Vec::new();
            for (moment, (client, name, to)) in told.iter().enumerate() {
                let (client, asked) = (clients[usize::from(*client)], &NAMES[*name]);
                let addresses: Vec<IpAddr> = to.iter().map(|number| servers(*number)).collect();
                let Asked { name, entry } = &**asked;
                let at = at(moment as i64);
                answers.learn(&Told { client, name, entry: entry.as_ref(), addresses: &addresses, ttl: 60, at });
                for server in addresses {
                    model.retain(|(c, s, a, _)| (*c, *s, &a.name) != (client, server, name));
                    model.push((client, server, asked.clone(), moment as i64));
                }
            }
            for client in clients {
                for server in (0..8).map(servers) {
                    let found = answers.of(client, server, at(100));
                    let of_pair: Vec<_> = model.iter().filter(|(c, s, ..)| (*c, *s) == (client, server)).collect();
                    let expected: Vec<&str> = of_pair.iter().map(|(.., asked, _)| asked.name.as_str()).collect();
                    prop_assert_eq!(names(found.clone()).map_or(vec![], |found| found.1), expected);
                    let listed = of_pair.iter().rev().find(|(.., asked, _)| asked.entry.is_some());
                    if let Some((.., best, when)) = listed.or_else(|| of_pair.last()) {
                        let found = found.unwrap();
                        prop_assert_eq!((&found.best.name, found.at), (&best.name, at(*when)));
                        prop_assert_eq!(found.best.entry.is_some(), best.entry.is_some());
                    }
                }
            }
        }
    }
}
