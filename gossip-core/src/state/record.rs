use std::ops::Range;

use thiserror::Error;
use xxhash_rust::xxh64::Xxh64;

use crate::Version;

/// The first byte of a record: the version of this encoding.
const FORMAT: u8 = 1;

const DELETED: u8 = 1;
const EXPIRES: u8 = 2;

/// What one key holds, as it travels: this, and nothing else, is sent, merged and written to a snapshot.
///
/// | bytes | |
/// |---|---|
/// | 1 | the version of this encoding, 1 |
/// | 1 | flags: 1 deleted, 2 expires; others are refused |
/// | varint | rank, in milliseconds |
/// | varint | how much later the stamp is, in milliseconds |
/// | varint | if it expires: when, in milliseconds since the Unix epoch |
/// | varint | how long the key is |
/// | | the key, then the value to the end |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What it holds; nothing if it was deleted.
    pub value: Option<&'a [u8]>,
    /// Which of the lives of the key this is: a value of a later life has nothing to do with one of an earlier life. Of a deletion, the
    /// last life that it ends.
    pub rank_ms: u64,
    /// When it was written, in milliseconds since the Unix epoch; not before its rank.
    pub stamp_ms: u64,
    /// When it is to be forgotten, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends too early.
    #[error("a record of {found} bytes ends within {what}")]
    Truncated {
        /// What was to be read.
        what: &'static str,
        /// How long it is.
        found: usize,
    },
    /// It is of another version of this encoding.
    #[error("a record of version {found}, known is {FORMAT}")]
    Format {
        /// Which.
        found: u8,
    },
    /// It has flags whose meaning is not known.
    #[error("a record with flags {found:#x}, known are {:#x}", DELETED | EXPIRES)]
    Flags {
        /// All of them.
        found: u8,
    },
    /// A number has more than 64 bits.
    #[error("the {what} of a record has more than 64 bits")]
    Number {
        /// Which.
        what: &'static str,
    },
    /// A deletion with a value, or one that expires.
    #[error("a deletion holds {found} bytes or expires")]
    Deletion {
        /// How long the value is.
        found: usize,
    },
}

impl<'a> Record<'a> {
    /// Reads one; all bytes belong to it.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader { bytes, at: 0 };
        let format = reader.byte("version")?;
        if format != FORMAT {
            return Err(RecordError::Format { found: format });
        }
        let flags = reader.byte("flags")?;
        if flags & !(DELETED | EXPIRES) != 0 {
            return Err(RecordError::Flags { found: flags });
        }
        let rank_ms = reader.number("rank")?;
        let later_ms = reader.number("stamp")?;
        let stamp_ms = rank_ms.checked_add(later_ms).ok_or(RecordError::Number { what: "stamp" })?;
        let expires_ms = if flags & EXPIRES != 0 { Some(reader.number("expiry")?) } else { None };
        let key_bytes = usize::try_from(reader.number("key")?).unwrap_or(usize::MAX);
        let rest = &bytes[reader.at..];
        let Some((key, value)) = rest.split_at_checked(key_bytes) else {
            return Err(RecordError::Truncated { what: "key", found: bytes.len() });
        };
        let is_deleted = flags & DELETED != 0;
        if is_deleted && (!value.is_empty() || expires_ms.is_some()) {
            return Err(RecordError::Deletion { found: value.len() });
        }
        Ok(Self { key, value: (!is_deleted).then_some(value), rank_ms, stamp_ms, expires_ms })
    }

    /// Appends it.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mut flags = if self.value.is_none() { DELETED } else { 0 };
        if self.expires_ms.is_some() {
            flags |= EXPIRES;
        }
        into.extend_from_slice(&[FORMAT, flags]);
        write_number(self.rank_ms, into);
        write_number(self.stamp_ms.saturating_sub(self.rank_ms), into);
        if let Some(expires_ms) = self.expires_ms {
            write_number(expires_ms, into);
        }
        write_number(self.key.len() as u64, into);
        into.extend_from_slice(self.key);
        into.extend_from_slice(self.value.unwrap_or_default());
    }

    /// Its version. A deletion is above every value of its time.
    pub fn version(&self) -> Version {
        let Some(value) = self.value else {
            // Deletions of the same time that end different lives are told apart, above all values.
            return Version { stamp_ms: self.stamp_ms, content: DELETION | self.rank_ms };
        };
        let mut hash = Xxh64::new(self.rank_ms);
        hash.update(&self.expires_ms.unwrap_or(u64::MAX).to_le_bytes());
        hash.update(value);
        Version { stamp_ms: self.stamp_ms, content: hash.digest() & !DELETION }
    }
}

/// The highest bit of a version's content.
const DELETION: u64 = 1 << 63;

/// Appends a number, seven bits a byte.
pub(super) fn write_number(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads one, and says where it ends. None if it is not whole or has more than 64 bits.
pub(super) fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut reader = Reader { bytes, at: 0 };
    Some((reader.number("number").ok()?, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self, what: &'static str) -> Result<u8, RecordError> {
        let byte = self.bytes.get(self.at);
        self.at += 1;
        byte.copied().ok_or(RecordError::Truncated { what, found: self.bytes.len() })
    }

    fn number(&mut self, what: &'static str) -> Result<u64, RecordError> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(RecordError::Number { what })
    }
}

/// The pieces of bytes that each have their length before them, and where a torn one begins.
pub(super) fn split_delimited(bytes: &[u8]) -> (Vec<Range<usize>>, Option<usize>) {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let piece = read_number(&bytes[at..]).and_then(|(length, header)| {
            let start = at + header;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            (end <= bytes.len()).then_some(start..end)
        });
        let Some(piece) = piece else { return (pieces, Some(at)) };
        at = piece.end;
        pieces.push(piece);
    }
    (pieces, None)
}
