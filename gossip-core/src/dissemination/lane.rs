use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use hashbrown::HashMap;

use crate::dissemination::hash_keys::HashKeys;
use crate::dissemination::index::Range;
use crate::{Instant, Key, PeerId, Version};

/// How much a lane may have to say to its peer.
const MAX_TELLS: usize = 64;

/// How many keys that are not hot may wait for a peer.
const MAX_COLD: usize = 4096;

/// What is under way to one peer. Only peers with something under way have one.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) peer: PeerId,
    /// Whether it is in the queue of lanes that have something to send.
    pub(super) ready: bool,
    /// Hot messages: those that were sent least first, of those the newest.
    pub(super) pending: BinaryHeap<Pending>,
    /// Keys that are not hot, sorted.
    pub(super) cold: Vec<Key>,
    pub(super) confirms: Vec<(Key, Version)>,
    /// When the confirmations are due, if there are any.
    pub(super) confirm_at: Instant,
    pub(super) wants: Vec<Key>,
    pub(super) tells: VecDeque<Tell>,
    /// What awaits the peer's confirmation, in the order in which it was sent.
    pub(super) flights: VecDeque<Flight>,
    pub(super) flight_bytes: usize,
    /// What was sent in this round and awaits no confirmation.
    pub(super) loose_bytes: usize,
    /// How long the peer took at most to confirm lately.
    pub(super) confirmed_in: Duration,
    /// The peer has all hot messages up to this number.
    pub(super) agreed_seq: u64,
    /// What the peer's root was when it was equal to ours.
    pub(super) agreed_root: Option<u64>,
    /// When the peer was last asked for what it has.
    pub(super) asked_at: Option<Instant>,
    /// When the peer was last told all that is in a range, whether recent or old.
    pub(super) listed_at: Option<Instant>,
}

/// A hot message that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pending {
    pub(super) transmits: Reverse<u32>,
    pub(super) seq: u64,
    pub(super) slot: u32,
    /// How many times it was sent to this peer without an answer.
    pub(super) tries: u8,
}

/// A message that was sent and not confirmed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) slot: u32,
    pub(super) seq: u64,
    pub(super) sent_at: Instant,
    pub(super) bytes: u32,
    pub(super) tries: u8,
}

/// What is to be told. What can be looked up when it is written is not kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tell {
    /// Our root, and nothing else.
    Root,
    /// What we have, with these flags.
    Digest { flags: u8 },
    /// These pairs. The root belongs to them.
    Pairs { flags: u8, root: u64, pairs: Vec<(Key, Version)> },
    /// Hashes of the parts of this range, or what is in it if that is little.
    Range(Range),
    /// All from the first to the last key.
    List { first: Key, last: Key },
}

impl Lane {
    fn new(peer: PeerId) -> Self {
        Self {
            peer,
            ready: false,
            pending: BinaryHeap::new(),
            cold: Vec::new(),
            confirms: Vec::new(),
            confirm_at: Instant::NEVER,
            wants: Vec::new(),
            tells: VecDeque::new(),
            flights: VecDeque::new(),
            flight_bytes: 0,
            loose_bytes: 0,
            confirmed_in: Duration::ZERO,
            agreed_seq: 0,
            agreed_root: None,
            asked_at: None,
            listed_at: None,
        }
    }

    /// Whether more payload may be sent before something is confirmed or a round passes.
    pub(super) fn is_open(&self, window_bytes: usize) -> bool {
        self.flight_bytes + self.loose_bytes < window_bytes
    }

    pub(super) fn has_payload(&self) -> bool {
        !self.pending.is_empty() || !self.cold.is_empty()
    }

    pub(super) fn has_control(&self) -> bool {
        !self.confirms.is_empty() || !self.wants.is_empty() || !self.tells.is_empty()
    }

    /// Whether nothing of ours is on its way to the peer.
    pub(super) fn is_settled(&self) -> bool {
        !self.has_payload() && self.flights.is_empty()
    }

    /// Whether it is worth keeping for what it knows.
    pub(super) fn is_of_use(&self, now: Instant, round: Duration) -> bool {
        !self.is_settled()
            || self.has_control()
            || self.ready
            || self.loose_bytes > 0
            || self.asked_at.is_some_and(|at| now - at < round)
    }

    /// Whether there was room.
    pub(super) fn tell(&mut self, tell: Tell) -> bool {
        let fits = self.tells.len() < MAX_TELLS;
        if fits && !self.tells.contains(&tell) {
            self.tells.push_back(tell);
        }
        fits
    }

    /// Whether there was room.
    pub(super) fn give_cold(&mut self, key: Key) -> bool {
        let Err(at) = self.cold.binary_search(&key) else { return true };
        let fits = self.cold.len() < MAX_COLD;
        if fits {
            self.cold.insert(at, key);
        }
        fits
    }

    /// Nothing is known of what the peer has.
    pub(super) fn disagree(&mut self) {
        (self.agreed_seq, self.agreed_root) = (0, None);
    }

    /// As new, for another peer; the memory stays.
    fn reset(&mut self, peer: PeerId) {
        self.peer = peer;
        self.ready = false;
        self.pending.clear();
        self.cold.clear();
        self.confirms.clear();
        self.confirm_at = Instant::NEVER;
        self.wants.clear();
        self.tells.clear();
        self.flights.clear();
        (self.flight_bytes, self.loose_bytes) = (0, 0);
        self.confirmed_in = Duration::ZERO;
        self.disagree();
        (self.asked_at, self.listed_at) = (None, None);
    }
}

/// The lanes, in a slab.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    slab: Vec<Lane>,
    free: Vec<u32>,
    by_peer: HashMap<u32, u32, HashKeys>,
    /// Those that are in use, in the order of their making.
    used: Vec<u32>,
}

impl Lanes {
    pub(super) fn find(&self, peer: PeerId) -> Option<&Lane> {
        self.by_peer.get(&peer.0).map(|&at| &self.slab[at as usize])
    }

    pub(super) fn find_mut(&mut self, peer: PeerId) -> Option<&mut Lane> {
        self.by_peer.get(&peer.0).map(|&at| &mut self.slab[at as usize])
    }

    /// The lane of a peer, made if there was none.
    pub(super) fn of(&mut self, peer: PeerId) -> &mut Lane {
        let at = match self.by_peer.get(&peer.0) {
            Some(&at) => at,
            None => {
                let at = self.free.pop().unwrap_or_else(|| {
                    self.slab.push(Lane::new(peer));
                    (self.slab.len() - 1) as u32
                });
                self.slab[at as usize].reset(peer);
                self.by_peer.insert(peer.0, at);
                self.used.push(at);
                at
            }
        };
        &mut self.slab[at as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// One of the lanes, by the order of their making.
    pub(super) fn nth_mut(&mut self, at: usize) -> &mut Lane {
        &mut self.slab[self.used[at] as usize]
    }

    /// Keeps those that are of use.
    pub(super) fn retain(&mut self, mut is_of_use: impl FnMut(&Lane) -> bool) {
        let Self { slab, free, by_peer, used } = self;
        used.retain(|&at| {
            let lane = &slab[at as usize];
            let keep = is_of_use(lane);
            if !keep {
                by_peer.remove(&lane.peer.0);
                free.push(at);
            }
            keep
        });
    }
}
