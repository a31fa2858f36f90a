//! What moves from one ring to the next, exactly.

use std::collections::BTreeMap;
use std::fmt;

use crate::placement::{Arc, Placement};
use crate::ring::Ring;

/// What moves when one ring takes the place of another: between whom, and how much of what there is.
///
/// Its text is a summary for people.
///
/// ```
/// use promha_shard_ring::{Moves, Node, Ring};
///
/// let old = Ring::new(["a", "b"].map(Node::new))?;
/// let new = Ring::new(["a", "b", "c"].map(Node::new))?;
/// let moves = Moves::of_keys(&old, &new, (0..3_000).map(|key| (key, 1)));
/// assert!(moves.flows().iter().all(|flow| flow.to == "c"), "nothing else moves");
/// assert_eq!(moves.needless(), 0);
/// assert_eq!(moves.to_string(), "\
/// 961 of 3000 keys move (32.03 %)
///   b -> c: 494 (16.47 %)
///   a -> c: 467 (15.57 %)");
/// # Ok::<(), promha_shard_ring::RingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moves {
    flows: Vec<Flow>,
    unit: Unit,
    keys: u128,
    cost: u128,
}

/// What moves from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The id of the owner in the old ring.
    pub from: String,
    /// The id of the owner in the new one.
    pub to: String,
    /// How many keys, or positions.
    pub keys: u128,
    /// The sum of their costs; of positions, how many there are.
    pub cost: u128,
    /// Whether both nodes are in both rings, with the same weight.
    pub needless: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Keys,
    Positions,
}

/// A key that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move<'a> {
    /// Which one.
    pub key: u64,
    /// Who owns it in the old ring.
    pub from: &'a crate::Node,
    /// Who owns it in the new one.
    pub to: &'a crate::Node,
}

impl Move<'_> {
    /// Those of the keys that move, one by one.
    ///
    /// ```
    /// use promha_shard_ring::{Move, Node, Ring};
    ///
    /// let (old, new) = (Ring::new([Node::new("a")])?, Ring::new([Node::new("b")])?);
    /// let moved: Vec<Move<'_>> = Move::between(&old, &new, [7]).collect();
    /// assert_eq!((moved[0].key, moved[0].from.id(), moved[0].to.id()), (7, "a", "b"));
    /// # Ok::<(), promha_shard_ring::RingError>(())
    /// ```
    pub fn between<'a, P: Placement, Q: Placement>(
        old: &'a Ring<P>,
        new: &'a Ring<Q>,
        keys: impl IntoIterator<Item = u64>,
    ) -> impl Iterator<Item = Move<'a>> {
        let both = keys.into_iter().map(|key| Move { key, from: old.owner(key), to: new.owner(key) });
        both.filter(|moved| moved.from.id() != moved.to.id())
    }
}

impl Moves {
    /// What moves of these keys, each with what it costs (1, say, or the number of its series).
    ///
    /// # Cost
    /// Two lookups for each key.
    pub fn of_keys<P: Placement, Q: Placement>(
        old: &Ring<P>,
        new: &Ring<Q>,
        keys: impl IntoIterator<Item = (u64, u64)>,
    ) -> Self {
        let mut tally = Tally::new(old, new, Unit::Keys);
        for (key, cost) in keys {
            tally.add(old.placement().owner(key), new.placement().owner(key), 1, u128::from(cost));
        }
        tally.finish()
    }

    /// What moves of all positions, hence of all keys there could be, if both rings go by position (token rings, tables, bounded
    /// ones).
    ///
    /// # Cost
    /// As many steps as there are tokens or slots in both.
    ///
    /// ```
    /// use promha_shard_ring::{Moves, Node, Ring, Table};
    ///
    /// let table = |ids: &[&str]| Ring::with(ids.iter().copied().map(Node::new), |members| Table::with_slots(members, 1 << 16, 1));
    /// let moves = Moves::exact(&table(&["a", "b"])?, &table(&["a", "b", "c"])?).unwrap();
    /// assert!((moves.moved_fraction() - 1.0 / 3.0).abs() < 0.01);
    /// # Ok::<(), promha_shard_ring::RingError>(())
    /// ```
    pub fn exact<P: Placement, Q: Placement>(old: &Ring<P>, new: &Ring<Q>) -> Option<Self> {
        let (mut old_arcs, mut new_arcs) = (old.placement().arcs()?, new.placement().arcs()?);
        let mut tally = Tally::new(old, new, Unit::Positions);
        let (mut from, mut to) = (old_arcs.next(), new_arcs.next());
        let mut start = 0;
        while let (
            Some(Arc { last: old_last, owner: old_owner }),
            Some(Arc { last: new_last, owner: new_owner }),
        ) = (from, to)
        {
            let end = u128::from(old_last.min(new_last)) + 1;
            tally.add(old_owner, new_owner, end - start, end - start);
            start = end;
            if old_last <= new_last {
                from = old_arcs.next();
            }
            if new_last <= old_last {
                to = new_arcs.next();
            }
        }
        Some(tally.finish())
    }

    /// Between whom, the largest first. Nobody is in it that only keeps what it has.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// How many keys or positions move.
    pub fn moved(&self) -> u128 {
        self.flows.iter().map(|flow| flow.keys).sum()
    }

    /// What they cost.
    pub fn moved_cost(&self) -> u128 {
        self.flows.iter().map(|flow| flow.cost).sum()
    }

    /// How many keys or positions there are: of positions 2^64.
    pub fn total(&self) -> u128 {
        self.keys
    }

    /// What all of them cost.
    pub fn total_cost(&self) -> u128 {
        self.cost
    }

    /// Which part moves, from 0 to 1; by number, not by cost.
    pub fn moved_fraction(&self) -> f64 {
        fraction(self.moved(), self.keys)
    }

    /// How many move between two nodes that both stay and weigh what they weighed: with a good strategy, 0.
    pub fn needless(&self) -> u128 {
        self.flows.iter().filter(|flow| flow.needless).map(|flow| flow.keys).sum()
    }
}

impl fmt::Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        let percent = self.moved_fraction() * 100.0;
        match self.unit {
            Unit::Keys => write!(f, "{} of {} keys move ({percent:.2} %)", self.moved(), self.keys)?,
            Unit::Positions => write!(f, "{percent:.2} % of all keys move")?,
        }
        if self.unit == Unit::Keys && self.cost != self.keys {
            let percent = fraction(self.moved_cost(), self.cost) * 100.0;
            write!(f, ", with {} of a cost of {} ({percent:.2} %)", self.moved_cost(), self.cost)?;
        }
        if self.needless() > 0 {
            write!(f, ", {:.2} % needlessly", fraction(self.needless(), self.keys) * 100.0)?;
        }
        for Flow { from, to, keys, .. } in self.flows.iter().take(SHOWN) {
            let percent = fraction(*keys, self.keys) * 100.0;
            match self.unit {
                Unit::Keys => write!(f, "\n  {from} -> {to}: {keys} ({percent:.2} %)")?,
                Unit::Positions => write!(f, "\n  {from} -> {to}: {percent:.2} %")?,
            }
        }
        let more = self.flows.len().saturating_sub(SHOWN);
        if more > 0 { write!(f, "\n  and between {more} more pairs") } else { Ok(()) }
    }
}

fn fraction(part: u128, whole: u128) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Adds up what goes from whom to whom.
struct Tally<'a, P, Q> {
    old: &'a Ring<P>,
    new: &'a Ring<Q>,
    /// Of each node of the old ring its index in the new one.
    stays: Vec<Option<u16>>,
    flows: BTreeMap<(u16, u16), (u128, u128)>,
    moves: Moves,
}

impl<'a, P: Placement, Q: Placement> Tally<'a, P, Q> {
    fn new(old: &'a Ring<P>, new: &'a Ring<Q>, unit: Unit) -> Self {
        let index =
            |id: &str| new.nodes().binary_search_by(|node| node.id().cmp(id)).ok().map(|at| at as u16);
        let stays = old.nodes().iter().map(|node| index(node.id())).collect();
        let moves = Moves { flows: Vec::new(), unit, keys: 0, cost: 0 };
        Self { old, new, stays, flows: BTreeMap::new(), moves }
    }

    fn add(&mut self, from: u16, to: u16, keys: u128, cost: u128) {
        self.moves.keys += keys;
        self.moves.cost += cost;
        if self.stays[usize::from(from)] != Some(to) {
            let flow = self.flows.entry((from, to)).or_default();
            flow.0 += keys;
            flow.1 += cost;
        }
    }

    fn finish(mut self) -> Moves {
        let (old, new) = (self.old, self.new);
        let same = |id: &str| {
            old.node(id).zip(new.node(id)).is_some_and(|(before, after)| before.weight() == after.weight())
        };
        for ((from, to), (keys, cost)) in self.flows {
            let from = old.nodes()[usize::from(from)].id();
            let to = new.nodes()[usize::from(to)].id();
            let needless = same(from) && same(to);
            self.moves.flows.push(Flow { from: from.to_owned(), to: to.to_owned(), keys, cost, needless });
        }
        self.moves.flows.sort_by(|a, b| (b.keys, &a.from, &a.to).cmp(&(a.keys, &b.from, &b.to)));
        self.moves
    }
}
