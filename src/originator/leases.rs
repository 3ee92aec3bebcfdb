//! Which client has which address by DHCP, and when: what a client called itself in its request, with what the server gave it.
//!
//! A client has one address at a time, and an address one client: a lease is over when its time is, when the client gives it up, or when
//! either of them has another.

use std::collections::VecDeque;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::hosts::{HostId, can_be_owned};
use crate::capture::Timestamp;
use crate::inspect::dhcp::{Hardware, Kind, Message};

const SECOND: i64 = 1_000_000_000;

/// The leases that were seen.
#[derive(Debug, Default)]
pub struct Leases {
    /// What clients called themselves in requests that may yet be granted, and when.
    asked: FxHashMap<(u32, Hardware), (Timestamp, HostId)>,
    /// These, in the order in which they came.
    order: VecDeque<(u32, Hardware)>,
    by_address: FxHashMap<IpAddr, Vec<Lease>>,
    by_client: FxHashMap<Hardware, Vec<(Timestamp, Option<IpAddr>)>>,
    kept: usize,
    /// How many leases there were of clients that said their name.
    pub(super) told: u64,
    /// How many were given up because a limit was reached.
    pub(super) given_up: u64,
}

/// That an address was given to a client.
#[derive(Clone, Copy, Debug)]
struct Lease {
    from: Timestamp,
    until: Timestamp,
    client: Hardware,
    host: HostId,
}

impl Leases {
    /// The most requests that wait to be granted: those of some seconds, after the power came back to a large network.
    const MOST_ASKED: usize = 8192;
    /// The most leases: those of a day for each of 65,536 clients, some 8 MiB.
    pub(super) const MOST: usize = 1 << 17;
    /// Nanoseconds within which a request is granted: clients ask again after at most a minute (RFC 2131 section 4.1).
    const GRANTED_WITHIN: i64 = 120 * SECOND;
    /// Seconds for which a lease counts whose message does not say for how long: the least that servers give.
    const UNSAID: u32 = 600;

    /// Takes a message that passed; `host` is the host of the name in it.
    pub(super) fn take(&mut self, message: &Message, at: Timestamp, host: Option<HostId>) {
        let key = (message.transaction, message.client);
        match message.kind {
            Kind::Request => {
                let Some(host) = host else { return };
                if self.asked.insert(key, (at, host)).is_none() {
                    self.order.push_back(key);
                }
                while self.order.len() > Self::MOST_ASKED {
                    if let Some(oldest) = self.order.pop_front() {
                        self.asked.remove(&oldest);
                    }
                }
            }
            Kind::Ack => {
                let asked =
                    self.asked.get(&key).filter(|(asked, _)| at.since(*asked) <= Self::GRANTED_WITHIN);
                // What the client calls itself; servers have names of their own for some.
                let host = asked.map(|(_, host)| *host).or(host);
                // Without an address it only told the client of other things (RFC 2131 section 4.3.5).
                let (Some(host), Some(address)) = (host, message.gets) else { return };
                self.lease(message, at, IpAddr::V4(address), host);
            }
            Kind::Release => self.moved(message.client, at, None),
        }
    }

    fn lease(&mut self, message: &Message, at: Timestamp, address: IpAddr, host: HostId) {
        if !can_be_owned(address) {
            return;
        }
        let length = i64::from(message.lease.unwrap_or(Self::UNSAID)) * SECOND;
        let until = Timestamp::from_nanos(at.as_nanos().saturating_add(length));
        let lease = Lease { from: at, until, client: message.client, host };
        if self.kept >= Self::MOST {
            self.given_up += 1;
            return;
        }
        self.told += 1;
        let leases = self.by_address.entry(address).or_default();
        let place = leases.partition_point(|known| known.from <= at);
        // A client that has its lease renewed has one: the captures of a week hold thousands of these.
        match place.checked_sub(1).and_then(|before| leases.get_mut(before)) {
            Some(before) if (before.client, before.host) == (lease.client, host) && before.until >= at => {
                before.until = before.until.max(until);
                return;
            }
            _ => leases.insert(place, lease),
        }
        self.kept += 1;
        self.moved(message.client, at, Some(address));
    }

    /// Notes where a client is from a time on.
    fn moved(&mut self, client: Hardware, at: Timestamp, address: Option<IpAddr>) {
        let places = self.by_client.entry(client).or_default();
        let place = places.partition_point(|(from, _)| *from <= at);
        let is_there = place.checked_sub(1).and_then(|before| places.get(before));
        if is_there.is_some_and(|(_, before)| *before == address) {
            return;
        }
        if self.kept >= Self::MOST {
            self.given_up += 1;
            return;
        }
        places.insert(place, (at, address));
        self.kept += 1;
    }

    /// Who had an address at a time by the last lease before it, and since when; `None` when nobody had.
    pub(super) fn holder(&self, address: IpAddr, at: Timestamp) -> Option<(HostId, Timestamp)> {
        let leases = self.by_address.get(&address)?;
        let lease = leases.get(leases.partition_point(|lease| lease.from <= at).checked_sub(1)?)?;
        let places = self.by_client.get(&lease.client).map_or(&[][..], Vec::as_slice);
        let last = places.partition_point(|(from, _)| *from <= at).checked_sub(1);
        let is_there =
            last.and_then(|last| places.get(last)).is_none_or(|(_, place)| *place == Some(address));
        (at <= lease.until && is_there).then_some((lease.host, lease.from))
    }

    /// Every client that had an address.
    pub(super) fn ever(&self, address: IpAddr) -> impl Iterator<Item = HostId> + '_ {
        self.by_address.get(&address).into_iter().flatten().map(|lease| lease.host)
    }

    /// Forgets what was over before a time.
    pub(super) fn forget(&mut self, before: Timestamp) {
        self.by_address.retain(|_, leases| {
            leases.retain(|lease| lease.until >= before);
            !leases.is_empty()
        });
        // Of each client the last place that it had by then is where it is.
        self.by_client.retain(|_, places| {
            let over = places.partition_point(|(from, _)| *from < before).saturating_sub(1);
            places.drain(..over);
            places.last().is_some_and(|(from, place)| place.is_some() || *from >= before)
        });
        self.kept = self.by_address.values().map(Vec::len).sum::<usize>()
            + self.by_client.values().map(Vec::len).sum::<usize>();
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Whether so many are kept that something should be forgotten.
    pub(super) const fn is_filling(&self) -> bool {
        self.kept > Self::MOST / 4 * 3
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::hosts::Hosts;
    use super::*;

    const fn second(second: i64) -> Timestamp {
        Timestamp::from_nanos(second * SECOND)
    }

    const fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn message(kind: Kind, transaction: u32, client: u8, gets: Option<u8>, lease: u32) -> Message {
        let mut hardware = [0; 16];
        hardware[5] = client;
        Message {
            kind,
            transaction,
            client: hardware,
            has: None,
            gets: gets.map(ip),
            lease: Some(lease),
            name: None,
        }
    }

    /// Messages: second, kind, transaction, client, its name, the address, the seconds of the lease. Then who has an address when.
    type Said = (i64, Kind, u32, u8, &'static str, u8, u32);

    #[track_caller]
    fn check(said: &[Said], expected: &[(u8, i64, &str)]) {
        for turned in [false, true] {
            let mut hosts = Hosts::default();
            let mut leases = Leases::default();
            let mut said = said.to_vec();
            if turned {
                // Each answer behind its question, but the last first.
                said.sort_by_key(|(second, kind, ..)| (*kind != Kind::Request, -*second));
            }
            for (at, kind, transaction, client, name, address, lease) in said {
                let host = hosts.host(name, None);
                let gets = (kind == Kind::Ack).then_some(address);
                leases.take(&message(kind, transaction, client, gets, lease), second(at), host);
            }
            hosts.settle();
            for (address, at, name) in expected {
                let holder = leases.holder(ip(*address).into(), second(*at));
                let found = holder.map_or_else(String::new, |(host, _)| hosts.name(host).to_string());
                assert_eq!(found, *name, "10.0.0.{address} at {at}, turned {turned}");
            }
        }
    }

    #[test]
    fn a_request_names_what_an_ack_gives() {
        let said = [(9, Kind::Request, 1, 7, "ws5", 0, 0), (10, Kind::Ack, 1, 7, "", 7, 3600)];
        check(&said, &[(7, 9, ""), (7, 10, "ws5"), (7, 3610, "ws5"), (7, 3611, ""), (8, 20, "")]);
        // Another transaction, another client, and one that was asked long ago.
        check(&[said[0], (10, Kind::Ack, 2, 7, "", 7, 3600)], &[(7, 11, "")]);
        check(&[said[0], (10, Kind::Ack, 1, 8, "", 7, 3600)], &[(7, 11, "")]);
        check(&[said[0], (500, Kind::Ack, 1, 7, "", 7, 3600)], &[(7, 501, "")]);
        // A server that repeats the name, when the request was not seen.
        check(&[(10, Kind::Ack, 1, 7, "ws5", 7, 3600)], &[(7, 11, "ws5")]);
    }

    #[test]
    fn two_hosts_swap_an_address() {
        let said = [
            (10, Kind::Ack, 1, 7, "ws5", 7, 3600),
            (11, Kind::Ack, 1, 8, "ws6", 8, 3600),
            (100, Kind::Release, 2, 7, "", 0, 0),
            (110, Kind::Ack, 3, 8, "ws6", 7, 3600),
            (120, Kind::Ack, 4, 7, "ws5", 8, 3600),
        ];
        check(
            &said,
            &[
                (7, 50, "ws5"),
                (8, 50, "ws6"),
                (7, 105, ""),
                (8, 105, "ws6"),
                (7, 115, "ws6"),
                (8, 115, ""),
                (8, 125, "ws5"),
                (7, 125, "ws6"),
            ],
        );
    }

    #[test]
    fn a_lease_is_renewed() {
        let said = [
            (0, Kind::Ack, 1, 7, "ws5", 7, 100),
            (50, Kind::Ack, 2, 7, "ws5", 7, 100),
            (100, Kind::Ack, 3, 7, "ws5", 7, 100),
        ];
        check(&said[..2], &[(7, 140, "ws5"), (7, 151, "")]);
        check(&said, &[(7, 199, "ws5"), (7, 201, "")]);
    }

    #[test]
    fn what_is_kept_is_bounded_and_forgotten() {
        let mut hosts = Hosts::default();
        let host = hosts.host("ws5", None);
        let mut leases = Leases::default();
        for number in 0..200_000u32 {
            let mut one = message(Kind::Ack, number, 7, None, 60);
            one.client[..4].copy_from_slice(&number.to_be_bytes());
            one.gets = Some(Ipv4Addr::from(0x0a00_0000 + number));
            leases.take(&one, second(i64::from(number)), host);
        }
        assert_eq!(
            (leases.told, leases.given_up),
            (Leases::MOST as u64 / 2, 200_000 - Leases::MOST as u64 / 2)
        );
        assert!(leases.is_filling());
        leases.forget(second(65_000));
        assert!(leases.kept < 70_000, "{}", leases.kept);
        let holder = |number: u32, at| leases.holder(Ipv4Addr::from(0x0a00_0000 + number).into(), second(at));
        assert!(holder(65_010, 65_020).is_some() && holder(10, 20).is_none());
    }
}
