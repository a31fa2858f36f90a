//! A store on disk. Each piece has its own checksum, so that what is torn or spoiled costs no more than itself.

use super::config::Config;
use super::entry::{Ended, Grave};
use super::merge::Merge;
use super::record::{Record, read_number, write_number};
use super::store::Store;
use crate::Key;

/// What a snapshot begins with: what it is, and the version of its format.
const MAGIC: &[u8; 8] = b"PROMHA\0\x01";

/// What each piece begins with, so that the next one is found behind a spoiled one.
const MARK: u8 = 0xd7;

/// The mark, the length, the checksum.
const HEADER_BYTES: usize = 9;

/// The kinds of pieces.
const RECORD: u8 = 1;
const DELETED: u8 = 2;
const EXPIRED: u8 = 3;
const FLOOR: u8 = 4;
const END: u8 = 5;

/// Where a snapshot goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAt(Part);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Start,
    Entries(Key),
    Graves(Key),
    End,
}

impl SnapshotAt {
    /// The start of one.
    pub const START: Self = Self(Part::Start);
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
        let enough = into.len() + wanted_bytes;
        let mut at = from.0;
        while into.len() < enough {
            at = match at {
                Part::Start => {
                    into.extend_from_slice(MAGIC);
                    write_piece(into, FLOOR, |into| write_number(self.floor_ms(), into));
                    Part::Entries(Key(0))
                }
                Part::Entries(key) => match self.entries.range(key..).next() {
                    Some((&key, entry)) => {
                        write_piece(into, RECORD, |into| {
                            // When a deletion came is no part of the record, and its due time counts from there.
                            write_number(entry.since_ms, into);
                            entry.record().encode(into);
                        });
                        following(key).map_or(Part::Graves(Key(0)), Part::Entries)
                    }
                    None => Part::Graves(Key(0)),
                },
                Part::Graves(key) => match self.graves.from(key).next() {
                    Some((key, grave)) => {
                        let kind = if grave.ended == Ended::Deleted { DELETED } else { EXPIRED };
                        write_piece(into, kind, |into| {
                            write_number(key.0, into);
                            write_number(grave.stamp_ms, into);
                            write_number(grave.due_ms, into);
                        });
                        following(key).map_or(Part::End, Part::Graves)
                    }
                    None => Part::End,
                },
                Part::End => {
                    write_piece(into, END, |_| ());
                    return None;
                }
            };
        }
        Some(SnapshotAt(at))
    }

    /// A store from a snapshot. Whatever of it can be read is there, also if it was cut off or spoiled; what cannot is heard of again from
    /// others. Nothing is reported as a change.
    pub fn restore(config: Config, merge: M, snapshot: &[u8], now_ms: u64) -> (Self, Restored) {
        let mut store = Self::with_merge(config, merge);
        let mut found = Restored::default();
        let mut at = if snapshot.starts_with(MAGIC) { MAGIC.len() } else { 0 };
        let mut spoiled_from = None;
        loop {
            let Some(piece) = read_piece(snapshot, at) else {
                if at >= snapshot.len() {
                    found.torn_at = Some(spoiled_from.unwrap_or(at));
                    break;
                }
                spoiled_from.get_or_insert(at);
                at += 1;
                continue;
            };
            if let Some(from) = spoiled_from.take() {
                found.spoiled_bytes += at - from;
            }
            at += HEADER_BYTES + piece.len();
            if piece.first() == Some(&END) {
                break;
            }
            store.restore_piece(piece, now_ms, &mut found);
        }
        while store.poll_change().is_some() {}
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
                    self.dig(Key(key), Grave { stamp_ms, ended, due_ms });
                    found.graves += 1;
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

fn write_piece(into: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[MARK; HEADER_BYTES]);
    into.push(kind);
    write(into);
    let piece = &into[start + HEADER_BYTES..];
    let (length, checksum) = (piece.len() as u32, crc_fast::crc32_iscsi(piece));
    into[start + 1..start + 5].copy_from_slice(&length.to_le_bytes());
    into[start + 5..start + HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

/// The piece that begins there, if one does, and is whole and right.
fn read_piece(snapshot: &[u8], at: usize) -> Option<&[u8]> {
    let [MARK, rest @ ..] = snapshot.get(at..)? else { return None };
    let (length, rest) = rest.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let piece = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (!piece.is_empty() && crc_fast::crc32_iscsi(piece) == u32::from_le_bytes(*checksum)).then_some(piece)
}
