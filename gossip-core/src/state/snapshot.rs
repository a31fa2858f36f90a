//! A store on disk. Each piece has its own checksum, so that what is torn or spoiled costs no more than itself.

use super::config::Config;
use super::entry::{Ended, Grave};
use super::error::Stats;
use super::merge::Merge;
use super::record::{Record, read_number, write_number};
use super::store::Store;
use crate::{Key, Version};

/// What a snapshot begins with: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"PROMHA\0\x01";

/// What each piece begins with, so that the next one is found behind one whose length is spoiled. In its header there is also where it
/// begins: so a value that holds pieces, of another snapshot perhaps, is not read as some when it is searched.
const MARK: u8 = 0xd7;

/// The mark, then as `u32` little-endian: a checksum of where the piece begins and of the other two numbers, its length, its checksum.
/// The checksums are CRC-32C.
const HEADER_BYTES: usize = 13;

/// The kinds of pieces.
const RECORD: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;
const FLOOR: u8 = 4;
const END: u8 = 5;
const CLAMPED: u8 = 6;

/// Where a snapshot goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAt {
    part: Part,
    /// How many bytes come before.
    offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    Entries(Key),
    Clamped(Key),
    Graves(Key),
    End,
}

impl SnapshotAt {
    /// The start of one.
    pub const START: Self = Self { part: Part::Start, offset: 0 };
}

/// What was found in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Records that were taken.
    pub records: usize,
    /// Records that were not, because they have expired or are over a limit.
    pub refused: usize,
    /// Keys of which it is remembered that they are gone.
    pub graves: usize,
    /// Bytes that are none of a snapshot's, or spoiled, before its end.
    pub spoiled_bytes: usize,
    /// Where it was cut off; nothing if it has an end.
    pub torn_at: Option<usize>,
}

impl<M: Merge> Store<M> {
    /// Appends a part of a snapshot, about as many bytes as wanted, and says where it goes on; `None` if that was the end. The store may change
    /// between two parts: what is in neither of them was heard of after the first one, and is heard of again from others.
    ///
    /// ```
    /// use promha_gossip_core::state::{Config, LastWriter, SnapshotAt, Store};
    ///
    /// let mut store = Store::new(Config::default());
    /// store.insert(b"key", b"value", 1_700_000_000_000)?;
    ///
    /// let (mut file, mut at) = (Vec::new(), Some(SnapshotAt::START));
    /// while let Some(from) = at {
    ///     at = store.write_snapshot(from, 64 << 10, &mut file);
    /// }
    /// let (restored, found) = Store::restore(Config::default(), LastWriter, &file, 1_700_000_000_001);
    /// assert_eq!(restored.get(b"key", 1_700_000_000_001), Some(&b"value"[..]));
    /// assert_eq!((found.records, found.torn_at), (1, None));
    /// # Ok::<(), promha_gossip_core::state::Refused>(())
    /// ```
    pub fn write_snapshot(
        &self,
        from: SnapshotAt,
        wanted_bytes: usize,
        into: &mut Vec<u8>,
    ) -> Option<SnapshotAt> {
        let start = into.len();
        let enough = start.saturating_add(wanted_bytes);
        let offset = |into: &Vec<u8>| from.offset + (into.len() - start) as u64;
        let mut at = from.part;
        while into.len() < enough {
            at = match at {
                Part::Start => {
                    into.extend_from_slice(MAGIC);
                    write_piece(into, offset(into), FLOOR, |into| write_number(self.floor_ms(), into));
                    Part::Entries(Key(0))
                }
                Part::Entries(key) => match self.entries.range(key..).next() {
                    Some((&key, entry)) => {
                        write_piece(into, offset(into), RECORD, |into| {
                            // When a deletion came is no part of the record, and its due time counts from there.
                            write_number(entry.since_ms, into);
                            entry.record().encode(into);
                        });
                        following(key).map_or(Part::Clamped(Key(0)), Part::Entries)
                    }
                    None => Part::Clamped(Key(0)),
                },
                Part::Clamped(key) => match self.clamped.range(key..).next() {
                    Some((&key, version)) => {
                        write_piece(into, offset(into), CLAMPED, |into| {
                            write_number(key.0, into);
                            write_number(version.stamp_ms, into);
                            write_number(version.content, into);
                        });
                        following(key).map_or(Part::Graves(Key(0)), Part::Clamped)
                    }
                    None => Part::Graves(Key(0)),
                },
                Part::Graves(key) => match self.graves.from(key).next() {
                    Some((key, grave)) => {
                        let kind = if grave.ended == Ended::Deleted { DELETED } else { EXPIRED };
                        write_piece(into, offset(into), kind, |into| {
                            write_number(key.0, into);
                            write_number(grave.stamp_ms, into);
                            write_number(grave.due_ms, into);
                        });
                        following(key).map_or(Part::End, Part::Graves)
                    }
                    None => Part::End,
                },
                Part::End => {
                    write_piece(into, offset(into), END, |_| ());
                    return None;
                }
            };
        }
        Some(SnapshotAt { part: at, offset: offset(into) })
    }

    /// A store from a snapshot. Whatever of it can be read is there, also if it was cut off or spoiled; what cannot is heard of again from
    /// others. Nothing is reported as a change.
    pub fn restore(config: Config, merge: M, snapshot: &[u8], now_ms: u64) -> (Self, Restored) {
        let mut store = Self::with_merge(config, merge);
        let mut found = Restored::default();
        let mut at = if snapshot.starts_with(MAGIC) { MAGIC.len() } else { 0 };
        let mut spoiled_from = None;
        // None of what is restored is a change.
        store.config.max_changes = 0;
        loop {
            let piece = read_piece(snapshot, at);
            if let Piece::Whole(_) | Piece::Spoiled(_) = piece
                && let Some(from) = spoiled_from.take()
            {
                found.spoiled_bytes += at - from;
            }
            match piece {
                Piece::Whole(body) => {
                    at += HEADER_BYTES + body.len();
                    if body.first() == Some(&END) {
                        break;
                    }
                    store.restore_piece(body, now_ms, &mut found);
                }
                Piece::Spoiled(length) => {
                    found.spoiled_bytes += length;
                    at += length;
                }
                Piece::Absent if at < snapshot.len() => {
                    spoiled_from.get_or_insert(at);
                    at += 1;
                }
                Piece::Torn | Piece::Absent => {
                    found.torn_at = Some(spoiled_from.unwrap_or(at));
                    break;
                }
            }
        }
        (store.config, store.stats) = (config, Stats::default());
        (store, found)
    }

    fn restore_piece(&mut self, piece: &[u8], now_ms: u64, found: &mut Restored) {
        let Some((&kind, body)) = piece.split_first() else { return };
        let mut rest = body;
        let mut number = || {
            let (number, length) = read_number(rest)?;
            rest = &rest[length..];
            Some(number)
        };
        match kind {
            RECORD => {
                let since_ms = number();
                let taken = since_ms.and_then(|since_ms| {
                    let record = Record::decode(rest).ok()?;
                    let name = Key::of(record.key);
                    self.restore_record(name, record, since_ms, now_ms)
                });
                match taken {
                    Some(()) => found.records += 1,
                    None => found.refused += 1,
                }
            }
            DELETED | EXPIRED => {
                let ended = if kind == DELETED { Ended::Deleted } else { Ended::Expired };
                if let (Some(key), Some(stamp_ms), Some(due_ms)) = (number(), number(), number()) {
                    self.restore_grave(Key(key), Grave { stamp_ms, ended, due_ms });
                    found.graves += 1;
                }
            }
            CLAMPED => {
                if let (Some(key), Some(stamp_ms), Some(content)) = (number(), number(), number())
                    && self.entries.contains_key(&Key(key))
                {
                    self.remember_clamped(Key(key), Version { stamp_ms, content });
                }
            }
            FLOOR => {
                if let Some(floor_ms) = number() {
                    self.graves.raise_floor(floor_ms);
                }
            }
            // Written by a later version: it is not known what it means.
            _ => found.refused += 1,
        }
    }
}

fn following(key: Key) -> Option<Key> {
    key.0.checked_add(1).map(Key)
}

/// Appends a piece, which begins so many bytes after the start of the snapshot.
fn write_piece(into: &mut Vec<u8>, offset: u64, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[MARK; HEADER_BYTES]);
    into.push(kind);
    write(into);
    let body = &into[start + HEADER_BYTES..];
    let (length, checksum) = (body.len() as u32, crc_fast::crc32_iscsi(body));
    let header = [checked_header(offset, length, checksum), length, checksum];
    for (bytes, number) in into[start + 1..start + HEADER_BYTES].chunks_exact_mut(4).zip(header) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
}

/// A checksum of where a piece begins, how long it is and what its own checksum is.
fn checked_header(offset: u64, length: u32, checksum: u32) -> u32 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    bytes[12..].copy_from_slice(&checksum.to_le_bytes());
    crc_fast::crc32_iscsi(&bytes)
}

/// What begins somewhere in a snapshot.
enum Piece<'a> {
    /// A piece that is whole and right.
    Whole(&'a [u8]),
    /// One that is spoiled, of so many bytes.
    Spoiled(usize),
    /// One that the snapshot ends within.
    Torn,
    /// None, or one whose header is spoiled.
    Absent,
}

/// `O(1)` if there is none.
fn read_piece(snapshot: &[u8], at: usize) -> Piece<'_> {
    let Some([MARK, header @ ..]) = snapshot.get(at..).and_then(|rest| rest.first_chunk::<HEADER_BYTES>())
    else {
        return Piece::Absent;
    };
    let [checked, length, checksum] =
        [0, 4, 8].map(|at| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    if checked != checked_header(at as u64, length, checksum) {
        return Piece::Absent;
    }
    let body = usize::try_from(length).ok().and_then(|length| snapshot[at + HEADER_BYTES..].get(..length));
    match body {
        Some(body) if crc_fast::crc32_iscsi(body) == checksum => Piece::Whole(body),
        Some(body) => Piece::Spoiled(HEADER_BYTES + body.len()),
        None => Piece::Torn,
    }
}
