//! A ring: nodes, and a strategy that says who of them owns what.

use std::fmt;

use crate::error::{PlacementError, RingError};
use crate::members::Members;
use crate::moves::Moves;
use crate::node::Node;
use crate::picks::Picks;
use crate::placement::Placement;
use crate::placement::rendezvous::Rendezvous;

/// Who owns what, as long as nobody comes or goes. It does not change: a change is another ring, and [`Moves`] says what moves.
///
/// Whoever builds it from the same nodes, in whatever order, gets the same answers. (With [`Jump`](crate::Jump) and
/// [`Anchor`](crate::Anchor), which go by positions, the order matters unless the nodes say their shard.) A node of weight 0 is
/// part of it and owns nothing.
///
/// ```
/// use promha_shard_ring::{Node, Ring, hash_text};
///
/// let nodes = [("a", "x"), ("b", "x"), ("c", "y")].map(|(id, zone)| Node::new(id).with_zone(zone));
/// let ring = Ring::new(nodes)?;
/// let key = hash_text("10.0.0.1:9100");
/// let replicas: Vec<&Node> = ring.replicas(key, 2)?.collect();
/// assert_eq!(replicas[0], ring.owner(key));
/// assert_ne!(replicas[0].zone(), replicas[1].zone());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring<P = Rendezvous> {
    members: Members,
    placement: P,
}

impl Ring {
    /// Nodes under weighted rendezvous, the strategy for everything that is not looked up millions of times.
    ///
    /// # Errors
    /// If two nodes have the same id, none has a weight, or there are more than [`Members::LIMIT`].
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Result<Self, RingError> {
        Self::with(nodes, Rendezvous::new)
    }
}

impl<P: Placement> Ring<P> {
    /// Nodes under the strategy that `place` makes for them: `Table::new`, say, or a closure with its numbers.
    ///
    /// # Errors
    /// If two nodes have the same id, none has a weight, there are more than [`Members::LIMIT`], or `place` fails.
    pub fn with(
        nodes: impl IntoIterator<Item = Node>,
        place: impl FnOnce(&Members) -> Result<P, RingError>,
    ) -> Result<Self, RingError> {
        let members = Members::new(nodes)?;
        let placement = place(&members)?;
        Ok(Self { members, placement })
    }

    /// Who owns a key.
    ///
    /// # Cost
    /// That of the strategy.
    #[inline]
    pub fn owner(&self, key: u64) -> &Node {
        &self.members.nodes()[usize::from(self.placement.owner(key))]
    }

    /// Whether a node owns a key. One that is no member owns nothing.
    pub fn owns(&self, id: &str, key: u64) -> bool {
        self.owner(key).id() == id
    }

    /// The owner of a key and those next to it, best first: distinct nodes, all with a weight, and each in another zone while
    /// there are zones; then in each zone a second one before a third in any. Of more replicas the first ones are those of fewer.
    ///
    /// # Cost
    /// That of the strategy. Up to eight are given without an allocation by [`Table`](crate::Table), and by
    /// [`Rendezvous`] among nodes of one zone.
    ///
    /// # Errors
    /// If `n` is more than there are nodes with a weight, or than a table was compiled for.
    #[inline]
    pub fn replicas(&self, key: u64, n: usize) -> Result<Replicas<'_>, PlacementError> {
        let mut picks = Picks::default();
        self.placement.replicas(&self.members, key, n, &mut picks)?;
        Ok(Replicas { nodes: self.members.nodes(), picks, next: 0 })
    }

    /// What moves of these keys, each with its cost, from this ring to the `next` one: [`Moves::of_keys`].
    pub fn moves<Q: Placement>(&self, next: &Ring<Q>, keys: impl IntoIterator<Item = (u64, u64)>) -> Moves {
        Moves::of_keys(self, next, keys)
    }

    /// Of each node, in order of ids, the part of all positions it owns, if ownership goes by position.
    pub fn shares(&self) -> Option<Vec<f64>> {
        let mut owned = vec![0_u128; self.nodes().len()];
        let mut start = 0;
        for arc in self.placement.arcs()? {
            owned[usize::from(arc.owner)] += u128::from(arc.last) + 1 - start;
            start = u128::from(arc.last) + 1;
        }
        Some(owned.into_iter().map(|owned| owned as f64 / 2f64.powi(64)).collect())
    }

    /// All nodes in order of their ids.
    pub fn nodes(&self) -> &[Node] {
        self.members.nodes()
    }

    /// The node of an id. `O(log n)`.
    pub fn node(&self, id: &str) -> Option<&Node> {
        let at = self.nodes().binary_search_by(|node| node.id().cmp(id)).ok()?;
        self.nodes().get(at)
    }

    /// The nodes as placements see them.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The strategy.
    pub fn placement(&self) -> &P {
        &self.placement
    }
}

/// A few lines for people: the strategy, the nodes, their weights and zones.
impl<P: Placement> fmt::Debug for Ring<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let (nodes, total) = (self.nodes().len(), self.members.total_weight());
        let (name, zones) = (self.placement.name(), self.members.zones());
        write!(f, "Ring by {name}: {nodes} nodes, weight {total}, {zones} zones")?;
        for node in self.nodes().iter().take(SHOWN) {
            let percent = f64::from(node.weight()) / total as f64 * 100.0;
            write!(f, "\n  {}  weight {} ({percent:.1} %)", node.id(), node.weight())?;
            if !node.zone().is_empty() {
                write!(f, "  zone {}", node.zone())?;
            }
            if let Some(shard) = node.shard() {
                write!(f, "  shard {shard}")?;
            }
        }
        if nodes > SHOWN { write!(f, "\n  and {} more", nodes - SHOWN) } else { Ok(()) }
    }
}

/// The replicas of a key, best first.
#[derive(Debug, Clone)]
pub struct Replicas<'a> {
    nodes: &'a [Node],
    picks: Picks,
    next: usize,
}

impl<'a> Iterator for Replicas<'a> {
    type Item = &'a Node;

    #[inline]
    fn next(&mut self) -> Option<&'a Node> {
        let &index = self.picks.as_slice().get(self.next)?;
        self.next += 1;
        self.nodes.get(usize::from(index))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.picks.as_slice().len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Replicas<'_> {}
