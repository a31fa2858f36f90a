//! One series of a message.

use std::fmt;

use crate::histogram::HistogramView;
use crate::series::arena::{Arena, SeriesEnds};

/// One series, wherever it comes from: a write request of either version or an answer with samples.
///
/// The protocol was checked (protobuf, UTF-8, limits, references), the rules for labels were not: they may be
/// unsorted, there twice or empty if the sender says so. See [`labels::check`](crate::labels::check).
#[derive(Clone, Copy)]
pub struct SeriesView<'v> {
    arena: &'v Arena<'v>,
    number: usize,
    start: SeriesEnds,
    end: SeriesEnds,
}

impl<'v> SeriesView<'v> {
    /// Series number `n` of all.
    #[inline]
    pub(crate) fn new(arena: &'v Arena<'v>, n: usize) -> Self {
        let start = n.checked_sub(1).map_or(SeriesEnds::default(), |n| arena.series[n]);
        Self { arena, number: n, start, end: arena.series[n] }
    }

    /// Name and value of each label in the order of the sender, which should be sorted by name.
    #[inline]
    pub fn labels(&self) -> &'v [(&'v str, &'v str)] {
        &self.arena.labels[self.start.labels..self.end.labels]
    }

    /// Float samples in the order of the sender, which should be by time: milliseconds since 1970, and the value.
    #[inline]
    pub fn samples(&self) -> &'v [(i64, f64)] {
        &self.arena.samples[self.start.samples..self.end.samples]
    }

    /// When counting began for each of the samples, in milliseconds since 1970, 0 where that is not known; or empty
    /// if it is known nowhere. Only write 2 can tell.
    pub fn sample_starts_ms(&self) -> &'v [i64] {
        self.arena.starts_ms.get(self.start.samples..self.end.samples).unwrap_or_default()
    }

    /// Native histograms in the order of the sender, which should be by time.
    pub fn histograms(&self) -> Histograms<'v> {
        Histograms { arena: self.arena, next: self.start.histograms, end: self.end.histograms }
    }

    /// Exemplars in the order of the sender.
    pub fn exemplars(&self) -> Exemplars<'v> {
        Exemplars { arena: self.arena, next: self.start.exemplars, end: self.end.exemplars }
    }

    /// What the sender says about the metric family of this series, with an empty family name. Only write 2 says it
    /// here; in write 1 it stands in a list of its own.
    pub fn metadata(&self) -> Option<MetadataView<'v>> {
        self.arena.series_metadata.get(self.number).copied().flatten()
    }
}

impl fmt::Debug for SeriesView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesView")
            .field("labels", &self.labels())
            .field("samples", &self.samples())
            .field("sample_starts_ms", &self.sample_starts_ms())
            .field("histograms", &self.histograms())
            .field("exemplars", &self.exemplars())
            .field("metadata", &self.metadata())
            .finish()
    }
}

/// The histograms of a [`SeriesView`].
#[derive(Clone)]
pub struct Histograms<'v> {
    arena: &'v Arena<'v>,
    next: usize,
    end: usize,
}

impl<'v> Iterator for Histograms<'v> {
    type Item = HistogramView<'v>;

    fn next(&mut self) -> Option<HistogramView<'v>> {
        let n = (self.next < self.end).then_some(self.next)?;
        self.next += 1;
        Some(self.arena.histogram(n))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl ExactSizeIterator for Histograms<'_> {}

impl std::iter::FusedIterator for Histograms<'_> {}

impl fmt::Debug for Histograms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// A sample that points elsewhere, for example to a trace.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ExemplarView<'v> {
    /// What it points to; not the labels of the series.
    pub labels: &'v [(&'v str, &'v str)],
    /// The value that was observed.
    pub value: f64,
    /// Milliseconds since 1970.
    pub t_ms: i64,
}

/// The exemplars of a [`SeriesView`].
#[derive(Clone)]
pub struct Exemplars<'v> {
    arena: &'v Arena<'v>,
    next: usize,
    end: usize,
}

impl<'v> Iterator for Exemplars<'v> {
    type Item = ExemplarView<'v>;

    fn next(&mut self) -> Option<ExemplarView<'v>> {
        let n = (self.next < self.end).then_some(self.next)?;
        self.next += 1;
        let record = self.arena.exemplars[n];
        let start = n.checked_sub(1).map_or(0, |n| self.arena.exemplars[n].labels_end);
        let labels = &self.arena.exemplar_labels[start..record.labels_end];
        Some(ExemplarView { labels, value: record.value, t_ms: record.t_ms })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.end - self.next, Some(self.end - self.next))
    }
}

impl ExactSizeIterator for Exemplars<'_> {}

impl std::iter::FusedIterator for Exemplars<'_> {}

impl fmt::Debug for Exemplars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// What is known about a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MetadataView<'v> {
    /// The type of the metric.
    pub metric_type: MetricType,
    /// The name without suffixes like `_bucket`; empty where it stands with a series.
    pub family: &'v str,
    /// What it measures, for people.
    pub help: &'v str,
    /// The unit, for example `seconds`.
    pub unit: &'v str,
}

/// The type of a metric family. Source: `MetricMetadata.MetricType` in `prompb/types.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Not known.
    #[default]
    Unknown,
    /// Goes up, or starts again at 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// A histogram whose counts go up and down.
    GaugeHistogram,
    /// Quantiles that the target computed.
    Summary,
    /// Labels of a constant 1.
    Info,
    /// States of which each is on or off.
    StateSet,
    /// Any other number.
    Other(i32),
}

impl MetricType {
    /// The type that has this number on the wire. Every number is one.
    pub fn from_wire(number: i32) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::GaugeHistogram,
            5 => Self::Summary,
            6 => Self::Info,
            7 => Self::StateSet,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::Counter => 1,
            Self::Gauge => 2,
            Self::Histogram => 3,
            Self::GaugeHistogram => 4,
            Self::Summary => 5,
            Self::Info => 6,
            Self::StateSet => 7,
            Self::Other(number) => number,
        }
    }
}
