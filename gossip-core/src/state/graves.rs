use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Ended, Grave};
use crate::Key;

/// What is remembered of keys that are gone, in the order in which it may be forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Graves {
    by_key: BTreeMap<Key, Grave>,
    due: BTreeSet<(u64, Key)>,
    /// Until when keys may have been deleted of which nothing is remembered.
    floor_ms: u64,
}

impl Graves {
    pub(super) fn get(&self, key: Key) -> Option<Grave> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    pub(super) fn raise_floor(&mut self, floor_ms: u64) {
        self.floor_ms = self.floor_ms.max(floor_ms);
    }

    /// In the order of keys, from one on.
    pub(super) fn from(&self, key: Key) -> impl Iterator<Item = (Key, Grave)> {
        self.by_key.range(key..).map(|(&key, &grave)| (key, grave))
    }

    /// The later of two ends is what counts.
    pub(super) fn dig(&mut self, key: Key, grave: Grave, limit: usize) {
        let rank = |grave: Grave| (grave.stamp_ms, grave.ended == Ended::Deleted);
        if self.get(key).is_some_and(|other| rank(other) >= rank(grave)) {
            return;
        }
        self.open(key);
        self.by_key.insert(key, grave);
        self.due.insert((grave.due_ms, key));
        while self.by_key.len() > limit {
            self.forget_first();
        }
    }

    /// The key lives again.
    pub(super) fn open(&mut self, key: Key) {
        if let Some(grave) = self.by_key.remove(&key) {
            self.due.remove(&(grave.due_ms, key));
        }
    }

    pub(super) fn collect(&mut self, now_ms: u64) {
        while self.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            self.forget_first();
        }
    }

    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.due.first().map(|&(due_ms, _)| due_ms)
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.due.pop_first()
            && let Some(grave) = self.by_key.remove(&key)
        {
            self.raise_floor(grave.stamp_ms);
        }
    }
}
