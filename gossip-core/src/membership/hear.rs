use std::sync::Arc;

use super::event::Event;
use super::machine::{Membership, Presence};
use super::members::Member;
use super::profile::{Claim, Profile, name_hash};
use super::rumours::{Says, Subject};
use super::transmit::Pending;
use crate::PeerId;
use crate::wire::{Alive, Rumour, Standing};

/// What may have happened to a member that says that it is alive, by what it was before.
type Change = fn(PeerId, Arc<Profile>) -> Event;

impl Membership {
    /// A node is said to be alive.
    pub(super) fn hear_alive(&mut self, alive: &Alive<'_>) {
        let claim = match Claim::of(alive) {
            Ok(claim) if self.me.profile.understands(claim.vsn) => claim,
            _ => {
                self.stats.refused_profiles += 1;
                return;
            }
        };
        if claim.name == self.me.profile.name() {
            return self.hear_alive_of_me(&claim);
        }
        match self.members.find(claim.name_hash, claim.name) {
            Some(peer) => self.hear_alive_of(peer, &claim),
            None => self.meet(&claim),
        }
    }

    /// What somebody remembers of this node, perhaps of a life before this one.
    fn hear_alive_of_me(&mut self, claim: &Claim<'_>) {
        let me = &self.me;
        if me.presence != Presence::Here || claim.incarnation < me.incarnation {
            return;
        }
        if claim.addr != me.profile.addr() {
            let profile = me.profile.clone();
            self.stats.conflicts += 1;
            self.events.push_back(Event::Conflict { peer: None, profile, other: claim.addr });
            return;
        }
        if claim.incarnation == u32::MAX {
            self.stats.unrefutable += 1;
        } else if claim.incarnation > me.incarnation || !claim.says_as(&me.profile) {
            self.raise(claim.incarnation);
        }
    }

    fn hear_alive_of(&mut self, peer: PeerId, claim: &Claim<'_>) {
        let Some(known) = self.members.member(peer) else {
            return;
        };
        let moved = known.addr() != claim.addr;
        if moved && !self.can_move(&known) {
            if known.is_active() {
                let profile = known.profile().clone();
                self.stats.conflicts += 1;
                self.events.push_back(Event::Conflict { peer: Some(peer), profile, other: claim.addr });
            }
            return;
        }
        if claim.incarnation <= known.incarnation() {
            if !known.is_active() {
                let ended = known.incarnation();
                self.tell_stale(claim, ended);
            }
            return;
        }
        let (was, was_at) = (known.standing(), known.addr());
        let says_as_before = claim.says_as(known.profile());
        if moved || !says_as_before {
            self.members.set_profile(peer, Arc::new(claim.profile()));
        }
        self.suspicions.lift(peer);
        self.members.set_incarnation(peer, claim.incarnation);
        self.members.set_standing(peer, Standing::Alive, self.now, &mut self.rng);
        self.rumours.spread(Subject::Peer(peer), claim.incarnation, Says::Alive);
        let change: Option<Change> = match was {
            Standing::Alive => None,
            Standing::Suspect => {
                self.stats.suspicions_refuted += 1;
                Some(|peer, profile| Event::Refuted { peer, profile })
            }
            Standing::Dead | Standing::Left => {
                self.lost.forget(claim.name_hash);
                Some(|peer, profile| Event::Returned { peer, profile })
            }
        };
        if let Some(change) = change {
            self.event(peer, change);
        }
        if moved {
            self.event(peer, |peer, profile| Event::AddressChanged { peer, profile, was: was_at });
        }
        if !says_as_before {
            self.event(peer, |peer, profile| Event::Updated { peer, profile });
        }
    }

    /// Whether the name of a member can be taken by a node at another address.
    fn can_move(&self, known: &Member<'_>) -> bool {
        match known.standing() {
            Standing::Alive | Standing::Suspect => false,
            Standing::Left => true,
            Standing::Dead => {
                self.config.dead_reclaim_after.is_some_and(|wait| self.now - known.since() >= wait)
            }
        }
    }

    /// A node that is not known.
    fn meet(&mut self, claim: &Claim<'_>) {
        if let Some(ended) = self.lost.incarnation(claim.name_hash, self.now)
            && claim.incarnation <= ended
        {
            return self.tell_stale(claim, ended);
        }
        if self.members.len() >= self.config.member_limit {
            self.stats.refused_members += 1;
            return;
        }
        self.lost.forget(claim.name_hash);
        let profile = Arc::new(claim.profile());
        let peer = self.members.insert(profile, claim.incarnation, self.now, &mut self.rng);
        self.rumours.spread(Subject::Peer(peer), claim.incarnation, Says::Alive);
        self.event(peer, |peer, profile| Event::Joined { peer, profile });
    }

    /// A node is said to be alive of an incarnation that has ended. Either the message is old, or the node began anew and does not know: then
    /// it is told where it says it is, and overrules it. It is told that it is suspect, for who takes notice of that takes a higher
    /// incarnation; and nobody else is told, who may know it by the new one.
    fn tell_stale(&mut self, claim: &Claim<'_>, ended: u32) {
        self.stats.stale_alive += 1;
        let can_refute = ended < u32::MAX;
        if can_refute && self.told.again(claim.name_hash, self.config.gossip_interval, self.now) {
            self.stats.told_stale += 1;
            self.send(Pending::TellStale { to: claim.addr, name: claim.name.into(), incarnation: ended });
        }
    }

    /// A node is said to be suspect.
    pub(super) fn hear_suspect(&mut self, rumour: &Rumour<'_>) {
        if rumour.node == self.me.profile.name() {
            return self.hear_accusation(rumour.incarnation);
        }
        if let Some(peer) = self.members.find(name_hash(rumour.node), rumour.node) {
            self.suspect(peer, rumour.incarnation, rumour.from);
        }
    }

    /// Somebody suspects a member: this node itself, or another.
    pub(super) fn suspect(&mut self, peer: PeerId, incarnation: u32, by: &str) {
        let Some(known) = self.members.member(peer).filter(|known| is_credible(incarnation, known)) else {
            return;
        };
        let news = match known.standing() {
            Standing::Suspect if self.suspicions.incarnation(peer) == Some(incarnation) => {
                self.suspicions.confirm(peer, name_hash(by))
            }
            Standing::Alive | Standing::Suspect => {
                let (nodes, now) = (self.node_count(), self.now);
                self.suspicions.begin(peer, &self.config, nodes, incarnation, name_hash(by), now);
                true
            }
            // That it was alive once more, and was not heard to be, is all that there is to learn.
            Standing::Dead | Standing::Left => false,
        };
        let begins = known.standing() == Standing::Alive;
        self.learn_incarnation(peer, incarnation);
        if begins {
            self.members.set_standing(peer, Standing::Suspect, self.now, &mut self.rng);
            self.stats.suspicions += 1;
            self.event(peer, |peer, profile| Event::Suspected { peer, profile });
        }
        if news {
            self.rumours.spread(Subject::Peer(peer), incarnation, Says::Suspect(by.into()));
        }
    }

    /// A node is said to be dead, or to have left, if it says so itself.
    pub(super) fn hear_dead(&mut self, rumour: &Rumour<'_>) {
        if rumour.node == self.me.profile.name() {
            return self.hear_accusation(rumour.incarnation);
        }
        let hash = name_hash(rumour.node);
        let Some(peer) = self.members.find(hash, rumour.node) else {
            return self.remember_dead(hash, rumour.incarnation);
        };
        let Some(known) = self.members.member(peer).filter(|known| is_credible(rumour.incarnation, known))
        else {
            return;
        };
        let (was, was_incarnation) = (known.standing(), known.incarnation());
        let left = rumour.node == rumour.from;
        let news = match was {
            Standing::Alive | Standing::Suspect => true,
            Standing::Dead => left || rumour.incarnation > was_incarnation,
            Standing::Left => rumour.incarnation > was_incarnation,
        };
        let stands = if left || was == Standing::Left { Standing::Left } else { Standing::Dead };
        self.end(peer, rumour.incarnation, stands);
        if news {
            self.rumours.spread(Subject::Peer(peer), rumour.incarnation, Says::Dead(rumour.from.into()));
        }
    }

    /// One that is not known is dead. It may be heard to be alive after this, by a message that is older.
    pub(super) fn remember_dead(&mut self, name_hash: u64, incarnation: u32) {
        if incarnation < u32::MAX {
            self.lost.bury(name_hash, incarnation, None, self.now);
        }
    }

    /// A suspect did not say in time that it lives.
    pub(super) fn declare_dead(&mut self, peer: PeerId, incarnation: u32) {
        self.end(peer, incarnation, Standing::Dead);
        let says = Says::Dead(self.me.profile.name().into());
        self.rumours.spread(Subject::Peer(peer), incarnation, says);
    }

    /// A member has died or left; perhaps it had already.
    fn end(&mut self, peer: PeerId, incarnation: u32, stands: Standing) {
        self.suspicions.lift(peer);
        let Some(known) = self.members.member(peer) else {
            return;
        };
        let (was, was_active) = (known.standing(), known.is_active());
        let (hash, addr) = (known.profile().name_hash(), known.addr());
        self.members.set_standing(peer, stands, self.now, &mut self.rng);
        if was_active {
            self.schedule.bury(peer, self.now);
        }
        if was != stands {
            let addr = (stands == Standing::Dead).then_some(addr);
            self.lost.bury(hash, 0, addr, self.now);
            let left = stands == Standing::Left;
            self.stats.failures += u64::from(!left);
            self.stats.departures += u64::from(left);
            let change: Change = if left {
                |peer, profile| Event::LeftGracefully { peer, profile }
            } else {
                |peer, profile| Event::Failed { peer, profile }
            };
            self.event(peer, change);
        }
        self.learn_incarnation(peer, incarnation);
    }

    /// Keeps the highest incarnation that was heard of a member; of the dead also after they are forgotten.
    fn learn_incarnation(&mut self, peer: PeerId, incarnation: u32) {
        let Some(known) = self.members.member(peer) else {
            return;
        };
        let (hash, gone) = (known.profile().name_hash(), !known.is_active());
        let highest = known.incarnation().max(incarnation);
        self.members.set_incarnation(peer, highest);
        if gone && highest < u32::MAX {
            self.lost.raise(hash, highest);
        }
    }

    /// Drops a member that is gone.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.rumours.withdraw(Subject::Peer(peer));
        if self.probe.is_some_and(|probe| probe.peer() == peer) {
            self.probe = None;
        }
        if let Some(profile) = self.members.remove(peer) {
            self.events.push_back(Event::Forgotten { peer, profile });
        }
    }

    /// This node is said to be suspect or dead.
    pub(super) fn hear_accusation(&mut self, incarnation: u32) {
        if self.me.presence != Presence::Here {
            return;
        }
        if incarnation == u32::MAX {
            self.stats.unrefutable += 1;
        } else if incarnation >= self.me.incarnation {
            self.stats.refutations += 1;
            self.awareness.worsen(1);
            self.raise(incarnation);
            self.events.push_back(Event::Refuting { incarnation: self.me.incarnation });
        } else if !self.rumours.is_spreading(Subject::Me) {
            // Who says so has missed that it is refuted.
            self.rumours.spread(Subject::Me, self.me.incarnation, Says::Alive);
        }
    }

    /// Takes an incarnation above this one and its own, as far as there are any, and tells everybody.
    pub(super) fn raise(&mut self, above: u32) {
        self.me.incarnation = self.me.incarnation.max(above).saturating_add(1);
        self.rumours.spread(Subject::Me, self.me.incarnation, Says::Alive);
    }
}

/// Whether an accusation counts: it is not of an incarnation before the present one, and, as the highest leaves no way to refute, of that
/// only if the member has come so far itself.
fn is_credible(incarnation: u32, known: &Member<'_>) -> bool {
    incarnation >= known.incarnation() && (incarnation < u32::MAX || known.incarnation() == u32::MAX)
}
