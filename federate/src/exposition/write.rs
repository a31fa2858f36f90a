//! Writing: text and protobuf, as Prometheus writes them. OpenMetrics is written by
//! [`openmetrics`](crate::exposition::openmetrics).

pub(in crate::exposition) mod float;
mod histogram;
mod name;
mod protobuf;
mod prototext;
pub(in crate::exposition) mod text;

use thiserror::Error;

pub use histogram::{Counts, Histogram, Span};
pub use name::Escaping;

/// In which form families are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WriteFormat {
    /// Prometheus' text, version 0.0.4.
    #[default]
    Text,
    /// Messages `io.prometheus.client.MetricFamily`, each after its length.
    Protobuf,
    /// The same messages as text, for people.
    Prototext {
        /// Each message in one line.
        is_compact: bool,
        /// `<` instead of `{` around a message, as Go wrote them until 2023.
        is_angled: bool,
    },
}

impl WriteFormat {
    /// Whether a histogram can be written in this form: one whose buckets have bounds of their own always, as a
    /// classic one; one with exponential buckets only in messages.
    pub fn holds(self, histogram: &Histogram<'_>) -> bool {
        matches!(self, Self::Protobuf | Self::Prototext { .. }) || histogram.has_custom_bounds()
    }
}

/// What a family says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Nothing is known.
    #[default]
    Untyped,
    /// Histograms that count.
    Histogram,
    /// Histograms that go up and down.
    GaugeHistogram,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Histogram<'a>),
}

impl Value<'_> {
    /// The kind of family that the value belongs to.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Float(_) => Kind::Untyped,
            Self::Histogram(histogram) if histogram.is_gauge => Kind::GaugeHistogram,
            Self::Histogram(_) => Kind::Histogram,
        }
    }
}

/// Why a sample cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The spans of a histogram speak of more or fewer buckets than there are.
    #[error("spans of {in_spans} buckets, but {counts} counts")]
    Spans {
        /// Counts that the spans speak of.
        in_spans: u64,
        /// Counts that there are.
        counts: usize,
    },
    /// A bucket of a histogram with bounds of its own lies outside of them.
    #[error("bucket {index} of a histogram with {bounds} bounds")]
    Bucket {
        /// Which bucket, the first is 0.
        index: i64,
        /// How many bounds there are; there is one bucket more.
        bounds: usize,
    },
    /// Text has no native histograms.
    #[error("a histogram with exponential buckets cannot be written as text")]
    Exponential,
}

/// Writes families of samples to the end of a buffer.
///
/// A family begins with [`family`](Self::family), its samples follow; families of the same name should follow each
/// other. All that is written takes time linear in its length, and no memory but that of the buffer once a family has
/// been written. Sources: `expfmt` in `prometheus/common` and `metrics.proto` in `prometheus/client_model`.
///
/// ```
/// use promha_federate::exposition::write::{Escaping, WriteFormat, Kind, Value, Writer};
///
/// let mut text = Vec::new();
/// let mut writer = Writer::new(WriteFormat::Text, Escaping::Underscores, &mut text);
/// writer.family("up", Kind::Untyped);
/// writer.sample(&[("instance", "a:1")], Some(6_000_000), &Value::Float(1e6))?;
/// writer.finish();
/// assert_eq!(text, b"# TYPE up untyped\nup{instance=\"a:1\"} 1e+06 6000000\n");
/// # Ok::<(), promha_federate::exposition::write::WriteError>(())
/// ```
#[derive(Debug)]
pub struct Writer<'o> {
    format: WriteFormat,
    escaping: Escaping,
    out: &'o mut Vec<u8>,
    family: Family,
}

/// The family that is being written.
#[derive(Debug, Default)]
struct Family {
    /// As it is written: escaped, in quotes if it has to be; empty before the first family.
    name: Vec<u8>,
    /// Whether the name stands in braces, before the labels.
    is_quoted: bool,
    kind: Kind,
    /// Where in the buffer it begins.
    start: usize,
}

impl<'o> Writer<'o> {
    /// A writer to the end of `out`.
    pub fn new(format: WriteFormat, escaping: Escaping, out: &'o mut Vec<u8>) -> Self {
        Self { format, escaping, out, family: Family::default() }
    }

    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: Kind) {
        self.end_family();
        let family = &mut self.family;
        (family.kind, family.start) = (kind, self.out.len());
        family.name.clear();
        match self.format {
            WriteFormat::Text => {
                family.is_quoted = self.escaping.put_quoted(name, true, &mut family.name);
                text::put_type(family, self.out);
            }
            WriteFormat::Protobuf => {
                self.escaping.put(name, true, &mut family.name);
                protobuf::put_head(family, self.out);
            }
            WriteFormat::Prototext { is_compact, is_angled } => {
                self.escaping.put(name, true, &mut family.name);
                prototext::Printer::new(is_compact, is_angled, self.out).head(family);
            }
        }
    }

    /// Writes a sample of the family: its labels without the name, in the order given; when it was seen in
    /// milliseconds, if that is to be said; what was seen. A value of another kind than that of the family is written
    /// as what it is.
    ///
    /// # Errors
    ///
    /// If it is a histogram whose spans do not fit its buckets, or one that the format does not
    /// [hold](WriteFormat::holds). Nothing of the sample is written then, and the writer goes on.
    pub fn sample(
        &mut self,
        labels: &[(&str, &str)],
        at_ms: Option<i64>,
        value: &Value<'_>,
    ) -> Result<(), WriteError> {
        if let Value::Histogram(histogram) = value {
            histogram.check()?;
            if !self.format.holds(histogram) {
                return Err(WriteError::Exponential);
            }
        }
        let escaping = self.escaping;
        match self.format {
            WriteFormat::Text => {
                text::put_sample(&self.family, escaping, labels, at_ms, value, self.out);
            }
            WriteFormat::Protobuf => protobuf::put_metric(escaping, labels, at_ms, value, self.out),
            WriteFormat::Prototext { is_compact, is_angled } => {
                let mut printer = prototext::Printer::new(is_compact, is_angled, self.out);
                printer.metric(escaping, labels, at_ms, value);
            }
        }
        Ok(())
    }

    /// How long the buffer is.
    pub fn written_bytes(&self) -> usize {
        self.out.len()
    }

    /// Ends the last family.
    pub fn finish(mut self) {
        self.end_family();
    }

    fn end_family(&mut self) {
        if self.family.name.is_empty() {
            return;
        }
        match self.format {
            WriteFormat::Text => {}
            WriteFormat::Protobuf => protobuf::put_length_before(self.family.start, self.out),
            WriteFormat::Prototext { .. } => self.out.push(b'\n'),
        }
    }
}
