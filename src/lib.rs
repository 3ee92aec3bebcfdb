//! undertone is a network sensor. It reads packets from a SPAN port or from capture files, learns every
//! hostname that is asked for or connected to, and finds command-and-control that hides inside trusted web
//! services (MITRE ATT&CK T1102).
//!
//! # The folders are the pipeline
//!
//! Folders under `src/` are stages, files are plumbing. The alphabetical order of the stages is the order of
//! the data, and a stage imports only the stages before it and the plumbing that all share
//! ([`hostname`], [`reader`]); `tests/layers.rs` reads the sources and holds this.
//!
//! | stage | turns | into | pure |
//! |---|---|---|---|
//! | [`capture`] | an interface or a capture file | [`Frame`](capture::Frame)s | no |
//! | [`decode`] | a frame | a [`Packet`](decode::Packet): addresses, ports, payload | yes |
//! | [`flow`] | packets | conversations and the bytes of their streams | yes |
//! | [`inspect`] | bytes | [`Observation`](inspect::Observation)s: a hostname, and where it was seen | yes |
//! | [`lists`] | an observation | a [`Contact`](lists::Contact), when the hostname belongs to a listed service | yes |
//! | [`originator`] | a contact | its [`Attribution`](originator::Attribution): who is behind it | yes |
//! | [`rules`] | an attributed contact | a [`Finding`](rules::Finding): what it means | yes |
//! | [`sink`] | findings | records: JSON lines, or text on a terminal | no |

pub mod hostname;
pub mod reader;

pub mod capture;
pub mod decode;
pub mod flow;
pub mod inspect;
pub mod lists;
pub mod originator;
pub mod rules;
pub mod sink;

pub mod stats;

pub mod conversations;
pub mod datagrams;
pub mod worker;

pub mod merge;

pub mod correlator;

pub mod cli;
pub mod config;
mod config_file;

pub mod delivery;
pub mod runtime;

pub mod bench;
pub mod check;
pub mod live;
pub mod replay;
