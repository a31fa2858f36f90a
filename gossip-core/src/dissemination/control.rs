use thiserror::Error;

use crate::dissemination::index::{CHILDREN, MAX_DEPTH, Range};
use crate::{Key, Version};

/// The version of this encoding, its first byte.
const VERSION: u8 = 1;

/// The longest control message that is read. One that came in a datagram is shorter.
const MAX_BYTES: usize = 1 << 16;

/// Bits of a [`Control::Digest`].
pub(super) mod flags {
    /// Send what you have newer.
    pub(crate) const ASK: u8 = 1;
    /// Ask for what I have newer.
    pub(crate) const OFFER: u8 = 2;
    /// Answer also if there is no difference.
    pub(crate) const ECHO: u8 = 4;
    /// This answers a digest: the root is what the sender's would be if it had of each key of that digest what the digest says.
    pub(crate) const ANSWER: u8 = 8;
    /// There is more than the pairs: the root explains nothing.
    pub(crate) const MORE: u8 = 16;
    /// The pairs are old news: no need to hurry with them.
    pub(crate) const OLD: u8 = 32;
}

/// What the layers of two nodes tell each other. Encoded as version, kind, and then:
///
/// | kind | |
/// |---|---|
/// | 1 have | root u64, pairs |
/// | 2 digest | flags u8, root u64, number of keys varint, pairs |
/// | 3 want | keys u64 |
/// | 4 ranges | salt u8, depth u8, prefix u64, 64 hashes u32 |
/// | 5 list | first key u64, last key u64, pairs in the order of keys |
///
/// Numbers are little-endian. A pair is key u64, stamp, content u64, where the stamp is the zigzag varint of its distance from the one
/// before. All that repeats goes on to the end of the message, so nothing claims how much there is of it.
#[derive(Clone, Debug)]
pub(super) enum Control<'a> {
    /// "I have these."
    Have { root: u64, pairs: Pairs<'a> },
    /// "I have these, and all together amounts to this root."
    Digest { flags: u8, root: u64, keys: u64, pairs: Pairs<'a> },
    /// "Send me these."
    Want { keys: Words<'a> },
    /// "What I have in each of the parts of this range amounts to these hashes."
    Ranges { salt: u8, range: Range, hashes: Words<'a> },
    /// "From the first to the last key I have these and nothing else."
    List { first: Key, last: Key, pairs: Pairs<'a> },
}

/// Why a control message was not read. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It ends too early.
    #[error("control message ends: {needed} bytes needed at offset {offset}, {available} available")]
    Truncated {
        /// Where.
        offset: usize,
        /// How many bytes should follow.
        needed: usize,
        /// How many do.
        available: usize,
    },
    /// A number has more than 64 bits.
    #[error("number of more than 64 bits at offset {offset} of a control message")]
    Varint {
        /// Where it starts.
        offset: usize,
    },
    /// It is of another version of this encoding.
    #[error("control message of version {version}: known is {VERSION}")]
    Version {
        /// Which.
        version: u8,
    },
    /// It is of a kind that is not known.
    #[error("control message of unknown kind {kind}")]
    Kind {
        /// Which.
        kind: u8,
    },
    /// It speaks of a range of keys that is none, or lists keys out of order or outside of their range.
    #[error("range or key out of order at offset {offset} of a control message")]
    Order {
        /// Where.
        offset: usize,
    },
    /// It is longer than any datagram.
    #[error("control message of {bytes} bytes exceeds the limit of {limit}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
}

impl<'a> Control<'a> {
    /// Reads all of a message, so that nothing is done of a broken one.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, ControlError> {
        if bytes.len() > MAX_BYTES {
            return Err(ControlError::TooLong { bytes: bytes.len(), limit: MAX_BYTES });
        }
        let mut cursor = Cursor { bytes, at: 0 };
        let version = cursor.u8()?;
        if version != VERSION {
            return Err(ControlError::Version { version });
        }
        Ok(match cursor.u8()? {
            1 => Self::Have { root: cursor.u64()?, pairs: cursor.pairs(None)? },
            2 => {
                let (flags, root, keys) = (cursor.u8()?, cursor.u64()?, cursor.varint()?);
                Self::Digest { flags, root, keys, pairs: cursor.pairs(None)? }
            }
            3 => Self::Want { keys: cursor.words(8, None)? },
            4 => {
                let (salt, offset) = (cursor.u8()?, cursor.at);
                let (depth, prefix) = (cursor.u8()?, cursor.u64()?);
                let range = Range::new(depth, prefix).filter(|range| range.depth < MAX_DEPTH);
                let range = range.ok_or(ControlError::Order { offset })?;
                Self::Ranges { salt, range, hashes: cursor.words(4, Some(CHILDREN))? }
            }
            5 => {
                let (first, offset, last) = (Key(cursor.u64()?), cursor.at, Key(cursor.u64()?));
                if first > last {
                    return Err(ControlError::Order { offset });
                }
                Self::List { first, last, pairs: cursor.pairs(Some((first, last)))? }
            }
            kind => return Err(ControlError::Kind { kind }),
        })
    }
}

/// Writes one message after the other into a buffer that is used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    stamp_ms: u64,
}

impl Writer {
    pub(super) fn have(&mut self, root: u64) -> &mut Self {
        self.begin(1).u64(root)
    }

    pub(super) fn digest(&mut self, flags: u8, root: u64, keys: u64) -> &mut Self {
        self.begin(2).u8(flags).u64(root).varint(keys)
    }

    pub(super) fn want(&mut self) -> &mut Self {
        self.begin(3)
    }

    pub(super) fn ranges(&mut self, salt: u8, range: Range) -> &mut Self {
        self.begin(4).u8(salt).u8(range.depth).u64(range.prefix)
    }

    pub(super) fn list(&mut self, first: Key, last: Key) -> &mut Self {
        self.begin(5).u64(first.0).u64(last.0)
    }

    /// Whether the message stayed within the limit; if not, it is as before.
    pub(super) fn pair(&mut self, key: Key, version: Version, limit_bytes: usize) -> bool {
        let start = self.bytes.len();
        let distance = version.stamp_ms.wrapping_sub(self.stamp_ms) as i64;
        self.u64(key.0).varint((distance << 1 ^ distance >> 63) as u64).u64(version.content);
        if self.bytes.len() > limit_bytes {
            self.bytes.truncate(start);
            return false;
        }
        self.stamp_ms = version.stamp_ms;
        true
    }

    /// Whether the message stayed within the limit; if not, it is as before.
    pub(super) fn key(&mut self, key: Key, limit_bytes: usize) -> bool {
        let fits = self.bytes.len() + 8 <= limit_bytes;
        if fits {
            self.u64(key.0);
        }
        fits
    }

    pub(super) fn hash(&mut self, hash: u32) {
        self.bytes.extend_from_slice(&hash.to_le_bytes());
    }

    /// Says of a list where it really ends.
    pub(super) fn end_list_at(&mut self, last: Key) {
        self.bytes[10..18].copy_from_slice(&last.0.to_le_bytes());
    }

    /// Says of a digest that it is not complete.
    pub(super) fn add_flags(&mut self, flags: u8) {
        self.bytes[2] |= flags;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn begin(&mut self, kind: u8) -> &mut Self {
        self.bytes.clear();
        self.stamp_ms = 0;
        self.u8(VERSION).u8(kind)
    }

    fn u8(&mut self, number: u8) -> &mut Self {
        self.bytes.push(number);
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn varint(&mut self, number: u64) -> &mut Self {
        put_varint(number, &mut self.bytes);
        self
    }
}

/// Appends a message that carries a control message, its length before it.
pub(super) fn wrap(prefix: &[u8], control: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(prefix);
    put_varint(control.len() as u64, into);
    into.extend_from_slice(control);
}

/// The control message in a message, if there is one.
pub(super) fn unwrap<'a>(prefix: &[u8], message: &'a [u8]) -> Option<&'a [u8]> {
    let bytes = message.strip_prefix(prefix)?;
    let mut cursor = Cursor { bytes, at: 0 };
    let length = cursor.varint().ok()?;
    let control = cursor.rest();
    (control.len() as u64 == length).then_some(control)
}

/// How many bytes [`wrap`] adds at most to a control message that fits into a datagram.
pub(super) const fn wrap_bytes(prefix: &[u8]) -> usize {
    prefix.len() + 3
}

fn put_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Keys and versions, already known to be whole.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a> {
    cursor: Cursor<'a>,
    stamp_ms: u64,
}

impl Iterator for Pairs<'_> {
    type Item = (Key, Version);

    fn next(&mut self) -> Option<(Key, Version)> {
        if self.cursor.rest().is_empty() {
            return None;
        }
        self.cursor.pair(&mut self.stamp_ms).ok()
    }
}

/// Numbers of 4 or 8 bytes, already known to be whole.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl Iterator for Words<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (word, rest) = self.bytes.split_at_checked(self.width)?;
        self.bytes = rest;
        Some(word.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ControlError> {
        let rest = self.rest();
        let Some(array) = rest.first_chunk() else {
            return Err(ControlError::Truncated { offset: self.at, needed: N, available: rest.len() });
        };
        self.at += N;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, ControlError> {
        Ok(self.array::<1>()?[0])
    }

    fn u64(&mut self) -> Result<u64, ControlError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn varint(&mut self) -> Result<u64, ControlError> {
        let offset = self.at;
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(ControlError::Varint { offset })
    }

    fn pair(&mut self, stamp_ms: &mut u64) -> Result<(Key, Version), ControlError> {
        let key = Key(self.u64()?);
        let zigzag = self.varint()?;
        *stamp_ms = stamp_ms.wrapping_add(zigzag >> 1 ^ (zigzag & 1).wrapping_neg());
        Ok((key, Version { stamp_ms: *stamp_ms, content: self.u64()? }))
    }

    /// Pairs to the end; within these bounds they must be in order.
    fn pairs(self, bounds: Option<(Key, Key)>) -> Result<Pairs<'a>, ControlError> {
        let pairs = Pairs { cursor: self.clone(), stamp_ms: 0 };
        let (mut cursor, mut stamp_ms) = (self, 0);
        let mut before = None;
        while !cursor.rest().is_empty() {
            let offset = cursor.at;
            let (key, _) = cursor.pair(&mut stamp_ms)?;
            let in_order = |(first, last)| first <= key && key <= last && before < Some(key);
            if !bounds.is_none_or(in_order) {
                return Err(ControlError::Order { offset });
            }
            before = Some(key);
        }
        Ok(pairs)
    }

    /// Numbers to the end: so many, if that is given.
    fn words(&self, width: usize, count: Option<usize>) -> Result<Words<'a>, ControlError> {
        let bytes = self.rest();
        let needed = count.map_or(bytes.len().next_multiple_of(width), |count| count * width);
        if bytes.len() != needed {
            return Err(ControlError::Truncated { offset: self.at, needed, available: bytes.len() });
        }
        Ok(Words { bytes, width })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Control, ControlError, Writer, flags, unwrap, wrap};
    use crate::dissemination::index::Range;
    use crate::{Key, Version};

    fn any_pair() -> impl Strategy<Value = (Key, Version)> {
        let stamp = prop_oneof![any::<u64>(), 1_790_000_000_000..1_790_000_100_000_u64];
        (any::<u64>(), stamp, any::<u64>())
            .prop_map(|(key, stamp_ms, content)| (Key(key), Version { stamp_ms, content }))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(mut pairs in prop::collection::vec(any_pair(), 0..30), root: u64, keys: u64) {
            let mut writer = Writer::default();
            writer.digest(flags::ASK, root, keys);
            pairs.iter().for_each(|&(key, version)| assert!(writer.pair(key, version, 1400)));
            let Ok(Control::Digest { flags: flags::ASK, root: told, keys: told_keys, pairs: read }) =
                Control::decode(writer.bytes()) else { panic!("a digest") };
            prop_assert_eq!((told, told_keys), (root, keys));
            prop_assert_eq!(read.collect::<Vec<_>>(), pairs.clone());

            pairs.sort();
            pairs.dedup_by_key(|&mut (key, _)| key);
            writer.list(Key(0), Key(9)).bytes();
            pairs.iter().for_each(|&(key, version)| assert!(writer.pair(key, version, 1400)));
            writer.end_list_at(Key(u64::MAX));
            let Ok(Control::List { pairs: read, .. }) = Control::decode(writer.bytes()) else { panic!("a list") };
            prop_assert_eq!(read.collect::<Vec<_>>(), pairs.clone());

            writer.want();
            pairs.iter().for_each(|&(key, _)| assert!(writer.key(key, 1400)));
            let Ok(Control::Want { keys }) = Control::decode(writer.bytes()) else { panic!("a want") };
            prop_assert!(keys.eq(pairs.iter().map(|&(key, _)| key.0)));

            let mut message = Vec::new();
            wrap(b"prefix", writer.bytes(), &mut message);
            prop_assert_eq!(unwrap(b"prefix", &message), Some(writer.bytes()));
            message.push(0);
            prop_assert_eq!(unwrap(b"prefix", &message), None);
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0..7_u8) {
            if bytes.len() > 1 {
                bytes[..2].copy_from_slice(&[1, kind]);
            }
            let items = match Control::decode(&bytes) {
                Ok(Control::Have { pairs, .. } | Control::Digest { pairs, .. } | Control::List { pairs, .. }) => pairs.count(),
                Ok(Control::Want { keys }) => keys.count(),
                Ok(Control::Ranges { hashes, .. }) => hashes.count() / 64,
                Err(_) => 0,
            };
            prop_assert!(items <= bytes.len() / 8);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let mut writer = Writer::default();
        let pair = (Key(5), Version { stamp_ms: 7, content: 1 });
        writer.have(3).pair(pair.0, pair.1, 1400);
        let have = writer.bytes().to_vec();
        let mut ranges = Writer::default();
        ranges.ranges(0, Range::ALL);
        let mut list = Writer::default();
        list.list(Key(6), Key(9)).pair(pair.0, pair.1, 1400);
        for (bytes, error) in [
            (&[][..], ControlError::Truncated { offset: 0, needed: 1, available: 0 }),
            (&[2, 1], ControlError::Version { version: 2 }),
            (&[1, 9], ControlError::Kind { kind: 9 }),
            (&have[..have.len() - 1], ControlError::Truncated { offset: 19, needed: 8, available: 7 }),
            (&[&have[..18], &[255; 10]].concat(), ControlError::Varint { offset: 18 }),
            (ranges.bytes(), ControlError::Truncated { offset: 12, needed: 256, available: 0 }),
            (&[1, 4, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], ControlError::Order { offset: 3 }),
            (list.bytes(), ControlError::Order { offset: 18 }),
            (&[1, 3, 0, 0, 0], ControlError::Truncated { offset: 2, needed: 8, available: 3 }),
            (&vec![1; 70_000], ControlError::TooLong { bytes: 70_000, limit: 65_536 }),
        ] {
            assert_eq!(Control::decode(bytes).err(), Some(error));
        }
    }
}
