//! The series of one source in one piece of memory.

use std::ops::Range;

use crate::label_arena::LabelArena;
use crate::prefetch::{CACHE_LINE_BYTES, prefetch_at};
use crate::samples::{Floats, Known, Noted, Steps};

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
    /// Where the samples of each series begin, and the last ones end, with what is known of them.
    bounds: Vec<Noted>,
    /// The first and the last timestamp of each series, if it has any.
    spans_ms: Vec<(i64, i64)>,
    /// How long before each sample the one before it was, in milliseconds, in a series that has only short steps; of the
    /// first one 0. To compare these is to compare timestamps, and a quarter of the memory.
    short_steps_ms: Vec<u16>,
    /// Of each series, apart from what is asked for in any case.
    steps: Vec<Steps>,
}

/// Where a column lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'c> {
    arena: &'c Arena,
    /// Its number in there.
    noted: Noted,
}

impl<'c> Place<'c> {
    pub(crate) fn known(self) -> Known {
        self.noted.known()
    }

    fn index(self) -> usize {
        self.noted.number()
    }

    pub(crate) fn steps(self) -> Steps {
        self.arena.steps[self.index()]
    }

    /// Its first and last timestamp, if it has any.
    pub(crate) fn span_ms(self) -> (i64, i64) {
        self.arena.spans_ms[self.index()]
    }

    /// The steps to each of its timestamps, if all are short.
    pub(crate) fn short_steps_ms(self) -> Option<&'c [u16]> {
        self.known().has_short_steps().then(|| &self.arena.short_steps_ms[self.arena.range(self.index()).0])
    }

    /// The same of the column behind it.
    pub(crate) fn next_short_steps_ms(self) -> Option<&'c [u16]> {
        let Self { arena, noted } = self;
        let next = noted.number() + 1;
        (next < arena.len()).then(|| &arena.short_steps_ms[arena.range(next).0])
    }

    /// The column behind it, if there is one.
    pub(crate) fn next(self) -> Option<Floats<'c>> {
        let next = self.index() + 1;
        (next < self.arena.len()).then(|| self.arena.column(next))
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
        let column = Floats::new(at_ms, values);
        let (steps, start) = (Steps::of(at_ms), self.at_ms.len());
        self.bounds.pop();
        self.bounds.push(Noted::new(start, Known::of(column, steps)));
        self.bounds.push(Noted::new(start + at_ms.len(), Known::default()));
        self.spans_ms.push(column.span_ms().unwrap_or_default());
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
        let Self { labels, at_ms, values, bounds, spans_ms, short_steps_ms, steps } = self;
        labels.clear();
        at_ms.clear();
        values.clear();
        bounds.clear();
        spans_ms.clear();
        short_steps_ms.clear();
        steps.clear();
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The labels of all series.
    pub fn labels(&self) -> &LabelArena {
        &self.labels
    }

    /// Has what will be asked for soon brought near, now that a series comes out: more of it, if others have that series too. Of its
    /// samples, only who reads them knows which ones: see [`Floats::prefetch_next_times`].
    #[inline]
    pub(crate) fn prefetch_after(&self, index: usize, shared: bool) {
        prefetch_at(&self.bounds, index + CACHE_LINE_BYTES / size_of::<Noted>());
        if shared {
            prefetch_at(&self.spans_ms, index + CACHE_LINE_BYTES / size_of::<(i64, i64)>());
        }
    }

    /// The samples of a series.
    ///
    /// # Panics
    /// If there is no such series.
    #[inline]
    pub fn column(&self, index: usize) -> Floats<'_> {
        let (range, known) = self.range(index);
        let place = Place { arena: self, noted: Noted::new(index, known) };
        Floats::placed(&self.at_ms[range.clone()], &self.values[range], place)
    }

    #[inline]
    fn range(&self, index: usize) -> (Range<usize>, Known) {
        let (bound, end) = (self.bounds[index], self.bounds[index + 1]);
        (bound.number()..end.number(), bound.known())
    }
}
