//! The `chain` policy: the union of all samples by time, each timestamp once.

use std::cmp::Ordering;
use std::ops::Range;

use crate::order::OutOfOrder;
use crate::tree::LoserTree;

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
/// Runs are found by galloping, `O(log n)` for a run of `n` samples. Each run and each skipped repetition
/// costs at most `2 ceil(log2 k)` comparisons for `k` sources. Nothing is allocated when a machine is
/// [`reset`](Self::reset) to no more sources than it had before.
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
    /// What the tree has not seen yet: all sources, then always the winner.
    changed: Vec<usize>,
    /// The timestamp of the last sample handed out.
    last_ms: Option<i64>,
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
    state: State,
    /// The last timestamp of the newest column that was looked at: the next column may not begin before it.
    previous_ms: Option<i64>,
}

#[derive(Debug, Clone)]
enum State {
    Awaited,
    /// There is a column that has not been looked at.
    Supplied,
    /// `column[at]` is the next sample, `head_ms` its timestamp.
    Reading {
        at: usize,
        head_ms: i64,
        repeats: bool,
    },
    Exhausted,
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
        self.sources.resize(sources, Source { state: State::Awaited, previous_ms: None });
        self.tree.reset(sources);
        self.changed.clear();
        self.changed.extend(0..sources);
        self.last_ms = None;
    }

    /// Says that an awaited source has a new column, to be read from its start. (An empty one is asked for
    /// again.)
    ///
    /// All sources are awaited at the start, later the one that [`ChainStep::Need`] names. Of a source that
    /// is not awaited, or does not exist, the call changes nothing.
    pub fn supply(&mut self, source: usize) {
        self.answer(source, State::Supplied);
    }

    /// Says that an awaited source has no more columns. Of a source that is not awaited, or does not exist,
    /// the call changes nothing.
    pub fn exhaust(&mut self, source: usize) {
        self.answer(source, State::Exhausted);
    }

    fn answer(&mut self, source: usize, state: State) {
        if let Some(Source { state: awaited @ State::Awaited, .. }) = self.sources.get_mut(source) {
            *awaited = state;
        }
    }

    /// What to do next. `columns(source)` is the current column of timestamps, in milliseconds, of a source
    /// that was supplied; it must stay the same until the source is asked for again.
    ///
    /// # Errors
    /// [`OutOfOrder`] if a source's timestamps decrease, as soon as the column is looked at: nothing of that
    /// column came out. The source is exhausted by that; the others can go on.
    pub fn poll<'c>(&mut self, columns: impl Fn(usize) -> &'c [i64]) -> Result<ChainStep, OutOfOrder<i64>> {
        loop {
            if let Some(source) = self.open_columns(&columns)? {
                return Ok(ChainStep::Need(source));
            }
            self.tree.play(&self.changed, |a, b| before(&self.sources[a], &self.sources[b]));
            self.changed.clear();
            let winner = self.tree.winner();
            let Some(&Source { state: State::Reading { at, head_ms, repeats }, .. }) =
                self.sources.get(winner)
            else {
                return Ok(ChainStep::Done);
            };
            let column = columns(winner);
            if self.sources.len() == 1 {
                self.advance(winner, column, column.len());
                return Ok(ChainStep::Run { source: winner, range: at..column.len() });
            }
            if self.last_ms.is_some_and(|last_ms| head_ms <= last_ms) {
                self.advance(winner, column, at + 1);
                continue;
            }
            let mut end = match self.runner_up() {
                Some(rival) => gallop(column, at + 1, |&at_ms| (at_ms, winner) < rival),
                None => column.len(),
            };
            if repeats {
                end = at + column[at..end].windows(2).take_while(|pair| pair[0] < pair[1]).count() + 1;
            }
            self.last_ms = Some(column[end - 1]);
            self.advance(winner, column, end);
            return Ok(ChainStep::Run { source: winner, range: at..end });
        }
    }

    /// Looks at the columns that came since the last time. The first source that still owes one is the
    /// answer.
    fn open_columns<'c>(
        &mut self,
        columns: impl Fn(usize) -> &'c [i64],
    ) -> Result<Option<usize>, OutOfOrder<i64>> {
        for &source in &self.changed {
            let slot = &mut self.sources[source];
            if let State::Supplied = slot.state {
                slot.open(columns(source)).map_err(|(previous, next)| OutOfOrder {
                    source,
                    previous,
                    next,
                })?;
            }
        }
        Ok(self.changed.iter().copied().find(|&source| matches!(self.sources[source].state, State::Awaited)))
    }

    /// The samples of the winner before `to` are done with.
    fn advance(&mut self, winner: usize, column: &[i64], to: usize) {
        let slot = &mut self.sources[winner];
        if let State::Reading { at, head_ms, .. } = &mut slot.state {
            match column.get(to) {
                Some(&next_ms) => (*at, *head_ms) = (to, next_ms),
                None => slot.state = State::Awaited,
            }
        }
        self.changed.push(winner);
    }

    /// The next sample that any source but the winner has to offer: its timestamp and its source.
    fn runner_up(&self) -> Option<(i64, usize)> {
        self.tree
            .beaten_by_winner()
            .filter_map(|source| Some((self.sources[source].head_ms()?, source)))
            .min()
    }
}

impl Source {
    /// Begins to read a column. The timestamps that are in the wrong order, if two are.
    fn open(&mut self, column: &[i64]) -> Result<(), (i64, i64)> {
        let (Some(&first_ms), Some(&last_ms)) = (column.first(), column.last()) else {
            self.state = State::Awaited;
            return Ok(());
        };
        let strict = column.is_sorted_by(|a, b| a < b);
        let seam = self.previous_ms.map(|previous_ms| (previous_ms, first_ms));
        let inside = column.windows(2).map(|pair| (pair[0], pair[1])).filter(|_| !strict);
        if let Some(disorder) =
            seam.into_iter().chain(inside).find(|(previous_ms, next_ms)| next_ms < previous_ms)
        {
            self.state = State::Exhausted;
            return Err(disorder);
        }
        self.previous_ms = Some(last_ms);
        self.state = State::Reading { at: 0, head_ms: first_ms, repeats: !strict };
        Ok(())
    }

    fn head_ms(&self) -> Option<i64> {
        match self.state {
            State::Reading { head_ms, .. } => Some(head_ms),
            _ => None,
        }
    }
}

/// By time; sources that have nothing come last. Ties are left to the tree, which prefers the lower index.
fn before(a: &Source, b: &Source) -> Ordering {
    match (a.head_ms(), b.head_ms()) {
        (Some(a_ms), Some(b_ms)) => a_ms.cmp(&b_ms),
        (a_ms, b_ms) => b_ms.is_some().cmp(&a_ms.is_some()),
    }
}

/// Where the timestamps from `start` on stop to be `inside`: steps of doubling length, then a binary search,
/// so that the cost is logarithmic in the distance and not in what is left of the column.
fn gallop(column: &[i64], start: usize, inside: impl Fn(&i64) -> bool) -> usize {
    let rest = &column[start..];
    let mut reach = 1;
    while rest.get(reach - 1).is_some_and(&inside) {
        reach *= 2;
    }
    let (known, unknown) = (reach / 2, reach - 1);
    start + known + rest[known..unknown.min(rest.len())].partition_point(&inside)
}

/// Appends the union of the samples of several sources to `at_ms` and `values`: a [`Chain`] for what lies in
/// memory.
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
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// promha_merge::chain(&[(&[10, 20], &[1.0, 2.0]), (&[20, 30], &[7.0, 3.0])], &mut at_ms, &mut values)?;
/// assert_eq!((at_ms, values), (vec![10, 20, 30], vec![1.0, 2.0, 3.0]));
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
pub fn chain(
    sources: &[(&[i64], &[f64])],
    at_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), OutOfOrder<i64>> {
    let mut chain = Chain::new(sources.len());
    for (source, (times, values)) in sources.iter().enumerate() {
        assert_eq!(times.len(), values.len(), "source {source} must have as many values as timestamps");
        if !times.is_empty() {
            chain.supply(source);
        }
    }
    loop {
        match chain.poll(|source| sources[source].0)? {
            ChainStep::Need(source) => chain.exhaust(source),
            ChainStep::Run { source, range } => {
                at_ms.extend_from_slice(&sources[source].0[range.clone()]);
                values.extend_from_slice(&sources[source].1[range]);
            }
            ChainStep::Done => return Ok(()),
        }
    }
}
