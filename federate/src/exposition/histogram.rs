//! Native histograms, as protobuf has them.

use std::fmt;

use super::entry::{ExemplarNumbers, ExemplarView};
use super::labels::LabelLease;

/// A native histogram of a series. It is as it was exposed, not brought into a shortest form; that the spans name as many
/// buckets as there are is checked. The format has no field for custom bounds (schema -53): such histograms come as classic ones.
pub struct HistogramView<'p> {
    pub(super) labels: LabelLease<'p>,
    pub(super) exemplars: &'p [ExemplarRecord],
    /// When it was so, in milliseconds since 1970, if that is said; 0 says nothing.
    pub t_ms: Option<i64>,
    /// When the counting began, in milliseconds since 1970, if that is said.
    pub created_ms: Option<i64>,
    /// Whether its counts go up and down.
    pub is_gauge: bool,
    /// The resolution: the bounds of buckets are powers of `2^(2^-schema)`.
    pub schema: i32,
    /// Observations no farther from 0 are in the bucket of zero.
    pub zero_threshold: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Which positive buckets there are.
    pub positive_spans: &'p [Span],
    /// Which negative buckets there are.
    pub negative_spans: &'p [Span],
    /// What is in them.
    pub buckets: Buckets<'p>,
}

/// Buckets that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The number of the first one in the first span, how many are left out before it in others.
    pub offset: i32,
    /// How many there are.
    pub length: u32,
}

/// The counts of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Buckets<'p> {
    /// Whole numbers; each bucket is the difference to the one before it, the first one to 0.
    Integer {
        /// All observations.
        count: u64,
        /// Those in the bucket of zero.
        zero_count: u64,
        /// Of the positive buckets.
        positive_deltas: &'p [i64],
        /// Of the negative buckets.
        negative_deltas: &'p [i64],
    },
    /// Fractions, each bucket for itself.
    Float {
        /// All observations.
        count: f64,
        /// Those in the bucket of zero.
        zero_count: f64,
        /// Of the positive buckets.
        positive: &'p [f64],
        /// Of the negative buckets.
        negative: &'p [f64],
    },
}

/// An exemplar whose labels end at this number of all labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExemplarRecord {
    pub(super) labels_end: usize,
    pub(super) numbers: ExemplarNumbers,
}

impl HistogramView<'_> {
    /// Name and value of each label, sorted by name; the name of the metric is the value of `__name__`.
    pub fn labels(&self) -> &[(&str, &str)] {
        self.labels.series()
    }

    /// Its exemplars that say when they were observed; others cannot be told apart from those of the last time.
    pub fn exemplars(&self) -> Exemplars<'_> {
        Exemplars { labels: self.labels.exemplar(), start: 0, records: self.exemplars.iter() }
    }
}

impl fmt::Debug for HistogramView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistogramView")
            .field("labels", &self.labels())
            .field("t_ms", &self.t_ms)
            .field("created_ms", &self.created_ms)
            .field("is_gauge", &self.is_gauge)
            .field("schema", &self.schema)
            .field("zero_threshold", &self.zero_threshold)
            .field("sum", &self.sum)
            .field("positive_spans", &self.positive_spans)
            .field("negative_spans", &self.negative_spans)
            .field("buckets", &self.buckets)
            .field("exemplars", &self.exemplars())
            .finish()
    }
}

/// The exemplars of a [`HistogramView`].
#[derive(Clone)]
pub struct Exemplars<'v> {
    labels: &'v [(&'v str, &'v str)],
    start: usize,
    records: std::slice::Iter<'v, ExemplarRecord>,
}

impl<'v> Iterator for Exemplars<'v> {
    type Item = ExemplarView<'v>;

    fn next(&mut self) -> Option<ExemplarView<'v>> {
        let ExemplarRecord { labels_end, numbers } = *self.records.next()?;
        let labels = self.labels.get(self.start..labels_end).unwrap_or_default();
        self.start = labels_end;
        Some(ExemplarView { labels, value: numbers.value, t_ms: numbers.t_ms })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Exemplars<'_> {}

impl std::iter::FusedIterator for Exemplars<'_> {}

impl fmt::Debug for Exemplars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
