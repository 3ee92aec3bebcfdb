//! The bytes of a capture file, decompressed as they come.
//!
//! Sniffs gzip (RFC 1952, with several members) and zstd (RFC 8878, with several frames) by the first bytes.
//! Decompression streams: whatever a file promises, no more is held than the buffers here and a zstd window.

use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::BLOCK;

/// The largest zstd window that is accepted, as a power of two in bytes. It is memory that the file's author asks
/// for; 128 MiB is what `zstd --ultra -22` writes and the most that the zstd program takes without being told to.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How many bytes a decompressor is asked for at once. One that finds damage keeps to itself what it made of the same request, so
/// this is the most that is lost of what stands before the damage; and it is always the same, however the file is cut.
const PIECE: usize = 4096;

/// A stream of decompressed bytes.
pub struct Source {
    body: Body,
    /// Decompressed bytes, and how many of them were given.
    piece: Vec<u8>,
    given: usize,
}

enum Body {
    Plain(Raw),
    Gzip(Box<MultiGzDecoder<BufReader<Raw>>>),
    Zstd(Box<ZstdDecoder<'static, BufReader<Raw>>>),
}

/// Why no more bytes come, other than the plain end of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The compressed stream ends too early.
    CutShort,
    /// The compressed stream is wrong.
    Damaged,
    /// The system could not read.
    Io(ErrorKind),
}

impl Source {
    /// Looks at the first bytes to learn whether and how it is compressed.
    ///
    /// # Errors
    /// When they cannot be read, or the decompressor cannot be made.
    pub fn new(read: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut raw = Raw { ahead: Vec::new(), inner: read, bytes: 0, failed: None };
        let mut magic = [0; 4];
        let got = fill(&mut magic, |into| raw.read(into))?;
        raw.ahead = magic.get(..got).unwrap_or_default().to_vec();
        raw.bytes = 0;
        let body = match magic {
            [0x1f, 0x8b, ..] => {
                Body::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK, raw))))
            }
            // A frame, or a frame to be skipped as pzstd writes first (RFC 8878 sections 3.1.1 and 3.1.2).
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                let mut decoder = ZstdDecoder::with_buffer(BufReader::with_capacity(BLOCK, raw))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Body::Zstd(Box::new(decoder))
            }
            _ => Body::Plain(raw),
        };
        Ok(Self { body, piece: Vec::new(), given: 0 })
    }

    /// Reads some bytes; none at the end.
    ///
    /// # Errors
    /// When no more comes for another reason than the end.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        loop {
            let result = match &mut self.body {
                Body::Plain(raw) => raw.read(into),
                Body::Gzip(decoder) => piecewise(decoder, &mut self.piece, &mut self.given, into),
                Body::Zstd(decoder) => piecewise(decoder, &mut self.piece, &mut self.given, into),
            };
            return match result {
                Ok(got) => Ok(got),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(match self.raw().failed {
                    Some(kind) => Failure::Io(kind),
                    None if error.kind() == ErrorKind::UnexpectedEof => Failure::CutShort,
                    None => Failure::Damaged,
                }),
            };
        }
    }

    /// Reads until `into` is full or nothing more comes; how much there was, and the failure if one ended it.
    pub(super) fn read_full(&mut self, into: &mut [u8]) -> (usize, Option<Failure>) {
        let mut failure = None;
        let got = fill(into, |rest| {
            self.read(rest).or_else(|why| {
                failure = Some(why);
                Ok(0)
            })
        });
        (got.unwrap_or(0), failure)
    }

    /// How many bytes of the file, as it is stored, were taken so far.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.raw().bytes
    }

    /// Takes bytes of a file that is not compressed as read, because somebody else has read them. Says whether it is one, and
    /// nothing of it waits here.
    pub(super) fn skip(&mut self, bytes: usize) -> bool {
        match &mut self.body {
            Body::Plain(raw) if raw.ahead.is_empty() => {
                raw.bytes += bytes as u64;
                true
            }
            _ => false,
        }
    }

    fn raw(&self) -> &Raw {
        match &self.body {
            Body::Plain(raw) => raw,
            Body::Gzip(decoder) => decoder.get_ref().get_ref(),
            Body::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }
}

/// Reads from a piece, and the next piece where that is used up.
fn piecewise(
    decoder: &mut impl Read,
    piece: &mut Vec<u8>,
    given: &mut usize,
    into: &mut [u8],
) -> io::Result<usize> {
    if *given == piece.len() {
        piece.resize(PIECE, 0);
        let result = decoder.read(piece);
        piece.truncate(*result.as_ref().unwrap_or(&0));
        *given = 0;
        result?;
    }
    let got = piece.get(*given..).unwrap_or_default().read(into)?;
    *given += got;
    Ok(got)
}

/// The file itself, which remembers how it failed, since decompressors tell that in words of their own.
struct Raw {
    /// Bytes that were read to learn what the file is, to be read again.
    ahead: Vec<u8>,
    inner: Box<dyn Read + Send>,
    bytes: u64,
    failed: Option<ErrorKind>,
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = if self.ahead.is_empty() {
            self.inner.read(into)
        } else {
            let got = self.ahead.as_slice().read(into)?;
            self.ahead.drain(..got);
            Ok(got)
        };
        match &result {
            Ok(got) => self.bytes += *got as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(error.kind()),
        }
        result
    }
}

/// Calls `read` until `into` is full or it gives nothing.
fn fill(into: &mut [u8], mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..)
        && !rest.is_empty()
    {
        match read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
