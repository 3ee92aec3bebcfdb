//! Event log files of Windows (`.evtx`): chunks of 64 KiB, each of which stands for itself.
//!
//! Every record is turned into XML by the crate `evtx`, which bounds what a record may render to, and then read as such. A chunk whose sum
//! is wrong is read all the same: logs that were copied while Windows wrote them have such.

use std::sync::Arc;

use ::evtx::{EvtxChunkData, ParserSettings};

use super::tally::Tally;
use super::{Refusal, Tell, xml};

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"ElfFile\0";

/// What a chunk begins with.
const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";

/// The head of a file, in bytes, of which only the magic matters.
const HEAD: usize = 4096;

/// A chunk, in bytes.
const CHUNK: usize = 64 * 1024;

/// Where in a chunk records begin.
const RECORDS: usize = 512;

/// What a record begins with. Its size follows, and stands at its end again.
const RECORD_MAGIC: &[u8] = b"**\0\0";

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Log {
    settings: Arc<ParserSettings>,
    /// Bytes of the head that are still to come.
    head: usize,
    chunk: Vec<u8>,
    chunks: u64,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            settings: Arc::new(ParserSettings::new().num_threads(1).indent(false)),
            head: HEAD,
            chunk: Vec::new(),
            chunks: 0,
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], tally: &mut Tally, tell: Tell<'_>) {
        let skipped = self.head.min(bytes.len());
        self.head -= skipped;
        let mut bytes = bytes.get(skipped..).unwrap_or_default();
        while !bytes.is_empty() {
            let (more, rest) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(more);
            bytes = rest;
            if self.chunk.len() == CHUNK {
                self.read(tally, tell);
            }
        }
    }

    /// Nothing more comes. Of a chunk that is cut off, the records before the cut are read.
    pub(super) fn finish(&mut self, tally: &mut Tally, tell: Tell<'_>) {
        if self.head > 0 {
            tally.refuse(Refusal::CutShort, 1);
        }
        if self.chunk.len() > RECORDS && self.chunk.iter().any(|byte| *byte != 0) {
            tally.refuse(Refusal::CutShort, self.chunks + 1);
            // A record that is cut off would be told with what is missing left out.
            self.chunk.truncate(whole(&self.chunk));
            self.chunk.resize(CHUNK, 0);
            self.read(tally, tell);
        }
    }

    fn read(&mut self, tally: &mut Tally, tell: Tell<'_>) {
        self.chunks += 1;
        let next = Vec::with_capacity(CHUNK);
        let bytes = std::mem::replace(&mut self.chunk, next);
        if !bytes.starts_with(CHUNK_MAGIC) {
            // Files are made larger before they are filled.
            if bytes.iter().any(|byte| *byte != 0) {
                tally.refuse(Refusal::BrokenLog, self.chunks);
            }
            return;
        }
        let Ok(mut data) = EvtxChunkData::new(bytes, false) else {
            return tally.refuse(Refusal::BrokenLog, self.chunks);
        };
        let Ok(mut chunk) = data.parse(Arc::clone(&self.settings)) else {
            return tally.refuse(Refusal::BrokenLog, self.chunks);
        };
        for record in chunk.iter() {
            match record.and_then(|record| record.into_xml()) {
                Ok(record) => tally.count(xml::event(record.data.as_bytes(), tell), self.chunks),
                Err(_) => tally.refuse(Refusal::BrokenLog, self.chunks),
            }
        }
    }
}

/// Where the last record ends that is whole.
fn whole(chunk: &[u8]) -> usize {
    let (mut at, mut end) = (RECORDS, RECORDS);
    while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
        match size(rest) {
            Some(size) => {
                at += size;
                end = at;
            }
            None => at += 1,
        }
    }
    end
}

/// The size of the record that these bytes begin with, when it is whole.
fn size(bytes: &[u8]) -> Option<usize> {
    let (size, _) = bytes.strip_prefix(RECORD_MAGIC)?.split_first_chunk()?;
    let size = u32::from_le_bytes(*size) as usize;
    let (_, again) = bytes.get(8..size)?.split_last_chunk()?;
    (u32::from_le_bytes(*again) as usize == size).then_some(size)
}
