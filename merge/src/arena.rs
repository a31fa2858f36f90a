//! The series of one source in one piece of memory.

use std::ops::Range;

use crate::label_arena::LabelArena;
use crate::prefetch::prefetch_at;
use crate::samples::{Floats, Known, Steps};

/// Sorted series of one source: labels, timestamps and values, each in the same memory one after the other, which
/// is reused after [`clear`](Self::clear).
///
/// What a merge asks of a series again and again is found out once, while it is copied in and near the processor:
/// how its labels differ from those before, how its timestamps step, whether a stale marker is among its values.
/// So a merge does not read what it need not: where two series do not overlap in time, it looks at no sample.
///
/// ```
/// use promha_merge::{Arena, Samples};
///
/// let mut arena = Arena::default();
/// arena.push(&[("__name__", "load")], &[1_000, 2_000], &[0.1, 0.2]);
/// arena.push(&[("__name__", "up")], &[1_000], &[1.0]);
/// assert_eq!(arena.column(0).at_ms(), [1_000, 2_000]);
/// assert_eq!(arena.column(1).values(), [1.0]);
/// assert!(arena.labels().set(1).pairs().eq([("__name__", "up")]));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Arena {
    labels: LabelArena,
    at_ms: Vec<i64>,
    values: Vec<f64>,
    rows: Vec<Row>,
    /// How long before each sample the one before it was, in milliseconds, in a series that has only short steps; of the
    /// first one 0. To compare these is to compare timestamps, and a quarter of the memory.
    short_steps_ms: Vec<u16>,
    /// Of each series, apart from what is asked for in any case.
    steps: Vec<Steps>,
}

/// What is known of a series: half a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Row {
    /// Where its samples begin in the columns. They end where those of the next one begin.
    start: usize,
    known: Known,
}

const _: () = assert!(size_of::<Row>() == 32);

/// Where a column lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'c> {
    arena: &'c Arena,
    index: usize,
}

impl<'c> Place<'c> {
    #[inline]
    pub(crate) fn known(self) -> &'c Known {
        &self.arena.rows[self.index].known
    }

    pub(crate) fn steps(self) -> Steps {
        self.arena.steps[self.index]
    }

    /// The steps to each of its timestamps, if all are short.
    pub(crate) fn short_steps_ms(self) -> Option<&'c [u16]> {
        let Self { arena, index } = self;
        self.known().has_short_steps().then(|| &arena.short_steps_ms[arena.range(index)])
    }

    /// The same of the column behind it.
    pub(crate) fn next_short_steps_ms(self) -> Option<&'c [u16]> {
        let Self { arena, index } = self;
        (index + 1 < arena.len()).then(|| &arena.short_steps_ms[arena.range(index + 1)])
    }

    /// The column behind it, if there is one.
    pub(crate) fn next(self) -> Option<Floats<'c>> {
        (self.index + 1 < self.arena.len()).then(|| self.arena.column(self.index + 1))
    }
}

impl Arena {
    /// Adds a series behind those that are there: its labels, sorted by name, and its samples, timestamps in
    /// milliseconds and as many values.
    ///
    /// `O(length)`; everything is copied. Labels that are not greater than those before them, and timestamps that
    /// decrease, are taken all the same: the merge reports them when it gets there.
    ///
    /// # Panics
    /// If there are not as many values as timestamps.
    pub fn push(&mut self, labels: &[(&str, &str)], at_ms: &[i64], values: &[f64]) {
        let (column, start) = (Floats::new(at_ms, values), self.at_ms.len());
        let steps = Steps::of(at_ms);
        self.rows.push(Row { start, known: Known::of(column, steps) });
        self.steps.push(steps);
        self.short_steps_ms.extend(at_ms.first().map(|_| 0));
        let pairs = at_ms.iter().zip(at_ms.get(1..).unwrap_or_default());
        self.short_steps_ms.extend(pairs.map(|(a_ms, b_ms)| b_ms.wrapping_sub(*a_ms) as u16));
        self.labels.push(labels);
        self.at_ms.extend_from_slice(at_ms);
        self.values.extend_from_slice(values);
    }

    /// Drops all series, and keeps the memory.
    pub fn clear(&mut self) {
        let Self { labels, at_ms, values, rows, short_steps_ms, steps } = self;
        labels.clear();
        at_ms.clear();
        values.clear();
        rows.clear();
        short_steps_ms.clear();
        steps.clear();
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The labels of all series.
    pub fn labels(&self) -> &LabelArena {
        &self.labels
    }

    /// Has what will be asked for soon brought near, now that a series comes out. Of its samples, only who reads them
    /// knows which ones: see [`Floats::prefetch_next_times`].
    pub(crate) fn prefetch_after(&self, index: usize) {
        prefetch_at(&self.rows, index + 2);
    }

    /// The samples of a series.
    ///
    /// # Panics
    /// If there is no such series.
    #[inline]
    pub fn column(&self, index: usize) -> Floats<'_> {
        let range = self.range(index);
        Floats::placed(&self.at_ms[range.clone()], &self.values[range], Place { arena: self, index })
    }

    #[inline]
    fn range(&self, index: usize) -> Range<usize> {
        let end = self.rows.get(index + 1).map_or(self.at_ms.len(), |next| next.start);
        self.rows[index].start..end
    }
}
