//! What differs between two assignments.

use std::cmp::Ordering;

use super::{Assignment, Target};
use crate::Node;

/// A replica of a target that goes from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetMove<'a> {
    /// The target, as the next assignment knows it, or the present one if the next one has it no more.
    pub target: &'a Target,
    /// Who has the replica now: nobody if there are to be more replicas, as of a new target.
    pub from: Option<&'a Node>,
    /// Who is to have it: nobody if there are to be fewer.
    pub to: Option<&'a Node>,
}

impl TargetMove<'_> {
    /// What whoever takes the replica takes upon itself; zero if nobody does.
    pub fn cost(&self) -> u64 {
        if self.to.is_some() { self.target.cost() } else { 0 }
    }
}

/// What becomes of a target whose nodes change.
///
/// The order that leaves neither a gap nor, for long, a duplicate: those that start do so at once; those that stop go on until the
/// others have scraped once (or a scrape interval and a time-out have passed), and write their stale markers then. Between
/// the two the target is scraped by more nodes than it has replicas, which a query that deduplicates does not notice; the other
/// way round it would be scraped by fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover<'a> {
    /// The target, as the next assignment knows it, or the old one if the next one has it no more.
    pub target: &'a Target,
    /// Who goes on.
    pub stay: Vec<&'a Node>,
    /// Who starts, at once.
    pub start: Vec<&'a Node>,
    /// Who stops, after the others have started.
    pub stop: Vec<&'a Node>,
}

/// For each target whose nodes change, in the order of keys, who starts and who stops. Targets that appear have only nodes that start,
/// those that disappear only nodes that stop; who only changes rank among the replicas does nothing.
///
/// Costs O(targets x replicas²) comparisons of ids.
///
/// ```
/// use promha_shard_ring::{Assignment, Node, Target, handover};
///
/// let targets: Vec<_> = (0..100).map(|i| Target::new(format!("node-{i}:9100"), 500)).collect();
/// let mut nodes: Vec<_> = ["a", "b", "c"].map(Node::new).into();
/// let old = Assignment::new(&nodes, &targets, 2)?;
/// nodes.push(Node::new("d"));
/// let next = Assignment::new(&nodes, &targets, 2)?;
/// for change in handover(&old, &next) {
///     assert_eq!((change.stay.len(), change.start.len(), change.stop.len()), (1, 1, 1));
/// }
/// # Ok::<(), promha_shard_ring::AssignError>(())
/// ```
pub fn handover<'a>(old: &'a Assignment, next: &'a Assignment) -> impl Iterator<Item = Handover<'a>> {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        loop {
            let order = match (old.targets.get(i), next.targets.get(j)) {
                (Some(old), Some(next)) => old.key().cmp(next.key()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let (mut before, mut after) = (Vec::new(), Vec::new());
            let mut target = None;
            if order.is_le() {
                target = old.targets.get(i);
                before.extend(old.replicas_at(i));
                i += 1;
            }
            if order.is_ge() {
                target = next.targets.get(j);
                after.extend(next.replicas_at(j));
                j += 1;
            }
            let among = |nodes: &[&Node], node: &Node| nodes.iter().any(|other| other.id() == node.id());
            let start: Vec<_> = after.iter().copied().filter(|node| !among(&before, node)).collect();
            let stop: Vec<_> = before.iter().copied().filter(|node| !among(&after, node)).collect();
            if let Some(target) = target.filter(|_| !start.is_empty() || !stop.is_empty()) {
                after.retain(|node| among(&before, node));
                return Some(Handover { target, stay: after, start, stop });
            }
        }
    })
}

impl Assignment {
    /// Which replicas of which targets go where when this assignment gives way to another one: in the order of keys, whoever stops
    /// paired with whoever starts.
    ///
    /// Costs O(targets x replicas²) comparisons of ids.
    ///
    /// ```
    /// use promha_shard_ring::{Assignment, Node, Target};
    ///
    /// let targets: Vec<_> = (0..1_000_u64).map(|hash| Target::new(hash, 100)).collect();
    /// let mut nodes: Vec<_> = ["a", "b", "c"].map(Node::new).into();
    /// let now = Assignment::new(&nodes, &targets, 2)?;
    /// nodes.push(Node::new("d"));
    /// let next = Assignment::new(&nodes, &targets, 2)?;
    ///
    /// let moved: u64 = now.moves(&next).map(|replica| replica.cost()).sum();
    /// let fair = 1_000 * 100 * 2 / 4;
    /// assert!(moved < fair * 11 / 10, "{moved}");
    /// # Ok::<(), promha_shard_ring::AssignError>(())
    /// ```
    pub fn moves<'a>(&'a self, next: &'a Self) -> impl Iterator<Item = TargetMove<'a>> {
        handover(self, next).flat_map(|change| {
            let count = change.start.len().max(change.stop.len());
            (0..count).map(move |i| TargetMove {
                target: change.target,
                from: change.stop.get(i).copied(),
                to: change.start.get(i).copied(),
            })
        })
    }
}
