//! Stage 3: packets → conversations.
//!
//! Takes [`Packet`](crate::decode::Packet)s, gives the conversation each belongs to ([`Flow`], [`FlowKey`], Community ID) and
//! the contiguous bytes of a stream. Pure: time comes with the packets.

mod assembly;
pub mod copies;
pub mod defrag;
mod key;
mod ledger;
mod once;
mod recall;
mod recent;
mod table;

pub use assembly::{Assembly, Insertion};
pub use key::{CommunityId, Endpoint, Flow, FlowKey, Protocol};
pub use ledger::{Conversation, Entry, Ledger, Volume};
pub use once::Once;
pub use recent::Recent;
pub use table::Table;
