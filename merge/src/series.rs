//! The merge of series streams: one step a label set, whoever holds it.

use std::cmp::Ordering;
use std::fmt;

use crate::labels::{self, Labels};
use crate::machine::{Merge, Step};
use crate::order::OutOfOrder;

type Pairs<'l> = &'l [(&'l str, &'l str)];

/// Merges streams of series, each sorted by [`labels::compare`], into one that has every label set once.
///
/// A series is its labels and whatever belongs to them. Label sets are equal when all their bytes are, never
/// by a hash alone. A source that is not sorted can be brought into order with [`labels::sort`] first.
///
/// ```
/// use promha_merge::merge_series;
///
/// let (a, b): (&[_], &[_]) = (&[("job", "a")], &[("job", "b")]);
/// let mut merge = merge_series([vec![(a, 'x'), (b, 'y')], vec![(b, 'z')], vec![(b, 'u'), (a, 'v')]]);
///
/// let series = merge.next_series()?.unwrap();
/// assert_eq!((series.labels, series.holders.as_slice()), (a, [(0, 'x')].as_slice()));
/// let series = merge.next_series()?.unwrap();
/// assert_eq!((series.labels, series.holders.as_slice()), (b, [(0, 'y'), (1, 'z'), (2, 'u')].as_slice()));
/// let error = merge.next_series().unwrap_err();
/// assert_eq!(error.to_string(), r#"source 2 is out of order: {job="a"} does not come after {job="b"}"#);
/// assert!(merge.next_series()?.is_none());
/// # Ok::<(), promha_merge::OutOfOrder<promha_merge::labels::Labels>>(())
/// ```
pub fn merge_series<'l, S, T>(sources: impl IntoIterator<Item = S>) -> MergeSeries<'l, S::IntoIter, T>
where
    S: IntoIterator<Item = (Pairs<'l>, T)>,
{
    let sources: Vec<_> = sources.into_iter().map(S::into_iter).collect();
    MergeSeries {
        merge: Merge::new(sources.len(), |a, b| labels::compare(a, b)),
        heads: sources.iter().map(|_| None).collect(),
        sources,
        holders: Vec::new(),
    }
}

/// The stream that [`merge_series`] returns.
pub struct MergeSeries<'l, I, T> {
    merge: Merge<Pairs<'l>, fn(&Pairs<'l>, &Pairs<'l>) -> Ordering>,
    sources: Vec<I>,
    /// What belongs to the key that the merge has of each source.
    heads: Vec<Option<T>>,
    holders: Vec<(usize, T)>,
}

/// One label set of the merge and all sources that have it.
#[derive(Debug)]
pub struct Series<'m, 'l, T> {
    /// The labels.
    pub labels: &'l [(&'l str, &'l str)],
    /// Each source that has the label set, ascending, with what it gave. Reused for the next series;
    /// `drain(..)` takes it.
    pub holders: &'m mut Vec<(usize, T)>,
}

impl<'l, I: Iterator<Item = (Pairs<'l>, T)>, T> MergeSeries<'l, I, T> {
    /// The series with the smallest labels that are left, or `None` at the end.
    ///
    /// # Errors
    /// [`OutOfOrder`] naming both label sets, if a source has a series whose labels are not greater than
    /// those before it. The source ends with that, the series of the others can still be had: stop or go on.
    pub fn next_series(&mut self) -> Result<Option<Series<'_, 'l, T>>, OutOfOrder<Labels>> {
        self.holders.clear();
        loop {
            match self.merge.poll() {
                Step::Done => return Ok(None),
                Step::Need(source) => match self.sources[source].next() {
                    Some((labels, head)) => {
                        self.merge
                            .supply(source, labels)
                            .map_err(|error| error.map(|labels| labels.iter().copied().collect()))?;
                        self.heads[source] = Some(head);
                    }
                    None => drop(self.merge.exhaust(source)),
                },
                Step::Tied(group) => {
                    let first = group[0];
                    let Self { heads, holders, .. } = self;
                    holders.extend(group.iter().filter_map(|&source| Some((source, heads[source].take()?))));
                    let labels = self.merge.key(first).copied().unwrap_or_default();
                    return Ok(Some(Series { labels, holders: &mut self.holders }));
                }
            }
        }
    }
}

impl<I, T: fmt::Debug> fmt::Debug for MergeSeries<'_, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergeSeries")
            .field("merge", &self.merge)
            .field("heads", &self.heads)
            .finish_non_exhaustive()
    }
}
