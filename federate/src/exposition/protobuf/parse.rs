//! Families, one after the other, and what is in them.

use super::metric::{Exemplar, Histogram, Metric, Side};
use super::wire::Reader;
use crate::exposition::entry::{Entry, MetricType, NAME, SeriesView};
use crate::exposition::error::{ExpositionError, ExpositionErrorKind as Kind};
use crate::exposition::histogram::{Buckets, ExemplarRecord, HistogramView};
use crate::exposition::labels::{LabelBuffer, sort};
use crate::exposition::limits::Limits;
use crate::exposition::write::float;

/// What to give of histograms that have native buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NativeHistograms {
    /// Only these, as Prometheus does when it scrapes native histograms.
    #[default]
    Only,
    /// These, and the classic ones if there are buckets of them.
    WithClassic,
    /// Only classic ones.
    Never,
}

/// Reads protobuf. Allocates nothing for an entry once it has seen a metric and a family that are as large.
///
/// ```
/// use promha_federate::exposition::{Entry, Limits, protobuf::ProtobufParser};
///
/// // A counter `up` with a metric of value 1.
/// let bytes = b"\x13\x0a\x02up\x18\x00\x22\x0b\x1a\x09\x09\0\0\0\0\0\0\xf0\x3f";
/// let mut parser = ProtobufParser::new(bytes, Limits::default());
/// assert!(matches!(parser.next_entry()?, Some(Entry::Type { family: "up", .. })));
/// let Some(Entry::Series(series)) = parser.next_entry()? else { unreachable!() };
/// assert_eq!((series.labels(), series.value()), (&[("__name__", "up")][..], 1.0));
/// # Ok::<(), promha_federate::exposition::ExpositionError>(())
/// ```
#[derive(Debug)]
pub struct ProtobufParser<'a> {
    input: Reader<'a>,
    limits: Limits,
    native: NativeHistograms,
    family: Family<'a>,
    next: Next,
    metric: Metric<'a>,
    labels: LabelBuffer,
    /// The name of the family with `_count`, `_sum` and `_bucket`.
    names: [String; 3],
    /// Upper bounds or quantiles as text, by their place; those of the next metric are mostly the same.
    bounds: Vec<(u64, String)>,
    exemplars: Vec<ExemplarRecord>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    unit: &'a str,
    metric_type: Type,
    /// What is left of it; all but metrics was read.
    rest: Reader<'a>,
}

/// The type of a family on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Type {
    #[default]
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Family,
    Help,
    Unit,
    Type,
    Metric,
    Native,
    /// The value of a metric that has one.
    Value,
    Count,
    Sum,
    /// The bucket or quantile of this number.
    Part(usize),
}

/// One of the samples that a metric is.
struct Sample<'p> {
    name: &'p str,
    value: f64,
    /// `le` or `quantile`, and its value.
    more: Option<(&'static str, &'p str)>,
    exemplar: Option<Exemplar>,
}

impl<'a> ProtobufParser<'a> {
    /// A parser of these bytes, that gives native histograms where there are some.
    pub fn new(input: &'a [u8], limits: Limits) -> Self {
        Self::with(input, limits, NativeHistograms::Only)
    }

    /// A parser that gives native histograms, classic ones, or both.
    pub fn with(input: &'a [u8], limits: Limits, native: NativeHistograms) -> Self {
        Self {
            input: Reader::new(input),
            limits,
            native,
            family: Family::default(),
            next: Next::Family,
            metric: Metric::default(),
            labels: LabelBuffer::default(),
            names: <_>::default(),
            bounds: Vec::new(),
            exemplars: Vec::new(),
        }
    }

    /// The next entry, or `None` at the end. A family gives its help and its unit, if it has any, its type, and then its metrics;
    /// one without metrics gives nothing. Takes time linear in its size, at the beginning of a family in the number of its metrics.
    ///
    /// # Errors
    ///
    /// If what follows is not a family, or over a limit. There is nothing more behind it: another call gives `None`.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ExpositionError> {
        if let Err(error) = self.advance() {
            self.close();
            return Err(error);
        }
        let family = self.family.name;
        match self.next {
            Next::Family | Next::Metric => Ok(None),
            Next::Help => {
                self.next = if self.family.unit.is_empty() { Next::Type } else { Next::Unit };
                Ok(Some(Entry::Help { family, help: self.family.help }))
            }
            Next::Unit => {
                self.next = Next::Type;
                Ok(Some(Entry::Unit { family, unit: self.family.unit }))
            }
            Next::Type => {
                self.next = Next::Metric;
                Ok(Some(Entry::Type { family, metric_type: self.family.metric_type.into() }))
            }
            Next::Native => self.native_histogram().map(Some),
            Next::Value | Next::Count | Next::Sum | Next::Part(_) => self.sample().map(Some),
        }
    }

    /// Reads on until there is something to give, or the end.
    fn advance(&mut self) -> Result<(), ExpositionError> {
        loop {
            match self.next {
                Next::Family => {
                    let Some(message) = self.input.next_delimited()? else { return Ok(()) };
                    if !self.read_family(message)? {
                        continue;
                    }
                    self.next = match (self.family.help, self.family.unit) {
                        ("", "") => Next::Type,
                        ("", _) => Next::Unit,
                        _ => Next::Help,
                    };
                    return Ok(());
                }
                Next::Metric => {
                    if self.read_metric()? {
                        return Ok(());
                    }
                    self.next = Next::Family;
                }
                _ => return Ok(()),
            }
        }
    }

    fn close(&mut self) {
        self.input.close();
        self.next = Next::Family;
    }

    /// Reads all of a family but its metrics; whether it has any.
    fn read_family(&mut self, message: Reader<'a>) -> Result<bool, ExpositionError> {
        let mut family = Family { rest: message, ..Family::default() };
        let (mut reader, mut metrics, mut metric_type) = (message, 0_usize, 0);
        while let Some(field) = reader.next_field()? {
            match field.number {
                1 => family.name = reader.string(field)?,
                2 => family.help = reader.string(field)?,
                3 => metric_type = reader.varint(field)? as i32,
                4 => {
                    reader.message(field)?;
                    metrics += 1;
                }
                5 => family.unit = reader.string(field)?,
                _ => reader.skip(field)?,
            }
        }
        if metrics == 0 {
            return Ok(false);
        }
        let start = message.offset();
        if family.name.is_empty() {
            let kind =
                Kind::Unexpected { expected: "the name of a family", found: "an empty text".to_owned() };
            return Err(ExpositionError::in_bytes(kind, start));
        }
        family.metric_type = Type::from_wire(metric_type)
            .ok_or_else(|| ExpositionError::in_bytes(Kind::MetricType { found: metric_type }, start))?;
        for (name, suffix) in self.names.iter_mut().zip(["_count", "_sum", "_bucket"]) {
            name.clear();
            name.push_str(family.name);
            name.push_str(suffix);
        }
        self.family = family;
        Ok(true)
    }

    /// Reads the next metric of the family, if there is one, and finds out what it begins with.
    fn read_metric(&mut self) -> Result<bool, ExpositionError> {
        while let Some(field) = self.family.rest.next_field()? {
            if field.number != 4 {
                self.family.rest.skip(field)?;
                continue;
            }
            let message = self.family.rest.message(field)?;
            let start = message.offset();
            self.metric.read(self.family.name, message, &self.limits)?;
            if let Some(twice) = sort(&mut self.metric.labels) {
                let kind = Kind::DuplicateLabel { name: twice[0].to_owned() };
                return Err(ExpositionError::in_bytes(kind, start));
            }
            self.next = match self.family.metric_type {
                Type::Summary => Next::Count,
                Type::Histogram | Type::GaugeHistogram => {
                    let histogram = &self.metric.histogram;
                    if histogram.is_native() && self.native != NativeHistograms::Never {
                        check_buckets(histogram, start)?;
                        Next::Native
                    } else {
                        Next::Count
                    }
                }
                Type::Counter | Type::Gauge | Type::Untyped => Next::Value,
            };
            return Ok(true);
        }
        Ok(false)
    }

    /// Gives the next sample of the metric.
    fn sample(&mut self) -> Result<Entry<'_>, ExpositionError> {
        let metric = &self.metric;
        let part = if let Next::Part(n) = self.next { n } else { 0 };
        let is_summary = self.family.metric_type == Type::Summary;
        let [count_name, sum_name, bucket_name] = &self.names;
        let sample = |name, value| Sample { name, value, more: None, exemplar: None };
        let (sample, next) = match (self.next, self.family.metric_type) {
            (Next::Count, Type::Summary) => (sample(count_name, metric.summary.count as f64), Next::Sum),
            (Next::Count, _) => (sample(count_name, metric.histogram.value()), Next::Sum),
            (Next::Sum, Type::Summary) => {
                let next = if metric.summary.quantiles.is_empty() { Next::Metric } else { Next::Part(0) };
                (sample(sum_name, metric.summary.sum), next)
            }
            (Next::Sum, _) => (sample(sum_name, metric.histogram.sum), Next::Part(0)),
            (Next::Part(_), _) if is_summary => {
                let (quantile, value) = metric.summary.quantiles.get(part).copied().unwrap_or_default();
                let is_last = part + 1 >= metric.summary.quantiles.len();
                let more = Some(("quantile", bound_text(&mut self.bounds, part, quantile)));
                let next = if is_last { Next::Metric } else { Next::Part(part + 1) };
                (Sample { more, ..sample(self.family.name, value) }, next)
            }
            (Next::Part(_), _) => match metric.histogram.buckets.get(part) {
                Some(bucket) => {
                    let is_last = bucket.upper_bound == f64::INFINITY;
                    let more = Some(("le", bound_text(&mut self.bounds, part, bucket.upper_bound)));
                    let next = if is_last { Next::Metric } else { Next::Part(part + 1) };
                    (Sample { more, exemplar: bucket.exemplar, ..sample(bucket_name, bucket.value()) }, next)
                }
                None => (
                    Sample { more: Some(("le", "+Inf")), ..sample(bucket_name, metric.histogram.value()) },
                    Next::Metric,
                ),
            },
            (_, Type::Counter) => {
                let exemplar = metric.counter_exemplar;
                (Sample { exemplar, ..sample(self.family.name, metric.counter) }, Next::Metric)
            }
            (_, Type::Gauge) => (sample(self.family.name, metric.gauge), Next::Metric),
            _ => (sample(self.family.name, metric.untyped), Next::Metric),
        };
        self.next = next;

        let mut pairs = self.labels.take();
        pairs.extend_from_slice(&metric.labels);
        if let Some(name) = pairs.iter_mut().find(|label| label.0 == NAME) {
            name.1 = sample.name;
        }
        if let Some(more) = sample.more {
            // A label of the same name is found when they are lent.
            pairs.insert(pairs.partition_point(|label| label.0 < more.0), more);
        }
        let count = pairs.len();
        if let Some(exemplar) = sample.exemplar {
            let (start, end) = exemplar.labels;
            pairs.extend_from_slice(metric.exemplar_labels.get(start..end).unwrap_or_default());
        }
        match self.labels.lend(pairs, count) {
            Ok(labels) => Ok(Entry::Series(SeriesView {
                labels,
                value: sample.value,
                t_ms: Some(metric.t_ms).filter(|&t_ms| t_ms != 0),
                created_ms: created_ms(metric, self.family.metric_type),
                exemplar: sample.exemplar.map(|exemplar| exemplar.numbers()),
            })),
            Err(twice) => {
                let kind = Kind::DuplicateLabel { name: twice[0].to_owned() };
                let error = ExpositionError::in_bytes(kind, self.family.rest.offset());
                self.input.close();
                self.next = Next::Family;
                Err(error)
            }
        }
    }

    /// Gives the native histogram of the metric.
    fn native_histogram(&mut self) -> Result<Entry<'_>, ExpositionError> {
        let metric = &self.metric;
        let histogram = &metric.histogram;
        let with_classic = self.native == NativeHistograms::WithClassic && !histogram.buckets.is_empty();
        self.next = if with_classic { Next::Count } else { Next::Metric };

        let mut pairs = self.labels.take();
        pairs.extend_from_slice(&metric.labels);
        let count = pairs.len();
        self.exemplars.clear();
        let mut put = |exemplar: &Exemplar| {
            if !exemplar.has_time() {
                return;
            }
            let (start, end) = exemplar.labels;
            let own = pairs.len();
            pairs.extend_from_slice(metric.exemplar_labels.get(start..end).unwrap_or_default());
            if let Some(own) = pairs.get_mut(own..) {
                own.sort_unstable_by_key(|label| label.0);
            }
            self.exemplars
                .push(ExemplarRecord { labels_end: pairs.len() - count, numbers: exemplar.numbers() });
        };
        if histogram.exemplars.is_empty() {
            histogram.buckets.iter().filter_map(|bucket| bucket.exemplar.as_ref()).for_each(&mut put);
        } else {
            histogram.exemplars.iter().for_each(&mut put);
        }
        let Side { spans: positive_spans, deltas: positive_deltas, counts: positive } = &histogram.positive;
        let Side { spans: negative_spans, deltas: negative_deltas, counts: negative } = &histogram.negative;
        let buckets = if histogram.is_float() {
            let (count, zero_count) = (histogram.count_float, histogram.zero_count_float);
            Buckets::Float { count, zero_count, positive, negative }
        } else {
            let (count, zero_count) = (histogram.count, histogram.zero_count);
            Buckets::Integer { count, zero_count, positive_deltas, negative_deltas }
        };
        // The labels are sorted and none is there twice.
        let labels = self.labels.lend_plain(pairs, count).map_err(|twice| {
            ExpositionError::in_bytes(
                Kind::DuplicateLabel { name: twice[0].to_owned() },
                self.family.rest.offset(),
            )
        })?;
        Ok(Entry::Histogram(HistogramView {
            labels,
            exemplars: &self.exemplars,
            t_ms: Some(metric.t_ms).filter(|&t_ms| t_ms != 0),
            created_ms: created_ms(metric, self.family.metric_type),
            is_gauge: self.family.metric_type == Type::GaugeHistogram,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            sum: histogram.sum,
            positive_spans,
            negative_spans,
            buckets,
        }))
    }
}

fn created_ms(metric: &Metric<'_>, metric_type: Type) -> Option<i64> {
    let created = match metric_type {
        Type::Counter => metric.created.counter,
        Type::Summary => metric.created.summary,
        Type::Histogram | Type::GaugeHistogram => metric.created.histogram,
        Type::Gauge | Type::Untyped => None,
    };
    created.map(|time| time.ms())
}

/// The text of the bound at this place, written only if it is another one than last time.
fn bound_text(bounds: &mut Vec<(u64, String)>, place: usize, bound: f64) -> &str {
    if place >= bounds.len() {
        bounds.resize_with(place + 1, || (f64::NAN.to_bits() ^ 1, String::new()));
    }
    let Some((bits, text)) = bounds.get_mut(place) else { return "" };
    if *bits != bound.to_bits() || text.is_empty() {
        *bits = bound.to_bits();
        text.clear();
        let mut bytes = std::mem::take(text).into_bytes();
        float::put_open(bound, &mut bytes);
        *text = String::from_utf8(bytes).unwrap_or_default();
    }
    text
}

/// Refuses native buckets that are not as many as their spans name.
fn check_buckets(histogram: &Histogram, offset: usize) -> Result<(), ExpositionError> {
    for side in [&histogram.positive, &histogram.negative] {
        let expected: u64 = side.spans.iter().map(|span| u64::from(span.length)).sum();
        let found = if histogram.is_float() { side.counts.len() } else { side.deltas.len() } as u64;
        if expected != found {
            return Err(ExpositionError::in_bytes(Kind::BucketCount { expected, found }, offset));
        }
    }
    Ok(())
}

impl Type {
    fn from_wire(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::Counter,
            1 => Self::Gauge,
            2 => Self::Summary,
            3 => Self::Untyped,
            4 => Self::Histogram,
            5 => Self::GaugeHistogram,
            _ => return None,
        })
    }
}

impl From<Type> for MetricType {
    fn from(wire: Type) -> Self {
        match wire {
            Type::Counter => Self::Counter,
            Type::Gauge => Self::Gauge,
            Type::Summary => Self::Summary,
            Type::Untyped => Self::Unknown,
            Type::Histogram => Self::Histogram,
            Type::GaugeHistogram => Self::GaugeHistogram,
        }
    }
}
