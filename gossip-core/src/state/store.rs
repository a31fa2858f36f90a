use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Changes, Presence};
use super::config::{Ahead, Config};
use super::entry::{Ended, Entry, Grave};
use super::error::{Refused, Stats};
use super::graves::Graves;
use super::merge::{Choice, Held, LastWriter, Merge};
use super::record::Record;
use crate::{Key, Version};

/// Keys that all nodes agree on once they have heard the same. See the [module](super).
///
/// Look-ups and writes are `O(log n)`. Iteration is in the order of the keys' hashes, the same on every node.
#[derive(Clone, Debug)]
pub struct Store<M = LastWriter> {
    pub(super) config: Config,
    merge: M,
    pub(super) entries: BTreeMap<Key, Entry>,
    pub(super) graves: Graves,
    /// When entries are to be collected.
    due: BTreeSet<(u64, Key)>,
    /// Keys that came to their end before anybody collected them.
    ended: Vec<Key>,
    bytes: usize,
    live: usize,
    changes: Changes,
    /// Of keys that hold something: the largest version that was too far ahead and has been taken, clamped.
    pub(super) clamped: BTreeMap<Key, Version>,
    pub(super) stats: Stats,
    /// Kept for its memory.
    combined: Vec<u8>,
}

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// What the key is called between nodes.
    pub key: Key,
    /// The version of the record.
    pub version: Version,
    /// How it compares with what was here.
    pub outcome: Outcome,
}

/// How a record compares with what was here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is what the key holds from now on.
    Fresh,
    /// The key held just that.
    Known,
    /// The key holds something newer.
    Stale,
    /// The key holds something made of both from now on, of this version, which nobody else may have.
    Combined(Version),
}

impl Store {
    /// An empty store in which the last writer wins.
    pub fn new(config: Config) -> Self {
        Self::with_merge(config, LastWriter)
    }
}

impl<M: Merge> Store<M> {
    /// An empty store with a merge of one's own.
    pub fn with_merge(config: Config, merge: M) -> Self {
        Self {
            config,
            merge,
            entries: BTreeMap::new(),
            graves: Graves::default(),
            due: BTreeSet::new(),
            ended: Vec::new(),
            bytes: 0,
            live: 0,
            changes: Changes::default(),
            clamped: BTreeMap::new(),
            stats: Stats::default(),
            combined: Vec::new(),
        }
    }

    /// What a key holds.
    pub fn get(&self, key: &[u8], now_ms: u64) -> Option<&[u8]> {
        let entry = self.entries.get(&Key::of(key)).filter(|entry| *entry.key == *key)?;
        entry.value.as_deref().filter(|_| !entry.has_expired(now_ms))
    }

    /// All keys that hold something, with what they hold, in the order of their hashes.
    pub fn iter(&self, now_ms: u64) -> impl Iterator<Item = (&[u8], &[u8])> {
        let live = self.entries.values().filter(move |entry| !entry.has_expired(now_ms));
        live.filter_map(|entry| Some((&*entry.key, entry.value.as_deref()?)))
    }

    /// All keys and what version they hold, deleted ones included: what a [`Dissemination`](crate::dissemination::Dissemination) is to know
    /// after a restart.
    pub fn versions(&self) -> impl Iterator<Item = (Key, Version)> {
        self.entries.iter().map(|(&key, entry)| (key, entry.version))
    }

    /// Writes a key. The write is later than whatever is known of the key, also if the clock goes back.
    ///
    /// # Errors
    /// If the key or the value is too long, if there is no room, or if the key has the hash of another one.
    pub fn insert(&mut self, key: &[u8], value: &[u8], now_ms: u64) -> Result<(Key, Version), Refused> {
        self.write(key, value, None, now_ms)
    }

    /// Writes a key that is forgotten at a time, unless it is written again.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), or if that time has passed.
    pub fn insert_until(
        &mut self,
        key: &[u8],
        value: &[u8],
        expires_ms: u64,
        now_ms: u64,
    ) -> Result<(Key, Version), Refused> {
        self.write(key, value, Some(expires_ms), now_ms)
    }

    fn write(
        &mut self,
        key: &[u8],
        value: &[u8],
        expires_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(Key, Version), Refused> {
        let name = Key::of(key);
        self.bury_expired(name, now_ms);
        let known =
            self.entries.get(&name).map(|entry| (entry.rank_ms, entry.version, entry.value.is_some()));
        let (rank_ms, least_ms) = match (known, self.graves.get(name)) {
            (Some((rank_ms, version, true)), _) => (rank_ms, version.stamp_ms.saturating_add(1)),
            // A life after the one that ended there.
            (Some((rank_ms, version, false)), _) => {
                (rank_ms.saturating_add(1), version.stamp_ms.saturating_add(1))
            }
            (None, Some(grave)) => (grave.stamp_ms.saturating_add(1), 0),
            (None, None) if self.graves.floor_ms() > 0 => (self.graves.floor_ms().saturating_add(1), 0),
            // All that begin to write a key at once write the same life of it.
            (None, None) => (0, 0),
        };
        let stamp_ms = now_ms.max(least_ms).max(rank_ms);
        let record = Record { key, value: Some(value), rank_ms, stamp_ms, expires_ms };
        self.check(name, &record, now_ms)?;
        self.put(name, Entry::new(&record, now_ms), true);
        Ok((name, record.version()))
    }

    /// Deletes a key, and says by which version; nothing if it holds nothing.
    pub fn delete(&mut self, key: &[u8], now_ms: u64) -> Option<(Key, Version)> {
        let name = Key::of(key);
        let entry = self.entries.get(&name).filter(|entry| *entry.key == *key && entry.lives(now_ms))?;
        let stamp_ms = now_ms.max(entry.version.stamp_ms.saturating_add(1));
        let record = Record { key, value: None, rank_ms: stamp_ms, stamp_ms, expires_ms: None };
        self.put(name, Entry::new(&record, now_ms), true);
        Some((name, record.version()))
    }

    /// Takes a record from another node. One that is known, or older than what is here, costs no allocation.
    ///
    /// # Errors
    /// Why it was refused; nothing has changed then.
    pub fn merge(&mut self, record: &[u8], now_ms: u64) -> Result<Merged, Refused> {
        let merged = Record::decode(record).map_err(Refused::from).and_then(|record| {
            let name = Key::of(record.key);
            self.take(name, record, now_ms)
        });
        merged.inspect_err(|refused| self.stats.count(refused))
    }

    fn take(&mut self, name: Key, mut record: Record<'_>, now_ms: u64) -> Result<Merged, Refused> {
        let version = record.version();
        let limit_ms = now_ms.saturating_add(self.config.max_ahead_ms);
        let is_ahead = record.stamp_ms > limit_ms;
        if is_ahead {
            if let Some(outcome) = self.hold_back(name, &record, version, now_ms)? {
                return Ok(Merged { key: name, version, outcome });
            }
            record.stamp_ms = limit_ms;
            record.rank_ms = record.rank_ms.min(limit_ms);
        }
        let outcome = self.join(name, record, version, now_ms)?;
        if is_ahead {
            (self.stats.ahead, self.stats.clamped) = (self.stats.ahead + 1, self.stats.clamped + 1);
            self.remember_clamped(name, version);
        }
        Ok(Merged { key: name, version, outcome })
    }

    /// What is to be said of a record that is too far ahead; nothing if it is to be clamped. Each is clamped once: what is written after
    /// that would lose again each time the record comes again.
    fn hold_back(
        &mut self,
        name: Key,
        record: &Record<'_>,
        version: Version,
        now_ms: u64,
    ) -> Result<Option<Outcome>, Refused> {
        if self.holds_content_of(name, record) {
            if self.config.ahead == Ahead::Clamp {
                self.remember_clamped(name, version);
            }
            return Ok(Some(Outcome::Known));
        }
        if self.config.ahead == Ahead::Refuse {
            let (ahead_ms, limit_ms) = (record.stamp_ms - now_ms, self.config.max_ahead_ms);
            return Err(Refused::Ahead { ahead_ms, limit_ms });
        }
        Ok((self.clamped.get(&name) >= Some(&version)).then_some(Outcome::Stale))
    }

    /// A record whose stamp is not too far ahead, or no longer. `version` is the one that it came with.
    fn join(
        &mut self,
        name: Key,
        record: Record<'_>,
        version: Version,
        now_ms: u64,
    ) -> Result<Outcome, Refused> {
        self.check(name, &record, now_ms)?;
        self.bury_expired(name, now_ms);
        let Some(ours) = self.entries.get(&name) else {
            let entry = self.unknown(name, &record, now_ms)?;
            let taken = entry.version;
            self.put(name, entry, false);
            return Ok(if taken == version { Outcome::Fresh } else { Outcome::Combined(taken) });
        };
        let (our_version, their_version) = (ours.version, record.version());
        if our_version == their_version {
            return Ok(Outcome::Known);
        }
        if self.clamped.get(&name) == Some(&their_version) && !self.holds_content_of(name, &record) {
            return Ok(self.rise_above(name, &record));
        }
        let (choice, expires_ms) = match (&ours.value, record.value) {
            (Some(our_value), Some(their_value)) if ours.rank_ms == record.rank_ms => {
                self.combined.clear();
                let ours = Held { value: our_value, version: our_version, expires_ms: ours.expires_ms };
                let theirs =
                    Held { value: their_value, version: their_version, expires_ms: record.expires_ms };
                let choice = self.merge.merge(record.key, ours, theirs, &mut self.combined);
                (choice, self.merge.expires_ms(ours, theirs, choice))
            }
            _ if outlives(ours, &record) => (Choice::Ours, ours.expires_ms),
            _ => (Choice::Theirs, record.expires_ms),
        };
        match choice {
            Choice::Ours if ours.expires_ms == expires_ms && our_version > their_version => {
                return Ok(Outcome::Stale);
            }
            Choice::Theirs if record.expires_ms == expires_ms && their_version > our_version => {
                self.put(name, Entry::new(&record, now_ms), false);
                return Ok(if their_version == version {
                    Outcome::Fresh
                } else {
                    Outcome::Combined(their_version)
                });
            }
            _ => {}
        }
        // What comes out is neither of the two, or has to be told from now on as newer than both.
        let limit = self.config.max_value_bytes;
        if choice == Choice::Both && self.combined.len() > limit {
            return Err(Refused::ValueTooLong { found: self.combined.len(), limit });
        }
        let mut entry = match choice {
            Choice::Ours => ours.clone(),
            Choice::Theirs => Entry::new(&record, now_ms),
            Choice::Both => Entry::new(&Record { value: Some(&self.combined), ..record }, now_ms),
        };
        entry.expires_ms = expires_ms;
        entry.version = version_above(&entry, our_version, their_version);
        let outcome = match entry.version {
            taken if taken == our_version => return Ok(Outcome::Stale),
            taken if taken == version => Outcome::Fresh,
            taken => Outcome::Combined(taken),
        };
        self.put(name, entry, false);
        Ok(outcome)
    }

    /// What was clamped when it came is no longer ahead, and would win now over what was written by those who knew of it. So what we hold
    /// is told as written after it: also to whoever made it.
    fn rise_above(&mut self, name: Key, record: &Record<'_>) -> Outcome {
        self.clamped.remove(&name);
        let Some(mut entry) = self.entries.get(&name).cloned() else { return Outcome::Stale };
        entry.rank_ms = entry.rank_ms.max(match (&entry.value, record.value) {
            (Some(_), None) => record.rank_ms.saturating_add(1),
            _ => record.rank_ms,
        });
        let stamp_ms = entry.version.stamp_ms.max(record.stamp_ms).saturating_add(1);
        entry.version = Record { stamp_ms, ..entry.record() }.version();
        let risen = entry.version;
        self.put(name, entry, false);
        Outcome::Combined(risen)
    }

    pub(super) fn remember_clamped(&mut self, name: Key, version: Version) {
        let largest = self.clamped.entry(name).or_insert(version);
        *largest = version.max(*largest);
    }

    /// Whether a key holds just that, whenever it was written.
    fn holds_content_of(&self, name: Key, record: &Record<'_>) -> bool {
        self.entries.get(&name).is_some_and(|entry| {
            *entry.key == *record.key
                && entry.value.as_deref() == record.value
                && entry.expires_ms == record.expires_ms
        })
    }

    /// Whether a record could be held at all.
    fn check(&self, name: Key, record: &Record<'_>, now_ms: u64) -> Result<(), Refused> {
        let Config { max_key_bytes, max_value_bytes, max_entries, max_bytes, .. } = self.config;
        let value_bytes = record.value.map_or(0, <[u8]>::len);
        if record.key.len() > max_key_bytes {
            return Err(Refused::KeyTooLong { found: record.key.len(), limit: max_key_bytes });
        }
        if value_bytes > max_value_bytes {
            return Err(Refused::ValueTooLong { found: value_bytes, limit: max_value_bytes });
        }
        if let Some(expires_ms) = record.expires_ms.filter(|expires_ms| *expires_ms <= now_ms) {
            return Err(Refused::Expired { ago_ms: now_ms - expires_ms });
        }
        match self.entries.get(&name) {
            Some(entry) if *entry.key != *record.key => Err(Refused::Collision),
            Some(entry) => {
                let grown = self.bytes - entry.value.as_ref().map_or(0, |value| value.len()) + value_bytes;
                // What is known or older is not taken anyway, and whoever sent it is to hear of that.
                if grown > self.bytes.max(max_bytes) && record.version() > entry.version {
                    return Err(Refused::TooManyBytes { found: grown, limit: max_bytes });
                }
                Ok(())
            }
            None if self.entries.len() >= max_entries => {
                Err(Refused::TooManyEntries { found: self.entries.len(), limit: max_entries })
            }
            None if self.bytes >= max_bytes => {
                Err(Refused::TooManyBytes { found: self.bytes, limit: max_bytes })
            }
            None => Ok(()),
        }
    }

    /// What becomes of a key that is not known here. One that has come to its end is told to have, whoever brings it back: so it comes to
    /// its end there, too.
    fn unknown(&mut self, name: Key, record: &Record<'_>, now_ms: u64) -> Result<Entry, Refused> {
        let (stamp_ms, floor_ms) = (record.stamp_ms, self.graves.floor_ms());
        match self.graves.get(name) {
            Some(grave) if grave.holds(record) && record.value.is_none() => {
                Err(Refused::Buried { stamp_ms, buried_ms: grave.stamp_ms })
            }
            Some(grave) if grave.holds(record) => {
                self.stats.buried += 1;
                let rank_ms = match grave.ended {
                    Ended::Deleted => grave.stamp_ms,
                    Ended::Expired => record.rank_ms,
                };
                let stamp_ms = stamp_ms.max(grave.stamp_ms);
                let end = Record { value: None, expires_ms: None, rank_ms, stamp_ms, key: record.key };
                Ok(Entry::new(&end, now_ms))
            }
            None if stamp_ms <= floor_ms => Err(Refused::BelowFloor { stamp_ms, floor_ms }),
            _ => Ok(Entry::new(record, now_ms)),
        }
    }

    fn put(&mut self, name: Key, entry: Entry, local: bool) {
        let is = presence(&entry);
        let was = match self.remove(name) {
            Some(before) => presence(&before),
            None if self.graves.get(name).is_some_and(|grave| grave.ended == Ended::Expired) => {
                Presence::Expired
            }
            None => Presence::Unknown,
        };
        self.graves.open(name);
        self.note(name, &entry.key, was, is, local);
        if let Some(due_ms) = entry.due_ms(&self.config) {
            self.due.insert((due_ms, name));
        }
        self.bytes += entry.bytes();
        self.live += usize::from(entry.value.is_some());
        self.entries.insert(name, entry);
    }

    fn note(&mut self, name: Key, key: &[u8], was: Presence, is: Presence, local: bool) {
        let is_kept = self.changes.add(name, key, was, is, local, self.config.max_changes);
        self.stats.changes_lost += u64::from(!is_kept);
    }

    fn remove(&mut self, name: Key) -> Option<Entry> {
        let entry = self.entries.remove(&name)?;
        if let Some(due_ms) = entry.due_ms(&self.config) {
            self.due.remove(&(due_ms, name));
        }
        self.bytes -= entry.bytes();
        self.live -= usize::from(entry.value.is_some());
        Some(entry)
    }

    fn bury_expired(&mut self, name: Key, now_ms: u64) {
        if self.entries.get(&name).is_some_and(|entry| entry.has_expired(now_ms)) {
            self.bury(name, now_ms);
            self.ended.push(name);
        }
    }

    /// Of a key that is gone only when it ended is kept.
    fn bury(&mut self, name: Key, now_ms: u64) {
        let Some(entry) = self.remove(name) else { return };
        self.clamped.remove(&name);
        let due_ms = now_ms.saturating_add(self.config.grave_ms);
        let grave = match entry.value {
            Some(_) => {
                self.note(name, &entry.key, presence(&entry), Presence::Expired, true);
                Grave { stamp_ms: entry.version.stamp_ms, ended: Ended::Expired, due_ms }
            }
            None => Grave { stamp_ms: entry.rank_ms, ended: Ended::Deleted, due_ms },
        };
        self.graves.dig(name, grave, self.config.max_graves);
    }

    /// Takes up what was held before. Its stamp is not compared with the clock: it was when it came.
    pub(super) fn restore_record(
        &mut self,
        name: Key,
        record: Record<'_>,
        since_ms: u64,
        now_ms: u64,
    ) -> Option<()> {
        let checked = self.check(name, &record, now_ms);
        if let Err(Refused::Expired { .. }) = checked {
            let due_ms = now_ms.saturating_add(self.config.grave_ms);
            self.restore_grave(name, Grave { stamp_ms: record.stamp_ms, ended: Ended::Expired, due_ms });
        }
        checked.ok()?;
        self.put(name, Entry::new(&record, since_ms), false);
        Some(())
    }

    /// Takes up an end. What was written before it came to it while the snapshot was being written.
    pub(super) fn restore_grave(&mut self, name: Key, grave: Grave) {
        match self.entries.get(&name) {
            Some(entry) if !grave.holds(&entry.record()) => return,
            Some(_) => drop(self.remove(name)),
            None => {}
        }
        self.graves.dig(name, grave, self.config.max_graves);
    }

    /// Takes what others say of how old a key must be that may have been deleted. Nobody is believed who says so of the time in which
    /// deletions are still told.
    pub(super) fn take_floor(&mut self, floor_ms: u64, now_ms: u64) {
        self.graves.raise_floor(floor_ms.min(now_ms.saturating_sub(self.config.tombstone_ms)));
    }

    /// Forgets what has expired, and deletions that have been told for long enough. `collected` is told which keys are not to be spoken of
    /// any more. `O(log n)` for each of them.
    pub fn collect(&mut self, now_ms: u64, mut collected: impl FnMut(Key)) {
        while let Some(&(due_ms, name)) = self.due.first()
            && due_ms <= now_ms
        {
            self.bury(name, now_ms);
            self.ended.push(name);
        }
        for name in self.ended.drain(..) {
            if !self.entries.contains_key(&name) {
                collected(name);
            }
        }
        self.graves.collect(now_ms);
    }

    /// When there is something to [`collect`](Self::collect) next, in milliseconds since the Unix epoch.
    pub fn next_due_ms(&self) -> Option<u64> {
        if !self.ended.is_empty() {
            return Some(0);
        }
        self.due.first().map(|&(due_ms, _)| due_ms).into_iter().chain(self.graves.next_due_ms()).min()
    }

    /// What changed: one change for each key since it was asked last, whatever happened in between.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.poll()
    }

    /// How many keys hold something, those included that have expired and are not yet [collected](Self::collect).
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether no key holds anything.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many deletions are still told to others.
    pub fn tombstones(&self) -> usize {
        self.entries.len() - self.live
    }

    /// Of how many keys it is remembered that they are gone.
    pub fn graves(&self) -> usize {
        self.graves.len()
    }

    /// Unknown keys that were written at or before this time are refused, in milliseconds since the Unix epoch; 0: none.
    pub fn floor_ms(&self) -> u64 {
        self.graves.floor_ms()
    }

    /// How many bytes are taken, as [`Config::max_bytes`] counts them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How often something was refused.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn stats_mut(&mut self) -> &mut Stats {
        &mut self.stats
    }

    /// How it is configured.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Whether what we hold wins although the two are not values of one life: the later life, and a deletion over the lives that it ends.
fn outlives(ours: &Entry, theirs: &Record<'_>) -> bool {
    match (&ours.value, theirs.value) {
        (None, Some(_)) => theirs.rank_ms <= ours.rank_ms,
        (Some(_), None) => ours.rank_ms > theirs.rank_ms,
        // Deletions of the same lives are the same; the one that was written later is told.
        (None, None) => (ours.rank_ms, ours.version) > (theirs.rank_ms, theirs.version()),
        (Some(_), Some(_)) => ours.rank_ms > theirs.rank_ms,
    }
}

/// The version of what came out of two, not below either of them: so whoever holds one of them takes it for newer. The same whichever of
/// the two was here.
fn version_above(entry: &Entry, one: Version, other: Version) -> Version {
    let stamp_ms = one.stamp_ms.max(other.stamp_ms);
    let version = Record { stamp_ms, ..entry.record() }.version();
    if version >= one.max(other) {
        return version;
    }
    Record { stamp_ms: stamp_ms.saturating_add(1), ..entry.record() }.version()
}

fn presence(entry: &Entry) -> Presence {
    match entry.value {
        Some(_) => Presence::Present(entry.version),
        None => Presence::Deleted(entry.version),
    }
}
