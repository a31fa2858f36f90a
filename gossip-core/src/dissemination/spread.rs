use std::cmp::Reverse;
use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::dissemination::control::{self, Writer};
use crate::dissemination::counters::Counters;
use crate::dissemination::hash_keys::HashKeys;
use crate::dissemination::hot::{HotSet, Origin};
use crate::dissemination::index::Index;
use crate::dissemination::lane::{Lanes, Pending, Tell};
use crate::dissemination::peers::Peers;
use crate::dissemination::rounds::Rounds;
use crate::dissemination::{Config, Speaks};
use crate::{Instant, Key, PeerId, Version};

/// How many messages in a row are pushed to the same peers, so that they share packets.
const BATCH: usize = 8;

/// How many confirmations are not kept waiting for more.
const CONFIRM_AT_ONCE: usize = 32;

/// How many confirmations wait for a peer at most. It sends again what is not confirmed.
const MAX_CONFIRMS: usize = 4096;

/// How many events wait for the caller at most.
const MAX_EVENTS: usize = 1024;

/// How many refused versions are remembered.
const MAX_REFUSED: usize = 1024;

/// Brings updates to all peers: see the [module](crate::dissemination).
///
/// Verbs that tell it something come with the time; then [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event) are called until there is nothing more, and [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) says so. The order of polls does not matter, and an early timeout is harmless.
#[derive(Clone, Debug)]
pub struct Dissemination {
    pub(super) config: Config,
    pub(super) rng: fastrand::Rng,
    /// What time it was when something was told last.
    pub(super) now: Instant,
    pub(super) peers: Peers,
    pub(super) index: Index,
    pub(super) hot: HotSet,
    pub(super) lanes: Lanes,
    /// The peers for whom there is something to send, in turn.
    pub(super) ready: VecDeque<PeerId>,
    /// The peers to whom fresh messages are pushed at the moment.
    pub(super) batch: Vec<PeerId>,
    pub(super) batch_left: usize,
    /// What a peer was asked for lately.
    pub(super) wanted: HashMap<Key, Wanted, HashKeys>,
    /// What will not be asked for again.
    pub(super) refused: HashMap<Key, Version, HashKeys>,
    pub(super) rounds: Rounds,
    pub(super) counters: Counters,
    pub(super) writer: Writer,
    /// Kept for their memory.
    pub(super) listed: Vec<Key>,
    pub(super) slots: Vec<u32>,
    pub(super) pairs: Vec<(Key, Version)>,
    pub(super) packed: Vec<Key>,
    pub(super) body: Vec<u8>,
    events: VecDeque<Event>,
}

/// What a peer was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) version: Version,
    /// Until then another peer is not asked for it.
    pub(super) until: Instant,
    /// Whether it is new only here.
    pub(super) is_old: bool,
}

/// What the owner of the content made of a message that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is newer than what the key held, and took its place.
    Fresh,
    /// The key holds just this.
    Known,
    /// The key holds something newer.
    Stale,
    /// The key holds this now, made of the message and of what it held before: new for everybody.
    Merged(Version),
    /// It was not accepted, and will not be: too old, too large, too far in the future.
    Refused,
}

/// What the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// What this key holds is too large for a packet: send it to the peer over a stream.
    Oversize {
        /// To whom.
        peer: PeerId,
        /// What.
        key: Key,
    },
    /// This peer differs in so much that exchanging all of the state over a stream is quicker. Without that the exchanges go on, and
    /// get there in the end.
    Behind {
        /// Who.
        peer: PeerId,
    },
}

/// Who holds the content of keys. Messages are asked for when they are put into a packet, so that what travels is always the newest.
pub trait Source {
    /// Appends the message that says what the key holds now, without the type of memberlist's message before it, and says which
    /// version that is. None, and nothing appended, if it holds nothing.
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version>;
}

impl<S: std::hash::BuildHasher> Source for std::collections::HashMap<Key, (Version, Vec<u8>), S> {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let (version, message) = self.get(&key)?;
        into.extend_from_slice(message);
        Some(*version)
    }
}

impl Dissemination {
    /// Knows nothing and nobody. The same seed and the same calls give the same packets.
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let rounds = Rounds::new(&config, &mut rng, now);
        Self {
            config,
            rng,
            now,
            peers: Peers::default(),
            index: Index::default(),
            hot: HotSet::default(),
            lanes: Lanes::default(),
            ready: VecDeque::new(),
            batch: Vec::new(),
            batch_left: 0,
            wanted: HashMap::default(),
            refused: HashMap::default(),
            rounds,
            counters: Counters::default(),
            writer: Writer::default(),
            listed: Vec::new(),
            slots: Vec::new(),
            pairs: Vec::new(),
            packed: Vec::new(),
            body: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// There is another peer, or it is known by now what it speaks.
    pub fn add_peer(&mut self, peer: PeerId, speaks: Speaks, now: Instant) {
        self.now = now;
        if self.peers.add(peer, speaks) && self.is_noticed() {
            self.wake();
        }
    }

    /// The peer is gone. Its number may be given to another one.
    pub fn remove_peer(&mut self, peer: PeerId) {
        if self.peers.remove(peer) {
            self.hot.forget_peer(peer);
            self.lanes.retain(|lane| lane.peer != peer);
            self.batch.retain(|&other| other != peer);
        }
    }

    /// How many peers there are.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// A key holds something new, which was made here. Nothing happens if the version is not newer than the one that is known.
    pub fn publish(&mut self, key: Key, version: Version, now: Instant) {
        self.now = now;
        if let Some(slot) = self.raise(key, version, Origin::Own) {
            self.spread_own(slot);
        }
    }

    /// A message of a peer came, and this was made of it. `version` is that of the message.
    pub fn heard(&mut self, from: PeerId, key: Key, version: Version, verdict: Verdict, now: Instant) {
        self.now = now;
        self.counters.heard += 1;
        let Some(speaks) = self.peers.speaks(from) else {
            // Whoever it was, it is not to be sent anything. What is new spreads nevertheless.
            if matches!(verdict, Verdict::Fresh | Verdict::Merged(_)) {
                self.spread_of_stranger(key, version, verdict);
            }
            return;
        };
        match verdict {
            Verdict::Fresh => self.hear_fresh(from, speaks, key, version),
            Verdict::Known => {
                self.counters.duplicates += 1;
                if let Some(slot) = self.hot.slot_at(key, version) {
                    self.hot.at_mut(slot).had.insert(from);
                }
                self.confirm(from, speaks, key, version);
            }
            Verdict::Stale => {
                self.counters.stale += 1;
                if !self.is_just_sent(from, key) {
                    self.give(from, key);
                }
            }
            Verdict::Merged(merged) => {
                if let Some(slot) = self.raise(key, merged, Origin::Own) {
                    self.counters.fresh += 1;
                    self.spread_own(slot);
                }
            }
            Verdict::Refused => {
                self.counters.refused += 1;
                if self.refused.len() >= MAX_REFUSED {
                    self.refused.clear();
                }
                self.refused.insert(key, version);
                self.confirm(from, speaks, key, version);
            }
        }
    }

    /// A key holds something that everybody had before, as after a restart: it is known, but not sent to anyone unasked.
    pub fn restore(&mut self, key: Key, version: Version) {
        if self.index.version(key) < Some(version) {
            self.index.set(key, version);
            // What was on its way is superseded, and it is not known who has this.
            if let Some(slot) = self.hot.slot_of(key) {
                self.hot.cool(slot);
            }
        }
    }

    /// A key holds nothing any more, and nobody is to be told of it. All nodes should forget a key at about the same time: who still
    /// has it offers it to the others.
    pub fn forget(&mut self, key: Key) {
        self.index.remove(key);
        self.wanted.remove(&key);
        if let Some(slot) = self.hot.slot_of(key) {
            self.hot.cool(slot);
        }
    }

    /// The version of a key that is known here, `O(log n)`.
    pub fn version(&self, key: Key) -> Option<Version> {
        self.index.version(key)
    }

    /// A hash over all keys and versions. Those of two nodes are equal if they know the same, and (but for one in 2^64) only then.
    pub fn root(&self) -> u64 {
        self.index.root()
    }

    /// The control message in a message of a peer, if it is one: it is for [`handle_control`](Self::handle_control), every other one
    /// for the owner of the content.
    pub fn control<'m>(&self, message: &'m [u8]) -> Option<&'m [u8]> {
        control::unwrap(&self.config.control_prefix, message)
    }

    /// What is to be done next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What was done so far.
    pub fn stats(&self) -> Counters {
        Counters { hot: self.hot.len(), keys: self.index.len(), lanes: self.lanes.len(), ..self.counters }
    }

    /// Whether what is published goes to every peer directly.
    pub(super) fn is_direct(&self) -> bool {
        self.peers.len() <= self.config.direct_peers
    }

    /// Whether peers wait for confirmations. They may know fewer peers than this node.
    fn confirms(&self) -> bool {
        self.peers.len() <= 2 * self.config.direct_peers
    }

    /// Whether another peer is reason enough to compare. To a node that comes to a large cluster its first ones are.
    fn is_noticed(&self) -> bool {
        self.is_direct() || self.peers.len().is_power_of_two()
    }

    fn hear_fresh(&mut self, from: PeerId, speaks: Speaks, key: Key, version: Version) {
        let (origin, copies) = self.reason(from, key);
        let raised = self.raise(key, version, origin);
        self.confirm(from, speaks, key, version);
        let Some(slot) = raised else { return };
        self.counters.fresh += 1;
        self.hot.at_mut(slot).had.insert(from);
        if !self.is_direct() {
            self.push(slot, copies);
        } else if speaks == Speaks::Digests {
            // Whoever had it first told everybody. Those that cannot confirm hear it once more.
            self.hot.at_mut(slot).repeats_left = u8::from(!self.peers.messages().is_empty());
        } else {
            self.push(slot, copies);
        }
    }

    /// Why a peer sent something, and to how many others it is to be pushed. Most have already what was asked for, if it is recent, and
    /// all if it is old. Was it lost on its first way, then one copy is enough to set it off again.
    fn reason(&self, from: PeerId, key: Key) -> (Origin, usize) {
        let lane = self.lanes.find(from);
        let is_recent = |at: Option<Instant>| at.is_some_and(|at| self.now - at < self.config.round);
        if !lane.is_some_and(|lane| is_recent(lane.asked_at)) {
            return (Origin::Pushed, self.config.fanout);
        }
        let is_old = match self.wanted.get(&key) {
            Some(wanted) => wanted.is_old,
            None => lane.is_some_and(|lane| is_recent(lane.listed_at)),
        };
        (Origin::Pulled, if is_old { 0 } else { self.config.fanout.min(1) })
    }

    /// Takes up a version that is newer than the one that is known. None if it is not, or if there is nobody to tell.
    fn raise(&mut self, key: Key, version: Version, origin: Origin) -> Option<u32> {
        if self.index.version(key) >= Some(version) {
            return None;
        }
        let previous = self.index.set(key, version);
        if !self.wanted.is_empty() {
            self.wanted.remove(&key);
        }
        if self.peers.len() == 0 {
            return None;
        }
        if let Some(slot) = self.hot.slot_of(key) {
            let is_under_way = !self.hot.at(slot).queued.is_empty() || self.hot.at(slot).repeats_left > 0;
            self.counters.superseded += u64::from(is_under_way);
        } else if self.hot.len() >= self.config.hot_messages.max(1) {
            self.counters.evicted += 1;
            if let Some(oldest) = self.hot.oldest() {
                self.hot.cool(oldest);
            }
        }
        self.rounds.fresh(self.now, origin == Origin::Pulled, self.config.idle);
        self.need_rounds();
        self.wake();
        let slot = self.hot.raise(key, version, previous);
        let (digests, now) = (self.rounds.digests_sent, self.now);
        let hot = self.hot.at_mut(slot);
        (hot.origin, hot.since, hot.digests_before, hot.repeats_left) = (origin, now, digests, 0);
        Some(slot)
    }

    /// Sends what was made here: to everybody, or to some who pass it on.
    fn spread_own(&mut self, slot: u32) {
        if !self.peers.messages().is_empty() {
            self.hot.at_mut(slot).repeats_left = self.config.repeats.saturating_sub(1);
        }
        if !self.is_direct() {
            self.push(slot, self.config.fanout);
            return;
        }
        self.batch.clear();
        let (peers, batch) = (&self.peers, &mut self.batch);
        batch.extend(peers.digests().chain(peers.messages().iter().copied()));
        for at in 0..self.batch.len() {
            self.queue(slot, self.batch[at], 0);
        }
        self.batch.clear();
    }

    fn spread_of_stranger(&mut self, key: Key, version: Version, verdict: Verdict) {
        let version = if let Verdict::Merged(merged) = verdict { merged } else { version };
        if let Some(slot) = self.raise(key, version, Origin::Pushed) {
            self.counters.fresh += 1;
            self.push(slot, self.config.fanout);
        }
    }

    /// Sends a message to so many peers that have not had it.
    fn push(&mut self, slot: u32, copies: usize) {
        if self.batch_left == 0 {
            self.batch.clear();
            self.batch_left = BATCH;
        }
        self.batch_left -= 1;
        let (mut at, mut left) = (0, copies);
        while left > 0 {
            if at == self.batch.len() {
                let Some(peer) = self.peers.draw(&mut self.rng, &self.batch) else { return };
                self.batch.push(peer);
            }
            let peer = self.batch[at];
            at += 1;
            if self.lacks(slot, peer) && !self.hot.at(slot).sent.contains(peer) {
                self.queue(slot, peer, 0);
                left -= 1;
            }
        }
    }

    /// Whether a peer is not known to have a message.
    pub(super) fn lacks(&self, slot: u32, peer: PeerId) -> bool {
        let hot = self.hot.at(slot);
        !hot.had.contains(peer) && self.lanes.find(peer).is_none_or(|lane| lane.agreed_seq < hot.seq)
    }

    /// Has a message sent to a peer.
    pub(super) fn queue(&mut self, slot: u32, peer: PeerId, tries: u8) {
        let hot = self.hot.at_mut(slot);
        if !hot.queued.insert(peer) {
            return;
        }
        let lane = self.lanes.of(peer);
        if lane.pending.len() > 2 * self.config.hot_messages + 64 {
            let hot = &self.hot;
            lane.pending.retain(|pending| hot.holds(pending.slot, pending.seq));
        }
        let hot = self.hot.at(slot);
        lane.pending.push(Pending { transmits: Reverse(hot.transmits), seq: hot.seq, slot, tries });
        if lane.is_open(self.config.window_bytes) {
            self.make_ready(peer);
        }
    }

    /// Has what a key holds sent to a peer that seems to lack it. What was heard from it, or confirmed by it, it does not: what it says
    /// now was under way for longer than that. What it has still time to confirm is sent again when it does not. Did it lose all it had,
    /// it gets it when the message is not hot any more.
    pub(super) fn give(&mut self, peer: PeerId, key: Key) {
        let Some(slot) = self.hot.slot_of(key) else {
            if self.index.version(key).is_some() {
                let fits = self.lanes.of(peer).give_cold(key);
                self.counters.dropped += u64::from(!fits);
                self.make_ready(peer);
            }
            return;
        };
        if self.lacks(slot, peer) && !self.is_in_flight(slot, peer) {
            self.hot.at_mut(slot).sent.remove(peer);
            self.queue(slot, peer, 0);
        }
    }

    /// Whether a message was sent to a peer that may still confirm it.
    fn is_in_flight(&self, slot: u32, peer: PeerId) -> bool {
        let hot = self.hot.at(slot);
        self.is_direct() && hot.origin == Origin::Own && hot.sent.contains(peer)
    }

    /// Whether what a key holds may have crossed with what the peer sent.
    fn is_just_sent(&self, peer: PeerId, key: Key) -> bool {
        self.hot.slot_of(key).is_some_and(|slot| {
            let hot = self.hot.at(slot);
            hot.sent.contains(peer) && self.now - hot.since < self.config.round
        })
    }

    pub(super) fn tell(&mut self, peer: PeerId, tell: Tell) {
        let fits = self.lanes.of(peer).tell(tell);
        self.counters.dropped += u64::from(!fits);
        self.make_ready(peer);
    }

    pub(super) fn make_ready(&mut self, peer: PeerId) {
        let lane = self.lanes.of(peer);
        if !lane.ready {
            lane.ready = true;
            self.ready.push_back(peer);
            self.need_rounds();
        }
    }

    pub(super) fn report(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        } else {
            self.counters.dropped += 1;
        }
    }

    /// Has a peer told that its message came.
    fn confirm(&mut self, to: PeerId, speaks: Speaks, key: Key, version: Version) {
        if speaks == Speaks::Messages || !self.confirms() {
            return;
        }
        let lane = self.lanes.of(to);
        if lane.confirms.is_empty() {
            lane.confirm_at = self.now + self.config.confirm_delay;
            self.rounds.next_confirm = self.rounds.next_confirm.min(lane.confirm_at);
        }
        if lane.confirms.len() < MAX_CONFIRMS {
            lane.confirms.push((key, version));
        } else {
            self.counters.dropped += 1;
        }
        if lane.confirms.len() >= CONFIRM_AT_ONCE {
            self.make_ready(to);
        }
    }
}
