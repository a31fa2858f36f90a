//! The `chain` policy: the union of all samples by time, each timestamp once.

mod floats;
mod interleave;

use std::cmp::Ordering;
use std::ops::Range;

use crate::order::OutOfOrder;
use crate::resolve::{Resolve, Resolved, Run};
use crate::samples::{Samples, equal_prefix};
use crate::tree::LoserTree;
use crate::window::{Window, gallop};
pub use floats::chain;

/// Merges the samples of one series from several sources by time, as an index machine over timestamp columns
/// of the caller.
///
/// The machine never holds a column: each [`poll`](Self::poll) is shown the current ones and answers with a
/// [`ChainStep`]. What the values are and how they get to the output is the caller's affair; a run of samples
/// is named, not copied.
///
/// A source gives its samples in any number of columns, one after the other ([`supply`](Self::supply)), each
/// used up before the next, and ends with [`exhaust`](Self::exhaust). Timestamps are milliseconds, and the
/// rules are Prometheus' chain:
/// - The output is the union of all timestamps, strictly increasing. Replicas whose scrapes are jittered
///   interleave.
/// - Of samples with equal timestamps the first counts: of several sources the one with the lowest index, in
///   one source the one that stands first.
/// - A single source is handed through as it is, repeated timestamps included.
/// - Timestamps of a source never decrease, neither within a column nor from one to the next, or it is an
///   error. Each column is read once to verify that.
///
/// # Cost
/// Runs are found by galloping, `O(log n)` for a run of `n` samples; where several sources have the same
/// timestamps, these are compared once, and the run is as long as they are equal. Beyond that a run costs at
/// most `2 ceil(log2 k)` comparisons for each source that takes part in it, of `k` in all. Nothing is
/// allocated when a machine is [`reset`](Self::reset) to no more sources than it had before.
///
/// ```
/// use promha_merge::{Chain, ChainStep};
///
/// let columns: [&[i64]; 2] = [&[10, 20, 30, 60], &[30, 40, 50]];
/// let mut chain = Chain::new(2);
/// chain.supply(0);
/// chain.supply(1);
/// let mut runs = Vec::new();
/// loop {
///     match chain.poll(|source| columns[source])? {
///         ChainStep::Run { source, range } => runs.push((source, range)),
///         ChainStep::Need(source) => chain.exhaust(source),
///         ChainStep::Done => break,
///     }
/// }
/// assert_eq!(runs, [(0, 0..3), (1, 1..3), (0, 3..4)]);
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
#[derive(Debug, Default)]
pub struct Chain {
    sources: Vec<Source>,
    tree: LoserTree,
    /// What the tree has not seen yet: all sources, then always those that had the smallest timestamp.
    changed: Vec<usize>,
    /// The timestamp of the last sample handed out.
    last_ms: Option<i64>,
    /// Right behind the last sample handed out as a [`Resolved::Run`]: source and index.
    taken: Option<(usize, usize)>,
}

/// What a [`Chain`] wants its caller to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainStep {
    /// Every sample of the source's column has been handed out or skipped. Call [`Chain::supply`] or
    /// [`Chain::exhaust`], or the next poll asks again.
    Need(usize),
    /// The next samples of the output: these of the source's current column.
    Run {
        /// The index of the source.
        source: usize,
        /// Where the samples stand in the source's current column. Never empty.
        range: Range<usize>,
    },
    /// All sources are exhausted. Every later poll says so again.
    Done,
}

#[derive(Debug, Clone)]
struct Source {
    window: Window,
    /// The timestamp at which it is read; none where there is nothing to read.
    head_ms: Option<i64>,
    /// A timestamp of the column stands there twice.
    repeats: bool,
}

impl Chain {
    /// A merge of that many sources, named `0..sources`, which are all awaited.
    pub fn new(sources: usize) -> Self {
        let mut chain = Self::default();
        chain.reset(sources);
        chain
    }

    /// Starts afresh with that many sources, and keeps the memory.
    pub fn reset(&mut self, sources: usize) {
        self.sources.clear();
        self.sources.resize(sources, Source { window: Window::new(), head_ms: None, repeats: false });
        self.tree.reset(sources);
        self.changed.clear();
        self.changed.extend(0..sources);
        self.last_ms = None;
        self.taken = None;
    }

    /// Says that an awaited source has a new column, to be read from its start. (An empty one is asked for
    /// again.)
    ///
    /// All sources are awaited at the start, later the one that [`ChainStep::Need`] names. Of a source that
    /// is not awaited, or does not exist, the call changes nothing.
    pub fn supply(&mut self, source: usize) {
        if let Some(Source { window, .. }) = self.sources.get_mut(source) {
            window.supply();
        }
    }

    /// Says that an awaited source has no more columns. Of a source that is not awaited, or does not exist,
    /// the call changes nothing.
    pub fn exhaust(&mut self, source: usize) {
        if let Some(Source { window, .. }) = self.sources.get_mut(source) {
            window.exhaust();
        }
    }

    /// What to do next. `columns(source)` is the current column of timestamps, in milliseconds, of a source
    /// that was supplied; it must stay the same until the source is asked for again.
    ///
    /// # Errors
    /// [`OutOfOrder`] if a source's timestamps decrease, as soon as the column is looked at: nothing of that
    /// column came out. The source is exhausted by that; the others can go on.
    pub fn poll<T: AsRef<[i64]>>(
        &mut self,
        columns: impl Fn(usize) -> T,
    ) -> Result<ChainStep, OutOfOrder<i64>> {
        loop {
            if let Some(source) = self.open_columns(&columns)? {
                return Ok(ChainStep::Need(source));
            }
            self.tree.play(&self.changed, |a, b| before(&self.sources[a], &self.sources[b]));
            let winner = self.tree.winner();
            let Some(Some(head_ms)) = self.sources.get(winner).map(|source| source.head_ms) else {
                self.changed.clear();
                return Ok(ChainStep::Done);
            };
            let rival = self.rival();
            let column = columns(winner);
            let column = column.as_ref();
            let Source { window: Window { at, .. }, repeats, .. } = self.sources[winner];
            if self.last_ms.is_some_and(|last_ms| head_ms <= last_ms) && self.sources.len() > 1 {
                self.advance(1, &columns);
                continue;
            }
            let mut end = match rival {
                Some(rival) => gallop(column, at + 1, |at_ms| (at_ms, winner) < rival),
                None => column.len(),
            };
            for &source in self.changed.iter().filter(|&&source| source != winner) {
                let tied = columns(source);
                end = at + equal_prefix(&column[at..end], &tied.as_ref()[self.sources[source].window.at..]);
            }
            if repeats && self.sources.len() > 1 {
                end = at + 1 + column[at..end].windows(2).take_while(|pair| pair[0] < pair[1]).count();
            }
            self.last_ms = Some(column[end - 1]);
            if self.changed.len() == 1 {
                self.sources[winner].advance_to(end, column);
            } else {
                self.advance(end - at, &columns);
            }
            return Ok(ChainStep::Run { source: winner, range: at..end });
        }
    }

    /// Looks at the columns that came since the last time. The first source that still owes one is the
    /// answer.
    fn open_columns<T: AsRef<[i64]>>(
        &mut self,
        columns: &impl Fn(usize) -> T,
    ) -> Result<Option<usize>, OutOfOrder<i64>> {
        for &source in &self.changed {
            let Source { window, head_ms, repeats } = &mut self.sources[source];
            if window.is_supplied() {
                let column = columns(source);
                let column = column.as_ref();
                let is_strict = column.is_sorted_by(|a, b| a < b);
                window.open(source, column, is_strict)?;
                *repeats = !is_strict;
                *head_ms = column.first().copied();
                if self.taken.is_some_and(|taken| taken.0 == source) {
                    self.taken = Some((source, 0));
                }
            }
        }
        let owes = |&&source: &&usize| {
            let window = &self.sources[source].window;
            !window.has_unread() && !window.is_exhausted()
        };
        let owing = self.changed.iter().find(owes).copied();
        if let Some(source) = owing {
            let window = &mut self.sources[source].window;
            window.ask(window.len);
        }
        Ok(owing)
    }

    /// Notes the sources whose next timestamp is the winner's as those that will have changed, and finds the
    /// next one of all others: the timestamp and its source.
    fn rival(&mut self) -> Option<(i64, usize)> {
        let Self { sources, tree, changed, .. } = self;
        let mut rival = None;
        tree.tied_and_beaten(changed, |source| {
            let next = sources[source].head_ms.map(|head_ms| (head_ms, source));
            rival = [rival, next].into_iter().flatten().min();
        });
        rival
    }

    /// So many samples of each source that had the smallest timestamp are done with.
    fn advance<T: AsRef<[i64]>>(&mut self, samples: usize, columns: &impl Fn(usize) -> T) {
        for &source in &self.changed {
            let state = &mut self.sources[source];
            state.advance_to(state.window.at + samples, columns(source).as_ref());
        }
    }
}

impl Source {
    fn advance_to(&mut self, at: usize, column: &[i64]) {
        self.window.at = at;
        self.head_ms = column.get(at).copied();
    }
}

/// By time; sources that have nothing come last. Ties are left to the tree, which prefers the lower index.
fn before(a: &Source, b: &Source) -> Ordering {
    match (a.head_ms, b.head_ms) {
        (Some(a_ms), Some(b_ms)) => a_ms.cmp(&b_ms),
        (a_ms, b_ms) => b_ms.is_some().cmp(&a_ms.is_some()),
    }
}

/// No sample is wanted again: a run ends where the column does.
impl Resolve for Chain {
    fn reset(&mut self, sources: usize) {
        self.reset(sources);
    }

    fn supply(&mut self, source: usize) {
        self.supply(source);
    }

    fn exhaust(&mut self, source: usize) {
        self.exhaust(source);
    }

    fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<Resolved, OutOfOrder<i64>> {
        struct Times<S>(S);
        impl<S: Samples> AsRef<[i64]> for Times<S> {
            fn as_ref(&self) -> &[i64] {
                self.0.at_ms()
            }
        }
        let step = self.poll(|source| Times(columns(source)))?;
        Ok(match step {
            ChainStep::Need(source) => Resolved::Need { source, keep_from: self.sources[source].window.len },
            ChainStep::Run { source, range } => {
                let continues = self.taken == Some((source, range.start));
                self.taken = Some((source, range.end));
                Resolved::Run(Run { source, range, continues, lift: 0.0 })
            }
            ChainStep::Done => Resolved::Done,
        })
    }
}
