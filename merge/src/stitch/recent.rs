//! The last live samples that came out.

use std::ops::Range;

use crate::samples::{Samples, is_stale};

/// How many steps back it is known whether a counter fell.
const STEPS: usize = 3;

/// A live sample that came out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Live {
    pub(super) at_ms: i64,
    pub(super) level: f64,
    pub(super) histogram: bool,
}

impl Live {
    /// The level this one is below, if the one before it was above.
    fn fell_from(self, before: Self) -> Option<f64> {
        (before.histogram == self.histogram && self.level < before.level).then_some(before.level)
    }
}

/// What has not been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unknown;

/// The last few live samples that came out, as far as anybody has looked at them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recent {
    /// The last one first.
    samples: [Live; STEPS + 1],
    count: usize,
    /// There may be more before them.
    has_more: bool,
}

impl Recent {
    /// One of which only the time is of interest.
    pub(super) fn at(at_ms: i64) -> Self {
        let mut recent = Self { count: 1, ..Self::default() };
        recent.samples[0].at_ms = at_ms;
        recent
    }

    /// Those of a range that came out, behind something that nobody has looked at.
    pub(super) fn of<S: Samples>(range: Range<usize>, column: S) -> Self {
        let mut recent = Self { has_more: true, ..Self::default() };
        let live = range.rev().filter(|&index| !is_stale(column.level(index)));
        for (sample, index) in recent.samples.iter_mut().zip(live) {
            let (level, histogram) = (column.level(index), column.is_histogram(index));
            *sample = Live { at_ms: column.at_ms()[index], level, histogram };
            recent.count += 1;
        }
        recent
    }

    /// The same behind `earlier` ones.
    pub(super) fn after(mut self, earlier: Self) -> Self {
        let known = earlier.samples.iter().take(earlier.count);
        for (sample, known) in self.samples.iter_mut().skip(self.count).zip(known) {
            *sample = *known;
            self.count += 1;
        }
        self.has_more = earlier.has_more;
        self
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Live> {
        self.samples.first().copied().filter(|_| self.count > 0)
    }

    /// The level that the last one fell from, if it is below the one before it.
    pub(super) fn fell_from(&self) -> Result<Option<f64>, Unknown> {
        self.fall(0)
    }

    /// Whether one that is later than `after_ms` fell, but for those that are too many steps back.
    pub(super) fn fell_after(&self, after_ms: i64) -> Result<bool, Unknown> {
        for (step, live) in self.samples.iter().enumerate().take(self.count.min(STEPS)) {
            if live.at_ms <= after_ms {
                break;
            }
            if self.fall(step)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fall(&self, step: usize) -> Result<Option<f64>, Unknown> {
        match self.samples.get(step + 1).filter(|_| step + 1 < self.count) {
            Some(before) => Ok(self.samples[step].fell_from(*before)),
            None if self.has_more => Err(Unknown),
            None => Ok(None),
        }
    }
}
