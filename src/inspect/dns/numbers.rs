//! Types and classes of questions and records (<https://www.iana.org/assignments/dns-parameters>).

use std::fmt;

/// The type of a question or of a record.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct QType(pub u16);

/// The class of a question or of a record.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct QClass(pub u16);

macro_rules! mnemonics {
    ($type:ident, $generic:literal: $($(#[$doc:meta])* $name:ident $text:literal = $number:literal,)*) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The word that people use for it, if there is one.
            pub const fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            /// The mnemonic, or the number behind
            #[doc = $generic]
            /// as in RFC 3597 section 5.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.mnemonic() {
                    Some(word) => f.pad(word),
                    None => write!(f, concat!($generic, "{}"), self.0),
                }
            }
        }
    };
}

mnemonics! { QType, "TYPE":
    /// An IPv4 address.
    A "A" = 1,
    /// A name server.
    NS "NS" = 2,
    /// The name that this one stands for.
    CNAME "CNAME" = 5,
    /// Start of a zone.
    SOA "SOA" = 6,
    /// Anything that was never used much.
    NULL "NULL" = 10,
    /// A name for an address.
    PTR "PTR" = 12,
    /// Machine and system.
    HINFO "HINFO" = 13,
    /// A mail exchange.
    MX "MX" = 15,
    /// Text.
    TXT "TXT" = 16,
    /// A signature (RFC 2931).
    SIG "SIG" = 24,
    /// A key (RFC 2930).
    KEY "KEY" = 25,
    /// An IPv6 address (RFC 3596).
    AAAA "AAAA" = 28,
    /// A NetBIOS name (RFC 1002).
    NB "NB" = 32,
    /// A server (RFC 2782).
    SRV "SRV" = 33,
    /// Rules for names (RFC 3403).
    NAPTR "NAPTR" = 35,
    /// A certificate (RFC 4398).
    CERT "CERT" = 37,
    /// The name that a subtree stands for (RFC 6672).
    DNAME "DNAME" = 39,
    /// Options of the message (RFC 6891).
    OPT "OPT" = 41,
    /// A delegation's key (RFC 4034).
    DS "DS" = 43,
    /// A host's key (RFC 4255).
    SSHFP "SSHFP" = 44,
    /// A signature (RFC 4034).
    RRSIG "RRSIG" = 46,
    /// The next name (RFC 4034).
    NSEC "NSEC" = 47,
    /// A key (RFC 4034).
    DNSKEY "DNSKEY" = 48,
    /// The next name, hashed (RFC 5155).
    NSEC3 "NSEC3" = 50,
    /// Parameters of the hash (RFC 5155).
    NSEC3PARAM "NSEC3PARAM" = 51,
    /// A certificate of a TLS server (RFC 6698).
    TLSA "TLSA" = 52,
    /// A certificate for mail (RFC 8162).
    SMIMEA "SMIMEA" = 53,
    /// The child's copy of a delegation's key (RFC 7344).
    CDS "CDS" = 59,
    /// The child's key (RFC 7344).
    CDNSKEY "CDNSKEY" = 60,
    /// An OpenPGP key (RFC 7929).
    OPENPGPKEY "OPENPGPKEY" = 61,
    /// How to reach a service (RFC 9460).
    SVCB "SVCB" = 64,
    /// How to reach a web server (RFC 9460).
    HTTPS "HTTPS" = 65,
    /// Who may send mail, in its own type (RFC 7208).
    SPF "SPF" = 99,
    /// A key for a transaction (RFC 2930).
    TKEY "TKEY" = 249,
    /// A transaction's signature (RFC 8945).
    TSIG "TSIG" = 250,
    /// What changed in a zone (RFC 1995).
    IXFR "IXFR" = 251,
    /// A whole zone (RFC 5936).
    AXFR "AXFR" = 252,
    /// All types there are (RFC 8482).
    ANY "ANY" = 255,
    /// A resource's address (RFC 7553).
    URI "URI" = 256,
    /// Who may certify (RFC 8659).
    CAA "CAA" = 257,
}

mnemonics! { QClass, "CLASS":
    /// The Internet.
    IN "IN" = 1,
    /// Chaosnet, and questions to the server itself.
    CH "CH" = 3,
    /// Hesiod.
    HS "HS" = 4,
    /// None (RFC 2136).
    NONE "NONE" = 254,
    /// Any.
    ANY "ANY" = 255,
}

impl QClass {
    /// The class without its top bit, which multicast DNS uses: in a question, that a unicast response is
    /// welcome; in a record, that older ones are to be forgotten (RFC 6762 section 18.12).
    #[inline]
    pub const fn without_top_bit(self) -> Self {
        Self(self.0 & 0x7fff)
    }
}
