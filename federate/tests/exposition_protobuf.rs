//! Protobuf, against owned messages.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod client_model;
}

use common::client_model::*;
use promha_federate::exposition::protobuf::{NativeHistograms, ProtobufParser};
use promha_federate::exposition::{Entry, ExpositionErrorKind, Limit, Limits};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

const ALL: [NativeHistograms; 3] =
    [NativeHistograms::Only, NativeHistograms::WithClassic, NativeHistograms::Never];

fn label(name: &str, value: &str) -> LabelPair {
    LabelPair { name: name.to_owned(), value: value.to_owned() }
}

fn family(name: &str, metric_type: i32, metric: Vec<Metric>) -> MetricFamily {
    MetricFamily { name: name.to_owned(), metric_type, metric, ..<_>::default() }
}

/// The kind of the error that these families end with, and where it is.
fn refused(families: &[MetricFamily]) -> (ExpositionErrorKind, usize) {
    refused_bytes(&encode(families), Limits::default())
}

fn refused_bytes(bytes: &[u8], limits: Limits) -> (ExpositionErrorKind, usize) {
    let mut parser = ProtobufParser::new(bytes, limits);
    loop {
        match parser.next_entry().map(|entry| entry.is_some()) {
            Ok(true) => {}
            Ok(false) => panic!("it was taken"),
            Err(error) => {
                assert!(matches!(parser.next_entry(), Ok(None)));
                assert_eq!((error.line(), error.column()), (None, None));
                return (error.kind().clone(), error.offset());
            }
        }
    }
}

#[test]
fn histograms_and_summaries_become_samples() {
    let buckets = [(0.5, 1), (1.0, 2), (1e6, 3)]
        .map(|(upper_bound, count)| Bucket { upper_bound, count, ..<_>::default() })
        .to_vec();
    let histogram = Histogram { bucket: buckets, count: 4, sum: 2.5, ..<_>::default() };
    let quantile = vec![Quantile { quantile: 0.99, value: 7.0 }];
    let summary = Summary { count: 3, sum: 9.0, quantile, ..<_>::default() };
    let labels = vec![label("z", "1"), label("A", "2")];
    let bytes = encode(&[
        family("h", 4, vec![Metric { histogram: Some(histogram), label: labels, ..<_>::default() }]),
        family("s", 2, vec![Metric { summary: Some(summary), t_ms: 5, ..<_>::default() }]),
    ]);
    let mut parser = ProtobufParser::new(&bytes, Limits::default());
    let mut found = Vec::new();
    while let Some(entry) = parser.next_entry().unwrap() {
        if let Entry::Series(series) = entry {
            let labels: Vec<_> =
                series.labels().iter().map(|(name, value)| format!("{name}={value}")).collect();
            found.push(format!("{} {} {:?}", labels.join(","), series.value(), series.t_ms()));
        }
    }
    let expected = [
        "A=2,__name__=h_count,z=1 4 None",
        "A=2,__name__=h_sum,z=1 2.5 None",
        "A=2,__name__=h_bucket,le=0.5,z=1 1 None",
        "A=2,__name__=h_bucket,le=1.0,z=1 2 None",
        "A=2,__name__=h_bucket,le=1e+06,z=1 3 None",
        "A=2,__name__=h_bucket,le=+Inf,z=1 4 None",
        "__name__=s_count 3 Some(5)",
        "__name__=s_sum 9 Some(5)",
        "__name__=s,quantile=0.99 7 Some(5)",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_prometheus_refuses_is_refused() {
    let unexpected = |kind: &ExpositionErrorKind| matches!(kind, ExpositionErrorKind::Unexpected { .. });
    assert!(unexpected(&refused(&[family("", 0, vec![Metric::default()])]).0));
    let nameless = Metric { label: vec![label("", "x")], ..<_>::default() };
    assert!(unexpected(&refused(&[family("a", 0, vec![nameless])]).0));
    let (kind, offset) = refused(&[family("a", 6, vec![Metric::default()])]);
    assert_eq!((kind, offset), (ExpositionErrorKind::MetricType { found: 6 }, 1));
    let twice = Metric { label: vec![label("b", "x"), label("b", "y")], ..<_>::default() };
    assert_eq!(
        refused(&[family("a", 0, vec![twice])]).0,
        ExpositionErrorKind::DuplicateLabel { name: "b".to_owned() }
    );
    let le = Metric { label: vec![label("le", "x")], ..<_>::default() };
    assert_eq!(
        refused(&[family("a", 4, vec![le])]).0,
        ExpositionErrorKind::DuplicateLabel { name: "le".to_owned() }
    );
    let positive_span = vec![BucketSpan { offset: 0, length: 3 }];
    let histogram = Histogram { positive_span, positive_delta: vec![1, 1], ..<_>::default() };
    let native = Metric { histogram: Some(histogram), ..<_>::default() };
    assert_eq!(
        refused(&[family("a", 4, vec![native])]).0,
        ExpositionErrorKind::BucketCount { expected: 3, found: 2 }
    );
}

#[test]
fn damaged_bytes_are_refused_with_their_place() {
    use ExpositionErrorKind as Kind;
    let at = |bytes: &[u8]| refused_bytes(bytes, Limits::default());
    let truncated = |needed_bytes, available_bytes| Kind::Truncated { needed_bytes, available_bytes };
    assert_eq!(at(b"\x05\x0a"), (truncated(5, 1), 1));
    assert_eq!(at(b"\x80"), (truncated(2, 1), 0));
    assert_eq!(at(b"\x80\x80\x80\x80\x80\x00"), (Kind::VarintOverflow, 0));
    assert_eq!(at(b"\x03\x0a\x05a"), (truncated(5, 1), 3));
    assert_eq!(at(b"\x03\x0a\x01\xff"), (Kind::InvalidUtf8, 3));
    assert_eq!(at(b"\x02\x08\x01"), (Kind::WireType { field: 1, found: 0 }, 1));
    assert_eq!(at(b"\x01\x00"), (Kind::InvalidKey { key: 0 }, 1));
    assert_eq!(at(b"\x01\x0f"), (Kind::InvalidKey { key: 15 }, 1));
    assert_eq!(at(b"\x01\x3c"), (Kind::WireType { field: 7, found: 4 }, 1));
    let groups = [vec![0x3b; 101], vec![0x3c; 101]].concat();
    let deep = [vec![202, 1], groups].concat();
    assert_eq!(at(&deep), (Kind::Nesting { limit: 100 }, 102));
}

#[test]
fn what_is_over_a_limit_is_refused() {
    let mut limits = Limits::default();
    (limits.max_labels_per_series, limits.max_label_bytes, limits.max_buckets) = (2, 4, 3);
    let over = |metric: Metric| match refused_bytes(&encode(&[family("a", 4, vec![metric])]), limits).0 {
        ExpositionErrorKind::OverLimit { what, limit, found } => (what, limit, found),
        other => panic!("{other:?}"),
    };
    let labelled = |labels: Vec<LabelPair>| Metric { label: labels, ..<_>::default() };
    assert_eq!(over(labelled(vec![label("b", ""), label("c", "")])), (Limit::LabelsPerSeries, 2, 3));
    assert_eq!(over(labelled(vec![label("b", "12345")])), (Limit::LabelBytes, 4, 5));
    let observed = |histogram| Metric { histogram: Some(histogram), ..<_>::default() };
    let bucket = vec![Bucket::default(); 4];
    assert_eq!(over(observed(Histogram { bucket, ..<_>::default() })), (Limit::Buckets, 3, 4));
    let positive_delta = vec![0; 4];
    assert_eq!(over(observed(Histogram { positive_delta, ..<_>::default() })), (Limit::Buckets, 3, 4));
    limits.max_line_bytes = 10;
    let metric = labelled(vec![label("b", "1234")]);
    let (kind, _) = refused_bytes(&encode(&[family("a", 0, vec![metric.clone(), metric])]), limits);
    assert!(
        matches!(kind, ExpositionErrorKind::OverLimit { what: Limit::LineBytes, limit: 10, found: 11 }),
        "{kind:?}"
    );
}

#[test]
fn a_message_that_is_there_twice_is_both_together() {
    let exemplar = |name: &str| Exemplar { label: vec![label(name, "x")], value: 1.0, timestamp: None };
    let counter = |name: &str| {
        let counter = Counter { exemplar: Some(exemplar(name)), ..<_>::default() };
        Metric { counter: Some(counter), ..<_>::default() }
    };
    let metric = [counter("b").encode_to_vec(), counter("a").encode_to_vec()].concat();
    let mut message = vec![0x0a, 1, b'm', 0x22, metric.len() as u8];
    message.extend(metric);
    let bytes = [vec![message.len() as u8], message].concat();
    let families = decode(&bytes).unwrap();
    let (found, is_whole) = parsed(&bytes, NativeHistograms::Only);
    assert!(is_whole);
    assert_eq!(Some(found), expected(&families, NativeHistograms::Only));
}

fn labels() -> impl Strategy<Value = Vec<LabelPair>> {
    vec(("[a-dA-D_]{1,2}|é|le|", "[x-z]{0,3}"), 0..4)
        .prop_map(|labels| labels.iter().map(|(name, value)| label(name, value)).collect())
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(f64::INFINITY), Just(f64::NAN), any::<f64>(), 0.0..10.0]
}

fn time() -> impl Strategy<Value = Timestamp> {
    (any::<i64>(), any::<i32>()).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    (labels(), number(), option::of(time())).prop_map(|(label, value, timestamp)| Exemplar {
        label,
        value,
        timestamp,
    })
}

fn side() -> impl Strategy<Value = (Vec<BucketSpan>, Vec<i64>, Vec<f64>)> {
    vec((any::<i32>(), 0_u32..3), 0..3).prop_flat_map(|spans| {
        let count = spans.iter().map(|span| span.1 as usize).sum::<usize>();
        let spans: Vec<_> = spans.iter().map(|&(offset, length)| BucketSpan { offset, length }).collect();
        (Just(spans), vec(any::<i64>(), count), vec(number(), count))
    })
}

fn histogram() -> impl Strategy<Value = Histogram> {
    let bucket = (any::<u64>(), number(), option::of(exemplar()), prop_oneof![Just(0.0), number()]).prop_map(
        |(count, upper_bound, exemplar, count_float)| Bucket { count, upper_bound, exemplar, count_float },
    );
    let numbers = (0_u64..3, number(), prop_oneof![Just(0.0), number()], any::<i32>(), number(), 0_u64..2);
    (numbers, vec(bucket, 0..3), side(), side(), option::of(time()), vec(exemplar(), 0..3)).prop_map(
        |(
            (count, sum, count_float, schema, zero_threshold, zero_count),
            bucket,
            positive,
            negative,
            created,
            exemplars,
        )| {
            let (positive_span, positive_delta, positive_count) = positive;
            let (negative_span, negative_delta, negative_count) = negative;
            Histogram {
                count,
                sum,
                bucket,
                count_float,
                schema,
                zero_threshold,
                zero_count,
                zero_count_float: 0.0,
                negative_span,
                negative_delta,
                negative_count,
                positive_span,
                positive_delta,
                positive_count,
                created,
                exemplars,
            }
        },
    )
}

fn families() -> impl Strategy<Value = Vec<MetricFamily>> {
    let counter = (number(), option::of(exemplar()), option::of(time()))
        .prop_map(|(value, exemplar, created)| Counter { value, exemplar, created });
    let quantile = (number(), number()).prop_map(|(quantile, value)| Quantile { quantile, value });
    let summary = (any::<u64>(), number(), vec(quantile, 0..3), option::of(time()))
        .prop_map(|(count, sum, quantile, created)| Summary { count, sum, quantile, created });
    let value = || option::of(number().prop_map(|value| Value { value }));
    let parts = (value(), option::of(counter), option::of(summary), value(), option::of(histogram()));
    let metric = (labels(), parts, prop_oneof![Just(0), any::<i64>()]).prop_map(
        |(label, (gauge, counter, summary, untyped, histogram), t_ms)| Metric {
            label,
            gauge,
            counter,
            summary,
            untyped,
            t_ms,
            histogram,
        },
    );
    let texts = ("[a-z]{1,3}", "[a-z]{0,2}", prop_oneof![9 => Just(""), 1 => Just("seconds")]);
    let family = (texts, 0..6, vec(metric, 0..3)).prop_map(|((name, help, unit), metric_type, metric)| {
        MetricFamily { name, help, metric_type, metric, unit: unit.to_owned() }
    });
    vec(family, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_are_those_of_the_owned_messages(families in families()) {
        let bytes = encode(&families);
        // It does not write a minus zero, which it takes for the default.
        let families = decode(&bytes).unwrap();
        for native in ALL {
            let (found, is_whole) = parsed(&bytes, native);
            match expected(&families, native) {
                Some(expected) => assert_eq!((found, is_whole), (expected, true)),
                None => assert!(!is_whole, "{found:?}"),
            }
        }
    }

    #[test]
    fn damaged_messages_are_taken_where_the_owned_ones_are(
        families in families(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&families);
        prop_assume!(!bytes.is_empty());
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let (found, is_whole) = parsed(&bytes, NativeHistograms::Only);
        match decode(&bytes).and_then(|families| expected(&families, NativeHistograms::Only)) {
            Some(expected) => assert_eq!((found, is_whole), (expected, true)),
            None => assert!(!is_whole, "{found:?}"),
        }
    }
}
