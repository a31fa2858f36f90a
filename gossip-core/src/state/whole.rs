//! All of a store in one piece, as two nodes exchange it, and record by record, as a [`Gossip`](crate::Gossip) sends it.

use super::error::Refused;
use super::merge::Merge;
use super::record::{Record, read_number, split_delimited, write_number};
use super::store::{Merged, Outcome, Store};
use crate::dissemination::{Source, Verdict};
use crate::{Heard, Key, Replica, Version};

/// What a piece begins with that is no record but the floor. Records begin with their version, which is another one.
const FLOOR: u8 = 0;

impl<M: Merge> Store<M> {
    /// Appends everything: records, each with its length before it, and at the end how old keys may be that are not among them. At the
    /// end, so that it holds of no key that is among them.
    pub fn write_all(&self, into: &mut Vec<u8>) {
        let mut piece = Vec::new();
        for entry in self.entries.values() {
            piece.clear();
            entry.record().encode(&mut piece);
            write_piece(&piece, into);
        }
        if self.floor_ms() > 0 {
            piece.clear();
            piece.push(FLOOR);
            write_number(self.floor_ms(), &mut piece);
            write_piece(&piece, into);
        }
    }

    /// Takes everything that another node has. `merged` is told what came of each record; what is refused is counted and no reason not to
    /// take the others. The floor is taken only if there was room for all, so that what there was no room for can come another time.
    pub fn merge_all(&mut self, state: &[u8], now_ms: u64, mut merged: impl FnMut(Merged)) {
        let (pieces, torn) = split_delimited(state);
        self.stats_mut().torn += u64::from(torn.is_some());
        let mut had_room = true;
        for piece in pieces.into_iter().map(|piece| &state[piece]) {
            if let [FLOOR, floor @ ..] = piece {
                if let Some((floor_ms, _)) = read_number(floor)
                    && had_room
                {
                    self.take_floor(floor_ms, now_ms);
                }
                continue;
            }
            match self.merge(piece, now_ms) {
                Ok(found) => merged(found),
                Err(Refused::TooManyEntries { .. } | Refused::TooManyBytes { .. }) => had_room = false,
                Err(_) => {}
            }
        }
    }
}

impl<M: Merge> Source for Store<M> {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let entry = self.entries.get(&key)?;
        entry.record().encode(into);
        Some(entry.version)
    }
}

impl<M: Merge> Replica for Store<M> {
    fn merge(&mut self, message: &[u8], now_ms: u64, heard: Heard<'_>) {
        match Store::merge(self, message, now_ms) {
            Ok(merged) => tell(merged, heard),
            // It will not be refused any more when its time has come.
            Err(Refused::Ahead { .. }) => {}
            // That it is refused is remembered, so that it is not asked for again.
            Err(_) => {
                if let Ok(record) = Record::decode(message) {
                    heard(Key::of(record.key), record.version(), Verdict::Refused);
                }
            }
        }
    }

    fn write_all(&self, into: &mut Vec<u8>) {
        Store::write_all(self, into);
    }

    fn merge_all(&mut self, state: &[u8], now_ms: u64, heard: Heard<'_>) {
        Store::merge_all(self, state, now_ms, |merged| tell(merged, heard));
    }

    fn versions(&self, tell: &mut dyn FnMut(Key, Version)) {
        Store::versions(self).for_each(|(key, version)| tell(key, version));
    }

    fn collect(&mut self, now_ms: u64, forgotten: &mut dyn FnMut(Key)) {
        Store::collect(self, now_ms, forgotten);
    }

    fn next_due_ms(&self) -> Option<u64> {
        Store::next_due_ms(self)
    }
}

fn tell(merged: Merged, heard: Heard<'_>) {
    let verdict = match merged.outcome {
        Outcome::Fresh => Verdict::Fresh,
        Outcome::Known => Verdict::Known,
        Outcome::Stale => Verdict::Stale,
        Outcome::Combined(version) => Verdict::Merged(version),
    };
    heard(merged.key, merged.version, verdict);
}

fn write_piece(piece: &[u8], into: &mut Vec<u8>) {
    write_number(piece.len() as u64, into);
    into.extend_from_slice(piece);
}
