use std::collections::VecDeque;
use std::time::Duration;

use super::config::Lifeguard;
use super::event::Event;
use super::machine::{Membership, Presence};
use super::members::Among;
use super::suspicion::Verdict;
use super::transmit::Pending;
use crate::wire::Standing;
use crate::{Instant, PeerId};

/// How many ask a suspect once more before it is declared dead, of all who share the suspicion and do that at about the same time.
const LAST_ASKERS: usize = 32;

/// When what is done again and again is due, if there is anybody to do it with.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) probe: Option<Instant>,
    push_pull: Option<Instant>,
    reconnect: Option<Instant>,
    /// The earliest time for rumours, if there are some: what is heard after a quiet time is told on at once.
    gossip: Instant,
    /// Who has died or left, and when, in this order.
    burials: VecDeque<(Instant, PeerId)>,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self { probe: None, push_pull: None, reconnect: None, gossip: now, burials: VecDeque::new() }
    }

    pub(super) fn bury(&mut self, peer: PeerId, now: Instant) {
        self.burials.push_back((now, peer));
    }
}

impl Membership {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next; `None`: not before something arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = match &self.probe {
            Some(probe) => Some(probe.deadline()),
            None => self.schedule.probe,
        };
        let gossip = self.has_gossip().then_some(self.schedule.gossip);
        let burial = self.schedule.burials.front().map(|(since, _)| *since + self.config.gossip_to_the_dead);
        [
            probe,
            gossip,
            self.suspicions.deadline(),
            self.relays.deadline(),
            self.schedule.push_pull,
            self.schedule.reconnect,
            burial,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due. Too early it does nothing.
    ///
    /// Much too late, it takes the delay for its own fault, if [`Lifeguard`] is on: whoever is suspect is given as much more time, and no
    /// probe of that time counts.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.arrive(now);
        self.time_suspicions();
        self.time_relays();
        self.time_probe();
        self.time_gossip();
        self.time_push_pull();
        self.time_reconnect();
        self.time_burials();
        self.arm();
    }

    /// Takes note of the time, which does not run back, and of a pause of this process.
    pub(super) fn arrive(&mut self, now: Instant) {
        let (before, now) = (self.now, self.now.max(now));
        self.now = now;
        if self.config.lifeguard == Lifeguard::Off {
            return;
        }
        let due = self.poll_timeout().unwrap_or(now).max(before);
        if now - due > self.config.pause_after {
            self.recover(now - due);
        }
    }

    /// After a pause: what is in the sockets is not read yet, so nobody is to blame for not having answered.
    fn recover(&mut self, late: Duration) {
        self.suspicions.postpone(late);
        self.probe = None;
        self.relays.clear();
        let probes = late.as_nanos() / self.config.probe_interval.as_nanos().max(1);
        self.awareness.worsen(u32::try_from(probes).unwrap_or(u32::MAX));
        // The rumours of that time are missed.
        if let Some(push_pull) = &mut self.schedule.push_pull {
            *push_pull = self.now;
        }
        self.stats.pauses += 1;
        self.events.push_back(Event::Paused { late });
    }

    /// Plans what has somebody to be done with now, and drops the plans for what has not.
    pub(super) fn arm(&mut self) {
        self.check_left();
        let here = self.me.presence == Presence::Here;
        let somebody = here && self.members.active() > 0;
        if !somebody {
            (self.schedule.probe, self.schedule.push_pull) = (None, None);
        } else if self.schedule.probe.is_none() {
            self.schedule.probe = Some(self.now + self.part_of(self.probe_spacing()));
            if !self.config.push_pull_interval.is_zero() {
                let every = self.config.push_pull_every(self.node_count());
                self.schedule.push_pull = Some(self.now + self.part_of(every));
            }
        }
        if !(here && self.lost.is_seeking()) {
            self.schedule.reconnect = None;
        } else if self.schedule.reconnect.is_none() {
            self.schedule.reconnect = Some(self.now + self.config.reconnect_interval);
        }
    }

    /// A random part, so that nodes that start together do not act together.
    fn part_of(&mut self, time: Duration) -> Duration {
        time.mul_f64(self.rng.f64())
    }

    /// From one probe to the next.
    pub(super) fn probe_spacing(&self) -> Duration {
        let probes = (self.config.probes_per_interval as usize).min(self.members.active()).max(1);
        self.config.probe_interval / probes as u32
    }

    fn time_suspicions(&mut self) {
        while let Some(verdict) = self.suspicions.expired(self.now) {
            match verdict {
                Verdict::LastWord { peer, shared } => {
                    // Not by everybody at the same time.
                    if !shared || self.rng.usize(..self.node_count()) < LAST_ASKERS {
                        let seq_no = self.next_seq_no();
                        self.send(Pending::Ping { peer, seq_no });
                    }
                }
                Verdict::Dead(peer, incarnation) => self.declare_dead(peer, incarnation),
            }
        }
    }

    fn time_relays(&mut self) {
        while let Some(relay) = self.relays.expired(self.now) {
            if relay.nack {
                self.send(Pending::Nack { to: relay.asker, seq_no: relay.asked_as });
            }
        }
    }

    fn has_gossip(&self) -> bool {
        !self.rumours.is_empty() && self.members.listeners() > 0
    }

    fn time_gossip(&mut self) {
        if !self.has_gossip() || self.schedule.gossip > self.now {
            return;
        }
        self.schedule.gossip = self.now + self.config.gossip_interval;
        let mut chosen = std::mem::take(&mut self.chosen);
        let (rumours, listeners) = (&self.rumours, self.members.listeners());
        let listens = |member: super::Member<'_>| {
            member.standing() != Standing::Left && rumours.has_news_for(member.peer(), listeners)
        };
        self.members.choose(self.config.gossip_nodes, Among::All, &mut self.rng, &mut chosen, listens);
        if chosen.is_empty() && !self.members.iter().any(listens) {
            // Everybody knows already: who came with the news is alone, or those who did not know have left.
            self.rumours.clear();
        }
        for &peer in &chosen {
            self.send(Pending::Gossip { peer });
        }
        self.chosen = chosen;
    }

    fn time_push_pull(&mut self) {
        if self.schedule.push_pull.is_none_or(|at| at > self.now) {
            return;
        }
        self.schedule.push_pull = Some(self.now + self.config.push_pull_every(self.node_count()));
        let mut chosen = std::mem::take(&mut self.chosen);
        let answers = |member: super::Member<'_>| member.standing() == Standing::Alive;
        self.members.choose(1, Among::Active, &mut self.rng, &mut chosen, answers);
        if let Some(member) = chosen.first().and_then(|peer| self.members.member(*peer)) {
            self.send(Pending::PushPull { to: member.addr(), join: false });
        }
        self.chosen = chosen;
    }

    /// Has the next exchange not wait for much longer than a probe.
    pub(super) fn hasten_push_pull(&mut self) {
        let soon = self.now + self.config.probe_interval;
        self.schedule.push_pull = self.schedule.push_pull.map(|at| at.min(soon));
    }

    fn time_reconnect(&mut self) {
        if self.schedule.reconnect.is_none_or(|at| at > self.now) {
            return;
        }
        self.schedule.reconnect = Some(self.now + self.config.reconnect_interval);
        for to in self.lost.next_addresses(self.now).into_iter().flatten() {
            self.send(Pending::PushPull { to, join: true });
        }
    }

    fn time_burials(&mut self) {
        while let Some(&(since, peer)) = self.schedule.burials.front() {
            if since + self.config.gossip_to_the_dead > self.now {
                return;
            }
            self.schedule.burials.pop_front();
            let is_gone = |member: super::Member<'_>| !member.is_active() && member.since() == since;
            if self.members.member(peer).is_some_and(is_gone) {
                self.forget(peer);
            }
        }
    }
}
