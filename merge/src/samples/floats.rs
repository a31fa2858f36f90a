//! Float samples in columns.

use std::cmp::Ordering;
use std::ops::{Range, RangeBounds};

use crate::arena::Place;
use crate::prefetch::prefetch;

use super::{Known, Samples, Steps, is_stale};

/// Float samples in two columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Floats<'c> {
    at_ms: &'c [i64],
    values: &'c [f64],
    place: Option<Place<'c>>,
}

impl<'c> Floats<'c> {
    /// Samples of these timestamps, in milliseconds, and values.
    ///
    /// # Panics
    /// If there are not as many values as timestamps.
    ///
    /// ```
    /// use promha_merge::{Floats, Samples};
    ///
    /// assert_eq!(Floats::new(&[10, 20], &[0.5, 0.25]).level(1), 0.25);
    /// ```
    pub fn new(at_ms: &'c [i64], values: &'c [f64]) -> Self {
        assert_eq!(at_ms.len(), values.len(), "there must be as many values as timestamps");
        Self { at_ms, values, place: None }
    }

    /// The same, in an arena.
    pub(crate) fn placed(at_ms: &'c [i64], values: &'c [f64], place: Place<'c>) -> Self {
        Self { place: Some(place), ..Self::new(at_ms, values) }
    }

    fn known(&self) -> Option<Known> {
        self.place.map(Place::known)
    }

    /// Appends all samples, and has those of the series that the source has next brought near: that one will be wanted as a
    /// whole, too. Of timestamps with short steps, these are read.
    pub(crate) fn append_to(&self, at_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        self.prefetch_next_values();
        values.extend_from_slice(self.values);
        match (self.span_ms(), self.place.and_then(Place::short_steps_ms)) {
            (Some((mut time_ms, _)), Some(steps_ms)) => {
                self.prefetch_next_short_steps();
                at_ms.extend(steps_ms.iter().map(|&step_ms| {
                    time_ms += i64::from(step_ms);
                    time_ms
                }));
            }
            _ => {
                self.prefetch_next_times();
                at_ms.extend_from_slice(self.at_ms);
            }
        }
    }

    /// Has the samples of the series that the source has next brought near. Worth it whenever those of this one have to be
    /// read: it will be the same then.
    pub(crate) fn prefetch_next(&self) {
        self.prefetch_next_times();
        self.prefetch_next_values();
    }

    /// The same for the timestamps alone.
    pub(crate) fn prefetch_next_times(&self) {
        self.place.and_then(Place::next).iter().for_each(|next| prefetch(next.at_ms));
    }

    /// The same for the steps between them, if these are short.
    fn prefetch_next_short_steps(&self) {
        self.place.and_then(Place::next_short_steps_ms).into_iter().for_each(prefetch);
    }

    /// The same for the values alone.
    pub(crate) fn prefetch_next_values(&self) {
        self.place.and_then(Place::next).iter().for_each(|next| prefetch(next.values));
    }

    /// The timestamps, in milliseconds.
    pub fn at_ms(&self) -> &'c [i64] {
        self.at_ms
    }

    /// The values, as many.
    pub fn values(&self) -> &'c [f64] {
        self.values
    }

    /// The first and the last timestamp.
    pub(crate) fn span_ms(&self) -> Option<(i64, i64)> {
        match self.place {
            _ if self.at_ms.is_empty() => None,
            Some(place) => Some(place.span_ms()),
            None => Some((*self.at_ms.first()?, *self.at_ms.last()?)),
        }
    }

    /// Whether no timestamp is before its predecessor.
    #[inline]
    pub(crate) fn is_ascending(&self) -> bool {
        self.known().map_or_else(|| find_steps(self.at_ms).are_ascending(), Known::is_ascending)
    }

    /// Whether every timestamp is after its predecessor.
    #[inline]
    pub(crate) fn is_strict(&self) -> bool {
        self.known().map_or_else(|| find_steps(self.at_ms).are_strict(), Known::is_strict)
    }

    /// Whether steps, span and stale markers need not be looked for.
    pub(crate) fn is_known(&self) -> bool {
        self.place.is_some()
    }

    /// How many timestamps are those of another column, from the start on; and has brought near what will be compared of
    /// the series that the sources have next, if that ends alike.
    #[inline]
    pub(crate) fn same_times(&self, other: &Self) -> usize {
        let (Some(a), Some(b)) = (self.place, other.place) else {
            return equal_prefix(self.at_ms, other.at_ms);
        };
        let (Some(a_steps_ms), Some(b_steps_ms)) = (a.short_steps_ms(), b.short_steps_ms()) else {
            self.prefetch_next_times();
            other.prefetch_next_times();
            return equal_prefix(self.at_ms, other.at_ms);
        };
        if a.span_ms().0 != b.span_ms().0 || a_steps_ms.is_empty() {
            return 0;
        }
        self.prefetch_next_short_steps();
        other.prefetch_next_short_steps();
        equal_prefix(a_steps_ms, b_steps_ms)
    }

    /// Whether it has the timestamps of another column, and no others.
    pub(crate) fn has_times_of(&self, other: &Self) -> bool {
        self.at_ms.len() == other.at_ms.len() && self.same_times(other) == self.at_ms.len()
    }

    /// Where the values begin to be other ones than those of a column that has as many.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<usize> {
        // Whole blocks at a time, as in `agree`.
        const BLOCK: usize = 8;
        let differ = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a.to_bits() ^ b.to_bits())) != 0
        };
        let blocks = self.values.chunks(BLOCK).zip(other.values.chunks(BLOCK));
        let same = blocks.take_while(|(a, b)| !differ(a, b)).count() * BLOCK;
        let rest = self.values.get(same..)?.iter().zip(other.values.get(same..)?);
        rest.into_iter().position(|(a, b)| a.to_bits() != b.to_bits()).map(|offset| same + offset)
    }

    /// A part of the columns.
    pub(crate) fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        Self { at_ms: &self.at_ms[range], values: &self.values[range], place: None }
    }
}

/// Timestamps in milliseconds, and as many values; panics if there are not.
impl<'c> From<(&'c [i64], &'c [f64])> for Floats<'c> {
    fn from((at_ms, values): (&'c [i64], &'c [f64])) -> Self {
        Self::new(at_ms, values)
    }
}

impl Samples for Floats<'_> {
    fn at_ms(&self) -> &[i64] {
        self.at_ms
    }

    fn steps(&self) -> Steps {
        self.place.map_or_else(|| Steps::of(self.at_ms), Place::steps)
    }

    fn level(&self, index: usize) -> f64 {
        self.values[index]
    }

    fn compare(&self, index: usize, other: &Self, other_index: usize) -> Ordering {
        self.values[index].to_bits().cmp(&other.values[other_index].to_bits())
    }

    fn agree(&self, index: usize, other: &Self, other_index: usize, most: usize) -> usize {
        let (at_ms, values) = (&self.at_ms[index..][..most], &self.values[index..][..most]);
        let (other_ms, others) = (&other.at_ms[other_index..][..most], &other.values[other_index..][..most]);
        // Most columns agree nowhere or everywhere: blocks are compared as a whole, and only one piece by
        // piece.
        const BLOCK: usize = 16;
        let mut agreed = 0;
        while agreed < most {
            let block = agreed..most.min(agreed + BLOCK);
            let pairs = values[block.clone()].iter().zip(&others[block.clone()]);
            let differing = pairs.fold(0, |bits, (a, b)| bits | (a.to_bits() ^ b.to_bits()));
            if differing != 0 || at_ms[block.clone()] != other_ms[block.clone()] {
                let same = |&i: &usize| at_ms[i] == other_ms[i] && values[i].to_bits() == others[i].to_bits();
                return agreed + block.take_while(same).count();
            }
            agreed = block.end;
        }
        most
    }

    fn first_stale(&self, range: Range<usize>) -> Option<usize> {
        if self.known().is_some_and(Known::all_live) {
            return None;
        }
        let start = range.start;
        self.values[range].iter().position(|&value| is_stale(value)).map(|offset| start + offset)
    }
}

/// Of columns that lie in no arena. Kept out of the way of those that do, of which it is known.
#[inline(never)]
fn find_steps(at_ms: &[i64]) -> Steps {
    Steps::of(at_ms)
}

/// How many are the same from the start. The whole is compared first, then blocks: columns of the same times are mostly
/// the same to their ends.
pub(crate) fn equal_prefix<T: Eq>(a: &[T], b: &[T]) -> usize {
    if a.first() != b.first() {
        return 0;
    }
    if a == b {
        return a.len();
    }
    const BLOCK: usize = 16;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK)).take_while(|(a, b)| a == b).count() * BLOCK;
    blocks + a[blocks..].iter().zip(&b[blocks..]).take_while(|(a, b)| a == b).count()
}
