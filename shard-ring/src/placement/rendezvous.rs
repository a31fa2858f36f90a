//! Weighted rendezvous: every node bids for every key, and the best bid wins.

use std::ops::ControlFlow;

use super::Placement;
use super::bid::Bid;
use crate::error::{PlacementError, RingError};
use crate::hash::mix;
use crate::members::Members;
use crate::picks::Picks;

/// The default: nobody's keys move but to a node that comes and from a node that goes, in proportion to the weights, and the
/// shares are as even as chance lets them be. It asks every node, so it is for tens or hundreds of them; for series, which are
/// many, see [`Table`](crate::Table).
///
/// # Cost
/// `O(n)` for an owner (two multiplications for each node, and a logarithm where weights differ), `O(n log n)` for replicas.
/// 12 bytes for each node.
///
/// # Source
/// Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996; weights as in Schindelhauer and Schomaker, "Weighted
/// distributed hash tables", 2005, with the logarithm in integers, so that machines do not differ.
///
/// ```
/// use promha_shard_ring::{Node, Ring};
///
/// let two = Ring::new([Node::new("a"), Node::new("b").with_weight(2)])?;
/// let three = Ring::new([Node::new("a"), Node::new("b").with_weight(2), Node::new("c")])?;
/// let moved = (0..10_000).filter(|&key| two.owner(key) != three.owner(key)).count();
/// let to_c = (0..10_000).filter(|&key| three.owner(key).id() == "c").count();
/// assert_eq!(moved, to_c);
/// assert!((2_400..2_600).contains(&to_c));
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rendezvous {
    bidders: Vec<Bidder>,
    weights_equal: bool,
    single_zone: bool,
}

#[derive(Debug, Clone, Copy)]
struct Bidder {
    seed: u64,
    weight: u32,
    index: u16,
}

impl Rendezvous {
    /// For these nodes.
    ///
    /// # Errors
    /// None: it is a result so that it can be handed to [`Ring::with`](crate::Ring::with) like the others.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        let bidder = |&index: &u16| Bidder {
            seed: members.seed(index),
            weight: members.nodes()[usize::from(index)].weight(),
            index,
        };
        Ok(Self {
            bidders: members.weighted().iter().map(bidder).collect(),
            weights_equal: members.equal_weight().is_some(),
            single_zone: members.zones() == 1,
        })
    }

    #[inline]
    fn bids(&self, key: u64) -> impl Iterator<Item = Bid> {
        let key = mix(key);
        self.bidders.iter().map(move |bidder| {
            let hash = offer(key, bidder.seed);
            if self.weights_equal {
                Bid::of_equals(hash, bidder.index)
            } else {
                Bid::new(hash, bidder.weight, bidder.index)
            }
        })
    }
}

/// What a node's bid for a mixed key is made of. Its high bits decide, so they are the ones that are mixed well.
#[inline]
fn offer(key: u64, seed: u64) -> u64 {
    let product = (key ^ seed).wrapping_mul(0x9fb2_1c65_1e98_df25);
    (product ^ (product >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

impl Placement for Rendezvous {
    fn name(&self) -> &'static str {
        "rendezvous"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        if self.weights_equal {
            let key = mix(key);
            let (mut best, mut owner) = (0, self.bidders[0].index);
            for bidder in &self.bidders {
                let hash = offer(key, bidder.seed);
                if hash > best {
                    (best, owner) = (hash, bidder.index);
                }
            }
            owner
        } else {
            self.bids(key).min().map_or(0, |bid| bid.index)
        }
    }

    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let mut bids: Vec<Bid> = self.bids(key).collect();
        bids.sort_unstable();
        let _ = bids.into_iter().try_for_each(|bid| visit(bid.index));
    }

    /// Where no zone matters, the best few are kept in one pass, and nothing is sorted.
    fn replicas(
        &self,
        members: &Members,
        key: u64,
        n: usize,
        picks: &mut Picks,
    ) -> Result<(), PlacementError> {
        if !self.single_zone || n == 0 || n > 16 {
            return members.pick(n, picks, |visit| self.walk(key, visit));
        }
        members.check(n)?;
        let mut best = [Bid::of_equals(0, 0); 16];
        let best = &mut best[..n];
        for (i, bid) in self.bids(key).enumerate() {
            let full = i.min(n);
            if full == n && !bid.beats(&best[n - 1]) {
                continue;
            }
            let at = best[..full].partition_point(|other| other.beats(&bid));
            best[at..n.min(full + 1)].rotate_right(1);
            best[at] = bid;
        }
        picks.extend(best.iter().map(|bid| bid.index));
        Ok(())
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.bidders)
    }
}
