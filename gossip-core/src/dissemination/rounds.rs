use std::time::Duration;

use crate::dissemination::control::flags;
use crate::dissemination::hot::Origin;
use crate::dissemination::lane::Tell;
use crate::dissemination::{Config, Dissemination, Style};
use crate::{Instant, PeerId};

/// In a cluster where everybody is sent everything directly, nodes do not compare what is younger than so many rounds: it is probably
/// on its way.
const RIPE_AFTER: u32 = 2;

/// Unless something is new all the time: then they do after so many rounds.
const PATIENCE: u32 = 8;

/// The shortest time between two exchanges, and the shortest round.
const SHORTEST: Duration = Duration::from_millis(1);

/// Differences that nobody can settle are at last a reason to compare more often only after so many times the idle time.
const MAX_SLEEP: u32 = 16;

/// How many digests each node sends there: those who had a message from a node that crashed before it was done pass it on.
const DIRECT_DIGESTS: u64 = 3;

/// How many of the random peers are looked at for one that lacks the newest message.
const CANDIDATES: usize = 3;

/// What happens when, and how much is left to be done.
#[derive(Clone, Debug)]
pub(super) struct Rounds {
    next_round: Instant,
    /// Whether rounds have something to do.
    is_needed: bool,
    next_exchange: Instant,
    last_exchange: Instant,
    pub(super) next_confirm: Instant,
    /// The time from one exchange to the next while nothing is new.
    idle_for: Duration,
    pub(super) digests_sent: u64,
    /// Until so many digests were sent, there is one for each peer of a round.
    awake_until: u64,
    last_fresh: Option<Instant>,
    /// Before, ranges are not compared again.
    pub(super) next_escalation: Instant,
    /// Before, a difference is no reason to compare more often.
    next_wake: Instant,
    /// How long that will be the next time.
    sleep: Duration,
    /// Before, nobody is reported as behind again.
    pub(super) next_behind: Instant,
}

impl Rounds {
    pub(super) fn new(config: &Config, rng: &mut fastrand::Rng, now: Instant) -> Self {
        let round = round(config);
        Self {
            next_round: now + round,
            is_needed: false,
            next_exchange: now + round.mul_f64(rng.f64()),
            last_exchange: now,
            next_confirm: Instant::NEVER,
            idle_for: round,
            digests_sent: 0,
            awake_until: 0,
            last_fresh: None,
            next_escalation: now,
            next_wake: now,
            sleep: config.idle,
            next_behind: now,
        }
    }

    /// Something new was heard or made. Who was asked for it sends it to nobody else, so there is nothing to wait for.
    pub(super) fn fresh(&mut self, now: Instant, was_pulled: bool, idle: Duration) {
        if !was_pulled {
            self.last_fresh = Some(now);
        }
        self.next_wake = now;
        self.sleep = idle;
    }
}

fn round(config: &Config) -> Duration {
    config.round.max(SHORTEST)
}

impl Dissemination {
    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rounds = &self.rounds;
        let compares =
            self.peers.digest_count() > 0 && (self.config.style != Style::Push || self.hot.len() > 0);
        let round = if rounds.is_needed { rounds.next_round } else { Instant::NEVER };
        let exchange = if compares { rounds.next_exchange } else { Instant::NEVER };
        let next = rounds.next_confirm.min(round).min(exchange);
        (next < Instant::NEVER).then_some(next)
    }

    /// Does what is due: confirmations, messages to be sent again, exchanges.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.rounds.next_confirm <= now {
            self.send_confirms();
        }
        if self.rounds.is_needed && self.rounds.next_round <= now {
            self.rounds.next_round = now + round(&self.config);
            self.round();
        }
        if self.rounds.next_exchange <= now {
            self.exchange();
        }
    }

    /// The rounds have something to do from now on.
    pub(super) fn need_rounds(&mut self) {
        if !self.rounds.is_needed {
            self.rounds.is_needed = true;
            self.rounds.next_round = self.rounds.next_round.max(self.now + round(&self.config));
        }
    }

    /// Compare at the pace of rounds from now on, until it is probable that nobody lacks anything.
    pub(super) fn wake(&mut self) {
        let enough = self.enough_digests();
        let interval = self.interval();
        self.rounds.awake_until = self.rounds.awake_until.max(self.rounds.digests_sent + enough);
        self.rounds.idle_for = interval;
        if self.rounds.next_exchange > self.now + interval {
            self.rounds.next_exchange = self.now + interval.mul_f64(0.5 + self.rng.f64() / 2.0);
        }
    }

    /// A peer differs.
    pub(super) fn wake_for_difference(&mut self) {
        if !self.is_awake() && self.rounds.next_wake <= self.now {
            let sleep = self.rounds.sleep;
            self.rounds.next_wake = self.now + sleep;
            self.rounds.sleep = sleep.saturating_mul(2).min(self.config.idle.saturating_mul(MAX_SLEEP));
            self.wake();
        }
    }

    /// Whether it is time to compare a hot message with this peer, and not still probable that the peer gets it soon.
    pub(super) fn is_ripe(&self, slot: u32, peer: PeerId) -> bool {
        let hot = self.hot.at(slot);
        let is_aged = self.now - hot.since >= round(&self.config).saturating_mul(RIPE_AFTER);
        !self.is_direct()
            || match hot.origin {
                Origin::Own => !hot.sent.contains(peer) && !hot.queued.contains(peer),
                Origin::Pulled => is_aged || !hot.sent.contains(peer),
                Origin::Pushed => is_aged,
            }
    }

    /// How many digests of each node bring a message to the last ones that lack it. Of `n` nodes that each send `d` digests,
    /// `n exp(-d)` are not asked by anyone.
    fn enough_digests(&self) -> u64 {
        if self.is_direct() {
            return DIRECT_DIGESTS;
        }
        (self.peers.len() as f64 + 1.0).ln().mul_add(1.5, 3.0).ceil() as u64
    }

    /// The time from one exchange to the next while something is new.
    fn interval(&self) -> Duration {
        if self.is_direct() {
            return round(&self.config);
        }
        let exchanges = u32::try_from(self.config.exchanges.max(1)).unwrap_or(u32::MAX);
        (round(&self.config) / exchanges).max(SHORTEST)
    }

    fn is_awake(&self) -> bool {
        self.rounds.digests_sent < self.rounds.awake_until || self.config.idle <= round(&self.config)
    }

    fn send_confirms(&mut self) {
        let mut next = Instant::NEVER;
        for at in 0..self.lanes.len() {
            let lane = self.lanes.nth_mut(at);
            let (peer, due) = (lane.peer, lane.confirm_at);
            if due <= self.now {
                self.make_ready(peer);
            } else {
                next = next.min(due);
            }
        }
        self.rounds.next_confirm = next;
    }

    fn round(&mut self) {
        if !self.peers.messages().is_empty() {
            self.repeat();
        }
        for at in 0..self.lanes.len() {
            self.resend(at);
        }
        let now = self.now;
        self.wanted.retain(|_, wanted| wanted.until > now);
        self.cool();
        let (is_direct, round) = (self.is_direct(), round(&self.config));
        let mut is_needed = self.hot.len() > 0 || !self.wanted.is_empty();
        self.lanes.retain(|lane| {
            let is_of_use = lane.is_of_use(now, round);
            is_needed |= is_of_use;
            is_of_use || is_direct
        });
        self.rounds.is_needed = is_needed;
    }

    /// Sends messages again to peers that cannot confirm.
    fn repeat(&mut self) {
        let long_enough = round(&self.config) / 2;
        let (hot, slots, now) = (&self.hot, &mut self.slots, self.now);
        let is_due = |slot: &u32| hot.at(*slot).repeats_left > 0 && now - hot.at(*slot).since >= long_enough;
        slots.clear();
        slots.extend(hot.newest_first().filter(is_due));
        for at in 0..self.slots.len() {
            let slot = self.slots[at];
            let hot = self.hot.at_mut(slot);
            hot.repeats_left -= 1;
            let (is_own, peers) = (hot.origin == Origin::Own, self.peers.messages().len());
            let mut left = if is_own && self.is_direct() { peers } else { self.config.fanout };
            let start = self.rng.usize(..peers);
            for step in 0..peers {
                let peer = self.peers.messages()[(start + step) % peers];
                let was_sent = self.hot.at(slot).sent.contains(peer);
                if left > 0 && self.lacks(slot, peer) && (is_own || !was_sent) {
                    left -= 1;
                    self.hot.at_mut(slot).sent.remove(peer);
                    self.queue(slot, peer, 0);
                }
            }
        }
    }

    /// Sends again what a peer has not confirmed in time, and lets it have more.
    fn resend(&mut self, at: usize) {
        let lane = self.lanes.nth_mut(at);
        let peer = lane.peer;
        lane.loose_bytes = 0;
        let patience = round(&self.config).max(lane.confirmed_in.saturating_mul(2));
        loop {
            let lane = self.lanes.nth_mut(at);
            let due = lane.flights.front().filter(|flight| flight.sent_at + patience <= self.now);
            let Some(&flight) = due else { break };
            lane.flights.pop_front();
            lane.flight_bytes -= flight.bytes as usize;
            if !self.hot.holds(flight.slot, flight.seq) || !self.lacks(flight.slot, peer) {
                continue;
            }
            self.hot.at_mut(flight.slot).sent.remove(peer);
            if flight.tries <= self.config.resends {
                self.queue(flight.slot, peer, flight.tries);
            }
        }
        let lane = self.lanes.nth_mut(at);
        if lane.has_payload() && lane.is_open(self.config.window_bytes) {
            self.make_ready(peer);
        }
    }

    /// Lets go of messages that everybody should have by now.
    fn cool(&mut self) {
        let is_settled = self.is_direct() && self.peers.digests().all(|peer| self.agrees(peer));
        let enough = if self.peers.digest_count() == 0 { 0 } else { self.enough_digests() };
        let long_enough = round(&self.config).saturating_mul(u32::from(self.config.resends) + 2);
        while let Some(slot) = self.hot.oldest() {
            let hot = self.hot.at(slot);
            let is_told = self.rounds.digests_sent - hot.digests_before >= enough;
            let is_done = is_settled || is_told && self.now - hot.since >= long_enough;
            if !is_done || hot.repeats_left > 0 || !hot.queued.is_empty() {
                break;
            }
            self.hot.cool(slot);
        }
    }

    /// Whether all that is known is that this peer's root is ours.
    fn agrees(&self, peer: PeerId) -> bool {
        let agreed = self.lanes.find(peer).and_then(|lane| lane.agreed_root);
        agreed == Some(self.index.root())
    }

    /// Compares with a peer, and says when the next one is due.
    fn exchange(&mut self) {
        let is_awake = self.is_awake();
        let round = round(&self.config);
        let mut next = self.interval();
        if !is_awake {
            let idle_for = self.rounds.idle_for.saturating_mul(2).min(self.config.idle);
            self.rounds.idle_for = idle_for;
            // Not all at the same time.
            next = next.max(idle_for.mul_f64(0.75 + self.rng.f64() / 4.0));
        }
        self.rounds.next_exchange = self.now + next;
        let is_fresh =
            self.rounds.last_fresh.is_some_and(|at| self.now - at < round.saturating_mul(RIPE_AFTER));
        if self.is_direct()
            && is_fresh
            && self.now - self.rounds.last_exchange < round.saturating_mul(PATIENCE)
        {
            return;
        }
        let Some(peer) = self.next_partner(is_awake) else { return };
        self.rounds.last_exchange = self.now;
        self.rounds.digests_sent += 1;
        let echo = if self.is_direct() { flags::ECHO } else { 0 };
        match self.config.style {
            Style::Push => self.send_what_lacks(peer),
            Style::Pull => self.tell(peer, Tell::Digest { flags: flags::ASK | echo }),
            Style::PushPull => self.tell(peer, Tell::Digest { flags: flags::ASK | flags::OFFER | echo }),
        }
    }

    fn next_partner(&mut self, is_awake: bool) -> Option<PeerId> {
        if self.is_direct() {
            let Self { peers, rng, lanes, index, .. } = self;
            let root = index.root();
            let agrees = |peer| lanes.find(peer).is_some_and(|lane| lane.agreed_root == Some(root));
            let is_settled = |peer| lanes.find(peer).is_none_or(|lane| lane.is_settled());
            let partner = peers.next_in_turn(rng, |peer| is_settled(peer) && !agrees(peer));
            if partner.is_some() || peers.digests().any(|peer| !agrees(peer)) {
                return partner;
            }
            if !is_awake {
                // Everybody agreed, some time ago.
                return peers.next_in_turn(rng, is_settled);
            }
            self.rounds.awake_until = self.rounds.digests_sent;
            self.rounds.idle_for = self.config.idle;
            self.rounds.next_exchange = self.now + self.config.idle.mul_f64(0.75 + self.rng.f64() / 4.0);
            return None;
        }
        let newest = self.hot.newest_first().next();
        let mut partner = self.peers.draw_digests(&mut self.rng)?;
        for _ in 1..CANDIDATES {
            if newest
                .is_none_or(|slot| self.lacks(slot, partner) && !self.hot.at(slot).sent.contains(partner))
            {
                break;
            }
            partner = self.peers.draw_digests(&mut self.rng)?;
        }
        Some(partner)
    }

    /// Sends a peer all hot messages that it is not known to have had.
    fn send_what_lacks(&mut self, peer: PeerId) {
        let (hot, slots) = (&self.hot, &mut self.slots);
        slots.clear();
        slots.extend(hot.newest_first().filter(|&slot| !hot.at(slot).sent.contains(peer)));
        for at in 0..self.slots.len() {
            let slot = self.slots[at];
            if self.lacks(slot, peer) && self.is_ripe(slot, peer) {
                self.queue(slot, peer, 0);
            }
        }
    }
}
