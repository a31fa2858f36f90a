//! What a policy needs to know of samples: when they are, how high they are, and which of two is better.

mod floats;
mod known;
mod steps;

use std::cmp::Ordering;
use std::ops::Range;

pub use floats::Floats;
pub(crate) use floats::equal_prefix;
pub(crate) use known::{Known, Noted};
pub use steps::Steps;

/// The bits of a stale marker: the NaN that says "this series has ended, or its scrape failed".
///
/// Source: `model/value/value.go` in Prometheus.
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is a stale marker. Compares bits: as numbers all NaNs are unequal to everything.
///
/// ```
/// assert!(promha_merge::is_stale(f64::from_bits(promha_merge::STALE_BITS)));
/// assert!(!promha_merge::is_stale(f64::NAN));
/// ```
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// A column of samples of one source, as a policy looks at it. The samples themselves stay with the caller.
///
/// For float columns there is [`Floats`]. Implement it for whatever else you hold: of a histogram
/// [`level`](Self::level) is its count of observations, and its stale marker is the one in its sum.
///
/// ```
/// use std::cmp::Ordering;
/// use promha_merge::{STALE_BITS, Samples};
///
/// struct Histogram { count: u64, sum: f64, buckets: Vec<u64> }
///
/// #[derive(Clone, Copy)]
/// struct Histograms<'c> { at_ms: &'c [i64], samples: &'c [Histogram] }
///
/// impl Samples for Histograms<'_> {
///     fn at_ms(&self) -> &[i64] {
///         self.at_ms
///     }
///     fn level(&self, index: usize) -> f64 {
///         let Histogram { count, sum, .. } = &self.samples[index];
///         if sum.to_bits() == STALE_BITS { *sum } else { *count as f64 }
///     }
///     fn is_histogram(&self, _index: usize) -> bool {
///         true
///     }
///     fn compare(&self, index: usize, other: &Self, other_index: usize) -> Ordering {
///         let content = |h: &Histogram| (h.count, h.sum.to_bits(), h.buckets.clone());
///         content(&self.samples[index]).cmp(&content(&other.samples[other_index]))
///     }
/// }
///
/// let samples = [Histogram { count: 7, sum: 0.5, buckets: vec![3, 4] }];
/// assert_eq!(Histograms { at_ms: &[1_000], samples: &samples }.level(0), 7.0);
/// ```
pub trait Samples: Copy {
    /// The timestamps of all samples, in milliseconds, ascending.
    fn at_ms(&self) -> &[i64];

    /// What the steps between the timestamps are like. Reads them all, unless it is known already.
    fn steps(&self) -> Steps {
        Steps::of(self.at_ms())
    }

    /// A float sample's value, or a histogram's count of observations: what a counter may not go back in.
    /// A stale marker of either kind is the float with [`STALE_BITS`].
    fn level(&self, index: usize) -> f64;

    /// Whether a sample is a histogram.
    fn is_histogram(&self, index: usize) -> bool {
        let _ = index;
        false
    }

    /// Any total order of what samples contain (not of when they are), `Equal` only if it is the same to the
    /// last bit.
    fn compare(&self, index: usize, other: &Self, other_index: usize) -> Ordering;

    /// How many of the `most` samples from `index` on are the same in `other` from `other_index` on, in time
    /// and content.
    fn agree(&self, index: usize, other: &Self, other_index: usize, most: usize) -> usize {
        let same = |i: &usize| {
            self.at_ms()[index + i] == other.at_ms()[other_index + i]
                && self.compare(index + i, other, other_index + i) == Ordering::Equal
        };
        (0..most).take_while(same).count()
    }

    /// The first stale marker in a range.
    fn first_stale(&self, range: Range<usize>) -> Option<usize> {
        range.into_iter().find(|&index| is_stale(self.level(index)))
    }
}

/// Which of two samples of the same time to keep: the greater one. A live one rather than a stale marker, a
/// histogram rather than a float, a number rather than a NaN, the larger one (of a counter, the one that has
/// seen more), and then any fixed choice. `Equal` only if they are the same.
pub(crate) fn prefer<S: Samples>(a: &S, i: usize, b: &S, j: usize) -> Ordering {
    let (a_level, b_level) = (a.level(i), b.level(j));
    is_stale(b_level)
        .cmp(&is_stale(a_level))
        .then(a.is_histogram(i).cmp(&b.is_histogram(j)))
        .then(b_level.is_nan().cmp(&a_level.is_nan()))
        .then(a_level.partial_cmp(&b_level).unwrap_or(Ordering::Equal))
        .then_with(|| a.compare(i, b, j))
}
