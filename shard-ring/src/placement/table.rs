//! A table of slots with their owner and replicas: the fast way from a series to a node.

use std::fmt;
use std::ops::ControlFlow;

use super::slots::Bidders;
use super::{Arc, Placement, position};
use crate::error::{PlacementError, RingError};
use crate::members::Members;
use crate::picks::Picks;

/// For the hot path: an owner is one read of memory, replicas are two, however many nodes there are, with weights and zones.
///
/// It is compiled from weighted rendezvous over slots, a slot being all keys at one of 2^20 (if nothing else is said) equal parts of
/// the positions. So nothing moves needlessly, and what moves is known exactly ([`Moves::exact`](crate::Moves::exact)). How many
/// slots there are is part of the answer: take enough for the largest number of nodes there ever will be, 4096 for each, and
/// shares are within a few per cent of even.
///
/// # Cost
/// `O(1)`. Compiling takes `O(slots · ln slots)` at most, whatever the number of nodes, unless zones of very little weight must be
/// waited for. 2 bytes for each slot and replica.
///
/// ```
/// use promha_shard_ring::{Node, PlacementError, Ring, Table, hash_labels};
///
/// let nodes = ["a", "b", "c", "d"].map(Node::new);
/// let ring = Ring::with(nodes, |members| Table::with_slots(members, 1 << 14, 3))?;
/// let key = hash_labels(&[("__name__", "up"), ("instance", "localhost:9090")]);
/// assert_eq!(ring.replicas(key, 3)?.next(), Some(ring.owner(key)));
/// let error = ring.replicas(key, 4).unwrap_err();
/// assert_eq!(error, PlacementError::NotCompiled { wanted: 4, compiled: 3 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Table {
    owners: Vec<u16>,
    /// Of each slot the replicas but the owner.
    others: Vec<u16>,
    replicas: usize,
    /// How far a position is shifted to find its slot.
    shift: u32,
    /// Who is asked when the table is walked through beyond what is compiled.
    bidders: Bidders,
}

/// Nobody.
const FREE: u16 = u16::MAX;

impl Table {
    /// Slots, if nothing else is said: enough for 256 nodes, and 6 MiB with three replicas.
    pub const SLOTS: usize = 1 << 20;
    /// The most replicas of a slot.
    pub const REPLICAS: usize = 16;

    /// With [`SLOTS`](Self::SLOTS) slots and three replicas of each, or fewer if there are fewer nodes.
    ///
    /// # Errors
    /// None.
    pub fn new(members: &Members) -> Result<Self, RingError> {
        Self::with_slots(members, Self::SLOTS, 3)
    }

    /// Whether it is what [`new`](Self::new) makes for these members.
    #[cfg(feature = "serde")]
    pub(crate) fn is_default(&self, members: &Members) -> bool {
        self.owners.len() == Self::SLOTS && self.replicas == members.weighted().len().min(3)
    }

    /// With so many slots (a power of two from 2^4 to 2^24), and so many replicas of each (from 1 to
    /// [`REPLICAS`](Self::REPLICAS)) or as many as there are nodes with a weight, if they are fewer.
    ///
    /// # Errors
    /// If a number is not one of those.
    pub fn with_slots(members: &Members, slots: usize, replicas: usize) -> Result<Self, RingError> {
        if replicas == 0 || replicas > Self::REPLICAS {
            return Err(RingError::TableReplicas { replicas, most: Self::REPLICAS });
        }
        let bidders = Bidders::new(members, slots)?;
        let replicas = replicas.min(members.weighted().len());
        let rows = Rows::compile(members, &bidders, replicas);
        let row = |slot: usize| &rows.entries[slot * rows.width..][..replicas];
        Ok(Self {
            owners: (0..slots).map(|slot| row(slot)[0]).collect(),
            others: (0..slots).flat_map(|slot| &row(slot)[1..]).copied().collect(),
            replicas,
            shift: 64 - slots.trailing_zeros(),
            bidders,
        })
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.owners.len()
    }

    /// How many replicas of each are compiled.
    pub fn compiled_replicas(&self) -> usize {
        self.replicas
    }

    #[inline]
    fn slot(&self, key: u64) -> usize {
        (position(key) >> self.shift) as usize
    }
}

/// Slots while they fill: of each the best bidders so far, best first, of each zone not more than there is a use for.
struct Rows<'a> {
    members: &'a Members,
    bidders: &'a Bidders,
    entries: Vec<u16>,
    width: usize,
    level: usize,
    /// Slots whose bidders are known, one bit each.
    closed: Vec<u64>,
}

impl<'a> Rows<'a> {
    fn compile(members: &'a Members, bidders: &'a Bidders, replicas: usize) -> Self {
        let spread = members.spread(replicas);
        let (width, level) = (spread.wanted, spread.level);
        let entries = vec![FREE; bidders.slots() * width];
        let closed = vec![0; bidders.slots().div_ceil(64)];
        let mut rows = Self { members, bidders, entries, width, level, closed };
        let goes_on = |rows: &mut Self, node: Option<u16>| node.is_some() || !rows.close();
        bidders.rounds(&mut rows, goes_on, |rows, bid, slot| rows.offer(bid, slot));
        if level > 1 {
            rows.alternate_zones();
        }
        rows
    }

    /// Takes a bid for a slot, if it is one of the best.
    #[inline]
    fn offer(&mut self, bid: super::bid::Bid, slot: usize) {
        if self.closed[slot / 64] >> (slot % 64) & 1 == 1 {
            return;
        }
        let zone = self.members.zone(bid.index);
        let row = &mut self.entries[slot * self.width..][..self.width];
        let bidders = self.bidders;
        let better = |other: u16| other == FREE || bid.beats(&bidders.bid(other, slot as u64));
        let at = row.iter().position(|&other| better(other)).unwrap_or(row.len());
        let same = |other: &&u16| **other != FREE && self.members.zone(**other) == zone;
        let before = row[..at].iter().filter(same).count();
        if at == row.len() || before >= self.level {
            return;
        }
        let behind = row[at..].iter().filter(same).count();
        // Who goes: the last of the zone if it has too many now, else the last of all, if there is one.
        let goes = if before + behind == self.level {
            row.iter().rposition(|other| same(&other))
        } else {
            row.iter().position(|&other| other == FREE)
        };
        let goes = goes.unwrap_or(row.len() - 1);
        row[at..=goes].rotate_right(1);
        row[at] = bid.index;
    }

    /// Closes the slots that are full after a round, and says whether all are.
    fn close(&mut self) -> bool {
        let mut all = true;
        for (slot, row) in self.entries.chunks_exact(self.width).enumerate() {
            let full = row[self.width - 1] != FREE;
            self.closed[slot / 64] |= u64::from(full) << (slot % 64);
            all &= full;
        }
        all
    }

    /// First the best of every zone, then the second of every zone.
    fn alternate_zones(&mut self) {
        let mut ranked = Vec::with_capacity(self.width);
        for row in self.entries.chunks_exact_mut(self.width) {
            ranked.clear();
            for (i, &index) in row.iter().enumerate() {
                let zone = self.members.zone(index);
                ranked.push((
                    row[..i].iter().filter(|&&other| self.members.zone(other) == zone).count(),
                    index,
                ));
            }
            ranked.sort_by_key(|&(before, _)| before);
            for (entry, &(_, index)) in row.iter_mut().zip(&ranked) {
                *entry = index;
            }
        }
    }
}

impl Placement for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    #[inline]
    fn owner(&self, key: u64) -> u16 {
        self.owners[self.slot(key)]
    }

    /// The obvious twin: it asks everybody.
    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        let mut bids: Vec<_> = self.bidders.bids(self.slot(key) as u64).collect();
        bids.sort_unstable();
        let _ = bids.into_iter().try_for_each(|bid| visit(bid.index));
    }

    #[inline]
    fn replicas(
        &self,
        members: &Members,
        key: u64,
        n: usize,
        picks: &mut Picks,
    ) -> Result<(), PlacementError> {
        if n > self.replicas {
            members.check(n)?;
            return Err(PlacementError::NotCompiled { wanted: n, compiled: self.replicas });
        }
        let Some(others) = n.checked_sub(1) else { return Ok(()) };
        let slot = self.slot(key);
        picks.push(self.owners[slot]);
        picks.extend(self.others[slot * (self.replicas - 1)..][..others].iter().copied());
        Ok(())
    }

    fn arcs(&self) -> Option<Box<dyn Iterator<Item = Arc> + '_>> {
        let last = |slot: usize| ((slot as u64) << self.shift) | ((1 << self.shift) - 1);
        Some(Box::new(
            self.owners.iter().enumerate().map(move |(slot, &owner)| Arc { last: last(slot), owner }),
        ))
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.owners) + size_of_val(&*self.others) + self.bidders.heap_bytes()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table {{ {} slots, {} replicas }}", self.slots(), self.replicas)
    }
}
