use std::collections::BTreeMap;

use crate::{Key, Version};

/// What changed at a key since it was asked last: of several changes one, with what came of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Box<[u8]>,
    /// What it is called between nodes.
    pub name: Key,
    /// What it was before the first change.
    pub was: Presence,
    /// What it is after the last one.
    pub is: Presence,
    /// Whether the last change was made here, and not heard of.
    pub local: bool,
}

/// Whether a key holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It never did, or nothing is known of it any more.
    Unknown,
    /// It holds a value, of this version.
    Present(Version),
    /// It was deleted, by a deletion of this version.
    Deleted(Version),
    /// It has expired.
    Expired,
}

/// The changes that nobody has asked for. There is one for each key at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(BTreeMap<Key, Change>);

impl Changes {
    /// Returns whether there was room.
    pub(super) fn add(
        &mut self,
        name: Key,
        key: &[u8],
        was: Presence,
        is: Presence,
        local: bool,
        limit: usize,
    ) -> bool {
        if self.0.len() >= limit && !self.0.contains_key(&name) {
            return false;
        }
        let change = self.0.entry(name).or_insert_with(|| Change { key: key.into(), name, was, is, local });
        (change.is, change.local) = (is, local);
        true
    }

    /// In the order of names.
    pub(super) fn poll(&mut self) -> Option<Change> {
        self.0.pop_first().map(|(_, change)| change)
    }
}
