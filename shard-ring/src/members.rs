//! The nodes of a ring, checked, in order, and what every placement wants to know of them.

use std::ops::ControlFlow;

use crate::error::{PlacementError, RingError};
use crate::hash::hash_text;
use crate::node::Node;
use crate::picks::Picks;

/// The nodes of a ring in order of their ids. Placements know them by index.
///
/// ```
/// use promha_shard_ring::{Node, Ring};
///
/// let ring = Ring::new([Node::new("b").with_weight(3), Node::new("a").with_weight(0)])?;
/// let members = ring.members();
/// assert_eq!(members.nodes()[1].id(), "b");
/// assert_eq!((members.weighted(), members.total_weight()), (&[1][..], 3));
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Members {
    nodes: Vec<Node>,
    /// Of each node what stands for its id.
    seeds: Vec<u64>,
    /// Of each node the number of its zone.
    zones: Vec<u16>,
    /// Of each zone how many nodes with a weight it has.
    zone_sizes: Vec<usize>,
    weighted: Vec<u16>,
    /// The nodes with a weight in the order in which they were given.
    as_given: Vec<u16>,
    total_weight: u64,
}

impl Members {
    /// A node is known by 16 bits, and one value stands for none.
    pub const LIMIT: usize = u16::MAX as usize;

    pub(crate) fn new(given: impl IntoIterator<Item = Node>) -> Result<Self, RingError> {
        let mut given: Vec<(Node, usize)> = given.into_iter().zip(0..).collect();
        if given.len() > Self::LIMIT {
            return Err(RingError::TooManyNodes { nodes: given.len(), limit: Self::LIMIT });
        }
        given.sort_unstable_by(|a, b| a.0.id().cmp(b.0.id()));
        if let Some(pair) = given.windows(2).find(|pair| pair[0].0.id() == pair[1].0.id()) {
            return Err(RingError::DuplicateId { id: pair[0].0.id().to_owned() });
        }
        let (nodes, places): (Vec<Node>, Vec<usize>) = given.into_iter().unzip();
        let weighted: Vec<u16> =
            (0..).zip(&nodes).filter(|(_, node)| node.weight() > 0).map(|(i, _)| i).collect();
        if weighted.is_empty() {
            return Err(RingError::NoWeight { nodes: nodes.len() });
        }
        let mut names: Vec<&str> = weighted.iter().map(|&i| nodes[usize::from(i)].zone()).collect();
        names.sort_unstable();
        names.dedup();
        // A node of weight 0 may stand in a zone of its own. Nobody asks for the number of that.
        let zone_of = |node: &Node| names.binary_search(&node.zone()).unwrap_or(0) as u16;
        let zones: Vec<u16> = nodes.iter().map(zone_of).collect();
        let mut zone_sizes = vec![0; names.len()];
        for &i in &weighted {
            zone_sizes[usize::from(zones[usize::from(i)])] += 1;
        }
        let mut as_given = weighted.clone();
        as_given.sort_unstable_by_key(|&i| places[usize::from(i)]);
        let seeds = nodes.iter().map(|node| hash_text(node.id())).collect();
        let total_weight = nodes.iter().map(|node| u64::from(node.weight())).sum();
        Ok(Self { nodes, seeds, zones, zone_sizes, weighted, as_given, total_weight })
    }

    /// All nodes, in order of their ids.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The indices of the nodes that can own something, ascending. There is at least one.
    pub fn weighted(&self) -> &[u16] {
        &self.weighted
    }

    /// The sum of the weights.
    pub fn total_weight(&self) -> u64 {
        self.total_weight
    }

    /// How many zones have nodes that can own something.
    pub fn zones(&self) -> usize {
        self.zone_sizes.len()
    }

    /// The number of a node's zone, from 0 to [`zones`](Self::zones), if the node has a weight.
    ///
    /// # Panics
    /// If there is no such node.
    #[inline]
    pub fn zone(&self, index: u16) -> u16 {
        self.zones[usize::from(index)]
    }

    /// The number that stands for a node's id where it is hashed.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn seed(&self, index: u16) -> u64 {
        self.seeds[usize::from(index)]
    }

    /// All nodes so that a ring made of them has the same positions: those with a weight in the order in which they were given.
    pub(crate) fn given(&self) -> Vec<&Node> {
        let with = self.as_given.iter().filter_map(|&i| self.nodes.get(usize::from(i)));
        with.chain(self.nodes.iter().filter(|node| node.weight() == 0)).collect()
    }

    /// The weight that all nodes have that have one, if it is the same.
    pub(crate) fn equal_weight(&self) -> Option<u32> {
        let (lowest, highest) = self.weights();
        (lowest == highest).then_some(lowest)
    }

    /// The lowest and the highest weight but 0.
    fn weights(&self) -> (u32, u32) {
        let weights = || self.weighted.iter().map(|&i| self.nodes[usize::from(i)].weight());
        (weights().min().unwrap_or(0), weights().max().unwrap_or(0))
    }

    /// The nodes with a weight, each with its position, for placements that go by it: that is its shard where the nodes have
    /// one, else its place among those that were given.
    pub(crate) fn positions(&self) -> Result<Vec<(usize, u16)>, RingError> {
        let (lowest, highest) = self.weights();
        if lowest != highest {
            return Err(RingError::UnequalWeights { lowest, highest });
        }
        let shard = |i: u16| self.nodes[usize::from(i)].shard().map(|shard| (shard, i));
        let mut shards: Vec<(u32, u16)> = self.weighted.iter().copied().filter_map(shard).collect();
        if shards.is_empty() {
            return Ok(self.as_given.iter().copied().enumerate().collect());
        }
        let (with, without) = (shards.len(), self.weighted.len() - shards.len());
        if without > 0 {
            return Err(RingError::SomeShards { with, without });
        }
        shards.sort_unstable();
        match shards.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(RingError::DuplicateShard { shard: pair[0].0 }),
            None => Ok(shards.into_iter().map(|(shard, i)| (shard as usize, i)).collect()),
        }
    }

    /// How `n` replicas spread over the zones.
    pub(crate) fn spread(&self, n: usize) -> Spread {
        let places = |level: usize| self.zone_sizes.iter().map(|&size| size.min(level)).sum::<usize>();
        let mut level = 1;
        // There are at most as many steps as replicas, and no more than nodes in a zone.
        while places(level) < n.min(self.weighted.len()) {
            level += 1;
        }
        Spread { level, wanted: if level == 1 { n } else { places(level) } }
    }

    /// Picks `n` from a ranking: first the best of every zone, then the second of every zone, and so on.
    ///
    /// `walk` gives the ranking to the function it is handed, best first, until that breaks; a node that comes again is passed
    /// over.
    ///
    /// # Cost
    /// The walk to where all that is needed has come, and O(n²) for small numbers.
    ///
    /// # Errors
    /// If there are fewer nodes with a weight; then nothing was picked.
    pub fn pick(
        &self,
        n: usize,
        picks: &mut Picks,
        walk: impl FnOnce(&mut dyn FnMut(u16) -> ControlFlow<()>),
    ) -> Result<(), PlacementError> {
        self.check(n)?;
        if n == 0 {
            return Ok(());
        }
        let spread = self.spread(n);
        let mut seen = vec![0_u64; self.nodes.len().div_ceil(64)];
        // Of each kept node how many of its zone came before it.
        let mut kept: Vec<(usize, u16)> = Vec::with_capacity(spread.wanted);
        walk(&mut |index| {
            let (word, bit) = (usize::from(index / 64), 1 << (index % 64));
            if seen[word] & bit == 0 {
                seen[word] |= bit;
                let zone = self.zone(index);
                let before = kept.iter().filter(|(_, other)| self.zone(*other) == zone).count();
                if before < spread.level {
                    kept.push((before, index));
                }
            }
            if kept.len() < spread.wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        kept.sort_by_key(|&(before, _)| before);
        picks.extend(kept.into_iter().take(n).map(|(_, index)| index));
        Ok(())
    }

    #[inline]
    pub(crate) fn check(&self, n: usize) -> Result<(), PlacementError> {
        let available = self.weighted.len();
        if n > available { Err(PlacementError::TooFewNodes { wanted: n, available }) } else { Ok(()) }
    }
}

/// Of how many zones, and how many of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    /// So many of one zone are enough.
    pub(crate) level: usize,
    /// So many that are not too many of their zone are enough.
    pub(crate) wanted: usize,
}
