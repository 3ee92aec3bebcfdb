//! Which endpoint is behind an address, and when: learned from the feed's own records, from leases on the wire, or stated.
//!
//! A host owns a set of addresses, and an address belongs to one host after the other. What is learned of an address is when
//! it was which host's; where two hosts have it at the same time it is ambiguous, and nothing but the five-tuple decides.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::leases::Leases;
use crate::capture::Timestamp;

const SECOND: i64 = 1_000_000_000;

/// A host of the feed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct HostId(u32);

/// Whose an address is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// Nobody's that is known.
    Nobody,
    /// One host's.
    One(HostId),
    /// Several hosts have it about then.
    Several(Vec<HostId>),
}

impl HostId {
    /// Its number among all, from 0.
    pub(super) const fn number(self) -> usize {
        self.0 as usize
    }

    /// The host with a number.
    pub(super) const fn from_number(number: usize) -> Self {
        Self(number as u32)
    }
}

impl Owner {
    /// Whether it may be this host's.
    pub(super) fn may_be(&self, host: HostId) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(one) => *one == host,
            Self::Several(hosts) => hosts.contains(&host),
        }
    }
}

/// The hosts of the feed, and their addresses.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    ids: FxHashMap<Box<str>, HostId>,
    names: Vec<Name>,
    /// The host that each name stands for: itself, or the fully qualified one that it is short for.
    canonical: Vec<HostId>,
    /// All names of each host, by the number of its canonical one.
    aliases: Vec<Vec<HostId>>,
    /// The place of each name among all of them in the order of the alphabet.
    ranks: Vec<u32>,
    /// How many names `canonical` was made for.
    settled: usize,
    /// Addresses, and when they were seen to be whose.
    seen: FxHashMap<IpAddr, Sighted>,
    /// How many of these there are.
    kept: usize,
    /// Whether `seen` is in order.
    sorted: bool,
    stated: FxHashMap<IpAddr, Vec<HostId>>,
    /// What DHCP said on the wire.
    pub(super) leases: Leases,
    /// How many hosts and sightings of addresses were given up because a limit was reached.
    pub(super) given_up: u64,
}

#[derive(Debug)]
struct Name {
    text: Arc<str>,
    id: Option<Arc<str>>,
}

/// That an address was a host's, in a minute.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Seen {
    minute: i64,
    host: HostId,
}

/// When an address was seen to be whose.
#[derive(Debug, Default)]
struct Sighted {
    /// By minute, once it is sorted.
    all: Vec<Seen>,
    /// Whose it is at all times, as mostly, as of when it was sorted.
    one: Option<HostId>,
}

/// That addresses were hosts', without what was said of the same minute just before.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The last of each host, by its number.
    last: Vec<Option<(IpAddr, i64)>>,
    all: Vec<(IpAddr, Seen)>,
}

impl Sightings {
    /// Takes that an address was a host's at a time of the wire.
    pub(super) fn saw(&mut self, ip: IpAddr, host: HostId, at: Timestamp) {
        if self.last.len() <= host.number() {
            self.last.resize(host.number() + 1, None);
        }
        let seen = Seen { minute: minute(at), host };
        let Some(last) = self.last.get_mut(host.number()) else { return };
        if last.replace((ip, seen.minute)) != Some((ip, seen.minute)) && can_be_owned(ip) {
            self.all.push((ip, seen));
        }
    }
}

impl Hosts {
    /// The most names of hosts: what a large network has, in both spellings.
    pub(super) const MOST: usize = 65_536;
    /// The most minutes in which addresses are known to be somebody's: 65,536 hosts that are seen in sixteen minutes each; 24 MiB.
    pub(super) const MOST_SEEN: usize = 1 << 20;
    /// Nanoseconds about a moment within which what is seen of an address counts: two hosts within it have one address.
    const ABOUT: i64 = 10;
    /// The longest name of a host, in bytes (RFC 1035 section 2.3.4).
    const LONGEST: usize = 255;

    /// The host of a name, which is new where it was not heard before. `None` for no name, and where there is no room.
    pub(super) fn host(&mut self, name: &str, id: Option<&str>) -> Option<HostId> {
        // Mostly it is written as it is kept.
        if id.is_none()
            && let Some(host) = self.ids.get(name)
        {
            return Some(*host);
        }
        let name = name.trim_end_matches('.');
        let lower = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        let name = lower.get(..lower.floor_char_boundary(Self::LONGEST)).unwrap_or_default();
        if name.is_empty() {
            return None;
        }
        if let Some(host) = self.ids.get(name) {
            if let (Some(id), Some(known)) = (id, self.names.get_mut(host.0 as usize))
                && known.id.as_deref().is_none_or(|known| id < known)
            {
                known.id = Some(id.get(..id.floor_char_boundary(Self::LONGEST)).unwrap_or_default().into());
            }
            return Some(*host);
        }
        if self.names.len() >= Self::MOST {
            self.given_up += 1;
            return None;
        }
        let host = HostId(self.names.len() as u32);
        let id = id.map(|id| id.get(..id.floor_char_boundary(Self::LONGEST)).unwrap_or_default().into());
        self.names.push(Name { text: name.into(), id });
        self.ids.insert(name.into(), host);
        Some(host)
    }

    /// Says which names are one host: a short name stands for the fully qualified one of which it is the first label, where there
    /// is one such; names with one identity stand for the first of them. Says whether anything changed for a name that was known.
    pub(super) fn settle(&mut self) -> bool {
        if self.settled == self.names.len() {
            return false;
        }
        let mut long: FxHashMap<&str, Vec<HostId>> = FxHashMap::default();
        for (number, name) in self.names.iter().enumerate() {
            if let Some((short, _)) = name.text.split_once('.')
                && name.text.parse::<IpAddr>().is_err()
            {
                long.entry(short).or_default().push(HostId(number as u32));
            }
        }
        let by_label = |number: usize, name: &Name| match long.get(&*name.text).map(Vec::as_slice) {
            Some([one]) => *one,
            _ => HostId(number as u32),
        };
        let mut canonical: Vec<HostId> =
            self.names.iter().enumerate().map(|(number, name)| by_label(number, name)).collect();
        let mut by_id: FxHashMap<&str, HostId> = FxHashMap::default();
        let text = |host: HostId| self.names.get(host.0 as usize).map_or("", |name| &name.text);
        for (name, host) in self.names.iter().zip(&canonical) {
            if let Some(id) = name.id.as_deref() {
                let first = by_id.entry(id).or_insert(*host);
                let rank = |host: HostId| (!text(host).contains('.'), text(host));
                if rank(*host) < rank(*first) {
                    *first = *host;
                }
            }
        }
        for (name, host) in self.names.iter().zip(canonical.iter_mut()) {
            if let Some(first) = name.id.as_deref().and_then(|id| by_id.get(id)) {
                *host = *first;
            }
        }
        let changed = self.canonical.iter().zip(&canonical).any(|(before, now)| before != now);
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_unstable_by_key(|number| self.names.get(*number).map(|name| &name.text));
        self.ranks = vec![0; order.len()];
        for (rank, number) in order.into_iter().enumerate() {
            if let Some(place) = self.ranks.get_mut(number) {
                *place = rank as u32;
            }
        }
        self.aliases.clear();
        self.aliases.resize_with(canonical.len(), Vec::new);
        for (number, host) in canonical.iter().enumerate() {
            if let Some(aliases) = self.aliases.get_mut(host.number()) {
                aliases.push(HostId(number as u32));
            }
        }
        self.canonical = canonical;
        self.settled = self.names.len();
        changed
    }

    /// The host that a name stands for, as of the last [`Self::settle`].
    pub(super) fn canonical(&self, host: HostId) -> HostId {
        self.canonical.get(host.0 as usize).copied().unwrap_or(host)
    }

    /// All names of the host that a name stands for, as of the last [`Self::settle`].
    pub(super) fn aliases(&self, host: HostId) -> &[HostId] {
        self.aliases.get(self.canonical(host).number()).map_or(&[], Vec::as_slice)
    }

    /// A host's name.
    pub(super) fn name(&self, host: HostId) -> Arc<str> {
        self.names.get(host.0 as usize).map(|name| name.text.clone()).unwrap_or_default()
    }

    /// The place of a host's name among all of them, by which hosts stand in an order that does not depend on who came first.
    pub(super) fn rank(&self, host: HostId) -> u32 {
        self.ranks.get(host.0 as usize).copied().unwrap_or(u32::MAX)
    }

    /// The feed's identity for a host.
    pub(super) fn id(&self, host: HostId) -> Option<Arc<str>> {
        self.names.get(host.0 as usize)?.id.clone()
    }

    /// Takes that an address was a host's at a time of the wire.
    pub(super) fn saw(&mut self, ip: IpAddr, host: HostId, at: Timestamp) {
        if can_be_owned(ip) {
            self.take_seen(ip, Seen { minute: minute(at), host });
        }
    }

    /// Takes sightings, in their order.
    pub(super) fn saw_all(&mut self, sightings: Sightings) {
        sightings.all.into_iter().for_each(|(ip, seen)| self.take_seen(ip, seen));
    }

    fn take_seen(&mut self, ip: IpAddr, seen: Seen) {
        let Sighted { all: known, one } = self.seen.entry(ip).or_default();
        *one = None;
        // What is told again is mostly told next.
        if known.last() == Some(&seen) {
            return;
        }
        if self.kept >= Self::MOST_SEEN {
            self.given_up += 1;
            return;
        }
        known.push(seen);
        self.kept += 1;
        self.sorted = false;
    }

    /// Takes that an address is a host's at all times, whatever a feed says.
    pub(super) fn state(&mut self, ip: IpAddr, host: HostId) {
        let stated = self.stated.entry(ip).or_default();
        if !stated.contains(&host) {
            stated.push(host);
        }
    }

    /// Forgets what was seen of addresses, to learn it anew.
    pub(super) fn forget_seen(&mut self) {
        self.seen.clear();
        self.kept = 0;
    }

    /// Puts what was seen into order, once all is in.
    pub(super) fn sort(&mut self) {
        if self.sorted {
            return;
        }
        self.kept = 0;
        let rank = |host: HostId| self.ranks.get(host.0 as usize).copied();
        for Sighted { all: known, one } in self.seen.values_mut() {
            for seen in known.iter_mut() {
                seen.host = self.canonical.get(seen.host.0 as usize).copied().unwrap_or(seen.host);
            }
            known.sort_unstable_by_key(|seen| (seen.minute, rank(seen.host)));
            known.dedup();
            let first = known.first().map(|seen| seen.host);
            *one = first.filter(|first| known.iter().all(|seen| seen.host == *first));
            self.kept += known.len();
        }
        self.sorted = true;
    }

    /// Whose an address is at a time of the wire, as of the last [`Self::sort`]: as stated; as telemetry of about then says; as the lease
    /// of then says, if telemetry has not said otherwise since; as telemetry of before and after says.
    pub(super) fn owner(&self, ip: IpAddr, at: Timestamp) -> Owner {
        if let Some(stated) = self.stated.get(&ip) {
            return self.several(stated.iter().copied());
        }
        let lease = self.leases.holder(ip, at);
        let lease = lease.map(|(host, from)| (self.canonical(host), minute(from)));
        let Some(seen) = self.seen.get(&ip) else {
            return lease.map_or(Owner::Nobody, |(host, _)| Owner::One(host));
        };
        if let (None, Some(one)) = (lease, seen.one) {
            return Owner::One(self.canonical(one));
        }
        let seen = &seen.all;
        let told = self.seen_owner(seen, minute(at));
        match (lease, &told.owner) {
            (None, _) => told.owner,
            (Some((host, _)), Owner::Several(hosts)) if hosts.contains(&host) => Owner::One(host),
            (Some((host, from)), _) if !told.about && told.before.is_none_or(|before| before <= from) => {
                Owner::One(host)
            }
            _ => told.owner,
        }
    }

    /// Every host that an address is ever known to be of.
    pub(super) fn ever(&self, ip: IpAddr) -> impl Iterator<Item = HostId> + '_ {
        let stated = self.stated.get(&ip).into_iter().flatten().copied();
        let seen = self.seen.get(&ip).into_iter().flat_map(|seen| &seen.all).map(|seen| seen.host);
        stated.chain(seen).chain(self.leases.ever(ip)).map(|host| self.canonical(host))
    }

    /// Whose an address is by telemetry alone.
    pub(super) fn told_owner(&self, ip: IpAddr, at: Timestamp) -> Owner {
        if let Some(stated) = self.stated.get(&ip) {
            return self.several(stated.iter().copied());
        }
        match self.seen.get(&ip) {
            None => Owner::Nobody,
            Some(Sighted { one: Some(one), .. }) => Owner::One(self.canonical(*one)),
            Some(seen) => self.seen_owner(&seen.all, minute(at)).owner,
        }
    }

    fn seen_owner(&self, seen: &[Seen], minute: i64) -> Told {
        let from = seen.partition_point(|one| one.minute < minute - Self::ABOUT);
        let to = seen.partition_point(|one| one.minute <= minute + Self::ABOUT);
        let about = seen.get(from..to).unwrap_or_default();
        let before = from.checked_sub(1).and_then(|before| seen.get(before));
        let told = |owner| Told { owner, about: !about.is_empty(), before: before.map(|one| one.minute) };
        if about.is_empty() {
            // Whoever had it before has it still, or the next one has it already.
            let around = before.into_iter().chain(seen.get(to));
            return told(self.several(around.map(|one| one.host)));
        }
        // Mostly it is one host's all the time.
        if let [first, rest @ ..] = about
            && rest.iter().all(|one| one.host == first.host)
        {
            return told(Owner::One(self.canonical(first.host)));
        }
        let mut hosts: Vec<HostId> = about.iter().map(|one| one.host).collect();
        hosts.dedup();
        // A lease that passed from one to the other has one owner before, and one after.
        if let [one, other] = hosts.as_slice()
            && let (Some(last), Some(first)) = (last_of(about, *one), first_of(about, *other))
            && last < first
        {
            if minute <= last {
                return told(Owner::One(*one));
            } else if minute >= first {
                return told(Owner::One(*other));
            }
        }
        told(self.several(hosts.into_iter()))
    }

    /// In the order of their names: the order in which they came says nothing.
    fn several(&self, hosts: impl Iterator<Item = HostId>) -> Owner {
        let mut hosts: Vec<HostId> = hosts.map(|host| self.canonical(host)).collect();
        hosts.sort_unstable_by_key(|host| self.rank(*host));
        hosts.dedup();
        match hosts.as_slice() {
            [] => Owner::Nobody,
            [one] => Owner::One(*one),
            _ => Owner::Several(hosts),
        }
    }
}

/// What telemetry says of an address.
struct Told {
    owner: Owner,
    /// Whether of about the time that is asked for.
    about: bool,
    /// The last minute before that of which it says anything.
    before: Option<i64>,
}

const fn minute(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(60 * SECOND)
}

fn last_of(seen: &[Seen], host: HostId) -> Option<i64> {
    seen.iter().rev().find(|one| one.host == host).map(|one| one.minute)
}

fn first_of(seen: &[Seen], host: HostId) -> Option<i64> {
    seen.iter().find(|one| one.host == host).map(|one| one.minute)
}

/// Whether an address can tell a host from others: loopback, multicast, no address, and the bridge that every Docker host has cannot.
pub(super) const fn can_be_owned(ip: IpAddr) -> bool {
    if ip.is_loopback() || ip.is_multicast() || ip.is_unspecified() {
        return false;
    }
    match ip {
        IpAddr::V4(ip) => !matches!(ip.octets(), [172, 17, ..] | [255, 255, 255, 255]),
        IpAddr::V6(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::dhcp::{Kind, Message};

    const fn at_minute(minute: i64) -> Timestamp {
        Timestamp::from_nanos(minute * 60 * SECOND)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Names as a feed has them, and the name of the host that each stands for.
    fn check(names: &[(&str, Option<&str>)], expected: &[&str]) {
        for turned in [false, true] {
            let mut hosts = Hosts::default();
            let mut order: Vec<_> = names.to_vec();
            if turned {
                order.reverse();
            }
            order.iter().for_each(|(name, id)| _ = hosts.host(name, *id));
            hosts.settle();
            let found: Vec<_> = names
                .iter()
                .map(|(name, _)| {
                    let host = hosts.host(name, None).unwrap();
                    hosts.name(hosts.canonical(host)).to_string()
                })
                .collect();
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn a_short_name_is_the_only_long_one_that_begins_so() {
        check(&[("WS5", None), ("ws5.Corp.example.", None)], &["ws5.corp.example", "ws5.corp.example"]);
        check(
            &[("ws5", None), ("ws5.a.example", None), ("ws5.b.example", None)],
            &["ws5", "ws5.a.example", "ws5.b.example"],
        );
        check(&[("ws5", Some("d1")), ("renamed", Some("d1"))], &["renamed", "renamed"]);
        check(&[("10.0.0.7", None), ("10", None)], &["10.0.0.7", "10"]);
    }

    fn owner(seen: &[(i64, &str)], at: i64) -> Vec<String> {
        let mut hosts = Hosts::default();
        for (when, name) in seen {
            let host = hosts.host(name, None).unwrap();
            hosts.saw(ip("10.0.0.7"), host, at_minute(*when));
        }
        hosts.settle();
        hosts.sort();
        match hosts.owner(ip("10.0.0.7"), at_minute(at)) {
            Owner::Nobody => Vec::new(),
            Owner::One(host) => vec![hosts.name(host).to_string()],
            Owner::Several(all) => all.iter().map(|host| hosts.name(*host).to_string()).collect(),
        }
    }

    #[test]
    fn an_address_passes_from_one_host_to_the_next() {
        let lease = [(0, "a"), (20, "a"), (60, "b"), (90, "b")];
        for (at, expected) in
            [(0, &["a"][..]), (15, &["a"]), (40, &["a", "b"]), (55, &["b"]), (61, &["b"]), (500, &["b"])]
        {
            assert_eq!(owner(&lease, at), expected, "{at}");
        }
        assert_eq!(owner(&[(20, "a"), (22, "b")], 19), ["a"]);
        assert_eq!(owner(&[(20, "a"), (22, "b")], 21), ["a", "b"]);
        assert_eq!(owner(&[(20, "a"), (22, "b")], 23), ["b"]);
    }

    #[test]
    fn two_hosts_with_one_address_are_told() {
        let both = [(0, "a"), (1, "b"), (2, "a"), (3, "b")];
        assert_eq!(owner(&both, 2), ["a", "b"]);
        assert!(owner(&[], 2).is_empty());
    }

    #[test]
    fn some_addresses_are_nobodys_and_what_is_stated_stands() {
        let mut hosts = Hosts::default();
        let (a, b) = (hosts.host("a", None).unwrap(), hosts.host("b", None).unwrap());
        for address in ["127.0.0.1", "::1", "0.0.0.0", "224.0.0.251", "172.17.0.2", "ff02::fb"] {
            hosts.saw(ip(address), a, at_minute(0));
            assert_eq!(hosts.owner(ip(address), at_minute(0)), Owner::Nobody, "{address}");
        }
        hosts.saw(ip("10.0.0.7"), a, at_minute(0));
        hosts.state(ip("10.0.0.7"), b);
        hosts.settle();
        hosts.sort();
        assert_eq!(hosts.owner(ip("10.0.0.7"), at_minute(0)), Owner::One(b));
    }

    #[test]
    fn made_up_hosts_and_addresses_do_not_take_memory() {
        let mut hosts = Hosts::default();
        for number in 0..Hosts::MOST + 10 {
            hosts.host(&format!("h{number}"), None);
        }
        assert_eq!((hosts.names.len(), hosts.given_up), (Hosts::MOST, 10));
        assert_eq!(hosts.host("", None), None);
    }

    /// Who has an address by telemetry of these minutes, and by a lease of an hour from a minute on.
    fn with_lease(seen: &[(i64, &str)], lease: (i64, &str), at: i64) -> String {
        let mut hosts = Hosts::default();
        for (when, name) in seen {
            let host = hosts.host(name, None).unwrap();
            hosts.saw(ip("10.0.0.7"), host, at_minute(*when));
        }
        let holder = hosts.host(lease.1, None);
        let message = Message {
            kind: Kind::Ack,
            transaction: 1,
            client: [0; 16],
            has: None,
            gets: Some([10, 0, 0, 7].into()),
            lease: Some(3600),
            name: None,
        };
        hosts.leases.take(&message, at_minute(lease.0), holder);
        hosts.settle();
        hosts.sort();
        match hosts.owner(ip("10.0.0.7"), at_minute(at)) {
            Owner::Nobody => String::new(),
            Owner::One(host) => hosts.name(host).to_string(),
            Owner::Several(_) => "several".to_owned(),
        }
    }

    #[test]
    fn a_lease_says_less_than_telemetry_of_then_and_more_than_that_of_before() {
        assert_eq!(with_lease(&[], (10, "b"), 20), "b");
        assert_eq!(with_lease(&[], (10, "b"), 5), "");
        assert_eq!(with_lease(&[(20, "a")], (10, "b"), 25), "a", "telemetry of then");
        assert_eq!(with_lease(&[(20, "a")], (10, "b"), 50), "a", "telemetry since");
        assert_eq!(with_lease(&[(0, "a")], (10, "b"), 50), "b", "telemetry of before");
        assert_eq!(with_lease(&[(60, "a")], (10, "b"), 40), "b", "telemetry of after");
        assert_eq!(with_lease(&[(0, "a")], (10, "b"), 90), "a", "the lease is over");
        assert_eq!(with_lease(&[(20, "a"), (21, "b"), (22, "a")], (10, "b"), 21), "b", "one of several");
        assert_eq!(with_lease(&[(20, "a"), (21, "c"), (22, "a")], (10, "b"), 21), "several", "none of them");
        assert_eq!(with_lease(&[(0, "b.corp.example")], (10, "B"), 50), "b.corp.example", "a short name");
    }
}
