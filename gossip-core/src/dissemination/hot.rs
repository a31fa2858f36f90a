use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::dissemination::hash_keys::HashKeys;
use crate::dissemination::peer_set::PeerSet;
use crate::{Instant, Key, PeerId, Version};

/// A message that is under way: who has had it, and how often it was sent.
#[derive(Clone, Debug)]
pub(super) struct Hot {
    pub(super) key: Key,
    pub(super) version: Version,
    /// What the key held before.
    pub(super) previous: Option<Version>,
    /// Which of all messages it is. A version that takes the place of another is another message.
    pub(super) seq: u64,
    pub(super) origin: Origin,
    pub(super) since: Instant,
    /// How many digests had been sent before.
    pub(super) digests_before: u64,
    pub(super) transmits: u32,
    /// How many more rounds send it to peers that only speak messages.
    pub(super) repeats_left: u8,
    /// Those who are known to have it: it was heard from them, or they said so.
    pub(super) had: PeerSet,
    /// Those to whom it was sent.
    pub(super) sent: PeerSet,
    /// Those to whom it is to be sent.
    pub(super) queued: PeerSet,
}

/// How a message came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was published here.
    Own,
    /// A peer sent it unasked.
    Pushed,
    /// A peer sent it because it was asked.
    Pulled,
}

/// The messages that are under way, in a slab, by key and by age.
#[derive(Clone, Debug, Default)]
pub(super) struct HotSet {
    slots: Vec<Hot>,
    free: Vec<u32>,
    by_key: HashMap<Key, u32, HashKeys>,
    /// Slot and number of each, oldest first, and of some that are there no more.
    ages: VecDeque<(u32, u64)>,
    next_seq: u64,
}

impl HotSet {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn slot_of(&self, key: Key) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The slot of a key if it holds this version.
    pub(super) fn slot_at(&self, key: Key, version: Version) -> Option<u32> {
        self.slot_of(key).filter(|&slot| self.at(slot).version == version)
    }

    pub(super) fn at(&self, slot: u32) -> &Hot {
        &self.slots[slot as usize]
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> &mut Hot {
        &mut self.slots[slot as usize]
    }

    /// Whether a slot still holds the message of this number.
    pub(super) fn holds(&self, slot: u32, seq: u64) -> bool {
        self.at(slot).seq == seq
    }

    /// The number of the newest message so far; 0 if there was none.
    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq
    }

    /// A new message in the place of the one that the key has, if it has one. Nobody has had it.
    pub(super) fn raise(&mut self, key: Key, version: Version, previous: Option<Version>) -> u32 {
        self.next_seq += 1;
        let seq = self.next_seq;
        let slot = match self.slot_of(key).or_else(|| self.free.pop()) {
            Some(slot) => {
                let hot = self.at_mut(slot);
                hot.had.clear();
                hot.sent.clear();
                hot.queued.clear();
                (hot.key, hot.version, hot.previous, hot.seq, hot.transmits) =
                    (key, version, previous, seq, 0);
                slot
            }
            None => {
                self.slots.push(Hot {
                    key,
                    version,
                    previous,
                    seq,
                    origin: Origin::Own,
                    since: Instant::ORIGIN,
                    digests_before: 0,
                    transmits: 0,
                    repeats_left: 0,
                    had: PeerSet::default(),
                    sent: PeerSet::default(),
                    queued: PeerSet::default(),
                });
                (self.slots.len() - 1) as u32
            }
        };
        self.by_key.insert(key, slot);
        self.ages.push_back((slot, seq));
        if self.ages.len() > 2 * self.len() + 64 {
            let slots = &self.slots;
            self.ages.retain(|&(slot, seq)| slots[slot as usize].seq == seq);
        }
        slot
    }

    /// The message is under way no more.
    pub(super) fn cool(&mut self, slot: u32) {
        let hot = &mut self.slots[slot as usize];
        self.by_key.remove(&hot.key);
        hot.seq = 0;
        hot.had.clear();
        hot.sent.clear();
        hot.queued.clear();
        self.free.push(slot);
    }

    pub(super) fn oldest(&mut self) -> Option<u32> {
        while let Some(&(slot, seq)) = self.ages.front() {
            if self.holds(slot, seq) {
                return Some(slot);
            }
            self.ages.pop_front();
        }
        None
    }

    /// The slots, newest message first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = u32> {
        self.ages.iter().rev().filter(|&&(slot, seq)| self.holds(slot, seq)).map(|&(slot, _)| slot)
    }

    /// Nothing is known of this peer any more.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        for hot in &mut self.slots {
            hot.had.remove(peer);
            hot.sent.remove(peer);
            hot.queued.remove(peer);
        }
    }
}
