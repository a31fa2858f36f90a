//! Jump consistent hash: nodes come and go at the end only.

use std::ops::ControlFlow;

use super::{Placement, probes};
use crate::error::RingError;
use crate::hash::mix;
use crate::members::Members;

/// For numbered nodes that come and go at the end alone, such as the pods of a stateful set. It needs no memory.
///
/// A node is known by its position: its shard where the nodes have one (in order, gaps do not count), else its place among those
/// that were given. So here the order of the input matters, if there are no shards: when a node in the middle goes, those behind
/// move up, and with them their keys.
///
/// # Cost
/// `O(log n)`; 2 bytes for each node.
///
/// # Source
/// Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014. The keys are mixed first.
///
/// ```
/// use promha_shard_ring::{Jump, Node, Ring};
///
/// let node = |shard| Node::new(format!("pod-{shard}")).with_shard(shard);
/// let three = Ring::with((0..3).map(node), Jump::new)?;
/// let four = Ring::with((0..4).map(node), Jump::new)?;
/// assert!((0..100).all(|key| four.owner(key).id() == "pod-3" || four.owner(key) == three.owner(key)));
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Jump {
    buckets: Vec<u16>,
}

impl Jump {
    /// For these nodes.
    ///
    /// # Errors
    /// If their weights differ, two are the same shard, or only some have one.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        Ok(Self { buckets: members.positions()?.into_iter().map(|(_, index)| index).collect() })
    }

    #[inline]
    fn bucket(&self, key: u64) -> usize {
        let mut key = mix(key);
        let (mut bucket, mut next) = (0, 0);
        while next < self.buckets.len() as u64 {
            bucket = next;
            key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
            // One division, which is rounded the same everywhere.
            next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as u64;
        }
        bucket as usize
    }
}

impl Placement for Jump {
    fn name(&self) -> &'static str {
        "jump"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        self.buckets[self.bucket(key)]
    }

    /// Asks again with other keys; who has not come then comes in the order of positions.
    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let asked = probes(key, 4 * self.buckets.len()).map(|probe| self.owner(probe));
        let _ = asked.chain(self.buckets.iter().copied()).try_for_each(visit);
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}
