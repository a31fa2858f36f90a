use promha_gossip_core::dissemination::Source;
use promha_gossip_core::state::{Config, LastWriter, Presence, Record, SnapshotAt, Store};
use promha_gossip_core::{Heard, Key, Replica, Version};
use xxhash_rust::xxh64::xxh64;

use super::table::{Entry, Table, pad};
use crate::simulator::node::{Stamp, Told};

/// A state that a whole node can have, as the simulator uses it.
pub trait State: Replica {
    fn start(snapshot: Option<&[u8]>, message_bytes: usize, now_ms: u64) -> Self;
    /// Writes a value or deletes it; nothing if there is nothing to delete.
    fn write(&mut self, key: u64, value: Option<u64>, now_ms: u64) -> Option<(Key, Version)>;
    fn value(&self, key: u64) -> Option<(Stamp, bool)>;
    fn poll_told(&mut self) -> Option<Told>;
    fn snapshot(&self) -> Vec<u8>;
    /// A hash that is equal for equal states.
    fn hash(&self) -> u64;
    /// What a message is about.
    fn about(message: &[u8]) -> (u64, Stamp);
}

impl State for Table {
    fn start(snapshot: Option<&[u8]>, message_bytes: usize, _now_ms: u64) -> Self {
        Self::new(message_bytes, snapshot)
    }

    fn write(&mut self, key: u64, value: Option<u64>, now_ms: u64) -> Option<(Key, Version)> {
        let entry = Self::write(self, key, value, now_ms);
        Some((entry.name(), entry.version))
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        Self::value(self, key)
    }

    fn poll_told(&mut self) -> Option<Told> {
        Self::poll_told(self)
    }

    fn snapshot(&self) -> Vec<u8> {
        Self::snapshot(self)
    }

    fn hash(&self) -> u64 {
        xxh64(&Self::snapshot(self), 0)
    }

    fn about(message: &[u8]) -> (u64, Stamp) {
        let entry = Entry::read(message);
        (entry.key, entry.stamp())
    }
}

/// The replicated state, with values of some length.
#[derive(Debug)]
pub struct Stored {
    store: Store,
    value_bytes: usize,
}

impl Stored {
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What is held of a key, as a message.
    fn message_of(&self, key: Key) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        self.store.message(key, &mut message)?;
        Some(message)
    }
}

impl Source for Stored {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        self.store.message(key, into)
    }
}

impl Replica for Stored {
    fn merge(&mut self, message: &[u8], now_ms: u64, heard: Heard<'_>) {
        Replica::merge(&mut self.store, message, now_ms, heard);
    }

    fn write_all(&self, into: &mut Vec<u8>) {
        Replica::write_all(&self.store, into);
    }

    fn merge_all(&mut self, state: &[u8], now_ms: u64, heard: Heard<'_>) {
        Replica::merge_all(&mut self.store, state, now_ms, heard);
    }

    fn versions(&self, tell: &mut dyn FnMut(Key, Version)) {
        Replica::versions(&self.store, tell);
    }

    fn collect(&mut self, now_ms: u64, forgotten: &mut dyn FnMut(Key)) {
        Replica::collect(&mut self.store, now_ms, forgotten);
    }

    fn next_due_ms(&self) -> Option<u64> {
        Replica::next_due_ms(&self.store)
    }
}

impl State for Stored {
    fn start(snapshot: Option<&[u8]>, message_bytes: usize, now_ms: u64) -> Self {
        let store = match snapshot {
            Some(snapshot) => Store::restore(Config::default(), LastWriter, snapshot, now_ms).0,
            None => Store::new(Config::default()),
        };
        Self { store, value_bytes: message_bytes.saturating_sub(25) }
    }

    fn write(&mut self, key: u64, value: Option<u64>, now_ms: u64) -> Option<(Key, Version)> {
        let key = key.to_le_bytes();
        let Some(value) = value else { return self.store.delete(&key, now_ms) };
        let mut padded = value.to_le_bytes().to_vec();
        pad(&mut padded, self.value_bytes, value);
        Some(self.store.insert(&key, &padded, now_ms).unwrap())
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        let message = self.message_of(Key::of(&key.to_le_bytes()))?;
        let record = Record::decode(&message).unwrap();
        Some((stamp(&record), record.value.is_some()))
    }

    fn poll_told(&mut self) -> Option<Told> {
        loop {
            let change = self.store.poll_change()?;
            let key = u64::from_le_bytes((*change.key).try_into().unwrap());
            if let (Presence::Present(_) | Presence::Deleted(_), Some((stamp, live))) =
                (change.is, self.value(key))
            {
                return Some(Told::Value { key, stamp, live });
            }
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let (mut data, mut at) = (Vec::new(), Some(SnapshotAt::START));
        while let Some(from) = at {
            at = self.store.write_snapshot(from, 1 << 10, &mut data);
        }
        data
    }

    fn hash(&self) -> u64 {
        self.store.versions().fold(0, |hash, (key, _)| {
            let message = self.message_of(key).unwrap_or_default();
            // A deletion is told for a while and then remembered, which is no difference.
            if Record::decode(&message).is_ok_and(|record| record.value.is_some()) {
                xxh64(&message, hash)
            } else {
                hash
            }
        })
    }

    fn about(message: &[u8]) -> (u64, Stamp) {
        let record = Record::decode(message).unwrap();
        (u64::from_le_bytes(record.key.try_into().unwrap()), stamp(&record))
    }
}

/// Later lives of a key win, then later writes, then the larger content.
fn stamp(record: &Record<'_>) -> Stamp {
    let Version { stamp_ms, content } = record.version();
    (record.rank_ms, stamp_ms << 22 | content >> 42)
}
