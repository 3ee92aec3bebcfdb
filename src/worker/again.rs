//! What of a chunk has to be read again: the frames of what was open before it, and of what fragments feed.

use rustc_hash::FxHashSet;

use super::{Kind, Matter, Mattering, Open, flow};
use crate::capture::savefile::Chunk;
use crate::capture::{Frame, Timestamp};
use crate::decode::{self, Packet, Transport};
use crate::flow::Protocol;
use crate::flow::defrag::{Defrag, FragmentKey, Reassembly};

impl Open {
    /// The tags of what has to be read again in a chunk: what was open before it; and what belongs to a datagram in fragments of
    /// which that is so, for it feeds a conversation in another frame, or not at all.
    pub(super) fn again(&self, chunk: &Chunk, index: &[Mattering], fed: &[(u32, u32)]) -> FxHashSet<u32> {
        let fragments: FxHashSet<u32> = self.fragments.keys().map(FragmentKey::tag).collect();
        let asked = self.questions.tags();
        let was_open = |Matter { tag, kind }: &Matter| match kind {
            Kind::Segment => self.tcp.has_tag(*tag) || asked.contains(tag),
            Kind::Message => asked.contains(tag),
            Kind::Datagram => self.udp.has_tag(*tag),
            Kind::Fragment => fragments.contains(tag),
        };
        let mut before = None;
        let mut again: FxHashSet<u32> = (index.iter().map(|one| one.matter))
            // Packets of one conversation often follow one another.
            .filter(|matter| before.replace(*matter) != Some(*matter))
            .filter(was_open)
            .map(|matter| matter.tag)
            .collect();
        // What fragments feed is in no frame of its own.
        let any = |tag: &u32| self.has_tag(*tag) || fragments.contains(tag) || asked.contains(tag);
        again.extend(fed.iter().map(|(_, fed)| *fed).filter(any));
        let mut edges = fed.to_vec();
        loop {
            close(&mut again, &edges);
            if fragments.is_disjoint(&again) {
                return again;
            }
            // Datagrams that are completed by this chunk feed what the scan could not know of.
            let before = again.len();
            let mut table = self.fragments.clone();
            for Mattering { place, .. } in of_these(index, &again) {
                if let Some((frame, packet)) = packet_at(chunk, place) {
                    feed(&mut table, &packet, frame.at, &mut edges);
                }
            }
            close(&mut again, &edges);
            if again.len() == before {
                return again;
            }
        }
    }
}

/// Those frames that matter to a conversation with one of these tags.
pub(super) fn of_these(index: &[Mattering], tags: &FxHashSet<u32>) -> impl Iterator<Item = Mattering> {
    // Packets of one conversation often follow one another.
    let mut last = (0, false);
    index.iter().copied().filter(move |one| {
        let tag = one.matter.tag;
        if tag != last.0 {
            last = (tag, tags.contains(&tag));
        }
        last.1
    })
}

/// The frame at a place in a chunk, and its packet.
pub(super) fn packet_at(chunk: &Chunk, place: u32) -> Option<(Frame<'_>, Packet<'_>)> {
    let frame = chunk.frame_at(place)?;
    let packet = decode::packet(frame.link, frame.bytes, frame.wire_len).ok()?;
    Some((frame, packet))
}

/// Adds every tag that stands beside one of `tags`, and what stands beside that.
fn close(tags: &mut FxHashSet<u32>, edges: &[(u32, u32)]) {
    while edges.iter().any(|(one, other)| {
        let (has_one, has_other) = (tags.contains(one), tags.contains(other));
        if has_one != has_other {
            tags.extend([*one, *other]);
        }
        has_one != has_other
    }) {}
}

/// What a fragment feeds when its datagram is whole with it, as an edge between tags.
fn feed(table: &mut Defrag, packet: &Packet<'_>, at: Timestamp, edges: &mut Vec<(u32, u32)>) -> Option<u32> {
    let ends = |src_port, dst_port, protocol| Some(flow(packet, src_port, dst_port, protocol).tag());
    match &packet.transport {
        Transport::Tcp(segment) => ends(segment.src_port, segment.dst_port, Protocol::TCP),
        Transport::Udp(datagram) => ends(datagram.src_port, datagram.dst_port, Protocol::UDP),
        Transport::Other(_) => None,
        Transport::Fragment(fragment) => {
            let key = FragmentKey::new(packet, fragment);
            let tag = key.tag();
            if let Reassembly::Complete { protocol, payload } = table.push(key, fragment, at)
                && let Ok(whole) =
                    decode::continue_ip(protocol, packet.src, packet.dst, &payload, &packet.path)
                && let Some(fed) = feed(table, &whole, at, edges)
            {
                edges.push((tag, fed));
            }
            Some(tag)
        }
    }
}
