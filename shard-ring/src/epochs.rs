//! Who owned a key then.

use std::collections::VecDeque;

use crate::error::{EpochError, PlacementError};
use crate::node::Node;
use crate::placement::Placement;
use crate::placement::rendezvous::Rendezvous;
use crate::ring::Ring;

/// Rings and the times from which they were in force: so that a query over the past asks whoever owned a series *then*.
///
/// An epoch ends where the next one begins; the last one has no end. Times are in milliseconds, as those of samples. Before the first
/// epoch nothing is known, and nobody owns anything.
///
/// Members learn of a change at slightly different times. A range that is widened by that much asks the owners of both sides.
///
/// ```
/// use promha_shard_ring::{Epochs, Node, Ring};
///
/// let mut epochs = Epochs::new();
/// epochs.push(1_000, Ring::new([Node::new("a")])?)?;
/// epochs.push(2_000, Ring::new([Node::new("b")])?)?;
/// let owners = |min_ms, max_ms| epochs.owners(7, min_ms, max_ms).into_iter().map(Node::id).collect::<Vec<_>>();
/// assert_eq!(owners(1_000, 1_999), ["a"]);
/// assert_eq!(owners(1_500, 2_000), ["b", "a"]);
/// assert_eq!(owners(3_000, 4_000), ["b"]);
/// assert_eq!(owners(0, 999), [""; 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Epochs<P: Placement = Rendezvous> {
    epochs: VecDeque<Epoch<P>>,
}

/// A ring and when it came into force.
#[derive(Debug, Clone)]
pub struct Epoch<P: Placement = Rendezvous> {
    /// The first millisecond of it.
    pub from_ms: i64,
    /// Who owned what.
    pub ring: Ring<P>,
}

impl<P: Placement> Epochs<P> {
    /// No history.
    pub fn new() -> Self {
        Self { epochs: VecDeque::new() }
    }

    /// Puts a ring in force from `from_ms` on.
    ///
    /// # Errors
    /// If that is not after the beginning of the last epoch. The history is unchanged then.
    ///
    /// ```
    /// use promha_shard_ring::{EpochError, Epochs, Node, Ring};
    ///
    /// let mut epochs = Epochs::new();
    /// epochs.push(2_000, Ring::new([Node::new("a")])?)?;
    /// let error = epochs.push(1_000, Ring::new([Node::new("b")])?).unwrap_err();
    /// assert_eq!(error, EpochError::OutOfOrder { from_ms: 1_000, last_ms: 2_000 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&mut self, from_ms: i64, ring: Ring<P>) -> Result<(), EpochError> {
        match self.epochs.back() {
            Some(&Epoch { from_ms: last_ms, .. }) if from_ms <= last_ms => {
                Err(EpochError::OutOfOrder { from_ms, last_ms })
            }
            _ => {
                self.epochs.push_back(Epoch { from_ms, ring });
                Ok(())
            }
        }
    }

    /// The ring in force at a time.
    pub fn at(&self, time_ms: i64) -> Option<&Ring<P>> {
        self.touching(time_ms, time_ms).next().map(|epoch| &epoch.ring)
    }

    /// The epochs that have a part of the range, both ends included, the newest first. None if it ends before it begins.
    ///
    /// # Cost
    /// `O(log n)` of `n` epochs, and what is found.
    pub fn touching(&self, min_ms: i64, max_ms: i64) -> impl Iterator<Item = &Epoch<P>> {
        let end = self.epochs.partition_point(|epoch| epoch.from_ms <= max_ms);
        let after_start = self.epochs.partition_point(|epoch| epoch.from_ms <= min_ms);
        let start = if min_ms > max_ms { end } else { after_start.saturating_sub(1).min(end) };
        self.epochs.range(start..end).rev()
    }

    /// Whoever owned a key at some time of the range, both ends included, each once, the newest first.
    pub fn owners(&self, key: u64, min_ms: i64, max_ms: i64) -> Vec<&Node> {
        let mut owners = Vec::new();
        for epoch in self.touching(min_ms, max_ms) {
            add(&mut owners, epoch.ring.owner(key));
        }
        owners
    }

    /// Whoever was one of the `n` replicas of a key at some time of the range, each once, the newest and best first.
    ///
    /// # Errors
    /// If a ring of the range has no `n` replicas.
    pub fn replicas(
        &self,
        key: u64,
        n: usize,
        min_ms: i64,
        max_ms: i64,
    ) -> Result<Vec<&Node>, PlacementError> {
        let mut replicas = Vec::new();
        for epoch in self.touching(min_ms, max_ms) {
            for node in epoch.ring.replicas(key, n)? {
                add(&mut replicas, node);
            }
        }
        Ok(replicas)
    }

    /// Forgets the epochs that ended before `before_ms`: when no sample is as old. How many there were. The one in force then stays.
    pub fn prune(&mut self, before_ms: i64) -> usize {
        let ended = self.epochs.partition_point(|epoch| epoch.from_ms <= before_ms).saturating_sub(1);
        self.epochs.drain(..ended).count()
    }

    /// The ring in force now.
    pub fn latest(&self) -> Option<&Ring<P>> {
        self.epochs.back().map(|epoch| &epoch.ring)
    }

    /// How many epochs there are.
    pub fn len(&self) -> usize {
        self.epochs.len()
    }

    /// Whether there is no history.
    pub fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }
}

impl<P: Placement> Default for Epochs<P> {
    fn default() -> Self {
        Self::new()
    }
}

fn add<'a>(nodes: &mut Vec<&'a Node>, node: &'a Node) {
    if nodes.iter().all(|other| other.id() != node.id()) {
        nodes.push(node);
    }
}
