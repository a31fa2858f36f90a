//! One histogram as messages hold it.

use crate::prompb;
use crate::xor::is_stale_nan;

/// A native histogram at a time, borrowed. The fields are those of the message and not checked: how many
/// deltas or counts there are should follow from the spans.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HistogramView<'a> {
    /// Milliseconds since 1970.
    pub t_ms: i64,
    /// When counting began, in milliseconds since 1970; 0 if that is not known.
    pub start_ms: i64,
    /// Number of observations. Its kind says which kind of histogram this is; missing is an integer 0.
    pub count: Option<Count>,
    /// Number of observations in the zero bucket; missing is an integer 0.
    pub zero_count: Option<Count>,
    /// Sum of the observations; the stale marker marks a stale histogram.
    pub sum: f64,
    /// Resolution: there are 2^schema buckets between two powers of two; -53 means custom bounds.
    pub schema: i32,
    /// The zero bucket holds what is at most this far from zero.
    pub zero_threshold: f64,
    /// What is known about a counter reset before this histogram.
    pub reset_hint: ResetHint,
    /// Which buckets of negative observations there are.
    pub negative_spans: &'a [Span],
    /// Integer counts of them, each as the difference to the one before, the first to 0.
    pub negative_deltas: &'a [i64],
    /// Float counts of them.
    pub negative_counts: &'a [f64],
    /// Which buckets of positive observations there are.
    pub positive_spans: &'a [Span],
    /// Integer counts of them, each as the difference to the one before, the first to 0.
    pub positive_deltas: &'a [i64],
    /// Float counts of them.
    pub positive_counts: &'a [f64],
    /// Upper bounds of the buckets when `schema` says that they are custom.
    pub custom_values: &'a [f64],
}

/// A number of observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Count {
    /// Counted.
    Int(u64),
    /// Computed.
    Float(f64),
}

/// A run of neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// How many buckets are left out since the span before; of the first one, its index.
    pub offset: i32,
    /// How many buckets there are.
    pub length: u32,
}

/// What is known about a counter reset before a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResetHint {
    /// Whoever needs to know compares the counts.
    #[default]
    Unknown,
    /// There was one.
    Yes,
    /// There was none.
    No,
    /// The histogram is a gauge and may go down.
    Gauge,
    /// Any other number; it means as little as `Unknown`.
    Other(i32),
}

impl ResetHint {
    /// The hint that has this number in messages. Every number is one.
    pub fn from_wire(number: i32) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Yes,
            2 => Self::No,
            3 => Self::Gauge,
            other => Self::Other(other),
        }
    }

    /// The number in messages.
    pub fn to_wire(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::Yes => 1,
            Self::No => 2,
            Self::Gauge => 3,
            Self::Other(number) => number,
        }
    }

    /// The hint in the flags of a chunk.
    pub(super) fn from_flags(flags: u8) -> Self {
        match flags >> 6 {
            0b00 => Self::Unknown,
            0b01 => Self::No,
            0b10 => Self::Yes,
            _ => Self::Gauge,
        }
    }

    /// The flags of a chunk with this hint.
    pub(super) fn to_flags(self) -> u8 {
        match self {
            Self::Unknown | Self::Other(_) => 0b00 << 6,
            Self::No => 0b01 << 6,
            Self::Yes => 0b10 << 6,
            Self::Gauge => 0b11 << 6,
        }
    }
}

impl HistogramView<'_> {
    /// Whether the counts are floats.
    pub fn is_float(&self) -> bool {
        matches!(self.count, Some(Count::Float(_)))
    }

    /// Whether this marks that the series ended; all else in it is meaningless then.
    pub fn is_stale(&self) -> bool {
        is_stale_nan(self.sum)
    }

    /// The same as an owned message.
    pub fn to_message(&self) -> prompb::Histogram {
        use prompb::histogram;
        let spans = |spans: &[Span]| {
            let message = |span: &Span| prompb::BucketSpan { offset: span.offset, length: span.length };
            spans.iter().map(message).collect()
        };
        prompb::Histogram {
            count: self.count.map(|count| match count {
                Count::Int(count) => histogram::Count::CountInt(count),
                Count::Float(count) => histogram::Count::CountFloat(count),
            }),
            sum: self.sum,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.map(|count| match count {
                Count::Int(count) => histogram::ZeroCount::ZeroCountInt(count),
                Count::Float(count) => histogram::ZeroCount::ZeroCountFloat(count),
            }),
            negative_spans: spans(self.negative_spans),
            negative_deltas: self.negative_deltas.to_vec(),
            negative_counts: self.negative_counts.to_vec(),
            positive_spans: spans(self.positive_spans),
            positive_deltas: self.positive_deltas.to_vec(),
            positive_counts: self.positive_counts.to_vec(),
            reset_hint: self.reset_hint.to_wire(),
            timestamp: self.t_ms,
            custom_values: self.custom_values.to_vec(),
            start_timestamp: self.start_ms,
        }
    }

    /// Calls `with` with a view of an owned message. Takes memory for the spans, which the two hold differently.
    ///
    /// ```
    /// use promha_remote_proto::histogram::{Count, HistogramView};
    /// use promha_remote_proto::prompb;
    ///
    /// let message = prompb::Histogram { sum: 1.5, timestamp: 60_000, ..Default::default() };
    /// assert_eq!(HistogramView::with_message(&message, |view| (view.t_ms, view.sum)), (60_000, 1.5));
    /// assert_eq!(HistogramView::with_message(&message, |view| view.to_message()), message);
    /// ```
    pub fn with_message<R>(message: &prompb::Histogram, with: impl FnOnce(&HistogramView<'_>) -> R) -> R {
        use prompb::histogram;
        let spans = |spans: &[prompb::BucketSpan]| -> Vec<Span> {
            spans.iter().map(|span| Span { offset: span.offset, length: span.length }).collect()
        };
        let (negative_spans, positive_spans) =
            (spans(&message.negative_spans), spans(&message.positive_spans));
        with(&HistogramView {
            t_ms: message.timestamp,
            start_ms: message.start_timestamp,
            count: message.count.map(|count| match count {
                histogram::Count::CountInt(count) => Count::Int(count),
                histogram::Count::CountFloat(count) => Count::Float(count),
            }),
            zero_count: message.zero_count.map(|count| match count {
                histogram::ZeroCount::ZeroCountInt(count) => Count::Int(count),
                histogram::ZeroCount::ZeroCountFloat(count) => Count::Float(count),
            }),
            sum: message.sum,
            schema: message.schema,
            zero_threshold: message.zero_threshold,
            reset_hint: ResetHint::from_wire(message.reset_hint),
            negative_spans: &negative_spans,
            negative_deltas: &message.negative_deltas,
            negative_counts: &message.negative_counts,
            positive_spans: &positive_spans,
            positive_deltas: &message.positive_deltas,
            positive_counts: &message.positive_counts,
            custom_values: &message.custom_values,
        })
    }
}
