//! The `penalty` policy: Thanos' deduplication, so that its results can be had and compared.

use crate::order::OutOfOrder;
use crate::resolve::{Resolve, Resolved, Run};
use crate::samples::{Samples, is_stale};
use crate::window::Window;

/// The penalty before a step is known.
const INITIAL_PENALTY_MS: i64 = 5_000;

/// Merges replicas as Thanos' querier does with its `penalty` function.
///
/// Of two replicas, the one whose next sample is earlier comes out (the first one at the same time), and the
/// other one has to skip ahead: to beyond the last sample that came out by twice the last step (5 s before
/// there is one). So the output stays on a replica until that one has a gap of more than two steps. With more
/// than two replicas, the first two are merged, then that with the third, and so on.
///
/// With [`counter`](Self::counter), whenever the output switches, a replica whose value is below the last one
/// that came out is lifted by the difference, from there on: [`Run::lift`].
///
/// Known weaknesses, kept because they are Thanos': the order of the replicas shows, gaps of two steps stay
/// open, samples at switches are lost, stale markers are samples like any other. [`Stitch`](crate::Stitch)
/// has none of them.
///
/// Source: `pkg/dedup` in Thanos. Its cases in this crate's `testdata/merge_cases.json` hold.
///
/// # Cost
/// `O(k)` for each sample of `k` replicas that comes out. Nothing is allocated when a machine is
/// [`reset`](Resolve::reset) to no more sources than it had before.
///
/// ```
/// use promha_merge::{Penalty, resolve};
///
/// let a: (&[i64], &[f64]) = (&[10_000, 20_000, 30_000, 60_000, 70_000], &[1.0, 1.0, 1.0, 1.0, 1.0]);
/// let b: (&[i64], &[f64]) = (&[10_100, 20_100, 30_100, 40_100, 50_100, 60_100], &[2.0; 6]);
/// let (mut at_ms, mut values) = (Vec::new(), Vec::new());
/// resolve(&mut Penalty::default(), &[a, b], &mut at_ms, &mut values)?;
/// assert_eq!(at_ms, [10_000, 20_000, 30_000, 50_100, 60_100], "40,100 and 70,000 are lost");
/// # Ok::<(), promha_merge::OutOfOrder<i64>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Penalty {
    counter: bool,
    rewind: bool,
    leaves: Vec<Leaf>,
    /// Each merges what comes before it (the first leaf, or the node before) with one more leaf.
    nodes: Vec<Node>,
    /// What is to come out but may turn out to be longer.
    run: Option<Run>,
    last: Option<(usize, usize)>,
}

/// A replica.
#[derive(Debug, Clone)]
struct Leaf {
    window: Window,
    lift: f64,
}

/// Two inputs become one. `None` is before the first sample.
#[derive(Debug, Clone, Default)]
struct Node {
    last: Option<Last>,
    first_penalty_ms: i64,
    second_penalty_ms: i64,
    is_done: bool,
}

/// What a node gave last.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    at_ms: i64,
    /// Of the leaf.
    source: usize,
    from_first: bool,
    level: f64,
    histogram: bool,
}

/// More samples of this source are needed first.
struct Wait(usize);

impl Penalty {
    /// Whether counters are lifted at switches, as in Thanos under `rate`, `increase` and the like.
    #[must_use]
    pub fn counter(self, counter: bool) -> Self {
        Self { counter, ..self }
    }

    /// Whether a replica that has skipped too far goes back within its column when a smaller penalty allows
    /// it. Thanos' iterators do so in its tests only.
    #[must_use]
    pub fn rewind(self, rewind: bool) -> Self {
        Self { rewind, ..self }
    }

    /// The next sample of a node or of the first leaf, and with it all that came before `from_ms` is over.
    fn seek<S: Samples>(
        &mut self,
        input: usize,
        from_ms: i64,
        columns: &impl Fn(usize) -> S,
    ) -> Result<Option<Last>, Wait> {
        if input == 0 {
            return self.seek_leaf(0, from_ms, columns);
        }
        loop {
            let node = &self.nodes[input - 1];
            if node.is_done {
                return Ok(None);
            }
            if let Some(last) = node.last.filter(|last| last.at_ms >= from_ms) {
                return Ok(Some(self.lifted(last, columns)));
            }
            self.next(input, columns)?;
        }
    }

    /// The leaf's current value may have been lifted since.
    fn lifted<S: Samples>(&self, last: Last, columns: &impl Fn(usize) -> S) -> Last {
        let leaf = &self.leaves[last.source];
        let column = columns(last.source);
        let is_current = leaf.window.at < leaf.window.len && column.at_ms()[leaf.window.at] == last.at_ms;
        if is_current { Last { level: column.level(leaf.window.at) + leaf.lift, ..last } } else { last }
    }

    fn seek_leaf<S: Samples>(
        &mut self,
        source: usize,
        from_ms: i64,
        columns: &impl Fn(usize) -> S,
    ) -> Result<Option<Last>, Wait> {
        let leaf = &mut self.leaves[source];
        let column = columns(source);
        let times_ms = &column.at_ms()[..leaf.window.len];
        let start = if self.rewind { 0 } else { leaf.window.at };
        leaf.window.at = start + times_ms[start..].partition_point(|&at_ms| at_ms < from_ms);
        if leaf.window.at == leaf.window.len {
            return if leaf.window.is_exhausted() { Ok(None) } else { Err(Wait(source)) };
        }
        Ok(Some(Last {
            at_ms: times_ms[leaf.window.at],
            source,
            from_first: false,
            level: column.level(leaf.window.at) + leaf.lift,
            histogram: column.is_histogram(leaf.window.at),
        }))
    }

    /// Advances a node to its next sample. Nothing has been decided when there is something to wait for, and
    /// seeking again costs nothing.
    fn next<S: Samples>(&mut self, input: usize, columns: &impl Fn(usize) -> S) -> Result<(), Wait> {
        let node = self.nodes[input - 1].clone();
        let after_ms = node.last.map_or(i64::MIN, |last| last.at_ms.saturating_add(1));
        let first = self.seek(input - 1, after_ms.saturating_add(node.first_penalty_ms), columns)?;
        let second = self.seek_leaf(input, after_ms.saturating_add(node.second_penalty_ms), columns)?;
        let mut next = node.clone();
        let penalty_ms = |at_ms: i64| {
            node.last.map_or(INITIAL_PENALTY_MS, |last| at_ms.saturating_sub(last.at_ms).saturating_mul(2))
        };
        let chosen = match (first, second) {
            (None, None) => {
                self.nodes[input - 1].is_done = true;
                return Ok(());
            }
            (Some(first), None) => {
                next.first_penalty_ms = 0;
                Last { from_first: true, ..first }
            }
            (None, Some(second)) => {
                next.second_penalty_ms = 0;
                second
            }
            (Some(first), Some(second)) if first.at_ms <= second.at_ms => {
                (next.first_penalty_ms, next.second_penalty_ms) = (0, penalty_ms(first.at_ms));
                Last { from_first: true, ..first }
            }
            (_, Some(second)) => {
                (next.first_penalty_ms, next.second_penalty_ms) = (penalty_ms(second.at_ms), 0);
                second
            }
        };
        next.last = Some(chosen);
        self.nodes[input - 1] = next;
        let switched_from = node.last.filter(|last| last.from_first != chosen.from_first && !last.histogram);
        if let Some(last) = switched_from.filter(|_| self.counter) {
            for source in 0..=input {
                self.lift(source, last.level, columns(source));
            }
            let chosen = self.lifted(chosen, columns);
            self.nodes[input - 1].last = Some(chosen);
        }
        Ok(())
    }

    /// A replica that stands below `level` has missed something: it is lifted to it.
    fn lift<S: Samples>(&mut self, source: usize, level: f64, column: S) {
        let leaf = &mut self.leaves[source];
        if leaf.window.at < leaf.window.len && !column.is_histogram(leaf.window.at) {
            let lifted = column.level(leaf.window.at) + leaf.lift;
            if level > lifted {
                leaf.lift += level - lifted;
            }
        }
    }

    /// The next sample that comes out: its source, its index, and what is added to it.
    fn pick<S: Samples>(
        &mut self,
        columns: &impl Fn(usize) -> S,
    ) -> Result<Option<(usize, usize, f64)>, Wait> {
        let source = match self.nodes.len() {
            0 if self.leaves.is_empty() => return Ok(None),
            0 => match self.seek_leaf(0, i64::MIN, columns)? {
                // Alone, a replica comes out as it is.
                Some(_) => 0,
                None => return Ok(None),
            },
            top => {
                self.next(top, columns)?;
                let node = &self.nodes[top - 1];
                match node.last.filter(|_| !node.is_done) {
                    Some(last) => last.source,
                    None => return Ok(None),
                }
            }
        };
        let leaf = &self.leaves[source];
        let (index, lift) = (leaf.window.at, leaf.lift);
        if self.nodes.is_empty() {
            self.leaves[source].window.at += 1;
        }
        let stale = is_stale(columns(source).level(index));
        Ok(Some((source, index, if stale { 0.0 } else { lift })))
    }

    fn advance<S: Samples>(&mut self, columns: &impl Fn(usize) -> S) -> Result<Option<Run>, Wait> {
        loop {
            let picked = match self.pick(columns) {
                Ok(picked) => picked,
                Err(wait) => return self.run.take().map_or(Err(wait), |run| Ok(Some(run))),
            };
            let Some((source, index, lift)) = picked else { return Ok(self.run.take()) };
            let continues = self.last == Some((source, index));
            self.last = Some((source, index + 1));
            match &mut self.run {
                Some(run) if continues && run.lift.to_bits() == lift.to_bits() => run.range.end += 1,
                run => {
                    let next = Run { source, range: index..index + 1, continues, lift };
                    if let Some(run) = run.replace(next) {
                        return Ok(Some(run));
                    }
                }
            }
        }
    }
}

impl Resolve for Penalty {
    fn reset(&mut self, sources: usize) {
        self.leaves.clear();
        self.leaves.resize(sources, Leaf { window: Window::new(), lift: 0.0 });
        self.nodes.clear();
        self.nodes.resize(sources.saturating_sub(1), Node::default());
        self.run = None;
        self.last = None;
    }

    fn supply(&mut self, source: usize) {
        if let Some(leaf) = self.leaves.get_mut(source) {
            leaf.window.supply();
        }
    }

    fn exhaust(&mut self, source: usize) {
        if let Some(leaf) = self.leaves.get_mut(source) {
            leaf.window.exhaust();
        }
    }

    fn poll<S: Samples>(&mut self, columns: impl Fn(usize) -> S) -> Result<Resolved, OutOfOrder<i64>> {
        let Self { leaves, last, .. } = self;
        for (source, leaf) in leaves.iter_mut().enumerate().filter(|(_, leaf)| leaf.window.is_supplied()) {
            let column = columns(source);
            let gone = leaf.window.open(source, column.at_ms(), column.at_ms().is_sorted())?;
            *last = last.and_then(|last| match last.0 == source {
                true => Some((source, last.1.checked_sub(gone)?)),
                false => Some(last),
            });
        }
        Ok(match self.advance(&columns) {
            Ok(Some(run)) => Resolved::Run(run),
            Ok(None) => Resolved::Done,
            Err(Wait(source)) => {
                let window = &mut self.leaves[source].window;
                let keep_from = window.len;
                window.ask(keep_from);
                Resolved::Need { source, keep_from }
            }
        })
    }
}
