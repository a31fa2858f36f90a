//! Where series come from.

use std::convert::Infallible;
use std::fmt::Display;

use crate::exposition::write::{Value, WriteFormat};
use crate::selector::Selector;

/// The bits of the NaN that marks that a series has ended.
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What was seen, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What was seen.
    pub value: Value<'a>,
}

impl Sample<'_> {
    /// Whether it marks that the series has ended: by the bits of the number, or of the sum.
    pub fn is_stale(&self) -> bool {
        let number = match &self.value {
            Value::Float(value) => *value,
            Value::Histogram(histogram) => histogram.sum,
        };
        number.to_bits() == STALE_BITS
    }

    /// Whether it is exposed in this format.
    pub(super) fn travels(&self, format: WriteFormat) -> bool {
        !self.is_stale()
            && match &self.value {
                Value::Float(_) => true,
                Value::Histogram(histogram) => format.holds(histogram),
            }
    }
}

/// Series that can be selected: a storage, an index beside one, or a slice of [`PlainSeries`].
///
/// One answer asks first for what is selected, then for the name of each series, and at last, name by name, for the
/// newest sample and the labels of each. What is asked for in between must not change; a source that is written to
/// meanwhile gives a view of itself.
pub trait Source {
    /// Names a series: a number, a reference. Small, and never the same for two label sets. Its order is that of the
    /// series of a metric in the answer, and the order in which the source is asked for them.
    type Series: Copy + Ord;

    /// Why the source failed.
    type Error: Display;

    /// Gives the series to `take` that at least one of the selectors selects, in any order; more than once is
    /// allowed. An index takes its postings; [`Selector::matches`] decides where there is none.
    ///
    /// # Errors
    ///
    /// If it fails; there is no answer then.
    fn select(&self, selectors: &[Selector], take: &mut dyn FnMut(Self::Series)) -> Result<(), Self::Error>;

    /// The labels of a series, sorted by name, with `__name__`.
    fn labels(&self, series: Self::Series) -> impl Iterator<Item = (&str, &str)>;

    /// The newest sample of a series from `from_ms` to `to_ms`, both included, in milliseconds since 1970. A stale
    /// marker is one.
    ///
    /// # Errors
    ///
    /// If it fails; there is no answer then.
    fn newest(
        &self,
        series: Self::Series,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Option<Sample<'_>>, Self::Error>;
}

/// A series in plain shape. A slice of them, each with other labels, is a [`Source`] that looks at every one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainSeries<'a> {
    /// Sorted by name, with `__name__`.
    pub labels: &'a [(&'a str, &'a str)],
    /// Sorted by time.
    pub samples: &'a [Sample<'a>],
}

impl Source for [PlainSeries<'_>] {
    type Series = usize;
    type Error = Infallible;

    fn select(&self, selectors: &[Selector], take: &mut dyn FnMut(usize)) -> Result<(), Infallible> {
        for (at, series) in self.iter().enumerate() {
            if selectors.iter().any(|selector| selector.matches(series.labels)) {
                take(at);
            }
        }
        Ok(())
    }

    fn labels(&self, series: usize) -> impl Iterator<Item = (&str, &str)> {
        self[series].labels.iter().copied()
    }

    fn newest(&self, series: usize, from_ms: i64, to_ms: i64) -> Result<Option<Sample<'_>>, Infallible> {
        let samples = self[series].samples;
        let until = samples.partition_point(|sample| sample.at_ms <= to_ms);
        Ok(samples[..until].last().filter(|sample| sample.at_ms >= from_ms).copied())
    }
}
