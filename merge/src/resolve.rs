//! The common face of the policies: replicas of one series in, one series out, as an index machine.

use std::ops::Range;

use crate::order::OutOfOrder;
use crate::samples::{Floats, Samples};

/// A policy that makes one series of several replicas of it: [`Stitch`](crate::Stitch),
/// [`Penalty`](crate::Penalty), [`Interval`](crate::Interval) or [`Chain`](crate::Chain).
///
/// It is an index machine: each [`poll`](Self::poll) is shown the current columns and names samples in them.
/// What the values are and how they get to the output is the caller's affair, so no chunk encoding shows here
/// and nothing is copied.
///
/// A source gives its samples in any number of columns ([`supply`](Self::supply)) and ends with
/// [`exhaust`](Self::exhaust). A policy that looks ahead may want more samples of a source before those it has
/// are used up: a new column begins with the samples of the old one from the index that [`Resolved::Need`]
/// names.
pub trait Resolve {
    /// Starts afresh with that many sources, named `0..sources`, which are all awaited; keeps the memory.
    fn reset(&mut self, sources: usize);

    /// Says that an awaited source has a new column. (One that has nothing new is asked for again.)
    ///
    /// All sources are awaited at the start, later the one that [`Resolved::Need`] names. Of a source that is
    /// not awaited, or does not exist, the call changes nothing.
    fn supply(&mut self, source: usize);

    /// Says that an awaited source has no more samples than its current column. Of a source that is not
    /// awaited, or does not exist, the call changes nothing.
    fn exhaust(&mut self, source: usize);

    /// What to do next. `columns(source)` is the current column of a source that was supplied; it must stay
    /// the same until the source is asked for again.
    ///
    /// # Errors
    /// [`OutOfOrder`] if a source's timestamps decrease, as soon as the column is looked at: nothing new of it
    /// came out. The source is exhausted by that; the others can go on.
    fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<Resolved, OutOfOrder<i64>>;

    /// The source of which every sample comes out, and nothing of another one, of float columns that are all their
    /// sources have; if that can be told without the machine, from what is known of the columns. `None` says
    /// nothing.
    ///
    /// It is a short cut: polls come to the same. [`resolve`] asks it first, for the columns of an
    /// [`Arena`](crate::Arena).
    fn sole<'c>(&self, sources: usize, columns: impl Fn(usize) -> Floats<'c>) -> Option<usize> {
        let _ = (sources, columns);
        None
    }
}

/// What a policy wants its caller to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved {
    /// More samples of this source are needed. Call [`Resolve::supply`] or [`Resolve::exhaust`], or the next
    /// poll asks again.
    Need {
        /// The index of the source.
        source: usize,
        /// The new column begins with the samples of the old one from this index on (often none, or a few):
        /// those before it are done with.
        keep_from: usize,
    },
    /// The next samples of the output.
    Run(Run),
    /// All sources are exhausted. Every later poll says so again.
    Done,
}

/// Samples of one source that come out one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The index of the source.
    pub source: usize,
    /// Where the samples stand in the source's current column. Never empty.
    pub range: Range<usize>,
    /// The sample that came out before the run is the one that stands before it in its source. If not, what
    /// the first sample says about its predecessor is void: a histogram's counter reset hint is then
    /// *unknown* (a gauge stays a gauge).
    pub continues: bool,
    /// What to add to every value; 0 but for [`Penalty`](crate::Penalty) with counters.
    pub lift: f64,
}

/// Merges float columns that lie in memory under any policy, and appends the result to `at_ms` and `values`.
///
/// A source is its timestamps in milliseconds and as many values. Values are moved by their bits, stale
/// markers included.
///
/// # Errors
/// [`OutOfOrder`] if the timestamps of a source decrease. Nothing has been appended then.
///
/// # Panics
/// If a source has not as many values as timestamps.
///
/// ```
/// use promha_merge::{Stitch, resolve};
///
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// let replicas: [(&[i64], &[f64]); 2] = [(&[10, 20, 60], &[1.0, 2.0, 6.0]), (&[31, 41], &[3.1, 4.1])];
/// resolve(&mut Stitch::default(), &replicas, &mut at_ms, &mut values)?;
/// assert_eq!((at_ms, values), (vec![10, 20, 31, 41, 60], vec![1.0, 2.0, 3.1, 4.1, 6.0]));
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
pub fn resolve<'c>(
    policy: &mut impl Resolve,
    sources: &[impl Into<Floats<'c>> + Copy],
    at_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), OutOfOrder<i64>> {
    if let Some(source) = policy.sole(sources.len(), |source| sources[source].into()) {
        let column: Floats<'c> = sources[source].into();
        column.append_to(at_ms, values);
        return Ok(());
    }
    sources.iter().for_each(|&source| source.into().prefetch_next());
    policy.reset(sources.len());
    (0..sources.len()).for_each(|source| policy.supply(source));
    loop {
        match policy.poll(|source| sources[source].into())? {
            Resolved::Need { source, .. } => policy.exhaust(source),
            Resolved::Run(Run { source, range, lift, .. }) => {
                let column: Floats<'c> = sources[source].into();
                at_ms.extend_from_slice(&column.at_ms()[range.clone()]);
                if lift == 0.0 {
                    values.extend_from_slice(&column.values()[range]);
                } else {
                    values.extend(column.values()[range].iter().map(|value| value + lift));
                }
            }
            Resolved::Done => return Ok(()),
        }
    }
}
