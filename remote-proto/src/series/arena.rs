//! Where the parts of all series of a message are put, each kind in one row.

use crate::histogram::{Count, HistogramView, ResetHint, Span};
use crate::recycle::recycle;
use crate::series::view::MetadataView;

/// The parts of all series. Where those of one series begin is where those of the series before it end.
#[derive(Debug, Default)]
pub(crate) struct Arena<'a> {
    pub(crate) series: Vec<SeriesEnds>,
    pub(crate) labels: Vec<(&'a str, &'a str)>,
    pub(crate) samples: Vec<(i64, f64)>,
    /// For each sample, if there is any with such a time.
    pub(crate) starts_ms: Vec<i64>,
    pub(crate) histograms: Vec<HistogramRecord>,
    pub(crate) buckets: Buckets,
    pub(crate) exemplars: Vec<ExemplarRecord>,
    pub(crate) exemplar_labels: Vec<(&'a str, &'a str)>,
    /// For each series up to the last one that has some.
    pub(crate) series_metadata: Vec<Option<MetadataView<'a>>>,
    pub(crate) metadata: Vec<MetadataView<'a>>,
    pub(crate) symbols: Vec<&'a str>,
    /// The references of one series.
    pub(crate) references: Vec<u32>,
    /// The references of one exemplar.
    pub(crate) exemplar_references: Vec<u32>,
    /// Where the series of each result end.
    pub(crate) results: Vec<usize>,
}

/// Where the parts of a series end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SeriesEnds {
    pub(crate) labels: usize,
    pub(crate) samples: usize,
    pub(crate) histograms: usize,
    pub(crate) exemplars: usize,
}

/// The lists of all histograms.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    pub(crate) negative_spans: Vec<Span>,
    pub(crate) negative_deltas: Vec<i64>,
    pub(crate) negative_counts: Vec<f64>,
    pub(crate) positive_spans: Vec<Span>,
    pub(crate) positive_deltas: Vec<i64>,
    pub(crate) positive_counts: Vec<f64>,
    pub(crate) custom_values: Vec<f64>,
}

/// Where the lists of a histogram end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BucketEnds {
    negative_spans: usize,
    negative_deltas: usize,
    negative_counts: usize,
    positive_spans: usize,
    positive_deltas: usize,
    positive_counts: usize,
    custom_values: usize,
}

/// A histogram without its lists.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HistogramRecord {
    pub(crate) t_ms: i64,
    pub(crate) start_ms: i64,
    pub(crate) count: Option<Count>,
    pub(crate) zero_count: Option<Count>,
    pub(crate) sum: f64,
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) reset_hint: ResetHint,
    pub(crate) ends: BucketEnds,
}

/// An exemplar without its labels.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ExemplarRecord {
    pub(crate) t_ms: i64,
    pub(crate) value: f64,
    pub(crate) labels_end: usize,
}

impl Arena<'_> {
    /// The same memory, empty, for items of another lifetime.
    pub(crate) fn recycled<'b>(self) -> Arena<'b> {
        let Self {
            mut series,
            mut samples,
            mut starts_ms,
            mut histograms,
            mut buckets,
            mut exemplars,
            mut references,
            mut exemplar_references,
            mut results,
            ..
        } = self;
        series.clear();
        samples.clear();
        starts_ms.clear();
        histograms.clear();
        buckets.clear();
        exemplars.clear();
        references.clear();
        exemplar_references.clear();
        results.clear();
        Arena {
            series,
            labels: recycle(self.labels),
            samples,
            starts_ms,
            histograms,
            buckets,
            exemplars,
            exemplar_labels: recycle(self.exemplar_labels),
            series_metadata: recycle(self.series_metadata),
            metadata: recycle(self.metadata),
            symbols: recycle(self.symbols),
            references,
            exemplar_references,
            results,
        }
    }

    /// Forgets all series, and keeps the symbols.
    pub(crate) fn clear_series(&mut self) {
        let symbols = std::mem::take(&mut self.symbols);
        *self = Self { symbols, ..std::mem::take(self).recycled() };
    }

    /// Where the parts of the next series begin.
    pub(crate) fn ends(&self) -> SeriesEnds {
        SeriesEnds {
            labels: self.labels.len(),
            samples: self.samples.len(),
            histograms: self.histograms.len(),
            exemplars: self.exemplars.len(),
        }
    }

    /// Histogram number `n` of all.
    pub(crate) fn histogram(&self, n: usize) -> HistogramView<'_> {
        let record = self.histograms[n];
        let (start, end) =
            (n.checked_sub(1).map_or(BucketEnds::default(), |n| self.histograms[n].ends), record.ends);
        let all = &self.buckets;
        HistogramView {
            t_ms: record.t_ms,
            start_ms: record.start_ms,
            count: record.count,
            zero_count: record.zero_count,
            sum: record.sum,
            schema: record.schema,
            zero_threshold: record.zero_threshold,
            reset_hint: record.reset_hint,
            negative_spans: &all.negative_spans[start.negative_spans..end.negative_spans],
            negative_deltas: &all.negative_deltas[start.negative_deltas..end.negative_deltas],
            negative_counts: &all.negative_counts[start.negative_counts..end.negative_counts],
            positive_spans: &all.positive_spans[start.positive_spans..end.positive_spans],
            positive_deltas: &all.positive_deltas[start.positive_deltas..end.positive_deltas],
            positive_counts: &all.positive_counts[start.positive_counts..end.positive_counts],
            custom_values: &all.custom_values[start.custom_values..end.custom_values],
        }
    }
}

impl Buckets {
    pub(crate) fn ends(&self) -> BucketEnds {
        BucketEnds {
            negative_spans: self.negative_spans.len(),
            negative_deltas: self.negative_deltas.len(),
            negative_counts: self.negative_counts.len(),
            positive_spans: self.positive_spans.len(),
            positive_deltas: self.positive_deltas.len(),
            positive_counts: self.positive_counts.len(),
            custom_values: self.custom_values.len(),
        }
    }

    fn clear(&mut self) {
        self.negative_spans.clear();
        self.negative_deltas.clear();
        self.negative_counts.clear();
        self.positive_spans.clear();
        self.positive_deltas.clear();
        self.positive_counts.clear();
        self.custom_values.clear();
    }
}
