//! Who asked DNS for what: a client, an address of a server, and the names that led the one to the other.
//!
//! Names that meet no list are kept like the others, for an address that several names lead to is a contact with none of them for
//! sure, and that has to be told. A client is an address: what it asked by IPv4 says nothing of its connections by IPv6.
//!
//! How long a name is good for is not what DNS says: programs keep addresses longer than they may, for they resolve a name
//! once and connect again and again. So a name counts for its time to live or [`Answers::FRESH`], whichever is longer; where
//! none counts any more, the last one that was asked for stands in, until [`Answers::STALE`].

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

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

/// The names that clients asked for, by client and address of the server.
#[derive(Debug, Default)]
pub struct Answers {
    pairs: FxHashMap<(IpAddr, IpAddr), Pair>,
    /// Pairs in the order in which they were last answered, among others that have been answered again since.
    ages: VecDeque<((IpAddr, IpAddr), u64)>,
    /// Configurations for encrypted hellos, by client and identifier.
    ech: FxHashMap<(IpAddr, u8), Vec<(Hostname, Answer)>>,
    /// Whether a name has a configuration for encrypted hellos, by client: what was learned lately, and before that.
    services: [FxHashMap<u64, bool>; 2],
    /// How many answers came.
    answers: u64,
    given_up: u64,
}

#[derive(Debug)]
struct Pair {
    /// Which answer was the last one.
    last: u64,
    /// The name that was asked for last, which is the only one of most pairs.
    newest: Answer,
    /// The names before it, oldest first.
    older: Vec<Answer>,
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
    /// Whether it came before a moment, and not longer before it than so many nanoseconds. Captures run backwards by a little; what is a second
    /// later is no answer to a question before.
    fn is_within(&self, nanoseconds: i64, now: Timestamp) -> bool {
        (-SECOND..=nanoseconds).contains(&now.since(self.at))
    }
}

impl Answers {
    /// The most pairs of client and server; beyond it the one that was not answered for the longest time is given up. A thousand
    /// clients that each know sixty addresses; about 24 MiB.
    pub const MOST_PAIRS: usize = 65_536;
    /// The most names of one pair; beyond it the oldest that meets no list is given up, or else the oldest. The address of a
    /// content network has dozens of names, and who has asked for 32 of them has told nothing by connecting.
    pub const MOST_NAMES: usize = 32;
    /// The most configurations for encrypted hellos of all clients, by identifier; beyond it no further one is kept. A large network
    /// has few: what serves many names has one for all.
    pub const MOST_ECH: usize = 16_384;
    /// The most names of which it is kept whether they have such a configuration, in each of two generations; beyond it the older ones are
    /// given up. Browsers ask it of every name.
    pub const MOST_SERVICES: usize = 32_768;
    /// The most names that are told as [others](Self::others).
    pub const MOST_OTHERS: usize = 4;
    /// Nanoseconds for which a name counts at least: five minutes, since clients' own caches do not go by times of 20 or 60 seconds
    /// to the second, and a page that was loaded goes on connecting.
    pub const FRESH: i64 = 300 * SECOND;
    /// Nanoseconds after which a name stands in for nothing: a day, in which a program that resolved a name once may go on with it.
    pub const STALE: i64 = 24 * 3600 * SECOND;

    /// Takes an answer: the client learned at a time that a name leads to these addresses, for so many seconds.
    pub fn learn(
        &mut self,
        client: IpAddr,
        asked: &Arc<Asked>,
        addresses: &[IpAddr],
        ttl: u32,
        at: Timestamp,
    ) {
        self.answers += 1;
        let answer = Answer { asked: asked.clone(), at, good_for: Self::FRESH.max(i64::from(ttl) * SECOND) };
        for server in addresses {
            let key = (client, *server);
            match self.pairs.entry(key) {
                Entry::Occupied(mut pair) => {
                    let pair = pair.get_mut();
                    pair.last = self.answers;
                    self.given_up += pair.keep(answer.clone());
                }
                Entry::Vacant(place) => {
                    place.insert(Pair { last: self.answers, newest: answer.clone(), older: Vec::new() });
                }
            }
            self.ages.push_back((key, self.answers));
        }
        while self.pairs.len() > Self::MOST_PAIRS {
            let Some((oldest, last)) = self.ages.pop_front() else { break };
            if self.pairs.get(&oldest).is_some_and(|pair| pair.last == last) {
                self.pairs.remove(&oldest);
                self.given_up += 1;
            }
        }
        // Not twice as many: the queue's memory doubles when it is full.
        if self.ages.len() > self.pairs.len() / 2 * 3 + 1024 {
            self.ages.retain(|(key, last)| self.pairs.get(key).is_some_and(|pair| pair.last == *last));
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
    pub fn learn_service(&mut self, client: IpAddr, name: &Hostname, has_ech: bool) {
        let [young, old] = &mut self.services;
        if young.len() >= Self::MOST_SERVICES {
            self.given_up += old.len() as u64;
            *old = std::mem::take(young);
        }
        young.insert(service(client, name), has_ech);
    }

    /// Whether the client learned a configuration for encrypted hellos with how to reach a name; nothing where it did not ask.
    pub fn has_ech(&self, client: IpAddr, name: &Hostname) -> Option<bool> {
        let key = service(client, name);
        self.services.iter().find_map(|services| services.get(&key)).copied()
    }

    /// The names that lead a client to a server, as [`of`](Self::of) has them, where a name that it is said to have is none of
    /// them, fresh or not: the last ones asked for, at most [`Self::MOST_OTHERS`].
    pub fn others(&self, client: IpAddr, server: IpAddr, name: &str, now: Timestamp) -> Vec<Arc<Asked>> {
        let known = self.pairs.get(&(client, server));
        if known.is_none_or(|pair| pair.names().any(|answer| *answer.asked.name == *name)) {
            return Vec::new();
        }
        let all = self.of(client, server, now).map_or_else(Vec::new, |candidates| candidates.all);
        all.into_iter().rev().take(Self::MOST_OTHERS).collect()
    }

    /// The names by which a client may have come to a server at a time.
    pub fn of(&self, client: IpAddr, server: IpAddr, now: Timestamp) -> Option<Candidates> {
        let pair = self.pairs.get(&(client, server))?;
        let fresh: Vec<&Answer> =
            pair.names().filter(|answer| answer.is_within(answer.good_for, now)).collect();
        if fresh.is_empty() {
            let last = Some(&pair.newest).filter(|answer| answer.is_within(Self::STALE, now))?;
            return candidates(&[last]);
        }
        candidates(&fresh)
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

impl Pair {
    /// The names, the last one asked for at the end.
    fn names(&self) -> impl DoubleEndedIterator<Item = &Answer> {
        self.older.iter().chain(std::iter::once(&self.newest))
    }

    /// Adds a name as the last one asked for. Says how many were given up.
    fn keep(&mut self, answer: Answer) -> u64 {
        let before = std::mem::replace(&mut self.newest, answer);
        if before.asked.name == self.newest.asked.name {
            return 0;
        }
        let known = self.older.iter().position(|one| one.asked.name == self.newest.asked.name);
        let full = known.is_none() && self.older.len() + 1 >= Answers::MOST_NAMES;
        self.older.push(before);
        if let Some(known) = known {
            self.older.remove(known);
        } else if full {
            let unlisted = self.older.iter().position(|one| one.asked.entry.is_none());
            self.older.remove(unlisted.unwrap_or(0));
        }
        u64::from(full)
    }
}

/// What stands for a client and a name: that two have the same number would only make an offer look like another.
fn service(client: IpAddr, name: &str) -> u64 {
    FxBuildHasher.hash_one((client, name))
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
    use std::net::Ipv4Addr;

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
        answers.learn(CLIENT, &asked("pastebin.com"), &[server(1), server(2)], 60, at(0));
        answers.learn(CLIENT, &asked("www.example.com"), &[server(1)], 600, at(100));
        check(&answers, 200, Some(("pastebin.com", &["pastebin.com", "www.example.com"])));
        check(&answers, 301, Some(("www.example.com", &["www.example.com"])));
        check(&answers, 701, Some(("www.example.com", &["www.example.com"])));
        check(&answers, 100 + 86_401, None);
        check(&answers, -2, None);
        answers.learn(CLIENT, &asked("pastebin.com"), &[server(1)], 1, at(400));
        check(&answers, 500, Some(("pastebin.com", &["www.example.com", "pastebin.com"])));
        assert!(answers.of(server(1), CLIENT, at(0)).is_none());
        assert!(answers.of(CLIENT, server(3), at(0)).is_none());
        assert_eq!(answers.given_up(), 0);
    }

    #[test]
    fn another_name_than_all_that_lead_there() {
        let mut answers = Answers::default();
        answers.learn(CLIENT, &asked("pastebin.com"), &[server(1)], 60, at(0));
        answers.learn(CLIENT, &plain("www.example.com"), &[server(1)], 60, at(400));
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
        for number in 2..2 * Answers::MOST_SERVICES + 2 {
            answers.learn_service(CLIENT, &name(number), false);
        }
        assert_eq!(answers.has_ech(CLIENT, &name(0)), None);
        assert!(answers.given_up() > 0);
        assert!(answers.services.iter().all(|some| some.len() <= Answers::MOST_SERVICES));
    }

    #[test]
    fn hidden_names() {
        let mut answers = Answers::default();
        let public = Hostname::new("public.example").unwrap();
        for (name, number) in [("discord.com", 1), ("www.example.com", 2)] {
            answers.learn_ech(CLIENT, &asked(name), 77, &public, at(0));
            answers.learn(CLIENT, &asked(name), &[server(number)], 60, at(0));
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
        answers.learn(CLIENT, &asked("pastebin.com"), &[server(1)], 60, at(0));
        for number in 0..100 {
            answers.learn(CLIENT, &plain(&format!("n{number}.example")), &[server(1)], 60, at(0));
        }
        let found = answers.of(CLIENT, server(1), at(0)).unwrap();
        assert_eq!(found.all.len(), Answers::MOST_NAMES);
        assert_eq!(found.best.name.as_str(), "pastebin.com");
        assert_eq!(answers.given_up(), 101 - Answers::MOST_NAMES as u64);
    }

    #[test]
    fn pairs_are_bounded_and_the_one_not_answered_for_longest_goes() {
        let mut answers = Answers::default();
        let name = plain("a.example");
        let most = Answers::MOST_PAIRS as u32;
        for number in 0..most + 10 {
            answers.learn(CLIENT, &name, &[server(number), server(0)], 60, at(0));
        }
        assert_eq!(answers.pairs.len(), Answers::MOST_PAIRS);
        assert_eq!(answers.given_up(), 10);
        assert!(answers.ages.len() <= 2 * Answers::MOST_PAIRS + 1025);
        assert!(answers.of(CLIENT, server(0), at(0)).is_some(), "answered again and again");
        assert!(answers.of(CLIENT, server(1), at(0)).is_none());
    }
}
