//! The messages of protobuf as owned values, and what is to become of them.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use promha_federate::exposition::protobuf::NativeHistograms;
use promha_federate::exposition::{Buckets, Entry, ExemplarView, Limits};

#[derive(Clone, PartialEq, prost::Message)]
pub struct LabelPair {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    #[prost(double, tag = "2")]
    pub value: f64,
    #[prost(message, optional, tag = "3")]
    pub timestamp: Option<Timestamp>,
}

/// A gauge or an untyped value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    #[prost(double, tag = "1")]
    pub value: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Counter {
    #[prost(double, tag = "1")]
    pub value: f64,
    #[prost(message, optional, tag = "2")]
    pub exemplar: Option<Exemplar>,
    #[prost(message, optional, tag = "3")]
    pub created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Quantile {
    #[prost(double, tag = "1")]
    pub quantile: f64,
    #[prost(double, tag = "2")]
    pub value: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Summary {
    #[prost(uint64, tag = "1")]
    pub count: u64,
    #[prost(double, tag = "2")]
    pub sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub quantile: Vec<Quantile>,
    #[prost(message, optional, tag = "4")]
    pub created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Bucket {
    #[prost(uint64, tag = "1")]
    pub count: u64,
    #[prost(double, tag = "2")]
    pub upper_bound: f64,
    #[prost(message, optional, tag = "3")]
    pub exemplar: Option<Exemplar>,
    #[prost(double, tag = "4")]
    pub count_float: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    #[prost(uint64, tag = "1")]
    pub count: u64,
    #[prost(double, tag = "2")]
    pub sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    #[prost(double, tag = "4")]
    pub count_float: f64,
    #[prost(sint32, tag = "5")]
    pub schema: i32,
    #[prost(double, tag = "6")]
    pub zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    pub zero_count: u64,
    #[prost(double, tag = "8")]
    pub zero_count_float: f64,
    #[prost(message, repeated, tag = "9")]
    pub negative_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "10")]
    pub negative_delta: Vec<i64>,
    #[prost(double, repeated, tag = "11")]
    pub negative_count: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    pub positive_delta: Vec<i64>,
    #[prost(double, repeated, tag = "14")]
    pub positive_count: Vec<f64>,
    #[prost(message, optional, tag = "15")]
    pub created: Option<Timestamp>,
    #[prost(message, repeated, tag = "16")]
    pub exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Counter>,
    #[prost(message, optional, tag = "4")]
    pub summary: Option<Summary>,
    #[prost(message, optional, tag = "5")]
    pub untyped: Option<Value>,
    #[prost(int64, tag = "6")]
    pub t_ms: i64,
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct MetricFamily {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub help: String,
    #[prost(int32, tag = "3")]
    pub metric_type: i32,
    #[prost(message, repeated, tag = "4")]
    pub metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// All families, each with its length in front.
pub fn encode(families: &[MetricFamily]) -> Vec<u8> {
    families.iter().flat_map(prost::Message::encode_length_delimited_to_vec).collect()
}

/// The families, or `None` where they are not protobuf.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<MetricFamily>> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let before = bytes.len();
        let length = prost::decode_length_delimiter(&mut bytes).ok()?;
        if before - bytes.len() > 5 {
            return None;
        }
        let (message, rest) = bytes.split_at_checked(length)?;
        families.push(prost::Message::decode(message).ok()?);
        bytes = rest;
    }
    Some(families)
}

/// What a family is to become, each entry as text; `None` where it is to be refused.
pub fn expected(families: &[MetricFamily], native: NativeHistograms) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for family in families.iter().filter(|family| !family.metric.is_empty()) {
        let name = &family.name;
        if name.is_empty() || !(0..=5).contains(&family.metric_type) {
            return None;
        }
        if !family.help.is_empty() {
            all.push(format!("help {name} {}", family.help));
        }
        if !family.unit.is_empty() {
            all.push(format!("unit {name} {}", family.unit));
        }
        let words = ["counter", "gauge", "summary", "unknown", "histogram", "gaugehistogram"];
        all.push(format!("type {name} {}", words[family.metric_type as usize]));
        for metric in &family.metric {
            of_metric(family, metric, native, &mut all)?;
        }
    }
    Some(all)
}

fn of_metric(
    family: &MetricFamily,
    metric: &Metric,
    native: NativeHistograms,
    all: &mut Vec<String>,
) -> Option<()> {
    let name = &family.name;
    let (counter, summary) =
        (metric.counter.clone().unwrap_or_default(), metric.summary.clone().unwrap_or_default());
    let histogram = metric.histogram.clone().unwrap_or_default();
    let created = match family.metric_type {
        0 => &counter.created,
        2 => &summary.created,
        4 | 5 => &histogram.created,
        _ => &None,
    };
    let tail = format!("{:?} {:?}", Some(metric.t_ms).filter(|&t| t != 0), created.as_ref().map(ms));
    let mut series = |suffix: &str, more: Option<(&str, f64)>, value: f64, exemplar: Option<&Exemplar>| {
        let labels = labels(metric, &format!("{name}{suffix}"), more)?;
        all.push(format!("{labels:?} {:x} {tail} {:?}", value.to_bits(), exemplar.map(shown_exemplar)));
        Some(())
    };
    let or = |float: f64, integer: u64| if float == 0.0 { integer as f64 } else { float };
    match family.metric_type {
        0 => return series("", None, counter.value, counter.exemplar.as_ref()),
        1 => return series("", None, metric.gauge.as_ref().map_or(0.0, |gauge| gauge.value), None),
        3 => return series("", None, metric.untyped.as_ref().map_or(0.0, |untyped| untyped.value), None),
        2 => {
            series("_count", None, summary.count as f64, None)?;
            series("_sum", None, summary.sum, None)?;
            for quantile in &summary.quantile {
                series("", Some(("quantile", quantile.quantile)), quantile.value, None)?;
            }
            return Some(());
        }
        _ => {}
    }
    let is_native = !histogram.positive_span.is_empty()
        || !histogram.negative_span.is_empty()
        || histogram.zero_threshold > 0.0
        || histogram.zero_count > 0;
    if is_native && native != NativeHistograms::Never {
        let labels = labels(metric, name, None)?;
        let is_float = histogram.count_float > 0.0 || histogram.zero_count_float > 0.0;
        let sides = [
            (&histogram.positive_span, &histogram.positive_delta, &histogram.positive_count),
            (&histogram.negative_span, &histogram.negative_delta, &histogram.negative_count),
        ];
        let mut text = format!(
            "{labels:?} {tail} {} {} {:x} {:x}",
            family.metric_type == 5,
            histogram.schema,
            histogram.zero_threshold.to_bits(),
            histogram.sum.to_bits()
        );
        text += &if is_float {
            format!(" {:x} {:x}", histogram.count_float.to_bits(), histogram.zero_count_float.to_bits())
        } else {
            format!(" {} {}", histogram.count, histogram.zero_count)
        };
        for (spans, deltas, counts) in sides {
            let named: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
            if named != if is_float { counts.len() } else { deltas.len() } as u64 {
                return None;
            }
            text += &format!(" {:?}", spans.iter().map(|s| (s.offset, s.length)).collect::<Vec<_>>());
            text += &if is_float { bits(counts) } else { format!(" {deltas:?}") };
        }
        let own: Vec<_> = histogram.exemplars.iter().collect();
        let of_buckets = histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_ref()).collect();
        let exemplars = if own.is_empty() { of_buckets } else { own };
        let timed = exemplars.into_iter().filter(|exemplar| exemplar.timestamp.is_some());
        text += &format!(" {:?}", timed.map(shown_exemplar).collect::<Vec<_>>());
        all.push(text);
        if native == NativeHistograms::Only || histogram.bucket.is_empty() {
            return Some(());
        }
    }
    let mut series = |suffix: &str, more: Option<(&str, f64)>, value: f64, exemplar: Option<&Exemplar>| {
        let labels = labels(metric, &format!("{name}{suffix}"), more)?;
        all.push(format!("{labels:?} {:x} {tail} {:?}", value.to_bits(), exemplar.map(shown_exemplar)));
        Some(())
    };
    let count = or(histogram.count_float, histogram.count);
    series("_count", None, count, None)?;
    series("_sum", None, histogram.sum, None)?;
    for bucket in &histogram.bucket {
        let value = or(bucket.count_float, bucket.count);
        series("_bucket", Some(("le", bucket.upper_bound)), value, bucket.exemplar.as_ref())?;
        if bucket.upper_bound == f64::INFINITY {
            return Some(());
        }
    }
    series("_bucket", Some(("le", f64::INFINITY)), count, None)
}

/// Labels sorted by name, with bounds as numbers; `None` if one has no name or is there twice.
fn labels(metric: &Metric, name: &str, more: Option<(&str, f64)>) -> Option<Vec<(String, String)>> {
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    labels.extend(
        metric.label.iter().map(|label| (label.name.clone(), shown_value(&label.name, &label.value))),
    );
    labels.extend(more.map(|(name, bound)| (name.to_owned(), number(bound))));
    labels.sort();
    let is_set =
        labels.windows(2).all(|two| two[0].0 != two[1].0) && labels.iter().all(|label| !label.0.is_empty());
    is_set.then_some(labels)
}

fn number(bound: f64) -> String {
    if bound.is_nan() { "a bound: NaN".to_owned() } else { format!("a bound: {:x}", bound.to_bits()) }
}

/// A bound as a number, whatever its digits.
fn shown_value(name: &str, value: &str) -> String {
    match value.parse() {
        Ok(bound) if name == "le" || name == "quantile" => number(bound),
        _ => value.to_owned(),
    }
}

fn ms(time: &Timestamp) -> i64 {
    time.seconds.wrapping_mul(1_000).wrapping_add(i64::from(time.nanos / 1_000_000))
}

fn bits(values: &[f64]) -> String {
    format!(" {:x?}", values.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
}

fn shown_exemplar(exemplar: &Exemplar) -> String {
    let mut labels: Vec<_> =
        exemplar.label.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
    labels.sort();
    shown(&labels, exemplar.value, exemplar.timestamp.as_ref().map(ms))
}

fn shown(labels: &[(&str, &str)], value: f64, t_ms: Option<i64>) -> String {
    format!("{labels:?} {:x} {t_ms:?}", value.to_bits())
}

fn shown_view(exemplar: ExemplarView<'_>) -> String {
    let mut labels = exemplar.labels.to_vec();
    labels.sort();
    shown(&labels, exemplar.value, exemplar.t_ms)
}

/// What the parser makes of it, each entry as text like those of [`expected`]; as far as it goes, and whether that is all.
pub fn parsed(bytes: &[u8], native: NativeHistograms) -> (Vec<String>, bool) {
    let mut parser =
        promha_federate::exposition::protobuf::ProtobufParser::with(bytes, Limits::default(), native);
    let mut all = Vec::new();
    loop {
        match parser.next_entry() {
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
            Ok(Some(entry)) => all.push(shown_entry(&entry)),
        }
    }
}

fn shown_entry(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Help { family, help } => format!("help {family} {help}"),
        Entry::Unit { family, unit } => format!("unit {family} {unit}"),
        Entry::Type { family, metric_type } => format!("type {family} {}", metric_type.as_openmetrics()),
        Entry::Series(series) => {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), shown_value(name, value));
            let labels: Vec<_> = series.labels().iter().map(own).collect();
            let exemplar = series.exemplar().map(shown_view);
            let (t_ms, created_ms) = (series.t_ms(), series.created_ms());
            format!("{labels:?} {:x} {t_ms:?} {created_ms:?} {exemplar:?}", series.value().to_bits())
        }
        Entry::Histogram(view) => {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), shown_value(name, value));
            let mut text = format!(
                "{:?} {:?} {:?} {} {} {:x} {:x}",
                view.labels().iter().map(own).collect::<Vec<_>>(),
                view.t_ms,
                view.created_ms,
                view.is_gauge,
                view.schema,
                view.zero_threshold.to_bits(),
                view.sum.to_bits()
            );
            let (numbers, positive, negative) = match view.buckets {
                Buckets::Integer { count, zero_count, positive_deltas, negative_deltas } => (
                    format!(" {count} {zero_count}"),
                    format!(" {positive_deltas:?}"),
                    format!(" {negative_deltas:?}"),
                ),
                Buckets::Float { count, zero_count, positive, negative } => (
                    format!(" {:x} {:x}", count.to_bits(), zero_count.to_bits()),
                    bits(positive),
                    bits(negative),
                ),
            };
            text += &numbers;
            for (spans, counts) in [(view.positive_spans, positive), (view.negative_spans, negative)] {
                text += &format!(" {:?}", spans.iter().map(|s| (s.offset, s.length)).collect::<Vec<_>>());
                text += &counts;
            }
            text + &format!(" {:?}", view.exemplars().map(shown_view).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}
