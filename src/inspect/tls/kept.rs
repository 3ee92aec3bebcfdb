//! A ClientHello that is kept until somebody wants to know what it says beside the name: of most that meet a list nobody ever does, for
//! they are folded into what was told before, and to fingerprint one costs more than all the rest of reading it.

use std::fmt;
use std::sync::OnceLock;

use super::facts::{EchKind, EchOffer, HelloFacts};
use super::hello::{ClientHello, body, body_prefix};
use super::ja4::Over;

/// A ClientHello, or what it says.
#[derive(Clone)]
pub struct KeptHello {
    /// The message without its type and length; empty once it is settled.
    body: Box<[u8]>,
    whole: bool,
    over: Over,
    ech: EchKind,
    facts: OnceLock<Option<Box<HelloFacts>>>,
}

impl ClientHello<'_> {
    /// Keeps a copy.
    pub fn keep(&self, over: Over) -> KeptHello {
        KeptHello {
            body: self.body.into(),
            whole: self.whole,
            over,
            ech: EchKind::Unknown,
            facts: OnceLock::new(),
        }
    }
}

impl KeptHello {
    /// What it says beside the name. Worked out when it is first asked for.
    pub fn facts(&self) -> Option<&HelloFacts> {
        let work_out = || {
            let mut facts = Box::new(self.get()?.facts(self.over));
            if let Some(offer) = &mut facts.ech {
                offer.kind = self.ech;
            }
            Some(facts)
        };
        self.facts.get_or_init(work_out).as_deref()
    }

    /// The outer part of an encrypted ClientHello, if the client offers one.
    pub fn ech(&self) -> Option<EchOffer> {
        match self.facts.get() {
            Some(facts) => facts.as_ref()?.ech,
            None => self.get()?.ech().map(|offer| EchOffer { kind: self.ech, ..offer }),
        }
    }

    /// Says what the offer of an encrypted ClientHello is.
    pub fn set_ech(&mut self, kind: EchKind) {
        self.ech = kind;
        let facts = self.facts.get_mut().and_then(Option::as_mut);
        if let Some(offer) = facts.and_then(|facts| facts.ech.as_mut()) {
            offer.kind = kind;
        }
    }

    /// Works out what it says and forgets the message, which takes ten times the memory.
    pub fn settle(&mut self) {
        self.facts();
        self.body = Box::default();
    }

    fn get(&self) -> Option<ClientHello<'_>> {
        if self.whole { body(&self.body) } else { body_prefix(&self.body) }
    }
}

impl PartialEq for KeptHello {
    fn eq(&self, other: &Self) -> bool {
        self.facts() == other.facts()
    }
}

impl Eq for KeptHello {}

impl fmt::Debug for KeptHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptHello").field(&self.facts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::client_hello;
    use super::super::tests::REAL;
    use super::*;

    #[test]
    fn it_says_the_same_before_and_after() {
        for (stream, ..) in REAL {
            let mut joined = Vec::new();
            let hello = client_hello(stream, &mut joined).found().expect("a hello");
            let mut kept = hello.keep(Over::Quic);
            assert_eq!((kept.facts(), kept.ech()), (Some(&hello.facts(Over::Quic)), hello.ech()));
            let fresh = hello.keep(Over::Quic);
            kept.settle();
            assert!(kept.body.is_empty());
            assert_eq!((&kept, kept.ech()), (&fresh, hello.ech()));
            kept.set_ech(EchKind::Grease);
            let mut early = fresh.clone();
            early.set_ech(EchKind::Grease);
            assert_eq!(early, kept);
            assert_eq!(
                early.facts().expect("facts").ech.map(|offer| offer.kind),
                kept.ech().map(|offer| offer.kind)
            );
        }
    }
}
