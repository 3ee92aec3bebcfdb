//! undertone is a network sensor. It reads packets from a SPAN port or from capture files, learns every
//! hostname that is asked for or connected to, and finds command-and-control that hides inside trusted web
//! services (MITRE ATT&CK T1102). This page is its architecture.
//!
//! # The folders are the pipeline
//!
//! Folders under `src/` are stages, files are plumbing. The alphabetical order of the stages is the order of
//! the data, and a stage imports only the stages before it and the plumbing that all share
//! ([`hostname`], [`reader`], [`hands`]); `tests/layers.rs` reads the sources and holds this.
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
//!
//! # Two pure machines
//!
//! The stages are composed into two machines, which spawn nothing, open nothing, and read no clock: time comes with
//! the data. So a replay equals a live capture, and a whole sensor fits into a unit test. Where a stage has work in parts of which none needs
//! another, it says which, and whoever has threads does them ([`Hands`](hands::Hands)); what comes out does not depend on that.
//!
//! * A [`Worker`](worker::Worker) turns frames into events. It holds the conversations that something is expected of: streams that are
//!   not read to the end ([`conversations`]), QUIC and DTLS ([`datagrams`]).
//! * A [`Correlator`](correlator::Correlator) takes the events in order and makes findings of them, in steps that have a file each:
//!   [`questions`] tells a question once, whichever side of it was seen; [`naming`] gives names to connections that have none; [`blindness`]
//!   says where names go unseen; [`attributor`] finds the process behind each contact (in a replay at the end, when all is known; live at
//!   once as pending, and again); the [`rules`] say what that means; and what belongs together is folded into one alert and one summary. The
//!   order is that of a [`Watermark`](watermark::Watermark): every input tells how far it has passed, and events are taken up to the lowest mark.
//!   What several threads of a live capture tell comes together before it ([`meeting`]).
//!
//! # Chunks
//!
//! A capture is read in chunks of a mebibyte, which threads scan in any order. What comes out must not depend on where the chunks
//! were cut. The contract: *what is told of a conversation depends only on its own frames, in the order of the file.*
//!
//! ```text
//!   file ──cutter──► chunk 1 ──scan──► events, open conversations ─┐
//!          (a lock)  chunk 2 ──scan──► events, open conversations ─┤ in any order, on any thread
//!                    chunk 3 ──scan──► events, open conversations ─┘
//!                                        │
//!                    in file order:      ▼
//!   nothing open ──resume 1──► open ──resume 2──► open ──resume 3──► … ──finish──► Correlator ──► sinks
//! ```
//!
//! [`Worker::scan`](worker::Worker::scan) reads a chunk as if nothing came before it. [`Worker::resume`](worker::Worker::resume) reads again exactly those
//! conversations that were open before it, and what the scan said of them is dropped. The [`Merger`](merge::Merger) does so in file order, numbers
//! the frames, and joins files that follow one another in time. What makes this cheap is that little is open: a direction has no state before
//! the first byte that matters and none after the last, and each segment then stands for itself. What makes it right
//! is held by `tests/chopping.rs`, which moves the edge of a chunk over every byte, and by `tests/threads.rs`.
//!
//! # The uses
//!
//! A live capture has a thread for each worker, with a handle of its own on each interface ([`tap`]): no frame crosses a thread, and no
//! batch of events stops the reading. [`gauges`] is what is counted on the way.
//!
//! Telemetry of endpoints comes from files ([`telemetry`]) or as it arrives ([`arrival`], the one plumbing that is a folder, with a file for each
//! way in): one thread follows files and listens to senders, each of whom has a feed and limits of his own.
//!
//! [`cli`] is what was typed, [`config`] everything valid or a named error. [`replay`], [`live`], [`bench`](mod@bench) and [`check`] are the uses; each
//! builds the machines, hands them to [`runtime`] (the only code that spawns threads, and the only clock) and gives what they
//! tell to [`delivery`], which feeds the Correlator and the sinks. [`stats`] is what was counted on the way.
//!
//! # What is deliberately absent
//!
//! * No clock, thread, file or socket in what is marked pure.
//! * No index or slice by a number from the wire outside [`reader`]; no `unsafe` outside `capture/live.rs`.
//! * No allocation for a packet, and none for a hostname that meets no list.
//! * No limit without a name, a reason beside it, and a counter.
//! * No hostname matched by substring, and no process named by a guess.

pub mod hands;
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

pub mod seen;

pub mod conversations;
pub mod datagrams;
pub mod events;
mod names;
pub mod questions;
mod tellers;
pub mod worker;

pub mod merge;

pub mod blindness;
pub mod naming;

pub mod attributor;
mod folding;
mod given;

pub mod correlator;
mod halves;
pub mod meeting;
pub mod watermark;

pub mod cli;
pub mod config;
mod config_file;
pub mod list_file;
pub mod stated_hosts;
pub mod telemetry;

pub mod delivery;
pub mod judging;
pub mod runtime;

pub mod arrival;
pub mod intake;

pub mod gauges;
pub mod metrics;
pub mod notify;
pub mod outputs;
pub mod reload;
pub mod sandbox;
pub mod tap;

pub mod mix;
mod mix_packets;
mod stages;

pub mod bench;
pub mod check;
pub mod live;
pub mod replay;
