use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use promha_gossip_core::dissemination::{Source, Verdict};
use promha_gossip_core::{Heard, Key, Replica, Version};
use xxhash_rust::xxh64::xxh64;

use crate::simulator::node::{Stamp, Told};

/// The plainest state there is: the last writer wins, graves stay.
#[derive(Debug, Default)]
pub struct Table {
    entries: BTreeMap<Key, Entry>,
    /// How long a message is, at least.
    message_bytes: usize,
    told: VecDeque<Told>,
}

#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub key: u64,
    pub version: Version,
    pub live: bool,
}

/// Key, stamp, content and whether it lives; the rest of a message is padding.
const ENTRY_BYTES: usize = 25;

impl Table {
    /// What was written down, if anything was.
    pub fn new(message_bytes: usize, snapshot: Option<&[u8]>) -> Self {
        let entries = snapshot.unwrap_or_default().chunks_exact(ENTRY_BYTES).map(Entry::read);
        let entries = entries.map(|entry| (entry.name(), entry)).collect();
        Self { entries, message_bytes, told: VecDeque::new() }
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn learn(&mut self, entry: Entry) -> Verdict {
        let before = self.entries.get(&entry.name()).map(|known| known.version);
        match before.cmp(&Some(entry.version)) {
            std::cmp::Ordering::Greater => Verdict::Stale,
            std::cmp::Ordering::Equal => Verdict::Known,
            std::cmp::Ordering::Less => {
                self.entries.insert(entry.name(), entry);
                let Entry { key, live, .. } = entry;
                self.told.push_back(Told::Value { key, stamp: entry.stamp(), live });
                Verdict::Fresh
            }
        }
    }

    /// Writes a value, or a grave, that wins over what is there.
    pub fn write(&mut self, key: u64, value: Option<u64>, now_ms: u64) -> Entry {
        let before_ms = self.value(key).map_or(0, |(stamp, _)| stamp.0);
        let content = xxh64(&value.unwrap_or(u64::MAX).to_le_bytes(), 0);
        let version = Version { stamp_ms: now_ms.max(before_ms + 1), content };
        let entry = Entry { key, version, live: value.is_some() };
        self.learn(entry);
        entry
    }

    pub fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        let entry = self.entries.get(&name(key))?;
        Some((entry.stamp(), entry.live))
    }

    pub fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    pub fn snapshot(&self) -> Vec<u8> {
        let mut data = Vec::new();
        self.entries.values().for_each(|entry| entry.write(&mut data));
        data
    }
}

impl Source for Table {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let entry = self.entries.get(&key)?;
        let start = into.len();
        entry.write(into);
        pad(into, start + self.message_bytes, entry.key);
        Some(entry.version)
    }
}

impl Replica for Table {
    fn merge(&mut self, message: &[u8], _now_ms: u64, heard: Heard<'_>) {
        let entry = Entry::read(message);
        let verdict = self.learn(entry);
        heard(entry.name(), entry.version, verdict);
    }

    fn write_all(&self, into: &mut Vec<u8>) {
        self.entries.values().for_each(|entry| entry.write(into));
    }

    fn merge_all(&mut self, state: &[u8], now_ms: u64, heard: Heard<'_>) {
        for message in state.chunks_exact(ENTRY_BYTES) {
            self.merge(message, now_ms, heard);
        }
    }

    fn versions(&self, tell: &mut dyn FnMut(Key, Version)) {
        self.entries().for_each(|entry| tell(entry.name(), entry.version));
    }
}

impl Entry {
    pub fn name(&self) -> Key {
        name(self.key)
    }

    pub fn stamp(&self) -> Stamp {
        (self.version.stamp_ms, self.version.content)
    }

    fn write(&self, into: &mut Vec<u8>) {
        for number in [self.key, self.version.stamp_ms, self.version.content] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.push(self.live.into());
    }

    pub fn read(data: &[u8]) -> Self {
        let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        let version = Version { stamp_ms: number(8), content: number(16) };
        Self { key: number(0), version, live: data[24] == 1 }
    }
}

/// Fills up to a length with what does not compress.
pub fn pad(into: &mut Vec<u8>, length: usize, seed: u64) {
    let start = into.len();
    into.resize(length.max(start), 0);
    Rng::with_seed(seed).fill(&mut into[start..]);
}

fn name(key: u64) -> Key {
    Key::of(&key.to_le_bytes())
}
