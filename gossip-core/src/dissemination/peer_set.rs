use crate::PeerId;

/// How many peers a list has at most before a bitmap is considered.
const SMALL: usize = 48;

/// Some of the peers: a sorted list of a few, a bitmap of many.
#[derive(Clone, Debug)]
pub(super) enum PeerSet {
    Few(Vec<u32>),
    Many(Vec<u64>),
}

impl Default for PeerSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl PeerSet {
    pub(super) fn contains(&self, peer: PeerId) -> bool {
        match self {
            Self::Few(list) => place(list, peer).is_ok(),
            Self::Many(words) => {
                words.get(peer.index() / 64).is_some_and(|word| word >> (peer.0 % 64) & 1 == 1)
            }
        }
    }

    /// Whether it was not in yet.
    pub(super) fn insert(&mut self, peer: PeerId) -> bool {
        match self {
            Self::Few(list) => {
                let Err(at) = place(list, peer) else { return false };
                list.insert(at, peer.0);
                self.widen();
                true
            }
            Self::Many(words) => set(words, peer),
        }
    }

    /// Whether it was in.
    pub(super) fn remove(&mut self, peer: PeerId) -> bool {
        match self {
            Self::Few(list) => {
                let Ok(at) = place(list, peer) else { return false };
                list.remove(at);
                true
            }
            Self::Many(words) => {
                let Some(word) = words.get_mut(peer.index() / 64) else { return false };
                let bit = 1 << (peer.0 % 64);
                let was_in = *word & bit != 0;
                *word &= !bit;
                was_in
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Many(words) => words.iter().all(|&word| word == 0),
        }
    }

    /// Takes all out. The memory of a list is kept, that of a bitmap is not.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Few(list) => list.clear(),
            Self::Many(_) => *self = Self::default(),
        }
    }

    /// Becomes a bitmap where that is smaller.
    fn widen(&mut self) {
        let Self::Few(list) = self else { return };
        let Some(&last) = list.last() else { return };
        if list.len() > SMALL && list.len() * 32 > last as usize {
            let mut words = Vec::new();
            list.iter().for_each(|&peer| _ = set(&mut words, PeerId(peer)));
            *self = Self::Many(words);
        }
    }
}

fn place(list: &[u32], peer: PeerId) -> Result<usize, usize> {
    list.binary_search(&peer.0)
}

fn set(words: &mut Vec<u64>, peer: PeerId) -> bool {
    let at = peer.index() / 64;
    if at >= words.len() {
        words.resize(at + 1, 0);
    }
    let bit = 1 << (peer.0 % 64);
    let is_new = words[at] & bit == 0;
    words[at] |= bit;
    is_new
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::PeerSet;
    use crate::PeerId;

    proptest! {
        #[test]
        fn is_a_set(steps in prop::collection::vec((0..3_u8, 0..400_u32), 0..600)) {
            let (mut set, mut twin) = (PeerSet::default(), BTreeSet::new());
            for (step, peer) in steps {
                match step {
                    0 => prop_assert_eq!(set.remove(PeerId(peer)), twin.remove(&peer)),
                    _ => prop_assert_eq!(set.insert(PeerId(peer)), twin.insert(peer)),
                }
                prop_assert_eq!(set.is_empty(), twin.is_empty());
            }
            for peer in 0..450 {
                prop_assert_eq!(set.contains(PeerId(peer)), twin.contains(&peer));
            }
            set.clear();
            prop_assert!(set.is_empty() && !set.contains(PeerId(1)));
        }
    }

    #[test]
    fn many_are_a_bitmap() {
        let mut set = PeerSet::default();
        (0..10_000).for_each(|peer| assert!(set.insert(PeerId(peer))));
        let PeerSet::Many(words) = set else { panic!("a list of 10,000") };
        assert_eq!(words.len(), 157, "1.25 kB");
    }
}
