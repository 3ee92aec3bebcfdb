//! The join of telemetry and wire: what feeds say is taken in any order, and of every contact it is said who made it.
//!
//! The five-tuple, as an unordered pair, is the key; time only decides between several of one key, for the clocks of records are not to be
//! trusted before they were compared with the wire's (`clocks`). A DNS packet is never its sender's: the resolver sends it for whoever
//! asked, so a question joins by host, name and time to the record of the question. What a record says is kept in rows;
//! [`Join::settle`] learns clocks and addresses from all of them at once, sorted, so that the order in which records came
//! changes nothing; [`Join::attribute`] climbs down the ladder of evidence (`ladder`).

#[cfg(test)]
mod beacons;
mod both;
mod forget;
mod index;
mod ladder;
mod memory;
mod report;
mod seen;
mod sorted;
#[cfg(test)]
mod tests;
mod verdict;

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::attribution::Host;
use super::clocks::{ClockId, Clocks, Sample, Samples, Times};
use super::delegates::Delegates;
use super::hosts::{HostId, Hosts, Sightings};
use super::processes::{Mention, ProcessId, Processes, Source};
use super::record::{Clock, Connection, End, FeedKind, NameKind, Query, Record, Said, Side};
use super::texts::{TextId, Texts};
use crate::capture::Timestamp;
use crate::flow::{Endpoint, Flow, Protocol};
use crate::hands::{Hands, OneByOne, each, pieces};
use crate::inspect::dhcp;
use both::{Both, Found, New};
use index::{Index, Places, Span};
use seen::Seen;

pub use ladder::Question;
pub use memory::FeedMemory;
pub use report::{FeedReport, OffsetFound, ZoneFound};

const SECOND: i64 = 1_000_000_000;

/// What feeds said and which connections the wire saw, and who is behind them.
#[derive(Debug)]
pub struct Join {
    texts: Texts,
    hosts: Hosts,
    processes: Processes,
    clocks: Clocks,
    delegates: &'static Delegates,
    memory: FeedMemory,
    /// Who does what can be done at once.
    hands: Arc<dyn Hands>,

    connections: Vec<ConnectionRow>,
    queries: Vec<QueryRow>,
    wire: Vec<WireRow>,
    /// Addresses that records give a host by themselves.
    addresses: Vec<(IpAddr, HostId, FeedKind, Times)>,

    /// Connections of records with both ports, and those of the wire, by both ends. Those that came since somebody asked are not in yet.
    both: Both,
    /// Connections of records, by host, address and port of the other end; once somebody asked for such.
    destinations: OnceLock<Destinations>,
    /// Questions of records, by host and name.
    asked: Index<(HostId, TextId), ClockId>,
    /// Processes by their host and a name that their command line holds; how long they lived, and when they began.
    commands: Index<(HostId, TextId), Lived>,
    /// What was put into `commands`.
    in_commands: FxHashSet<(TextId, ProcessId)>,

    /// Which hosts asked for a name.
    askers: FxHashMap<TextId, Vec<HostId>>,
    /// Addresses that were clients on the wire.
    on_wire: FxHashSet<IpAddr>,
    /// Hosts that one of these is known to be of.
    seen_on_wire: FxHashSet<HostId>,

    /// Records that have come already, by what is unique about them.
    seen: Seen,
    /// From when to when the records of a host are, by each clock of its feeds; by the number of the host.
    covered: Vec<Vec<(ClockId, Timestamp, Timestamp)>>,
    /// Written times less event times, of records that have both.
    lags: FxHashMap<(HostId, FeedKind), Vec<i64>>,
    /// Hosts as they are told, by their number.
    made_hosts: Vec<Option<Arc<Host>>>,
    counts: Counts,
}

/// What was counted of records.
#[derive(Debug, Default)]
struct Counts {
    records: FxHashMap<(FeedKind, TextId), u64>,
    /// Records of kinds for whose names there was no room.
    other_records: u64,
    duplicates: u64,
    without_host: u64,
    given_up: GivenUp,
}

/// What was given up because a limit was reached.
#[derive(Debug, Default)]
struct GivenUp {
    connections: u64,
    queries: u64,
    wire: u64,
    clients: u64,
}

/// Connections of records, by host, address and port of the other end.
#[derive(Debug, Default)]
struct Destinations {
    index: Index<(HostId, u64), ClockId>,
    /// How many rows are in.
    taken: usize,
}

impl Destinations {
    /// Takes the rows that are not in yet.
    fn take(&mut self, rows: &[ConnectionRow]) {
        for (number, row) in rows.iter().enumerate().skip(self.taken) {
            if let Some(key) = row.remote().and_then(|end| destination(end.ip, end.port?)) {
                self.index.add((row.mention.host, key), number as u32, |row| places(rows, row));
            }
        }
        self.taken = rows.len();
    }
}

/// A connection of a record.
#[derive(Clone, Copy, Debug)]
struct ConnectionRow {
    feed: FeedKind,
    kind: Option<TextId>,
    mention: Mention,
    times: Times,
    ends: [End; 2],
    protocol: Option<Protocol>,
    local: Option<Side>,
    initiated: Option<bool>,
    /// A name that the program asked for, in lower case.
    name: Option<TextId>,
}

/// A question of a record.
#[derive(Clone, Debug)]
struct QueryRow {
    feed: FeedKind,
    kind: Option<TextId>,
    /// In lower case.
    name: Option<TextId>,
    mention: Mention,
    times: Times,
    /// Whether it was answered by the host itself, or not at all: no packet comes of it.
    cached: bool,
    addresses: Box<[IpAddr]>,
}

/// How long a process lived at the most: so long before a moment began those that may have lived then.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Lived {
    Minutes,
    Hours,
    Days,
    /// Or it is not known when it ended.
    Longer,
}

impl Lived {
    fn of(began: i64, ended: Option<i64>) -> Self {
        let fits = |length: &Self| ended.is_some_and(|ended| ended.saturating_sub(began) <= length.most());
        [Self::Minutes, Self::Hours, Self::Days].into_iter().find(fits).unwrap_or(Self::Longer)
    }

    /// In nanoseconds.
    const fn most(self) -> i64 {
        match self {
            Self::Minutes => 300 * SECOND,
            Self::Hours => 3 * 3600 * SECOND,
            Self::Days => 3 * 86_400 * SECOND,
            Self::Longer => i64::MAX,
        }
    }
}

/// A connection of the wire.
#[derive(Clone, Copy, Debug)]
struct WireRow {
    flow: Flow,
    began: Timestamp,
    /// Whether its beginning was seen, and with it who began it.
    whole: bool,
}

impl Join {
    /// The most names of hosts that are taken from one command line.
    const MOST_NAMES_OF_A_COMMAND: usize = 32;
    /// The most lags that a zone is learned from, for each host and feed.
    const MOST_LAGS: usize = 255;

    /// Nothing is known yet, and there is so much room.
    pub fn new(memory: FeedMemory) -> Self {
        Self {
            texts: Texts::new(memory.texts),
            hosts: Hosts::default(),
            processes: Processes::new(memory.processes),
            clocks: Clocks::default(),
            delegates: Delegates::builtin(),
            memory,
            hands: Arc::new(OneByOne),
            connections: Vec::new(),
            queries: Vec::new(),
            wire: Vec::new(),
            addresses: Vec::new(),
            both: Both::default(),
            destinations: OnceLock::new(),
            asked: Index::default(),
            commands: Index::default(),
            in_commands: FxHashSet::default(),
            askers: FxHashMap::default(),
            on_wire: FxHashSet::default(),
            seen_on_wire: FxHashSet::default(),
            seen: Seen::default(),
            covered: Vec::new(),
            lags: FxHashMap::default(),
            made_hosts: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The same, and what can be done at once these do. What comes out does not depend on them.
    #[must_use]
    pub fn with_hands(self, hands: Arc<dyn Hands>) -> Self {
        Self { hands, ..self }
    }

    /// Takes that an address is a host's, whatever a feed says.
    pub fn state(&mut self, ip: IpAddr, host: &str) {
        if let Some(host) = self.hosts.host(host, None) {
            self.hosts.state(ip, host);
        }
    }

    /// Takes a message of DHCP that passed: who has which address from then on.
    pub fn lease(&mut self, message: &dhcp::Message, at: Timestamp) {
        let host = message.name.as_ref().and_then(|name| self.hosts.host(name, None));
        self.hosts.leases.take(message, at, host);
    }

    /// Takes that an address was a client on the wire.
    pub fn client(&mut self, ip: IpAddr) {
        // Every address of an office, and more than are behind one translation.
        const MOST: usize = 1 << 18;
        if self.on_wire.len() < MOST {
            self.on_wire.insert(ip);
        } else if !self.on_wire.contains(&ip) {
            self.counts.given_up.clients += 1;
        }
    }

    /// Takes a connection of the wire: when its first packet passed, and whether that began it.
    pub fn conversation(&mut self, flow: Flow, began: Timestamp, whole: bool) {
        self.client(flow.src.ip);
        if self.wire.len() >= self.memory.wire {
            self.counts.given_up.wire += 1;
            return;
        }
        self.wire.push(WireRow { flow, began, whole });
    }

    /// Takes a message in a connection of the wire whose beginning is not told: it stands for that, which was a moment before.
    pub fn message(&mut self, flow: Flow, at: Timestamp) {
        const SAME: i64 = 300 * SECOND;
        let about = at.as_nanos();
        let span = Span { from: about.saturating_sub(SAME), to: about.saturating_add(SAME), about };
        self.index_rows();
        let rows = self.both.find(flow.fold()).map(|found| found.wire);
        let known = (rows.into_iter().flat_map(|(rows, head)| rows.near(head, |()| Some(span))))
            .filter_map(|row| self.wire.get(row as usize))
            .any(|row| row.flow.is_of(&flow) && at.since(row.began).abs() <= SAME);
        if !known {
            self.conversation(flow, at, true);
        }
    }

    /// Takes a record of a feed; in any order, and again without harm.
    pub fn record(&mut self, record: &Record<'_>) {
        let Some(host) = self.hosts.host(&record.host, record.host_id.as_deref()) else {
            self.counts.without_host += 1;
            return;
        };
        let kind = self.texts.keep(&record.kind);
        if self.seen.len() < self.memory.records() && !self.seen.insert(identity(record, host)) {
            self.counts.duplicates += 1;
            return;
        }
        match kind {
            Some(kind) => *self.counts.records.entry((record.feed, kind)).or_default() += 1,
            None => self.counts.other_records += 1,
        }
        let times = Times { first: record.time, second: record.second };
        self.cover(host, record.feed, &times);
        match &record.what {
            Said::Start(process) => {
                if let (Some(event), Some(logged)) = (times.of(Clock::Event), times.of(Clock::Logged)) {
                    let lags = self.lags.entry((host, record.feed)).or_default();
                    if lags.len() < Self::MOST_LAGS {
                        lags.push(logged.since(event));
                    }
                }
                let mention =
                    self.processes.take(host, process, Source::Start, &times, kind, &mut self.texts);
                self.names_of_command(mention, process.command_line.as_deref());
            }
            Said::End(process) => {
                self.processes.take(host, process, Source::End, &times, kind, &mut self.texts);
            }
            Said::Connection(connection) => self.connection(host, record.feed, kind, times, connection),
            Said::Query(query) => self.query(host, record.feed, kind, times, query),
            Said::Addresses(addresses) => {
                // A record that gives a host more is made up.
                for address in addresses.iter().take(64) {
                    if self.addresses.len() < self.memory.addresses() {
                        self.addresses.push((*address, host, record.feed, times));
                    }
                }
            }
        }
    }

    fn connection(
        &mut self,
        host: HostId,
        feed: FeedKind,
        kind: Option<TextId>,
        times: Times,
        said: &Connection<'_>,
    ) {
        let mention =
            self.processes.take(host, &said.process, Source::Mention, &times, None, &mut self.texts);
        self.names_of_command(mention, said.process.command_line.as_deref());
        if self.connections.len() >= self.memory.connections {
            self.counts.given_up.connections += 1;
            return;
        }
        let name = said.name.as_ref().filter(|(_, kind)| *kind != NameKind::Reverse);
        let name = name.and_then(|(name, _)| self.texts.keep_lower(host_of(name)));
        self.connections.push(ConnectionRow {
            feed,
            kind,
            mention,
            times,
            ends: said.ends,
            protocol: said.protocol,
            local: said.local,
            initiated: said.initiated,
            name,
        });
    }

    /// Takes the rows into the indexes that came since.
    fn index_rows(&mut self) {
        let Self { connections, wire, both, destinations, hands, .. } = self;
        let feed = New {
            length: connections.len(),
            key: &|row| Some(connections.get(row as usize)?.flow()?.fold()),
            places: &|row| places(connections, row),
        };
        let wire = New {
            length: wire.len(),
            key: &|row| Some(wire.get(row as usize)?.flow.fold()),
            places: &|row| wire_places(wire, row),
        };
        both.take(&feed, &wire, &**hands);
        if let Some(destinations) = destinations.get_mut() {
            destinations.take(connections);
        }
    }

    /// Connections of records, by host, address and port of the other end.
    fn destinations(&self) -> &Index<(HostId, u64), ClockId> {
        let made = self.destinations.get_or_init(|| {
            let mut made = Destinations::default();
            made.take(&self.connections);
            made
        });
        &made.index
    }

    fn index_query(&mut self, number: u32, host: HostId, name: TextId) {
        let rows = &self.queries;
        let is_first = self.asked.add((host, name), number, |number| {
            rows.get(number as usize)
                .map_or_else(Places::default, |row| row.times.places(row.mention.host, row.feed))
        });
        if is_first {
            self.askers.entry(name).or_default().push(host);
        }
    }

    fn index_command(&mut self, name: TextId, process: ProcessId) {
        let processes = &self.processes;
        let Some(host) = processes.host(process) else { return };
        self.commands.add((host, name), process.number(), |number| {
            let lifetime = processes.lifetime(ProcessId::from_number(number));
            [lifetime.map(|(began, ended)| (Lived::of(began, ended), began)), None]
        });
    }

    fn query(&mut self, host: HostId, feed: FeedKind, kind: Option<TextId>, times: Times, said: &Query<'_>) {
        // A record of the DNS client has no process that asked.
        let mention =
            self.processes.take(host, &said.process, Source::Mention, &times, None, &mut self.texts);
        self.names_of_command(mention, said.process.command_line.as_deref());
        if self.queries.len() >= self.memory.queries {
            self.counts.given_up.queries += 1;
            return;
        }
        let Some(name) = self.texts.keep_lower(said.name.trim_end_matches('.')) else { return };
        let row = self.queries.len() as u32;
        // DNS_ERROR_RECORD_DOES_NOT_EXIST: a question to the cache alone.
        let cached = said.status.as_deref() == Some("9701");
        // More addresses than a message of DNS holds are made up.
        let addresses = said.addresses.iter().take(64).copied().collect();
        self.queries.push(QueryRow { feed, kind, name: Some(name), mention, times, cached, addresses });
        self.index_query(row, host, name);
    }

    /// Takes the names of hosts that stand in a command line.
    fn names_of_command(&mut self, mention: Mention, command_line: Option<&str>) {
        let (Some(process), Some(line)) = (mention.process, command_line) else { return };
        let line = line.get(..line.floor_char_boundary(Texts::LONGEST_COMMAND_LINE)).unwrap_or(line);
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let words = line.split(|c| !of_a_name(c)).map(|word| word.trim_matches('.'));
        let names = words.filter(|word| is_name(word)).take(Self::MOST_NAMES_OF_A_COMMAND);
        for name in names {
            let Some(name) = self.texts.keep_lower(name) else { return };
            if self.in_commands.len() < self.memory.processes && self.in_commands.insert((name, process)) {
                self.index_command(name, process);
            }
        }
    }

    fn cover(&mut self, host: HostId, feed: FeedKind, times: &Times) {
        let time = times.order();
        let clock = ClockId { host, feed, clock: time.clock };
        if self.covered.len() <= host.number() {
            self.covered.resize_with(host.number() + 1, Vec::new);
        }
        let Some(covered) = self.covered.get_mut(host.number()) else { return };
        match covered.iter_mut().find(|(known, ..)| *known == clock) {
            Some((_, from, to)) => (*from, *to) = ((*from).min(time.at), (*to).max(time.at)),
            None => covered.push((clock, time.at, time.at)),
        }
    }

    /// Learns names, clocks and addresses from all that came, so that the order in which it came makes no difference.
    pub fn settle(&mut self) {
        self.hosts.settle();
        self.index_rows();
        self.clocks.learn_zones(self.lags.clone());
        let hands = self.hands.clone();
        let pieces = each(&*hands, pieces(&*hands, self.wire.len()), |piece| {
            self.samples(self.wire.get(piece).unwrap_or_default())
        });
        let mut samples = Samples::default();
        pieces.into_iter().for_each(|piece| samples.append(piece));
        self.clocks.learn(samples, &*hands);
        self.hosts.forget_seen();
        // Pieces of one size whoever does them: where there is no room for more, what is counted does not depend on that.
        const PIECE: usize = 1 << 16;
        let pieces = each(&*hands, self.connections.chunks(PIECE), |rows| self.sightings(rows));
        pieces.into_iter().for_each(|piece| self.hosts.saw_all(piece));
        for (address, host, feed, times) in &self.addresses {
            self.hosts.saw(*address, *host, self.clocks.to_wire(*host, *feed, times.order()));
        }
        self.hosts.sort();
        let on_wire = self.on_wire.iter().flat_map(|ip| self.hosts.ever(*ip));
        self.seen_on_wire = on_wire.collect();
        // When a process began may have become known after its command line.
        if self.commands.is_sorted_anywhere() {
            self.index_commands();
        }
        self.processes.forget_made();
        self.made_hosts.clear();
    }

    /// The addresses that records call the host's own. Where both ends are the host's, a record says nothing more.
    fn sightings(&self, rows: &[ConnectionRow]) -> Sightings {
        let mut sightings = Sightings::default();
        for row in rows {
            if let Some(local) = row.local_ip() {
                let at = self.clocks.to_wire(row.mention.host, row.feed, row.times.order());
                sightings.saw(local, row.mention.host, at);
            }
        }
        sightings
    }

    /// What the clocks of records were ahead of the wire's, where one connection is unique on both sides.
    fn samples(&self, wire: &[WireRow]) -> Samples {
        let mut samples = Samples::default();
        let mut rows: Vec<&ConnectionRow> = Vec::new();
        for block in wire.chunks(Self::LOOKED_UP) {
            for (wire, found) in block.iter().zip(self.found(block.iter().map(|wire| wire.flow))) {
                let Some(Found { feed: (feed, head), wire: (_, of_wire) }) = found else { continue };
                if !wire.whole || !of_wire.is_one() || is_fixed(wire.flow) {
                    continue;
                }
                // So many records of one connection are of ports that recur.
                if feed.has_many(head) {
                    continue;
                }
                rows.clear();
                feed.tell_near(
                    head,
                    |_| None,
                    |row| {
                        rows.extend(self.connections.get(row as usize).filter(|row| row.is(wire.flow)));
                    },
                );
                for row in &rows {
                    let alike = |other: &&&ConnectionRow| {
                        (other.mention.host, other.feed) == (row.mention.host, row.feed)
                    };
                    // The same record again is one; two of one host and feed are two connections.
                    let others = rows.iter().filter(alike).filter(|other| other.times != row.times);
                    if others.count() > 0 {
                        continue;
                    }
                    for time in row.times.all() {
                        if matches!(time.clock, Clock::Bucket | Clock::Received) {
                            continue;
                        }
                        let clock = ClockId { host: row.mention.host, feed: row.feed, clock: time.clock };
                        samples.add(clock, Sample { wire: wire.began, ahead: time.at.since(wire.began) });
                    }
                }
            }
        }
        samples
    }

    /// How many connections are looked up at once: the memory that one waits for is fetched while the next is looked up.
    const LOOKED_UP: usize = 32;

    /// What there is of connections on both sides; of so many at the most.
    fn found(&self, flows: impl Iterator<Item = Flow>) -> [Option<Found<'_>>; Self::LOOKED_UP] {
        let mut all = [None; Self::LOOKED_UP];
        for (found, flow) in all.iter_mut().zip(flows) {
            *found = self.both.find(flow.fold());
        }
        all
    }

    fn host(&mut self, host: HostId) -> Arc<Host> {
        let host = self.hosts.canonical(host);
        let hosts = &self.hosts;
        let make = || Arc::new(Host { name: hosts.name(host), id: hosts.id(host) });
        if self.made_hosts.len() <= host.number() {
            self.made_hosts.resize(host.number() + 1, None);
        }
        match self.made_hosts.get_mut(host.number()) {
            Some(made) => made.get_or_insert_with(make).clone(),
            None => make(),
        }
    }

    /// What the event times of a host's feed are ahead of the wire: where it was not learned from them themselves, by what its
    /// written times are ahead beyond their zone and the second that writing takes.
    fn event_ahead(&self, host: HostId, feed: FeedKind, wire: Timestamp) -> i64 {
        const LAG: i64 = 1_140_000_000;
        let ahead = |clock| {
            let offset = self.clocks.offset(ClockId { host, feed, clock }, wire)?;
            (offset.samples >= Clocks::LEARNED).then_some(offset.ahead)
        };
        if let Some(ahead) = ahead(Clock::Event) {
            return ahead;
        }
        let Some(logged) = ahead(Clock::Logged) else { return 0 };
        let rest = logged - self.clocks.zone(host, feed) - LAG;
        // Less than what writing takes at most is no error of the clock.
        if rest.abs() <= 4 * SECOND { 0 } else { rest }
    }
}

impl ConnectionRow {
    /// Both ends as a flow, where both ports are known.
    fn flow(&self) -> Option<Flow> {
        let [first, second] = self.ends;
        let end = |end: End| Some(Endpoint { ip: end.ip, port: end.port? });
        Some(Flow { src: end(first)?, dst: end(second)?, protocol: self.protocol.unwrap_or(Protocol::TCP) })
    }

    /// Whether it is of this connection of the wire.
    fn is(&self, flow: Flow) -> bool {
        self.flow().is_some_and(|own| own.is_of(&flow))
    }

    /// The host's own address, where the record says which it is.
    fn local_ip(&self) -> Option<IpAddr> {
        let [first, second] = self.ends;
        match self.local? {
            Side::First => Some(first.ip),
            Side::Second => Some(second.ip),
        }
    }

    /// Whether the host's own port is this one.
    fn has_port(&self, port: u16) -> bool {
        let [first, second] = self.ends;
        let own = match self.local {
            Some(Side::First) => first.port,
            Some(Side::Second) => second.port,
            None => None,
        };
        own == Some(port)
    }

    /// The end that is not the host's own.
    fn remote(&self) -> Option<End> {
        let [first, second] = self.ends;
        match (self.local, self.initiated) {
            (Some(Side::First), _) => Some(second),
            (Some(Side::Second), _) => Some(first),
            (None, Some(true)) => Some(second),
            (None, _) => None,
        }
    }
}

fn places(rows: &[ConnectionRow], row: u32) -> Places<ClockId> {
    rows.get(row as usize).map_or_else(Places::default, |row| row.times.places(row.mention.host, row.feed))
}

fn wire_places(rows: &[WireRow], row: u32) -> Places<()> {
    [rows.get(row as usize).map(|row| ((), row.began.as_nanos())), None]
}

/// What is unique about a record: its feed's own identity for it, or all that it says.
fn identity(record: &Record<'_>, host: HostId) -> u64 {
    let mut hash = FxHasher::default();
    (record.feed, &*record.kind, host).hash(&mut hash);
    match &record.id {
        Some(id) => id.hash(&mut hash),
        None => {
            let time = |time: &super::record::Time| (time.at.as_nanos(), time.clock);
            (time(&record.time), record.second.as_ref().map(time)).hash(&mut hash);
            match &record.what {
                Said::Start(process) | Said::End(process) => said_of(process, &mut hash),
                Said::Connection(connection) => {
                    said_of(&connection.process, &mut hash);
                    (connection.ends, connection.initiated).hash(&mut hash);
                }
                Said::Query(query) => {
                    said_of(&query.process, &mut hash);
                    (&*query.name, &query.status).hash(&mut hash);
                }
                Said::Addresses(addresses) => addresses.hash(&mut hash),
            }
        }
    }
    hash.finish()
}

fn said_of(process: &super::record::Process<'_>, hash: &mut FxHasher) {
    (process.pid, &process.key, &process.image, &process.command_line).hash(hash);
}

/// A key of an address and a port.
fn destination(ip: IpAddr, port: u16) -> Option<u64> {
    (!ip.is_unspecified()).then(|| Endpoint { ip, port }.fold())
}

/// Whether a connection's ports say nothing of the time: those of protocols that use one port on both sides, and of servers.
fn is_fixed(flow: Flow) -> bool {
    const FIRST_EPHEMERAL: u16 = 1024;
    const FIXED: [u16; 6] = [1900, 3702, 4500, 5353, 5355, 41_641];
    flow.src.port < FIRST_EPHEMERAL || flow.src.port == flow.dst.port || FIXED.contains(&flow.src.port)
}

/// The host in what a vendor calls a URL: `https://a.example:8443/x` and `a.example/x` alike.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    rest.split(':').next().unwrap_or(rest).trim_end_matches('.')
}

/// Whether a word of a command line may be the name of a host: some labels, and a last one that is no number nor a program.
fn is_name(word: &str) -> bool {
    let Some((rest, last)) = word.rsplit_once('.') else { return false };
    let file = ["exe", "dll", "ps1", "bat", "cmd", "vbs", "js", "txt", "log", "tmp", "ini", "conf"];
    !rest.is_empty()
        && word.len() <= 253
        && last.len() >= 2
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !file.iter().any(|file| last.eq_ignore_ascii_case(file))
}
