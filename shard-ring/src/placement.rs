//! Strategies: how nodes come to own keys.

pub(crate) mod anchor;
pub(crate) mod bid;
pub(crate) mod bounded;
pub(crate) mod jump;
pub(crate) mod rendezvous;
pub(crate) mod slots;
pub(crate) mod table;
pub(crate) mod tokens;

use std::fmt::Debug;
use std::ops::ControlFlow;

use crate::error::PlacementError;
use crate::members::Members;
use crate::picks::Picks;

/// A strategy, made for the nodes of one ring, which it knows by their index.
///
/// Whoever implements it says who owns a key and who would next; that the replicas stand in different zones follows.
///
/// ```
/// use std::ops::ControlFlow;
/// use promha_shard_ring::{Members, Node, Placement, Ring};
///
/// /// What not to do: nearly everything moves when a node comes.
/// #[derive(Debug)]
/// struct Modulo(u16);
///
/// impl Placement for Modulo {
///     fn name(&self) -> &'static str {
///         "modulo"
///     }
///     fn owner(&self, key: u64) -> u16 {
///         (key % u64::from(self.0)) as u16
///     }
///     fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
///         let _ = (0..self.0).try_for_each(|i| visit((self.owner(key) + i) % self.0));
///     }
/// }
///
/// let of = |members: &Members| Ok(Modulo(members.nodes().len() as u16));
/// let ring = Ring::with([Node::new("a"), Node::new("b"), Node::new("c")], of)?;
/// assert_eq!(ring.owner(4).id(), "b");
/// assert!(ring.replicas(4, 2)?.map(Node::id).eq(["b", "c"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Placement: Debug {
    /// What it is called, for people.
    fn name(&self) -> &'static str;

    /// Who owns a key: the index of a node with a weight.
    fn owner(&self, key: u64) -> u16;

    /// Gives every node with a weight to `visit`, in the order in which they would own the key if those before were not there,
    /// until it breaks. The first one is the owner. A node may come again.
    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>);

    /// The owner and those next to it, `n` in all, in distinct zones while there are enough.
    ///
    /// # Errors
    /// If there are no `n`; then nothing was picked.
    #[inline]
    fn replicas(
        &self,
        members: &Members,
        key: u64,
        n: usize,
        picks: &mut Picks,
    ) -> Result<(), PlacementError> {
        members.pick(n, picks, |visit| self.walk(key, visit))
    }

    /// Who owns which part of all positions, if ownership goes by position: ascending, without gaps, up to `u64::MAX`. The
    /// position of a key is where [`position`] puts it.
    fn arcs(&self) -> Option<Box<dyn Iterator<Item = Arc> + '_>> {
        None
    }

    /// What it takes on the heap, in bytes.
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl<P: Placement + ?Sized> Placement for Box<P> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn owner(&self, key: u64) -> u16 {
        (**self).owner(key)
    }

    fn walk(&self, key: u64, visit: &mut dyn FnMut(u16) -> ControlFlow<()>) {
        (**self).walk(key, visit);
    }

    fn replicas(
        &self,
        members: &Members,
        key: u64,
        n: usize,
        picks: &mut Picks,
    ) -> Result<(), PlacementError> {
        (**self).replicas(members, key, n, picks)
    }

    fn arcs(&self) -> Option<Box<dyn Iterator<Item = Arc> + '_>> {
        (**self).arcs()
    }

    fn heap_bytes(&self) -> usize {
        (**self).heap_bytes()
    }
}

/// A part of all positions that one node owns: from where the arc before ends, to here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arc {
    /// The last position of it.
    pub last: u64,
    /// The index of its owner.
    pub owner: u16,
}

/// Where a key stands, in strategies that go by position: a bijection without a pattern, so that keys need not be well mixed.
///
/// ```
/// use promha_shard_ring::position;
///
/// assert_eq!(position(0), 0);
/// assert!(position(1) > 1 << 62, "neighbours stand apart");
/// ```
#[inline]
pub fn position(key: u64) -> u64 {
    crate::hash::mix(key)
}

/// `n` keys that stand in for one, for strategies that name an owner but nobody next to it: they are asked again.
pub(crate) fn probes(key: u64, n: usize) -> impl Iterator<Item = u64> {
    (0..n as u64).map(move |i| if i == 0 { key } else { crate::hash::draw(key, i) })
}
