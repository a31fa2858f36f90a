//! Bounded load: nobody owns more than a little above their share.

use std::fmt;
use std::ops::ControlFlow;

use super::slots::Bidders;
use super::{Arc, Placement, position};
use crate::error::RingError;
use crate::members::Members;

/// Where a full node is worse than a needless move: a node's share of the positions is at most so many per cent above what its
/// weight says, for certain. Slots that a full node would win go to the next best bidder; so when nodes come or go, some move
/// that otherwise would not.
///
/// It bounds the *share of positions*, so keys of equal cost.
///
/// # Cost
/// `O(1)` for an owner, `O(n log n)` for replicas. 2 bytes for each slot.
///
/// # Source
/// After Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2017, on rendezvous over slots and in the order of
/// all bids, in which no slot and node would both rather have each other.
///
/// ```
/// use promha_shard_ring::{Bounded, Node, Ring};
///
/// let nodes = (0..20).map(|i| Node::new(format!("node-{i}")));
/// let ring = Ring::with(nodes, |members| Bounded::with_slots(members, 1 << 12, 1))?;
/// assert!(ring.shares().unwrap().iter().all(|share| *share <= 0.05 * 1.01 + 1.0 / 4096.0));
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Clone)]
pub struct Bounded {
    owners: Vec<u16>,
    shift: u32,
    bidders: Bidders,
    percent: u32,
}

impl Bounded {
    /// Slots, if nothing else is said.
    pub const SLOTS: usize = 1 << 16;

    /// With [`SLOTS`](Self::SLOTS) slots, and no more than 2 % above the share.
    ///
    /// # Errors
    /// None.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        Self::with_slots(members, Self::SLOTS, 2)
    }

    /// With so many slots (a power of two from 2^4 to 2^24), and no more than so many per cent above the share, rounded up to
    /// whole slots.
    ///
    /// # Errors
    /// If the number of slots is not one of those.
    pub fn with_slots(members: &Members, slots: usize, percent: u32) -> Result<Self, RingError> {
        let bidders = Bidders::new(members, slots)?;
        let room = |weight: u32| {
            let shared = slots as u128 * u128::from(weight) * (100 + u128::from(percent));
            shared.div_ceil(100 * u128::from(members.total_weight())) as usize
        };
        let room: Vec<usize> = members.nodes().iter().map(|node| room(node.weight())).collect();
        let mut filling = Filling { owners: vec![FREE; slots], free: slots, room, bids: Vec::new() };
        bidders.rounds(&mut filling, Filling::goes_on, |filling, bid, slot| {
            if filling.owners[slot] == FREE {
                filling.bids.push((bid, slot as u32));
            }
        });
        filling.settle();
        Ok(Self { owners: filling.owners, shift: 64 - slots.trailing_zeros(), bidders, percent })
    }

    #[inline]
    fn slot(&self, key: u64) -> usize {
        (position(key) >> self.shift) as usize
    }
}

/// Nobody.
const FREE: u16 = u16::MAX;

/// Slots while they are handed out.
struct Filling {
    owners: Vec<u16>,
    /// How many are not handed out.
    free: usize,
    /// Of each node how many it may still get.
    room: Vec<usize>,
    /// The bids of this round.
    bids: Vec<(super::bid::Bid, u32)>,
}

impl Filling {
    fn goes_on(&mut self, node: Option<u16>) -> bool {
        match node {
            Some(index) => self.room[usize::from(index)] > 0,
            None => {
                self.settle();
                self.free > 0
            }
        }
    }

    fn settle(&mut self) {
        self.bids.sort_unstable();
        for (bid, slot) in self.bids.drain(..) {
            let (owner, room) = (&mut self.owners[slot as usize], &mut self.room[usize::from(bid.index)]);
            if *owner == FREE && *room > 0 {
                *owner = bid.index;
                *room -= 1;
                self.free -= 1;
            }
        }
    }
}

impl Placement for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        self.owners[self.slot(key)]
    }

    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let slot = self.slot(key);
        let mut bids: Vec<_> = self.bidders.bids(slot as u64).collect();
        bids.sort_unstable();
        let ranked = bids.into_iter().map(|bid| bid.index);
        let _ = std::iter::once(self.owners[slot]).chain(ranked).try_for_each(visit);
    }

    fn arcs(&self) -> Option<Box<dyn Iterator<Item = Arc> + '_>> {
        let last = |slot: usize| ((slot as u64) << self.shift) | ((1 << self.shift) - 1);
        Some(Box::new(
            self.owners.iter().enumerate().map(move |(slot, &owner)| Arc { last: last(slot), owner }),
        ))
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.owners) + self.bidders.heap_bytes()
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bounded {{ {} slots, {} % above the share at most }}", self.owners.len(), self.percent)
    }
}
