//! Histograms of one layout as columns.

use crate::gorilla::ReadWindow;
use crate::histogram::layout::Layout;
use crate::histogram::number::Number;
use crate::histogram::view::{HistogramView, ResetHint};
use crate::xor::is_stale_nan;

/// Native histograms that can stand in one chunk: with integer counts (`u64`) or float counts (`f64`).
///
/// What they have in common is the [`Layout`]; the rest are columns with one entry for each histogram, and the
/// buckets row by row. [`decode`](Self::decode) fills it from a chunk, [`push`](Self::push) from messages,
/// [`push_from`](Self::push_from) from other columns, and [`HistogramEncoder`](super::HistogramEncoder) writes a
/// chunk of it. Memory is kept from one filling to the next.
///
/// A stale histogram, one that marks the end of its series, has no buckets, and its counts are 0.
#[derive(Debug, Clone, Default)]
pub struct Histograms<N: Number> {
    pub(super) layout: Layout,
    pub(super) reset: ResetHint,
    pub(super) timestamps_ms: Vec<i64>,
    pub(super) counts: Vec<N>,
    pub(super) zero_counts: Vec<N>,
    pub(super) sums: Vec<f64>,
    /// How many rows of `buckets` come before the one of this histogram; stale ones have none.
    pub(super) rows: Vec<usize>,
    /// As messages have them, positive before negative ones.
    pub(super) buckets: Vec<N::Bucket>,
    /// How many buckets there are in a row, and how many of them are positive ones.
    pub(super) width: usize,
    pub(super) positive: usize,
    /// While reading: the last row, and how each of its buckets changed or which of its bits did.
    pub(super) last: Vec<N::Bucket>,
    pub(super) changes: Vec<i64>,
    pub(super) windows: Vec<ReadWindow>,
}

impl<N: Number> Histograms<N> {
    /// No histograms.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many histograms there are.
    pub fn len(&self) -> usize {
        self.timestamps_ms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.timestamps_ms.is_empty()
    }

    /// What they have in common.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the flags of the chunk say: whether there was a counter reset before the first histogram, or that all
    /// of them are gauges.
    pub fn reset_hint(&self) -> ResetHint {
        self.reset
    }

    /// Sets what the flags of the chunk say, except that gauges stay gauges and nothing else becomes one.
    ///
    /// [`ResetHint::No`] is a statement about the chunk before this one in the same series: set it only if that
    /// chunk travels too.
    pub fn set_reset_hint(&mut self, hint: ResetHint) {
        if self.reset != ResetHint::Gauge && hint != ResetHint::Gauge {
            self.reset = hint;
        }
    }

    /// The times, in milliseconds since 1970.
    pub fn timestamps_ms(&self) -> &[i64] {
        &self.timestamps_ms
    }

    /// The numbers of observations.
    pub fn counts(&self) -> &[N] {
        &self.counts
    }

    /// The numbers of observations in the zero bucket.
    pub fn zero_counts(&self) -> &[N] {
        &self.zero_counts
    }

    /// The sums of the observations; a stale marker marks a stale histogram.
    pub fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Histogram number `n` as it stands in messages.
    ///
    /// Its hint is what is certain: a counter does not go down inside a chunk, and what the flags say about the
    /// first histogram holds if it is a reset; if it is none, that was about a chunk that may not be there.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn view(&self, n: usize) -> HistogramView<'_> {
        let mut view = HistogramView {
            t_ms: self.timestamps_ms[n],
            count: Some(self.counts[n].to_count()),
            zero_count: Some(self.zero_counts[n].to_count()),
            sum: self.sums[n],
            ..HistogramView::default()
        };
        if let Some(row) = self.row(n) {
            view.reset_hint = match self.reset {
                ResetHint::Gauge => ResetHint::Gauge,
                _ if n > 0 => ResetHint::No,
                ResetHint::Yes => ResetHint::Yes,
                _ => ResetHint::Unknown,
            };
            self.layout.show(&mut view);
            let (positive, negative) = row.split_at(self.positive);
            N::set_buckets(&mut view, positive, negative);
        }
        view
    }

    /// All histograms as they stand in messages, in order; see [`view`](Self::view).
    pub fn views(&self) -> impl ExactSizeIterator<Item = HistogramView<'_>> {
        (0..self.len()).map(|n| self.view(n))
    }

    /// Forgets the histograms and keeps the memory.
    pub fn clear(&mut self) {
        self.layout.clear();
        self.measure_layout();
        self.reset = ResetHint::Unknown;
        self.timestamps_ms.clear();
        self.counts.clear();
        self.zero_counts.clear();
        self.sums.clear();
        self.rows.clear();
        self.buckets.clear();
    }

    /// The buckets of histogram `n`, or `None` if it is stale.
    pub(super) fn row(&self, n: usize) -> Option<&[N::Bucket]> {
        let start = self.rows[n] * self.width;
        (!is_stale_nan(self.sums[n])).then(|| &self.buckets[start..start + self.width])
    }

    /// Where the row of the next histogram begins, in rows.
    pub(super) fn next_row(&self) -> usize {
        match (self.rows.last(), self.sums.last()) {
            (Some(&row), Some(&sum)) => row + usize::from(!is_stale_nan(sum)),
            _ => 0,
        }
    }

    /// Adds all of a histogram but its buckets.
    pub(super) fn push_numbers(&mut self, t_ms: i64, count: N, zero_count: N, sum: f64) {
        self.rows.push(self.next_row());
        self.timestamps_ms.push(t_ms);
        self.counts.push(count);
        self.zero_counts.push(zero_count);
        self.sums.push(sum);
    }

    /// Adds a stale marker.
    pub(super) fn push_stale(&mut self, t_ms: i64, sum: f64) {
        self.push_numbers(t_ms, N::default(), N::default(), sum);
    }

    /// Takes note of a new layout.
    pub(super) fn measure_layout(&mut self) {
        let (positive, negative) = self.layout.bucket_counts();
        (self.positive, self.width) = (positive, positive + negative);
    }

    /// What is certain about histogram `n` if a chunk begins with it.
    pub(super) fn hint_from(&self, n: usize) -> ResetHint {
        match self.reset {
            ResetHint::Gauge => ResetHint::Gauge,
            hint if n == 0 => hint,
            _ => ResetHint::Unknown,
        }
    }
}
