//! The merge as a state machine: it says what it needs, the caller fetches it in whatever way it likes.

use std::cmp::Ordering;
use std::fmt;

use crate::order::OutOfOrder;
use crate::tree::LoserTree;

/// Merges sorted sources of keys `K` under the order `C`, as a state machine.
///
/// Call [`poll`](Self::poll) in a loop and do what the [`Step`] says. The machine never calls back, so the
/// caller is free to await, block or stop between two calls; dropping it is how a merge is abandoned.
///
/// All sources that [`needed`](Self::needed) lists are wanted at the same time: at the start these are all
/// sources, later the members of the last group. A caller may fetch them at once and supply them in any
/// order; `poll` names the lowest that is still missing and does not go on without it.
///
/// Of the payload that belongs to a key the machine knows nothing: keep it beside the source, or make it part
/// of `K`.
///
/// # Cost
/// With `k` sources a key costs at most `ceil(log2 k)` comparisons to merge, and one more against its
/// predecessor to verify the order of the source. Finding the members of a group costs none. Memory is one
/// key a source; nothing is allocated after `new`.
///
/// ```
/// use promha_merge::{Merge, Step};
///
/// let mut sources = [vec![1, 4].into_iter(), vec![1, 2].into_iter()];
/// let mut merge = Merge::new(sources.len(), |a: &i32, b: &i32| a.cmp(b));
/// let mut seen = Vec::new();
/// loop {
///     match merge.poll() {
///         Step::Need(source) => match sources[source].next() {
///             Some(key) => drop(merge.supply(source, key)?),
///             None => drop(merge.exhaust(source)),
///         },
///         Step::Tied(group) => {
///             let group = group.to_vec();
///             seen.push((*merge.key(group[0]).unwrap(), group));
///         }
///         Step::Done => break,
///     }
/// }
/// assert_eq!(seen, [(1, vec![0, 1]), (2, vec![1]), (4, vec![0])]);
/// # Ok::<(), promha_merge::OutOfOrder<i32>>(())
/// ```
pub struct Merge<K, C> {
    compare: C,
    sources: Vec<Source<K>>,
    tree: LoserTree,
    /// What the tree has not seen yet: all sources, then always the last group.
    changed: Vec<usize>,
    /// Where in `changed` the first source stands that may still be awaited.
    asked: usize,
}

#[derive(Debug)]
enum Source<K> {
    /// The next key is wanted. The previous one is kept: it is the group's key while the caller looks at the
    /// group.
    Awaited {
        previous: Option<K>,
    },
    Ready(K),
    Exhausted,
}

/// What a [`Merge`] wants its caller to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Fetch the next key of this source, then call [`Merge::supply`] or [`Merge::exhaust`]. Asked again
    /// until that happens.
    Need(usize),
    /// These sources, ascending, share the smallest key that is left: [`Merge::key`] of any of them gives it.
    /// Their next keys are needed from now on.
    Tied(&'a [usize]),
    /// All sources are exhausted. Every later poll says so again.
    Done,
}

impl<K, C: Fn(&K, &K) -> Ordering> Merge<K, C> {
    /// A merge of that many sources, named `0..sources`. `compare` must be a total order, or the output has
    /// none.
    pub fn new(sources: usize, compare: C) -> Self {
        let mut tree = LoserTree::default();
        tree.reset(sources);
        Self {
            compare,
            sources: (0..sources).map(|_| Source::Awaited { previous: None }).collect(),
            tree,
            changed: (0..sources).collect(),
            asked: 0,
        }
    }

    /// What to do next. Asking twice without doing it gives the same answer, except that a group is handed
    /// out once.
    ///
    /// `O(g log k)` for a group of `g` sources.
    pub fn poll(&mut self) -> Step<'_> {
        if let Some(source) = self.first_awaited() {
            return Step::Need(source);
        }
        self.play();
        self.tree.tied_with_winner(&mut self.changed);
        self.asked = 0;
        self.changed.retain(|&source| self.sources.get_mut(source).is_some_and(Source::await_next));
        if self.changed.is_empty() { Step::Done } else { Step::Tied(&self.changed) }
    }

    /// Gives the next key of a source that is needed, and takes back the one before it (none the first time)
    /// to be reused.
    ///
    /// A source that is not needed is left as it is: the key it has must come out first. `key` itself is
    /// handed back then. The same happens with a source that does not exist.
    ///
    /// # Errors
    /// [`OutOfOrder`] if `key` is not greater than the one before it. The source is exhausted by that; the
    /// merge can go on.
    pub fn supply(&mut self, source: usize, key: K) -> Result<Option<K>, OutOfOrder<K>> {
        let Some(slot @ Source::Awaited { .. }) = self.sources.get_mut(source) else {
            return Ok(Some(key));
        };
        match slot.take_previous() {
            Some(previous) if (self.compare)(&previous, &key) != Ordering::Less => {
                *slot = Source::Exhausted;
                Err(OutOfOrder { source, previous, next: key })
            }
            previous => {
                *slot = Source::Ready(key);
                Ok(previous)
            }
        }
    }

    fn play(&mut self) {
        let Self { compare, sources, tree, changed, .. } = self;
        tree.play(changed, |a, b| match (&sources[a], &sources[b]) {
            (Source::Ready(a), Source::Ready(b)) => compare(a, b),
            (Source::Ready(_), _) => Ordering::Less,
            (_, Source::Ready(_)) => Ordering::Greater,
            // Neither has a key. Their order does not matter, and no tie may be noted between them.
            _ => Ordering::Less,
        });
    }
}

impl<K, C> Merge<K, C> {
    /// Says that a source that is needed has no more keys, and takes back its last one.
    ///
    /// A source that is not needed is left as it is (the key it has must come out first), as is one that does
    /// not exist.
    pub fn exhaust(&mut self, source: usize) -> Option<K> {
        let slot @ Source::Awaited { .. } = self.sources.get_mut(source)? else { return None };
        let previous = slot.take_previous();
        *slot = Source::Exhausted;
        previous
    }

    /// The current key of a source: of a member of the last group the group's key, until the next one is
    /// supplied.
    ///
    /// `None` before the first key and after the last.
    pub fn key(&self, source: usize) -> Option<&K> {
        match self.sources.get(source)? {
            Source::Awaited { previous } => previous.as_ref(),
            Source::Ready(key) => Some(key),
            Source::Exhausted => None,
        }
    }

    /// All sources whose next key is needed now, ascending; empty when the next poll does not ask for any.
    ///
    /// ```
    /// use promha_merge::{Merge, Step};
    ///
    /// let mut merge = Merge::new(3, |a: &u8, b: &u8| a.cmp(b));
    /// assert_eq!(merge.needed().collect::<Vec<_>>(), [0, 1, 2]);
    /// merge.supply(1, 7)?;
    /// assert_eq!(merge.needed().collect::<Vec<_>>(), [0, 2]);
    /// # Ok::<(), promha_merge::OutOfOrder<u8>>(())
    /// ```
    pub fn needed(&self) -> impl Iterator<Item = usize> {
        self.changed[self.asked..].iter().copied().filter(|&source| self.sources[source].is_awaited())
    }

    fn first_awaited(&mut self) -> Option<usize> {
        while let Some(&source) = self.changed.get(self.asked) {
            if self.sources[source].is_awaited() {
                return Some(source);
            }
            self.asked += 1;
        }
        None
    }
}

impl<K> Source<K> {
    fn is_awaited(&self) -> bool {
        matches!(self, Self::Awaited { .. })
    }

    fn take_previous(&mut self) -> Option<K> {
        match self {
            Self::Awaited { previous } => previous.take(),
            _ => None,
        }
    }

    /// Keeps the key for the caller to look at and wants the next one. False if there is none and never will
    /// be.
    fn await_next(&mut self) -> bool {
        match std::mem::replace(self, Self::Exhausted) {
            Self::Ready(key) => {
                *self = Self::Awaited { previous: Some(key) };
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }
}

impl<K: fmt::Debug, C> fmt::Debug for Merge<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge")
            .field("sources", &self.sources)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}
