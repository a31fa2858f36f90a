//! Messages that are written, read by prost: the fields of `metrics.proto` in `prometheus/client_model`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use proptest::prelude::*;
use prost::Message;

use promha_federate::exposition::write::{
    Counts, Escaping, Histogram, Kind, Span, Value, WriteFormat, Writer,
};

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<Label>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Untyped>,
    #[prost(int64, optional, tag = "6")]
    timestamp_ms: Option<i64>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<HistogramMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Untyped {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramMessage {
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(double, optional, tag = "4")]
    sample_count_float: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(double, optional, tag = "8")]
    zero_count_float: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    negative_span: Vec<SpanMessage>,
    #[prost(double, repeated, packed = "false", tag = "11")]
    negative_count: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<SpanMessage>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_count: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(double, optional, tag = "4")]
    cumulative_count_float: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanMessage {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

fn spans(spans: &[Span]) -> Vec<SpanMessage> {
    spans
        .iter()
        .map(|&Span { offset, length }| SpanMessage { offset: Some(offset), length: Some(length) })
        .collect()
}

fn message(labels: &[(String, String)], at_ms: Option<i64>, value: &Value<'_>) -> Metric {
    let label =
        |(name, value): &(String, String)| Label { name: Some(name.clone()), value: Some(value.clone()) };
    let mut metric =
        Metric { label: labels.iter().map(label).collect(), timestamp_ms: at_ms, ..Metric::default() };
    match value {
        Value::Float(value) => metric.untyped = Some(Untyped { value: Some(*value) }),
        Value::Histogram(view) => {
            metric.histogram = Some(HistogramMessage {
                sample_sum: Some(view.sum),
                sample_count_float: Some(view.count),
                schema: Some(view.schema),
                zero_threshold: Some(view.zero_threshold),
                zero_count_float: Some(view.zero_count),
                negative_span: spans(view.negative_spans),
                negative_count: view.negative.counts().collect(),
                positive_span: spans(view.positive_spans),
                positive_count: view.positive.counts().collect(),
                ..HistogramMessage::default()
            });
        }
    }
    metric
}

proptest! {
    /// The same bytes: prost writes fields in the order of their numbers too.
    #[test]
    fn families_are_those_of_prost(
        name in "[a-z.]{1,200}",
        labels in prop::collection::vec(("[a-zé]{1,140}", ".{0,140}"), 0..5),
        at_ms in prop::option::of(any::<i64>()),
        samples in prop::collection::vec((any::<f64>(), any::<bool>(), any::<bool>()), 0..5),
        schema in -4..9,
        deltas in prop::collection::vec(-9_i64..9, 0..9),
        offsets in prop::array::uniform2(-70_i32..70),
    ) {
        let borrowed: Vec<(&str, &str)> = labels.iter().map(|label| (&*label.0, &*label.1)).collect();
        let counts: Vec<f64> = Counts::Deltas(&deltas).counts().collect();
        let (positive_spans, negative_spans) =
            ([span(offsets[0], deltas.len() as u32)], [span(offsets[1], 0), span(offsets[0], counts.len() as u32)]);
        let values: Vec<Value<'_>> = samples.iter().map(|&(value, is_histogram, is_gauge)| {
            if !is_histogram {
                return Value::Float(value);
            }
            Value::Histogram(Histogram {
                count: value,
                sum: -value,
                schema,
                zero_threshold: 0.001,
                zero_count: 2.0,
                is_gauge,
                positive_spans: &positive_spans,
                positive: Counts::Deltas(&deltas),
                negative_spans: &negative_spans,
                negative: Counts::Absolute(&counts),
                custom_bounds: &[],
            })
        }).collect();

        let (mut wire, mut expected) = (b"before".to_vec(), b"before".to_vec());
        let mut writer = Writer::new(WriteFormat::Protobuf, Escaping::AllowUtf8, &mut wire);
        for kind in [Kind::Untyped, Kind::Histogram, Kind::GaugeHistogram] {
            writer.family(&name, kind);
            for value in &values {
                writer.sample(&borrowed, at_ms, value).unwrap();
            }
            let number = match kind { Kind::Untyped => 3, Kind::Histogram => 4, Kind::GaugeHistogram => 5 };
            let metric = values.iter().map(|value| message(&labels, at_ms, value)).collect();
            let family = MetricFamily { name: Some(name.clone()), kind: Some(number), metric };
            family.encode_length_delimited(&mut expected).unwrap();
        }
        writer.finish();
        prop_assert_eq!(wire, expected);
    }
}

#[test]
fn custom_buckets_are_classic_ones_and_names_are_escaped() {
    let value = Value::Histogram(Histogram {
        count: 6.0,
        sum: 1.5,
        schema: -53,
        positive_spans: &[span(1, 1)],
        positive: Counts::Deltas(&[4]),
        custom_bounds: &[0.5, 1.0],
        ..Histogram::default()
    });
    let mut wire = Vec::new();
    let mut writer = Writer::new(WriteFormat::Protobuf, Escaping::Underscores, &mut wire);
    writer.family("a.b", Kind::Histogram);
    writer.sample(&[("k8s.pod", "p.1")], Some(-1), &value).unwrap();
    writer.finish();
    let bucket = |bound, count| Bucket { upper_bound: Some(bound), cumulative_count_float: Some(count) };
    let histogram = HistogramMessage {
        sample_sum: Some(1.5),
        sample_count_float: Some(6.0),
        bucket: vec![bucket(0.5, 0.0), bucket(1.0, 4.0)],
        ..HistogramMessage::default()
    };
    let label = Label { name: Some("k8s_pod".to_owned()), value: Some("p.1".to_owned()) };
    let metric = Metric {
        label: vec![label],
        timestamp_ms: Some(-1),
        histogram: Some(histogram),
        ..Metric::default()
    };
    let family = MetricFamily { name: Some("a_b".to_owned()), kind: Some(4), metric: vec![metric] };
    assert_eq!(MetricFamily::decode_length_delimited(&wire[..]), Ok(family));
}

const fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}
