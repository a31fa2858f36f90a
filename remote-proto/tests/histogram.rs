//! Histogram chunks: those of a real Prometheus, laws of reading and writing, and what may stand in one chunk.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use prost::Message;

use promha_remote_proto::frame::{ChunkEncoding, FrameReader};
use promha_remote_proto::histogram::{
    self, Count, DEFAULT_MAX_BUCKETS, HistogramEncoder, HistogramView, Histograms, Number, ResetHint, Span,
};
use promha_remote_proto::xor::STALE_NAN_BITS;
use promha_remote_proto::{DecodeError, EncodeError, ErrorKind, Limit, prompb, snappy};

/// What a histogram says, apart from how its buckets are listed: time, count, zero count, sum, schema and zero
/// threshold as bits, and what is in the buckets that are not empty.
#[derive(Debug, Clone, PartialEq)]
struct Content {
    t_ms: i64,
    numbers: [u64; 4],
    schema: i32,
    /// By side and index, the population as bits of a float.
    populations: BTreeMap<(bool, i64), u64>,
}

/// A chunk with its series.
struct Captured {
    name: String,
    encoding: ChunkEncoding,
    min_ms: i64,
    max_ms: i64,
    data: Vec<u8>,
}

#[test]
fn every_captured_chunk_is_written_again_bit_for_bit() {
    let (mut ints, mut floats) = (0, 0);
    for chunk in captured() {
        let again = match chunk.encoding {
            ChunkEncoding::Histogram => {
                ints += 1;
                again::<u64>(&chunk)
            }
            ChunkEncoding::FloatHistogram => {
                floats += 1;
                again::<f64>(&chunk)
            }
            other => panic!("{}: {other:?}", chunk.name),
        };
        assert!(again == chunk.data, "{}: the chunk at {} ms", chunk.name, chunk.min_ms);
    }
    assert!(ints >= 45 && floats >= 9, "{ints} chunks of integers, {floats} of floats");
}

/// Decodes a chunk, holds the columns against what its frame says, and encodes them.
fn again<N: Number>(chunk: &Captured) -> Vec<u8> {
    let mut histograms = Histograms::<N>::new();
    histograms.decode(&chunk.data, DEFAULT_MAX_BUCKETS).unwrap();
    assert_eq!(usize::from(histogram::sample_count(&chunk.data).unwrap()), histograms.len());
    assert_eq!(histograms.timestamps_ms().first(), Some(&chunk.min_ms));
    assert_eq!(histograms.timestamps_ms().last(), Some(&chunk.max_ms));
    encode(&histograms)
}

#[test]
fn captured_chunks_hold_what_was_written() {
    let mut read: BTreeMap<String, Vec<Content>> = BTreeMap::new();
    for chunk in captured() {
        let views: Vec<prompb::Histogram> = match chunk.encoding {
            ChunkEncoding::Histogram => messages(&decode::<u64>(&chunk.data).unwrap()),
            _ => messages(&decode::<f64>(&chunk.data).unwrap()),
        };
        read.entry(chunk.name).or_default().extend(views.iter().map(content));
    }
    let written: BTreeMap<String, Vec<Content>> = written()
        .timeseries
        .into_iter()
        .map(|series| (series.labels[0].value.clone(), series.histograms.iter().map(content).collect()))
        .collect();
    assert_eq!((read.len(), written.len()), (16, 16));
    for (name, expected) in &written {
        assert_eq!(read[name].len(), expected.len(), "{name}");
        for (read, expected) in read[name].iter().zip(expected) {
            assert_eq!(read, expected, "{name} at {}", expected.t_ms);
        }
    }
}

#[test]
fn the_captures_show_what_they_are_for() {
    let mut hints = BTreeMap::new();
    let (mut grown, mut stale_first, mut stale_later) = (0, 0, 0);
    for chunk in captured().iter().filter(|chunk| chunk.encoding == ChunkEncoding::Histogram) {
        let histograms = decode::<u64>(&chunk.data).unwrap();
        *hints.entry(histograms.reset_hint().to_wire()).or_insert(0) += 1;
        let views: Vec<_> = histograms.views().collect();
        grown +=
            usize::from(content(&views[0].to_message()).populations.len() < views[0].positive_deltas.len());
        stale_first += usize::from(views[0].is_stale());
        stale_later += usize::from(views.last().unwrap().is_stale() && !views[0].is_stale());
        assert!(chunk.name == "h_gauge" || histograms.reset_hint() != ResetHint::Gauge);
    }
    // 2.42 says `No` of a chunk that it began because the one before was full.
    assert!(ResetHint::Other(9) != ResetHint::Unknown && hints.len() == 4, "{hints:?}");
    assert!(grown > 5 && stale_first >= 1 && stale_later >= 1, "{grown} {stale_first} {stale_later}");
}

#[test]
fn all_histograms_of_a_series_are_pushed_into_chunks() {
    for series in written().timeseries {
        let name = &series.labels[0].value;
        if series.histograms[0]
            .count
            .is_some_and(|count| matches!(count, prompb::histogram::Count::CountFloat(_)))
        {
            push_all::<f64>(name, &series.histograms);
        } else {
            push_all::<u64>(name, &series.histograms);
        }
    }
}

/// Pushes them message by message, then the columns of the chunks into one another, and compares the contents.
fn push_all<N: Number>(name: &str, messages: &[prompb::Histogram]) {
    let mut chunks = vec![Histograms::<N>::new()];
    for message in messages {
        let pushed =
            |into: &mut Histograms<N>| HistogramView::with_message(message, |view| into.push(view).unwrap());
        if chunks.last().unwrap().len() == 120 || !pushed(chunks.last_mut().unwrap()) {
            chunks.push(Histograms::new());
            assert!(pushed(chunks.last_mut().unwrap()));
        }
    }
    let expected: Vec<_> = messages.iter().map(content).collect();
    let read = |chunks: &[Histograms<N>]| -> Vec<Content> {
        let chunk_contents = |chunk: &Histograms<N>| -> Vec<Content> {
            let decoded = decode::<N>(&encode(chunk)).unwrap();
            assert_eq!(decoded.layout(), chunk.layout(), "{name}");
            decoded.views().map(|view| content(&view.to_message())).collect()
        };
        chunks.iter().flat_map(chunk_contents).collect()
    };
    assert!(read(&chunks) == expected, "{name}");

    // In pieces that fit the chunks nowhere.
    let mut merged = vec![Histograms::<N>::new()];
    for chunk in &chunks {
        let mut start = 0;
        while start < chunk.len() {
            let end = (start + 37).min(chunk.len());
            let taken = merged.last_mut().unwrap().push_from(chunk, start..end);
            start += taken;
            if taken == 0 {
                assert!(!merged.last().unwrap().is_empty(), "{name}: an empty chunk takes anything");
                merged.push(Histograms::new());
            }
        }
    }
    assert!(read(&merged) == expected, "{name}");
    assert!(merged.len() <= chunks.len());
}

#[test]
fn some_histograms_begin_a_chunk() {
    let spans = [Span { offset: 0, length: 2 }];
    let other_spans = [Span { offset: 1, length: 2 }];
    let base = HistogramView {
        count: Some(Count::Int(10)),
        zero_count: Some(Count::Int(2)),
        sum: 1.0,
        schema: 2,
        zero_threshold: 0.5,
        positive_spans: &spans,
        positive_deltas: &[5, -2],
        ..HistogramView::default()
    };
    let gauge = HistogramView { reset_hint: ResetHint::Gauge, ..base };
    let stale = HistogramView { sum: f64::from_bits(STALE_NAN_BITS), ..HistogramView::default() };
    let emptied = HistogramView { positive_deltas: &[5, -5], ..base };
    for (what, first, next, fits) in [
        ("the same once more", base, base, true),
        (
            "more of everything",
            base,
            HistogramView { count: Some(Count::Int(11)), positive_deltas: &[6, -3], ..base },
            true,
        ),
        ("a smaller sum", base, HistogramView { sum: -1.0, ..base }, true),
        ("another schema", base, HistogramView { schema: 3, ..base }, false),
        ("another threshold", base, HistogramView { zero_threshold: 0.25, ..base }, false),
        ("a smaller count", base, HistogramView { count: Some(Count::Int(9)), ..base }, false),
        ("a smaller zero count", base, HistogramView { zero_count: Some(Count::Int(1)), ..base }, false),
        ("less in the second bucket", base, HistogramView { positive_deltas: &[5, -3], ..base }, false),
        (
            "a bucket that is missing",
            base,
            HistogramView { positive_spans: &other_spans, positive_deltas: &[3, 9], ..base },
            false,
        ),
        (
            "an empty one that is missing",
            HistogramView { positive_deltas: &[0, 3], ..base },
            HistogramView { positive_spans: &other_spans, positive_deltas: &[3, 9], ..base },
            true,
        ),
        ("a bucket in use again", emptied, base, true),
        ("a reset that is declared", base, HistogramView { reset_hint: ResetHint::Yes, ..base }, false),
        ("no reset, as is declared", base, HistogramView { reset_hint: ResetHint::No, ..base }, true),
        ("a hint that nobody knows", base, HistogramView { reset_hint: ResetHint::Other(9), ..base }, true),
        ("a gauge after a counter", base, gauge, false),
        ("a counter after a gauge", gauge, base, false),
        (
            "a gauge that went down",
            gauge,
            HistogramView { count: Some(Count::Int(3)), positive_deltas: &[1, 0], ..gauge },
            true,
        ),
        ("a stale marker", base, stale, true),
        ("a stale marker after a gauge", gauge, stale, true),
        ("anything after a stale marker", stale, base, false),
        ("a stale marker after one", stale, stale, true),
        ("the same custom bounds", custom(&[1.0, 2.0]), custom(&[1.0, 2.0]), true),
        ("other custom bounds", custom(&[1.0, 2.0]), custom(&[1.0, 3.0]), false),
    ] {
        let mut histograms = Histograms::<u64>::new();
        assert_eq!(histograms.push(&first), Ok(true), "{what}");
        assert_eq!(histograms.push(&next), Ok(fits), "{what}");
        assert_eq!(histograms.len(), 1 + usize::from(fits));
        // The same from columns.
        let mut source = Histograms::<u64>::new();
        source.push(&next).unwrap();
        let mut histograms = Histograms::<u64>::new();
        histograms.push(&first).unwrap();
        assert_eq!(histograms.push_from(&source, 0..1), usize::from(fits), "{what} from columns");
        let expected: Vec<_> = if fits { vec![first, next] } else { vec![first] };
        let expected: Vec<_> = expected.iter().map(|view| content(&view.to_message())).collect();
        assert_eq!(contents(&histograms), expected, "{what}");
    }
}

fn custom(custom_values: &[f64]) -> HistogramView<'_> {
    HistogramView { count: Some(Count::Int(1)), schema: -53, custom_values, ..HistogramView::default() }
}

#[test]
fn the_first_histogram_decides_about_the_flags() {
    let view =
        |reset_hint| HistogramView { count: Some(Count::Int(1)), reset_hint, ..HistogramView::default() };
    let flags = |histograms: &Histograms<u64>| encode(histograms)[2];
    for (hint, expected) in [
        (ResetHint::Unknown, 0b0000_0000),
        (ResetHint::No, 0b0100_0000),
        (ResetHint::Yes, 0b1000_0000),
        (ResetHint::Gauge, 0b1100_0000),
    ] {
        let mut histograms = Histograms::<u64>::new();
        histograms.push(&view(hint)).unwrap();
        let next = if hint == ResetHint::Gauge { hint } else { ResetHint::Unknown };
        assert_eq!(histograms.push(&view(next)), Ok(true));
        assert_eq!(flags(&histograms), expected, "{hint:?}");
        let decoded = decode::<u64>(&encode(&histograms)).unwrap();
        assert_eq!(decoded.reset_hint(), hint);
        // What is said about the first one is not said about others, and what is certain about those is not written.
        let later = if hint == ResetHint::Gauge { ResetHint::Gauge } else { ResetHint::No };
        assert_eq!(decoded.view(1).reset_hint, later);
        let mut part = Vec::new();
        HistogramEncoder::new().encode(&decoded, 1..2, &mut part).unwrap();
        assert_eq!(part[2], if hint == ResetHint::Gauge { expected } else { 0 });
        // That there was no reset is about the chunk before, which need not be there.
        let first = if hint == ResetHint::No { ResetHint::Unknown } else { hint };
        assert_eq!(decoded.view(0).reset_hint, first);
        let mut taken = Histograms::<u64>::new();
        assert_eq!(taken.push_from(&decoded, 0..2), 2);
        assert_eq!(taken.reset_hint(), first);
    }
    let mut gauge = Histograms::<u64>::new();
    gauge.push(&view(ResetHint::Gauge)).unwrap();
    gauge.set_reset_hint(ResetHint::Yes);
    assert_eq!(gauge.reset_hint(), ResetHint::Gauge);
    let mut counter = Histograms::<u64>::new();
    counter.push(&view(ResetHint::Unknown)).unwrap();
    counter.set_reset_hint(ResetHint::Gauge);
    assert_eq!(counter.reset_hint(), ResetHint::Unknown);
    counter.set_reset_hint(ResetHint::No);
    assert_eq!(counter.reset_hint(), ResetHint::No);
}

#[test]
fn what_cannot_be_pushed_is_refused() {
    let float = HistogramView { count: Some(Count::Float(1.0)), ..HistogramView::default() };
    let int = HistogramView { count: Some(Count::Int(1)), ..HistogramView::default() };
    let half = HistogramView { zero_count: Some(Count::Float(1.0)), ..int };
    let spans = [Span { offset: 0, length: 2 }, Span { offset: 1, length: u32::MAX }];
    let short = HistogramView { positive_spans: &spans, positive_deltas: &[1, 2], ..int };
    let long = HistogramView { negative_deltas: &[1, 2, 3], ..int };
    let mut ints = Histograms::<u64>::new();
    assert_eq!(ints.push(&float), Err(EncodeError::CountKind { float: true }));
    assert_eq!(ints.push(&half), Err(EncodeError::CountKind { float: false }));
    assert_eq!(
        ints.push(&short),
        Err(EncodeError::BucketCount { expected: 2 + u64::from(u32::MAX), found: 2 })
    );
    assert_eq!(ints.push(&long), Err(EncodeError::BucketCount { expected: 0, found: 3 }));
    assert_eq!(Histograms::<f64>::new().push(&int), Err(EncodeError::CountKind { float: false }));
    assert!(ints.is_empty());

    for _ in 0..histogram::MAX_SAMPLES {
        assert_eq!(ints.push(&int), Ok(true));
    }
    assert_eq!(ints.push(&int), Ok(false));
    let mut more = Histograms::<u64>::new();
    assert_eq!(more.push_from(&ints, 0..3), 3);
    assert_eq!(more.push_from(&ints, 0..ints.len()), histogram::MAX_SAMPLES - 3);
    assert_eq!(more.push_from(&ints, 0..1), 0);
    assert_eq!(decode::<u64>(&encode(&more)).unwrap().len(), 65_535);
}

#[test]
fn custom_bounds_come_back() {
    let bounds = [-1.0, 0.0, 0.001, 0.5, 1.0005, 33_554.43, 33_554.431, 1e300, f64::INFINITY, f64::NAN];
    let mut histograms = Histograms::<u64>::new();
    histograms.push(&custom(&bounds)).unwrap();
    let chunk = encode(&histograms);
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&decode::<u64>(&chunk).unwrap().layout().custom_values), bits(&bounds));
    // Thousandths up to 33,554.430 are integers of at most 32 bits, all others take 65.
    let length = |bound: f64| {
        let mut histograms = Histograms::<u64>::new();
        histograms.push(&custom(&[bound])).unwrap();
        encode(&histograms).len()
    };
    let longest = length(f64::NAN);
    for (bound, saved_bytes) in
        [(0.0, 7), (0.001, 7), (0.5, 6), (33_554.43, 4), (-0.001, 0), (1.0005, 0), (33_554.431, 0)]
    {
        assert_eq!(longest - length(bound), saved_bytes, "{bound}");
    }
    // Minus zero is written as zero, as Prometheus does, and so that is what it is from the start.
    let mut histograms = Histograms::<u64>::new();
    histograms.push(&HistogramView { zero_threshold: -0.0, ..custom(&[-0.0]) }).unwrap();
    assert_eq!(
        (bits(&histograms.layout().custom_values), histograms.layout().zero_threshold.to_bits()),
        (vec![0], 0)
    );
    let raw = [&[0, 1, 0, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &[0; 20]].concat();
    assert_eq!(decode::<u64>(&raw).unwrap().layout().zero_threshold.to_bits(), 0);
    // Other schemas have no bounds, whatever the message says.
    let mut histograms = Histograms::<u64>::new();
    histograms.push(&HistogramView { schema: 0, ..custom(&bounds) }).unwrap();
    assert!(histograms.layout().custom_values.is_empty());
}

#[test]
fn damage_is_named_and_located() {
    let truncated = |needed_bytes, available_bytes| ErrorKind::Truncated { needed_bytes, available_bytes };
    for (what, chunk, kind, offset) in [
        ("no bytes", vec![], truncated(2, 0), 0),
        ("no flags", vec![0, 0], truncated(3, 2), 0),
        ("no layout", vec![0, 1, 0], truncated(2, 0), 3),
        // Zero threshold 0, schema 5 bits 10 001 (1), then 11111111 and 64 bits of a count of spans.
        (
            "more spans than bits",
            [&[0, 1, 0, 0, 0b1000_1111, 0b1111_1111][..], &[0xff; 9]].concat(),
            truncated(1 << 62, 1),
            13,
        ),
        // Schema 10 + 0; spans 10 001: length 1111110 + 25 bits.
        (
            "a schema of 100",
            vec![0, 1, 0, 0, 0b1110_0011, 0b0010_0000, 0, 0],
            ErrorKind::HistogramSchema { found: 100 },
            5,
        ),
    ] {
        let mut histograms = Histograms::<u64>::new();
        let error = histograms.decode(&chunk, DEFAULT_MAX_BUCKETS).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{what}");
        assert!(histograms.is_empty(), "{what}");
    }
}

#[test]
fn buckets_are_limited() {
    let spans = [Span { offset: 0, length: 10 }];
    let view =
        HistogramView { positive_spans: &spans, positive_deltas: &[1; 10], ..HistogramView::default() };
    let mut histograms = Histograms::<u64>::new();
    (0..5).for_each(|_| assert_eq!(histograms.push(&view), Ok(true)));
    let chunk = encode(&histograms);
    assert_eq!(histograms.decode(&chunk, 50), Ok(()));
    let error = histograms.decode(&chunk, 49).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OverLimit { what: Limit::HistogramBuckets, limit: 49, found: 50 });
    assert!(histograms.is_empty() && histograms.layout().positive_spans.is_empty());
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(histograms in histograms_strategy::<u64>()) {
        law::<u64>(&histograms)?;
    }

    #[test]
    fn what_is_pushed_is_read_with_floats(histograms in histograms_strategy::<f64>()) {
        law::<f64>(&histograms)?;
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), count in 0..9_u8, layout in 0..2_u8) {
        let head: &[u8] = if layout == 0 { &[0, count, 0] } else { &[0, count, 0, 0, 0b1000_1101] };
        let chunk = [head, &noise].concat();
        stable::<u64>(&chunk)?;
        stable::<f64>(&chunk)?;
    }
}

/// What was decoded at all is the same after another time.
fn stable<N: Number>(chunk: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(histograms) = decode::<N>(chunk) {
        prop_assert_eq!(histograms.len(), usize::from(histogram::sample_count(chunk).unwrap()));
        let again = decode::<N>(&encode(&histograms)).unwrap();
        prop_assert_eq!(bits(&again), bits(&histograms));
        prop_assert_eq!(encode(&again), encode(&histograms));
    }
    Ok(())
}

fn law<N: Number>(messages: &[prompb::Histogram]) -> Result<(), TestCaseError> {
    let mut histograms = Histograms::<N>::new();
    let mut expected = Vec::new();
    for message in messages {
        if HistogramView::with_message(message, |view| histograms.push(view)).unwrap() {
            expected.push(content(message));
        }
    }
    prop_assert_eq!(contents(&histograms), expected);
    let chunk = encode(&histograms);
    let decoded = decode::<N>(&chunk).unwrap();
    prop_assert_eq!(bits(&decoded), bits(&histograms));
    prop_assert_eq!(encode(&decoded), chunk.clone());
    for cut in 0..chunk.len().saturating_sub(1) {
        let error = decode::<N>(&chunk[..cut]).map(drop).unwrap_err();
        prop_assert!(matches!(error.kind(), ErrorKind::Truncated { .. }), "{}", error);
        prop_assert!(error.offset() <= cut);
    }
    Ok(())
}

/// Messages of the kind that `N` is for; not all of them fit into one chunk.
fn histograms_strategy<N: Number>() -> impl Strategy<Value = Vec<prompb::Histogram>> {
    let is_float = std::any::TypeId::of::<N>() == std::any::TypeId::of::<f64>();
    let side = prop::collection::btree_map(-20..60_i64, prop_oneof![0..9_u64, 0..1_u64 << 40], 0..9);
    let step_ms = prop_oneof![6 => 14_900..15_100_i64, 1 => any::<i64>()];
    let numbers = (any::<f64>(), prop_oneof![0..9_u64, any::<u64>()], 0..9_u64);
    let kind = (0..8_u8, any::<bool>());
    prop::collection::vec((step_ms, side.clone(), side, numbers, kind), 0..12).prop_map(move |parts| {
        let (mut t_ms, is_gauge) = (1_700_000_000_000_i64, parts.first().is_some_and(|part| part.4.1));
        let message = |(step_ms, positive, negative, (sum, count, zero_count), (kind, _))| {
            t_ms = t_ms.wrapping_add(step_ms);
            if kind == 0 {
                let sum = f64::from_bits(STALE_NAN_BITS);
                return prompb::Histogram { timestamp: t_ms, sum, ..Default::default() };
            }
            let mut message = prompb::Histogram { timestamp: t_ms, sum, schema: 3, ..Default::default() };
            set_counts(&mut message, is_float, count, zero_count);
            set_side(&mut message, is_float, true, &positive);
            set_side(&mut message, is_float, false, &negative);
            message.reset_hint = if is_gauge { 3 } else { 0 };
            message
        };
        parts.into_iter().map(message).collect()
    })
}

fn set_counts(message: &mut prompb::Histogram, is_float: bool, count: u64, zero_count: u64) {
    use prompb::histogram::{Count, ZeroCount};
    message.count = Some(if is_float { Count::CountFloat(count as f64) } else { Count::CountInt(count) });
    message.zero_count = Some(if is_float {
        ZeroCount::ZeroCountFloat(zero_count as f64)
    } else {
        ZeroCount::ZeroCountInt(zero_count)
    });
}

fn set_side(
    message: &mut prompb::Histogram,
    is_float: bool,
    is_positive: bool,
    populations: &BTreeMap<i64, u64>,
) {
    let (mut spans, mut deltas, mut counts) = (Vec::<prompb::BucketSpan>::new(), Vec::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (&index, &population) in populations {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(prompb::BucketSpan { offset: (index - next) as i32, length: 1 }),
        }
        deltas.push(population as i64 - before);
        counts.push(population as f64);
        (next, before) = (index + 1, population as i64);
    }
    let (to_spans, to_deltas, to_counts) = if is_positive {
        (&mut message.positive_spans, &mut message.positive_deltas, &mut message.positive_counts)
    } else {
        (&mut message.negative_spans, &mut message.negative_deltas, &mut message.negative_counts)
    };
    *to_spans = spans;
    if is_float {
        *to_counts = counts;
    } else {
        *to_deltas = deltas;
    }
}

fn content(message: &prompb::Histogram) -> Content {
    use prompb::histogram::{Count, ZeroCount};
    let t_ms = message.timestamp;
    if message.sum.to_bits() == STALE_NAN_BITS {
        let numbers = [0, 0, message.sum.to_bits(), 0];
        return Content { t_ms, numbers, schema: 0, populations: BTreeMap::new() };
    }
    let count = match message.count {
        Some(Count::CountInt(count)) => count,
        Some(Count::CountFloat(count)) => count.to_bits(),
        None => 0,
    };
    let zero_count = match message.zero_count {
        Some(ZeroCount::ZeroCountInt(count)) => count,
        Some(ZeroCount::ZeroCountFloat(count)) => count.to_bits(),
        None => 0,
    };
    let mut populations = BTreeMap::new();
    for (side, spans, deltas, counts) in [
        (true, &message.positive_spans, &message.positive_deltas, &message.positive_counts),
        (false, &message.negative_spans, &message.negative_deltas, &message.negative_counts),
    ] {
        let mut populated = Vec::new();
        let mut population = 0;
        for delta in deltas {
            population += delta;
            populated.push(population as f64);
        }
        populated.extend(counts);
        let mut index = 0;
        let mut populated = populated.into_iter();
        for span in spans {
            index += i64::from(span.offset);
            for _ in 0..span.length {
                let population = populated.next().unwrap();
                if population != 0.0 {
                    populations.insert((side, index), population.to_bits());
                }
                index += 1;
            }
        }
        assert_eq!(populated.next(), None);
    }
    let numbers = [count, zero_count, message.sum.to_bits(), message.zero_threshold.to_bits()];
    Content { t_ms, numbers, schema: message.schema, populations }
}

/// Everything that there is in all of them, floats as bits.
fn bits<N: Number>(histograms: &Histograms<N>) -> Vec<Vec<u8>> {
    messages(histograms).iter().map(Message::encode_to_vec).collect()
}

fn messages<N: Number>(histograms: &Histograms<N>) -> Vec<prompb::Histogram> {
    let messages: Vec<_> = histograms.views().map(|view| view.to_message()).collect();
    for (message, view) in messages.iter().zip(histograms.views()) {
        HistogramView::with_message(message, |again| assert_eq!(format!("{again:?}"), format!("{view:?}")));
    }
    messages
}

fn contents<N: Number>(histograms: &Histograms<N>) -> Vec<Content> {
    histograms.views().map(|view| content(&view.to_message())).collect()
}

fn decode<N: Number>(chunk: &[u8]) -> Result<Histograms<N>, DecodeError> {
    let mut histograms = Histograms::new();
    histograms.decode(chunk, DEFAULT_MAX_BUCKETS)?;
    Ok(histograms)
}

fn encode<N: Number>(histograms: &Histograms<N>) -> Vec<u8> {
    let mut chunk = Vec::new();
    HistogramEncoder::new().encode(histograms, 0..histograms.len(), &mut chunk).unwrap();
    chunk
}

fn captured() -> Vec<Captured> {
    let mut reader = FrameReader::default();
    reader.push(&file("made-streamed.answer"));
    let mut chunks = Vec::new();
    while let Some(series) = reader.next_frame().unwrap() {
        chunks.extend(series.chunks().map(|chunk| Captured {
            name: series.labels()[0].1.into(),
            encoding: chunk.encoding,
            min_ms: chunk.min_ms,
            max_ms: chunk.max_ms,
            data: chunk.data.to_vec(),
        }));
    }
    reader.finish().unwrap();
    chunks
}

fn written() -> prompb::WriteRequest {
    let (block, mut plain) = (file("made.written"), Vec::new());
    let message = snappy::decompress(&block, snappy::DEFAULT_LIMIT_BYTES, &mut plain).unwrap();
    prompb::WriteRequest::decode(message).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/histogram").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
