//! Messages for property tests, and damage to them.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use proptest::prelude::*;

use promha_remote_proto::prompb::{
    BucketSpan, Exemplar, Histogram, Label, LabelMatcher, MetricMetadata, Query, ReadHints, ReadRequest,
    Sample, TimeSeries, WriteRequest, histogram, v2,
};

pub fn t_ms() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1_600_000_000_000..1_800_000_000_000_i64, 1 => any::<i64>(), 1 => Just(0)]
}

pub fn value() -> impl Strategy<Value = f64> {
    prop_oneof![3 => -1e3..1e3, 1 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::INFINITY), 1 => Just(f64::MIN_POSITIVE)]
}

/// Short ones, ones around the lengths whose varint grows, and ones that are not ASCII.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z_]{0,12}",
        2 => "[a-zéü☃]{0,9}",
        1 => (110..140_usize).prop_map(|length| "x".repeat(length)),
        1 => (60..64_usize).prop_map(|length| "é".repeat(length)),
    ]
}

pub fn label() -> impl Strategy<Value = Label> {
    (text(), text()).prop_map(|(name, value)| Label { name, value })
}

pub fn labels() -> impl Strategy<Value = Vec<Label>> {
    prop::collection::vec(label(), 0..6)
}

pub fn sample() -> impl Strategy<Value = Sample> {
    (t_ms(), value()).prop_map(|(timestamp, value)| Sample { value, timestamp })
}

/// A few, or so many that they are read and written in blocks, of which some have one of another form.
pub fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let usual = (1_600_000_000_000..1_800_000_000_000_i64, 0.5..1e9)
        .prop_map(|(timestamp, value)| Sample { value, timestamp });
    let run = prop::collection::vec(usual, 14..150);
    let mixed = (run, prop::collection::vec((any::<prop::sample::Index>(), sample()), 0..3));
    prop_oneof![
        4 => prop::collection::vec(sample(), 0..5),
        1 => mixed.prop_map(|(mut samples, others)| {
            for (index, other) in others {
                let at = index.index(samples.len());
                samples[at] = other;
            }
            samples
        }),
    ]
}

pub fn histogram() -> impl Strategy<Value = Histogram> {
    let span = || {
        prop::collection::vec(
            (any::<i32>(), any::<u32>()).prop_map(|(offset, length)| BucketSpan { offset, length }),
            0..3,
        )
    };
    let count = || {
        prop_oneof![Just(None), any::<u64>().prop_map(|n| Some(Ok(n))), value().prop_map(|v| Some(Err(v)))]
    };
    let deltas = || prop::collection::vec(any::<i64>(), 0..4);
    let counts = || prop::collection::vec(value(), 0..4);
    let numbers =
        (count(), count(), value(), any::<i32>(), value(), prop_oneof![0..4, any::<i32>()], t_ms(), t_ms());
    (numbers, (span(), deltas(), counts()), (span(), deltas(), counts()), counts()).prop_map(
        |(
            (count, zero, sum, schema, zero_threshold, reset_hint, timestamp, start),
            negative,
            positive,
            custom,
        )| {
            Histogram {
                count: count.map(|count| match count {
                    Ok(count) => histogram::Count::CountInt(count),
                    Err(count) => histogram::Count::CountFloat(count),
                }),
                sum,
                schema,
                zero_threshold,
                zero_count: zero.map(|count| match count {
                    Ok(count) => histogram::ZeroCount::ZeroCountInt(count),
                    Err(count) => histogram::ZeroCount::ZeroCountFloat(count),
                }),
                negative_spans: negative.0,
                negative_deltas: negative.1,
                negative_counts: negative.2,
                positive_spans: positive.0,
                positive_deltas: positive.1,
                positive_counts: positive.2,
                reset_hint,
                timestamp,
                custom_values: custom,
                start_timestamp: start,
            }
        },
    )
}

pub fn series() -> impl Strategy<Value = TimeSeries> {
    let exemplar = (labels(), value(), t_ms());
    let exemplar = exemplar.prop_map(|(labels, value, timestamp)| Exemplar { labels, value, timestamp });
    (labels(), samples(), prop::collection::vec(exemplar, 0..2), prop::collection::vec(histogram(), 0..2))
        .prop_map(|(labels, samples, exemplars, histograms)| TimeSeries {
            labels,
            samples,
            exemplars,
            histograms,
        })
}

pub fn write_request() -> impl Strategy<Value = WriteRequest> {
    let metadata = (prop_oneof![0..8, any::<i32>()], text(), text(), text()).prop_map(
        |(r#type, metric_family_name, help, unit)| MetricMetadata { r#type, metric_family_name, help, unit },
    );
    (prop::collection::vec(series(), 0..5), prop::collection::vec(metadata, 0..3))
        .prop_map(|(timeseries, metadata)| WriteRequest { timeseries, metadata })
}

/// With references that are almost always right, of one byte or two.
pub fn write_request_v2() -> impl Strategy<Value = v2::Request> {
    prop_oneof![8..12_u32, 150..300_u32].prop_flat_map(write_request_with_symbols)
}

fn write_request_with_symbols(count: u32) -> impl Strategy<Value = v2::Request> {
    let reference = move || prop_oneof![count => 0..count, 1 => 0..300_u32];
    let references = move || {
        prop_oneof![
            9 => prop::collection::vec((reference(), reference()), 0..5)
                .prop_map(|pairs| pairs.into_iter().flat_map(|(a, b)| [a, b]).collect::<Vec<_>>()),
            1 => prop::collection::vec(reference(), 0..5),
        ]
    };
    let with_start =
        |(Sample { value, timestamp }, start_timestamp)| v2::Sample { value, timestamp, start_timestamp };
    let samples = prop_oneof![
        prop::collection::vec((sample(), prop_oneof![3 => Just(0), 1 => t_ms()]).prop_map(with_start), 0..4),
        samples()
            .prop_map(move |samples| samples.into_iter().map(|sample| with_start((sample, 0))).collect()),
    ];
    let exemplar = (references(), value(), t_ms()).prop_map(|(labels_refs, value, timestamp)| v2::Exemplar {
        labels_refs,
        value,
        timestamp,
    });
    let metadata = prop::option::of(
        (prop_oneof![0..8, any::<i32>()], reference(), reference())
            .prop_map(|(r#type, help_ref, unit_ref)| v2::Metadata { r#type, help_ref, unit_ref }),
    );
    let series = (
        references(),
        samples,
        prop::collection::vec(histogram(), 0..2),
        prop::collection::vec(exemplar, 0..2),
        metadata,
    )
        .prop_map(|(labels_refs, samples, histograms, exemplars, metadata)| v2::TimeSeries {
            labels_refs,
            samples,
            histograms,
            exemplars,
            metadata,
        });
    (prop::collection::vec(text(), count as usize), prop::collection::vec(series, 0..4))
        .prop_map(|(symbols, timeseries)| v2::Request { symbols, timeseries })
}

pub fn read_request() -> impl Strategy<Value = ReadRequest> {
    let matcher = (prop_oneof![0..4, any::<i32>()], text(), text());
    let matcher = matcher.prop_map(|(r#type, name, value)| LabelMatcher { r#type, name, value });
    let hints = (t_ms(), text(), t_ms(), t_ms(), prop::collection::vec(text(), 0..3), any::<bool>(), t_ms())
        .prop_map(|(step_ms, func, start_ms, end_ms, grouping, by, range_ms)| ReadHints {
            step_ms,
            func,
            start_ms,
            end_ms,
            grouping,
            by,
            range_ms,
        });
    let query = (t_ms(), t_ms(), prop::collection::vec(matcher, 0..4), prop::option::of(hints)).prop_map(
        |(start_timestamp_ms, end_timestamp_ms, matchers, hints)| Query {
            start_timestamp_ms,
            end_timestamp_ms,
            matchers,
            hints,
        },
    );
    let accepted = prop::collection::vec(prop_oneof![0..2, any::<i32>()], 0..3);
    (prop::collection::vec(query, 0..4), accepted)
        .prop_map(|(queries, accepted_response_types)| ReadRequest { queries, accepted_response_types })
}

/// Up to three bytes inserted, replaced or cut off.
pub fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..12_u8), 0..4)
}

pub fn damaged(mut bytes: Vec<u8>, damage: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (index, byte, how) in damage {
        let at = index.index(bytes.len() + 1);
        match how {
            0..4 => bytes.insert(at, *byte),
            11 => bytes.truncate(at),
            _ if at < bytes.len() => bytes[at] = *byte,
            _ => {}
        }
    }
    bytes
}
