//! What there is to report of a ring: loads, and what moves to the rings that might follow.

use super::{Addition, Change, Report, Row, counted};
use crate::error::RingError;
use crate::members::Members;
use crate::node::Node;
use crate::placement::{Placement, position};
use crate::ring::Ring;

/// `n` keys without a pattern, each of cost 1, for a report on a ring whose real keys are not at hand.
///
/// ```
/// use promha_shard_ring::report::even_keys;
///
/// assert_eq!(even_keys(3).map(|(_, cost)| cost).sum::<u64>(), 3);
/// assert!(even_keys(3).eq(even_keys(3)), "always the same");
/// ```
pub fn even_keys(n: u64) -> impl Iterator<Item = (u64, u64)> + Clone {
    (0..n).map(|i| (position(i), 1))
}

/// A key, what it costs, and who owns it now.
struct Owned {
    key: u64,
    cost: u64,
    owner: u16,
}

impl Report {
    /// Of a ring and keys, each with its cost ([`even_keys`], if there are none at hand). `place` makes the strategy for other
    /// nodes, as it did for the ring: each node is removed in turn, and one is added. That one weighs 1, or what all others weigh.
    ///
    /// Where there is no such ring (nobody would be left, or `place` refuses), there is no [`Row::removal`] or
    /// [`addition`](Self::addition).
    ///
    /// # Cost
    /// One ring is built for each node, and one more. Every key is looked up in all of them, and takes 24 bytes meanwhile.
    ///
    /// ```
    /// use promha_shard_ring::report::{Report, even_keys};
    /// use promha_shard_ring::{Node, Rendezvous, Ring};
    ///
    /// let ring = Ring::new(["a", "b", "c"].map(Node::new))?;
    /// let report = Report::of_ring(&ring, Rendezvous::new, even_keys(3_000));
    /// assert_eq!((report.total(), report.needless()), (3_000, 0));
    /// let a = &report.rows()[0];
    /// assert_eq!(a.removal().map(|removal| removal.moved), Some(a.load()), "what it had, no more");
    /// # Ok::<(), promha_shard_ring::RingError>(())
    /// ```
    pub fn of_ring<P: Placement>(
        ring: &Ring<P>,
        mut place: impl FnMut(&Members) -> Result<P, RingError>,
        keys: impl IntoIterator<Item = (u64, u64)>,
    ) -> Self {
        let owned = |(key, cost)| Owned { key, cost, owner: ring.placement().owner(key) };
        let keys: Vec<Owned> = keys.into_iter().map(owned).collect();
        let mut loads = vec![0_u128; ring.nodes().len()];
        for key in &keys {
            loads[usize::from(key.owner)] += u128::from(key.cost);
        }
        let mut change = |nodes: Vec<Node>, ideal: f64| {
            let next = Ring::with(nodes, &mut place).ok()?;
            Some(compare(ring, &next, &keys, ideal))
        };

        // Where positions count, nodes must be given again as they were.
        let given = ring.members().given();
        let mut rows = Vec::with_capacity(loads.len());
        for (node, &load) in ring.nodes().iter().zip(&loads) {
            let rest = given.iter().copied().filter(|other| other.id() != node.id()).cloned().collect();
            let removal = change(rest, load as f64);
            let (id, zone) = (node.id().to_owned(), node.zone().to_owned());
            rows.push(Row { id, zone, weight: node.weight(), load, removal });
        }

        let new = newcomer(ring.members());
        let (weight, all) = (new.weight(), ring.members().total_weight() as f64);
        let total = loads.iter().sum::<u128>() as f64;
        let more = given.into_iter().cloned().chain([new]).collect();
        let grown = change(more, total * f64::from(weight) / (all + f64::from(weight)));
        let addition = grown.map(|change| Addition { weight, change });

        let title = format!("Ring by {}, {}", ring.placement().name(), counted(rows.len(), "node"));
        Self { addition, ..Self::of_loads(title, rows) }
    }
}

/// A node that fits: of an id nobody has, and of a weight, a zone and a shard that every strategy takes beside those of the others.
fn newcomer(members: &Members) -> Node {
    let mut id = "one more".to_owned();
    while members.nodes().iter().any(|node| node.id() == id) {
        id.push('+');
    }
    let new = Node::new(id).with_weight(members.equal_weight().unwrap_or(1));
    let others = || members.weighted().iter().filter_map(|&i| members.nodes().get(usize::from(i)));
    let new = others().next().map_or(new.clone(), |other| new.with_zone(other.zone()));
    match others().filter_map(Node::shard).max().and_then(|shard| shard.checked_add(1)) {
        Some(shard) => new.with_shard(shard),
        None => new,
    }
}

fn compare<P: Placement>(old: &Ring<P>, new: &Ring<P>, keys: &[Owned], ideal: f64) -> Change {
    let index = |ring: &Ring<P>, node: &Node| {
        ring.nodes().binary_search_by(|other| other.id().cmp(node.id())).ok().map(|at| at as u16)
    };
    let stays: Vec<Option<u16>> = old.nodes().iter().map(|node| index(new, node)).collect();
    let was: Vec<bool> = new.nodes().iter().map(|node| index(old, node).is_some()).collect();
    let mut change = Change { moved: 0, ideal, needless: 0 };
    for &Owned { key, cost, owner } in keys {
        let to = new.placement().owner(key);
        let stays = stays[usize::from(owner)];
        if stays != Some(to) {
            change.moved += u128::from(cost);
            if stays.is_some() && was[usize::from(to)] {
                change.needless += u128::from(cost);
            }
        }
    }
    change
}
