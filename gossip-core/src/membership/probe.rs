use std::net::SocketAddr;

use super::config::Lifeguard;
use super::machine::{Membership, Presence};
use super::members::{Among, Member};
use super::profile::name_hash;
use super::relays::Relay;
use super::transmit::Pending;
use crate::wire::{IndirectPing, Ping, Source, Standing, ip};
use crate::{Instant, PeerId};

/// The highest versions of the protocol that do not know answers over a stream, and "no answer yet".
const NO_FALLBACK: u8 = 2;
const NO_NACK: u8 = 3;

/// The question whether a member is alive, while it is open. There is one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    peer: PeerId,
    seq_no: u32,
    stage: Stage,
    /// When the stage ends.
    deadline: Instant,
    /// When the probe has failed.
    fails: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The member was asked.
    Direct,
    /// So were others, and so many of them will say if they have no answer either.
    Indirect { expected: u32, nacks: u32 },
    /// It has failed. Those who were asked to say so begin to wait when they get the request, so some of them say it only now.
    Settling { expected: u32, nacks: u32 },
}

impl Probe {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn peer(&self) -> PeerId {
        self.peer
    }
}

impl Membership {
    pub(super) fn time_probe(&mut self) {
        if let Some(probe) = self.probe.filter(|probe| probe.deadline <= self.now) {
            match probe.stage {
                Stage::Direct => self.ask_others(probe),
                Stage::Indirect { expected, nacks } => self.fail_probe(probe, expected, nacks),
                Stage::Settling { expected, nacks } => self.settle(expected, nacks),
            }
        }
        if self.probe.is_none() && self.schedule.probe.is_some_and(|at| at <= self.now) {
            self.begin_probe();
        }
    }

    fn begin_probe(&mut self) {
        let spacing = self.probe_spacing();
        // On the beat, unless a beat was missed.
        let next = self.schedule.probe.map(|at| at + spacing).filter(|next| *next > self.now);
        self.schedule.probe = Some(next.unwrap_or(self.now + spacing));
        let Some(peer) = self.members.next_in_turn(&mut self.rng) else {
            return;
        };
        let seq_no = self.next_seq_no();
        self.probe = Some(Probe {
            peer,
            seq_no,
            stage: Stage::Direct,
            deadline: self.now + self.awareness.scale(self.config.probe_timeout),
            fails: self.now + self.awareness.scale(self.config.probe_interval),
        });
        self.stats.probes += 1;
        self.send(Pending::Ping { peer, seq_no });
    }

    /// The member did not answer: has others ask it, and tries a stream.
    fn ask_others(&mut self, probe: Probe) {
        let Probe { peer: target, seq_no, deadline, mut fails, .. } = probe;
        let mut chosen = std::mem::take(&mut self.chosen);
        let can_ask = |member: Member<'_>| member.standing() == Standing::Alive && member.peer() != target;
        let wanted = self.config.indirect_probes;
        self.members.choose(wanted, Among::Active, &mut self.rng, &mut chosen, can_ask);
        let mut expected = 0;
        for &relay in &chosen {
            let nack = self.knows(relay, NO_NACK);
            expected += u32::from(nack);
            self.stats.indirect_probes += 1;
            self.send(Pending::IndirectPing { relay, target, seq_no, nack });
        }
        self.chosen = chosen;
        if self.config.fallback_ping && self.knows(target, NO_FALLBACK) {
            self.send(Pending::FallbackPing { peer: target, seq_no });
        }
        // Whoever comes late gives the others as much time as if it had not.
        if self.config.lifeguard == Lifeguard::On {
            fails = fails.max(self.now + (fails - deadline));
        }
        let stage = Stage::Indirect { expected, nacks: 0 };
        self.probe = Some(Probe { stage, deadline: fails, fails, ..probe });
    }

    fn knows(&self, peer: PeerId, not_yet: u8) -> bool {
        let member = self.members.member(peer);
        member.is_some_and(|member| member.profile().protocol_most() > not_yet)
    }

    /// Nobody has an answer.
    fn fail_probe(&mut self, probe: Probe, expected: u32, nacks: u32) {
        self.stats.failed_probes += 1;
        if let Some(member) = self.members.member(probe.peer) {
            let (by, incarnation) = (self.me.profile.clone(), member.incarnation());
            self.suspect(probe.peer, incarnation, by.name());
        }
        if self.config.lifeguard == Lifeguard::On && nacks < expected {
            let stage = Stage::Settling { expected, nacks };
            self.probe = Some(Probe { stage, deadline: self.now + self.config.probe_timeout / 2, ..probe });
        } else {
            self.settle(expected, nacks);
        }
    }

    /// If those who were to say that they have no answer do not say so, it is this node that is not heard, or does not hear.
    fn settle(&mut self, expected: u32, nacks: u32) {
        self.probe = None;
        self.awareness.worsen(if expected == 0 { 1 } else { expected.saturating_sub(nacks) });
    }

    /// Takes the answer that the driver got over a stream, after [`Outgoing::FallbackPing`](super::Outgoing::FallbackPing).
    pub fn handle_stream_ack(&mut self, seq_no: u32, now: Instant) {
        self.arrive(now);
        if self.end_probe(seq_no) {
            self.stats.fallback_acks += 1;
        }
        self.arm();
    }

    pub(super) fn hear_ack(&mut self, seq_no: u32) {
        if self.end_probe(seq_no) {
            return;
        }
        if let Some(relay) = self.relays.answered(seq_no) {
            self.send(Pending::Ack { to: relay.asker, peer: None, seq_no: relay.asked_as });
        }
    }

    /// Ends the probe of this number as answered, if it is open.
    fn end_probe(&mut self, seq_no: u32) -> bool {
        let is_open =
            |probe: &Probe| probe.seq_no == seq_no && !matches!(probe.stage, Stage::Settling { .. });
        let open = self.probe.as_ref().is_some_and(is_open);
        if open {
            self.probe = None;
            self.stats.acks += 1;
            self.awareness.improve();
        }
        open
    }

    pub(super) fn hear_nack(&mut self, seq_no: u32) {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq_no == seq_no) else {
            return;
        };
        if let Stage::Indirect { nacks, .. } | Stage::Settling { nacks, .. } = &mut probe.stage {
            *nacks = nacks.saturating_add(1);
            self.stats.nacks += 1;
        }
        if let Stage::Settling { expected, nacks } = probe.stage
            && nacks >= expected
        {
            self.settle(expected, nacks);
        }
    }

    pub(super) fn answer_ping(&mut self, from: SocketAddr, ping: &Ping<'_>) {
        if !self.answers_to(ping.node) {
            self.stats.pings_misdirected += 1;
            return;
        }
        let to = asker(from, &ping.source);
        let peer = self.members.find(name_hash(ping.source.node), ping.source.node);
        let peer = peer.filter(|peer| self.members.member(*peer).is_some_and(|member| member.addr() == to));
        self.stats.pings_answered += 1;
        self.send(Pending::Ack { to, peer, seq_no: ping.seq_no });
    }

    pub(super) fn relay_ping(&mut self, from: SocketAddr, request: &IndirectPing<'_>) {
        let to = asker(from, &request.source);
        if self.me.presence == Presence::Gone {
            return;
        }
        if request.node == self.me.profile.name() {
            self.send(Pending::Ack { to, peer: None, seq_no: request.seq_no });
            return;
        }
        let target = ip(request.target).map(|ip| SocketAddr::new(ip, request.port));
        let Some(target) = target.filter(|target| super::profile::is_reachable(*target)) else {
            return;
        };
        let relay = Relay {
            seq_no: self.next_seq_no(),
            asked_as: request.seq_no,
            asker: to,
            nack: request.nack,
            ends: self.now + self.config.probe_timeout,
        };
        if self.relays.begin(relay) {
            self.stats.relays += 1;
            self.send(Pending::RelayPing { to: target, name: request.node.into(), seq_no: relay.seq_no });
        } else {
            self.stats.relays_dropped += 1;
        }
    }
}

/// Where an answer goes to: where the asker says it is, or else where it asked from.
fn asker(from: SocketAddr, source: &Source<'_>) -> SocketAddr {
    let says = ip(source.addr).map(|ip| SocketAddr::new(ip, source.port));
    says.filter(|says| super::profile::is_reachable(*says)).unwrap_or(from)
}
