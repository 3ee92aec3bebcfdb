//! Which frames are looked at: a filter in the language of tcpdump (pcap-filter(7)).
//!
//! libpcap compiles the expression, once for each link type that is met, and its BPF machine runs it here, in user
//! space. Live capture hands the expression to the kernel instead.

use pcap::{BpfProgram, Capture, Linktype};

use super::{Frame, LinkType};

/// A filter expression. Each thread has a clone of its own.
pub struct Filter {
    expression: String,
    /// One program a link type, in the order in which they were met; none where the expression means nothing.
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    unserved: u64,
}

impl Filter {
    /// Reads an expression, and compiles it for Ethernet so that errors are told at the start.
    ///
    /// # Errors
    /// libpcap's message.
    pub fn new(expression: &str) -> Result<Self, String> {
        let program = compile(expression, LinkType::ETHERNET)?;
        Ok(Self {
            expression: expression.to_owned(),
            programs: vec![(LinkType::ETHERNET, Some(program))],
            unserved: 0,
        })
    }

    /// Whether `frame` is wanted. A frame of a link type that the expression cannot be compiled for is not, and is
    /// counted. `len`, `less` and `greater` see the captured length.
    pub fn passes(&mut self, frame: &Frame<'_>) -> bool {
        let index = match self.programs.iter().position(|(link, _)| *link == frame.link) {
            Some(index) => index,
            None => {
                self.programs.push((frame.link, compile(&self.expression, frame.link).ok()));
                self.programs.len() - 1
            }
        };
        match self.programs.get(index) {
            Some((_, Some(program))) => program.filter(frame.bytes),
            _ => {
                self.unserved += 1;
                false
            }
        }
    }

    /// How many frames did not pass because the expression means nothing for their link type.
    pub const fn unserved(&self) -> u64 {
        self.unserved
    }

    /// The expression as given.
    pub fn as_str(&self) -> &str {
        &self.expression
    }
}

impl Clone for Filter {
    /// The same expression, nothing counted yet.
    fn clone(&self) -> Self {
        Self { expression: self.expression.clone(), programs: Vec::new(), unserved: 0 }
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.expression).finish()
    }
}

fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    // libpcap's own numbers (DLT_) are those of files, but for raw IP.
    const DLT_RAW: i32 = if cfg!(target_os = "openbsd") { 14 } else { 12 };
    let number = if link == LinkType::RAW { DLT_RAW } else { i32::from(link.0) };
    let capture = Capture::dead(Linktype(number)).map_err(|error| error.to_string())?;
    capture.compile(expression, true).map_err(|error| match error {
        pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Timestamp;

    /// A DNS query's headers over IPv4, up to the UDP header.
    static IPV4_UDP_53: [u8; 28] =
        [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0xc0, 0, 0, 53, 0, 8, 0, 0];

    fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
        Frame { at: Timestamp::default(), link, wire_len: bytes.len() as u32, bytes }
    }

    #[test]
    fn one_expression_serves_every_link_type() {
        let mut ethernet = vec![0; 12];
        ethernet.extend([0x08, 0x00]);
        ethernet.extend(IPV4_UDP_53);
        let mut cooked = vec![0; 14];
        cooked.extend([0x08, 0x00]);
        cooked.extend(IPV4_UDP_53);
        let loopback: Vec<u8> = [2, 0, 0, 0].into_iter().chain(IPV4_UDP_53).collect();
        for (expression, expected) in [("udp port 53", true), ("host 10.0.0.2", true), ("tcp", false)] {
            let mut filter = Filter::new(expression).unwrap();
            for _ in 0..2 {
                assert_eq!(filter.passes(&frame(LinkType::ETHERNET, &ethernet)), expected);
                assert_eq!(filter.passes(&frame(LinkType::LINUX_SLL, &cooked)), expected);
                assert_eq!(filter.passes(&frame(LinkType::RAW, &IPV4_UDP_53)), expected);
                assert_eq!(filter.passes(&frame(LinkType::NULL, &loopback)), expected);
            }
            assert_eq!(filter.unserved(), 0);
            assert_eq!(filter.clone().passes(&frame(LinkType::RAW, &IPV4_UDP_53)), expected);
        }
    }

    #[test]
    fn link_types_without_a_meaning_are_counted() {
        let mut filter = Filter::new("ether host 00:00:00:00:00:00").unwrap();
        assert!(!filter.passes(&frame(LinkType::RAW, &IPV4_UDP_53)));
        assert!(!filter.passes(&frame(LinkType(65000), &IPV4_UDP_53)));
        assert_eq!(filter.unserved(), 2);
    }

    #[test]
    fn short_frames_meet_no_test_beyond_their_end() {
        let mut filter = Filter::new("udp port 53").unwrap();
        for end in 0..24 {
            assert!(!filter.passes(&frame(LinkType::RAW, &IPV4_UDP_53[..end])), "{end} bytes");
        }
    }

    #[test]
    fn errors_are_told_at_the_start() {
        assert!(Filter::new("udp prot 53").unwrap_err().contains("syntax error"));
        assert!(Filter::new("a\0b").is_err());
    }
}
