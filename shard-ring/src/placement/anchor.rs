//! Anchor hash: numbered nodes, any of which may be absent.

use std::ops::ControlFlow;

use super::{Placement, probes};
use crate::error::RingError;
use crate::hash::{draw, mix};
use crate::members::Members;

/// For thousands of numbered nodes, some of which may be away: a lookup takes about as many steps as the logarithm of the
/// capacity over the nodes that are there, and memory is 8 bytes for each position.
///
/// A node is known by its position, from 0 to the capacity: its shard where the nodes have one, else its place among those that
/// were given. Positions without a node count as removed from the highest down. So from any state nothing moves needlessly when
/// any node goes while those behind the last one are all free, when it comes back, and when one comes at the end. (With two
/// holes, the lower one must be filled first.)
///
/// # Cost
/// `O((1 + ln(capacity / n))²)` for an owner, expected.
///
/// # Source
/// Mendelson et al., "AnchorHash: A Scalable Consistent Hash", 2020.
///
/// ```
/// use promha_shard_ring::{Anchor, Node, Ring};
///
/// let node = |shard| Node::new(format!("pod-{shard}")).with_shard(shard);
/// let all = Ring::with((0..9).map(node), |members| Anchor::with_capacity(members, 16))?;
/// let without = Ring::with((0..9).filter(|&shard| shard != 4).map(node), |members| Anchor::with_capacity(members, 16))?;
/// assert!((0..100).all(|key| all.owner(key).id() == "pod-4" || all.owner(key) == without.owner(key)));
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Anchor {
    /// Of each position, how many were left when it was removed, or 0 while it is not.
    removed_at: Vec<u32>,
    /// Of each position, who took its place when it was removed, or itself.
    replaced_by: Vec<u32>,
    /// Of each position the node there; where nobody is, nobody asks.
    nodes: Vec<u16>,
    present: Vec<u16>,
}

impl Anchor {
    /// With room for twice as many positions as are needed, rounded up to a power of two.
    ///
    /// The capacity is part of the answer: when it changes, everything moves. Rather say it:
    /// [`with_capacity`](Self::with_capacity).
    ///
    /// # Errors
    /// If weights differ, two nodes are the same shard, only some have one, or one is above 2^20.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        let last = members.positions()?.iter().map(|(position, _)| *position).max().unwrap_or(0);
        Self::with_capacity(
            members,
            (last.saturating_add(1)).saturating_mul(2).min(Self::LIMIT).next_power_of_two(),
        )
    }

    /// The most positions.
    pub const LIMIT: usize = 1 << 20;

    /// With so many positions.
    ///
    /// # Errors
    /// If weights differ, two nodes are the same shard, only some have one, or one is not below the capacity, which is at most
    /// [`LIMIT`](Self::LIMIT).
    pub fn with_capacity(members: &Members, capacity: usize) -> Result<Self, RingError> {
        let positions = members.positions()?;
        let capacity = capacity.min(Self::LIMIT);
        if let Some(&(position, _)) = positions.iter().find(|(position, _)| *position >= capacity) {
            return Err(RingError::Capacity { position, capacity });
        }
        let mut nodes = vec![u16::MAX; capacity];
        for &(position, index) in &positions {
            nodes[position] = index;
        }
        let mut anchor = Self {
            removed_at: vec![0; capacity],
            replaced_by: (0..capacity as u32).collect(),
            nodes,
            present: positions.iter().map(|&(_, index)| index).collect(),
        };
        anchor.remove_absent();
        Ok(anchor)
    }

    /// Removes what is not there, from the highest position down. The names in the paper: `working` is W, `place` L.
    fn remove_absent(&mut self) {
        let capacity = self.nodes.len();
        let mut working: Vec<u32> = (0..capacity as u32).collect();
        let mut place = working.clone();
        let mut left = capacity;
        for position in
            (0..capacity).rev().filter(|&position| self.nodes[position] == u16::MAX).collect::<Vec<_>>()
        {
            left -= 1;
            self.removed_at[position] = left as u32;
            let heir = working[left];
            let at = place[position];
            working[at as usize] = heir;
            place[heir as usize] = at;
            self.replaced_by[position] = heir;
        }
    }

    #[inline]
    fn at(&self, key: u64) -> usize {
        let key = mix(key);
        let mut at = scale(key, self.nodes.len() as u64);
        while self.removed_at[at] > 0 {
            let left = self.removed_at[at];
            let mut next = scale(draw(key, at as u64), u64::from(left));
            // Those that were removed before had their place taken.
            while self.removed_at[next] >= left {
                next = self.replaced_by[next] as usize;
            }
            at = next;
        }
        at
    }
}

/// A hash as a number below `n`.
#[inline]
fn scale(hash: u64, n: u64) -> usize {
    ((u128::from(hash) * u128::from(n)) >> 64) as usize
}

impl Placement for Anchor {
    fn name(&self) -> &'static str {
        "anchor"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        self.nodes[self.at(key)]
    }

    /// Asks again with other keys; who has not come then comes in the order of positions.
    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let asked = probes(key, 4 * self.present.len()).map(|probe| self.owner(probe));
        let _ = asked.chain(self.present.iter().copied()).try_for_each(visit);
    }

    fn heap_bytes(&self) -> usize {
        let positions = size_of_val(&*self.removed_at) + size_of_val(&*self.replaced_by);
        positions + size_of_val(&*self.nodes) + size_of_val(&*self.present)
    }
}
