//! What a parser gives: types, help, units, comments, samples and histograms.

use std::fmt;

use super::histogram::HistogramView;
use super::labels::LabelLease;

/// One entry of an exposition. It is there until the parser is asked for the next one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry<'p> {
    /// The type of a family.
    Type {
        /// The name of the family.
        family: &'p str,
        /// Its type.
        metric_type: MetricType,
    },
    /// What a family means, for people.
    Help {
        /// The name of the family.
        family: &'p str,
        /// The text, without escapes.
        help: &'p str,
    },
    /// The unit of a family; the text format has none.
    Unit {
        /// The name of the family.
        family: &'p str,
        /// For example `seconds`; may be empty.
        unit: &'p str,
    },
    /// A comment without `#` and the blanks behind it. These bytes alone may be anything.
    Comment(&'p [u8]),
    /// A sample.
    Series(SeriesView<'p>),
    /// A native histogram; only protobuf has them.
    Histogram(HistogramView<'p>),
}

/// A sample of a series.
pub struct SeriesView<'p> {
    pub(super) labels: LabelLease<'p>,
    pub(super) value: f64,
    pub(super) t_ms: Option<i64>,
    pub(super) created_ms: Option<i64>,
    pub(super) exemplar: Option<ExemplarNumbers>,
}

/// What an exemplar has beside its labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExemplarNumbers {
    pub(super) value: f64,
    pub(super) t_ms: Option<i64>,
}

impl SeriesView<'_> {
    /// Name and value of each label, sorted by name; the name of the metric is the value of `__name__`. No name is empty
    /// or there twice. Values are as they were exposed, also empty ones and the numbers of `le` and `quantile`.
    #[inline]
    pub fn labels(&self) -> &[(&str, &str)] {
        self.labels.series()
    }

    /// The name of the metric. Takes a look at each label that is sorted before it.
    pub fn name(&self) -> &str {
        self.labels().iter().find(|label| label.0 == NAME).map_or("", |label| label.1)
    }

    /// The value. The `NaN` of texts has the bits `0x7ff8000000000001`, which Prometheus takes for an ordinary one.
    #[inline]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// When it was so, in milliseconds since 1970, if that is said. In protobuf 0 says nothing.
    #[inline]
    pub fn t_ms(&self) -> Option<i64> {
        self.t_ms
    }

    /// When the counting began, in milliseconds since 1970, if protobuf says so. OpenMetrics says it in samples of their own,
    /// whose names end with `_created` and whose values are seconds.
    pub fn created_ms(&self) -> Option<i64> {
        self.created_ms
    }

    /// A sample of what was counted.
    pub fn exemplar(&self) -> Option<ExemplarView<'_>> {
        let labels = self.labels.exemplar();
        self.exemplar.map(|ExemplarNumbers { value, t_ms }| ExemplarView { labels, value, t_ms })
    }
}

impl fmt::Debug for SeriesView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesView")
            .field("labels", &self.labels())
            .field("value", &self.value)
            .field("t_ms", &self.t_ms)
            .field("created_ms", &self.created_ms)
            .field("exemplar", &self.exemplar())
            .finish()
    }
}

/// A sample of what was counted, which points elsewhere, for example to a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExemplarView<'v> {
    /// What it points to, sorted by name; not the labels of the series.
    pub labels: &'v [(&'v str, &'v str)],
    /// The value that was observed.
    pub value: f64,
    /// When, in milliseconds since 1970, if that is said.
    pub t_ms: Option<i64>,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Not known: `untyped` in the text format, `unknown` in OpenMetrics.
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
}

impl MetricType {
    /// The word of OpenMetrics for it.
    pub fn as_openmetrics(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The type that OpenMetrics has this word for.
    pub fn from_openmetrics(word: &str) -> Option<Self> {
        let all = [
            Self::Unknown,
            Self::Counter,
            Self::Gauge,
            Self::Histogram,
            Self::GaugeHistogram,
            Self::Summary,
            Self::Info,
            Self::StateSet,
        ];
        all.into_iter().find(|metric_type| metric_type.as_openmetrics() == word)
    }

    /// The type that the text format has this word for. It knows five of them.
    pub fn from_text(word: &str) -> Option<Self> {
        match word {
            "untyped" => Some(Self::Unknown),
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            "histogram" => Some(Self::Histogram),
            "summary" => Some(Self::Summary),
            _ => None,
        }
    }
}

/// The label that is the name of the metric.
pub(super) const NAME: &str = "__name__";
