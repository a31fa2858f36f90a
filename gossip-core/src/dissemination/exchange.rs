use crate::dissemination::control::{Control, ControlError, Pairs, Words, flags};
use crate::dissemination::index::{self, CHILDREN, Range};
use crate::dissemination::lane::Tell;
use crate::dissemination::spread::Wanted;
use crate::dissemination::{Dissemination, Event, Speaks};
use crate::{Instant, Key, PeerId, Version};

/// How many keys peers may be asked for at once.
const MAX_WANTED: usize = 4096;

/// How many parts of a range that differ are looked into at once. The others differ still the next time.
const RANGES_AT_ONCE: usize = 16;

/// How many keys in a differing range are offered at once.
const OFFERS_AT_ONCE: usize = 512;

/// How many rounds pass until ranges are compared again, unless it was of use.
const ESCALATE_EVERY: u32 = 4;

/// How many hot messages are considered that may explain why a peer's root differs.
const MAX_SUSPECTS: usize = 256;

/// A peer that differs in most parts of so many keys is reported as behind.
const MANY_KEYS: u64 = 1024;

/// What comparing a peer's pairs with ours came to.
#[derive(Clone, Copy, Debug, Default)]
struct Compared {
    /// What our root would be if we had of each key what the peer has.
    root: u64,
    /// How many keys are newer here.
    older: usize,
    /// How many keys are newer there.
    newer: usize,
}

impl Dissemination {
    /// Reads what the layer of a peer says, and answers.
    ///
    /// # Errors
    /// If it cannot be read. Then nothing changed.
    pub fn handle_control(&mut self, from: PeerId, control: &[u8], now: Instant) -> Result<(), ControlError> {
        let control = Control::decode(control)?;
        self.now = now;
        self.counters.controls_heard += 1;
        match self.peers.speaks(from) {
            None => return Ok(()),
            Some(Speaks::Digests) => {}
            Some(Speaks::Messages) => _ = self.peers.add(from, Speaks::Digests),
        }
        match control {
            Control::Have { root, pairs } => self.hear_have(from, root, pairs),
            Control::Digest { flags, root, keys, pairs } => self.hear_digest(from, flags, root, keys, pairs),
            Control::Want { keys } => keys.for_each(|key| self.hear_want(from, Key(key))),
            Control::Ranges { salt, range, hashes } => self.hear_ranges(from, salt, range, hashes),
            Control::List { first, last, pairs } => self.hear_list(from, first, last, pairs),
        }
        Ok(())
    }

    fn hear_have(&mut self, from: PeerId, root: u64, pairs: Pairs<'_>) {
        for (key, version) in pairs {
            if let Some(slot) = self.hot.slot_at(key, version) {
                self.hot.at_mut(slot).had.insert(from);
            }
        }
        if root == self.index.root() {
            self.agree(from);
        }
        self.land(from);
    }

    fn hear_digest(&mut self, from: PeerId, flags: u8, root: u64, keys: u64, pairs: Pairs<'_>) {
        let has = |flag| flags & flag != 0;
        let compared = self.compare(from, has(flags::OFFER), has(flags::OLD), pairs);
        self.offer(from);
        let is_same = compared.older == 0 && compared.newer == 0;
        if !is_same {
            self.wake_for_difference();
        }
        if compared.root == root {
            if is_same {
                self.agree(from);
            } else if compared.older == 0 {
                // It has all that is here, and more.
                let newest = self.hot.last_seq();
                self.lanes.of(from).agreed_seq = newest;
            }
            if is_same && has(flags::ECHO) {
                self.tell(from, Tell::Root);
            }
        } else if !has(flags::MORE) {
            self.wake_for_difference();
            self.explain(from, flags, root, compared.root);
            let here = self.index.len() as u64;
            if here > MANY_KEYS && keys < here / 2 && !self.is_under_way(here - keys) {
                self.report_behind(from);
            }
        }
        self.land(from);
    }

    /// Marks what a peer has, asks for what is newer there (if that is offered), gives what is newer here. What is old news is collected
    /// to be offered: other nodes may be about to give it.
    fn compare(&mut self, from: PeerId, is_offered: bool, is_old: bool, pairs: Pairs<'_>) -> Compared {
        self.listed.clear();
        self.pairs.clear();
        let mut compared = Compared { root: self.index.root(), ..Compared::default() };
        for (key, theirs) in pairs {
            self.listed.push(key);
            let ours = self.index.version(key);
            if ours == Some(theirs) {
                if let Some(slot) = self.hot.slot_of(key) {
                    self.hot.at_mut(slot).had.insert(from);
                }
                continue;
            }
            let hash = ours.map_or(0, |ours| index::hash(key, ours));
            compared.root = compared.root.wrapping_add(index::hash(key, theirs)).wrapping_sub(hash);
            match ours.filter(|&ours| ours > theirs) {
                None => {
                    compared.newer += 1;
                    if is_offered {
                        self.want(from, key, theirs, is_old);
                    }
                }
                Some(ours) => {
                    compared.older += 1;
                    if is_old {
                        self.pairs.push((key, ours));
                    } else if self.hot.slot_of(key).is_none_or(|slot| self.is_ripe(slot, from)) {
                        self.give(from, key);
                    }
                }
            }
        }
        compared
    }

    /// The peer's root is not ours, also if its pairs are taken for ours. Perhaps what is recent here explains it; if not, something
    /// old differs.
    fn explain(&mut self, from: PeerId, flags: u8, theirs: u64, ours: u64) {
        self.listed.sort_unstable();
        self.slots.clear();
        let mut without = ours;
        for slot in self.hot.newest_first().take(MAX_SUSPECTS) {
            let hot = self.hot.at(slot);
            if self.lacks(slot, from) && self.listed.binary_search(&hot.key).is_err() {
                let previous = hot.previous.map_or(0, |previous| index::hash(hot.key, previous));
                without = without.wrapping_sub(index::hash(hot.key, hot.version)).wrapping_add(previous);
                self.slots.push(slot);
            }
        }
        let suspects = self.slots.len();
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|&slot| self.is_ripe(slot, from));
        let is_under_way = slots.len() < suspects;
        if suspects > 0 && without == theirs {
            // It lacks just these.
            slots.iter().for_each(|&slot| self.give(from, self.hot.at(slot).key));
        } else if !slots.is_empty() && flags & flags::ASK != 0 {
            let pair = |&slot: &u32| (self.hot.at(slot).key, self.hot.at(slot).version);
            let pairs = slots.iter().map(pair).collect();
            let flags = flags::ANSWER | flags::OFFER | if is_under_way { flags::MORE } else { 0 };
            self.tell(from, Tell::Pairs { flags, root: ours, pairs });
        } else {
            self.escalate(from, is_under_way);
        }
        self.slots = slots;
    }

    /// Compares ranges, but not all the time: while much is new, roots seldom are equal.
    fn escalate(&mut self, with: PeerId, is_under_way: bool) {
        let patience = if is_under_way { self.config.idle } else { std::time::Duration::ZERO };
        if self.rounds.next_escalation + patience <= self.now {
            self.rounds.next_escalation = self.now + self.config.round.saturating_mul(ESCALATE_EVERY);
            self.counters.escalations += 1;
            self.tell(with, Tell::Range(Range::ALL));
        }
    }

    fn hear_want(&mut self, from: PeerId, key: Key) {
        if self.is_direct() && self.hot.slot_of(key).is_some() {
            // Whoever should have sent it did not. Others may lack it too.
            self.wake();
        }
        self.give(from, key);
    }

    fn hear_ranges(&mut self, from: PeerId, salt: u8, range: Range, hashes: Words<'_>) {
        let differs = |&(child, theirs): &(Range, u64)| u64::from(self.fold(child, salt)) != theirs;
        let differing: Vec<Range> =
            range.children().zip(hashes).filter(differs).map(|(child, _)| child).collect();
        if differing.is_empty() {
            return;
        }
        let start = self.rng.usize(..differing.len());
        for at in 0..differing.len().min(RANGES_AT_ONCE) {
            self.tell(from, Tell::Range(differing[(start + at) % differing.len()]));
        }
        let is_most = range == Range::ALL && differing.len() > CHILDREN / 2;
        let here = self.index.len() as u64;
        if is_most && here > MANY_KEYS && !self.is_under_way(here) {
            self.report_behind(from);
        }
    }

    fn hear_list(&mut self, from: PeerId, first: Key, last: Key, pairs: Pairs<'_>) {
        let compared = self.compare(from, true, true, pairs);
        let mut listed = self.listed.iter().copied().peekable();
        for (key, version) in self.index.within(first, last) {
            while listed.next_if(|&listed| listed < key).is_some() {}
            if listed.peek() != Some(&key) && self.pairs.len() < OFFERS_AT_ONCE {
                self.pairs.push((key, version));
            }
        }
        if compared.newer > 0 || !self.pairs.is_empty() {
            self.rounds.next_escalation = self.now + self.config.round / 2;
            self.wake_for_difference();
        }
        self.offer(from);
    }

    /// Offers a peer what was found to be newer here.
    fn offer(&mut self, to: PeerId) {
        if !self.pairs.is_empty() {
            let flags = flags::OFFER | flags::OLD | flags::MORE;
            self.tell(to, Tell::Pairs { flags, root: 0, pairs: self.pairs.clone() });
        }
    }

    /// A hash over a range, short enough to be sent 64 of. Whatever collides does not with another salt.
    pub(super) fn fold(&self, range: Range, salt: u8) -> u32 {
        (index::mix(self.index.sum(range) ^ u64::from(salt)) >> 32) as u32
    }

    fn want(&mut self, from: PeerId, key: Key, version: Version, is_old: bool) {
        if self.refused.get(&key) >= Some(&version) {
            return;
        }
        let asked = self.wanted.get(&key);
        if asked.is_some_and(|asked| asked.version >= version && asked.until > self.now) {
            return;
        }
        if asked.is_none() && self.wanted.len() >= MAX_WANTED {
            self.counters.dropped += 1;
            return;
        }
        // Much of what is old comes together, and takes its time.
        let patience = if is_old { self.config.round.saturating_mul(2) } else { self.config.round / 2 };
        let until = self.now + patience;
        self.wanted.insert(key, Wanted { version, until, is_old });
        self.need_rounds();
        self.lanes.of(from).wants.push(key);
        self.make_ready(from);
    }

    /// The peer has all that is here, and nothing else.
    fn agree(&mut self, peer: PeerId) {
        self.counters.agreements += 1;
        let (newest, root) = (self.hot.last_seq(), self.index.root());
        let lane = self.lanes.of(peer);
        (lane.agreed_seq, lane.agreed_root) = (newest, Some(root));
        lane.cold.clear();
        for pending in lane.pending.drain() {
            if self.hot.holds(pending.slot, pending.seq) {
                self.hot.at_mut(pending.slot).queued.remove(peer);
            }
        }
    }

    /// Makes room for more to a peer that said what it has.
    fn land(&mut self, peer: PeerId) {
        let (now, hot) = (self.now, &self.hot);
        let Some(lane) = self.lanes.find_mut(peer) else { return };
        if !lane.flights.is_empty() {
            let agreed_seq = lane.agreed_seq;
            let mut took = lane.confirmed_in.mul_f64(0.875);
            let mut bytes = 0;
            lane.flights.retain(|flight| {
                let is_new = hot.holds(flight.slot, flight.seq);
                let is_in_flight =
                    is_new && agreed_seq < flight.seq && !hot.at(flight.slot).had.contains(peer);
                if is_in_flight {
                    bytes += flight.bytes as usize;
                } else if is_new && flight.tries == 1 {
                    took = took.max(now - flight.sent_at);
                }
                is_in_flight
            });
            lane.confirmed_in = took;
            lane.flight_bytes = bytes;
        }
        if lane.has_payload() && lane.is_open(self.config.window_bytes) {
            self.make_ready(peer);
        }
    }

    /// Whether so many keys differ because that much is new: it is on its way by itself.
    fn is_under_way(&self, keys: u64) -> bool {
        self.hot.len() as u64 >= keys / 2
    }

    fn report_behind(&mut self, peer: PeerId) {
        if self.rounds.next_behind <= self.now {
            self.rounds.next_behind = self.now + self.config.idle;
            self.report(Event::Behind { peer });
        }
    }
}
