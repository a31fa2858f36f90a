//! Limits of messages, each with what was found and where; and decoders that are as good as new after an error.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod owned;
}

use allocation_counter::measure;
use prost::Message;

use common::owned;
use promha_remote_proto::histogram::{Count, HistogramView, Span};
use promha_remote_proto::negotiate::WriteVersion::{V1, V2};
use promha_remote_proto::prompb::{
    Exemplar, Histogram, Label, LabelMatcher, MatcherType, MetricMetadata, Query, QueryResult, ReadHints,
    ReadRequest, ReadResponse, Sample, TimeSeries, WriteRequest, v2,
};
use promha_remote_proto::read::{AnswerDecoder, AnswerEncoder, RequestDecoder, encode_request};
use promha_remote_proto::series::{ExemplarView, MetadataView, MetricType};
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::{DecodeError, ErrorKind, Limit, Limits};

const T_MS: i64 = 1_700_000_000_000;

/// Longer than what takes one byte of length.
const LONG: &str = match std::str::from_utf8(&[b'x'; 200]) {
    Ok(long) => long,
    Err(_) => panic!(),
};

#[test]
fn every_limit_of_a_write_1_request() {
    type Change = fn(&mut Limits, usize);
    let body = request().encode_to_vec();
    // What is one too many begins with these bytes.
    let cases: [(Limit, Change, usize, &[u8]); 8] = [
        (Limit::MessageBytes, |limits, n| limits.max_message_bytes = n, body.len(), &body),
        (Limit::Series, |limits, n| limits.max_series = n, 2, b"\x0a\x08\x0a\x06\x0a\x01a"),
        (
            Limit::LabelsPerSeries,
            |limits, n| limits.max_labels_per_series = n,
            3,
            b"\x0a\xd1\x01\x0a\x04long",
        ),
        (Limit::LabelBytes, |limits, n| limits.max_label_bytes = n, 200, b"\x12\xc8\x01xxx"),
        (Limit::Samples, |limits, n| limits.max_samples = n, 4, b"\x12\x10\x09\0\0\0\0\0\0\xf8\x3f"),
        (Limit::Histograms, |limits, n| limits.max_histograms = n, 1, b"\x22\x14\x19"),
        (Limit::Exemplars, |limits, n| limits.max_exemplars = n, 1, b"\x1a\x1f\x0a\x0d"),
        (Limit::Metadata, |limits, n| limits.max_metadata = n, 1, b"\x1a\x06\x08\x01\x12\x02up"),
    ];
    for (what, change, needed, start) in cases {
        let decode = |n| {
            let mut limits = Limits::default();
            change(&mut limits, n);
            WriteDecoder::new(limits).decode(V1, &body).map(|view| owned::write_v1(&view))
        };
        assert_eq!(decode(needed), Ok(request()), "{what}");
        let error = decode(needed - 1).unwrap_err();
        let (limit, found) = (needed as u64 - 1, needed as u64);
        assert_eq!(error.kind(), ErrorKind::OverLimit { what, limit, found });
        assert!(body[error.offset()..].starts_with(start), "{what}: {error}");
        assert_eq!(error.status(), 400);
    }
}

#[test]
fn every_limit_of_a_write_2_request() {
    type Change = fn(&mut Limits, usize);
    let mut encoder = WriteEncoder::new(V2);
    write_all(&mut encoder);
    let body = encoder.finish().to_vec();
    let symbols = v2::Request::decode(&body[..]).unwrap().symbols;
    // What is one too many begins with these bytes.
    let cases: [(Limit, Change, usize, &[u8]); 8] = [
        (Limit::MessageBytes, |limits, n| limits.max_message_bytes = n, body.len(), &body),
        (Limit::Symbols, |limits, n| limits.max_symbols = n, symbols.len(), b"\x22\x01s\x2a"),
        (Limit::Series, |limits, n| limits.max_series = n, 3, b"\x2a\x15\x1a\x13"),
        (Limit::LabelsPerSeries, |limits, n| limits.max_labels_per_series = n, 3, b"\x0a\x06\x01\x02"),
        (Limit::LabelBytes, |limits, n| limits.max_label_bytes = n, 200, b"\x22\xc8\x01xxx"),
        (Limit::Samples, |limits, n| limits.max_samples = n, 5, b"\x12\x17\x09"),
        (Limit::Histograms, |limits, n| limits.max_histograms = n, 2, b"\x1a\x13\x08\x03"),
        (Limit::Exemplars, |limits, n| limits.max_exemplars = n, 1, b"\x22\x14\x0a\x02"),
    ];
    for (what, change, needed, start) in cases {
        let decode = |n| {
            let mut limits = Limits::default();
            change(&mut limits, n);
            WriteDecoder::new(limits).decode(V2, &body).map(|view| view.series().len())
        };
        assert_eq!(decode(needed), Ok(3), "{what}");
        let (limit, found) = (needed as u64 - 1, needed as u64);
        let error = decode(needed - 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OverLimit { what, limit, found });
        assert!(body[error.offset()..].starts_with(start), "{what}: {error}");
    }
}

#[test]
fn every_limit_of_requests_and_answers() {
    let request = ReadRequest { queries: vec![Query::default(), query()], accepted_response_types: vec![1] };
    let body = request.encode_to_vec();
    let answer = ReadResponse { results: vec![QueryResult::default(); 3] }.encode_to_vec();
    let over = |what, limit, found| ErrorKind::OverLimit { what, limit, found };
    let mut limits = Limits::default();
    limits.max_queries = 2;
    let view = |limits| RequestDecoder::new(limits).decode(&body).map(|view| owned::request(&view));
    assert_eq!(view(limits), Ok(request.clone()));
    let kind = AnswerDecoder::new(limits).decode(&answer).unwrap_err().kind();
    assert_eq!(kind, over(Limit::Queries, 2, 3));
    limits.max_queries = 1;
    assert_eq!(view(limits).unwrap_err().kind(), over(Limit::Queries, 1, 2));
    limits.max_queries = 3;
    limits.max_matchers = 1;
    assert_eq!(view(limits).unwrap_err().kind(), over(Limit::Matchers, 1, 2));
    limits.max_matchers = 2;
    assert_eq!(view(limits), Ok(request));
    limits.max_message_bytes = body.len() - 1;
    let (limit, found) = (body.len() as u64 - 1, body.len() as u64);
    assert_eq!(view(limits).unwrap_err().kind(), over(Limit::MessageBytes, limit, found));
}

#[test]
fn references_have_to_be_right() {
    let request = |labels_refs: Vec<u32>, metadata| v2::Request {
        symbols: vec!["".into(), "a".into(), "b".into()],
        timeseries: vec![v2::TimeSeries { labels_refs, metadata, ..Default::default() }],
    };
    let error = |labels_refs, metadata| {
        let body = request(labels_refs, metadata).encode_to_vec();
        WriteDecoder::default().decode(V2, &body).map(|view| view.series().len()).unwrap_err()
    };
    let bad = |reference| ErrorKind::SymbolReference { reference, symbols: 3 };
    // Eight bytes of symbols, two of the series, two of the references.
    let at = |error: DecodeError| (error.kind(), error.offset());
    assert_eq!(at(error(vec![1, 3], None)), (bad(3), 13));
    assert_eq!(at(error(vec![1, 2, 300, 1], None)), (bad(300), 14));
    assert_eq!(at(error(vec![1, 2, 1], None)), (ErrorKind::OddReferences { count: 3 }, 10));
    assert_eq!(error(vec![], Some(v2::Metadata { help_ref: 3, ..Default::default() })).kind(), bad(3));
    // The last one goes on in the field behind them.
    let mut message = request(vec![1, 300], None);
    message.timeseries[0].samples = vec![v2::Sample { value: 1.0, timestamp: 1, start_timestamp: 0 }];
    let mut body = message.encode_to_vec();
    body[11] -= 1;
    let error = WriteDecoder::default().decode(V2, &body).map(drop).unwrap_err();
    assert_eq!(at(error), (ErrorKind::Truncated { needed_bytes: 2, available_bytes: 1 }, 13));
    // Nothing is referred to by default, even if there are no symbols at all.
    let nothing = v2::Request {
        symbols: vec![],
        timeseries: vec![v2::TimeSeries { metadata: Some(v2::Metadata::default()), ..Default::default() }],
    };
    let body = nothing.encode_to_vec();
    let mut decoder = WriteDecoder::default();
    let view = decoder.decode(V2, &body).unwrap();
    assert_eq!(view.series().next().unwrap().metadata(), Some(MetadataView::default()));
}

#[test]
fn good_bad_good() {
    let good = request().encode_to_vec();
    let mut bad = good.clone();
    bad.truncate(good.len() - 1);
    let mut not_utf8 = good.clone();
    let at = not_utf8.windows(3).position(|window| window == b"job").unwrap();
    not_utf8[at] = 0xff;
    let mut decoder = WriteDecoder::default();
    for _ in 0..3 {
        for body in [&bad, &not_utf8] {
            assert!(decoder.decode(V1, body).is_err());
            let view = decoder.decode(V1, &good).unwrap();
            assert_eq!(owned::write_v1(&view), request(), "nothing of the bad one is left");
        }
    }
}

#[test]
fn warm_decoders_allocate_nothing_also_after_errors() {
    for version in [V1, V2] {
        let mut encoder = WriteEncoder::new(version);
        write_all(&mut encoder);
        let good = encoder.finish().to_vec();
        let bad = good[..good.len() - 1].to_vec();
        let mut decoder = WriteDecoder::default();
        let allocations = warm(|| {
            for body in [&good, &bad, &good] {
                let series = decoder.decode(version, body).map(|view| view.series().len());
                assert_eq!(series.is_ok(), body.len() == good.len());
            }
        });
        assert_eq!(allocations, 0, "{version:?}");
    }

    let answer = ReadResponse { results: vec![QueryResult { timeseries: request().timeseries }; 2] };
    let good = answer.encode_to_vec();
    let mut decoder = AnswerDecoder::default();
    let allocations = warm(|| {
        for body in [&good[..], &good[..9], &good[..]] {
            assert_eq!(decoder.decode(body).is_ok(), body.len() == good.len());
        }
    });
    assert_eq!(allocations, 0, "answers");

    let good = ReadRequest { queries: vec![query(); 3], accepted_response_types: vec![1, 0] }.encode_to_vec();
    let mut decoder = RequestDecoder::default();
    let allocations = warm(|| {
        for body in [&good[..], &good[..9], &good[..]] {
            assert_eq!(decoder.decode(body).is_ok(), body.len() == good.len());
        }
    });
    assert_eq!(allocations, 0, "requests");
}

#[test]
fn warm_encoders_allocate_nothing() {
    for version in [V1, V2] {
        let mut encoder = WriteEncoder::new(version);
        let allocations = warm(|| {
            write_all(&mut encoder);
            assert!(!encoder.finish().is_empty());
        });
        assert_eq!(allocations, 0, "{version:?}");
    }
    let body = request().encode_to_vec();
    let mut decoder = WriteDecoder::default();
    let view = decoder.decode(V1, &body).unwrap();
    let mut encoder = AnswerEncoder::new();
    let allocations = warm(|| {
        for _ in 0..2 {
            encoder.result();
            view.series().for_each(|series| encoder.series_view(&series));
        }
        assert!(!encoder.finish().is_empty());
    });
    assert_eq!(allocations, 0, "answers");
    let body = ReadRequest { queries: vec![query(); 3], accepted_response_types: vec![1] }.encode_to_vec();
    let mut requests = RequestDecoder::default();
    let request = requests.decode(&body).unwrap();
    let queries: Vec<_> = request.queries().collect();
    let mut into = Vec::new();
    let allocations = warm(|| encode_request(&queries, &[1], &mut into));
    assert_eq!(allocations, 0, "requests");
}

#[test]
fn claims_take_no_memory() {
    // A length of four gigabytes, for a series, a label, symbols and references.
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (version, start) in
        [(V1, &[0x0a][..]), (V1, &[0x0a, 0x7f, 0x0a]), (V2, &[0x22]), (V2, &[0x2a, 0x7f, 0x0a])]
    {
        let body = [start, &claim].concat();
        let info = measure(|| assert!(WriteDecoder::default().decode(version, &body).is_err()));
        assert!(info.bytes_max < 4_096, "{start:x?}: {} bytes", info.bytes_max);
    }
}

#[test]
fn an_encoder_starts_afresh_after_each_message() {
    for version in [V1, V2] {
        let mut encoder = WriteEncoder::new(version);
        assert!(encoder.is_empty());
        write_all(&mut encoder);
        assert!(!encoder.is_empty());
        let length = encoder.len();
        let first = encoder.finish().to_vec();
        assert_eq!(first.len(), length);
        assert!(encoder.is_empty(), "what comes next is another message");
        write_all(&mut encoder);
        assert_eq!(encoder.finish(), first);
    }
}

/// The allocations of the second of two runs.
fn warm(mut run: impl FnMut()) -> u64 {
    run();
    measure(run).count_total
}

/// Three series with all that there is.
fn write_all(encoder: &mut WriteEncoder) {
    let spans = [Span { offset: 1, length: 2 }];
    let histogram = HistogramView {
        t_ms: T_MS,
        count: Some(Count::Int(3)),
        positive_spans: &spans,
        positive_deltas: &[1, 1],
        ..HistogramView::default()
    };
    let exemplar = ExemplarView { labels: &[("trace_id", "7")], value: 1.0, t_ms: T_MS };
    let metadata = MetadataView { metric_type: MetricType::Counter, family: "up", help: "Help.", unit: "s" };
    encoder.series(&[("__name__", "up"), ("job", "node"), ("x", LONG)], (0..4).map(|n| (T_MS + n, n as f64)));
    encoder.series_with(&[("__name__", "h")], |series| {
        series.sample(T_MS, 1.0, T_MS - 5);
        series.histogram(&histogram);
        series.exemplar(&exemplar);
        series.metadata(&metadata);
    });
    encoder.series_with(&[], |series| series.histogram(&histogram));
    encoder.metadata(&metadata);
}

fn request() -> WriteRequest {
    let labels = [("__name__", "up"), ("job", "node"), ("long", LONG)];
    let samples = (0..4).map(|n| Sample { value: n as f64 * 0.5, timestamp: T_MS + n }).collect();
    let exemplar = Exemplar { labels: vec![Label::new("trace_id", "7")], value: 1.0, timestamp: T_MS };
    let histogram =
        Histogram { sum: 1.5, timestamp: T_MS, positive_deltas: vec![1, -1], ..Default::default() };
    WriteRequest {
        timeseries: vec![
            TimeSeries {
                labels: owned::labels(&labels),
                samples,
                exemplars: vec![exemplar],
                histograms: vec![histogram],
            },
            TimeSeries { labels: vec![Label::new("a", "b")], ..Default::default() },
        ],
        metadata: vec![MetricMetadata { r#type: 1, metric_family_name: "up".into(), ..Default::default() }],
    }
}

fn query() -> Query {
    Query {
        start_timestamp_ms: T_MS,
        end_timestamp_ms: T_MS + 1,
        matchers: vec![
            LabelMatcher::new(MatcherType::Re, "job", "n.*"),
            LabelMatcher::new(MatcherType::Eq, "a", "b"),
        ],
        hints: Some(ReadHints { func: "rate".into(), grouping: vec!["job".into()], ..Default::default() }),
    }
}
