//! The merge as an iterator over iterators.

use std::cmp::Ordering;
use std::fmt;

use crate::machine::{Merge, Step};
use crate::order::OutOfOrder;

/// Merges sorted sources into one sorted iterator of [`Merged`] items, equal ones in the order of their
/// sources.
///
/// Every item costs at most `ceil(log2 k) + 1` comparisons for `k` sources. A source is asked for its next
/// item just before its current one is yielded, so one item of each source is held.
///
/// # Errors
/// An item that is not greater than its predecessor in the same source is yielded as [`OutOfOrder`] in the
/// place of both. The source ends with that and the iterator goes on without it, unless the caller stops, as
/// `collect::<Result<_, _>>` does.
///
/// ```
/// use promha_merge::merge_by;
///
/// let merged = merge_by([vec![1, 4], vec![1, 2]], |a, b| a.cmp(b));
/// let merged: Result<Vec<_>, _> =
///     merged.map(|item| item.map(|m| (m.item, m.source, m.repeats))).collect();
/// assert_eq!(merged?, [(1, 0, false), (1, 1, true), (2, 1, false), (4, 0, false)]);
/// # Ok::<(), promha_merge::OutOfOrder<i32>>(())
/// ```
pub fn merge_by<S, C>(sources: impl IntoIterator<Item = S>, compare: C) -> MergeBy<S::IntoIter, C>
where
    S: IntoIterator,
    C: Fn(&S::Item, &S::Item) -> Ordering,
{
    let sources: Vec<_> = sources.into_iter().map(S::into_iter).collect();
    MergeBy { merge: Merge::new(sources.len(), compare), sources, group_is_new: false }
}

/// The iterator that [`merge_by`] returns.
pub struct MergeBy<I: Iterator, C> {
    sources: Vec<I>,
    merge: Merge<I::Item, C>,
    /// No item of the current group has been yielded.
    group_is_new: bool,
}

/// An item of a merge, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged<T> {
    /// The index of the source.
    pub source: usize,
    /// What the source gave.
    pub item: T,
    /// The item equals the one yielded before it.
    pub repeats: bool,
}

impl<I: Iterator, C: Fn(&I::Item, &I::Item) -> Ordering> Iterator for MergeBy<I, C> {
    type Item = Result<Merged<I::Item>, OutOfOrder<I::Item>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.merge.poll() {
                Step::Done => return None,
                Step::Tied(_) => self.group_is_new = true,
                Step::Need(source) => {
                    let given_back = match self.sources[source].next() {
                        Some(item) => self.merge.supply(source, item).transpose(),
                        None => self.merge.exhaust(source).map(Ok),
                    };
                    if let Some(item) = given_back {
                        return Some(item.map(|item| {
                            let repeats = !std::mem::take(&mut self.group_is_new);
                            Merged { source, item, repeats }
                        }));
                    }
                }
            }
        }
    }
}

impl<I: Iterator<Item: fmt::Debug>, C> fmt::Debug for MergeBy<I, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeBy").field("merge", &self.merge).finish_non_exhaustive()
    }
}
