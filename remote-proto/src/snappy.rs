//! Snappy in its block format, as remote read and remote write use it.
//!
//! A block begins with the length of what it decompresses to. That length is only a claim: it is held against
//! the caller's limit, and against what a block of this size can produce at all, before any memory is set
//! aside for it. Source: <https://github.com/google/snappy/blob/main/format_description.txt>.

mod elements;

use std::fmt;

pub(crate) use elements::{Elements, PIECE_BYTES, Place};

use crate::error::{DecodeError, EncodeError, ErrorKind, Limit};
use crate::wire::read_uvarint;

/// What Prometheus allows a request to decompress to: 32 MiB.
pub const DEFAULT_LIMIT_BYTES: usize = 32 << 20;

/// The longest output that the format can declare.
const FORMAT_LIMIT_BYTES: u64 = u32::MAX as u64;

/// The longest input whose worst case still fits the format.
const COMPRESS_LIMIT_BYTES: u64 = (FORMAT_LIMIT_BYTES - 32) * 6 / 7;

/// The densest element of the format: a copy of 64 bytes written in 3.
const DENSEST_COPY: (u64, u64) = (64, 3);

/// Decompresses the block `body` into `into` and returns what it holds.
///
/// `into` is overwritten: afterwards it holds exactly the decompressed bytes, and its memory serves the next
/// call. Bodies that declare more than `limit_bytes`, or more than their own size can produce (about 21 times
/// their size), are refused before anything is allocated. Takes time linear in input and output.
///
/// # Errors
///
/// For an empty or damaged body and for one over the limit; `into` is then empty.
///
/// ```
/// use promha_remote_proto::{ErrorKind, snappy};
///
/// let (mut packed, mut plain) = (Vec::new(), Vec::new());
/// snappy::compress(b"up up up up up up up", &mut packed)?;
/// assert_eq!(snappy::decompress(&packed, 20, &mut plain)?, b"up up up up up up up");
///
/// let error = snappy::decompress(&packed, 19, &mut plain).unwrap_err();
/// assert!(matches!(error.kind(), ErrorKind::OverLimit { limit: 19, found: 20, .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decompress<'b>(
    body: &[u8],
    limit_bytes: usize,
    into: &'b mut Vec<u8>,
) -> Result<&'b [u8], DecodeError> {
    match decompress_into(body, limit_bytes, into) {
        Ok(()) => Ok(into),
        Err(error) => {
            into.clear();
            Err(error)
        }
    }
}

/// Compresses `raw` into one block.
///
/// `into` is overwritten: afterwards it holds exactly the block, and its memory serves the next call. It is
/// given room for the worst case, about 7/6 of `raw`. Takes time linear in `raw`. Whoever compresses one after the
/// other keeps a [`Compressor`].
///
/// # Errors
///
/// If `raw` is so long (3.4 GiB) that in the worst case a block could not hold it; `into` is then empty.
pub fn compress(raw: &[u8], into: &mut Vec<u8>) -> Result<(), EncodeError> {
    Compressor::default().compress(raw, into)
}

/// Compresses one block after the other, and keeps the 32 KiB of memory that it takes.
pub struct Compressor {
    encoder: snap::raw::Encoder,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor for the first block.
    pub fn new() -> Self {
        Self { encoder: snap::raw::Encoder::new() }
    }

    /// Does what [`compress`] does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn compress(&mut self, raw: &[u8], into: &mut Vec<u8>) -> Result<(), EncodeError> {
        resize_keeping(into, snap::raw::max_compress_len(raw.len()));
        match self.encoder.compress(raw, into) {
            Ok(length) => {
                into.truncate(length);
                Ok(())
            }
            // There is room for the worst case, so the only thing left to be wrong is the size of the input.
            Err(_) => {
                into.clear();
                let found_bytes = raw.len() as u64;
                Err(EncodeError::TooManyBytes { limit_bytes: COMPRESS_LIMIT_BYTES, found_bytes })
            }
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

fn decompress_into(body: &[u8], limit_bytes: usize, into: &mut Vec<u8>) -> Result<(), DecodeError> {
    let (declared, header_bytes) = declared_length(body)?;
    let limit = (limit_bytes as u64).min(FORMAT_LIMIT_BYTES);
    if declared > limit {
        let kind = ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit, found: declared };
        return Err(DecodeError::new(kind, 0));
    }
    let body_bytes = body.len() as u64;
    if declared > body_bytes * DENSEST_COPY.0 / DENSEST_COPY.1 {
        let kind = ErrorKind::SnappyImplausible { declared_bytes: declared, body_bytes };
        return Err(DecodeError::new(kind, 0));
    }
    // Not above `limit_bytes`, so it is a `usize`.
    resize_keeping(into, declared as usize);
    snap::raw::Decoder::new()
        .decompress(body, into)
        .map(drop)
        .map_err(|_| first_fault(body, header_bytes, declared))
}

/// The length that `body` declares, and how many bytes say it.
fn declared_length(body: &[u8]) -> Result<(u64, usize), DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::new(ErrorKind::EmptyBody, 0));
    }
    match read_uvarint(body) {
        // The format gives the length 32 bits, so five bytes.
        Ok(Some((declared, header_bytes))) if header_bytes <= 5 => Ok((declared, header_bytes)),
        Ok(Some(_)) | Err(_) => Err(DecodeError::new(ErrorKind::VarintOverflow, 0)),
        Ok(None) => Err(truncated(body.len() as u64 + 1, body, 0)),
    }
}

/// Brings `buffer` to `length` bytes of any content. What is there already is not zeroed once more.
fn resize_keeping(buffer: &mut Vec<u8>, length: usize) {
    if buffer.capacity() < length {
        // Growing would copy content that is about to be overwritten.
        buffer.clear();
    }
    buffer.resize(length, 0);
}

/// Where and why `body` is damaged. Walks over the elements without writing what they say.
#[cold]
fn first_fault(body: &[u8], header_bytes: usize, declared_bytes: u64) -> DecodeError {
    let mut at = header_bytes;
    let mut written_bytes = 0_u64;
    while let Some(&tag) = body.get(at) {
        let (element, extra) = match element(tag, &body[at + 1..]) {
            Ok(found) => found,
            Err(needed_bytes) => return truncated(needed_bytes, body, at),
        };
        let (length, next) = match element {
            Element::Literal { length } => {
                let needed_bytes = 1 + extra as u64 + length;
                if needed_bytes > (body.len() - at) as u64 {
                    return truncated(needed_bytes, body, at);
                }
                (length, at + needed_bytes as usize)
            }
            Element::Copy { length, distance } => {
                if distance == 0 || distance > written_bytes {
                    return DecodeError::new(ErrorKind::SnappyCopy { distance, written_bytes }, at);
                }
                (length, at + 1 + extra)
            }
        };
        written_bytes += length;
        if written_bytes > declared_bytes {
            let kind = ErrorKind::SnappyLength { declared_bytes, found_bytes: written_bytes };
            return DecodeError::new(kind, at);
        }
        at = next;
    }
    DecodeError::new(ErrorKind::SnappyLength { declared_bytes, found_bytes: written_bytes }, body.len())
}

fn truncated(needed_bytes: u64, body: &[u8], at: usize) -> DecodeError {
    let available_bytes = (body.len() - at) as u64;
    DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, at)
}

enum Element {
    Literal { length: u64 },
    Copy { length: u64, distance: u64 },
}

/// The element that `tag` begins and how many of the bytes after the tag belong to its header; or how many
/// bytes its tag and header need when `after` has too few.
fn element(tag: u8, after: &[u8]) -> Result<(Element, usize), u64> {
    let upper = u64::from(tag >> 2);
    let little_endian = |count: usize| {
        let bytes = after.get(..count).ok_or(1 + count as u64)?;
        Ok::<u64, u64>(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    };
    Ok(match tag & 3 {
        0 if upper < 60 => (Element::Literal { length: upper + 1 }, 0),
        0 => {
            let extra = (upper - 59) as usize;
            (Element::Literal { length: little_endian(extra)? + 1 }, extra)
        }
        1 => {
            let distance = (upper >> 3) << 8 | little_endian(1)?;
            (Element::Copy { length: (upper & 7) + 4, distance }, 1)
        }
        2 => (Element::Copy { length: upper + 1, distance: little_endian(2)? }, 2),
        _ => (Element::Copy { length: upper + 1, distance: little_endian(4)? }, 4),
    })
}
