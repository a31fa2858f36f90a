use crate::PeerId;
use crate::dissemination::Speaks;

/// How often chance is asked for a peer before the next one after a random place is taken.
const DRAWS: usize = 24;

/// Who there is. A bit for each peer that speaks digests, because there may be thousands; a list of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    digests: Vec<u64>,
    digest_count: usize,
    messages: Vec<PeerId>,
    /// Those who speak digests in the order in which they are compared with; what is left of it.
    order: Vec<PeerId>,
}

impl Peers {
    /// Whether something changed.
    pub(super) fn add(&mut self, peer: PeerId, speaks: Speaks) -> bool {
        if self.speaks(peer) == Some(speaks) {
            return false;
        }
        self.remove(peer);
        match speaks {
            Speaks::Digests => {
                let at = peer.index() / 64;
                if at >= self.digests.len() {
                    self.digests.resize(at + 1, 0);
                }
                self.digests[at] |= 1 << (peer.0 % 64);
                self.digest_count += 1;
            }
            Speaks::Messages => {
                let at = self.messages.partition_point(|&other| other < peer);
                self.messages.insert(at, peer);
            }
        }
        true
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, peer: PeerId) -> bool {
        self.order.retain(|&other| other != peer);
        if self.speaks_digests(peer) {
            self.digests[peer.index() / 64] &= !(1 << (peer.0 % 64));
            self.digest_count -= 1;
            return true;
        }
        let Ok(at) = self.messages.binary_search(&peer) else { return false };
        self.messages.remove(at);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.digest_count + self.messages.len()
    }

    pub(super) fn digest_count(&self) -> usize {
        self.digest_count
    }

    pub(super) fn speaks(&self, peer: PeerId) -> Option<Speaks> {
        if self.speaks_digests(peer) {
            return Some(Speaks::Digests);
        }
        self.messages.binary_search(&peer).ok().map(|_| Speaks::Messages)
    }

    pub(super) fn speaks_digests(&self, peer: PeerId) -> bool {
        self.digests.get(peer.index() / 64).is_some_and(|word| word >> (peer.0 % 64) & 1 == 1)
    }

    /// Those who speak only messages, by number.
    pub(super) fn messages(&self) -> &[PeerId] {
        &self.messages
    }

    /// Those who speak digests, by number.
    pub(super) fn digests(&self) -> impl Iterator<Item = PeerId> {
        self.digests.iter().enumerate().flat_map(|(at, &word)| {
            let first = at as u32 * 64;
            Bits(word).map(move |bit| PeerId(first + bit))
        })
    }

    /// Any peer that is not among those `but`, or none if all are.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng, but: &[PeerId]) -> Option<PeerId> {
        for _ in 0..DRAWS.min(4 * self.len()) {
            let at = rng.usize(..self.len());
            let peer = match self.messages.get(at) {
                Some(&peer) => peer,
                None => self.draw_digests(rng)?,
            };
            if !but.contains(&peer) {
                return Some(peer);
            }
        }
        let mut left: Vec<PeerId> = self.digests().chain(self.messages.iter().copied()).collect();
        left.retain(|peer| !but.contains(peer));
        rng.choice(left)
    }

    /// Any peer that speaks digests.
    pub(super) fn draw_digests(&self, rng: &mut fastrand::Rng) -> Option<PeerId> {
        if self.digest_count == 0 {
            return None;
        }
        let numbers = self.digests.len() as u32 * 64;
        let tried = (0..DRAWS).map(|_| PeerId(rng.u32(..numbers))).find(|&peer| self.speaks_digests(peer));
        // The numbers are sparse.
        tried.or_else(|| self.digests().nth(rng.usize(..self.digest_count)))
    }

    /// The next of a shuffled order of those who speak digests and please; each of them once until all have been.
    pub(super) fn next_in_turn(
        &mut self,
        rng: &mut fastrand::Rng,
        pleases: impl Fn(PeerId) -> bool,
    ) -> Option<PeerId> {
        for _ in 0..2 {
            if let Some(at) = self.order.iter().rposition(|&peer| pleases(peer)) {
                return Some(self.order.remove(at));
            }
            self.order.clear();
            let (words, order) = (&self.digests, &mut self.order);
            for (at, &word) in words.iter().enumerate() {
                order.extend(Bits(word).map(|bit| PeerId(at as u32 * 64 + bit)));
            }
            rng.shuffle(order);
        }
        None
    }
}

/// The numbers of the bits that are set.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < 64).then_some(bit)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Peers;
    use crate::PeerId;
    use crate::dissemination::Speaks;

    proptest! {
        #[test]
        fn draws_only_who_is_there(steps in prop::collection::vec((0..4_u8, 0..150_u32), 1..100), seed: u64) {
            let (mut peers, mut twin) = (Peers::default(), BTreeMap::new());
            let mut rng = fastrand::Rng::with_seed(seed);
            for (step, peer) in steps {
                let peer = PeerId(peer);
                match step {
                    0 => prop_assert_eq!(peers.remove(peer), twin.remove(&peer).is_some()),
                    1 => _ = (peers.add(peer, Speaks::Messages), twin.insert(peer, Speaks::Messages)),
                    _ => _ = (peers.add(peer, Speaks::Digests), twin.insert(peer, Speaks::Digests)),
                }
            }
            let digests: Vec<PeerId> = peers.digests().collect();
            prop_assert!(digests.iter().all(|peer| twin[peer] == Speaks::Digests));
            prop_assert_eq!(peers.len(), twin.len());
            prop_assert_eq!(peers.digest_count(), digests.len());
            let mut drawn = Vec::new();
            while let Some(peer) = peers.draw(&mut rng, &drawn) {
                prop_assert!(twin.contains_key(&peer) && !drawn.contains(&peer));
                drawn.push(peer);
            }
            prop_assert_eq!(drawn.len(), twin.len(), "everybody is drawn once");
            let mut turns: Vec<PeerId> = digests.iter().filter_map(|_| peers.next_in_turn(&mut rng, |_| true)).collect();
            turns.sort();
            prop_assert_eq!(turns, digests, "everybody has a turn");
        }
    }
}
