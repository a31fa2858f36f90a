//! What nodes compete with for a key.

use std::cmp::Ordering;

use crate::log2::neg_log2;

/// What a node offers for a key. The smallest wins: the least waiting time, `-log2(hash) / weight`.
///
/// The waits are exponentially distributed with the weight as their rate, so each wins in proportion to its weight, whoever
/// else competes. Where the weights are equal, this is the order of the hashes, and there is no logarithm to be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bid {
    hash: u64,
    weight: u32,
    pub(crate) index: u16,
    /// `-log2(hash)`, or nothing where all weights are equal.
    cost: u64,
}

impl Bid {
    /// Of a node among others of the same weight.
    #[inline]
    pub(crate) fn of_equals(hash: u64, index: u16) -> Self {
        Self { hash, weight: 1, index, cost: 0 }
    }

    #[inline]
    pub(crate) fn new(hash: u64, weight: u32, index: u16) -> Self {
        Self { hash, weight, index, cost: neg_log2(hash) }
    }

    #[inline]
    pub(crate) fn beats(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Less
    }
}

impl Ord for Bid {
    /// The quotients are compared without a division. Costs are the same for some hashes that are not, but in the same order;
    /// so equal weights are ordered as if by their hashes alone.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = u128::from(self.cost) * u128::from(other.weight);
        let theirs = u128::from(other.cost) * u128::from(self.weight);
        ours.cmp(&theirs).then(other.hash.cmp(&self.hash)).then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Bid {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bid {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Bid {}
