//! Slots, and in which order nodes bid for them: what [`Table`](crate::Table) and [`Bounded`](crate::Bounded) are made from.
//!
//! A slot stands for all keys at its part of the positions. Every node goes through all slots in an order of its own, which depends
//! on nothing but its id; how early it comes to a slot is the hash of its bid. So this is rendezvous hashing with slots for keys,
//! and has what that has: who owns a slot changes only to a node that comes or from a node that goes. But since a node comes to each
//! slot once, at even intervals, its share varies less than by chance: half the variance. And since it need not be asked for all
//! slots, only as long as there are some that nobody came to yet, a table is compiled in a time that does not grow with the nodes.

use super::bid::Bid;
use crate::error::RingError;
use crate::hash::draw;
use crate::log2::{FRACTION_BITS, neg_log2};
use crate::members::Members;

/// The fewest and the most slots.
pub(crate) const SLOTS: (usize, usize) = (1 << 4, 1 << 24);

/// Those who bid for slots.
#[derive(Debug, Clone)]
pub(crate) struct Bidders {
    courses: Vec<Course>,
    /// Of each node the index of its course.
    by_index: Vec<u16>,
    weights_equal: bool,
    total_weight: u64,
    bits: u32,
}

/// A node's way through the slots: a permutation, which can be undone.
#[derive(Debug, Clone, Copy)]
struct Course {
    index: u16,
    weight: u32,
    bits: u32,
    /// When between two others it comes to a slot: 16 bits.
    phase: u64,
    add: [u64; 2],
    multiply: [u64; 3],
    undo: [u64; 3],
}

impl Bidders {
    pub(crate) fn new(members: &Members, slots: usize) -> Result<Self, RingError> {
        if !slots.is_power_of_two() || !(SLOTS.0..=SLOTS.1).contains(&slots) {
            return Err(RingError::Slots { slots, least: SLOTS.0, most: SLOTS.1 });
        }
        let bits = slots.trailing_zeros();
        let mut by_index = vec![0; members.nodes().len()];
        let mut courses = Vec::with_capacity(members.weighted().len());
        for (at, &index) in (0..).zip(members.weighted()) {
            by_index[usize::from(index)] = at;
            let weight = members.nodes()[usize::from(index)].weight();
            courses.push(Course::new(members.seed(index), index, weight, bits));
        }
        let weights_equal = members.equal_weight().is_some();
        Ok(Self { courses, by_index, weights_equal, total_weight: members.total_weight(), bits })
    }

    pub(crate) fn slots(&self) -> usize {
        1 << self.bits
    }

    /// What a node bids for a slot.
    #[inline]
    pub(crate) fn bid(&self, index: u16, slot: u64) -> Bid {
        let course = &self.courses[usize::from(self.by_index[usize::from(index)])];
        course.bid(course.rank(slot), self.weights_equal)
    }

    /// What everybody bids for a slot.
    pub(crate) fn bids(&self, slot: u64) -> impl Iterator<Item = Bid> {
        self.courses.iter().map(move |course| course.bid(course.rank(slot), self.weights_equal))
    }

    /// All bids for all slots in rounds: those of one round, in no order, are better than those of any later one. `visit` gets
    /// bids with their slots; `goes_on` is asked before each node's round whether that node still bids (`Some(node)`), and
    /// after every round whether there is another one (`None`).
    pub(crate) fn rounds<S>(
        &self,
        state: &mut S,
        goes_on: impl Fn(&mut S, Option<u16>) -> bool,
        mut visit: impl FnMut(&mut S, Bid, usize),
    ) {
        let mut ranks = vec![0_u64; self.courses.len()];
        // In a round there are about as many bids as half the slots. Should there be nodes of very little weight that must be
        // waited for, the rounds grow.
        let mut step = u128::from((1_u64 << FRACTION_BITS) / self.total_weight.max(1)).max(1);
        let mut until = 0_u128;
        for round in 0.. {
            until = until.saturating_add(step);
            step = if round < 48 { step } else { step.saturating_mul(2) };
            let mut all_done = true;
            for (course, rank) in self.courses.iter().zip(&mut ranks) {
                if *rank == 1 << self.bits || !goes_on(state, Some(course.index)) {
                    continue;
                }
                all_done = false;
                let limit = until.saturating_mul(u128::from(course.weight));
                let end = course.until(*rank, limit);
                for rank in *rank..end {
                    visit(state, course.bid(rank, self.weights_equal), course.slot(rank) as usize);
                }
                *rank = end;
            }
            if all_done || !goes_on(state, None) {
                break;
            }
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.courses) + size_of_val(&*self.by_index)
    }
}

impl Course {
    fn new(seed: u64, index: u16, weight: u32, bits: u32) -> Self {
        let multiply = [draw(seed, 0) | 1, draw(seed, 1) | 1, draw(seed, 2) | 1];
        Self {
            index,
            weight,
            bits,
            phase: draw(seed, 5) >> 48,
            add: [draw(seed, 3), draw(seed, 4)],
            multiply,
            undo: multiply.map(inverse),
        }
    }

    fn mask(&self) -> u64 {
        (1 << self.bits) - 1
    }

    /// Shifting by half of the bits or more undoes itself.
    #[inline]
    fn stir(&self, x: u64) -> u64 {
        x ^ (x >> self.bits.div_ceil(2))
    }

    /// The slot to which the node comes at this rank.
    #[inline]
    fn slot(&self, rank: u64) -> u64 {
        let mask = self.mask();
        let x = self.stir(rank.wrapping_mul(self.multiply[0]).wrapping_add(self.add[0]) & mask);
        let x = self.stir(x.wrapping_mul(self.multiply[1]) & mask);
        x.wrapping_mul(self.multiply[2]).wrapping_add(self.add[1]) & mask
    }

    /// The rank at which it comes to a slot.
    #[inline]
    fn rank(&self, slot: u64) -> u64 {
        let mask = self.mask();
        let x = self.stir(slot.wrapping_sub(self.add[1]).wrapping_mul(self.undo[2]) & mask);
        let x = self.stir(x.wrapping_mul(self.undo[1]) & mask);
        x.wrapping_sub(self.add[0]).wrapping_mul(self.undo[0]) & mask
    }

    /// The earlier, the larger.
    #[inline]
    fn hash(&self, rank: u64) -> u64 {
        !(((rank << 16) | self.phase) << (48 - self.bits))
    }

    /// The first rank from `start` on whose bid costs more than `limit`: by bisection, as costs never fall.
    fn until(&self, start: u64, limit: u128) -> u64 {
        let (mut low, mut high) = (start, 1 << self.bits);
        while low < high {
            let middle = low.midpoint(high);
            if u128::from(neg_log2(self.hash(middle))) <= limit {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    #[inline]
    fn bid(&self, rank: u64, weights_equal: bool) -> Bid {
        if weights_equal {
            Bid::of_equals(self.hash(rank), self.index)
        } else {
            Bid::new(self.hash(rank), self.weight, self.index)
        }
    }
}

/// The inverse of an odd number, modulo 2^64: by Newton's method, which doubles the bits that are right (five at first).
fn inverse(odd: u64) -> u64 {
    let first = odd.wrapping_mul(3) ^ 2;
    (0..4).fold(first, |x, _| x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_comes_to_every_slot_once() {
        for bits in 4..=16 {
            let course = Course::new(u64::from(bits) * 77, 0, 1, bits);
            let mut seen = vec![false; 1 << bits];
            for rank in 0..1 << bits {
                let slot = course.slot(rank);
                assert_eq!(course.rank(slot), rank);
                assert!(!std::mem::replace(&mut seen[slot as usize], true));
            }
        }
    }
}
