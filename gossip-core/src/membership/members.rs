use std::net::SocketAddr;
use std::sync::Arc;

use fastrand::Rng;
use hashbrown::HashTable;

use super::profile::Profile;
use crate::wire::{NodeState, Standing};
use crate::{Instant, PeerId};

/// In a circle of so few, nobody waits much longer than a round for the next probe if the circle is not shuffled.
const SHUFFLED_FROM: usize = 4;

/// The other nodes: below 40 bytes for each, what it says of itself aside, which is shared.
///
/// They stand in an order whose first part are those that are alive or suspect, shuffled, with a cursor that goes round: whoever is before
/// it was probed in this round, whoever is behind it was not.
#[derive(Clone, Debug)]
pub(super) struct Members {
    rows: Vec<Row>,
    standings: Vec<Standing>,
    order: Vec<PeerId>,
    active: usize,
    cursor: usize,
    left: usize,
    index: HashTable<PeerId>,
    vacant: Vec<PeerId>,
}

#[derive(Clone, Debug)]
struct Row {
    /// Nobody, if the number is given to nobody.
    profile: Option<Arc<Profile>>,
    since: Instant,
    incarnation: u32,
    /// Its place in the order.
    place: u32,
}

/// Another node, as this one knows it.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    peer: PeerId,
    profile: &'a Arc<Profile>,
    standing: Standing,
    incarnation: u32,
    since: Instant,
}

/// All members, by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    members: &'a Members,
    next: u32,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        while (self.next as usize) < self.members.rows.len() {
            self.next += 1;
            let member = self.members.member(PeerId(self.next - 1));
            if member.is_some() {
                self.left -= 1;
                return member;
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Among whom to choose.
#[derive(Clone, Copy, Debug)]
pub(super) enum Among {
    /// Those that are alive or suspect.
    Active,
    /// All that are not forgotten.
    All,
}

impl<'a> Member<'a> {
    /// Its number.
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// What it says of itself.
    pub fn profile(&self) -> &'a Arc<Profile> {
        self.profile
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        self.profile.name()
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.profile.addr()
    }

    /// What its user adds.
    pub fn meta(&self) -> &'a [u8] {
        self.profile.meta()
    }

    /// Its versions.
    pub fn vsn(&self) -> [u8; 6] {
        self.profile.vsn()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The highest incarnation that it, or anybody of it, was heard to have.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Since when it stands so.
    pub fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.standing, Standing::Alive | Standing::Suspect)
    }

    pub(super) fn node_state(&self) -> NodeState<'a> {
        NodeState { alive: self.profile.alive(self.incarnation), standing: self.standing }
    }
}

impl Members {
    pub(super) fn with_capacity(members: usize) -> Self {
        Self {
            rows: Vec::with_capacity(members),
            standings: Vec::with_capacity(members),
            order: Vec::with_capacity(members),
            active: 0,
            cursor: 0,
            left: 0,
            index: HashTable::with_capacity(members),
            vacant: Vec::new(),
        }
    }

    /// How many there are: alive, suspect, dead or gone.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// How many are alive or suspect.
    pub(super) fn active(&self) -> usize {
        self.active
    }

    /// How many rumours can be sent to: all but those that left.
    pub(super) fn listeners(&self) -> usize {
        self.order.len() - self.left
    }

    pub(super) fn find(&self, name_hash: u64, name: &str) -> Option<PeerId> {
        let is_it = |peer: &PeerId| {
            let profile = self.rows[peer.index()].profile.as_deref();
            profile.is_some_and(|profile| profile.name_hash() == name_hash && profile.name() == name)
        };
        self.index.find(name_hash, is_it).copied()
    }

    pub(super) fn member(&self, peer: PeerId) -> Option<Member<'_>> {
        let row = self.rows.get(peer.index())?;
        let profile = row.profile.as_ref()?;
        let standing = self.standings[peer.index()];
        Some(Member { peer, profile, standing, incarnation: row.incarnation, since: row.since })
    }

    /// By their numbers.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { members: self, next: 0, left: self.len() }
    }

    /// Adds a node that is not there, as alive.
    pub(super) fn insert(
        &mut self,
        profile: Arc<Profile>,
        incarnation: u32,
        now: Instant,
        rng: &mut Rng,
    ) -> PeerId {
        let name_hash = profile.name_hash();
        let row = Row { profile: Some(profile), since: now, incarnation, place: self.order.len() as u32 };
        let peer = if let Some(peer) = self.vacant.pop() {
            self.rows[peer.index()] = row;
            self.standings[peer.index()] = Standing::Alive;
            peer
        } else {
            self.rows.push(row);
            self.standings.push(Standing::Alive);
            PeerId(self.rows.len() as u32 - 1)
        };
        self.order.push(peer);
        let rows = &self.rows;
        let hash_of =
            |peer: &PeerId| rows[peer.index()].profile.as_ref().map_or(0, |profile| profile.name_hash());
        self.index.insert_unique(name_hash, peer, hash_of);
        self.activate(peer, rng);
        peer
    }

    /// Forgets a member and gives its number free.
    pub(super) fn remove(&mut self, peer: PeerId) -> Option<Arc<Profile>> {
        let name_hash = self.member(peer)?.profile.name_hash();
        match self.standings[peer.index()] {
            Standing::Alive | Standing::Suspect => self.deactivate(peer),
            Standing::Left => self.left -= 1,
            Standing::Dead => {}
        }
        self.swap(self.place(peer), self.order.len() - 1);
        self.order.pop();
        if let Ok(found) = self.index.find_entry(name_hash, |found| *found == peer) {
            found.remove();
        }
        self.vacant.push(peer);
        self.rows[peer.index()].profile.take()
    }

    pub(super) fn set_profile(&mut self, peer: PeerId, profile: Arc<Profile>) {
        self.rows[peer.index()].profile = Some(profile);
    }

    pub(super) fn set_incarnation(&mut self, peer: PeerId, incarnation: u32) {
        self.rows[peer.index()].incarnation = incarnation;
    }

    pub(super) fn set_standing(&mut self, peer: PeerId, standing: Standing, now: Instant, rng: &mut Rng) {
        let was = std::mem::replace(&mut self.standings[peer.index()], standing);
        if was == standing {
            return;
        }
        self.left += usize::from(standing == Standing::Left);
        self.left -= usize::from(was == Standing::Left);
        let is_active = |standing| matches!(standing, Standing::Alive | Standing::Suspect);
        match (is_active(was), is_active(standing)) {
            (false, true) => self.activate(peer, rng),
            (true, false) => self.deactivate(peer),
            // Who died and is then heard to have left is gone for as long as before.
            (false, false) => return,
            (true, true) => {}
        }
        self.rows[peer.index()].since = now;
    }

    /// Whom to probe next. Everybody has its turn before anybody has it twice.
    pub(super) fn next_in_turn(&mut self, rng: &mut Rng) -> Option<PeerId> {
        if self.cursor == self.active {
            self.cursor = 0;
            if self.active >= SHUFFLED_FROM {
                for at in (1..self.active).rev() {
                    self.swap(at, rng.usize(..=at));
                }
            }
        }
        let peer = *self.order[..self.active].get(self.cursor)?;
        self.cursor += 1;
        Some(peer)
    }

    /// Chooses so many different ones at random that are accepted, or fewer where there are not enough.
    pub(super) fn choose(
        &self,
        wanted: usize,
        among: Among,
        rng: &mut Rng,
        chosen: &mut Vec<PeerId>,
        accept: impl Fn(Member<'_>) -> bool,
    ) {
        chosen.clear();
        let from = match among {
            Among::Active => &self.order[..self.active],
            Among::All => &self.order[..],
        };
        let accept = |peer: PeerId| self.member(peer).is_some_and(&accept);
        // Among few, a random try may miss one that could be chosen.
        if from.len() <= wanted.saturating_mul(4) {
            chosen.extend_from_slice(from);
            rng.shuffle(chosen);
            chosen.retain(|peer| accept(*peer));
            chosen.truncate(wanted);
            return;
        }
        for _ in 0..wanted.saturating_mul(16) {
            if chosen.len() == wanted {
                return;
            }
            let peer = from[rng.usize(..from.len())];
            if !chosen.contains(&peer) && accept(peer) {
                chosen.push(peer);
            }
        }
    }

    /// Takes a member into the circle, somewhere among those that are still to be probed in this round.
    fn activate(&mut self, peer: PeerId, rng: &mut Rng) {
        self.swap(self.place(peer), self.active);
        self.active += 1;
        self.swap(self.active - 1, rng.usize(self.cursor..self.active));
    }

    /// Takes a member out of the circle, such that nobody loses or gains a turn.
    fn deactivate(&mut self, peer: PeerId) {
        if self.place(peer) < self.cursor {
            self.cursor -= 1;
            self.swap(self.place(peer), self.cursor);
        }
        self.active -= 1;
        self.swap(self.place(peer), self.active);
    }

    fn place(&self, peer: PeerId) -> usize {
        self.rows[peer.index()].place as usize
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.order.swap(one, other);
        for place in [one, other] {
            self.rows[self.order[place].index()].place = place as u32;
        }
    }
}

#[cfg(test)]
impl Members {
    /// Panics if the parts contradict each other.
    pub(super) fn check(&self) {
        assert_eq!(self.order.len() + self.vacant.len(), self.rows.len());
        assert_eq!(self.index.len(), self.order.len());
        assert!(self.cursor <= self.active && self.active <= self.order.len());
        let left = self.iter().filter(|member| member.standing == Standing::Left).count();
        assert_eq!(self.left, left);
        for (place, peer) in self.order.iter().enumerate() {
            let member = self.member(*peer).expect("who is in the order is somebody");
            assert_eq!(self.place(*peer), place);
            assert_eq!(member.is_active(), place < self.active);
            assert_eq!(self.find(member.profile.name_hash(), member.name()), Some(*peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use fastrand::Rng;

    fn profile(name: u16) -> Arc<Profile> {
        let addr = SocketAddr::from(([10, 0, (name >> 8) as u8, name as u8], 7_946));
        Arc::new(Profile::new(&name.to_string(), addr, b"", [1, 5, 2, 0, 0, 0]).unwrap())
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(u16),
        Stand(u16, Standing),
        Remove(u16),
        Turn,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let standing =
            prop::sample::select(vec![Standing::Alive, Standing::Suspect, Standing::Dead, Standing::Left]);
        let step = prop_oneof![
            4 => (0..20u16).prop_map(Step::Insert),
            4 => (0..20u16, standing).prop_map(|(name, standing)| Step::Stand(name, standing)),
            1 => (0..20u16).prop_map(Step::Remove),
            8 => Just(Step::Turn),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// The table does what a map would do, and nobody is probed again before everybody who is there all the time was.
        #[test]
        fn as_a_map(steps in steps(), seed: u64) {
            let (mut rng, mut members) = (Rng::with_seed(seed), Members::with_capacity(0));
            let mut twin: BTreeMap<u16, Standing> = BTreeMap::new();
            let mut probed = BTreeSet::new();
            for step in steps {
                let find = |members: &Members, name: u16| {
                    let profile = profile(name);
                    members.find(profile.name_hash(), profile.name())
                };
                match step {
                    Step::Insert(name) => if twin.insert(name, Standing::Alive).is_none() {
                        members.insert(profile(name), 1, Instant::ORIGIN, &mut rng);
                    } else if let Some(peer) = find(&members, name) {
                        members.set_standing(peer, Standing::Alive, Instant::ORIGIN, &mut rng);
                    },
                    Step::Stand(name, standing) => if let Some(peer) = find(&members, name) {
                        members.set_standing(peer, standing, Instant::ORIGIN, &mut rng);
                        twin.insert(name, standing);
                        if matches!(standing, Standing::Dead | Standing::Left) {
                            probed.remove(&name);
                        }
                    },
                    Step::Remove(name) => if let Some(peer) = find(&members, name) {
                        members.remove(peer);
                        twin.remove(&name);
                        probed.remove(&name);
                    },
                    Step::Turn => {
                        let active: BTreeSet<u16> = twin
                            .iter()
                            .filter(|(_, standing)| matches!(standing, Standing::Alive | Standing::Suspect))
                            .map(|(name, _)| *name)
                            .collect();
                        if probed == active {
                            probed.clear();
                        }
                        let turn = members.next_in_turn(&mut rng);
                        let turn = turn.and_then(|peer| members.member(peer)).map(|member| member.name().parse().unwrap());
                        prop_assert_eq!(turn.is_some(), !active.is_empty());
                        if let Some(name) = turn {
                            prop_assert!(active.contains(&name));
                            prop_assert!(probed.insert(name), "{} had its turn twice", name);
                        }
                    }
                }
                members.check();
                let all: BTreeMap<u16, Standing> =
                    members.iter().map(|member| (member.name().parse().unwrap(), member.standing())).collect();
                prop_assert_eq!(&all, &twin);
            }
        }

        /// All that are wanted, all different, all accepted.
        #[test]
        fn chosen(count in 0..60u16, dead in 0..60u16, wanted in 0..6usize, seed: u64) {
            let (mut rng, mut members) = (Rng::with_seed(seed), Members::with_capacity(0));
            for name in 0..count {
                members.insert(profile(name), 1, Instant::ORIGIN, &mut rng);
            }
            for name in 0..dead.min(count) {
                members.set_standing(PeerId(name.into()), Standing::Dead, Instant::ORIGIN, &mut rng);
            }
            let mut chosen = Vec::new();
            members.choose(wanted, Among::Active, &mut rng, &mut chosen, |member| member.peer().0 % 8 != 7);
            let possible = (dead.min(count)..count).filter(|name| name % 8 != 7).count();
            prop_assert_eq!(chosen.len(), wanted.min(possible));
            prop_assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), chosen.len());
            prop_assert!(chosen.iter().all(|peer| peer.0 >= dead.min(count).into() && peer.0 % 8 != 7));
        }
    }

    #[test]
    fn small() {
        let row = size_of::<Row>() + size_of::<Standing>() + size_of::<PeerId>();
        // A table of 10,000 numbers has 16,384 places of a number and a byte.
        let index = (size_of::<PeerId>() + 1) * 16_384;
        assert!(row * 10_000 + index <= 40 * 10_000, "{row} and {index}");
    }
}
